/* peak_avx512.c - vpdpbusd and FMA on 512 bits. */
#include "peak.h"

#include <immintrin.h>

#include "backend/cpu.h"
#include "peak_loops.h"

#define MULTIPLY(i) __asm__ volatile("vpdpbusd %2, %1, %0" : "+v"(c##i) : "v"(a), "v"(w));
#define FUSE(i) __asm__ volatile("vfmadd132ps %1, %2, %0" : "+v"(c##i) : "v"(half), "v"(one));

static uint64_t read_avx512(const void *bytes, size_t n)
{
    return read_words(bytes, n);
}

static uint64_t multiply_avx512(int64_t n_rounds)
{
    const __m512i a = _mm512_set1_epi8(5), w = _mm512_set1_epi8(3), zero = _mm512_setzero_si512();
    __m512i c0 = zero, c1 = zero, c2 = zero, c3 = zero, c4 = zero, c5 = zero, c6 = zero, c7 = zero;
    __m512i c8 = zero, c9 = zero, c10 = zero, c11 = zero, c12 = zero, c13 = zero, c14 = zero, c15 = zero;
    for (int64_t r = 0; r < n_rounds; r++) {
        CHAINS_16(MULTIPLY)
    }
    return (uint64_t)_mm512_reduce_add_epi32(c0);
}

static uint64_t fuse_avx512(int64_t n_rounds)
{
    const __m512 half = _mm512_set1_ps(0.5f), one = _mm512_set1_ps(1);
    __m512 c0 = one, c1 = one, c2 = one, c3 = one, c4 = one, c5 = one, c6 = one, c7 = one;
    __m512 c8 = one, c9 = one, c10 = one, c11 = one, c12 = one, c13 = one, c14 = one, c15 = one;
    for (int64_t r = 0; r < n_rounds; r++) {
        CHAINS_16(FUSE)
    }
    return (uint64_t)_mm512_reduce_add_ps(c0);
}

const struct peak peak_avx512 = {
    "avx512", LLI_CPU_AVX512 | LLI_CPU_VNNI, read_avx512, multiply_avx512, fuse_avx512, 2 * 16 * 64, 2 * 16 * 16};
