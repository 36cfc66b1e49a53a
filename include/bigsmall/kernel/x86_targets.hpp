// SPDX-License-Identifier: BSL-1.0
// For which processors the functions of the x86 kernels are compiled, whatever the flags of the whole program are.
#pragma once

#if defined(__x86_64__)

#define BIGSMALL_TARGET_AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define BIGSMALL_TARGET_AVX512                                                                                         \
    __attribute__((                                                                                                    \
        target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vbmi2,avx512vpopcntdq,avx2,bmi,bmi2,popcnt")))

// Around AVX-512 kernels: GCC 12's intrinsics read a deliberately undefined register, and GCC 12 then warns about its
// own header (GCC bug 105593, fixed in 13).
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 13
#define BIGSMALL_BEGIN_AVX512                                                                                          \
    _Pragma("GCC diagnostic push") _Pragma("GCC diagnostic ignored \"-Wmaybe-uninitialized\"")                         \
        _Pragma("GCC diagnostic ignored \"-Wuninitialized\"")
#define BIGSMALL_END_AVX512 _Pragma("GCC diagnostic pop")
#else
#define BIGSMALL_BEGIN_AVX512
#define BIGSMALL_END_AVX512
#endif

#endif
