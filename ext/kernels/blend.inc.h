/* Small constant matrices on vectors: the transforms of Winograd's F(m, 3), m outputs of 3 taps from
 * m + 2 inputs, y = A^T [(G w) (B^T x)] with
 *
 *     A^T[i][j] = p_j^i,   G[j][k] = p_j^k / prod over l != j of (p_j - p_l),
 *     B^T[j] = coefficients of  prod over l != j of (x - p_l),  of all of them for the last j
 *
 * at the points p = 0, 1, -1 for F(2, 3) and 0, 1, -1, 1/2, -2 for F(4, 3), and infinity last.
 * Signs and powers of two move freely between G and B^T.  Parameters: T, VECTOR, VECTOR_ANY, NAME(x). */

#ifndef SWEEPCONV_BLEND
#define SWEEPCONV_BLEND
enum { MOST_ROWS = 6 };
static const double blend_matrix[SC_BLENDS][MOST_ROWS][MOST_ROWS] = {
    [SC_DATA2] = {{1, 0, -1, 0}, {0, 1, 1, 0}, {0, -1, 1, 0}, {0, 1, 0, -1}},
    [SC_FILTER2] = {{1, 0, 0}, {.5, .5, .5}, {.5, -.5, .5}, {0, 0, 1}},
    [SC_OUTPUT2] = {{1, 1, 1, 0}, {0, 1, -1, -1}},
    [SC_DATA4] = {{1, -1.5, -2, 1.5, 1, 0}, {0, -1, .5, 2.5, 1, 0}, {0, 1, -2.5, .5, 1, 0},
                  {0, -2, -1, 2, 1, 0}, {0, .5, -1, -.5, 1, 0}, {0, 1, -1.5, -2, 1.5, 1}},
    [SC_FILTER4] = {{1, 0, 0}, {1 / 3., 1 / 3., 1 / 3.}, {-1 / 3., 1 / 3., -1 / 3.},
                    {-16 / 15., -8 / 15., -4 / 15.}, {1 / 15., -2 / 15., 4 / 15.}, {0, 0, 1}},
    [SC_OUTPUT4] = {{1, 1, 1, 1, 1, 0}, {0, 1, -1, .5, -2, 0}, {0, 1, 1, .25, 4, 0},
                    {0, 1, -1, .125, -8, 1}},
};
#endif

static inline __attribute__((always_inline)) void NAME(blend)(
    const int kind, const int rows, const int cols, T *to, ptrdiff_t to_row, ptrdiff_t to_step,
    const T *from, ptrdiff_t from_row, ptrdiff_t from_step, ptrdiff_t count, ptrdiff_t n)
{
    enum { VL = sizeof(VECTOR) / sizeof(T) };
    for (ptrdiff_t t = 0; t < count; t++, to += to_step, from += from_step) {
        for (ptrdiff_t v = 0; v < n; v += VL) {
            VECTOR x[MOST_ROWS];
            UNROLL for (int c = 0; c < cols; c++) x[c] = LOAD(from + c * from_row + v);
            UNROLL for (int r = 0; r < rows; r++) {
                VECTOR sum = {0};
                UNROLL for (int c = 0; c < cols; c++)
                    if (blend_matrix[kind][r][c] != 0) sum += (T)blend_matrix[kind][r][c] * x[c];
                *(VECTOR_ANY *)(to + r * to_row + v) = sum;
            }
        }
    }
}

#define BLEND(kind, rows, cols)                                                                  \
    static void NAME(SC_JOIN(blend_, kind))(                                                     \
        void *to, ptrdiff_t to_row, ptrdiff_t to_step, const void *from, ptrdiff_t from_row,     \
        ptrdiff_t from_step, ptrdiff_t count, ptrdiff_t n)                                       \
    {                                                                                            \
        NAME(blend)(kind, rows, cols, to, to_row, to_step, from, from_row, from_step, count, n); \
    }
BLEND(SC_DATA2, 4, 4)
BLEND(SC_FILTER2, 4, 3)
BLEND(SC_OUTPUT2, 2, 4)
BLEND(SC_DATA4, 6, 6)
BLEND(SC_FILTER4, 6, 3)
BLEND(SC_OUTPUT4, 4, 6)
