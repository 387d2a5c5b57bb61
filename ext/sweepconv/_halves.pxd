# cython: boundscheck=False, wraparound=False, cdivision=True
"""Tiles of sums whose rows come in short runs, listed for all places where they stand alike.

Runs of rows are cut into halves of a tile, as high as each other but for one row.  Halves of the
same height go into one list, two of them a tile.  The places in a list count from those of the
items, so it serves the next output as well if that reads what it needs in the same places of its
own.
"""

from libc.string cimport memset

from sweepconv._ahead cimport pass_steps
from sweepconv._box cimport Phase, ceil_div, idx
from sweepconv._kernels cimport (
    SC_MOST_HALF, SC_OUTER, sc_item, sc_line, sc_pair, sc_steps, sc_stream,
)
from sweepconv._task cimport Sweep, most_rows

cdef enum:
    MOST_ITEMS = 2


cdef struct Tiles:
    # Of one height and the same strides; rows of what sums start from lie as they do.
    sc_pair *pair
    idx halves           # the second half of an odd last tile is a filler
    idx pace             # values from one row to the next in x
    idx step             # and from one step to the next
    idx to_row           # values from one row of the sums to the next


cdef struct Halves:
    sc_item item[MOST_ITEMS]  # the operands of an output
    idx items
    const sc_line *line
    idx lines
    idx steps            # of each line
    idx ws               # values from one step to the next in w
    int vectors
    bint first           # all rows start from `start` of the item; else each from its own there
    char *spare          # where the rows of fillers of the first item go
    sc_stream *ahead     # or NULL
    const Phase *phase[3]  # of the output that the lists were made for
    bint listed          # they are whole
    sc_line flat
    Tiles tiles[SC_MOST_HALF + 1]  # by the rows of a half


cdef inline idx most_tiles(idx values, idx rows) noexcept nogil:
    return values // (2 * rows) + 1


cdef inline idx lists_bytes(idx values) noexcept nogil:
    """Room for all lists of sums of so many rows."""
    cdef idx rows, tiles = 0
    for rows in range(1, SC_MOST_HALF + 1):
        tiles += most_tiles(values, rows)
    return tiles * sizeof(sc_pair)


cdef inline void open_halves(Halves *u, idx width, idx values, char *lists) noexcept nogil:
    """For sums of so many rows, and steps of one line that begins where the items do."""
    cdef idx rows
    memset(u, 0, sizeof(Halves))
    u.ws, u.items, u.lines, u.line = width, 1, 1, &u.flat
    for rows in range(1, SC_MOST_HALF + 1):
        u.tiles[rows].pair = <sc_pair *>lists
        lists += most_tiles(values, rows) * sizeof(sc_pair)


cdef inline bint first_is_better(const Sweep *s, int vectors, idx a, idx b) noexcept nogil:
    """Whether runs of a rows make higher halves than runs of b rows."""
    cdef idx most = most_rows(s, vectors)
    return a * ceil_div(b, most) > b * ceil_div(a, most)


cdef inline bint read_alike(const Phase *p, const Phase *q) noexcept nogil:
    """Whether the first outputs of both read no padding, and as far from their first taps."""
    cdef idx t, apart
    if p.taps != q.taps:
        return False
    for t in range(p.taps):
        if p.index[p.offset[t]] < 0 or q.index[q.offset[t]] < 0:
            return False
        apart = p.index[p.offset[t]] - p.index[p.offset[0]]
        if q.index[q.offset[t]] - q.index[q.offset[0]] != apart:
            return False
    return True


cdef inline bint need_lists(Halves *u, const Phase *const *phase) noexcept nogil:
    """Whether the lists do not serve this output: then they are empty now."""
    cdef bint alike = u.listed
    cdef idx rows
    cdef int a
    for a in range(3):
        alike = alike and read_alike(phase[a], u.phase[a])
        u.phase[a] = phase[a]
    if not alike:
        for rows in range(1, SC_MOST_HALF + 1):
            u.tiles[rows].halves = 0
    u.listed = True
    return not alike


cdef inline void sum_list(const Sweep *s, const Halves *u, idx rows) noexcept nogil:
    cdef const Tiles *t = &u.tiles[rows]
    cdef sc_pair *last = t.pair + t.halves // 2
    cdef idx count = ceil_div(t.halves, 2)
    cdef sc_steps steps
    if not t.halves:
        return
    if t.halves % 2:
        last.x[1] = last.x[0]
        last.to[1] = u.spare - <char *>u.item[0].to
        last.start[1] = 0 if u.first else last.to[1]
    steps.line, steps.ahead, steps.lines, steps.len = u.line, u.ahead, u.lines, u.steps
    steps.to_row, steps.start_row = t.to_row, 0 if u.first else t.to_row
    steps.rs, steps.ks, steps.ws = t.pace, t.step, u.ws
    s.tile.tile[SC_OUTER][u.vectors - 1][rows - 1](u.item, u.items, t.pair, count, &steps)
    if u.ahead != NULL:
        pass_steps(count * u.items * u.lines * u.steps, u.ahead)


cdef inline void sum_lists(const Sweep *s, const Halves *u) noexcept nogil:
    cdef idx rows
    for rows in range(1, SC_MOST_HALF + 1):
        sum_list(s, u, rows)


cdef inline void list_half(const Sweep *s, Halves *u, idx rows, const char *x, idx pace, idx step,
                           char *to, idx to_row) noexcept nogil:
    """Half a tile; those of other strides are summed before it, and their list is lost."""
    cdef Tiles *t = &u.tiles[rows]
    cdef sc_pair *pair
    cdef idx h
    if t.halves and (t.pace != pace or t.step != step or t.to_row != to_row):
        sum_list(s, u, rows)
        t.halves, u.listed = 0, False
    t.pace, t.step, t.to_row = pace, step, to_row
    pair, h = t.pair + t.halves // 2, t.halves % 2
    pair.x[h], pair.to[h] = x - <char *>u.item[0].x, to - <char *>u.item[0].to
    pair.start[h] = 0 if u.first else pair.to[h]
    t.halves += 1


cdef inline void list_rows(const Sweep *s, Halves *u, idx count, const char *x, idx pace, idx step,
                           char *to, idx to_row) noexcept nogil:
    """A run of rows of the first item, `pace` values apart in x and `to_row` in the sums."""
    cdef idx halves = ceil_div(count, most_rows(s, u.vectors)), itemsize = s.tile.itemsize, i, at
    for i in range(halves):
        at = i * count // halves
        list_half(s, u, (i + 1) * count // halves - at, x + at * pace * itemsize, pace, step,
                  to + at * to_row * itemsize, to_row)
