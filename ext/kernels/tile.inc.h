/* The register tile: sums of products over lines of steps; kernels.h has the contract.
 *
 * Its kinds differ in which operand is a vector, and which one value for all lanes:
 *
 *     SC_OUTER   one * vector      rows are pixels, lanes are outputs
 *     SC_LANES   vector * vector   rows are pixels, lanes are groups; or rows are taps and lanes
 *                                  are pixels, whose sums are added up at the end
 *     SC_SPREAD  vector * one      lanes are pixels
 *     SC_EACH    vector * vector   rows are pixels, lanes are twice as many groups
 *     SC_CROSS   vector * one      rows are outputs, lanes are the pixels of each half
 *
 * The rows come in two halves with a base pointer each, so that one tile can serve the ends of two
 * image rows, and so that all row offsets stay in registers.  All loops over rows and vectors
 * have constant bounds after inlining.
 * Parameters: T, VECTOR, VECTOR_ANY, MOST_HALF, TALL_HALF, STACK_HALF, SLIDES, SINKS, NAME(x). */
#define LOAD(at) (*(const VECTOR_ANY *)(at))
/* Steps unrolled: fewer instructions, which shared cores are short of.  Four of the large tile would
 * not leave all sums in registers. */
#define STEPS (MOST_HALF > 3 ? 2 : 4)
/* Whether the rows of a target are so many lines of the cache that, asked for all at once, they would
 * hold up the loads of x and w. */
#define MANY_LINES(half, nv) (2 * half * nv * (int)sizeof(VECTOR) > 16 * SC_CACHE_LINE)

/* One step of all rows, from the given places. */
static inline __attribute__((always_inline)) void NAME(step)(
    const int kind, const int half, const int nv, VECTOR (*sum)[2], const T *xa, const T *xb,
    const ptrdiff_t *row, const T *w)
{
    enum { VL = sizeof(VECTOR) / sizeof(T) };
    VECTOR wv[2], one[TALL_HALF];
    if (kind == SC_CROSS) {
        UNROLL for (int i = 0; i < half; i++) one[i] = w[i] - (VECTOR){0};
        UNROLL for (int h = 0; h < 2; h++)
            UNROLL for (int v = 0; v < nv; v++) {
                VECTOR each = LOAD((h ? xb : xa) + v * VL);
                LOADED(each);
                UNROLL for (int i = 0; i < half; i++) sum[h * half + i][v] += each * one[i];
            }
        return;
    }
    UNROLL for (int v = 0; v < nv; v++) {
        if (kind == SC_SPREAD) wv[v] = *w - (VECTOR){0}; /* -0 stays what it is */
        else wv[v] = LOAD(w + v * VL);
    }
    UNROLL for (int i = 0; i < 2 * half; i++) {
        const T *x = i < half ? xa + row[i] : xb + row[i - half];
        if (kind == SC_OUTER) {
            const T one = *x;
            UNROLL for (int v = 0; v < nv; v++) sum[i][v] += one * wv[v];
        } else if (kind == SC_LANES) {
            const VECTOR each = LOAD(x);
            UNROLL for (int v = 0; v < nv; v++) sum[i][v] += each * wv[v];
        } else {
            UNROLL for (int v = 0; v < nv; v++) sum[i][v] += LOAD(x + v * VL) * wv[v];
        }
    }
}

/* Where the first row of half h reads x in a line. */
static inline __attribute__((always_inline)) const T *NAME(line_at)(
    const sc_item *item, const sc_pair *pair, const int h, const sc_line *line)
{
    return (const T *)((const char *)item->x + pair->x[h]) + line->x;
}

/* The sums of `halves` halves of `nv` vectors a row, from half `first` on, added to `start`, go to
 * their places. */
static inline __attribute__((always_inline)) void NAME(finish)(
    const int first, const int halves, const int half, const int nv, VECTOR (*sum)[2],
    const sc_item *item, const sc_pair *pair, const sc_steps *s)
{
    enum { VL = sizeof(VECTOR) / sizeof(T) };
    const ptrdiff_t to_row = s->to_row, start_row = s->start_row; /* a store may change them else */
    UNROLL for (int h = 0; h < halves; h++) {
        T *to = (T *)((char *)item->to + pair->to[first + h]);
        const T *start = (const T *)((const char *)item->start + pair->start[first + h]);
        UNROLL for (int i = h * half; i < (h + 1) * half; i++) {
            UNROLL for (int v = 0; v < nv; v++)
                *(VECTOR_ANY *)(to + v * VL) = sum[i][v] + LOAD(start + v * VL);
            to += to_row, start += start_row;
            OPAQUE(to);
            OPAQUE(start);
        }
    }
}

