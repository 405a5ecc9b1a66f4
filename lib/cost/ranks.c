/* cost/ranks.c - see ranks.h. */
#include "cost/ranks.h"

#include "base/error.h"
#include "base/slice.h"
#include "llminf/status.h"

/* ---- who holds what ---------------------------------------------------------------------------------------------- */

static struct lli_slice_sizes sizes_of(const struct lli_shape *s)
{
    return (struct lli_slice_sizes){
        .n_layers = s->n_layers,
        .n_heads = s->n_heads,
        .n_kv_heads = s->n_kv_heads,
        .head_dim = s->head_dim,
        .n_ff = s->n_ff,
        .n_vocab = s->n_vocab,
    };
}

/* Parts of the whole. */
struct part {
    double heads, keys, ffn, vocab;
};

static double larger(double part, uint32_t n, uint32_t all)
{
    return part * all < n ? (double)n / all : part;
}

/* The largest part of each that one of the ranks holds. */
static struct part largest(const struct lli_shape *s, uint32_t tp)
{
    const struct lli_slice_sizes sizes = sizes_of(s);
    struct part p = {0};
    for (uint32_t i = 0; i < tp; i++) {
        struct lli_slice slice;
        if (lli_slice_make(&slice, &sizes, tp, i, (struct lli_span){0}, NULL) != LLMINF_OK)
            return (struct part){1, 1, 1, 1}; /* not after lli_ranks_check */
        p.heads = larger(p.heads, slice.heads.n, s->n_heads);
        p.keys = larger(p.keys, slice.kv_heads.n, s->n_kv_heads);
        p.ffn = larger(p.ffn, slice.ff.n, s->n_ff);
        p.vocab = larger(p.vocab, slice.vocab.n, s->n_vocab);
    }
    return p;
}

int32_t lli_ranks_check(const struct lli_ranks *ranks, const struct lli_shape *s, struct llminf_error *err)
{
    const struct lli_slice_sizes sizes = sizes_of(s);
    if (ranks->pp == 0 || ranks->pp > s->n_layers)
        return lli_fail(err, LLMINF_E_OPTION, "pipeline_parallel", "is %u, want 1 to the %u layers", ranks->pp, s->n_layers);
    return lli_slice_check(&sizes, ranks->tp, err);
}

/* With n layers at the last stage the others have the rest, as equal as can be: the longest of them. */
static double longest_stage(double n_layers, double pp, double n, double head)
{
    double others = (double)(uint64_t)((n_layers - n + pp - 2) / (pp - 1));
    return others > n + head ? others : n + head;
}

uint32_t lli_ranks_layers(const struct lli_ranks *ranks, const struct lli_cost *cost, uint32_t n_layers, uint32_t stage)
{
    double layer = (cost->weights.layers + cost->weights.experts) / n_layers, head = layer > 0 ? cost->weights.head / layer : 0;
    uint32_t others = ranks->pp - 1, last = 1;
    if (others == 0)
        return n_layers;
    for (uint32_t n = 2; n + others <= n_layers; n++)
        if (longest_stage(n_layers, ranks->pp, n, head) <= longest_stage(n_layers, ranks->pp, last, head))
            last = n;
    if (stage == others)
        return last;
    return (n_layers - last) / others + (stage < (n_layers - last) % others);
}

void lli_ranks_cost(struct lli_cost *out, const struct lli_ranks *ranks, const struct lli_shape *s, const struct lli_cost *cost,
                    uint32_t stage)
{
    struct part p = largest(s, ranks->tp);
    struct lli_shape_counts n = lli_shape_count(s);
    int is_last = stage + 1 == ranks->pp;
    double queries = (double)s->n_heads / (s->n_heads + s->n_kv_heads); /* q and the output, of the attention's weights */
    double attention = n.attention * (queries * p.heads + (1 - queries) * p.keys);
    double active = n.ffn > 0 && s->n_experts > 0 ? n.ffn * s->n_experts_used / s->n_experts : n.ffn;
    double of_layers = (double)lli_ranks_layers(ranks, cost, s->n_layers, stage) / s->n_layers;
    double dense = s->n_experts > 0 ? 0 : n.ffn, vectors = 4 * (n.vectors + n.router);
    double shared = (attention + dense * p.ffn) / (n.attention + dense);
    *out = *cost;
    if (ranks->tp * ranks->pp == 1)
        return;
    out->body_flops = of_layers * 2 * (attention + active * p.ffn + n.router);
    out->head_flops = is_last ? cost->head_flops * p.vocab : 0;
    out->attention_flops = of_layers * cost->attention_flops * p.heads;
    out->weights.layers = of_layers * ((cost->weights.layers - vectors) * shared + vectors);
    out->weights.experts = of_layers * cost->weights.experts * p.ffn;
    out->weights.head = is_last ? cost->weights.head * p.vocab : 0;
    out->kv_bytes = of_layers * cost->kv_bytes * p.keys;
}

