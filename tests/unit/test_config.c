/* What a model means, key by key, on models made here. */
#include "model/config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "llminf/status.h"
#include "support/model.h"

/* ---- what is read */

static void a_dense_model(void **state)
{
    (void)state;
    struct model m;
    model_make(&m, &MODEL_PLAIN);
    assert_int_equal(model_read(&m), 0);
    const struct lli_config *c = &m.config;
    assert_string_equal(c->family->name, "llama");
    assert_int_equal(c->n_layers, 2);
    assert_int_equal(c->n_embd, 32);
    assert_int_equal(c->n_heads, 4);
    assert_int_equal(c->n_kv_heads, 2);
    assert_int_equal(c->head_dim, 8);
    assert_int_equal(c->n_ff, 64);
    assert_int_equal(c->n_vocab, 270);
    assert_int_equal(c->train_length, 256);
    assert_int_equal(c->n_experts, 0);
    assert_true(c->norm_eps == 1e-5f);
    assert_int_equal(c->rope.pairs, LLI_ROPE_ADJACENT);
    assert_int_equal(c->rope.scaling, LLI_ROPE_NONE);
    assert_int_equal(c->rope.n_dims, 8);
    assert_true(c->rope.base == 10000 && c->rope.factor == 1);
    const struct lli_matrix *k = &m.weights.layers[1].at[LLI_ATTN_K];
    assert_ptr_equal(k->data, lli_gguf_tensor_find(&m.gguf, "blk.1.attn_k.weight")->data);
    assert_true(k->n_in == 32 && k->n_out == 16 && k->n_mats == 1 && k->type->id == LLI_F32);
    const struct lli_matrix *norm = &m.weights.at[LLI_OUTPUT_NORM];
    assert_true(norm->n_in == 32 && norm->n_out == 1 && norm->n_mats == 1);
    assert_null(m.weights.layers[0].at[LLI_ATTN_Q_BIAS].data);
    assert_null(m.weights.layers[0].at[LLI_FFN_ROUTER].data);
    assert_null(m.weights.at[LLI_ROPE_FREQS].data);
    uint64_t layer = 32 + 32 * 32 + 2 * 32 * 16 + 32 * 32 + 32 + 3 * 32 * 64;
    assert_int_equal(m.weights.n_params, 2 * 270 * 32 + 32 + 2 * layer);
    assert_int_equal(m.weights.bytes, 4 * m.weights.n_params);
    assert_int_equal(lli_weights_verify(&m.weights, c, NULL, &m.err), 0);
    model_finish(&m);
}

static void defaults_of_absent_keys(void **state)
{
    (void)state;
    static const char *const keys[] = {"llama.rope.freq_base", "llama.attention.head_count_kv"};
    struct test_model_spec spec = MODEL_PLAIN;
    struct model m;
    spec.n_kv_heads = spec.n_heads = 4;
    model_make(&m, &spec);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        model_drop(&m, keys[i]);
    assert_int_equal(model_read(&m), 0);
    assert_true(m.config.rope.base == 10000);
    assert_int_equal(m.config.n_kv_heads, 4);
    model_finish(&m);
}

static void experts_biases_and_long_heads(void **state)
{
    (void)state;
    const struct test_model_spec spec = {
        .n_embd = 32, .n_vocab = 270, .head_dim = 16, .n_experts = 4, .n_experts_used = 3, .biases = 1, .rope_freqs = 1};
    struct model m;
    model_make(&m, &spec);
    assert_int_equal(model_read(&m), 0);
    assert_int_equal(m.config.head_dim, 16);
    assert_int_equal(m.config.n_experts, 4);
    assert_int_equal(m.config.n_experts_used, 3);
    const struct lli_matrix *at = m.weights.layers[1].at;
    assert_true(at[LLI_ATTN_Q].n_out == 64 && at[LLI_ATTN_OUTPUT].n_in == 64 && at[LLI_ATTN_Q_BIAS].n_in == 64);
    assert_true(at[LLI_ATTN_K_BIAS].n_in == 32 && at[LLI_ATTN_OUTPUT_BIAS].n_in == 32);
    assert_true(at[LLI_FFN_ROUTER].n_out == 4 && at[LLI_FFN_DOWN_EXPS].n_mats == 4 && at[LLI_FFN_DOWN_EXPS].n_in == 64);
    assert_null(at[LLI_FFN_GATE].data);
    assert_int_equal(m.weights.at[LLI_ROPE_FREQS].n_in, 8);
    model_finish(&m);
}

