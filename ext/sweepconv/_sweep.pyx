# cython: boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""The sweep: arrays and phases in, tasks out to the threads.

`gather` makes y (or dx), `reduce` makes dw; both run any rank, family, padding and dtype, since
those are only phases, strides and a table of tiles.  The caller has checked every shape.
"""

from cpython.buffer cimport (
    PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer,
)
from cpython.exc cimport PyErr_CheckSignals
from cython.parallel cimport prange, threadid
from libc.stdint cimport uintptr_t
from libc.stdlib cimport calloc, free, malloc
from libc.string cimport memcpy, memset

from sweepconv._box cimport AXES, Array, Filters, Phase, ceil_div, idx, span
from sweepconv._kernels cimport active_tiles
from sweepconv._task cimport (
    INIT, PIXELS, RUNS, SPARE, STEPS, TAPS, Sweep, channel_block, fold_task, gather_task,
    joined_taps, pack_task, reduce_task, tile_rows,
)

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
    """
    int sc_forked
    void sc_watch_forks()

ctypedef void (*Task)(const Sweep *s, idx task, char *scratch) noexcept nogil

cdef enum:
    ALIGN = 64
    BLOCK_PIXELS = 392        # 28 tiles: their sums stay in the second-level cache
    PART_PIXELS = 196         # weight gradient: a dy panel stays in the first-level cache
    TASK_TARGETS = 256        # filters' targets that share one packing of the source
    SHARE_BYTES = 384 * 1024  # sums of one task of the weight gradient
    SHARES = 16               # weight gradient: tasks to aim at, for any number of threads
    BANK_BYTES = 4 << 20      # filter panels held at once
    SERIAL_WORK = 200 * 1000  # multiply-adds below which a parallel region costs more than it gives
    SLICE_WORK = 500 * 1000 * 1000  # multiply-adds a thread does between two looks at signals


