# cython: boundscheck=False, wraparound=False, cdivision=True
"""How large the pieces of a sweep are, and where a thread's scratch memory keeps its parts.

The pieces of `gather` follow the caches and the number of threads: they change no bit, since each
output is summed by itself.  Those of `reduce` follow the shapes alone.  Filters that serve few
pixels, as those of local layers, have sizes of their own in `_cut_banks.pxd`.
"""

from sweepconv._box cimport AXES, Block, Extents, Phase, ceil_div, filter_panel_steps, idx
from sweepconv._filters cimport TURNED_ROWS, UNIT_SOURCES, Flat, turned_sources
from sweepconv._items cimport Item
from sweepconv._kernels cimport SC_CACHE_LINE, sc_item, sc_line, sc_pair
from sweepconv._pack cimport shared_boxes
from sweepconv._pieces cimport count_pieces
from sweepconv._planes cimport channel_pitch, plane_size, stacked_width
from sweepconv._planes_view cimport pays_to_view
from sweepconv._runs cimport Pair, Run, Runs
from sweepconv._shifts cimport shifted_bytes
from sweepconv._task cimport (
    FEW_CHANNELS, INIT, ITEMS, LINES, OWN, PIXELS, RUNS, SPARE, STEPS, TAPS,
    WIDE_CHANNELS, Part, Sweep, best_half, channel_block, cut_task, most_vectors, pixels_collide,
    tile_edge, tile_positions,
)

cdef enum:
    ALIGN = 64
    BLOCK_PIXELS = 392        # 28 tiles: their sums stay in the second-level cache
    PART_PIXELS = 196         # weight gradient: a dy panel stays in the first-level cache
    LANE_PIXELS = 2352        # with lanes for groups, panels are as narrow as a vector
    WIDE_GROUPS = 8           # vectors of a pixel that are packed at once, for depthwise sweeps
    WIDE_BYTES = 160 * 1024   # of a block's outputs there
    READ_BYTES = 640 * 1024   # and of what they read: larger scratch comes from fresh pages
    PANEL_BYTES = 400 * 1024  # of a block of several channels, with lanes for groups
    LEAST_PIXELS = 196
    FEW_PIXELS = 64           # of a block that is read where it lies: rows for some tiles
    FEW_READS = 4             # so few that elements are hardly found in the first-level cache again
    MANY_READS = 9            # beyond which blocks are larger, of fewer bytes of a pixel
    FAR_BYTES = 256           # of these
    MOST_READS = 13           # in a weight gradient, beyond which it packs a vector of a pixel
    LANE_PART_PIXELS = 784
    PIECE_BYTES = 10 * 1024   # of a source whose packing takes as long as to open a piece
    FAR_PIXELS = 2048         # bytes apart: a few rows are more pages than are found at once
    PLANE_BYTES = 512 * 1024  # planes of a block and its sums: half of them in the second level
    WOVEN_BYTES = 256 * 1024  # of the target, of a task whose boxes' outputs lie between each other
    LEAST_PLANE = 512         # pixels
    MOST_PLANE = 16384
    TASK_TARGETS = 256        # filters' targets that share one packing of the source
    FEW_TASKS = 16            # of a thread, below which one more is looked at
    BLOCK_TILES = 28          # Winograd
    HELD_TARGETS = 64         # Winograd: those whose products are held at once
    SHARE_BYTES = 384 * 1024  # sums of one task of the weight gradient
    SINK_HALF = 5             # rows of half a tile of two vectors, as SINKS of x86_avx512.c has it
    SHARES = 16               # weight gradient: tasks to aim at, for any number of threads


cdef inline idx aligned(idx size) noexcept nogil:
    return ceil_div(size, ALIGN) * ALIGN


cdef inline idx widest_block(const Sweep *s, const Extents *e) noexcept nogil:
    return channel_block(e.least_taps[0] * e.least_taps[1] * e.least_taps[2], s.sources,
                         s.targets)


