# cython: boundscheck=False, wraparound=False, cdivision=True
"""Items: the filter panels that a source panel meets, and their sums.

Where there is one pixel, items that were packed before are the rows of the tile and its operands
change places (SC_SPREAD): so several panels are streamed at once.  No order of summation changes.
"""

from sweepconv._box cimport Block, idx
from sweepconv._kernels cimport SC_OUTER, SC_SPREAD, call_one, sc_item, sc_line, sc_stream, sc_tile
from sweepconv._runs cimport Runs, find_lines
from sweepconv._task cimport Sweep, tap_block

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


cdef inline bint as_strips(const Sweep *s, const Block *b) noexcept nogil:
    """Whether items are rows of the tile."""
    return s.kind == SC_OUTER and b.pixels <= 1 and not s.own_filters


cdef inline void sum_strip(const Sweep *s, const Item *item, idx rows, const char *source,
                           bint starts, const sc_line *line, idx lines, idx len, idx source_step,
                           idx filter_at) noexcept nogil:
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
             item.filters + filter_at, filters + over, s.panel_bytes // s.tile.itemsize, nb, line,
             lines, len, source, source_step, NULL)


cdef inline void sum_strips(const Sweep *s, const Block *b, const Runs *r, const Sums *m,
                            const idx *taps, idx count, idx total, sc_line *line) noexcept nogil:
    """Add all taps of `count` channels to the sums of all items, for one pixel."""
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
                      b.scale if m.one_channel else 1, filter_at)
            i += rows
        filter_at += taken * count * s.tile.nb * s.tile.itemsize
        first += taken
        if first >= total:
            break
