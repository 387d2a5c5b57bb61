# cython: boundscheck=False, wraparound=False, cdivision=True
"""What the lanes of vectors are in a sweep: targets, groups or pixels, whichever takes least; and
which of the tables of tiles serves it."""

from sweepconv._box cimport Extents, ceil_div, filter_panel_steps, idx
from sweepconv._kernels cimport (
    SC_CACHE_LINE, SC_CROSS, SC_EACH, SC_LANES, SC_OUTER, SC_SPREAD,
)
from sweepconv._planes cimport plane_size, stacked_width
from sweepconv._shifts cimport SPREAD_COST, single_cost
from sweepconv._task cimport FEW_TARGETS, Sweep

cdef enum:
    # Costs in hundredths of a vector multiply-add:
    LONE_VECTOR = 115         # of a step where a tile is one vector wide, or lanes are groups
    SINK_VECTORS = 4          # of a line in the weight gradient
    SINK_COST = 125           # of a tap of a target there
    STACK_COST = 130          # of a tap of one target where rows of a tile are rows of the image
    CROSS_COST = 115          # of a tap of a target whose lanes are pixels
    TURN = 150                # to transpose an element
    TURN_PLANES = 130         # the same into planes
    TURN_PIECES = 200         # of one channel, or with a stride: less of each line is of use
    PART = 45                 # to part the elements of a stride
    PART_GROUPS = 600         # from planes to places that are parts of every second pixel, or so
    TURN_LANES = 200          # into lanes of groups
    GATHER_LANES = 190        # and where the channels of a pixel are contiguous
    SINGLE_LANES = 400        # where groups are too few for blocks of values, in any memory order
    BLOCK_BYTES = 32          # of a row of such a block
    SHORTER_COST = 93         # percent of a vector multiply-add that one half as long takes
    LOOSE = 3000              # to write a pixel whose targets do not fill vectors
    OPEN_PLANE = 50 * 1000    # to begin with a plane
    OPEN_PLANES = 250 * 1000  # and with those of a group


cdef inline bint line_vectors(const Sweep *s) noexcept nogil:
    """Whether vectors are as long as a line of the cache, so that all loads of pixels cross one."""
    return s.tile.vector * s.tile.itemsize >= SC_CACHE_LINE


cdef inline bint stacks(const Sweep *s, const Extents *e, bint gathers) noexcept nogil:
    """Whether rows of a tile should be rows of the image, or its halves lines of taps: they stand
    below each other, and whole vectors are hardly wider than the image."""
    if not (s.tile.stack > 0 and e.outputs[1] >= s.tile.stack and e.stride[1] == 1
            and e.span[1] == e.taps[1] and e.least_taps[1] > 1):
        return False
    if not gathers:
        return e.outputs[2] >= SINK_VECTORS * s.tile.vector
    return (s.targets == s.sources == 1
            and 4 * stacked_width(e.outputs[2], s.tile.nb, True) <= 5 * e.outputs[2])


cdef inline idx planes_cost(const Sweep *s, const Extents *e, bint gathers) noexcept nogil:
    """Of a sum over planes, in hundredths of a vector multiply-add for each pixel and group.

    Loads of pixels cross cache lines: where each serves one sum, it takes twice the time.
    """
    cdef idx lanes = s.tile.vector, vector = s.tile.nb if gathers else lanes, cost
    cdef idx rows = e.outputs[0] * e.outputs[1], pixels = max(rows * e.outputs[2], <idx>1)
    cdef idx wide = rows * plane_size(e.outputs[2], e.span[2], max(e.stride[2], <idx>1))
    wide = ceil_div(wide, vector) * vector
    if gathers:
        cost = s.targets * <idx>CROSS_COST
        if s.targets == 1:
            cost = STACK_COST if stacks(s, e, True) else single_cost(s, e)
        cost += lanes * (OPEN_PLANE + OPEN_PLANES // max(s.sources, 1)) // (
            pixels * max(filter_panel_steps(e), <idx>1))
    elif e.stride[2] > 1:
        return -1
    else:
        cost = 200 if s.targets == 1 else 115 * ceil_div(s.targets, 2) * 2
        if stacks(s, e, False):
            cost = SINK_COST if s.targets == 1 else cost
        elif line_vectors(s) and s.targets > 1:
            cost = cost * 8 // 5
        if e.joined == 1:
            cost *= 2
    if s.targets == 1 or not gathers:  # a margin: which is faster differs by machine
        cost += cost // 4
    return cost * wide // pixels // lanes


cdef struct Costs:
    # Of a tap of all targets of all groups, for each kind of lanes, in the same.
    idx planes           # pixels; below zero where they cannot be
    idx groups
    idx values           # targets


