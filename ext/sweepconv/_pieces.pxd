# cython: boundscheck=False, wraparound=False, cdivision=True
"""Pieces of a block: outputs that read the same taps, and no padding with them.

So a channels-last source can be read where it lies, up to its borders: taps that read zeros alone
are left out, which changes no bit where filters are finite.
"""

from sweepconv._box cimport Block, Phase, idx, measure


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


cdef inline bint reads_all(const Phase *p, idx output) noexcept nogil:
    """Whether no tap of an output reads a zero, and its taps read what lies side by side."""
    cdef idx at = output * p.stride + p.offset[0]
    return p.index[at] >= 0 and p.end[at] > at + p.offset[p.taps - 1] - p.offset[0]


cdef inline idx piece_size(const Phase *p, idx first, idx most, idx *low,
                           idx *high) noexcept nogil:
    """Outputs of an axis from `first` on that read the same taps: those inside, or one."""
    cdef idx n = 1
    axis_taps(p, first, 1, low, high)
    if p.taps and reads_all(p, first):
        while n < most and reads_all(p, first + n):
            n += 1
    return n


cdef inline bint next_piece(const Block *b, idx *at, Block *piece) noexcept nogil:
    """The piece at `at`, in outputs from the start of the block; then moves `at` to the next.
    False at the end."""
    cdef int a
    if at[0] >= b.n[1]:
        return False
    piece[0] = b[0]
    for a in range(3):
        piece.low[a + 1] = b.low[a + 1] + at[a]
        piece.n[a + 1] = piece_size(b.phase[a], piece.low[a + 1], b.n[a + 1] - at[a],
                                    &piece.taps.low[a], &piece.taps.high[a])
    measure(piece)
    pass_piece(b, piece, at)
    return True


cdef inline void pass_piece(const Block *b, const Block *piece, idx *at) noexcept nogil:
    """Moves `at` from a piece of the block to the next."""
    cdef int a
    for a in range(2, -1, -1):
        at[a] += piece.n[a + 1]
        if at[a] < b.n[a + 1] or a == 0:
            break
        at[a] = 0


cdef inline idx count_pieces(const Block *b) noexcept nogil:
    cdef idx all = 1, n, at, low, high
    cdef int a
    for a in range(3):
        n = at = 0
        while at < b.n[a + 1]:
            at += piece_size(b.phase[a], b.low[a + 1] + at, b.n[a + 1] - at, &low, &high)
            n += 1
        all *= n
    return all
