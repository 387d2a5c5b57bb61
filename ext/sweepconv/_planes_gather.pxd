# cython: boundscheck=False, wraparound=False, cdivision=True
"""The tasks of forward and input gradient where lanes are pixels, see `_planes.pxd`.

Few targets are the rows of a tile, SC_CROSS.  One takes SC_SPREAD, whose rows are pixels further
on, or SC_OUTER where filters are long, see `_shifts.pxd`.  As in `_gather.pxd`, one task owns an
output, and its order of summation follows from taps and channels alone.
"""

from libc.string cimport memset

from sweepconv._box cimport AXES, Block, Phase, box_taps, ceil_div, idx
from sweepconv._filters cimport even_taps, tap_offset
from sweepconv._kernels cimport (
    SC_CROSS, SC_OUTER, SC_SPREAD, sc_item, sc_line, sc_pair, sc_steps,
)
from sweepconv._panel cimport target_at, target_steps
from sweepconv._planes cimport Planes, count_lines, find_planes, line_at, pack_planes, plane_taps
from sweepconv._planes_view cimport LEAST_LINE, next_part, view_planes
from sweepconv._runs cimport find_lines
from sweepconv._shifts cimport pack_shifts, shift_steps, shifted_at
from sweepconv._task cimport (
    FEW_TARGETS, INIT, LINES, PIXELS, RUNS, SPARE, TAPS, Part, Sweep, channel_block, cut_task,
    find_box, spread_bias, tap_block, weaves,
)


cdef enum:
    CROSS_HALF = 6


cdef inline void place_sums(const Sweep *s, Planes *p) noexcept nogil:
    """Sums stand as the planes; from one target to the next, a plane and a tile beyond it."""
    cdef idx row = ceil_div(p.plane + s.tile.nb, s.tile.nb) * s.tile.nb
    cdef int a
    for a in range(AXES):
        p.to_pitch[a] = p.pitch[a]
    p.to_row = row + s.tile.nb // 2 if row * s.tile.itemsize % 4096 == 0 else row


cdef struct Spread:
    # The pieces of a block, nb pixels each, in runs of two lengths: the rows of SC_SPREAD.  They
    # follow each other in a line, or in a column where they are stacked.
    sc_pair *pair        # `pairs` of each length, and one of halves of one vector if `odd`
    sc_pair *end
    idx rows[2]
    idx pairs[2]
    bint odd[2]
    bint from_init


cdef inline void plane_steps(const Sweep *s, Block *b, const Planes *p, const idx *start,
                             idx first, idx taken, idx channels, sc_line *line,
                             sc_steps *t) noexcept nogil:
    """Steps of some taps of all channels of a panel: each tap a line of channels, in the order of
    `_gather.pxd`; neighbouring taps of one channel are one line too."""
    cdef idx i
    t.line, t.ahead, t.ks, t.ws = line, NULL, p.channel, s.targets
    if channels == 1:
        b.scale = t.ks = 1
        t.len = find_lines(b, &b.taps, start, first, taken, b.stride[3] == 1, 1, s.targets, line,
                           &t.lines)
    else:
        for i in range(taken):
            line[i].x, line[i].w = start[first + i], i * channels * s.targets
        t.lines, t.len = taken, channels


cdef inline idx run_start(const Planes *p, idx at, idx width) noexcept nogil:
    """Where a run of so many outputs begins that is due at `at` of a line: in place, it goes no
    further than the line."""
    return min(at, p.length - width) if p.in_place else at


