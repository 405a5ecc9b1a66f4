/* backend/cpu.c - CPUID and XGETBV by hand: the compilers' own feature tests bring a constructor and writable data from
 * their runtime. Source: Intel SDM volume 2A, CPUID; volume 1, 14.3. */
#include "backend/cpu.h"

#if defined(__x86_64__)

#include <cpuid.h>

#define XMM_YMM 6u /* XCR0: the system saves SSE and AVX registers */

static uint64_t xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

uint64_t lli_cpu_features(void)
{
    unsigned a, b, c, d, b7;
    uint64_t features = 0;
    if (!__get_cpuid(1, &a, &b, &c, &d))
        return 0;
    if (!(c & bit_OSXSAVE) || (xcr0() & XMM_YMM) != XMM_YMM)
        return 0;
    features |= c & bit_FMA ? LLI_CPU_FMA : 0;
    features |= c & bit_F16C ? LLI_CPU_F16C : 0;
    if (__get_cpuid_count(7, 0, &a, &b7, &c, &d))
        features |= b7 & bit_AVX2 ? LLI_CPU_AVX2 : 0;
    return features;
}

#else

uint64_t lli_cpu_features(void)
{
    return 0;
}

#endif
