# cython: boundscheck=False, wraparound=False, cdivision=True
"""The weight gradient of locally connected layers on many images: steps are images.

A filter's gradient is a sum of one product for each image, so packing a patch of each image for it
would take longer than the sum.  Here what a row of outputs reads is packed at once, x as [images]
[tap of d, tap of h][w][channels], dy as [panel][output][images][nb].  Rows of a tile are neighbouring
channels or taps, lanes are targets.  The order of each sum is that of `_reduce.pxd`.
"""

from libc.string cimport memset

from sweepconv._batch_gather cimport Band, find_band, first_output
from sweepconv._box cimport Phase, box_taps, ceil_div, idx
from sweepconv._kernels cimport SC_MOST_HALF, SC_OUTER, sc_line
from sweepconv._panel cimport move_cube, tap_offset
from sweepconv._patch_reduce cimport even_run
from sweepconv._task cimport (
    INIT, LINES, OWN, PIXELS, RUNS, SPARE, Sweep, find_box, first_source, first_target,
)


cdef struct Half:
    # Half a tile that waits for another half with the same strides; none if `source` is NULL.
    const char *source
    idx pace             # values from one row to the next
    idx step             # and from one image to the next
    char *sums


cdef struct Sums:
    # Of one filter panel, some images: [channels][taps][nb].
    const char *dy       # [images][nb]
    idx images
    int vectors
    idx to_row           # values from one row of a half to the next
    bint first           # the sums start from zero
    char *zeros
    char *spare
    sc_line *line
    Half half[SC_MOST_HALF + 1]


cdef inline void sum_halves(const Sweep *s, const Sums *u, idx rows, const char *source,
                            char *sums) noexcept nogil:
    """A tile of the half that waits and of another one."""
    cdef const Half *h = &u.half[rows]
    s.tile.tile[SC_OUTER][u.vectors - 1][rows - 1](
        h.sums, sums, u.to_row, u.zeros if u.first else h.sums, u.zeros if u.first else sums,
        0 if u.first else u.to_row, h.source, source, h.pace, h.step, u.line, 1, u.images, u.dy,
        s.tile.nb)


cdef inline void end_half(const Sweep *s, Sums *u, idx rows) noexcept nogil:
    if u.half[rows].source != NULL:
        sum_halves(s, u, rows, u.half[rows].source, u.spare)
    u.half[rows].source = NULL


cdef inline void add_rows(const Sweep *s, Sums *u, idx count, const char *source, idx pace,
                          idx step, char *sums) noexcept nogil:
    """Rows at an even pace, in halves as high as each other but for one row."""
    cdef idx halves = ceil_div(count, s.tile.half if u.vectors == 2 else s.tile.tall), i, at, rows
    cdef Half *h
    for i in range(halves):
        at = i * count // halves
        rows = (i + 1) * count // halves - at
        h = &u.half[rows]
        if h.source != NULL and h.pace == pace and h.step == step:
            sum_halves(s, u, rows, source + at * pace * s.tile.itemsize,
                       sums + at * u.to_row * s.tile.itemsize)
            h.source = NULL
            continue
        end_half(s, u, rows)
        h.source, h.pace, h.step = source + at * pace * s.tile.itemsize, pace, step
        h.sums = sums + at * u.to_row * s.tile.itemsize


