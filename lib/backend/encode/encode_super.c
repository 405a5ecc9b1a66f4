/* backend/encode/encode_super.c - blocks of 256 in groups, whose scales are whole multiples of the block's.
 *
 * First each group looks for its scale alone. Then, in rounds, the groups choose whole numbers for a scale of the block that
 * stands as it will in the file, and the block's scale is fitted to what they chose. The best round is written. */
#include <string.h>

#include "backend/encode/codes.h"
#include "backend/encode/encoders.h"
#include "backend/encode/fit.h"

enum { BLOCK = 256, MAX_GROUPS = 16, ROUNDS = 2 };

/* What a block was found to be. */
struct found {
    uint16_t d, dmin;
    int8_t scale[MAX_GROUPS], min[MAX_GROUPS];
    float worth, least; /* d and dmin in the range */
};

static inline void put_half(uint8_t *at, uint16_t h)
{
    memcpy(at, &h, sizeof h);
}

LLI_FIT_INLINE int whole(float v) /* towards minus infinity */
{
    int i = (int)v;
    return (float)i > v ? i - 1 : i;
}

LLI_FIT_INLINE int hold(int v, int low, int high)
{
    return v < low ? low : v > high ? high : v;
}

/* ---- a scale per group */

struct form {
    int n, low, high;            /* groups; their whole scales */
    float reach_low, reach_high; /* of the codes */
};

LLI_FIT_INLINE lli_vec snap_3(lli_vec v)
{
    return lli_fit_snap(v, -4.0f, 3.0f);
}

LLI_FIT_INLINE lli_vec snap_6(lli_vec v)
{
    return lli_fit_snap(v, -32.0f, 31.0f);
}

/* Sixteen whole scales around the one that group x wants; returns its error. */
LLI_FIT_INLINE float choose_scale(int8_t *out, const float *x, size_t n, float s, float d, struct form form,
                                  lli_fit_snap_fn *snap)
{
    float scales[LLI_LANES], error[LLI_LANES];
    int first = hold(whole(lli_fit_clamp(s / d, -1000.0f, 1000.0f)) - 7, form.low, form.high - (LLI_LANES - 1));
    for (int c = 0; c < LLI_LANES; c++)
        scales[c] = d * (float)(first + c);
    lli_fit_errors(error, scales, x, n, snap);
    int best = lli_fit_least(error);
    *out = (int8_t)(first + best);
    return error[best];
}

/* The block's scale that fits what the groups chose. */
LLI_FIT_INLINE float fit_block(const int8_t *scale, const float *x, size_t n, float d, struct form form, lli_fit_snap_fn *snap)
{
    float all_xq = 0.0f, all_qq = 0.0f;
    for (int g = 0; g < form.n; g++) {
        float xq, qq, k = (float)scale[g];
        if (scale[g] == 0)
            continue;
        lli_fit_sums(&xq, &qq, x + (size_t)g * n, n, d * k, snap);
        all_xq += k * xq;
        all_qq += k * k * qq;
    }
    return all_qq > 0.0f ? all_xq / all_qq : d;
}

LLI_FIT_INLINE int find_scales(struct found *out, float *x, const float *from, struct form form, lli_fit_snap_fn *snap)
{
    struct lli_fit_range range;
    float s[MAX_GROUPS], d, least = 0.0f;
    size_t n = (size_t)(BLOCK / form.n);
    memset(out, 0, sizeof *out);
    if (!lli_fit_normalise(x, &range, from, BLOCK))
        return 0;
    for (int g = 0; g < form.n; g++)
        s[g] = lli_fit_scale(x + (size_t)g * n, n, form.reach_low, form.reach_high, snap);
    d = lli_fit_extreme(s, (size_t)form.n) / (float)form.low;
    for (int round = 0; round < ROUNDS; round++) {
        struct found now;
        float error = 0.0f;
        memset(&now, 0, sizeof now);
        now.d = lli_fit_half(&d, &range);
        now.worth = d;
        for (int g = 0; g < form.n; g++)
            error += choose_scale(&now.scale[g], x + (size_t)g * n, n, s[g], d, form, snap);
        if (round == 0 || error < least) {
            least = error;
            *out = now;
        }
        if (round + 1 < ROUNDS)
            d = fit_block(now.scale, x, n, d, form, snap);
    }
    return 1;
}

