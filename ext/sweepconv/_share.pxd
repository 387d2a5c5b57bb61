# cython: boundscheck=False, wraparound=False, cdivision=True
"""Which thread runs which task.

Tasks that are neighbours touch neighbouring memory, often the same lines of the cache at their
edges.  So each thread has a share of tasks in a row, and takes from the others' once its own is
done.
"""

from cython.parallel cimport prange, threadid

from sweepconv._box cimport idx

cdef extern from * nogil:
    """
    #include <stdatomic.h>
    #include <stddef.h>
    static inline ptrdiff_t sc_take(ptrdiff_t *next)
    {
        return atomic_fetch_add_explicit((_Atomic ptrdiff_t *)next, 1, memory_order_relaxed);
    }
    """
    idx sc_take(idx *next)

cdef enum:
    MOST_SHARES = 32          # with more threads, some have one together

ctypedef void (*Work)(const void *job, idx task, char *scratch) noexcept nogil


cdef struct Share:
    idx next
    idx end
    idx apart[14]             # no line of the cache, nor the next one, holds two


cdef inline void run_share(Work work, const void *job, Share *share, char *scratch) noexcept nogil:
    cdef idx task = sc_take(&share.next)
    while task < share.end:
        work(job, task, scratch)
        task = sc_take(&share.next)


cdef inline void run_shares(Work work, const void *job, idx first, idx last, int team,
                            char *scratch, idx scratch_bytes) noexcept nogil:
    """Tasks `first` to `last` - 1 by a team of threads, each with `scratch_bytes` of scratch."""
    cdef Share share[MOST_SHARES]
    cdef idx shares = min(<idx>team, <idx>MOST_SHARES), i, k
    for i in range(shares):
        share[i].next = first + (last - first) * i // shares
        share[i].end = first + (last - first) * (i + 1) // shares
    for i in prange(team, num_threads=team, schedule="static", chunksize=1):
        for k in range(shares):
            run_share(work, job, &share[(i + k) % shares], scratch + threadid() * scratch_bytes)