cdef inline void sum_filter(const Sweep *s, const Band *v, const Phase *const *phase,
                            const char *image, idx channels, Sums *u, char *sums) noexcept nogil:
    """All taps and channels of one output; rows go along channels, or where these are few along
    taps."""
    cdef idx itemsize = s.tile.itemsize, row = s.tile.nb * itemsize, taps = box_taps(phase)
    cdef idx plane, d, h, w, n, m = 0, k, run, pace, step, rows
    cdef bint along = channels >= s.tile.half or channels >= phase[2].taps
    cdef const char *source
    u.to_row = (taps if along else 1) * s.tile.nb
    for plane in range(v.planes):
        d = phase[0].index[phase[0].offset[plane // phase[1].taps]]
        h = phase[1].index[phase[1].offset[plane % phase[1].taps]]
        k = 0
        while k < phase[2].taps:
            w = phase[2].index[phase[2].offset[k]]
            run = even_run(phase[2], 0, k, &pace)
            source = image + (plane * v.width + w - v.low) * channels * itemsize
            rows, pace, step = 1, pace * channels, v.channel
            if d < 0 or h < 0 or w < 0:
                source, rows, pace, step = u.zeros, 0, 0, 0
            for n in range(run if along else channels):
                if along:
                    add_rows(s, u, channels, source + n * pace * itemsize, rows, step,
                             sums + (m + n) * row)
                else:
                    add_rows(s, u, run, source + n * rows * itemsize, pace, step,
                             sums + (n * taps + m) * row)
            m += run
            k += run
    for n in range(1, SC_MOST_HALF + 1):
        end_half(s, u, n)


cdef inline void pack_sources(const Sweep *s, const Band *v, idx channel, idx channels,
                                     char *x) noexcept nogil:
    """What the band's outputs read of some channels, for all images."""
    cdef const Phase *phase[3]
    cdef idx itemsize = s.tile.itemsize, pixel = channels * itemsize, plane, d, h
    cdef const char *source
    find_box(s, v.box, phase)
    for plane in range(v.planes):
        d = phase[0].index[phase[0].offset[plane // phase[1].taps]]
        h = phase[1].index[phase[1].offset[plane % phase[1].taps]]
        if d < 0 or h < 0:
            continue  # see sum_filter
        source = (s.source.data + (first_source(s, v.group) + channel) * s.source.channel
                  + d * s.source.space[0] + h * s.source.space[1] + v.low * s.source.space[2])
        move_cube(s.tile, x + plane * v.width * pixel, [v.channel * itemsize, pixel, itemsize],
                  source, [s.source.batch, s.source.space[2], s.source.channel],
                  [s.batch, v.width, channels])


cdef inline void pack_outputs(const Sweep *s, const Band *v, char *dy) noexcept nogil:
    """dy of the band's outputs and targets for all images, filled up with zeros."""
    cdef idx itemsize = s.tile.itemsize, nb = s.tile.nb, row = nb * itemsize, pace, panel, lanes
    cdef char *at = first_output(s, v, &pace)
    if v.targets % nb:
        memset(dy, 0, ceil_div(v.targets, nb) * v.boxes * s.batch * row)
    for panel in range(ceil_div(v.targets, nb)):
        lanes = min(nb, v.targets - panel * nb)
        move_cube(s.tile, dy + panel * v.boxes * s.batch * row, [s.batch * row, row, itemsize],
                  at + panel * nb * s.target.channel, [pace, s.target.batch, s.target.channel],
                  [v.boxes, s.batch, lanes])


cdef inline void batch_reduce_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    """Some targets and channels of a row of filters."""
    cdef Band v
    cdef Sums u
    cdef const Phase *phase[3]
    cdef idx itemsize = s.tile.itemsize, nb = s.tile.nb, row = nb * itemsize, values, lanes, panel
    cdef idx source = task % s.source_chunks * s.source_chunk, block, image, box
    cdef idx channels = min(s.source_chunk, s.sources - source)
    cdef char *sums = scratch + s.at[PIXELS]
    cdef char *old = scratch + s.at[RUNS]
    cdef char *x = scratch + s.at[OWN]
    cdef char *to
    find_band(s, task // s.source_chunks, &v)
    v.channel = s.rows  # from one image to the next
    u.zeros, u.spare = scratch + s.at[INIT], scratch + s.at[SPARE]
    u.line = <sc_line *>(scratch + s.at[LINES])
    u.line.x = u.line.w = 0
    memset(u.zeros, 0, row)
    memset(u.spare, 0, s.panel_bytes)
    memset(u.half, 0, sizeof(u.half))
    pack_outputs(s, &v, scratch)
    pack_sources(s, &v, source, channels, x)
    for box in range(v.boxes):
        find_box(s, v.box + box, phase)
        values = channels * box_taps(phase)
        for panel in range(ceil_div(v.targets, nb)):
            lanes = min(nb, v.targets - panel * nb)
            u.vectors = 1 if 2 * lanes <= nb else 2
            for block in range(s.blocks[0]):
                image = block * s.size[0]
                u.first, u.images = block == 0, min(s.size[0], s.batch - image)
                u.dy = scratch + ((panel * v.boxes + box) * s.batch + image) * row
                sum_filter(s, &v, phase, x + image * v.channel * itemsize, channels, &u, sums)
            to = (s.filters.data + tap_offset(phase, &s.filters, 0) + v.group * s.filters.group
                  + (v.target + panel * nb) * s.filters.target + source * s.filters.source)
            if s.accumulate:
                s.tile.move(old, row, itemsize, to, itemsize, s.filters.target, values, lanes)
                s.tile.add(sums, old, values * nb)
            s.tile.move(to, s.filters.target, itemsize, sums, itemsize, row, lanes, values)
