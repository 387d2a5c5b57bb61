# cython: boundscheck=False, wraparound=False, cdivision=True
"""The tasks of forward and input gradient by Winograd's F(m, 3), see blend.inc.h.

On each axis of 3 taps, m outputs make a tile, which reads m + 2 source elements: its positions.
A block of outputs is a block of tiles:

    V[position][tile][channel] = B^T x      M[position] = V[position] U[position]      y = A^T M

along each axis in turn.  The products of a position are the outer tile's, with filters U = G w; the
bias joins where A^T is all ones, at point 1.  One task owns an output and sums over channels in
their order, so bits depend neither on threads nor on the batch.
"""

from libc.string cimport memset

from sweepconv._box cimport AXES, Block, Phase, ceil_div, idx
from sweepconv._gather cimport init_row
from sweepconv._kernels cimport (
    SC_DATA2, SC_DATA4, SC_FILTER2, SC_FILTER4, SC_OUTPUT2, SC_OUTPUT4, call_one, sc_blend, sc_line,
    sc_tile,
)
from sweepconv._panel cimport Columns, move_columns, pack_source, target_at, target_steps
from sweepconv._task cimport (
    INIT, OWN, PIXELS, RUNS, SPARE, WIDE_CHANNELS, Part, Sweep, best_half, cut_task,
    first_source, first_target, move_panel, panel_vectors, source_columns, target_columns,
    tile_edge, tile_positions,
)


cdef enum:
    PRODUCTS = 128  # channels of one sum: longer ones would have more error than the direct sweep


cdef struct Tiles:
    # The tiles of a block, on the axes (n, d, h, w).
    idx count[AXES]
    idx all
    int edge[AXES]       # outputs of a tile
    int positions[AXES]
    int place_count      # of all positions
    idx size[AXES]       # coordinates that all tiles read
    idx rows             # tiles, filled up to whole register tiles
    idx half


cdef inline void find_tiles(const Sweep *s, const Block *b, Tiles *t) noexcept nogil:
    cdef int a
    t.all, t.place_count = 1, 1
    for a in range(AXES):
        t.edge[a] = tile_edge(s, b.phase[a - 1].taps) if a else 1
        t.positions[a] = tile_positions(t.edge[a])
        t.count[a] = ceil_div(b.n[a], t.edge[a])
        t.size[a] = t.count[a] * t.edge[a] + (2 if t.edge[a] > 1 else 0)
        t.all *= t.count[a]
        t.place_count *= t.positions[a]
    t.half = best_half(s, t.all, 1, 2)
    t.rows = ceil_div(t.all, 2 * t.half) * 2 * t.half


