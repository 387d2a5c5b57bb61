# cython: boundscheck=False, wraparound=False, cdivision=True
"""The input gradient of locally connected layers on many images: lanes are images.

As in `_patch_scatter.pxd` each output lays its patch onto the image.  Here the rows of a tile are
elements of dx, [d][h][w][channels][images], which it adds to where they stand; the filters are read
where they lie.  The order of each sum is the same.
"""

from libc.string cimport memset

from sweepconv._ahead cimport ask_rows
from sweepconv._batch_gather cimport Band, first_output
from sweepconv._box cimport Array, Phase, box_taps, ceil_div, even_run, idx, merge, row_offset
from sweepconv._filters cimport tap_offset
from sweepconv._halves cimport (
    Halves, first_is_better, list_rows, need_lists, open_halves, sum_lists,
)
from sweepconv._kernels cimport sc_stream
from sweepconv._panel cimport move_cube
from sweepconv._task cimport (
    OWN, PIXELS, TAPS, Sweep, abreast_vectors, find_box, first_source, most_rows, most_taps,
)


cdef inline idx pixel(const Sweep *s, idx d, idx h, idx w) noexcept nogil:
    """Number of a pixel of dx."""
    return (d * s.source.size[1] + h) * s.source.size[2] + w


cdef inline idx first_pixel(const Sweep *s, const Phase *const *phase) noexcept nogil:
    """That of the first tap, or of any where it is padding."""
    cdef idx at[3]
    cdef int a
    for a in range(3):
        at[a] = max(phase[a].index[phase[a].offset[0]], <idx>0) if phase[a].taps else 0
    return pixel(s, at[0], at[1], at[2])


cdef inline void list_patch(const Sweep *s, const Phase *const *phase, const char *filters,
                            idx channels, Halves *u, char *image) noexcept nogil:
    """The patch of one output of the first row of lanes; rows go along channels or along taps."""
    cdef idx itemsize = s.tile.itemsize, row = s.abreast * itemsize, taps = box_taps(phase)
    cdef idx step = s.filters.target // itemsize, m = 0, i, j, k, n, d, h, w, run, pace
    cdef bint along = first_is_better(s, u.vectors, channels, phase[2].taps)
    cdef char *to
    for i in range(phase[0].taps):
        d = phase[0].index[phase[0].offset[i]]
        for j in range(phase[1].taps):
            h = phase[1].index[phase[1].offset[j]]
            k = 0
            while k < phase[2].taps:
                w = phase[2].index[phase[2].offset[k]]
                run = even_run(phase[2], 0, k, &pace)
                if d >= 0 and h >= 0 and w >= 0:
                    to = image + pixel(s, d, h, w) * channels * row
                    for n in range(run if along else channels):
                        if along:
                            list_rows(s, u, channels, filters + (m + n) * itemsize, taps, step,
                                      to + n * pace * channels * row, s.abreast)
                        else:
                            list_rows(s, u, run, filters + (n * taps + m) * itemsize, 1, step,
                                      to + n * row, pace * channels * s.abreast)
                m += run
                k += run


cdef inline void lay_patch(const Sweep *s, const Phase *const *phase, const char *filters,
                           idx channels, const char *dy, idx dy_row, idx pitch, Halves *u,
                           char *image) noexcept nogil:
    """The patches of one output for all rows of lanes; the filters of the next are asked for."""
    cdef idx tiles = ceil_div(channels * box_taps(phase), 2 * most_rows(s, u.vectors)), n
    cdef idx first = first_pixel(s, phase) * channels * s.abreast * s.tile.itemsize
    for n in range(u.items):
        u.item[n].to = u.item[n].start = image + n * pitch + first
        u.item[n].x, u.item[n].w = filters, dy + n * dy_row
    ask_rows(filters + s.filters.bank[2], s.targets * s.filters.target, tiles * u.items * u.steps,
             u.ahead)
    if need_lists(u, phase):
        list_patch(s, phase, filters, channels, u, image)
    sum_lists(s, u)


