/* The register tile: sums of products over lines of steps; kernels.h has the contract.
 *
 * Its kinds differ in which operand is a vector, and which one value for all lanes:
 *
 *     SC_OUTER   one * vector      rows are pixels, lanes are outputs
 *     SC_LANES   vector * vector   rows are pixels, lanes are groups; or rows are taps and lanes
 *                                  are pixels, whose sums are added up at the end
 *     SC_SPREAD  vector * one      lanes are pixels
 *     SC_EACH    vector * vector   rows are pixels, lanes are twice as many groups
 *
 * The rows come in two halves with a base pointer each, so that one tile can serve the ends of two
 * image rows, and so that all row offsets stay in registers.  All loops over rows and vectors
 * have constant bounds after inlining.
 * Parameters: T, VECTOR, VECTOR_ANY, MOST_HALF, TALL_HALF, NAME(x). */
#define LOAD(at) (*(const VECTOR_ANY *)(at))

/* One step of all rows, from the given places. */
static inline __attribute__((always_inline)) void NAME(step)(
    const int kind, const int half, const int nv, VECTOR (*sum)[2], const T *xa, const T *xb,
    ptrdiff_t rs, const T *w)
{
    enum { VL = sizeof(VECTOR) / sizeof(T) };
    VECTOR wv[2];
    UNROLL for (int v = 0; v < nv; v++) {
        if (kind == SC_SPREAD) wv[v] = *w - (VECTOR){0}; /* -0 stays what it is */
        else wv[v] = LOAD(w + v * VL);
    }
    UNROLL for (int i = 0; i < 2 * half; i++) {
        const T *x = i < half ? xa + i * rs : xb + (i - half) * rs;
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

static inline __attribute__((always_inline)) void NAME(tile)(
    const int kind, const int half, const int nv, T *to_a, T *to_b, ptrdiff_t to_row,
    const T *start_a, const T *start_b, ptrdiff_t start_row, const T *xa_, const T *xb_,
    ptrdiff_t rs, ptrdiff_t ks, const sc_line *line, ptrdiff_t lines, ptrdiff_t len, const T *w_,
    ptrdiff_t ws)
{
    /* Steps unrolled: fewer instructions, which shared cores are short of.  Four of the large tile
     * would not leave all sums in registers. */
    enum { VL = sizeof(VECTOR) / sizeof(T), STEPS = MOST_HALF > 3 ? 2 : 4 };
    VECTOR sum[2 * TALL_HALF][2];
    UNROLL for (int i = 0; i < 2 * half; i++)
        UNROLL for (int v = 0; v < nv; v++) sum[i][v] = (VECTOR){0};

    for (ptrdiff_t l = 0; l < lines; l++) {
        const T *xa = xa_ + line[l].x, *xb = xb_ + line[l].x, *w = w_ + line[l].w;
        ptrdiff_t k = len;
        for (; kind == SC_OUTER && k >= STEPS; k -= STEPS) {
            UNROLL for (int u = 0; u < STEPS; u++)
                NAME(step)(kind, half, nv, sum, xa + u * ks, xb + u * ks, rs, w + u * ws);
            xa += STEPS * ks;
            xb += STEPS * ks;
            w += STEPS * ws;
        }
        for (; k > 0; k--) {
            NAME(step)(kind, half, nv, sum, xa, xb, rs, w);
            xa += ks;
            xb += ks;
            w += ws;
        }
    }
    UNROLL for (int i = 0; i < 2 * half; i++) {
        T *to = i < half ? to_a + i * to_row : to_b + (i - half) * to_row;
        const T *start = i < half ? start_a + i * start_row : start_b + (i - half) * start_row;
        UNROLL for (int v = 0; v < nv; v++)
            *(VECTOR_ANY *)(to + v * VL) = sum[i][v] + LOAD(start + v * VL);
    }
}

#define TILE_NAME(kind, half, nv) NAME(SC_JOIN(SC_JOIN(kind, half), SC_JOIN(x, nv)))
#define TILE(kind, half, nv)                                                                      \
    static void TILE_NAME(kind, half, nv)(                                                        \
        void *to_a, void *to_b, ptrdiff_t to_row, const void *start_a, const void *start_b,       \
        ptrdiff_t start_row, const void *xa, const void *xb, ptrdiff_t rs, ptrdiff_t ks,          \
        const sc_line *line, ptrdiff_t lines, ptrdiff_t len, const void *w, ptrdiff_t ws)         \
    {                                                                                             \
        if (kind == SC_OUTER && ks == 1 && ws == NB)                                              \
            NAME(tile)(kind, half, nv, to_a, to_b, to_row, start_a, start_b, start_row, xa, xb,   \
                       rs, 1, line, lines, len, w, NB);                                           \
        else if (kind == SC_OUTER && rs == 1 && ws == NB)                                         \
            NAME(tile)(kind, half, nv, to_a, to_b, to_row, start_a, start_b, start_row, xa, xb,   \
                       1, ks, line, lines, len, w, NB);                                           \
        else                                                                                      \
            NAME(tile)(kind, half, nv, to_a, to_b, to_row, start_a, start_b, start_row, xa, xb,   \
                       rs, ks, line, lines, len, w, ws);                                          \
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
#undef TILES

#define KIND(kind) \
    {{HEIGHTS(TALL_HALF)(TILE_ENTRY, kind, 1)}, {HEIGHTS(MOST_HALF)(TILE_ENTRY, kind, 2)}}
