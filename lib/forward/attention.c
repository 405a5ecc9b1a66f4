/* forward/attention.c - q, k and v; k and v into the cache; every row against the cache; back into the stream.
 *
 * Pages are read where they lie: nothing is gathered, and no buffer grows with the context. The query heads that share a
 * key head go together, so its pages are read once. Splits and their merging: docs/numerics.md. */
#include "forward/attention.h"

#include <string.h>

#include "forward/linear.h"

/* ---- rotate and store */

static void rotate_and_store(const struct lli_pass *pass, const void *arg, size_t row, int worker)
{
    const struct lli_config *c = pass->config;
    const struct lli_scratch *s = &pass->scratch;
    const struct lli_row *r = &pass->plan->rows[row];
    const uint32_t layer = *(const uint32_t *)arg;
    size_t n_pairs = pass->rotary.n_pairs, kv_dim = (size_t)c->n_kv_heads * c->head_dim;
    lli_rope_fn *rope = c->rope.pairs == LLI_ROPE_ADJACENT ? pass->kernels.rope_adjacent : pass->kernels.rope_halves;
    float *q = s->q + row * c->n_heads * c->head_dim, *k = s->k + row * kv_dim, *v = s->v + row * kv_dim;
    (void)worker;
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

/* ---- attend */

/* One row's query heads of one key head. */
struct query {
    const float *q; /* [group, head_dim] */
    const uint32_t *blocks;
    uint32_t layer, kv_head;
    size_t group, head_dim;
    float scale;
    float *scores; /* [group, 256] */
};

static size_t min_size(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Positions first .. first + n - 1, which are one split: out[group, head_dim] is their weighted V. */
static void attend_split(const struct lli_pass *pass, const struct query *u, size_t first, size_t n, float *out, float *max,
                         float *total)
{
    const struct lli_pages *pages = &pass->pages;
    const struct lli_kernels *kernels = &pass->kernels;
    const uint32_t *blocks = u->blocks + first / LLI_PAGE_TOKENS;
    size_t head_at = u->kv_head * pages->head_bytes;
    for (size_t t = 0; t < n; t += LLI_PAGE_TOKENS) {
        const uint8_t *k = lli_pages_k(pages, blocks[t / LLI_PAGE_TOKENS], u->layer) + head_at;
        kernels->scores[pages->type](u->scores + t, LLI_SPLIT_TOKENS, u->q, u->group, k, u->head_dim, u->scale);
    }
    for (size_t h = 0; h < u->group; h++)
        kernels->exp(u->scores + h * LLI_SPLIT_TOKENS, n, &max[h], &total[h]);
    memset(out, 0, u->group * u->head_dim * sizeof *out);
    for (size_t t = 0; t < n; t += LLI_PAGE_TOKENS) {
        const uint8_t *v = lli_pages_v(pages, blocks[t / LLI_PAGE_TOKENS], u->layer) + head_at;
        kernels->values[pages->type](out, u->scores + t, LLI_SPLIT_TOKENS, u->group, v, min_size(LLI_PAGE_TOKENS, n - t),
                                     u->head_dim);
    }
}

/* Splits meet in ascending order; the first one sets out, maxima and totals. */
static void attend(const struct lli_pass *pass, const void *arg, size_t piece, int worker)
{
    const struct lli_config *c = pass->config;
    const struct lli_scratch *s = &pass->scratch;
    size_t row = piece / c->n_kv_heads, kv_head = piece % c->n_kv_heads, group = c->n_heads / c->n_kv_heads;
    const struct lli_row *r = &pass->plan->rows[row];
    size_t at = (row * c->n_heads + kv_head * group) * c->head_dim, mine = (size_t)worker * group, n = (size_t)r->pos + 1;
    float *out = s->attended + at, *split = s->split + mine * c->head_dim;
    float *max = s->max + 2 * mine, *total = s->total + 2 * mine;
    struct query u = {
        .q = s->q + at,
        .blocks = pass->plan->seqs[r->seq].blocks,
        .layer = *(const uint32_t *)arg,
        .kv_head = (uint32_t)kv_head,
        .group = group,
        .head_dim = c->head_dim,
        .scale = 1.0f / __builtin_sqrtf((float)c->head_dim),
        .scores = s->scores + mine * LLI_SPLIT_TOKENS,
    };
    attend_split(pass, &u, 0, min_size(n, LLI_SPLIT_TOKENS), out, max, total);
    for (size_t first = LLI_SPLIT_TOKENS; first < n; first += LLI_SPLIT_TOKENS) {
        attend_split(pass, &u, first, min_size(n - first, LLI_SPLIT_TOKENS), split, max + group, total + group);
        for (size_t h = 0; h < group; h++)
            pass->kernels.merge(out + h * c->head_dim, &max[h], &total[h], split + h * c->head_dim, max[group + h],
                                total[group + h], c->head_dim);
    }
    for (size_t h = 0; h < group; h++)
        pass->kernels.divide(out + h * c->head_dim, out + h * c->head_dim, total[h], c->head_dim);
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
    lli_pass_share(pass, rotate_and_store, &layer, n_rows);
    lli_pass_share(pass, attend, &layer, n_rows * c->n_kv_heads);
    lli_linear_take_rows(pass, s->attended, (size_t)c->n_heads * c->head_dim, lli_linear_wants_q8(&output, 1));
    lli_linear_run(pass, &(struct lli_stage){.list = &output, .n = 1, .n_rows = n_rows});
}