/* ---- families */

/* What the stages rely on: a row that has an activation with a gate has the gate, and the other way. */
static void rows_make_sense(void **state)
{
    (void)state;
    const uint64_t core = LLI_ROLE(LLI_TOKEN_EMBD) | LLI_ROLE(LLI_ATTN_Q) | LLI_ROLE(LLI_ATTN_K) | LLI_ROLE(LLI_ATTN_V) |
                          LLI_ROLE(LLI_ATTN_OUTPUT);
    size_t n = 0;
    for (const struct lli_family *f; (f = lli_family_at(n)); n++) {
        int has_experts = (f->needs & LLI_ROLE(LLI_FFN_ROUTER)) != 0, has_up = (f->needs & LLI_ROLE(LLI_FFN_UP)) != 0;
        int has_gate = (f->needs & LLI_ROLE(has_up ? LLI_FFN_GATE : LLI_FFN_GATE_EXPS)) != 0;
        int last_norm = f->traits & LLI_ENCODER ? LLI_LAYER_OUTPUT_NORM : LLI_OUTPUT_NORM;
        assert_true((f->needs & core) == core && (has_up || has_experts) && f->needs >> last_norm & 1);
        assert_int_equal(f->needs & f->may, 0);
        assert_true(has_gate ? f->activation != LLI_GELU_ERF : f->activation == LLI_GELU_TANH || f->activation == LLI_GELU_ERF);
        assert_false(f->may & (LLI_ROLE(LLI_FFN_GATE) | LLI_ROLE(LLI_FFN_UP)));
        assert_ptr_equal(lli_family_find(f->name, strlen(f->name)), f);
    }
    assert_int_equal(n, 22);
    assert_null(lli_family_find("qwen", 4));
}

static void set_bool(struct model *m, const char *key, int value)
{
    struct test_gguf record = {0};
    test_gguf_key(&record, key, LLI_GGUF_BOOL);
    test_gguf_bytes(&record, &(uint8_t){(uint8_t)value}, 1);
    test_gguf_set(&m->file, key, &record);
    free(record.bytes);
}