/* ---- a scale and a minimum per group */

/* Four by four whole numbers around what group x wants; returns its error. */
LLI_FIT_INLINE float choose_line(int8_t *scale, int8_t *min, const float *x, size_t n, float s, float m,
                                 const struct found *block, int most, float top)
{
    float scales[LLI_LANES], mins[LLI_LANES], error[LLI_LANES];
    int first = hold(whole(lli_fit_clamp(s / block->worth, 0.0f, 1000.0f)) - 1, 0, most - 3), low = 0;
    if (block->least > 0.0f)
        low = hold(whole(lli_fit_clamp(m / block->least, 0.0f, 1000.0f)) - 1, 0, most - 3);
    for (int c = 0; c < LLI_LANES; c++) {
        scales[c] = block->worth * (float)(first + c % 4);
        mins[c] = block->least * (float)(low + c / 4);
    }
    lli_fit_line_errors(error, scales, mins, x, n, top);
    int best = lli_fit_least(error);
    *scale = (int8_t)(first + best % 4);
    *min = (int8_t)(block->dmin ? low + best / 4 : 0);
    return error[best];
}

/* Scale and minimum of the block that fit what the groups chose: x = d * a - dmin * b. */
LLI_FIT_INLINE void fit_block_line(float *d, float *dmin, const struct found *block, const float *x, int n_groups, float top)
{
    float aa = 0.0f, ab = 0.0f, bb = 0.0f, xa = 0.0f, xb = 0.0f;
    size_t n = (size_t)(BLOCK / n_groups);
    for (int g = 0; g < n_groups; g++, x += n) {
        float scale = (float)block->scale[g], min = (float)block->min[g];
        float s = block->worth * scale, m = block->least * min, inv = s > 0.0f ? 1.0f / s : 0.0f, q[LLI_LANES_WIDTH];
        for (size_t i = 0; i < n; i += LLI_LANES_WIDTH) {
            lli_lanes_put(q, 0, lli_fit_snap((lli_lanes_at(x + i, 0) + m) * inv, 0.0f, top));
            for (size_t c = 0; c < LLI_LANES_WIDTH; c++) {
                float a = scale * q[c];
                aa += a * a;
                ab += a * min;
                bb += min * min;
                xa += x[i + c] * a;
                xb += x[i + c] * min;
            }
        }
    }
    float det = aa * bb - ab * ab;
    *d = det > 0.0f ? (xa * bb - xb * ab) / det : aa > 0.0f ? xa / aa : block->worth;
    *dmin = det > 0.0f ? (xa * ab - xb * aa) / det : 0.0f;
    if (!(*d > 0.0f && *dmin >= 0.0f)) {
        *d = block->worth;
        *dmin = block->least;
    }
}

LLI_FIT_INLINE float most_of(const float *v, int n)
{
    float most = 0.0f;
    for (int i = 0; i < n; i++)
        most = v[i] > most ? v[i] : most;
    return most;
}

