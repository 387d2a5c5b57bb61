#include "kernels.h"
#include "simd.h"
#if defined(SC_X86)
#if defined(SC_LOWER_AVX512) /* as pairs of AVX2's vectors: slow, but any machine can test it */
REGION_BEGIN("avx2,fma")
#else
REGION_BEGIN("avx512f,avx512vl,avx512dq,avx512bw,avx2,fma")
#endif
#define ISA avx512
#define VEC_BYTES 64
#define MOST_HALF 7 /* 14x2 accumulators + 2 weights + 1 broadcast = 31 of 32 registers */
#define TALL_HALF 7
extern const sc_tiles sc_f32_avx2, sc_f64_avx2;
#define SHORTER &TILES_OF(avx2)
#define STACK_HALF 6 /* 12x2 accumulators + 2 of x + 3 of w */
#define SINKS(half, nv) (2 * half * nv + half + nv + 1 <= 32) /* sums, vectors of x, of w */
#define SLIDES 1 /* slide.inc.h, which takes 14 sums + 3 of w + 1 of x */
#include "table.inc.h"
REGION_END
#endif
