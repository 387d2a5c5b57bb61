# cython: boundscheck=False, wraparound=False, cdivision=True
"""Runs of pixels, in pairs that make tiles, and the lines of steps that each pair takes.

Taps that read nothing but padding zeros are left out, where filters are finite: adding zeros
changes no bit.  So runs are sorted by the taps that they need.
"""

from libc.string cimport memset

from sweepconv._box cimport (
    AXES, Block, Phase, ceil_div, idx, joined_taps, line_starts, merge,
)
from sweepconv._kernels cimport SC_LANES, sc_line
from sweepconv._panel cimport target_at, target_steps
from sweepconv._task cimport Sweep

cdef enum:
    KINDS = 64       # of runs that are told apart


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
            pair.whole = pair.whole and run.valid == b.half
        r.whole = r.whole and pair.whole
        pair += 1


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
            every_tap(b, &run.taps)
            run += 1
    r.count = b.lines * each
    if b.length == b.n[3] and (reads_zeros(b, 0) or reads_zeros(b, 1) or reads_zeros(b, 2)):
        find_taps(b, r)
        sort_runs(r)
    if r.count % 2:  # with a filler
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