static inline __attribute__((always_inline)) void NAME(one)(
    const int kind, const int half, const int nv, const sc_item *item, const sc_pair *pair,
    const sc_item *next, const sc_pair *its, const int at_once, const sc_stream *ahead,
    const sc_steps *s, const ptrdiff_t rs, const ptrdiff_t ks, const ptrdiff_t ws)
{
    VECTOR sum[2 * TALL_HALF][2];
    ptrdiff_t row[TALL_HALF], at[STEPS + 1]; /* of steps */
    const char *asked[2] = {ahead[0].at, ahead[1].at};
    const ptrdiff_t pace[2] = {STEPS * ahead[0].pace, STEPS * ahead[1].pace};
    UNROLL for (int i = 0; i < half; i++) row[i] = i * rs;
    UNROLL for (int u = 0; u <= STEPS; u++) at[u] = u * ks;
    UNROLL for (int i = 0; i < 2 * half; i++)
        UNROLL for (int v = 0; v < nv; v++) sum[i][v] = (VECTOR){0};

    /* Rows of a target are far apart: else the last stores wait for them.  All at once, or one in each
     * round of the steps. */
    const char *to[2] = {(const char *)next->to + its->to[0], (const char *)next->to + its->to[1]};
    ptrdiff_t apart = s->to_row * (ptrdiff_t)sizeof(T);
    if (kind == SC_OUTER && at_once) {
        UNROLL for (int i = 0; i < 2 * half; i++)
            UNROLL for (int at = 0; at < nv * (int)sizeof(VECTOR); at += SC_CACHE_LINE)
                __builtin_prefetch(to[i >= half] + i % half * apart + at, 1);
        apart = 0;
    }
    for (const sc_line *line = s->line, *end = line + s->lines; line < end; line++) {
        const T *xa = NAME(line_at)(item, pair, 0, line);
        const T *xb = NAME(line_at)(item, pair, 1, line);
        const T *w = (const T *)item->w + line->w;
        ptrdiff_t k = s->len;
        for (ptrdiff_t r = kind == SC_OUTER ? k % STEPS : k; r > 0; r--) {
            NAME(step)(kind, half, nv, sum, xa, xb, row, w);
            xa += ks;
            xb += ks;
            w += ws;
        }
        for (k /= STEPS; kind == SC_OUTER && k > 0; k--) {
            if (__builtin_constant_p(ks)) UNROLL for (int i = 1; i < half; i++) OPAQUE(row[i]);
            UNROLL for (int u = 0; u < STEPS; u++) {
                if (u % (STEPS / 2) == 0) {
                    const int one = u > 0;
                    __builtin_prefetch(asked[one]);
                    asked[one] += pace[one];
                    if (MANY_LINES(half, nv) && one * SC_CACHE_LINE < nv * (int)sizeof(VECTOR))
                        __builtin_prefetch(to[0] + one * SC_CACHE_LINE, 1);
                }
                NAME(step)(kind, half, nv, sum, xa + at[u], xb + at[u], row, w + u * ws);
            }
            xa += at[STEPS];
            xb += at[STEPS];
            w += STEPS * ws;
            const char *row_of_other = to[1];
            to[1] = to[0] + apart, to[0] = row_of_other;
        }
    }
    NAME(finish)(0, 2, half, nv, sum, item, pair, s);
}

static inline __attribute__((always_inline)) void NAME(all)(
    const int kind, const int half, const int nv, const sc_item *item, ptrdiff_t items,
    const sc_pair *pair, ptrdiff_t pairs, const sc_steps *s, const ptrdiff_t rs,
    const ptrdiff_t ks, const ptrdiff_t ws)
{
    const ptrdiff_t steps = s->lines * s->len;
    const int at_once = !MANY_LINES(half, nv) || steps < 2 * half * STEPS;
    const ptrdiff_t later = !at_once ? 1 : steps < 64 ? 4 : 0;
    sc_stream ahead[2] = {{item->x, 0}, {item->x, 0}};
    if (s->ahead) memcpy(ahead, s->ahead, sizeof(ahead));
    ptrdiff_t next = later, its = 0; /* the item and the pair of the tile whose target is asked for */
    for (; next >= items && its < pairs; its++) next -= items;
    for (ptrdiff_t p = 0; p < pairs; p++)
        for (ptrdiff_t i = 0; i < items; i++) {
            if (its == pairs) next = items - 1, its--; /* there is none beyond the last */
            NAME(one)(kind, half, nv, item + i, pair + p, item + next, pair + its, at_once, ahead, s,
                      rs, ks, ws);
            UNROLL for (int h = 0; h < 2; h++) ahead[h].at += steps * ahead[h].pace;
            if (++next == items) next = 0, its++;
        }
}

