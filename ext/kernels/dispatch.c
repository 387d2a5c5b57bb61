/* The list of instances, best first, and which of them this machine runs. */
#include "kernels.h"
#include "simd.h"

extern const sc_kernels sc_kernels_baseline;
#if defined(SC_X86)
extern const sc_kernels sc_kernels_avx2, sc_kernels_avx512;
#endif

static const sc_kernels *const instances[] = {
#if defined(SC_X86)
    &sc_kernels_avx512,
    &sc_kernels_avx2,
#endif
    &sc_kernels_baseline,
};

int sc_instances(void) { return sizeof instances / sizeof *instances; }

const sc_kernels *sc_instance(int i) { return instances[i]; }

/* The compiler's own check asks cpuid and, by xgetbv, whether the system saves the registers. */
int sc_supported(int i)
{
#if defined(SC_X86)
    __builtin_cpu_init();
    if (instances[i] == &sc_kernels_baseline) return 1;
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma")) return 0;
#if !defined(SC_LOWER_AVX512)
    if (instances[i] == &sc_kernels_avx512)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512vl") &&
               __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
#endif
#endif
    return 1;
}

#if defined(__clang__)
const char *sc_compiler(void) { return "Clang " __clang_version__; }
#else
const char *sc_compiler(void) { return "GCC " __VERSION__; }
#endif
