/* A model on several ranks gives the bits that it gives on one (oracle R1; R4 for ranks without a head): threads as ranks, each
 * with a forward of its part, over plans of random sequences. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/registry.h"
#include "llminf/status.h"
#include "model/packings.h"
#include "model/sliced.h"
#include "support/gguf_make.h"
#include "support/network.h"
#include "support/ranks.h"
#include "support/support.h"

#define TIMEOUT_NS 60000000000ll

enum { N_SEQS = 3, N_STEPS = 6, MAX_ROWS = 64, SEQ_BLOCKS = 8 };

enum { GROUP_BLOCKS = N_SEQS * SEQ_BLOCKS, N_BLOCKS = 1 + LLI_GROUPS_MAX * GROUP_BLOCKS };

/* ---- plans: each sequence goes on by some tokens, or rests; some rows want logits */

struct step {
    struct lli_row rows[MAX_ROWS];
    struct lli_seq seqs[N_SEQS];
    struct lli_plan plan;
};

struct script {
    struct step steps[N_STEPS];
    uint32_t tables[LLI_GROUPS_MAX][N_SEQS][SEQ_BLOCKS];
    size_t n_logits; /* of all steps */
};

static void add_seq(struct script *s, struct step *step, uint32_t seq, uint32_t first, uint32_t n, uint32_t n_vocab,
                    uint64_t *seed)
{
    struct lli_plan *plan = &step->plan;
    uint16_t at = (uint16_t)plan->n_seqs++;
    step->seqs[at] = (struct lli_seq){.first_row = plan->n_rows, .n_rows = n};
    for (size_t g = 0; g < LLI_GROUPS_MAX; g++)
        step->seqs[at].blocks[g] = s->tables[g][seq];
    for (uint32_t i = 0; i < n; i++) {
        int is_wanted = i + 1 == n || support_random(seed) % 4 == 0;
        step->rows[plan->n_rows++] = (struct lli_row){.token = (int32_t)(support_random(seed) % n_vocab),
                                                      .pos = first + i,
                                                      .seq = at,
                                                      .flags = is_wanted ? LLI_ROW_LOGITS : 0};
        plan->n_logits += (uint32_t)is_wanted;
    }
}

static void write_script(struct script *s, uint32_t n_vocab, uint64_t seed)
{
    uint32_t lengths[N_SEQS] = {0};
    memset(s, 0, sizeof *s);
    for (uint32_t i = 0; i < LLI_GROUPS_MAX * GROUP_BLOCKS; i++) /* spread */
        s->tables[i / GROUP_BLOCKS][i % N_SEQS][i % GROUP_BLOCKS / N_SEQS] = 1 + i * 7 % (LLI_GROUPS_MAX * GROUP_BLOCKS);
    for (size_t i = 0; i < N_STEPS; i++) {
        struct step *step = &s->steps[i];
        step->plan = (struct lli_plan){.rows = step->rows, .seqs = step->seqs};
        for (uint32_t seq = 0; seq < N_SEQS; seq++) {
            uint32_t n = (uint32_t)(support_random(&seed) % (i % 2 ? 3 : 20));
            if (n > 0)
                add_seq(s, step, seq, lengths[seq], n, n_vocab, &seed);
            lengths[seq] += n;
        }
        s->n_logits += step->plan.n_logits;
    }
}

/* ---- ranks */

struct cluster {
    struct network *network;
    struct lli_packings packings;
    const struct script *script;
    const struct lli_backend *backend; /* NULL: each rank has another */
    int kv_type, ways;
    float *logits; /* [script's, n_vocab]: each rank writes its columns */
};

static const struct lli_backend *backend_of(const struct cluster *c, int32_t rank)
{
    size_t n = 0;
    while (lli_registry_at(n))
        n++;
    return c->backend ? c->backend : lli_registry_at((size_t)rank % n);
}

/* Layers are dealt out as evenly as can be. 0, or OPTION: heads cannot be dealt out to so many. */
static int32_t make_slice(struct lli_slice *out, const struct network *n, uint32_t tp, uint32_t pp, uint32_t rank)
{
    struct lli_slice_sizes sizes = lli_sliced_sizes(&n->config);
    uint32_t stage = rank / tp, first = stage * sizes.n_layers / pp, end = (stage + 1) * sizes.n_layers / pp;
    return lli_slice_make(out, &sizes, tp, rank % tp, (struct lli_span){first, end - first}, NULL);
}

