/* What a rank holds of a model (oracles R3, R4): the cuts that the tree of docs/numerics.md allows, and what is refused. */
#include "base/slice.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "llminf/status.h"
#include "support/support.h"

static const struct lli_slice_sizes STORIES_15M = {6, 6, 6, 48, 768, 0, 0, 32000};
static const struct lli_slice_sizes QWEN_2 = {24, 14, 2, 64, 4864, 0, 0, 151936};
static const struct lli_slice_sizes STORIES_260K = {5, 8, 4, 8, 172, 0, 0, 512};
static const struct lli_slice_sizes LLAMA_3 = {32, 32, 8, 128, 14336, 0, 0, 128256};

static void expect_cuts(uint32_t n, const uint32_t want[9])
{
    for (unsigned s = 0; s <= 8; s++)
        assert_int_equal(lli_segment_cut(n, s), want[s]);
}

static void test_cuts(void **state)
{
    static const uint32_t EVERY[][2] = {{4096, 512}, {14336, 1792}, {11008, 1376}, {5632, 704}, {3072, 384}};
    (void)state;
    expect_cuts(288, (const uint32_t[]){0, 32, 64, 96, 128, 160, 192, 224, 288});
    expect_cuts(896, (const uint32_t[]){0, 96, 224, 320, 448, 544, 672, 768, 896});
    expect_cuts(64, (const uint32_t[]){0, 0, 0, 0, 32, 32, 32, 32, 64});
    expect_cuts(37, (const uint32_t[]){0, 0, 0, 0, 32, 32, 32, 32, 37});
    expect_cuts(0, (const uint32_t[9]){0});
    for (size_t i = 0; i < sizeof EVERY / sizeof *EVERY; i++)
        for (uint32_t s = 0; s <= 8; s++)
            assert_int_equal(lli_segment_cut(EVERY[i][0], s), s * EVERY[i][1]);
}

static struct lli_slice slice(const struct lli_slice_sizes *sizes, uint32_t tp, uint32_t index)
{
    struct lli_slice out;
    assert_int_equal(lli_slice_make(&out, sizes, tp, index, (struct lli_span){0}, NULL), 0);
    return out;
}

/* Heads of each rank, and the first of its heads of K and V with their number. */
static void expect_heads(const struct lli_slice_sizes *sizes, uint32_t tp, const uint32_t want[][4])
{
    for (uint32_t i = 0; i < tp; i++) {
        struct lli_slice s = slice(sizes, tp, i);
        assert_int_equal(s.heads.first, want[i][0]);
        assert_int_equal(s.heads.n, want[i][1]);
        assert_int_equal(s.attended.first, s.heads.first * sizes->head_dim);
        assert_int_equal(s.attended.n, s.heads.n * sizes->head_dim);
        if (s.heads.n > 0)
            assert_int_equal(s.kv_heads.first, want[i][2]);
        assert_int_equal(s.kv_heads.n, want[i][3]);
    }
}

static void test_heads(void **state)
{
    (void)state;
    expect_heads(&STORIES_15M, 1, (const uint32_t[][4]){{0, 6, 0, 6}});
    expect_heads(&QWEN_2, 2, (const uint32_t[][4]){{0, 7, 0, 1}, {7, 7, 1, 1}});
    expect_heads(&STORIES_260K, 2, (const uint32_t[][4]){{0, 4, 0, 2}, {4, 4, 2, 2}});
    expect_heads(&STORIES_260K, 4, (const uint32_t[][4]){{0, 0, 0, 0}, {0, 4, 0, 2}, {4, 0, 0, 0}, {4, 4, 2, 2}});
    for (uint32_t i = 0; i < 8; i++) {
        struct lli_slice s = slice(&LLAMA_3, 8, i);
        assert_true(s.heads.first == 4 * i && s.heads.n == 4 && s.kv_heads.first == i && s.kv_heads.n == 1);
        assert_true(s.ff.first == 1792 * i && s.ff.n == 1792);
    }
    /* Two ranks use one head of K and V. */
    const struct lli_slice_sizes few = {1, 8, 4, 64, 64, 0, 0, 64};
    expect_heads(
        &few, 8,
        (const uint32_t[][4]){
            {0, 1, 0, 1}, {1, 1, 0, 1}, {2, 1, 1, 1}, {3, 1, 1, 1}, {4, 1, 2, 1}, {5, 1, 2, 1}, {6, 1, 3, 1}, {7, 1, 3, 1}});
}

