/* The forward pass against the same network in plain double arithmetic: softmax over all positions at once, no pages, no
 * splits, no order of sums. Equal bits that are wrong are still wrong. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/gguf_make.h"
#include "support/network.h"
#include "support/support.h"

/* ---- the network in double */

static double *make(size_t n)
{
    double *memory = calloc(n, sizeof *memory);
    assert_non_null(memory);
    return memory;
}

static double at(const struct lli_matrix *m, size_t i)
{
    float x;
    memcpy(&x, m->data + i * sizeof x, sizeof x);
    return (double)x;
}

/* out = w[mat] x + bias; bias may have no data. */
static void multiply(double *out, const struct lli_matrix *w, size_t mat, const double *x, const struct lli_matrix *bias)
{
    for (size_t o = 0; o < w->n_out; o++) {
        out[o] = bias && bias->data ? at(bias, o) : 0;
        for (size_t k = 0; k < w->n_in; k++)
            out[o] += at(w, (mat * w->n_out + o) * w->n_in + k) * x[k];
    }
}

static void norm(double *out, const double *x, const struct lli_matrix *gain, const struct lli_config *c)
{
    double squares = 0;
    for (size_t i = 0; i < c->n_embd; i++)
        squares += x[i] * x[i];
    for (size_t i = 0; i < c->n_embd; i++)
        out[i] = x[i] / sqrt(squares / c->n_embd + (double)c->norm_eps) * at(gain, i);
}

/* YaRN: the share of pair i that keeps its own frequency. */
static double keep(const struct lli_rope *r, size_t i)
{
    double pi = 3.14159265358979323846, d = r->n_dims, low, high, x;
    low = floor(d * log(r->original_length / (r->yarn_beta_fast * 2 * pi)) / (2 * log(r->base)));
    high = ceil(d * log(r->original_length / (r->yarn_beta_slow * 2 * pi)) / (2 * log(r->base)));
    low = low < 0 ? 0 : low;
    high = high > d - 1 ? d - 1 : high;
    x = ((double)i - low) / fmax(0.001, high - low);
    return (1 - fmin(1, fmax(0, x))) * r->yarn_ext_factor;
}

static void rotate(double *x, size_t n_heads, const struct network *n, size_t pos)
{
    const struct lli_rope *r = &n->config.rope;
    const struct lli_matrix *freqs = &n->weights.at[LLI_ROPE_FREQS];
    for (size_t h = 0; h < n_heads; h++)
        for (size_t i = 0; i < r->n_dims / 2; i++) {
            double *head = x + h * n->config.head_dim, theta = pow(r->base, -2.0 * (double)i / r->n_dims), scale = 1;
            size_t a = r->pairs == LLI_ROPE_ADJACENT ? 2 * i : i, b = r->pairs == LLI_ROPE_ADJACENT ? a + 1 : a + r->n_dims / 2;
            double x0 = head[a], x1 = head[b], c, s;
            theta /= freqs->data ? at(freqs, i) : 1;
            if (r->scaling == LLI_ROPE_LINEAR)
                theta /= r->factor;
            if (r->scaling == LLI_ROPE_YARN) {
                theta = theta / r->factor * (1 - keep(r, i)) + theta * keep(r, i);
                scale = r->yarn_attn_factor * (1 + 0.1 * log(r->factor));
            }
            c = cos((double)pos * theta) * scale;
            s = sin((double)pos * theta) * scale;
            head[a] = x0 * c - x1 * s;
            head[b] = x0 * s + x1 * c;
        }
}

/* keys, values: [n, kv_dim] of all positions so far. sinks may have no data. */
static void attend(double *out, const double *q, const double *keys, const double *values, size_t n, const struct lli_config *c,
                   const struct lli_matrix *sinks)
{
    size_t kv_dim = (size_t)c->n_kv_heads * c->head_dim, group = c->n_heads / c->n_kv_heads;
    double *p = make(n);
    for (size_t h = 0; h < c->n_heads; h++) {
        const double *key = keys + h / group * c->head_dim, *value = values + h / group * c->head_dim;
        double *o = out + h * c->head_dim, total = 0, top = -INFINITY;
        size_t first = c->window > 0 && n > c->window ? n - c->window : 0;
        for (size_t t = first; t < n; t++) {
            p[t] = 0;
            for (size_t d = 0; d < c->head_dim; d++)
                p[t] += q[h * c->head_dim + d] * key[t * kv_dim + d];
            p[t] /= sqrt(c->head_dim);
            p[t] = c->softcap > 0 ? (double)c->softcap * tanh(p[t] / (double)c->softcap) : p[t];
            top = fmax(top, p[t]);
        }
        for (size_t t = first; t < n; t++)
            total += p[t] = exp(p[t] - top);
        total += sinks->data ? exp(at(sinks, h) - top) : 0;
        for (size_t d = 0; d < c->head_dim; d++) {
            o[d] = 0;
            for (size_t t = first; t < n; t++)
                o[d] += p[t] / total * value[t * kv_dim + d];
        }
    }
    free(p);
}

