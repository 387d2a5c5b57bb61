# cython: boundscheck=False, wraparound=False, cdivision=True, binding=False
# cython: freethreading_compatible=True
"""Calls that came before: found by their shapes and keywords, and run at once.

A small sweep takes less time than the Python around it.
"""

from cpython.buffer cimport PyBuffer_IsContiguous
from cpython.bytes cimport PyBytes_FromStringAndSize
from cpython.dict cimport PyDict_Next
from cpython.object cimport PyObject
from libc.stdint cimport uintptr_t

from sweepconv._box cimport idx
from sweepconv._sweep cimport Buffers, Packed, Plan, gather_views, reduce_views, scatter_views

cdef object ndarray = None, empty = None, empty_like = None, resolve_threads = None  # see `set_up`
cdef dict _known = {}

cdef enum:
    MOST_KNOWN = 1024
    MOST_AXES = 8
    MOST_KEYWORDS = 16
    MOST_NUMBERS = 128  # of a key


def set_up(array_type, make, make_like, threads_of):
    """Take NumPy's `ndarray`, `empty` and `empty_like`, for compiled code sees buffers, no NumPy;
    and what finds the threads of a call."""
    global ndarray, empty, empty_like, resolve_threads
    ndarray, empty, empty_like, resolve_threads = array_type, make, make_like, threads_of


cdef class Known:
    """A sweep of plain arrays, in one go: what follows from its shapes and keywords."""

    cdef object verb, keywords  # kept where their addresses are part of the key
    cdef readonly tuple shape  # of the result
    cdef readonly idx groups
    cdef readonly Plan plan
    # Its kind: "forward", or
    cdef readonly bint transposed  # "adjoint": an input gradient that is a sweep over dy,
    cdef readonly bint scatters    # "scatter": one laid where each filter read,
    cdef readonly bint reduces     # "reduce": a weight gradient,
    cdef readonly bint by_sample   # "samples": one of each sample, which are groups of one image
    cdef readonly bint accumulate
    cdef readonly int winograd     # m of F(m, 3), or 0: the direct sweep
    cdef readonly bint only_finite  # filters that are not are for another way
    cdef bint small                # too little work for threads

    def __init__(self, verb, keywords, shape, groups, plan, str kind, winograd, accumulate, small):
        self.verb, self.keywords, self.shape, self.groups = verb, keywords, shape, groups
        self.plan, self.accumulate = plan, accumulate
        self.transposed, self.scatters = kind == "adjoint", kind == "scatter"
        self.by_sample = kind == "samples"
        self.reduces = self.by_sample or kind == "reduce"
        self.winograd, self.small = winograd, small
        self.only_finite = self.winograd > 0 or (self.transposed and self.plan.reads_zeros)


cdef struct Numbers:
    idx count
    idx number[MOST_NUMBERS]


cdef bint add_array(Numbers *key, const Py_buffer *view) noexcept:
    """Its type and shape; False if such an array is none of ours."""
    cdef int axis
    if view.ndim > MOST_AXES or view.format[0] not in b"fd" or view.format[1]:
        return False
    add(key, view.format[0])
    add(key, view.ndim)
    for axis in range(view.ndim):
        add(key, view.shape[axis])
    return True


cdef void add(Numbers *key, idx number) noexcept:
    if key.count < MOST_NUMBERS:
        key.number[key.count] = number
    key.count += 1


cdef bint add_plain(Numbers *key, value, int depth=2) except -1:
    """A whole number, or a tuple or list of plain values; False, and nothing added, for others."""
    cdef idx first = key.count
    if type(value) is int:
        if not -(1 << 62) < value < 1 << 62:
            return False
        add(key, -1)
        add(key, value)
        return True
    if depth == 0 or (type(value) is not tuple and type(value) is not list):
        return False
    add(key, -2 - len(value))
    for each in value:
        if not add_plain(key, each, depth - 1):
            key.count = first
            return False
    return True


cdef bytes find_key(verb, Buffers held, shape, dict keywords):
    """None where a call cannot be known.  Keywords must be equal if they are plain, else the same
    objects, since 1.0 == 1 but is no stride; names count, since some verbs are given those alone
    that a caller wrote."""
    cdef Numbers key
    cdef int i
    cdef Py_ssize_t at = 0
    cdef PyObject *name
    cdef PyObject *value
    if len(keywords) > MOST_KEYWORDS:
        return None
    key.count = 0
    add(&key, <idx><PyObject *>verb)
    for i in range(held.held):
        if not add_array(&key, &held.view[i]):
            return None
    if shape is not None and not add_plain(&key, shape):
        return None
    out = keywords.get("out")
    while PyDict_Next(keywords, &at, &name, &value):
        add(&key, <idx>name)
        if not add_plain(&key, <object>value):
            add(&key, <idx>(<PyObject *>None if value == <PyObject *>out else value))
    if key.count > MOST_NUMBERS:
        return None
    return PyBytes_FromStringAndSize(<char *>key.number, key.count * sizeof(idx))


