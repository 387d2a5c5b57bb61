# cython: boundscheck=False, wraparound=False, cdivision=True, binding=False
# cython: freethreading_compatible=True
"""The sweep: arrays and phases in, tasks out to the threads.

`gather` makes y (or dx), `reduce` makes dw; both run any rank, family, padding and dtype, since
those are only phases, strides and a table of tiles.  The caller has checked every shape.
"""

from cpython.buffer cimport (
    PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from sweepconv._batch_gather cimport batch_task
from sweepconv._batch_reduce cimport batch_reduce_task
from sweepconv._batch_scatter cimport batch_scatter_task
from sweepconv._box cimport (
    Array, Extents, Filters, Phase, ceil_div, filter_panel_steps, idx, joined_taps, span,
)
from sweepconv._cut cimport (
    ALIGN, SHARES, aligned, box_steps, choose_gather, choose_shares, choose_winograd, gather_tasks,
    lay_out_gather, lay_out_reduce, lay_out_winograd, pack_scratch, size_panels,
)
from sweepconv._cut_banks cimport (
    gathers_images, lay_out_batch_gather, lay_out_batch_reduce, lay_out_batch_scatter,
    lay_out_patches, lay_out_scatter, reduces_images, scatters, scatters_images, takes_patches,
)
from sweepconv._filters cimport Flat
from sweepconv._gather cimport gather_task, open_scratch
from sweepconv._kernels cimport active_tiles
from sweepconv._kinds cimport choose_kind, choose_values, narrow_panels
from sweepconv._matvec cimport lay_out_matvec, matvec_task, takes_matvec
from sweepconv._pack cimport pack_shared_task, pack_task, shared_boxes, shared_tasks
from sweepconv._patch_reduce cimport patch_task
from sweepconv._patch_scatter cimport scatter_task
from sweepconv._planes_gather cimport pack_planes_task, planes_task
from sweepconv._planes_reduce cimport planes_fold_task, planes_reduce_task
from sweepconv._reduce cimport fold_task, reduce_task
from sweepconv._share cimport Work, run_team
from sweepconv._task cimport Sweep
from sweepconv._winograd cimport pack_winograd_task, winograd_task

cdef extern from *:
    """
    /* libgomp's threads do not survive a fork: a child that opens a parallel region hangs. */
    static int sc_forked = 0;
    #if defined(_WIN32)
    static void sc_watch_forks(void) {}
    #else
    #include <pthread.h>
    static void sc_in_child(void) { sc_forked = 1; }
    static void sc_watch_forks(void) { pthread_atfork(NULL, NULL, sc_in_child); }
    #endif

    /* Large allocations in large pages, as NumPy asks for its arrays: fewer faults, and streams of
     * filters are not broken off at each small page. */
    #if defined(__linux__)
    #include <stdint.h>
    #include <sys/mman.h>
    static void sc_huge_pages(void *base, size_t size)
    {
        uintptr_t page = 4096, first = ((uintptr_t)base + page - 1) / page * page;
        if (size >= (4 << 20)) madvise((void *)first, (size - page) / page * page, MADV_HUGEPAGE);
    }
    #else
    static void sc_huge_pages(void *base, size_t size) { (void)base, (void)size; }
    #endif
    """
    int sc_forked
    void sc_watch_forks()
    void sc_huge_pages(void *base, size_t size)

ctypedef void (*Task)(const Sweep *s, idx task, char *scratch) noexcept nogil

cdef enum:
    BANK_BYTES = 4 << 20      # filter panels held at once
    BANK_COPIES = 3           # or of filters that boxes share: 3x3x3 with stride 2 takes 2.4
    MOST_JOINED = 16          # boxes of a task, whose outputs share lines of the cache
    ROUND_WORK = 1 << 26     # local input gradient: of one image
    SERIAL_WORK = 200 * 1000  # multiply-adds below which a parallel region costs more than it gives
    CLOCK_WORK = 50 * 1000 * 1000  # multiply-adds between two looks at the clock, for signals
    SIGNAL_WORK = 2000 * 1000 * 1000  # the most of a task of a weight gradient


cdef class Plan:
    """The phases of each axis, (d, h, w), in C.  Frozen; shared by all calls of one geometry."""

    def __cinit__(self, axes):
        cdef idx phases = 0, numbers = 0, steps
        cdef int a
        for axis in axes:
            for p in axis:
                phases += 1
                numbers += 3 * len(p.offset) + 2 * len(p.index)
        self.nbytes = phases * sizeof(Phase) + numbers * sizeof(idx)
        self.memory = calloc(1, self.nbytes)
        if self.memory == NULL:
            raise MemoryError()
        cdef Phase *phase = <Phase *>self.memory
        cdef idx *number = <idx *>(phase + phases)
        cdef Extents *e = &self.extents
        e.boxes, e.steps = 1, 1
        for a in range(3):
            self.phases[a] = phase
            self.count[a] = len(axes[a])
            e.boxes *= self.count[a]
            steps = 0
            for p in axes[a]:
                number = add_phase(self, phase, p, number)
                widen(e, a, phase)
                steps += phase.taps * phase.count
                phase += 1
            e.steps *= steps
        e.joined = joined_taps(self.phases[2]) if self.count[2] else 1

    def winograd(self):
        """Whether F(m, 3) applies: 3 taps at neighbouring places of the last axis, there or one tap
        on the others, one phase and unit stride everywhere."""
        cdef const Phase *p
        cdef int a
        for a in range(3):
            if self.count[a] != 1:
                return False
            p = self.phases[a]
            if p.stride != 1 or not (p.taps == 3 and span(p) == 3 or p.taps == 1 and a < 2):
                return False
        return True

    def __dealloc__(self):
        free(self.memory)


cdef idx *add_phase(Plan plan, Phase *to, p, idx *number) except NULL:
    """Copy p behind `number`; where the next goes."""
    cdef const idx[::1] values
    cdef const idx **lists = [NULL, NULL, NULL, NULL]
    cdef int i
    cdef idx n
    to.first, to.step, to.count, to.stride = p.first, p.step, p.count, p.stride
    to.taps, to.extent = len(p.offset), len(p.index)
    for i, array in enumerate((p.offset, p.tap, p.filter, p.index)):
        values = array
        n = len(values)
        if n:
            memcpy(number, &values[0], n * sizeof(idx))
        lists[i] = number
        number += n
    to.offset, to.tap, to.filter, to.index = lists[0], lists[1], lists[2], lists[3]
    to.end = number
    even_runs(to.index, to.extent, number)
    for n in range(to.extent):
        plan.reads_zeros = plan.reads_zeros or to.index[n] < 0
    return number + to.extent


cdef void widen(Extents *e, int a, const Phase *p) noexcept nogil:
    """Make e hold the phase p of axis a."""
    e.outputs[a] = max(e.outputs[a], p.count)
    e.stride[a] = max(e.stride[a], p.stride)
    e.span[a] = max(e.span[a], span(p))
    e.taps[a] = max(e.taps[a], p.taps)
    e.interleaved = e.interleaved or p.step > 1
    if p.taps and (p.taps < e.least_taps[a] or not e.least_taps[a]):
        e.least_taps[a] = p.taps


cdef void even_runs(const idx *index, idx n, idx *end) noexcept nogil:
    """end[i] = where the run around i ends in which `index` is -1 or changes evenly."""
    cdef idx first = 0, last, i
    while first < n:
        last = first + 1
        if index[first] < 0:
            while last < n and index[last] < 0:
                last += 1
        elif last < n and index[last] >= 0:
            while last < n and index[last] >= 0 and (
                    index[last] - index[last - 1] == index[first + 1] - index[first]):
                last += 1
        for i in range(first, last):
            end[i] = last
        first = last


cdef class Memory:
    """One aligned allocation, freed with the object."""

    def __dealloc__(self):
        free(self.base)


cdef Memory allocate(idx size):
    cdef Memory m = Memory.__new__(Memory)
    m.base = malloc(size + ALIGN)
    if m.base == NULL:
        raise MemoryError(f"sweepconv: no memory for {size} bytes of workspace")
    sc_huge_pages(m.base, size)
    m.data = <char *>((<uintptr_t>m.base + ALIGN - 1) // ALIGN * ALIGN)
    return m


cdef class Buffers:
    """The buffers of a call's arrays, held as long as the object lives."""

    cdef Py_buffer *take(self, array, bint writable) except NULL:
        PyObject_GetBuffer(array, &self.view[self.held],
                           PyBUF_STRIDES | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0))
        self.held += 1
        return &self.view[self.held - 1]

    def __dealloc__(self):
        cdef int i
        for i in range(self.held):
            PyBuffer_Release(&self.view[i])


cdef void describe_array(Array *a, const Py_buffer *view) noexcept:
    """View (n, c, *spatial) as (n, c, d, h, w)."""
    cdef int axis, rank = view.ndim - 2
    a.data = a.end = <char *>view.buf
    for axis in range(view.ndim):
        if view.strides[axis] < 0 or view.shape[axis] == 0:
            a.end = NULL
        elif a.end != NULL:
            a.end += (view.shape[axis] - 1) * view.strides[axis]
    if a.end != NULL:
        a.end += view.itemsize
    a.batch = view.strides[0]
    a.channel = view.strides[1] if view.shape[1] > 1 else view.itemsize  # so one lies in place
    for axis in range(3):
        a.space[axis] = view.strides[axis + view.ndim - 3] if axis + rank >= 3 else 0
        a.size[axis] = view.shape[axis + view.ndim - 3] if axis + rank >= 3 else 1


cdef void describe_filters(Filters *f, const Py_buffer *view, int rank, idx group_targets,
                           bint transposed) noexcept:
    """View (*bank, o, c, *kernel); transposed filters sum over o and make c."""
    cdef int axis, bank = view.ndim - 2 - rank
    cdef idx o = view.strides[bank], c = view.strides[bank + 1]
    f.data = <char *>view.buf
    f.source, f.target = (o, c) if transposed else (c, o)
    f.group = group_targets * o
    for axis in range(3):
        f.tap[axis] = view.strides[axis + view.ndim - 3] if axis + rank >= 3 else view.itemsize
        f.bank[axis] = view.strides[axis + rank - 3] if bank and axis + rank >= 3 else 0


cdef class Packed:
    """Filter panels of every box of a plan, for `gather`."""


cdef void init_sweep(Sweep *s, Plan plan, idx itemsize, idx batch, idx groups, idx sources,
                     idx targets, bint gathers, bint last, int winograd) noexcept:
    cdef int a
    memset(s, 0, sizeof(Sweep))
    s.tile = active_tiles(itemsize)
    s.batch, s.all_groups, s.sources, s.targets = batch, groups, sources, targets
    s.winograd, s.wide, s.box_chunk, s.reads_zeros = winograd, 1, 1, plan.reads_zeros
    if winograd:
        choose_values(s)
    else:
        choose_kind(s, &plan.extents, gathers, last)
    for a in range(3):
        s.phases[a] = plan.phases[a]
        s.phase_count[a] = plan.count[a]


cdef int run_tasks(Work work, const void *job, idx tasks, double steps, int threads, char *scratch,
                   idx scratch_bytes) except -1:
    """Run all tasks, `steps` multiply-adds in all, by threads with `scratch_bytes` of scratch each;
    what a signal raises ends them."""
    cdef int team = threads if steps >= SERIAL_WORK and tasks > 1 and not sc_forked else 1
    cdef idx patience = <idx>(CLOCK_WORK * tasks / (steps + 1)) + 1
    cdef int raised
    with nogil:
        raised = run_team(work, job, tasks, patience, team, scratch, scratch_bytes)
    if not raised:
        PyErr_CheckSignals()
    return raised


cdef struct Job:
    Task work
    const Sweep *sweep


cdef void sweep_task(const void *job, idx task, char *scratch) noexcept nogil:
    (<const Job *>job).work((<const Job *>job).sweep, task, scratch)


cdef int run_sweep(const Sweep *s, Task work, idx tasks, double steps, int threads,
                   char *scratch) except -1:
    cdef Job job
    job.work, job.sweep = work, s
    return run_tasks(sweep_task, &job, tasks, steps, threads, scratch, s.scratch_bytes)


cdef int pack_boxes(Sweep *s, Plan plan, idx boxes, int threads, char *scratch) except -1:
    cdef idx tasks = boxes * s.groups * s.panels
    cdef double steps = MOVE_WORK * tasks * s.panel_bytes
    cdef Flat f
    cdef Task work = pack_task
    if s.planes:
        work = pack_planes_task
    elif s.winograd:
        work = pack_winograd_task
    elif boxes == plan.extents.boxes and shared_boxes(s, &f) > 0:
        work, tasks = pack_shared_task, shared_tasks(s, &f)
    return run_sweep(s, work, tasks, steps, threads, scratch)


def pack(Plan plan, filters, int rank, idx groups, bint transposed, int threads, bint last,
         int winograd):
    """Filter panels of all boxes, for many calls of `gather` with these filters, and sources whose
    channels come last in memory or not."""
    cdef Sweep s
    cdef Buffers held = Buffers.__new__(Buffers)
    cdef Py_buffer *w = held.take(filters, False)
    cdef idx o = w.shape[w.ndim - rank - 2], c = w.shape[w.ndim - rank - 1]
    cdef Packed packed = Packed()
    init_sweep(&s, plan, w.itemsize, 1, groups, o // groups if transposed else c,
               c if transposed else o // groups, True, last, winograd)
    describe_filters(&s.filters, w, rank, o // groups, transposed)
    narrow_panels(&s)
    size_panels(&s, &plan.extents)
    packed.memory = allocate(plan.extents.boxes * s.groups * s.panels * s.panel_bytes)
    s.panel_data = packed.memory.data
    if winograd:
        choose_winograd(&s, &plan.extents, threads)
        lay_out_winograd(&s, &plan.extents)
    else:
        s.scratch_bytes = aligned(pack_scratch(&s, &plan.extents))
    cdef Memory scratch = allocate(s.scratch_bytes * threads)
    packed.plan = plan
    packed.finite = True
    s.finite = &packed.finite
    pack_boxes(&s, plan, plan.extents.boxes, threads, scratch.data)
    return packed


cdef bint gather_images(Sweep *s, Plan plan, int threads) except -1:
    choose_values(s)
    cdef idx tasks = lay_out_batch_gather(s, &plan.extents, threads)
    threads = max(1, min(threads, tasks))
    cdef Memory scratch = allocate(s.scratch_bytes * threads)
    run_sweep(s, batch_task, tasks, plan.extents.boxes * box_steps(s, &plan.extents), threads,
              scratch.data)
    return True


cdef bint gather_vectors(Sweep *s, Plan plan, int threads) except -1:
    cdef idx tasks = lay_out_matvec(s, threads)
    threads = max(1, min(threads, tasks))
    cdef Memory scratch = allocate(s.scratch_bytes * threads)
    run_sweep(s, matvec_task, tasks, box_steps(s, &plan.extents), threads, scratch.data)
    return True


def gather(Plan plan, source, filters, bias, target, idx groups, bint transposed, bint accumulate,
           int threads, Packed packed=None, bint only_finite=False, int winograd=0):
    """target[n, o, p] (+)= bias[o] + sum of source and filters, for every box of the plan.

    source (n, c, *spatial), target (n, o, *spatial), filters (*bank, O, C/groups, *kernel) as a
    forward sweep takes them, bias (*bank, o) or None.  The target is not empty.  With only_finite,
    filters that are not all finite are left alone: then the answer is False, and nothing is
    written.  `winograd`: m of F(m, 3) for a plan to which it applies, 0 for the direct sweep.
    """
    cdef Buffers held = Buffers.__new__(Buffers)
    cdef Py_buffer *x = held.take(source, False)
    cdef Py_buffer *w = held.take(filters, False)
    cdef Py_buffer *y = held.take(target, True)
    cdef Py_buffer *b = held.take(bias, False) if bias is not None else NULL
    return gather_views(plan, x, w, b, y, groups, transposed, accumulate, threads, packed,
                        only_finite, winograd)


cdef bint gather_views(Plan plan, const Py_buffer *x, const Py_buffer *w, const Py_buffer *b,
                       const Py_buffer *y, idx groups, bint transposed, bint accumulate,
                       int threads, Packed packed, bint only_finite, int winograd) except -1:
    """The same of buffers; b may be NULL."""
    cdef Sweep s
    cdef int rank = x.ndim - 2, a
    cdef idx o = w.shape[w.ndim - rank - 2]
    cdef idx box_bytes, boxes, held
    cdef Flat f
    cdef double steps
    cdef int finite = packed.finite if packed is not None else True
    if not finite and only_finite:
        return False
    if plan.extents.boxes == 0:
        return True
    init_sweep(&s, plan, x.itemsize, x.shape[0], groups, x.shape[1] // groups,
               y.shape[1] // groups, True, x.strides[1] == x.itemsize, winograd)
    describe_array(&s.source, x)
    describe_array(&s.target, y)
    describe_filters(&s.filters, w, rank, o // groups, transposed)
    if b != NULL:
        s.bias = <const char *>b.buf
        s.bias_channel = b.strides[b.ndim - 1]
        for a in range(b.ndim - 1):
            s.bias_bank[a + 3 - rank] = b.strides[a]
    s.accumulate = accumulate
    if not (winograd or accumulate or only_finite) and gathers_images(
            &s, &plan.extents, packed is not None):
        return gather_images(&s, plan, threads)
    if not (winograd or only_finite) and packed is None and takes_matvec(&s, &plan.extents):
        return gather_vectors(&s, plan, threads)
    narrow_panels(&s)
    size_panels(&s, &plan.extents)
    box_bytes = s.groups * s.panels * s.panel_bytes
    boxes, held = plan.extents.boxes, held_boxes(&s, &plan.extents, box_bytes)
    if plan.extents.interleaved and boxes <= MOST_JOINED and (
            packed is not None or held == boxes):
        s.box_chunk = boxes
    if winograd:
        choose_winograd(&s, &plan.extents, threads)
        lay_out_winograd(&s, &plan.extents)
    else:
        choose_gather(&s, &plan.extents, threads)
        if packed is not None or only_finite or (held == boxes > 1 and shared_boxes(&s, &f)):
            s.own_filters = False
            size_panels(&s, &plan.extents)
        lay_out_gather(&s, &plan.extents)
    steps = box_steps(&s, &plan.extents)
    threads = max(1, min(threads, boxes // s.box_chunk * gather_tasks(&s)))
    cdef Memory scratch = allocate(s.scratch_bytes * threads)
    cdef Memory panels = None
    if packed is not None:
        panels = packed.memory
    elif not s.own_filters:
        boxes = held
        panels = allocate(boxes * box_bytes)
    s.panel_data = panels.data if panels is not None else NULL
    s.finite = &finite
    cdef Task work = gather_task
    if s.planes:
        work = planes_task
    elif winograd:
        work = winograd_task
    cdef bint pack_here = packed is None and not s.own_filters
    # Look at all before any is written.
    if only_finite and pack_here and boxes < plan.extents.boxes:
        if not all_finite(&s, plan, boxes, threads, scratch.data):
            return False
    while s.first < plan.extents.boxes:
        boxes = min(boxes, plan.extents.boxes - s.first)
        if pack_here:
            pack_boxes(&s, plan, boxes, threads, scratch.data)
            if only_finite and not finite:
                return False
        if work == gather_task:
            for a in range(threads):
                open_scratch(&s, scratch.data + a * s.scratch_bytes)
        run_sweep(&s, work, boxes // s.box_chunk * gather_tasks(&s), boxes * steps, threads,
                  scratch.data)
        s.first += boxes
    return True


cdef idx held_boxes(const Sweep *s, const Extents *e, idx box_bytes) noexcept:
    """Boxes whose filter panels are held at once: all that share filters, if that comes to
    BANK_COPIES of these at most."""
    cdef Flat f
    cdef idx most = BANK_BYTES
    if e.boxes > 1 and shared_boxes(s, &f):
        most = max(most, BANK_COPIES * f.values * box_bytes // filter_panel_steps(e))
    return min(e.boxes, max(1, most // max(box_bytes, 1)))


cdef int all_finite(Sweep *s, Plan plan, idx boxes, int threads, char *scratch) except -1:
    """Whether all filters are, found by packing them a chunk of boxes at a time."""
    while s.first < plan.extents.boxes and s.finite[0]:
        pack_boxes(s, plan, min(boxes, plan.extents.boxes - s.first), threads, scratch)
        s.first += boxes
    s.first = 0
    return s.finite[0]


def reduce(Plan plan, source, dy, filters, idx groups, bint accumulate, int threads):
    """filters (+)= weight gradient of the forward sweep of `plan` over source, for dy."""
    cdef Buffers held = Buffers.__new__(Buffers)
    cdef Py_buffer *x = held.take(source, False)
    cdef Py_buffer *y = held.take(dy, False)
    cdef Py_buffer *w = held.take(filters, True)
    reduce_views(plan, x, y, w, groups, accumulate, threads)


cdef int reduce_views(Plan plan, const Py_buffer *x, const Py_buffer *y, const Py_buffer *w,
                      idx groups, bint accumulate, int threads) except -1:
    """The same of buffers."""
    cdef Sweep s
    cdef int rank = x.ndim - 2
    init_sweep(&s, plan, x.itemsize, x.shape[0], groups, x.shape[1] // groups,
               y.shape[1] // groups, False, True, 0)
    describe_array(&s.source, x)
    describe_array(&s.target, y)
    describe_filters(&s.filters, w, rank, s.targets, False)
    s.accumulate = accumulate
    if s.planes:
        if reduce_shares(&s, plan, planes_reduce_task, planes_fold_task, threads):
            return 0
        choose_values(&s)
    reduce_shares(&s, plan, reduce_task, fold_task, threads)
    return 0


cdef bint reduce_shares(Sweep *s, Plan plan, Task sum_up, Task fold, int threads) except -1:
    """All tasks of a weight gradient; False, and nothing written, where x is not finite and the
    tasks need that."""
    cdef idx box_shares = choose_shares(s, &plan.extents), shares = plan.extents.boxes * box_shares
    cdef idx count, held_shares
    cdef int finite = True
    cdef double steps
    if reduces_images(s, &plan.extents):
        count = lay_out_batch_reduce(s, &plan.extents, threads)
        reduce_once(s, plan, batch_reduce_task, count, threads)
        return True
    if takes_patches(s, &plan.extents):
        count = lay_out_patches(s, &plan.extents, threads)
        reduce_once(s, plan, patch_task, count, threads)
        return True
    if narrow_panels(s):
        box_shares = choose_shares(s, &plan.extents)
    held_shares = max(<idx>SHARES, <idx>BANK_BYTES // (s.parts * s.panel_bytes))
    held_shares = min(shares, ceil_div(held_shares, s.wide) * s.wide)
    if s.planes:
        held_shares = shares  # all sums are kept until x is known to be finite
    lay_out_reduce(s, &plan.extents)
    threads = max(1, min(threads, held_shares * s.parts))
    cdef Memory scratch = allocate(s.scratch_bytes * threads)
    cdef Memory buffers = allocate(held_shares * s.parts * s.panel_bytes)
    s.panel_data, s.finite, s.first = buffers.data, &finite, 0
    steps = box_steps(s, &plan.extents) / box_shares
    while s.first < shares:
        count = min(held_shares, shares - s.first)
        # Each part in rounds, so that a call of few long tasks sees signals too.
        s.rounds = <idx>(steps * s.wide / (<double>SIGNAL_WORK * s.parts)) + 1
        for s.round in range(s.rounds):
            run_sweep(s, sum_up, ceil_div(count, s.wide) * s.parts, count * steps / s.rounds,
                      threads, scratch.data)
        if not finite:
            return False
        run_sweep(s, fold, count, MOVE_WORK * count * s.parts * s.panel_bytes, threads,
                  scratch.data)
        s.first += count
    return True


cdef int reduce_once(Sweep *s, Plan plan, Task work, idx tasks, int threads) except -1:
    """All tasks of a weight gradient whose filters serve few outputs each, and are written once."""
    threads = max(1, min(threads, tasks))
    cdef Memory scratch = allocate(s.scratch_bytes * threads)
    return run_sweep(s, work, tasks, plan.extents.boxes * box_steps(s, &plan.extents), threads,
                     scratch.data)


def scatter(Plan plan, target, dy, filters, idx groups, bint accumulate, int threads):
    """target (+)= input gradient of the forward sweep of `plan`, for dy, where each filter serves
    one output; False, and nothing written, where that is not so."""
    cdef Buffers held = Buffers.__new__(Buffers)
    cdef Py_buffer *x = held.take(target, True)
    cdef Py_buffer *y = held.take(dy, False)
    cdef Py_buffer *w = held.take(filters, False)
    return scatter_views(plan, x, y, w, groups, accumulate, threads)


cdef bint scatter_views(Plan plan, const Py_buffer *x, const Py_buffer *y, const Py_buffer *w,
                        idx groups, bint accumulate, int threads) except -1:
    """The same of buffers."""
    cdef Sweep s
    cdef int rank = x.ndim - 2
    cdef idx tasks
    init_sweep(&s, plan, x.itemsize, x.shape[0], groups, x.shape[1] // groups,
               y.shape[1] // groups, False, True, 0)
    choose_values(&s)
    describe_array(&s.source, x)
    describe_array(&s.target, y)
    describe_filters(&s.filters, w, rank, s.targets, False)
    if not scatters(&s, &plan.extents):
        return False
    s.accumulate = accumulate
    cdef Task work = scatter_task
    if scatters_images(&s):
        work = batch_scatter_task
        tasks = lay_out_batch_scatter(&s, &plan.extents, threads)
    else:
        tasks = lay_out_scatter(&s, &plan.extents, threads)
    threads = max(1, min(threads, tasks))
    cdef Memory scratch = allocate(s.scratch_bytes * threads)
    # In rounds of so much work for one image, so that signals are seen; never by batch or threads.
    cdef double steps = plan.extents.boxes * box_steps(&s, &plan.extents)
    s.rounds = min(<idx>(steps / (<double>ROUND_WORK * s.batch)) + 1, plan.extents.boxes)
    for s.round in range(s.rounds):
        run_sweep(&s, work, tasks, steps / s.rounds, threads, scratch.data)
    return True


def forked():
    """Whether this process is a fork, and so sweeps with one thread."""
    return bool(sc_forked)


sc_watch_forks()
