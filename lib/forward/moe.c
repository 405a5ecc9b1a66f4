/* forward/moe.c - route, compute expert by expert, add up row by row.
 *
 * Experts are computed in ascending order, each for all its rows at once; a row adds their outputs in its own order, best
 * first, so that its bits do not depend on who shares the batch. */
#include "forward/moe.h"

#include <string.h>

#include "base/mathx.h"
#include "forward/ffn.h"
#include "forward/linear.h"
#include "forward/norm.h"

/* ---- routing */

/* The next best expert: greatest probability, lowest index. Those before it in chosen[0 .. n_before - 1] are out. */
static uint32_t choose(const float *p, uint32_t n_experts, const uint32_t *chosen, uint32_t n_before)
{
    uint32_t best = n_experts;
    for (uint32_t e = 0; e < n_experts; e++) {
        uint32_t j = 0;
        while (j < n_before && chosen[j] != e)
            j++;
        if (j == n_before && (best == n_experts || p[e] > p[best]))
            best = e;
    }
    return best;
}

/* Probabilities over all experts; the shares of the chosen ones sum to 1, if the model wants that. */
static void route(const struct lli_pass *pass, const void *arg, size_t row, int worker)
{
    const struct lli_config *c = pass->config;
    const struct lli_scratch *s = &pass->scratch;
    float *p = s->routes + row * c->n_experts, *shares = s->shares + row * c->n_experts_used, max, total;
    uint32_t *chosen = s->chosen + row * c->n_experts_used;
    (void)arg;
    (void)worker;
    pass->kernels.exp(p, c->n_experts, &max, &total);
    pass->kernels.divide(p, p, total, c->n_experts);
    for (uint32_t j = 0; j < c->n_experts_used; j++) {
        chosen[j] = choose(p, c->n_experts, chosen, j);
        shares[j] = p[chosen[j]];
    }
    if (!c->has_raw_shares)
        pass->kernels.divide(shares, shares, pass->kernels.sum(shares, c->n_experts_used), c->n_experts_used);
}

/* Counting sort of all (row, choice) by expert. */
static void sort_by_expert(const struct lli_pass *pass)
{
    const struct lli_config *c = pass->config;
    const struct lli_scratch *s = &pass->scratch;
    size_t n = (size_t)pass->plan->n_rows * c->n_experts_used;
    uint32_t at = 0;
    memset(s->expert_at, 0, ((size_t)c->n_experts + 1) * sizeof *s->expert_at);
    for (size_t i = 0; i < n; i++)
        s->expert_at[s->chosen[i]]++;
    for (uint32_t e = 0; e <= c->n_experts; e++) {
        uint32_t count = s->expert_at[e];
        s->expert_at[e] = at;
        at += count;
    }
    for (size_t i = 0; i < n; i++) {
        s->places[i] = s->expert_at[s->chosen[i]]++;
        s->expert_rows[s->places[i]] = (uint32_t)(i / c->n_experts_used);
    }
    /* Each begin has moved to its end, which is the next begin. */
    memmove(s->expert_at + 1, s->expert_at, c->n_experts * sizeof *s->expert_at);
    s->expert_at[0] = 0;
}

/* ---- experts */

struct gathering {
    const float *input; /* of all rows */
    const uint32_t *rows;
    int wants_q8;
};

static void gather(const struct lli_pass *pass, const void *arg, size_t i, int worker)
{
    const struct gathering *g = arg;
    const struct lli_scratch *s = &pass->scratch;
    size_t n = pass->config->n_embd;
    (void)worker;
    memcpy(s->gathered + i * n, g->input + g->rows[i] * n, n * sizeof *s->gathered);
    if (lli_linear_take(pass, s->q8 + i * lli_q8_blocks(n), s->gathered + i * n, n, g->wants_q8) < 0)
        lli_pass_mark(pass, g->rows[i]);
}

/* An expert's bias in the vector of all; NULL: none. */
static const float *bias_of(const struct lli_pass *pass, uint32_t layer, uint32_t role, uint32_t expert, size_t n)
{
    const float *biases = lli_pass_vector(pass, layer, role);
    return biases ? biases + expert * n : NULL;
}

static void run_expert(const struct lli_pass *pass, uint32_t layer, const float *input, uint32_t expert)
{
    const struct lli_config *c = pass->config;
    const struct lli_matrix *at = pass->weights->layers[layer].at;
    const struct lli_scratch *s = &pass->scratch;
    uint32_t first = s->expert_at[expert];
    const struct lli_gated gated = {
        .gate = &at[LLI_FFN_GATE_EXPS],
        .up = &at[LLI_FFN_UP_EXPS],
        .down = &at[LLI_FFN_DOWN_EXPS],
        .gate_bias = bias_of(pass, layer, LLI_FFN_GATE_EXPS_BIAS, expert, c->n_expert_ff),
        .up_bias = bias_of(pass, layer, LLI_FFN_UP_EXPS_BIAS, expert, c->n_expert_ff),
        .down_bias = bias_of(pass, layer, LLI_FFN_DOWN_EXPS_BIAS, expert, c->n_embd),
        .mat = expert,
        .input = s->gathered,
        .rows = s->expert_rows + first,
        .n_rows = s->expert_at[expert + 1] - first,
        .out = s->expert_out + (size_t)first * c->n_embd,
        .is_one_of_many = 1,
    };
    const struct gathering g = {input, gated.rows, lli_ffn_wants_q8(&gated)};
    if (gated.n_rows == 0)
        return;
    lli_pass_share(pass, gather, &g, gated.n_rows);
    lli_ffn_gated(pass, &gated);
}

