# cython: boundscheck=False, wraparound=False, cdivision=True
"""What the compiled modules share of a call: its arrays, its workspace, its threads."""

from sweepconv._box cimport Array, idx

ctypedef void (*Work)(const void *job, idx task, char *scratch) noexcept nogil

cdef enum:
    MOVE_WORK = 4  # multiply-adds in the time that packing takes for a byte


cdef class Memory:
    cdef void *base
    cdef char *data


cdef class Buffers:
    cdef Py_buffer view[4]
    cdef int held
    cdef Py_buffer *take(self, array, bint writable) except NULL


cdef void describe_array(Array *a, const Py_buffer *view) noexcept

cdef int run_tasks(Work work, const void *job, idx tasks, double steps, int threads, char *scratch,
                   idx scratch_bytes) except -1
