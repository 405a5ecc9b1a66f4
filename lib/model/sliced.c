/* model/sliced.c - see sliced.h. */
#include "model/sliced.h"

#include <string.h>

#include "base/error.h"

struct lli_slice_sizes lli_sliced_sizes(const struct lli_config *config)
{
    return (struct lli_slice_sizes){
        .n_layers = config->n_layers,
        .n_heads = config->n_heads,
        .n_kv_heads = config->n_kv_heads,
        .head_dim = config->head_dim,
        .n_ff = config->n_ff,
        .n_expert_ff = config->n_expert_ff,
        .n_shared_ff = config->n_shared_ff,
        .n_vocab = config->n_vocab,
    };
}

void lli_sliced_config(struct lli_config *out, const struct lli_config *config, const struct lli_slice *slice)
{
    *out = *config;
    out->n_layers = slice->layers.n;
    out->n_heads = slice->heads.n;
    out->n_kv_heads = slice->kv_heads.n;
    out->n_ff = slice->ff.n;
    out->n_expert_ff = slice->expert_ff.n;
    out->n_shared_ff = slice->shared_ff.n;
    out->n_vocab = slice->is_last ? slice->vocab.n : 0;
    memset(out->global_layers, 0, sizeof out->global_layers);
    for (uint32_t i = 0; i < slice->layers.n; i++) {
        uint32_t at = slice->layers.first + i;
        out->global_layers[i / 64] |= (config->global_layers[at / 64] >> at % 64 & 1) << i % 64;
    }
}

/* ---- matrices */

/* What the slice has of each kind of side. */
struct sides {
    struct lli_span at[LLI_N_EXTENTS];
    uint32_t cut; /* bit per extent */
};

static void cut(struct sides *s, enum lli_extent extent, struct lli_span span)
{
    s->at[extent] = span;
    s->cut |= 1u << extent;
}

static void cut_sides(struct sides *s, const struct lli_config *c, const struct lli_slice *slice)
{
    struct lli_span kv = {slice->kv_heads.first * c->head_dim, slice->kv_heads.n * c->head_dim};
    *s = (struct sides){.cut = 0};
    cut(s, LLI_EXTENT_VOCAB, slice->vocab);
    cut(s, LLI_EXTENT_HEADS, slice->attended);
    cut(s, LLI_EXTENT_KV_HEADS, kv);
    cut(s, LLI_EXTENT_EACH_HEAD, slice->heads);
    cut(s, LLI_EXTENT_FF, slice->ff);
    cut(s, LLI_EXTENT_EXPERT_FF, slice->expert_ff);
    cut(s, LLI_EXTENT_SHARED_FF, slice->shared_ff);
    if (c->family->qk_norm == LLI_QK_NORM_EACH_HEAD) {
        cut(s, LLI_EXTENT_Q_NORM_HEADS, slice->heads);
        cut(s, LLI_EXTENT_K_NORM_HEADS, slice->kv_heads);
    }
}

static int is_cut(const struct sides *s, unsigned extent)
{
    return s->cut >> extent & 1;
}

static void narrow(struct lli_matrix *m, int role, const struct sides *s, const struct lli_slice *slice)
{
    const struct lli_role_shape *shape = lli_family_shape((enum lli_role)role);
    size_t bytes = 0;
    if (!m->data || role == LLI_TOKEN_EMBD)
        return;
    if (is_cut(s, shape->sides[1])) {
        bytes += s->at[shape->sides[1]].first * lli_matrix_row_bytes(m);
        m->n_out = s->at[shape->sides[1]].n;
    }
    if (is_cut(s, shape->sides[0])) {
        struct lli_span span = s->at[shape->sides[0]];
        bytes += span.first / m->type->block * m->type->block_bytes;
        m->subtree = (struct lli_subtree){.n_whole = m->n_in,
                                          .first = (uint8_t)slice->first_segment,
                                          .n = (uint8_t)slice->n_segments,
                                          .skip = (uint8_t)(span.first % m->type->block / LLI_SEGMENT_BLOCK)};
        m->n_in = span.n;
    }
    m->data += bytes;
    m->first_block += bytes / m->type->block_bytes;
}

int32_t lli_sliced_weights(struct lli_weights *out, struct lli_heap *heap, const struct lli_config *config,
                           const struct lli_weights *weights, const struct lli_slice *slice, struct llminf_error *err)
{
    size_t n_bytes = slice->layers.n * sizeof *out->layers;
    struct sides sides;
    if (slice->tp > 1 && config->family->qk_norm == LLI_QK_NORM_ALL && weights->layers[0].at[LLI_ATTN_Q_NORM].data)
        return lli_fail(err, LLMINF_E_UNSUPPORTED, "tp", "%u ranks, but %s has norms over all heads of a layer", slice->tp,
                        config->family->name);
    cut_sides(&sides, config, slice);
    *out = (struct lli_weights){.heap = heap, .n_params = weights->n_params, .bytes = weights->bytes, .slice = *slice};
    out->layers = lli_alloc(heap, n_bytes);
    if (!out->layers)
        return lli_fail_memory(err, "layers", n_bytes);
    memcpy(out->layers, weights->layers + slice->layers.first, n_bytes);
    memcpy(out->at, weights->at, sizeof out->at);
    if (!slice->is_last)
        out->at[LLI_OUTPUT].data = NULL;
    for (int role = 0; role < LLI_FIRST_LAYER_ROLE; role++)
        narrow(&out->at[role], role, &sides, slice);
    for (uint32_t i = 0; i < slice->layers.n; i++)
        for (int role = LLI_FIRST_LAYER_ROLE; role < LLI_N_ROLES; role++)
            narrow(&out->layers[i].at[role], role, &sides, slice);
    return 0;
}
