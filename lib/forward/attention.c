/* forward/attention.c - q, k and v; k and v into the cache; every row against the cache; back into the stream. */
#include "forward/attention.h"

#include "forward/attend.h"
#include "forward/linear.h"
#include "forward/norm.h"

/* ---- behind the products: heads first / head_dim .. last / head_dim - 1 of some rows */

static void rotate(const struct lli_pass *pass, uint32_t layer, float *x, size_t row, size_t n_heads)
{
    const struct lli_config *c = pass->config;
    const struct lli_scratch *s = &pass->scratch;
    int is_local = lli_config_is_local(c, layer);
    size_t n_pairs = pass->rotary[is_local].n_pairs, at = row * n_pairs;
    lli_rope_fn *rope = c->rope.pairs == LLI_ROPE_ADJACENT ? pass->kernels.rope_adjacent : pass->kernels.rope_halves;
    if (n_pairs > 0)
        rope(x, n_heads, c->head_dim, s->cos[is_local] + at, s->sin[is_local] + at, n_pairs);
}

/* The norm `role` of each head by itself, where it is one of heads. */
static void norm_heads(const struct lli_pass *pass, uint32_t layer, uint32_t role, float *x, size_t first_head, size_t n_heads)
{
    const float *gain = lli_pass_vector(pass, layer, role);
    int kind = pass->config->family->qk_norm;
    size_t n = pass->config->head_dim;
    for (size_t h = 0; gain && kind != LLI_QK_NORM_ALL && h < n_heads; h++)
        lli_norm_apply(pass, x + h * n, x + h * n, kind == LLI_QK_NORM_HEAD ? gain : gain + (first_head + h) * n, NULL, n);
}

static void turn_queries(const struct lli_pass *pass, const void *arg, size_t first_row, size_t n_rows, size_t first,
                         size_t last)
{
    const struct lli_config *c = pass->config;
    uint32_t layer = *(const uint32_t *)arg;
    size_t n_heads = (last - first) / c->head_dim;
    for (size_t row = first_row; row < first_row + n_rows; row++) {
        float *q = pass->scratch.q + row * c->n_heads * c->head_dim + first;
        norm_heads(pass, layer, LLI_ATTN_Q_NORM, q, first / c->head_dim, n_heads);
        rotate(pass, layer, q, row, n_heads);
    }
}

static void store_keys(const struct lli_pass *pass, const void *arg, size_t first_row, size_t n_rows, size_t first, size_t last)
{
    const struct lli_config *c = pass->config;
    const struct lli_scratch *s = &pass->scratch;
    const struct lli_pages *pages = &pass->pages;
    uint32_t layer = *(const uint32_t *)arg;
    size_t head_at = first / c->head_dim * pages->head_bytes, n_heads = (last - first) / c->head_dim;
    for (size_t row = first_row; row < first_row + n_rows; row++) {
        const struct lli_row *r = &pass->plan->rows[row];
        size_t at = row * c->n_kv_heads * c->head_dim + first;
        uint32_t block;
        norm_heads(pass, layer, LLI_ATTN_K_NORM, s->k + at, first / c->head_dim, n_heads);
        rotate(pass, layer, s->k + at, row, n_heads);
        if (r->flags & LLI_ROW_NO_STORE)
            continue;
        block = pass->plan->seqs[r->seq].blocks[pages->layout.groups[layer]][r->pos / LLI_PAGE_TOKENS];
        if (pass->kernels.kv_store[pages->type](lli_pages_k(pages, block, layer) + head_at,
                                                lli_pages_v(pages, block, layer) + head_at, s->k + at, s->v + at, n_heads,
                                                c->head_dim, r->pos % LLI_PAGE_TOKENS) < 0)
            lli_pass_mark(pass, row);
    }
}

/* Norms that run over all heads wait for the whole of a row. */
static void finish_row(const struct lli_pass *pass, const void *arg, size_t row, int worker)
{
    const struct lli_config *c = pass->config;
    const struct lli_scratch *s = &pass->scratch;
    uint32_t layer = *(const uint32_t *)arg;
    size_t n_q = (size_t)c->n_heads * c->head_dim, n_k = (size_t)c->n_kv_heads * c->head_dim;
    float *q = s->q + row * n_q, *k = s->k + row * n_k;
    (void)worker;
    lli_norm_apply(pass, q, q, lli_pass_vector(pass, layer, LLI_ATTN_Q_NORM), NULL, n_q);
    lli_norm_apply(pass, k, k, lli_pass_vector(pass, layer, LLI_ATTN_K_NORM), NULL, n_k);
    turn_queries(pass, arg, row, 1, 0, n_q);
    store_keys(pass, arg, row, 1, 0, n_k);
}

