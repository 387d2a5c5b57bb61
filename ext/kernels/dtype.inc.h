/* The kernels of one dtype, and its table sc_<TAG>_<ISA>.  Parameters: T, T_ANY, T_INT, TAG (f32,
 * f64), LANES and SIDE, and those of table.inc.h. */
#define NAME(x) SC_JOIN(SC_JOIN(TAG, _), x)
#define TILES_OF(isa) SC_JOIN(SC_JOIN(sc_, TAG), SC_JOIN(_, isa))
#define VECTOR NAME(vector)
#define VECTOR_ANY NAME(vector_any)
#define BLOCK NAME(block)
#define NB (2 * VEC_BYTES / (int)sizeof(T))

typedef T VECTOR __attribute__((vector_size(VEC_BYTES), may_alias));
typedef T VECTOR_ANY __attribute__((vector_size(VEC_BYTES), aligned(1), may_alias));
typedef T BLOCK __attribute__((vector_size(SIDE * sizeof(T)), aligned(1), may_alias));

#define LANE NAME(lane)
#define PER (16 / (int)sizeof(T))
typedef T LANE __attribute__((vector_size(16), aligned(1), may_alias));

/* Shuffles of two blocks: element e of the result. */
#if SIDE == 8
#define EACH(of) of(0), of(1), of(2), of(3), of(4), of(5), of(6), of(7)
#elif SIDE == 4
#define EACH(of) of(0), of(1), of(2), of(3)
#else
#define EACH(of) of(0), of(1)
#endif
#define SAME(e) (e)
#define EVEN(e) (2 * (e))
#define ODD(e) (2 * (e) + 1)
#define LOW(e) ((e) % 2 * SIDE + (e) / PER * PER + (e) % PER / 2) /* low halves of lanes, in turn */
#define HIGH(e) (LOW(e) + PER / 2)
#define BETWEEN(e) ((e) % 2 ? SIDE + (e) : (e) / 2) /* one, then one of the second block, ... */
#define BETWEEN_LATER(e) ((e) % 2 ? SIDE + (e) : (SIDE + (e)) / 2)

#include "tile.inc.h"
#include "blend.inc.h"

#define MOVE NAME(move)
#define WEAVE NAME(weave)
#define ADD NAME(add)
#define FINITE NAME(finite)
#include "move.inc.h"

#define DOT NAME(dot)
#define COMBINE NAME(combine)
#include "matvec.inc.h"

#define BEST NAME(best)
#define TOTAL NAME(total)
#define DIVIDE NAME(divide)
#include "pool.inc.h"

#define PEAK NAME(peak)
#include "peak.inc.h"

/* Panels whose rows are two vectors, and the same for one. */
#define TABLE(full, values, other)                                                                \
    {                                                                                             \
        .itemsize = sizeof(T), .half = full, .tall = TALL_HALF, .stack = STACK_HALF,              \
        .vector = NB / 2, .nb = values,                                                           \
        .narrow = other, .shorter = SHORTER,                                                      \
        .tile = {KIND(SC_OUTER), KIND(SC_LANES), KIND(SC_SPREAD), KIND(SC_EACH), KIND(SC_CROSS)}, \
        .blend = {NAME(blend_SC_DATA2), NAME(blend_SC_FILTER2), NAME(blend_SC_OUTPUT2),           \
                  NAME(blend_SC_DATA4), NAME(blend_SC_FILTER4), NAME(blend_SC_OUTPUT4)},          \
        .move = MOVE, .weave = WEAVE, .add = ADD, .finite = FINITE,                               \
        .dot = DOT, .combine = COMBINE,                                                           \
        .best = BEST, .total = TOTAL, .divide = DIVIDE, .peak = PEAK,                             \
    }
#define WIDEST 1
static const sc_tiles NAME(narrow) = TABLE(TALL_HALF, NB / 2, &NAME(narrow));
#undef WIDEST
#define WIDEST 2
const sc_tiles TILES_OF(ISA) = TABLE(MOST_HALF, NB, &NAME(narrow));
#undef WIDEST

#undef NAME
#undef TILES_OF
#undef VECTOR
#undef VECTOR_ANY
#undef BLOCK
#undef NB
#undef LANE
#undef PER
#undef EACH
#undef SAME
#undef EVEN
#undef ODD
#undef LOW
#undef HIGH
#undef BETWEEN
#undef BETWEEN_LATER
#undef LOAD
#undef BLEND
#undef TILE_NAME
#undef TILE
#undef ALL
#undef SLIDE
#undef KIND
#undef KIND_1
#undef KIND_2
#undef TABLE
#undef MOVE
#undef WEAVE
#undef ADD
#undef FINITE
#undef DOT
#undef COMBINE
#undef BEST
#undef TOTAL
#undef DIVIDE
#undef PEAK
#undef T
#undef T_ANY
#undef T_INT
#undef TAG
#undef SIDE
