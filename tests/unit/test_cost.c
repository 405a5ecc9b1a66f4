/* The arithmetic of costs: the counts of published models, and what follows from them at round speeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cost/ranks.h"
#include "engine/measure.h"
#include "llminf/status.h"

static void same(double is, double want)
{
    if (is != want)
        fail_msg("%.17g, want %.17g", is, want);
}

static void near(double is, double want, double step)
{
    if (!(is > want - step && is < want + step))
        fail_msg("%.17g, want %.17g", is, want);
}

static struct lli_shape shape_of(const char *text)
{
    struct llminf_error err;
    struct lli_shape shape;
    if (lli_shape_read(&shape, text, strlen(text), &err) != LLMINF_OK)
        fail_msg("%s: %s", text, err.text);
    return shape;
}

#define LLAMA_3_8B "n_layers=32,n_embd=4096,n_heads=32,n_kv_heads=8,n_ff=14336,n_vocab=128256"
#define MIXTRAL "n_layers=32,n_embd=4096,n_heads=32,n_kv_heads=8,n_ff=14336,n_vocab=32000,n_experts=8,n_experts_used=2"
#define LLAMA_2_7B "n_layers=32,n_embd=4096,n_heads=32,n_ff=11008,n_vocab=32000"
#define TINYLLAMA "n_layers=22,n_embd=2048,n_heads=32,n_kv_heads=4,n_ff=5632,n_vocab=32000"
#define QWEN3 "n_layers=28,n_embd=1024,n_heads=16,n_kv_heads=8,head_dim=128,n_ff=3072,n_vocab=151936,tied=1,qk_norm=1"
#define LLAMA_2_70B "n_layers=80,n_embd=8192,n_heads=64,n_kv_heads=8,n_ff=28672,n_vocab=32000"
#define STORIES "n_layers=6,n_embd=288,n_heads=6,n_ff=768,n_vocab=32000,tied=1"
#define BIASES ",gated=0,layer_norm=1,qkv_bias=1,output_bias=1,ff_bias=1,tied=1"

/* Parameters: the published counts. K and V in F16. The share is that of 2 d dkv in a layer. Vectors that tensor parallelism
 * sums for a token, and their bytes. */
static const struct {
    const char *shape;
    double params, active, matmul, standard, body, head, kv_bytes, share_of, share_in, crossover, sums, sum_bytes;
} models[] = {
    {STORIES, 15191712, 15191712, 5971968, 5971968, 11943936, 18432000, 6912, 1, 6, 1728, 12, 1152},
    {"n_layers=12,n_embd=768,n_heads=12,n_ff=2048,n_vocab=32000,tied=1", 109529856, 109529856, 84934656, 84934656, 169869312,
     49152000, 36864, 1, 6, 4608, 24, 3072},
    {QWEN3, 596049920, 596049920, 440401920, 352321536, 880803840, 311164928, 114688, 2, 15, 3840, 56, 4096},
    {TINYLLAMA, 1100048384, 1100048384, 968884224, 1107296256, 1937768448, 131072000, 22528, 1, 42, 10752, 44, 8192},
    {LLAMA_2_7B, 6738415616, 6738415616, 6476005376, 6442450944, 12952010752, 262144000, 524288, 32, 193, 24704, 64, 16384},
    {LLAMA_3_8B, 8030261248, 8030261248, 6979321856, 6442450944, 13958643712, 1050673152, 131072, 1, 26, 26624, 64, 16384},
    {"n_layers=40,n_embd=5120,n_heads=40,n_ff=20480,n_vocab=50272,n_positions=2050" BIASES, 12853473280, 12853473280,
     12582912000, 12582912000, 25165824000, 514785280, 819200, 1, 6, 30720, 80, 20480},
    {MIXTRAL, 46702792704, 12879925248, 12617515008, 6442450944, 25235030016, 262144000, 131072, 256, 12033, 48132, 96, 16384},
    {LLAMA_2_70B, 68976648192, 68976648192, 68451041280, 64424509440, 136902082560, 524288000, 327680, 1, 51, 52224, 160,
     32768},
    {"n_layers=96,n_embd=12288,n_heads=96,n_ff=49152,n_vocab=50257,n_positions=2048" BIASES, 174604259328, 174604259328,
     173946175488, 173946175488, 347892350976, 1235116032, 4718592, 1, 6, 73728, 192, 49152},
};

