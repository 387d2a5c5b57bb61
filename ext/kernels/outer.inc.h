/* The outer tile: acc[rows][vectors of outputs] += broadcast(x) * w.
 *
 * Every verb is this tile.  Forward: rows are pixels, steps are taps and input channels.  Input
 * gradient: the same over dy.  Weight gradient: rows are input channels, steps are pixels.
 * The rows come in two halves with a base pointer each, so that one tile can serve the ends of
 * two image rows, and so that all row offsets stay in registers.
 * Parameters: T, VECTOR, HALF, NV (vectors wide), NB (outputs of a full tile), OUTER (the name). */
static void OUTER(void *acc_, const void *init_, const void *xa_, const void *xb_, ptrdiff_t rs,
                  ptrdiff_t ks, const ptrdiff_t *off, ptrdiff_t lines, ptrdiff_t len,
                  const void *w_)
{
    enum { VL = sizeof(VECTOR) / sizeof(T) };
    T *acc = acc_;
    const T *init = init_, *w = w_;
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
    UNROLL for (int i = 0; i < 2 * HALF; i++) {
        UNROLL for (int v = 0; v < NV; v++) {
            VECTOR *a = (VECTOR *)(acc + i * NB + v * VL);
            *a = sum[i][v] + (init ? *(const VECTOR *)(init + v * VL) : *a);
        }
    }
}
