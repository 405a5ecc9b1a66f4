/* The plan of costs through the public API: its bytes against a context that is then opened, its errors, its arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <llminf/llminf.h>

#include "api/handles.h"
#include "support/gguf_make.h"
#include "support/support.h"

static llminf_error error;

static double plan(const llminf_model *model, const llminf_options *context, const llminf_options *load, const char *key)
{
    double value = -1;
    if (llminf_cost_plan(model, context, load, key, &value, &error) != LLMINF_OK)
        fail_msg("%s: %s", key, error.text);
    return value;
}

static int64_t number(const llminf_context *context, const char *key)
{
    int64_t value;
    assert_int_equal(llminf_context_int(context, key, &value, &error), LLMINF_OK);
    return value;
}

/* Options as "key=value" with a space between. */
static llminf_options *bag(const char *kind, const char *text)
{
    llminf_options *options;
    char item[128], *value;
    int n = 0;
    assert_int_equal(llminf_options_open(&options, kind, &error), LLMINF_OK);
    for (; sscanf(text, "%127s%n", item, &n) == 1; text += n) {
        value = strchr(item, '=');
        *value++ = 0;
        if (llminf_options_parse(options, item, value, -1, &error) != LLMINF_OK)
            fail_msg("%s: %s", item, error.text);
    }
    return options;
}

/* Of the model and its children; a context says the same under this name. */
static int64_t live_bytes(const llminf_model *model)
{
    return atomic_load(&model->heap.live_bytes);
}

/* 58: the plan's bytes are those of the context that is opened with the same options, to the byte. */
static void check_live(llminf_model *model, const char *text)
{
    static const char *const same[][2] = {{"kv_bytes", "kv_bytes"},
                                          {"kv_blocks", "kv_blocks"},
                                          {"meta_bytes", "kv_meta_bytes"},
                                          {"scratch_bytes", "scratch_bytes"}};
    llminf_options *options = bag("context", text);
    llminf_context *context;
    int64_t before = live_bytes(model);
    double heap = plan(model, options, NULL, "heap_bytes");
    assert_int_equal(live_bytes(model), before);
    if (llminf_context_open(&context, model, options, &error) != LLMINF_OK)
        fail_msg("%s: %s", text, error.text);
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        assert_int_equal((int64_t)plan(model, options, NULL, same[i][0]), number(context, same[i][1]));
    assert_int_equal(number(context, "live_bytes") - before, (int64_t)heap);
    llminf_context_close(context);
    llminf_options_close(options);
}

static void check_params(llminf_model *model)
{
    int64_t n_params;
    assert_int_equal(llminf_model_int(model, "n_params", &n_params, &error), LLMINF_OK);
    assert_int_equal((int64_t)plan(model, NULL, NULL, "params"), n_params);
}

static const char *const grid[] = {
    "",
    "kv_type=f32",
    "kv_type=q8_0 kv_budget_bytes=1MiB",
    "kv_budget_bytes=65536 step_tokens=16",
    "kv_budget_bytes=333333 step_tokens=777",
    "kv_budget_bytes=3MiB max_running=1 max_sessions=1",
    "kv_budget_bytes=3MiB max_running=200 step_tokens=100",
    "kv_budget_bytes=3MiB threads=1 spin_ns=0",
    "kv_budget_bytes=3MiB threads=3 host_driven=1",
    "kv_budget_bytes=3MiB prefix_cache=0 batching=static kv_prefault=1",
    "kv_budget_bytes=1MiB backend=scalar",
    "kv_budget_bytes=1MiB backend=scalar kv_type=f32 threads=2",
};

enum { N_GRID = sizeof grid / sizeof *grid };

static void test_live(void **state)
{
    static const struct test_model_spec specs[] = {
        {.type = LLI_F32},
        {.type = LLI_Q8_0, .tied = 1, .biases = 1},
        {.type = LLI_Q4_K, .rope_freqs = 1},
        {.type = LLI_Q4_0, .n_experts = 4, .n_experts_used = 2, .n_layers = 3},
        {.type = LLI_F16, .n_embd = 96, .n_heads = 6, .n_kv_heads = 3, .n_ff = 100, .n_vocab = 333},
        {.arch = "gpt2", .fused = 1},
        {.arch = "qwen3moe", .n_experts = 4},
        {.arch = "starcoder2", .type = LLI_Q8_0},
        {.arch = "gemma3",
         .n_layers = 7,
         .keys = {{"attention.sliding_window", 25, 1}}}, /* from here on some norms are not counted */
        {.arch = "bloom"},
        {.arch = "falcon"},
    };
    enum { COUNTED = 8 };
    (void)state;
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        size_t size;
        uint8_t *bytes = test_model_make(&specs[i], &size);
        for (size_t k = 0; k < N_GRID; k++) { /* each the first context of its model, which packs the weights */
            llminf_model *model;
            assert_int_equal(llminf_model_open_memory(&model, bytes, size, NULL, &error), LLMINF_OK);
            check_live(model, grid[k]);
            if (i < COUNTED && !specs[i].rope_freqs)
                check_params(model);
            llminf_model_close(model);
        }
        free(bytes);
    }
}

