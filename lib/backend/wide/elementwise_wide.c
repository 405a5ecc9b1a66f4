/* backend/wide/elementwise_wide.c - kernels whose outputs see one element each. The last elements of a row go through vectors
 * that are loaded and stored in part. */
#include "backend/wide/vector.h"

#include "base/mathx.h"

typedef lli_v16 map_fn(lli_v16 x, lli_v16 y, lli_v16 by);

/* out[i] = f(x[i], y[i], by) */
LLI_INLINE void map(float *out, const float *x, const float *y, float by, size_t n, map_fn *f)
{
    lli_v16 all = lli_v16_set(by);
    size_t i = 0;
    for (; i + LLI_V16 <= n; i += LLI_V16)
        lli_v16_store(out + i, f(lli_v16_load(x + i), lli_v16_load(y + i), all));
    if (i < n)
        lli_v16_store_n(out + i, f(lli_v16_load_n(x + i, n - i), lli_v16_load_n(y + i, n - i), all), n - i);
}

LLI_INLINE lli_v16 sum_of(lli_v16 x, lli_v16 y, lli_v16 by)
{
    (void)by;
    return lli_v16_add(x, y);
}

LLI_INLINE lli_v16 scaled_sum_of(lli_v16 x, lli_v16 y, lli_v16 by)
{
    return lli_v16_fma(by, x, y);
}

LLI_INLINE lli_v16 quotient_of(lli_v16 x, lli_v16 y, lli_v16 by)
{
    (void)y;
    return lli_v16_div(x, by);
}

LLI_INLINE lli_v16 swiglu_of(lli_v16 gate, lli_v16 up, lli_v16 one)
{
    return lli_v16_mul(lli_v16_div(gate, lli_v16_add(one, lli_v16_exp(lli_v16_negate(gate)))), up);
}

LLI_INLINE lli_v16 swiglu_clamped_of(lli_v16 gate, lli_v16 up, lli_v16 top)
{
    const lli_v16 one = lli_v16_set(1.0f), bottom = lli_v16_negate(top);
    lli_v16 g = lli_v16_choose(lli_v16_less(top, gate), top, gate), u = lli_v16_choose(lli_v16_less(top, up), top, up);
    u = lli_v16_choose(lli_v16_less(u, bottom), bottom, u);
    g = lli_v16_div(g, lli_v16_add(one, lli_v16_exp(lli_v16_mul(g, lli_v16_set(-1.702f)))));
    return lli_v16_mul(g, lli_v16_add(u, one));
}

LLI_INLINE lli_v16 geglu_of(lli_v16 gate, lli_v16 up, lli_v16 by)
{
    (void)by;
    return lli_v16_mul(lli_v16_gelu(gate), up);
}

LLI_INLINE lli_v16 gelu_of(lli_v16 x, lli_v16 y, lli_v16 by)
{
    (void)y;
    (void)by;
    return lli_v16_gelu(x);
}

LLI_INLINE lli_v16 gelu_erf_of(lli_v16 x, lli_v16 y, lli_v16 by)
{
    (void)y;
    (void)by;
    return lli_v16_gelu_erf(x);
}

LLI_INLINE lli_v16 product_of(lli_v16 x, lli_v16 y, lli_v16 by)
{
    (void)y;
    return lli_v16_mul(x, by);
}

LLI_INLINE lli_v16 capped_of(lli_v16 x, lli_v16 y, lli_v16 by)
{
    (void)y;
    return lli_v16_mul(by, lli_v16_tanh(lli_v16_div(x, by)));
}

void LLI_WIDE(add)(float *out, const float *x, const float *y, size_t n)
{
    map(out, x, y, 0, n, sum_of);
}

void LLI_WIDE(add_scaled)(float *y, float weight, const float *x, size_t n)
{
    map(y, x, y, weight, n, scaled_sum_of);
}

void LLI_WIDE(divide)(float *out, const float *x, float by, size_t n)
{
    map(out, x, x, by, n, quotient_of);
}

void LLI_WIDE(swiglu)(float *out, const float *gate, const float *up, size_t n)
{
    map(out, gate, up, 1, n, swiglu_of);
}

void LLI_WIDE(swiglu_clamped)(float *out, const float *gate, const float *up, size_t n)
{
    map(out, gate, up, 7, n, swiglu_clamped_of);
}

void LLI_WIDE(geglu)(float *out, const float *gate, const float *up, size_t n)
{
    map(out, gate, up, 0, n, geglu_of);
}

void LLI_WIDE(gelu)(float *out, const float *x, size_t n)
{
    map(out, x, x, 0, n, gelu_of);
}

void LLI_WIDE(gelu_erf)(float *out, const float *x, size_t n)
{
    map(out, x, x, 0, n, gelu_erf_of);
}

void LLI_WIDE(scale)(float *out, const float *x, float by, size_t n)
{
    map(out, x, x, by, n, product_of);
}

