/* backend/scalar/elementwise_scalar.c - kernels whose outputs see one element each: sums of rows, activations, quotients,
 * the rotation of RoPE. */
#include "backend/scalar/scalar.h"

#include "base/fma.h"
#include "base/mathx.h"

int LLI_SCALAR(finite)(const float *x, size_t n)
{
    uint32_t top = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t magnitude = lli_bits_of(x[i]) & 0x7fffffff;
        top = magnitude > top ? magnitude : top;
    }
    return top < 0x7f800000;
}

void LLI_SCALAR(add)(float *out, const float *x, const float *y, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] + y[i];
}

void LLI_SCALAR(add_scaled)(float *y, float weight, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        y[i] = lli_fma_f32(weight, x[i], y[i]);
}

void LLI_SCALAR(divide)(float *out, const float *x, float by, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] / by;
}

void LLI_SCALAR(swiglu)(float *out, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float silu = gate[i] / (1.0f + lli_exp_f32(-gate[i]));
        out[i] = silu * up[i];
    }
}

void LLI_SCALAR(swiglu_clamped)(float *out, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        float g = gate[i] > 7.0f ? 7.0f : gate[i], u = up[i] > 7.0f ? 7.0f : up[i];
        u = u < -7.0f ? -7.0f : u;
        out[i] = g / (1.0f + lli_exp_f32(g * -1.702f)) * (u + 1.0f);
    }
}

void LLI_SCALAR(geglu)(float *out, const float *gate, const float *up, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = lli_gelu_f32(gate[i]) * up[i];
}

void LLI_SCALAR(gelu)(float *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = lli_gelu_f32(x[i]);
}

void LLI_SCALAR(gelu_erf)(float *out, const float *x, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = lli_gelu_erf_f32(x[i]);
}

void LLI_SCALAR(scale)(float *out, const float *x, float by, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] * by;
}

void LLI_SCALAR(softcap)(float *out, const float *x, float by, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = by * lli_tanh_f32(x[i] / by);
}

/* y0 = x0 c - x1 s, y1 = x0 s + x1 c. */
static inline void rotate(float *a, float *b, float c, float s)
{
    float x0 = *a, x1 = *b;
    *a = lli_fma_f32(x0, c, -(x1 * s));
    *b = lli_fma_f32(x0, s, x1 * c);
}

void LLI_SCALAR(rope_adjacent)(float *x, size_t n_vectors, size_t stride, const float *cos, const float *sin, size_t n_pairs)
{
    for (size_t v = 0; v < n_vectors; v++, x += stride)
        for (size_t i = 0; i < n_pairs; i++)
            rotate(&x[2 * i], &x[2 * i + 1], cos[i], sin[i]);
}

void LLI_SCALAR(rope_halves)(float *x, size_t n_vectors, size_t stride, const float *cos, const float *sin, size_t n_pairs)
{
    for (size_t v = 0; v < n_vectors; v++, x += stride)
        for (size_t i = 0; i < n_pairs; i++)
            rotate(&x[i], &x[i + n_pairs], cos[i], sin[i]);
}
