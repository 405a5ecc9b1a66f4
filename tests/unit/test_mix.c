/* Which tensor gets which type: spot checks of each mix, as llama.cpp v0.5.0 chose for files of these shapes. */
#include "model/mix.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "backend/encode/encoders.h"
#include "support/gguf_make.h"
#include "support/support.h"

static struct lli_heap heap;
static struct lli_gguf separate, tied; /* with and without an output of its own */
static uint8_t *files[2];

static int set_up(void **state)
{
    static const struct lli_gguf_options options = {.header_limit_bytes = LLI_HEADER_BYTES_DEFAULT};
    struct test_model_spec specs[] = {{.seed = 1}, {.seed = 1, .tied = 1}};
    (void)state;
    lli_heap_init(&heap, NULL, NULL, NULL);
    for (int i = 0; i < 2; i++) {
        size_t size;
        files[i] = test_model_make(&specs[i], &size);
        if (lli_gguf_read(i ? &tied : &separate, &heap, files[i], size, &options, NULL))
            return -1;
    }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    lli_gguf_finish(&separate);
    lli_gguf_finish(&tied);
    free(files[0]);
    free(files[1]);
    return 0;
}

static struct lli_config dense(uint32_t n_layers, uint32_t n_shared)
{
    return (struct lli_config){.n_layers = n_layers, .n_heads = 8 * n_shared, .n_kv_heads = 8};
}

static const char *type_of(const char *mix, int is_pure, const struct lli_gguf *g, const struct lli_config *c, const char *name,
                           uint64_t n_in, uint64_t n_out)
{
    struct lli_gguf_tensor t = {.name = name, .type = lli_dtype_find(LLI_F32), .n_dims = 2, .dims = {n_in, n_out, 1, 1}};
    const struct lli_mix *found = lli_mix_find(mix);
    assert_non_null(found);
    return lli_mix_type(found, is_pure, g, c, &t)->name;
}

static void test_names(void **state)
{
    (void)state;
    assert_null(lli_mix_find("q4_k_x"));
    assert_null(lli_mix_find(""));
    assert_int_equal(lli_mix_find("q4_k_m")->file_type, 15);
    assert_int_equal(lli_mix_find("q4_k")->file_type, 15);
    assert_int_equal(lli_mix_find("bf16")->type, LLI_BF16);
    for (uint32_t id = 0; id < 100; id++)
        if (lli_dtype_find(id) && lli_encoders_find(id)) /* MXFP4 is read only */
            assert_int_equal(lli_mix_find(lli_dtype_find(id)->name)->type, id);
}