static void test_models(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct lli_shape s = shape_of(models[i].shape);
        const struct lli_ranks two = {.tp = 2, .pp = 1};
        const struct lli_load token = {.rows = 1, .seqs = 1};
        struct lli_traffic traffic;
        same(lli_shape_params(&s, 0), models[i].params);
        same(lli_shape_params(&s, 1), models[i].active);
        same(lli_shape_matmul(&s), models[i].matmul);
        same(lli_shape_standard(&s), models[i].standard);
        same(lli_shape_body_flops(&s), models[i].body);
        same(lli_shape_head_flops(&s), models[i].head);
        same(lli_shape_kv_elements(&s) * 2, models[i].kv_bytes);
        same(lli_shape_kv_share(&s), models[i].share_of / models[i].share_in);
        same(lli_shape_attention_crossover(&s), models[i].crossover);
        same(lli_ranks_sums(&s), models[i].sums);
        lli_ranks_traffic(&traffic, &two, &s, &token);
        same(traffic.bytes, models[i].sums * models[i].sum_bytes);
        same(traffic.messages, 2.0 * s.n_layers);
        if (models[i].matmul == models[i].standard)
            same(lli_shape_kv_share(&s), LLI_STANDARD_KV_SHARE);
    }
}

/* kipply's 52B. */
static void test_kipply(void **state)
{
    struct lli_shape s = shape_of("n_layers=64,n_embd=8192,n_heads=64,n_ff=32768,n_vocab=65536,gated=0");
    (void)state;
    same(lli_shape_body_flops(&s), 103079215104);
    same(lli_shape_kv_elements(&s) * 2, 2097152);
}

static void test_prefill(void **state)
{
    struct lli_shape s = shape_of(LLAMA_3_8B);
    (void)state;
    same(lli_shape_prefill_flops(&s, 64), 895494389760);
    same(lli_shape_prefill_flops(&s, 512), 7216729948160);
    same(lli_shape_prefill_flops(&s, 4096), 61574775570432);
}

static double bytes_of(const struct lli_weight_bytes *w)
{
    return w->layers + w->experts + w->head;
}

/* Weights of one type: their bytes, the time to read them once, and where K and V are as many. */
static void test_weights(void **state)
{
    static const struct {
        const char *shape, *type;
        double bytes, ms_at_20, crossover;
    } rows[] = {
        {STORIES, "q8_0", 16152192, 0.808, 2336.8},         {QWEN3, "q8_0", 633495552, 31.675, 5523.6},
        {TINYLLAMA, "q4_0", 582230016, 29.112, 25844.7},    {LLAMA_2_7B, "f16", 13215219712, 660.761, 25206.0},
        {LLAMA_2_7B, "q4_0", 3717545984, 185.877, 7090.7},  {LLAMA_3_8B, "q8_0", 7974764544, 398.738, 60842.6},
        {LLAMA_3_8B, "q4_0", 4222435328, 211.122, 32214.6},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lli_shape s = shape_of(rows[i].shape);
        struct lli_weight_bytes w = lli_shape_weights(&s, lli_dtype_named(rows[i].type));
        same(bytes_of(&w), rows[i].bytes);
        near(bytes_of(&w) / 20e9 * 1e3, rows[i].ms_at_20, 0.0006);
        near(bytes_of(&w) / (lli_shape_kv_elements(&s) * 2), rows[i].crossover, 0.06);
    }
}

