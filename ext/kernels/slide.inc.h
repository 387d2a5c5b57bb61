/* SC_EACH where rows stand as far apart as steps, as pixels and the taps of a line do: what a row reads
 * at one step, the row before it reads at the next.  So each vector of x is loaded once for HELD steps,
 * whose vectors of w stay in registers, and it hardly counts where loads cross lines of the cache.
 *
 * The sums are those of tile.inc.h, bit by bit; the vectors of a row are summed one after the other.
 * Parameters: T, VECTOR, TALL_HALF, NAME(x). */
#ifndef SWEEPCONV_HELD
#define SWEEPCONV_HELD
enum { HELD = 3 }; /* 21 loads for 42 multiply-adds, in the place of 15 for 14 */
#endif

/* `steps` steps of all rows of both halves, from the given places. */
static inline __attribute__((always_inline)) void NAME(hold)(
    const int steps, const int half, VECTOR (*sum)[2], const T *xa, const T *xb, const ptrdiff_t pace,
    const T *w, const ptrdiff_t ws)
{
    VECTOR held[HELD];
    UNROLL for (int k = 0; k < steps; k++) {
        held[k] = LOAD(w + k * ws);
        LOADED(held[k]);
    }
    UNROLL for (int i = 0; i < half + steps - 1; i++)
        UNROLL for (int h = 0; h < 2; h++) {
            VECTOR each = LOAD((h ? xb : xa) + i * pace);
            LOADED(each);
            UNROLL for (int k = steps - 1; k >= 0; k--)
                if (i >= k && i - k < half) sum[h * half + i - k][0] += each * held[k];
        }
}

/* One vector of all rows, for lines of which `rest` steps remain after as many HELD as there are. */
static inline __attribute__((always_inline)) void NAME(slide_one)(
    const int half, const int rest, const sc_item *item, const sc_pair *pair, const sc_steps *s)
{
    const ptrdiff_t pace = s->ks, ws = s->ws;
    VECTOR sum[2 * TALL_HALF][2];
    UNROLL for (int i = 0; i < 2 * half; i++) sum[i][0] = (VECTOR){0};
    for (const sc_line *line = s->line, *end = line + s->lines; line < end; line++) {
        const T *xa = NAME(line_at)(item, pair, 0, line);
        const T *xb = NAME(line_at)(item, pair, 1, line);
        const T *w = (const T *)item->w + line->w;
        for (ptrdiff_t k = s->len; k >= HELD; k -= HELD) {
            NAME(hold)(HELD, half, sum, xa, xb, pace, w, ws);
            xa += HELD * pace;
            xb += HELD * pace;
            w += HELD * ws;
        }
        NAME(hold)(rest, half, sum, xa, xb, pace, w, ws);
    }
    NAME(finish)(half, 1, sum, item, pair, s);
}

static inline __attribute__((always_inline)) void NAME(slide)(
    const int half, const int nv, const int rest, const sc_item *item, ptrdiff_t items,
    const sc_pair *pair, ptrdiff_t pairs, const sc_steps *s)
{
    for (ptrdiff_t p = 0; p < pairs; p++)
        for (ptrdiff_t i = 0; i < items; i++) {
            sc_item one = item[i];
            for (int v = 0; v < nv; v++) {
                NAME(slide_one)(half, rest, &one, pair + p, s);
                one.to = (VECTOR *)one.to + 1, one.start = (const VECTOR *)one.start + 1;
                one.x = (const VECTOR *)one.x + 1, one.w = (const VECTOR *)one.w + 1;
            }
        }
}
