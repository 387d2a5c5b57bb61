# cython: boundscheck=False, wraparound=False, cdivision=True
"""Items: the filter panels that a source panel meets, and their sums.

Where there is one pixel, items are the rows of the tile and its operands change places (SC_SPREAD):
so several panels are streamed at once, or rows of the bank as they lie.  No order of summation
changes.
"""

from libc.stdint cimport uintptr_t

from sweepconv._box cimport Block, box_taps, idx
from sweepconv._kernels cimport SC_OUTER, SC_SPREAD, call_one, sc_item, sc_line, sc_stream, sc_tile
from sweepconv._panel cimport tap_offset
from sweepconv._runs cimport Runs, find_lines
from sweepconv._task cimport Sweep, fills, tap_block

cdef struct Item:
    # A filter panel that a source panel meets, and its sums.
    idx group
    idx panel
    idx source           # bytes from the source of the first item to its own
    char *target         # where channel 0 would be its own first channel
    char *filters        # at the first tap and channel
    char *pixels         # sums, [pixels][nb]
    char *init           # what they start from, [nb]; NULL: from themselves
    const sc_tile *tiles  # by the rows of half a tile, from 1 on
    bint ready           # the sums are complete with the last tap, and can go to the target at once


cdef struct Sums:
    # Items whose sums are formed side by side, run by run, so that they share its source: with the
    # same tiles, and ready together.
    Item *item
    idx items
    sc_item *place       # of each, for the tile
    const char *source   # of the first item
    sc_stream ahead[2]   # that the tiles ask for
    bint one_channel     # steps are from tap to tap
    bint skip            # filters are finite: taps that read zeros alone may be left out


cdef inline idx strip_items(const Sweep *s, const Block *b, idx group, idx panel,
                            idx last_panel) noexcept nogil:
    """How many items, from the first on, are rows of the tile: those packed before, or those that
    lie in the bank as rows of full vectors, as for the input gradient of `dense`."""
    if s.kind != SC_OUTER or b.pixels > 1:
        return 0
    if not s.own_filters:
        return last_panel - panel
    if (box_taps(b.phase) != 1 or s.filters.target != s.tile.itemsize
            or s.filters.source % s.tile.itemsize or s.filters.source <= 0
            or <uintptr_t>s.filters.data % s.tile.itemsize):
        return 0
    return last_panel - panel if fills(s, group, last_panel - 1) else last_panel - 1 - panel


cdef inline idx find_strips(const Sweep *s, const Block *b, idx first, Item *item,
                            idx items, idx *step) noexcept nogil:
    """Where the filters of strips lie: values from one item to the next, and from step to step."""
    cdef idx i
    step[0] = s.tile.nb
    if not s.own_filters:
        return s.panel_bytes // s.tile.itemsize
    for i in range(items):
        item[i].filters = (s.filters.data + tap_offset(b.phase, &s.filters, 0)
                           + item[i].group * s.filters.group + first * s.filters.source
                           + item[i].panel * s.tile.nb * s.tile.itemsize)
    step[0] = s.filters.source // s.tile.itemsize
    return s.tile.nb


cdef inline void sum_strip(const Sweep *s, const Item *item, idx rows, const char *source,
                           bint starts, const sc_line *line, idx lines, idx len, idx source_step,
                           idx filter_at, idx row, idx step) noexcept nogil:
    """An even number of items; or one, whose vectors are rows."""
    cdef idx nb = s.tile.nb, half = max(rows // 2, <idx>1)
    cdef idx to_row = (item[1].pixels - item[0].pixels) // s.tile.itemsize if rows > 1 else 0
    cdef sc_tile tile = s.tile.tile[SC_SPREAD][min(rows, <idx>2) - 1][half - 1]
    # Of one item the second vector, and its sums; where there is none, the first once more.
    cdef idx vector = s.tile.vector * s.tile.itemsize if rows == 1 else 0
    cdef idx over = (nb - s.tile.vector) * s.tile.itemsize if rows == 1 else 0
    cdef const Item *z = item + rows // 2
    cdef const char *filters = z.filters + filter_at
    cdef bint zero = starts and item.init != NULL
    call_one(tile, item.pixels, z.pixels + vector, to_row, item.init if zero else item.pixels,
             z.init + over if zero else z.pixels + vector, nb if zero else to_row,
             item.filters + filter_at, filters + over, row, step, line, lines, len, source,
             source_step, NULL)


cdef inline void sum_strips(const Sweep *s, const Block *b, const Runs *r, const Sums *m,
                            const idx *taps, idx start, idx count, idx total,
                            sc_line *line) noexcept nogil:
    """Add all taps of `count` channels, from channel `start` on, to the sums of all items, for one
    pixel."""
    cdef idx step, row = find_strips(s, b, start, m.item, m.items, &step)
    cdef idx block = tap_block(b.phase, max(count, <idx>1)), most = 2 * s.tile.half
    cdef idx first = 0, filter_at = 0, lines = 0, taken, joined, i, rows
    cdef const char *source = m.source + r.pair[0].source[0] * b.scale * s.tile.itemsize
    while True:
        taken = min(block, total - first)
        joined = find_lines(b, &b.taps, taps, first, taken, count == 1 or b.scale == count, count,
                            s.tile.nb, line, &lines)
        for i in range(lines):
            line[i].x, line[i].w = line[i].w, line[i].x
        i = 0
        while i < m.items:
            rows = min(m.items - i, most)
            rows = rows // 2 * 2 if rows > 1 else 1
            sum_strip(s, m.item + i, rows, source, first == 0, line, lines, joined * count,
                      b.scale if m.one_channel else 1, filter_at, row, step)
            i += rows
        filter_at += taken * count * s.tile.nb * s.tile.itemsize
        first += taken
        if first >= total:
            break
