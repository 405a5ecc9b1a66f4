/* backend/encode/fit.h - scales by least squares. Sixteen candidates are tried at once, a lane each: no sum is spread over
 * lanes, so every compiler and CPU gives the same bits.
 *
 * Values are brought to a largest magnitude in [1, 2) by a power of two first, so that no product overflows or vanishes. */
#ifndef LLI_BACKEND_ENCODE_FIT_H
#define LLI_BACKEND_ENCODE_FIT_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "backend/encode/lanes.h"
#include "base/half.h"

/* Parts of a search are arguments: inlined, they are constants. */
#define LLI_FIT_INLINE LLI_LANES_INLINE

/* In the range of a block, what is smaller is 0: its inverse would leave the range of floats. */
#define LLI_FIT_NOTHING 0x1p-60f

/* The codes nearest to v, as what they are worth in units of the scale. */
typedef lli_vec lli_fit_snap_fn(lli_vec v);

/* To the nearest whole number, |v| < 2^22: the sum has no bits below 1. */
LLI_FIT_INLINE lli_vec lli_fit_round(lli_vec v)
{
    return (v + 0x1.8p23f) - 0x1.8p23f;
}

LLI_FIT_INLINE lli_vec lli_fit_snap(lli_vec v, float low, float high)
{
    return lli_fit_round(lli_lanes_min(lli_lanes_max(v, lli_lanes_all(low)), lli_lanes_all(high)));
}

LLI_FIT_INLINE float lli_fit_clamp(float v, float low, float high)
{
    v = v < low ? low : v;
    return v > high ? high : v;
}

/* ---- range */

struct lli_fit_range {
    float up, down; /* powers of two: to [1, 2), and back */
};

LLI_FIT_INLINE float lli_fit_power(int exponent) /* -149 .. 127 */
{
    uint32_t bits = exponent < -126 ? 1u << (149 + exponent) : (uint32_t)(exponent + 127) << 23;
    float p;
    memcpy(&p, &bits, sizeof p);
    return p;
}

/* out[n] = x * range->up. 0: all of x is below half of what any block of integers can hold (2^-24); out is not written. */
LLI_FIT_INLINE int lli_fit_normalise(float *out, struct lli_fit_range *range, const float *x, size_t n)
{
    uint32_t largest = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, x + i, sizeof bits);
        bits &= 0x7fffffff;
        largest = bits > largest ? bits : largest;
    }
    if (largest <= (127u - 25) << 23)
        return 0;
    int exponent = (int)(largest >> 23) - 127;
    range->up = lli_fit_power(-exponent);
    range->down = lli_fit_power(exponent);
    for (size_t i = 0; i < n; i++)
        out[i] = x[i] * range->up;
    return 1;
}

/* A scale as the file holds it, never 0, and what it is worth in the range. */
LLI_FIT_INLINE uint16_t lli_fit_half(float *scale, const struct lli_fit_range *range)
{
    float s = *scale * range->down, size = s < 0 ? -s : s;
    size = size < 0x1p-24f ? 0x1p-24f : size > 65504.0f ? 65504.0f : size;
    uint16_t h = lli_half_from_f32(s < 0 ? -size : size);
    *scale = lli_half_to_f32(h) * range->up;
    return h;
}

/* The same for what may be 0. */
LLI_FIT_INLINE uint16_t lli_fit_offset(float *offset, const struct lli_fit_range *range)
{
    uint16_t h = lli_half_from_f32(lli_fit_clamp(*offset * range->down, -65504.0f, 65504.0f));
    *offset = lli_half_to_f32(h) * range->up;
    return h;
}

/* 1 / s, and 0 for 0. */
LLI_FIT_INLINE lli_vec lli_fit_inverse(lli_vec s)
{
    lli_mask is_zero = s == 0.0f;
    return (lli_vec)((lli_mask)(1.0f / s) & ~is_zero);
}

/* ---- scales: x = s * q */

/* s[16] are tried; then s is the best one for the codes that came out, and gain[16] what it takes off sum x^2. */
LLI_FIT_INLINE void lli_fit_scales(float *s, float *gain, const float *x, size_t n, lli_fit_snap_fn *snap)
{
    lli_vec inv[LLI_LANES_VECS], xq[LLI_LANES_VECS], qq[LLI_LANES_VECS];
    float product[LLI_LANES], square[LLI_LANES];
    for (int k = 0; k < LLI_LANES_VECS; k++) {
        inv[k] = 1.0f / lli_lanes_at(s, k);
        xq[k] = qq[k] = (lli_vec){0};
    }
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < LLI_LANES_VECS; k++) {
            lli_vec q = snap(x[i] * inv[k]);
            xq[k] += x[i] * q;
            qq[k] += q * q;
        }
    for (int k = 0; k < LLI_LANES_VECS; k++) {
        lli_lanes_put(product, k, xq[k]);
        lli_lanes_put(square, k, qq[k]);
    }
    for (int c = 0; c < LLI_LANES; c++) {
        gain[c] = square[c] > 0.0f ? product[c] * product[c] / square[c] : 0.0f;
        s[c] = gain[c] > 0.0f ? product[c] / square[c] : s[c];
    }
}