LLI_FIT_INLINE int find_lines(struct found *out, float *x, const float *from, int n_groups, int most, float top)
{
    struct lli_fit_range range;
    float s[MAX_GROUPS], m[MAX_GROUPS], d, dmin, least = 0.0f;
    size_t n = (size_t)(BLOCK / n_groups);
    memset(out, 0, sizeof *out);
    if (!lli_fit_normalise(x, &range, from, BLOCK))
        return 0;
    for (int g = 0; g < n_groups; g++)
        lli_fit_line(&s[g], &m[g], x + (size_t)g * n, n, top, 1);
    d = most_of(s, n_groups) / (float)most;
    dmin = most_of(m, n_groups) / (float)most;
    for (int round = 0; round < ROUNDS; round++) {
        struct found now;
        float error = 0.0f;
        memset(&now, 0, sizeof now);
        now.d = lli_fit_half(&d, &range);
        now.worth = d;
        now.dmin = lli_fit_offset(&dmin, &range);
        now.least = dmin;
        for (int g = 0; g < n_groups; g++)
            error += choose_line(&now.scale[g], &now.min[g], x + (size_t)g * n, n, s[g], m[g], &now, most, top);
        if (round == 0 || error < least) {
            least = error;
            *out = now;
        }
        if (round + 1 < ROUNDS)
            fit_block_line(&d, &dmin, &now, x, n_groups, top);
    }
    return 1;
}

/* Codes of all groups; 0 where the scale is 0. */
LLI_FIT_INLINE void choose_codes(uint8_t *code, const float *x, const struct found *f, int n_groups, float low, float high,
                                 int zero)
{
    size_t n = (size_t)(BLOCK / n_groups);
    for (int g = 0; g < n_groups; g++, x += n, code += n) {
        float shifted[32], s = f->worth * (float)f->scale[g], m = f->least * (float)f->min[g];
        for (size_t i = 0; i < n; i++)
            shifted[i] = x[i] + m;
        if (f->scale[g] == 0)
            memset(code, zero, n);
        else
            lli_fit_choose(code, shifted, n, s, low, high, zero);
    }
}

/* ---- how they stand in a block */

/* Bits 2 * j, 2 * j + 1 of byte i are element 32 * j + i of a half of 128. */
static void put_twos(uint8_t *at, const uint8_t *code, int shift)
{
    for (size_t half = 0; half < 2; half++)
        for (size_t i = 0; i < 32; i++) {
            const uint8_t *c = code + 128 * half + i;
            at[32 * half + i] = (uint8_t)((c[0] >> shift & 3) | (c[32] >> shift & 3) << 2 | (c[64] >> shift & 3) << 4 |
                                          (c[96] >> shift & 3) << 6);
        }
}

/* Bit j of byte i is bit `shift` of element 32 * j + i. */
static void put_ones(uint8_t *at, const uint8_t *code, int shift)
{
    memset(at, 0, 32);
    for (size_t i = 0; i < BLOCK; i++)
        at[i % 32] = (uint8_t)(at[i % 32] | (code[i] >> shift & 1) << i / 32);
}

/* 32 bytes hold two blocks of 32, low and high. */
static void put_pairs(uint8_t *at, const uint8_t *code)
{
    for (size_t i = 0; i < 128; i++) {
        const uint8_t *c = code + i / 32 * 64 + i % 32;
        at[i] = (uint8_t)((c[0] & 15) | (c[32] & 15) << 4);
    }
}

static void put_3(uint8_t *out, const float *x, const struct found *f)
{
    uint8_t code[BLOCK];
    choose_codes(code, x, f, 16, -4, 3, 4);
    put_ones(out, code, 2);
    put_twos(out + 32, code, 0);
    for (int g = 0; g < 16; g++) {
        int scale = f->scale[g] + 32;
        out[96 + g % 8] = (uint8_t)(out[96 + g % 8] | (scale & 15) << g / 8 * 4);
        out[104 + g % 4] = (uint8_t)(out[104 + g % 4] | scale >> 4 << g / 4 * 2);
    }
    put_half(out + 108, f->d);
}

static void put_6(uint8_t *out, const float *x, const struct found *f)
{
    uint8_t code[BLOCK];
    choose_codes(code, x, f, 16, -32, 31, 32);
    for (size_t i = 0; i < 128; i++) {
        const uint8_t *c = code + i / 64 * 128 + i % 64;
        out[i] = (uint8_t)((c[0] & 15) | (c[64] & 15) << 4);
    }
    put_twos(out + 128, code, 4);
    memcpy(out + 192, f->scale, 16);
    put_half(out + 208, f->d);
}