static void keep_logits(const struct cluster *c, const struct lli_slice *slice, const struct lli_forward *f, float *to,
                        uint32_t n)
{
    size_t n_vocab = c->network->config.n_vocab;
    for (uint32_t i = 0; i < n && slice->is_last; i++)
        memcpy(to + i * n_vocab + slice->vocab.first, lli_forward_logits(f, i), slice->vocab.n * sizeof *to);
}

static void run_script(const struct cluster *c, const struct lli_slice *slice, struct lli_forward *f)
{
    float *to = c->logits;
    for (size_t i = 0; i < N_STEPS; i++) {
        struct step step = c->script->steps[i];
        step.plan.rows = step.rows;
        step.plan.seqs = step.seqs;
        lli_forward_run(f, &step.plan);
        for (uint32_t s = 0; s < step.plan.n_seqs; s++)
            assert_int_equal(step.seqs[s].status, 0);
        keep_logits(c, slice, f, to, step.plan.n_logits);
        to += step.plan.n_logits * (size_t)c->network->config.n_vocab;
    }
}

static int32_t run_rank(struct rank *rank)
{
    struct cluster *c = rank->arg;
    struct network *n = c->network;
    const struct lli_packing_source source = {&n->config, &n->weights, NULL, NULL};
    struct lli_workers workers;
    struct lli_forward_options options = {
        .backend = backend_of(c, rank->comm.rank),
        .workers = &workers,
        .kv_type = c->kv_type,
        .n_blocks = N_BLOCKS,
        .max_rows = MAX_ROWS,
        .max_logits = MAX_ROWS,
        .max_pos = n->config.train_length,
        .comm = &rank->comm,
    };
    const struct lli_weights *weights;
    struct lli_forward *forward = NULL;
    struct lli_slice slice;
    uint32_t lanes = (uint32_t)options.backend->lanes;
    int32_t status = make_slice(&slice, n, (uint32_t)rank->comm.tp, (uint32_t)rank->comm.pp, (uint32_t)rank->comm.rank);
    if (status == 0)
        status = lli_comm_reserve(&rank->comm, (size_t)MAX_ROWS * n->config.n_embd, c->ways, NULL);
    if (status == 0)
        status = lli_packings_take_slice(&weights, &c->packings, &source, &slice, lanes, 1, NULL, NULL);
    if (status == 0)
        status = lli_workers_init(&workers, &n->heap, 1 + rank->comm.index % 2, NULL, 0, NULL);
    if (status < 0)
        return status;
    status = lli_forward_new(&forward, &n->heap, &n->config, weights, &options, NULL);
    if (status == 0)
        run_script(c, &slice, forward);
    lli_forward_free(forward);
    lli_workers_finish(&workers);
    return status < 0 ? status : lli_comm_error(&rank->comm, NULL);
}

static void run_cluster(struct cluster *c, int32_t tp, int32_t pp)
{
    struct ranks ranks;
    struct rank rank[RANKS_MOST];
    assert_int_equal(lli_packings_init(&c->packings, &c->network->heap, NULL), 0);
    assert_int_equal(ranks_init(&ranks, tp, pp, TIMEOUT_NS), 0);
    ranks_run(&ranks, rank, run_rank, c, 0);
    for (int32_t i = 0; i < tp * pp; i++)
        assert_int_equal(rank[i].status, 0);
    lli_packings_finish(&c->packings);
}

/* ---- the cases */

