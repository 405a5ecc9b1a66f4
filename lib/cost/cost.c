/* cost/cost.c - see cost.h. */
#include "cost/cost.h"

#include "base/mathx.h"

#define NS 1e9

void lli_cost_init(struct lli_cost *out, const struct lli_shape *shape, const struct lli_weight_bytes *weights, double kv_bytes)
{
    *out = (struct lli_cost){
        .body_flops = lli_shape_body_flops(shape),
        .head_flops = lli_shape_head_flops(shape),
        .attention_flops = lli_shape_attention_flops(shape),
        .weights = *weights,
        .experts = shape->n_experts,
        .experts_used = shape->n_experts_used,
        .kv_bytes = kv_bytes,
        .window = shape->n_local > 0 ? shape->window : 0,
        .local = shape->n_local > 0 ? (double)shape->n_local / shape->n_layers : 0,
    };
}

void lli_load_add(struct lli_load *load, double first, double n_rows, double n_logits)
{
    load->rows += n_rows;
    load->seqs++;
    load->logits += n_logits;
    load->contexts += n_rows * first + n_rows * (n_rows + 1) / 2;
    load->positions += first + n_rows;
    if (load->window <= 0)
        return;
    double n_short = load->window - first < n_rows ? load->window - first : n_rows; /* rows that see all */
    n_short = n_short > 0 ? n_short : 0;
    load->local_contexts += n_short * first + n_short * (n_short + 1) / 2 + (n_rows - n_short) * load->window;
    load->local_positions += (first < load->window - 1 ? first : load->window - 1) + n_rows;
}

/* Of what all layers would do, with windows in some. */
static double seen(const struct lli_cost *c, double all, double local)
{
    return (1 - c->local) * all + c->local * local;
}

double lli_cost_attention_bytes(const struct lli_cost *c, const struct lli_load *load)
{
    return c->kv_bytes * seen(c, load->positions, load->local_positions);
}

double lli_cost_attention_flops(const struct lli_cost *c, const struct lli_load *load)
{
    return c->attention_flops * seen(c, load->contexts, load->local_contexts);
}

/* Exact where base^n is. */
static double power(double base, double n)
{
    double out = 1;
    for (uint64_t i = n < 1e9 ? (uint64_t)n : (uint64_t)1e9; i > 0; i /= 2, base *= base)
        out *= i % 2 ? base : 1;
    return out;
}

double lli_cost_experts(double n_experts, double n_used, double rows)
{
    return n_experts > 0 ? n_experts * (1 - power(1 - n_used / n_experts, rows)) : 0;
}

/* ---- a step ------------------------------------------------------------------------------------------------------ */

static double layer_bytes(const struct lli_cost *c, double rows)
{
    double met = c->experts > 0 ? lli_cost_experts(c->experts, c->experts_used, rows) / c->experts : 0;
    return rows > 0 ? c->weights.layers + met * c->weights.experts : 0;
}

static double head_bytes(const struct lli_cost *c, double logits)
{
    return logits > 0 ? c->weights.head : 0;
}

double lli_cost_weight_bytes(const struct lli_cost *c, double rows)
{
    return layer_bytes(c, rows) + head_bytes(c, rows);
}

double lli_cost_overlap(double p, double a, double b)
{
    double high = a > b ? a : b, low = a > b ? b : a;
    return p > 0 && low > 0 ? high * lli_pow_f64(1 + lli_pow_f64(low / high, p), 1 / p) : high;
}

static double both(int *is_read, double overlap, double bytes, double flops, double bytes_rate, double flops_rate)
{
    double read = bytes / bytes_rate * NS, computed = flops / flops_rate * NS;
    *is_read = read > computed;
    return lli_cost_overlap(overlap, read, computed);
}

void lli_cost_step(struct lli_step_cost *out, const struct lli_cost *c, const struct lli_rates *r, const struct lli_load *load)
{
    double p = r->overlap;
    out->fixed = r->step_ns + r->seq_ns * load->seqs;
    out->layers = both(&out->layers_read, p, layer_bytes(c, load->rows), c->body_flops * load->rows, r->bytes, r->flops);
    out->head = both(&out->head_read, p, head_bytes(c, load->logits), c->head_flops * load->logits, r->bytes, r->flops);
    out->attention = both(&out->attention_read, p, lli_cost_attention_bytes(c, load), lli_cost_attention_flops(c, load),
                          r->kv_bytes > 0 ? r->kv_bytes : r->bytes, r->attention_flops);
}

double lli_cost_step_ns(const struct lli_cost *c, const struct lli_rates *r, const struct lli_load *load)
{
    struct lli_step_cost step;
    lli_cost_step(&step, c, r, load);
    return step.fixed + step.layers + step.head + step.attention;
}

double lli_cost_step_flops(const struct lli_cost *c, const struct lli_load *load)
{
    return c->body_flops * load->rows + c->head_flops * load->logits + lli_cost_attention_flops(c, load);
}

double lli_cost_step_bytes(const struct lli_cost *c, const struct lli_load *load)
{
    return layer_bytes(c, load->rows) + head_bytes(c, load->logits) + lli_cost_attention_bytes(c, load);
}

double lli_cost_prefill_ns(const struct lli_cost *c, const struct lli_rates *r, double n, double step_rows)
{
    double n_full = (double)(uint64_t)(n / step_rows), rest = n - n_full * step_rows, ns = 0;
    const struct lli_load full = {.rows = step_rows, .seqs = 1}, last = {.rows = rest, .seqs = 1};
    struct lli_load once = {.window = c->window};
    lli_load_add(&once, 0, n, 1);
    once.rows = 0; /* its logits and its attention, once for all steps */
    ns = n_full * lli_cost_step_ns(c, r, &full) + (rest > 0 ? lli_cost_step_ns(c, r, &last) : 0);
    once.seqs = 0;
    return ns + lli_cost_step_ns(c, r, &once) - r->step_ns;
}

double lli_cost_rows(const struct lli_cost *c, const struct lli_rates *r, const struct lli_load *load, double first,
                     double most, double ns)
{
    double low = 0, high = most + 1; /* low fits, high does not */
    while (high - low > 1) {
        double middle = (double)(uint64_t)((low + high) / 2);
        struct lli_load more = *load;
        lli_load_add(&more, first, middle, 0);
        if (lli_cost_step_ns(c, r, &more) <= ns)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* ---- figures ----------------------------------------------------------------------------------------------------- */

double lli_cost_b_star(const struct lli_rates *rates, double weight_bytes)
{
    return rates->flops * weight_bytes / (2 * rates->bytes);
}

double lli_cost_drafts(double a, uint32_t gamma)
{
    double n = 0;
    for (uint32_t i = 0; i <= gamma; i++)
        n = n * a + 1;
    return n;
}
