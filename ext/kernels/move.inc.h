/* Moving a matrix between memory orders: packing and unpacking of every operand.
 *
 * One axis contiguous on both sides is a copy of rows, or of every second value of them; contiguous
 * on opposite sides a transposition by square blocks in registers; all else goes element by element.
 * Parameters: T, T_ANY (T at any address), BLOCK (vector of SIDE elements), LANE (of PER), LANES,
 * VECTOR, NB, EACH, SAME, EVEN, ODD, LOW, HIGH, BETWEEN and BETWEEN_LATER, and the names MOVE, WEAVE, ADD,
 * FINITE, NAME(x). */

#ifndef SWEEPCONV_FETCH
#define SWEEPCONV_FETCH
enum { FETCH_ROWS = 24 }; /* so far ahead */

/* Whether rows of n bytes are so short and far apart that no hardware prefetches the next. */
static inline int rows_apart(ptrdiff_t step, ptrdiff_t n)
{
    return n <= 256 && labs(step) >= 2 * n;
}
#endif

/* a[c][r] = src[r][c] for SIDE x SIDE elements, rows contiguous on both sides.
 * A block is LANES lanes of 16 bytes wide, PER elements each.  Rows PER apart are loaded side by
 * side, so that what is left is a transposition of PER x PER inside of each lane, where shuffles are
 * cheap: in log2(PER) rounds, interleaving rows i and i + PER/2 turns the index bits by a place. */
static inline __attribute__((always_inline)) void NAME(turn_rows)(BLOCK *a, const char *src,
                                                                  ptrdiff_t src_step)
{
    BLOCK b[SIDE];
    UNROLL for (int i = 0; i < SIDE; i++) {
        const char *at = src + i % PER * src_step + i / PER * 16;
#if LANES == 2
        a[i] = __builtin_shufflevector(*(const LANE *)at, *(const LANE *)(at + PER * src_step),
                                       EACH(SAME));
#else
        a[i] = *(const LANE *)at;
#endif
    }
    UNROLL for (int round = PER; round > 1; round /= 2) {
        UNROLL for (int i = 0; i < SIDE / 2; i++) {
            const int r = i + i / (PER / 2) * (PER / 2);
            b[2 * i] = __builtin_shufflevector(a[r], a[r + PER / 2], EACH(LOW));
            b[2 * i + 1] = __builtin_shufflevector(a[r], a[r + PER / 2], EACH(HIGH));
        }
        UNROLL for (int i = 0; i < SIDE; i++) a[i] = b[i];
    }
}

static inline __attribute__((always_inline)) void NAME(turn_block)(
    char *dst, ptrdiff_t dst_step, const char *src, ptrdiff_t src_step)
{
    BLOCK a[SIDE];
    NAME(turn_rows)(a, src, src_step);
    UNROLL for (int i = 0; i < SIDE; i++) *(BLOCK *)(dst + i * dst_step) = a[i];
}

/* dst[r*dst_row + c] = src[r + c*src_col], elements contiguous along c in dst, along r in src.
 * The last block of each axis overlaps its neighbour in the place of a tail.  The inner loop stays in
 * the lines of the side whose lines are further apart, since those may share a set of the cache. */
static void NAME(turn)(char *dst, ptrdiff_t dst_row, const char *src, ptrdiff_t src_col,
                       ptrdiff_t rows, ptrdiff_t cols)
{
    const int along_rows = labs(src_col) >= labs(dst_row);
    const ptrdiff_t inner = along_rows ? rows : cols, outer = along_rows ? cols : rows;
    const int fetch = along_rows && rows_apart(src_col, rows * (ptrdiff_t)sizeof(T));
    for (ptrdiff_t o = 0; o < outer; o += SIDE) {
        if (o > outer - SIDE) o = outer - SIDE;
        for (ptrdiff_t i = 0; i < inner; i += SIDE) {
            if (i > inner - SIDE) i = inner - SIDE;
            const ptrdiff_t r = along_rows ? i : o, c = along_rows ? o : i;
            if (fetch && o + 2 * SIDE <= outer)
                UNROLL for (int k = 0; k < SIDE; k++)
                    __builtin_prefetch(src + r * (ptrdiff_t)sizeof(T) + (c + SIDE + k) * src_col);
            NAME(turn_block)(dst + r * dst_row + c * (ptrdiff_t)sizeof(T), dst_row,
                             src + r * (ptrdiff_t)sizeof(T) + c * src_col, src_col);
        }
    }
}

/* Of less than a block a row is as many values as a constant says; else the last block overlaps its
 * neighbour in the place of a tail. */
static void NAME(copy_rows)(char *dst, ptrdiff_t dst_row, const char *src, ptrdiff_t src_row,
                            ptrdiff_t rows, ptrdiff_t cols)
{
    enum { VL = sizeof(VECTOR) / sizeof(T) };
    const int fetch = rows_apart(src_row, cols * (ptrdiff_t)sizeof(T));
    UNROLL for (int n = 1; cols < SIDE && n < SIDE; n++)
        for (ptrdiff_t r = cols == n ? rows : 0; r > 0; r--, dst += dst_row, src += src_row) {
            if (fetch) __builtin_prefetch(src + FETCH_ROWS * src_row);
            memcpy(dst, src, n * sizeof(T));
        }
    if (cols < SIDE) return;
    for (ptrdiff_t r = 0; r < rows; r++, dst += dst_row, src += src_row) {
        T_ANY *d = (T_ANY *)dst;
        const T_ANY *s = (const T_ANY *)src;
        ptrdiff_t c = 0;
        if (fetch) {
            __builtin_prefetch(src + FETCH_ROWS * src_row);
            __builtin_prefetch(src + FETCH_ROWS * src_row + (cols - 1) * (ptrdiff_t)sizeof(T));
        }
        for (; c + VL <= cols; c += VL) *(VECTOR_ANY *)(d + c) = *(const VECTOR_ANY *)(s + c);
        for (; c + SIDE < cols; c += SIDE) *(BLOCK *)(d + c) = *(const BLOCK *)(s + c);
        if (c < cols) *(BLOCK *)(d + cols - SIDE) = *(const BLOCK *)(s + cols - SIDE);
    }
}

