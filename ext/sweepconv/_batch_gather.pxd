# cython: boundscheck=False, wraparound=False, cdivision=True
"""The forward tasks of locally connected layers whose filters are not packed, or of many images:
lanes are images.

Each filter serves one output, so it has as many uses as there are images: packing it takes longer
than reading it as it lies, with lanes that are partly empty, and packing a patch of
each of many images for it longer than the sums.  Here a band of the source, [channel][tap of d,
tap of h][w][images], serves all outputs of a row; the rows of a tile are targets, whose filters are
read where they lie.  The order of each sum is that of `_gather.pxd`.
"""

from libc.string cimport memset

from sweepconv._ahead cimport ask_rows
from sweepconv._box cimport AXES, Block, Phase, box_taps, ceil_div, cut_block, even_run, idx
from sweepconv._cut_banks cimport whole_row
from sweepconv._filters cimport axis_offset, even_taps
from sweepconv._halves cimport Halves, list_half, open_halves, sum_lists
from sweepconv._kernels cimport sc_line, sc_stream
from sweepconv._panel cimport move_cube, target_at, target_steps
from sweepconv._task cimport (
    LINES, PIXELS, SPARE, TAPS, Sweep, abreast_vectors, channel_block, find_box, first_source,
    first_target, most_rows, spread_bias, tap_block,
)


cdef struct Band:
    # What a task makes: some targets of a group, for a row of outputs.
    idx group
    idx target
    idx targets
    idx box              # the first
    idx boxes
    idx low              # the first source element along w
    idx width            # and how many there are, at most
    idx planes           # taps along d and h
    idx channel          # values from one channel of the band to the next
    idx taps             # of the filter with most
    idx joined           # taps along w that are steps of one line
    idx x_step           # values from step to step in the bank
    idx w_step           # and in the band


cdef inline void find_band(const Sweep *s, idx task, Band *v) noexcept nogil:
    cdef const Phase *phase[3]
    cdef idx per_row = (s.phase_count[2] + s.size[3] - 1) // s.size[3], box, high = -1, i, t
    v.target = task % s.chunks * s.chunk
    v.targets = min(s.chunk, s.targets - v.target)
    task //= s.chunks
    v.group = task % s.all_groups
    task //= s.all_groups
    v.box = task // per_row * s.phase_count[2] + task % per_row * s.size[3]
    v.boxes = min(s.size[3], s.phase_count[2] - task % per_row * s.size[3])
    v.low, v.taps = 0, 0
    for box in range(v.box, v.box + v.boxes):
        find_box(s, box, phase)
        v.taps, v.planes = max(v.taps, box_taps(phase)), phase[0].taps * phase[1].taps
        for t in range(phase[2].taps):
            i = phase[2].index[phase[2].offset[t]]
            if i >= 0:
                v.low, high = i if high < 0 else min(v.low, i), max(high, i)
    v.width = whole_row(s, high - v.low + 1) if high >= 0 else 0
    if v.width == s.source.size[2]:
        v.low = 0
    v.channel = (v.planes * v.width + 1) * s.abreast


