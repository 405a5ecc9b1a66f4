/* A row's bits depend on its tokens alone: not on threads, chunks, partners, blocks or a neighbour that fails. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/registry.h"
#include "base/half.h"
#include "llminf/status.h"
#include "support/gguf_make.h"
#include "support/network.h"
#include "support/support.h"

enum { N_BLOCKS = 33, N_IDS = 40 };

static const uint32_t BLOCKS[] = {9, 2, 30, 31, 1, 17, 18}, OTHER_BLOCKS[] = {3, 4, 5, 6, 7, 8, 10};

static void start(struct network_run *run, struct network *network, int kv_type, int n_threads)
{
    assert_int_equal(network_start(run, network, kv_type, n_threads, N_BLOCKS), 0);
}

/* Weights that are not finite are refused where they are packed: where a step meets them, nothing was. */
static void make_unpacked(struct network *network, const struct test_model_spec *spec)
{
    network_make(network, spec);
    network->backend = lli_registry_find("scalar");
}

static void make_ids(int32_t ids[N_IDS], uint64_t seed, const struct network *network)
{
    for (size_t i = 0; i < N_IDS; i++)
        ids[i] = (int32_t)(support_random(&seed) % network->config.n_vocab);
}

static float *make_logits(const struct network *network, size_t n)
{
    float *logits = calloc(n, sizeof *logits * network->config.n_vocab);
    assert_non_null(logits);
    return logits;
}

/* ---- threads and chunks */

