# cython: boundscheck=False, wraparound=False, cdivision=True
"""The tasks that pack filters of all boxes, before those that use them.

Panels are [box][group][panel], and each [channel block][tap][channel][columns][lanes].  Boxes that
share filters, as the phases of a stride do, are packed together where the taps of all lie flat: so
the bank is read once.
"""

from libc.stdlib cimport labs
from libc.string cimport memset

from sweepconv._box cimport Phase, box_taps, ceil_div, idx
from sweepconv._filters cimport Flat, find_flat, place_filters, turn_filters, turned_sources
from sweepconv._task cimport Sweep, channel_block, find_box, move_panel, target_count

cdef enum:
    PACKED_SOURCES = 64  # of a task
    PACKED_PANELS = 8    # the same where sources are further apart than targets


cdef inline void pack_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    """A panel of a box."""
    cdef const Phase *phase[3]
    cdef idx panel = task % s.panels, group = task // s.panels % s.groups, first = 0, count
    cdef idx row = s.tile.nb * s.tile.itemsize
    cdef char *to = s.panel_data + task * s.panel_bytes
    find_box(s, s.first + task // (s.panels * s.groups), phase)
    cdef idx taps = box_taps(phase), block = channel_block(taps, s.sources, s.targets)
    while first < s.sources and taps:
        count = min(block, s.sources - first)
        move_panel(s, phase, group, first, count, panel, to, taps, 0, scratch, True)
        if not s.tile.finite(to, count * taps * s.tile.nb):
            s.finite[0] = False
        to += count * taps * row
        first += count


cdef inline idx shared_boxes(const Sweep *s, Flat *f) noexcept nogil:
    """How many boxes share filters whose taps lie flat; 0 if none do."""
    cdef const idx *bank = s.filters.bank
    if s.lanes == 1 and bank[0] == bank[1] == bank[2] == 0:
        find_flat(s.phases, s.phase_count, &s.filters, s.tile.itemsize, f)
        if f.values:
            return s.phase_count[0] * s.phase_count[1] * s.phase_count[2]
    return 0


cdef struct Piece:
    # Of a bank, that a task packs: the longer the pieces that it reads, the better.
    idx sources
    idx panels


cdef inline Piece piece_of(const Sweep *s, const Flat *f) noexcept nogil:
    cdef Piece p
    p.sources, p.panels = PACKED_SOURCES, 1
    if labs(s.filters.source) > labs(s.filters.target):
        p.sources, p.panels = turned_sources(f), PACKED_PANELS
    return p


cdef inline idx shared_tasks(const Sweep *s, const Flat *f) noexcept nogil:
    cdef Piece p = piece_of(s, f)
    return s.groups * ceil_div(s.panels, p.panels) * ceil_div(s.sources, p.sources)


cdef inline void place_sources(const Sweep *s, const Flat *f, idx box, char *turned, idx first,
                               idx count, char *panel) noexcept nogil:
    """Turned sources to the panel of a box, whose channel blocks are of whole UNIT_SOURCES."""
    cdef const Phase *phase[3]
    cdef idx row = s.tile.nb * s.tile.itemsize, last = first + count, start, n, held
    find_box(s, box, phase)
    cdef idx taps = box_taps(phase), block = channel_block(taps, s.sources, s.targets)
    while first < last:
        start = first // block * block
        held = min(block, s.sources - start)
        n = min(start + held, last) - first
        place_filters(s.tile, phase, &s.filters, f, turned, n,
                      panel + (start * taps + first - start) * row, held, max(taps, <idx>1), 0,
                      True)
        turned += n * f.values * row
        first += n


cdef inline void pack_sources(const Sweep *s, const Flat *f, idx boxes, idx group, idx panel,
                              idx first, idx count, char *turned) noexcept nogil:
    """Of a panel, for all boxes."""
    cdef idx targets = target_count(s, panel), values = count * f.values * s.tile.nb, box
    if targets < s.tile.nb:
        memset(turned, 0, values * s.tile.itemsize)
    turn_filters(s.tile, &s.filters, f,
                 s.filters.data + group * s.filters.group + first * s.filters.source
                 + panel * s.columns * s.filters.target, count, targets, turned, True)
    if not s.tile.finite(turned, values):
        s.finite[0] = False
    for box in range(boxes):
        place_sources(s, f, box, turned, first, count, s.panel_data
                      + ((box * s.groups + group) * s.panels + panel) * s.panel_bytes)


cdef inline void pack_shared_task(const Sweep *s, idx task, char *scratch) noexcept nogil:
    """A piece of the bank of a group."""
    cdef Flat f
    cdef idx boxes = shared_boxes(s, &f), most = turned_sources(&f), panel, parts
    cdef Piece p = piece_of(s, &f)
    cdef idx first, last
    parts = ceil_div(s.sources, p.sources)
    first = task % parts * p.sources
    last = min(first + p.sources, s.sources)
    task //= parts
    parts = ceil_div(s.panels, p.panels)
    while first < last:
        for panel in range(task % parts * p.panels, min((task % parts + 1) * p.panels, s.panels)):
            pack_sources(s, &f, boxes, task // parts, panel, first, min(most, last - first),
                         scratch)
        first += most
