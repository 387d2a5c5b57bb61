/* The only file that names a compiler: target regions, vector types, shuffles. */
#ifndef SWEEPCONV_SIMD_H
#define SWEEPCONV_SIMD_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#if !defined(__GNUC__)
#error "sweepconv needs GNU C vector extensions: GCC >= 12 or Clang"
#endif

#if defined(__x86_64__)
#define SC_X86 1
#endif

#define SC_JOIN_(a, b) a##b
#define SC_JOIN(a, b) SC_JOIN_(a, b)
#define SC_TEXT_(a) #a
#define SC_TEXT(a) SC_TEXT_(a)
#define SC_PRAGMA(a) _Pragma(SC_TEXT(a))

/* All code between the two is compiled for `features`, whatever the flags of the build. */
#if defined(__clang__)
#define REGION_BEGIN(features) \
    SC_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define REGION_END _Pragma("clang attribute pop")
#define UNROLL _Pragma("clang loop unroll(full)")
#else
/* Registers are given out for a whole function: by loops, a sum of the tile went to memory in each
 * round of the innermost. */
#define REGION_BEGIN(features)                                                                    \
    _Pragma("GCC push_options") _Pragma("GCC optimize(\"ira-region=one\")")                       \
    SC_PRAGMA(GCC target(features))
#define REGION_END _Pragma("GCC pop_options")
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* x may have changed: so sums of it and constants stay offsets of instructions, where they would be
 * hoisted out of the loop, each into a register, of which there are too few. */
#define OPAQUE(x) __asm__ volatile("" : "+r"(x))

/* A vector that is loaded once, for it may have changed: loads that each of its uses repeats are what
 * limits a tile.  It must fit a register, as those of SC_LOWER_AVX512 do not. */
#if defined(SC_X86) && !defined(SC_LOWER_AVX512)
#define LOADED(x) __asm__("" : "+v"(x))
#elif defined(__aarch64__)
#define LOADED(x) __asm__("" : "+w"(x))
#else
#define LOADED(x) (void)(x)
#endif

/* Elements of users' arrays may stand at any address. */
typedef float sc_float_any __attribute__((aligned(1)));
typedef double sc_double_any __attribute__((aligned(1)));

#endif
