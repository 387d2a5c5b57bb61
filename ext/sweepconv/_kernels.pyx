# cython: boundscheck=False, wraparound=False, cdivision=True, freethreading_compatible=True
"""The active table of kernels, the only place where the choice of an instruction set lives.

`call_tile`, `call_outer` and `call_move` run one kernel on memory of the caller's, for tests.
"""

from cpython.buffer cimport PyBUF_SIMPLE, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer

cdef const sc_kernels *_active = NULL


cdef const sc_tiles *active_tiles(Py_ssize_t itemsize) noexcept nogil:
    return _active.f32 if itemsize == 4 else _active.f64


def instances():
    """Names of all instruction sets in this build, best first."""
    return [sc_instance(i).name.decode() for i in range(sc_instances())]


def supported():
    """Names of those that this machine runs, best first."""
    return [sc_instance(i).name.decode() for i in range(sc_instances()) if sc_supported(i)]


def active():
    """Name of the instruction set whose kernels run now."""
    return _active.name.decode()


def activate(str name):
    """Make the kernels of `name`, one of `supported()`, run from now on."""
    global _active
    for i in range(sc_instances()):
        if sc_instance(i).name.decode() == name and sc_supported(i):
            _active = sc_instance(i)
            return
    raise ValueError(f"{name!r} is not an instruction set that this machine runs")


def compiler():
    """Compiler that built the kernels, and its version."""
    return sc_compiler().decode()


def tile_shape(Py_ssize_t itemsize):
    """(rows of half a tile, outputs of a tile) of the active instruction set."""
    cdef const sc_tiles *t = active_tiles(itemsize)
    return t.half, t.nb


def tall_half(Py_ssize_t itemsize):
    """Rows of half a tile that is one vector wide."""
    return active_tiles(itemsize).tall


def call_tile(int kind, int half, int vectors, Py_ssize_t itemsize, acc, init, xa, xb,
              Py_ssize_t rs, Py_ssize_t ks, tuple lines, Py_ssize_t length, w, Py_ssize_t ws):
    """Run one tile on contiguous buffers: acc, both halves of rows nb wide, starts from the one row
    `init`, or from itself if that is None; `lines` holds pairs of offsets; see kernels.h."""
    cdef sc_line line[64]
    cdef Py_buffer b[5]
    cdef int i, held = 0
    cdef const sc_tiles *t
    cdef Py_ssize_t half_bytes
    for i in range(len(lines)):
        line[i].x, line[i].w = lines[i]
    try:
        for i, obj in enumerate((acc, xa, xb, w, acc if init is None else init)):
            PyObject_GetBuffer(obj, &b[i], PyBUF_WRITABLE if i == 0 else PyBUF_SIMPLE)
            held += 1
        t = active_tiles(itemsize)
        half_bytes = half * t.nb * itemsize
        call_one(
            t.tile[kind][vectors - 1][half - 1], <char *>b[0].buf, <char *>b[0].buf + half_bytes,
            t.nb, <char *>b[4].buf, <char *>b[4].buf + (half_bytes if init is None else 0),
            t.nb if init is None else 0, <char *>b[1].buf, <char *>b[2].buf, rs, ks, line,
            len(lines), length, <char *>b[3].buf, ws, NULL)
    finally:
        for i in range(held):
            PyBuffer_Release(&b[i])


def call_outer(int vectors, Py_ssize_t itemsize, acc, init, xa, xb, Py_ssize_t rs, Py_ssize_t ks,
               tuple off, Py_ssize_t length, w):
    """The outer tile at its full height, with w in one run: [lines * length][nb]."""
    cdef Py_ssize_t nb = active_tiles(itemsize).nb
    call_tile(SC_OUTER, active_tiles(itemsize).half, vectors, itemsize, acc, init, xa, xb, rs, ks,
              tuple([(x, i * length * nb) for i, x in enumerate(off)]), length, w, nb)


def call_move(Py_ssize_t itemsize, dst, Py_ssize_t dst_at, Py_ssize_t dst_row, Py_ssize_t dst_col,
              src, Py_ssize_t src_at, Py_ssize_t src_row, Py_ssize_t src_col, Py_ssize_t rows,
              Py_ssize_t cols, bint weave=False):
    """Run one move between two contiguous buffers, from byte `src_at` to byte `dst_at`; or a weave,
    whose columns are as its contract has them."""
    cdef Py_buffer d, s
    cdef const sc_tiles *t = active_tiles(itemsize)
    PyObject_GetBuffer(dst, &d, PyBUF_WRITABLE)
    try:
        PyObject_GetBuffer(src, &s, PyBUF_SIMPLE)
        try:
            if weave:
                t.weave(<char *>d.buf + dst_at, dst_row, <char *>s.buf + src_at, src_row, rows,
                        cols)
            else:
                t.move(<char *>d.buf + dst_at, dst_row, dst_col, <char *>s.buf + src_at, src_row,
                       src_col, rows, cols)
        finally:
            PyBuffer_Release(&s)
    finally:
        PyBuffer_Release(&d)


def call_peak(Py_ssize_t itemsize, Py_ssize_t steps):
    """Do `steps` rounds of multiply-adds in registers, without the GIL; return how many
    floating-point operations they were."""
    cdef double done
    cdef double state64[2]
    cdef float state32[2]
    cdef const sc_tiles *t = active_tiles(itemsize)
    state32[0] = state64[0] = 0.5  # x/2 + 1 tends to 2: neither overflow nor denormals
    state32[1] = state64[1] = 1
    with nogil:
        done = t.peak(<void *>state32 if itemsize == 4 else <void *>state64, steps)
    return done


activate(supported()[0])
