# cython: boundscheck=False, wraparound=False, cdivision=True
"""Sweeps of few channels: lanes are neighbouring pixels.

Here the source panel is made of planes, [channel][residues][n][d][h][w]: coordinate u of an axis
with stride s stands in plane u mod s at u div s.  So the window of each next output begins one
element further, whatever the stride, and a tap is one offset for all outputs of a block.  Outputs
have the same pitch as their planes: lines merge over the gaps between rows where that costs less
than whole vectors for each row, and what is computed in the gaps is never read.
"""

from libc.string cimport memset

from sweepconv._box cimport AXES, Block, Phase, ceil_div, even_steps, idx, span
from sweepconv._kernels cimport sc_tiles
from sweepconv._task cimport Sweep

cdef enum:
    FEW_ZEROS = 8


cdef struct Planes:
    idx size[AXES]       # of a plane on each axis
    idx pitch[AXES]      # elements of a plane from one output to the next on each axis
    idx plane            # elements of a plane
    idx channel          # elements from the planes of a channel to those of the next
    idx length           # of a line of outputs, gaps included
    int lines_axes       # axes that count lines; those after it merged into one
    bint stacked         # rows of a tile are rows of the image
    idx to_pitch[AXES]   # gather: as `pitch`, of the sums,
    idx to_row           # and from those of one target to those of the next
    bint in_place        # gather: source and target themselves, see _planes_view.pxd
    const char *source
    char *target


cdef inline idx plane_size(idx count, idx reach, idx stride) noexcept nogil:
    return count + (reach - 1) // stride


cdef inline idx channel_pitch(idx size) noexcept nogil:
    """Channels are not multiples of a page apart, where they would share a set of the cache."""
    return size + 16 if size % 512 == 0 else size


cdef inline idx stacked_width(idx width, idx granule, bint stacked) noexcept nogil:
    """Elements of a row that tiles cover: whole ones, if they stand below each other."""
    return ceil_div(width, granule) * granule if stacked else 0


cdef inline void find_planes(const Block *b, idx granule, bint stacked, Planes *p) noexcept nogil:
    """The planes of a block, and its lines: rows merge where a gap costs less than a tail."""
    cdef idx step = 1
    cdef int a
    p.channel, p.stacked, p.in_place = 1, stacked, False
    for a in range(AXES - 1, -1, -1):
        p.size[a] = plane_size(b.n[a], span(b.phase[a - 1]), b.stride[a]) if a else b.n[a]
        if a == AXES - 1:
            p.size[a] = max(p.size[a], stacked_width(b.n[a], granule, stacked))
        p.pitch[a] = step
        step *= p.size[a]
        p.channel *= b.stride[a]
    p.plane = step
    p.channel = channel_pitch(p.channel * step)
    p.length = b.n[AXES - 1]
    p.lines_axes = AXES - 1
    while not stacked and p.lines_axes > 0 and (
            b.n[p.lines_axes - 1] == 1
            or p.pitch[p.lines_axes - 1] <= ceil_div(p.length, granule) * granule):
        p.lines_axes -= 1
        p.length += (b.n[p.lines_axes] - 1) * p.pitch[p.lines_axes]


cdef inline idx count_lines(const Block *b, const Planes *p) noexcept nogil:
    cdef idx n = 1
    cdef int a
    for a in range(p.lines_axes):
        n *= b.n[a]
    return n


cdef inline idx line_at(const Block *b, const Planes *p, const idx *pitch,
                        idx line) noexcept nogil:
    """Where line number `line` starts among outputs of this pitch."""
    cdef idx at = 0
    cdef int a
    for a in range(p.lines_axes - 1, -1, -1):
        if line < b.n[a]:  # without divisions
            return at + line * pitch[a]
        at += line % b.n[a] * pitch[a]
        line //= b.n[a]
    return at


cdef inline void plane_taps(const Block *b, const Planes *p, idx *start) noexcept nogil:
    """start[tap] = where its window begins among the planes of a channel."""
    cdef idx row = b.phase[2].taps, i, j, k, m = 0, at, line, first = 0
    for i in range(b.phase[0].taps):
        at = axis_start(b, p, 0, i, p.plane * b.stride[2] * b.stride[3])
        for j in range(b.phase[1].taps):
            line = at + axis_start(b, p, 1, j, p.plane * b.stride[3])
            first = first if m else line
            for k in range(row):
                if m < row:
                    start[m] = line + axis_start(b, p, 2, k, p.plane)
                else:  # as in the first line, without divisions
                    start[m] = start[k] + line - first
                m += 1


cdef inline idx axis_start(const Block *b, const Planes *p, int a, idx tap,
                           idx plane) noexcept nogil:
    """What a tap of axis a adds, where its residues are `plane` apart."""
    cdef idx stride = b.stride[a + 1], offset = b.phase[a].offset[tap]
    return offset % stride * plane + offset // stride * p.pitch[a + 1]