static const struct kind {
    const char *name;
    struct test_model_spec spec;
    int kv_type;
} KINDS[] = {
    {"f32", {.seed = 1, .biases = 1, .rope_freqs = 1}, LLI_KV_F32},
    {"f16", {.seed = 2, .type = LLI_F16, .tied = 1}, LLI_KV_F16},
    {"bf16", {.seed = 3, .type = LLI_BF16, .n_embd = 20, .n_heads = 2, .n_kv_heads = 1}, LLI_KV_F16},
    {"q8_0", {.seed = 4, .type = LLI_Q8_0, .rope_scaling = "yarn"}, LLI_KV_F16},
    {"q4_0", {.seed = 5, .type = LLI_Q4_0}, LLI_KV_F32},
    {"q4_1", {.seed = 6, .type = LLI_Q4_1}, LLI_KV_F16},
    {"q5_0", {.seed = 7, .type = LLI_Q5_0}, LLI_KV_F16},
    {"q5_1", {.seed = 8, .type = LLI_Q5_1}, LLI_KV_F16},
    {"q2_k", {.seed = 9, .type = LLI_Q2_K, .n_layers = 1}, LLI_KV_F16},
    {"q3_k", {.seed = 10, .type = LLI_Q3_K, .n_layers = 1}, LLI_KV_F16},
    {"q4_k", {.seed = 11, .type = LLI_Q4_K, .n_layers = 1}, LLI_KV_F16},
    {"q5_k", {.seed = 12, .type = LLI_Q5_K, .n_layers = 1}, LLI_KV_F16},
    {"q6_k", {.seed = 13, .type = LLI_Q6_K, .n_layers = 1}, LLI_KV_F16},
    {"iq4_nl", {.seed = 16, .type = LLI_IQ4_NL}, LLI_KV_F16},
    {"iq4_xs", {.seed = 17, .type = LLI_IQ4_XS, .n_layers = 1}, LLI_KV_F16},
    {"qwen2, fused", {.seed = 30, .arch = "qwen2", .fused = 1}, LLI_KV_F16},
    {"qwen2moe", {.seed = 31, .arch = "qwen2moe", .type = LLI_Q8_0, .n_experts = 5, .n_experts_used = 3}, LLI_KV_F16},
    {"qwen3", {.seed = 32, .arch = "qwen3", .head_dim = 22}, LLI_KV_F16},
    {"qwen3moe", {.seed = 33, .arch = "qwen3moe", .type = LLI_Q4_0, .n_experts = 4}, LLI_KV_F16},
    {"gemma", {.seed = 34, .arch = "gemma", .head_dim = 32}, LLI_KV_F16},
    {"gemma2", {.seed = 35, .arch = "gemma2", .n_layers = 3, .keys = {{"attention.sliding_window", 9, 1}}}, LLI_KV_F16},
    {"gemma3",
     {.seed = 36, .arch = "gemma3", .n_layers = 7, .type = LLI_Q8_0, .keys = {{"attention.sliding_window", 7, 1}}},
     LLI_KV_F16},
    {"gpt2", {.seed = 37, .arch = "gpt2", .fused = 1, .type = LLI_Q4_0}, LLI_KV_F16},
    {"phi2", {.seed = 38, .arch = "phi2", .type = LLI_F16, .keys = {{"rope.dimension_count", 6, 1}}}, LLI_KV_F16},
    {"phi3",
     {.seed = 39,
      .arch = "phi3",
      .fused = 1,
      .optional = LLI_ROLE(LLI_ROPE_LONG) | LLI_ROLE(LLI_ROPE_SHORT),
      .keys = {{"attention.sliding_window", 12, 1}, {"rope.scaling.original_context_length", 16, 1}}},
     LLI_KV_F16},
    {"gptneox", {.seed = 40, .arch = "gptneox", .n_kv_heads = 4}, LLI_KV_F16},
    {"starcoder2", {.seed = 41, .arch = "starcoder2", .type = LLI_Q8_0}, LLI_KV_F16},
    {"falcon", {.seed = 42, .arch = "falcon", .n_kv_heads = 1, .type = LLI_Q4_1}, LLI_KV_F16},
    {"falcon, two norms", {.seed = 43, .arch = "falcon", .optional = LLI_ROLE(LLI_ATTN_NORM_2)}, LLI_KV_F16},
    {"stablelm", {.seed = 44, .arch = "stablelm", .optional = LLI_ROLE(LLI_FFN_NORM)}, LLI_KV_F16},
    {"stablelm, parallel",
     {.seed = 45, .arch = "stablelm", .optional = LLI_ROLE(LLI_ATTN_Q_NORM) | LLI_ROLE(LLI_ATTN_K_NORM)},
     LLI_KV_F16},
    {"olmo2", {.seed = 46, .arch = "olmo2", .n_layers = 5, .keys = {{"attention.sliding_window", 8, 1}}}, LLI_KV_F16},
    {"command-r", {.seed = 47, .arch = "command-r", .type = LLI_Q8_0, .keys = {{"logit_scale", 0.25, 0}}}, LLI_KV_F16},
    {"granite",
     {.seed = 48, .arch = "granite", .keys = {{"residual_scale", 0.25, 0}, {"embedding_scale", 12, 0}, {"logit_scale", 8, 0}}},
     LLI_KV_F16},
    {"bloom", {.seed = 50, .arch = "bloom", .n_embd = 48, .n_heads = 6, .n_kv_heads = 6, .fused = 1}, LLI_KV_F16},
    {"gpt-oss",
     {.seed = 49,
      .arch = "gpt-oss",
      .n_layers = 3,
      .n_experts = 4,
      .type = LLI_MXFP4,
      .keys = {{"attention.sliding_window", 11, 1}}},
     LLI_KV_F16},
    {"experts f32", {.seed = 14, .n_experts = 4, .n_experts_used = 2}, LLI_KV_F16},
    {"experts q8_0", {.seed = 15, .type = LLI_Q8_0, .n_experts = 5, .n_experts_used = 3}, LLI_KV_F16},
};

/* The reference is scalar, one thread, one step. */
static void test_threads_and_chunks(void **state)
{
    static const int THREADS[] = {1, 2, 3, 8};
    static const uint32_t CHUNKS[] = {1, 7, 16, 64};
    const struct kind *kind = *state;
    struct network network;
    struct network_run run;
    int32_t ids[N_IDS];
    float *want, *got;
    size_t bytes;
    network_make(&network, &kind->spec);
    make_ids(ids, kind->spec.seed, &network);
    want = make_logits(&network, N_IDS);
    got = make_logits(&network, N_IDS);
    bytes = N_IDS * network.config.n_vocab * sizeof *got;
    network.backend = lli_registry_find("scalar");
    start(&run, &network, kind->kv_type, 1);
    assert_int_equal(network_feed(&run, OTHER_BLOCKS, ids, 0, N_IDS, 64, want), 0);
    network_stop(&run);
    for (size_t b = 0; (network.backend = lli_registry_at(b)); b++)
        for (size_t t = 0; t < 4; t++) {
            start(&run, &network, kind->kv_type, THREADS[t]);
            for (size_t c = 0; c < 4; c++) { /* the blocks are used again: what they held does not show */
                assert_int_equal(network_feed(&run, BLOCKS, ids, 0, N_IDS, CHUNKS[c], got), 0);
                assert_memory_equal(got, want, bytes);
            }
            network_stop(&run);
        }
    assert_true(fabsf(want[0] - want[network.config.n_vocab]) > 0);
    free(got);
    free(want);
    network_close(&network);
}

