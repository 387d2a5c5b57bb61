# cython: boundscheck=False, wraparound=False, cdivision=True
"""The tasks of forward and input gradient: each owns a block of outputs.

A task sums over channel blocks and taps into its own pixel panel, and nobody else writes there.  An
output's order of summation follows from taps and channels alone: not from the block, its place in
a tile, the batch or the threads.

Taps that read nothing but padding zeros are left out, where filters are finite: adding zeros
changes no bit.
"""

from libc.string cimport memset

from sweepconv._box cimport (
    AXES, Block, Phase, box_taps, ceil_div, idx, is_panel, joined_taps, line_starts, merge,
    tap_starts,
)
from sweepconv._kernels cimport SC_LANES, sc_line, sc_tile
from sweepconv._panel cimport Columns, move_columns, move_pixels, pack_source, target_at, target_steps
from sweepconv._task cimport (
    INIT, LINES, OWN, PIXELS, RUNS, SPARE, TAPS, Part, Sweep, best_half, channel_block, cut_task,
    first_source, first_target, lane_count, most_vectors, move_panel, panel_vectors,
    source_columns, tap_block, target_columns, target_count, tile_of,
)


cdef enum:
    KINDS = 64       # of runs that are told apart
    FEW_STEPS = 128


cdef struct TapSet:
    # The taps of each axis that read more than padding zeros: a range, since taps ascend.
    idx low[3]
    idx high[3]


cdef struct Run:
    # `half` pixels in a line: half of a tile.
    idx source       # coordinate of the first in the panel
    idx slot         # first of its rows in the pixel panel
    idx valid        # pixels that are in the line; none in a filler
    TapSet taps
    idx kind         # runs of one kind have the same taps
    char *ready      # where the first belongs in the target, for channel 0


cdef struct Runs:
    Run *run
    idx count        # even
    idx slots        # rows of a line in the pixel panel
    idx ready_row    # values from one pixel to the next in the target; 0: sums cannot go there
    bint sorted      # by the taps that they need


cdef inline void axis_taps(const Phase *p, idx first, idx count, idx *low,
                           idx *high) noexcept nogil:
    """Taps of an axis that read more than zeros for some of `count` outputs from `first` on."""
    cdef idx t, i
    low[0], high[0] = p.taps, 0
    for t in range(p.taps):
        for i in range(first, first + count):
            if p.index[i * p.stride + p.offset[t]] >= 0:
                low[0], high[0] = min(low[0], t), t + 1
                break
    low[0] = min(low[0], high[0])


cdef inline bint reads_zeros(const Block *b, int a) noexcept nogil:
    """Whether the block reads padding zeros along spatial axis a."""
    cdef const Phase *p = b.phase[a]
    cdef idx first = b.low[a + 1] * b.stride[a + 1]
    return p.index[first] < 0 or p.end[first] < first + b.extent[a + 1]


cdef inline void find_taps(const Block *b, Runs *r) noexcept nogil:
    """The taps of each run, of lines along the last axis."""
    cdef idx each = ceil_div(b.length, b.half), line, i, at
    cdef int a
    cdef Run *run = r.run
    cdef TapSet set
    for i in range(each):
        axis_taps(b.phase[2], b.low[3] + i * b.half, run[i].valid, &run[i].taps.low[2],
                  &run[i].taps.high[2])
    for line in range(b.lines):
        at = line
        for a in range(1, -1, -1):
            axis_taps(b.phase[a], b.low[a + 1] + at % b.n[a + 1], 1, &set.low[a], &set.high[a])
            at //= b.n[a + 1]
        for i in range(each):
            set.low[2], set.high[2] = r.run[i].taps.low[2], r.run[i].taps.high[2]
            run.taps = set
            run += 1


cdef inline bint same_taps(const TapSet *a, const TapSet *b) noexcept nogil:
    cdef int i
    for i in range(3):
        if a.low[i] != b.low[i] or a.high[i] != b.high[i]:
            return False
    return True


cdef inline void add_taps(TapSet *a, const TapSet *b) noexcept nogil:
    cdef int i
    for i in range(3):
        a.low[i], a.high[i] = min(a.low[i], b.low[i]), max(a.high[i], b.high[i])


