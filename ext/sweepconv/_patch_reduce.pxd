# cython: boundscheck=False, wraparound=False, cdivision=True
"""The tasks of the weight gradient where each filter serves one output: locally connected layers.

There the sum runs over the images alone, it is short, and the gradient is as large as all else
together: so it is written once, where it lies.  Lanes are what lies side by side in a filter, its
channels and taps; rows of the tile are targets.  An element's order of summation is that of
`_reduce.pxd`.
"""

from libc.string cimport memset

from sweepconv._box cimport Block, Phase, box_taps, ceil_div, cut_block, idx
from sweepconv._cut cimport patch_pitch
from sweepconv._kernels cimport SC_OUTER, sc_line
from sweepconv._panel cimport target_at, target_steps
from sweepconv._task cimport (
    INIT, LINES, PIXELS, SPARE, Sweep, find_box, first_source, first_target,
)


cdef inline idx even_run(const Phase *p, idx tap, idx *pace) noexcept nogil:
    """Taps from `tap` on that read source elements at an even pace, or that all read zeros."""
    cdef idx n = 1, at = p.index[p.offset[tap]], next
    pace[0] = 0
    while tap + n < p.taps:
        next = p.index[p.offset[tap + n]]
        if (at < 0) != (next < 0):
            break
        if n == 1:
            pace[0] = next - at
        elif at >= 0 and next - at != pace[0]:
            break
        at = next
        n += 1
    return n


cdef inline void pack_patches(const Sweep *s, const Block *b, idx channel, idx channels, idx pitch,
                              char *patch) noexcept nogil:
    """What the filters of one output read, [n][channels][taps], filled up with zeros."""
    cdef idx itemsize = s.tile.itemsize, taps = box_taps(b.phase), n, i, j, k, run, pace, d, h, w
    cdef const char *image = s.source.data + b.low[0] * s.source.batch + channel * s.source.channel
    cdef char *to
    for n in range(b.n[0]):
        memset(patch, 0, pitch * itemsize)
        for i in range(b.phase[0].taps):
            d = b.phase[0].index[b.phase[0].offset[i]]
            for j in range(b.phase[1].taps):
                h = b.phase[1].index[b.phase[1].offset[j]]
                to = patch + (i * b.phase[1].taps + j) * b.phase[2].taps * itemsize
                k = 0
                while k < b.phase[2].taps and d >= 0 and h >= 0:
                    w = b.phase[2].index[b.phase[2].offset[k]]
                    run = even_run(b.phase[2], k, &pace)
                    if w >= 0:
                        s.tile.move(to + k * itemsize, taps * itemsize, itemsize,
                                    image + d * s.source.space[0] + h * s.source.space[1]
                                    + w * s.source.space[2],
                                    s.source.channel, pace * s.source.space[2], channels, run)
                    k += run
        patch += pitch * itemsize
        image += s.source.batch


cdef inline void sum_images(const Sweep *s, const sc_line *line, idx images, const char *dy,
                            const char *patch, idx values, idx pitch, const char *zeros,
                            char *spare, char *filters) noexcept nogil:
    """Add some images to `values` of all filters of one output, or to a row of zeros if that is not NULL.

    Tiles that reach beyond the filters, or beyond a filter, go by way of `spare`.
    """
    cdef idx itemsize = s.tile.itemsize, nb = s.tile.nb, half = s.half, row = nb * itemsize
    cdef idx to_row = s.filters.target // itemsize, lane, first, rows, lanes, pace, i, j
    cdef char *at
    cdef char *to
    for i in range(s.rows // (2 * half)):
        first = i * 2 * half
        rows = min(2 * half, s.targets - first)
        for j in range(ceil_div(values, nb)):  # a few rows at a time are written from end to end
            lane = j * nb
            lanes = min(nb, values - lane)
            at = to = filters + first * s.filters.target + lane * itemsize
            pace = to_row
            if rows < 2 * half or lanes < nb:
                to, pace = spare, nb
                if zeros == NULL:
                    s.tile.move(spare, row, itemsize, at, s.filters.target, itemsize, rows, lanes)
            s.tile.tile[SC_OUTER][1][half - 1](
                to, to + half * pace * itemsize, pace, to if zeros == NULL else zeros,
                to + half * pace * itemsize if zeros == NULL else zeros,
                pace if zeros == NULL else 0, dy + first * itemsize,
                dy + (first + half) * itemsize, 1, s.rows, line, 1, images,
                patch + lane * itemsize, pitch)
            if to == spare:
                s.tile.move(at, s.filters.target, itemsize, spare, row, itemsize, rows, lanes)


cdef inline void patch_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    """Some channels of all filters of one group for one output."""
    cdef Block b
    cdef const Phase *phase[3]
    cdef idx *place = [0, 0, 0, 0]
    cdef idx steps[4]
    cdef idx source = task % s.source_chunks * s.source_chunk, group, block, values
    cdef idx sources = min(s.source_chunk, s.sources - source), itemsize = s.tile.itemsize
    cdef idx pitch = patch_pitch(s, s.panel_bytes)
    cdef char *dy = scratch + s.at[PIXELS]
    cdef char *zeros = scratch + s.at[INIT]
    cdef sc_line *line = <sc_line *>(scratch + s.at[LINES])
    cdef char *filters = s.filters.data + source * s.filters.source
    cdef int a
    group = task // s.source_chunks % s.all_groups
    filters += group * s.filters.group
    find_box(s, task // s.source_chunks // s.all_groups, phase)
    values = sources * box_taps(phase)
    for a in range(3):
        filters += phase[a].filter[0] * s.filters.bank[a]
    line.x = line.w = 0
    memset(zeros, 0, s.tile.nb * itemsize)
    memset(dy, 0, s.size[0] * s.rows * itemsize)
    memset(scratch + s.at[SPARE], 0, 2 * s.half * s.tile.nb * itemsize)
    if s.accumulate:
        zeros = NULL
    for block in range(s.blocks[0]):
        place[0] = block
        if not cut_block(&b, phase, s.batch, s.size, place):
            continue
        target_steps(&b, &s.target, steps)
        s.tile.move(dy, s.rows * itemsize, itemsize,
                    target_at(&b, &s.target, steps, 0)
                    + first_target(s, group, 0) * s.target.channel, s.target.batch,
                    s.target.channel, b.n[0], s.targets)
        pack_patches(s, &b, first_source(s, group) + source, sources, pitch, scratch)
        sum_images(s, line, b.n[0], dy, scratch, values, pitch, zeros, scratch + s.at[SPARE], filters)
        zeros = NULL
