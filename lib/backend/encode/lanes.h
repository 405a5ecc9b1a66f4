/* backend/encode/lanes.h - sixteen floats side by side, in the vectors that every CPU of a kind has. A lane is a candidate,
 * never a piece of a sum: the width changes no bit. */
#ifndef LLI_BACKEND_ENCODE_LANES_H
#define LLI_BACKEND_ENCODE_LANES_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#define LLI_LANES_INLINE static inline __attribute__((always_inline))

enum { LLI_LANES_WIDTH = 4 };
typedef float lli_vec __attribute__((vector_size(16)));
typedef int32_t lli_mask __attribute__((vector_size(16)));

enum { LLI_LANES = 16, LLI_LANES_VECS = LLI_LANES / LLI_LANES_WIDTH };

/* The lesser and the greater of two, neither NaN. */
#if defined(__SSE2__)
LLI_LANES_INLINE lli_vec lli_lanes_min(lli_vec a, lli_vec b)
{
    return _mm_min_ps(a, b);
}

LLI_LANES_INLINE lli_vec lli_lanes_max(lli_vec a, lli_vec b)
{
    return _mm_max_ps(a, b);
}
#elif defined(__aarch64__)
LLI_LANES_INLINE lli_vec lli_lanes_min(lli_vec a, lli_vec b)
{
    return (lli_vec)vminq_f32((float32x4_t)a, (float32x4_t)b);
}

LLI_LANES_INLINE lli_vec lli_lanes_max(lli_vec a, lli_vec b)
{
    return (lli_vec)vmaxq_f32((float32x4_t)a, (float32x4_t)b);
}
#else
LLI_LANES_INLINE lli_vec lli_lanes_min(lli_vec a, lli_vec b)
{
    lli_mask m = a < b;
    return (lli_vec)((m & (lli_mask)a) | (~m & (lli_mask)b));
}

LLI_LANES_INLINE lli_vec lli_lanes_max(lli_vec a, lli_vec b)
{
    lli_mask m = a > b;
    return (lli_vec)((m & (lli_mask)a) | (~m & (lli_mask)b));
}
#endif

LLI_LANES_INLINE lli_vec lli_lanes_all(float v)
{
    return v - (lli_vec){0};
}

LLI_LANES_INLINE lli_vec lli_lanes_at(const float *from, int i)
{
    lli_vec v;
    memcpy(&v, from + i * LLI_LANES_WIDTH, sizeof v);
    return v;
}

LLI_LANES_INLINE void lli_lanes_put(float *to, int i, lli_vec v)
{
    memcpy(to + i * LLI_LANES_WIDTH, &v, sizeof v);
}

#endif
