/* backend/scalar/sums_scalar.c - kernels with a sum or a maximum that no output lane carries: sums have 16 virtual lanes,
 * term i in lane i % 16. */
#include "backend/scalar/scalar.h"

#include "base/fma.h"
#include "base/mathx.h"

float LLI_SCALAR(sum)(const float *x, size_t n)
{
    float lanes[16] = {0};
    for (size_t i = 0; i < n; i++)
        lanes[i % 16] = lanes[i % 16] + x[i];
    return lli_lanes_sum(lanes);
}

void LLI_SCALAR(rmsnorm)(float *out, const float *x, const float *gain, size_t n, float eps)
{
    float lanes[16] = {0};
    for (size_t i = 0; i < n; i++)
        lanes[i % 16] = lli_fma_f32(x[i], x[i], lanes[i % 16]);
    float r = 1.0f / __builtin_sqrtf(lli_lanes_sum(lanes) / (float)n + eps);
    for (size_t i = 0; i < n; i++)
        out[i] = (x[i] * r) * gain[i];
}

void LLI_SCALAR(layernorm)(float *out, const float *x, const float *gain, const float *bias, size_t n, float eps)
{
    float lanes[16] = {0}, mean = LLI_SCALAR(sum)(x, n) / (float)n;
    for (size_t i = 0; i < n; i++)
        lanes[i % 16] = lli_fma_f32(x[i] - mean, x[i] - mean, lanes[i % 16]);
    float r = 1.0f / __builtin_sqrtf(lli_lanes_sum(lanes) / (float)n + eps);
    for (size_t i = 0; i < n; i++) {
        out[i] = ((x[i] - mean) * r) * gain[i];
        if (bias)
            out[i] = out[i] + bias[i];
    }
}

void LLI_SCALAR(exp)(float *x, size_t n, float *max_out, float *sum_out)
{
    float m = x[0];
    for (size_t i = 1; i < n; i++)
        m = x[i] > m ? x[i] : m;
    for (size_t i = 0; i < n; i++)
        x[i] = lli_exp_f32(x[i] - m);
    *max_out = m;
    *sum_out = LLI_SCALAR(sum)(x, n);
}

/* ---- a row of activations becomes q8 */

static inline float largest(const float *x, size_t n)
{
    uint32_t top = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t magnitude = lli_bits_of(x[i]) & 0x7fffffff;
        top = magnitude > top ? magnitude : top;
    }
    return lli_float_of(top);
}

/* Below 2^-100 a block is zero: 127 / a would overflow below 3.7e-37. */
static void quantise_block(struct lli_q8 *out, const float *x)
{
    float a = largest(x, LLI_ACT_BLOCK);
    float inv = a < 0x1p-100f ? 0.0f : 127.0f / a;
    int32_t sum = 0;
    out->d = a < 0x1p-100f ? 0.0f : a / 127.0f;
    for (size_t i = 0; i < LLI_ACT_BLOCK; i++)
        out->q[i] = (int8_t)lli_round_f32(x[i] * inv);
    for (size_t h = 0; h < 2; h++) {
        int32_t half = 0;
        for (size_t i = 0; i < 16; i++)
            half += out->q[16 * h + i];
        out->minus_sums[h] = (int16_t)-half;
        sum += half;
    }
    out->minus_8_sum = -8 * sum;
    out->sx = (float)sum * out->d;
}

int LLI_SCALAR(quantise)(struct lli_q8 *out, const float *x, size_t n)
{
    if (!LLI_SCALAR(finite)(x, n)) {
        memset(out, 0, lli_q8_blocks(n) * sizeof *out);
        return -1;
    }
    for (size_t b = 0; b < lli_q8_blocks(n); b++)
        quantise_block(&out[b], x + b * LLI_ACT_BLOCK);
    return 0;
}
