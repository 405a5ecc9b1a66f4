/* The tensors of a model: each in its place, of the shape and type that the config asks for, and finite. */
#include "model/weights.h"

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

/* ---- what is read, and the check of all of it */

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
    struct test_model_spec spec = MODEL_PLAIN;
    struct model m;
    spec.tied = 1;
    model_make(&m, &spec);
    assert_int_equal(model_read(&m), 0);
    assert_ptr_equal(m.weights.at[LLI_OUTPUT].data, m.weights.at[LLI_TOKEN_EMBD].data);
    assert_int_equal(m.weights.n_params, 270 * 32 + 32 + 2 * (2 * 32 + 2 * 32 * 32 + 2 * 32 * 16 + 3 * 32 * 64));
    assert_int_equal(lli_weights_verify(&m.weights, &m.config, &progress, &m.err), 0);
    assert_true(last == 1);
    model_finish(&m);
}

static void every_weight_type(void **state)
{
    (void)state;
    static const uint32_t types[] = {LLI_F32,  LLI_F16,  LLI_BF16, LLI_Q4_0, LLI_Q4_1, LLI_Q5_0,   LLI_Q5_1,   LLI_Q8_0,
                                     LLI_Q2_K, LLI_Q3_K, LLI_Q4_K, LLI_Q5_K, LLI_Q6_K, LLI_IQ4_NL, LLI_IQ4_XS, LLI_MXFP4};
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const struct lli_dtype *type = lli_dtype_find(types[i]);
        for (int scale = 0; scale < 2 && type->scale_at[scale] >= 0; scale++) {
            struct test_model_spec spec = {.type = types[i], .n_layers = 1, .n_vocab = 260, .tied = 1};
            struct model m;
            model_make(&m, &spec);
            assert_int_equal(model_read(&m), 0);
            assert_int_equal(lli_weights_verify(&m.weights, &m.config, NULL, &m.err), 0);
            const struct lli_matrix *up = &m.weights.layers[0].at[LLI_FFN_UP];
            assert_ptr_equal(up->type, type);
            size_t last = (size_t)up->n_in / type->block * up->n_out - 1;
            uint8_t *block = m.file.bytes + (up->data - m.file.bytes) + last * type->block_bytes;
            memcpy(block + type->scale_at[scale], &type->exponent, 2); /* all ones in the exponent */
            assert_int_equal(lli_weights_verify(&m.weights, &m.config, NULL, &m.err), LLMINF_E_NUMERIC);
            assert_string_equal(m.err.subject, "blk.0.ffn_up.weight");
            model_finish(&m);
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
    model_make(&m, &spec);
    assert_int_equal(model_read(&m), 0);
    const uint8_t *data = m.weights.at[LLI_TOKEN_EMBD].data;
    memcpy(m.file.bytes + (data - m.file.bytes) + (1 << 20), &nan, sizeof nan);
    assert_int_equal(lli_weights_verify(&m.weights, &m.config, NULL, &m.err), LLMINF_E_NUMERIC);
    assert_string_equal(m.err.subject, "token_embd.weight");
    model_finish(&m);
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
    model_make(&m, &MODEL_PLAIN);
    assert_int_equal(model_read(&m), 0);
    assert_int_equal(lli_weights_verify(&m.weights, &m.config, &progress, &m.err), LLMINF_E_CALLBACK);
    model_finish(&m);
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
        model_make(&m, &MODEL_PLAIN);
        snprintf(other, sizeof other, "%s", names[i]);
        other[strlen(other) - 1] = 'T';
        rename_tensor(&m, names[i], other);
        model_expect(&m, LLMINF_E_FORMAT, names[i]);
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
    struct test_model_spec spec = MODEL_PLAIN;
    spec.rope_freqs = 1; /* "rope_freqs.weight" is as long, and need not be there */
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model m;
        model_make(&m, &spec);
        rename_tensor(&m, "rope_freqs.weight", rows[i].name);
        model_expect(&m, rows[i].status, rows[i].name);
    }
}

/* "blk.00." is not layer 0: it would be there twice. */
static void layers_have_one_name(void **state)
{
    (void)state;
    struct test_model_spec spec = MODEL_PLAIN;
    struct model m;
    spec.n_layers = spec.biases = 1;
    model_make(&m, &spec);
    rename_tensor(&m, "blk.0.attn_output.bias", "blk.00.ffn_norm.weight");
    model_expect(&m, LLMINF_E_UNSUPPORTED, "blk.00.ffn_norm.weight");
}

/* A tensor of experts in a dense model, and the other way round, is not known. */
static void roles_of_the_other_kind(void **state)
{
    (void)state;
    struct test_model_spec spec = MODEL_PLAIN;
    struct model m;
    spec.rope_freqs = 1;
    model_make(&m, &spec);
    rename_tensor(&m, "rope_freqs.weight", "blk.0.ffn_up_exps");
    model_expect(&m, LLMINF_E_UNSUPPORTED, "blk.0.ffn_up_exps");
    model_make(&m, &MODEL_PLAIN);
    model_set_u32(&m, "llama.expert_used_count", 1);
    model_set_u32(&m, "llama.expert_count", 2);
    model_expect(&m, LLMINF_E_FORMAT, "blk.0.ffn_gate_inp.weight");
    spec.n_experts = 2;
    model_make(&m, &spec);
    model_drop(&m, "llama.expert_used_count");
    model_expect(&m, LLMINF_E_FORMAT, "llama.expert_used_count");
    model_make(&m, &spec);
    model_set_u32(&m, "llama.expert_count", 3);
    model_expect(&m, LLMINF_E_FORMAT, "blk.0.ffn_gate_inp.weight");
    model_make(&m, &spec);
    model_drop(&m, "llama.expert_count");
    model_drop(&m, "llama.expert_used_count");
    model_expect(&m, LLMINF_E_FORMAT, "blk.0.ffn_gate.weight");
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
    struct test_model_spec spec = MODEL_PLAIN;
    spec.biases = spec.rope_freqs = 1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model m;
        model_make(&m, &spec);
        set_record(&m, rows[i].name, rows[i].i, rows[i].value);
        model_expect(&m, rows[i].status, rows[i].name);
    }
}

