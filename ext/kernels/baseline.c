/* What every machine of the architecture runs: SSE2 on x86-64, NEON on aarch64. */
#include "simd.h"
#define ISA baseline
#define VEC_BYTES 16
#if defined(__aarch64__)
#define MOST_HALF 4 /* 8x2 accumulators + 2 weights + 1 broadcast of 32 registers */
#define TALL_HALF 7
#else
#define MOST_HALF 3 /* 6x2 accumulators + 2 weights + 1 broadcast + 1 product = 16 registers */
#define TALL_HALF 6
#endif
#define SHORTER NULL
#define STACK_HALF 0
#define SLIDES 0
#define SINKS(half, nv) 0
#include "table.inc.h"
