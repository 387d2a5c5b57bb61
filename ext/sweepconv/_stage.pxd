# cython: boundscheck=False, wraparound=False, cdivision=True
"""One stage of pooling: one axis of a block, and the way back.

A block has the axes (d, h, w) and some channels in the lanes, contiguous.  A stage takes the
greatest or the sum along its axis, from inputs to outputs; the way back sends each value to the
input that was the greatest, or to all.  Outputs whose windows lie inside of the image share their
taps and are one run of rows; those at the border go one by one.  Padding is never read.
"""

from sweepconv._box cimport Array, ceil_div, idx, merge
from sweepconv._kernels cimport sc_tiles


cdef struct Side:
    # A spatial axis of the call.
    idx size
    idx outs
    idx kernel
    idx stride
    idx padding
    idx block        # outputs of a task; on the way back, inputs
    idx blocks


cdef struct Range:
    # What a task has of an axis.
    idx first        # output
    idx outs
    idx low          # of the inputs that the block holds
    idx ins
    idx own          # way back: of the inputs that the task makes
    idx owned


cdef struct View:
    # Elements (d, h, w) of a block, `step` bytes apart.
    char *data
    idx step[3]
    idx count[3]


cdef inline void cut_outputs(const Side *s, idx place, Range *r) noexcept nogil:
    """Block number `place` of the outputs, and the inputs that they read."""
    r.first = place * s.block
    r.outs = min(s.block, s.outs - r.first)
    read_inputs(s, r)


cdef inline void read_inputs(const Side *s, Range *r) noexcept nogil:
    r.low = max(<idx>0, r.first * s.stride - s.padding)
    r.ins = min(s.size, (r.first + r.outs - 1) * s.stride - s.padding + s.kernel) - r.low