/* error[16] = sum (x - s * q)^2 for s as they are; s = 0 has only zeros. */
LLI_FIT_INLINE void lli_fit_errors(float *error, const float *s, const float *x, size_t n, lli_fit_snap_fn *snap)
{
    lli_vec scale[LLI_LANES_VECS], inv[LLI_LANES_VECS], sum[LLI_LANES_VECS];
    for (int k = 0; k < LLI_LANES_VECS; k++) {
        scale[k] = lli_lanes_at(s, k);
        inv[k] = lli_fit_inverse(scale[k]);
        sum[k] = (lli_vec){0};
    }
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < LLI_LANES_VECS; k++) {
            lli_vec e = x[i] - scale[k] * snap(x[i] * inv[k]);
            sum[k] += e * e;
        }
    for (int k = 0; k < LLI_LANES_VECS; k++)
        lli_lanes_put(error, k, sum[k]);
}

/* ---- scales and minima: x = s * q - m, q = 0 .. top */

/* The line for codes whose sums are given. Returns its gain; -1 and nothing else if it does not rise. */
LLI_FIT_INLINE float lli_fit_solve(float *s, float *m, float xq, float qq, float q1, float sum, float count, int is_above)
{
    float det = count * qq - q1 * q1;
    if (!(det > 0.0f))
        return -1.0f;
    float slope = (count * xq - sum * q1) / det, least = (q1 * xq - qq * sum) / det;
    if (is_above && least < 0.0f) {
        least = 0.0f;
        slope = xq / qq;
    }
    if (!(slope > 0.0f))
        return -1.0f;
    *s = slope;
    *m = least;
    return slope * xq - least * sum;
}

/* s[16], m[16] are tried; then they are the best for the codes that came out, with m >= 0 if is_above (else any), and
 * gain[16] is what they take off sum x^2. */
LLI_FIT_INLINE void lli_fit_lines(float *s, float *m, float *gain, const float *x, size_t n, float top, int is_above)
{
    lli_vec inv[LLI_LANES_VECS], least[LLI_LANES_VECS], xq[LLI_LANES_VECS], qq[LLI_LANES_VECS], q1[LLI_LANES_VECS];
    float product[LLI_LANES], square[LLI_LANES], code[LLI_LANES], sum = 0.0f, count = (float)n;
    for (int k = 0; k < LLI_LANES_VECS; k++) {
        inv[k] = 1.0f / lli_lanes_at(s, k);
        least[k] = lli_lanes_at(m, k);
        xq[k] = qq[k] = q1[k] = (lli_vec){0};
    }
    for (size_t i = 0; i < n; i++) {
        sum += x[i];
        for (int k = 0; k < LLI_LANES_VECS; k++) {
            lli_vec q = lli_fit_snap((x[i] + least[k]) * inv[k], 0.0f, top);
            xq[k] += x[i] * q;
            qq[k] += q * q;
            q1[k] += q;
        }
    }
    for (int k = 0; k < LLI_LANES_VECS; k++) {
        lli_lanes_put(product, k, xq[k]);
        lli_lanes_put(square, k, qq[k]);
        lli_lanes_put(code, k, q1[k]);
    }
    for (int c = 0; c < LLI_LANES; c++)
        gain[c] = lli_fit_solve(&s[c], &m[c], product[c], square[c], code[c], sum, count, is_above);
}

/* error[16] = sum (x - (s * q - m))^2 for s and m as they are. */
LLI_FIT_INLINE void lli_fit_line_errors(float *error, const float *s, const float *m, const float *x, size_t n, float top)
{
    lli_vec scale[LLI_LANES_VECS], inv[LLI_LANES_VECS], least[LLI_LANES_VECS], sum[LLI_LANES_VECS];
    for (int k = 0; k < LLI_LANES_VECS; k++) {
        scale[k] = lli_lanes_at(s, k);
        inv[k] = lli_fit_inverse(scale[k]);
        least[k] = lli_lanes_at(m, k);
        sum[k] = (lli_vec){0};
    }
    for (size_t i = 0; i < n; i++)
        for (int k = 0; k < LLI_LANES_VECS; k++) {
            lli_vec v = x[i] + least[k];
            lli_vec e = v - scale[k] * lli_fit_snap(v * inv[k], 0.0f, top);
            sum[k] += e * e;
        }
    for (int k = 0; k < LLI_LANES_VECS; k++)
        lli_lanes_put(error, k, sum[k]);
}

