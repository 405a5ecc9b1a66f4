/* Config and weights: what a model means, key by key and tensor by tensor, on models made here. */
#include "model/config.h"
#include "model/weights.h"

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
#include "support/gguf_make.h"
#include "support/support.h"

/* ---- a model that is read whole */

struct model {
    struct test_gguf file;
    struct lli_heap heap;
    struct support_heap counts;
    struct lli_gguf gguf;
    struct lli_config config;
    struct lli_weights weights;
    struct llminf_error err;
};

static void make(struct model *m, const struct test_model_spec *spec)
{
    memset(m, 0, sizeof *m);
    m->file.bytes = test_model_make(spec, &m->file.len);
}

static int32_t read_all(struct model *m)
{
    const struct lli_gguf_options options = {.header_limit_bytes = LLI_HEADER_BYTES_DEFAULT};
    lli_heap_init(&m->heap, support_alloc, support_release, &m->counts);
    int32_t status = lli_gguf_read(&m->gguf, &m->heap, m->file.bytes, m->file.len, &options, &m->err);
    if (status)
        return status;
    const struct lli_gguf_entry *tokens = lli_gguf_find(&m->gguf, "tokenizer.ggml.tokens");
    status = lli_config_read(&m->config, &m->gguf, (uint32_t)tokens->n, &m->err);
    if (status == 0)
        status = lli_weights_read(&m->weights, &m->heap, &m->config, &m->gguf, &m->err);
    return status;
}

static void finish(struct model *m)
{
    lli_weights_finish(&m->weights);
    lli_gguf_finish(&m->gguf);
    free(m->file.bytes);
    assert_int_equal(m->counts.live_bytes, 0);
}

/* Reads the model, which says `status` of `subject` (NULL: of anything), and lets go of it. */
static void expect(struct model *m, int32_t status, const char *subject)
{
    int32_t got = read_all(m);
    if (got != status)
        print_error("%s: %s\n", subject ? subject : "", got ? m->err.text : "accepted");
    assert_int_equal(got, status);
    if (status) {
        assert_true(m->err.subject[0] != 0);
        if (subject)
            assert_string_equal(m->err.subject, subject);
    }
    finish(m);
}

static const struct test_model_spec PLAIN = {.n_embd = 32, .n_ff = 64, .n_vocab = 270};

static void set_u32(struct model *m, const char *key, uint32_t value)
{
    struct test_gguf record = {0};
    test_gguf_key_u32(&record, key, value);
    test_gguf_set(&m->file, key, &record);
    free(record.bytes);
}

static void set_f32(struct model *m, const char *key, float value)
{
    struct test_gguf record = {0};
    test_gguf_key_f32(&record, key, value);
    test_gguf_set(&m->file, key, &record);
    free(record.bytes);
}

static void set_text(struct model *m, const char *key, const char *value)
{
    struct test_gguf record = {0};
    test_gguf_key_text(&record, key, value);
    test_gguf_set(&m->file, key, &record);
    free(record.bytes);
}

static void drop(struct model *m, const char *key)
{
    const struct test_gguf nothing = {0};
    test_gguf_set(&m->file, key, &nothing);
}

/* ---- what is read */

static void a_dense_model(void **state)
{
    (void)state;
    struct model m;
    make(&m, &PLAIN);
    assert_int_equal(read_all(&m), 0);
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
    finish(&m);
}

static void defaults_of_absent_keys(void **state)
{
    (void)state;
    static const char *const keys[] = {"llama.rope.freq_base", "llama.attention.head_count_kv"};
    struct test_model_spec spec = PLAIN;
    struct model m;
    spec.n_kv_heads = spec.n_heads = 4;
    make(&m, &spec);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        drop(&m, keys[i]);
    assert_int_equal(read_all(&m), 0);
    assert_true(m.config.rope.base == 10000);
    assert_int_equal(m.config.n_kv_heads, 4);
    finish(&m);
}