/* Who sees what is behind it: by nature, or because the file says so. */
static void both_ways(void **state)
{
    static const struct {
        const char *arch;
        int causal; /* of the file; -1: it does not say */
        int32_t status;
        int is_bidirectional;
    } rows[] = {
        {"bert", -1, LLMINF_OK, 1},
        {"bert", 0, LLMINF_OK, 1},
        {"bert", 1, LLMINF_E_UNSUPPORTED, 0},
        {"nomic-bert", 0, LLMINF_OK, 1},
        {"qwen2", -1, LLMINF_OK, 0},
        {"qwen2", 1, LLMINF_OK, 0},
        {"qwen2", 0, LLMINF_OK, 1},
        {"gemma2", 0, LLMINF_E_UNSUPPORTED, 0},
        {"bloom", 0, LLMINF_E_UNSUPPORTED, 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_model_spec spec = {.arch = rows[i].arch};
        struct model m;
        char key[64];
        snprintf(key, sizeof key, "%s.attention.causal", rows[i].arch);
        model_make(&m, &spec);
        if (rows[i].causal >= 0)
            set_bool(&m, key, rows[i].causal);
        assert_int_equal(model_read(&m), rows[i].status);
        if (rows[i].status == LLMINF_OK)
            assert_int_equal(m.config.is_bidirectional, rows[i].is_bidirectional);
        else
            assert_string_equal(m.err.subject, key);
        model_finish(&m);
    }
}

static void types_of_tokens(void **state)
{
    struct test_model_spec spec = {.arch = "bert", .optional = LLI_ROLE(LLI_TOKEN_TYPES)};
    struct model m;
    (void)state;
    model_make(&m, &spec);
    model_set_u32(&m, "tokenizer.ggml.token_type_count", 2);
    assert_int_equal(model_read(&m), LLMINF_OK);
    assert_int_equal(m.config.n_token_types, 2);
    model_finish(&m);
    model_make(&m, &spec);
    model_set_u32(&m, "tokenizer.ggml.token_type_count", 3);
    model_expect(&m, LLMINF_E_FORMAT, "tokenizer.ggml.token_type_count");
}

static void what_families_read(void **state)
{
    (void)state;
    struct model m;
    model_make(&m, &(struct test_model_spec){.arch = "gemma3", .n_layers = 7, .keys = {{"attention.sliding_window", 9, 1}}});
    assert_int_equal(model_read(&m), 0);
    for (uint32_t i = 0; i < 7; i++)
        assert_int_equal(lli_config_is_local(&m.config, i), i != 5);
    assert_true(m.config.embedding_scale == 8 && m.config.local_rope.base == 10000 && m.config.window == 9);
    model_finish(&m);
    model_make(&m, &(struct test_model_spec){.arch = "gptneox", .n_kv_heads = 4});
    set_bool(&m, "gptneox.use_parallel_residual", 0);
    assert_int_equal(model_read(&m), 0);
    assert_false(m.config.is_parallel);
    model_finish(&m);
    model_make(&m, &(struct test_model_spec){.arch = "granite", .keys = {{"logit_scale", 8, 0}, {"attention.scale", 0.5, 0}}});
    assert_int_equal(model_read(&m), 0);
    assert_true(m.config.logit_scale == 0.125f && m.config.attention_scale == 0.5f && m.config.residual_scale == 1);
    model_finish(&m);
    model_make(&m, &(struct test_model_spec){.arch = "phi3", .optional = LLI_ROLE(LLI_ROPE_LONG)});
    model_expect(&m, LLMINF_E_FORMAT, "rope_factors_short.weight");
    model_make(&m, &(struct test_model_spec){.arch = "qwen3", .n_experts = 4});
    model_expect(&m, LLMINF_E_UNSUPPORTED, "qwen3.expert_count");
    model_make(&m, &(struct test_model_spec){.arch = "qwen3moe", .n_experts = 4});
    model_drop(&m, "qwen3moe.expert_count");
    model_expect(&m, LLMINF_E_UNSUPPORTED, "qwen3moe.expert_count");
    model_make(&m, &(struct test_model_spec){.arch = "gemma3", .keys = {{"attention.sliding_window_pattern", 1025, 1}}});
    model_expect(&m, LLMINF_E_LIMIT, "gemma3.attention.sliding_window_pattern");
    model_make(&m, &(struct test_model_spec){.arch = "command-r", .keys = {{"logit_scale", -1, 0}}});
    model_expect(&m, LLMINF_E_FORMAT, "command-r.logit_scale");
}

/* ---- RoPE */

static void scalings(void **state)
{
    (void)state;
    struct test_model_spec spec = MODEL_PLAIN;
    struct model m;
    spec.rope_scaling = "linear";
    spec.rope_factor = 4;
    model_make(&m, &spec);
    assert_int_equal(model_read(&m), 0);
    assert_int_equal(m.config.rope.scaling, LLI_ROPE_LINEAR);
    assert_true(m.config.rope.factor == 4);
    model_finish(&m);

    spec.rope_scaling = "yarn";
    model_make(&m, &spec);
    model_set_u32(&m, "llama.rope.scaling.original_context_length", 64);
    model_set_f32(&m, "llama.rope.scaling.yarn_beta_fast", 16);
    assert_int_equal(model_read(&m), 0);
    const struct lli_rope *r = &m.config.rope;
    assert_int_equal(r->scaling, LLI_ROPE_YARN);
    assert_int_equal(r->original_length, 64);
    assert_true(r->yarn_beta_fast == 16 && r->yarn_beta_slow == 1 && r->yarn_ext_factor == 1 && r->yarn_attn_factor == 1);
    model_finish(&m);

    model_make(&m, &MODEL_PLAIN); /* the key of old files */
    model_set_f32(&m, "llama.rope.scale_linear", 8);
    assert_int_equal(model_read(&m), 0);
    assert_int_equal(m.config.rope.scaling, LLI_ROPE_LINEAR);
    assert_true(m.config.rope.factor == 8);
    model_finish(&m);

    model_make(&m, &spec); /* said to be none: the factor is for others */
    model_set_text(&m, "llama.rope.scaling.type", "none");
    assert_int_equal(model_read(&m), 0);
    assert_int_equal(m.config.rope.scaling, LLI_ROPE_NONE);
    assert_true(m.config.rope.factor == 1);
    model_finish(&m);
}

/* ---- keys that are wrong */

static void integers_in_range(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        uint32_t value;
        int32_t status;
    } rows[] = {
        {"block_count", 0, LLMINF_E_FORMAT},
        {"block_count", 1, LLMINF_E_FORMAT},
        {"block_count", 3, LLMINF_E_FORMAT},
        {"block_count", 1024, LLMINF_E_FORMAT},
        {"block_count", 1025, LLMINF_E_LIMIT},
        {"embedding_length", 0, LLMINF_E_FORMAT},
        {"embedding_length", 33, LLMINF_E_FORMAT},
        {"embedding_length", 64, LLMINF_E_FORMAT},
        {"embedding_length", UINT32_MAX, LLMINF_E_LIMIT},
        {"attention.head_count", 0, LLMINF_E_FORMAT},
        {"attention.head_count", 3, LLMINF_E_FORMAT},
        {"attention.head_count", 64, LLMINF_E_FORMAT},
        {"attention.head_count", UINT32_MAX, LLMINF_E_LIMIT},
        {"attention.head_count_kv", 0, LLMINF_E_FORMAT},
        {"attention.head_count_kv", 3, LLMINF_E_FORMAT},
        {"attention.head_count_kv", 8, LLMINF_E_FORMAT},
        {"attention.head_count_kv", UINT32_MAX, LLMINF_E_LIMIT},
        {"attention.key_length", 0, LLMINF_E_FORMAT},
        {"attention.key_length", 7, LLMINF_E_FORMAT},
        {"attention.key_length", 8, LLMINF_OK},
        {"attention.key_length", 16, LLMINF_E_FORMAT},
        {"attention.key_length", UINT32_MAX, LLMINF_E_LIMIT},
        {"attention.value_length", 0, LLMINF_E_FORMAT},
        {"attention.value_length", 16, LLMINF_E_FORMAT},
        {"attention.value_length", UINT32_MAX, LLMINF_E_LIMIT},
        {"feed_forward_length", 0, LLMINF_E_FORMAT},
        {"feed_forward_length", 65, LLMINF_E_FORMAT},
        {"feed_forward_length", UINT32_MAX, LLMINF_E_LIMIT},
        {"context_length", 0, LLMINF_E_FORMAT},
        {"context_length", 7, LLMINF_OK},
        {"context_length", UINT32_MAX, LLMINF_E_LIMIT},
        {"rope.dimension_count", 0, LLMINF_E_FORMAT},
        {"rope.dimension_count", 4, LLMINF_OK},
        {"rope.dimension_count", 7, LLMINF_E_FORMAT},
        {"rope.dimension_count", 10, LLMINF_E_FORMAT},
        {"rope.dimension_count", UINT32_MAX, LLMINF_E_LIMIT},
        {"expert_count", UINT32_MAX, LLMINF_E_LIMIT},
        {"expert_used_count", 1, LLMINF_E_FORMAT},
        {"attention.sliding_window", 0, LLMINF_OK},
        {"attention.sliding_window", 255, LLMINF_OK},
        {"expert_shared_count", 0, LLMINF_OK},
        {"expert_shared_count", 1, LLMINF_E_UNSUPPORTED},
        {"no.such.key", 1, LLMINF_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model m;
        char key[64];
        model_make(&m, &MODEL_PLAIN);
        snprintf(key, sizeof key, "llama.%s", rows[i].key);
        model_set_u32(&m, key, rows[i].value);
        model_expect(&m, rows[i].status, NULL);
    }
}

/* Families without windows take one that no position leaves. */
static void windows_of_others(void **state)
{
    static const struct {
        uint32_t value;
        int32_t status;
    } rows[] = {{0, LLMINF_E_FORMAT}, {255, LLMINF_E_UNSUPPORTED}, {256, LLMINF_OK}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model m;
        model_make(&m, &(struct test_model_spec){.arch = "qwen2"});
        model_set_u32(&m, "qwen2.attention.sliding_window", rows[i].value);
        model_expect(&m, rows[i].status, NULL);
    }
}

/* Shapes that fit do not help heads that cannot be shared. */
static void heads_are_shared_evenly(void **state)
{
    (void)state;
    struct test_model_spec spec = MODEL_PLAIN;
    struct model m;
    spec.n_kv_heads = 3;
    model_make(&m, &spec);
    model_expect(&m, LLMINF_E_FORMAT, "llama.attention.head_count_kv");
    spec.n_heads = 3;
    model_make(&m, &spec);
    model_expect(&m, LLMINF_E_FORMAT, "llama.attention.head_count"); /* no divisor of the width */
    spec.head_dim = 16;
    model_make(&m, &spec);
    model_expect(&m, LLMINF_OK, NULL);
}

static void floats_in_range(void **state)
{
    (void)state;
    static const struct {
        const char *key;
        double value;
        int32_t status;
    } rows[] = {
        {"rope.freq_base", 1, LLMINF_OK},
        {"rope.freq_base", 0, LLMINF_E_FORMAT},
        {"rope.freq_base", -1, LLMINF_E_FORMAT},
        {"rope.freq_base", 1e-40, LLMINF_E_FORMAT},
        {"rope.freq_base", (double)NAN, LLMINF_E_FORMAT},
        {"rope.freq_base", (double)INFINITY, LLMINF_E_FORMAT},
        {"rope.freq_base", 1e13, LLMINF_E_LIMIT},
        {"rope.scaling.factor", 0, LLMINF_E_FORMAT},
        {"rope.scaling.factor", -2, LLMINF_E_FORMAT},
        {"rope.scaling.factor", (double)NAN, LLMINF_E_FORMAT},
        {"rope.scaling.factor", 1e7, LLMINF_E_LIMIT},
        {"rope.scaling.attn_factor", 1, LLMINF_OK},
        {"rope.scaling.attn_factor", 1.25, LLMINF_OK},
        {"rope.scaling.attn_factor", 0, LLMINF_E_FORMAT},
        {"rope.scaling.yarn_ext_factor", -1, LLMINF_E_FORMAT},
        {"rope.scaling.yarn_beta_slow", 0, LLMINF_E_FORMAT},
        {"rope.scaling.yarn_log_multiplier", 0.1, LLMINF_E_UNSUPPORTED},
        {"attention.layer_norm_rms_epsilon", 0, LLMINF_E_FORMAT},
        {"attention.layer_norm_rms_epsilon", -1e-5, LLMINF_E_FORMAT},
        {"attention.layer_norm_rms_epsilon", (double)NAN, LLMINF_E_FORMAT},
        {"attention.layer_norm_rms_epsilon", (double)INFINITY, LLMINF_E_FORMAT},
        {"attention.layer_norm_rms_epsilon", 2, LLMINF_E_FORMAT},
        {"logit_scale", 0, LLMINF_OK},
        {"logit_scale", 1, LLMINF_OK},
        {"logit_scale", 0.5, LLMINF_E_UNSUPPORTED},
        {"embedding_scale", 12, LLMINF_E_UNSUPPORTED},
        {"residual_scale", 0.22, LLMINF_E_UNSUPPORTED},
        {"attention.scale", 0.0078125, LLMINF_E_UNSUPPORTED},
        {"attn_logit_softcapping", 0, LLMINF_OK},
        {"attn_logit_softcapping", 50, LLMINF_E_UNSUPPORTED},
        {"final_logit_softcapping", (double)NAN, LLMINF_E_FORMAT},
    };
    struct test_model_spec spec = MODEL_PLAIN;
    spec.rope_scaling = "yarn";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model m;
        char key[64];
        model_make(&m, &spec);
        snprintf(key, sizeof key, "llama.%s", rows[i].key);
        model_set_f32(&m, key, (float)rows[i].value);
        model_expect(&m, rows[i].status, rows[i].status ? key : NULL);
    }
}

