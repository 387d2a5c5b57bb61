# cython: boundscheck=False, wraparound=False, cdivision=True
"""The tasks of the input gradient where each filter serves one output: locally connected layers.

To gather there, every element of dx would collect a tap of many filters, each from another line of
the bank.  So the bank is read once, as it lies, and each output lays its patch,

    patch[n, c, t] = sum over o of dy[n, o] * w[o, c, t],

onto the image.  Lanes are channels and taps, rows are images.  A task owns some channels of some
images, and goes through all outputs in their order, in rounds: an element's sum follows from the
geometry.
"""

from libc.string cimport memset

from sweepconv._box cimport (
    AXES, Block, Phase, box_taps, ceil_div, cut_block, even_run, idx, row_offset,
)
from sweepconv._filters cimport tap_offset
from sweepconv._kernels cimport SC_OUTER, SC_SPREAD, call_one, sc_ask, sc_line
from sweepconv._panel cimport target_at, target_steps
from sweepconv._task cimport (
    INIT, LINES, OWN, PIXELS, RUNS, SPARE, STEPS, Sweep, find_box, first_source, first_target,
)

cdef enum:
    FEW_IMAGES = 3  # which fill no tile


cdef struct Patches:
    # Those of one output, [images][pitch], and what they are made of.
    char *sums
    idx pitch
    idx values           # of one patch: channels * taps
    idx rows             # images
    const char *dy       # [targets][rows]
    const char *filters  # of the first target
    idx step             # values from one target's to the next
    const char *next     # those of the next output, as they lie
    char *own            # [targets][...]: filters, or their last values, filled up to whole tiles
    char *zeros
    sc_line *line


cdef inline void ask_next(const Sweep *s, const Patches *p, idx first, idx count, idx lane,
                          idx lanes) noexcept nogil:
    """For `lanes` values from `lane` on of the next output's filters, of `count` targets."""
    sc_ask(p.next + first * s.filters.target + lane * s.tile.itemsize, s.filters.target, count,
           lanes * s.tile.itemsize)