static const struct kind {
    const char *name;
    struct test_model_spec spec;
    int kv_type;
} KINDS[] = {
    {"f32", {.seed = 1, .biases = 1, .rope_freqs = 1, .n_layers = 4}, LLI_KV_F32},
    {"f32, odd widths",
     {.seed = 2, .n_embd = 40, .n_heads = 4, .n_kv_heads = 4, .head_dim = 8, .n_ff = 172, .n_vocab = 301},
     LLI_KV_F16},
    {"f16, tied", {.seed = 3, .type = LLI_F16, .tied = 1, .n_embd = 256, .n_heads = 8, .n_kv_heads = 4}, LLI_KV_F16},
    {"bf16", {.seed = 4, .type = LLI_BF16, .n_embd = 256, .n_heads = 8, .n_kv_heads = 8}, LLI_KV_Q8_0},
    {"q8_0",
     {.seed = 5, .type = LLI_Q8_0, .n_embd = 256, .n_heads = 8, .n_kv_heads = 2, .n_layers = 4, .tied = 1},
     LLI_KV_Q8_0},
    {"q4_0", {.seed = 6, .type = LLI_Q4_0, .n_embd = 96, .head_dim = 32, .n_ff = 288}, LLI_KV_F16},
    {"q4_1", {.seed = 7, .type = LLI_Q4_1}, LLI_KV_F16},
    {"q5_0", {.seed = 8, .type = LLI_Q5_0}, LLI_KV_F16},
    {"q5_1", {.seed = 9, .type = LLI_Q5_1}, LLI_KV_F16},
    {"q2_k", {.seed = 10, .type = LLI_Q2_K, .n_heads = 8, .n_kv_heads = 8}, LLI_KV_F16},
    {"q3_k", {.seed = 11, .type = LLI_Q3_K, .n_heads = 8, .n_ff = 768}, LLI_KV_F16},
    {"q4_k", {.seed = 12, .type = LLI_Q4_K, .n_heads = 8, .n_ff = 1280}, LLI_KV_F16},
    {"q5_k", {.seed = 13, .type = LLI_Q5_K, .n_heads = 8}, LLI_KV_F16},
    {"q6_k", {.seed = 14, .type = LLI_Q6_K, .n_heads = 8, .n_kv_heads = 4, .tied = 1, .n_vocab = 301}, LLI_KV_F16},
    {"iq4_nl", {.seed = 15, .type = LLI_IQ4_NL}, LLI_KV_F16},
    {"iq4_xs", {.seed = 16, .type = LLI_IQ4_XS, .n_heads = 8}, LLI_KV_F16},
    {"experts f32", {.seed = 17, .n_experts = 4, .n_experts_used = 2}, LLI_KV_F16},
    {"experts q4_k", {.seed = 18, .type = LLI_Q4_K, .n_heads = 8, .n_experts = 5, .n_experts_used = 3}, LLI_KV_F16},
    {"qwen2, fused", {.seed = 30, .arch = "qwen2", .fused = 1}, LLI_KV_F16},
    {"qwen2moe", {.seed = 31, .arch = "qwen2moe", .type = LLI_Q8_0, .n_experts = 5, .n_experts_used = 3}, LLI_KV_F16},
    {"qwen3", {.seed = 32, .arch = "qwen3", .head_dim = 32}, LLI_KV_F16},
    {"gemma", {.seed = 34, .arch = "gemma", .head_dim = 32}, LLI_KV_F16},
    {"gemma2", {.seed = 35, .arch = "gemma2", .n_layers = 4, .keys = {{"attention.sliding_window", 9, 1}}}, LLI_KV_F16},
    {"gemma3",
     {.seed = 36, .arch = "gemma3", .n_layers = 7, .type = LLI_Q8_0, .keys = {{"attention.sliding_window", 7, 1}}},
     LLI_KV_F16},
    {"gpt2", {.seed = 37, .arch = "gpt2", .fused = 1, .type = LLI_Q4_0}, LLI_KV_F16},
    {"phi2", {.seed = 38, .arch = "phi2", .type = LLI_F16}, LLI_KV_F16},
    {"phi3", {.seed = 39, .arch = "phi3", .fused = 1}, LLI_KV_F16},
    {"gptneox", {.seed = 40, .arch = "gptneox", .n_kv_heads = 4}, LLI_KV_F16},
    {"starcoder2", {.seed = 41, .arch = "starcoder2", .type = LLI_Q8_0}, LLI_KV_F16},
    {"falcon", {.seed = 42, .arch = "falcon", .n_kv_heads = 1, .type = LLI_Q4_1}, LLI_KV_F16},
    {"stablelm, parallel",
     {.seed = 45, .arch = "stablelm", .optional = LLI_ROLE(LLI_ATTN_Q_NORM) | LLI_ROLE(LLI_ATTN_K_NORM)},
     LLI_KV_F16},
    {"command-r", {.seed = 47, .arch = "command-r", .type = LLI_Q8_0, .keys = {{"logit_scale", 0.25, 0}}}, LLI_KV_F16},
    {"granite", {.seed = 48, .arch = "granite", .keys = {{"residual_scale", 0.25, 0}, {"embedding_scale", 12, 0}}}, LLI_KV_F16},
    {"bloom", {.seed = 50, .arch = "bloom", .n_embd = 48, .n_heads = 6, .n_kv_heads = 6, .fused = 1}, LLI_KV_F16},
    {"gpt-oss",
     {.seed = 49,
      .arch = "gpt-oss",
      .n_layers = 3,
      .n_experts = 4,
      .type = LLI_MXFP4,
      .keys = {{"attention.sliding_window", 11, 1}}},
     LLI_KV_F16},
};

