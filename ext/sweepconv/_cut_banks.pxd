# cython: boundscheck=False, wraparound=False, cdivision=True
"""How large the pieces are where a filter serves few pixels, as in local layers: the bank is what
takes the time, and is read or written once, where it lies."""

from libc.stdint cimport uintptr_t

from sweepconv._box cimport Array, Extents, Phase, ceil_div, filter_panel_steps, idx
from sweepconv._cut cimport ALIGN, FEW_TASKS, HELD_TARGETS, lay_out, most_pixels
from sweepconv._filters cimport contiguous_filters
from sweepconv._halves cimport MOST_ITEMS, lists_bytes
from sweepconv._kernels cimport SC_MOST_HALF, SC_OUTER, sc_item, sc_line, sc_pair
from sweepconv._task cimport FEW_CHANNELS, STEPS, Sweep, best_half

cdef enum:
    BAND_BYTES = 192 * 1024   # on many images: of the source of one task
    LEAST_TARGETS = 4
    X_BAND_BYTES = 384 * 1024  # the same for the weight gradient, whose sums are few
    SUMS_BYTES = 64 * 1024    # and these sums, of one filter panel
    LEAST_IMAGES = 8
    TURNED_TARGETS = 3        # an image, from which on a patch is turned sooner than its gradient
    LONG_ROW = 32             # channels of a pixel
    PATCH_PIXELS = 100        # up to which the filters are written at once
    LARGE_BANK = 4 * 1024 * 1024  # of bytes: beyond the second-level cache for sure
    LARGE_BANK_PIXELS = 400
    PATCH_IMAGES = 4          # that are packed at once
    FEW_VALUES = 8
    IMAGE_BYTES = 256 * 1024  # input gradient: of dx that a task sums up
    LANES_BYTES = 1024 * 1024  # the same on many images, of which most is at rest
    PATCH_BYTES = 256 * 1024  # weight gradient: what the filters of one block of outputs read


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