/* ---- what is sent ------------------------------------------------------------------------------------------------ */

double lli_ranks_sums(const struct lli_shape *s)
{
    return s->n_layers * (1.0 + (s->n_experts > 0 ? s->n_experts_used : 1));
}

void lli_ranks_traffic(struct lli_traffic *out, const struct lli_ranks *ranks, const struct lli_shape *s,
                       const struct lli_load *load)
{
    double row = 4.0 * s->n_embd, logits = 4.0 * s->n_vocab * load->logits, tp = ranks->tp, pp = ranks->pp;
    *out = (struct lli_traffic){0};
    if (tp > 1) {
        out->messages += 2.0 * s->n_layers;
        out->bytes += lli_ranks_sums(s) * row * load->rows;
    }
    out->messages += pp - 1;
    out->bytes += (pp - 1) * row * load->rows;
    if (load->logits > 0 && tp * pp > 1) {
        out->messages += 1;
        out->bytes += pp > 1 ? logits : logits * (tp - 1) / tp; /* the first rank has its own already */
    }
}

double lli_ranks_traffic_ns(const struct lli_ranks *ranks, const struct lli_traffic *traffic)
{
    return traffic->messages * ranks->link_ns + (ranks->link_bytes > 0 ? traffic->bytes / ranks->link_bytes * 1e9 : 0);
}

/* ---- time -------------------------------------------------------------------------------------------------------- */

double lli_ranks_step_ns(const struct lli_ranks *ranks, const struct lli_shape *s, const struct lli_cost *cost,
                         const struct lli_rates *rates, const struct lli_load *load)
{
    double n_plans = load->seqs < ranks->pp ? (load->seqs > 1 ? load->seqs : 1) : ranks->pp, sum = 0, slowest = 0;
    struct lli_load part = {
        .rows = load->rows / n_plans,
        .seqs = load->seqs / n_plans,
        .logits = load->logits / n_plans,
        .contexts = load->contexts / n_plans,
        .positions = load->positions / n_plans,
        .window = load->window,
        .local_contexts = load->local_contexts / n_plans,
        .local_positions = load->local_positions / n_plans,
    };
    struct lli_traffic traffic;
    lli_ranks_traffic(&traffic, ranks, s, &part);
    double sent = lli_ranks_traffic_ns(ranks, &traffic) / ranks->pp;
    for (uint32_t stage = 0; stage < ranks->pp; stage++) {
        struct lli_cost own;
        lli_ranks_cost(&own, ranks, s, cost, stage);
        double ns = lli_cost_step_ns(&own, rates, &part) + sent;
        sum += ns;
        slowest = ns > slowest ? ns : slowest;
    }
    return sum > n_plans * slowest ? sum : n_plans * slowest; /* one plan through all stages, all plans through the slowest */
}

double lli_ranks_prefill_ns(const struct lli_ranks *ranks, const struct lli_shape *s, const struct lli_cost *cost,
                            const struct lli_rates *rates, double n, double step_rows)
{
    double n_plans = (double)(uint64_t)((n + step_rows - 1) / step_rows), slowest = 0;
    struct lli_load all = {.rows = n, .logits = 1};
    struct lli_traffic traffic;
    lli_ranks_traffic(&traffic, ranks, s, &all);
    traffic.messages *= n_plans;
    for (uint32_t stage = 0; stage < ranks->pp; stage++) {
        struct lli_cost own;
        lli_ranks_cost(&own, ranks, s, cost, stage);
        double ns = lli_cost_prefill_ns(&own, rates, n, step_rows);
        slowest = ns > slowest ? ns : slowest;
    }
    slowest += lli_ranks_traffic_ns(ranks, &traffic) / ranks->pp;
    return slowest * (n_plans + ranks->pp - 1) / n_plans;
}

double lli_ranks_bubble(uint32_t stages, double n)
{
    return n > 0 ? (stages - 1) / (n + stages - 1) : 0;
}
