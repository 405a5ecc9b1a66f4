/* backend/wide/sums_wide.c - kernels with a sum or a maximum that no output lane carries. sum16 has as many lanes as a vector
 * here; a lane without a term adds +0, which changes no sum that began at +0. */
#include "backend/wide/vector.h"

#include <string.h>

float LLI_WIDE(sum)(const float *x, size_t n)
{
    lli_v16 lanes = lli_v16_set(0);
    size_t i = 0;
    for (; i + LLI_V16 <= n; i += LLI_V16)
        lanes = lli_v16_add(lanes, lli_v16_load(x + i));
    if (i < n)
        lanes = lli_v16_add(lanes, lli_v16_load_n(x + i, n - i));
    return lli_v16_sum(lanes);
}

LLI_INLINE lli_v16 add_square(lli_v16 lanes, lli_v16 x)
{
    return lli_v16_fma(x, x, lanes);
}

LLI_INLINE lli_v16 normed(lli_v16 x, lli_v16 r, lli_v16 gain)
{
    return lli_v16_mul(lli_v16_mul(x, r), gain);
}

void LLI_WIDE(rmsnorm)(float *out, const float *x, const float *gain, size_t n, float eps)
{
    lli_v16 lanes = lli_v16_set(0), r;
    size_t i = 0;
    for (; i + LLI_V16 <= n; i += LLI_V16)
        lanes = add_square(lanes, lli_v16_load(x + i));
    if (i < n)
        lanes = add_square(lanes, lli_v16_load_n(x + i, n - i));
    r = lli_v16_set(1.0f / __builtin_sqrtf(lli_v16_sum(lanes) / (float)n + eps));
    for (i = 0; i + LLI_V16 <= n; i += LLI_V16)
        lli_v16_store(out + i, normed(lli_v16_load(x + i), r, lli_v16_load(gain + i)));
    if (i < n)
        lli_v16_store_n(out + i, normed(lli_v16_load_n(x + i, n - i), r, lli_v16_load_n(gain + i, n - i)), n - i);
}

LLI_INLINE lli_v16 add_deviation(lli_v16 lanes, lli_v16 x, lli_v16 mean)
{
    return add_square(lanes, lli_v16_sub(x, mean));
}

void LLI_WIDE(layernorm)(float *out, const float *x, const float *gain, const float *bias, size_t n, float eps)
{
    lli_v16 lanes = lli_v16_set(0), mean = lli_v16_set(LLI_WIDE(sum)(x, n) / (float)n), r, y;
    size_t i = 0;
    for (; i + LLI_V16 <= n; i += LLI_V16)
        lanes = add_deviation(lanes, lli_v16_load(x + i), mean);
    if (i < n) /* a lane without a term is the mean itself */
        lanes = add_deviation(lanes, lli_v16_choose(lli_m16_first(n - i), lli_v16_load_n(x + i, n - i), mean), mean);
    r = lli_v16_set(1.0f / __builtin_sqrtf(lli_v16_sum(lanes) / (float)n + eps));
    for (i = 0; i + LLI_V16 <= n; i += LLI_V16) {
        y = normed(lli_v16_sub(lli_v16_load(x + i), mean), r, lli_v16_load(gain + i));
        lli_v16_store(out + i, bias ? lli_v16_add(y, lli_v16_load(bias + i)) : y);
    }
    if (i < n) {
        y = normed(lli_v16_sub(lli_v16_load_n(x + i, n - i), mean), r, lli_v16_load_n(gain + i, n - i));
        lli_v16_store_n(out + i, bias ? lli_v16_add(y, lli_v16_load_n(bias + i, n - i)) : y, n - i);
    }
}

/* ---- softmax's numerators */

static float largest(const float *x, size_t n)
{
    lli_v16 m = lli_v16_set(-__builtin_inff());
    size_t i = 0;
    for (; i + LLI_V16 <= n; i += LLI_V16)
        m = lli_v16_max(m, lli_v16_load(x + i));
    if (i < n)
        m = lli_v16_choose(lli_m16_first(n - i), lli_v16_max(m, lli_v16_load_n(x + i, n - i)), m);
    return lli_v16_top(m);
}

void LLI_WIDE(exp)(float *x, size_t n, float *max_out, float *sum_out)
{
    float top = largest(x, n);
    lli_v16 m = lli_v16_set(top), lanes = lli_v16_set(0);
    size_t i = 0;
    for (; i + LLI_V16 <= n; i += LLI_V16) {
        lli_v16 p = lli_v16_exp(lli_v16_sub(lli_v16_load(x + i), m));
        lanes = lli_v16_add(lanes, p);
        lli_v16_store(x + i, p);
    }
    if (i < n) {
        lli_v16 p = lli_v16_exp(lli_v16_sub(lli_v16_load_n(x + i, n - i), m));
        lanes = lli_v16_add(lanes, lli_v16_choose(lli_m16_first(n - i), p, lli_v16_set(0)));
        lli_v16_store_n(x + i, p, n - i);
    }
    *max_out = top;
    *sum_out = lli_v16_sum(lanes);
}

/* ---- a row of activations becomes q8 */

LLI_INLINE void quantise_block(struct lli_q8 *out, const float *x)
{
    lli_v16 x0 = lli_v16_load(x), x1 = lli_v16_load(x + LLI_V16);
    uint32_t bits = lli_v16_top_bits(lli_v16_max_bits(lli_v16_magnitude(x0), lli_v16_magnitude(x1)));
    float a, inv;
    int sum0, sum1;
    memcpy(&a, &bits, sizeof a);
    inv = a < 0x1p-100f ? 0.0f : 127.0f / a;
    sum0 = lli_v16_store_int8s(out->q, lli_v16_mul(x0, lli_v16_set(inv)));
    sum1 = lli_v16_store_int8s(out->q + LLI_V16, lli_v16_mul(x1, lli_v16_set(inv)));
    out->d = a < 0x1p-100f ? 0.0f : a / 127.0f;
    out->sx = (float)(sum0 + sum1) * out->d;
    out->minus_sums[0] = (int16_t)-sum0;
    out->minus_sums[1] = (int16_t)-sum1;
    out->minus_8_sum = -8 * (sum0 + sum1);
}

int LLI_WIDE(quantise)(struct lli_q8 *out, const float *x, size_t n)
{
    if (!LLI_WIDE(finite)(x, n)) {
        memset(out, 0, lli_q8_blocks(n) * sizeof *out);
        return -1;
    }
    for (size_t b = 0; b < lli_q8_blocks(n); b++)
        quantise_block(&out[b], x + b * LLI_ACT_BLOCK);
    return 0;
}
