# cython: boundscheck=False, wraparound=False, cdivision=True
"""Halves of tiles that wait for each other: sums whose rows come in short runs.

A tile takes two halves with the same strides.  Runs of rows are cut into halves as high as each
other but for one row, and each half waits until another one fits to it.
"""

from libc.string cimport memset

from sweepconv._box cimport ceil_div, idx
from sweepconv._kernels cimport SC_MOST_HALF, SC_OUTER, call_one, sc_line
from sweepconv._task cimport Sweep, most_rows


cdef struct Half:
    # None where `source` is NULL.
    const char *source
    idx pace             # values from one row to the next
    idx step             # and from one step to the next
    char *sums
    idx to_row           # values from one row of the sums to the next


cdef struct Halves:
    const char *w        # [steps][width]
    idx width            # one vector or two
    idx steps
    int vectors
    bint first           # the sums start from zero, else from what stands there
    char *zeros          # [nb]
    char *spare          # where the rows of an odd last half go
    sc_line *line
    Half half[SC_MOST_HALF + 1]  # by their rows


cdef inline void open_halves(Halves *u, idx width, char *zeros, char *spare,
                             sc_line *line) noexcept nogil:
    memset(u, 0, sizeof(Halves))
    u.width, u.zeros, u.spare, u.line = width, zeros, spare, line
    line.x = line.w = 0


cdef inline bint first_is_better(const Sweep *s, int vectors, idx a, idx b) noexcept nogil:
    """Whether runs of a rows make higher halves than runs of b rows."""
    cdef idx most = most_rows(s, vectors)
    return a * ceil_div(b, most) > b * ceil_div(a, most)


cdef inline void sum_halves(const Sweep *s, const Halves *u, idx rows, const char *source,
                            char *sums) noexcept nogil:
    """A tile of the half that waits and of another one."""
    cdef const Half *h = &u.half[rows]
    call_one(
        s.tile.tile[SC_OUTER][u.vectors - 1][rows - 1],
        h.sums, sums, h.to_row, u.zeros if u.first else h.sums, u.zeros if u.first else sums,
        0 if u.first else h.to_row, h.source, source, h.pace, h.step, u.line, 1, u.steps, u.w,
        u.width, NULL)


cdef inline void end_half(const Sweep *s, Halves *u, idx rows) noexcept nogil:
    if u.half[rows].source != NULL:
        sum_halves(s, u, rows, u.half[rows].source, u.spare)
    u.half[rows].source = NULL


cdef inline void end_halves(const Sweep *s, Halves *u) noexcept nogil:
    cdef idx rows
    for rows in range(1, SC_MOST_HALF + 1):
        end_half(s, u, rows)


cdef inline void add_rows(const Sweep *s, Halves *u, idx count, const char *source, idx pace,
                          idx step, char *sums, idx to_row) noexcept nogil:
    """A run of rows, `pace` values apart in the source and `to_row` in the sums."""
    cdef idx halves = ceil_div(count, most_rows(s, u.vectors)), itemsize = s.tile.itemsize
    cdef idx i, at, rows
    cdef const char *source_at
    cdef char *sums_at
    cdef Half *h
    for i in range(halves):
        at = i * count // halves
        rows = (i + 1) * count // halves - at
        source_at, sums_at = source + at * pace * itemsize, sums + at * to_row * itemsize
        h = &u.half[rows]
        if h.source != NULL and h.pace == pace and h.step == step and h.to_row == to_row:
            sum_halves(s, u, rows, source_at, sums_at)
            h.source = NULL
            continue
        end_half(s, u, rows)
        h.source, h.pace, h.step = source_at, pace, step
        h.sums, h.to_row = sums_at, to_row
