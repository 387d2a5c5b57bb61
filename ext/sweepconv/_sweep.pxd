# cython: boundscheck=False, wraparound=False, cdivision=True
"""What the compiled modules share of a call: its arrays, plan, workspace and threads."""

from sweepconv._box cimport Array, Extents, Phase, idx
from sweepconv._share cimport Work

cdef enum:
    MOVE_WORK = 4  # multiply-adds in the time that packing takes for a byte


cdef class Memory:
    cdef void *base
    cdef char *data

cdef Memory allocate(idx size)


cdef class Buffers:
    cdef Py_buffer view[4]
    cdef int held
    cdef Py_buffer *take(self, array, bint writable) except NULL


cdef class Plan:
    cdef Phase *phases[3]
    cdef idx count[3]
    cdef void *memory
    cdef Extents extents
    cdef readonly idx nbytes
    cdef readonly bint reads_zeros  # of padding


cdef class Packed:
    cdef Memory memory
    cdef readonly Plan plan
    cdef int finite


cdef bint gather_views(Plan plan, const Py_buffer *x, const Py_buffer *w, const Py_buffer *b,
                       const Py_buffer *y, idx groups, bint transposed, bint accumulate,
                       int threads, Packed packed, bint only_finite, int winograd) except -1

cdef int reduce_views(Plan plan, const Py_buffer *x, const Py_buffer *y, const Py_buffer *w,
                      idx groups, bint accumulate, int threads) except -1

cdef bint scatter_views(Plan plan, const Py_buffer *x, const Py_buffer *y, const Py_buffer *w,
                        idx groups, bint accumulate, int threads) except -1

cdef void describe_array(Array *a, const Py_buffer *view) noexcept

cdef int run_tasks(Work work, const void *job, idx tasks, double steps, int threads, char *scratch,
                   idx scratch_bytes) except -1
