/* Pooling along one axis: the greatest of some elements and which of them it was, or their sum; and
 * the way back, the sum of what came from an element.
 *
 * Greater is not `value <= best`, so that NaN wins; of equals and of several NaN the first stays.
 * A maximum instruction would leave the sign of zero, and which NaN, to the width of the vector.
 * Whole vectors of a row, then what is left one by one; where rows follow each other without a gap
 * they are one row.
 * Parameters: T, T_ANY, T_INT (as wide as T), VECTOR, VECTOR_ANY, VEC_BYTES, and the names BEST,
 * TOTAL, DIVIDE, NAME(x). */

typedef T_INT NAME(lanes) __attribute__((vector_size(VEC_BYTES), may_alias));
typedef T_INT NAME(lanes_any) __attribute__((vector_size(VEC_BYTES), aligned(1), may_alias));

static inline VECTOR NAME(choose)(NAME(lanes) where, VECTOR a, VECTOR b)
{
    return (VECTOR)((where & (NAME(lanes))a) | (~where & (NAME(lanes))b));
}

/* `taps` and whether `tap` is NULL are constants where it matters. */
static inline __attribute__((always_inline)) void NAME(best_row)(
    char *to, char *tap, T_INT first, const char *from, ptrdiff_t step, ptrdiff_t taps, ptrdiff_t n)
{
    ptrdiff_t bytes = n * (ptrdiff_t)sizeof(T), i = 0;
    for (; i + VEC_BYTES <= bytes; i += VEC_BYTES) {
        VECTOR best = *(const VECTOR_ANY *)(from + i);
        NAME(lanes) which = first + (NAME(lanes)){0};
        for (ptrdiff_t t = 1; t < taps; t++) {
            VECTOR value = *(const VECTOR_ANY *)(from + i + t * step);
            NAME(lanes) better = ~(value <= best) & (best == best);
            best = NAME(choose)(better, value, best);
            if (tap) which += better & ((T_INT)(first + t) - which);
        }
        *(VECTOR_ANY *)(to + i) = best;
        if (tap) *(NAME(lanes_any) *)(tap + i) = which;
    }
    for (; i < bytes; i += sizeof(T)) {
        T best = *(const T_ANY *)(from + i);
        T_INT which = first;
        for (ptrdiff_t t = 1; t < taps; t++) {
            T value = *(const T_ANY *)(from + i + t * step);
            int better = !(value <= best) & (best == best);
            best = better ? value : best;
            which = better ? (T_INT)(first + t) : which;
        }
        *(T_ANY *)(to + i) = best;
        if (tap) *(T_INT *)(tap + i) = which;
    }
}

static void BEST(void *to_, ptrdiff_t to_row, void *tap_, ptrdiff_t first, const void *from_,
                 ptrdiff_t from_row, ptrdiff_t step, ptrdiff_t taps, ptrdiff_t rows, ptrdiff_t n)
{
    char *to = to_, *tap = tap_;
    const char *from = from_;
    if (to_row == n * (ptrdiff_t)sizeof(T) && from_row == to_row) n *= rows, rows = 1;
    for (; rows > 0; rows--, to += to_row, from += from_row) {
        if (tap) {
            NAME(best_row)(to, tap, first, from, step, taps, n);
            tap += to_row;
        } else if (taps == 2) {
            NAME(best_row)(to, NULL, 0, from, step, 2, n);
        } else if (taps == 3) {
            NAME(best_row)(to, NULL, 0, from, step, 3, n);
        } else {
            NAME(best_row)(to, NULL, 0, from, step, taps, n);
        }
    }
}

/* Whether `tap` is NULL is a constant. */
static inline __attribute__((always_inline)) void NAME(total_row)(
    char *to, const char *from, const char *tap, ptrdiff_t step, ptrdiff_t first, ptrdiff_t pace,
    ptrdiff_t terms, ptrdiff_t n, int add)
{
    ptrdiff_t bytes = n * (ptrdiff_t)sizeof(T), i = 0;
    for (; i + VEC_BYTES <= bytes; i += VEC_BYTES) {
        VECTOR sum = {0};
        for (ptrdiff_t j = 0; j < terms; j++) {
            NAME(lanes) value = *(const NAME(lanes_any) *)(from + i + j * step);
            if (tap)
                value &= *(const NAME(lanes_any) *)(tap + i + j * step) ==
                         (T_INT)(first + j * pace);
            sum += (VECTOR)value;
        }
        if (add) sum = *(const VECTOR_ANY *)(to + i) + sum;
        *(VECTOR_ANY *)(to + i) = sum;
    }
    for (; i < bytes; i += sizeof(T)) {
        T sum = 0;
        for (ptrdiff_t j = 0; j < terms; j++) {
            T value = *(const T_ANY *)(from + i + j * step);
            int here = !tap || *(const T_INT *)(tap + i + j * step) == (T_INT)(first + j * pace);
            sum += here ? value : 0;
        }
        if (add) sum = *(const T_ANY *)(to + i) + sum;
        *(T_ANY *)(to + i) = sum;
    }
}

static void TOTAL(void *to_, ptrdiff_t to_row, const void *from_, const void *tap_,
                  ptrdiff_t from_row, ptrdiff_t step, ptrdiff_t first, ptrdiff_t pace,
                  ptrdiff_t terms, ptrdiff_t rows, ptrdiff_t n, int add)
{
    char *to = to_;
    const char *from = from_, *tap = tap_;
    if (to_row == n * (ptrdiff_t)sizeof(T) && from_row == to_row) n *= rows, rows = 1;
    for (; rows > 0; rows--, to += to_row, from += from_row) {
        if (tap) {
            NAME(total_row)(to, from, tap, step, first, pace, terms, n, add);
            tap += from_row;
        } else {
            NAME(total_row)(to, from, NULL, step, 0, 0, terms, n, add);
        }
    }
}

static void DIVIDE(void *to_, ptrdiff_t to_row, double by, ptrdiff_t rows, ptrdiff_t n)
{
    char *to = to_;
    if (to_row == n * (ptrdiff_t)sizeof(T)) n *= rows, rows = 1;
    for (; rows > 0; rows--, to += to_row) {
        T_ANY *row = (T_ANY *)to;
        for (ptrdiff_t i = 0; i < n; i++) row[i] /= (T)by;
    }
}