/* y += share * expert(x) */
static void add_ffn(double *y, double share, const double *x, const struct lli_matrix *m, int gate, int up, int down,
                    size_t mat, const struct lli_config *c)
{
    double *g = make(c->n_ff), *u = make(c->n_ff), *d = make(c->n_embd);
    multiply(g, &m[gate], mat, x, NULL);
    multiply(u, &m[up], mat, x, NULL);
    for (size_t i = 0; i < c->n_ff; i++)
        g[i] = g[i] / (1 + exp(-g[i])) * u[i];
    multiply(d, &m[down], mat, g, NULL);
    for (size_t i = 0; i < c->n_embd; i++)
        y[i] += share * d[i];
    free(g);
    free(u);
    free(d);
}

static void add_experts(double *y, const double *x, const struct lli_matrix *m, const struct lli_config *c)
{
    double *p = make(c->n_experts), total = 0;
    uint32_t rank[64];
    multiply(p, &m[LLI_FFN_ROUTER], 0, x, NULL);
    for (uint32_t e = 0; e < c->n_experts; e++) {
        rank[e] = 0;
        for (uint32_t f = 0; f < c->n_experts; f++)
            rank[e] += p[f] > p[e] || (p[f] == p[e] && f < e);
    }
    for (uint32_t e = 0; e < c->n_experts; e++)
        total += rank[e] < c->n_experts_used ? exp(p[e]) : 0;
    for (uint32_t e = 0; e < c->n_experts; e++)
        if (rank[e] < c->n_experts_used)
            add_ffn(y, exp(p[e]) / total, x, m, LLI_FFN_GATE_EXPS, LLI_FFN_UP_EXPS, LLI_FFN_DOWN_EXPS, e, c);
    free(p);
}

/* logits[n, n_vocab] of ids[n], position by position. */
static void evaluate(const struct network *net, const int32_t *ids, size_t n, double *logits)
{
    const struct lli_config *c = &net->config;
    size_t d = c->n_embd, kv_dim = (size_t)c->n_kv_heads * c->head_dim, q_dim = (size_t)c->n_heads * c->head_dim;
    double *x = make(d), *y = make(d), *q = make(q_dim), *o = make(q_dim), *z = make(d);
    double *keys = make(c->n_layers * n * kv_dim), *values = make(c->n_layers * n * kv_dim);
    for (size_t pos = 0; pos < n; pos++) {
        for (size_t i = 0; i < d; i++)
            x[i] = at(&net->weights.at[LLI_TOKEN_EMBD], (size_t)ids[pos] * d + i);
        for (size_t l = 0; l < c->n_layers; l++) {
            const struct lli_matrix *m = net->weights.layers[l].at;
            double *k = keys + (l * n + pos) * kv_dim, *v = values + (l * n + pos) * kv_dim;
            norm(y, x, &m[LLI_ATTN_NORM], c);
            multiply(q, &m[LLI_ATTN_Q], 0, y, &m[LLI_ATTN_Q_BIAS]);
            multiply(k, &m[LLI_ATTN_K], 0, y, &m[LLI_ATTN_K_BIAS]);
            multiply(v, &m[LLI_ATTN_V], 0, y, &m[LLI_ATTN_V_BIAS]);
            rotate(q, c->n_heads, net, pos);
            rotate(k, c->n_kv_heads, net, pos);
            attend(o, q, keys + l * n * kv_dim, values + l * n * kv_dim, pos + 1, c, &m[LLI_ATTN_SINKS]);
            multiply(z, &m[LLI_ATTN_OUTPUT], 0, o, &m[LLI_ATTN_OUTPUT_BIAS]);
            for (size_t i = 0; i < d; i++)
                x[i] += z[i];
            norm(y, x, &m[LLI_FFN_NORM], c);
            if (c->n_experts)
                add_experts(x, y, m, c);
            else
                add_ffn(x, 1, y, m, LLI_FFN_GATE, LLI_FFN_UP, LLI_FFN_DOWN, 0, c);
        }
        norm(y, x, &net->weights.at[LLI_OUTPUT_NORM], c);
        multiply(logits + pos * c->n_vocab, &net->weights.at[LLI_OUTPUT], 0, y, NULL);
    }
    free(x);
    free(y);
    free(z);
    free(q);
    free(o);
    free(keys);
    free(values);
}

/* ---- the tests: a row each */

