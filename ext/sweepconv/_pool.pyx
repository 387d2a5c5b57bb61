# cython: boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""Pooling: the maximum or the mean of windows, and their gradients: arrays in, blocks out to the
threads.

The greatest of a box is the greatest over its rows of each row's greatest, and a sum likewise, so
windows are taken one axis at a time (_stage.pxd), the last axis first: that makes the first of
equals the first in row-major order, and costs sum(kernel) in the place of prod(kernel).  A task
does all stages of a block of one image and some channels, whose stages stay in the cache; each row
is read from the array once.

Forward a task makes a block of outputs.  For the gradient it makes a block of inputs: of a maximum
it finds again where the outputs that these meet came from; then it sends dy back stage by stage.
Each element has one task, whose sums are in an order of their own.  The caller has checked every
shape.
"""

from libc.string cimport memset

from sweepconv._box cimport Array, ceil_div, idx
from sweepconv._kernels cimport active_tiles, sc_tiles
from sweepconv._stage cimport (
    Range, Side, View, array_view, cut_inputs, cut_outputs, dense_view, divide_all, move_block,
    send_back, take_stage,
)
from sweepconv._sweep cimport MOVE_WORK, Buffers, Memory, allocate, describe_array, run_tasks

cdef enum:
    ALIGN = 64
    LANE_BYTES = 512          # channels of a block where they are contiguous: a stream of lines
    TURN_BYTES = 64           # where they are turned into place: a line
    BLOCK_BYTES = 192 * 1024  # of all stages: they stay in the second-level cache
    LEAST_BYTES = 16 * 1024   # below which a block is not cut to give all threads work
    LEAST_ROW = 64            # where channels are not contiguous, and w is
    PANEL_BYTES = 16 * 1024   # rows that are packed at once: half of the first-level cache
    TAP_WORK = 4              # multiply-adds in the time of a comparison
    BACK_WORK = 3             # the gradient in the time of a forward call


cdef struct Pool:
    const sc_tiles *tile
    Side side[3]
    Array x
    Array y          # or dy
    Array dx         # of a mean, whose x is not read, also x
    bint mean        # or the maximum
    bint inside      # mean of the elements that lie in the image
    bint back        # the gradient
    bint accumulate
    idx batch
    idx channels
    idx lanes        # channels of a task
    idx chunks
    int last         # stage that makes y: stages of one tap and unit stride are left out
    idx rows         # of x or dx that are packed at once
    idx value[3]     # of the stages in a thread's scratch, behind the packed rows
    idx tap[3]
    idx scratch_bytes


cdef inline bint is_left_out(const Pool *p, int a) noexcept nogil:
    return a < 2 and p.side[a].kernel == 1 and p.side[a].stride == 1


cdef inline bint in_place(const Pool *p, const Array *x) noexcept nogil:
    """Whether lanes are contiguous in x."""
    return p.lanes == 1 or x.channel == p.tile.itemsize


cdef idx extent(const Pool *p, int a) noexcept nogil:
    return p.side[a].size if p.back else p.side[a].outs


cdef idx least_block(const Pool *p, int a) noexcept nogil:
    """Smaller ones would read more than half of their inputs twice."""
    cdef idx least = 2 * p.side[a].kernel
    if is_left_out(p, a):
        return 1
    if not p.back:
        least = max(least // p.side[a].stride, <idx>1)
    return max(least, <idx>LEAST_ROW) if a == 2 and p.x.channel != p.tile.itemsize else least


cdef idx most_outs(const Pool *p, int a) noexcept nogil:
    """Outputs of a block."""
    cdef const Side *s = &p.side[a]
    return min(s.outs, (s.block + s.kernel - 2) // s.stride + 1) if p.back else s.block


cdef idx most_ins(const Pool *p, int a) noexcept nogil:
    """Inputs that a block holds."""
    cdef const Side *s = &p.side[a]
    if p.back:
        return min(s.size, s.block + 2 * (s.kernel - 1))
    return min(s.size, (s.block - 1) * s.stride + s.kernel)


cdef idx stage_bytes(const Pool *p, int a) noexcept nogil:
    """Of the values when axis a and those behind it are reduced."""
    cdef idx bytes = p.lanes * p.tile.itemsize
    cdef int b
    for b in range(3):
        bytes *= most_ins(p, b) if b < a else most_outs(p, b)
    return ceil_div(bytes, ALIGN) * ALIGN


cdef idx block_bytes(const Pool *p) noexcept nogil:
    cdef idx bytes = 0
    cdef int a
    for a in range(3):
        if not is_left_out(p, a):
            bytes += stage_bytes(p, a)
    return 2 * bytes if p.back and not p.mean else bytes


cdef idx task_count(const Pool *p) noexcept nogil:
    cdef idx tasks = p.batch * p.chunks
    cdef int a
    for a in range(3):
        tasks *= ceil_div(extent(p, a), p.side[a].block)
    return tasks


cdef bint halve(Pool *p) noexcept nogil:
    """Smaller blocks: the axis that is furthest from its least size; False where all are there."""
    cdef int a, best = 2
    for a in range(1, -1, -1):
        if p.side[a].block > least_block(p, a) and (
                best == 2 or p.side[a].block * least_block(p, best)
                > p.side[best].block * least_block(p, a)):
            best = a
    if p.side[best].block <= least_block(p, best):
        return False
    p.side[best].block = max(least_block(p, best), ceil_div(p.side[best].block, 2))
    return True


cdef void join_images(Pool *p) noexcept nogil:
    """Channels of all images as those of one, where they stand at one pace: more of them for the
    lanes."""
    if (p.x.batch == p.channels * p.x.channel and p.y.batch == p.channels * p.y.channel
            and (not p.back or p.dx.batch == p.channels * p.dx.channel)):
        p.channels *= p.batch
        p.batch = 1


cdef void choose_lanes(Pool *p) noexcept nogil:
    """Channels, where they are contiguous or worth a transposition; else one, and rows are long."""
    cdef bint whole = p.x.channel == p.tile.itemsize
    cdef idx most = LANE_BYTES if whole else TURN_BYTES
    set_lanes(p, most // p.tile.itemsize if whole or p.channels >= p.tile.nb // 2 else 1)


cdef void set_lanes(Pool *p, idx most) noexcept nogil:
    """At most that many, in equal parts of whole vectors."""
    cdef idx vector = p.tile.nb // 2
    p.lanes = ceil_div(p.channels, ceil_div(p.channels, most))
    if most > 1:
        p.lanes = min(p.channels, ceil_div(p.lanes, vector) * vector)
    p.chunks = ceil_div(p.channels, p.lanes)


cdef void choose_blocks(Pool *p, int threads) noexcept nogil:
    """They fit into the cache, and there are two for each thread; they change no bit."""
    cdef idx bytes
    cdef int a
    for a in range(3):
        p.side[a].block = extent(p, a)
    while True:
        bytes = block_bytes(p)
        if bytes <= BLOCK_BYTES and (bytes <= LEAST_BYTES or task_count(p) >= 2 * threads):
            break
        if not halve(p):
            if bytes <= BLOCK_BYTES or p.lanes * p.tile.itemsize <= TURN_BYTES:
                break
            set_lanes(p, p.lanes // 2)
    for a in range(3):
        p.side[a].blocks = ceil_div(extent(p, a), p.side[a].block)
        p.side[a].block = ceil_div(extent(p, a), p.side[a].blocks)


cdef void lay_out(Pool *p) noexcept nogil:
    """Place the parts of a thread's scratch; a stage that is left out is the one before it."""
    cdef idx row = most_ins(p, 2) * p.lanes * p.tile.itemsize, at
    cdef int a
    p.rows = min(max(PANEL_BYTES // row, <idx>1), most_ins(p, 1))
    at = ceil_div(p.rows * row, ALIGN) * ALIGN
    for a in range(2, -1, -1):
        if is_left_out(p, a):
            p.value[a], p.tap[a] = p.value[a + 1], p.tap[a + 1]
            continue
        p.last = a
        p.value[a] = at
        at += stage_bytes(p, a)
        p.tap[a] = at
        if p.back and not p.mean:
            at += stage_bytes(p, a)
    p.scratch_bytes = at


cdef inline char *element(const Array *x, idx image, idx channel, idx d, idx h,
                          idx w) noexcept nogil:
    return (x.data + image * x.batch + channel * x.channel + d * x.space[0] + h * x.space[1]
            + w * x.space[2])


cdef struct Place:
    # A task's image and channels.
    idx image
    idx channel
    idx n


cdef void find_task(const Pool *p, idx task, Place *at, Range *r) noexcept nogil:
    cdef int a
    for a in range(2, -1, -1):
        if p.back:
            cut_inputs(&p.side[a], task % p.side[a].blocks, &r[a])
        else:
            cut_outputs(&p.side[a], task % p.side[a].blocks, &r[a])
        task //= p.side[a].blocks
    at.channel = task % p.chunks * p.lanes
    at.n = min(p.lanes, p.channels - at.channel)
    at.image = task // p.chunks


cdef void take_rows(const Pool *p, const Place *at, const Range *r, const View *y, char *tap,
                    char *panel) noexcept nogil:
    """The stage of the last axis, from x itself or from rows of it in a panel."""
    cdef View x, source, to
    cdef idx d, h, rows
    array_view(&x, &p.x, element(&p.x, at.image, at.channel, r[0].low, r[1].low, r[2].low),
               r[0].ins, r[1].ins, r[2].ins)
    if in_place(p, &p.x):
        take_stage(p.tile, 2, &p.side[2], &r[2], &x, y, tap, at.n, p.mean)
        return
    for d in range(r[0].ins):
        h = 0
        while h < r[1].ins:
            rows = min(p.rows, r[1].ins - h)
            source, to = x, y[0]
            source.data += d * x.step[0] + h * x.step[1]
            to.data += d * y.step[0] + h * y.step[1]
            source.count[0] = to.count[0] = 1
            source.count[1] = to.count[1] = rows
            move_block(p.tile, &source, p.x.channel, panel, at.n, True)
            dense_view(&source, panel, 1, rows, r[2].ins, at.n * p.tile.itemsize)
            take_stage(p.tile, 2, &p.side[2], &r[2], &source, &to,
                       tap + (to.data - y.data) if tap != NULL else NULL, at.n, p.mean)
            h += rows


cdef void stage_view(const Pool *p, const Place *at, const Range *r, int a, char *scratch,
                     View *v) noexcept nogil:
    """The values when axis a and those behind it are reduced; a = 0: y."""
    dense_view(v, scratch + p.value[a], r[0].ins if a > 0 else r[0].outs,
               r[1].ins if a > 1 else r[1].outs, r[2].outs, at.n * p.tile.itemsize)


cdef void take_all(const Pool *p, const Place *at, const Range *r, const View *y,
                   char *scratch) noexcept nogil:
    """All stages; the last one writes y, which for a mean is still to be divided."""
    cdef View x, to
    cdef char *tap
    cdef int a
    for a in range(2, p.last - 1, -1):
        if is_left_out(p, a):
            continue
        if a == p.last:
            to = y[0]
        else:
            stage_view(p, at, r, a, scratch, &to)
        tap = scratch + p.tap[a] if p.back else NULL
        if a == 2:
            take_rows(p, at, r, &to, tap, scratch)
        else:
            take_stage(p.tile, a, &p.side[a], &r[a], &x, &to, tap, at.n, p.mean)
        x = to


cdef void forward_task(const void *job, idx task, char *scratch) noexcept nogil:
    cdef const Pool *p = <const Pool *>job
    cdef Place at
    cdef Range r[3]
    cdef View y, panel
    find_task(p, task, &at, r)
    array_view(&y, &p.y, element(&p.y, at.image, at.channel, r[0].first, r[1].first, r[2].first),
               r[0].outs, r[1].outs, r[2].outs)
    if in_place(p, &p.y):
        take_all(p, &at, r, &y, scratch)
        if p.mean:
            divide_all(p.tile, p.side, r, &y, at.n, p.inside)
        return
    stage_view(p, &at, r, 0, scratch, &panel)
    take_all(p, &at, r, &panel, scratch)
    if p.mean:
        divide_all(p.tile, p.side, r, &panel, at.n, p.inside)
    move_block(p.tile, &y, p.y.channel, panel.data, at.n, False)


cdef void send_rows(const Pool *p, const Place *at, const Range *r, const View *dy, const char *tap,
                    char *panel) noexcept nogil:
    """The way back of the last axis, to dx itself or by way of rows of it in a panel."""
    cdef View dx, source, to, rows_of
    cdef idx d, h, rows
    array_view(&dx, &p.dx, element(&p.dx, at.image, at.channel, r[0].own, r[1].own, r[2].own),
               r[0].owned, r[1].owned, r[2].owned)
    if in_place(p, &p.dx):
        send_back(p.tile, 2, &p.side[2], &r[2], dy, tap, &dx, at.n, p.accumulate)
        return
    for d in range(r[0].owned):
        h = 0
        while h < r[1].owned:
            rows = min(p.rows, r[1].owned - h)
            source, to = dy[0], dx
            source.data += d * dy.step[0] + h * dy.step[1]
            to.data += d * dx.step[0] + h * dx.step[1]
            to.count[0], to.count[1] = 1, rows
            dense_view(&rows_of, panel, 1, rows, r[2].owned, at.n * p.tile.itemsize)
            if p.accumulate:
                move_block(p.tile, &to, p.dx.channel, panel, at.n, True)
            send_back(p.tile, 2, &p.side[2], &r[2], &source,
                      tap + (source.data - dy.data) if tap != NULL else NULL, &rows_of, at.n,
                      p.accumulate)
            move_block(p.tile, &to, p.dx.channel, panel, at.n, False)
            h += rows


cdef void input_grad_task(const void *job, idx task, char *scratch) noexcept nogil:
    """Each stage's dy takes the place of its values, where these stood."""
    cdef const Pool *p = <const Pool *>job
    cdef Place at
    cdef Range r[3]
    cdef View dy, dx
    cdef const char *tap
    cdef int a, b
    find_task(p, task, &at, r)
    stage_view(p, &at, r, 0, scratch, &dx)
    if not p.mean:
        take_all(p, &at, r, &dx, scratch)
    array_view(&dy, &p.y, element(&p.y, at.image, at.channel, r[0].first, r[1].first, r[2].first),
               r[0].outs, r[1].outs, r[2].outs)
    move_block(p.tile, &dy, p.y.channel, dx.data, at.n, True)
    if p.mean:
        divide_all(p.tile, p.side, r, &dx, at.n, p.inside)
    for a in range(p.last, 3):
        if is_left_out(p, a):
            continue
        dy = dx
        tap = NULL
        if not p.mean:
            tap = scratch + p.tap[a] + (dy.data - (scratch + p.value[a]))
        if a == 2:
            send_rows(p, &at, r, &dy, tap, scratch)
            break
        stage_view(p, &at, r, a + 1, scratch, &dx)
        for b in range(a + 1):
            dx.data += (r[b].own - r[b].low) * dx.step[b]
            dx.count[b] = r[b].owned
        send_back(p.tile, a, &p.side[a], &r[a], &dy, tap, &dx, at.n, False)


cdef void describe(Pool *p, const Py_buffer *x, const Py_buffer *y, tuple kernel, tuple stride,
                   tuple padding):
    cdef Side *s
    cdef int a, axis
    memset(p, 0, sizeof(Pool))
    describe_array(&p.x, x)
    describe_array(&p.y, y)
    p.tile = active_tiles(x.itemsize)
    p.batch, p.channels = x.shape[0], x.shape[1]
    for a in range(3):
        s = &p.side[a]
        s.size, s.outs, s.kernel, s.stride, s.padding = 1, 1, 1, 1, 0
        axis = a + x.ndim - 5  # spatial axes stand last
        if axis >= 0:
            s.size, s.outs = x.shape[axis + 2], y.shape[axis + 2]
            s.kernel, s.stride, s.padding = kernel[axis], stride[axis], padding[axis]


cdef int run(Pool *p, int threads) except -1:
    cdef Memory scratch
    cdef idx tasks
    cdef double steps = <double>p.batch * p.channels * (BACK_WORK if p.back else 1)
    cdef int a
    for a in range(3):
        steps *= p.side[a].size
    steps *= MOVE_WORK * p.tile.itemsize + TAP_WORK * (
        p.side[0].kernel + p.side[1].kernel + p.side[2].kernel)
    join_images(p)
    choose_lanes(p)
    choose_blocks(p, threads)
    lay_out(p)
    tasks = task_count(p)
    threads = max(1, min(threads, tasks))
    scratch = allocate(p.scratch_bytes * threads)
    return run_tasks(input_grad_task if p.back else forward_task, p, tasks,
                     steps, threads, scratch.data, p.scratch_bytes)


def maximum(x, y, tuple kernel, tuple stride, tuple padding, int threads):
    """y = the greatest of each window of x; both (n, c, *spatial), not empty."""
    cdef Pool p
    cdef Buffers held = Buffers.__new__(Buffers)
    describe(&p, held.take(x, False), held.take(y, True), kernel, stride, padding)
    run(&p, threads)


def maximum_grad(dy, x, dx, tuple kernel, tuple stride, tuple padding, bint accumulate,
                 int threads):
    """dx (+)= dy, each at the element of x that was the greatest of its window."""
    cdef Pool p
    cdef Buffers held = Buffers.__new__(Buffers)
    describe(&p, held.take(x, False), held.take(dy, False), kernel, stride, padding)
    describe_array(&p.dx, held.take(dx, True))
    p.back, p.accumulate = True, accumulate
    run(&p, threads)


def mean(x, y, tuple kernel, tuple stride, tuple padding, bint inside, int threads):
    """y = the mean of each window of x: over its elements inside of the image, or all taps."""
    cdef Pool p
    cdef Buffers held = Buffers.__new__(Buffers)
    describe(&p, held.take(x, False), held.take(y, True), kernel, stride, padding)
    p.mean, p.inside = True, inside
    run(&p, threads)


def mean_grad(dy, dx, tuple kernel, tuple stride, tuple padding, bint inside, bint accumulate,
              int threads):
    """dx (+)= dy, divided likewise, at each element of its window."""
    cdef Pool p
    cdef Buffers held = Buffers.__new__(Buffers)
    describe(&p, held.take(dx, True), held.take(dy, False), kernel, stride, padding)
    p.dx = p.x
    p.mean, p.inside, p.back, p.accumulate = True, inside, True, accumulate
    run(&p, threads)