/* ---- partners in the batch */

struct batch {
    struct lli_row rows[64];
    struct lli_seq seqs[16];
    struct lli_plan plan;
};

static void batch_begin(struct batch *b)
{
    memset(b, 0, sizeof *b);
    b->plan.rows = b->rows;
    b->plan.seqs = b->seqs;
}

/* A sequence of ids[n] from position `first` on; `n_wanted` last rows want logits. */
static void batch_add(struct network_run *run, struct batch *b, const uint32_t *blocks, const int32_t *ids, uint32_t first,
                      uint32_t n, uint32_t n_wanted, uint16_t flags)
{
    uint16_t seq = (uint16_t)b->plan.n_seqs++;
    b->seqs[seq] = (struct lli_seq){.first_row = b->plan.n_rows, .n_rows = n, .status = 99};
    network_show(run, &b->seqs[seq], blocks, (first + n + 15) / 16);
    for (uint32_t i = 0; i < n; i++) {
        uint16_t wanted = i >= n - n_wanted ? LLI_ROW_LOGITS : 0;
        b->rows[b->plan.n_rows++] = (struct lli_row){ids[i], first + i, seq, (uint16_t)(flags | wanted)};
    }
    b->plan.n_logits += n_wanted;
}

static void test_partners(void **state)
{
    static const struct test_model_spec SPECS[] = {
        {.seed = 21},
        {.seed = 22, .type = LLI_Q8_0, .n_experts = 4},
        {.seed = 29, .arch = "qwen2moe", .type = LLI_Q4_0, .n_experts = 4},
        {.seed = 30, .arch = "gemma3", .n_layers = 7, .keys = {{"attention.sliding_window", 9, 1}}},
        {.seed = 31, .arch = "gptneox", .n_kv_heads = 4},
        {.seed = 32, .arch = "olmo2"},
    };
    (void)state;
    for (size_t s = 0; s < sizeof SPECS / sizeof *SPECS; s++) {
        struct network network;
        struct network_run run;
        struct batch b;
        int32_t ids[N_IDS], other[N_IDS];
        uint32_t tables[15][1];
        float *want;
        size_t bytes;
        network_make(&network, &SPECS[s]);
        make_ids(ids, 1, &network);
        make_ids(other, 2, &network);
        want = make_logits(&network, 30);
        bytes = network.config.n_vocab * sizeof *want;
        start(&run, &network, LLI_KV_F16, 3);
        assert_int_equal(network_feed(&run, BLOCKS, ids, 0, 30, 64, want), 0);
        batch_begin(&b);
        for (uint32_t i = 0; i < 15; i++) { /* 15 partners, of 1 to 3 rows, on both sides */
            tables[i][0] = 11 + i;
            if (i == 7)
                batch_add(&run, &b, OTHER_BLOCKS, ids, 0, 30, 3, 0);
            batch_add(&run, &b, tables[i], other + i, 0, 1 + i % 3, i % 2, 0);
        }
        lli_forward_run(run.forward, &b.plan);
        for (uint32_t i = 0; i < b.plan.n_seqs; i++)
            assert_int_equal(b.seqs[i].status, 0);
        for (uint32_t i = 0; i < 3; i++) /* partners 1, 3, 5 have a row of logits each */
            assert_memory_equal(lli_forward_logits(run.forward, 3 + i), want + (27 + i) * network.config.n_vocab, bytes);
        network_stop(&run);
        free(want);
        network_close(&network);
    }
}

/* A step in which no row wants logits, and one without rows. */
static void test_empty(void **state)
{
    struct network network;
    struct network_run run;
    struct batch b;
    (void)state;
    network_make(&network, &(struct test_model_spec){.seed = 23});
    start(&run, &network, LLI_KV_F16, 2);
    batch_begin(&b);
    lli_forward_run(run.forward, &b.plan);
    batch_add(&run, &b, BLOCKS, (int32_t[]){5, 6}, 0, 2, 0, 0);
    lli_forward_run(run.forward, &b.plan);
    assert_int_equal(b.seqs[0].status, 0);
    network_stop(&run);
    network_close(&network);
}

