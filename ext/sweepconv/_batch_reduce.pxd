# cython: boundscheck=False, wraparound=False, cdivision=True
"""The weight gradient of locally connected layers on many images: steps are images.

A filter's gradient is a sum of one product for each image, so packing a patch of each image for it
would take longer than the sum.  Here what a row of outputs reads is packed at once, x as [images]
[tap of d, tap of h][w][channels], dy as [panel][output][images][nb].  Rows of a tile are channels
or taps that are neighbours, lanes are targets.  The order of each sum is that of `_reduce.pxd`.
"""

from libc.string cimport memset

from sweepconv._batch_gather cimport Band, band_row, find_band, first_output, pack_rows
from sweepconv._box cimport Phase, box_taps, ceil_div, even_run, idx
from sweepconv._filters cimport tap_offset
from sweepconv._halves cimport (
    Halves, first_is_better, list_rows, need_lists, open_halves, sum_lists,
)
from sweepconv._panel cimport move_cube
from sweepconv._task cimport (
    INIT, OWN, PIXELS, RUNS, SPARE, TAPS, Sweep, find_box, most_taps,
)


cdef inline void list_filter(const Sweep *s, const Band *v, const Phase *const *phase,
                             const char *image, idx channels, Halves *u, const char *zeros,
                             char *sums) noexcept nogil:
    """All taps and channels of one output; rows go along channels or along taps."""
    cdef idx itemsize = s.tile.itemsize, row = s.tile.nb * itemsize, taps = box_taps(phase)
    cdef idx plane, w, n, m = 0, k, run, pace, step, next
    cdef bint along = first_is_better(s, u.vectors, channels, phase[2].taps), padding
    cdef const char *source
    for plane in range(v.planes):
        padding = band_row(s, phase, v, plane, 0) == NULL
        k = 0
        while k < phase[2].taps:
            w = phase[2].index[phase[2].offset[k]]
            run = even_run(phase[2], 0, k, &pace)
            source = image + (plane * v.width + w - v.low) * channels * itemsize
            next, pace, step = 1, pace * channels, v.channel
            if padding or w < 0:
                source, next, pace, step = zeros, 0, 0, 0
            for n in range(run if along else channels):
                if along:
                    list_rows(s, u, channels, source + n * pace * itemsize, next, step,
                              sums + (m + n) * row, taps * s.tile.nb)
                else:
                    list_rows(s, u, run, source + n * next * itemsize, pace, step,
                              sums + (n * taps + m) * row, s.tile.nb)
            m += run
            k += run


cdef inline void sum_filter(const Sweep *s, const Band *v, const Phase *const *phase,
                            const char *image, idx channels, Halves *u, const char *zeros,
                            char *sums) noexcept nogil:
    """The same, from places that count from the first tap along w."""
    cdef idx w = phase[2].index[phase[2].offset[0]] if phase[2].taps else 0
    u.item[0].x = image + max(w - v.low, <idx>0) * channels * s.tile.itemsize
    u.item[0].to, u.item[0].start = sums, zeros if u.first else sums
    if need_lists(u, phase):
        list_filter(s, v, phase, image, channels, u, zeros, sums)
    sum_lists(s, u)


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


cdef inline void write_filter(const Sweep *s, idx values, idx lanes, char *sums, char *old,
                              char *to) noexcept nogil:
    """Sums, [values][nb], to a filter panel of dw, or added to what stands there."""
    cdef idx itemsize = s.tile.itemsize, row = s.tile.nb * itemsize
    if s.accumulate:
        s.tile.move(old, row, itemsize, to, itemsize, s.filters.target, values, lanes)
        s.tile.add(sums, old, values * s.tile.nb)
    s.tile.move(to, s.filters.target, itemsize, sums, itemsize, row, lanes, values)


cdef inline void batch_reduce_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    """Some targets and channels of a row of filters."""
    cdef Band v
    cdef Halves u
    cdef const Phase *phase[3]
    cdef idx itemsize = s.tile.itemsize, nb = s.tile.nb, row = nb * itemsize, lanes, panel
    cdef idx source = task % s.source_chunks * s.source_chunk, block, image, box
    cdef idx channels = min(s.source_chunk, s.sources - source)
    cdef char *sums = scratch + s.at[PIXELS]
    cdef char *x = scratch + s.at[OWN]
    cdef char *zeros = scratch + s.at[INIT]
    cdef char *bank
    find_band(s, task // s.source_chunks, &v)
    v.channel = s.rows  # from one image to the next
    open_halves(&u, nb, channels * most_taps(s), scratch + s.at[TAPS])
    u.spare = scratch + s.at[SPARE]
    memset(zeros, 0, row)
    memset(u.spare, 0, s.panel_bytes)
    pack_outputs(s, &v, scratch)
    pack_rows(s, &v, source, channels, 0, s.batch, x,
              [itemsize, channels * itemsize, v.channel * itemsize])
    bank = (s.filters.data + v.group * s.filters.group + v.target * s.filters.target
            + source * s.filters.source)
    for panel in range(ceil_div(v.targets, nb)):
        lanes = min(nb, v.targets - panel * nb)
        u.vectors, u.listed = 1 if 2 * lanes <= nb else 2, False
        for box in range(v.boxes):
            find_box(s, v.box + box, phase)
            for block in range(s.blocks[0]):
                image = block * s.size[0]
                u.first, u.steps = block == 0, min(s.size[0], s.batch - image)
                u.listed = u.listed and s.blocks[0] == 1
                u.item[0].w = scratch + ((panel * v.boxes + box) * s.batch + image) * row
                sum_filter(s, &v, phase, x + image * v.channel * itemsize, channels, &u, zeros,
                           sums)
            write_filter(s, channels * box_taps(phase), lanes, sums, scratch + s.at[RUNS],
                         bank + tap_offset(phase, &s.filters, 0) + panel * nb * s.filters.target)
