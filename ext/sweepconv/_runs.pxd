# cython: boundscheck=False, wraparound=False, cdivision=True
"""Runs of pixels, in pairs that make tiles, and the lines of steps that each pair takes.

A line is cut into runs as long as each other but for one pixel, so that nothing is made twice.
They are listed by columns of the lines, down and up by turns, so that neighbours of the list, which
may be one tile, need nearly the same taps.
Taps that read nothing but padding zeros are left out, where filters are finite: adding zeros
changes no bit.  So runs are sorted by the taps that they need.
"""

from libc.string cimport memset

from sweepconv._box cimport (
    AXES, Block, Phase, TapSet, ceil_div, idx, joined_taps, line_starts,
)
from sweepconv._kernels cimport sc_line, sc_pair
from sweepconv._pieces cimport axis_taps, reads_all
from sweepconv._panel cimport line_pace, target_at, target_steps
from sweepconv._task cimport Sweep, most_vectors, tile_cost

cdef enum:
    KINDS = 64       # of runs that are told apart
    SHORT_SUM = 64   # steps of a tile up to which no taps are left out: finding them takes longer
    LEAST_SAVED = 16   # steps that a tile should save by leaving taps out
    EDGE_PAYS = 50   # the least part of the work of a line that runs of its own for edges save


cdef struct Run:
    # Neighbouring pixels of a line: half of a tile.
    idx rows         # how many they are
    idx source       # coordinate of the first in the panel
    idx slot         # first of their rows in the pixel panel
    idx ready        # bytes in the target from output 0 of the block to the first
    TapSet taps      # where some are left out
    idx kind         # runs of one kind have the same taps and are as long


cdef struct Pair:
    # The two runs of a tile; the second is the first again where another is missing.
    idx source[2]
    idx slot[2]
    idx ready[2]
    idx rows         # of each
    TapSet taps      # where some are left out
    bint fresh       # and these are not those of the pair before
    idx alike        # pairs from here on, this one included, that are as long and not fresh


cdef struct Cut:
    # Of each line, into even runs between edges.
    idx edge         # pixels of either one; 0: there are none
    idx between      # runs
    idx count        # of all


cdef struct Runs:
    # It stays in a thread's scratch memory, since the next block is often of the same form.
    bint kept        # for all blocks of the form of `block`
    Block block
    char *target     # channel 0 of output 0 of the block
    Run *run
    idx count
    Pair *pair
    sc_pair *place   # of each pair, see `aim_pairs`
    idx pairs
    idx scale        # `place` is for this many values from one coordinate to the next,
    bint to_target   # for sums that go to the target, not to the pixel panel,
    bint from_init   # and start from one row, not from those of the pixel panel
    idx ready_row    # values from one pixel to the next in the target; 0: sums cannot go there
    bint leave_out   # taps that read nothing but padding zeros


cdef inline bint pays_to_leave_out(const Block *b, idx steps) noexcept nogil:
    """Whether taps that read nothing but padding zeros are more work than to find them: their
    share of the `steps` of a tile follows from the share of zeros in the panel."""
    cdef idx zeros, at, last, end, wasted = 0
    cdef const Phase *p
    cdef int a
    for a in range(3):
        p = b.phase[a]
        zeros, at = 0, b.low[a + 1] * b.stride[a + 1]
        last = at + b.extent[a + 1]
        while at < last:
            end = min(p.end[at], last)
            if p.index[at] < 0:
                zeros += end - at
            at = end
        wasted += steps * zeros // b.extent[a + 1]
    return wasted >= LEAST_SAVED


cdef inline void find_taps(const Block *b, Run *run) noexcept nogil:
    """The taps of a column of runs."""
    cdef idx i, line
    cdef int a
    cdef TapSet set
    axis_taps(b.phase[2], b.low[3] + run.slot % b.length, run.rows, &set.low[2], &set.high[2])
    for i in range(b.lines):
        line = run[i].slot // b.length
        for a in range(1, -1, -1):
            axis_taps(b.phase[a], b.low[a + 1] + line % b.n[a + 1], 1, &set.low[a], &set.high[a])
            line //= b.n[a + 1]
        run[i].taps = set


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