cdef class Plan:
    """The phases of each axis, (d, h, w), in C.  Frozen; shared by all calls of one geometry."""

    cdef Phase *phases[3]
    cdef idx count[3]
    cdef void *memory
    # Over all phases of an axis:
    cdef idx outputs[3]
    cdef idx stride[3]
    cdef idx span[3]
    cdef idx taps[3]
    cdef idx least_taps[3]
    cdef readonly idx boxes
    cdef readonly idx steps  # multiply-adds for one image, one source and one target channel

    def __cinit__(self, axes):
        cdef idx phases = 0, numbers = 0, steps
        cdef int a
        for axis in axes:
            for p in axis:
                phases += 1
                numbers += 3 * len(p.offset) + 2 * len(p.index)
        self.memory = calloc(1, phases * sizeof(Phase) + numbers * sizeof(idx))
        if self.memory == NULL:
            raise MemoryError()
        cdef Phase *phase = <Phase *>self.memory
        cdef idx *number = <idx *>(phase + phases)
        self.boxes = self.steps = 1
        for a in range(3):
            self.phases[a] = phase
            self.count[a] = len(axes[a])
            self.boxes *= self.count[a]
            steps = 0
            self.least_taps[a] = 0
            for p in axes[a]:
                number = self.add_phase(phase, p, number)
                self.outputs[a] = max(self.outputs[a], phase.count)
                self.stride[a] = max(self.stride[a], phase.stride)
                self.span[a] = max(self.span[a], span(phase))
                self.taps[a] = max(self.taps[a], phase.taps)
                if phase.taps and (phase.taps < self.least_taps[a] or not self.least_taps[a]):
                    self.least_taps[a] = phase.taps
                steps += phase.taps * phase.count
                phase += 1
            self.steps *= steps

    cdef idx *add_phase(self, Phase *to, p, idx *number):
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
        return number + to.extent

    def __dealloc__(self):
        free(self.memory)


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

    cdef void *base
    cdef char *data

    def __cinit__(self, idx size):
        self.base = malloc(size + ALIGN)
        if self.base == NULL:
            raise MemoryError(f"sweepconv: no memory for {size} bytes of workspace")
        self.data = <char *>((<uintptr_t>self.base + ALIGN - 1) // ALIGN * ALIGN)

    def __dealloc__(self):
        free(self.base)


cdef class Buffers:
    """The buffers of a call's arrays, held as long as the object lives."""

    cdef Py_buffer view[4]
    cdef int held

    cdef Py_buffer *take(self, array, bint writable) except NULL:
        PyObject_GetBuffer(array, &self.view[self.held],
                           PyBUF_STRIDES | (PyBUF_WRITABLE if writable else 0))
        self.held += 1
        return &self.view[self.held - 1]

    def __dealloc__(self):
        cdef int i
        for i in range(self.held):
            PyBuffer_Release(&self.view[i])


cdef void describe_array(Array *a, const Py_buffer *view) noexcept:
    """View (n, c, *spatial) as (n, c, d, h, w)."""
    cdef int axis, rank = view.ndim - 2
    a.data = <char *>view.buf
    a.batch, a.channel = view.strides[0], view.strides[1]
    for axis in range(3):
        a.space[axis] = view.strides[axis + view.ndim - 3] if axis + rank >= 3 else 0


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

    cdef Memory memory
    cdef readonly Plan plan
    cdef int finite


cdef void init_sweep(Sweep *s, Plan plan, idx itemsize, idx batch, idx groups, idx sources,
                     idx targets) noexcept:
    cdef int a
    memset(s, 0, sizeof(Sweep))
    s.tile = active_tiles(itemsize)
    s.batch, s.groups, s.sources, s.targets = batch, groups, sources, targets
    s.panels = ceil_div(targets, s.tile.nb)
    for a in range(3):
        s.phases[a] = plan.phases[a]
        s.phase_count[a] = plan.count[a]


cdef void choose_blocks(Sweep *s, Plan plan, idx pixels) noexcept:
    """Blocks of about `pixels` outputs: whole rows first, then more rows, then more images."""
    cdef idx left = pixels, most, n
    cdef int a
    for a in range(AXES - 1, -1, -1):
        most = plan.outputs[a - 1] if a else s.batch
        n = left
        if a:  # where windows reach far, larger blocks, so that less is packed twice
            n = max(n, 2 * plan.span[a - 1] // plan.stride[a - 1]) if a == AXES - 1 else n
        n = max(min(n, most), 1)
        s.blocks[a] = ceil_div(most, n)
        s.size[a] = ceil_div(most, max(s.blocks[a], 1))
        s.blocks[a] = ceil_div(most, max(s.size[a], 1))
        s.size[a] = max(s.size[a], 1)
        left = max((left + s.size[a] // 2) // s.size[a], 1)


cdef idx source_panel(const Sweep *s, Plan plan, idx channels) noexcept:
    """Bytes of the largest source panel, with what the last tile reads beyond it."""
    cdef idx size = 1, step = 1, a
    for a in range(AXES - 1, -1, -1):
        step = max(step, size * (plan.stride[a - 1] if a else 1))
        size *= ((s.size[a] - 1) * plan.stride[a - 1] + plan.span[a - 1]) if a else s.size[a]
    return (size + 2 * s.tile.half * (step + 1)) * channels * s.tile.itemsize


cdef idx slots(const Sweep *s) noexcept:
    """Rows of a pixel panel: at most this many, since lines are padded to whole half tiles."""
    cdef idx n = 1
    cdef int a
    cdef bint last = True
    for a in range(AXES - 1, -1, -1):
        if last and s.size[a] > 1:
            n *= ceil_div(s.size[a], s.tile.half) * s.tile.half
            last = False
        else:
            n *= s.size[a]
    return max(n, s.tile.half) + s.tile.half


cdef idx aligned(idx size) noexcept:
    return ceil_div(size, ALIGN) * ALIGN


cdef void lay_out(Sweep *s, idx source, idx pixels, idx spare, idx runs, idx taps) noexcept:
    """Place the parts of a thread's scratch, given their bytes."""
    cdef idx at = aligned(source)
    s.at[PIXELS] = at
    at += aligned(pixels)
    s.at[SPARE] = at
    at += aligned(spare)
    s.at[RUNS] = at
    at += aligned(runs)
    s.at[TAPS] = at
    at += aligned(taps)
    s.at[INIT] = at
    s.scratch_bytes = at + aligned(s.tile.nb * s.tile.itemsize) + ALIGN


cdef int run_tasks(const Sweep *s, Task work, idx tasks, idx steps, int threads,
                   char *scratch) except -1:
    """Run all tasks, `steps` multiply-adds in all, in slices between which signals are seen."""
    cdef idx slices = steps // (<idx>SLICE_WORK * threads) + 1, i, first, last, task
    cdef int team = threads if steps >= SERIAL_WORK and tasks > 1 and not sc_forked else 1
    for i in range(slices):
        first, last = i * tasks // slices, (i + 1) * tasks // slices
        if team == 1:
            with nogil:
                for task in range(first, last):
                    work(s, task, scratch)
        else:
            for task in prange(first, last, nogil=True, num_threads=team, schedule="dynamic",
                               chunksize=1):
                work(s, task, scratch + threadid() * s.scratch_bytes)
        if slices > 1:
            PyErr_CheckSignals()
    return 0


cdef idx widest_block(Plan plan, idx sources) noexcept:
    return channel_block(plan.least_taps[0] * plan.least_taps[1] * plan.least_taps[2], sources)


cdef idx filter_panel_steps(Plan plan) noexcept:
    return plan.taps[0] * plan.taps[1] * plan.taps[2]


cdef void size_panels(Sweep *s, Plan plan) noexcept:
    s.panel_bytes = filter_panel_steps(plan) * s.sources * s.tile.nb * s.tile.itemsize


cdef int pack_boxes(Sweep *s, Plan plan, idx boxes, int threads, char *scratch) except -1:
    cdef idx tasks = boxes * s.groups * s.panels
    return run_tasks(s, pack_task, tasks, tasks * s.panel_bytes, threads, scratch)


cdef idx pack_scratch(const Sweep *s, Plan plan) noexcept:
    return max(<idx>STEPS, 8 * filter_panel_steps(plan)) * s.tile.nb * s.tile.itemsize


def pack(Plan plan, filters, int rank, idx groups, bint transposed, int threads):
    """Filter panels of all boxes, for many calls of `gather` with these filters."""
    cdef Sweep s
    cdef Buffers held = Buffers()
    cdef Py_buffer *w = held.take(filters, False)
    cdef idx o = w.shape[w.ndim - rank - 2], c = w.shape[w.ndim - rank - 1]
    cdef Packed packed = Packed()
    init_sweep(&s, plan, w.itemsize, 1, groups, o // groups if transposed else c,
               c if transposed else o // groups)
    describe_filters(&s.filters, w, rank, o // groups, transposed)
    size_panels(&s, plan)
    packed.memory = Memory(plan.boxes * groups * s.panels * s.panel_bytes)
    s.panel_data = packed.memory.data
    s.scratch_bytes = aligned(pack_scratch(&s, plan))
    cdef Memory scratch = Memory(s.scratch_bytes * threads)
    packed.plan = plan
    packed.finite = True
    s.finite = &packed.finite
    pack_boxes(&s, plan, plan.boxes, threads, scratch.data)
    return packed


def gather(Plan plan, source, filters, bias, target, idx groups, bint transposed, bint accumulate,
           int threads, Packed packed=None, bint only_finite=False):
    """target[n, o, p] (+)= bias[o] + sum of source and filters, for every box of the plan.

    source (n, c, *spatial), target (n, o, *spatial), filters (*bank, O, C/groups, *kernel) as a
    forward sweep takes them, bias (*bank, o) or None.  With only_finite, filters that are not all
    finite are left alone: then the answer is False, and nothing is written.
    """
    cdef Sweep s
    cdef Buffers held = Buffers()
    cdef Py_buffer *x = held.take(source, False)
    cdef Py_buffer *w = held.take(filters, False)
    cdef Py_buffer *y = held.take(target, True)
    cdef Py_buffer *b
    cdef int rank = x.ndim - 2, a
    cdef idx o = w.shape[w.ndim - rank - 2]
    cdef idx box_bytes, boxes, steps
    cdef int finite = packed.finite if packed is not None else True
    if not finite and only_finite:
        return False
    init_sweep(&s, plan, x.itemsize, x.shape[0], groups, x.shape[1] // groups,
               y.shape[1] // groups)
    describe_array(&s.source, x)
    describe_array(&s.target, y)
    describe_filters(&s.filters, w, rank, o // groups, transposed)
    if bias is not None:
        b = held.take(bias, False)
        s.bias = <const char *>b.buf
        s.bias_channel = b.strides[b.ndim - 1]
        for a in range(b.ndim - 1):
            s.bias_bank[a + 3 - rank] = b.strides[a]
    s.accumulate = accumulate
    size_panels(&s, plan)
    choose_gather(&s, plan, threads)
    lay_out_gather(&s, plan)
    steps = plan.steps * s.batch * groups * s.sources * s.targets // max(plan.boxes, 1)
    threads = max(1, min(threads, plan.boxes * gather_tasks(&s)))
    cdef Memory scratch = Memory(s.scratch_bytes * threads)
    box_bytes = groups * s.panels * s.panel_bytes
    boxes = plan.boxes
    cdef Memory panels
    if packed is None:
        boxes = min(boxes, max(1, <idx>BANK_BYTES // max(box_bytes, 1)))
        panels = Memory(boxes * box_bytes)
    else:
        panels = packed.memory
    s.panel_data = panels.data
    s.finite = &finite
    if only_finite and packed is None and boxes < plan.boxes:  # look at all before any is written
        if not all_finite(&s, plan, boxes, threads, scratch.data):
            return False
    while s.first_box < plan.boxes:
        boxes = min(boxes, plan.boxes - s.first_box)
        if packed is None:
            pack_boxes(&s, plan, boxes, threads, scratch.data)
            if only_finite and not finite:
                return False
        run_tasks(&s, gather_task, boxes * gather_tasks(&s), boxes * steps, threads, scratch.data)
        s.first_box += boxes
    return True


cdef int all_finite(Sweep *s, Plan plan, idx boxes, int threads, char *scratch) except -1:
    """Whether all filters are, found by packing them a chunk of boxes at a time."""
    while s.first_box < plan.boxes and s.finite[0]:
        pack_boxes(s, plan, min(boxes, plan.boxes - s.first_box), threads, scratch)
        s.first_box += boxes
    s.first_box = 0
    return s.finite[0]


cdef idx gather_tasks(const Sweep *s) noexcept:
    """Of one box."""
    return s.groups * s.chunks * s.blocks[0] * s.blocks[1] * s.blocks[2] * s.blocks[3]


cdef void choose_gather(Sweep *s, Plan plan, int threads) noexcept:
    """Large tasks, for the caches, but four for each thread where the work allows it."""
    cdef idx pixels = BLOCK_PIXELS
    s.chunk = max(TASK_TARGETS // s.tile.nb, 1)
    while True:
        choose_blocks(s, plan, pixels)
        s.chunks = ceil_div(s.panels, s.chunk)
        s.chunk = ceil_div(s.panels, max(s.chunks, 1))
        if plan.boxes * gather_tasks(s) >= 4 * threads:
            break
        if s.chunk > 4:
            s.chunk = ceil_div(s.chunk, 2)
        elif pixels > BLOCK_PIXELS // 4:
            pixels //= 2
        else:
            break


cdef void lay_out_gather(Sweep *s, Plan plan) noexcept:
    cdef idx row = s.tile.nb * s.tile.itemsize
    lay_out(s, max(source_panel(s, plan, widest_block(plan, s.sources)), pack_scratch(s, plan)),
            s.chunk * slots(s) * row, slots(s) * row if s.accumulate else 0,
            (slots(s) // s.tile.half + 2) * sizeof(idx),
            2 * (filter_panel_steps(plan) + 1) * sizeof(idx))


def reduce(Plan plan, source, dy, filters, idx groups, bint accumulate, int threads):
    """filters (+)= weight gradient of the forward sweep of `plan` over source, for dy."""
    cdef Sweep s
    cdef Buffers held = Buffers()
    cdef Py_buffer *x = held.take(source, False)
    cdef Py_buffer *y = held.take(dy, False)
    cdef Py_buffer *w = held.take(filters, True)
    cdef int rank = x.ndim - 2
    cdef idx shares, box_shares, boxes, steps, tasks
    init_sweep(&s, plan, x.itemsize, x.shape[0], groups, x.shape[1] // groups,
               y.shape[1] // groups)
    describe_array(&s.source, x)
    describe_array(&s.target, y)
    describe_filters(&s.filters, w, rank, s.targets, False)
    s.accumulate = accumulate
    choose_blocks(&s, plan, PART_PIXELS)
    box_shares = choose_shares(&s, plan)
    boxes = min(plan.boxes,
                max(1, <idx>BANK_BYTES // max(box_shares * s.parts * s.panel_bytes, 1)))
    lay_out_reduce(&s, plan)
    tasks = boxes * box_shares * s.parts
    threads = max(1, min(threads, tasks))
    cdef Memory scratch = Memory(s.scratch_bytes * threads)
    cdef Memory buffers = Memory(tasks * s.panel_bytes)
    s.panel_data = buffers.data
    steps = plan.steps * s.batch * groups * s.sources * s.targets // max(plan.boxes, 1)
    while s.first_box < plan.boxes:
        shares = min(boxes, plan.boxes - s.first_box) * box_shares
        run_tasks(&s, reduce_task, shares * s.parts, boxes * steps, threads, scratch.data)
        run_tasks(&s, fold_task, shares, shares * s.parts * s.panel_bytes, threads, scratch.data)
        s.first_box += boxes


cdef idx share_bytes(const Sweep *s, Plan plan) noexcept:
    """Bytes of sums of one filter panel; taps of the last axis may share padding rows."""
    cdef idx taps = filter_panel_steps(plan), joined = joined_taps(&plan.phases[2][0])
    return taps // joined * tile_rows(s, joined * s.source_chunk) * s.tile.nb * s.tile.itemsize


cdef idx choose_shares(Sweep *s, Plan plan) noexcept:
    """Cut filters into shares whose sums fit the second-level cache, and where that gives few
    tasks also the pixels into parts.  From the shapes alone, so that bits never change."""
    cdef idx shares, blocks = s.blocks[0] * s.blocks[1] * s.blocks[2] * s.blocks[3]
    s.source_chunk = min(s.sources, 128 if filter_panel_steps(plan) > 1 else 256)
    s.source_chunks = ceil_div(s.sources, max(s.source_chunk, 1))
    s.source_chunk = ceil_div(s.sources, max(s.source_chunks, 1))
    s.chunk = min(max(TASK_TARGETS // s.tile.nb, 1),
                  max(1, <idx>SHARE_BYTES // max(share_bytes(s, plan), 1)))
    s.chunks = ceil_div(s.panels, s.chunk)
    s.chunk = ceil_div(s.panels, max(s.chunks, 1))
    s.panel_bytes = s.chunk * share_bytes(s, plan)
    shares = s.groups * s.source_chunks * s.chunks
    s.parts = max(1, min(blocks, ceil_div(SHARES, max(plan.boxes * shares, 1))))
    return shares


cdef void lay_out_reduce(Sweep *s, Plan plan) noexcept:
    cdef idx row = s.tile.nb * s.tile.itemsize, pixels = 1
    cdef int a
    for a in range(AXES):
        pixels *= s.size[a]
    lay_out(s, max(source_panel(s, plan, s.source_chunk),
                   filter_panel_steps(plan) * s.source_chunk * row),
            max(pixels * row, share_bytes(s, plan)), 0, (pixels + 1) * sizeof(idx),
            (filter_panel_steps(plan) + 1) * sizeof(idx))


def forked():
    """Whether this process is a fork, and so sweeps with one thread."""
    return bool(sc_forked)


sc_watch_forks()