cdef inline void make_long_rows(const Sweep *s, const Patches *p) noexcept nogil:
    """The patches of one output of few images, of at least two rows of a panel each.

    Rows of the tile are values further on: filters, which have few uses, stream in longer pieces,
    and more sums are on their way.  The last tile ends with the patch, and makes some again."""
    cdef idx itemsize = s.tile.itemsize, nb = s.tile.nb, done = 0
    cdef idx most = min(p.values // (2 * nb), s.tile.half), lanes, row, half, first, count, n
    cdef int vectors
    cdef const char *w
    cdef const char *start
    cdef char *sums
    while done < p.values:
        vectors = 1 if p.values - done <= nb else 2
        lanes = nb // 2 * vectors
        row = lanes * itemsize
        half = min(ceil_div(p.values - done, 2 * lanes), most)
        done = min(done, p.values - 2 * half * lanes)
        for first in range(ceil_div(s.targets, STEPS)):
            count = min(<idx>STEPS, s.targets - first * STEPS)
            w = p.filters + (first * STEPS * p.step + done) * itemsize
            ask_next(s, p, first * STEPS, count, done, 2 * half * lanes)
            for n in range(s.size[0]):
                sums = p.sums + (n * p.pitch + done) * itemsize
                start = sums if first else p.zeros
                call_one(s.tile.tile[SC_SPREAD][vectors - 1][half - 1], sums, sums + half * row,
                         lanes, start, start + (half * row if first else 0),
                         lanes if first else 0, w, w + half * row, lanes, p.step, p.line, 1, count,
                         p.dy + (first * STEPS * p.rows + n) * itemsize, p.rows, NULL)
        done += 2 * half * lanes


cdef inline void make_patches(const Sweep *s, const Patches *p) noexcept nogil:
    """The patches of one output, nb values at a time."""
    cdef idx itemsize = s.tile.itemsize, nb = s.tile.nb, half = s.half, to = half * p.pitch
    cdef idx j, i, first, lanes, step, count
    cdef const char *w
    cdef const char *start
    cdef char *sums
    cdef int vectors
    if s.size[0] <= FEW_IMAGES and p.values >= 2 * nb:
        make_long_rows(s, p)
        return
    for j in range(ceil_div(p.values, nb)):
        lanes = min(nb, p.values - j * nb)
        vectors = 1 if 2 * lanes <= nb else 2
        w, step = p.filters + j * nb * itemsize, p.step
        if lanes < nb and not s.own_filters:  # not beyond the bank
            s.tile.move(p.own, nb * itemsize, itemsize, w, s.filters.target, itemsize, s.targets,
                        lanes)
            w, step = p.own, nb
        for first in range(ceil_div(s.targets, STEPS)):
            count = min(<idx>STEPS, s.targets - first * STEPS)
            ask_next(s, p, first * STEPS, count, j * nb, lanes)
            for i in range(p.rows // (2 * half)):
                sums = p.sums + (2 * i * to + j * nb) * itemsize
                start = sums if first else p.zeros
                call_one(
                    s.tile.tile[SC_OUTER][vectors - 1][half - 1],
                    sums, sums + to * itemsize, p.pitch, start,
                    start + (to * itemsize if first else 0), p.pitch if first else 0,
                    p.dy + (first * STEPS * p.rows + 2 * i * half) * itemsize,
                    p.dy + (first * STEPS * p.rows + (2 * i + 1) * half) * itemsize, 1, p.rows,
                    p.line, 1, count, w + first * STEPS * step * itemsize, step, NULL)


cdef inline void find_filters(const Sweep *s, const Phase *const *phase, idx group, idx channel,
                              idx channels, Patches *p) noexcept nogil:
    """The filters of one output as they lie, or a copy where they are not contiguous."""
    cdef idx itemsize = s.tile.itemsize, taps = box_taps(phase), m
    cdef char *bank = s.filters.data + group * s.filters.group + channel * s.filters.source
    p.values = channels * taps
    p.filters, p.step = bank + tap_offset(phase, &s.filters, 0), s.filters.target // itemsize
    p.next = p.filters + s.filters.bank[2]
    if not s.own_filters:
        return
    p.filters, p.step = p.own, p.pitch
    for m in range(taps):
        s.tile.move(p.own + m * itemsize, p.pitch * itemsize, taps * itemsize,
                    bank + tap_offset(phase, &s.filters, m), s.filters.target, s.filters.source,
                    s.targets, channels)


cdef inline void lay_patch(const Sweep *s, const Phase *const *phase, const char *patch,
                           idx channels, char *image) noexcept nogil:
    """Add a patch, [taps][channels], to an image, [d][h][w][channels]."""
    cdef idx row = channels * s.tile.itemsize, i, j, k, n, run, pace, d, h, w
    cdef char *to
    for i in range(phase[0].taps):
        d = phase[0].index[phase[0].offset[i]]
        for j in range(phase[1].taps):
            h = phase[1].index[phase[1].offset[j]]
            k = 0
            while k < phase[2].taps and d >= 0 and h >= 0:
                w = phase[2].index[phase[2].offset[k]]
                run = even_run(phase[2], 0, k, &pace)
                to = image + ((d * s.source.size[1] + h) * s.source.size[2] + w) * row
                if w >= 0 and (pace == 1 or run == 1):
                    s.tile.add(to, patch, run * channels)
                elif w >= 0:
                    for n in range(run):
                        s.tile.add(to + n * pace * row, patch + n * row, channels)
                patch += run * row
                k += run
            if d < 0 or h < 0:
                patch += phase[2].taps * row


cdef inline void write_image(const Sweep *s, idx image, idx channel, idx channels, char *from_,
                             char *old) noexcept nogil:
    """One image, [d][h][w][channels], to dx, or added to what stands there."""
    cdef idx itemsize = s.tile.itemsize, row = channels * itemsize, i, width = s.source.size[2]
    cdef char *to
    for i in range(s.source.size[0] * s.source.size[1]):
        to = (s.source.data + image * s.source.batch + channel * s.source.channel
              + row_offset(&s.source, i))
        if s.accumulate or s.round:
            s.tile.move(old, row, itemsize, to, s.source.space[2], s.source.channel, width,
                        channels)
            s.tile.add(from_, old, width * channels)
        s.tile.move(to, s.source.space[2], s.source.channel, from_, row, itemsize, width, channels)
        from_ += width * row


cdef inline void scatter_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    """Some channels of one group, for some images."""
    cdef Block b
    cdef Patches p
    cdef const Phase *phase[3]
    cdef idx *place = [0, 0, 0, 0]
    cdef idx steps[AXES]
    cdef idx itemsize = s.tile.itemsize, boxes, box, n, group, taps, image_bytes
    cdef idx channel = task % s.source_chunks * s.source_chunk
    cdef idx channels = min(s.source_chunk, s.sources - channel)
    cdef char *turned = scratch + s.at[SPARE]
    cdef char *dy = scratch + s.at[RUNS]
    cdef char *patch
    task //= s.source_chunks
    group = task % s.all_groups
    place[0] = task // s.all_groups
    p.sums, p.dy, p.own = scratch + s.at[PIXELS], dy, scratch + s.at[OWN]
    p.zeros, p.line = scratch + s.at[INIT], <sc_line *>(scratch + s.at[LINES])
    p.rows, p.pitch = s.rows, s.panel_bytes // itemsize
    p.line.x = p.line.w = 0
    image_bytes = s.source.size[0] * s.source.size[1] * s.source.size[2] * channels * itemsize
    memset(p.zeros, 0, s.tile.nb * itemsize)
    memset(p.own, 0, s.targets * (p.pitch if s.own_filters else s.tile.nb) * itemsize)
    memset(dy, 0, s.targets * s.rows * itemsize)
    memset(scratch, 0, s.size[0] * image_bytes)
    boxes = s.phase_count[0] * s.phase_count[1] * s.phase_count[2]
    for box in range(boxes * s.round // s.rounds, boxes * (s.round + 1) // s.rounds):
        find_box(s, box, phase)
        cut_block(&b, phase, s.batch, s.size, place)
        taps = box_taps(phase)
        find_filters(s, phase, group, channel, channels, &p)
        target_steps(&b, &s.target, steps)
        s.tile.move(dy, s.rows * itemsize, itemsize, target_at(&b, &s.target, steps, 0)
                    + first_target(s, group, 0) * s.target.channel, s.target.channel,
                    s.target.batch, s.targets, b.n[0])
        make_patches(s, &p)
        for n in range(b.n[0]):
            patch = p.sums + n * p.pitch * itemsize
            if channels > 1 and taps > 1:
                s.tile.move(turned, channels * itemsize, itemsize, patch, itemsize,
                            taps * itemsize, taps, channels)
                patch = turned
            lay_patch(s, phase, patch, channels, scratch + n * image_bytes)
    for n in range(min(s.size[0], s.batch - place[0] * s.size[0])):
        write_image(s, place[0] * s.size[0] + n, first_source(s, group) + channel, channels,
                    scratch + n * image_bytes, turned)