void LLI_WIDE(softcap)(float *out, const float *x, float by, size_t n)
{
    map(out, x, x, by, n, capped_of);
}

void LLI_WIDE(merge)(float *out, float *max, float *sum, const float *o, float m, float l, size_t n)
{
    float top = m > *max ? m : *max, a = lli_exp_f32(*max - top), b = lli_exp_f32(m - top);
    lli_v16 all_a = lli_v16_set(a), all_b = lli_v16_set(b);
    size_t i = 0;
    for (; i + LLI_V16 <= n; i += LLI_V16)
        lli_v16_store(out + i, lli_v16_fma(lli_v16_load(o + i), all_b, lli_v16_mul(lli_v16_load(out + i), all_a)));
    if (i < n)
        lli_v16_store_n(out + i,
                        lli_v16_fma(lli_v16_load_n(o + i, n - i), all_b, lli_v16_mul(lli_v16_load_n(out + i, n - i), all_a)),
                        n - i);
    *sum = lli_fma_f32(l, b, *sum * a);
    *max = top;
}

int LLI_WIDE(finite)(const float *x, size_t n)
{
    lli_v16 top = lli_v16_set(0);
    size_t i = 0;
    for (; i + LLI_V16 <= n; i += LLI_V16)
        top = lli_v16_max_bits(top, lli_v16_magnitude(lli_v16_load(x + i)));
    if (i < n)
        top = lli_v16_max_bits(top, lli_v16_magnitude(lli_v16_load_n(x + i, n - i)));
    return lli_v16_top_bits(top) < 0x7f800000;
}

/* ---- the rotation of RoPE: y0 = fma(x0, c, -(x1 s)), y1 = fma(x0, s, x1 c) */

LLI_INLINE void rotate(float *x, size_t n_vectors, size_t stride, lli_v16 c, lli_v16 s, size_t n_pairs, size_t n)
{
    for (; n_vectors > 0; n_vectors--, x += stride) {
        lli_v16 x0 = lli_v16_load_n(x, n), x1 = lli_v16_load_n(x + n_pairs, n);
        lli_v16_store_n(x, lli_v16_fma(x0, c, lli_v16_negate(lli_v16_mul(x1, s))), n);
        lli_v16_store_n(x + n_pairs, lli_v16_fma(x0, s, lli_v16_mul(x1, c)), n);
    }
}

void LLI_WIDE(rope_halves)(float *x, size_t n_vectors, size_t stride, const float *cos, const float *sin, size_t n_pairs)
{
    size_t i = 0;
    for (; i + LLI_V16 <= n_pairs; i += LLI_V16)
        rotate(x + i, n_vectors, stride, lli_v16_load(cos + i), lli_v16_load(sin + i), n_pairs, LLI_V16);
    if (i < n_pairs)
        rotate(x + i, n_vectors, stride, lli_v16_load_n(cos + i, n_pairs - i), lli_v16_load_n(sin + i, n_pairs - i), n_pairs,
               n_pairs - i);
}

/* Pairs side by side: the fused factors are c, s, c, s .., the others -s, c, -s, c ... */
LLI_INLINE void rotate_pairs(float *x, size_t n_vectors, size_t stride, const float *cos, const float *sin,
                             const float *minus_sin, size_t n)
{
    lli_v16 fused = lli_v16_zip(cos, sin), other = lli_v16_zip(minus_sin, cos);
    for (; n_vectors > 0; n_vectors--, x += stride) {
        lli_v16 pairs = lli_v16_load_n(x, n);
        lli_v16 turned = lli_v16_mul(lli_v16_twice_odd(pairs), other);
        lli_v16_store_n(x, lli_v16_fma(lli_v16_twice_even(pairs), fused, turned), n);
    }
}

void LLI_WIDE(rope_adjacent)(float *x, size_t n_vectors, size_t stride, const float *cos, const float *sin, size_t n_pairs)
{
    for (size_t i = 0; i < n_pairs; i += 8) {
        size_t n = n_pairs - i < 8 ? n_pairs - i : 8;
        float c[8] = {0}, s[8] = {0}, minus_s[8] = {0};
        for (size_t j = 0; j < n; j++) {
            c[j] = cos[i + j];
            s[j] = sin[i + j];
            minus_s[j] = -sin[i + j];
        }
        rotate_pairs(x + 2 * i, n_vectors, stride, c, s, minus_s, 2 * n);
    }
}

/* ---- a row of float weights, for the embedding */

void LLI_WIDE(dequant_f16)(float *out, const void *row, size_t n)
{
    const uint8_t *at = row;
    size_t i = 0;
    for (; i + LLI_V16 <= n; i += LLI_V16)
        lli_v16_store(out + i, lli_v16_halves(at + 2 * i));
    if (i < n)
        lli_v16_store_n(out + i, lli_v16_halves_n(at + 2 * i, n - i), n - i);
}