static void texts_that_are_known(void **state)
{
    (void)state;
    static const struct {
        const char *key, *value;
        int32_t status;
    } rows[] = {
        {"general.architecture", "llama", LLMINF_OK},
        {"general.architecture", "", LLMINF_E_UNSUPPORTED},
        {"general.architecture", "llam", LLMINF_E_UNSUPPORTED},
        {"general.architecture", "llama4", LLMINF_E_UNSUPPORTED},
        {"llama.rope.scaling.type", "none", LLMINF_OK},
        {"llama.rope.scaling.type", "", LLMINF_E_UNSUPPORTED},
        {"llama.rope.scaling.type", "longrope", LLMINF_E_UNSUPPORTED},
        {"llama.block_count", "2", LLMINF_E_FORMAT},
        {"llama.rope.freq_base", "10000", LLMINF_E_FORMAT},
        {"llama.logit_scale", "1", LLMINF_E_FORMAT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model m;
        model_make(&m, &MODEL_PLAIN);
        model_set_text(&m, rows[i].key, rows[i].value);
        model_expect(&m, rows[i].status, rows[i].key);
    }
    struct model m;
    model_make(&m, &MODEL_PLAIN);
    model_set_u32(&m, "general.architecture", 1);
    model_expect(&m, LLMINF_E_FORMAT, "general.architecture");
    model_make(&m, &MODEL_PLAIN);
    model_set_u32(&m, "general.quantization_version", 2);
    model_expect(&m, LLMINF_OK, NULL);
    model_make(&m, &MODEL_PLAIN);
    model_set_u32(&m, "general.quantization_version", 3);
    model_expect(&m, LLMINF_E_UNSUPPORTED, "general.quantization_version");
}

static void keys_that_are_needed(void **state)
{
    (void)state;
    static const char *const keys[] = {"general.architecture",
                                       "llama.block_count",
                                       "llama.context_length",
                                       "llama.embedding_length",
                                       "llama.feed_forward_length",
                                       "llama.attention.head_count",
                                       "llama.attention.layer_norm_rms_epsilon"};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        struct model m;
        model_make(&m, &MODEL_PLAIN);
        model_drop(&m, keys[i]);
        model_expect(&m, LLMINF_E_FORMAT, keys[i]);
    }
}

