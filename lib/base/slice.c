/* base/slice.c - see slice.h. What is refused is looked for on all ranks, so that they agree. */
#include "base/slice.h"

#include "base/error.h"
#include "llminf/status.h"

#define KEY "tensor_parallel"

/* K between two segments. */
static struct lli_span span_of(uint32_t n, uint32_t first_segment, uint32_t n_segments)
{
    uint32_t first = (uint32_t)lli_segment_cut(n, first_segment);
    return (struct lli_span){first, (uint32_t)lli_segment_cut(n, first_segment + n_segments) - first};
}

static uint32_t vocab_at(uint32_t n, uint32_t tp, uint32_t index)
{
    uint64_t n_groups = ((uint64_t)n + LLI_SLICE_VOCAB - 1) / LLI_SLICE_VOCAB;
    uint64_t at = LLI_SLICE_VOCAB * (index * n_groups / tp);
    return at < n ? (uint32_t)at : n;
}

static struct lli_span heads_of(const struct lli_slice_sizes *sizes, uint32_t tp, uint32_t index)
{
    struct lli_span k = span_of(sizes->n_heads * sizes->head_dim, LLI_N_SEGMENTS / tp * index, LLI_N_SEGMENTS / tp);
    return (struct lli_span){k.first / sizes->head_dim, k.n / sizes->head_dim};
}

/* The rank's heads of K and V each have all their queries, or it has queries of one alone: so all have as many here. */
static int is_even(const struct lli_slice_sizes *sizes, const struct lli_span *heads)
{
    uint32_t group = sizes->n_heads / sizes->n_kv_heads, end = heads->first + heads->n;
    if (heads->n == 0 || (heads->first % group == 0 && end % group == 0))
        return 1;
    return heads->first / group == (end - 1) / group;
}

int32_t lli_slice_check(const struct lli_slice_sizes *sizes, uint32_t tp, struct llminf_error *err)
{
    uint32_t n = sizes->n_heads, n_kv = sizes->n_kv_heads, width = n * sizes->head_dim;
    if (tp != 1 && tp != 2 && tp != 4 && tp != LLI_MAX_TP)
        return lli_fail(err, LLMINF_E_OPTION, KEY, "%u ranks, want 1, 2, 4 or 8", tp);
    if (tp == 1)
        return LLMINF_OK;
    if (n % tp != 0)
        return lli_fail(err, LLMINF_E_OPTION, KEY, "%u ranks do not divide %u heads", tp, n);
    if (n_kv % tp != 0 && tp % n_kv != 0)
        return lli_fail(err, LLMINF_E_OPTION, KEY, "%u ranks neither divide %u heads of keys and values nor are a multiple",
                        tp, n_kv);
    for (uint32_t i = 1; i < tp; i++) {
        uint32_t at = (uint32_t)lli_segment_cut(width, LLI_N_SEGMENTS / tp * i);
        if (at % sizes->head_dim != 0)
            return lli_fail(err, LLMINF_E_OPTION, KEY, "%u ranks cut %u heads of %u at %u, inside head %u", tp, n,
                            sizes->head_dim, at, at / sizes->head_dim);
    }
    for (uint32_t i = 0; i < tp; i++) {
        struct lli_span heads = heads_of(sizes, tp, i);
        if (!is_even(sizes, &heads))
            return lli_fail(err, LLMINF_E_OPTION, KEY, "%u ranks give heads %u to %u to one, of %u for each head of keys", tp,
                            heads.first, heads.first + heads.n - 1, n / n_kv);
    }
    return 0;
}

int32_t lli_slice_make(struct lli_slice *out, const struct lli_slice_sizes *sizes, uint32_t tp, uint32_t index,
                       struct lli_span layers, struct llminf_error *err)
{
    uint32_t group = sizes->n_heads / sizes->n_kv_heads;
    if (layers.n == 0)
        layers = (struct lli_span){0, sizes->n_layers};
    int32_t status = lli_slice_check(sizes, tp, err);
    if (status)
        return status;
    uint32_t n = LLI_N_SEGMENTS / tp, first = index * n;
    *out = (struct lli_slice){
        .tp = tp,
        .index = index,
        .first_segment = first,
        .n_segments = n,
        .layers = layers,
        .is_first = layers.first == 0,
        .is_last = layers.first + layers.n == sizes->n_layers,
        .heads = heads_of(sizes, tp, index),
        .attended = span_of(sizes->n_heads * sizes->head_dim, first, n),
        .ff = span_of(sizes->n_ff, first, n),
        .expert_ff = span_of(sizes->n_expert_ff, first, n),
        .shared_ff = span_of(sizes->n_shared_ff, first, n),
        .vocab = {vocab_at(sizes->n_vocab, tp, index), 0},
    };
    out->vocab.n = vocab_at(sizes->n_vocab, tp, index + 1) - out->vocab.first;
    out->kv_heads.first = out->heads.first / group;
    out->kv_heads.n = out->heads.n > 0 ? (out->heads.first + out->heads.n - 1) / group + 1 - out->kv_heads.first : 0;
    return 0;
}