cdef inline void sort_runs(Runs *r) noexcept nogil:
    """Runs of the same taps next to each other, so that tiles are made of those.

    The list has room for itself twice.  Beyond KINDS kinds of runs, the others stay in order.
    """
    cdef const TapSet *kind[KINDS]
    cdef idx at[KINDS + 1]
    cdef Run *sorted = r.run + r.count
    cdef Run *run
    cdef idx kinds = 0, last = 0, i
    memset(at, 0, sizeof(at))
    for i in range(r.count):
        run = r.run + i
        if not (kinds and same_taps(&run.taps, kind[last])):
            last = 0
            while last < kinds and not same_taps(&run.taps, kind[last]):
                last += 1
            if last == kinds < KINDS:
                kind[last] = &run.taps
                kinds += 1
            last = min(last, KINDS - 1)
        run.kind = last
        at[last + 1] += 1
    for i in range(1, KINDS):
        at[i] += at[i - 1]
    for i in range(r.count):
        run = r.run + i
        sorted[at[run.kind]] = run[0]
        at[run.kind] += 1
    r.run = sorted


cdef inline idx ready_pace(const Sweep *s, const Block *b) noexcept nogil:
    """Values from one pixel of a line to the next in the target, if finished sums can go there
    without a detour; 0 if they cannot.

    Then stores overlap with the arithmetic of the next tile.  It takes targets that are contiguous
    and pixels at an even pace.
    """
    cdef idx steps[AXES]
    cdef idx length, pace
    target_steps(b, &s.target, steps)
    merge(b.n, steps, b.pixels, &length, &pace)
    if (s.accumulate or s.target.channel != s.tile.itemsize or length < b.length
            or pace % s.tile.itemsize or (s.kind == SC_LANES and s.targets > 1)):
        return 0
    return pace // s.tile.itemsize


cdef inline void every_tap(const Block *b, TapSet *set) noexcept nogil:
    cdef int a
    for a in range(3):
        set.low[a], set.high[a] = 0, b.phase[a].taps


cdef inline void find_runs(const Sweep *s, const Block *b, Runs *r) noexcept nogil:
    """Runs that cover the lines, sorted by the taps that they need where padding is read."""
    cdef idx steps[AXES]
    cdef idx each = ceil_div(b.length, b.half), line, i
    cdef Run *run = r.run
    cdef idx *start = <idx *>(r.run + b.lines * each + 2)  # read before it is overwritten
    cdef char *at
    r.ready_row = ready_pace(s, b)
    r.slots = each * b.half
    line_starts(b, 1, start, 1)
    target_steps(b, &s.target, steps)
    for line in range(b.lines):
        at = target_at(b, &s.target, steps, line * b.length)
        for i in range(each):
            run.source = start[line] + i * b.half * b.step
            run.slot = (line * each + i) * b.half
            run.valid = min(b.half, b.length - i * b.half)
            run.ready = at + i * b.half * r.ready_row * s.tile.itemsize
            run += 1
    r.count = b.lines * each
    r.sorted = b.length == b.n[3] and (
        reads_zeros(b, 0) or reads_zeros(b, 1) or reads_zeros(b, 2))
    if r.sorted:
        find_taps(b, r)
        sort_runs(r)
    if r.count % 2:
        run = r.run + r.count
        run[0] = r.run[r.count - 1]
        run.slot = r.count * b.half
        run.valid = 0
        r.count += 1