cdef inline void to_positions(const Sweep *s, int kind, const Tiles *t, const idx *size, idx width,
                              char *a, char *b, char *to, idx to_place, idx to_step) noexcept nogil:
    """Each axis of `a`, [n][d][h][w][width], by B^T or G into positions, by way of `b`; the last
    one into `to`: positions `to_place` elements apart, tiles `to_step`."""
    cdef sc_blend blend = s.tile.blend[kind]
    cdef idx *n = [size[0], size[1], size[2], size[3]]
    cdef idx itemsize = s.tile.itemsize, places = 1, outer, inner, from_size, to_size, i
    cdef int axis
    for axis in range(1, AXES):
        if t.positions[axis] == 1:
            continue
        inner, outer = width, n[0]
        for i in range(1, axis):
            outer *= n[i]
        for i in range(axis + 1, AXES):
            inner *= n[i]
        from_size, to_size = n[axis] * inner, t.count[axis] * inner
        for i in range(places * outer):
            if axis < 3:
                blend(b + i * to_size * itemsize, places * outer * to_size, inner,
                      a + i * from_size * itemsize, inner, t.edge[axis] * inner, t.count[axis],
                      inner)
            else:
                blend(to + (i // outer * to_place + i % outer * t.count[3] * to_step) * itemsize,
                      places * to_place, to_step, a + i * from_size * itemsize, inner,
                      t.edge[3] * inner, t.count[3], inner)
        n[axis] = t.count[axis]
        places *= t.positions[axis]
        a, b = b, a


cdef inline char *from_positions(const Sweep *s, int kind, const Tiles *t, const char *m, idx place,
                                 idx step, char *a, char *b) noexcept nogil:
    """Outputs [n][d][h][w][nb] of all tiles from their positions, `place` elements apart, tiles
    `step`, by A^T along each axis, the last one first; in `a` or `b`."""
    cdef sc_blend blend = s.tile.blend[kind]
    cdef idx *n = [t.count[0], t.count[1], t.count[2], t.count[3]]
    cdef idx nb = s.tile.nb, itemsize = s.tile.itemsize, places = t.place_count
    cdef idx outer, inner, size, i
    cdef int axis
    for axis in range(3, 0, -1):
        if t.positions[axis] == 1:
            continue
        places //= t.positions[axis]
        inner, outer = nb, n[0]
        for i in range(1, axis):
            outer *= n[i]
        for i in range(axis + 1, AXES):
            inner *= n[i]
        size = n[axis] * inner
        for i in range(places * outer):
            if axis == 3:
                blend(a + i * t.edge[3] * size * itemsize, inner, t.edge[3] * inner,
                      m + (i // outer * place + i % outer * n[3] * step) * itemsize,
                      places * place, step, n[3], inner)
            else:
                blend(a + i * t.edge[axis] * size * itemsize, inner, t.edge[axis] * inner,
                      b + i * size * itemsize, places * outer * size, inner, n[axis], inner)
        n[axis] *= t.edge[axis]
        a, b = b, a
    return b


cdef inline void transform_source(const Sweep *s, Block *b, const Tiles *t, idx group,
                                  char *scratch) noexcept nogil:
    """V of a block, [position][rows][sources], some channels at a time; zeros in rows beyond the
    tiles."""
    cdef Columns columns
    cdef idx itemsize = s.tile.itemsize, pitch = s.vector_channels, first = 0, count, width, i
    cdef char *v = scratch + s.at[PIXELS]
    cdef idx panel = t.size[0] * t.size[1] * t.size[2] * t.size[3]
    cdef int a
    b.pitch[3] = 1
    for a in range(2, -1, -1):
        b.pitch[a] = b.pitch[a + 1] * t.size[a + 1]
    while first < s.sources:
        count = min(<idx>WIDE_CHANNELS, s.sources - first)
        width = min(<idx>WIDE_CHANNELS, pitch - first)
        source_columns(s, &s.source, group, 1, count, &columns)
        columns.whole = count == width
        for a in range(1, AXES):
            if b.extent[a] < t.size[a]:
                memset(scratch, 0, panel * width * itemsize)
                break
        pack_source(s.tile, b, &s.source, first_source(s, group) + first, &columns,
                    width * itemsize, 0, scratch)
        to_positions(s, SC_DATA2 if s.winograd == 2 else SC_DATA4, t, t.size, width, scratch,
                     scratch + s.at[RUNS], v + first * itemsize, t.rows * pitch, pitch)
        first += count
    for i in range(t.place_count if t.rows > t.all else 0):
        memset(v + (i * t.rows + t.all) * pitch * itemsize, 0,
               (t.rows - t.all) * pitch * itemsize)


cdef inline void multiply(const Sweep *s, const Tiles *t, const char *filters, idx panel,
                          idx panels, const char *v, const char *init, char *m) noexcept nogil:
    """M of some filter panels, [position][rows][panels][nb]; filters [panel][position][source][nb].
    The bias starts the sums of the position that is 1 on all axes."""
    cdef idx nb = s.tile.nb, itemsize = s.tile.itemsize, row = nb * itemsize, pitch = panels * nb
    cdef idx half = t.half * itemsize, one = 0, place, first, count, i, r, from_row
    cdef char *to
    cdef const char *start
    cdef const char *x
    cdef const char *w
    cdef sc_tile tile
    cdef sc_line line
    cdef int a
    line.x = line.w = 0
    for a in range(1, AXES):
        one = one * t.positions[a] + (1 if t.positions[a] > 1 else 0)
    for place in range(t.place_count):
        first = 0
        while True:
            count = min(<idx>PRODUCTS, s.sources - first)
            for i in range(panels):
                tile = s.tile.tile[s.kind][panel_vectors(s, 0, panel + i) - 1][t.half - 1]
                w = filters + i * s.panel_bytes + (place * s.sources + first) * row
                r = 0
                while r < t.rows:
                    x = v + ((place * t.rows + r) * s.vector_channels + first) * itemsize
                    to = m + (place * t.rows + r) * pitch * itemsize + i * row
                    start, from_row = to, pitch
                    if first == 0:
                        start, from_row = init + ((1 + i) * row if place == one else 0), 0
                    call_one(tile, to, to + half * pitch, pitch, start, start + half * from_row,
                             from_row, x, x + half * s.vector_channels, s.vector_channels, 1,
                             &line, 1, count, w, nb, NULL)
                    r += 2 * t.half
            first += count
            if first >= s.sources:
                break


cdef inline void write_outputs(const Sweep *s, const Block *b, const Tiles *t, idx group, idx panel,
                               char *y, char *spare) noexcept nogil:
    """Outputs [n][d][h][w][nb] of one filter panel, those within the block, to the target."""
    cdef Columns c
    cdef idx steps[AXES]
    cdef idx row = s.tile.nb * s.tile.itemsize, i, at
    cdef idx channel = first_target(s, group, panel) * s.target.channel
    cdef char *to
    cdef char *sums
    target_columns(s, s.target.channel, group, panel, &c)
    target_steps(b, &s.target, steps)
    for i in range(b.n[0] * b.n[1] * b.n[2]):
        at = (i // (b.n[1] * b.n[2]) * t.count[1] * t.edge[1] + i // b.n[2] % b.n[1])
        sums = y + (at * t.count[2] * t.edge[2] + i % b.n[2]) * t.count[3] * t.edge[3] * row
        to = target_at(b, &s.target, steps, i * b.n[3]) + channel
        if s.accumulate:
            move_columns(s.tile, &c, spare, row, to, steps[3], b.n[3], True)
            s.tile.add(sums, spare, b.n[3] * s.tile.nb)
        move_columns(s.tile, &c, sums, row, to, steps[3], b.n[3], False)


cdef inline void winograd_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    cdef const Phase *phase[3]
    cdef Block b
    cdef Part part
    cdef Tiles t
    cdef idx group, panel, panels, i, row = s.tile.nb * s.tile.itemsize
    cdef char *m = scratch + s.at[SPARE]
    cdef char *init = scratch + s.at[INIT]
    cdef char *y
    cdef const char *filters
    if not cut_task(s, task, 0, phase, &b, &part):
        return
    find_tiles(s, &b, &t)
    memset(init, 0, row)
    for group in range(part.group, part.last_group):
        transform_source(s, &b, &t, group, scratch)
        panel = part.panel
        while panel < part.last_panel:
            panels = min(s.held, part.last_panel - panel)
            filters = s.panel_data + (group * s.panels + panel) * s.panel_bytes
            for i in range(panels):
                init_row(s, phase, group, panel + i, init + (1 + i) * row)
            multiply(s, &t, filters, panel, panels, scratch + s.at[PIXELS], init, m)
            for i in range(panels):
                y = from_positions(s, SC_OUTPUT2 if s.winograd == 2 else SC_OUTPUT4, &t,
                                   m + i * row, t.rows * panels * s.tile.nb, panels * s.tile.nb,
                                   scratch, scratch + s.at[RUNS])
                write_outputs(s, &b, &t, group, panel + i, y, scratch + s.at[OWN])
            panel += panels


# Filter panels: [group][panel][position][channel][nb].

cdef inline void pack_winograd_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    """U of one panel, from its taps [d][h][w][channels][nb], some channels at a time."""
    cdef const Phase *phase[3]
    cdef Tiles t
    cdef idx group = task // s.panels, first = 0, count, nb = s.tile.nb, row = nb * s.tile.itemsize
    cdef idx taps = 1
    cdef idx *size = [1, 1, 1, 1]
    cdef char *to = s.panel_data + task * s.panel_bytes
    cdef int a
    for a in range(3):
        phase[a] = s.phases[a]
        size[a + 1] = phase[a].taps
        taps *= phase[a].taps
        t.edge[a + 1] = tile_edge(s, phase[a].taps)
        t.positions[a + 1] = tile_positions(t.edge[a + 1])
        t.count[a + 1] = 1
    while first < s.sources:
        count = min(<idx>WIDE_CHANNELS, s.sources - first)
        move_panel(s, phase, group, first, count, task % s.panels, scratch, taps, 0,
                   scratch + s.at[RUNS], True)
        to_positions(s, SC_FILTER2 if s.winograd == 2 else SC_FILTER4, &t, size, count * nb,
                     scratch, scratch + s.at[RUNS], to + first * row, s.sources * nb, 0)
        first += count
    if not s.tile.finite(to, s.panel_bytes // s.tile.itemsize):
        s.finite[0] = False
