/* The contract of the kernels: register tiles for one instruction set and one dtype each.
 *
 * No kernel knows stride, padding, dilation, rank, family, threads or Python.  Whoever calls has
 * checked the arguments.  Panels are packed, contiguous and counted in elements; arrays of the
 * user are counted in bytes, since their strides may be anything.
 */
#ifndef SWEEPCONV_KERNELS_H
#define SWEEPCONV_KERNELS_H

#include <stddef.h>

/* How a tile takes its two operands: see tile.inc.h. */
enum { SC_OUTER, SC_LANES, SC_SPREAD, SC_EACH, SC_CROSS, SC_KINDS };
enum { SC_MOST_HALF = 7 };
enum { SC_CACHE_LINE = 64 }; /* bytes */
enum { SC_COMBINED = 8 }; /* rows that sc_combine takes at once */

/* Where a line of steps starts in both operands, in elements. */
typedef struct {
    ptrdiff_t x, w;
} sc_line;

/* Memory that is asked for while something else is summed: `pace` bytes for each step of a tile. */
typedef struct {
    const char *at;
    ptrdiff_t pace;
} sc_stream;

/* Asks for rows of n bytes, which are needed so much later that the first-level cache would have lost
 * them: they go to the second. */
static inline void sc_ask(const char *at, ptrdiff_t row, ptrdiff_t rows, ptrdiff_t n)
{
    for (; rows > 0; rows--, at += row)
        for (ptrdiff_t i = 0; i < n; i += SC_CACHE_LINE) __builtin_prefetch(at + i, 0, 2);
}

/* The steps of a sum: `lines` lines of `len` steps each.  Strides are in elements: of the rows of x,
 * `to` and `start`, and of the steps of both operands.  `ahead` is two streams that are needed next,
 * or NULL; SC_OUTER asks for them. */
typedef struct {
    const sc_line *line;
    const sc_stream *ahead;
    ptrdiff_t lines, len, to_row, start_row, rs, ks, ws;
} sc_steps;

/* An operand w and what goes with it; and where the two halves of a tile stand in these, in bytes. */
typedef struct {
    void *to;
    const void *start, *x, *w;
} sc_item;
typedef struct {
    ptrdiff_t to[2], start[2], x[2];
} sc_pair;

/* The one sum of the library, of a tile for each item and each pair, all items of a pair in turn:
 *
 *     to_h[i][v] = start_h[i][v] + sum over l, k of
 *         x_h[i*rs + line[l].x + k*ks + (v)] * w[line[l].w + k*ws + (v)]
 *
 * for the rows i < half of both halves h, and v < nb, or v < nb/2 for the tile that is one vector
 * wide; (v) stands where the operand is a vector.  In SC_LANES both vectors of a row share the
 * first of x; in SC_CROSS i counts elements of w, and the rows of a half share x_h.  start_row 0 is
 * one start for all rows.  The sum is formed from zero and added to `start` last: chains stay short,
 * and the order depends on l and k alone.  `to` may be `start`.  Where both halves read the same x the
 * second is a filler, which may be left out. */
typedef void (*sc_tile)(const sc_item *item, ptrdiff_t items, const sc_pair *pair, ptrdiff_t pairs,
                        const sc_steps *steps);

/* Transforms of Winograd's F(2, 3) and F(4, 3): see blend.inc.h. */
enum { SC_DATA2, SC_FILTER2, SC_OUTPUT2, SC_DATA4, SC_FILTER4, SC_OUTPUT4, SC_BLENDS };

/* to[r*to_row + t*to_step + v] = sum over c of matrix[r][c] * from[c*from_row + t*from_step + v]
 * for t < count and v < n, n a multiple of nb/2. */
typedef void (*sc_blend)(void *to, ptrdiff_t to_row, ptrdiff_t to_step, const void *from,
                         ptrdiff_t from_row, ptrdiff_t from_step, ptrdiff_t count, ptrdiff_t n);

/* dst[r][c] = src[r][c] for any strides in bytes. */
typedef void (*sc_move)(void *dst, ptrdiff_t dst_row, ptrdiff_t dst_col, const void *src,
                        ptrdiff_t src_row, ptrdiff_t src_col, ptrdiff_t rows, ptrdiff_t cols);

