# cython: boundscheck=False, wraparound=False, cdivision=True
"""What all tasks share: the description of a sweep, and the packing of filters.

A sweep is cut into tasks of one kind: `_gather.pxd` makes outputs, `_reduce.pxd` filters.
"""

from sweepconv._box cimport AXES, Array, Filters, Phase, box_taps, ceil_div, idx
from sweepconv._kernels cimport sc_tiles
from sweepconv._panel cimport move_filters

cdef enum:
    STEPS = 192  # of one tile: its filter panel, 24 KiB, stays in the first-level cache

cdef enum:
    # Of a thread's scratch memory; the source panel, or spare filters, stand first.
    PIXELS
    SPARE
    RUNS
    READY
    TAPS
    INIT
    OWN
    PARTS


cdef struct Sweep:
    const sc_tiles *tile
    const Phase *phases[3]
    idx phase_count[3]
    Array source            # x, or dy in the input gradient
    Array target            # y, dx, or dy in the weight gradient
    Filters filters         # w or dw
    const char *bias        # NULL: none
    idx bias_bank[3]
    idx bias_channel
    idx batch
    idx groups
    idx sources             # channels of a group that the filters read
    idx targets             # channels of a group that the filters make
    idx panels              # filter panels of nb targets in a group
    idx size[AXES]          # outputs of a block
    idx blocks[AXES]        # of the largest box
    idx chunk               # filter panels of a task
    idx chunks
    idx source_chunk        # weight gradient: sources of a task
    idx source_chunks
    idx parts               # weight gradient: parts of the pixels
    idx first               # box of task 0; weight gradient: share of task 0
    idx round               # weight gradient: of `rounds` that each part is taken in
    idx rounds
    bint own_filters        # gather: each task packs the filters that it alone uses
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


cdef inline void find_block(const Sweep *s, idx block, idx *place) noexcept nogil:
    cdef int a
    for a in range(AXES - 1, -1, -1):
        place[a] = block % s.blocks[a]
        block //= s.blocks[a]


cdef inline idx channel_block(idx taps, idx channels) noexcept nogil:
    """Channels that one tile sums over; with all taps about STEPS steps.  Fixed by the filter."""
    cdef idx most = max(8, STEPS // max(taps, 1) // 8 * 8)
    if channels <= most:
        return max(channels, 1)
    return ceil_div(ceil_div(channels, ceil_div(channels, most)), 8) * 8


cdef inline idx tap_block(const Phase **phase, idx channels) noexcept nogil:
    """Taps that one tile sums over: all, or about STEPS steps in whole rows of the kernel."""
    cdef idx taps = box_taps(phase), row = phase[2].taps, most
    if 2 * taps * channels <= 3 * STEPS:
        return max(taps, 1)
    most = max(STEPS // channels, 1)
    return most // row * row if most >= row else most


cdef inline idx target_count(const Sweep *s, idx panel) noexcept nogil:
    return min(s.tile.nb, s.targets - panel * s.tile.nb)


# Filter panels: [box][group][panel][channel block][tap][channel][nb].

cdef inline void pack_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    cdef const Phase *phase[3]
    cdef idx panel = task % s.panels, group = task // s.panels % s.groups, first = 0, count
    cdef idx row = s.tile.nb * s.tile.itemsize
    cdef char *to = s.panel_data + task * s.panel_bytes
    find_box(s, s.first + task // (s.panels * s.groups), phase)
    cdef idx taps = box_taps(phase), block = channel_block(taps, s.sources)
    while first < s.sources and taps:
        count = min(block, s.sources - first)
        move_filters(s.tile, phase, &s.filters, group, first, count, panel * s.tile.nb,
                     target_count(s, panel), to, 1, count, scratch, True)
        if not s.tile.finite(to, count * taps * s.tile.nb):
            s.finite[0] = False
        to += count * taps * row
        first += count
