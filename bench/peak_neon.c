/* peak_neon.c - aarch64 at three levels: widening multiplies, dot products, matrix products. Each build of this file gives
 * the level that its flags allow. */
#include "peak.h"

#include <arm_neon.h>

#include "backend/cpu.h"
#include "peak_loops.h"

#if defined(__ARM_FEATURE_MATMUL_INT8)
#define LEVEL(name) name##_i8mm
#define NAME "i8mm"
#define NEEDS (LLI_CPU_NEON | LLI_CPU_DOTPROD | LLI_CPU_I8MM)
#define OPS 64
#define MULTIPLY(i) __asm__ volatile("smmla %0.4s, %1.16b, %2.16b" : "+w"(c##i) : "w"(a), "w"(w));
#elif defined(__ARM_FEATURE_DOTPROD)
#define LEVEL(name) name##_dot
#define NAME "dotprod"
#define NEEDS (LLI_CPU_NEON | LLI_CPU_DOTPROD)
#define OPS 32
#define MULTIPLY(i) __asm__ volatile("sdot %0.4s, %1.16b, %2.16b" : "+w"(c##i) : "w"(a), "w"(w));
#else
#define LEVEL(name) name##_neon
#define NAME "neon"
#define NEEDS LLI_CPU_NEON
#define OPS 16
/* In 16 bits; what a kernel must park in 32 bits now and then is left out. */
#define MULTIPLY(i) __asm__ volatile("smlal %0.8h, %1.8b, %2.8b" : "+w"(c##i) : "w"(a), "w"(w));
#endif
#define FUSE(i) __asm__ volatile("fmla %0.4s, %1.4s, %2.4s" : "+w"(c##i) : "w"(one), "w"(tiny));

static uint64_t read_neon(const void *bytes, size_t n)
{
    return read_words(bytes, n);
}

static uint64_t multiply_neon(int64_t n_rounds)
{
    const int8x16_t a = vdupq_n_s8(5), w = vdupq_n_s8(3);
    int32x4_t zero = vdupq_n_s32(0);
    int32x4_t c0 = zero, c1 = zero, c2 = zero, c3 = zero, c4 = zero, c5 = zero, c6 = zero, c7 = zero;
    int32x4_t c8 = zero, c9 = zero, c10 = zero, c11 = zero, c12 = zero, c13 = zero, c14 = zero, c15 = zero;
    for (int64_t r = 0; r < n_rounds; r++) {
        CHAINS_16(MULTIPLY)
    }
    return (uint64_t)vaddvq_s32(c0);
}

static uint64_t fuse_neon(int64_t n_rounds)
{
    const float32x4_t one = vdupq_n_f32(1), tiny = vdupq_n_f32(0x1p-10f);
    float32x4_t c0 = one, c1 = one, c2 = one, c3 = one, c4 = one, c5 = one, c6 = one, c7 = one;
    float32x4_t c8 = one, c9 = one, c10 = one, c11 = one, c12 = one, c13 = one, c14 = one, c15 = one;
    for (int64_t r = 0; r < n_rounds; r++) {
        CHAINS_16(FUSE)
    }
    return (uint64_t)vaddvq_f32(c0);
}

const struct peak LEVEL(peak) = {NAME, NEEDS, read_neon, multiply_neon, fuse_neon, 16 * OPS, 2 * 16 * 4};