static int32_t note(void *user, double done)
{
    double *last = user;
    int rises = done > *last;
    *last = done;
    return !rises;
}

static void a_tied_output_counts_once(void **state)
{
    (void)state;
    double last = 0;
    const struct lli_progress progress = {note, &last};
    struct test_model_spec spec = PLAIN;
    struct model m;
    spec.tied = 1;
    make(&m, &spec);
    assert_int_equal(read_all(&m), 0);
    assert_ptr_equal(m.weights.at[LLI_OUTPUT].data, m.weights.at[LLI_TOKEN_EMBD].data);
    assert_int_equal(m.weights.n_params, 270 * 32 + 32 + 2 * (2 * 32 + 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64));
    assert_int_equal(lli_weights_verify(&m.weights, &m.config, &progress, &m.err), 0);
    assert_true(last == 1);
    finish(&m);
}

static void experts_biases_and_long_heads(void **state)
{
    (void)state;
    const struct test_model_spec spec = {
        .n_embd = 32, .n_vocab = 270, .head_dim = 16, .n_experts = 4, .n_experts_used = 3, .biases = 1, .rope_freqs = 1};
    struct model m;
    make(&m, &spec);
    assert_int_equal(read_all(&m), 0);
    assert_int_equal(m.config.head_dim, 16);
    assert_int_equal(m.config.n_experts, 4);
    assert_int_equal(m.config.n_experts_used, 3);
    const struct lli_matrix *at = m.weights.layers[1].at;
    assert_true(at[LLI_ATTN_Q].n_out == 64 && at[LLI_ATTN_OUTPUT].n_in == 64 && at[LLI_ATTN_Q_BIAS].n_in == 64);
    assert_true(at[LLI_ATTN_K_BIAS].n_in == 32 && at[LLI_ATTN_OUTPUT_BIAS].n_in == 32);
    assert_true(at[LLI_FFN_ROUTER].n_out == 4 && at[LLI_FFN_DOWN_EXPS].n_mats == 4 && at[LLI_FFN_DOWN_EXPS].n_in == 64);
    assert_null(at[LLI_FFN_GATE].data);
    assert_int_equal(m.weights.at[LLI_ROPE_FREQS].n_in, 8);
    finish(&m);
}

static void every_weight_type(void **state)
{
    (void)state;
    static const uint32_t types[] = {LLI_F32,  LLI_F16,  LLI_BF16, LLI_Q4_0, LLI_Q4_1, LLI_Q5_0,   LLI_Q5_1,  LLI_Q8_0,
                                     LLI_Q2_K, LLI_Q3_K, LLI_Q4_K, LLI_Q5_K, LLI_Q6_K, LLI_IQ4_NL, LLI_IQ4_XS};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const struct lli_dtype *type = lli_dtype_find(types[i]);
        for (int scale = 0; scale < 2 && type->scale_at[scale] >= 0; scale++) {
            struct test_model_spec spec = {.type = types[i], .n_layers = 1, .n_vocab = 260, .tied = 1};
            struct model m;
            make(&m, &spec);
            assert_int_equal(read_all(&m), 0);
            assert_int_equal(lli_weights_verify(&m.weights, &m.config, NULL, &m.err), 0);
            const struct lli_matrix *up = &m.weights.layers[0].at[LLI_FFN_UP];
            assert_ptr_equal(up->type, type);
            size_t last = (size_t)up->n_in / type->block * up->n_out - 1;
            uint8_t *block = m.file.bytes + (up->data - m.file.bytes) + last * type->block_bytes;
            memset(block + type->scale_at[scale], 0x7f, 2); /* all ones in the exponent, whatever the type */
            block[type->scale_at[scale]] = 0x80;
            assert_int_equal(lli_weights_verify(&m.weights, &m.config, NULL, &m.err), LLMINF_E_NUMERIC);
            assert_string_equal(m.err.subject, "blk.0.ffn_up.weight");
            finish(&m);
        }
    }
}

