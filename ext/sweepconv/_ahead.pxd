# cython: boundscheck=False, wraparound=False, cdivision=True
"""Memory that is asked for while the tile sums what came before: so that packing the next block, or
reading the next rows where they lie, does not wait for it.

A stream is an address and a pace, in bytes for each step of a tile.  It may run past the end of an
array: what is asked for is never read, and no fault.
"""

from sweepconv._box cimport Array, idx
from sweepconv._kernels cimport SC_CACHE_LINE, sc_stream
from sweepconv._task cimport Sweep, find_block


cdef inline void ask_nothing(const char *anywhere, sc_stream *ahead) noexcept nogil:
    ahead[0].at = ahead[1].at = anywhere
    ahead[0].pace = ahead[1].pace = 0


cdef inline void ask_memory(const char *at, idx size, idx steps, sc_stream *stream) noexcept nogil:
    """So many bytes in so many steps, of two."""
    stream.at, stream.pace = at, (size + steps // 2) // steps if steps > 0 else 0


cdef inline void ask_rows(const char *at, idx size, idx steps, sc_stream *ahead) noexcept nogil:
    """The same with both streams, so that no line of the cache is left out at a fast pace."""
    ask_memory(at, size, steps, ahead)
    ahead[1] = ahead[0]
    ahead[1].at += SC_CACHE_LINE


cdef inline void pass_steps(idx steps, sc_stream *ahead) noexcept nogil:
    ahead[0].at += steps * ahead[0].pace
    ahead[1].at += steps * ahead[1].pace


cdef inline const char *block_at(const Sweep *s, const Array *a, const idx *stride,
                                 idx block) noexcept nogil:
    """Where block number `block` begins, but for a halo, with `stride` elements for an output."""
    cdef idx *place = [0, 0, 0, 0]
    cdef const char *at = a.data
    cdef int i
    find_block(s, block, place)
    at += place[0] * s.size[0] * a.batch
    for i in range(3):
        at += place[i + 1] * s.size[i + 1] * stride[i] * a.space[i]
    return at


cdef inline void ask_block(const Sweep *s, const Array *a, const idx *stride, idx block,
                           idx channels, idx steps, sc_stream *stream) noexcept nogil:
    """What a block is the first to read, if that is one piece of memory and its reader needs at
    least a quarter of each pixel."""
    cdef const char *at = block_at(s, a, stride, block)
    cdef idx size = block_at(s, a, stride, block + 1) - at
    if size > 0 and a.space[2] <= 4 * channels * s.tile.itemsize:
        ask_memory(at, size, steps, stream)