cdef dict hold(Buffers held, a, b, bias):
    """Take the buffers of the operands; the table of calls with such, or None where they are not
    plain.  Packed filters keep what is known of calls with them."""
    table = _known
    if type(b) is not ndarray:
        table, b = getattr(b, "known", None), getattr(b, "w", None)
    if type(table) is not dict or type(a) is not ndarray or type(b) is not ndarray or (
            bias is not None and type(bias) is not ndarray):
        return None
    try:
        held.take(a, False)
        held.take(b, False)
        if bias is not None:
            held.take(bias, False)
    except ValueError:  # of a type that has no buffers
        return None
    return table


cdef new_array(Known known, a, const Py_buffer *source):
    """A result in the memory order of the data, but dw in C order, as weights are kept."""
    if known.reduces or PyBuffer_IsContiguous(source, b"C"):
        return empty(known.shape, a.dtype)
    return empty_like(a, shape=known.shape)


cdef bint hold_out(Buffers held, Known known, out) except -1:
    """Take the buffer of a result; False unless it is a plain array that shares no memory."""
    cdef const Py_buffer *to
    cdef int i
    if type(out) is not ndarray or out.shape != known.shape:
        return False
    try:
        to = held.take(out, True)
    except ValueError:  # read-only
        return False
    if to.format[0] != held.view[0].format[0] or to.format[1] or not is_dense(to):
        return False
    for i in range(held.held - 1):
        if shares_memory(to, &held.view[i]):
            return False
    return True


cdef bint is_dense(const Py_buffer *view) noexcept:
    """Whether the elements lie side by side, in any order of the axes."""
    cdef idx step = view.itemsize
    cdef int axis, _i
    for _i in range(view.ndim):
        for axis in range(view.ndim):
            if view.strides[axis] == step and view.shape[axis] > 1:
                step *= view.shape[axis]
                break
    return step == view.len


cdef bint shares_memory(const Py_buffer *dense, const Py_buffer *view) noexcept:
    """Whether the spans of the two meet."""
    cdef uintptr_t low = <uintptr_t>view.buf, high = low + view.itemsize
    cdef uintptr_t first = <uintptr_t>dense.buf
    cdef int axis
    for axis in range(view.ndim):
        if view.strides[axis] < 0:
            low += (view.shape[axis] - 1) * view.strides[axis]
        else:
            high += (view.shape[axis] - 1) * view.strides[axis]
    return low < first + dense.len and first < high


cdef bint run(Known known, Buffers held, b, bint biased, int threads) except -1:
    """False, and nothing written, where the sweep refuses, as where some weights are not finite and
    it would spread them."""
    cdef Packed panels = None
    cdef Py_buffer *source = &held.view[0]
    cdef Py_buffer *other = &held.view[1]
    cdef Py_buffer *bias = &held.view[2] if biased else NULL
    cdef Py_buffer *target = &held.view[held.held - 1]
    if known.reduces:
        reduce_views(known.plan, source, other, target, known.groups, known.accumulate, threads)
        return True
    if known.scatters:
        return scatter_views(known.plan, target, source, other, known.groups, known.accumulate,
                             threads)
    if type(b) is not ndarray:
        panels = b.panels(known.plan, known.groups, known.transposed, threads,
                          source.strides[1] == source.itemsize, known.winograd)
    return gather_views(known.plan, source, other, bias, target, known.groups, known.transposed,
                        known.accumulate, threads, panels, known.only_finite, known.winograd)


def recall(verb, a, b, bias, shape, dict keywords, repeat):
    """The result of a call that came before, else None.

    a, b : the operands as the verb takes them; b may be packed filters.
    shape : of the result, where the verb is given it, else None.
    repeat : runs a known call by sample, or one whose result is no array that others write.
    """
    cdef Buffers held = Buffers.__new__(Buffers)
    cdef dict table = hold(held, a, b, bias)
    cdef bytes key = find_key(verb, held, shape, keywords) if table is not None else None
    cdef Known known = table.get(key) if key is not None else None
    if known is None:
        return None
    to = keywords.get("out")
    if to is None and not known.by_sample and not known.accumulate:
        to = new_array(known, a, &held.view[0])
        held.take(to, True)
    elif known.by_sample or not hold_out(held, known, to):
        return repeat(known, verb, a, b, bias, keywords)
    threads = 1 if known.small else resolve_threads(verb, keywords.get("n_threads"))
    return to if run(known, held, b, bias is not None, threads) else None


def remember(verb, a, b, bias, shape, dict keywords, *of_call):
    """Keep what `recall` needs; of_call: see `Known`."""
    cdef Buffers held = Buffers.__new__(Buffers)
    cdef dict table = hold(held, a, b, bias)
    cdef bytes key = find_key(verb, held, shape, keywords) if table is not None else None
    cdef Numbers by_value
    if key is None:
        return
    by_value.count = 0
    kept = tuple([(name, None if add_plain(&by_value, value) else value)
                  for name, value in keywords.items() if name != "out"])
    try:
        hash(kept)
    except TypeError:  # a keyword that can change
        return
    if len(table) >= MOST_KNOWN:
        table.clear()
    table[key] = Known(verb, kept, *of_call)
