# cython: boundscheck=False, wraparound=False, cdivision=True
"""Boxes, blocks and lines: how a sweep is cut, in integers.

A box is one phase on each spatial axis (sweepconv/phases.py) and the whole batch.  Its axes are
always (n, d, h, w).  A task takes a block of it: `n[a]` outputs from `low[a]` on each axis.

The source elements that a block needs make up its panel, [n][d][h][w][channels] with
`extent[a]` coordinates on each axis; `pitch[a]` counts coordinates from one to the next.  In the
panel, outputs lie in lines of `length` pixels, `step` coordinates apart: trailing axes merge into
one line where they follow each other evenly.
"""

from libc.stdint cimport uintptr_t

ctypedef Py_ssize_t idx

cdef enum:
    AXES = 4


cdef struct Phase:
    idx first
    idx step
    idx count
    idx stride
    idx taps
    idx extent
    const idx *offset    # [taps] coordinate of the tap for output 0
    const idx *tap       # [taps] its place in the kernel
    const idx *filter    # [taps] its filter in the bank
    const idx *index     # [extent] source element at a coordinate, -1 for zero
    idx *end             # [extent] where the even run of `index` around a coordinate ends


cdef struct Extents:
    # The largest of all phases of each spatial axis.
    idx outputs[3]
    idx stride[3]
    idx span[3]
    idx taps[3]
    idx least_taps[3]    # the fewest, of phases that have any
    idx joined           # neighbouring taps of the last axis, see `joined_taps`
    idx boxes
    bint interleaved     # the outputs of one phase lie between those of others
    idx steps            # multiply-adds for one image, one source and one target channel


cdef struct Array:
    # Axes (n, c, d, h, w) of x, y or their gradients; strides in bytes.
    char *data
    char *end        # of the last element, or NULL where a stride is negative
    idx batch
    idx channel
    idx space[3]
    idx size[3]      # elements along d, h, w


cdef inline idx row_offset(const Array *a, idx row) noexcept nogil:
    """Bytes from an image to its row number `row` along w."""
    return row // a.size[1] * a.space[0] + row % a.size[1] * a.space[1]


cdef struct Filters:
    # The bank, w or its gradient; strides in bytes.  `source` and `target` run over the channels
    # that the sweep sums over and those it makes: (c, o) forward, (o, c) for the input gradient.
    char *data
    idx source
    idx target
    idx group
    idx tap[3]
    idx bank[3]


cdef struct TapSet:
    # A range of the taps of each axis, which ascend.
    idx low[3]
    idx high[3]


cdef struct Block:
    const Phase *phase[3]
    TapSet taps          # that its outputs read
    idx low[AXES]
    idx n[AXES]
    idx stride[AXES]
    idx extent[AXES]
    idx pitch[AXES]
    idx pixels
    idx length
    idx step
    idx lines
    idx scale            # values from one coordinate to the next
    idx half             # rows of half a tile
    const char *panel    # the coordinate (0, 0, 0, 0) and channel 0 of the source
    const char *last     # the last coordinate that its taps read


cdef inline idx ceil_div(idx a, idx b) noexcept nogil:
    return (a + b - 1) // b


cdef inline idx span(const Phase *p) noexcept nogil:
    """Coordinates from the first tap of an output to its last."""
    return p.offset[p.taps - 1] + 1 if p.taps else 1


cdef inline idx filter_panel_steps(const Extents *e) noexcept nogil:
    """Taps of a box, at most."""
    return e.taps[0] * e.taps[1] * e.taps[2]


cdef inline idx box_taps(const Phase *const *phase) noexcept nogil:
    return phase[0].taps * phase[1].taps * phase[2].taps


cdef inline idx even_steps(const Phase *p, idx at, idx step, idx last) noexcept nogil:
    """Coordinates `step` apart, from `at` on and below `last`, whose source elements are evenly
    apart, or all zeros."""
    cdef idx n = 1, next = at + step
    while (next < last and (p.index[next] < 0) == (p.index[at] < 0)
           and p.index[next] - p.index[next - step] == p.index[at + step] - p.index[at]):
        n += 1
        next += step
    return n


cdef inline idx even_run(const Phase *p, idx at, idx tap, idx *pace) noexcept nogil:
    """Taps from `tap` on that read source elements at an even pace, or that all read zeros, for the
    output at coordinate `at`."""
    cdef idx n = 1, place = p.index[at + p.offset[tap]], next
    pace[0] = 0
    while tap + n < p.taps:
        next = p.index[at + p.offset[tap + n]]
        if (place < 0) != (next < 0):
            break
        if n == 1:
            pace[0] = next - place
        elif place >= 0 and next - place != pace[0]:
            break
        place = next
        n += 1
    return n


cdef inline int merge(const idx *n, const idx *step, idx limit, idx *length,
                      idx *pace) noexcept nogil:
    """Merge trailing axes into one of `length` elements `pace` apart; the number of axes left."""
    cdef int a = AXES - 1
    length[0] = n[a]
    pace[0] = step[a]
    while a > 0:
        if n[a - 1] != 1:
            if length[0] == 1:
                pace[0] = step[a - 1]
            elif step[a - 1] != length[0] * pace[0]:
                break
            if length[0] * n[a - 1] > limit:
                break
            length[0] *= n[a - 1]
        a -= 1
    return a