/* dst[r][2*c] = src[r][c], columns in elements and rows in bytes.  What stands between the first and
 * the last of a row of dst is written as well, as it was: it must be of the same thread. */
typedef void (*sc_weave)(void *dst, ptrdiff_t dst_row, const void *src, ptrdiff_t src_row,
                         ptrdiff_t rows, ptrdiff_t cols);

/* dst[i] += src[i], i < n. */
typedef void (*sc_add)(void *dst, const void *src, ptrdiff_t n);

/* to[r][i] = the greatest of from[r*from_row + t*step + i], t < taps: the first of equals, or of NaN
 * the first.  tap[r][i], unless tap is NULL, = first + its t, an integer as wide as an element.
 * Rows of `tap` stand as those of `to`.  n counts elements, all else is in bytes; taps > 0. */
typedef void (*sc_best)(void *to, ptrdiff_t to_row, void *tap, ptrdiff_t first, const void *from,
                        ptrdiff_t from_row, ptrdiff_t step, ptrdiff_t taps, ptrdiff_t rows,
                        ptrdiff_t n);

/* to[r][i] (+)= sum over j < terms of from[r*from_row + j*step + i]; with `tap`, which stands as
 * `from`, of those alone whose tap is first + j*pace.  Formed from zero, and added where `add`. */
typedef void (*sc_total)(void *to, ptrdiff_t to_row, const void *from, const void *tap,
                         ptrdiff_t from_row, ptrdiff_t step, ptrdiff_t first, ptrdiff_t pace,
                         ptrdiff_t terms, ptrdiff_t rows, ptrdiff_t n, int add);

/* to[r][i] /= by, i < n. */
typedef void (*sc_divide)(void *to, ptrdiff_t to_row, double by, ptrdiff_t rows, ptrdiff_t n);

/* Whether all of src[i], i < n, are finite; n a multiple of nb, src aligned to vectors. */
typedef int (*sc_finite)(const void *src, ptrdiff_t n);

/* to[r] = sum over k < n of w[r][k] * x[k], r < rows, one chain from zero in the order of k, as a tile
 * has it; rows of w are `row` bytes apart. */
typedef void (*sc_dot)(void *to, const void *w, ptrdiff_t row, ptrdiff_t rows, const void *x,
                       ptrdiff_t n);

/* The same for columns, whose chains sum[c] go on with the products x[k] * w[k][c] of k < rows, for
 * c < cols. */
typedef void (*sc_combine)(void *sum, const void *w, ptrdiff_t row, ptrdiff_t rows, const void *x,
                           ptrdiff_t cols);

/* Does `steps` rounds of independent multiply-adds in registers, for benchmarks, and returns how many
 * floating-point operations they were.  state: two elements, a factor below 1 and a term; the first
 * is overwritten. */
typedef double (*sc_peak)(void *state, ptrdiff_t steps);

typedef struct sc_tiles {
    ptrdiff_t itemsize;
    ptrdiff_t half; /* rows of half a tile, at most */
    ptrdiff_t tall; /* of one that is one vector wide */
    ptrdiff_t stack; /* of SC_SPREAD where lines stand as far apart as rows; 0: it gains nothing then */
    ptrdiff_t vector; /* values in one */
    ptrdiff_t nb;   /* values in a row of a panel, two vectors */
    const struct sc_tiles *narrow; /* the same for panels whose rows are one vector */
    const struct sc_tiles *shorter; /* those whose vectors are half as long, or NULL */
    sc_tile tile[SC_KINDS][2][SC_MOST_HALF]; /* [one or two vectors wide - 1][half - 1] */
    sc_blend blend[SC_BLENDS];
    sc_move move;
    sc_weave weave;
    sc_add add;
    sc_finite finite;
    sc_dot dot;
    sc_combine combine;
    sc_best best;
    sc_total total;
    sc_divide divide;
    sc_peak peak;
} sc_tiles;

typedef struct {
    const char *name; /* as users see it: baseline, avx2, avx512 */
    const sc_tiles *f32, *f64;
} sc_kernels;

/* Number of instances in this build; instance i, best first; whether this machine runs it. */
int sc_instances(void);
const sc_kernels *sc_instance(int i);
int sc_supported(int i);
const char *sc_compiler(void);

#endif
