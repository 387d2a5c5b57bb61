# cython: boundscheck=False, wraparound=False, cdivision=True
"""Filters, from the bank to panels and back.

A filter panel is [taps][channels][nb], or [taps][channels][targets][lanes] with lanes for groups.
A bank is mostly contiguous along the taps, and panels along the targets: so the filters of some
sources are turned, [sources][values][nb], with all values that lie between the first tap and the
last, and the rows in use go to their places from there.
"""

from libc.string cimport memset

from sweepconv._box cimport Filters, Phase, box_taps, idx
from sweepconv._kernels cimport sc_tiles

cdef enum:
    TURNED_ROWS = 576  # at once, 36 KiB
    UNIT_SOURCES = 8   # at least, or a multiple


cdef struct Flat:
    # The taps of some boxes, as one contiguous axis of a filter.
    idx low          # bytes from the filter's start to the first
    idx values       # 0: they do not lie like this


cdef inline idx axis_offset(const Phase *phase, const Filters *w, int a, idx i) noexcept nogil:
    """What tap number i of axis a adds to it."""
    return phase.tap[i] * w.tap[a] + phase.filter[i] * w.bank[a]


cdef inline idx tap_offset(const Phase *const *phase, const Filters *w, idx tap) noexcept nogil:
    """Bytes from the start of the bank to tap number `tap` of the box."""
    cdef idx at = 0, i
    cdef int a
    for a in range(2, -1, -1):
        i = tap % phase[a].taps
        tap //= phase[a].taps
        at += axis_offset(phase[a], w, a, i)
    return at


cdef inline idx even_taps(const Phase *const *phase, const Filters *w, idx tap, idx most,
                          idx *pace) noexcept nogil:
    """How many taps from `tap` on, at most `most`, stand at an even pace in the bank."""
    cdef idx n = 1, at = tap_offset(phase, w, tap), next
    pace[0] = 0
    while n < most:
        next = tap_offset(phase, w, tap + n)
        if n == 1:
            pace[0] = next - at
        elif next - at != pace[0]:
            break
        at = next
        n += 1
    return n


cdef inline bint contiguous_filters(const Phase **phase, const Filters *w,
                                    idx itemsize) noexcept nogil:
    """Whether sources and taps of the bank are one contiguous axis."""
    cdef idx taps = box_taps(phase), pace
    return (w.source == taps * itemsize
            and even_taps(phase, w, 0, taps, &pace) == taps
            and (taps == 1 or pace == itemsize))


cdef inline void find_flat(const Phase *const *phase, const idx *count, const Filters *w,
                           idx itemsize, Flat *f) noexcept nogil:
    """The taps of all boxes of count[a] phases of each axis, if they are several, and at least half
    of the values between the first and the last."""
    cdef idx high = 0, all_taps = 1, least, most, taps, at, i, t
    cdef bint whole = True
    cdef int a
    f.low = 0
    for a in range(3):
        least = most = taps = 0
        for i in range(count[a]):
            for t in range(phase[a][i].taps):
                at = axis_offset(&phase[a][i], w, a, t)
                least, most = min(least, at) if taps else at, max(most, at) if taps else at
                whole = whole and at % itemsize == 0
                taps += 1
        f.low += least
        high += most
        all_taps *= taps
    f.values = (high - f.low) // itemsize + 1
    if not whole or all_taps < 2 or f.values > 2 * all_taps:
        f.values = 0