cdef struct Piece:
    # Places of an axis of a plane whose source elements are at an even pace, or all zeros.
    idx first
    idx count
    idx index        # of the source element at the first place; -1 for zeros
    idx pace


cdef inline Piece next_piece(const Block *b, int a, idx residue, idx size, idx at) noexcept nogil:
    """The piece of axis a that begins at place `at` of the planes of a residue."""
    cdef const Phase *p = b.phase[a - 1]
    cdef idx stride = b.stride[a], last = b.low[a] * stride + b.extent[a], end
    cdef idx u = b.low[a] * stride + residue + at * stride
    cdef Piece piece
    piece.first, piece.index, piece.pace, piece.count = at, -1, 0, size - at
    if u < last:
        end = min(p.end[u], last)
        piece.count = ceil_div(end - u, stride)
        piece.index = p.index[u]
        if piece.count == 1 and stride > 1:  # elements between windows have no coordinates
            piece.count = even_steps(p, u, stride, last)
        if piece.count > 1 and piece.index >= 0:
            piece.pace = p.index[u + stride] - p.index[u]
    return piece


cdef inline void pack_plane(const Sweep *s, const Block *b, const Planes *p, const char *source,
                            idx channels, const idx *residue, char *panel) noexcept nogil:
    """One plane of each channel, [n][d][h][w]: pieces of h and w move as matrices."""
    cdef idx itemsize = s.tile.itemsize, n, i, d, at, column
    cdef Piece y, x
    cdef char *to
    for n in range(b.n[0]):
        for i in range(p.size[1]):
            d = next_piece(b, 1, residue[0], p.size[1], i).index
            to = panel + (n * p.pitch[0] + i * p.pitch[1]) * itemsize
            at = 0
            while at < p.size[2]:
                y = next_piece(b, 2, residue[1], p.size[2], at)
                column = 0
                while column < p.size[3]:
                    x = next_piece(b, 3, residue[2], p.size[3], column)
                    move_piece(s, p, source + (b.low[0] + n) * s.source.batch
                               + d * s.source.space[0], channels, &y, &x, d < 0, to)
                    column += x.count
                at += y.count


cdef inline void clear(const sc_tiles *t, char *at, idx row, idx rows, idx count) noexcept nogil:
    """Zeros in `count` places of rows that are `row` bytes apart."""
    cdef double zero = 0
    cdef idx i
    if count <= FEW_ZEROS:  # as a border has: a call for each row would take longer
        t.move(at, row, t.itemsize, &zero, 0, 0, rows, count)
        return
    for i in range(rows):
        memset(at + i * row, 0, count * t.itemsize)


cdef inline void move_piece(const Sweep *s, const Planes *p, const char *source, idx channels,
                            const Piece *y, const Piece *x, bint empty,
                            char *plane) noexcept nogil:
    """One piece of h and w from (n, d) of the source to (n, d) of the plane of each channel.

    Matrices are those of h and w, or of channels and w where channels come last in memory."""
    cdef idx itemsize = s.tile.itemsize, channel = p.channel * itemsize, row = p.pitch[2] * itemsize
    cdef idx y_pace = y.pace * s.source.space[1], x_pace = x.pace * s.source.space[2], i, c
    plane += y.first * row + x.first * itemsize
    if empty or y.index < 0 or x.index < 0:
        for c in range(channels):
            clear(s.tile, plane + c * channel, row, y.count, x.count)
        return
    source += y.index * s.source.space[1] + x.index * s.source.space[2]
    if s.source.channel == itemsize and channels > 1:
        for i in range(y.count):
            s.tile.move(plane + i * row, channel, itemsize, source + i * y_pace, itemsize, x_pace,
                        channels, x.count)
        return
    for c in range(channels):
        s.tile.move(plane + c * channel, row, itemsize, source + c * s.source.channel, y_pace,
                    x_pace, y.count, x.count)


cdef inline void pack_planes(const Sweep *s, const Block *b, const Planes *p, idx first,
                             idx channels, idx beyond, char *panel) noexcept nogil:
    """The planes of `channels` channels from `first`, and `beyond` bytes of zeros after them."""
    cdef idx residue[3]
    cdef idx c, i, residues = b.stride[1] * b.stride[2] * b.stride[3], itemsize = s.tile.itemsize
    for i in range(residues):
        residue[0] = i // (b.stride[2] * b.stride[3])
        residue[1] = i // b.stride[3] % b.stride[2]
        residue[2] = i % b.stride[3]
        pack_plane(s, b, p, s.source.data + first * s.source.channel, channels, residue,
                   panel + i * p.plane * itemsize)
    for c in range(channels):
        memset(panel + (c * p.channel + residues * p.plane) * itemsize, 0,
               (p.channel - residues * p.plane) * itemsize)
    memset(panel + channels * p.channel * itemsize, 0, beyond)
