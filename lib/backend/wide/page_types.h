/* backend/wide/page_types.h - how each type of K and V is read from one head's pages (layout: backend/kernels.h). A type's row
 * of functions is a constant that is inlined with them. */
#ifndef LLI_BACKEND_WIDE_PAGE_TYPES_H
#define LLI_BACKEND_WIDE_PAGE_TYPES_H

#include "backend/wide/vector.h"

struct lli_page_type {
    uint32_t id;    /* enum lli_type */
    size_t size;    /* bytes of an element */
    int has_scales; /* behind the elements */
    /* What key is given for 32 channels from d on. */
    lli_v16 (*key_scale)(const uint8_t *page, size_t head_dim, size_t d);
    /* Channel d of 16 tokens. */
    lli_v16 (*key)(const uint8_t *page, size_t d, lli_v16 scale);
    /* n <= 16 channels from d on, a multiple of 16, of token t. */
    lli_v16 (*value)(const uint8_t *page, size_t head_dim, size_t t, size_t d, size_t n);
};

LLI_INLINE lli_v16 lli_page_no_scale(const uint8_t *page, size_t head_dim, size_t d)
{
    (void)page;
    (void)head_dim;
    (void)d;
    return lli_v16_set(0);
}

LLI_INLINE lli_v16 lli_page_key_f32(const uint8_t *page, size_t d, lli_v16 scale)
{
    (void)scale;
    return lli_v16_load((const float *)(const void *)page + d * LLI_PAGE_TOKENS);
}

LLI_INLINE lli_v16 lli_page_value_f32(const uint8_t *page, size_t head_dim, size_t t, size_t d, size_t n)
{
    const float *at = (const float *)(const void *)page + t * head_dim + d;
    return n == LLI_V16 ? lli_v16_load(at) : lli_v16_load_n(at, n);
}

LLI_INLINE lli_v16 lli_page_key_f16(const uint8_t *page, size_t d, lli_v16 scale)
{
    (void)scale;
    return lli_v16_halves(page + d * LLI_PAGE_TOKENS * 2);
}

LLI_INLINE lli_v16 lli_page_value_f16(const uint8_t *page, size_t head_dim, size_t t, size_t d, size_t n)
{
    const uint8_t *at = page + (t * head_dim + d) * 2;
    return n == LLI_V16 ? lli_v16_halves(at) : lli_v16_halves_n(at, n);
}

LLI_INLINE lli_v16 lli_page_scale_q8_0(const uint8_t *page, size_t head_dim, size_t d)
{
    return lli_v16_halves(page + head_dim * LLI_PAGE_TOKENS + d / LLI_ACT_BLOCK * LLI_PAGE_TOKENS * 2);
}

LLI_INLINE lli_v16 lli_page_key_q8_0(const uint8_t *page, size_t d, lli_v16 scale)
{
    return lli_v16_mul(lli_v16_int8s(page + d * LLI_PAGE_TOKENS), scale);
}

LLI_INLINE lli_v16 lli_page_value_q8_0(const uint8_t *page, size_t head_dim, size_t t, size_t d, size_t n)
{
    size_t n_blocks = (head_dim + LLI_ACT_BLOCK - 1) / LLI_ACT_BLOCK;
    const uint8_t *q = page + t * head_dim + d, *scales = page + head_dim * LLI_PAGE_TOKENS;
    return lli_v16_mul(n == LLI_V16 ? lli_v16_int8s(q) : lli_v16_int8s_n(q, n),
                       lli_v16_set_half(scales + (t * n_blocks + d / LLI_ACT_BLOCK) * 2));
}

static const struct lli_page_type lli_page_f32 = {LLI_F32, 4, 0, lli_page_no_scale, lli_page_key_f32, lli_page_value_f32};
static const struct lli_page_type lli_page_f16 = {LLI_F16, 2, 0, lli_page_no_scale, lli_page_key_f16, lli_page_value_f16};
static const struct lli_page_type lli_page_q8_0 = {LLI_Q8_0, 1, 1, lli_page_scale_q8_0, lli_page_key_q8_0, lli_page_value_q8_0};

#endif