/* ---- the expert that all rows see: its output stands behind those of the chosen ones, so that ranks sum all at once */

/* 1 if ranks share the experts. */
static int is_shared(const struct lli_pass *pass, uint32_t layer)
{
    return lli_linear_is_shared(&pass->weights->layers[layer].at[LLI_FFN_DOWN_EXPS]);
}

static int has_shared(const struct lli_pass *pass, uint32_t layer)
{
    return pass->weights->layers[layer].at[LLI_FFN_UP_SHARED].data != NULL;
}

static float *shared_out(const struct lli_pass *pass)
{
    const struct lli_config *c = pass->config;
    return pass->scratch.expert_out + (size_t)pass->plan->n_rows * c->n_experts_used * c->n_embd;
}

static void run_shared(const struct lli_pass *pass, uint32_t layer, const float *input)
{
    const struct lli_matrix *at = pass->weights->layers[layer].at;
    const struct lli_scratch *s = &pass->scratch;
    size_t n_rows = pass->plan->n_rows;
    const struct lli_gated gated = {
        .gate = &at[LLI_FFN_GATE_SHARED],
        .up = &at[LLI_FFN_UP_SHARED],
        .down = &at[LLI_FFN_DOWN_SHARED],
        .input = input,
        .n_rows = n_rows,
        .out = shared_out(pass),
        .is_one_of_many = 1,
    };
    const struct lli_linear router = {.w = &at[LLI_FFN_ROUTER_SHARED], .out = s->shared_gate, .input = input, .q8 = s->q8};
    int has_gate = router.w->data != NULL;
    lli_linear_take_rows(pass, input, pass->config->n_embd,
                         lli_ffn_wants_q8(&gated) | (has_gate ? lli_linear_wants_q8(&router, 1) : 0));
    if (has_gate)
        lli_linear_run_one(pass, &router, n_rows);
    lli_ffn_gated(pass, &gated);
}

/* y += the expert that all see, times the logistic function of its gate. */
static void add_shared(const struct lli_pass *pass, uint32_t layer, float *y, size_t row)
{
    const struct lli_scratch *s = &pass->scratch;
    size_t n = pass->config->n_embd;
    int has_gate = pass->weights->layers[layer].at[LLI_FFN_ROUTER_SHARED].data != NULL;
    float share = has_gate ? 1.0f / (1.0f + lli_exp_f32(-s->shared_gate[row])) : 1;
    pass->kernels.add_scaled(y, share, shared_out(pass) + row * n, n);
}

/* ---- the stages */

/* What ranks have computed of the experts. */
static void sum_experts(const struct lli_pass *pass, uint32_t layer)
{
    const struct lli_config *c = pass->config;
    size_t n_vectors = (size_t)pass->plan->n_rows * (c->n_experts_used + (size_t)has_shared(pass, layer));
    if (is_shared(pass, layer))
        lli_comm_sum(pass->comm, pass->scratch.expert_out, n_vectors * c->n_embd);
}

/* One choice of a row. Where ranks have summed it, its bias is still to come. */
static void add_choice(const struct lli_pass *pass, uint32_t layer, float *y, size_t i)
{
    const struct lli_scratch *s = &pass->scratch;
    size_t n = pass->config->n_embd;
    float *out = s->expert_out + s->places[i] * n;
    const float *bias = bias_of(pass, layer, LLI_FFN_DOWN_EXPS_BIAS, s->chosen[i], n);
    if (bias && is_shared(pass, layer))
        pass->kernels.add(out, out, bias, n);
    pass->kernels.add_scaled(y, s->shares[i], out, n);
}

/* The sum is made where the row was before it was gathered: nobody needs that any more. */
static void add_experts(const struct lli_pass *pass, const void *arg, size_t row, int worker)
{
    const struct lli_config *c = pass->config;
    const struct lli_scratch *s = &pass->scratch;
    uint32_t layer = *(const uint32_t *)arg;
    float *y = s->normed + row * c->n_embd;
    (void)worker;
    memset(y, 0, c->n_embd * sizeof *y);
    for (size_t i = row * c->n_experts_used; i < (row + 1) * c->n_experts_used; i++)
        add_choice(pass, layer, y, i);
    if (has_shared(pass, layer))
        add_shared(pass, layer, y, row);
    lli_norm_join_row(pass, layer, LLI_FFN_POST_NORM, row, y);
}

void lli_moe_run(const struct lli_pass *pass, uint32_t layer)
{
    const struct lli_matrix *at = pass->weights->layers[layer].at;
    const struct lli_scratch *s = &pass->scratch;
    struct lli_linear router = {
        .w = &at[LLI_FFN_ROUTER],
        .bias = lli_pass_vector(pass, layer, LLI_FFN_ROUTER_BIAS),
        .out = s->routes,
        .q8 = s->q8,
    };
    size_t n_rows = pass->plan->n_rows;

    router.input = lli_ffn_take(pass, layer, lli_linear_wants_q8(&router, 1));
    lli_linear_run_one(pass, &router, n_rows);
    lli_pass_share(pass, route, NULL, n_rows);
    sort_by_expert(pass);
    for (uint32_t e = 0; e < pass->config->n_experts; e++)
        run_expert(pass, layer, router.input, e);
    if (has_shared(pass, layer))
        run_shared(pass, layer, router.input);
    sum_experts(pass, layer);
    lli_pass_share(pass, add_experts, &layer, n_rows);
}
