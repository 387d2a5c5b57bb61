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

/* Rows of all that follows.  How many elements are taken together, and whether `tap` is NULL, are
 * constants where the compiler sees FEW. */
#define ROWS static inline __attribute__((always_inline)) void
#define FEW(n, call) \
    switch (n) { \
    case 1: call(1); break; \
    case 2: call(2); break; \
    case 3: call(3); break; \
    default: call(n); \
    }

ROWS NAME(best_rows)(char *to, ptrdiff_t to_row, char *tap, T_INT first, const char *from,
                     ptrdiff_t from_row, ptrdiff_t step, ptrdiff_t taps, ptrdiff_t rows,
                     ptrdiff_t bytes)
{
    for (; rows > 0; rows--, to += to_row, from += from_row) {
        ptrdiff_t i = 0;
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
                T_INT better = -(T_INT)(!(value <= best) & (best == best)), bits, chosen;
                memcpy(&bits, &value, sizeof bits);
                memcpy(&chosen, &best, sizeof bits);
                chosen ^= better & (bits ^ chosen); /* a branch would be guessed wrongly */
                memcpy(&best, &chosen, sizeof bits);
                which += better & ((T_INT)(first + t) - which);
            }
            *(T_ANY *)(to + i) = best;
            if (tap) *(T_INT *)(tap + i) = which;
        }
        if (tap) tap += to_row;
    }
}

static void BEST(void *to, ptrdiff_t to_row, void *tap, ptrdiff_t first, const void *from,
                 ptrdiff_t from_row, ptrdiff_t step, ptrdiff_t taps, ptrdiff_t rows, ptrdiff_t n)
{
    const ptrdiff_t unit = sizeof(T);
    if (to_row == n * unit && from_row == to_row) n *= rows, rows = 1;
#define GREATEST(k) NAME(best_rows)(to, to_row, NULL, 0, from, from_row, step, k, rows, n * unit)
#define WHICH(k) NAME(best_rows)(to, to_row, tap, first, from, from_row, step, k, rows, n * unit)
    if (tap) {
        FEW(taps, WHICH)
    } else {
        FEW(taps, GREATEST)
    }
#undef GREATEST
#undef WHICH
}

ROWS NAME(total_rows)(char *to, ptrdiff_t to_row, const char *from, const char *tap,
                      ptrdiff_t from_row, ptrdiff_t step, T_INT first, T_INT pace, ptrdiff_t terms,
                      ptrdiff_t rows, ptrdiff_t bytes, int add)
{
    for (; rows > 0; rows--, to += to_row, from += from_row) {
        ptrdiff_t i = 0;
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
                if (tap && *(const T_INT *)(tap + i + j * step) != (T_INT)(first + j * pace))
                    value = 0;
                sum += value;
            }
            if (add) sum = *(const T_ANY *)(to + i) + sum;
            *(T_ANY *)(to + i) = sum;
        }
        if (tap) tap += from_row;
    }
}

static void TOTAL(void *to, ptrdiff_t to_row, const void *from, const void *tap,
                  ptrdiff_t from_row, ptrdiff_t step, ptrdiff_t first, ptrdiff_t pace,
                  ptrdiff_t terms, ptrdiff_t rows, ptrdiff_t n, int add)
{
    const ptrdiff_t unit = sizeof(T);
    if (to_row == n * unit && from_row == to_row) n *= rows, rows = 1;
#define OF_ALL(k) \
    NAME(total_rows)(to, to_row, from, NULL, from_row, step, 0, 0, k, rows, n * unit, add)
#define OF_TAP(k) \
    NAME(total_rows)(to, to_row, from, tap, from_row, step, first, pace, k, rows, n * unit, add)
    if (tap) {
        FEW(terms, OF_TAP)
    } else {
        FEW(terms, OF_ALL)
    }
#undef OF_ALL
#undef OF_TAP
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

#undef ROWS
#undef FEW
