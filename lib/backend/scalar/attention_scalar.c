/* backend/scalar/attention_scalar.c - pages of K and V: stored, and one split of attention over them. */
#include "backend/scalar/scalar.h"

#include "base/fma.h"
#include "base/half.h"
#include "base/mathx.h"

enum { T = LLI_PAGE_TOKENS, QUERIES = 8, CHANNELS = 16 };

/* How a type is read. */
struct page_type {
    uint32_t id; /* enum lli_type */
    /* Channel d of a page's 16 tokens. */
    void (*key)(float *out, const uint8_t *page, size_t head_dim, size_t d);
    /* n <= 16 channels of token t, from d on. */
    void (*value)(float *out, const uint8_t *page, size_t head_dim, size_t t, size_t d, size_t n);
};

#define FLOAT_PAGE(type, type_id, size)                                                                                        \
    static inline void key_##type(float *out, const uint8_t *page, size_t head_dim, size_t d)                                  \
    {                                                                                                                          \
        (void)head_dim;                                                                                                        \
        lli_load_##type(out, page + d * T * size, T);                                                                          \
    }                                                                                                                          \
    static inline void value_##type(float *out, const uint8_t *page, size_t head_dim, size_t t, size_t d, size_t n)            \
    {                                                                                                                          \
        if (n == CHANNELS) /* a length that the compiler knows */                                                              \
            lli_load_##type(out, page + (t * head_dim + d) * size, CHANNELS);                                                  \
        else                                                                                                                   \
            lli_load_##type(out, page + (t * head_dim + d) * size, n);                                                         \
    }                                                                                                                          \
    static const struct page_type page_##type = {type_id, key_##type, value_##type};

FLOAT_PAGE(f32, LLI_F32, 4)
FLOAT_PAGE(f16, LLI_F16, 2)

static inline float scale_at(const uint8_t *scales, size_t i)
{
    uint16_t h;
    memcpy(&h, scales + i * sizeof h, sizeof h);
    return lli_half_value(h);
}

static inline void key_q8_0(float *out, const uint8_t *page, size_t head_dim, size_t d)
{
    const uint8_t *scales = page + head_dim * T;
    for (size_t t = 0; t < T; t++)
        out[t] = (float)(int8_t)page[d * T + t] * scale_at(scales, d / LLI_ACT_BLOCK * T + t);
}

static inline void value_q8_0(float *out, const uint8_t *page, size_t head_dim, size_t t, size_t d, size_t n)
{
    float scale = scale_at(page + head_dim * T, t * ((head_dim + LLI_ACT_BLOCK - 1) / LLI_ACT_BLOCK) + d / LLI_ACT_BLOCK);
    for (size_t j = 0; j < n; j++)
        out[j] = (float)(int8_t)page[t * head_dim + d + j] * scale;
}

static const struct page_type page_q8_0 = {LLI_Q8_0, key_q8_0, value_q8_0};

/* ---- one token is stored */

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

/* A block's integers, n of them, and the bits of its scale. -1: the scale is not finite, and all is zero. */
static int quantise(int8_t *q, uint16_t *d_out, const float *x, size_t n)
{
    uint32_t top = 0;
    float a, inv;
    for (size_t i = 0; i < n; i++) {
        uint32_t magnitude = lli_bits_of(x[i]) & 0x7fffffff;
        top = magnitude > top ? magnitude : top;
    }
    a = lli_float_of(top);
    *d_out = lli_half_from_f32(a / 127.0f);
    if ((*d_out & 0x7fff) >= 0x7c00 || a < 0x1p-100f) {
        int status = (*d_out & 0x7fff) >= 0x7c00 ? -1 : 0;
        memset(q, 0, n);
        *d_out = 0;
        return status;
    }
    inv = 127.0f / a;
    for (size_t i = 0; i < n; i++)
        q[i] = (int8_t)lli_round_f32(x[i] * inv);
    return 0;
}

int LLI_SCALAR(kv_store_q8_0)(void *k_page, void *v_page, const float *k, const float *v, size_t n_heads, size_t head_dim,
                              size_t slot)
{
    size_t n_blocks = (head_dim + LLI_ACT_BLOCK - 1) / LLI_ACT_BLOCK, head_bytes = lli_kv_head_bytes(LLI_Q8_0, head_dim);
    int status = 0;
    for (size_t h = 0; h < n_heads; h++)
        for (size_t b = 0; b < n_blocks; b++) {
            uint8_t *k_head = (uint8_t *)k_page + h * head_bytes, *v_head = (uint8_t *)v_page + h * head_bytes;
            size_t at = b * LLI_ACT_BLOCK, n = lli_min_size(LLI_ACT_BLOCK, head_dim - at);
            uint16_t d;
            int8_t q[LLI_ACT_BLOCK];
            status |= quantise(q, &d, v + h * head_dim + at, n);
            memcpy(v_head + slot * head_dim + at, q, n);
            memcpy(v_head + head_dim * T + (slot * n_blocks + b) * sizeof d, &d, sizeof d);
            status |= quantise(q, &d, k + h * head_dim + at, n);
            memcpy(k_head + head_dim * T + (b * T + slot) * sizeof d, &d, sizeof d);
            for (size_t i = 0; i < n; i++)
                k_head[(at + i) * T + slot] = (uint8_t)q[i];
        }
    return status;
}

