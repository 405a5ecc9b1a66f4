/* The arithmetic of costs: the counts of published models, and what follows from them at round speeds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cost/cost.h"
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
#define STORIES "n_layers=6,n_embd=288,n_heads=6,n_ff=768,n_vocab=32000,tied=1"
#define BIASES ",gated=0,layer_norm=1,qkv_bias=1,output_bias=1,ff_bias=1,tied=1"

/* Parameters: the published counts. K and V in F16. The share is that of 2 d dkv in a layer. */
static const struct {
    const char *shape;
    double params, active, matmul, body, head, kv_bytes, share_of, share_in, crossover;
    int is_standard; /* 12 L d^2 weights in the layers' matrices */
} models[] = {
    {STORIES, 15191712, 15191712, 5971968, 11943936, 18432000, 6912, 1, 6, 1728, 1},
    {"n_layers=12,n_embd=768,n_heads=12,n_ff=2048,n_vocab=32000,tied=1", 109529856, 109529856, 84934656, 169869312, 49152000,
     36864, 1, 6, 4608, 1},
    {QWEN3, 596049920, 596049920, 440401920, 880803840, 311164928, 114688, 2, 15, 3840, 0},
    {TINYLLAMA, 1100048384, 1100048384, 968884224, 1937768448, 131072000, 22528, 1, 42, 10752, 0},
    {LLAMA_2_7B, 6738415616, 6738415616, 6476005376, 12952010752, 262144000, 524288, 32, 193, 24704, 0},
    {LLAMA_3_8B, 8030261248, 8030261248, 6979321856, 13958643712, 1050673152, 131072, 1, 26, 26624, 0},
    {"n_layers=40,n_embd=5120,n_heads=40,n_ff=20480,n_vocab=50272,n_positions=2050" BIASES, 12853473280, 12853473280,
     12582912000, 25165824000, 514785280, 819200, 1, 6, 30720, 1},
    {MIXTRAL, 46702792704, 12879925248, 12617515008, 25235030016, 262144000, 131072, 256, 12033, 48132, 0},
    {"n_layers=80,n_embd=8192,n_heads=64,n_kv_heads=8,n_ff=28672,n_vocab=32000", 68976648192, 68976648192, 68451041280,
     136902082560, 524288000, 327680, 1, 51, 52224, 0},
    {"n_layers=96,n_embd=12288,n_heads=96,n_ff=49152,n_vocab=50257,n_positions=2048" BIASES, 174604259328, 174604259328,
     173946175488, 347892350976, 1235116032, 4718592, 1, 6, 73728, 1},
};

static void test_models(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        struct lli_shape s = shape_of(models[i].shape);
        double standard = 12.0 * s.n_layers * s.n_embd * s.n_embd;
        same(lli_shape_params(&s, 0), models[i].params);
        same(lli_shape_params(&s, 1), models[i].active);
        same(lli_shape_matmul(&s), models[i].matmul);
        same(lli_shape_body_flops(&s), models[i].body);
        same(lli_shape_head_flops(&s), models[i].head);
        same(lli_shape_kv_elements(&s) * 2, models[i].kv_bytes);
        same(lli_shape_kv_share(&s), models[i].share_of / models[i].share_in);
        same(lli_shape_attention_crossover(&s), models[i].crossover);
        assert_int_equal(lli_shape_matmul(&s) == standard, models[i].is_standard);
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
        cmocka_unit_test(test_models),  cmocka_unit_test(test_kipply),       cmocka_unit_test(test_prefill),
        cmocka_unit_test(test_weights), cmocka_unit_test(test_b_star),       cmocka_unit_test(test_step),
        cmocka_unit_test(test_rows),    cmocka_unit_test(test_prefill_time), cmocka_unit_test(test_experts),
        cmocka_unit_test(test_drafts),  cmocka_unit_test(test_bad_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
