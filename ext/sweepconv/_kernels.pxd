cdef extern from "kernels.h" nogil:
    enum:
        SC_MOST_HALF
        SC_CACHE_LINE
        SC_COMBINED
        SC_OUTER
        SC_LANES
        SC_SPREAD
        SC_EACH
        SC_CROSS
        SC_DATA2
        SC_FILTER2
        SC_OUTPUT2
        SC_DATA4
        SC_FILTER4
        SC_OUTPUT4

    ctypedef struct sc_line:
        Py_ssize_t x
        Py_ssize_t w

    ctypedef struct sc_stream:
        const char *at
        Py_ssize_t pace

    void sc_ask(const char *at, Py_ssize_t row, Py_ssize_t rows, Py_ssize_t n)

    ctypedef struct sc_steps:
        const sc_line *line
        const sc_stream *ahead
        Py_ssize_t lines
        Py_ssize_t len
        Py_ssize_t to_row
        Py_ssize_t start_row
        Py_ssize_t rs
        Py_ssize_t ks
        Py_ssize_t ws

    ctypedef struct sc_item:
        void *to
        const void *start
        const void *x
        const void *w

    ctypedef struct sc_pair:
        Py_ssize_t to[2]
        Py_ssize_t start[2]
        Py_ssize_t x[2]

    ctypedef void (*sc_tile)(const sc_item *item, Py_ssize_t items, const sc_pair *pair,
                             Py_ssize_t pairs, const sc_steps *steps) noexcept nogil
    ctypedef void (*sc_blend)(void *to, Py_ssize_t to_row, Py_ssize_t to_step, const void *source,
                              Py_ssize_t from_row, Py_ssize_t from_step, Py_ssize_t count,
                              Py_ssize_t n) noexcept nogil
    ctypedef void (*sc_move)(void *dst, Py_ssize_t dst_row, Py_ssize_t dst_col, const void *src,
                             Py_ssize_t src_row, Py_ssize_t src_col, Py_ssize_t rows,
                             Py_ssize_t cols) noexcept nogil
    ctypedef void (*sc_weave)(void *dst, Py_ssize_t dst_row, const void *src, Py_ssize_t src_row,
                              Py_ssize_t rows, Py_ssize_t cols) noexcept nogil
    ctypedef void (*sc_add)(void *dst, const void *src, Py_ssize_t n) noexcept nogil
    ctypedef int (*sc_finite)(const void *src, Py_ssize_t n) noexcept nogil
    ctypedef void (*sc_dot)(void *to, const void *w, Py_ssize_t row, Py_ssize_t rows, const void *x,
                            Py_ssize_t n) noexcept nogil
    ctypedef void (*sc_combine)(void *sum, const void *w, Py_ssize_t row, Py_ssize_t rows,
                                const void *x, Py_ssize_t cols) noexcept nogil

    ctypedef void (*sc_best)(void *to, Py_ssize_t to_row, void *tap, Py_ssize_t first,
                             const void *source, Py_ssize_t from_row, Py_ssize_t step,
                             Py_ssize_t taps, Py_ssize_t rows, Py_ssize_t n) noexcept nogil
    ctypedef void (*sc_total)(void *to, Py_ssize_t to_row, const void *source, const void *tap,
                              Py_ssize_t from_row, Py_ssize_t step, Py_ssize_t first,
                              Py_ssize_t pace, Py_ssize_t terms, Py_ssize_t rows, Py_ssize_t n,
                              int add) noexcept nogil
    ctypedef void (*sc_divide)(void *to, Py_ssize_t to_row, double by, Py_ssize_t rows,
                               Py_ssize_t n) noexcept nogil
    ctypedef double (*sc_peak)(void *state, Py_ssize_t steps) noexcept nogil

    ctypedef struct sc_tiles:
        Py_ssize_t itemsize
        Py_ssize_t half
        Py_ssize_t tall
        Py_ssize_t stack
        Py_ssize_t vector
        Py_ssize_t nb
        const sc_tiles *narrow
        const sc_tiles *shorter
        sc_tile tile[5][2][7]
        sc_blend blend[6]
        sc_move move
        sc_weave weave
        sc_add add
        sc_finite finite
        sc_dot dot
        sc_combine combine
        sc_best best
        sc_total total
        sc_divide divide
        sc_peak peak

    ctypedef struct sc_kernels:
        const char *name
        const sc_tiles *f32
        const sc_tiles *f64

    int sc_instances()
    const sc_kernels *sc_instance(int i)
    int sc_supported(int i)
    const char *sc_compiler()

# The tiles of the active instruction set for a dtype of 4 or 8 bytes.
cdef const sc_tiles *active_tiles(Py_ssize_t itemsize) noexcept nogil


cdef inline void call_one(sc_tile tile, char *to_a, char *to_b, Py_ssize_t to_row,
                          const char *start_a, const char *start_b, Py_ssize_t start_row,
                          const char *xa, const char *xb, Py_ssize_t rs, Py_ssize_t ks,
                          const sc_line *line, Py_ssize_t lines, Py_ssize_t len, const char *w,
                          Py_ssize_t ws, const sc_stream *ahead) noexcept nogil:
    """One tile, given the places of both its halves."""
    cdef sc_item item
    cdef sc_pair pair
    cdef sc_steps steps
    item.to, item.start, item.x, item.w = to_a, start_a, xa, w
    pair.to[0] = pair.start[0] = pair.x[0] = 0
    pair.to[1], pair.start[1], pair.x[1] = to_b - to_a, start_b - start_a, xb - xa
    steps.line, steps.ahead, steps.lines, steps.len = line, ahead, lines, len
    steps.to_row, steps.start_row = to_row, start_row
    steps.rs, steps.ks, steps.ws = rs, ks, ws
    tile(&item, 1, &pair, 1, &steps)
