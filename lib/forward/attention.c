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
            s->bad[row] = 1;
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
        {&at[LLI_ATTN_Q], lli_pass_vector(pass, layer, LLI_ATTN_Q_BIAS), s->q, NULL, s->normed, 0},
        {&at[LLI_ATTN_K], lli_pass_vector(pass, layer, LLI_ATTN_K_BIAS), s->k, NULL, s->normed, 0},
        {&at[LLI_ATTN_V], lli_pass_vector(pass, layer, LLI_ATTN_V_BIAS), s->v, NULL, s->normed, 0},
    };
    const struct lli_linear output = {
        &at[LLI_ATTN_OUTPUT], lli_pass_vector(pass, layer, LLI_ATTN_OUTPUT_BIAS), s->projected, s->x, s->attended, 0};

    lli_linear_take_normed(pass, layer, LLI_ATTN_NORM, lli_linear_wants_q8(qkv, 3));
    lli_linear_run(pass, qkv, 3, n_rows);
    lli_pass_share(pass, store_tile, &layer, (size_t)pass->tiling.n_walked + pass->tiling.n_spread);
    lli_attend_run(pass, layer);
    lli_linear_take_rows(pass, s->attended, (size_t)c->n_heads * c->head_dim, lli_linear_wants_q8(&output, 1));
    lli_linear_run(pass, &output, 1, n_rows);
}