/* The check goes in pieces of 1 MiB: the first element of the second. */
static void every_piece_is_checked(void **state)
{
    (void)state;
    const struct test_model_spec spec = {.n_layers = 1, .n_embd = 256, .n_ff = 32, .n_vocab = 1100, .tied = 1};
    const uint32_t nan = 0x7fc00000;
    struct model m;
    make(&m, &spec);
    assert_int_equal(read_all(&m), 0);
    const uint8_t *data = m.weights.at[LLI_TOKEN_EMBD].data;
    memcpy(m.file.bytes + (data - m.file.bytes) + (1 << 20), &nan, sizeof nan);
    assert_int_equal(lli_weights_verify(&m.weights, &m.config, NULL, &m.err), LLMINF_E_NUMERIC);
    assert_string_equal(m.err.subject, "token_embd.weight");
    finish(&m);
}

static int32_t end_at_half(void *user, double done)
{
    (void)user;
    return done >= 0.5;
}

static void the_host_ends_a_check(void **state)
{
    (void)state;
    const struct lli_progress progress = {end_at_half, NULL};
    struct model m;
    make(&m, &PLAIN);
    assert_int_equal(read_all(&m), 0);
    assert_int_equal(lli_weights_verify(&m.weights, &m.config, &progress, &m.err), LLMINF_E_CALLBACK);
    finish(&m);
}

/* ---- RoPE */

static void scalings(void **state)
{
    (void)state;
    struct test_model_spec spec = PLAIN;
    struct model m;
    spec.rope_scaling = "linear";
    spec.rope_factor = 4;
    make(&m, &spec);
    assert_int_equal(read_all(&m), 0);
    assert_int_equal(m.config.rope.scaling, LLI_ROPE_LINEAR);
    assert_true(m.config.rope.factor == 4);
    finish(&m);

    spec.rope_scaling = "yarn";
    make(&m, &spec);
    set_u32(&m, "llama.rope.scaling.original_context_length", 64);
    set_f32(&m, "llama.rope.scaling.yarn_beta_fast", 16);
    assert_int_equal(read_all(&m), 0);
    const struct lli_rope *r = &m.config.rope;
    assert_int_equal(r->scaling, LLI_ROPE_YARN);
    assert_int_equal(r->original_length, 64);
    assert_true(r->yarn_beta_fast == 16 && r->yarn_beta_slow == 1 && r->yarn_ext_factor == 1 && r->yarn_attn_factor == 1);
    finish(&m);

    make(&m, &PLAIN); /* the key of old files */
    set_f32(&m, "llama.rope.scale_linear", 8);
    assert_int_equal(read_all(&m), 0);
    assert_int_equal(m.config.rope.scaling, LLI_ROPE_LINEAR);
    assert_true(m.config.rope.factor == 8);
    finish(&m);

    make(&m, &spec); /* said to be none: the factor is for others */
    set_text(&m, "llama.rope.scaling.type", "none");
    assert_int_equal(read_all(&m), 0);
    assert_int_equal(m.config.rope.scaling, LLI_ROPE_NONE);
    assert_true(m.config.rope.factor == 1);
    finish(&m);
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
        {"attention.sliding_window", 0, LLMINF_E_FORMAT},
        {"attention.sliding_window", 255, LLMINF_E_UNSUPPORTED},
        {"attention.sliding_window", 256, LLMINF_OK},
        {"expert_shared_count", 0, LLMINF_OK},
        {"expert_shared_count", 1, LLMINF_E_UNSUPPORTED},
        {"no.such.key", 1, LLMINF_OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model m;
        char key[64];
        make(&m, &PLAIN);
        snprintf(key, sizeof key, "llama.%s", rows[i].key);
        set_u32(&m, key, rows[i].value);
        expect(&m, rows[i].status, NULL);
    }
}

