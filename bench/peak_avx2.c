/* peak_avx2.c - vpdpbusd of AVX-VNNI; without it maddubs, eight of them summed in 16 bits before one madd: the most that
 * exact products of 4-bit weights can do. Compiled for each. */
#include "peak.h"

#include <immintrin.h>

#include "backend/cpu.h"
#include "peak_loops.h"

#define FUSE(i) __asm__ volatile("vfmadd132ps %1, %2, %0" : "+x"(c##i) : "x"(half), "x"(one));

static uint64_t read_avx2(const void *bytes, size_t n)
{
    return read_words(bytes, n);
}

#if defined(__AVXVNNI__)
#define PEAK peak_avx2_vnni
#define NEEDS (LLI_CPU_AVX2 | LLI_CPU_FMA | LLI_CPU_AVX_VNNI)
#define INTEGER_OPS (2.0 * 12 * 32)
#define MULTIPLY(i) __asm__ volatile("%{vex%} vpdpbusd %2, %1, %0" : "+x"(c##i) : "x"(a), "x"(w));

static uint64_t multiply_avx2(int64_t n_rounds)
{
    const __m256i a = _mm256_set1_epi8(5), w = _mm256_set1_epi8(3), zero = _mm256_setzero_si256();
    __m256i c0 = zero, c1 = zero, c2 = zero, c3 = zero, c4 = zero, c5 = zero, c6 = zero, c7 = zero;
    __m256i c8 = zero, c9 = zero, c10 = zero, c11 = zero;
    for (int64_t r = 0; r < n_rounds; r++) {
        CHAINS_12(MULTIPLY)
    }
    return (uint64_t)_mm256_extract_epi64(c0, 0);
}
#else
#define PEAK peak_avx2
#define NEEDS (LLI_CPU_AVX2 | LLI_CPU_FMA)
#define INTEGER_OPS (2.0 * STEPS * 8 * 32)

enum { STEPS = 8 };

#define BEGIN(i) __asm__ volatile("vpmaddubsw %2, %1, %0" : "=x"(c##i) : "x"(a), "x"(w));
#define MULTIPLY(i) __asm__ volatile("vpmaddubsw %3, %2, %1\n\tvpaddw %1, %0, %0" : "+x"(c##i), "=&x"(t) : "x"(a), "x"(w));
#define PARK(i) __asm__ volatile("vpmaddwd %3, %2, %1\n\tvpaddd %1, %0, %0" : "+x"(sum), "=&x"(t) : "x"(c##i), "x"(ones));

static uint64_t multiply_avx2(int64_t n_rounds)
{
    const __m256i ones = _mm256_set1_epi16(1), a = _mm256_set1_epi8(5), w = _mm256_set1_epi8(3);
    __m256i c0, c1, c2, c3, c4, c5, c6, c7, sum = _mm256_setzero_si256(), t;
    for (int64_t r = 0; r < n_rounds; r++) {
        CHAINS_8(BEGIN)
        for (int s = 1; s < STEPS; s++) {
            CHAINS_8(MULTIPLY)
        }
        CHAINS_8(PARK)
    }
    return (uint64_t)_mm256_extract_epi64(sum, 0);
}
#endif

static uint64_t fuse_avx2(int64_t n_rounds)
{
    const __m256 half = _mm256_set1_ps(0.5f), one = _mm256_set1_ps(1);
    __m256 c0 = one, c1 = one, c2 = one, c3 = one, c4 = one, c5 = one, c6 = one, c7 = one;
    __m256 c8 = one, c9 = one, c10 = one, c11 = one;
    for (int64_t r = 0; r < n_rounds; r++) {
        CHAINS_12(FUSE)
    }
    return (uint64_t)_mm256_cvtss_f32(c0);
}

const struct peak PEAK = {"avx2", NEEDS, read_avx2, multiply_avx2, fuse_avx2, INTEGER_OPS, 2 * 12 * 8};