cdef inline idx packed_share(const Extents *e) noexcept nogil:
    """Elements of the source that a block packs for each of its outputs, in hundredths: those of a
    stride, and, since blocks are whole rows, some of its neighbours' in d and h."""
    cdef idx share = 100 * min(e.stride[2], e.span[2])
    cdef int a
    for a in range(2):
        share = share * (4 * min(e.stride[a], e.span[a]) + max(e.span[a] - e.stride[a], 0)) // 4
    return share


cdef inline Costs weigh_kinds(const Sweep *s, const Extents *e, bint gathers,
                              bint last) noexcept nogil:
    """With what it takes to transpose arrays whose channels come last in memory, or do not."""
    cdef Costs c
    cdef idx lanes = s.tile.vector, vectors = ceil_div(s.targets, lanes)
    cdef idx steps = max(s.sources * filter_panel_steps(e), <idx>1)
    cdef idx elements = s.all_groups * (s.sources + s.targets), turned = elements
    cdef bint whole = s.sources > 1 and e.stride[2] == 1
    cdef bint single = s.all_groups * s.tile.itemsize < BLOCK_BYTES
    if s.sources > 1:
        turned = s.all_groups * (s.sources * packed_share(e) // 100 + s.targets)
    if line_vectors(s):  # whose multiply-adds take twice as long on some machines
        elements, turned = elements * 2 // 3, turned * 2 // 3
    c.planes = planes_cost(s, e, gathers) * s.all_groups
    c.groups = ceil_div(s.all_groups, lanes) * s.targets * LONE_VECTOR
    c.values = s.all_groups * (vectors * 100 if vectors > 1 else <idx>LONE_VECTOR)
    if fits_shorter(s):
        c.values = c.values * SHORTER_COST // 100
        lanes = s.tile.shorter.vector
    if not gathers:
        if single:
            c.groups += SINGLE_LANES * elements // steps
        if vectors > 1:  # sums of so many targets leave the cache
            c.groups *= 2
        return c
    if s.targets % lanes:
        c.values += LOOSE * s.all_groups // steps
    if last:
        c.planes += (TURN_PLANES if whole else TURN_PIECES) * turned // steps
        if e.boxes > 1 and s.all_groups > 1:
            c.planes += PART_GROUPS * s.all_groups * s.targets // steps
        if s.sources * s.targets > 1:
            c.groups += (SINGLE_LANES if single else GATHER_LANES) * turned // steps
    else:
        if e.stride[2] > 1:
            c.planes += PART * turned // steps
        c.values += TURN * elements // steps
        c.groups += (SINGLE_LANES if single else TURN_LANES) * turned // steps
    return c


cdef inline void choose_kind(Sweep *s, const Extents *e, bint gathers, bint last) noexcept nogil:
    """What the lanes of vectors are: targets, groups or pixels, whichever takes least.

    It follows from the filters, one image, and for `gather`, where it changes no bit, from the
    memory order."""
    cdef idx lanes = s.tile.vector
    cdef Costs c = weigh_kinds(s, e, gathers, last)
    if 0 <= c.planes < min(c.values, c.groups) and s.targets <= FEW_TARGETS:
        s.kind = SC_LANES if not gathers else SC_SPREAD if s.targets == 1 else SC_CROSS
        s.planes, s.lanes, s.rows = True, 1, s.targets
        s.columns = max(s.targets, 1) if gathers else 2
        s.stacked = s.kind != SC_CROSS and stacks(s, e, gathers)
        s.shifted = s.kind == SC_SPREAD and not s.stacked and single_cost(s, e) < SPREAD_COST
        set_groups(s)
    elif c.groups < c.values and s.all_groups > 1:
        s.kind, s.lanes, s.columns = SC_LANES, lanes, 2
        if s.targets == 1 and s.all_groups > lanes:
            s.kind, s.lanes, s.columns = SC_EACH, 2 * lanes, 1
        s.in_place = gathers and last and s.sources == 1
        set_groups(s)
    else:
        choose_values(s)


cdef inline void set_groups(Sweep *s) noexcept nogil:
    s.unit = s.lanes * s.tile.itemsize
    s.groups = ceil_div(s.all_groups, s.lanes)
    s.panels = ceil_div(s.targets, s.columns)


cdef inline void choose_values(Sweep *s) noexcept nogil:
    """Lanes for targets, which always serves."""
    s.planes, s.kind, s.lanes, s.rows, s.columns = False, SC_OUTER, 1, 0, s.tile.nb
    set_groups(s)


cdef inline bint fits_shorter(const Sweep *s) noexcept nogil:
    """Whether vectors half as long hold all targets of a group."""
    return s.tile.shorter != NULL and s.targets <= s.tile.shorter.vector


cdef inline bint narrow_panels(Sweep *s) noexcept nogil:
    """Rows of one vector, if that holds all targets of a group; whether it does."""
    if s.winograd or s.kind != SC_OUTER or s.planes or s.targets > s.tile.vector:
        return False
    if fits_shorter(s):
        s.tile = s.tile.shorter
    s.tile = s.tile.narrow
    s.columns = s.tile.nb
    set_groups(s)
    return True
