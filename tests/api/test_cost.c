/* The plan of costs through the public API: its bytes against a context that is then opened, its errors, its arithmetic. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <llminf/llminf.h>

#include "api/handles.h"
#include "support/gguf_make.h"
#include "support/support.h"

#define LLAMA_3_8B "shape=n_layers=32,n_embd=4096,n_heads=32,n_kv_heads=8,n_ff=14336,n_vocab=128256 weights=q4_0 "

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

/* The same with files from outside, where there are any: also what the tensors count. */
static void test_live_shared(void **state)
{
    static const char *const names[] = {
        "models/stories260K.gguf",
        "models/stories3M-f32.gguf",
        "models/stories3M-moe4-f32.gguf",
        "models/stories3M-pad256-f16.gguf",
        "models/stories3M-pad256-q3_k_m.gguf",
        "models/stories3M-pad256-q4_0.gguf",
        "models/stories3M-pad256-q4_k_m.gguf",
        "models/stories3M-pad256-q6_k.gguf",
        "models/stories3M-q8_0.gguf",
        "models/stories3M-qwen2-f32.gguf",
        "models/chat3M-gpt2-q4_0.gguf",
        "models/llama2-tiny-random-f16.gguf",
        "models/story-llama-hf",
    };
    (void)state;
    for (size_t i = 0; support_shared() != NULL && i < N_GRID * sizeof names / sizeof *names; i++) {
        char path[512];
        llminf_model *model;
        snprintf(path, sizeof path, "%s/%s", support_shared(), names[i / N_GRID]);
        if (llminf_model_open(&model, path, NULL, &error) != LLMINF_OK) {
            assert_int_equal(error.status, LLMINF_E_IO);
            continue;
        }
        check_live(model, i % N_GRID < 2 || i / N_GRID == 0 ? grid[i % N_GRID] : "kv_budget_bytes=3MiB");
        check_params(model);
        llminf_model_close(model);
    }
}

/* The same with a draft model: another one, or the model itself. Its weights are in its own heap. */
static void test_draft(void **state)
{
    static const char *const more[] = {"kv_budget_bytes=1MiB", "kv_budget_bytes=1MiB draft_share=0.5 kv_type=q8_0",
                                       "kv_budget_bytes=400000 draft_share=0.3 threads=2",
                                       "backend=scalar kv_budget_bytes=400000", "draft_share=0"};
    static const struct test_model_spec large = {.type = LLI_Q8_0, .n_layers = 4}, small = {.type = LLI_F32, .n_layers = 1};
    static const struct test_model_spec other = {.n_vocab = 300};
    size_t size;
    uint8_t *bytes = test_model_make(&large, &size), *small_bytes, *other_bytes;
    (void)state;
    for (size_t i = 0; i < 2 * sizeof more / sizeof *more; i++) {
        llminf_model *model, *draft;
        llminf_context *context;
        llminf_options *options = bag("context", more[i / 2]);
        size_t small_size;
        double value;
        small_bytes = test_model_make(&small, &small_size);
        assert_int_equal(llminf_model_open_memory(&model, bytes, size, NULL, &error), LLMINF_OK);
        assert_int_equal(llminf_model_open_memory(&draft, small_bytes, small_size, NULL, &error), LLMINF_OK);
        assert_int_equal(llminf_options_set_model(options, "draft", i % 2 ? model : draft, &error), LLMINF_OK);
        int64_t before = live_bytes(model);
        double heap = plan(model, options, NULL, "heap_bytes"), kv = plan(model, options, NULL, "draft_kv_bytes");
        double weights = plan(model, options, NULL, "draft_weight_bytes"),
               scratch = plan(model, options, NULL, "scratch_bytes");
        assert_int_equal(live_bytes(model), before);
        if (i < 2) {
            llminf_options *shape = bag("cost", LLAMA_3_8B);
            assert_int_equal(llminf_cost_plan(NULL, options, shape, "params", &value, &error), LLMINF_E_OPTION);
            assert_string_equal(error.subject, "draft");
            llminf_options_close(shape);
        }
        if (llminf_context_open(&context, model, options, &error) != LLMINF_OK)
            fail_msg("%s: %s", more[i / 2], error.text);
        assert_int_equal(number(context, "live_bytes") - before, (int64_t)heap);
        assert_int_equal(number(context, "draft_kv_bytes"), (int64_t)kv);
        assert_int_equal(number(context, "scratch_bytes"), (int64_t)scratch);
        assert_true((weights > 0) ==
                    (i % 2 == 0 && strcmp(more[i / 2], "draft_share=0") != 0)); /* another model, that guesses */
        llminf_context_close(context);
        llminf_options_close(options);
        llminf_model_close(draft);
        llminf_model_close(model);
        free(small_bytes);
    }
    llminf_model *model, *wrong;
    llminf_options *options = bag("context", "");
    size_t other_size;
    double value;
    other_bytes = test_model_make(&other, &other_size);
    assert_int_equal(llminf_model_open_memory(&model, bytes, size, NULL, &error), LLMINF_OK);
    assert_int_equal(llminf_model_open_memory(&wrong, other_bytes, other_size, NULL, &error), LLMINF_OK);
    assert_int_equal(llminf_options_set_model(options, "draft", wrong, &error), LLMINF_OK);
    assert_int_equal(llminf_cost_plan(model, options, NULL, "params", &value, &error), LLMINF_E_OPTION);
    assert_string_equal(error.subject, "draft");
    llminf_options_close(options);
    llminf_model_close(wrong);
    llminf_model_close(model);
    free(other_bytes);
    free(bytes);
}

