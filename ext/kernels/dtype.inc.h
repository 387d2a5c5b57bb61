/* The kernels of one dtype.  Parameters: T, T_ANY, T_INT, TAG (f32, f64), MOST_HALF, TALL_HALF,
 * VEC_BYTES, and SIDE. */
#define NAME(x) SC_JOIN(SC_JOIN(TAG, _), x)
#define VECTOR NAME(vector)
#define VECTOR_ANY NAME(vector_any)
#define BLOCK NAME(block)
#define NB (2 * VEC_BYTES / (int)sizeof(T))

typedef T VECTOR __attribute__((vector_size(VEC_BYTES), may_alias));
typedef T VECTOR_ANY __attribute__((vector_size(VEC_BYTES), aligned(1), may_alias));
typedef T BLOCK __attribute__((vector_size(SIDE * sizeof(T)), aligned(1), may_alias));

#if SIDE == 8
#define INTERLEAVE_LOW 0, 8, 1, 9, 2, 10, 3, 11
#define INTERLEAVE_HIGH 4, 12, 5, 13, 6, 14, 7, 15
#elif SIDE == 4
#define INTERLEAVE_LOW 0, 4, 1, 5
#define INTERLEAVE_HIGH 2, 6, 3, 7
#else
#define INTERLEAVE_LOW 0, 2
#define INTERLEAVE_HIGH 1, 3
#endif

#include "tile.inc.h"
#include "blend.inc.h"

#define MOVE NAME(move)
#define ADD NAME(add)
#define FINITE NAME(finite)
#include "move.inc.h"

#define BEST NAME(best)
#define TOTAL NAME(total)
#define DIVIDE NAME(divide)
#include "pool.inc.h"

#define PEAK NAME(peak)
#include "peak.inc.h"

static const sc_tiles NAME(tiles) = {
    .itemsize = sizeof(T),
    .half = MOST_HALF,
    .tall = TALL_HALF,
    .nb = NB,
    .tile = {KIND(SC_OUTER), KIND(SC_LANES), KIND(SC_SPREAD), KIND(SC_EACH)},
    .blend = {NAME(blend_SC_DATA2), NAME(blend_SC_FILTER2), NAME(blend_SC_OUTPUT2),
              NAME(blend_SC_DATA4), NAME(blend_SC_FILTER4), NAME(blend_SC_OUTPUT4)},
    .move = MOVE,
    .add = ADD,
    .finite = FINITE,
    .best = BEST,
    .total = TOTAL,
    .divide = DIVIDE,
    .peak = PEAK,
};

#undef NAME
#undef VECTOR
#undef VECTOR_ANY
#undef BLOCK
#undef NB
#undef INTERLEAVE_LOW
#undef INTERLEAVE_HIGH
#undef LOAD
#undef BLEND
#undef TILE_NAME
#undef TILE
#undef KIND
#undef MOVE
#undef ADD
#undef FINITE
#undef BEST
#undef TOTAL
#undef DIVIDE
#undef PEAK
#undef T
#undef T_ANY
#undef T_INT
#undef TAG
#undef SIDE