cdef inline bint same_kind(const Run *a, const Run *b) noexcept nogil:
    return a.rows == b.rows and same_taps(&a.taps, &b.taps)


cdef inline void sort_runs(Runs *r) noexcept nogil:
    """Runs of the same taps and length next to each other, so that tiles are made of those.

    The list has room for itself twice.  Beyond KINDS kinds of runs, the others stay in order.
    """
    cdef const Run *kind[KINDS]
    cdef idx at[KINDS + 1]
    cdef Run *sorted = r.run + r.count
    cdef Run *run
    cdef idx kinds = 0, last = 0, i
    memset(at, 0, sizeof(at))
    for i in range(r.count):
        run = r.run + i
        if not (kinds and same_kind(run, kind[last])):
            last = 0
            while last < kinds and not same_kind(run, kind[last]):
                last += 1
            if last == kinds < KINDS:
                kind[last] = run
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
    if s.accumulate or (s.lanes > 1 and s.targets > 1):
        return 0
    return line_pace(s.tile, b, &s.target)


cdef inline void pair_runs(const Block *b, Runs *r) noexcept nogil:
    """Neighbours of the list as pairs, where they are as long: all but one of each length, which is
    its own second and has sums of its own for it.  Edges, two of a line, leave none."""
    cdef idx spare = b.pixels, i
    cdef Pair *pair = r.pair
    cdef const Run *one = r.run
    cdef const Run *two
    cdef const Run *end = r.run + r.count
    while one < end:
        two = one + 1 if one + 1 < end and (one + 1).rows == one.rows else one
        pair.rows = one.rows
        pair.source[0], pair.slot[0], pair.ready[0] = one.source, one.slot, one.ready
        pair.source[1], pair.slot[1], pair.ready[1] = two.source, two.slot, two.ready
        if two == one:
            pair.slot[1] = spare
            spare += one.rows
        pair.fresh, pair.alike = False, 1
        if r.leave_out:
            pair.taps = one.taps
            add_taps(&pair.taps, &two.taps)
            pair.fresh = pair > r.pair and not same_taps(&pair.taps, &(pair - 1).taps)
        pair += 1
        one = two + 1
    r.pairs = pair - r.pair
    for i in range(r.pairs - 2, -1, -1):
        pair = r.pair + i
        if pair[1].rows == pair.rows and not pair[1].fresh:
            pair.alike += pair[1].alike
    r.place = <sc_pair *>(r.pair + r.pairs)
    r.scale = -1  # of no block: they are aimed at nothing


cdef inline void aim_pairs(const Sweep *s, const Block *b, Runs *r, bint to_target,
                           bint from_init) noexcept nogil:
    """Where the halves of tiles read and write."""
    cdef idx size = b.scale * s.tile.itemsize, row = s.tile.nb * s.tile.itemsize, i
    cdef const Pair *pair
    cdef sc_pair *place
    cdef int j
    if r.scale == b.scale and r.to_target == to_target and r.from_init == from_init:
        return
    r.scale, r.to_target, r.from_init = b.scale, to_target, from_init
    for i in range(r.pairs):
        pair, place = r.pair + i, r.place + i
        for j in range(2):
            place.to[j] = pair.ready[j] if to_target else pair.slot[j] * row
            place.start[j] = 0 if from_init else pair.slot[j] * row
            place.x[j] = pair.source[j] * size


cdef inline void cut_column(const Block *b, idx rows, idx first, bint upwards, const idx *start,
                            const idx *ready, idx pace, Run *run) noexcept nogil:
    """A run of `rows` pixels of each line, from pixel `first` of it on; `pace` counts bytes of the
    target."""
    cdef idx i, line
    for i in range(b.lines):
        line = b.lines - 1 - i if upwards else i
        run[i].rows = rows
        run[i].source = start[line] + first * b.step
        run[i].slot = line * b.length + first
        run[i].ready = ready[line] + first * pace


cdef inline bint same_form(const Block *b, const Block *c) noexcept nogil:
    """Whether runs of both blocks stand alike, from their output 0 and coordinate 0 on."""
    cdef int a
    for a in range(AXES):
        if b.n[a] != c.n[a] or b.pitch[a] != c.pitch[a] or (a and b.phase[a - 1] != c.phase[a - 1]):
            return False
    return b.half == c.half