/* The same for every second value of src.  The last block overlaps its neighbour in the place of a
 * tail, and has the values at its odd places: src may end behind the last. */
static void NAME(copy_evens)(char *dst, ptrdiff_t dst_row, const char *src, ptrdiff_t src_row,
                             ptrdiff_t rows, ptrdiff_t cols)
{
    for (ptrdiff_t r = 0; r < rows; r++, dst += dst_row, src += src_row) {
        T_ANY *d = (T_ANY *)dst;
        const T_ANY *s = (const T_ANY *)src;
        ptrdiff_t c = 0;
        for (; c + SIDE < cols; c += SIDE)
            *(BLOCK *)(d + c) = __builtin_shufflevector(*(const BLOCK *)(s + 2 * c),
                                                        *(const BLOCK *)(s + 2 * c + SIDE),
                                                        EACH(EVEN));
        if (cols > SIDE) {
            const T_ANY *last = s + 2 * (cols - SIDE) - 1;
            *(BLOCK *)(d + cols - SIDE) = __builtin_shufflevector(
                *(const BLOCK *)last, *(const BLOCK *)(last + SIDE), EACH(ODD));
        } else
            for (; c < cols; c++) d[c] = s[2 * c];
    }
}

static void MOVE(void *dst_, ptrdiff_t dst_row, ptrdiff_t dst_col, const void *src_,
                 ptrdiff_t src_row, ptrdiff_t src_col, ptrdiff_t rows, ptrdiff_t cols)
{
    const ptrdiff_t unit = sizeof(T);
    char *dst = dst_;
    const char *src = src_;
    if (cols == 1 || (dst_col != unit && dst_row == unit)) { /* so that dst runs along c */
        ptrdiff_t t;
        t = dst_row, dst_row = dst_col, dst_col = t;
        t = src_row, src_row = src_col, src_col = t;
        t = rows, rows = cols, cols = t;
    }
    if (src_row == -unit) { /* upwards, so that src runs along r */
        src += (rows - 1) * src_row, src_row = -src_row;
        dst += (rows - 1) * dst_row, dst_row = -dst_row;
    }
    if (dst_col == unit && src_col == unit) {
        if (dst_row == cols * unit && src_row == dst_row) cols *= rows, rows = 1;
        NAME(copy_rows)(dst, dst_row, src, src_row, rows, cols);
    } else if (dst_col == unit && src_col == 2 * unit) {
        NAME(copy_evens)(dst, dst_row, src, src_row, rows, cols);
    } else if (dst_col == unit && src_row == unit && rows >= SIDE && cols >= SIDE) {
        NAME(turn)(dst, dst_row, src, src_col, rows, cols);
    } else {
        for (ptrdiff_t r = 0; r < rows; r++)
            for (ptrdiff_t c = 0; c < cols; c++)
                *(T_ANY *)(dst + r * dst_row + c * dst_col) =
                    *(const T_ANY *)(src + r * src_row + c * src_col);
    }
}

/* Two blocks of dst at a time, whose second values stay; not the last, behind which dst may end. */
static void WEAVE(void *dst_, ptrdiff_t dst_row, const void *src_, ptrdiff_t src_row,
                  ptrdiff_t rows, ptrdiff_t cols)
{
    char *dst = dst_;
    const char *src = src_;
    for (ptrdiff_t r = 0; r < rows; r++, dst += dst_row, src += src_row) {
        T_ANY *d = (T_ANY *)dst;
        const T_ANY *s = (const T_ANY *)src;
        ptrdiff_t c = 0;
        for (; c + SIDE < cols; c += SIDE) {
            BLOCK *low = (BLOCK *)(d + 2 * c), *high = low + 1;
            const BLOCK each = *(const BLOCK *)(s + c);
            *low = __builtin_shufflevector(each, *low, EACH(BETWEEN));
            *high = __builtin_shufflevector(each, *high, EACH(BETWEEN_LATER));
        }
        for (; c < cols; c++) d[2 * c] = s[c];
    }
}

static void ADD(void *dst_, const void *src_, ptrdiff_t n)
{
    T *dst = dst_;
    const T *src = src_;
    for (ptrdiff_t i = 0; i < n; i++) dst[i] += src[i];
}

static int FINITE(const void *src_, ptrdiff_t n)
{
    enum { VL = sizeof(VECTOR) / sizeof(T) };
    const T *src = src_;
    VECTOR low = {0}, high = {0}; /* 0 * Inf and 0 * NaN are NaN, and stay in the sums */
    ptrdiff_t i = 0;
    for (; i + NB <= n; i += NB) {
        low += (T)0 * *(const VECTOR *)(src + i);
        high += (T)0 * *(const VECTOR *)(src + i + VL);
    }
    if (i < n) low += (T)0 * *(const VECTOR *)(src + i);
    low += high;
    T sum = 0;
    for (int v = 0; v < VL; v++) sum += low[v];
    return sum == 0;
}