cdef inline idx plane_pixels(const Sweep *s, idx channels) noexcept nogil:
    """Outputs of a block whose planes and sums stay in the second-level cache."""
    cdef idx pixels = PLANE_BYTES // s.tile.itemsize // (channels + s.rows)
    return min(max(pixels, LEAST_PLANE), MOST_PLANE)


cdef inline idx even_depth(const Extents *e, idx rows) noexcept nogil:
    """Outputs along d of a block of so many rows: then what neighbours read twice along d and h
    is alike."""
    cdef idx d = 1, over = (e.span[0] - e.stride[0]) * e.stride[1]
    cdef idx under = (e.span[1] - e.stride[1]) * e.stride[0]
    if over <= 0:
        return 1
    while d < min(e.outputs[0], rows) and (d + 1) * (d + 1) * under <= rows * over:
        d += 1
    return d


cdef inline bint whole_tiles(const Sweep *s) noexcept nogil:
    """Whether the rows of a block should be whole tiles."""
    return s.in_place and s.stacked


cdef inline idx block_rows(const Sweep *s, const Extents *e, idx rows) noexcept nogil:
    """Outputs along h of a block of so many rows of d and h."""
    cdef idx tile = 2 * s.tile.stack
    if not whole_tiles(s):
        return ceil_div(rows, even_depth(e, rows))
    return max(rows // tile, <idx>2) * tile


cdef inline void choose_blocks(Sweep *s, const Extents *e, idx pixels) noexcept nogil:
    """Blocks of about `pixels` outputs, or Winograd's tiles: whole rows first, then more rows, then
    more images."""
    cdef idx left = pixels, most, n
    cdef int a, edge
    for a in range(AXES - 1, -1, -1):
        edge = tile_edge(s, e.taps[a - 1]) if a else 1
        most = ceil_div(e.outputs[a - 1], edge) if a else s.batch
        n = left
        if a:  # where windows reach far, larger blocks, so that less is packed twice
            n = max(n, 2 * e.span[a - 1] // e.stride[a - 1]) if a == AXES - 1 else n
            n = block_rows(s, e, n) if a == 2 else n
        n = max(min(n, most), 1)
        s.blocks[a] = ceil_div(most, n)
        s.size[a] = n if a == 2 and whole_tiles(s) else ceil_div(most, max(s.blocks[a], 1))
        s.blocks[a] = ceil_div(most, max(s.size[a], 1))
        s.size[a] = max(s.size[a], 1)
        left = max((left + s.size[a] // 2) // s.size[a], 1)
        s.size[a] *= edge


cdef inline idx source_panel(const Sweep *s, const Extents *e, idx channels) noexcept nogil:
    """Bytes of the largest source panel, with what the last tile reads beyond it, and a line of the
    cache more for each pixel."""
    cdef idx size = 1, step = 1, a
    for a in range(AXES - 1, -1, -1):
        step = max(step, size * (e.stride[a - 1] if a else 1))
        size *= ((s.size[a] - 1) * e.stride[a - 1] + e.span[a - 1]) if a else s.size[a]
    return (size + 2 * s.tile.tall * (step + 1)) * (channels * s.unit * s.wide + SC_CACHE_LINE)


cdef inline idx planes_panel(const Sweep *s, const Extents *e, idx *plane) noexcept nogil:
    """Values of the largest planes of a channel, and of one of them."""
    cdef idx all = s.size[0], wide, a
    plane[0] = s.size[0]
    for a in range(1, AXES):
        wide = stacked_width(s.size[a], s.tile.nb, s.stacked) if a == AXES - 1 else 0
        plane[0] *= max(plane_size(s.size[a], e.span[a - 1], 1), wide)
        all *= (max(s.size[a], wide) + 1) * e.stride[a - 1] + e.span[a - 1]
    return channel_pitch(all)


cdef inline idx most_pixels(const Sweep *s) noexcept nogil:
    return s.size[0] * s.size[1] * s.size[2] * s.size[3]


cdef inline idx slots(const Sweep *s) noexcept nogil:
    """Rows of a pixel panel, with room for two runs that are made twice."""
    return most_pixels(s) + 2 * s.tile.tall


cdef inline void lay_out(Sweep *s, idx source, idx pixels, idx spare, idx runs, idx taps,
                         idx lines, idx own) noexcept nogil:
    """Place the parts of a thread's scratch, given their bytes."""
    cdef idx at = aligned(source)
    s.at[PIXELS] = at
    at += aligned(pixels)
    s.at[SPARE] = at
    at += aligned(spare)
    s.at[RUNS] = at
    at += aligned(runs)
    s.at[TAPS] = at
    at += aligned(taps)
    s.at[LINES] = at
    at += aligned(lines)
    s.at[INIT] = at
    at += aligned(max(s.rows, s.items, s.held + 1) * s.tile.nb * s.tile.itemsize)
    s.at[ITEMS] = at
    at += aligned(s.items * (sizeof(Item) + sizeof(sc_item)))
    s.at[OWN] = at
    s.scratch_bytes = at + aligned(own) + ALIGN


cdef inline idx tile_places(const Sweep *s, const Extents *e) noexcept nogil:
    """Winograd: positions of a tile."""
    cdef idx n = 1
    cdef int a
    for a in range(3):
        n *= tile_positions(tile_edge(s, e.taps[a]))
    return n


cdef inline void size_panels(Sweep *s, const Extents *e) noexcept nogil:
    cdef idx row = s.rows if s.planes else s.tile.nb
    cdef idx steps = tile_places(s, e) if s.winograd else filter_panel_steps(e)
    cdef idx values = ceil_div(steps * s.sources * row, s.tile.nb) * s.tile.nb
    s.panel_bytes = aligned(values * s.tile.itemsize)
    if s.shifted:
        s.panel_bytes += shifted_bytes(s, s.phases)


cdef inline idx pack_scratch(const Sweep *s, const Extents *e) noexcept nogil:
    cdef Flat f
    cdef idx rows = max(<idx>STEPS, <idx>TURNED_ROWS, UNIT_SOURCES * filter_panel_steps(e))
    if shared_boxes(s, &f):
        rows = max(rows, turned_sources(&f) * f.values)
    return rows * s.tile.nb * s.tile.itemsize


cdef inline double box_steps(const Sweep *s, const Extents *e) noexcept nogil:
    """Multiply-adds of one box, on average."""
    return (<double>e.steps * s.batch * s.all_groups * s.sources * s.targets) / max(e.boxes, 1)


cdef inline idx gather_tasks(const Sweep *s) noexcept nogil:
    """Of one box."""
    return s.group_chunks * s.chunks * s.blocks[0] * s.blocks[1] * s.blocks[2] * s.blocks[3]


cdef inline bint one_block(const Sweep *s) noexcept nogil:
    return s.blocks[0] * s.blocks[1] * s.blocks[2] * s.blocks[3] == 1


cdef inline idx all_tasks(const Sweep *s, const Extents *e) noexcept nogil:
    return e.boxes // s.box_chunk * gather_tasks(s)


cdef inline void share_evenly(Sweep *s, const Extents *e, idx pixels, int threads) noexcept nogil:
    """Somewhat smaller blocks, if then all threads have as many tasks, where these are few."""
    cdef idx fewer = pixels
    if one_block(s):
        return
    while (all_tasks(s, e) % threads and all_tasks(s, e) < FEW_TASKS * threads
           and fewer > pixels // 2):
        fewer -= ceil_div(fewer, 16)
        choose_blocks(s, e, fewer)
    if all_tasks(s, e) % threads:
        choose_blocks(s, e, pixels)


cdef inline idx woven_groups(const Sweep *s) noexcept nogil:
    """Groups of which a block's outputs of all boxes, which these write by turns, stay in the
    second-level cache; one at least."""
    cdef idx group = most_pixels(s) * s.box_chunk * s.targets * s.tile.itemsize
    return max(WOVEN_BYTES // max(group, <idx>1), <idx>1)


cdef inline idx wide_groups(const Sweep *s) noexcept nogil:
    """Blocks of groups whose sources are packed at once."""
    return WIDE_GROUPS * s.tile.nb // (2 * s.lanes)


cdef inline idx reads(const Extents *e) noexcept nogil:
    """Of an element of the source, for each target."""
    return ceil_div(filter_panel_steps(e), e.stride[0] * e.stride[1] * e.stride[2])


cdef inline bint pieces_pay(const Sweep *s, const Extents *e) noexcept nogil:
    """Whether the pieces of the first block, which has most, take less than to pack its source."""
    cdef idx least = PIECE_BYTES
    cdef const Phase *phase[3]
    cdef Block b
    cdef Part part
    if not cut_task(s, 0, 0, phase, &b, &part):
        return False
    if reads(e) > MANY_READS and s.source.space[2] > FAR_PIXELS:
        least *= 2
    return (b.n[0] * b.extent[1] * b.extent[2] * b.extent[3] * s.unit
            * min(s.wide, part.last_group - part.group) >= least * count_pieces(&b))


cdef inline void choose_gather(Sweep *s, const Extents *e, int threads) noexcept nogil:
    """Whether the source is read where it lies, and the tasks."""
    if s.planes:
        s.in_place = pays_to_view(s, e)
    elif pixels_collide(s.source.space[2]):
        s.in_place = False
    cut_gather(s, e, threads)
    if s.in_place and not s.planes and not pieces_pay(s, e):
        s.in_place = False
        cut_gather(s, e, threads)


cdef inline void cut_gather(Sweep *s, const Extents *e, int threads) noexcept nogil:
    """Large tasks, for the caches, but two for each thread where the work allows it, and smaller
    ones before a thread has none."""
    cdef idx most = LANE_PIXELS if s.lanes > 1 else BLOCK_PIXELS, pixels, reach
    if s.lanes > 1 and s.sources == 1:
        s.wide = wide_groups(s)
        if s.in_place and reads(e) <= FEW_READS:  # whole pixels, as they come from memory
            s.wide = 4 * s.wide
        elif not s.in_place and reads(e) > MANY_READS:  # so less is packed twice
            s.wide = max(min(s.wide, FAR_BYTES // s.unit), <idx>1)
        s.wide = min(s.wide, s.groups)
        reach = e.stride[0] * e.stride[1] * e.stride[2] * s.unit
        while not s.in_place and s.wide > 1 and READ_BYTES // (s.wide * reach) < LEAST_PIXELS:
            s.wide = ceil_div(s.wide, 2)
        most = min(most, WIDE_BYTES // (s.wide * s.unit))
        most = min(most, max(READ_BYTES // (s.wide * reach), <idx>FEW_PIXELS))
    elif s.lanes > 1:  # what they read stays in the second-level cache
        reach = s.sources * e.stride[0] * e.stride[1] * e.stride[2] * s.unit
        most = min(most, max(PANEL_BYTES // max(reach, <idx>1), <idx>LEAST_PIXELS))
    if s.planes:
        most = plane_pixels(s, widest_block(s, e)) * (1 + s.in_place)
    pixels = most
    s.chunk = max(TASK_TARGETS // s.columns, 1)
    s.group_chunk = max(TASK_TARGETS // max(s.lanes * s.targets, 1), 1)
    while True:
        choose_blocks(s, e, pixels)
        if s.planes and s.box_chunk > 1:
            s.group_chunk = min(s.group_chunk, woven_groups(s))
        s.chunks = ceil_div(s.panels, s.chunk)
        s.chunk = ceil_div(s.panels, max(s.chunks, 1))
        s.group_chunks = ceil_div(s.groups, s.group_chunk)
        s.group_chunk = ceil_div(s.groups, max(s.group_chunks, 1))
        if all_tasks(s, e) >= 2 * threads:
            break
        if s.group_chunk > 1:
            s.group_chunk = ceil_div(s.group_chunk, 2)
        elif s.chunk > 4:
            s.chunk = ceil_div(s.chunk, 2)
        elif pixels > most // 4 or (pixels > LEAST_PIXELS and all_tasks(s, e) < threads):
            pixels //= 2
        else:
            break
    share_evenly(s, e, pixels, threads)
    # Filters that serve one block alone are packed where they are used: for local and dense that
    # is all of them, and a bank is read once.
    s.own_filters = one_block(s) and not s.planes and not s.in_place
    s.items = s.wide * s.chunk
    if s.own_filters:
        s.panel_bytes = pack_scratch(s, e)


cdef inline void lay_out_planes(Sweep *s, const Extents *e) noexcept nogil:
    cdef idx plane, row, itemsize = s.tile.itemsize
    cdef idx panel = planes_panel(s, e, &plane) * widest_block(s, e)
    row = plane + 3 * s.tile.nb
    lay_out(s, (panel + 2 * s.tile.nb) * itemsize, s.rows * row * itemsize,
            s.targets * s.size[3] * itemsize if s.accumulate else 0,
            (plane // s.tile.nb + s.size[0] * s.size[1] * s.size[2] + 4) * sizeof(sc_pair),
            (filter_panel_steps(e) + 1) * sizeof(idx),
            (filter_panel_steps(e) + 1) * sizeof(sc_line), 0)


cdef inline void lay_out_gather(Sweep *s, const Extents *e) noexcept nogil:
    cdef idx row = s.tile.nb * s.tile.itemsize
    if s.planes:
        lay_out_planes(s, e)
        return
    lay_out(s, max(source_panel(s, e, widest_block(s, e)), pack_scratch(s, e)),
            s.items * slots(s) * row,
            slots(s) * row if s.accumulate or s.box_chunk > 1 else 0,
            sizeof(Runs) + 2 * (most_pixels(s) + 2) * sizeof(Run)
            + (most_pixels(s) // 2 + 3) * (sizeof(Pair) + sizeof(sc_pair)),
            (filter_panel_steps(e) + 1) * sizeof(idx),
            (filter_panel_steps(e) + 1) * sizeof(sc_line),
            2 * s.panel_bytes if s.own_filters else 0)


cdef inline void choose_winograd(Sweep *s, const Extents *e, int threads) noexcept nogil:
    """Blocks of about BLOCK_TILES tiles, two tasks for each thread where the work allows it."""
    cdef idx tiles = BLOCK_TILES
    s.vector_channels = ceil_div(s.sources, s.tile.vector) * s.tile.vector
    s.held = max(min(s.panels, <idx>HELD_TARGETS // s.tile.nb), 1)
    s.chunk, s.group_chunk, s.group_chunks = max(s.panels, 1), 1, s.groups
    while True:
        choose_blocks(s, e, tiles)
        s.chunks = ceil_div(s.panels, s.chunk)
        if gather_tasks(s) >= 2 * threads:
            break
        if tiles > BLOCK_TILES // 2:
            tiles = BLOCK_TILES // 2
        elif s.chunk > 2 * s.held:
            s.chunk = ceil_div(s.chunk, 2)
        else:
            break


cdef inline void lay_out_winograd(Sweep *s, const Extents *e) noexcept nogil:
    cdef idx panel = s.size[0], tiles = s.size[0], itemsize = s.tile.itemsize, n, rows
    cdef idx filters = tile_places(s, e) * WIDE_CHANNELS * s.tile.nb * itemsize
    cdef int a, m
    for a in range(3):
        m = tile_edge(s, e.taps[a])
        n = s.size[a + 1] // m
        tiles *= n
        panel *= n * tile_positions(m)
    panel = max(panel * max(<idx>WIDE_CHANNELS, s.tile.nb) * itemsize, filters)
    rows = (tiles + 2 * s.tile.tall) * tile_places(s, e) * itemsize
    lay_out(s, panel, rows * s.vector_channels, rows * s.held * s.tile.nb, panel, 0, 0,
            s.size[3] * s.tile.nb * itemsize)


cdef inline idx share_bytes(const Sweep *s, const Extents *e) noexcept nogil:
    """Bytes of sums of one filter panel: tap groups, and half a tile to spare."""
    cdef idx groups = filter_panel_steps(e) // e.joined, rows
    if s.planes:
        rows = ceil_div(e.joined, s.half) * s.half * s.source_chunk
        return (groups * rows + s.half) * s.tile.nb * s.tile.itemsize
    rows = ceil_div(e.joined * s.source_chunk, s.half) * s.half
    return (groups * rows + s.half) * s.tile.nb * s.tile.itemsize


cdef inline idx share_pairs(const Sweep *s, const Extents *e) noexcept nogil:
    """Bytes for the places of all its tiles."""
    cdef idx halves = share_bytes(s, e) // (s.half * s.tile.nb * s.tile.itemsize)
    return ceil_div(halves + 1, 2) * sizeof(sc_pair)


cdef inline idx choose_shares(Sweep *s, const Extents *e) noexcept nogil:
    """Cut filters into shares whose sums fit the second-level cache, and where that gives few
    tasks also the pixels into parts.  From the shapes alone, so that bits never change."""
    cdef idx shares, blocks, taps = filter_panel_steps(e)
    cdef idx pixels = LANE_PART_PIXELS if s.lanes > 1 else PART_PIXELS
    s.source_chunk, s.wide = min(s.sources, 128 if taps > 1 else 256), 1
    if (s.lanes > 1 and s.sources == s.panels == e.boxes == 1
            and reads(e) <= MOST_READS):  # several vectors of a pixel at once, as forward
        s.wide = min(wide_groups(s), s.groups)
        pixels = min(pixels, <idx>WIDE_BYTES // (s.wide * s.unit))
    if s.planes:
        s.half = best_half(s, e.joined, taps // e.joined, min(s.targets, <idx>2))
        if s.stacked and s.targets > 1 and s.half > SINK_HALF:
            s.half = ceil_div(e.joined, ceil_div(e.joined, <idx>SINK_HALF))
        s.source_chunk = 1
        s.source_chunk = max(1, min(min(s.sources, <idx>FEW_CHANNELS),
                                    SHARE_BYTES // (s.panels * share_bytes(s, e))))
        pixels = plane_pixels(s, s.source_chunk)
    choose_blocks(s, e, pixels)
    blocks = s.blocks[0] * s.blocks[1] * s.blocks[2] * s.blocks[3]
    s.source_chunks = ceil_div(s.sources, max(s.source_chunk, 1))
    s.source_chunk = ceil_div(s.sources, max(s.source_chunks, 1))
    if not s.planes:
        s.half = best_half(s, e.joined * s.source_chunk, taps // e.joined, most_vectors(s))
    s.chunk = min(max(TASK_TARGETS // s.columns, 1),
                  max(1, <idx>SHARE_BYTES // max(share_bytes(s, e), 1)))
    if s.planes:
        s.chunk = max(s.panels, 1)
    s.chunks = ceil_div(s.panels, s.chunk)
    s.chunk = ceil_div(s.panels, max(s.chunks, 1))
    s.panel_bytes = s.chunk * share_bytes(s, e)
    shares = s.groups * s.source_chunks * s.chunks
    s.parts = max(1, min(blocks, ceil_div(SHARES, max(e.boxes * ceil_div(shares, s.wide), 1))))
    return shares


cdef inline void lay_out_reduce(Sweep *s, const Extents *e) noexcept nogil:
    cdef idx row = s.tile.nb * s.tile.itemsize, panel, plane, lines
    if s.planes:
        panel = planes_panel(s, e, &plane) * s.source_chunk + s.half + 2 * s.tile.nb
        lines = s.size[0] * s.size[1] * s.size[2]
        lay_out(s, max(panel * s.tile.itemsize, share_bytes(s, e)
                       + filter_panel_steps(e) * s.tile.itemsize),
                2 * (plane + (lines + 1) * s.tile.nb) * s.tile.itemsize,
                (plane + 2 * s.tile.nb) * s.tile.itemsize, share_pairs(s, e),
                (filter_panel_steps(e) + 1) * sizeof(idx), (lines + 1) * sizeof(sc_line), 0)
        return
    lay_out(s, max(source_panel(s, e, s.source_chunk),
                   filter_panel_steps(e) * s.source_chunk * row),
            max(most_pixels(s) * row, share_bytes(s, e)), 0, share_pairs(s, e),
            (filter_panel_steps(e) + 1) * sizeof(idx), (most_pixels(s) + 1) * sizeof(sc_line), 0)
