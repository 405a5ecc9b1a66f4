/* The weights of a model in lanes: every row comes back, a forward computes the same bits from them, and what can go wrong on
 * the way leaves nothing. */
#include "model/packing.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "backend/pack.h"
#include "backend/registry.h"
#include "llminf/status.h"
#include "support/gguf_make.h"
#include "support/listener.h"
#include "support/network.h"
#include "support/packed.h"
#include "support/support.h"

/* ---- a packing of every kind of model */

/* With threads that end with the call. */
static int32_t pack(struct lli_weights *out, struct network *n, uint32_t lanes, int n_threads,
                    const struct lli_progress *progress, struct llminf_error *err)
{
    const struct lli_packing_source source = {&n->config, &n->weights, NULL, NULL};
    struct lli_workers workers;
    int32_t status;
    assert_int_equal(lli_workers_init(&workers, &n->heap, n_threads, NULL, 0, NULL), 0);
    status = lli_packing_make(out, &n->heap, &source, lanes, &workers, progress, err);
    lli_workers_finish(&workers);
    return status;
}

static void every_row_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PACKED_SPECS; i++)
        for (uint32_t lanes = 4; lanes <= 16; lanes *= 2) {
            struct lli_weights packed;
            struct network n;
            int64_t before;
            network_make(&n, &PACKED_SPECS[i]);
            before = n.heap.live_bytes;
            assert_int_equal(pack(&packed, &n, lanes, 3, NULL, NULL), 0);
            assert_int_equal(n.heap.live_bytes - before, packed.bytes + n.config.n_layers * sizeof *packed.layers);
            packed_check(&packed, &n, &n.weights, lanes);
            lli_weights_finish(&packed);
            assert_int_equal(n.heap.live_bytes, before);
            network_close(&n);
        }
}

/* ---- a forward: backends whose products take the rows out of the lanes and give them to the scalar kernels */

static struct lli_kernels scalar;

static void multiply(const struct lli_product *p, size_t first, size_t last, uint32_t id, size_t lanes)
{
    const struct lli_dtype *type = lli_dtype_find(id);
    uint8_t row[8192];
    for (size_t o = first; o < last; o++) {
        struct lli_product one = *p;
        one.weights = row;
        one.out = p->out + o;
        lli_pack_row(row, type, lanes, p->weights, p->n_in, o);
        scalar.matmul[id](&one, 0, 1);
    }
}

#define LANED(type, id)                                                                                                        \
    static void multiply_##type##_8(const struct lli_product *p, size_t first, size_t last)                                    \
    {                                                                                                                          \
        multiply(p, first, last, id, 8);                                                                                       \
    }                                                                                                                          \
    static void multiply_##type##_16(const struct lli_product *p, size_t first, size_t last)                                   \
    {                                                                                                                          \
        multiply(p, first, last, id, 16);                                                                                      \
    }

LANED(f32, LLI_F32)
LANED(f16, LLI_F16)
LANED(bf16, LLI_BF16)
LANED(q8_0, LLI_Q8_0)
LANED(q4_0, LLI_Q4_0)
LANED(q4_k, LLI_Q4_K)
LANED(q6_k, LLI_Q6_K)

static void fill_8(struct lli_kernels *k)
{
    k->matmul[LLI_F32] = multiply_f32_8;
    k->matmul[LLI_F16] = multiply_f16_8;
    k->matmul[LLI_BF16] = multiply_bf16_8;
    k->matmul[LLI_Q8_0] = multiply_q8_0_8;
    k->matmul[LLI_Q4_0] = multiply_q4_0_8;
    k->matmul[LLI_Q4_K] = multiply_q4_k_8;
    k->matmul[LLI_Q6_K] = multiply_q6_k_8;
}

static void fill_16(struct lli_kernels *k)
{
    k->matmul[LLI_F32] = multiply_f32_16;
    k->matmul[LLI_F16] = multiply_f16_16;
    k->matmul[LLI_BF16] = multiply_bf16_16;
    k->matmul[LLI_Q8_0] = multiply_q8_0_16;
    k->matmul[LLI_Q4_0] = multiply_q4_0_16;
    k->matmul[LLI_Q4_K] = multiply_q4_k_16;
    k->matmul[LLI_Q6_K] = multiply_q6_k_16;
}

static const struct lli_backend LANED_8 = {"laned-8", 0, 0, 8, fill_8}, LANED_16 = {"laned-16", 0, 0, 16, fill_16};

enum { N_IDS = 9 };

static float *compute(struct network *n, const struct lli_backend *backend)
{
    static const uint32_t blocks[] = {1};
    static const int32_t ids[N_IDS] = {1, 299, 5, 33, 0, 260, 7, 259, 101};
    float *logits = calloc(N_IDS * (size_t)n->config.n_vocab, sizeof *logits);
    struct network_run run;
    assert_non_null(logits);
    n->backend = backend;
    assert_int_equal(network_start(&run, n, LLI_KV_F16, 3, 2), 0);
    assert_int_equal(network_feed(&run, blocks, ids, 0, N_IDS, 4, logits), 0);
    network_stop(&run);
    return logits;
}

