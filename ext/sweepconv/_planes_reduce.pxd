# cython: boundscheck=False, wraparound=False, cdivision=True
"""The tasks of the weight gradient where lanes are pixels, see `_planes.pxd`.

Rows of a tile are taps, and each step takes a vector of pixels: SC_LANES.  dy gets zeros where its
lines have gaps and tails, so where x is not finite there 0 * Inf would reach the sums: x is looked
at while it is packed, and `reduce` then sums all of it in the other way.  The lanes of each sum are
added up at the end, in a fixed tree as the parts are.
"""

from libc.string cimport memset

from sweepconv._box cimport AXES, Block, Phase, box_taps, ceil_div, cut_block, idx, joined_taps
from sweepconv._filters cimport even_taps, tap_offset
from sweepconv._kernels cimport sc_item, sc_line, sc_pair, sc_steps
from sweepconv._panel cimport target_at, target_steps
from sweepconv._planes cimport Planes, count_lines, find_planes, line_at, pack_planes, plane_taps
from sweepconv._reduce cimport add_parts
from sweepconv._task cimport (
    LINES, PIXELS, RUNS, SPARE, TAPS, Sweep, find_block, find_box, tile_of,
)

# Buffers: [box][group][source chunk][part][pair of targets][source][tap group][rows][2][lanes].

cdef struct PlaneShare:
    # The filters that one task owns.
    const Phase *phase[3]
    idx group
    idx source
    idx sources
    idx taps
    idx joined       # neighbouring taps, which are one run of rows: a tap group
    idx halves       # of tiles in a tap group