/* Ranges of all ranks are one behind the other and nothing is missing. */
static void test_ranges(void **state)
{
    static const uint32_t TPS[] = {1, 2, 4, 8};
    uint64_t seed = 3;
    (void)state;
    for (int round = 0; round < 2000; round++) {
        struct lli_slice_sizes z = {.n_layers = 1, .n_heads = 8, .n_kv_heads = 8, .head_dim = 32};
        z.n_ff = (uint32_t)(support_random(&seed) % 3000);
        z.n_expert_ff = (uint32_t)(support_random(&seed) % 300);
        z.n_vocab = 1 + (uint32_t)(support_random(&seed) % 3000);
        for (size_t t = 0; t < 4; t++) {
            uint32_t ff = 0, expert_ff = 0, vocab = 0;
            for (uint32_t i = 0; i < TPS[t]; i++) {
                struct lli_slice s = slice(&z, TPS[t], i);
                assert_true(s.ff.first == ff && s.expert_ff.first == expert_ff && s.vocab.first == vocab);
                assert_true(s.vocab.first % 16 == 0 || s.vocab.n == 0);
                ff += s.ff.n;
                expert_ff += s.expert_ff.n;
                vocab += s.vocab.n;
            }
            assert_true(ff == z.n_ff && expert_ff == z.n_expert_ff && vocab == z.n_vocab);
        }
    }
    assert_int_equal(slice(&QWEN_2, 2, 1).vocab.first, 16 * (151936 / 16 / 2));
}

static void test_stages(void **state)
{
    struct lli_slice s;
    (void)state;
    assert_int_equal(lli_slice_make(&s, &LLAMA_3, 2, 1, (struct lli_span){0, 11}, NULL), 0);
    assert_true(s.is_first && !s.is_last && !lli_slice_is_whole(&s));
    assert_int_equal(lli_slice_make(&s, &LLAMA_3, 1, 0, (struct lli_span){11, 21}, NULL), 0);
    assert_true(!s.is_first && s.is_last && !lli_slice_is_whole(&s));
    s = slice(&LLAMA_3, 1, 0);
    assert_true(lli_slice_is_whole(&s) && s.layers.n == 32 && s.n_segments == 8 && s.vocab.n == 128256);
    s = slice(&LLAMA_3, 2, 0);
    assert_false(lli_slice_is_whole(&s));
}

static void expect_refused(const struct lli_slice_sizes *sizes, uint32_t tp, const char *text)
{
    for (uint32_t i = 0; i < tp; i++) { /* by every rank alike */
        struct llminf_error err;
        struct lli_slice s;
        assert_int_equal(lli_slice_make(&s, sizes, tp, i, (struct lli_span){0}, &err), LLMINF_E_OPTION);
        assert_string_equal(err.text, text);
    }
}

static void test_refused(void **state)
{
    const struct lli_slice_sizes three_kv = {1, 12, 3, 64, 64, 0, 0, 64}, uneven = {1, 6, 2, 16, 64, 0, 0, 64};
    (void)state;
    expect_refused(&STORIES_15M, 2, "tensor_parallel: 2 ranks cut 6 heads of 48 at 128, inside head 2");
    expect_refused(&STORIES_15M, 4, "tensor_parallel: 4 ranks do not divide 6 heads");
    expect_refused(&QWEN_2, 4, "tensor_parallel: 4 ranks do not divide 14 heads");
    expect_refused(&LLAMA_3, 3, "tensor_parallel: 3 ranks, want 1, 2, 4 or 8");
    expect_refused(&LLAMA_3, 16, "tensor_parallel: 16 ranks, want 1, 2, 4 or 8");
    expect_refused(&three_kv, 4, "tensor_parallel: 4 ranks neither divide 3 heads of keys and values nor are a multiple");
    expect_refused(&uneven, 2, "tensor_parallel: 2 ranks give heads 2 to 5 to one, of 3 for each head of keys");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cuts),   cmocka_unit_test(test_heads),   cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_stages), cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
