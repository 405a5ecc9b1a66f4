/* forward/attention.c - q, k and v; k and v into the cache; every row against the cache; back into the stream. */
#include "forward/attention.h"

#include "forward/attend.h"
#include "forward/linear.h"

/* ---- behind the products: heads first / head_dim .. last / head_dim - 1 of some rows */

static void rotate(const struct lli_pass *pass, float *x, size_t row, size_t n_heads)
{
    const struct lli_config *c = pass->config;
    const struct lli_scratch *s = &pass->scratch;
    size_t n_pairs = pass->rotary.n_pairs;
    lli_rope_fn *rope = c->rope.pairs == LLI_ROPE_ADJACENT ? pass->kernels.rope_adjacent : pass->kernels.rope_halves;
    if (n_pairs > 0)
        rope(x, n_heads, c->head_dim, s->cos + row * n_pairs, s->sin + row * n_pairs, n_pairs);
}

static void rotate_queries(const struct lli_pass *pass, const void *arg, size_t first_row, size_t n_rows, size_t first,
                           size_t last)
{
    const struct lli_config *c = pass->config;
    (void)arg;
    for (size_t row = first_row; row < first_row + n_rows; row++)
        rotate(pass, pass->scratch.q + row * c->n_heads * c->head_dim + first, row, (last - first) / c->head_dim);
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
        rotate(pass, s->k + at, row, n_heads);
        if (r->flags & LLI_ROW_NO_STORE)
            continue;
        block = pass->plan->seqs[r->seq].blocks[r->pos / LLI_PAGE_TOKENS];
        if (pass->kernels.kv_store[pages->type](lli_pages_k(pages, block, layer) + head_at,
                                                lli_pages_v(pages, block, layer) + head_at, s->k + at, s->v + at, n_heads,
                                                c->head_dim, r->pos % LLI_PAGE_TOKENS) < 0)
            lli_pass_mark(pass, row);
    }
}

/* ---- the stages */

/* One sweep over the weights of q, k and v. */
static void project(const struct lli_pass *pass, uint32_t layer)
{
    const struct lli_matrix *at = pass->weights->layers[layer].at;
    const struct lli_scratch *s = &pass->scratch;
    const float *q_bias = lli_pass_vector(pass, layer, LLI_ATTN_Q_BIAS);
    const struct lli_linear q = {.w = &at[LLI_ATTN_Q], .bias = q_bias, .out = s->q, .input = s->normed, .q8 = s->q8};
    const struct lli_linear kv[] = {
        {.w = &at[LLI_ATTN_K],
         .bias = lli_pass_vector(pass, layer, LLI_ATTN_K_BIAS),
         .out = s->k,
         .input = s->normed,
         .q8 = s->q8},
        {.w = &at[LLI_ATTN_V],
         .bias = lli_pass_vector(pass, layer, LLI_ATTN_V_BIAS),
         .out = s->v,
         .input = s->normed,
         .q8 = s->q8},
    };
    const struct lli_set sets[] = {
        {.list = &q, .n = 1, .behind = rotate_queries, .align = pass->config->head_dim},
        {.list = kv, .n = 2, .behind = store_keys, .arg = &layer, .align = pass->config->head_dim},
    };
    lli_linear_take_normed(pass, layer, LLI_ATTN_NORM, lli_linear_wants_q8(&q, 1) | lli_linear_wants_q8(kv, 2));
    lli_linear_run(pass, &(struct lli_stage){sets, 2, pass->plan->n_rows});
}

void lli_attention_run(const struct lli_pass *pass, uint32_t layer)
{
    const struct lli_config *c = pass->config;
    const struct lli_scratch *s = &pass->scratch;
    const struct lli_linear output = {.w = &pass->weights->layers[layer].at[LLI_ATTN_OUTPUT],
                                      .bias = lli_pass_vector(pass, layer, LLI_ATTN_OUTPUT_BIAS),
                                      .out = s->projected,
                                      .add_to = s->x,
                                      .input = s->attended,
                                      .q8 = s->q8};
    project(pass, layer);
    lli_attend_run(pass, layer);
    lli_linear_take_rows(pass, s->attended, (size_t)c->n_heads * c->head_dim, lli_linear_wants_q8(&output, 1));
    lli_linear_run_one(pass, &output, pass->plan->n_rows);
}