static const struct row {
    const char *name;
    struct test_model_spec spec;
    uint32_t n_ids;
    int halves; /* pairs (i, i + d/2) */
    uint32_t window;
    float softcap;
    int has_sinks;
} ROWS[] = {
    {"window", {.seed = 15, .n_context = 600}, 300, 0, 37, 0, 0},
    {"window over splits", {.seed = 16, .n_context = 700}, 650, 0, 270, 0, 0},
    {"soft cap", {.seed = 17}, 60, 0, 0, 0.4f, 0},
    {"window and soft cap", {.seed = 18, .n_embd = 24, .n_heads = 3, .n_kv_heads = 1, .n_context = 600}, 330, 0, 100, 1.5f, 0},
    {"sinks", {.seed = 19, .n_context = 600}, 600, 0, 0, 0, 1},
    {"sinks, window and soft cap", {.seed = 20, .n_heads = 8, .n_context = 600}, 330, 0, 100, 1.5f, 1},
    {"plain", {.seed = 1}, 70, 0, 0, 0, 0},
    {"several splits", {.seed = 2, .n_embd = 24, .n_heads = 3, .n_kv_heads = 1, .n_context = 600}, 530, 0, 0, 0, 0},
    {"one head", {.seed = 3, .n_embd = 10, .n_heads = 1, .n_kv_heads = 1, .n_ff = 33}, 20, 0, 0, 0, 0},
    {"own head size", {.seed = 4, .n_embd = 48, .n_heads = 3, .n_kv_heads = 3, .head_dim = 22}, 33, 0, 0, 0, 0},
    {"halves", {.seed = 5}, 40, 1, 0, 0, 0},
    {"tied", {.seed = 6, .tied = 1}, 17, 0, 0, 0, 0},
    {"biases", {.seed = 7, .biases = 1}, 20, 0, 0, 0, 0},
    {"rope factors", {.seed = 8, .rope_freqs = 1, .rope_base = 500000}, 50, 0, 0, 0, 0},
    {"linear", {.seed = 9, .rope_scaling = "linear", .rope_factor = 4}, 50, 0, 0, 0, 0},
    {"yarn",
     {.seed = 10, .n_embd = 128, .n_heads = 2, .n_kv_heads = 1, .rope_scaling = "yarn", .rope_factor = 4},
     50,
     0,
     0,
     0,
     0},
    {"yarn and factors", {.seed = 11, .rope_freqs = 1, .rope_scaling = "yarn", .rope_factor = 8}, 50, 0, 0, 0, 0},
    {"experts", {.seed = 12, .n_experts = 5, .n_experts_used = 2}, 40, 0, 0, 0, 0},
    {"all experts", {.seed = 13, .n_experts = 3, .n_experts_used = 3}, 20, 0, 0, 0, 0},
    {"one expert", {.seed = 14, .n_experts = 4, .n_experts_used = 1}, 20, 0, 0, 0, 0},
};

static void test_row(void **state)
{
    const struct row *row = *state;
    struct network network;
    struct network_run run;
    uint32_t blocks[64];
    int32_t ids[1024];
    size_t n;
    uint64_t seed = row->spec.seed;
    double *want, error = 0, squares = 0;
    float *got;
    network_make(&network, &row->spec);
    network.config.rope.pairs = row->halves ? LLI_ROPE_HALVES : network.config.rope.pairs;
    network.config.window = row->window;
    network.config.softcap = row->softcap;
    if (row->has_sinks)
        network_add_sinks(&network);
    for (uint32_t i = 0; i < 64; i++)
        blocks[i] = 1 + (i * 13 + 5) % 64;
    for (uint32_t i = 0; i < row->n_ids; i++)
        ids[i] = (int32_t)(support_random(&seed) % network.config.n_vocab);
    n = (size_t)row->n_ids * network.config.n_vocab;
    want = make(n);
    got = malloc(n * sizeof *got);
    assert_non_null(got);
    evaluate(&network, ids, row->n_ids, want);
    assert_int_equal(network_start(&run, &network, LLI_KV_F32, 2, 65), 0);
    assert_int_equal(network_feed(&run, blocks, ids, 0, row->n_ids, 64, got), 0);
    for (size_t i = 0; i < n; i++) {
        error = fmax(error, fabs((double)got[i] - want[i]));
        squares += want[i] * want[i];
    }
    squares = sqrt(squares / (double)n);
    print_message("%s: largest error %.2g of %.2g\n", row->name, error, squares);
    assert_true(squares > 0.1 && error < 2e-5 * squares);
    free(got);
    free(want);
    network_stop(&run);
    network_close(&network);
}

int main(void)
{
    struct CMUnitTest tests[sizeof ROWS / sizeof *ROWS];
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tests[i] =
            (struct CMUnitTest){.name = ROWS[i].name, .test_func = test_row, .initial_state = (void *)(uintptr_t)&ROWS[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
