# cython: boundscheck=False, wraparound=False, cdivision=True
"""The tasks of forward and input gradient: each owns a block of outputs.

A task sums over channel blocks and taps into its own pixel panel, and nobody else writes there.  An
output's order of summation follows from taps and channels alone: not from the block, its place in
a tile, the batch or the threads.
"""

from libc.string cimport memset

from sweepconv._box cimport Block, Phase, box_taps, idx, is_panel, tap_starts
from sweepconv._kernels cimport SC_LANES, sc_line, sc_tile
from sweepconv._panel cimport Columns, move_columns, move_pixels, pack_source
from sweepconv._runs cimport Pair, Run, Runs, TapSet, every_tap, find_lines, find_runs
from sweepconv._task cimport (
    INIT, LINES, OWN, PIXELS, RUNS, SPARE, TAPS, Part, Sweep, best_half, channel_block, cut_task,
    fills, first_source, first_target, lane_count, most_vectors, move_panel, panel_vectors,
    source_columns, tap_block, target_columns,
)

cdef enum:
    FEW_STEPS = 128


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
    bint one_channel     # steps are from tap to tap
    bint skip            # filters are finite: taps that read zeros alone may be left out


cdef inline void sum_pairs(const Sweep *s, const Block *b, const Runs *r, const Sums *m,
                           idx panel, idx first, idx last, const char *source, bint starts,
                           bint ends, const sc_line *line, idx lines, idx len,
                           const char *filters) noexcept nogil:
    """Some pairs for one filter panel; whether these are their first taps, and their last."""
    cdef idx nb = s.tile.nb, size = b.scale * s.tile.itemsize, step = panel - m.first, i
    cdef idx row = nb * s.tile.itemsize, rs = b.step * b.scale, from_row, shift
    cdef idx ks = b.scale if m.one_channel else s.lanes
    cdef int vectors = panel_vectors(s, panel)
    cdef sc_tile tile = s.tile.tile[s.kind][vectors - 1][b.half - 1]
    cdef bint ready = ends and m.to_target and fills(s, panel)
    cdef char *pixels = m.pixels + step * m.pixel_step
    cdef char *init = m.init + step * row if starts and m.init != NULL else NULL
    cdef char *a
    cdef char *z
    cdef const Pair *pair
    filters += step * m.filter_step
    shift = m.shift + step * m.shift_step
    from_row = nb if init == NULL else 0
    for i in range(first, last):
        pair = r.pair + i
        a, z = pixels + pair.slot[0] * row, pixels + pair.slot[1] * row
        if ready and pair.whole:
            tile(pair.ready[0] + shift, pair.ready[1] + shift, r.ready_row,
                 a if init == NULL else init, z if init == NULL else init, from_row,
                 source + pair.source[0] * size, source + pair.source[1] * size, rs, ks, line,
                 lines, len, filters, nb)
        else:
            tile(a, z, nb, a if init == NULL else init, z if init == NULL else init, from_row,
                 source + pair.source[0] * size, source + pair.source[1] * size, rs, ks, line,
                 lines, len, filters, nb)


cdef inline void sum_taps(const Sweep *s, const Block *b, const Runs *r, const Sums *m,
                          const idx *taps, idx count, const char *source, idx total, idx block,
                          sc_line *line) noexcept nogil:
    """Add all taps of `count` channels to the sums of some filter panels."""
    cdef idx first = 0, taken, joined, i, next, panel, lines = 0
    cdef const char *filters = m.filters
    cdef TapSet every
    cdef const TapSet *set = &every
    every_tap(b, &every)
    while True:
        taken = min(block, total - first)
        i = joined = 0
        while i < r.pairs:
            if m.skip:
                set = &r.pair[i].taps
            if not joined or (m.skip and r.pair[i].fresh):
                joined = find_lines(b, set, taps, first, taken,
                                    count == 1 or b.scale == count * s.lanes, count, s.tile.nb,
                                    line, &lines)
            next = i + 1
            if m.last == m.first + 1:
                while next < r.pairs and not (m.skip and r.pair[next].fresh):
                    next += 1
            for panel in range(m.first, m.last):
                sum_pairs(s, b, r, m, panel, i, next, source, first == 0, first + taken >= total,
                          line, lines, joined * count, filters)
            i = next
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
    cdef int j
    cdef const Pair *pair
    cdef Columns c
    if to_target and r.whole:
        return
    target_columns(s, s.target.channel, group, panel, &c)
    if to_target:
        for i in range(r.pairs):
            pair = r.pair + i
            for j in range(0 if pair.whole else 2):
                move_columns(s.tile, &c, sums + pair.slot[j] * row, row,
                             pair.ready[j] + first * s.target.channel,
                             r.ready_row * s.tile.itemsize, pair.valid[j], False)
        return
    if s.accumulate:
        move_pixels(s.tile, b, &s.target, first, &c, spare, r.slots, True)
        s.tile.add(sums, spare, b.lines * r.slots * s.tile.nb)
    move_pixels(s.tile, b, &s.target, first, &c, sums, r.slots, False)


cdef inline idx panels_at_once(const Sweep *s, const Block *b, idx count,
                               bint to_target) noexcept nogil:
    """Filter panels that are taken for two runs before the next two.

    All, where the steps are few and sums go to the target at once: so whole rows of it are written
    together.  Else one, whose filters then stay near for all runs.
    """
    if to_target and box_taps(b.phase) * count <= FEW_STEPS and not s.own_filters:
        return s.chunk
    return 1


cdef inline void sum_group(const Sweep *s, Block *b, const Runs *r, const Part *part, idx group,
                           const idx *taps, char *scratch) noexcept nogil:
    """All sums of some filter panels of one block of groups, for the block b of outputs.

    Where a group is one channel, the panel holds `wide` neighbouring blocks of groups, so that
    more of a pixel is read at once; the first of them packs it.
    """
    cdef Columns columns
    cdef idx total = box_taps(b.phase), block = channel_block(total, s.sources, s.targets)
    cdef idx count, panel
    cdef idx row = s.tile.nb * s.tile.itemsize, first = 0
    cdef idx place = (group - part.group) % s.wide, width
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
            b.scale = count * s.lanes * s.wide
            source = scratch + place * s.unit
            if place == 0:
                source_columns(s, &s.source, group, count, &columns)
                pack_source(s.tile, b, &s.source, first_source(s, group) + first, &columns,
                            count * s.unit * s.wide,
                            (b.half * b.step + 1) * count * s.unit * s.wide, scratch)
        m.to_target = last and r.ready_row != 0 and lane_count(s, group) == s.lanes
        m.one_channel = count == 1
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
    b.half = s.tile.tall
    if is_panel(&b, &s.source, s.groups * s.lanes * s.sources, s.tile.itemsize, &view) and (
            s.kind != SC_LANES or s.sources == 1):
        b = view
    b.half = best_half(s, b.length, b.lines, most_vectors(s))
    runs.run = <Run *>(scratch + s.at[RUNS])
    find_runs(s, &b, &runs)
    tap_starts(&b, taps)
    for group in range(part.group, part.last_group):
        sum_group(s, &b, &runs, &part, group, taps, scratch)