cdef inline char *band_row(const Sweep *s, const Phase *const *phase, const Band *v, idx plane,
                           idx channel) noexcept nogil:
    """Where the row of x stands that taps number `plane` of d and h read, for one channel of the
    first image, from `low` on; NULL where they read padding."""
    cdef idx d = phase[0].index[phase[0].offset[plane // phase[1].taps]]
    cdef idx h = phase[1].index[phase[1].offset[plane % phase[1].taps]]
    if d < 0 or h < 0:
        return NULL
    return (s.source.data + (first_source(s, v.group) + channel) * s.source.channel
            + d * s.source.space[0] + h * s.source.space[1] + v.low * s.source.space[2])


cdef inline idx rows_together(const Sweep *s, const Phase *const *phase, const Band *v,
                              idx plane) noexcept nogil:
    """Rows of x from number `plane` on that follow each other in memory, and in the band."""
    cdef idx n = 1
    cdef const char *row = band_row(s, phase, v, plane, 0)
    if v.width * s.source.space[2] != s.source.space[1]:
        return 1
    while (plane + n < v.planes
            and band_row(s, phase, v, plane + n, 0) == row + n * s.source.space[1]):
        n += 1
    return n


cdef inline void pack_rows(const Sweep *s, const Band *v, idx channel, idx channels, idx image,
                           idx images, char *to, const idx *step) noexcept nogil:
    """All rows of a band, for some channels and images, which stand step[0] and step[2] bytes apart
    in it, and elements step[1]; those of padding stay as they are."""
    cdef const Phase *phase[3]
    cdef idx plane = 0, rows
    cdef char *source
    find_box(s, v.box, phase)
    while plane < v.planes:
        source = band_row(s, phase, v, plane, channel)
        rows = 1
        if source != NULL:
            rows = rows_together(s, phase, v, plane)
            move_cube(s.tile, to + plane * v.width * step[1], step,
                      source + image * s.source.batch,
                      [s.source.channel, s.source.space[2], s.source.batch],
                      [channels, rows * v.width, images])
        plane += rows


cdef inline void pack_band(const Sweep *s, const Band *v, idx image, idx images,
                           char *band) noexcept nogil:
    """All channels for some images; after those of each channel one slot of padding zeros."""
    cdef idx itemsize = s.tile.itemsize, slot = s.abreast * itemsize, c
    cdef idx channel = v.channel * itemsize
    if images < s.abreast:
        memset(band, 0, s.sources * channel)
    for c in range(s.sources):
        memset(band + (c + 1) * channel - slot, 0, slot)
    pack_rows(s, v, 0, s.sources, image, images, band, [channel, slot, itemsize])


cdef inline bint joins(const Sweep *s, const Phase *const *phase, idx taps,
                       idx *pace) noexcept nogil:
    """Whether an output has `taps` of them along w that follow each other in the bank, and read
    elements `pace` apart, none of them padding."""
    cdef const Phase *p = phase[2]
    cdef idx in_bank
    return (p.taps == taps and p.index[p.offset[0]] >= 0 and even_run(p, 0, 0, pace) == taps
            and even_taps(phase, &s.filters, 0, taps, &in_bank) == taps
            and in_bank == s.tile.itemsize)


cdef inline void join_taps(const Sweep *s, Band *v) noexcept nogil:
    """Steps are channels.  Of one channel they are the taps along w, if all outputs' join alike."""
    cdef const Phase *phase[3]
    cdef idx i, taps, pace = 0, first = 0
    v.joined, v.x_step, v.w_step = 1, s.filters.source // s.tile.itemsize, v.channel
    if s.sources > 1 or v.taps == 0:
        return
    find_box(s, v.box, phase)
    taps = phase[2].taps
    if taps == 1 or tap_block(phase, 1) < v.taps:
        return
    for i in range(v.planes):
        if band_row(s, phase, v, i, 0) == NULL:
            return
    for i in range(v.boxes):
        find_box(s, v.box + i, phase)
        if not joins(s, phase, taps, &pace) or (i and pace != first):
            return
        first = pace
    v.joined, v.x_step, v.w_step = taps, 1, pace * s.abreast


cdef inline void find_steps(const Sweep *s, const Band *v, sc_line *line) noexcept nogil:
    """Where the lines of each output begin, [boxes][taps]: in the bank, and in the band."""
    cdef const Phase *phase[3]
    cdef const Phase *along
    cdef idx box, plane, k, m, bank, place
    cdef bint padding
    for box in range(v.boxes):
        find_box(s, v.box + box, phase)
        along, m = phase[2], box * v.taps
        for plane in range(v.planes):
            padding = band_row(s, phase, v, plane, 0) == NULL
            bank = (axis_offset(phase[0], &s.filters, 0, plane // phase[1].taps)
                    + axis_offset(phase[1], &s.filters, 1, plane % phase[1].taps))
            k = 0
            while k < along.taps:
                place = along.index[along.offset[k]] + plane * v.width - v.low
                if padding or along.index[along.offset[k]] < 0:
                    place = v.planes * v.width
                line[m].x = (bank + axis_offset(along, &s.filters, 2, k)) // s.tile.itemsize
                line[m].w = place * s.abreast
                m += 1
                k += v.joined


cdef inline void find_starts(const Sweep *s, const Band *v, char *start) noexcept nogil:
    """What the sums start from, laid out as they are: the bias, the same for all images."""
    cdef const Phase *phase[3]
    cdef idx slot = s.abreast * s.tile.itemsize, box
    for box in range(v.boxes):
        find_box(s, v.box + box, phase)
        spread_bias(s, phase, first_target(s, v.group, 0) + v.target, v.targets,
                    start + box * slot, v.boxes * slot, s.abreast)


cdef inline void list_targets(const Sweep *s, const Band *v, Halves *u) noexcept nogil:
    """All targets of an output: their sums are apart by those of the band's outputs."""
    cdef idx itemsize = s.tile.itemsize, row = v.boxes * s.abreast, t = 0, half, _i
    cdef idx most = 2 * most_rows(s, u.vectors), high = ceil_div(v.targets, most)
    while t < v.targets:
        half = min(ceil_div(v.targets, 2 * high), max((v.targets - t) // 2, <idx>1))
        for _i in range(min(<idx>2, v.targets - t)):
            list_half(s, u, half, <char *>u.item[0].x + t * s.filters.target,
                      s.filters.target // itemsize, v.x_step,
                      <char *>u.item[0].to + t * row * itemsize, row)
            t += half


cdef inline void sum_output(const Sweep *s, const Band *v, idx box, const char *band,
                            const sc_line *line, Halves *u) noexcept nogil:
    """All targets of one output, whose item is set; the filters of the next are asked for."""
    cdef const Phase *phase[3]
    cdef idx first = 0, count, block, most, m, taken, total
    cdef const char *filters = (s.filters.data + v.group * s.filters.group
                                + v.target * s.filters.target)
    find_box(s, v.box + box, phase)
    total = box_taps(phase)
    ask_rows(filters + (line.x * s.tile.itemsize if total else 0) + s.filters.bank[2],
             v.targets * s.filters.target,
             ceil_div(v.targets, 2 * most_rows(s, u.vectors)) * total * s.sources, u.ahead)
    block = channel_block(total, s.sources, s.targets)
    while True:
        count = min(block, s.sources - first) if total else 0
        most, m = tap_block(phase, max(count, <idx>1)), 0
        u.item[0].x = filters + first * s.filters.source
        u.item[0].w = band + first * v.channel * s.tile.itemsize
        while True:
            taken = min(most, total - m) if count else 0
            u.line, u.lines, u.steps = line + m, taken // v.joined, count * v.joined
            sum_lists(s, u)
            u.item[0].start = u.item[0].to
            m += taken
            if not taken or m == total:
                break
        first += count
        if not count or first == s.sources:
            break


cdef inline char *first_output(const Sweep *s, const Band *v, idx *pace) noexcept nogil:
    """Where the band's first output stands in the target, and how far apart they are."""
    cdef Block b
    cdef const Phase *phase[3]
    cdef idx *place = [0, 0, 0, 0]
    cdef idx steps[AXES]
    cdef char *at[2]
    cdef idx i
    for i in range(min(v.boxes, <idx>2)):
        find_box(s, v.box + i, phase)
        cut_block(&b, phase, s.batch, s.size, place)
        target_steps(&b, &s.target, steps)
        at[i] = target_at(&b, &s.target, steps, 0)
    pace[0] = at[1] - at[0] if v.boxes > 1 else 0
    return at[0] + (first_target(s, v.group, 0) + v.target) * s.target.channel


cdef inline void write_outputs(const Sweep *s, const Band *v, idx image, idx images,
                               char *sums) noexcept nogil:
    """Sums, [targets][boxes][images], to the target."""
    cdef idx slot = s.abreast * s.tile.itemsize, pace
    cdef char *to = first_output(s, v, &pace) + image * s.target.batch
    move_cube(s.tile, to, [s.target.channel, pace, s.target.batch], sums,
              [v.boxes * slot, slot, s.tile.itemsize], [v.targets, v.boxes, images])


cdef inline void batch_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    """Some targets of a row of outputs, for all images."""
    cdef Band v
    cdef Halves u
    cdef sc_stream ahead[2]
    cdef idx image = 0, images, box, slot = s.abreast * s.tile.itemsize
    cdef char *sums = scratch + s.at[PIXELS]
    cdef char *starts = scratch + s.at[SPARE]
    cdef sc_line *line = <sc_line *>(scratch + s.at[LINES])
    find_band(s, task, &v)
    join_taps(s, &v)
    find_steps(s, &v, line)
    find_starts(s, &v, starts)
    open_halves(&u, s.abreast, s.chunk, scratch + s.at[TAPS])
    u.vectors, u.ahead = abreast_vectors(s), ahead
    u.spare, u.ws = sums + v.targets * v.boxes * slot, v.w_step
    u.item[0].x, u.item[0].to = s.filters.data, sums
    list_targets(s, &v, &u)
    while image < s.batch:
        images = min(s.abreast, s.batch - image)
        pack_band(s, &v, image, images, scratch)
        for box in range(v.boxes):
            u.item[0].to, u.item[0].start = sums + box * slot, starts + box * slot
            sum_output(s, &v, box, scratch, line + box * v.taps, &u)
        write_outputs(s, &v, image, images, sums)
        image += images