/* A row that stores nothing reads its own K and V from the cache and leaves them there. */
static void test_no_store(void **state)
{
    struct network network;
    struct network_run run;
    struct batch b;
    int32_t ids[N_IDS];
    float *want;
    size_t bytes;
    (void)state;
    network_make(&network, &(struct test_model_spec){.seed = 24, .type = LLI_Q8_0});
    make_ids(ids, 3, &network);
    want = make_logits(&network, 34);
    bytes = network.config.n_vocab * sizeof *want;
    start(&run, &network, LLI_KV_F16, 2);
    assert_int_equal(network_feed(&run, OTHER_BLOCKS, ids, 0, 34, 64, want), 0);
    assert_int_equal(network_feed(&run, BLOCKS, ids, 0, 33, 64, NULL), 0);
    for (uint32_t i = 0; i < 2; i++) { /* position 32 is the first of its block: it must not be cleared */
        batch_begin(&b);
        batch_add(&run, &b, BLOCKS, i ? ids + 32 : ids, 32, 1, 1, LLI_ROW_NO_STORE);
        lli_forward_run(run.forward, &b.plan);
        assert_int_equal(b.seqs[0].status, 0);
        if (i)
            assert_memory_equal(lli_forward_logits(run.forward, 0), want + 32 * network.config.n_vocab, bytes);
        else
            assert_memory_not_equal(lli_forward_logits(run.forward, 0), want + 32 * network.config.n_vocab, bytes);
    }
    batch_begin(&b);
    batch_add(&run, &b, BLOCKS, ids + 33, 33, 1, 1, 0);
    lli_forward_run(run.forward, &b.plan);
    assert_memory_equal(lli_forward_logits(run.forward, 0), want + 33 * network.config.n_vocab, bytes);
    network_stop(&run);
    free(want);
    network_close(&network);
}

/* ---- NaN and Inf */

/* Where the weights of a matrix stand in the file's bytes, to be spoiled. */
static uint8_t *weights_of(struct network *network, const struct lli_matrix *m)
{
    return network->bytes + (m->data - network->bytes);
}

static void test_bad_sequence(void **state)
{
    static const uint32_t TYPES[] = {LLI_F32, LLI_F16, LLI_Q8_0};
    (void)state;
    for (size_t t = 0; t < 6; t++) {
        struct network network;
        struct network_run run;
        struct batch b;
        int32_t good[] = {5, 6, 7, 8, 9}, bad[] = {10, 11, 12};
        uint32_t type = TYPES[t % 3], n_experts = t < 3 ? 0 : 4;
        const struct lli_matrix *embd;
        float *want;
        size_t bytes, row_bytes;
        make_unpacked(&network, &(struct test_model_spec){.seed = 25, .type = type, .n_experts = n_experts});
        embd = &network.weights.at[LLI_TOKEN_EMBD];
        row_bytes = lli_dtype_row_bytes(embd->type, embd->n_in);
        memset(weights_of(&network, embd) + 11 * row_bytes, 0x7f, 4); /* a NaN in F16 and in an F16 scale, 3.39e38 in F32 */
        if (type == LLI_F32)
            memset(weights_of(&network, embd) + 11 * row_bytes, 0xff, 4);
        want = make_logits(&network, 5);
        bytes = network.config.n_vocab * sizeof *want;
        start(&run, &network, LLI_KV_F16, 2);
        assert_int_equal(network_feed(&run, OTHER_BLOCKS, good, 0, 5, 64, want), 0);
        batch_begin(&b);
        batch_add(&run, &b, (uint32_t[]){20}, bad, 0, 3, 1, 0);
        batch_add(&run, &b, (uint32_t[]){21}, good, 0, 5, 5, 0);
        batch_add(&run, &b, (uint32_t[]){22}, bad, 0, 2, 0, 0);
        batch_add(&run, &b, (uint32_t[]){23}, bad + 2, 0, 1, 1, 0);
        lli_forward_run(run.forward, &b.plan);
        assert_int_equal(b.seqs[0].status, LLMINF_E_NUMERIC);
        assert_int_equal(b.seqs[1].status, 0);
        assert_int_equal(b.seqs[2].status, LLMINF_E_NUMERIC);
        assert_int_equal(b.seqs[3].status, 0);
        for (uint32_t i = 0; i < 5; i++)
            assert_memory_equal(lli_forward_logits(run.forward, 1 + i), want + i * network.config.n_vocab, bytes);
        /* The blocks of a failed sequence serve the next one. */
        assert_int_equal(network_feed(&run, (uint32_t[]){20}, good, 0, 5, 2, want), 0);
        for (uint32_t i = 0; i < 5; i++)
            assert_int_equal(network_feed(&run, (uint32_t[]){22}, good + i, i, 1, 1, NULL), 0);
        network_stop(&run);
        free(want);
        network_close(&network);
    }
}