cdef inline idx find_lines(const Block *b, const TapSet *set, const idx *start, idx first,
                           idx taken, bint packed, idx count, idx nb, sc_line *line,
                           idx *lines) noexcept nogil:
    """Lines of steps of the taps in `set`, of `taken` taps from `first` on; the taps in a line.

    Neighbouring taps along the last axis form one line of steps, where all lines can.
    """
    cdef idx rows = b.phase[1].taps, row = b.phase[2].taps, joined = 0, n, i, low, high
    cdef bint split = not packed or joined_taps(b.phase[2]) < row
    while True:
        n = 0
        for i in range(first // max(row, 1), ceil_div(first + taken, max(row, 1))):
            if not (set.low[0] <= i // rows < set.high[0]
                    and set.low[1] <= i % rows < set.high[1]):
                continue
            low, high = max(first, i * row + set.low[2]), min(first + taken, i * row + set.high[2])
            if low >= high:
                continue
            if split:
                joined = 1
            elif not joined:
                joined = high - low
            elif joined != high - low:
                break
            while low < high:
                line[n].x = start[low] * b.scale
                line[n].w = (low - first) * count * nb
                low += joined
                n += 1
        else:
            lines[0] = n
            return max(joined, 1)
        split = True


cdef struct Sums:
    # The filter panels that one source panel meets.
    idx first            # panel
    idx last
    char *filters        # of the first, at the first tap and channel
    idx filter_step      # bytes from one panel to the next
    char *pixels         # their sums, [slots][nb]
    idx pixel_step
    char *init           # what they start from, [nb]; NULL: from themselves
    idx shift            # of the first: bytes from channel 0 of the target to its own
    idx shift_step
    bint to_target       # the sums are complete with the last tap, and can go there at once
    bint skip            # filters are finite: taps that read zeros alone may be left out


cdef inline void sum_tile(const Sweep *s, const Block *b, const Runs *r, const Sums *m, idx panel,
                          idx i, const char *source, const char *filters, bint start, bint last,
                          const sc_line *line, idx lines, idx len) noexcept nogil:
    """Two runs for one filter panel; whether these are its first taps, and its last."""
    cdef const Run *a = r.run + i
    cdef const Run *z = a + 1
    cdef idx nb = s.tile.nb, row = nb * s.tile.itemsize, size = b.scale * s.tile.itemsize
    cdef idx to_row = nb, from_row = nb, step = panel - m.first
    cdef char *to_a = m.pixels + step * m.pixel_step + a.slot * row
    cdef char *to_z = m.pixels + step * m.pixel_step + z.slot * row
    cdef const char *from_a = to_a
    cdef const char *from_z = to_z
    cdef int vectors = panel_vectors(s, panel)
    if start and m.init != NULL:
        from_a = from_z = m.init + step * row
        from_row = 0
    if last and m.to_target and fills(s, panel) and a.valid == b.half and z.valid == b.half:
        to_a, to_z = a.ready + m.shift + step * m.shift_step, z.ready + m.shift + step * m.shift_step
        to_row = r.ready_row
    s.tile.tile[s.kind][vectors - 1][b.half - 1](
        to_a, to_z, to_row, from_a, from_z, from_row, source + a.source * size,
        source + z.source * size, b.step * b.scale, s.lanes, line, lines, len,
        filters + step * m.filter_step, nb)


cdef inline bint fills(const Sweep *s, idx panel) noexcept nogil:
    """Whether the targets of a panel fill its vectors."""
    return 2 * target_count(s, panel) == panel_vectors(s, panel) * s.columns


cdef inline void sum_taps(const Sweep *s, const Block *b, const Runs *r, const Sums *m,
                          const idx *taps, idx count, const char *source, idx total, idx block,
                          sc_line *line) noexcept nogil:
    """Add all taps of `count` channels to the sums of some filter panels."""
    cdef idx first = 0, taken, joined = 0, i, panel, lines = 0
    cdef const char *filters = m.filters
    cdef TapSet known, set
    every_tap(b, &known)
    while True:
        taken = min(block, total - first)
        joined = 0
        for i in range(0, r.count, 2):
            if m.skip and r.sorted:
                set = r.run[i].taps
                add_taps(&set, &r.run[i + 1].taps)
                if not same_taps(&set, &known):
                    known = set
                    joined = 0
            if not joined:
                joined = find_lines(b, &known, taps, first, taken, b.scale == count * s.lanes,
                                    count, s.tile.nb, line, &lines)
            for panel in range(m.first, m.last):
                sum_tile(s, b, r, m, panel, i, source, filters, first == 0,
                         first + taken >= total, line, lines, joined * count)
        filters += taken * count * s.tile.nb * s.tile.itemsize
        first += taken
        if first >= total:
            break


cdef inline void init_row(const Sweep *s, const Phase *const *phase, idx group, idx panel,
                          char *row) noexcept nogil:
    """What the sums of one filter panel start from, [nb]: the bias or zero."""
    cdef int a
    cdef char *at = <char *>s.bias
    cdef Columns c
    memset(row, 0, s.tile.nb * s.tile.itemsize)
    if at == NULL:
        return
    for a in range(3):
        if phase[a].taps:
            at += phase[a].filter[0] * s.bias_bank[a]
    target_columns(s, s.bias_channel, group, panel, &c)
    move_columns(s.tile, &c, row, 0, at + first_target(s, group, panel) * s.bias_channel, 0, 1,
                 True)


cdef inline void write_pixels(const Sweep *s, const Block *b, idx group, idx panel, const Runs *r,
                              char *sums, char *spare, bint to_target) noexcept nogil:
    """The finished sums of one filter panel to the target, or added to what stands there; with
    `to_target` those that did not go there at once."""
    cdef idx first = first_target(s, group, panel), row = s.tile.nb * s.tile.itemsize, i
    cdef const Run *run
    cdef Columns c
    target_columns(s, s.target.channel, group, panel, &c)
    if to_target:
        for i in range(r.count):
            run = r.run + i
            if run.valid < b.half or run[1 - i % 2 * 2].valid < b.half:
                move_columns(s.tile, &c, sums + run.slot * row, row,
                             run.ready + first * s.target.channel, r.ready_row * s.tile.itemsize,
                             run.valid, False)
        return
    if s.accumulate:
        move_pixels(s.tile, b, &s.target, first, &c, spare, r.slots, True)
        s.tile.add(sums, spare, b.lines * r.slots * s.tile.nb)
    move_pixels(s.tile, b, &s.target, first, &c, sums, r.slots, False)


cdef inline idx panels_at_once(const Sweep *s, const Block *b, idx count, bint to_target) noexcept nogil:
    """Filter panels that are taken for two runs before the next two.

    All, where the steps are few and sums go to the target at once: so whole rows of it are written
    together.  Else one, whose filters then stay near for all runs.
    """
    if to_target and box_taps(b.phase) * count <= FEW_STEPS and not s.own_filters:
        return s.chunk
    return 1


cdef inline void sum_group(const Sweep *s, Block *b, const Runs *r, const Part *part, idx group,
                           const idx *taps, char *scratch) noexcept nogil:
    """All sums of some filter panels of one block of groups, for the block b of outputs."""
    cdef Columns columns
    cdef idx total = box_taps(b.phase), block = channel_block(total, s.sources), count, panel, width
    cdef idx row = s.tile.nb * s.tile.itemsize, first = 0
    cdef const char *source = scratch
    cdef sc_line *line = <sc_line *>(scratch + s.at[LINES])
    cdef bint last
    cdef Sums m
    m.filter_step = s.panel_bytes
    m.skip = s.finite[0]
    m.shift_step = s.columns * s.target.channel
    while True:
        count = min(block, s.sources - first) if total else 0
        last = count == 0 or first + count == s.sources
        if b.panel != NULL:
            source = b.panel + (first_source(s, group) + first) * s.tile.itemsize
        elif count:
            b.scale = count * s.lanes
            source_columns(s, &s.source, group, count, &columns)
            pack_source(s.tile, b, &s.source, first_source(s, group) + first, &columns,
                        count * s.unit, (b.half * b.step + 1) * count * s.unit, scratch)
        m.to_target = last and r.ready_row != 0 and lane_count(s, group) == s.lanes
        width = panels_at_once(s, b, count, m.to_target)
        # Sums wait for the next channel block in a pixel panel for each filter panel.
        m.pixel_step = r.count * b.half * row if block < s.sources or width > 1 else 0
        m.first = part.panel
        while m.first < part.last_panel:
            m.last = min(m.first + width, part.last_panel)
            m.pixels = scratch + s.at[PIXELS] + (m.first - part.panel) * m.pixel_step
            m.shift = first_target(s, group, m.first) * s.target.channel
            m.filters = (s.panel_data + first * total * row
                         + ((part.box * s.groups + group) * s.panels + m.first) * s.panel_bytes)
            if s.own_filters:
                m.filters = scratch + s.at[OWN]
                move_panel(s, <const Phase **>b.phase, group, first, count, m.first, m.filters,
                           max(total, 1), 0, m.filters + s.panel_bytes, True)
                m.skip = s.tile.finite(m.filters, count * total * s.tile.nb)
            m.init = NULL
            if first == 0:
                m.init = scratch + s.at[INIT]
                for panel in range(m.first, m.last):
                    init_row(s, b.phase, group, panel, m.init + (panel - m.first) * row)
            sum_taps(s, b, r, &m, taps, count, source, total if count else 0,
                     tap_block(b.phase, max(count, 1)), line)
            if last:
                for panel in range(m.first, m.last):
                    write_pixels(s, b, group, panel, r,
                                 m.pixels + (panel - m.first) * m.pixel_step,
                                 scratch + s.at[SPARE], m.to_target and fills(s, panel))
            m.first = m.last
        first += count
        if last:
            break


cdef inline void gather_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    cdef const Phase *phase[3]
    cdef Block b, view
    cdef Runs runs
    cdef Part part
    cdef idx group
    cdef idx *taps = <idx *>(scratch + s.at[TAPS])
    if not cut_task(s, task, phase, &b, &part):
        return
    b.half = s.tile.half
    if is_panel(&b, &s.source, s.groups * s.lanes * s.sources, s.tile.itemsize, &view) and (
            s.kind != SC_LANES or s.sources == 1):
        b = view
    b.half = best_half(s, b.length, b.lines, most_vectors(s))
    runs.run = <Run *>(scratch + s.at[RUNS])
    find_runs(s, &b, &runs)
    tap_starts(&b, taps)
    for group in range(part.group, part.last_group):
        sum_group(s, &b, &runs, &part, group, taps, scratch)
