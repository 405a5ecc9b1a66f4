/* backend/encode/codes.h - the sixteen values of the IQ4 types, and the nearest of them. */
#ifndef LLI_BACKEND_ENCODE_CODES_H
#define LLI_BACKEND_ENCODE_CODES_H

#include <stddef.h>
#include <stdint.h>

#include "backend/encode/fit.h"

/* Half way between neighbours, and how far apart they are. */
#define LLI_CODES_STEPS(S)                                                                                                     \
    S(-115.5f, 23)                                                                                                             \
    S(-93.5f, 21)                                                                                                              \
    S(-74, 18)                                                                                                                 \
    S(-57, 16) S(-42, 14) S(-28.5f, 13) S(-16, 12) S(-4.5f, 11) S(7, 12) S(19, 12) S(31.5f, 13) S(45.5f, 15) S(61, 16)         \
        S(79, 20) S(101, 24)

LLI_FIT_INLINE lli_vec lli_codes_snap(lli_vec v)
{
    lli_vec worth = lli_lanes_all(-127.0f);
#define STEP(middle, step) worth += (lli_vec)((v > lli_lanes_all(middle)) & (lli_mask)lli_lanes_all(step));
    LLI_CODES_STEPS(STEP)
#undef STEP
    return worth;
}

LLI_FIT_INLINE void lli_codes_choose(uint8_t *code, const float *x, size_t n, float s)
{
    float inv = 1.0f / s;
    for (size_t i = 0; i < n; i++) {
        float v = x[i] * inv;
        int index = 0;
#define STEP(middle, step) index += v > middle;
        LLI_CODES_STEPS(STEP)
#undef STEP
        code[i] = (uint8_t)index;
    }
}

#endif
