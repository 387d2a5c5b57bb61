/* SC_LANES where the second half reads one line below the first, as two rows of taps do: what it reads
 * for one line, the first half reads for the next.  So each vector of x is loaded once for two lines,
 * down a column of pixels; loads that cross lines of the cache are what limits a tile whose lanes are
 * pixels.
 *
 * To each sum come bands of lines, of a band its columns, and of a column its lines.
 * Parameters: T, VECTOR, TALL_HALF, NAME(x). */
#ifndef SWEEPCONV_BAND
#define SWEEPCONV_BAND
enum { BAND = 8 }; /* lines, which stay in the first-level cache from one column to the next */

/* Of `lines` lines, at most BAND, how many from the first on stand so far apart. */
static inline ptrdiff_t even_lines(const sc_line *line, ptrdiff_t lines, ptrdiff_t x_apart,
                                   ptrdiff_t w_apart)
{
    ptrdiff_t n = 1;
    while (n < lines && n < BAND && line[n].x - line[n - 1].x == x_apart
           && line[n].w - line[n - 1].w == w_apart) n++;
    return n;
}
#endif

/* Whether the second half of a tile does. */
static inline int NAME(sinks)(const sc_pair *pair, const sc_steps *s)
{
    return s->lines > 1
        && pair->x[1] - pair->x[0] == (s->line[1].x - s->line[0].x) * (ptrdiff_t)sizeof(T);
}

/* One column of a band: x and w of its first line, and what they are apart from line to line. */
static inline __attribute__((always_inline)) void NAME(sink_column)(
    const int half, const int nv, VECTOR (*sum)[2], const T *x, ptrdiff_t x_apart, const T *w,
    ptrdiff_t w_apart, ptrdiff_t lines, const ptrdiff_t rs)
{
    enum { VL = sizeof(VECTOR) / sizeof(T) };
    VECTOR above[TALL_HALF];
    UNROLL for (int i = 0; i < half; i++) above[i] = LOAD(x + i * rs);
    for (; lines > 0; lines--) {
        VECTOR each[2];
        UNROLL for (int v = 0; v < nv; v++) {
            each[v] = LOAD(w + v * VL);
            LOADED(each[v]);
        }
        x += x_apart;
        w += w_apart;
        UNROLL for (int i = 0; i < half; i++) {
            VECTOR below = LOAD(x + i * rs);
            LOADED(below);
            UNROLL for (int v = 0; v < nv; v++) {
                sum[i][v] += above[i] * each[v];
                sum[half + i][v] += below * each[v];
            }
            above[i] = below;
        }
    }
}

static inline __attribute__((always_inline)) void NAME(sink_one)(
    const int half, const int nv, const sc_item *item, const sc_pair *pair, const sc_steps *s)
{
    VECTOR sum[2 * TALL_HALF][2];
    UNROLL for (int i = 0; i < 2 * half; i++)
        UNROLL for (int v = 0; v < nv; v++) sum[i][v] = (VECTOR){0};
    const sc_line *line = s->line, *end = line + s->lines;
    const ptrdiff_t x_apart = line[1].x - line[0].x, w_apart = line[1].w - line[0].w;
    while (line < end) {
        const ptrdiff_t lines = even_lines(line, end - line, x_apart, w_apart);
        const T *x = NAME(line_at)(item, pair, 0, line);
        const T *w = (const T *)item->w + line->w;
        for (ptrdiff_t k = 0; k < s->len; k++)
            NAME(sink_column)(half, nv, sum, x + k * s->ks, x_apart, w + k * s->ws, w_apart, lines,
                              s->rs);
        line += lines;
    }
    NAME(finish)(0, 2, half, nv, sum, item, pair, s);
}

static inline __attribute__((always_inline)) void NAME(sink)(
    const int half, const int nv, const sc_item *item, ptrdiff_t items, const sc_pair *pair,
    ptrdiff_t pairs, const sc_steps *s)
{
    for (ptrdiff_t p = 0; p < pairs; p++) {
        if (NAME(sinks)(pair + p, s))
            for (ptrdiff_t i = 0; i < items; i++) NAME(sink_one)(half, nv, item + i, pair + p, s);
        else NAME(all)(SC_LANES, half, nv, item, items, pair + p, 1, s, 1, s->ks, s->ws);
    }
}