#include "slide.inc.h"
#include "stack.inc.h"
#include "sink.inc.h"

#define TILE_NAME(kind, half, nv) NAME(SC_JOIN(SC_JOIN(kind, half), SC_JOIN(x, nv)))
#define ALL(kind, half, nv, rs, ks, ws)                                                           \
    NAME(all)(kind, half, nv, item, items, pair, pairs, s, rs, ks, ws)
#define SLIDE(half, nv, rest) NAME(slide)(half, nv, rest, item, items, pair, pairs, s)
/* Strides that are constants, of rows and steps; with panels of two vectors a row, or of one, or, where
 * registers are many, rows that lie anywhere; or equal strides. */
#define TILE(kind, half, nv)                                                                      \
    static void TILE_NAME(kind, half, nv)(const sc_item *item, ptrdiff_t items,                   \
                                          const sc_pair *pair, ptrdiff_t pairs,                   \
                                          const sc_steps *s)                                      \
    {                                                                                             \
        if (kind == SC_OUTER && s->ks == 1 && s->ws == NB) ALL(kind, half, nv, s->rs, 1, NB);     \
        else if (kind == SC_OUTER && s->rs == 1 && s->ws == NB) ALL(kind, half, nv, 1, s->ks, NB); \
        else if (kind == SC_OUTER && s->rs == 1 && nv == 2 && MOST_HALF > 3)                      \
            ALL(kind, half, nv, 1, s->ks, s->ws);                                                 \
        else if (kind == SC_OUTER && nv == 1 && s->ks == 1 && s->ws == NB / 2)                    \
            ALL(kind, half, nv, s->rs, 1, NB / 2);                                                \
        else if (kind == SC_OUTER && nv == 1 && s->rs == 1 && s->ws == NB / 2)                    \
            ALL(kind, half, nv, 1, s->ks, NB / 2);                                                \
        else if (kind == SC_EACH && SLIDES && s->rs == s->ks && s->len > 1) {                     \
            if (s->len % HELD == 0) SLIDE(half, nv, 0);                                           \
            else if (s->len % HELD == 1) SLIDE(half, nv, 1);                                      \
            else SLIDE(half, nv, 2);                                                              \
        } else if (kind == SC_SPREAD && half <= STACK_HALF && s->lines > 1 &&                     \
                   s->line[1].x - s->line[0].x == s->rs)                                          \
            NAME(stack)(half, nv, item, items, pair, pairs, s);                                   \
        else if (kind == SC_LANES && SINKS(half, nv) && s->rs == 1)                               \
            NAME(sink)(half, nv, item, items, pair, pairs, s);                                    \
        else ALL(kind, half, nv, s->rs, s->ks, s->ws);                                            \
    }

/* All heights of the tile, up to what the registers hold: n at most, of tiles nv vectors wide. */
#ifndef SWEEPCONV_HEIGHTS
#define SWEEPCONV_HEIGHTS
#define HEIGHTS_3(one, kind, nv) one(kind, 1, nv) one(kind, 2, nv) one(kind, 3, nv)
#define HEIGHTS_4(one, kind, nv) HEIGHTS_3(one, kind, nv) one(kind, 4, nv)
#define HEIGHTS_6(one, kind, nv) HEIGHTS_4(one, kind, nv) one(kind, 5, nv) one(kind, 6, nv)
#define HEIGHTS_7(one, kind, nv) HEIGHTS_6(one, kind, nv) one(kind, 7, nv)
#define HEIGHTS(n) SC_JOIN(HEIGHTS_, n)
#define TILE_ENTRY(kind, half, nv) TILE_NAME(kind, half, nv),
#endif

#define TILES(kind) HEIGHTS(TALL_HALF)(TILE, kind, 1) HEIGHTS(MOST_HALF)(TILE, kind, 2)
TILES(SC_OUTER)
TILES(SC_LANES)
TILES(SC_SPREAD)
TILES(SC_EACH)
TILES(SC_CROSS)
#undef TILES

/* Tiles by their vectors; a table of one vector at most has those twice. */
#define KIND_1(kind) HEIGHTS(TALL_HALF)(TILE_ENTRY, kind, 1)
#define KIND_2(kind) HEIGHTS(MOST_HALF)(TILE_ENTRY, kind, 2)
#define KIND(kind) {{KIND_1(kind)}, {SC_JOIN(KIND_, WIDEST)(kind)}}
