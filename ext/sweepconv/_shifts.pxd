# cython: boundscheck=False, wraparound=False, cdivision=True
"""One filter as n: in each lane it begins one pixel later, and rows of the tile are n pixels apart.

    y[q*n + r] = sum over i of w[i - r] * x[q*n + i],  i = 0 .. taps + n - 2, w zero outside

So long filters of one channel take SC_OUTER, which loads the less, in the place of SC_SPREAD, for
n - 1 steps more a row of taps.  Each sum has the same terms in the same order, and zeros: the bits
are those of SC_SPREAD, where x is finite.
"""

from sweepconv._box cimport Block, Extents, Phase, box_taps, ceil_div, idx
from sweepconv._kernels cimport sc_line, sc_steps
from sweepconv._task cimport STEPS, Sweep, tap_block

cdef enum:
    SPREAD_COST = 200  # of a tap, in hundredths of a vector multiply-add,
    OUTER_COST = 115   # and of a step


cdef inline idx single_cost(const Sweep *s, const Extents *e) noexcept nogil:
    """Of a tap of one filter; less than SPREAD_COST where shifted copies pay."""
    cdef idx taps = e.taps[2], n = s.tile.nb
    cdef idx pixels = max(e.outputs[0] * e.outputs[1] * e.outputs[2], <idx>1)
    if (s.sources != 1 or e.boxes != 1 or e.stride[2] != 1 or e.joined != taps
            or (taps > STEPS and e.taps[0] * e.taps[1] > 1)):
        return SPREAD_COST
    # They are packed n times.
    return min(OUTER_COST * (taps + n - 1) // taps + 50 * n * n // pixels, <idx>SPREAD_COST)


cdef inline idx piece_taps(const Phase *const *phase) noexcept nogil:
    """Taps of a row that one tile sums over: all, or those of a block of taps."""
    return min(phase[2].taps, tap_block(<const Phase **>phase, 1))


cdef inline idx shifted_steps(const Sweep *s, idx taps, idx piece) noexcept nogil:
    """Steps of `taps` taps in pieces."""
    return taps + ceil_div(taps, piece) * (s.tile.nb - 1)


cdef inline void shift_steps(const Sweep *s, Block *b, const idx *start, idx first, idx taken,
                             sc_line *line, sc_steps *t) noexcept nogil:
    """Steps of some taps, each piece a line."""
    cdef idx piece = piece_taps(<const Phase *const *>b.phase), i
    t.line, t.ahead, t.lines, t.ks, t.ws = line, NULL, ceil_div(taken, piece), 1, s.tile.nb
    t.len = min(piece, taken) + s.tile.nb - 1
    for i in range(t.lines):
        line[i].x = start[first + i * piece]
        line[i].w = shifted_steps(s, first + i * piece, piece) * s.tile.nb


# Filter panels: after those of SC_SPREAD [piece][step][nb].

cdef inline idx shifted_at(const Sweep *s, const Phase *const *phase) noexcept nogil:
    """Where they begin in a filter panel, in bytes."""
    return s.panel_bytes - shifted_bytes(s, phase)


cdef inline idx shifted_bytes(const Sweep *s, const Phase *const *phase) noexcept nogil:
    cdef idx steps = shifted_steps(s, box_taps(phase), piece_taps(phase))
    return steps * s.tile.nb * s.tile.itemsize


cdef inline void pack_shifts(const Sweep *s, const Phase *const *phase, const char *filters,
                             char *panel) noexcept nogil:
    """Of the one target, from its filter; the panel is zero."""
    cdef idx taps = box_taps(phase), piece = piece_taps(phase), itemsize = s.tile.itemsize
    cdef idx row = s.tile.nb * itemsize, low, lane, i
    cdef char *to
    for i in range(ceil_div(taps, piece)):
        low = i * piece
        to = panel + shifted_steps(s, low, piece) * row
        for lane in range(s.tile.nb):
            s.tile.move(to + lane * (row + itemsize), row, itemsize, filters + low * itemsize,
                        itemsize, itemsize, min(piece, taps - low), 1)
