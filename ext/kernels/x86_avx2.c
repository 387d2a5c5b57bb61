#include "simd.h"
#if defined(SC_X86)
REGION_BEGIN("avx2,fma")
#define ISA avx2
#define VEC_BYTES 32
#define MOST_HALF 3 /* 6x2 accumulators + 2 weights + 1 broadcast = 15 of 16 registers */
#define TALL_HALF 6 /* 12x1 accumulators: as many chains */
#define SHORTER NULL
#define STACK_HALF 0
#define SLIDES 0 /* 6 sums are too few, 12 leave too few registers */
#define SINKS(half, nv) 0
#include "table.inc.h"
REGION_END
#endif
