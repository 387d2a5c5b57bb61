/* All kernels of one instruction set, sc_kernels_<ISA>, and its tables of each dtype, which another
 * set may take for SHORTER.
 * Parameters: ISA, VEC_BYTES, MOST_HALF, TALL_HALF, STACK_HALF, SLIDES, SINKS, SHORTER.  The square
 * blocks of a transposition are LANES lanes of 16 bytes wide. */
#include "kernels.h"

#if VEC_BYTES >= 32
#define LANES 2
#else
#define LANES 1
#endif

#define T float
#define T_ANY sc_float_any
#define T_INT int32_t
#define TAG f32
#define SIDE (4 * LANES)
#include "dtype.inc.h"

#define T double
#define T_ANY sc_double_any
#define T_INT int64_t
#define TAG f64
#define SIDE (2 * LANES)
#include "dtype.inc.h"

const sc_kernels SC_JOIN(sc_kernels_, ISA) = {
    .name = SC_TEXT(ISA),
    .f32 = &SC_JOIN(sc_f32_, ISA),
    .f64 = &SC_JOIN(sc_f64_, ISA),
};
