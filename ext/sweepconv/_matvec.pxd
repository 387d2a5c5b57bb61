# cython: boundscheck=False, wraparound=False, cdivision=True
"""The tasks of `gather` where filters of one tap serve one pixel of few images, as in `dense`:
a matrix times a vector.

What takes the time is to read the filters.  So they are not packed: a task owns some targets of a
group, and goes through their filters as they lie, in long pieces.  The order of each sum is that of
`_gather.pxd`.
"""

from libc.string cimport memset

from sweepconv._box cimport AXES, Block, Extents, Phase, ceil_div, cut_block, idx
from sweepconv._cut cimport lay_out
from sweepconv._filters cimport tap_offset
from sweepconv._kernels cimport SC_COMBINED
from sweepconv._panel cimport target_at, target_steps
from sweepconv._task cimport PIXELS, SPARE, Sweep, channel_block, find_bias, find_box

cdef enum:
    DOT_IMAGES = 1        # at most, since filters are transposed for each of them
    COMBINED_IMAGES = 6
    ROW_BYTES = 16 * 1024  # of a row of the bank, for one task
    DOT_ROWS = 16         # that are read side by side


cdef inline bint rows_are_targets(const Sweep *s) noexcept nogil:
    """Whether rows of the bank are filters, of contiguous sources; else targets are contiguous."""
    return s.filters.source == s.tile.itemsize


cdef inline bint takes_matvec(const Sweep *s, const Extents *e) noexcept nogil:
    """Whether there is one output of one tap, and filters are sooner read than packed."""
    cdef const Phase *phase[3]
    cdef int a
    if e.boxes != 1 or s.batch > (DOT_IMAGES if rows_are_targets(s) else COMBINED_IMAGES):
        return False
    find_box(s, 0, phase)
    for a in range(3):
        if (e.outputs[a] != 1 or phase[a].taps != 1
                or phase[a].index[phase[a].offset[0]] < 0):
            return False
    return rows_are_targets(s) or s.filters.target == s.tile.itemsize


cdef inline idx lay_out_matvec(Sweep *s, int threads) noexcept nogil:
    """As many tasks for each thread; their number."""
    cdef idx itemsize = s.tile.itemsize, row
    s.chunks = 4 * threads
    if not rows_are_targets(s):
        s.chunks = ceil_div(ceil_div(s.targets * itemsize, <idx>ROW_BYTES), threads) * threads
    s.chunks = min(s.chunks, max(s.targets // (2 * s.tile.nb), <idx>1))
    row = ceil_div(s.targets, s.chunks) * itemsize
    s.size[0], s.size[1], s.size[2], s.size[3] = s.batch, 1, 1, 1
    lay_out(s, s.batch * s.sources * itemsize, s.batch * row, s.batch * row, 0, 0, 0, 0)
    return s.all_groups * s.chunks


cdef inline const char *find_vectors(const Sweep *s, const Phase *const *phase, idx group,
                                     char *spare, idx *batch) noexcept nogil:
    """The sources of a group, which are contiguous or become so in `spare`; and the bytes from
    image to image."""
    cdef idx row = s.sources * s.tile.itemsize
    cdef const char *x = s.source.data + group * s.sources * s.source.channel
    cdef int a
    for a in range(3):
        x += phase[a].index[phase[a].offset[0]] * s.source.space[a]
    batch[0] = s.source.batch
    if s.source.channel == s.tile.itemsize:
        return x
    s.tile.move(spare, row, s.tile.itemsize, x, s.source.batch, s.source.channel, s.batch,
                s.sources)
    batch[0] = row
    return spare


cdef inline void combine(const Sweep *s, const char *filters, idx sources, idx targets,
                         const char *x, idx batch, char *chain, idx row) noexcept nogil:
    """One chain of `sources` steps for each target, of each image."""
    cdef idx k = 0, rows, n
    memset(chain, 0, s.batch * row)
    while k < sources:
        rows = min(<idx>SC_COMBINED, sources - k)
        for n in range(s.batch):
            s.tile.combine(chain + n * row, filters + k * s.filters.source, s.filters.source,
                           rows, x + n * batch + k * s.tile.itemsize, targets)
        k += rows


cdef inline void sum_targets(const Sweep *s, const char *filters, idx targets, const char *x,
                             idx batch, char *sums, char *chain, idx row) noexcept nogil:
    """Add the chains of all blocks of channels to some sums, `row` bytes apart for each image."""
    cdef idx block = channel_block(1, s.sources, s.targets), first = 0, count, n, at
    while first < s.sources:
        count, at = min(block, s.sources - first), first * s.tile.itemsize
        if rows_are_targets(s):
            for n in range(s.batch):
                s.tile.dot(chain + n * row, filters + at, s.filters.target, targets,
                           x + n * batch + at, count)
        else:
            combine(s, filters + first * s.filters.source, count, targets, x + at, batch, chain,
                    row)
        for n in range(s.batch):
            s.tile.add(sums + n * row, chain + n * row, targets)
        first += count


cdef inline void matvec_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    """Some targets of a group, for all images."""
    cdef Block b
    cdef const Phase *phase[3]
    cdef idx *place = [0, 0, 0, 0]
    cdef idx steps[AXES]
    cdef idx itemsize = s.tile.itemsize, group = task // s.chunks, chunk = task % s.chunks
    cdef idx first = s.targets * chunk // s.chunks, batch, i, t
    cdef idx targets = s.targets * (chunk + 1) // s.chunks - first
    cdef idx pieces = ceil_div(targets, <idx>DOT_ROWS) if rows_are_targets(s) else 1
    cdef idx channel = group * s.targets + first, row = targets * itemsize
    cdef char *sums = scratch + s.at[PIXELS]  # [images][targets]
    cdef char *spare = scratch + s.at[SPARE]
    cdef char *to
    cdef const char *x
    cdef const char *filters
    find_box(s, 0, phase)
    cut_block(&b, phase, s.batch, s.size, place)
    x = find_vectors(s, phase, group, scratch, &batch)
    filters = (s.filters.data + tap_offset(phase, &s.filters, 0) + group * s.filters.group
               + first * s.filters.target)
    memset(sums, 0, s.batch * row)
    if s.bias != NULL:
        s.tile.move(sums, row, itemsize, find_bias(s, phase, channel), 0, s.bias_channel, s.batch,
                    targets)
    for i in range(pieces):
        t = targets * i // pieces
        sum_targets(s, filters + t * s.filters.target, targets * (i + 1) // pieces - t, x, batch,
                    sums + t * itemsize, spare, row)
    target_steps(&b, &s.target, steps)
    to = target_at(&b, &s.target, steps, 0) + channel * s.target.channel
    if s.accumulate:
        s.tile.move(spare, row, itemsize, to, s.target.batch, s.target.channel, s.batch, targets)
        s.tile.add(sums, spare, s.batch * targets)
    s.tile.move(to, s.target.batch, s.target.channel, sums, row, itemsize, s.batch, targets)