cdef inline void choose_even_channels(Sweep *s, const Extents *e, int threads,
                                      idx step) noexcept nogil:
    """Somewhat fewer channels of a task, in whole steps, if then all threads have as many tasks,
    where these are few."""
    cdef idx least = ceil_div(s.sources, s.source_chunks), all = e.boxes * s.all_groups * s.chunks
    cdef idx most = ceil_div(least, step) * step, c = most
    while c > most // 2 and all * ceil_div(s.sources, c) % threads:
        c -= step
    if all * s.source_chunks < FEW_TASKS * threads and c > most // 2:
        least = c
    s.source_chunk = least
    s.source_chunks = ceil_div(s.sources, max(least, <idx>1))


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
    s.chunk = ceil_div(ceil_div(s.targets, s.chunks), 2 * s.half) * 2 * s.half
    s.chunks = ceil_div(s.targets, s.chunk)
    choose_even_channels(s, e, threads, s.tile.nb if taps == 1 else 8)
    s.rows = odd_lines(s, s.chunk)  # steps of a row, a pixel each, in all sets
    s.panel_bytes = ceil_div(taps * s.source_chunk, s.tile.nb) * s.tile.nb * itemsize
    lay_out(s, pixels * s.panel_bytes, pixels * s.rows * itemsize,
            2 * (s.half * s.tile.nb * itemsize + s.size[0] * s.panel_bytes),
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


cdef inline idx whole_row(const Sweep *s, idx width) noexcept nogil:
    """`width` elements, or a whole row of the source where these are most of it: then rows that
    follow each other in memory are moved as one."""
    cdef const Array *x = &s.source
    if x.space[1] == x.size[2] * x.space[2] and 4 * width >= 3 * x.size[2]:
        return x.size[2]
    return width


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
        most = max(most, whole_row(s, high - low + 1))
    return most


cdef inline idx lay_out_batch_gather(Sweep *s, const Extents *e, int threads) noexcept nogil:
    """Bands that stay in the second-level cache, two tasks for each thread where targets allow it;
    the number of tasks."""
    cdef idx slot, run = s.phase_count[2], tasks, band, taps = filter_panel_steps(e)
    if s.tile.shorter != NULL and s.batch <= s.tile.shorter.vector:
        s.tile = s.tile.shorter  # whose vectors hold them all, and more fit in a cycle
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
    lay_out(s, band, (s.chunk + 1) * run * slot, s.chunk * run * slot, 0, lists_bytes(s.chunk),
            run * (taps + 1) * sizeof(sc_line), 0)
    return tasks * s.chunks


cdef inline idx band_bytes(const Sweep *s, const Extents *e, idx run) noexcept nogil:
    """Of one channel of x, as far as `run` neighbouring outputs read it, for all images."""
    return s.batch * e.taps[0] * e.taps[1] * band_width(s, run) * s.tile.itemsize


cdef inline bint reduces_images(const Sweep *s, const Extents *e) noexcept nogil:
    """Whether each filter serves one output of many images, whose bands are no longer than the
    cache, with targets that fill a vector but are not many more, and filters lie flat."""
    return (serves_one(e) and s.parts == 1
            and s.kind == SC_OUTER and s.batch >= LEAST_IMAGES and 4 * s.targets >= s.tile.nb
            and s.targets < TURNED_TARGETS * s.batch
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
            taps * s.source_chunk * row if s.accumulate else 0,
            lists_bytes(taps * s.source_chunk), 0,
            s.batch * s.rows * s.tile.itemsize)
    return rows * s.chunks * ceil_div(s.phase_count[2], run) * s.source_chunks


cdef inline bint scatters(const Sweep *s, const Extents *e) noexcept nogil:
    """Whether each filter serves one output, and its channels and taps fill a vector."""
    return (serves_one(e) and s.targets > 0
            and s.sources * filter_panel_steps(e) >= FEW_VALUES)


cdef inline idx lay_out_scatter(Sweep *s, const Extents *e, int threads) noexcept nogil:
    """Images that stay in the second-level cache, and as many tasks for each thread where channels
    allow it, but no more than that: the longer the pieces, the faster filters stream.  The number
    of tasks; `rows` are here the images of a task, filled up to whole tiles, and `panel_bytes` is
    a patch."""
    cdef idx itemsize = s.tile.itemsize, taps = filter_panel_steps(e), least, held
    cdef idx pixels = s.source.size[0] * s.source.size[1] * s.source.size[2] * itemsize
    s.own_filters = not filters_lie_flat(s)
    least = ceil_div(2 * s.tile.nb, taps)  # channels of a task: two tiles wide at least
    s.source_chunks = 1
    while (s.all_groups * s.source_chunks % threads
           and s.all_groups * s.source_chunks < FEW_TASKS * threads
           and s.sources // (s.source_chunks + 1) >= least):
        s.source_chunks += 1
    while (pixels * ceil_div(s.sources, s.source_chunks) > IMAGE_BYTES
           and s.sources // (2 * s.source_chunks) >= least):
        s.source_chunks *= 2
    s.source_chunk = ceil_div(s.sources, s.source_chunks)
    s.source_chunks = ceil_div(s.sources, s.source_chunk)
    held = max(IMAGE_BYTES // (pixels * s.source_chunk), <idx>1)
    s.size[0] = ceil_div(s.batch, ceil_div(s.batch, min(held, s.batch)))
    s.size[1] = s.size[2] = s.size[3] = 1
    s.half = best_half(s, s.size[0], 1, 2)
    s.rows = ceil_div(s.size[0], 2 * s.half) * 2 * s.half
    s.panel_bytes = ceil_div(s.source_chunk * taps, s.tile.nb) * s.tile.nb * itemsize
    lay_out(s, s.size[0] * s.source_chunk * pixels, s.rows * s.panel_bytes,
            max(s.panel_bytes, s.source.size[2] * s.source_chunk * itemsize),
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
    cdef idx row, lanes, pixels, held = MOST_ITEMS
    s.abreast = images_abreast(s)
    row, lanes = s.abreast * s.tile.itemsize, ceil_div(s.batch, s.abreast)
    pixels = s.source.size[0] * s.source.size[1] * s.source.size[2] * row
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
    s.panel_bytes = s.source.size[2] * s.source_chunk * row  # spare rows of a tile
    lay_out(s, held * (s.source_chunk * pixels + s.panel_bytes),
            held * s.size[3] * s.targets * row, 0, 0,
            lists_bytes(filter_panel_steps(e) * s.source_chunk), 0, s.panel_bytes)
    return ceil_div(s.batch, s.size[0]) * s.all_groups * s.source_chunks