static void test_rules(void **state)
{
    static const struct {
        const char *mix, *tensor;
        uint32_t n_layers, n_shared, n_experts;
        const char *want;
    } rows[] = {
        {"q4_0", "output.weight", 32, 1, 0, "q6_k"},
        {"q4_0", "token_embd.weight", 32, 1, 0, "q4_0"},
        {"q4_0", "blk.0.attn_v.weight", 32, 4, 0, "q4_0"},
        {"q8_0", "output.weight", 32, 1, 0, "q8_0"},
        {"f16", "output.weight", 32, 1, 0, "f16"},
        {"q4_k_m", "token_embd.weight", 32, 1, 0, "q4_k"},
        {"q4_k_m", "blk.3.attn_v.weight", 32, 1, 0, "q6_k"},
        {"q4_k_m", "blk.4.attn_v.weight", 32, 1, 0, "q4_k"},
        {"q4_k_m", "blk.6.ffn_down.weight", 32, 1, 0, "q6_k"},
        {"q4_k_m", "blk.27.ffn_down.weight", 32, 1, 0, "q6_k"},
        {"q4_k_m", "blk.28.ffn_down.weight", 32, 1, 0, "q6_k"},
        {"q4_k_m", "blk.26.ffn_down.weight", 32, 1, 0, "q4_k"},
        {"q4_k_m", "blk.28.ffn_up.weight", 32, 1, 0, "q4_k"},
        {"q4_k_m", "blk.0.attn_output.weight", 32, 1, 0, "q4_k"},
        {"q4_k_m", "blk.5.attn_qkv.weight", 32, 1, 0, "q4_k"},
        {"q4_k_m", "blk.42.attn_v.weight", 80, 8, 0, "q6_k"},
        {"q4_k_m", "blk.41.attn_v.weight", 80, 8, 0, "q5_k"},
        {"q4_k_m", "blk.41.attn_v.weight", 80, 1, 0, "q4_k"},
        {"q4_k_s", "blk.3.attn_v.weight", 32, 1, 0, "q5_k"},
        {"q4_k_s", "blk.4.attn_v.weight", 32, 1, 0, "q4_k"},
        {"q4_k_s", "blk.3.ffn_down.weight", 32, 1, 0, "q5_k"},
        {"q4_k_s", "blk.30.ffn_down.weight", 32, 1, 0, "q4_k"},
        {"q5_k_m", "blk.0.ffn_down_exps.weight", 32, 1, 4, "q6_k"},
        {"q5_k_s", "blk.0.ffn_down.weight", 32, 1, 0, "q5_k"},
        {"q6_k", "blk.0.ffn_down.weight", 32, 1, 0, "q6_k"},
        {"q2_k", "blk.9.attn_v.weight", 32, 1, 0, "q3_k"},
        {"q2_k", "blk.9.attn_v.weight", 32, 4, 0, "q4_k"},
        {"q2_k", "blk.9.attn_output.weight", 32, 1, 0, "q3_k"},
        {"q2_k", "blk.9.ffn_down.weight", 32, 1, 0, "q3_k"},
        {"q2_k", "blk.9.attn_q.weight", 32, 1, 0, "q2_k"},
        {"q3_k_s", "blk.0.attn_v.weight", 32, 1, 0, "q3_k"},
        {"q3_k_m", "blk.1.attn_v.weight", 32, 1, 0, "q5_k"},
        {"q3_k_m", "blk.2.attn_v.weight", 32, 1, 0, "q4_k"},
        {"q3_k_m", "blk.1.ffn_down.weight", 32, 1, 0, "q5_k"},
        {"q3_k_m", "blk.2.ffn_down.weight", 32, 1, 0, "q4_k"},
        {"q3_k_m", "blk.2.attn_output.weight", 32, 1, 0, "q4_k"},
        {"q3_k_l", "blk.9.attn_output.weight", 32, 1, 0, "q5_k"},
        {"iq4_xs", "blk.9.attn_v.weight", 32, 4, 0, "q5_k"},
        {"iq4_xs", "blk.9.attn_v.weight", 32, 2, 0, "iq4_xs"},
        {"iq4_nl", "blk.3.ffn_down.weight", 32, 2, 0, "q5_k"},
        {"q4_0", "blk.9.attn_k.weight", 32, 1, 8, "q8_0"},
        {"q4_k_m", "blk.9.attn_v.weight", 32, 1, 8, "q8_0"},
        {"q4_k_m", "blk.9.attn_output.weight", 32, 1, 8, "q5_k"},
        {"q4_k_m", "blk.0.attn_norm.weight", 32, 1, 0, "f32"},
        {"q4_k_m", "blk.0.ffn_gate_inp.weight", 32, 1, 8, "f32"},
        {"q4_k_m", "blk.0.attn_q.bias", 32, 1, 0, "f32"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lli_config c = dense(rows[i].n_layers, rows[i].n_shared);
        const char *got;
        c.n_experts = rows[i].n_experts;
        got = type_of(rows[i].mix, 0, &separate, &c, rows[i].tensor, 512, 512);
        if (strcmp(got, rows[i].want) != 0)
            fail_msg("row %zu: %s in %s is %s, want %s", i, rows[i].tensor, rows[i].mix, got, rows[i].want);
    }
}

static void test_output(void **state)
{
    struct lli_config c = dense(32, 1);
    (void)state;
    assert_string_equal(type_of("q4_k_m", 0, &tied, &c, "token_embd.weight", 512, 512), "q6_k");
    assert_string_equal(type_of("q8_0", 0, &tied, &c, "token_embd.weight", 512, 512), "q8_0");
    assert_string_equal(type_of("bf16", 0, &tied, &c, "token_embd.weight", 512, 512), "bf16");
    assert_string_equal(type_of("q4_0", 1, &separate, &c, "output.weight", 512, 512), "q4_0");
    assert_string_equal(type_of("q4_k_m", 1, &separate, &c, "blk.0.ffn_down.weight", 512, 512), "q4_k");
    assert_string_equal(type_of("q2_k", 1, &tied, &c, "token_embd.weight", 512, 512), "q2_k");
}

/* Rows that are no multiple of a block. */
static void test_other_rows(void **state)
{
    static const struct {
        const char *mix, *at_32, *at_8;
    } rows[] = {
        {"q2_k", "q4_0", "f16"},     {"q3_k_s", "q4_0", "f16"},   {"q4_k_s", "q5_0", "f16"}, {"q5_k_s", "q5_1", "f16"},
        {"q6_k", "q8_0", "f16"},     {"iq4_xs", "iq4_nl", "f16"}, {"q4_0", "q4_0", "f16"},   {"q8_0", "q8_0", "f16"},
        {"iq4_nl", "iq4_nl", "f16"}, {"bf16", "bf16", "bf16"},
    };
    struct lli_config c = dense(32, 1);
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int is_pure = 0; is_pure < 2; is_pure++) {
            assert_string_equal(type_of(rows[i].mix, is_pure, &separate, &c, "blk.9.ffn_up.weight", 288, 512), rows[i].at_32);
            assert_string_equal(type_of(rows[i].mix, is_pure, &separate, &c, "blk.9.ffn_up.weight", 8, 512), rows[i].at_8);
        }
    assert_string_equal(type_of("q4_k_m", 0, &separate, &c, "output.weight", 288, 512), "q8_0");
    assert_string_equal(type_of("q4_0", 0, &separate, &c, "output.weight", 288, 512), "q8_0");
    assert_string_equal(type_of("q4_0", 0, &separate, &c, "output.weight", 172, 512), "f16");
    assert_string_equal(type_of("q4_k_m", 0, &separate, &c, "blk.0.attn_q.weight", 512, 1), "f32");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names), cmocka_unit_test(test_rules),
                                       cmocka_unit_test(test_output), cmocka_unit_test(test_other_rows)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
