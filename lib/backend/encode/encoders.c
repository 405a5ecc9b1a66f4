/* backend/encode/encoders.c - the table of encoders, and those that only round. */
#include "backend/encode/encoders.h"

#include <string.h>

#include "base/dtype.h"
#include "base/half.h"

#define LARGEST_F16 65504.0f
#define LARGEST_BF16 0x1.fep127f

static float hold(float v, float largest)
{
    return v > largest ? largest : v < -largest ? -largest : v;
}

void lli_encode_f32(uint8_t *out, const float *x, size_t n)
{
    memcpy(out, x, n * sizeof *x);
}

void lli_encode_f16(uint8_t *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h = lli_half_from_f32(hold(x[i], LARGEST_F16));
        memcpy(out + i * sizeof h, &h, sizeof h);
    }
}

void lli_encode_bf16(uint8_t *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        uint16_t h = lli_bf16_from_f32(hold(x[i], LARGEST_BF16));
        memcpy(out + i * sizeof h, &h, sizeof h);
    }
}

lli_encode_fn *lli_encoders_find(uint32_t type)
{
    static const struct {
        uint32_t type;
        lli_encode_fn *encode;
    } rows[] = {
        {LLI_F32, lli_encode_f32},   {LLI_F16, lli_encode_f16},       {LLI_BF16, lli_encode_bf16},
        {LLI_Q8_0, lli_encode_q8_0}, {LLI_Q4_0, lli_encode_q4_0},     {LLI_Q4_1, lli_encode_q4_1},
        {LLI_Q5_0, lli_encode_q5_0}, {LLI_Q5_1, lli_encode_q5_1},     {LLI_Q2_K, lli_encode_q2_k},
        {LLI_Q3_K, lli_encode_q3_k}, {LLI_Q4_K, lli_encode_q4_k},     {LLI_Q5_K, lli_encode_q5_k},
        {LLI_Q6_K, lli_encode_q6_k}, {LLI_IQ4_NL, lli_encode_iq4_nl}, {LLI_IQ4_XS, lli_encode_iq4_xs},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].type == type)
            return rows[i].encode;
    return NULL;
}