/* Multiplies a matrix of F32. */
static void scale_up(struct network *network, const struct lli_matrix *m, float by)
{
    uint8_t *at = weights_of(network, m);
    for (size_t i = 0; i < (size_t)m->n_in * m->n_out; i++) {
        float x;
        memcpy(&x, at + 4 * i, sizeof x);
        x *= by;
        memcpy(at + 4 * i, &x, sizeof x);
    }
}

/* A K beyond F16 is fine in F32; logits beyond F32 are fine nowhere; a bad gain is found before any step. */
static void test_overflow(void **state)
{
    struct network network;
    struct network_run run;
    const int32_t ids[] = {4, 5, 6};
    float *logits;
    (void)state;
    make_unpacked(&network, &(struct test_model_spec){.seed = 26});
    logits = make_logits(&network, 3);
    scale_up(&network, &network.weights.layers[1].at[LLI_ATTN_V], 1e6f);
    start(&run, &network, LLI_KV_F16, 2);
    assert_int_equal(network_feed(&run, BLOCKS, ids, 0, 3, 64, NULL), LLMINF_E_NUMERIC);
    network_stop(&run);
    start(&run, &network, LLI_KV_F32, 2);
    assert_int_equal(network_feed(&run, BLOCKS, ids, 0, 3, 64, logits), 0);
    scale_up(&network, &network.weights.at[LLI_OUTPUT], 3e38f);
    assert_int_equal(network_feed(&run, BLOCKS, ids, 0, 3, 64, NULL), 0);
    assert_int_equal(network_feed(&run, BLOCKS, ids, 0, 3, 64, logits), LLMINF_E_NUMERIC);
    network_stop(&run);
    memset(weights_of(&network, &network.weights.layers[1].at[LLI_FFN_NORM]), 0xff, 4);
    assert_int_equal(network_start(&run, &network, LLI_KV_F32, 1, N_BLOCKS), LLMINF_E_NUMERIC);
    network_stop(&run);
    free(logits);
    network_close(&network);
}

/* ---- memory */

static int32_t open_forward(struct lli_forward **out, struct lli_heap *heap, struct network *network,
                            struct lli_workers *workers)
{
    struct llminf_error error;
    const struct lli_forward_options options = {.backend = lli_registry_find("scalar"),
                                                .workers = workers,
                                                .kv_type = LLI_KV_F16,
                                                .n_blocks = 4,
                                                .max_rows = 64,
                                                .max_logits = 64,
                                                .max_pos = 48};
    return lli_forward_new(out, heap, &network->config, &network->weights, &options, &error);
}

static void test_memory(void **state)
{
    struct support_heap counter = {0};
    struct network network;
    struct lli_forward *forward = NULL;
    struct lli_workers workers;
    struct lli_heap heap;
    struct batch b;
    int64_t n_calls;
    size_t block_bytes;
    (void)state;
    network_make(&network, &(struct test_model_spec){.seed = 27, .n_experts = 4});
    block_bytes = lli_forward_block_bytes(&network.config, LLI_KV_F16);
    assert_int_equal(block_bytes, 16 * 2 * 2 * 2 * 2 * 16); /* tokens, K and V, layers, KV heads, F16, head size */
    assert_int_equal(lli_forward_block_bytes(&network.config, LLI_KV_F32), 2 * block_bytes);
    lli_heap_init(&heap, support_alloc, support_release, &counter);
    assert_int_equal(lli_workers_init(&workers, &network.heap, 1, NULL, 0, NULL), 0);

    assert_int_equal(open_forward(&forward, &heap, &network, &workers), 0);
    assert_int_equal(lli_forward_kv_bytes(forward), 4 * block_bytes);
    assert_int_equal(heap.live_bytes, lli_forward_kv_bytes(forward) + lli_forward_scratch_bytes(forward));
    n_calls = counter.n_calls;
    batch_begin(&b);
    batch_add(&(struct network_run){.n_groups = 1}, &b, (uint32_t[]){1}, (int32_t[]){5, 6}, 0, 2, 1, 0);
    for (int i = 0; i < 3; i++)
        lli_forward_run(forward, &b.plan);
    assert_int_equal(counter.n_calls, n_calls);
    lli_forward_free(forward);
    lli_forward_free(NULL);
    assert_int_equal(counter.live_bytes, 0);
    for (int64_t i = 1; i <= n_calls; i++) {
        support_heap_arm(&counter, i, 0);
        assert_int_equal(open_forward(&forward, &heap, &network, &workers), LLMINF_E_MEMORY);
        assert_int_equal(counter.live_bytes, 0);
    }
    lli_workers_finish(&workers);
    network_close(&network);
}