cdef inline void find_plane_share(const Sweep *s, idx share, PlaneShare *h) noexcept nogil:
    h.source = share % s.source_chunks * s.source_chunk
    h.sources = min(s.source_chunk, s.sources - h.source)
    share //= s.source_chunks
    h.group = share % s.groups
    find_box(s, share // s.groups, h.phase)
    h.taps = box_taps(h.phase)
    h.joined = joined_taps(h.phase[2]) if h.phase[2].stride == 1 else 1
    h.halves = ceil_div(h.joined, s.half)


cdef inline void pack_line(const Sweep *s, const char *values, idx pace, idx length, idx pitch,
                           char *dy) noexcept nogil:
    """`length` values by vectors, `pitch` bytes from one to the next; the last is filled up with
    zeros."""
    cdef idx itemsize = s.tile.itemsize, lanes = s.tile.nb // 2, whole = length // lanes
    s.tile.move(dy, pitch, itemsize, values, lanes * pace, pace, whole, lanes)
    if length % lanes:
        memset(dy + whole * pitch, 0, lanes * itemsize)
        s.tile.move(dy + whole * pitch, 0, itemsize, values + whole * lanes * pace, 0, pace, 1,
                    length % lanes)


cdef inline void fill_plane(const Sweep *s, const Block *b, const Planes *p, const char *values,
                            const idx *pace, char *plane) noexcept nogil:
    """Outputs of a block as one plane, zeros in its gaps."""
    cdef idx itemsize = s.tile.itemsize, n, d
    memset(plane, 0, p.plane * itemsize)
    for n in range(b.n[0]):
        for d in range(b.n[1]):
            s.tile.move(plane + (n * p.pitch[0] + d * p.pitch[1]) * itemsize,
                        p.pitch[2] * itemsize, itemsize, values + n * pace[0] + d * pace[1],
                        pace[2], pace[3], b.n[2], b.n[3])


cdef inline void pack_dy(const Sweep *s, const Block *b, const Planes *p, const PlaneShare *h,
                         idx target, idx targets, sc_steps *steps, sc_line *line, char *plane,
                         char *dy) noexcept nogil:
    """dy of the block for one or two targets, [line][steps][targets][lanes], zeros in gaps and
    tails: from the array, or where rows are merged into lines by way of a plane."""
    cdef idx pace[AXES]
    cdef idx channel = (h.group * s.targets + target) * s.target.channel, i, t
    cdef idx vector = s.tile.nb // 2 * s.tile.itemsize
    cdef bint merged = p.lines_axes < AXES - 1
    cdef char *to
    target_steps(b, &s.target, pace)
    steps.ws = targets * (s.tile.nb // 2)
    for t in range(targets):
        if merged:
            fill_plane(s, b, p, target_at(b, &s.target, pace, 0) + channel, pace, plane)
        for i in range(steps.lines):
            line[i].w = i * steps.len * steps.ws
            to = dy + line[i].w * s.tile.itemsize + t * vector
            if merged:
                pack_line(s, plane + line_at(b, p, p.pitch, i) * s.tile.itemsize,
                          s.tile.itemsize, p.length, targets * vector, to)
            else:
                pack_line(s, target_at(b, &s.target, pace, i * b.n[3]) + channel, pace[3],
                          p.length, targets * vector, to)
        channel += s.target.channel


cdef inline void place_half(const Sweep *s, const Planes *p, const PlaneShare *h, const idx *taps,
                            idx half, idx to, idx n, sc_pair *pair) noexcept nogil:
    """Half number n of the tiles: what number `half` of the sums, [source][tap group][halves], are
    of, to number `to` of them."""
    cdef idx groups = h.taps // h.joined
    pair += n // 2
    pair.to[n % 2] = pair.start[n % 2] = to * s.half * s.tile.nb * s.tile.itemsize
    pair.x[n % 2] = (half // h.halves // groups * p.channel
                     + taps[half // h.halves % groups * h.joined]
                     + half % h.halves * s.half) * s.tile.itemsize


cdef inline idx find_plane_pairs(const Sweep *s, const Planes *p, const PlaneShare *h,
                                 const idx *taps, sc_pair *pair) noexcept nogil:
    """Tiles of halves one below the other, and of those then left any two; how many.  If one is
    alone it comes second, and the half above it once more, into room at the end of the sums."""
    cdef idx rows = max(h.phase[1].taps, <idx>1), row = h.phase[2].taps // h.joined * h.halves
    cdef idx count = h.sources * (h.taps // h.joined) * h.halves, n = 0, above, i, j
    for i in range(count // rows):  # columns of halves, from one plane of taps to the next
        above = i // row * rows * row + i % row
        for j in range(rows // 2 * 2):
            place_half(s, p, h, taps, above + j * row, above + j * row, n, pair)
            n += 1
    for i in range(count // rows if rows % 2 else 0):
        above = (i // row * rows + rows - 1) * row + i % row
        if i + 1 == count // rows and n % 2 == 0:
            place_half(s, p, h, taps, above - row if rows > 1 else above, count, n, pair)
            n += 1
        place_half(s, p, h, taps, above, above, n, pair)
        n += 1
    return n // 2


cdef inline void planes_reduce_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    cdef PlaneShare h
    cdef Block b
    cdef Planes p
    cdef idx *place = [0, 0, 0, 0]
    cdef idx part = task % s.parts, total = s.blocks[0] * s.blocks[1] * s.blocks[2] * s.blocks[3]
    cdef idx first = part * total // s.parts, last = (part + 1) * total // s.parts
    cdef idx block, i, targets, pairs, nb = s.tile.nb, beyond = (s.half + nb) * s.tile.itemsize
    cdef sc_item item
    cdef sc_steps steps
    cdef sc_pair *pair = <sc_pair *>(scratch + s.at[RUNS])
    cdef char *dy = scratch + s.at[PIXELS]
    cdef char *spare = scratch + s.at[SPARE]
    cdef sc_line *line = <sc_line *>(scratch + s.at[LINES])
    cdef idx *taps = <idx *>(scratch + s.at[TAPS])
    cdef char *sums = s.panel_data + task * s.panel_bytes
    item.x, item.w = scratch, dy
    steps.line, steps.ahead, steps.to_row, steps.start_row = line, NULL, nb, nb
    steps.rs, steps.ks = 1, nb // 2
    find_plane_share(s, s.first + task // s.parts, &h)
    if s.round == 0:
        memset(sums, 0, s.panel_bytes)
    for block in range(first + (last - first) * s.round // s.rounds,
                       first + (last - first) * (s.round + 1) // s.rounds):
        find_block(s, block, place)
        if not cut_block(&b, h.phase, s.batch, s.size, place):
            continue
        find_planes(&b, nb // 2, s.stacked, &p)
        plane_taps(&b, &p, taps)
        steps.len, steps.lines = ceil_div(p.length, nb // 2), count_lines(&b, &p)
        for i in range(steps.lines):
            line[i].x = line_at(&b, &p, p.pitch, i)
        pairs = find_plane_pairs(s, &p, &h, taps, pair)
        pack_planes(s, &b, &p, h.group * s.sources + h.source, h.sources, beyond, scratch)
        if not s.tile.finite(scratch, ceil_div(h.sources * p.channel, nb) * nb):
            s.finite[0] = False
        for i in range(s.panels):
            targets = min(<idx>2, s.targets - 2 * i)
            pack_dy(s, &b, &p, &h, 2 * i, targets, &steps, line, spare, dy)
            item.to = item.start = sums + i * (s.panel_bytes // s.panels)
            tile_of(s, targets, s.half)(&item, 1, pair, pairs, &steps)


cdef inline void planes_fold_task(const Sweep *s, idx share, char *scratch) noexcept nogil:
    """Add the parts of one share and the lanes of each sum, and write the filters."""
    cdef PlaneShare h
    cdef idx itemsize = s.tile.itemsize, lanes = s.tile.nb // 2, rows, n, t
    cdef char *sums = s.panel_data + share * s.parts * s.panel_bytes
    find_plane_share(s, s.first + share, &h)
    add_parts(s, sums, s.panel_bytes // itemsize)
    rows = h.sources * (h.taps // h.joined) * h.halves * s.half
    for t in range(s.targets):
        s.tile.move(scratch, itemsize, rows * itemsize,
                    sums + t // 2 * (s.panel_bytes // s.panels) + t % 2 * lanes * itemsize,
                    s.tile.nb * itemsize, itemsize, rows, lanes)
        n = lanes // 2
        while n > 0:
            s.tile.add(scratch, scratch + n * rows * itemsize, n * rows)
            n //= 2
        write_taps(s, &h, t, scratch, scratch + rows * itemsize)


cdef inline void write_taps(const Sweep *s, const PlaneShare *h, idx target, char *sums,
                            char *spare) noexcept nogil:
    """The finished sums of one target, [source][tap group][rows], to the filters, or added."""
    cdef idx itemsize = s.tile.itemsize, groups = h.taps // h.joined, c, m, run, pace
    cdef char *at
    cdef char *row
    for c in range(h.sources):
        m = 0
        while m < h.taps:
            run = even_taps(h.phase, &s.filters, m, h.joined - m % h.joined, &pace)
            row = sums + ((c * groups + m // h.joined) * h.halves * s.half
                          + m % h.joined) * itemsize
            at = (s.filters.data + h.group * s.filters.group + tap_offset(h.phase, &s.filters, m)
                  + (h.source + c) * s.filters.source + target * s.filters.target)
            if s.accumulate:
                s.tile.move(spare, 0, itemsize, at, 0, pace, 1, run)
                s.tile.add(row, spare, run)
            s.tile.move(at, 0, pace, row, 0, itemsize, 1, run)
            m += run