static void one_value_per_layer(void **state)
{
    (void)state;
    static const struct {
        uint32_t kind, n, values[3];
        int32_t status;
    } rows[] = {{LLI_GGUF_U32, 2, {4, 4}, LLMINF_OK},
                {LLI_GGUF_I32, 2, {4, 4}, LLMINF_OK},
                {LLI_GGUF_U32, 2, {4, 2}, LLMINF_E_UNSUPPORTED},
                {LLI_GGUF_U32, 2, {4, 0}, LLMINF_E_FORMAT},
                {LLI_GGUF_U32, 2, {UINT32_MAX, 4}, LLMINF_E_LIMIT},
                {LLI_GGUF_I32, 2, {UINT32_MAX, 4}, LLMINF_E_FORMAT},
                {LLI_GGUF_U32, 0, {0}, LLMINF_E_FORMAT},
                {LLI_GGUF_U32, 1, {4}, LLMINF_E_FORMAT},
                {LLI_GGUF_U32, 3, {4, 4, 4}, LLMINF_E_FORMAT},
                {LLI_GGUF_F32, 2, {4, 4}, LLMINF_E_FORMAT}};
    static const char *const keys[] = {"llama.attention.head_count", "llama.context_length"};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t k = 0; k < 2; k++) { /* a context is not one per layer */
            struct model m;
            struct test_gguf record = {0};
            model_make(&m, &MODEL_PLAIN);
            test_gguf_key_array(&record, keys[k], rows[i].kind, rows[i].n);
            for (uint32_t n = 0; n < rows[i].n; n++)
                test_gguf_u32(&record, rows[i].values[n]);
            test_gguf_set(&m.file, keys[k], &record);
            free(record.bytes);
            model_expect(&m, k == 0 ? rows[i].status : LLMINF_E_FORMAT, keys[k]);
        }
    }
}

