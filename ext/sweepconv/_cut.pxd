# cython: boundscheck=False, wraparound=False, cdivision=True
"""How large the pieces of a sweep are, and where a thread's scratch memory keeps its parts.

The pieces of `gather` follow the caches and the number of threads: they change no bit, since each
output is summed by itself.  Those of `reduce` follow the shapes alone.
"""

from libc.stdint cimport uintptr_t

from sweepconv._box cimport AXES, Extents, Phase, ceil_div, filter_panel_steps, idx
from sweepconv._items cimport Item
from sweepconv._kernels cimport SC_MOST_HALF, SC_OUTER, sc_item, sc_line, sc_pair
from sweepconv._kinds cimport reads
from sweepconv._panel cimport contiguous_filters
from sweepconv._planes cimport channel_pitch, plane_size, stacked_width
from sweepconv._runs cimport Pair, Run, Runs
from sweepconv._shifts cimport shifted_bytes
from sweepconv._task cimport (
    FEW_CHANNELS, INIT, ITEMS, LINES, OWN, PIXELS, RUNS, SPARE, STEPS, TAPS,
    WIDE_CHANNELS, Sweep, best_half, channel_block, most_vectors, pixels_collide, tile_edge,
    tile_positions,
)

cdef enum:
    ALIGN = 64
    BLOCK_PIXELS = 392        # 28 tiles: their sums stay in the second-level cache
    PART_PIXELS = 196                # weight gradient: a dy panel stays in the first-level cache
    LANE_PIXELS = 2352        # with lanes for groups, panels are as narrow as a vector
    WIDE_GROUPS = 8           # vectors of a pixel that are packed at once, for depthwise sweeps
    WIDE_BYTES = 160 * 1024
    PANEL_BYTES = 400 * 1024  # of a block of several channels, with lanes for groups
    LEAST_PIXELS = 196
    FEW_READS = 4             # so few that elements are hardly found in the first-level cache again
    LANE_PART_PIXELS = 784
    PLANE_BYTES = 512 * 1024  # planes of a block and its sums: half of them in the second level
    LEAST_PLANE = 512         # pixels
    MOST_PLANE = 16384
    TASK_TARGETS = 256        # filters' targets that share one packing of the source
    FEW_TASKS = 16            # of a thread, below which one more is looked at
    BLOCK_TILES = 28          # Winograd
    HELD_TARGETS = 64         # Winograd: those whose products are held at once
    BAND_BYTES = 128 * 1024   # local layers on many images: of the source of one task
    LEAST_TARGETS = 4
    X_BAND_BYTES = 384 * 1024  # the same for the weight gradient, whose sums are few
    SUMS_BYTES = 64 * 1024    # and these sums, of one filter panel
    LEAST_IMAGES = 8
    LONG_ROW = 32             # channels of a pixel
    PATCH_PIXELS = 100        # up to which the filters are written at once
    LARGE_BANK = 4 * 1024 * 1024  # of bytes: beyond the second-level cache for sure
    LARGE_BANK_PIXELS = 400
    PATCH_IMAGES = 4          # that are packed at once
    FEW_VALUES = 8
    IMAGE_BYTES = 256 * 1024  # local input gradient: of dx that a task sums up
    LANES_BYTES = 1024 * 1024  # the same on many images, of which most is at rest
    PATCH_BYTES = 256 * 1024  # weight gradient: what the filters of one block of outputs read
    SHARE_BYTES = 384 * 1024  # sums of one task of the weight gradient
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
            n = ceil_div(n, even_depth(e, n)) if a == 2 else n
        n = max(min(n, most), 1)
        s.blocks[a] = ceil_div(most, n)
        s.size[a] = ceil_div(most, max(s.blocks[a], 1))
        s.blocks[a] = ceil_div(most, max(s.size[a], 1))
        s.size[a] = max(s.size[a], 1)
        left = max((left + s.size[a] // 2) // s.size[a], 1)
        s.size[a] *= edge


cdef inline idx source_panel(const Sweep *s, const Extents *e, idx channels) noexcept nogil:
    """Bytes of the largest source panel, with what the last tile reads beyond it."""
    cdef idx size = 1, step = 1, a
    for a in range(AXES - 1, -1, -1):
        step = max(step, size * (e.stride[a - 1] if a else 1))
        size *= ((s.size[a] - 1) * e.stride[a - 1] + e.span[a - 1]) if a else s.size[a]
    return (size + 2 * s.tile.tall * (step + 1)) * channels * s.unit


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
    return max(<idx>STEPS, 8 * filter_panel_steps(e)) * s.tile.nb * s.tile.itemsize


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


cdef inline void choose_gather(Sweep *s, const Extents *e, int threads) noexcept nogil:
    """Large tasks, for the caches, but two for each thread where the work allows it."""
    cdef idx most = LANE_PIXELS if s.lanes > 1 else BLOCK_PIXELS, pixels, reach
    if pixels_collide(s):
        s.in_place = False
    if s.lanes > 1 and s.sources == 1:
        s.wide = WIDE_GROUPS * s.tile.nb // (2 * s.lanes)
        if s.in_place and reads(e) <= FEW_READS:  # whole pixels, as they come from memory
            s.wide = 4 * s.wide
        s.wide = min(s.wide, s.groups)
        most = min(most, WIDE_BYTES // (s.wide * s.unit))
    elif s.lanes > 1:  # what they read stays in the second-level cache
        reach = s.sources * e.stride[0] * e.stride[1] * e.stride[2] * s.unit
        most = min(most, max(PANEL_BYTES // max(reach, <idx>1), <idx>LEAST_PIXELS))
    if s.planes:
        most = plane_pixels(s, widest_block(s, e))
    pixels = most
    s.chunk = max(TASK_TARGETS // s.columns, 1)
    s.group_chunk = max(TASK_TARGETS // max(s.lanes * s.targets, 1), 1)
    while True:
        choose_blocks(s, e, pixels)
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
        elif pixels > most // 4:
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
    lay_out(s, max(source_panel(s, e, widest_block(s, e)) * s.wide, pack_scratch(s, e)),
            s.items * slots(s) * row, slots(s) * row if s.accumulate else 0,
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
    s.source_chunk = min(s.sources, 128 if taps > 1 else 256)
    if s.planes:
        s.half = best_half(s, e.joined, taps // e.joined, min(s.targets, <idx>2))
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
    s.parts = max(1, min(blocks, ceil_div(SHARES, max(e.boxes * shares, 1))))
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


cdef inline bint filters_lie_flat(const Sweep *s) noexcept nogil:
    """Whether the channels and taps of a filter are one contiguous axis, and targets whole values
    apart."""
    cdef const Phase *phase[3]
    cdef int a
    for a in range(3):
        phase[a] = s.phases[a]
    return (s.filters.target % s.tile.itemsize == 0
            and contiguous_filters(phase, &s.filters, s.tile.itemsize))


cdef inline bint serves_one(const Extents *e) noexcept nogil:
    """Whether each filter serves one output, as in local layers."""
    return e.outputs[0] == e.outputs[1] == e.outputs[2] == 1 and e.boxes > 1


cdef inline bint values_apart(const Sweep *s) noexcept nogil:
    """Whether the filters of a bank stand at multiples of a value: a tile reads them one by one."""
    cdef idx itemsize = s.tile.itemsize
    return (<uintptr_t>s.filters.data % itemsize == 0 and s.filters.bank[0] % itemsize == 0
            and s.filters.bank[1] % itemsize == 0 and s.filters.bank[2] % itemsize == 0)


cdef inline bint takes_patches(const Sweep *s, const Extents *e) noexcept nogil:
    """Whether each sum has so few pixels that writing the filters is what takes the time, and the
    channels and taps of a filter are one axis."""
    cdef idx pixels = most_pixels(s) * s.blocks[0] * s.blocks[1] * s.blocks[2] * s.blocks[3]
    cdef idx taps = filter_panel_steps(e), most = PATCH_PIXELS
    cdef idx filters = e.boxes * s.all_groups * s.targets * s.sources * taps
    if filters * s.tile.itemsize >= LARGE_BANK and (taps == 1 or s.batch >= PATCH_IMAGES):
        most = LARGE_BANK_PIXELS
    return (s.kind == SC_OUTER and s.parts == 1 and s.batch > 0 and pixels <= most
            and filters_lie_flat(s))


cdef inline idx odd_lines(const Sweep *s, idx values) noexcept nogil:
    """A pitch of at least so many values, an odd number of lines of the cache: then rows are spread
    over all its sets."""
    cdef idx line = ALIGN // s.tile.itemsize
    return (ceil_div(values, line) // 2 * 2 + 1) * line


cdef inline idx lay_out_patches(Sweep *s, const Extents *e, int threads) noexcept nogil:
    """Patches that stay in the second-level cache, and two tasks for each thread where targets or
    channels allow it; the number of tasks.

    `panel_bytes` is here what a task makes of a filter, `chunk` its targets, and `rows` these
    filled up to whole tiles and lines."""
    cdef idx itemsize = s.tile.itemsize, pixels = most_pixels(s), taps = filter_panel_steps(e), most
    most = max(PATCH_BYTES // (pixels * taps * itemsize) // 8 * 8, <idx>8)
    s.source_chunks = max(ceil_div(s.sources, most), 1)
    s.half = best_half(s, s.targets, 1, 2)
    s.chunks = 1
    while e.boxes * s.all_groups * s.source_chunks * s.chunks < 2 * threads:
        if ceil_div(s.targets, s.chunks) >= 4 * s.tile.half:
            s.chunks += 1
        elif ceil_div(s.sources, s.source_chunks) * taps >= 8 * s.tile.nb:
            s.source_chunks += 1
        else:
            break
    s.source_chunk = ceil_div(s.sources, s.source_chunks)
    s.source_chunks = ceil_div(s.sources, max(s.source_chunk, 1))
    s.chunk = ceil_div(ceil_div(s.targets, s.chunks), 2 * s.half) * 2 * s.half
    s.chunks = ceil_div(s.targets, s.chunk)
    s.rows = odd_lines(s, s.chunk)  # steps of a row, a pixel each, in all sets
    s.panel_bytes = ceil_div(taps * s.source_chunk, s.tile.nb) * s.tile.nb * itemsize
    lay_out(s, pixels * s.panel_bytes, pixels * s.rows * itemsize,
            2 * s.half * s.tile.nb * itemsize + s.size[0] * s.panel_bytes,
            s.rows // (2 * s.half) * sizeof(sc_pair),
            s.panel_bytes // (s.tile.nb * itemsize) * sizeof(sc_item), sizeof(sc_line), 0)
    return e.boxes * s.all_groups * s.source_chunks * s.chunks


cdef inline bint fill_lanes(const Sweep *s) noexcept nogil:
    """Whether there are images for all lanes of a vector, and for more than a few."""
    return s.batch >= max(s.tile.vector, <idx>LEAST_IMAGES)


cdef inline idx images_abreast(const Sweep *s) noexcept nogil:
    """In the lanes of two vectors, or of one where that holds them all."""
    return s.tile.nb if s.batch > s.tile.vector else s.tile.vector


cdef inline bint evenly_apart(const Sweep *s) noexcept nogil:
    """Whether the boxes of a row write outputs at an even pace, as those that are cut where taps
    end need not."""
    cdef const Phase *p = s.phases[2]
    cdef idx i
    for i in range(2, s.phase_count[2]):
        if p[i].first - p[i - 1].first != p[1].first - p[0].first:
            return False
    return True


cdef inline bint gathers_images(const Sweep *s, const Extents *e, bint packed) noexcept nogil:
    """Whether each filter serves one output, and lies flat: then the bank is read as it lies, which
    takes less time than to pack it.  Packed filters are better where images leave lanes empty, or
    nearly, and patches are long rows to copy."""
    cdef bint long_rows = s.source.channel == s.tile.itemsize and s.sources >= LONG_ROW
    if packed and (not fill_lanes(s) or (s.batch < s.tile.nb and long_rows)):
        return False
    return (serves_one(e) and evenly_apart(s) and s.batch > 0 and s.targets >= LEAST_TARGETS
            and values_apart(s) and filters_lie_flat(s))


cdef inline idx band_width(const Sweep *s, idx run) noexcept nogil:
    """Source elements along w that `run` neighbouring outputs read, at most."""
    cdef idx low = -1, high = -1, most = 0, box, t, i
    cdef const Phase *p
    for box in range(s.phase_count[2]):
        if box % run == 0:
            low = high = -1
        p = s.phases[2] + box
        for t in range(p.taps):
            i = p.index[p.offset[t]]
            if i >= 0:
                low, high = i if high < 0 else min(low, i), max(high, i)
        most = max(most, high - low + 1)
    return most


cdef inline idx lay_out_batch_gather(Sweep *s, const Extents *e, int threads) noexcept nogil:
    """Bands that stay in the second-level cache, two tasks for each thread where targets allow it;
    the number of tasks.  `rows` are here the sums of a task."""
    cdef idx slot, run = s.phase_count[2], tasks, band, taps = filter_panel_steps(e)
    s.abreast = images_abreast(s)
    slot = s.abreast * s.tile.itemsize
    while True:
        band = s.sources * (e.taps[0] * e.taps[1] * band_width(s, run) + 1) * slot
        if run == 1 or band <= BAND_BYTES:
            break
        run = ceil_div(run, 2)
    s.size[0], s.size[1], s.size[2], s.size[3] = 1, 1, 1, run
    tasks = s.phase_count[0] * s.phase_count[1] * ceil_div(s.phase_count[2], run) * s.all_groups
    s.chunks = ceil_div(s.targets, HELD_TARGETS)
    while tasks * s.chunks < 2 * threads and s.targets >= 2 * s.chunks * LEAST_TARGETS:
        s.chunks += 1
    s.chunk = ceil_div(s.targets, s.chunks)
    s.chunks = ceil_div(s.targets, s.chunk)
    s.rows = run * s.chunk
    lay_out(s, band, (s.chunk + 1) * run * slot, 0, 0, 0, run * (taps + 1) * sizeof(sc_line), 0)
    return tasks * s.chunks


cdef inline idx band_bytes(const Sweep *s, const Extents *e, idx run) noexcept nogil:
    """Of one channel of x, as far as `run` neighbouring outputs read it, for all images."""
    return s.batch * e.taps[0] * e.taps[1] * band_width(s, run) * s.tile.itemsize


cdef inline bint reduces_images(const Sweep *s, const Extents *e) noexcept nogil:
    """Whether each filter serves one output of many images, whose bands are no longer than the
    cache, with targets that fill a vector, and filters lie flat."""
    return (serves_one(e) and s.parts == 1
            and s.kind == SC_OUTER and s.batch >= LEAST_IMAGES and 4 * s.targets >= s.tile.nb
            and band_bytes(s, e, 1) <= BAND_BYTES
            and filters_lie_flat(s))


cdef inline idx lay_out_batch_reduce(Sweep *s, const Extents *e, int threads) noexcept nogil:
    """Bands of x and dy that stay in the second-level cache, two tasks for each thread where
    outputs allow it; the number of tasks.  `rows` are here the values of an image in a band of x,
    and `panel_bytes` is what the spare half of a tile takes."""
    cdef idx row = s.tile.nb * s.tile.itemsize, taps = filter_panel_steps(e), x, dy
    cdef idx run = s.phase_count[2]
    cdef idx rows = s.phase_count[0] * s.phase_count[1] * s.all_groups
    s.chunk = min(s.targets, <idx>HELD_TARGETS)
    s.chunks = ceil_div(s.targets, s.chunk)
    dy = ceil_div(s.chunk, s.tile.nb) * s.batch * row  # of an output
    while run > 1 and (run * dy > BAND_BYTES
                       or band_bytes(s, e, run) * min(s.sources, <idx>FEW_CHANNELS) > X_BAND_BYTES
                       or rows * s.chunks * ceil_div(s.phase_count[2], run) < 2 * threads):
        run = ceil_div(run, 2)
    x = band_bytes(s, e, run)
    s.source_chunk = min(s.source_chunk, max(SUMS_BYTES // (taps * row), <idx>1))
    s.source_chunk = min(s.source_chunk, max(X_BAND_BYTES // x, <idx>1))
    s.source_chunks = ceil_div(s.sources, s.source_chunk)
    s.source_chunk = ceil_div(s.sources, s.source_chunks)
    s.size[3] = run
    s.rows = odd_lines(s, x // s.batch // s.tile.itemsize * s.source_chunk)  # images in all sets
    s.panel_bytes = SC_MOST_HALF * taps * row
    lay_out(s, run * dy, taps * s.source_chunk * row, s.panel_bytes,
            taps * s.source_chunk * row if s.accumulate else 0, 0, sizeof(sc_line),
            s.batch * s.rows * s.tile.itemsize)
    return rows * s.chunks * ceil_div(s.phase_count[2], run) * s.source_chunks


cdef inline bint scatters(const Sweep *s, const Extents *e) noexcept nogil:
    """Whether each filter serves one output, and its channels and taps fill a vector."""
    return (serves_one(e) and s.targets > 0
            and s.sources * filter_panel_steps(e) >= FEW_VALUES)


cdef inline idx lay_out_scatter(Sweep *s, const Extents *e, int threads) noexcept nogil:
    """Images that stay in the second-level cache, and two tasks for each thread where channels
    allow it; the number of tasks.  `rows` are here the images of a task, filled up to whole tiles,
    and `panel_bytes` is a patch."""
    cdef idx itemsize = s.tile.itemsize, taps = filter_panel_steps(e), blocks, least, held
    cdef idx pixels = s.space[0] * s.space[1] * s.space[2] * itemsize
    s.own_filters = not filters_lie_flat(s)
    least = ceil_div(2 * s.tile.nb, taps)  # channels of a task: two tiles wide at least
    s.source_chunk = s.sources
    held = max(IMAGE_BYTES // (pixels * s.source_chunk), <idx>1)
    blocks = ceil_div(s.batch, min(held, s.batch))
    while (s.source_chunk > least and (blocks * s.all_groups * ceil_div(s.sources, s.source_chunk)
                                       < 2 * threads or pixels * s.source_chunk > IMAGE_BYTES)):
        s.source_chunk = max(ceil_div(s.source_chunk, 2), least)
    s.source_chunks = ceil_div(s.sources, s.source_chunk)
    held = max(IMAGE_BYTES // (pixels * s.source_chunk), <idx>1)
    s.size[0] = ceil_div(s.batch, ceil_div(s.batch, min(held, s.batch)))
    s.size[1] = s.size[2] = s.size[3] = 1
    s.half = best_half(s, s.size[0], 1, 2)
    s.rows = ceil_div(s.size[0], 2 * s.half) * 2 * s.half
    s.panel_bytes = ceil_div(s.source_chunk * taps, s.tile.nb) * s.tile.nb * itemsize
    lay_out(s, s.size[0] * s.source_chunk * pixels, s.rows * s.panel_bytes,
            max(s.panel_bytes, s.space[2] * s.source_chunk * itemsize),
            s.targets * s.rows * itemsize, 0, sizeof(sc_line),
            s.targets * (s.panel_bytes if s.own_filters else s.tile.nb * itemsize))
    return ceil_div(s.batch, s.size[0]) * s.all_groups * s.source_chunks


cdef inline bint reads_once(const Sweep *s) noexcept nogil:
    """Whether the taps of an output read other elements each, in their order."""
    cdef const Phase *p
    cdef idx i, t, place, last
    cdef int a
    for a in range(3):
        for i in range(s.phase_count[a]):
            p = s.phases[a] + i
            last = -1
            for t in range(p.taps):
                place = p.index[p.offset[t]]
                if 0 <= place <= last:
                    return False
                last = max(last, place)
    return True


cdef inline bint scatters_images(const Sweep *s) noexcept nogil:
    """Whether, of what `scatters`, images fill a row of lanes and filters can be read as they lie:
    then patches may be laid a few rows at a time."""
    return (fill_lanes(s) and s.targets <= STEPS and reads_once(s)
            and values_apart(s) and filters_lie_flat(s))


cdef inline idx lay_out_batch_scatter(Sweep *s, const Extents *e, int threads) noexcept nogil:
    """Two rows of lanes, so that filters are read half as often, and two tasks for each thread
    where images and channels allow it; the number of tasks."""
    cdef idx row, lanes, pixels, held = 2
    s.abreast = images_abreast(s)
    row, lanes = s.abreast * s.tile.itemsize, ceil_div(s.batch, s.abreast)
    pixels = s.space[0] * s.space[1] * s.space[2] * row
    s.source_chunk = s.sources
    while True:
        s.source_chunks = ceil_div(s.sources, s.source_chunk)
        if (held * s.source_chunk * pixels <= LANES_BYTES and ceil_div(lanes, held) * s.all_groups
                * s.source_chunks >= 2 * threads or held == s.source_chunk == 1):
            break
        if held > 1 and (lanes < 4 * threads or s.source_chunk == 1):
            held = 1
        else:
            s.source_chunk = ceil_div(s.source_chunk, 2)
    s.size[0], s.size[1], s.size[2] = held * s.abreast, 1, 1
    s.size[3] = min(s.phase_count[2], max(BAND_BYTES // (held * s.targets * row), <idx>1))
    s.panel_bytes = s.space[2] * s.source_chunk * row  # spare rows of a tile
    lay_out(s, held * s.source_chunk * pixels, held * s.size[3] * s.targets * row, s.panel_bytes, 0,
            0, sizeof(sc_line), s.panel_bytes)
    return ceil_div(s.batch, s.size[0]) * s.all_groups * s.source_chunks