static const uint32_t SHAPES[][2] = {{2, 1}, {4, 1}, {8, 1}, {1, 2}, {1, 4}, {2, 2}, {4, 2}, {2, 4}, {8, 2}};

static float *make_logits(const struct network *n, const struct script *script)
{
    float *logits = calloc(script->n_logits, sizeof *logits * n->config.n_vocab);
    assert_non_null(logits);
    return logits;
}

/* tp x pp on each backend, and on a mix of them. */
static void check_shape(struct cluster *c, int32_t tp, int32_t pp, const float *want)
{
    size_t bytes = c->script->n_logits * c->network->config.n_vocab * sizeof *want;
    for (size_t b = 0;; b++) {
        c->backend = lli_registry_at(b);
        c->ways = b % 2 ? LLI_COMM_GATHER : LLI_COMM_ANY;
        memset(c->logits, 0xa5, bytes);
        run_cluster(c, tp, pp);
        assert_memory_equal(c->logits, want, bytes);
        if (!c->backend)
            return;
    }
}

/* The reference is one scalar forward of the whole model. Returns how many shapes with tp > 1 there were. */
static int check(struct network *n, int kv_type, uint64_t seed)
{
    struct script *script = malloc(sizeof *script);
    struct cluster c = {.network = n, .kv_type = kv_type, .script = script, .backend = lli_registry_find("scalar")};
    float *want;
    int n_cut = 0;
    assert_non_null(script);
    write_script(script, n->config.n_vocab, seed);
    c.logits = want = make_logits(n, script);
    run_cluster(&c, 1, 1);
    c.logits = make_logits(n, script);
    for (size_t s = 0; s < sizeof SHAPES / sizeof *SHAPES; s++) {
        uint32_t tp = SHAPES[s][0], pp = SHAPES[s][1];
        struct lli_slice slice;
        if (pp > n->config.n_layers || make_slice(&slice, n, tp, pp, 0) < 0)
            continue;
        check_shape(&c, (int32_t)tp, (int32_t)pp, want);
        n_cut += tp > 1;
    }
    free(c.logits);
    free(want);
    free(script);
    return n_cut;
}

static void test_kind(void **state)
{
    const struct kind *kind = *state;
    struct network n;
    network_make(&n, &kind->spec);
    assert_true(check(&n, kind->kv_type, kind->spec.seed) > 0);
    network_close(&n);
}

/* A norm over all heads would need the sums of other ranks. */
static void test_refused(void **state)
{
    const struct test_model_spec spec = {.seed = 46, .arch = "olmo2"};
    struct llminf_error err;
    struct lli_weights weights;
    struct lli_slice slice;
    struct lli_slice_sizes sizes;
    struct network n;
    (void)state;
    network_make(&n, &spec);
    sizes = lli_sliced_sizes(&n.config);
    assert_int_equal(lli_slice_make(&slice, &sizes, 2, 0, (struct lli_span){0}, NULL), 0);
    assert_int_equal(lli_sliced_weights(&weights, &n.heap, &n.config, &n.weights, &slice, &err), LLMINF_E_UNSUPPORTED);
    assert_string_equal(err.text, "tp: 2 ranks, but olmo2 has norms over all heads of a layer");
    network_close(&n);
}

/* A model from outside: a path. */
static void test_file(void **state)
{
    struct network n;
    size_t size;
    uint8_t *bytes = support_read(*state, &size);
    assert_non_null(bytes);
    assert_int_equal(network_open(&n, bytes, size), 0);
    assert_true(check(&n, LLI_KV_F16, 7) > 0);
    network_close(&n);
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        const struct CMUnitTest of_file[] = {{.name = argv[1], .test_func = test_file, .initial_state = argv[1]}};
        return cmocka_run_group_tests(of_file, NULL, NULL);
    }
    enum { N_KINDS = sizeof KINDS / sizeof *KINDS };
    struct CMUnitTest tests[N_KINDS + 1];
    for (size_t i = 0; i < N_KINDS; i++)
        tests[i] =
            (struct CMUnitTest){.name = KINDS[i].name, .test_func = test_kind, .initial_state = (void *)(uintptr_t)&KINDS[i]};
    tests[N_KINDS] = (struct CMUnitTest)cmocka_unit_test(test_refused);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
