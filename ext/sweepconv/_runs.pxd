# cython: boundscheck=False, wraparound=False, cdivision=True
"""Runs of pixels, in pairs that make tiles, and the lines of steps that each pair takes.

Taps that read nothing but padding zeros are left out, where filters are finite: adding zeros
changes no bit.  So runs are sorted by the taps that they need.
"""

from libc.string cimport memset

from sweepconv._box cimport (
    AXES, Block, Phase, TapSet, ceil_div, idx, joined_taps, line_starts, merge,
)
from sweepconv._kernels cimport sc_line
from sweepconv._pieces cimport axis_taps
from sweepconv._panel cimport target_at, target_steps
from sweepconv._task cimport Sweep

cdef enum:
    KINDS = 64       # of runs that are told apart
    SHORT_SUM = 64   # steps of a tile up to which no taps are left out: finding them takes longer


cdef struct Run:
    # `half` pixels in a line: half of a tile.
    idx source       # coordinate of the first in the panel
    idx slot         # first of its rows in the pixel panel
    idx valid        # pixels that are in the line; none in a filler, which is made for nothing
    TapSet taps
    idx kind         # runs of one kind have the same taps
    char *ready      # where the first belongs in the target, for channel 0


cdef struct Pair:
    # The two runs of a tile.
    idx source[2]
    idx slot[2]
    idx valid[2]
    char *ready[2]
    TapSet taps
    bint whole       # both are of `half` pixels
    bint fresh       # its taps are not those of the pair before


cdef struct Runs:
    Run *run
    idx count
    Pair *pair
    idx pairs
    bint whole       # all pairs are
    idx slots        # rows of a line in the pixel panel
    idx ready_row    # values from one pixel to the next in the target; 0: sums cannot go there


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
        axis_taps(b.phase[2], b.low[3] + run_start(b, r, i), run[i].valid, &run[i].taps.low[2],
                  &run[i].taps.high[2])
    for line in range(b.lines):
        at = line
        for a in range(1, -1, -1):
            axis_taps(b.phase[a], b.low[a + 1] + at % b.n[a + 1], 1, &set.low[a], &set.high[a])
            at //= b.n[a + 1]
        for i in range(each):
            for a in range(2):
                run.taps.low[a], run.taps.high[a] = set.low[a], set.high[a]
            run.taps.low[2], run.taps.high[2] = r.run[i].taps.low[2], r.run[i].taps.high[2]
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
            or pace % s.tile.itemsize or (s.lanes > 1 and s.targets > 1)):
        return 0
    return pace // s.tile.itemsize


cdef inline void pair_runs(const Block *b, Runs *r) noexcept nogil:
    """Neighbours of the list as pairs."""
    cdef idx i
    cdef int j
    cdef Pair *pair = r.pair
    cdef Run *run
    r.pairs, r.whole = r.count // 2, True
    for i in range(r.pairs):
        pair.taps = r.run[2 * i].taps
        add_taps(&pair.taps, &r.run[2 * i + 1].taps)
        pair.fresh = i == 0 or not same_taps(&pair.taps, &(pair - 1).taps)
        pair.whole = True
        for j in range(2):
            run = r.run + 2 * i + j
            pair.source[j], pair.slot[j], pair.valid[j] = run.source, run.slot, run.valid
            pair.ready[j] = run.ready
            pair.whole = pair.whole and (run.valid == b.half or run.valid == 0)
        r.whole = r.whole and pair.whole
        pair += 1


cdef inline idx run_start(const Block *b, const Runs *r, idx i) noexcept nogil:
    """Where run number `i` of a line starts.

    The last overlaps its neighbour, where sums can go to the target one run at a time: pixels that
    are made twice are the same both times, and whole runs need no detour.
    """
    cdef idx last = b.length - b.half
    return min(i * b.half, last) if r.ready_row and last >= 0 else i * b.half


cdef inline idx rows_beyond(const Sweep *s, const Block *b) noexcept nogil:
    """How many pixels beyond its line a tile may read."""
    return 0 if b.length >= b.half and ready_pace(s, b) else b.half


cdef inline void find_runs(const Sweep *s, const Block *b, idx sum_steps, Runs *r) noexcept nogil:
    """Runs that cover the lines, sorted by the taps that they need where padding is read."""
    cdef idx steps[AXES]
    cdef idx each = ceil_div(b.length, b.half), line, i, first
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
            first = run_start(b, r, i)
            run.source = start[line] + first * b.step
            run.slot = (line * each + i) * b.half
            run.valid = min(b.half, b.length - first)
            run.ready = at + first * r.ready_row * s.tile.itemsize
            run.taps = b.taps
            run += 1
    r.count = b.lines * each
    if sum_steps > SHORT_SUM and b.panel == NULL and b.length == b.n[3] and (
            reads_zeros(b, 0) or reads_zeros(b, 1) or reads_zeros(b, 2)):
        find_taps(b, r)
        sort_runs(r)
    if r.count % 2:  # with a filler: the last once more
        run = r.run + r.count
        run[0] = r.run[r.count - 1]
        run.slot = r.count * b.half
        run.valid = 0
        r.count += 1
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