static const struct test_model_spec small_specs[] = {
    {.type = LLI_Q8_0},
    {.arch = "gemma3", .n_layers = 7, .keys = {{"attention.sliding_window", 25, 1}}},
};

static llminf_model *open_small(uint8_t **bytes_out, size_t i)
{
    llminf_model *model;
    size_t size;
    *bytes_out = test_model_make(&small_specs[i], &size);
    assert_int_equal(llminf_model_open_memory(&model, *bytes_out, size, NULL, &error), LLMINF_OK);
    return model;
}

/* A session with its generation takes what the plan says. */
static void check_sessions(size_t spec)
{
    static const int lengths[][2] = {{1, 0}, {1, 15}, {40, 7}, {100, 100}};
    uint8_t *bytes;
    llminf_model *model = open_small(&bytes, spec);
    llminf_options *options = bag("context", "host_driven=1 threads=1");
    llminf_context *context;
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

static void test_session(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof small_specs / sizeof *small_specs; i++)
        check_sessions(i);
}

/* Windows: K and V of a longer context are not more, and more sessions have room; each is as long as is said. */
static void test_windows(void **state)
{
    enum { NARROW = 20, WINDOW = 1024, MOST = 131072 };
    static const char model[] = "shape=n_layers=24,n_embd=1024,n_heads=8,n_ff=4096,n_vocab=32000,train_length=131072";
    double sessions[2], context[2], bytes[2], flops[2];
    (void)state;
    for (int has_windows = 0; has_windows < 2; has_windows++) {
        char text[256];
        snprintf(text, sizeof text, "%s%s prompt_tokens=8192 new_tokens=0 sessions=1", model,
                 has_windows ? ",window=1024,n_local=20" : "");
        llminf_options *options = bag("context", "kv_budget_bytes=4GiB"), *load = bag("cost", text);
        sessions[has_windows] = plan(NULL, options, load, "max_sessions");
        context[has_windows] = plan(NULL, options, load, "max_context");
        bytes[has_windows] = plan(NULL, options, load, "step_bytes");
        flops[has_windows] = plan(NULL, options, load, "prefill_flops");
        llminf_options_close(options);
        llminf_options_close(load);
    }
    double token = 2 * 1024 * 2, beyond = 8192 - WINDOW; /* K and V of a layer */
    assert_true(bytes[0] - bytes[1] == NARROW * token * beyond);
    assert_true(flops[0] - flops[1] == 4.0 * NARROW * 1024 / 2 * beyond * (beyond + 1));
    assert_true(sessions[1] >= 3 * sessions[0] && sessions[0] > 0);
    assert_true(context[1] > 5 * context[0] && context[0] < MOST);
    llminf_options *wrong = bag("cost", "shape=n_layers=4,n_embd=64,n_heads=8,n_ff=64,n_vocab=32,n_local=2");
    double value;
    assert_int_equal(llminf_cost_plan(NULL, NULL, wrong, "params", &value, &error), LLMINF_E_OPTION);
    llminf_options_close(wrong);
}

