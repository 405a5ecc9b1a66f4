/* backend/wide/kv_store_wide.c - one token's K and V go into their pages: V side by side, K with the page's 16 tokens between
 * two channels. Rounding is done by vectors, and what they made is copied to both. */
#include "backend/wide/vector.h"

#include <string.h>

enum { T = LLI_PAGE_TOKENS };

/* The first n lanes, with +0 for |x| >= limit and NaN. -1 in *status if there were any. */
LLI_INLINE lli_v16 checked(const float *x, size_t n, float limit, int *status)
{
    lli_v16 a = n == LLI_V16 ? lli_v16_load(x) : lli_v16_load_n(x, n);
    lli_m16 bad = lli_m16_not(lli_v16_less(lli_v16_magnitude(a), lli_v16_set(limit)));
    if (lli_m16_any(bad))
        *status = -1;
    return lli_v16_choose(bad, lli_v16_set(0), a);
}

/* ---- F32, F16 */

/* Up to 16 channels from x, from the pages' first one on. */
typedef void put_fn(void *k_page, void *v_page, const float *k, const float *v, size_t n, int *status);

LLI_INLINE void put_f32(void *k_page, void *v_page, const float *k, const float *v, size_t n, int *status)
{
    float row[LLI_V16], *to = k_page;
    lli_v16_store(row, checked(k, n, __builtin_inff(), status));
    lli_v16_store_n(v_page, checked(v, n, __builtin_inff(), status), n);
    for (size_t i = 0; i < n; i++)
        to[i * T] = row[i];
}

/* 65520 and more is rounded to Inf. */
LLI_INLINE void put_f16(void *k_page, void *v_page, const float *k, const float *v, size_t n, int *status)
{
    uint16_t row[LLI_V16], *to = k_page;
    lli_v16_store_halves(row, checked(v, n, 65520.0f, status));
    memcpy(v_page, row, n * sizeof *row);
    lli_v16_store_halves(row, checked(k, n, 65520.0f, status));
    for (size_t i = 0; i < n; i++)
        to[i * T] = row[i];
}

LLI_INLINE int store(void *k_page, void *v_page, const float *k, const float *v, size_t n_heads, size_t head_dim, size_t slot,
                     size_t size, put_fn *put)
{
    uint8_t *k_at = k_page, *v_at = v_page;
    int status = 0;
    for (size_t h = 0; h < n_heads; h++, k += head_dim, v += head_dim)
        for (size_t d = 0; d < head_dim; d += LLI_V16)
            put(k_at + ((h * head_dim + d) * T + slot) * size, v_at + ((h * T + slot) * head_dim + d) * size, k + d, v + d,
                head_dim - d < LLI_V16 ? head_dim - d : LLI_V16, &status);
    return status;
}

int LLI_WIDE(kv_store_f32)(void *k_page, void *v_page, const float *k, const float *v, size_t n_heads, size_t head_dim,
                           size_t slot)
{
    return store(k_page, v_page, k, v, n_heads, head_dim, slot, sizeof(float), put_f32);
}

int LLI_WIDE(kv_store_f16)(void *k_page, void *v_page, const float *k, const float *v, size_t n_heads, size_t head_dim,
                           size_t slot)
{
    return store(k_page, v_page, k, v, n_heads, head_dim, slot, sizeof(uint16_t), put_f16);
}

/* ---- Q8_0 */

/* A block of n channels: q[32] and the bits of its scale. -1: it has none, and all is zero. */
LLI_INLINE int quantise(int8_t *q, uint16_t *d_out, const float *x, size_t n)
{
    size_t n0 = n < LLI_V16 ? n : LLI_V16;
    lli_v16 x0 = lli_v16_load_n(x, n0), x1 = lli_v16_load_n(x + n0, n - n0);
    uint32_t bits = lli_v16_top_bits(lli_v16_max_bits(lli_v16_magnitude(x0), lli_v16_magnitude(x1)));
    uint16_t row[LLI_V16];
    float a, inv;
    int is_good;
    memcpy(&a, &bits, sizeof a);
    is_good = a / 127.0f < 65520.0f; /* no NaN */
    inv = is_good && a >= 0x1p-100f ? 127.0f / a : 0.0f;
    if (inv == 0)
        x0 = x1 = lli_v16_set(0);
    lli_v16_store_halves(row, lli_v16_set(inv > 0 ? a / 127.0f : 0.0f));
    *d_out = row[0];
    lli_v16_store_int8s(q, lli_v16_mul(x0, lli_v16_set(inv)));
    lli_v16_store_int8s(q + LLI_V16, lli_v16_mul(x1, lli_v16_set(inv)));
    return is_good ? 0 : -1;
}

int LLI_WIDE(kv_store_q8_0)(void *k_page, void *v_page, const float *k, const float *v, size_t n_heads, size_t head_dim,
                            size_t slot)
{
    size_t n_blocks = (head_dim + LLI_ACT_BLOCK - 1) / LLI_ACT_BLOCK, head_bytes = lli_kv_head_bytes(LLI_Q8_0, head_dim);
    uint8_t *k_at = k_page, *v_at = v_page;
    int status = 0;
    for (size_t h = 0; h < n_heads; h++, k += head_dim, v += head_dim, k_at += head_bytes, v_at += head_bytes)
        for (size_t b = 0; b < n_blocks; b++) {
            size_t at = b * LLI_ACT_BLOCK, n = head_dim - at < LLI_ACT_BLOCK ? head_dim - at : LLI_ACT_BLOCK;
            uint16_t d;
            int8_t q[LLI_ACT_BLOCK];
            status |= quantise(q, &d, v + at, n);
            memcpy(v_at + slot * head_dim + at, q, n);
            memcpy(v_at + T * head_dim + (slot * n_blocks + b) * sizeof d, &d, sizeof d);
            status |= quantise(q, &d, k + at, n);
            memcpy(k_at + T * head_dim + (b * T + slot) * sizeof d, &d, sizeof d);
            for (size_t i = 0; i < n; i++)
                k_at[(at + i) * T + slot] = (uint8_t)q[i];
        }
    return status;
}
