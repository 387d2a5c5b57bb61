# cython: boundscheck=False, wraparound=False, cdivision=True
"""What all tasks share: the description of a sweep.

A sweep is cut into tasks of one kind: `_gather.pxd` makes outputs, `_reduce.pxd` filters.

An element of a panel is one value, or a vector of them with a lane for each of neighbouring groups:
the latter where groups have so few channels that a vector of outputs would be mostly empty.
All else in a sweep is the same for both.
"""

from libc.string cimport memset

from sweepconv._box cimport AXES, Array, Block, Filters, Phase, box_taps, ceil_div, cut_block, idx
from sweepconv._filters cimport move_filters
from sweepconv._kernels cimport SC_CACHE_LINE, SC_OUTER, sc_tile, sc_tiles
from sweepconv._panel cimport Columns

cdef enum:
    FEW_TARGETS = 12   # up to which lanes of targets would be mostly empty
    FEW_CHANNELS = 16
    WIDE_CHANNELS = 32  # Winograd: of a transformation, whose panels stay in the second-level cache
    STEPS = 576  # of one tile: its filter panel, 72 KiB, stays in the second-level cache

cdef enum:
    # Of a thread's scratch memory; the source panel, or spare filters, stand first.
    PIXELS
    SPARE
    RUNS
    TAPS
    LINES
    INIT
    ITEMS
    OWN
    PARTS


cdef struct Sweep:
    const sc_tiles *tile
    bint planes             # lanes are pixels, see _planes.pxd
    int kind                # of tile
    idx lanes               # values of an element of a panel
    idx unit                # its bytes
    idx columns             # targets of a filter panel
    const Phase *phases[3]
    idx phase_count[3]
    Array source            # x, or dy in the input gradient
    Array target            # y, dx, or dy in the weight gradient
    Filters filters         # w or dw
    const char *bias        # NULL: none
    idx bias_bank[3]
    idx bias_channel
    idx batch
    idx all_groups
    idx groups              # blocks of `lanes` groups
    idx sources             # channels of a group that the filters read
    idx targets             # channels of a group that the filters make
    idx panels              # filter panels in a block of groups
    idx size[AXES]          # outputs of a block
    idx blocks[AXES]        # of the largest box
    idx chunk               # filter panels of a task
    idx chunks
    idx items               # gather: filter panels that a source panel meets, at most
    idx group_chunk         # gather: blocks of groups of a task
    idx group_chunks
    idx box_chunk           # gather: boxes of a task
    idx half                # rows of half a tile, where it is fixed
    idx rows                # planes: targets of a filter panel
    bint shifted            # planes: filters have shifted copies too, see _shifts.pxd
    bint stacked            # planes: rows of a tile are image rows, or its halves lines of taps
    idx source_chunk        # weight gradient: sources of a task
    idx source_chunks
    idx parts               # weight gradient: parts of the pixels
    idx first               # box of task 0; weight gradient: share of task 0
    idx round               # weight gradient: of `rounds` that each part is taken in
    idx rounds
    int winograd            # gather: m of F(m, 3), or 0: the direct sweep
    idx vector_channels     # Winograd: sources, filled up to whole vectors
    idx held                # Winograd: filter panels whose products are held at once
    idx wide                # blocks of groups in a source panel
    bint in_place           # gather: the source is read where it lies, but for its borders
    idx abreast             # local layers: images in the lanes of one vector or two
    bint own_filters        # gather: each task packs the filters that it alone uses
    bint reads_zeros        # of padding
    bint accumulate
    int *finite             # gather: cleared when a filter panel holds NaN or Inf
    char *panel_data        # filter panels, or the buffers of the weight gradient
    idx panel_bytes         # of one
    idx at[PARTS]               # of the parts of a thread's scratch, in bytes
    idx scratch_bytes


cdef inline void find_box(const Sweep *s, idx box, const Phase **phase) noexcept nogil:
    cdef int a
    for a in range(2, -1, -1):
        phase[a] = s.phases[a] + box % s.phase_count[a]
        box //= s.phase_count[a]


cdef inline idx most_taps(const Sweep *s) noexcept nogil:
    """Taps of a box, at most."""
    cdef idx taps = 1, most, i
    cdef int a
    for a in range(3):
        most = 0
        for i in range(s.phase_count[a]):
            most = max(most, s.phases[a][i].taps)
        taps *= most
    return taps


cdef inline void find_block(const Sweep *s, idx block, idx *place) noexcept nogil:
    cdef int a
    for a in range(AXES - 1, -1, -1):
        place[a] = block % s.blocks[a]
        block //= s.blocks[a]


cdef struct Part:
    # What a task of `gather` makes: some filter panels of some blocks of groups.
    idx box
    idx group
    idx last_group
    idx panel
    idx last_panel
    idx next                # block of the thread's next task


