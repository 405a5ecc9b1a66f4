/* forward/ffn.c - gate and up share a sweep; their product, quantised as it comes, is the input of down. */
#include "forward/ffn.h"

#include "forward/linear.h"
#include "forward/norm.h"

struct activating {
    const struct lli_gated *gated;
    int wants_q8; /* of down */
};

/* f of up[n], or of the gate and times up: out is the gate then. */
static void apply(const struct lli_pass *pass, int has_gate, float *out, const float *up, size_t n)
{
    const struct lli_kernels *k = &pass->kernels;
    lli_swiglu_fn *const gated[] = {
        [LLI_SILU] = k->swiglu, [LLI_GELU_TANH] = k->geglu, [LLI_GELU_ERF] = NULL, [LLI_SILU_CLAMPED] = k->swiglu_clamped};
    lli_gelu_fn *const plain[] = {
        [LLI_SILU] = NULL, [LLI_GELU_TANH] = k->gelu, [LLI_GELU_ERF] = k->gelu_erf, [LLI_SILU_CLAMPED] = NULL};
    int f = pass->config->family->activation;
    if (has_gate)
        gated[f](out, out, up, n);
    else
        plain[f](out, out, n);
}

/* Columns first .. last - 1 of the hidden rows. Their blocks are whole: 32 columns are a block of q8. */
static void activate(const struct lli_pass *pass, const void *arg, size_t first_row, size_t n_rows, size_t first, size_t last)
{
    const struct activating *a = arg;
    const struct lli_scratch *s = &pass->scratch;
    size_t n = a->gated->down->n_in;
    for (size_t i = first_row; i < first_row + n_rows; i++) {
        float *x = s->gate + i * n + first;
        struct lli_q8 *part = s->hidden + i * lli_q8_blocks(n) + first / LLI_ACT_BLOCK;
        apply(pass, a->gated->gate != NULL, x, s->up + i * n + first, last - first);
        if (lli_linear_take(pass, part, x, last - first, a->wants_q8) < 0)
            lli_pass_mark(pass, a->gated->rows ? a->gated->rows[i] : i);
    }
}

void lli_ffn_gated(const struct lli_pass *pass, const struct lli_gated *g)
{
    const struct lli_scratch *s = &pass->scratch;
    const struct lli_linear first[] = {
        {.w = g->up, .bias = g->up_bias, .out = g->gate ? s->up : s->gate, .input = g->input, .q8 = s->q8, .mat = g->mat},
        {.w = g->gate, .bias = g->gate_bias, .out = s->gate, .input = g->input, .q8 = s->q8, .mat = g->mat},
    };
    const struct lli_linear down = {.w = g->down,
                                    .bias = g->down_bias,
                                    .out = g->out,
                                    .add_to = g->add_to,
                                    .input = s->gate,
                                    .q8 = s->hidden,
                                    .mat = g->mat};
    const struct activating a = {g, lli_linear_wants_q8(&down, 1)};
    const struct lli_set sweep = {.list = first, .n = g->gate ? 2 : 1, .behind = activate, .arg = &a},
                         last = {.list = &down, .n = 1};
    lli_linear_run(pass, &(struct lli_stage){&sweep, 1, g->n_rows});
    lli_linear_run(pass, &(struct lli_stage){&last, 1, g->n_rows});
    if (!g->is_one_of_many)
        lli_linear_join(pass, &down, g->n_rows);
}

int lli_ffn_wants_q8(const struct lli_gated *g)
{
    const struct lli_linear both[] = {{.w = g->up}, {.w = g->gate}};
    return lli_linear_wants_q8(both, g->gate ? 2 : 1);
}

/* ---- the input */

/* Of the norms that there are, that of an FFN beside attention. */
static uint32_t beside_role(const struct lli_pass *pass, uint32_t layer)
{
    return lli_pass_vector(pass, layer, LLI_FFN_NORM) ? LLI_FFN_NORM : LLI_ATTN_NORM;
}

static void norm_beside(const struct lli_pass *pass, const void *arg, size_t row, int worker)
{
    const struct lli_scratch *s = &pass->scratch;
    uint32_t layer = *(const uint32_t *)arg;
    size_t n = pass->config->n_embd;
    (void)worker;
    lli_norm_role(pass, s->beside + row * n, s->x + row * n, layer, beside_role(pass, layer), n);
}

void lli_ffn_see(const struct lli_pass *pass, uint32_t layer)
{
    if (pass->config->is_parallel)
        lli_pass_share(pass, norm_beside, &layer, pass->plan->n_rows);
}

const float *lli_ffn_take(const struct lli_pass *pass, uint32_t layer, int wants_q8)
{
    const struct lli_scratch *s = &pass->scratch;
    const float *x = pass->config->is_parallel ? s->beside : s->x;
    if (!pass->config->is_parallel && lli_pass_vector(pass, layer, LLI_FFN_NORM)) {
        lli_linear_take_normed(pass, layer, LLI_FFN_NORM, wants_q8);
        return s->normed;
    }
    lli_linear_take_rows(pass, x, pass->config->n_embd, wants_q8);
    return x;
}

void lli_ffn_run(const struct lli_pass *pass, uint32_t layer)
{
    const struct lli_matrix *at = pass->weights->layers[layer].at;
    int is_joined = lli_norm_is_behind(pass, layer, LLI_FFN_POST_NORM);
    struct lli_gated gated = {
        .gate = at[LLI_FFN_GATE].data ? &at[LLI_FFN_GATE] : NULL,
        .up = &at[LLI_FFN_UP],
        .down = &at[LLI_FFN_DOWN],
        .up_bias = lli_pass_vector(pass, layer, LLI_FFN_UP_BIAS),
        .down_bias = lli_pass_vector(pass, layer, LLI_FFN_DOWN_BIAS),
        .n_rows = pass->plan->n_rows,
        .out = pass->scratch.projected,
        .add_to = is_joined ? NULL : pass->scratch.x,
    };
    gated.input = lli_ffn_take(pass, layer, lli_ffn_wants_q8(&gated));
    lli_ffn_gated(pass, &gated);
    if (is_joined)
        lli_norm_join(pass, layer, LLI_FFN_POST_NORM);
    lli_norm_stream(pass, layer, LLI_LAYER_OUTPUT_NORM);
}
