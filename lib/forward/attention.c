/* forward/attention.c - q, k and v; k and v into the cache; every row against the cache; back into the stream. */
#include "forward/attention.h"

#include "forward/attend.h"
#include "forward/linear.h"

/* ---- rotate and store */

static void rotate_and_store(const struct lli_pass *pass, uint32_t layer, size_t row)
{
    const struct lli_config *c = pass->config;
    const struct lli_scratch *s = &pass->scratch;
    const struct lli_row *r = &pass->plan->rows[row];
    size_t n_pairs = pass->rotary.n_pairs, kv_dim = (size_t)c->n_kv_heads * c->head_dim;
    lli_rope_fn *rope = c->rope.pairs == LLI_ROPE_ADJACENT ? pass->kernels.rope_adjacent : pass->kernels.rope_halves;
    float *q = s->q + row * c->n_heads * c->head_dim, *k = s->k + row * kv_dim, *v = s->v + row * kv_dim;
    rope(q, c->n_heads, c->head_dim, s->cos + row * n_pairs, s->sin + row * n_pairs, n_pairs);
    rope(k, c->n_kv_heads, c->head_dim, s->cos + row * n_pairs, s->sin + row * n_pairs, n_pairs);
    if (!(r->flags & LLI_ROW_NO_STORE)) {
        uint32_t block = pass->plan->seqs[r->seq].blocks[r->pos / LLI_PAGE_TOKENS];
        if (pass->kernels.kv_store[pass->pages.type](lli_pages_k(&pass->pages, block, layer),
                                                     lli_pages_v(&pass->pages, block, layer), k, v, c->n_kv_heads, c->head_dim,
                                                     r->pos % LLI_PAGE_TOKENS) < 0)
            lli_pass_mark(pass, row);
    }
}

/* The rows of a tile share pages: two workers would fight for their lines. */
static void store_tile(const struct lli_pass *pass, const void *arg, size_t i, int worker)
{
    const struct lli_tile *tile = &pass->tiling.tiles[i];
    (void)worker;
    for (uint32_t row = tile->first_row; row < tile->first_row + tile->n_rows; row++)
        rotate_and_store(pass, *(const uint32_t *)arg, row);
}

/* ---- the stages */

void lli_attention_run(const struct lli_pass *pass, uint32_t layer)
{
    const struct lli_config *c = pass->config;
    const struct lli_matrix *at = pass->weights->layers[layer].at;
    const struct lli_scratch *s = &pass->scratch;
    size_t n_rows = pass->plan->n_rows;
    const struct lli_linear qkv[] = {
        {.w = &at[LLI_ATTN_Q],
         .bias = lli_pass_vector(pass, layer, LLI_ATTN_Q_BIAS),
         .out = s->q,
         .input = s->normed,
         .q8 = &s->q8},
        {.w = &at[LLI_ATTN_K],
         .bias = lli_pass_vector(pass, layer, LLI_ATTN_K_BIAS),
         .out = s->k,
         .input = s->normed,
         .q8 = &s->q8},
        {.w = &at[LLI_ATTN_V],
         .bias = lli_pass_vector(pass, layer, LLI_ATTN_V_BIAS),
         .out = s->v,
         .input = s->normed,
         .q8 = &s->q8},
    };
    const struct lli_linear output = {.w = &at[LLI_ATTN_OUTPUT],
                                      .bias = lli_pass_vector(pass, layer, LLI_ATTN_OUTPUT_BIAS),
                                      .out = s->projected,
                                      .add_to = s->x,
                                      .input = s->attended,
                                      .q8 = &s->q8};

    lli_linear_take_normed(pass, layer, LLI_ATTN_NORM, lli_linear_wants_q8(qkv, 3));
    lli_linear_run(pass, &(struct lli_stage){.list = qkv, .n = 3, .n_rows = n_rows});
    lli_pass_share(pass, store_tile, &layer, (size_t)pass->tiling.n_walked + pass->tiling.n_spread);
    lli_attend_run(pass, layer);
    lli_linear_take_rows(pass, s->attended, (size_t)c->n_heads * c->head_dim, lli_linear_wants_q8(&output, 1));
    lli_linear_run(pass, &(struct lli_stage){.list = &output, .n = 1, .n_rows = n_rows});
}