/* Shapes that fit do not help heads that cannot be shared. */
static void heads_are_shared_evenly(void **state)
{
    (void)state;
    struct test_model_spec spec = PLAIN;
    struct model m;
    spec.n_kv_heads = 3;
    make(&m, &spec);
    expect(&m, LLMINF_E_FORMAT, "llama.attention.head_count_kv");
    spec.n_heads = 3;
    make(&m, &spec);
    expect(&m, LLMINF_E_FORMAT, "llama.attention.head_count"); /* no divisor of the width */
    spec.head_dim = 16;
    make(&m, &spec);
    expect(&m, LLMINF_OK, NULL);
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
        {"rope.scaling.attn_factor", 1.25, LLMINF_E_UNSUPPORTED},
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
    struct test_model_spec spec = PLAIN;
    spec.rope_scaling = "yarn";
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model m;
        char key[64];
        make(&m, &spec);
        snprintf(key, sizeof key, "llama.%s", rows[i].key);
        set_f32(&m, key, (float)rows[i].value);
        expect(&m, rows[i].status, rows[i].status ? key : NULL);
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
        make(&m, &PLAIN);
        set_text(&m, rows[i].key, rows[i].value);
        expect(&m, rows[i].status, rows[i].key);
    }
    struct model m;
    make(&m, &PLAIN);
    set_u32(&m, "general.architecture", 1);
    expect(&m, LLMINF_E_FORMAT, "general.architecture");
    make(&m, &PLAIN);
    set_u32(&m, "general.quantization_version", 2);
    expect(&m, LLMINF_OK, NULL);
    make(&m, &PLAIN);
    set_u32(&m, "general.quantization_version", 3);
    expect(&m, LLMINF_E_UNSUPPORTED, "general.quantization_version");
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
        make(&m, &PLAIN);
        drop(&m, keys[i]);
        expect(&m, LLMINF_E_FORMAT, keys[i]);
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
            make(&m, &PLAIN);
            test_gguf_key_array(&record, keys[k], rows[i].kind, rows[i].n);
            for (uint32_t n = 0; n < rows[i].n; n++)
                test_gguf_u32(&record, rows[i].values[n]);
            test_gguf_set(&m.file, keys[k], &record);
            free(record.bytes);
            expect(&m, k == 0 ? rows[i].status : LLMINF_E_FORMAT, keys[k]);
        }
    }
}

/* ---- tensors that are wrong */

/* Another name of the same length. */
static void rename_tensor(struct model *m, const char *from, const char *to)
{
    assert_int_equal(strlen(from), strlen(to));
    memcpy(m->file.bytes + test_gguf_find(&m->file, from) + 8, to, strlen(to));
}

static void tensors_that_are_needed(void **state)
{
    (void)state;
    static const char *const names[] = {"token_embd.weight",        "output_norm.weight",    "blk.1.attn_norm.weight",
                                        "blk.0.attn_q.weight",      "blk.1.attn_k.weight",   "blk.0.attn_v.weight",
                                        "blk.1.attn_output.weight", "blk.0.ffn_norm.weight", "blk.0.ffn_gate.weight",
                                        "blk.1.ffn_up.weight",      "blk.0.ffn_down.weight"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        struct model m;
        char other[64];
        make(&m, &PLAIN);
        snprintf(other, sizeof other, "%s", names[i]);
        other[strlen(other) - 1] = 'T';
        rename_tensor(&m, names[i], other);
        expect(&m, LLMINF_E_FORMAT, names[i]);
    }
}