/* ---- the stages */

/* What q, k and v are made from: the stream, through a norm if there is one. */
static const float *take_stream(const struct lli_pass *pass, uint32_t layer, int wants_q8)
{
    const struct lli_scratch *s = &pass->scratch;
    uint32_t role = lli_pass_vector(pass, layer, LLI_ATTN_NORM_2) ? LLI_ATTN_NORM_2 : LLI_ATTN_NORM;
    if (!lli_pass_vector(pass, layer, role)) {
        lli_linear_take_rows(pass, s->x, pass->config->n_embd, wants_q8);
        return s->x;
    }
    lli_linear_take_normed(pass, layer, role, wants_q8);
    return s->normed;
}

/* One sweep over the weights of q, k and v. */
static void project(const struct lli_pass *pass, uint32_t layer)
{
    const struct lli_matrix *at = pass->weights->layers[layer].at;
    const struct lli_scratch *s = &pass->scratch;
    const struct lli_linear of_weights[] = {{.w = &at[LLI_ATTN_Q]}, {.w = &at[LLI_ATTN_K]}, {.w = &at[LLI_ATTN_V]}};
    const float *input = take_stream(pass, layer, lli_linear_wants_q8(of_weights, 3));
    int is_whole = pass->config->family->qk_norm == LLI_QK_NORM_ALL;
    const float *q_bias = lli_pass_vector(pass, layer, LLI_ATTN_Q_BIAS);
    const struct lli_linear q = {.w = &at[LLI_ATTN_Q], .bias = q_bias, .out = s->q, .input = input, .q8 = s->q8};
    const struct lli_linear kv[] = {
        {.w = &at[LLI_ATTN_K], .bias = lli_pass_vector(pass, layer, LLI_ATTN_K_BIAS), .out = s->k, .input = input, .q8 = s->q8},
        {.w = &at[LLI_ATTN_V], .bias = lli_pass_vector(pass, layer, LLI_ATTN_V_BIAS), .out = s->v, .input = input, .q8 = s->q8},
    };
    const struct lli_set sets[] = {
        {.list = &q, .n = 1, .behind = is_whole ? NULL : turn_queries, .arg = &layer, .align = pass->config->head_dim},
        {.list = kv, .n = 2, .behind = is_whole ? NULL : store_keys, .arg = &layer, .align = pass->config->head_dim},
    };
    lli_linear_run(pass, &(struct lli_stage){sets, 2, pass->plan->n_rows});
    if (is_whole)
        lli_pass_share(pass, finish_row, &layer, pass->plan->n_rows);
}

void lli_attention_run(const struct lli_pass *pass, uint32_t layer)
{
    const struct lli_config *c = pass->config;
    const struct lli_scratch *s = &pass->scratch;
    int is_joined = lli_norm_is_behind(pass, layer, LLI_ATTN_POST_NORM);
    const struct lli_linear output = {.w = &pass->weights->layers[layer].at[LLI_ATTN_OUTPUT],
                                      .bias = lli_pass_vector(pass, layer, LLI_ATTN_OUTPUT_BIAS),
                                      .out = s->projected,
                                      .add_to = is_joined ? NULL : s->x,
                                      .input = s->attended,
                                      .q8 = s->q8};
    if (c->n_heads > 0) { /* a rank may own none */
        project(pass, layer);
        lli_attend_run(pass, layer);
    }
    lli_linear_take_rows(pass, s->attended, (size_t)c->n_heads * c->head_dim, lli_linear_wants_q8(&output, 1));
    lli_linear_run_one(pass, &output, pass->plan->n_rows);
    if (is_joined)
        lli_norm_join(pass, layer, LLI_ATTN_POST_NORM);
    lli_norm_stream(pass, layer, LLI_ATTN_OUTPUT_NORM);
}