/* As many sessions as the plan says can run at once, and not one more; each as long as it says, and no longer. */
static void test_room(void **state)
{
    uint8_t *bytes;
    llminf_model *model = open_small(&bytes, 0);
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

/* A file as if all its matrices were of another type: the bytes of the file that has it. */
static void test_retyped(void **state)
{
    static const struct test_model_spec is = {.type = LLI_F32}, wanted = {.type = LLI_Q8_0};
    static const char *const keys[] = {"step_bytes", "kv_crossover", "params"};
    llminf_options *load = bag("cost", "weights=q8_0");
    llminf_model *from, *to;
    size_t size, to_size;
    uint8_t *bytes = test_model_make(&is, &size), *to_bytes = test_model_make(&wanted, &to_size);
    (void)state;
    assert_int_equal(llminf_model_open_memory(&from, bytes, size, NULL, &error), LLMINF_OK);
    assert_int_equal(llminf_model_open_memory(&to, to_bytes, to_size, NULL, &error), LLMINF_OK);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        if (plan(from, NULL, load, keys[i]) != plan(to, NULL, NULL, keys[i]))
            fail_msg("%s: %.17g, want %.17g", keys[i], plan(from, NULL, load, keys[i]), plan(to, NULL, NULL, keys[i]));
    llminf_options_close(load);
    llminf_model_close(from);
    llminf_model_close(to);
    free(bytes);
    free(to_bytes);
}

/* What is said to fit does fit, and not more: asked again with that many sessions, tokens or parameters. */
static void test_fits(void **state)
{
    char text[512];
    llminf_options *options = bag("context", "kv_budget_bytes=2GiB");
    llminf_options *load = bag("cost", LLAMA_3_8B "memory_bytes=16GiB sessions=4 prompt_tokens=1000 new_tokens=1000");
    double sessions = plan(NULL, options, load, "max_sessions"), context = plan(NULL, options, load, "max_context");
    double params = plan(NULL, options, load, "max_params"), fixed, block, memory = 16.0 * (1 << 30);
    (void)state;
    assert_true(sessions > 4 && context > 2000 && params > 8030261248);
    for (double more = 0; more < 2; more++) { /* a pool for just these sessions, and all else */
        snprintf(text, sizeof text, LLAMA_3_8B "sessions=%.0f prompt_tokens=1000 new_tokens=1000", sessions + more);
        llminf_options *again = bag("cost", text);
        fixed = plan(NULL, options, again, "total_bytes") - plan(NULL, options, again, "kv_bytes") -
                plan(NULL, options, again, "meta_bytes");
        block = (plan(NULL, options, again, "kv_bytes") + plan(NULL, options, again, "meta_bytes")) /
                plan(NULL, options, again, "kv_blocks");
        assert_int_equal(fixed + block * (1 + 125 * (sessions + more)) > memory, (int)more);
        llminf_options_close(again);
    }
    fixed = plan(NULL, options, load, "total_bytes") - plan(NULL, options, load, "kv_bytes") -
            plan(NULL, options, load, "meta_bytes");
    assert_true(fixed + block * (1 + 4 * context / 16) <= memory && fixed + block * (1 + 4 * (context + 16) / 16) > memory);
    double weights = plan(NULL, options, load, "weight_bytes"), bytes = weights / plan(NULL, options, load, "params");
    assert_true(fixed - weights + params * bytes + block * (1 + 4 * 125) < memory * (1 + 1e-12));
    assert_true(fixed - weights + params * bytes + block * (1 + 4 * 125) > memory * (1 - 1e-12));
    llminf_options_close(load);
    llminf_options_close(options);
}

/* Two ranks hold half of the matrices each, but not of what every rank has; and what they send is counted. */
static void test_ranks(void **state)
{
    llminf_options *options = bag("context", "kv_budget_bytes=2GiB");
    llminf_options *one = bag("cost", LLAMA_3_8B), *two = bag("cost", LLAMA_3_8B "tensor_parallel=2 sessions=8 link_ns=1000"),
                   *four = bag("cost", LLAMA_3_8B "tensor_parallel=2 pipeline_parallel=2 micro_batches=8");
    double norms = 4.0 * (32 * 2 + 1) * 4096, whole = 4222435328; /* what a step reads */
    (void)state;
    assert_true(plan(NULL, options, one, "rank_bytes") == plan(NULL, options, one, "total_bytes"));
    assert_true(plan(NULL, options, one, "rank_weight_bytes") == plan(NULL, options, one, "weight_bytes"));
    double off = plan(NULL, options, two, "rank_weight_bytes") - ((whole - norms) / 2 + norms);
    assert_true(off < 1 && off > -1);
    assert_true(plan(NULL, options, two, "rank_kv_bytes") == plan(NULL, options, two, "kv_bytes") / 2);
    assert_true(plan(NULL, options, two, "comm_bytes") == 8 * (64 * 16384.0 + 4 * 128256.0 / 2));
    assert_true(plan(NULL, options, two, "comm_messages") == 65);
    assert_true(plan(NULL, options, two, "comm_ns") == 65000);
    assert_true(plan(NULL, options, two, "bubble") == 0);
    assert_true(plan(NULL, options, four, "bubble") == 1.0 / 9);
    assert_true(plan(NULL, options, four, "rank_weight_bytes") < 0.6 * plan(NULL, options, two, "rank_weight_bytes"));
    llminf_options_close(one);
    llminf_options_close(two);
    llminf_options_close(four);
    llminf_options_close(options);
}

/* Every key has a value, and that is what the schema lists. */
static void test_keys(void **state)
{
    uint8_t *bytes;
    llminf_model *model = open_small(&bytes, 0);
    llminf_options *load =
        bag("cost", "flops_per_s=1e12 bytes_per_s=1e10 prompt_tokens=100 new_tokens=20 memory_bytes=1GiB overlap=3");
    static const char *const none[] = {"comm_messages", "comm_bytes",         "comm_ns",       "bubble",
                                       "experts_met",   "draft_weight_bytes", "draft_kv_bytes"};
    size_t n = 0;
    (void)state;
    for (const char *key; (key = llminf_schema_key("stats.cost", n)) != NULL; n++) {
        int is_none = 0;
        for (size_t i = 0; i < sizeof none / sizeof *none; i++)
            is_none |= strcmp(key, none[i]) == 0;
        if ((plan(model, NULL, load, key) > 0) == is_none)
            fail_msg("%s is %s", key, is_none ? "more than 0" : "0");
    }
    assert_true(n > 50);
    llminf_options_close(load);
    llminf_model_close(model);
    free(bytes);
}

/* ---- measuring */

static void check_measured(llminf_context *context, int64_t max_ns)
{
    double flops = -1, bytes = -1;
    if (llminf_cost_measure(context, max_ns, &flops, &bytes, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    assert_true(flops > 1e5 && flops < 1e16 && bytes > 1e4 && bytes < 1e14);
}

/* Tokens of a session with a prompt of its own. */
static void make_tokens(llminf_context *context, llminf_token *out, size_t n)
{
    const llminf_token prompt[] = {1, 70, 71, 72, 73};
    llminf_options *greedy = bag("sampler", "temperature=0"), *how = bag("generate", "ignore_eog=1");
    llminf_session *session;
    llminf_sampler *sampler;
    assert_int_equal(llminf_options_set_int(how, "max_tokens", (int64_t)n, &error), LLMINF_OK);
    assert_int_equal(llminf_sampler_open(&sampler, NULL, greedy, &error), LLMINF_OK);
    assert_int_equal(llminf_session_open(&session, context, NULL, &error), LLMINF_OK);
    assert_int_equal(llminf_session_append(session, prompt, 5, &error), LLMINF_OK);
    assert_int_equal(llminf_session_generate(session, sampler, how, &error), LLMINF_OK);
    for (size_t got, at = 0; at < n; at += got)
        assert_true(llminf_session_read_tokens(session, out + at, n - at, &got, -1, &error) >= 0 && got > 0);
    llminf_session_close(session);
    llminf_sampler_close(sampler);
    llminf_options_close(greedy);
    llminf_options_close(how);
}

struct measuring {
    llminf_context *context;
    llminf_status status;
    int n;
};

static void *measure_often(void *arg)
{
    struct measuring *m = arg;
    double flops, bytes;
    for (m->n = 0; m->n < 20 && m->status == LLMINF_OK; m->n++)
        m->status = llminf_cost_measure(m->context, 100000, &flops, &bytes, NULL);
    return NULL;
}

/* Between the steps of sessions, whose tokens stay the same; alone; and with a batch that is smaller than the test's. */
static void test_measure(void **state)
{
    static const char *const contexts[] = {"", "max_running=1 step_tokens=16", "threads=1", "backend=scalar", "kv_type=q8_0"};
    llminf_token want[100], got[100];
    uint8_t *bytes;
    llminf_model *model = open_small(&bytes, 0);
    (void)state;
    for (size_t i = 0; i < sizeof contexts / sizeof *contexts; i++) {
        llminf_options *options = bag("context", contexts[i]);
        llminf_context *context;
        pthread_t thread;
        assert_int_equal(llminf_context_open(&context, model, options, &error), LLMINF_OK);
        int64_t before = live_bytes(model);
        make_tokens(context, want, 100);
        struct measuring m = {.context = context};
        assert_int_equal(pthread_create(&thread, NULL, measure_often, &m), 0);
        make_tokens(context, got, 100);
        pthread_join(thread, NULL);
        assert_int_equal(m.status, LLMINF_OK);
        assert_memory_equal(got, want, sizeof want);
        check_measured(context, 1);
        check_measured(context, 2000000);
        assert_int_equal(live_bytes(model), before);
        llminf_context_close(context);
        llminf_options_close(options);
    }
    llminf_model_close(model);
    free(bytes);
}

/* Host-driven: on the caller's thread, not while another one steps. Wrong calls. */
static void test_measure_errors(void **state)
{
    uint8_t *bytes;
    llminf_model *model = open_small(&bytes, 0);
    llminf_options *options = bag("context", "host_driven=1");
    llminf_context *context;
    double value = 7, other = 7;
    (void)state;
    assert_int_equal(llminf_context_open(&context, model, options, &error), LLMINF_OK);
    check_measured(context, 1000);
    atomic_store(&context->engine->is_stepping, 1);
    assert_int_equal(llminf_cost_measure(context, 1000, &value, &other, &error), LLMINF_E_BUSY);
    assert_true(value == 0 && other == 0);
    atomic_store(&context->engine->is_stepping, 0);
    check_measured(context, 1000);
    assert_int_equal(llminf_cost_measure(context, 0, &value, &other, &error), LLMINF_E_INVALID);
    assert_string_equal(error.subject, "max_ns");
    assert_int_equal(llminf_cost_measure(context, 1000, NULL, &other, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_cost_measure(context, 1000, &value, NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_cost_measure(NULL, 1000, &value, &other, &error), LLMINF_E_INVALID);
    llminf_context_close(context);
    llminf_options_close(options);
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
    llminf_model *model = open_small(&bytes, 0);
    llminf_options *load = bag("cost", ""), *shape = bag("cost", "shape=n_layers=1"), *whole = bag("cost", LLAMA_3_8B);
    llminf_options *type = bag("cost", LLAMA_3_8B), *backend = bag("context", "backend=nobody");
    llminf_options *halves = bag("cost", "tensor_parallel=8"), *flops = bag("cost", "flops_per_s=1"),
                   *stages = bag("cost", "pipeline_parallel=3");
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
    expect(LLMINF_E_OPTION, "bytes_per_s", model, NULL, flops, "step_ns");
    expect(LLMINF_E_OPTION, "memory_bytes", model, NULL, NULL, "max_params");
    expect(LLMINF_E_OPTION, "tensor_parallel", model, NULL, halves, "params");
    expect(LLMINF_E_OPTION, "pipeline_parallel", model, NULL, stages, "params");
    assert_int_equal(llminf_cost_plan(model, NULL, NULL, "params", NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_cost_plan((const llminf_model *)(const void *)load, NULL, NULL, "params", &value, &error),
                     LLMINF_E_INVALID);
    llminf_options_close(load);
    llminf_options_close(shape);
    llminf_options_close(whole);
    llminf_options_close(type);
    llminf_options_close(backend);
    llminf_options_close(halves);
    llminf_options_close(stages);
    llminf_options_close(flops);
    llminf_model_close(model);
    free(bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_live),    cmocka_unit_test(test_live_shared),    cmocka_unit_test(test_session),
        cmocka_unit_test(test_windows), cmocka_unit_test(test_room),           cmocka_unit_test(test_shape),
        cmocka_unit_test(test_keys),    cmocka_unit_test(test_errors),         cmocka_unit_test(test_draft),
        cmocka_unit_test(test_fits),    cmocka_unit_test(test_ranks),          cmocka_unit_test(test_retyped),
        cmocka_unit_test(test_measure), cmocka_unit_test(test_measure_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