cdef inline bint cut_block(Block *b, const Phase **phase, idx batch, const idx *size,
                           const idx *place) noexcept nogil:
    """Block number place[a] of `size[a]` outputs on each axis; False where it lies outside."""
    cdef idx count
    cdef int a
    b.stride[0] = 1
    for a in range(AXES):
        count = phase[a - 1].count if a else batch
        b.low[a] = place[a] * size[a]
        b.n[a] = min(size[a], count - b.low[a])
        if b.n[a] <= 0:
            return False
        if a:
            b.phase[a - 1] = phase[a - 1]
            b.stride[a] = phase[a - 1].stride
            b.taps.low[a - 1], b.taps.high[a - 1] = 0, phase[a - 1].taps
    measure(b)
    return True


cdef inline void measure(Block *b) noexcept nogil:
    """What follows from the outputs of a block, if its source is packed."""
    cdef int a
    for a in range(AXES):
        b.extent[a] = (b.n[a] - 1) * b.stride[a] + (span(b.phase[a - 1]) if a else 1)
    b.pixels = b.n[0] * b.n[1] * b.n[2] * b.n[3]
    b.panel = NULL
    b.pitch[AXES - 1] = 1
    for a in range(AXES - 2, -1, -1):
        b.pitch[a] = b.pitch[a + 1] * b.extent[a + 1]
    find_lines(b)


cdef inline void find_lines(Block *b) noexcept nogil:
    """Lines of the block, from its pitch."""
    cdef idx steps[AXES]
    cdef int a
    for a in range(AXES):
        steps[a] = b.stride[a] * b.pitch[a]
    b.lines = 1
    for a in range(merge(b.n, steps, b.pixels, &b.length, &b.step)):
        b.lines *= b.n[a]


cdef inline bint is_panel(const Block *b, const Array *x, idx itemsize,
                          Block *view) noexcept nogil:
    """Whether x itself has the form of the block's panel, as far as its taps read it; `view` is
    then the block that reads it.

    So it is where channels are contiguous and those taps read no padding, as in a channels-last 1x1
    sweep.
    """
    cdef idx unit = x.space[2], first, last
    cdef idx *stride = [x.batch, x.space[0], x.space[1], x.space[2]]
    cdef const Phase *p
    cdef int a
    if (x.channel != itemsize or x.end == NULL or unit <= 0 or unit % itemsize
            or <uintptr_t>x.data % itemsize):
        return False
    view[0] = b[0]
    view.panel = x.data + b.low[0] * x.batch
    view.last = view.panel + (b.n[0] - 1) * stride[0]
    for a in range(AXES):
        if b.extent[a] > 1:
            if stride[a] % unit:
                return False
            view.pitch[a] = stride[a] // unit
        if a == 0:
            continue
        p = b.phase[a - 1]
        if b.taps.low[a - 1] >= b.taps.high[a - 1]:
            return False
        first = b.low[a] * b.stride[a] + p.offset[b.taps.low[a - 1]]
        last = (b.low[a] + b.n[a] - 1) * b.stride[a] + p.offset[b.taps.high[a - 1] - 1]
        if p.index[first] < 0 or p.end[first] <= last:
            return False
        if last > first and p.index[first + 1] != p.index[first] + 1:
            return False
        view.panel += (p.index[first] - first + b.low[a] * b.stride[a]) * stride[a]
        view.last += p.index[last] * stride[a]
    find_lines(view)
    view.scale = unit // itemsize
    return view.step * unit % 4096 != 0  # else all rows of a tile share one set of the cache


cdef inline void line_starts(const Block *b, idx scale, idx *start, idx pace) noexcept nogil:
    """start[line * pace] = where each line begins in the panel, in units of 1/scale coordinates."""
    cdef idx rest, at, line
    cdef int a
    for line in range(b.lines):
        rest = line * b.length
        at = 0
        for a in range(AXES - 1, -1, -1):
            at += rest % b.n[a] * b.stride[a] * b.pitch[a]
            rest //= b.n[a]
        start[line * pace] = at * scale


cdef inline void tap_starts(const Block *b, idx *start) noexcept nogil:
    """start[tap] = coordinate of each tap in the panel, taps in the order of the kernel's axes."""
    cdef idx i, j, k, m = 0
    for i in range(b.phase[0].taps):
        for j in range(b.phase[1].taps):
            for k in range(b.phase[2].taps):
                start[m] = (b.phase[0].offset[i] * b.pitch[1] + b.phase[1].offset[j] * b.pitch[2]
                            + b.phase[2].offset[k])
                m += 1


cdef inline idx joined_taps(const Phase *p) noexcept nogil:
    """Neighbouring taps of the last axis whose channels are one run of rows in the panel."""
    return p.taps if p.taps and p.offset[p.taps - 1] == p.taps - 1 else 1