/* The same with files from outside, where there are any. */
static void test_live_shared(void **state)
{
    static const char *const names[] = {"models/stories260K.gguf", "models/stories3M-moe4-f32.gguf",
                                        "models/stories3M-pad256-q4_k_m.gguf", "models/stories3M-q8_0.gguf"};
    (void)state;
    for (size_t i = 0; support_shared() != NULL && i < N_GRID * sizeof names / sizeof *names; i++) {
        char path[512];
        llminf_model *model;
        snprintf(path, sizeof path, "%s/%s", support_shared(), names[i / N_GRID]);
        if (llminf_model_open(&model, path, NULL, &error) != LLMINF_OK) {
            assert_int_equal(error.status, LLMINF_E_IO);
            continue;
        }
        check_live(model, grid[i % N_GRID]);
        check_params(model);
        llminf_model_close(model);
    }
}

static llminf_model *open_small(uint8_t **bytes_out)
{
    static const struct test_model_spec spec = {.type = LLI_Q8_0};
    llminf_model *model;
    size_t size;
    *bytes_out = test_model_make(&spec, &size);
    assert_int_equal(llminf_model_open_memory(&model, *bytes_out, size, NULL, &error), LLMINF_OK);
    return model;
}

/* A session with its generation takes what the plan says. */
static void test_session(void **state)
{
    static const int lengths[][2] = {{1, 0}, {1, 15}, {40, 7}, {100, 100}};
    uint8_t *bytes;
    llminf_model *model = open_small(&bytes);
    llminf_options *options = bag("context", "host_driven=1 threads=1");
    llminf_context *context;
    (void)state;
    assert_int_equal(llminf_context_open(&context, model, options, &error), LLMINF_OK);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        char text[64];
        llminf_token ids[128] = {1};
        llminf_session *session;
        int64_t before = number(context, "live_bytes");
        snprintf(text, sizeof text, "prompt_tokens=%d new_tokens=%d", lengths[i][0], lengths[i][1]);
        llminf_options *load = bag("cost", text), *how = bag("generate", "");
        assert_int_equal(llminf_options_set_int(how, "max_tokens", lengths[i][1], &error), LLMINF_OK);
        assert_int_equal(llminf_session_open(&session, context, NULL, &error), LLMINF_OK);
        assert_int_equal(llminf_session_append(session, ids, (size_t)lengths[i][0], &error), LLMINF_OK);
        assert_int_equal(llminf_session_generate(session, NULL, how, &error), LLMINF_OK);
        assert_int_equal(number(context, "live_bytes") - before, (int64_t)plan(model, options, load, "session_bytes"));
        llminf_session_close(session);
        llminf_options_close(load);
        llminf_options_close(how);
    }
    llminf_context_close(context);
    llminf_options_close(options);
    llminf_model_close(model);
    free(bytes);
}

/* As many sessions as the plan says can run at once, and not one more; each as long as it says, and no longer. */
static void test_room(void **state)
{
    uint8_t *bytes;
    llminf_model *model = open_small(&bytes);
    llminf_options *options = bag("context", "kv_budget_bytes=200000"), *load = bag("cost", "prompt_tokens=20 new_tokens=20");
    (void)state;
    double blocks = plan(model, options, load, "kv_blocks") - 1;
    assert_true(plan(model, options, load, "kv_tokens") == 16 * blocks);
    assert_true(plan(model, options, load, "max_sessions") == (double)(int)(blocks / 3));
    assert_true(plan(model, options, load, "max_context") == 16 * blocks);
    llminf_options_close(load);
    load = bag("cost", "prompt_tokens=40 new_tokens=20 shared_tokens=33 sessions=2");
    assert_true(plan(model, options, load, "max_sessions") == (double)(int)((blocks - 2) / 2));
    assert_true(plan(model, options, load, "max_context") == 16 * (double)(int)((blocks - 2) / 2) + 32);
    llminf_options_close(load);
    double least = plan(model, options, NULL, "total_bytes") - plan(model, options, NULL, "kv_bytes");
    char text[64];
    snprintf(text, sizeof text, "memory_bytes=%.0f", least - 100000);
    load = bag("cost", text);
    assert_true(plan(model, options, load, "max_sessions") == 0 && plan(model, options, load, "max_context") == 0);
    llminf_options_close(load);
    llminf_options_close(options);
    llminf_model_close(model);
    free(bytes);
}

#define LLAMA_3_8B "shape=n_layers=32,n_embd=4096,n_heads=32,n_kv_heads=8,n_ff=14336,n_vocab=128256 weights=q4_0 "