static void test_b_star(void **state)
{
    static const struct {
        double flops, bytes;
        const char *type;
        double rows;
    } rows[] = {
        {332.8e9, 20e9, "f32", 33.28},   {332.8e9, 20e9, "f16", 16.64}, {332.8e9, 20e9, "q8_0", 8.84},
        {332.8e9, 20e9, "q6_k", 6.825},  {332.8e9, 20e9, "q4_0", 4.68}, {1331.2e9, 20e9, "q8_0", 35.36},
        {1331.2e9, 20e9, "q4_0", 18.72}, {166.4e9, 20e9, "q4_0", 2.34}, {312e12, 1.5e12, "f16", 208},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct lli_dtype *type = lli_dtype_named(rows[i].type);
        const struct lli_rates rates = {.flops = rows[i].flops, .bytes = rows[i].bytes};
        same(lli_cost_b_star(&rates, (double)type->block_bytes / type->block), rows[i].rows);
    }
}

static struct lli_load decodes(double n, double context)
{
    return (struct lli_load){.rows = n, .seqs = n, .logits = n, .contexts = n * context, .positions = n * context};
}

/* Llama-3-8B in Q4_0 at a context of 512: from reading to computing, and no faster beyond. */
static void test_step(void **state)
{
    static const double sessions[] = {1, 4, 8}, ms[] = {214.477, 224.544, 387.644}, speed[] = {4.66, 17.81, 20.64};
    const struct lli_rates rates = {.bytes = 20e9, .flops = 332.8e9, .attention_flops = 332.8e9};
    struct lli_shape s = shape_of(LLAMA_3_8B);
    struct lli_weight_bytes w = lli_shape_weights(&s, lli_dtype_named("q4_0"));
    struct lli_cost cost;
    struct lli_step_cost step;
    (void)state;
    lli_cost_init(&cost, &s, &w, lli_shape_kv_elements(&s) * 2);
    for (int i = 0; i < 3; i++) {
        struct lli_load load = decodes(sessions[i], 512);
        double ns = lli_cost_step_ns(&cost, &rates, &load);
        near(ns / 1e6, ms[i], 0.0006);
        near(sessions[i] / (ns / 1e9), speed[i], 0.006);
    }
    struct lli_load one = decodes(1, 512), many = decodes(64, 512);
    lli_cost_step(&step, &cost, &rates, &one);
    near(step.layers / 1e6, 196.347, 0.0006);
    near(step.head / 1e6, 14.775, 0.0006);
    near(step.attention / 1e6, 3.355, 0.0006);
    same(step.fixed, 0);
    assert_true(step.layers_read && step.head_read && step.attention_read);
    near(64 / (lli_cost_step_ns(&cost, &rates, &many) / 1e9), 20.64, 0.006);
    lli_cost_step(&step, &cost, &rates, &many);
    assert_false(step.layers_read || step.head_read);
}

/* Reading and computing that hide each other less than wholly: the maximum where one is far longer, 2^(1/p) where both are as
 * long; and the rates are found again from two steps. */
static void test_overlap(void **state)
{
    const struct lli_rates rates = {.bytes = 20e9, .flops = 300e9, .attention_flops = 300e9, .overlap = LLI_OVERLAP};
    struct lli_shape s = shape_of(LLAMA_3_8B);
    struct lli_weight_bytes w = lli_shape_weights(&s, lli_dtype_named("q4_0"));
    struct lli_load one = decodes(1, 0), many = decodes(64, 0);
    struct lli_rates found;
    struct lli_cost cost;
    (void)state;
    same(lli_cost_overlap(0, 3, 4), 4);
    near(lli_cost_overlap(2, 3, 4), 5, 1e-12);
    near(lli_cost_overlap(3, 2, 2), 2 * 1.2599210498948732, 1e-12);
    near(lli_cost_overlap(3, 100, 1), 100, 1e-4);
    lli_cost_init(&cost, &s, &w, 0);
    lli_measure_solve(&found, &cost, &one, lli_cost_step_ns(&cost, &rates, &one), &many,
                      lli_cost_step_ns(&cost, &rates, &many));
    near(found.bytes / rates.bytes, 1, 1e-3);
    near(found.flops / rates.flops, 1, 1e-3);
}