static void forward_computes_the_same(void **state)
{
    static const size_t specs[] = {0, 1, 2, 3, 4, 10, 12, 15, 16};
    (void)state;
    lli_registry_fill(&scalar, lli_registry_find("scalar"));
    for (size_t i = 0; i < sizeof specs / sizeof *specs; i++) {
        struct network n;
        float *want, *got;
        size_t bytes;
        network_make(&n, &PACKED_SPECS[specs[i]]);
        bytes = N_IDS * (size_t)n.config.n_vocab * sizeof *want;
        want = compute(&n, lli_registry_find("scalar"));
        got = compute(&n, &LANED_8);
        assert_memory_equal(got, want, bytes);
        free(got);
        got = compute(&n, &LANED_16);
        assert_memory_equal(got, want, bytes);
        free(got);
        free(want);
        network_close(&n);
    }
}

/* ---- progress */

static void progress_is_told(void **state)
{
    (void)state;
    for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
        struct listener l;
        const struct lli_progress progress = {listener_note, &l};
        struct lli_weights packed;
        struct llminf_error err;
        struct network n;
        int64_t before;
        int n_told;
        network_make(&n, &PACKED_LARGE);
        before = n.heap.live_bytes;
        listener_start(&l, 0);
        assert_int_equal(pack(&packed, &n, 16, n_threads, &progress, &err), 0);
        assert_true(l.last == 1 && !l.is_wrong);
        assert_true(n_threads > 1 ? l.n > 0 : l.n > 10);
        lli_weights_finish(&packed);
        n_told = n_threads > 1 ? 1 : l.n; /* how often it is called hangs on the other threads */
        for (int stop_at = 1; stop_at <= n_told; stop_at++) {
            listener_start(&l, stop_at);
            assert_int_equal(pack(&packed, &n, 16, n_threads, &progress, &err), LLMINF_E_CALLBACK);
            assert_string_equal(err.subject, "progress");
            assert_int_equal(l.n, stop_at);
            assert_true(!l.is_wrong && !packed.layers && !packed.packed && !packed.at[0].data);
            assert_int_equal(n.heap.live_bytes, before);
        }
        network_close(&n);
    }
}

/* ---- what is not finite */

static void spoil(struct network *n, const struct lli_matrix *m, size_t mat, size_t row, size_t element)
{
    uint8_t *at = n->bytes + (m->data - n->bytes) + mat * m->mat_bytes + row * (m->mat_bytes / m->n_out);
    at += element / m->type->block * m->type->block_bytes + (size_t)m->type->scale_at[0];
    at[0] = (uint8_t)m->type->exponent;
    at[1] = (uint8_t)(m->type->exponent >> 8);
}

static void expect_bad(struct network *n, const char *name, const char *text)
{
    struct llminf_error err;
    for (int n_threads = 1; n_threads <= 4; n_threads++) {
        struct lli_weights packed;
        int64_t before = n->heap.live_bytes;
        assert_int_equal(pack(&packed, n, 8, n_threads, NULL, &err), LLMINF_E_NUMERIC);
        assert_string_equal(err.subject, name);
        assert_non_null(strstr(err.text, text));
        assert_int_equal(n->heap.live_bytes, before);
    }
    assert_int_equal(lli_weights_verify(&n->weights, &n->config, NULL, &err), LLMINF_E_NUMERIC);
    assert_string_equal(err.subject, name);
    assert_non_null(strstr(err.text, text));
}

/* Of several the first of the file is named, whichever thread comes upon it; as the check of all weights names it. */
static void not_finite_is_named(void **state)
{
    struct network n;
    const struct lli_matrix *at;
    (void)state;
    network_make(&n, &PACKED_LARGE);
    at = n.weights.layers[1].at;
    spoil(&n, &at[LLI_FFN_DOWN], 0, 511, 1099);
    expect_bad(&n, "blk.1.ffn_down.weight", "element 563199 ");
    spoil(&n, &at[LLI_FFN_UP], 0, 600, 3);
    expect_bad(&n, "blk.1.ffn_up.weight", "element 307203 ");
    spoil(&n, &at[LLI_FFN_UP], 0, 599, 500);
    expect_bad(&n, "blk.1.ffn_up.weight", "element 307188 ");
    spoil(&n, &n.weights.at[LLI_OUTPUT], 0, 1499, 0);
    expect_bad(&n, "output.weight", "element 767488 ");
    network_close(&n);
    network_make(&n, &(struct test_model_spec){.seed = 21, .type = LLI_Q8_0, .n_experts = 4});
    at = n.weights.layers[1].at;
    spoil(&n, &at[LLI_FFN_UP_EXPS], 2, 9, 33);
    expect_bad(&n, "blk.1.ffn_up_exps.weight", "scale of block 531 "); /* (2 * 128 + 9) * 2 + 1 */
    network_close(&n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_comes_back),
        cmocka_unit_test(forward_computes_the_same),
        cmocka_unit_test(progress_is_told),
        cmocka_unit_test(not_finite_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