static void tensors_without_a_place(void **state)
{
    (void)state;
    static const struct {
        const char *name; /* as long as "blk.1.attn_q.bias" */
        int32_t status;
    } rows[] = {{"blk.1.attn_q.biaz", LLMINF_E_UNSUPPORTED}, {"blk.9.attn_q.bias", LLMINF_E_FORMAT},
                {"blk.9999999999.xx", LLMINF_E_UNSUPPORTED}, {"blk.999999999.xxx", LLMINF_E_FORMAT},
                {"blk.01.attn.q.bxx", LLMINF_E_UNSUPPORTED}, {"blk..attn_q.bias.", LLMINF_E_UNSUPPORTED},
                {"../../../../../xx", LLMINF_E_UNSUPPORTED}};
    struct test_model_spec spec = PLAIN;
    spec.rope_freqs = 1; /* "rope_freqs.weight" is as long, and need not be there */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model m;
        make(&m, &spec);
        rename_tensor(&m, "rope_freqs.weight", rows[i].name);
        expect(&m, rows[i].status, rows[i].name);
    }
}

/* "blk.00." is not layer 0: it would be there twice. */
static void layers_have_one_name(void **state)
{
    (void)state;
    struct test_model_spec spec = PLAIN;
    struct model m;
    spec.n_layers = spec.biases = 1;
    make(&m, &spec);
    rename_tensor(&m, "blk.0.attn_output.bias", "blk.00.ffn_norm.weight");
    expect(&m, LLMINF_E_UNSUPPORTED, "blk.00.ffn_norm.weight");
}

/* A tensor of experts in a dense model, and the other way round, is not known. */
static void roles_of_the_other_kind(void **state)
{
    (void)state;
    struct test_model_spec spec = PLAIN;
    struct model m;
    spec.rope_freqs = 1;
    make(&m, &spec);
    rename_tensor(&m, "rope_freqs.weight", "blk.0.ffn_up_exps");
    expect(&m, LLMINF_E_UNSUPPORTED, "blk.0.ffn_up_exps");
    make(&m, &PLAIN);
    set_u32(&m, "llama.expert_used_count", 1);
    set_u32(&m, "llama.expert_count", 2);
    expect(&m, LLMINF_E_FORMAT, "blk.0.ffn_gate_inp.weight");
    spec.n_experts = 2;
    make(&m, &spec);
    drop(&m, "llama.expert_used_count");
    expect(&m, LLMINF_E_FORMAT, "llama.expert_used_count");
    make(&m, &spec);
    set_u32(&m, "llama.expert_count", 3);
    expect(&m, LLMINF_E_FORMAT, "blk.0.ffn_gate_inp.weight");
    make(&m, &spec);
    drop(&m, "llama.expert_count");
    drop(&m, "llama.expert_used_count");
    expect(&m, LLMINF_E_FORMAT, "blk.0.ffn_gate.weight");
}

/* Sets a number of a tensor's record: its dimension i, or (i = n_dims) its type. */
static void set_record(struct model *m, const char *name, uint32_t i, uint32_t value)
{
    uint8_t *record = m->file.bytes + test_gguf_find(&m->file, name) + 8 + strlen(name);
    memcpy(record + 4 + 8 * i, &value, sizeof value);
}

static void shapes_are_exact(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t i, value;
        int32_t status;
    } rows[] = {{"token_embd.weight", 1, 269, LLMINF_E_FORMAT},
                {"output.weight", 1, 269, LLMINF_E_FORMAT},
                {"output.weight", 0, 16, LLMINF_E_FORMAT},
                {"blk.0.attn_q.weight", 1, 31, LLMINF_E_FORMAT},
                {"blk.1.ffn_down.weight", 0, 32, LLMINF_E_FORMAT},
                {"output_norm.weight", 0, 31, LLMINF_E_FORMAT},
                {"output_norm.weight", 1, LLI_F16, LLMINF_E_UNSUPPORTED},
                {"blk.0.attn_q.weight", 2, LLI_F16, LLMINF_OK},
                {"blk.1.attn_q.bias", 0, 16, LLMINF_E_FORMAT},
                {"blk.1.attn_q.bias", 1, LLI_BF16, LLMINF_E_UNSUPPORTED},
                {"rope_freqs.weight", 0, 3, LLMINF_E_FORMAT},
                {"rope_freqs.weight", 1, LLI_F16, LLMINF_E_UNSUPPORTED}};
    struct test_model_spec spec = PLAIN;
    spec.biases = spec.rope_freqs = 1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model m;
        make(&m, &spec);
        set_record(&m, rows[i].name, rows[i].i, rows[i].value);
        expect(&m, rows[i].status, rows[i].name);
    }
}