/* What a step gets beside others: one row more would last too long. */
static void test_rows(void **state)
{
    const struct lli_rates rates = {.bytes = 20e9, .flops = 332.8e9, .attention_flops = 332.8e9, .step_ns = 1e6, .seq_ns = 1e4};
    struct lli_shape s = shape_of(LLAMA_3_8B);
    struct lli_weight_bytes w = lli_shape_weights(&s, lli_dtype_named("q4_0"));
    struct lli_cost cost;
    (void)state;
    lli_cost_init(&cost, &s, &w, lli_shape_kv_elements(&s) * 2);
    for (double n = 1; n <= 16; n *= 2)
        for (double first = 0; first <= 4096; first += 1024)
            for (double more = 0.9; more < 3; more += 0.3) {
                struct lli_load load = decodes(n, 512), with, over;
                double ns = more * lli_cost_step_ns(&cost, &rates, &load);
                double rows = lli_cost_rows(&cost, &rates, &load, first, 100, ns);
                with = over = load;
                lli_load_add(&with, first, rows, 0);
                lli_load_add(&over, first, rows + 1, 0);
                assert_true(rows == 0 || lli_cost_step_ns(&cost, &rates, &with) <= ns);
                assert_true(rows == 100 || lli_cost_step_ns(&cost, &rates, &over) > ns);
            }
}

/* A prompt in steps is the sum of its steps, where attention is bound by what it computes. */
static void test_prefill_time(void **state)
{
    const struct lli_rates rates = {.bytes = 20e12, .flops = 332.8e9, .attention_flops = 100e9, .step_ns = 1e6, .seq_ns = 1e4};
    struct lli_shape s = shape_of(LLAMA_3_8B);
    struct lli_weight_bytes w = lli_shape_weights(&s, lli_dtype_named("q4_0"));
    struct lli_cost cost;
    double sum = 0;
    (void)state;
    lli_cost_init(&cost, &s, &w, lli_shape_kv_elements(&s) * 2);
    for (double at = 0; at < 1000; at += 128) {
        struct lli_load load = {0};
        double n = 1000 - at < 128 ? 1000 - at : 128;
        lli_load_add(&load, at, n, at + n == 1000);
        sum += lli_cost_step_ns(&cost, &rates, &load);
    }
    near(lli_cost_prefill_ns(&cost, &rates, 1000, 128) / sum, 1, 1e-12);
}

static void test_experts(void **state)
{
    static const double rows[] = {1, 2, 4, 8}, met[] = {2, 3.5, 5.46875, 7.1990966796875};
    struct lli_shape s = shape_of(MIXTRAL);
    struct lli_weight_bytes w = lli_shape_weights(&s, lli_dtype_named("f16"));
    struct lli_cost cost;
    (void)state;
    lli_cost_init(&cost, &s, &w, 0);
    for (int i = 0; i < 4; i++) {
        same(lli_cost_experts(8, 2, rows[i]), met[i]);
        same(lli_cost_weight_bytes(&cost, rows[i]), w.layers + w.head + met[i] / 8 * w.experts);
    }
    same(lli_cost_experts(0, 0, 5), 0);
}

/* ---- ranks */

static void cost_of(struct lli_cost *out, const struct lli_shape *s, const char *type)
{
    struct lli_weight_bytes w = lli_shape_weights(s, lli_dtype_named(type));
    lli_cost_init(out, s, &w, lli_shape_kv_elements(s) * 2);
}

static double all_bytes(const struct lli_cost *c)
{
    return bytes_of(&c->weights);
}

/* Where all divides, a rank has its part of everything but the norms and the router, whole numbers all of them. */
static void test_rank_parts(void **state)
{
    static const char *const shapes[] = {LLAMA_3_8B, LLAMA_2_7B, MIXTRAL, LLAMA_2_70B};
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (uint32_t tp = 1; tp <= 8; tp *= 2) {
            struct lli_shape s = shape_of(shapes[i]);
            struct lli_shape_counts n = lli_shape_count(&s);
            const struct lli_ranks ranks = {.tp = tp, .pp = 1};
            struct llminf_error err;
            struct lli_cost whole, part;
            cost_of(&whole, &s, "f16");
            assert_int_equal(lli_ranks_check(&ranks, &s, &err), LLMINF_OK);
            lli_ranks_cost(&part, &ranks, &s, &whole, 0);
            same(part.attention_flops * tp, whole.attention_flops);
            same(part.kv_bytes * tp, whole.kv_bytes);
            same((part.body_flops - 2 * n.router) * tp, whole.body_flops - 2 * n.router);
            same(part.head_flops * tp, whole.head_flops);
            same((all_bytes(&part) - 4 * (n.vectors + n.router)) * tp, all_bytes(&whole) - 4 * (n.vectors + n.router));
        }
}

