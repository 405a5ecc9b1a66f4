/* backend/scalar/attention_scalar.c - pages of K and V: stored, scored, added up. A lane is a token in K and a channel in
 * V; a page is widened once for all query heads that share it. */
#include "backend/scalar/scalar.h"

#include "base/fma.h"
#include "base/half.h"
#include "base/mathx.h"

enum { T = LLI_PAGE_TOKENS, QUERIES = 8, CHANNELS = 16 };

/* One value at element `at` of a page. 0, or -1 if it is not finite there: then +0 is stored. */
typedef int put_fn(void *page, size_t at, float x);

static inline int put_f32(void *page, size_t at, float x)
{
    int finite = (lli_bits_of(x) & 0x7fffffff) < 0x7f800000;
    ((float *)page)[at] = finite ? x : 0.0f;
    return finite ? 0 : -1;
}

static inline int put_f16(void *page, size_t at, float x)
{
    uint16_t h = lli_half_from_f32(x);
    int finite = (h & 0x7fff) < 0x7c00;
    ((uint16_t *)page)[at] = finite ? h : 0;
    return finite ? 0 : -1;
}

LLI_INLINE int store(void *k_page, void *v_page, const float *k, const float *v, size_t n_heads, size_t head_dim, size_t slot,
                     put_fn *put)
{
    int status = 0;
    for (size_t h = 0; h < n_heads; h++)
        for (size_t d = 0; d < head_dim; d++) {
            size_t i = h * head_dim + d;
            status |= put(k_page, i * T + slot, k[i]);
            status |= put(v_page, (h * T + slot) * head_dim + d, v[i]);
        }
    return status;
}

/* Scores of up to QUERIES heads: their sums run side by side. */
LLI_INLINE void score(float *out, size_t out_stride, const float *q, size_t n_queries, const uint8_t *k, size_t head_dim,
                      float scale, size_t size, lli_load_fn *load)
{
    float sum[QUERIES][T] = {{0}}, token[T];
    for (size_t d = 0; d < head_dim; d++) {
        load(token, k + d * T * size, T);
        for (size_t h = 0; h < n_queries; h++)
            for (size_t t = 0; t < T; t++)
                sum[h][t] = lli_fma_f32(q[h * head_dim + d], token[t], sum[h][t]);
    }
    for (size_t h = 0; h < n_queries; h++)
        for (size_t t = 0; t < T; t++)
            out[h * out_stride + t] = sum[h][t] * scale;
}

LLI_INLINE void scores(float *out, size_t out_stride, const float *q, size_t n_queries, const void *k, size_t head_dim,
                       float scale, size_t size, lli_load_fn *load)
{
    for (size_t h = 0; h < n_queries; h += QUERIES)
        score(out + h * out_stride, out_stride, q + h * head_dim, lli_min_size(QUERIES, n_queries - h), k, head_dim, scale,
              size, load);
}

LLI_INLINE void values(float *o, const float *p, size_t p_stride, size_t n_queries, const uint8_t *v, size_t n_tokens,
                       size_t head_dim, size_t size, lli_load_fn *load)
{
    for (size_t d = 0; d < head_dim; d += CHANNELS) {
        size_t n = lli_min_size(CHANNELS, head_dim - d);
        for (size_t t = 0; t < n_tokens; t++) {
            float channel[CHANNELS];
            if (n == CHANNELS) /* a length that the compiler knows */
                load(channel, v + (t * head_dim + d) * size, CHANNELS);
            else
                load(channel, v + (t * head_dim + d) * size, n);
            for (size_t h = 0; h < n_queries; h++)
                for (size_t j = 0; j < n; j++)
                    o[h * head_dim + d + j] = lli_fma_f32(p[h * p_stride + t], channel[j], o[h * head_dim + d + j]);
        }
    }
}

void LLI_SCALAR(merge)(float *out, float *max, float *sum, const float *o, float m, float l, size_t n)
{
    float top = m > *max ? m : *max;
    float a = lli_exp_f32(*max - top), b = lli_exp_f32(m - top);
    for (size_t i = 0; i < n; i++)
        out[i] = lli_fma_f32(o[i], b, out[i] * a);
    *sum = lli_fma_f32(l, b, *sum * a);
    *max = top;
}

#define KV_TYPE(type, size)                                                                                                    \
    int LLI_SCALAR(kv_store_##type)(void *k_page, void *v_page, const float *k, const float *v, size_t n_heads,                \
                                    size_t head_dim, size_t slot)                                                              \
    {                                                                                                                          \
        return store(k_page, v_page, k, v, n_heads, head_dim, slot, put_##type);                                               \
    }                                                                                                                          \
    void LLI_SCALAR(scores_##type)(float *out, size_t out_stride, const float *q, size_t n_queries, const void *k,             \
                                   size_t head_dim, float scale)                                                               \
    {                                                                                                                          \
        scores(out, out_stride, q, n_queries, k, head_dim, scale, size, lli_load_##type);                                      \
    }                                                                                                                          \
    void LLI_SCALAR(values_##type)(float *o, const float *p, size_t p_stride, size_t n_queries, const void *v,                 \
                                   size_t n_tokens, size_t head_dim)                                                           \
    {                                                                                                                          \
        values(o, p, p_stride, n_queries, v, n_tokens, head_dim, size, lli_load_##type);                                       \
    }

KV_TYPE(f32, 4)
KV_TYPE(f16, 2)
