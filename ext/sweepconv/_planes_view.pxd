# cython: boundscheck=False, wraparound=False, cdivision=True
"""Planes that are read where they lie, and whose sums go where they belong.

A channels-first source with stride one has the form of planes already, but for its padding.  So a
block falls into parts: one whose outputs read no padding, in place, and those along its borders,
which are packed.  The last tile of a line ends with it: it makes some outputs a second time.
"""

from libc.stdint cimport uintptr_t

from sweepconv._box cimport AXES, Array, Block, Extents, Phase, filter_panel_steps, idx, measure
from sweepconv._panel cimport target_at, target_steps
from sweepconv._pieces cimport pass_piece, reads_all
from sweepconv._planes cimport Planes
from sweepconv._task cimport Sweep

cdef enum:
    LEAST_LINE = 96  # outputs: in shorter ones, borders take too much
    MOST_SOURCES = 4
    MOST_TAPS = 200


cdef inline bint whole_values(const Array *a, idx itemsize) noexcept nogil:
    """Whether elements stand at multiples of their size, side by side along w."""
    return (a.space[2] == itemsize and <uintptr_t>a.data % itemsize == 0
            and a.batch % itemsize == 0 and a.channel % itemsize == 0
            and a.space[0] % itemsize == 0 and a.space[1] % itemsize == 0)


cdef inline bint pays_to_view(const Sweep *s, const Extents *e) noexcept nogil:
    """Whether a sweep over planes does so: lines are long, and each sum is one of a tile, since
    MOST_TAPS of MOST_SOURCES are one block of channels and of taps.

    Many channels, and many rows of taps, are nearer to each other where they are packed."""
    return (not s.shifted and not s.accumulate and not e.interleaved and e.boxes == 1
            and e.stride[0] == e.stride[1] == e.stride[2] == 1
            and s.source.size[2] - e.span[2] >= LEAST_LINE
            and s.sources <= MOST_SOURCES and e.taps[0] == 1
            and filter_panel_steps(e) <= MOST_TAPS
            and whole_values(&s.source, s.tile.itemsize)
            and whole_values(&s.target, s.tile.itemsize))


cdef inline bint reads_run(const Phase *p, idx output) noexcept nogil:
    """Whether an output reads no padding, and upwards."""
    cdef idx at = output + p.offset[0]
    return reads_all(p, output) and (p.end[at] == at + 1 or p.index[at + 1] == p.index[at] + 1)


cdef inline idx part_size(const Phase *p, idx first, idx most, bint *inside) noexcept nogil:
    """Outputs of an axis from `first` on that are inside, one run of the source, or are not."""
    cdef idx n = 1
    inside[0] = p.taps > 0 and reads_run(p, first)
    if inside[0]:
        return min(most, p.end[first + p.offset[0]] - p.offset[p.taps - 1] - first)
    while n < most and not (p.taps > 0 and reads_run(p, first + n)):
        n += 1
    return n


cdef inline bint next_part(const Block *b, idx *at, Block *part, bint *inside) noexcept nogil:
    """The part at `at`, in outputs from the start of the block; then moves `at` to the next.
    False at the end.  Those along a border of one axis have all outputs of the axes after it."""
    cdef int a
    if at[0] >= b.n[1]:
        return False
    part[0] = b[0]
    inside[0] = True
    for a in range(3):
        part.low[a + 1] = b.low[a + 1] + at[a]
        part.n[a + 1] = b.n[a + 1] - at[a]
        if inside[0]:
            part.n[a + 1] = part_size(b.phase[a], part.low[a + 1], part.n[a + 1], inside)
    measure(part)
    pass_piece(b, part, at)
    return True


cdef inline void view_planes(const Sweep *s, const Block *b, Planes *p) noexcept nogil:
    """The source itself as the planes of a block that is inside, and the target as its sums."""
    cdef idx steps[AXES]
    cdef idx itemsize = s.tile.itemsize, at
    cdef const Phase *phase
    cdef int a
    target_steps(b, &s.target, steps)
    p.in_place = True
    p.target = target_at(b, &s.target, steps, 0)
    p.source = s.source.data + b.low[0] * s.source.batch
    p.pitch[0] = s.source.batch // itemsize
    for a in range(3):
        phase = b.phase[a]
        at = b.low[a + 1] + phase.offset[0]
        p.source += (phase.index[at] - phase.offset[0]) * s.source.space[a]
        p.pitch[a + 1] = s.source.space[a] // itemsize
    for a in range(AXES):
        p.to_pitch[a] = steps[a] // itemsize
    p.channel, p.to_row = s.source.channel // itemsize, s.target.channel // itemsize
    p.lines_axes, p.length = AXES - 1, b.n[AXES - 1]
