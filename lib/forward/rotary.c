/* forward/rotary.c - theta_i = base^(-2i / d), divided by the model's own factors, then interpolated.
 *
 * YaRN: Peng et al. 2023, "YaRN: Efficient Context Window Extension of Large Language Models", with the parameters and the
 * rounding of the ramp's ends as GGUF files expect them (llama.cpp). */
#include "forward/rotary.h"

#include <string.h>

#include "base/error.h"
#include "base/mathx.h"

#define PI 3.14159265358979323846
#define MAX_ANGLE 2147483648.0 /* the domain of lli_sincos_f64 */

/* The pair that turns `turns` times within the original length. */
static double pair_that_turns(const struct lli_rope *r, double turns)
{
    return r->n_dims * lli_log_f64(r->original_length / (turns * 2 * PI)) / (2 * lli_log_f64(r->base));
}

static double clamp(double x, double low, double high)
{
    return x < low ? low : x > high ? high : x;
}

/* Rounds toward -Inf; |x| < 2^31. */
static double floor_of(double x)
{
    double whole = (double)(int32_t)x;
    return whole > x ? whole - 1 : whole;
}

/* How much of pair i is interpolated: 0 below `low`, 1 above `high`. */
static double ramp(double low, double high, uint32_t i)
{
    double width = high - low < 0.001 ? 0.001 : high - low;
    return clamp((i - low) / width, 0, 1);
}

static void scale_yarn(struct lli_rotary *rotary, const struct lli_rope *r)
{
    double top = (double)r->n_dims - 1, growth = lli_log_f64(r->factor);
    double low = floor_of(clamp(pair_that_turns(r, r->yarn_beta_fast), 0, top));
    double high = -floor_of(-clamp(pair_that_turns(r, r->yarn_beta_slow), 0, top));
    for (uint32_t i = 0; i < rotary->n_pairs; i++) {
        double own = rotary->theta[i], interpolated = own / r->factor;
        double keep = (1 - ramp(low, high, i)) * r->yarn_ext_factor;
        rotary->theta[i] = interpolated * (1 - keep) + own * keep;
    }
    rotary->magnitude *= r->yarn_attn_factor;
    if (r->yarn_ext_factor != 0 && r->factor > 1)
        rotary->magnitude *= (1 + 0.1 * growth) / (1 + 0.1 * r->yarn_log_multiplier * growth);
}

static void scale_linear(struct lli_rotary *rotary, const struct lli_rope *r)
{
    for (uint32_t i = 0; i < rotary->n_pairs; i++)
        rotary->theta[i] /= r->factor;
}

static void scale_none(struct lli_rotary *rotary, const struct lli_rope *r)
{
    (void)rotary;
    (void)r;
}

typedef void scale_fn(struct lli_rotary *rotary, const struct lli_rope *r);

static scale_fn *const scalings[] = {[LLI_ROPE_NONE] = scale_none,
                                     [LLI_ROPE_LINEAR] = scale_linear,
                                     [LLI_ROPE_YARN] = scale_yarn,
                                     [LLI_ROPE_LONGROPE] = scale_none};

static int32_t divide_by_factors(struct lli_rotary *rotary, const struct lli_matrix *factors, struct llminf_error *err)
{
    for (uint32_t i = 0; i < rotary->n_pairs; i++) {
        float factor;
        memcpy(&factor, factors->data + i * sizeof factor, sizeof factor);
        if (!(factor > 0 && factor <= 3.402823466e38f))
            return lli_fail(err, LLMINF_E_NUMERIC, factors->tensor, "factor %u is %g, want positive and finite", i,
                            (double)factor);
        rotary->theta[i] /= factor;
    }
    return 0;
}

int32_t lli_rotary_init(struct lli_rotary *rotary, struct lli_heap *heap, const struct lli_rope *rope,
                        const struct lli_matrix *factors, uint32_t max_pos, struct llminf_error *err)
{
    int32_t status = 0;
    *rotary = (struct lli_rotary){.heap = heap, .n_pairs = rope->n_dims / 2, .magnitude = rope->magnitude};
    if (rotary->n_pairs == 0)
        return 0;
    rotary->theta = lli_alloc_array(heap, rotary->n_pairs, sizeof *rotary->theta);
    if (!rotary->theta)
        return lli_fail_memory(err, "RoPE frequencies", (uint64_t)rotary->n_pairs * sizeof *rotary->theta);
    for (uint32_t i = 0; i < rotary->n_pairs; i++)
        rotary->theta[i] = lli_pow_f64(rope->base, -2.0 * i / rope->n_dims);
    if (factors->data)
        status = divide_by_factors(rotary, factors, err);
    if (status < 0)
        goto fail;
    scalings[rope->scaling](rotary, rope);
    for (uint32_t i = 0; i < rotary->n_pairs; i++)
        if (!(rotary->theta[i] * max_pos <= MAX_ANGLE)) {
            status = lli_fail(err, LLMINF_E_LIMIT, "rope", "pair %u turns by %g a position, want at most 2^31 in %u positions",
                              i, rotary->theta[i], max_pos);
            goto fail;
        }
    return 0;
fail:
    lli_rotary_finish(rotary);
    return status;
}

void lli_rotary_finish(struct lli_rotary *rotary)
{
    if (rotary->heap)
        lli_free(rotary->heap, rotary->theta);
    *rotary = (struct lli_rotary){0};
}

void lli_rotary_at(const struct lli_rotary *rotary, uint32_t pos, float *cos, float *sin)
{
    for (uint32_t i = 0; i < rotary->n_pairs; i++) {
        double s, c;
        lli_sincos_f64(&s, &c, pos * rotary->theta[i]);
        cos[i] = (float)(c * rotary->magnitude);
        sin[i] = (float)(s * rotary->magnitude);
    }
}