cdef inline void cut_inputs(const Side *s, idx place, Range *r) noexcept nogil:
    """Block number `place` of the inputs, the outputs that they meet, and all that these read."""
    cdef idx before, end
    r.own = place * s.block
    r.owned = min(s.block, s.size - r.own)
    before = r.own + s.padding - s.kernel + 1  # where the first window that reaches them begins
    r.first = ceil_div(before, s.stride) if before > 0 else 0
    r.outs = max(<idx>0, min(s.outs, (r.own + r.owned - 1 + s.padding) // s.stride + 1) - r.first)
    r.low, r.ins = r.own, 0
    if r.outs:
        read_inputs(s, r)
    end = max(r.low + r.ins, r.own + r.owned)  # some inputs may meet no window
    r.low = min(r.low, r.own)
    r.ins = end - r.low


cdef inline void dense_view(View *v, char *data, idx d, idx h, idx w, idx width) noexcept nogil:
    """[d][h][w] elements of `width` bytes."""
    v.data = data
    v.count[0], v.count[1], v.count[2] = d, h, w
    v.step[0], v.step[1], v.step[2] = h * w * width, w * width, width


cdef inline void array_view(View *v, const Array *x, char *data, idx d, idx h,
                            idx w) noexcept nogil:
    """x itself, from the element at `data` on."""
    cdef int a
    v.data = data
    v.count[0], v.count[1], v.count[2] = d, h, w
    for a in range(3):
        v.step[a] = x.space[a]


cdef inline void move_block(const sc_tiles *t, const View *x, idx channel, char *panel, idx n,
                            bint to_panel) noexcept nogil:
    """x with its n channels, `channel` bytes apart, to the panel [d][h][w][n], or back."""
    cdef idx *count = [1, x.count[0], x.count[1], x.count[2]]
    cdef idx *step = [0, x.step[0], x.step[1], x.step[2]]
    cdef idx pixels = count[1] * count[2] * count[3], done = 0, width = n * t.itemsize
    cdef idx length, pace, rest
    cdef char *at
    cdef int left = merge(count, step, pixels, &length, &pace), a
    while done < pixels:
        at, rest = x.data, done // length
        for a in range(left - 1, -1, -1):
            at += rest % count[a] * step[a]
            rest //= count[a]
        if to_panel:
            t.move(panel, width, t.itemsize, at, pace, channel, length, n)
        else:
            t.move(at, pace, channel, panel, width, t.itemsize, length, n)
        panel += length * width
        done += length


cdef inline idx outputs_alike(const Side *s, idx q, idx end, idx *first,
                              idx *taps) noexcept nogil:
    """The taps of output q that lie in the image, and the end of the run that shares them."""
    cdef idx start = q * s.stride - s.padding
    first[0] = max(<idx>0, -start)
    taps[0] = min(s.kernel, s.size - start) - first[0]
    if taps[0] < s.kernel:
        return q + 1
    return min(end, (s.size + s.padding - s.kernel) // s.stride + 1)


cdef inline void take_stage(const sc_tiles *t, int a, const Side *s, const Range *r,
                            const View *x, const View *y, char *tap, idx n,
                            bint mean) noexcept nogil:
    """y = the greatest along axis a of x, or for a mean the sum; `tap`, unless NULL, stands as y
    and receives which."""
    cdef bint last = a == 2
    cdef idx i, j, q, end, stop, first, taps, start, to, rows, pace
    cdef const char *source
    for i in range(y.count[0]):
        for j in range(y.count[1]):
            q = 0 if last else j if a else i
            stop = y.count[2] if last else q + 1
            while q < stop:
                end = outputs_alike(s, r.first + q, r.first + stop, &first, &taps) - r.first
                start = (r.first + q) * s.stride - s.padding + first - r.low
                source = x.data + (start if a == 0 else i) * x.step[0]
                source += (start if a == 1 else j) * x.step[1] + (start if last else 0) * x.step[2]
                to = i * y.step[0] + j * y.step[1] + (q if last else 0) * y.step[2]
                rows = end - q if last else y.count[2]
                pace = x.step[2] * (s.stride if last else 1)
                if mean:
                    t.total(y.data + to, y.step[2], source, NULL, pace, x.step[a], 0, 0, taps, rows,
                            n, False)
                else:
                    t.best(y.data + to, y.step[2], tap + to if tap != NULL else NULL, first,
                           source, pace, x.step[a], taps, rows, n)
                q = end


cdef inline idx inputs_alike(const Side *s, idx i, idx end, idx *first,
                             idx *terms) noexcept nogil:
    """The taps, a stride apart, by which outputs reached input i, and the end of the run of inputs,
    a stride apart, for which they are the same."""
    cdef idx at = i + s.padding, beyond = at - (s.outs - 1) * s.stride
    cdef idx last = min(s.kernel - 1, at)
    first[0] = max(at % s.stride, beyond)
    terms[0] = (last - first[0]) // s.stride + 1 if last >= first[0] else 0
    if at < s.kernel - 1 or beyond > at % s.stride:
        return i + 1
    return min(end, (s.outs - 1) * s.stride + first[0] - s.padding + 1)


cdef inline void send_back(const sc_tiles *t, int a, const Side *s, const Range *r, const View *dy,
                           const char *tap, const View *dx, idx n, bint add) noexcept nogil:
    """dx (+)= dy, sent along axis a to where it came from: `tap` stands as dy, NULL is everywhere.

    Each dx is summed by itself, its taps in order.
    """
    cdef bint last = a == 2
    cdef idx i, j, c
    for i in range(dx.count[0]):
        for j in range(dx.count[1]):
            if last:
                for c in range(min(s.stride, dx.count[2])):
                    send_class(t, a, s, r, dy, tap, dx, i, j, c, dx.count[2], n, add)
            else:
                c = j if a else i
                send_class(t, a, s, r, dy, tap, dx, i, j, c, c + 1, n, add)


cdef inline void send_class(const sc_tiles *t, int a, const Side *s, const Range *r, const View *dy,
                            const char *tap, const View *dx, idx i, idx j, idx u, idx stop, idx n,
                            bint add) noexcept nogil:
    """The same for the inputs u, u + stride, ... below `stop` of one row, which meet the same
    residue of taps."""
    cdef bint last = a == 2
    cdef idx rows, first, terms, q, source, to, pace = s.stride if last else 1
    while u < stop:
        rows = inputs_alike(s, r.own + u, r.own + stop, &first, &terms) - r.own - u
        rows = ceil_div(rows, pace)
        q = (r.own + u + s.padding - first) // s.stride - r.first if terms else 0
        source = (q if a == 0 else i) * dy.step[0] + (q if a == 1 else j) * dy.step[1]
        source += (q if last else 0) * dy.step[2]
        to = i * dx.step[0] + j * dx.step[1] + (u if last else 0) * dx.step[2]
        t.total(dx.data + to, dx.step[2] * pace, dy.data + source,
                tap + source if tap != NULL else NULL, dy.step[2], -dy.step[a], first, s.stride,
                terms, rows if last else dx.count[2], n, add)
        u += rows * pace


cdef inline void divide_all(const sc_tiles *t, const Side *side, const Range *r, const View *y,
                            idx n, bint inside) noexcept nogil:
    """y / what its windows hold: their elements inside of the image, or all taps."""
    cdef idx *taps = [side[0].kernel, side[1].kernel, side[2].kernel]
    cdef idx i, j, q, end, first
    for i in range(y.count[0]):
        for j in range(y.count[1]):
            q = 0
            while q < y.count[2]:
                end = y.count[2]
                if inside:
                    outputs_alike(&side[0], r[0].first + i, 0, &first, &taps[0])
                    outputs_alike(&side[1], r[1].first + j, 0, &first, &taps[1])
                    end = outputs_alike(&side[2], r[2].first + q, r[2].first + end, &first,
                                        &taps[2]) - r[2].first
                t.divide(y.data + i * y.step[0] + j * y.step[1] + q * y.step[2], y.step[2],
                         <double>taps[0] * taps[1] * taps[2], end - q, n)
                q = end