/* ---- codes */

/* code[n] of x for a scale in its final form, s not 0; n is a multiple of 16. `zero` is the code of 0. */
LLI_FIT_INLINE void lli_fit_choose(uint8_t *code, const float *x, size_t n, float s, float low, float high, int zero)
{
    float inv = 1.0f / s, q[LLI_LANES];
    for (size_t i = 0; i < n; i += LLI_LANES) {
        for (int k = 0; k < LLI_LANES_VECS; k++)
            lli_lanes_put(q, k, lli_fit_snap(lli_lanes_at(x + i, k) * inv, low, high));
        for (int c = 0; c < LLI_LANES; c++)
            code[i + (size_t)c] = (uint8_t)((int)q[c] + zero);
    }
}

/* Sums over the codes of one scale, s not 0; n is a multiple of 4. */
LLI_FIT_INLINE void lli_fit_sums(float *xq, float *qq, const float *x, size_t n, float s, lli_fit_snap_fn *snap)
{
    float inv = 1.0f / s, q[LLI_LANES_WIDTH];
    *xq = *qq = 0.0f;
    for (size_t i = 0; i < n; i += LLI_LANES_WIDTH) {
        lli_lanes_put(q, 0, snap(lli_lanes_at(x + i, 0) * inv));
        for (size_t c = 0; c < LLI_LANES_WIDTH; c++) {
            *xq += x[i + c] * q[c];
            *qq += q[c] * q[c];
        }
    }
}

/* ---- which lane */

LLI_FIT_INLINE int lli_fit_most(const float *v)
{
    int best = 0;
    for (int c = 1; c < LLI_LANES; c++)
        best = v[c] > v[best] ? c : best;
    return best;
}

LLI_FIT_INLINE int lli_fit_least(const float *v)
{
    int best = 0;
    for (int c = 1; c < LLI_LANES; c++)
        best = v[c] < v[best] ? c : best;
    return best;
}

/* ---- searches */

/* The element of largest magnitude. */
LLI_FIT_INLINE float lli_fit_extreme(const float *x, size_t n)
{
    float best = 0.0f, size = 0.0f;
    for (size_t i = 0; i < n; i++) {
        float v = x[i] < 0.0f ? -x[i] : x[i];
        best = v > size ? x[i] : best;
        size = v > size ? v : size;
    }
    return best;
}

/* Tries scales around `most`, which gives the extreme the last code. A second round, from where they led, would take off
 * another 0.1 % of the error. */
LLI_FIT_INLINE void lli_fit_side(float *best, float *best_gain, const float *x, size_t n, float most, lli_fit_snap_fn *snap)
{
    float s[LLI_LANES], gain[LLI_LANES];
    for (int c = 0; c < LLI_LANES; c++)
        s[c] = most / (0.85f + 0.03f * (float)c);
    lli_fit_scales(s, gain, x, n, snap);
    int c = lli_fit_most(gain);
    if (gain[c] > *best_gain) {
        *best_gain = gain[c];
        *best = s[c];
    }
}

/* The scale of x[n] whose codes are worth low .. high: 0 if x is nothing. */
LLI_FIT_INLINE float lli_fit_scale(const float *x, size_t n, float low, float high, lli_fit_snap_fn *snap)
{
    float best = 0.0f, gain = 0.0f, extreme = lli_fit_extreme(x, n);
    if (extreme > -LLI_FIT_NOTHING && extreme < LLI_FIT_NOTHING)
        return 0.0f;
    lli_fit_side(&best, &gain, x, n, extreme / low, snap);
    lli_fit_side(&best, &gain, x, n, extreme / high, snap);
    return best;
}

/* The same for x = s * q - m, q = 0 .. top. */
LLI_FIT_INLINE void lli_fit_line(float *s_out, float *m_out, const float *x, size_t n, float top, int is_above)
{
    float s[LLI_LANES], m[LLI_LANES], gain[LLI_LANES], low = x[0], high = x[0], best = 0.0f;
    for (size_t i = 1; i < n; i++) {
        low = x[i] < low ? x[i] : low;
        high = x[i] > high ? x[i] : high;
    }
    low = is_above && low > 0.0f ? 0.0f : low;
    *s_out = 0.0f;
    *m_out = -low;
    if (!(high - low > LLI_FIT_NOTHING))
        return;
    for (int c = 0; c < LLI_LANES; c++) {
        s[c] = (high - low) / (top * (0.85f + 0.03f * (float)c));
        m[c] = -low;
    }
    for (int round = 0; round < 2; round++) {
        lli_fit_lines(s, m, gain, x, n, top, is_above);
        int c = lli_fit_most(gain);
        if (gain[c] > best) {
            best = gain[c];
            *s_out = s[c];
            *m_out = m[c];
        }
    }
}

#endif