/* The largest of ranks that are not equal, by the cuts: stories15M's feed-forward layer, TinyLlama's four heads of K and V of
 * eight ranks, a vocabulary that is no multiple of 16 tp. */
static void test_rank_largest(void **state)
{
    struct lli_shape s = shape_of("n_layers=1,n_embd=896,n_heads=14,n_kv_heads=2,n_ff=4864,n_vocab=1000");
    const struct lli_ranks two = {.tp = 2, .pp = 1}, eight = {.tp = 8, .pp = 1};
    struct lli_cost whole, part;
    (void)state;
    cost_of(&whole, &s, "f32");
    lli_ranks_cost(&part, &two, &s, &whole, 0);
    same(part.head_flops, 2.0 * 896 * 504); /* 63 groups of 16, the last of 8 rows: 31 and 32 */
    same(part.kv_bytes, whole.kv_bytes / 2);
    s = shape_of(TINYLLAMA);
    cost_of(&whole, &s, "f32");
    lli_ranks_cost(&part, &eight, &s, &whole, 0);
    same(part.kv_bytes, whole.kv_bytes / 4);
    same(part.attention_flops, whole.attention_flops / 8);
    s = shape_of("n_layers=1,n_embd=64,n_heads=8,n_kv_heads=4,n_ff=172,n_vocab=512"); /* cuts 0 0 0 0 32 32 32 32 64 */
    cost_of(&whole, &s, "f32");
    lli_ranks_cost(&part, &(struct lli_ranks){.tp = 4, .pp = 1}, &s, &whole, 0);
    same(part.attention_flops, whole.attention_flops / 2);
    same(part.kv_bytes, whole.kv_bytes / 2);
    near(part.body_flops, 2.0 * (64 * 64 + 2 * 64 * 16 + 3 * 64 * 64),
         1e-6); /* 64 of 172 columns: cuts 0 0 32 64 96 96 128 160 172 */
}

