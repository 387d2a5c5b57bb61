# cython: boundscheck=False, wraparound=False, cdivision=True
"""Panels: the operands of a task, packed from arrays of any strides and back.

- source panel [coordinates][channels] of a block, padding included, by the phases' index maps;
- pixel panel  [pixels][nb] of outputs or of dy;
- filter panel [taps][channels][nb].
All go through the one `move` of the active instruction set.
"""

from libc.string cimport memset

from sweepconv._box cimport AXES, Array, Block, Filters, Phase, idx, merge
from sweepconv._kernels cimport sc_tiles


cdef inline void pack_row(const sc_tiles *t, const Block *b, const char *source, idx space,
                          idx channel, idx channels, char *row) noexcept nogil:
    """One row of the panel, [w][channels]; source at (n, c, d, h, 0)."""
    cdef const Phase *p = b.phase[2]
    cdef idx width = channels * t.itemsize
    cdef idx at = b.low[3] * p.stride, last = at + b.extent[3], end, pace
    while at < last:
        end = min(p.end[at], last)
        if p.index[at] < 0:
            memset(row, 0, (end - at) * width)
        else:
            pace = p.index[at + 1] - p.index[at] if end - at > 1 else 0
            t.move(row, width, t.itemsize, source + p.index[at] * space, pace * space, channel,
                   end - at, channels)
        row += (end - at) * width
        at = end


cdef inline void pack_source(const sc_tiles *t, const Block *b, const Array *x, idx first,
                             idx channels, idx beyond, char *panel) noexcept nogil:
    """The source panel of a block for `channels` channels from `first`.

    Zeros follow for `beyond` elements, which the last tile reads and nobody uses: what stood there
    before could be denormal, and slow.
    """
    cdef idx row = b.extent[3] * channels * t.itemsize
    cdef idx n, i, j, d, h
    cdef const char *image
    for n in range(b.low[0], b.low[0] + b.n[0]):
        image = x.data + n * x.batch + first * x.channel
        for i in range(b.extent[1]):
            d = b.phase[0].index[b.low[1] * b.stride[1] + i]
            for j in range(b.extent[2]):
                h = b.phase[1].index[b.low[2] * b.stride[2] + j]
                if d < 0 or h < 0:
                    memset(panel, 0, row)
                else:
                    pack_row(t, b, image + d * x.space[0] + h * x.space[1], x.space[2],
                             x.channel, channels, panel)
                panel += row
    memset(panel, 0, beyond * t.itemsize)


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


cdef inline void move_pixels(const sc_tiles *t, const Block *b, const Array *y, idx first,
                             idx channels, char *panel, idx slots, bint to_panel) noexcept nogil:
    """Outputs of the block from the pixel panel to the array y, or from there to the panel.

    The panel holds `slots` >= b.length rows for each line.
    """
    cdef idx steps[AXES]
    cdef idx length, pace, flat = 0, row = t.nb * t.itemsize
    cdef char *at
    cdef char *slot
    target_steps(b, y, steps)
    merge(b.n, steps, b.pixels if slots == b.length else b.length, &length, &pace)
    while flat < b.pixels:
        at = target_at(b, y, steps, flat) + first * y.channel
        slot = panel + (flat // b.length * slots + flat % b.length) * row
        if to_panel:
            if channels < t.nb:
                memset(slot, 0, length * row)
            t.move(slot, row, t.itemsize, at, pace, y.channel, length, channels)
        else:
            t.move(at, pace, y.channel, slot, row, t.itemsize, length, channels)
        flat += length


cdef inline idx bank_offset(const Phase **phase, const Filters *w, idx i, idx j,
                            idx k) noexcept nogil:
    """Bytes to the filter that taps (i, j, k) of the box belong to."""
    return (phase[0].filter[i] * w.bank[0] + phase[1].filter[j] * w.bank[1]
            + phase[2].filter[k] * w.bank[2])


cdef inline void move_filters(const sc_tiles *t, const Phase **phase, const Filters *w, idx group,
                              idx source, idx sources, idx target, idx targets, char *panel,
                              idx joined, idx pitch, char *spare, bint to_panel) noexcept nogil:
    """Filters of a box from the bank to a panel, or from the panel to the bank.

    Panel rows are [taps][sources], the taps in groups of `joined`, each group `pitch` rows after
    the one before.  Where channels and taps of the bank are contiguous, they move as one axis
    through `spare`, [sources * taps][nb], so that the move is a transposition.
    """
    cdef idx taps = phase[0].taps * phase[1].taps * phase[2].taps
    cdef idx row = t.nb * t.itemsize, i, j, k, m = 0
    cdef char *base = w.data + group * w.group + source * w.source + target * w.target
    cdef char *at
    cdef char *place
    cdef bint even = w.source == taps * t.itemsize and taps > 1
    for k in range(3):
        even = even and (phase[k].taps == 1 or phase[k].tap[1] - phase[k].tap[0] == 1)
        if phase[k].taps:
            base += phase[k].tap[0] * w.tap[k]
    even = even and w.tap[2] == t.itemsize and w.tap[1] == phase[2].taps * w.tap[2]
    even = even and w.tap[0] == phase[1].taps * w.tap[1]
    if even:
        base += bank_offset(phase, w, 0, 0, 0)
        if to_panel:
            if targets < t.nb:
                memset(spare, 0, sources * taps * row)
            t.move(spare, row, t.itemsize, base, t.itemsize, w.target, sources * taps, targets)
    for i in range(phase[0].taps):
        for j in range(phase[1].taps):
            for k in range(phase[2].taps):
                place = panel + (m // joined * pitch + m % joined * sources) * row
                if even and to_panel:
                    t.move(place, row, t.itemsize, spare + m * row, taps * row, t.itemsize,
                           sources, t.nb)
                elif even:
                    t.move(spare + m * row, taps * row, t.itemsize, place, row, t.itemsize,
                           sources, t.nb)
                else:
                    at = (base + bank_offset(phase, w, i, j, k)
                          + (phase[0].tap[i] - phase[0].tap[0]) * w.tap[0]
                          + (phase[1].tap[j] - phase[1].tap[0]) * w.tap[1]
                          + (phase[2].tap[k] - phase[2].tap[0]) * w.tap[2])
                    if to_panel:
                        if targets < t.nb:
                            memset(place, 0, sources * row)
                        t.move(place, row, t.itemsize, at, w.source, w.target, sources, targets)
                    else:
                        t.move(at, w.source, w.target, place, row, t.itemsize, sources, targets)
                m += 1
    if even and not to_panel:
        t.move(base, t.itemsize, w.target, spare, row, t.itemsize, sources * taps, targets)
