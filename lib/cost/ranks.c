/* cost/ranks.c - see ranks.h. */
#include "cost/ranks.h"

#include "base/error.h"
#include "base/segments.h"

enum { VOCAB_ROWS = 16 }; /* of the output matrix, that stay together */

/* ---- who holds what ---------------------------------------------------------------------------------------------- */

/* Where rank r of tp begins in a K of n elements: at a segment. */
static uint32_t cut(uint32_t n, uint32_t tp, uint32_t r)
{
    return (uint32_t)lli_segment_cut(n, (size_t)LLI_N_SEGMENTS / tp * r);
}

static uint32_t longest(uint32_t n, uint32_t tp)
{
    uint32_t most = 0;
    for (uint32_t r = 0; r < tp; r++) {
        uint32_t length = cut(n, tp, r + 1) - cut(n, tp, r);
        most = length > most ? length : most;
    }
    return most;
}

/* Heads of K and V that the query heads first .. last - 1 use. */
static uint32_t used(const struct lli_shape *s, uint32_t first, uint32_t last)
{
    uint32_t group = s->n_heads / s->n_kv_heads;
    return last > first ? (last - 1) / group - first / group + 1 : 0;
}

/* Parts of the whole. */
struct part {
    double heads, keys, ffn, vocab;
};

static struct part largest(const struct lli_shape *s, uint32_t tp)
{
    uint32_t width = s->n_heads * s->head_dim, keys = 0, groups = (s->n_vocab + VOCAB_ROWS - 1) / VOCAB_ROWS;
    double vocab = (double)((groups + tp - 1) / tp) * VOCAB_ROWS / s->n_vocab;
    for (uint32_t r = 0; r < tp; r++) {
        uint32_t n = used(s, cut(width, tp, r) / s->head_dim, cut(width, tp, r + 1) / s->head_dim);
        keys = n > keys ? n : keys;
    }
    return (struct part){
        .heads = (double)longest(width, tp) / width,
        .keys = (double)keys / s->n_kv_heads,
        .ffn = (double)longest(s->n_ff, tp) / s->n_ff,
        .vocab = vocab < 1 ? vocab : 1,
    };
}

int32_t lli_ranks_check(const struct lli_ranks *ranks, const struct lli_shape *s, struct llminf_error *err)
{
    uint32_t tp = ranks->tp, width = s->n_heads * s->head_dim;
    if (tp == 0 || tp > LLI_N_SEGMENTS || LLI_N_SEGMENTS % tp != 0)
        return lli_fail(err, LLMINF_E_OPTION, "tensor_parallel", "is %u, want 1, 2, 4 or 8", tp);
    if (ranks->pp == 0 || ranks->pp > s->n_layers)
        return lli_fail(err, LLMINF_E_OPTION, "pipeline_parallel", "is %u, want 1 to the %u layers", ranks->pp, s->n_layers);
    if (s->n_heads % tp != 0)
        return lli_fail(err, LLMINF_E_OPTION, "tensor_parallel", "%u ranks cannot share %u heads", tp, s->n_heads);
    if (s->n_kv_heads % tp != 0 && tp % s->n_kv_heads != 0)
        return lli_fail(err, LLMINF_E_OPTION, "tensor_parallel", "%u ranks cannot share %u heads of K and V", tp,
                        s->n_kv_heads);
    for (uint32_t r = 1; r < tp; r++)
        if (cut(width, tp, r) % s->head_dim != 0)
            return lli_fail(err, LLMINF_E_OPTION, "tensor_parallel", "%u ranks would cut inside a head of %u, at %u of %u", tp,
                            s->head_dim, cut(width, tp, r), width);
    return LLMINF_OK;
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
    struct lli_load part = {load->rows / n_plans, load->seqs / n_plans, load->logits / n_plans, load->contexts / n_plans,
                            load->positions / n_plans};
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
