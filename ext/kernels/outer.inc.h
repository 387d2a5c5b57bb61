/* The outer tile: acc[rows][vectors of outputs] += broadcast(x) * w.
 *
 * Every verb is this tile.  Forward: rows are pixels, steps are taps and input channels.  Input
 * gradient: the same over dy.  Weight gradient: rows are input channels, steps are pixels.
 * The rows come in two halves with a base pointer each, so that one tile can serve the ends of
 * two image rows, and so that all row offsets stay in registers.
 * Parameters: T, VECTOR, VECTOR_ANY, HALF, NV (vectors wide), NB (outputs of a full tile), OUTER (the name). */
static void OUTER(void *to_a_, void *to_b_, ptrdiff_t to_row, const void *start_a_,
                  const void *start_b_, ptrdiff_t start_row, const void *xa_, const void *xb_,
                  ptrdiff_t rs, ptrdiff_t ks, const ptrdiff_t *off, ptrdiff_t lines, ptrdiff_t len,
                  const void *w_)
{
    enum { VL = sizeof(VECTOR) / sizeof(T) };
    T *to_a = to_a_, *to_b = to_b_;
    const T *start_a = start_a_, *start_b = start_b_, *w = w_;
    VECTOR sum[2 * HALF][NV];
    UNROLL for (int i = 0; i < 2 * HALF; i++)
        UNROLL for (int v = 0; v < NV; v++) sum[i][v] = (VECTOR){0};

    for (ptrdiff_t l = 0; l < lines; l++) {
        const T *xa = (const T *)xa_ + off[l], *xb = (const T *)xb_ + off[l];
        for (ptrdiff_t k = 0; k < len; k++) {
            VECTOR wv[NV];
            UNROLL for (int v = 0; v < NV; v++) wv[v] = *(const VECTOR *)(w + v * VL);
            UNROLL for (int i = 0; i < HALF; i++) {
                const T a = xa[i * rs];
                UNROLL for (int v = 0; v < NV; v++) sum[i][v] += a * wv[v];
            }
            UNROLL for (int i = 0; i < HALF; i++) {
                const T b = xb[i * rs];
                UNROLL for (int v = 0; v < NV; v++) sum[HALF + i][v] += b * wv[v];
            }
            xa += ks;
            xb += ks;
            w += NB;
        }
    }
    UNROLL for (int i = 0; i < HALF; i++) {
        UNROLL for (int v = 0; v < NV; v++) {
            const ptrdiff_t to = i * to_row + v * VL, start = i * start_row + v * VL;
            *(VECTOR_ANY *)(to_a + to) = sum[i][v] + *(const VECTOR_ANY *)(start_a + start);
            *(VECTOR_ANY *)(to_b + to) = sum[HALF + i][v] + *(const VECTOR_ANY *)(start_b + start);
        }
    }
}
