/* forward/scratch.c - the layout runs twice: once to count, once to cut. */
#include "forward/scratch.h"

#include "base/error.h"
#include "base/size.h"
#include "model/family.h"

enum { ALIGN = 64 };

/* Without a base it only counts. */
struct cutter {
    uint8_t *base;
    size_t used;
    int overflow;
};

static void *cut(struct cutter *c, size_t rows, size_t n, size_t each)
{
    size_t bytes, at = c->used;
    if (lli_size_mul(&bytes, rows, n) || lli_size_mul(&bytes, bytes, each) || lli_size_pad(&bytes, bytes, ALIGN) ||
        lli_size_add(&c->used, at, bytes))
        c->overflow = 1;
    return c->base ? c->base + at : NULL;
}

static float *cut_floats(struct cutter *c, size_t rows, size_t n)
{
    return cut(c, rows, n, sizeof(float));
}

static uint32_t *cut_ids(struct cutter *c, size_t rows, size_t n)
{
    return cut(c, rows, n, sizeof(uint32_t));
}

static struct lli_q8 *cut_q8(struct cutter *c, size_t rows, size_t n)
{
    return cut(c, rows, lli_q8_blocks(n), sizeof(struct lli_q8));
}

static size_t widest_ffn(const struct lli_config *config)
{
    size_t n = config->n_ff > config->n_expert_ff ? config->n_ff : config->n_expert_ff;
    return n > config->n_shared_ff ? n : config->n_shared_ff;
}

static void lay_rows(struct lli_scratch *s, struct cutter *c, const struct lli_config *config, size_t rows, size_t logits)
{
    size_t heads = (size_t)config->n_heads * config->head_dim, kv_heads = (size_t)config->n_kv_heads * config->head_dim;
    size_t ff = widest_ffn(config);
    s->x = cut_floats(c, rows, config->n_embd);
    s->normed = cut_floats(c, rows, config->n_embd);
    s->beside = cut_floats(c, config->is_parallel ? rows : 0, config->n_embd);
    s->q = cut_floats(c, rows, heads);
    s->k = cut_floats(c, rows, kv_heads);
    s->v = cut_floats(c, rows, kv_heads);
    s->attended = cut_floats(c, rows, heads);
    s->gate = cut_floats(c, rows, ff);
    s->up = cut_floats(c, rows, ff);
    s->projected = cut_floats(c, rows, config->n_embd);
    for (int local = 0; local <= (config->window > 0); local++) {
        s->cos[local] = cut_floats(c, rows, config->rope.n_dims / 2);
        s->sin[local] = cut_floats(c, rows, config->rope.n_dims / 2);
    }
    s->logits = cut_floats(c, logits, config->n_vocab);
    s->logit_rows = cut_ids(c, logits, 1);
    s->bad = cut(c, rows, 1, 1);
    s->runs = cut(c, rows, 1, sizeof *s->runs);
    s->logit_runs = cut(c, logits, 1, sizeof *s->logit_runs);
    s->q8 = cut_q8(c, rows, config->n_embd > heads ? config->n_embd : heads);
    s->hidden = cut_q8(c, rows, ff);
}

static void lay_attention(struct lli_scratch *s, struct cutter *c, const struct lli_config *config, size_t rows, size_t workers)
{
    size_t tile = lli_tile_queries(config), parts = lli_tile_parts(workers), heads = config->n_heads;
    if (lli_size_pad(&s->attend_bytes, lli_attend_scratch(config->head_dim), ALIGN))
        c->overflow = 1;
    s->products = cut(c, workers, LLI_MATMUL_SCRATCH, 1);
    s->token_row = cut(c, workers, config->n_embd, 4);
    for (int local = 0; local < 2; local++)
        s->tiles[local] = cut(c, rows, 1, sizeof **s->tiles);
    s->queries = cut(c, workers, tile, sizeof *s->queries);
    s->split = cut_floats(c, workers, tile * config->head_dim);
    s->attend = cut(c, workers, s->attend_bytes, 1);
    s->max = cut_floats(c, rows, heads);
    s->total = cut_floats(c, rows, heads);
    s->part_o = cut_floats(c, parts, heads * config->head_dim);
    s->part_m = cut_floats(c, parts, heads);
    s->part_l = cut_floats(c, parts, heads);
}

static void lay_experts(struct lli_scratch *s, struct cutter *c, const struct lli_config *config, size_t rows)
{
    size_t used = config->n_experts_used, shared = lli_family_may(config->family, 1) >> LLI_FFN_UP_SHARED & 1;
    s->routes = cut_floats(c, rows, config->n_experts);
    s->chosen = cut_ids(c, rows, used);
    s->shares = cut_floats(c, rows, used);
    s->places = cut_ids(c, rows, used);
    s->expert_rows = cut_ids(c, rows, used);
    s->expert_at = cut_ids(c, (size_t)config->n_experts + 1, 1);
    s->gathered = cut_floats(c, rows, config->n_embd);
    s->expert_out = cut_floats(c, rows * (used + shared), config->n_embd);
    s->shared_gate = cut_floats(c, rows, 1);
}

static void lay_out(struct lli_scratch *s, struct cutter *c, const struct lli_config *config, size_t rows, size_t logits,
                    size_t workers)
{
    lay_rows(s, c, config, rows, logits);
    lay_attention(s, c, config, rows, workers);
    if (config->n_experts > 0)
        lay_experts(s, c, config, rows);
}

int lli_scratch_bytes(size_t *out, const struct lli_config *config, uint32_t max_rows, uint32_t max_logits, int n_workers)
{
    struct cutter count = {0};
    struct lli_scratch scratch;
    lay_out(&scratch, &count, config, max_rows, max_logits, (size_t)n_workers);
    *out = count.used;
    return count.overflow ? -1 : 0;
}

int32_t lli_scratch_init(struct lli_scratch *scratch, struct lli_heap *heap, const struct lli_config *config, uint32_t max_rows,
                         uint32_t max_logits, int n_workers, struct llminf_error *err)
{
    struct cutter cutter = {0};
    *scratch = (struct lli_scratch){.heap = heap};
    if (lli_scratch_bytes(&scratch->bytes, config, max_rows, max_logits, n_workers) < 0)
        return lli_fail_memory(err, "buffers of a step", UINT64_MAX);
    scratch->memory = lli_alloc_aligned(heap, scratch->bytes, ALIGN);
    if (!scratch->memory)
        return lli_fail_memory(err, "buffers of a step", scratch->bytes);
    cutter.base = scratch->memory;
    lay_out(scratch, &cutter, config, max_rows, max_logits, (size_t)n_workers);
    return 0;
}

void lli_scratch_finish(struct lli_scratch *scratch)
{
    if (scratch->heap)
        lli_free(scratch->heap, scratch->memory);
    *scratch = (struct lli_scratch){0};
}