cdef inline idx turned_sources(const Flat *f) noexcept nogil:
    """How many are turned at once."""
    return max(TURNED_ROWS // f.values // UNIT_SOURCES, <idx>1) * UNIT_SOURCES


cdef inline void move_matrix(const sc_tiles *t, char *panel, idx panel_row, idx panel_col,
                             char *array, idx row, idx col, idx rows, idx cols,
                             bint to_panel) noexcept nogil:
    if to_panel:
        t.move(panel, panel_row, panel_col, array, row, col, rows, cols)
    else:
        t.move(array, row, col, panel, panel_row, panel_col, rows, cols)


cdef inline void turn_filters(const sc_tiles *t, const Filters *w, const Flat *f, char *bank,
                              idx sources, idx targets, char *turned,
                              bint to_panel) noexcept nogil:
    """From the bank, where the first filter is at `bank`, to [sources][values][nb], or back."""
    cdef idx row = t.nb * t.itemsize, i, joined = 1
    if w.source == f.values * t.itemsize:
        joined = sources
    bank += f.low
    for i in range(sources // joined):
        move_matrix(t, turned + i * f.values * row, row, t.itemsize, bank + i * w.source,
                    t.itemsize, w.target, joined * f.values, targets, to_panel)


cdef inline void place_filters(const sc_tiles *t, const Phase *const *phase, const Filters *w,
                               const Flat *f, char *turned, idx count, char *panel, idx sources,
                               idx joined, idx pitch, bint to_panel) noexcept nogil:
    """The taps of a box of `count` turned sources to a panel of `sources`, or back."""
    cdef idx row = t.nb * t.itemsize, m, value
    for m in range(box_taps(phase)):
        value = (tap_offset(phase, w, m) - f.low) // t.itemsize
        move_matrix(t, panel + (m // joined * pitch + m % joined * sources) * row, row, t.itemsize,
                    turned + value * row, f.values * row, t.itemsize, count, t.nb, to_panel)


cdef inline void move_filters(const sc_tiles *t, const Phase **phase, const Filters *w, idx lanes,
                              idx in_use, idx group, idx source, idx sources, idx target,
                              idx targets, char *panel, idx joined, idx pitch, char *spare,
                              bint to_panel) noexcept nogil:
    """Filters of a box from the bank to a panel, or from the panel to the bank.

    Panel rows are [taps][sources], the taps in groups of `joined`, each group `pitch` rows after
    the one before; a row is [targets], or [targets][lanes] with a lane for each of the `in_use`
    groups from `group` on.
    """
    cdef idx taps = box_taps(phase), row = t.nb * t.itemsize, m = 0, run, pace, c, o
    cdef idx *ones = [1, 1, 1]
    cdef char *base = w.data + group * w.group + source * w.source + target * w.target
    cdef char *place
    cdef char *at
    cdef bint partial = to_panel and (targets * lanes < t.nb or in_use < lanes)
    cdef Flat f
    if lanes == 1 and taps > 1:
        find_flat(phase, ones, w, t.itemsize, &f)
        if f.values == taps:
            move_flat(t, phase, w, &f, base, sources, targets, panel, joined, pitch, spare,
                      to_panel)
            return
    while m < taps:
        place = panel + (m // joined * pitch + m % joined * sources) * row
        run = 1 if lanes == 1 else even_taps(phase, w, m, joined - m % joined, &pace)
        if partial:
            memset(place, 0, run * sources * row)
        at = base + tap_offset(phase, w, m)
        if lanes == 1:
            move_matrix(t, place, row, t.itemsize, at, w.source, w.target, sources, targets,
                        to_panel)
        else:
            for c in range(sources):
                for o in range(targets):
                    move_matrix(t, place + c * row + o * lanes * t.itemsize, sources * row,
                                t.itemsize, at + c * w.source + o * w.target, pace, w.group, run,
                                in_use, to_panel)
        m += run


cdef inline void move_flat(const sc_tiles *t, const Phase **phase, const Filters *w, const Flat *f,
                           char *bank, idx sources, idx targets, char *panel, idx joined,
                           idx pitch, char *turned, bint to_panel) noexcept nogil:
    """The same of taps that are one axis, some sources at a time."""
    cdef idx row = t.nb * t.itemsize, most = min(turned_sources(f), sources), c = 0, n
    if to_panel and targets < t.nb:
        memset(turned, 0, most * f.values * row)
    while c < sources:
        n = min(most, sources - c)
        if to_panel:
            turn_filters(t, w, f, bank + c * w.source, n, targets, turned, True)
        place_filters(t, phase, w, f, turned, n, panel + c * row, sources, joined, pitch, to_panel)
        if not to_panel:
            turn_filters(t, w, f, bank + c * w.source, n, targets, turned, False)
        c += n