cdef inline void find_spread(const Sweep *s, const Block *b, const Planes *p,
                             Spread *q) noexcept nogil:
    """Runs of pieces of all lines, as long as each other but for one piece, in pairs."""
    cdef idx nb = s.tile.nb, most = s.tile.half if s.kind == SC_SPREAD else 1
    cdef idx pieces = ceil_div(p.length, nb), lines = count_lines(b, p), columns = 1
    cdef idx height = 1, each, longer, per_line, first, rows, line, two, column, run, at, k, j
    cdef sc_pair *pair = q.pair
    if p.in_place:  # no run is longer than a line
        most = min(most, p.length // nb)
    if p.stacked:
        most, height, columns, pieces = s.tile.stack, b.n[2], pieces, b.n[2]
    lines //= height
    each = ceil_div(pieces, most)
    longer = pieces % each
    for k in range(2):  # the longer ones, which begin a line, then the others
        rows = pieces // each + 1 - k
        per_line = each - longer if k else longer
        first = longer * (rows + 1) if k else 0
        q.rows[k], q.pairs[k] = rows, lines * columns * per_line // 2
        j = 0
        for line in range(lines if per_line else 0):
            for two in range(ceil_div(per_line, 2)):
                for column in range(columns):
                    for run in range(2 * two, min(2 * two + 2, per_line)):
                        place_run(s, b, p, line * height, first + run * rows, column, rows, j, pair)
                        pair += j
                        j ^= 1
        q.odd[k] = j
        if j:  # of one vector, the second beyond the first
            at = nb // 2 * (1 if p.stacked else rows) * s.tile.itemsize
            pair.x[1], pair.to[1] = pair.x[0] + at, pair.to[0] + at
            pair.start[1] = 0
            pair += 1
    q.end, q.from_init = pair, True


cdef inline void place_run(const Sweep *s, const Block *b, const Planes *p, idx line, idx piece,
                           idx column, idx rows, int j, sc_pair *pair) noexcept nogil:
    """Half j of a tile: the run of `rows` pieces from number `piece` of a line, or of a column of
    pieces in the lines from `line` on."""
    cdef idx nb = s.tile.nb, at
    if p.stacked:
        at, line = run_start(p, column * nb, nb), line + piece
    else:
        at = run_start(p, piece * nb, rows * nb)
    pair.x[j] = (line_at(b, p, p.pitch, line) + at) * s.tile.itemsize
    pair.to[j] = (line_at(b, p, p.to_pitch, line) + at) * s.tile.itemsize
    pair.start[j] = 0


cdef inline void start_spread(Spread *q, bint from_init) noexcept nogil:
    """All sums start from one row, or from themselves."""
    cdef sc_pair *pair = q.pair
    cdef int j
    if q.from_init == from_init:
        return
    q.from_init = from_init
    while pair < q.end:
        for j in range(2):
            pair.start[j] = 0 if from_init else pair.to[j]
        pair += 1


cdef inline idx cross_half(const Sweep *s) noexcept nogil:
    """Rows of SC_CROSS, at most: filters are in registers too."""
    return min(s.tile.half, <idx>CROSS_HALF)


cdef inline void sum_cross(const Sweep *s, const Spread *q, const sc_item *item, idx items,
                           idx half, sc_steps *t) noexcept nogil:
    """`half` targets of each item: rows of the tile are targets."""
    if items:
        s.tile.tile[SC_CROSS][1][half - 1](item, items, q.pair, q.pairs[1], t)
        s.tile.tile[SC_CROSS][0][half - 1](item, items, q.pair + q.pairs[1], q.odd[1], t)


cdef inline void sum_targets(const Sweep *s, const Planes *p, const Spread *q, const char *planes,
                             const char *filters, const char *init, sc_steps *t,
                             char *sums) noexcept nogil:
    """All targets of all lines: items of as many targets as each other, but for one."""
    cdef sc_item item[FEW_TARGETS]
    cdef idx itemsize = s.tile.itemsize, items = ceil_div(s.targets, cross_half(s))
    cdef idx half = s.targets // items, longer = s.targets % items, i
    t.to_row, t.start_row = p.to_row, p.to_row if init == NULL else s.tile.nb
    for i in range(items):
        item[i].x, item[i].w, item[i].to = planes, filters, sums
        item[i].start = sums if init == NULL else init
        filters += (half + (i < longer)) * itemsize
        sums += (half + (i < longer)) * p.to_row * itemsize
        if init != NULL:
            init += (half + (i < longer)) * s.tile.nb * itemsize
    sum_cross(s, q, item, longer, half + 1, t)
    sum_cross(s, q, item + longer, items - longer, half, t)


cdef inline void sum_spread(const Sweep *s, const Planes *p, const Spread *q, bint shifted,
                            const char *planes, const char *filters, const char *init,
                            sc_steps *t, char *sums) noexcept nogil:
    """The one target of all lines: rows of the tile are pixels further on."""
    cdef const sc_pair *pair = q.pair
    cdef sc_item item
    cdef idx k, vectors, count
    cdef int kind = SC_OUTER if shifted else SC_SPREAD
    item.to, item.x, item.w = sums, planes, filters
    item.start = sums if init == NULL else init
    for k in range(2):
        for vectors in range(2, 0, -1):
            count = q.pairs[k] if vectors == 2 else q.odd[k]
            t.rs = t.to_row = vectors * s.tile.nb // 2
            if p.stacked:
                t.rs, t.to_row = p.pitch[2], p.to_pitch[2]
            t.start_row = t.to_row if init == NULL else 0
            if count:  # else there may be no tile of so many rows
                s.tile.tile[kind][vectors - 1][q.rows[k] - 1](&item, 1, pair, count, t)
            pair += count


cdef inline bint finite_planes(const Sweep *s, const Block *b, const Planes *p,
                               char *panel) noexcept nogil:
    """Whether the planes of one channel are."""
    cdef idx size = b.stride[1] * b.stride[2] * b.stride[3] * p.plane, nb = s.tile.nb
    memset(panel + size * s.tile.itemsize, 0, nb * s.tile.itemsize)
    return s.tile.finite(panel, ceil_div(size, nb) * nb)


cdef inline void write_planes(const Sweep *s, const Block *b, const Planes *p, idx group,
                              char *sums, char *spare) noexcept nogil:
    """The finished sums to the target, or added to what stands there: rows of h, or of targets."""
    cdef idx steps[AXES]
    cdef idx itemsize = s.tile.itemsize, height = b.n[2], width = b.n[3], i, r
    cdef idx sum_row = p.pitch[2] * itemsize, channel = s.target.channel
    cdef char *to
    cdef char *at
    target_steps(b, &s.target, steps)
    for i in range(b.n[0] * b.n[1]):
        for r in range(s.targets):
            at = sums + (i // b.n[1] * p.pitch[0] + i % b.n[1] * p.pitch[1]
                         + r * p.to_row) * itemsize
            to = (target_at(b, &s.target, steps, i * height * width)
                  + (group * s.targets + r) * channel)
            if s.accumulate:
                add_old(s, to, steps, height, width, at, sum_row, spare)
            if height > 1:
                write_rows(s, b, to, steps[2], at, sum_row, height)
            elif r == 0:  # all targets at once
                write_rows(s, b, to, channel, at, p.to_row * itemsize,
                           1 if s.accumulate else s.targets)
            elif s.accumulate:
                write_rows(s, b, to, channel, at, p.to_row * itemsize, 1)


cdef inline void write_rows(const Sweep *s, const Block *b, char *to, idx to_row,
                            const char *sums, idx sum_row, idx rows) noexcept nogil:
    """Rows of w."""
    if weaves(s, b):
        s.tile.weave(to, to_row, sums, sum_row, rows, b.n[3])
    else:
        s.tile.move(to, to_row, b.phase[2].step * s.target.space[2], sums, sum_row,
                    s.tile.itemsize, rows, b.n[3])


cdef inline void add_old(const Sweep *s, const char *old, const idx *steps, idx height, idx width,
                         char *sums, idx sum_row, char *spare) noexcept nogil:
    """What stands in the target for one target and one (n, d), added to its sums."""
    cdef idx i
    for i in range(height):
        s.tile.move(spare, 0, s.tile.itemsize, old + i * steps[2], 0, steps[3], 1, width)
        s.tile.add(sums + i * sum_row, spare, width)


cdef inline void planes_group(const Sweep *s, Block *b, const Planes *p, Spread *q, idx box,
                              idx group, const idx *taps, char *scratch) noexcept nogil:
    """All sums of one group for the block b of outputs."""
    cdef idx total = box_taps(b.phase), block = channel_block(total, s.sources, s.targets)
    cdef idx most, count, c = 0, first, taken, at
    cdef const char *planes = scratch
    cdef char *sums = scratch + s.at[PIXELS]
    cdef char *init = scratch + s.at[INIT]
    cdef const char *start = init
    cdef const char *filters = s.panel_data + (box * s.groups + group) * s.panel_bytes
    cdef const Phase *const *phase = <const Phase *const *>b.phase
    cdef bint shifted = False
    cdef sc_line *line = <sc_line *>(scratch + s.at[LINES])
    cdef sc_steps t
    spread_bias(s, phase, group * s.targets, s.targets, init, s.tile.nb * s.tile.itemsize,
                s.tile.nb)
    if p.in_place:
        planes = p.source + group * s.sources * s.source.channel
        sums = p.target + group * s.targets * s.target.channel
    while True:
        count = min(block, s.sources - c) if total else 0
        if count and not p.in_place:
            pack_planes(s, b, p, group * s.sources + c, count, 2 * s.tile.nb * s.tile.itemsize,
                        scratch)
            shifted = s.shifted and finite_planes(s, b, p, scratch)
        first, most = 0, tap_block(b.phase, max(count, 1))
        while True:
            taken = min(most, total - first) if count else 0
            if shifted:
                shift_steps(s, b, taps, first, taken, line, &t)
            else:
                plane_steps(s, b, p, taps, first, taken, count, line, &t)
            at = (c * total + first * count) * s.targets * s.tile.itemsize
            start_spread(q, start != NULL)
            if s.kind == SC_CROSS:
                sum_targets(s, p, q, planes, filters + at, start, &t, sums)
            else:
                sum_spread(s, p, q, shifted, planes,
                           filters + (shifted_at(s, phase) if shifted else at), start, &t, sums)
            start = NULL
            first += taken
            if not taken or first == total:
                break
        c += count
        if not count or c == s.sources:
            break
    if not p.in_place:
        write_planes(s, b, p, group, sums, scratch + s.at[SPARE])


cdef inline void planes_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    cdef idx nth
    for nth in range(s.box_chunk):
        planes_box(s, task, nth, scratch)


cdef inline void planes_box(const Sweep *s, idx task, idx nth, char *scratch) noexcept nogil:
    cdef const Phase *phase[3]
    cdef Block b, piece
    cdef Part part
    cdef bint inside, wide
    cdef idx *at = [0, 0, 0]
    if not cut_task(s, task, nth, phase, &b, &part):
        return
    if not s.in_place:
        planes_block(s, &b, &part, s.stacked, False, scratch)
        return
    while next_part(&b, at, &piece, &inside):
        wide = piece.n[3] >= LEAST_LINE
        planes_block(s, &piece, &part, s.stacked and wide, inside and wide, scratch)


cdef inline void planes_block(const Sweep *s, Block *b, const Part *part, bint stacked,
                              bint in_place, char *scratch) noexcept nogil:
    """All that a task makes of one block of outputs, whose source is packed, or read as it lies."""
    cdef Planes p
    cdef Spread q
    cdef idx group
    cdef idx *taps = <idx *>(scratch + s.at[TAPS])
    find_planes(b, s.tile.nb, stacked, &p)
    if in_place:
        view_planes(s, b, &p)
    else:
        place_sums(s, &p)
    plane_taps(b, &p, taps)
    q.pair = <sc_pair *>(scratch + s.at[RUNS])
    find_spread(s, b, &p, &q)
    for group in range(part.group, part.last_group):
        planes_group(s, b, &p, &q, part.box, group, taps, scratch)


# Filter panels: [box][group][channel block][tap][channel][target], and what `_shifts.pxd` adds.

cdef inline void pack_planes_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    cdef const Phase *phase[3]
    cdef idx group = task % s.groups, itemsize = s.tile.itemsize
    cdef idx taps, block, count, first = 0, c, m, run, pace, step = s.targets * itemsize
    cdef char *panel = s.panel_data + task * s.panel_bytes
    cdef char *to = panel
    cdef char *bank
    cdef const Phase *const *filters
    find_box(s, s.first + task // s.groups, phase)
    taps = box_taps(phase)
    block = channel_block(taps, s.sources, s.targets)
    memset(panel, 0, s.panel_bytes)
    while first < s.sources and taps:
        count = min(block, s.sources - first)
        for c in range(count):
            bank = (s.filters.data + group * s.filters.group
                    + (first + c) * s.filters.source)
            m = 0
            while m < taps:
                run = even_taps(phase, &s.filters, m, taps - m, &pace)
                s.tile.move(to + (m * count + c) * step, count * step, itemsize,
                            bank + tap_offset(phase, &s.filters, m), pace, s.filters.target, run,
                            s.targets)
                m += run
        to += count * taps * step
        first += count
    if s.shifted:
        filters = <const Phase *const *>phase
        pack_shifts(s, filters, panel, panel + shifted_at(s, filters))
    if not s.tile.finite(panel, s.panel_bytes // itemsize):
        s.finite[0] = False