/* R4: what cannot be dealt out is refused with the numbers; the cuts of docs/numerics.md. */
static void test_rank_refusals(void **state)
{
    static const struct {
        const char *shape;
        uint32_t tp, pp;
        const char *subject; /* NULL: taken */
    } rows[] = {
        {STORIES, 1, 6, NULL},
        {STORIES, 1, 7, "pipeline_parallel"},
        {STORIES, 1, 0, "pipeline_parallel"},
        {STORIES, 2, 1, "tensor_parallel"}, /* 128 is inside a head of 48 */
        {STORIES, 4, 1, "tensor_parallel"}, /* 6 heads */
        {"n_layers=1,n_embd=896,n_heads=14,n_kv_heads=2,n_ff=4864,n_vocab=1000", 2, 1, NULL},
        {"n_layers=1,n_embd=896,n_heads=14,n_kv_heads=2,n_ff=4864,n_vocab=1000", 4, 1, "tensor_parallel"},
        {"n_layers=1,n_embd=64,n_heads=8,n_kv_heads=4,n_ff=172,n_vocab=512", 4, 1, NULL},
        {LLAMA_3_8B, 8, 4, NULL},
        {TINYLLAMA, 8, 1, NULL}, /* two ranks have the same head of K and V */
        {LLAMA_3_8B, 3, 1, "tensor_parallel"},
        {LLAMA_3_8B, 0, 1, "tensor_parallel"},
        {LLAMA_3_8B, 16, 1, "tensor_parallel"},
        {"n_layers=1,n_embd=384,n_heads=12,n_kv_heads=3,n_ff=512,n_vocab=100", 4, 1, "tensor_parallel"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lli_shape s = shape_of(rows[i].shape);
        struct llminf_error err;
        int32_t status = lli_ranks_check(&(struct lli_ranks){.tp = rows[i].tp, .pp = rows[i].pp}, &s, &err);
        assert_int_equal(status, rows[i].subject ? LLMINF_E_OPTION : LLMINF_OK);
        if (rows[i].subject)
            assert_string_equal(err.subject, rows[i].subject);
    }
}

/* All layers, each once; no other way to cut them has a shorter longest stage. */
static void test_stages(void **state)
{
    static const char *const shapes[] = {LLAMA_3_8B, QWEN3, STORIES, LLAMA_2_70B};
    (void)state;
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
        for (uint32_t pp = 1; pp <= 6; pp++) {
            struct lli_shape s = shape_of(shapes[i]);
            const struct lli_ranks ranks = {.tp = 1, .pp = pp};
            struct lli_cost whole, part;
            double sum = 0, flops = 0, kv = 0, longest = 0;
            cost_of(&whole, &s, "q8_0");
            double layer = whole.weights.layers / s.n_layers;
            for (uint32_t stage = 0; stage < pp; stage++) {
                uint32_t n = lli_ranks_layers(&ranks, &whole, s.n_layers, stage);
                assert_true(n >= 1);
                lli_ranks_cost(&part, &ranks, &s, &whole, stage);
                sum += n;
                flops += part.body_flops + part.head_flops;
                kv += part.kv_bytes;
                longest = all_bytes(&part) > longest ? all_bytes(&part) : longest;
            }
            same(sum, s.n_layers);
            near(flops / (whole.body_flops + whole.head_flops), 1, 1e-12);
            near(kv / whole.kv_bytes, 1, 1e-12);
            for (uint32_t last = 1; pp > 1 && last + pp - 1 <= s.n_layers; last++) {
                uint32_t others = (s.n_layers - last + pp - 2) / (pp - 1);
                double of_last = last * layer + whole.weights.head, of_others = others * layer;
                assert_true(longest <= (of_last > of_others ? of_last : of_others) * (1 + 1e-12));
            }
        }
}

/* Two sums a layer, a row from stage to stage, logits to the first rank. */
static void test_traffic(void **state)
{
    struct lli_shape s = shape_of(LLAMA_3_8B);
    const struct lli_load load = {.rows = 8, .seqs = 8, .logits = 8};
    struct lli_traffic t;
    struct lli_ranks ranks = {.tp = 1, .pp = 1, .link_bytes = 4e9, .link_ns = 1000};
    double logits = 4.0 * 128256 * 8;
    (void)state;
    lli_ranks_traffic(&t, &ranks, &s, &load);
    same(t.messages + t.bytes, 0);
    ranks.tp = 2;
    lli_ranks_traffic(&t, &ranks, &s, &load);
    same(t.messages, 65);
    same(t.bytes, 64 * 16384.0 * 8 + logits / 2);
    same(lli_ranks_traffic_ns(&ranks, &t), 65 * 1000 + t.bytes / 4);
    ranks.pp = 4;
    lli_ranks_traffic(&t, &ranks, &s, &load);
    same(t.messages, 64 + 3 + 1);
    same(t.bytes, (64 + 3) * 16384.0 * 8 + logits);
    ranks.link_bytes = 0;
    same(lli_ranks_traffic_ns(&ranks, &t), 68 * 1000);
}

/* One rank: the step of cost.h. Two that share the layers of a step bound by memory: half of it, but for norms and messages.
 * Stages: no faster for one session; with a session for each stage, each step of one is hidden behind the others'. */
static void test_rank_step(void **state)
{
    const struct lli_rates rates = {.bytes = 20e9, .flops = 332.8e9, .attention_flops = 332.8e9};
    struct lli_shape s = shape_of(LLAMA_2_7B);
    struct lli_ranks ranks = {.tp = 1, .pp = 1};
    struct lli_cost cost;
    struct lli_load one = decodes(1, 512), four = decodes(4, 512);
    (void)state;
    cost_of(&cost, &s, "f16");
    double ns = lli_cost_step_ns(&cost, &rates, &one);
    same(lli_ranks_step_ns(&ranks, &s, &cost, &rates, &one), ns);
    ranks.tp = 2;
    near(lli_ranks_step_ns(&ranks, &s, &cost, &rates, &one) / ns, 0.5, 1e-3);
    ranks.link_ns = 1000;
    near(lli_ranks_step_ns(&ranks, &s, &cost, &rates, &one) - ns / 2, 65000, 60000);
    ranks = (struct lli_ranks){.tp = 1, .pp = 4};
    near(lli_ranks_step_ns(&ranks, &s, &cost, &rates, &one) / ns, 1, 1e-9);
    double slowest = 0, stage_ns;
    for (uint32_t stage = 0; stage < 4; stage++) {
        struct lli_cost part;
        lli_ranks_cost(&part, &ranks, &s, &cost, stage);
        stage_ns = lli_cost_step_ns(&part, &rates, &one);
        slowest = stage_ns > slowest ? stage_ns : slowest;
    }
    near(lli_ranks_step_ns(&ranks, &s, &cost, &rates, &four) / (4 * slowest), 1, 1e-12);
}

static void test_bubble(void **state)
{
    (void)state;
    same(lli_ranks_bubble(2, 1), 1.0 / 2);
    same(lli_ranks_bubble(2, 2), 1.0 / 3);
    same(lli_ranks_bubble(2, 8), 1.0 / 9);
    same(lli_ranks_bubble(4, 4), 3.0 / 7);
    same(lli_ranks_bubble(4, 16), 3.0 / 19);
    same(lli_ranks_bubble(1, 5), 0);
}

static void test_drafts(void **state)
{
    (void)state;
    near(lli_cost_drafts(0.8, 4), 3.3616, 1e-12);
    same(lli_cost_drafts(0, 4), 1);
    same(lli_cost_drafts(1, 4), 5);
}

static void test_bad_shapes(void **state)
{
    static const char *const bad[] = {
        "",
        "n_layers",
        "n_layers=32",
        LLAMA_3_8B ",",
        LLAMA_3_8B ",,",
        LLAMA_3_8B ",x=1",
        LLAMA_3_8B ",n_layers=32",
        LLAMA_3_8B ",tied=2",
        LLAMA_3_8B ",n_experts=8",
        LLAMA_3_8B ",n_experts_used=1",
        LLAMA_3_8B ",head_dim=0",
        "n_layers=0,n_embd=4,n_heads=1,n_ff=4,n_vocab=4",
        "n_layers=-1,n_embd=4,n_heads=1,n_ff=4,n_vocab=4",
        "n_layers=1,n_embd=5,n_heads=2,n_ff=4,n_vocab=4",
        "n_layers=1,n_embd=4,n_heads=4,n_kv_heads=3,n_ff=4,n_vocab=4",
        "n_layers=1e3,n_embd=4,n_heads=1,n_ff=4,n_vocab=4",
        "n_layers=99999999999999999999,n_embd=4,n_heads=1,n_ff=4,n_vocab=4",
    };
    struct lli_shape shape;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct llminf_error err;
        assert_int_equal(lli_shape_read(&shape, bad[i], strlen(bad[i]), &err), LLMINF_E_OPTION);
        assert_string_equal(err.subject, "shape");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_models),       cmocka_unit_test(test_kipply),        cmocka_unit_test(test_prefill),
        cmocka_unit_test(test_weights),      cmocka_unit_test(test_b_star),        cmocka_unit_test(test_step),
        cmocka_unit_test(test_rows),         cmocka_unit_test(test_prefill_time),  cmocka_unit_test(test_experts),
        cmocka_unit_test(test_drafts),       cmocka_unit_test(test_bad_shapes),    cmocka_unit_test(test_rank_parts),
        cmocka_unit_test(test_rank_largest), cmocka_unit_test(test_rank_refusals), cmocka_unit_test(test_stages),
        cmocka_unit_test(test_traffic),      cmocka_unit_test(test_overlap),       cmocka_unit_test(test_rank_step),
        cmocka_unit_test(test_bubble),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
