/* SC_SPREAD where lines of steps stand as far apart as rows, as image rows and the taps of a column do:
 * what a row reads in one line, the row before reads in the next.  So each vector of x is loaded once
 * for up to HELD lines, see slide.inc.h; loads that cross lines of the cache are what limits a tile
 * whose lanes are pixels.
 *
 * The sums are those of tile.inc.h, bit by bit: to each of them lines come in turn, and their steps.
 * Parameters: T, VECTOR, TALL_HALF, NAME(x). */

/* Up to HELD lines, whose w are given, from the place of the first. */
static inline __attribute__((always_inline)) void NAME(stack_lines)(
    const int lines, const int half, const int nv, VECTOR (*sum)[2], const T *xa, const T *xb,
    const T *const *w, const sc_steps *s)
{
    enum { VL = sizeof(VECTOR) / sizeof(T) };
    UNROLL for (int i = 0; i < half + lines - 1; i++)
        for (ptrdiff_t k = 0; k < s->len; k++)
            UNROLL for (int h = 0; h < 2; h++) {
                VECTOR each[2];
                UNROLL for (int v = 0; v < nv; v++) {
                    each[v] = LOAD((h ? xb : xa) + i * s->rs + k * s->ks + v * VL);
                    LOADED(each[v]);
                }
                UNROLL for (int l = lines - 1; l >= 0; l--) {
                    if (i < l || i - l >= half) continue;
                    const VECTOR one = w[l][k * s->ws] - (VECTOR){0}; /* -0 stays what it is */
                    UNROLL for (int v = 0; v < nv; v++) sum[h * half + i - l][v] += each[v] * one;
                }
            }
}

static inline __attribute__((always_inline)) void NAME(stack_one)(
    const int half, const int nv, const sc_item *item, const sc_pair *pair, const sc_steps *s)
{
    VECTOR sum[2 * TALL_HALF][2];
    UNROLL for (int i = 0; i < 2 * half; i++)
        UNROLL for (int v = 0; v < nv; v++) sum[i][v] = (VECTOR){0};
    for (const sc_line *line = s->line, *end = line + s->lines; line < end;) {
        const T *xa = NAME(line_at)(item, pair, 0, line);
        const T *xb = NAME(line_at)(item, pair, 1, line);
        const T *w[HELD];
        int lines = 0;
        do w[lines++] = (const T *)item->w + line++->w;
        while (lines < HELD && line < end && line->x - line[-1].x == s->rs);
        if (lines == 1) NAME(stack_lines)(1, half, nv, sum, xa, xb, w, s);
        else if (lines == 2) NAME(stack_lines)(2, half, nv, sum, xa, xb, w, s);
        else NAME(stack_lines)(HELD, half, nv, sum, xa, xb, w, s);
    }
    NAME(finish)(0, 2, half, nv, sum, item, pair, s);
}

static inline __attribute__((always_inline)) void NAME(stack)(
    const int half, const int nv, const sc_item *item, ptrdiff_t items, const sc_pair *pair,
    ptrdiff_t pairs, const sc_steps *s)
{
    for (ptrdiff_t p = 0; p < pairs; p++)
        for (ptrdiff_t i = 0; i < items; i++)
            NAME(stack_one)(half, nv, item + i, pair + p, s);
}