cdef inline void pack_row_of_dy(const Sweep *s, const Band *v, idx image, idx images,
                                char *dy) noexcept nogil:
    """dy of a row of outputs, [output][targets][images], filled up with zeros."""
    cdef idx itemsize = s.tile.itemsize, row = s.abreast * itemsize, pace
    cdef char *at = first_output(s, v, &pace) + image * s.target.batch
    if images < s.abreast:
        memset(dy, 0, v.boxes * s.targets * row)
    move_cube(s.tile, dy, [s.targets * row, row, itemsize], at,
              [pace, s.target.channel, s.target.batch], [v.boxes, s.targets, images])


cdef inline void write_images(const Sweep *s, idx image, idx images, idx channel, idx channels,
                              char *from_, char *old) noexcept nogil:
    """A row of lanes, [d][h][w][channels][images], to dx, or added to what stands there.

    Rows that follow each other move as one, since the memory of each image is far from the next
    one's; but of what stood there, `old` has room for a row."""
    cdef idx itemsize = s.tile.itemsize, row = s.abreast * itemsize, i = 0
    cdef const Array *x = &s.source
    cdef idx *size = [1, x.size[0], x.size[1], x.size[2]]
    cdef idx *step = [0, x.space[0], x.space[1], x.space[2]]
    cdef idx pixels = x.size[2], pace = x.space[2]
    if not s.accumulate and s.rounds == 1:
        merge(size, step, size[1] * size[2] * size[3], &pixels, &pace)
    cdef idx *lanes = [channels * row, row, itemsize]
    cdef idx *steps = [pace, x.channel, x.batch]
    cdef idx *count = [pixels, channels, images]
    cdef char *to
    while i < x.size[0] * x.size[1]:
        to = x.data + image * x.batch + channel * x.channel + row_offset(x, i)
        if s.accumulate or s.round:
            move_cube(s.tile, old, lanes, to, steps, count)
            s.tile.add(from_, old, pixels * channels * s.abreast)
        move_cube(s.tile, to, steps, from_, lanes, count)
        from_ += pixels * channels * row
        i += pixels // x.size[2]


cdef inline void batch_scatter_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    """Some channels of one group, for some rows of lanes of images."""
    cdef Halves u
    cdef Band v
    cdef const Phase *phase[3]
    cdef sc_stream ahead[2]
    cdef idx itemsize = s.tile.itemsize, lanes = s.abreast, row = lanes * itemsize, boxes, last, i
    cdef idx channel = task % s.source_chunks * s.source_chunk, image, images, rows, n, pitch
    cdef idx channels = min(s.source_chunk, s.sources - channel)
    cdef idx pixels = s.source.size[0] * s.source.size[1] * s.source.size[2] * row * channels
    cdef char *dy = scratch + s.at[PIXELS]
    cdef char *filters
    task //= s.source_chunks
    v.group, v.target = task % s.all_groups, 0
    image = task // s.all_groups * s.size[0]
    images = min(s.size[0], s.batch - image)
    rows = ceil_div(images, lanes)
    pitch = pixels + s.panel_bytes
    memset(scratch, 0, rows * pitch)
    open_halves(&u, lanes, channels * most_taps(s), scratch + s.at[TAPS])
    u.items, u.vectors, u.steps = rows, abreast_vectors(s), s.targets
    u.spare, u.ahead = scratch + pixels, ahead
    boxes = s.phase_count[0] * s.phase_count[1] * s.phase_count[2]
    v.box, last = boxes * s.round // s.rounds, boxes * (s.round + 1) // s.rounds
    while v.box < last:
        v.boxes = min(min(s.phase_count[2] - v.box % s.phase_count[2], last - v.box), s.size[3])
        for n in range(rows):
            pack_row_of_dy(s, &v, image + n * lanes, min(lanes, images - n * lanes),
                           dy + n * v.boxes * s.targets * row)
        for i in range(v.boxes):
            find_box(s, v.box + i, phase)
            filters = (s.filters.data + tap_offset(phase, &s.filters, 0)
                       + v.group * s.filters.group + channel * s.filters.source)
            lay_patch(s, phase, filters, channels, dy + i * s.targets * row,
                      v.boxes * s.targets * row, pitch, &u, scratch)
        v.box += v.boxes
    for n in range(rows):
        write_images(s, image + n * lanes, min(lanes, images - n * lanes),
                     first_source(s, v.group) + channel, channels, scratch + n * pitch,
                     scratch + s.at[OWN])
