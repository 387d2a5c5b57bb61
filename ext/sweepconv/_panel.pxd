# cython: boundscheck=False, wraparound=False, cdivision=True
"""Panels: the operands of a task, packed from arrays of any strides and back.

- source panel [coordinates][channels] of a block, padding included, by the phases' index maps;
- pixel panel  [pixels][nb] of outputs or of dy;
- filter panel [taps][channels][nb].
With lanes for groups, a channel or a target is a vector of them.  All go through the one `move` of
the active instruction set.
"""

from libc.string cimport memset

from sweepconv._box cimport AXES, Array, Block, Phase, even_steps, idx, merge
from sweepconv._kernels cimport sc_tiles

cdef enum:
    FEW_COLUMNS = 4


cdef struct Columns:
    # The values of one element of a panel: `repeat` times `count` of them.  In the array the former
    # are `repeat_step` bytes apart, the latter `step`; in the panel, `pitch` bytes and one value.
    idx repeat
    idx repeat_step
    idx pitch
    idx count
    idx step
    bint whole       # they fill the element


cdef inline void move_columns(const sc_tiles *t, const Columns *c, char *panel, idx panel_row,
                              char *array, idx array_row, idx rows, bint to_panel) noexcept nogil:
    """`rows` elements from the array to the panel, or back."""
    cdef idx _i
    for _i in range(c.repeat):
        if to_panel:
            t.move(panel, panel_row, t.itemsize, array, array_row, c.step, rows, c.count)
        else:
            t.move(array, array_row, c.step, panel, panel_row, t.itemsize, rows, c.count)
        panel += c.pitch
        array += c.repeat_step


cdef inline void move_cube(const sc_tiles *t, char *to, const idx *to_step, const char *from_,
                           const idx *step, const idx *n) noexcept nogil:
    """n[0] x n[1] x n[2] values, a matrix at a time: what is contiguous on neither side is left for
    the loop, and of several such axes the shortest."""
    cdef int outer = -1, a, b, c
    cdef idx i
    for a in range(3):
        if (to_step[a] != t.itemsize and step[a] != t.itemsize
                and (outer < 0 or n[a] < n[outer])):
            outer = a
    outer = max(outer, 0)
    b, c = 1 if outer == 0 else 0, 1 if outer == 2 else 2
    for i in range(n[outer]):
        t.move(to + i * to_step[outer], to_step[b], to_step[c], from_ + i * step[outer], step[b],
               step[c], n[b], n[c])


cdef inline idx count_windows(const Phase *p, idx at, idx length, idx last) noexcept nogil:
    """Windows like that of `length` coordinates from `at` on, which follow each other evenly apart:
    of windows shorter than the stride, since what lies between has no coordinates."""
    cdef idx n = last, i
    if length != p.stride or p.index[at] < 0:
        return 1
    for i in range(length):
        n = min(n, even_steps(p, at + i, length, last))
    return n


cdef inline void pack_row(const sc_tiles *t, const Block *b, const char *source, idx space,
                          const Columns *c, idx width, char *row) noexcept nogil:
    """One row of the panel, [w] of `width` bytes each; source at (n, c, d, h, 0)."""
    cdef const Phase *p = b.phase[2]
    cdef idx at = b.low[3] * p.stride, last = at + b.extent[3], length, windows, pace, i
    while at < last:
        length = min(p.end[at], last) - at
        windows = count_windows(p, at, length, last)
        if p.index[at] < 0 or not c.whole:
            memset(row, 0, windows * length * width)
        if windows > 1:
            for i in range(at, at + length):
                move_columns(t, c, row + (i - at) * width, length * width,
                             <char *>source + p.index[i] * space,
                             (p.index[i + length] - p.index[i]) * space, windows, True)
        elif p.index[at] >= 0:
            pace = p.index[at + 1] - p.index[at] if length > 1 else 0
            move_columns(t, c, row, width, <char *>source + p.index[at] * space, pace * space,
                         length, True)
        row += windows * length * width
        at += windows * length


cdef inline void pack_images(const sc_tiles *t, const Block *b, const char *source, idx batch,
                             idx space, const Columns *c, idx width, char *row) noexcept nogil:
    """One row of all images, where these are many and the values of an element few: each value of a
    run moves for all images at once; source at (first image, c, d, h, 0)."""
    cdef const Phase *p = b.phase[2]
    cdef idx at = b.low[3] * p.stride, last = at + b.extent[3], end, pace, n, i, j
    while at < last:
        end = min(p.end[at], last)
        if p.index[at] < 0 or not c.whole:
            for n in range(b.n[0]):
                memset(row + n * b.pitch[0] * width, 0, (end - at) * width)
        if p.index[at] >= 0:
            pace = p.index[at + 1] - p.index[at] if end - at > 1 else 0
            for i in range(c.repeat):
                for j in range(c.count):
                    t.move(row + i * c.pitch + j * t.itemsize, b.pitch[0] * width, width,
                           <char *>source + p.index[at] * space + i * c.repeat_step + j * c.step,
                           batch, pace * space, b.n[0], end - at)
        row += (end - at) * width
        at = end