cdef inline idx run_at(const Block *b, const Cut *cut, idx i, idx *rows) noexcept nogil:
    """Where in a line run number i begins: longer ones come first, edges last."""
    cdef idx length = b.length - 2 * cut.edge, longer = length % cut.between
    if i >= cut.between:
        rows[0] = cut.edge
        return 0 if i == cut.between else b.length - cut.edge
    rows[0] = length // cut.between + (i < longer)
    return cut.edge + i * (length // cut.between) + min(i, longer)


cdef inline idx cut_cost(const Sweep *s, const Block *b, const Cut *cut) noexcept nogil:
    """What the runs of a line take, by the taps along the last axis that they need."""
    cdef idx cost = 0, i, at, rows, low, high
    for i in range(cut.count):
        at = run_at(b, cut, i, &rows)
        axis_taps(b.phase[2], b.low[3] + at, rows, &low, &high)
        cost += (high - low) * tile_cost(rows, most_vectors(s))
    return cost


cdef inline void cut_evenly(idx length, idx half, idx edge, Cut *cut) noexcept nogil:
    cut.edge, cut.between = edge, ceil_div(length - 2 * edge, half)
    cut.count = cut.between + (2 if edge else 0)


cdef inline idx edge_pixels(const Block *b) noexcept nogil:
    """Pixels at the start of a line that read zeros, if they are fewer than a run has and others
    are between them and those at its end; else 0."""
    cdef idx edge = 0
    while not reads_all(b.phase[2], b.low[3] + edge):
        edge += 1
        if edge == b.half or 2 * edge >= b.length:
            return 0
    return edge


cdef inline void cut_by_taps(const Sweep *s, const Block *b, Cut *best) noexcept nogil:
    """The cut with which lines take least.  Shorter runs leave out more taps along the last axis,
    since fewer of them read zeros for some of their pixels alone; so do edges that are apart, but
    these find fewer others of their kind."""
    cdef Cut cut
    cdef idx edge = edge_pixels(b), least = -1, half, cost
    cdef int i
    for i in range(2 if edge else 1):
        for half in range(b.half, 0, -1):
            cut_evenly(b.length, half, i * edge, &cut)
            cost = cut_cost(s, b, &cut)
            cost += i * cost // EDGE_PAYS
            if least < 0 or cost < least:
                best[0], least = cut, cost


cdef inline void find_runs(const Sweep *s, const Block *b, idx sum_steps, Runs *r) noexcept nogil:
    """Runs that cover the lines; sorted by the taps that they need where padding is read."""
    cdef idx steps[AXES]
    cdef idx i, at, rows, line
    cdef Cut cut
    target_steps(b, &s.target, steps)
    r.target = target_at(b, &s.target, steps, 0)
    r.leave_out = (b.panel == NULL and b.length == b.n[3] and sum_steps > SHORT_SUM
                   and pays_to_leave_out(b, sum_steps))
    if r.kept and not r.leave_out and same_form(b, &r.block):
        return
    if r.leave_out:
        cut_by_taps(s, b, &cut)
    else:
        cut_evenly(b.length, b.half, 0, &cut)
    r.kept, r.block, r.run, r.count = not r.leave_out, b[0], <Run *>(r + 1), b.lines * cut.count
    r.ready_row = ready_pace(s, b)
    # Of each line, until the list is sorted, which takes their place.
    cdef idx *start = <idx *>(r.run + r.count)
    cdef idx *ready = start + b.lines
    line_starts(b, 1, start, 1)
    for line in range(b.lines):
        ready[line] = target_at(b, &s.target, steps, line * b.length) - r.target
    for i in range(cut.count):
        at = run_at(b, &cut, i, &rows)
        cut_column(b, rows, at, i % 2, start, ready, r.ready_row * s.tile.itemsize,
                   r.run + i * b.lines)
        if r.leave_out:
            find_taps(b, r.run + i * b.lines)
    if r.leave_out:
        sort_runs(r)
    r.pair = <Pair *>(r.run + r.count)
    pair_runs(b, r)


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
