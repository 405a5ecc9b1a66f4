/* backend/cpu.c - CPUID and XGETBV by hand: the compilers' own feature tests bring a constructor and writable data from
 * their runtime. Source: Intel SDM volume 2A, CPUID; volume 1, 13.3 and 14.3. */
#include "backend/cpu.h"

#if defined(__x86_64__)

#include <cpuid.h>

/* XCR0: the system saves SSE and AVX registers; and the masks, the upper halves and the upper 16 of AVX-512. */
#define STATE_AVX 0x06u
#define STATE_AVX512 0xe6u

static uint64_t xcr0(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return (uint64_t)high << 32 | low;
}

uint64_t lli_cpu_features(void)
{
    const unsigned avx512 = bit_AVX512F | bit_AVX512BW | bit_AVX512VL | bit_AVX512DQ;
    unsigned a, b, c, d, a7, b7, c7;
    uint64_t features = 0, state;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE))
        return 0;
    state = xcr0();
    if ((state & STATE_AVX) != STATE_AVX)
        return 0;
    features |= c & bit_FMA ? LLI_CPU_FMA : 0;
    features |= c & bit_F16C ? LLI_CPU_F16C : 0;
    if (!__get_cpuid_count(7, 0, &a7, &b7, &c7, &d))
        return features;
    features |= b7 & bit_AVX2 ? LLI_CPU_AVX2 : 0;
    if (a7 >= 1 && __get_cpuid_count(7, 1, &a, &b, &c, &d))
        features |= a & bit_AVXVNNI ? LLI_CPU_AVX_VNNI : 0;
    if ((state & STATE_AVX512) == STATE_AVX512 && (b7 & avx512) == avx512) {
        features |= LLI_CPU_AVX512;
        features |= c7 & bit_AVX512VNNI ? LLI_CPU_VNNI : 0;
    }
    return features;
}

#elif defined(__aarch64__)

#include <sys/auxv.h>

/* linux/arch/arm64/include/uapi/asm/hwcap.h */
#define HWCAP_BIT_ASIMD (1ul << 1)
#define HWCAP_BIT_ASIMDDP (1ul << 20)
#define HWCAP2_BIT_I8MM (1ul << 13)

uint64_t lli_cpu_features(void)
{
    unsigned long caps = getauxval(AT_HWCAP), caps2 = getauxval(AT_HWCAP2);
    uint64_t features = 0;
    features |= caps & HWCAP_BIT_ASIMD ? LLI_CPU_NEON : 0;
    features |= caps & HWCAP_BIT_ASIMDDP ? LLI_CPU_DOTPROD : 0;
    features |= caps2 & HWCAP2_BIT_I8MM ? LLI_CPU_I8MM : 0;
    return features;
}

#else

uint64_t lli_cpu_features(void)
{
    return 0;
}

#endif
