/* SC_EACH where rows stand as far apart as steps, as pixels and the taps of a line do: what a row reads
 * at one step, the row before it reads at the next.  So each vector of x is loaded once for HELD steps,
 * whose vectors of w stay in registers, and it hardly counts where loads cross lines of the cache.
 *
 * Two strips of rows are summed at once.  Of long sums they are the two halves, a vector of a row after
 * the other, since these share w; of short ones both vectors of a half, so that the lines of the cache
 * which a row of the target fills are written together, and of a half that is its own second.  The sums
 * are those of tile.inc.h, bit by bit.
 * Parameters: T, VECTOR, TALL_HALF, NAME(x). */
#ifndef SWEEPCONV_HELD
#define SWEEPCONV_HELD
enum { HELD = 3, SHORT_SUM = 16 }; /* 21 loads for 42 multiply-adds, in the place of 15 for 14 */
#endif

/* `steps` steps of all rows of both strips, which read from x on. */
static inline __attribute__((always_inline)) void NAME(hold)(
    const int steps, const int half, const int nv, VECTOR (*sum)[2], const T *const *x,
    const ptrdiff_t pace, const T *w, const ptrdiff_t ws)
{
    enum { VL = sizeof(VECTOR) / sizeof(T) };
    VECTOR held[HELD][2];
    UNROLL for (int k = 0; k < steps; k++)
        UNROLL for (int v = 0; v < nv; v++) {
            held[k][v] = LOAD(w + k * ws + v * VL);
            LOADED(held[k][v]);
        }
    UNROLL for (int i = 0; i < half + steps - 1; i++)
        UNROLL for (int g = 0; g < 2; g++) {
            const int v = nv == 2 ? g : 0, first = nv == 2 ? 0 : g * half;
            VECTOR each = LOAD(x[g] + i * pace);
            LOADED(each);
            UNROLL for (int k = steps - 1; k >= 0; k--)
                if (i >= k && i - k < half) sum[first + i - k][v] += each * held[k][v];
        }
}

/* Both strips, which are `nv` vectors wide, from half `first` on, for lines of which `rest` steps remain
 * after as many HELD as there are. */
static inline __attribute__((always_inline)) void NAME(slide_two)(
    const int first, const int half, const int nv, const int rest, const sc_item *item,
    const sc_pair *pair, const sc_steps *s)
{
    enum { VL = sizeof(VECTOR) / sizeof(T) };
    const int halves = 3 - nv;
    const ptrdiff_t pace = s->ks, ws = s->ws;
    VECTOR sum[2 * TALL_HALF][2];
    UNROLL for (int i = 0; i < halves * half; i++)
        UNROLL for (int v = 0; v < nv; v++) sum[i][v] = (VECTOR){0};
    for (const sc_line *line = s->line, *end = line + s->lines; line < end; line++) {
        const T *x[2] = {NAME(line_at)(item, pair, first, line)};
        const T *w = (const T *)item->w + line->w;
        x[1] = nv == 2 ? x[0] + VL : NAME(line_at)(item, pair, 1, line);
        for (ptrdiff_t k = s->len; k >= HELD; k -= HELD) {
            NAME(hold)(HELD, half, nv, sum, x, pace, w, ws);
            x[0] += HELD * pace;
            x[1] += HELD * pace;
            w += HELD * ws;
        }
        NAME(hold)(rest, half, nv, sum, x, pace, w, ws);
    }
    NAME(finish)(first, halves, half, nv, sum, item, pair, s);
}

static inline __attribute__((always_inline)) void NAME(slide)(
    const int half, const int nv, const int rest, const sc_item *item, ptrdiff_t items,
    const sc_pair *pair, ptrdiff_t pairs, const sc_steps *s)
{
    const int brief = s->lines * s->len <= SHORT_SUM;
    for (ptrdiff_t p = 0; p < pairs; p++) {
        const int alone = pair[p].x[0] == pair[p].x[1];
        for (ptrdiff_t i = 0; i < items; i++) {
            sc_item one = item[i];
            for (int part = 0; part < nv; part++) {
                if (nv == 2 && (brief || alone)) {
                    NAME(slide_two)(part, half, 2, rest, &one, pair + p, s);
                    if (alone) break;
                    continue;
                }
                NAME(slide_two)(0, half, 1, rest, &one, pair + p, s);
                one.to = (VECTOR *)one.to + 1, one.start = (const VECTOR *)one.start + 1;
                one.x = (const VECTOR *)one.x + 1, one.w = (const VECTOR *)one.w + 1;
            }
        }
    }
}