/* Files of others, where they are. */
static void shared_models(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int32_t status;
    } rows[] = {{"models/stories260K.gguf", LLMINF_OK},
                {"models/stories3M-q8_0.gguf", LLMINF_OK},
                {"models/stories3M-moe4-f32.gguf", LLMINF_OK},
                {"models/stories3M-pad256-q4_k_m.gguf", LLMINF_OK},
                {"models/llama2-tiny-random-f16.gguf", LLMINF_OK},
                {"models/stories3M-qwen2-f32.gguf", LLMINF_OK},
                {"models/chat3M-gpt2-q4_0.gguf", LLMINF_OK},
                {"vocab/ggml-vocab-llama-bpe.gguf", LLMINF_E_FORMAT}};
    if (!support_shared())
        skip();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model m = {0};
        char *path = support_shared_file(rows[i].name);
        assert_non_null(path);
        m.file.bytes = support_read(path, &m.file.len);
        free(path);
        assert_non_null(m.file.bytes);
        assert_int_equal(model_read(&m), rows[i].status);
        if (rows[i].status == LLMINF_OK)
            assert_int_equal(lli_weights_verify(&m.weights, &m.config, NULL, &m.err), 0);
        model_finish(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dense_model),
        cmocka_unit_test(defaults_of_absent_keys),
        cmocka_unit_test(experts_biases_and_long_heads),
        cmocka_unit_test(rows_make_sense),
        cmocka_unit_test(both_ways),
        cmocka_unit_test(types_of_tokens),
        cmocka_unit_test(what_families_read),
        cmocka_unit_test(scalings),
        cmocka_unit_test(integers_in_range),
        cmocka_unit_test(heads_are_shared_evenly),
        cmocka_unit_test(windows_of_others),
        cmocka_unit_test(floats_in_range),
        cmocka_unit_test(texts_that_are_known),
        cmocka_unit_test(keys_that_are_needed),
        cmocka_unit_test(one_value_per_layer),
        cmocka_unit_test(shared_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