cdef inline bint cut_task(const Sweep *s, idx task, idx nth, const Phase **phase, Block *b,
                          Part *part) noexcept nogil:
    """The block of outputs of a task in the nth of its boxes, and its part of their channels; False
    where the block is empty."""
    cdef idx *place = [0, 0, 0, 0]
    cdef idx per_box = s.blocks[0] * s.blocks[1] * s.blocks[2] * s.blocks[3]
    find_block(s, task % per_box, place)
    part.next = (task + 1) % per_box
    task //= per_box
    part.panel = task % s.chunks * s.chunk
    part.last_panel = min(part.panel + s.chunk, s.panels)
    task //= s.chunks
    part.group = task % s.group_chunks * s.group_chunk
    part.last_group = min(part.group + s.group_chunk, s.groups)
    part.box = task // s.group_chunks * s.box_chunk + nth
    find_box(s, s.first + part.box, phase)
    return cut_block(b, phase, s.batch, s.size, place)


cdef inline idx channel_block(idx taps, idx channels, idx targets) noexcept nogil:
    """Channels that one tile sums over; with all taps about STEPS steps.  Fixed by the filter.

    Fewer where there are few targets: then planes of wide images stay in the cache.
    """
    cdef idx most = max(8, STEPS // max(taps, 1) // 8 * 8)
    if taps > 1 and targets <= FEW_TARGETS:
        most = min(most, FEW_CHANNELS)
    if channels <= most:
        return max(channels, 1)
    return ceil_div(ceil_div(channels, ceil_div(channels, most)), 8) * 8


cdef inline int tile_edge(const Sweep *s, idx taps) noexcept nogil:
    """Outputs of a Winograd tile along an axis; 1 where the axis is not transformed."""
    return s.winograd if s.winograd and taps == 3 else 1


cdef inline int tile_positions(int edge) noexcept nogil:
    """Source elements that a Winograd tile of `edge` outputs reads along an axis."""
    return edge + 2 if edge > 1 else 1


cdef inline idx tap_block(const Phase **phase, idx channels) noexcept nogil:
    """Taps that one tile sums over: all, or about STEPS steps in whole rows of the kernel."""
    cdef idx taps = box_taps(phase), row = phase[2].taps, most
    if 2 * taps * channels <= 3 * STEPS:
        return max(taps, 1)
    most = max(STEPS // channels, 1)
    return most // row * row if most >= row else most


cdef inline idx lane_count(const Sweep *s, idx group) noexcept nogil:
    """Lanes in use of a block of groups."""
    return min(s.lanes, s.all_groups - group * s.lanes)


cdef inline idx target_count(const Sweep *s, idx panel) noexcept nogil:
    return min(s.columns, s.targets - panel * s.columns)


cdef inline idx used_values(const Sweep *s, idx group, idx panel) noexcept nogil:
    """Of a row of a filter panel: up to the last in use."""
    return (target_count(s, panel) - 1) * s.lanes + lane_count(s, group)


cdef inline int panel_vectors(const Sweep *s, idx group, idx panel) noexcept nogil:
    """Vectors that the values of a panel fill: 1 or 2."""
    return 1 if used_values(s, group, panel) <= s.tile.vector else 2


cdef inline bint fills(const Sweep *s, idx group, idx panel) noexcept nogil:
    """Whether the values of a panel fill its vectors."""
    return (used_values(s, group, panel) == panel_vectors(s, group, panel) * s.tile.vector
            and (s.lanes == 1 or target_count(s, panel) == 1))


cdef inline int most_vectors(const Sweep *s) noexcept nogil:
    return 1 if 2 * min(s.columns, s.targets) <= s.columns or s.tile.nb == s.tile.vector else 2


cdef inline sc_tile tile_of(const Sweep *s, int vectors, idx half) noexcept nogil:
    return s.tile.tile[s.kind][vectors - 1][half - 1]


cdef inline int abreast_vectors(const Sweep *s) noexcept nogil:
    return 1 if s.abreast < s.tile.nb else 2


cdef inline idx most_rows(const Sweep *s, int vectors) noexcept nogil:
    """Of half a tile."""
    return s.tile.tall if vectors == 1 else s.tile.half


cdef inline idx tile_cost(idx half, int vectors) noexcept nogil:
    """Of a step: a half row a vector, and not less than the latency of its sums."""
    return max(2 * half * vectors + 1, 10)


cdef inline idx best_half(const Sweep *s, idx length, idx lines, int vectors) noexcept nogil:
    """The height of half a tile that covers `lines` lines of `length` rows at the least cost."""
    cdef idx half = most_rows(s, vectors), best = half, least = -1, cost
    while half > 0:
        cost = (lines * ceil_div(length, half) + 1) // 2 * tile_cost(half, vectors)
        if least < 0 or cost <= least:
            best, least = half, cost
        half -= 1
    return best


cdef inline idx best_run(const Sweep *s, idx length, idx lines, int vectors) noexcept nogil:
    """The same for lines cut into runs as long as each other but for one pixel."""
    cdef idx most = min(most_rows(s, vectors), max(length, <idx>1)), best = most, least = -1, cost
    cdef idx half, runs, longer
    for half in range(most, 0, -1):
        runs = ceil_div(length, half)
        longer = length % runs
        cost = ((lines * longer + 1) // 2 * tile_cost(length // runs + 1, vectors)
                + (lines * (runs - longer) + 1) // 2 * tile_cost(length // runs, vectors))
        if least < 0 or cost < least:
            best, least = half, cost
    return best


cdef inline void source_columns(const Sweep *s, const Array *x, idx group, idx groups,
                                idx channels, Columns *c) noexcept nogil:
    """How the channels of blocks of groups stand in x and in an element of the source panel."""
    if s.kind == SC_OUTER:
        c.repeat, c.repeat_step, c.count, c.step = 1, 0, channels, x.channel
    else:
        c.repeat, c.repeat_step = channels, x.channel
        c.count = min(s.lanes * groups, s.all_groups - group * s.lanes)
        c.step = s.sources * x.channel
    c.pitch = s.unit
    c.whole = s.kind == SC_OUTER or c.count == s.lanes * groups


cdef inline void target_columns(const Sweep *s, idx channel, idx group, idx panel,
                                Columns *c) noexcept nogil:
    """The same for the targets of a panel, `channel` bytes apart in their array."""
    if s.kind == SC_OUTER:
        c.repeat, c.repeat_step, c.count, c.step = 1, 0, target_count(s, panel), channel
        c.whole = c.count == s.columns
    else:
        c.repeat, c.repeat_step = target_count(s, panel), channel
        c.count, c.step = lane_count(s, group), s.targets * channel
        c.whole = c.repeat == s.columns and c.count == s.lanes
    c.pitch = s.unit


cdef inline bint pixels_collide(idx apart) noexcept nogil:
    """Whether pixels so many bytes apart share two sets of the first-level cache."""
    return apart % 2048 == 0


cdef inline idx packed_pitch(const Sweep *s, idx channels) noexcept nogil:
    """Values from one packed pixel to the next, of `channels` of each of its groups: a line of the
    cache more where they would collide."""
    cdef idx values = channels * s.lanes * s.wide, itemsize = s.tile.itemsize
    return values + SC_CACHE_LINE // itemsize if pixels_collide(values * itemsize) else values


cdef inline bint weaves(const Sweep *s, const Block *b) noexcept nogil:
    """Whether rows of a block take every second place of the target, and what stands between is of
    the same task, or nobody's: see `sc_weave`.  A task has all boxes, and the same part of both
    phases, if there are no more."""
    return (b.phase[2].step == 2 and s.target.space[2] == s.tile.itemsize and s.box_chunk > 1
            and s.phase_count[2] <= 2)


cdef inline idx first_source(const Sweep *s, idx group) noexcept nogil:
    return group * s.lanes * s.sources


cdef inline idx first_target(const Sweep *s, idx group, idx panel) noexcept nogil:
    return group * s.lanes * s.targets + panel * s.columns


cdef inline void move_panel(const Sweep *s, const Phase **phase, idx group, idx source, idx sources,
                            idx panel, char *to, idx joined, idx pitch, char *spare,
                            bint to_panel) noexcept nogil:
    """Filters of one panel: from the bank, or back; see `move_filters`."""
    move_filters(s.tile, phase, &s.filters, s.lanes, lane_count(s, group), group * s.lanes, source,
                 sources, panel * s.columns, target_count(s, panel), to, joined, pitch, spare,
                 to_panel)


cdef inline char *find_bias(const Sweep *s, const Phase *const *phase, idx channel) noexcept nogil:
    """Where the bias of a target channel of a box stands."""
    cdef char *at = <char *>s.bias + channel * s.bias_channel
    cdef int a
    for a in range(3):
        if phase[a].taps:
            at += phase[a].filter[0] * s.bias_bank[a]
    return at


cdef inline void spread_bias(const Sweep *s, const Phase *const *phase, idx channel, idx channels,
                             char *rows, idx pitch, idx lanes) noexcept nogil:
    """The bias of each channel in all lanes of its row, or zero if there is none; `pitch` counts
    bytes."""
    cdef const char *at = NULL
    cdef idx i
    if s.bias != NULL:
        at = find_bias(s, phase, channel)
    for i in range(channels):
        if at == NULL:
            memset(rows + i * pitch, 0, lanes * s.tile.itemsize)
        else:
            s.tile.move(rows + i * pitch, 0, s.tile.itemsize, at + i * s.bias_channel, 0, 0, 1,
                        lanes)