static void biases_are_in_all_layers(void **state)
{
    (void)state;
    struct test_model_spec spec = PLAIN;
    struct model m;
    spec.biases = 1;
    make(&m, &spec);
    rename_tensor(&m, "blk.1.attn_k.bias", "blk.1.attn_x.bias");
    expect(&m, LLMINF_E_FORMAT, "blk.1.attn_k.bias");
}

static void vectors_are_finite(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint32_t bits;
        int32_t status;
    } rows[] = {{"blk.1.attn_norm.weight", 0x7fc00000, LLMINF_E_NUMERIC},
                {"output_norm.weight", 0xff800000, LLMINF_E_NUMERIC},
                {"output_norm.weight", 0x00000001, LLMINF_OK},
                {"output_norm.weight", 0x7f7fffff, LLMINF_OK},
                {"blk.0.attn_q.bias", 0x7f800001, LLMINF_E_NUMERIC},
                {"rope_freqs.weight", 0x7f800000, LLMINF_E_NUMERIC},
                {"rope_freqs.weight", 0, LLMINF_E_FORMAT},
                {"rope_freqs.weight", 0xbf800000, LLMINF_E_FORMAT}};
    struct test_model_spec spec = PLAIN;
    spec.biases = spec.rope_freqs = 1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model m;
        make(&m, &spec);
        assert_int_equal(read_all(&m), 0);
        const struct lli_gguf_tensor *t = lli_gguf_tensor_find(&m.gguf, rows[i].name);
        memcpy(m.file.bytes + (t->data - m.file.bytes) + t->bytes - 4, &rows[i].bits, 4);
        lli_weights_finish(&m.weights);
        lli_gguf_finish(&m.gguf);
        expect(&m, rows[i].status, rows[i].name);
    }
}

static void no_memory_for_layers(void **state)
{
    (void)state;
    struct model m;
    make(&m, &PLAIN);
    assert_int_equal(read_all(&m), 0);
    lli_weights_finish(&m.weights);
    support_heap_arm(&m.counts, 1, 1);
    assert_int_equal(lli_weights_read(&m.weights, &m.heap, &m.config, &m.gguf, &m.err), LLMINF_E_MEMORY);
    finish(&m);
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
        assert_int_equal(read_all(&m), rows[i].status);
        if (rows[i].status == LLMINF_OK)
            assert_int_equal(lli_weights_verify(&m.weights, &m.config, NULL, &m.err), 0);
        finish(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_dense_model),
        cmocka_unit_test(defaults_of_absent_keys),
        cmocka_unit_test(a_tied_output_counts_once),
        cmocka_unit_test(experts_biases_and_long_heads),
        cmocka_unit_test(every_weight_type),
        cmocka_unit_test(every_piece_is_checked),
        cmocka_unit_test(the_host_ends_a_check),
        cmocka_unit_test(scalings),
        cmocka_unit_test(integers_in_range),
        cmocka_unit_test(heads_are_shared_evenly),
        cmocka_unit_test(floats_in_range),
        cmocka_unit_test(texts_that_are_known),
        cmocka_unit_test(keys_that_are_needed),
        cmocka_unit_test(one_value_per_layer),
        cmocka_unit_test(tensors_that_are_needed),
        cmocka_unit_test(tensors_without_a_place),
        cmocka_unit_test(layers_have_one_name),
        cmocka_unit_test(roles_of_the_other_kind),
        cmocka_unit_test(shapes_are_exact),
        cmocka_unit_test(biases_are_in_all_layers),
        cmocka_unit_test(vectors_are_finite),
        cmocka_unit_test(no_memory_for_layers),
        cmocka_unit_test(shared_models),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