static void put_xs(uint8_t *out, const float *x, const struct found *f)
{
    put_half(out, f->d);
    for (int g = 0; g < 8; g++) {
        int scale = f->scale[g] + 32;
        uint8_t code[32] = {0}, *at = out + 8 + 16 * g;
        out[2 + g / 4] = (uint8_t)(out[2 + g / 4] | scale >> 4 << g % 4 * 2);
        out[4 + g / 2] = (uint8_t)(out[4 + g / 2] | (scale & 15) << g % 2 * 4);
        if (f->scale[g] != 0)
            lli_codes_choose(code, x + 32 * g, 32, f->worth * (float)f->scale[g]);
        for (size_t i = 0; i < 16; i++)
            at[i] = (uint8_t)(code[i] | code[16 + i] << 4);
    }
}

static void put_2(uint8_t *out, const float *x, const struct found *f)
{
    uint8_t code[BLOCK];
    choose_codes(code, x, f, 16, 0, 3, 0);
    for (int g = 0; g < 16; g++)
        out[g] = (uint8_t)(f->scale[g] | f->min[g] << 4);
    put_twos(out + 16, code, 0);
    put_half(out + 80, f->d);
    put_half(out + 82, f->dmin);
}

/* d, dmin and the 12 bytes of 8 scales and 8 minima of 6 bits, the form of Q4_K and Q5_K. */
static void put_lines(uint8_t *out, const struct found *f)
{
    put_half(out, f->d);
    put_half(out + 2, f->dmin);
    for (int g = 0; g < 4; g++) {
        int scale = f->scale[g + 4], min = f->min[g + 4];
        out[4 + g] = (uint8_t)(f->scale[g] | scale >> 4 << 6);
        out[8 + g] = (uint8_t)(f->min[g] | min >> 4 << 6);
        out[12 + g] = (uint8_t)((scale & 15) | (min & 15) << 4);
    }
}

static void put_4(uint8_t *out, const float *x, const struct found *f)
{
    uint8_t code[BLOCK];
    choose_codes(code, x, f, 8, 0, 15, 0);
    put_lines(out, f);
    put_pairs(out + 16, code);
}

static void put_5(uint8_t *out, const float *x, const struct found *f)
{
    uint8_t code[BLOCK];
    choose_codes(code, x, f, 8, 0, 31, 0);
    put_lines(out, f);
    put_ones(out + 16, code, 4);
    put_pairs(out + 48, code);
}

/* Block by block: out is zero if x is, else what `find` found, with these of its arguments, goes to `put`. */
#define SUPER_TYPE(type, bytes, put, find, ...)                                                                                \
    void lli_encode_##type(uint8_t *out, const float *from, size_t n)                                                          \
    {                                                                                                                          \
        for (; n > 0; n -= BLOCK, from += BLOCK, out += bytes) {                                                               \
            float x[BLOCK];                                                                                                    \
            struct found f;                                                                                                    \
            memset(out, 0, bytes);                                                                                             \
            if (find(&f, x, from, __VA_ARGS__))                                                                                \
                put(out, x, &f);                                                                                               \
        }                                                                                                                      \
    }

SUPER_TYPE(q2_k, 84, put_2, find_lines, 16, 15, 3)
SUPER_TYPE(q3_k, 110, put_3, find_scales, (struct form){16, -32, 31, -4, 3}, snap_3)
SUPER_TYPE(q4_k, 144, put_4, find_lines, 8, 63, 15)
SUPER_TYPE(q5_k, 176, put_5, find_lines, 8, 63, 31)
SUPER_TYPE(q6_k, 210, put_6, find_scales, (struct form){16, -128, 127, -32, 31}, snap_6)
SUPER_TYPE(iq4_xs, 136, put_xs, find_scales, (struct form){8, -32, 31, -127, 113}, lli_codes_snap)
