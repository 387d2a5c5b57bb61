/* A matrix, read once and as it lies, times a vector: filters that serve one pixel of few images.
 *
 * What takes the time is the memory: rows come as long streams, few at a time, and are asked for
 * MATVEC_AHEAD bytes before they are read; for the second-level cache, since for the first it takes
 * longer than not to ask.  The chain of each sum is that of a tile.
 * Parameters: those of move.inc.h, whose blocks these are, and the names DOT and COMBINE. */

#ifndef SWEEPCONV_MATVEC
#define SWEEPCONV_MATVEC
enum { MATVEC_AHEAD = 1024 };
#endif

static inline __attribute__((always_inline)) void NAME(ask)(const int rows, const char *w,
                                                            ptrdiff_t row)
{
    UNROLL for (int i = 0; i < rows; i++) __builtin_prefetch(w + i * row + MATVEC_AHEAD, 0, 2);
}

/* Lanes are rows, whose blocks are transposed in registers. */
static inline __attribute__((always_inline)) void NAME(dot_block)(
    T *to, const char *w, ptrdiff_t row, const T_ANY *x, ptrdiff_t n)
{
    BLOCK sum = {0}, each[SIDE];
    ptrdiff_t k = 0;
    for (; k + SIDE <= n; k += SIDE, w += SIDE * sizeof(T)) {
        NAME(ask)(SIDE, w, row);
        NAME(turn_rows)(each, w, row);
        UNROLL for (int i = 0; i < SIDE; i++) sum += each[i] * x[k + i];
    }
    for (; k < n; k++, w += sizeof(T)) {
        UNROLL for (int i = 0; i < SIDE; i++) each[0][i] = *(const T_ANY *)(w + i * row);
        sum += each[0] * x[k];
    }
    *(BLOCK *)to = sum;
}

/* The last block overlaps its neighbour in the place of a tail. */
static void DOT(void *to_, const void *w_, ptrdiff_t row, ptrdiff_t rows, const void *x_, ptrdiff_t n)
{
    const char *w = w_;
    const T_ANY *x = x_;
    T *to = to_;
    if (rows < SIDE)
        for (ptrdiff_t r = 0; r < rows; r++) {
            to[r] = 0;
            for (ptrdiff_t k = 0; k < n; k++) to[r] += ((const T_ANY *)(w + r * row))[k] * x[k];
        }
    else
        for (ptrdiff_t r = 0; r < rows; r += SIDE) {
            if (r > rows - SIDE) r = rows - SIDE;
            NAME(dot_block)(to + r, w + r * row, row, x, n);
        }
}

/* Lanes are columns: a line of the cache from each of `rows` rows. */
static inline __attribute__((always_inline)) void NAME(combine_rows)(
    const int rows, T *sum, const char *w, ptrdiff_t row, const T_ANY *x, ptrdiff_t cols)
{
    enum { VL = sizeof(VECTOR) / sizeof(T), LINE = SC_CACHE_LINE / sizeof(T) };
    VECTOR one[SC_COMBINED];
    UNROLL for (int k = 0; k < rows; k++) one[k] = x[k] - (VECTOR){0}; /* -0 stays what it is */
    ptrdiff_t c = 0;
    for (; c + LINE <= cols; c += LINE, w += SC_CACHE_LINE) {
        NAME(ask)(rows, w, row);
        UNROLL for (int v = 0; v < LINE; v += VL) {
            VECTOR_ANY *to = (VECTOR_ANY *)(sum + c + v);
            VECTOR each = *to;
            UNROLL for (int k = 0; k < rows; k++)
                each += *(const VECTOR_ANY *)((const T_ANY *)(w + k * row) + v) * one[k];
            *to = each;
        }
    }
    for (; c < cols; c++, w += sizeof(T))
        for (int k = 0; k < rows; k++) sum[c] += *(const T_ANY *)(w + k * row) * x[k];
}

static void COMBINE(void *sum, const void *w_, ptrdiff_t row, ptrdiff_t rows, const void *x_,
                    ptrdiff_t cols)
{
    const char *w = w_;
    const T_ANY *x = x_;
    for (; rows >= SC_COMBINED; rows -= SC_COMBINED, x += SC_COMBINED, w += SC_COMBINED * row)
        NAME(combine_rows)(SC_COMBINED, sum, w, row, x, cols);
    for (; rows > 0; rows--, x++, w += row) NAME(combine_rows)(1, sum, w, row, x, cols);
}