static void biases_are_in_all_layers(void **state)
{
    (void)state;
    struct test_model_spec spec = MODEL_PLAIN;
    struct model m;
    spec.biases = 1;
    model_make(&m, &spec);
    rename_tensor(&m, "blk.1.attn_k.bias", "blk.1.attn_x.bias");
    model_expect(&m, LLMINF_E_FORMAT, "blk.1.attn_k.bias");
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
    struct test_model_spec spec = MODEL_PLAIN;
    spec.biases = spec.rope_freqs = 1;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct model m;
        model_make(&m, &spec);
        assert_int_equal(model_read(&m), 0);
        const struct lli_gguf_tensor *t = lli_gguf_tensor_find(&m.gguf, rows[i].name);
        memcpy(m.file.bytes + (t->data - m.file.bytes) + t->bytes - 4, &rows[i].bits, 4);
        lli_weights_finish(&m.weights);
        lli_gguf_finish(&m.gguf);
        model_expect(&m, rows[i].status, rows[i].name);
    }
}

/* A llama with sinks: no architecture that is known has them. */
static void make_sinks(struct model *m)
{
    struct test_model_spec spec = MODEL_PLAIN;
    spec.sinks = 1;
    model_make(m, &spec);
    m->family = *lli_family_find("llama", 5);
    m->family.needs |= LLI_ROLE(LLI_ATTN_SINKS);
}

static void sinks_are_read(void **state)
{
    (void)state;
    struct model m;
    make_sinks(&m);
    assert_int_equal(model_read(&m), 0);
    const struct lli_matrix *sinks = &m.weights.layers[1].at[LLI_ATTN_SINKS];
    assert_ptr_equal(sinks->data, lli_gguf_tensor_find(&m.gguf, "blk.1.attn_sinks.weight")->data);
    assert_true(sinks->n_in == 4 && sinks->n_out == 1 && sinks->n_mats == 1);
    model_finish(&m);
}

static void sinks_that_are_wrong(void **state)
{
    (void)state;
    static const char name[] = "blk.1.attn_sinks.weight";
    static const uint32_t bits[] = {0x7fc00000, 0x7f800000, 0xff800000};
    struct model m;
    make_sinks(&m);
    m.family.needs &= ~(LLI_ROLE(LLI_ATTN_SINKS));
    model_expect(&m, LLMINF_E_UNSUPPORTED, "blk.0.attn_sinks.weight");
    make_sinks(&m);
    rename_tensor(&m, name, "blk.1.attn_sinkx.weight");
    model_expect(&m, LLMINF_E_FORMAT, name);
    make_sinks(&m);
    set_record(&m, name, 0, 3);
    model_expect(&m, LLMINF_E_FORMAT, name);
    make_sinks(&m);
    set_record(&m, name, 1, LLI_F16);
    model_expect(&m, LLMINF_E_UNSUPPORTED, name);
    for (size_t i = 0; i < sizeof bits / sizeof *bits; i++) {
        make_sinks(&m);
        assert_int_equal(model_read(&m), 0);
        const struct lli_gguf_tensor *t = lli_gguf_tensor_find(&m.gguf, name);
        memcpy(m.file.bytes + (t->data - m.file.bytes) + 4 * i, &bits[i], 4);
        lli_weights_finish(&m.weights);
        lli_gguf_finish(&m.gguf);
        model_expect(&m, LLMINF_E_NUMERIC, name);
    }
}

static void no_memory_for_layers(void **state)
{
    (void)state;
    struct model m;
    model_make(&m, &MODEL_PLAIN);
    assert_int_equal(model_read(&m), 0);
    lli_weights_finish(&m.weights);
    support_heap_arm(&m.counts, 1, 1);
    assert_int_equal(lli_weights_read(&m.weights, &m.heap, &m.config, &m.gguf, &m.err), LLMINF_E_MEMORY);
    model_finish(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tied_output_counts_once), cmocka_unit_test(every_weight_type),
        cmocka_unit_test(every_piece_is_checked),    cmocka_unit_test(the_host_ends_a_check),
        cmocka_unit_test(tensors_that_are_needed),   cmocka_unit_test(tensors_without_a_place),
        cmocka_unit_test(layers_have_one_name),      cmocka_unit_test(roles_of_the_other_kind),
        cmocka_unit_test(shapes_are_exact),          cmocka_unit_test(biases_are_in_all_layers),
        cmocka_unit_test(vectors_are_finite),        cmocka_unit_test(sinks_are_read),
        cmocka_unit_test(sinks_that_are_wrong),      cmocka_unit_test(no_memory_for_layers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