/* ---- a split: a lane is a token in K and a channel in V; a page is widened once for up to QUERIES queries */

LLI_INLINE void score_page(float *out, const struct lli_query *u, size_t n, const uint8_t *k, size_t head_dim, float scale,
                           const struct page_type *type)
{
    float sum[QUERIES][T] = {{0}}, token[T];
    for (size_t d = 0; d < head_dim; d++) {
        type->key(token, k, head_dim, d);
        for (size_t i = 0; i < n; i++)
            for (size_t t = 0; t < T; t++)
                sum[i][t] = lli_fma_f32(u[i].q[d], token[t], sum[i][t]);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t t = 0; t < T; t++)
            out[i * LLI_SPLIT_TOKENS + t] = sum[i][t] * scale;
}

/* The scores of what a query sees become p. */
static void soften(struct lli_query *u, float *s, float softcap)
{
    float lanes[16] = {0};
    u->m = -__builtin_inff();
    for (size_t t = u->first; t < u->last; t++) {
        s[t] = softcap > 0 ? softcap * lli_tanh_f32(s[t] / softcap) : s[t];
        s[t] = u->slope > 0 ? lli_fma_f32(u->slope, (float)t - u->pos, s[t]) : s[t];
        u->m = s[t] > u->m ? s[t] : u->m;
    }
    for (size_t t = u->first; t < u->last; t++) {
        s[t] = lli_exp_f32(s[t] - u->m);
        lanes[t % 16] = lanes[t % 16] + s[t];
    }
    u->l = lli_lanes_sum(lanes);
}

static inline void add_terms(float *o, float p, const float *channel, size_t n)
{
    for (size_t j = 0; j < n; j++)
        o[j] = lli_fma_f32(p, channel[j], o[j]);
}

LLI_INLINE void add_page(const float *p, const struct lli_query *u, size_t n, const uint8_t *v, size_t page, size_t head_dim,
                         const struct page_type *type)
{
    for (size_t d = 0; d < head_dim; d += CHANNELS) {
        size_t n_channels = lli_min_size(CHANNELS, head_dim - d);
        for (size_t t = page * T; t < (page + 1) * T; t++) {
            float channel[CHANNELS];
            type->value(channel, v, head_dim, t % T, d, n_channels);
            for (size_t i = 0; i < n; i++)
                if (t >= u[i].first && t < u[i].last)
                    add_terms(u[i].o + d, p[i * LLI_SPLIT_TOKENS + t], channel, n_channels);
        }
    }
}

/* n queries of one head, whose part of the pages begins at `skip`. */
LLI_INLINE void attend_some(const struct lli_attend *a, struct lli_query *u, size_t n, size_t skip,
                            const struct page_type *type)
{
    size_t from = LLI_SPLIT_TOKENS, to = 0;
    float *scores = a->scratch;
    for (size_t i = 0; i < n; i++) {
        from = lli_min_size(from, u[i].first / T);
        to = (u[i].last + T - 1) / T > to ? (u[i].last + T - 1) / T : to;
    }
    for (size_t page = from; page < to; page++)
        score_page(scores + page * T, u, n, a->k[page] + skip, a->head_dim, a->scale, type);
    for (size_t i = 0; i < n; i++) {
        soften(&u[i], scores + i * LLI_SPLIT_TOKENS, a->softcap);
        memset(u[i].o, 0, a->head_dim * sizeof *u[i].o);
    }
    for (size_t page = from; page < to; page++)
        add_page(scores, u, n, a->v[page] + skip, page, a->head_dim, type);
    for (size_t i = 0; i < n; i++)
        for (size_t d = 0; d < a->head_dim; d++)
            u[i].o[d] = u[i].o[d] + 0.0f; /* no -0: a masked position with p = +0 would change it */
}

LLI_INLINE void attend(const struct lli_attend *a, const struct page_type *type)
{
    for (size_t h = 0; h < a->n_heads; h++)
        for (size_t i = 0; i < a->n_queries; i += QUERIES)
            attend_some(a, a->queries + h * a->n_queries + i, lli_min_size(QUERIES, a->n_queries - i),
                        h * lli_kv_head_bytes(type->id, a->head_dim), type);
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

#define FLOAT_STORE(type)                                                                                                      \
    int LLI_SCALAR(kv_store_##type)(void *k_page, void *v_page, const float *k, const float *v, size_t n_heads,                \
                                    size_t head_dim, size_t slot)                                                              \
    {                                                                                                                          \
        return store(k_page, v_page, k, v, n_heads, head_dim, slot, put_##type);                                               \
    }

FLOAT_STORE(f32)
FLOAT_STORE(f16)

#define ATTEND(type)                                                                                                           \
    void LLI_SCALAR(attend_##type)(const struct lli_attend *a)                                                                 \
    {                                                                                                                          \
        attend(a, &page_##type);                                                                                               \
    }

ATTEND(f32)
ATTEND(f16)
ATTEND(q8_0)
