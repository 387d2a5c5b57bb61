# cython: boundscheck=False, wraparound=False, cdivision=True
"""Which thread runs which task, and when it looks for signals.

Tasks that are neighbours touch neighbouring memory, often the same lines of the cache at their
edges.  So each thread has a share of tasks in a row, and takes from the others' once its own is
done.  The calling thread looks for signals ten times a second; no other thread waits meanwhile.
It needs the GIL for that, for which it may have to wait: so calls of less than that never look.
"""

from cython.parallel cimport prange, threadid

from sweepconv._box cimport idx

cdef extern from "omp.h" nogil:
    double omp_get_wtime()

cdef extern from "Python.h":
    int check_signals "PyErr_CheckSignals"() noexcept

cdef extern from * nogil:
    """
    #include <stdatomic.h>
    #include <stddef.h>
    static inline ptrdiff_t sc_advance(ptrdiff_t *to, ptrdiff_t n)
    {
        return atomic_fetch_add_explicit((_Atomic ptrdiff_t *)to, n, memory_order_relaxed);
    }
    """
    idx sc_advance(idx *to, idx n)  # what stood there

cdef enum:
    MOST_SHARES = 32          # with more threads, some have one together

ctypedef void (*Work)(const void *job, idx task, char *scratch) noexcept nogil


cdef struct Share:
    idx next
    idx end
    idx apart[14]             # no line of the cache, nor the next one, holds two


cdef struct Crew:
    Work work
    const void *job
    idx shares
    idx patience              # tasks that the calling thread runs between two looks at the clock
    idx left
    double look               # when it looks for signals; 0: it has not seen the clock
    int raised                # a signal's handler has, in the calling thread
    Share share[MOST_SHARES]


cdef inline void look_at_signals(Crew *c) noexcept nogil:
    cdef double now
    cdef idx i
    c.left -= 1
    if c.left:
        return
    c.left, now = c.patience, omp_get_wtime()
    if c.look and now < c.look:
        return
    if c.look:
        with gil:
            c.raised = check_signals()
    c.look = now + 0.1
    if c.raised:
        for i in range(c.shares):  # all taken
            sc_advance(&c.share[i].next, c.share[i].end)


cdef inline void run_shares(Crew *c, idx own, char *scratch, bint calling) noexcept nogil:
    """The tasks of share number `own`, then those that others have left."""
    cdef idx i, task
    cdef Share *share
    for i in range(c.shares):
        share = &c.share[(own + i) % c.shares]
        task = sc_advance(&share.next, 1)
        while task < share.end:
            c.work(c.job, task, scratch)
            if calling:
                look_at_signals(c)
            task = sc_advance(&share.next, 1)


cdef inline int run_team(Work work, const void *job, idx tasks, idx patience, int team,
                         char *scratch, idx scratch_bytes) noexcept nogil:
    """All tasks, by a team of threads that have `scratch_bytes` of scratch each; -1 where a signal
    has raised an exception, which stands in the calling thread."""
    cdef Crew crew
    cdef Crew *c = &crew
    cdef idx i
    c.work, c.job, c.patience, c.left = work, job, patience, patience
    c.look, c.raised = 0, 0
    c.shares = min(<idx>team, <idx>MOST_SHARES)
    for i in range(c.shares):
        c.share[i].next, c.share[i].end = tasks * i // c.shares, tasks * (i + 1) // c.shares
    if team == 1:
        run_shares(c, 0, scratch, True)
    else:
        for i in prange(team, num_threads=team, schedule="static", chunksize=1):
            run_shares(c, i, scratch + threadid() * scratch_bytes, threadid() == 0)
    return c.raised