cdef inline bint skipped(const Phase *p, idx outputs, idx at) noexcept nogil:
    """Whether coordinate `at` of a block lies between those that its outputs read, as where taps
    stand far apart, or strides are longer than filters."""
    cdef idx t, place
    if p.taps == 0 or at > (outputs - 1) * p.stride + p.offset[p.taps - 1]:
        return False
    for t in range(p.taps):
        place = at - p.offset[t]
        if 0 <= place < outputs * p.stride and (p.stride == 1 or place % p.stride == 0):
            return False
    return True


cdef inline void pack_source(const sc_tiles *t, const Block *b, const Array *x, idx first,
                             const Columns *c, idx width, idx beyond, char *panel) noexcept nogil:
    """The source panel of a block, elements of `width` bytes; channel `first` is its first.

    `beyond` bytes of zeros follow, which the last tile reads and nobody uses: what stood there
    before could be denormal, and slow.
    """
    cdef idx _n, i, j, d, h
    cdef const char *image
    cdef char *row
    cdef bint many = c.repeat * c.count <= FEW_COLUMNS and b.n[0] >= 4 * c.repeat * c.count
    for i in range(b.extent[1]):
        if skipped(b.phase[0], b.n[1], i):
            continue
        d = b.phase[0].index[b.low[1] * b.stride[1] + i]
        for j in range(b.extent[2]):
            if skipped(b.phase[1], b.n[2], j):
                continue
            h = b.phase[1].index[b.low[2] * b.stride[2] + j]
            row = panel + (i * b.pitch[1] + j * b.pitch[2]) * width
            image = (x.data + b.low[0] * x.batch + first * x.channel + d * x.space[0]
                     + h * x.space[1])
            if many and d >= 0 and h >= 0:
                pack_images(t, b, image, x.batch, x.space[2], c, width, row)
                continue
            for _n in range(b.n[0]):
                if d < 0 or h < 0:
                    memset(row, 0, b.extent[3] * width)
                else:
                    pack_row(t, b, image, x.space[2], c, width, row)
                row += b.pitch[0] * width
                image += x.batch
    memset(panel + b.n[0] * b.pitch[0] * width, 0, beyond)


cdef inline void target_steps(const Block *b, const Array *y, idx *steps) noexcept nogil:
    """steps[a] = bytes in y from one output of the block to the next on each axis."""
    cdef int a
    steps[0] = y.batch
    for a in range(3):
        steps[a + 1] = y.space[a] * b.phase[a].step


cdef inline char *target_at(const Block *b, const Array *y, const idx *steps,
                            idx pixel) noexcept nogil:
    """Where output number `pixel` of the block stands in y, for channel 0."""
    cdef char *at = y.data + b.low[0] * y.batch
    cdef int a
    for a in range(AXES - 1, -1, -1):
        at += pixel % b.n[a] * steps[a]
        pixel //= b.n[a]
        if a:
            at += (b.phase[a - 1].first + b.low[a] * b.phase[a - 1].step) * y.space[a - 1]
    return at


cdef inline idx line_pace(const sc_tiles *t, const Block *b, const Array *y) noexcept nogil:
    """Values from one pixel of a line to the next in y; 0 where channels are not contiguous or
    pixels of a line not whole values and at an even pace."""
    cdef idx steps[AXES]
    cdef idx length, pace
    target_steps(b, y, steps)
    merge(b.n, steps, b.pixels, &length, &pace)
    if y.channel != t.itemsize or length < b.length or pace % t.itemsize:
        return 0
    return pace // t.itemsize


cdef inline void move_pixels(const sc_tiles *t, const Block *b, const Array *y, idx first,
                             const Columns *c, char *panel, bint to_panel) noexcept nogil:
    """Outputs of the block from the pixel panel to the array y, or from there to the panel, whose
    first channel is number `first` of y."""
    cdef idx steps[AXES]
    cdef idx length, pace, flat = 0, row = t.nb * t.itemsize
    cdef char *slot
    target_steps(b, y, steps)
    merge(b.n, steps, b.pixels, &length, &pace)
    while flat < b.pixels:
        slot = panel + flat * row
        if to_panel and not c.whole:
            memset(slot, 0, length * row)
        move_columns(t, c, slot, row, target_at(b, y, steps, flat) + first * y.channel, pace,
                     length, to_panel)
        flat += length


cdef inline void weave_pixels(const sc_tiles *t, const Block *b, const Array *y, idx first,
                              const Columns *c, const char *panel, char *spare) noexcept nogil:
    """Outputs of the block to every second place of rows of y, where channels are rows: by way of
    `spare`, as large as the panel."""
    cdef idx steps[AXES]
    cdef idx length = b.n[AXES - 1], flat = 0, row = t.nb * t.itemsize, i
    target_steps(b, y, steps)
    while flat < b.pixels:
        for i in range(c.repeat):
            t.move(spare, length * t.itemsize, t.itemsize, panel + flat * row + i * c.pitch,
                   t.itemsize, row, c.count, length)
            t.weave(target_at(b, y, steps, flat) + first * y.channel + i * c.repeat_step, c.step,
                    spare, length * t.itemsize, c.count, length)
        flat += length