/* A model by its numbers alone: what tests/unit/test_cost.c has, through the door. */
static void test_shape(void **state)
{
    static const struct {
        const char *key;
        double value, step;
    } rows[] = {
        {"params", 8030261248, 0},
        {"matmul_params", 6979321856, 0},
        {"body_flops", 13958643712, 0},
        {"head_flops", 1050673152, 0},
        {"attention_flops", 524288, 0},
        {"kv_bytes_per_token", 131072, 0},
        {"kv_share", 1.0 / 26, 0},
        {"attention_crossover", 26624, 0},
        {"kv_crossover", 32214.6, 0.06},
        {"prefill_flops", 7216729948160, 0},
        {"b_star", 4.68, 0},
        {"floor_ns", 211121766.4, 1},
        {"step_ns", 224.544e6, 600},
        {"tokens_per_s", 17.81, 0.006},
        {"comm_bytes", 0, 0},
        {"weight_bytes", 4222435328 + 128256.0 * 4096 * 18 / 32, 0},
    };
    llminf_options *load =
        bag("cost", LLAMA_3_8B "flops_per_s=332.8e9 bytes_per_s=20e9 sessions=4 prompt_tokens=512 new_tokens=0");
    llminf_options *options = bag("context", "kv_budget_bytes=2GiB");
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        double value = plan(NULL, options, load, rows[i].key), off = value - rows[i].value;
        if (rows[i].step == 0 ? off != 0 : !(off < rows[i].step && off > -rows[i].step))
            fail_msg("%s: %.17g, want %.17g", rows[i].key, value, rows[i].value);
    }
    llminf_options_close(load);
    llminf_options_close(options);
}

/* Every key has a value, and that is what the schema lists. */
static void test_keys(void **state)
{
    uint8_t *bytes;
    llminf_model *model = open_small(&bytes);
    llminf_options *load = bag("cost", "flops_per_s=1e12 bytes_per_s=1e10 prompt_tokens=100 new_tokens=20");
    size_t n = 0;
    (void)state;
    for (const char *key; (key = llminf_schema_key("stats.cost", n)) != NULL; n++)
        if (!(plan(model, NULL, load, key) > 0 || strcmp(key, "comm_bytes") == 0))
            fail_msg("%s is 0", key);
    assert_true(n > 30);
    llminf_options_close(load);
    llminf_model_close(model);
    free(bytes);
}

static void expect(llminf_status status, const char *subject, const llminf_model *model, const llminf_options *context,
                   const llminf_options *load, const char *key)
{
    double value = 7;
    assert_int_equal(llminf_cost_plan(model, context, load, key, &value, &error), status);
    assert_string_equal(error.subject, subject);
    assert_true(value == 0);
}

static void test_errors(void **state)
{
    uint8_t *bytes;
    llminf_model *model = open_small(&bytes);
    llminf_options *load = bag("cost", ""), *shape = bag("cost", "shape=n_layers=1"), *whole = bag("cost", LLAMA_3_8B);
    llminf_options *type = bag("cost", LLAMA_3_8B), *backend = bag("context", "backend=nobody");
    llminf_options *draft = bag("context", "");
    double value;
    (void)state;
    assert_int_equal(llminf_options_set_text(type, "weights", "q9", -1, &error), LLMINF_OK);
    expect(LLMINF_E_NOT_FOUND, "nothing", model, NULL, NULL, "nothing");
    expect(LLMINF_E_NOT_FOUND, "", model, NULL, NULL, "");
    expect(LLMINF_E_INVALID, "key", model, NULL, NULL, NULL);
    expect(LLMINF_E_INVALID, "model", NULL, NULL, NULL, "params");
    expect(LLMINF_E_INVALID, "model", NULL, NULL, load, "params");
    expect(LLMINF_E_OPTION, "shape", NULL, NULL, shape, "params");
    expect(LLMINF_E_OPTION, "shape", model, NULL, whole, "params");
    expect(LLMINF_E_OPTION, "weights", NULL, NULL, type, "params");
    expect(LLMINF_E_OPTION, "backend", model, backend, NULL, "params");
    expect(LLMINF_E_OPTION, "flops_per_s", model, NULL, load, "step_ns");
    expect(LLMINF_E_OPTION, "cost", model, load, NULL, "params");
    expect(LLMINF_E_OPTION, "context", model, NULL, backend, "params");
    assert_int_equal(llminf_options_set_model(draft, "draft", model, &error), LLMINF_OK);
    expect(LLMINF_E_UNSUPPORTED, "draft", model, draft, NULL, "params");
    assert_int_equal(llminf_cost_plan(model, NULL, NULL, "params", NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_cost_plan((const llminf_model *)(const void *)load, NULL, NULL, "params", &value, &error),
                     LLMINF_E_INVALID);
    llminf_options_close(load);
    llminf_options_close(shape);
    llminf_options_close(whole);
    llminf_options_close(type);
    llminf_options_close(backend);
    llminf_options_close(draft);
    llminf_model_close(model);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live),   cmocka_unit_test(test_live_shared), cmocka_unit_test(test_session),
        cmocka_unit_test(test_room),   cmocka_unit_test(test_shape),       cmocka_unit_test(test_keys),
        cmocka_unit_test(test_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