/* Angles beyond what the sine is made for, and factors that are none. */
static void test_bad_rotation(void **state)
{
    struct network network;
    struct network_run run;
    float zero = 0;
    (void)state;
    network_make(&network, &(struct test_model_spec){.seed = 28, .rope_freqs = 1});
    network.config.rope.scaling = LLI_ROPE_LINEAR;
    network.config.rope.factor = 1e-8;
    assert_int_equal(network_start(&run, &network, LLI_KV_F32, 1, N_BLOCKS), LLMINF_E_LIMIT);
    network_stop(&run);
    network.config.rope.scaling = LLI_ROPE_NONE;
    memcpy(weights_of(&network, &network.weights.at[LLI_ROPE_FREQS]) + 4, &zero, sizeof zero);
    assert_int_equal(network_start(&run, &network, LLI_KV_F32, 1, N_BLOCKS), LLMINF_E_NUMERIC);
    network_stop(&run);
    network_close(&network);
}

/* 22 of the oracles in the design of the engine: blocks that were full of NaN before give the bits of fresh ones. */
static void test_nan_blocks(void **state)
{
    static const int TYPES[] = {LLI_KV_F16, LLI_KV_F32, LLI_KV_Q8_0};
    (void)state;
    for (size_t k = 0; k < 3; k++)
        for (uint32_t chunk = 1; chunk <= 64; chunk *= 4) {
            struct network network;
            struct network_run run;
            int32_t ids[N_IDS];
            network_make(&network, &(struct test_model_spec){.seed = 31});
            make_ids(ids, 31, &network);
            float *want = make_logits(&network, N_IDS), *got = make_logits(&network, N_IDS);
            start(&run, &network, TYPES[k], 2);
            assert_int_equal(network_feed(&run, BLOCKS, ids, 0, N_IDS, chunk, want), 0);
            size_t bytes = lli_forward_saved_bytes(run.forward);
            uint8_t *nan = malloc(bytes);
            memset(nan, 0xff, bytes); /* in F16, in F32 and in the scales of Q8_0 */
            for (uint32_t b = 1; b < N_BLOCKS; b++)
                lli_forward_load_block(run.forward, b, nan);
            assert_int_equal(network_feed(&run, OTHER_BLOCKS, ids, 0, N_IDS, chunk, got), 0);
            assert_memory_equal(got, want, N_IDS * network.config.n_vocab * sizeof *got);
            free(nan);
            free(want);
            free(got);
            network_stop(&run);
            network_close(&network);
        }
}

enum { N_KINDS = sizeof KINDS / sizeof *KINDS };

int main(void)
{
    const struct CMUnitTest others[] = {cmocka_unit_test(test_partners),     cmocka_unit_test(test_empty),
                                        cmocka_unit_test(test_no_store),     cmocka_unit_test(test_bad_sequence),
                                        cmocka_unit_test(test_overflow),     cmocka_unit_test(test_memory),
                                        cmocka_unit_test(test_bad_rotation), cmocka_unit_test(test_nan_blocks)};
    struct CMUnitTest kinds[N_KINDS];
    int n_failed;
    for (size_t i = 0; i < N_KINDS; i++)
        kinds[i] = (struct CMUnitTest){
            .name = KINDS[i].name, .test_func = test_threads_and_chunks, .initial_state = (void *)(uintptr_t)&KINDS[i]};
    n_failed = cmocka_run_group_tests_name("threads and chunks", kinds, NULL, NULL);
    return n_failed + cmocka_run_group_tests_name("forward", others, NULL, NULL);
}
