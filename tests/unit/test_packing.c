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
#include "support/network.h"
#include "support/support.h"

static void open_network(struct network *n, const struct test_model_spec *spec)
{
    size_t size;
    uint8_t *bytes = test_model_make(spec, &size);
    assert_int_equal(network_open(n, bytes, size), 0);
}

/* A matrix of a layer, or of the whole model. NULL behind the last. */
static const struct lli_matrix *matrix_at(const struct lli_weights *w, uint32_t n_layers, size_t i, int *role)
{
    size_t layer;
    if (i < LLI_FIRST_LAYER_ROLE) {
        *role = (int)i;
        return &w->at[i];
    }
    layer = (i - LLI_FIRST_LAYER_ROLE) / (LLI_N_ROLES - LLI_FIRST_LAYER_ROLE);
    *role = LLI_FIRST_LAYER_ROLE + (int)((i - LLI_FIRST_LAYER_ROLE) % (LLI_N_ROLES - LLI_FIRST_LAYER_ROLE));
    return layer < n_layers ? &w->layers[layer].at[*role] : NULL;
}

/* ---- a packing of every kind of model */

static const struct test_model_spec SPECS[] = {
    {.seed = 1, .biases = 1, .rope_freqs = 1},
    {.seed = 2, .type = LLI_F16, .tied = 1},
    {.seed = 3, .type = LLI_BF16, .n_embd = 20, .n_heads = 2, .n_kv_heads = 1, .n_ff = 37},
    {.seed = 4, .type = LLI_Q8_0, .n_vocab = 301},
    {.seed = 5, .type = LLI_Q4_0, .tied = 1, .n_vocab = 301},
    {.seed = 6, .type = LLI_Q4_1},
    {.seed = 7, .type = LLI_Q5_0},
    {.seed = 8, .type = LLI_Q5_1},
    {.seed = 9, .type = LLI_Q2_K, .n_layers = 1},
    {.seed = 10, .type = LLI_Q3_K, .n_layers = 1},
    {.seed = 11, .type = LLI_Q4_K, .n_layers = 1},
    {.seed = 12, .type = LLI_Q5_K, .n_layers = 1},
    {.seed = 13, .type = LLI_Q6_K, .n_layers = 1, .n_vocab = 301},
    {.seed = 14, .type = LLI_IQ4_NL},
    {.seed = 15, .type = LLI_IQ4_XS, .n_layers = 1},
    {.seed = 16, .n_experts = 4, .n_experts_used = 2},
    {.seed = 17, .type = LLI_Q8_0, .n_experts = 5, .n_experts_used = 3},
};

enum { N_SPECS = sizeof SPECS / sizeof *SPECS };

static void check_matrix(const struct lli_matrix *packed, const struct lli_matrix *file, uint32_t lanes)
{
    size_t row_bytes = lli_dtype_row_bytes(file->type, file->n_in);
    uint8_t *row = malloc(row_bytes);
    assert_non_null(row);
    assert_int_equal(packed->lanes, lanes);
    assert_int_equal((uintptr_t)packed->data % 64, 0);
    assert_int_equal(packed->mat_bytes % 64, 0);
    assert_true(packed->type == file->type && packed->n_in == file->n_in && packed->n_out == file->n_out);
    assert_int_equal(packed->n_mats, file->n_mats);
    for (size_t mat = 0; mat < file->n_mats; mat++)
        for (size_t o = 0; o < file->n_out; o++) {
            lli_pack_row(row, packed->type, lanes, packed->data + mat * packed->mat_bytes, packed->n_in, o);
            assert_memory_equal(row, file->data + mat * file->mat_bytes + o * row_bytes, row_bytes);
        }
    free(row);
}

static void check_weights(const struct network *n, const struct lli_weights *packed, uint32_t lanes)
{
    const struct lli_matrix *a, *b;
    int role;
    for (size_t i = 0; (a = matrix_at(packed, n->config.n_layers, i, &role)) != NULL; i++) {
        b = matrix_at(&n->weights, n->config.n_layers, i, &role);
        if (b->data && lli_family_shape((enum lli_role)role)->sides[1] != LLI_EXTENT_NONE) {
            assert_true(a->data != b->data);
            check_matrix(a, b, lanes);
        } else {
            assert_true(a->data == b->data);
            assert_int_equal(a->lanes, b->data ? 1 : 0);
        }
    }
    assert_int_equal(packed->at[LLI_OUTPUT].data == packed->at[LLI_TOKEN_EMBD].data,
                     n->weights.at[LLI_OUTPUT].data == n->weights.at[LLI_TOKEN_EMBD].data);
    assert_int_equal(packed->n_params, n->weights.n_params);
}

static void every_row_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_SPECS; i++)
        for (uint32_t lanes = 4; lanes <= 16; lanes *= 2) {
            struct lli_workers workers;
            struct lli_weights packed;
            struct network n;
            int64_t before;
            open_network(&n, &SPECS[i]);
            assert_int_equal(lli_workers_init(&workers, &n.heap, 3, 0, NULL), 0);
            before = n.heap.live_bytes;
            assert_int_equal(lli_packing_make(&packed, &n.heap, &n.config, &n.weights, NULL, lanes, &workers, NULL, NULL), 0);
            assert_int_equal(n.heap.live_bytes - before, packed.bytes + n.config.n_layers * sizeof *packed.layers);
            check_weights(&n, &packed, lanes);
            lli_weights_finish(&packed);
            assert_int_equal(n.heap.live_bytes, before);
            lli_workers_finish(&workers);
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
    assert_int_equal(network_start_on(&run, n, backend, LLI_KV_F16, 3, 2), 0);
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
        open_network(&n, &SPECS[specs[i]]);
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

struct listener {
    pthread_t thread;
    int n, stop_at, is_wrong; /* stop_at 1: the first call ends it; 0: none */
    double last;
};

static int32_t listen(void *user, double done)
{
    struct listener *l = user;
    l->is_wrong |= !pthread_equal(l->thread, pthread_self()) || done <= l->last || done > 1;
    l->last = done;
    return ++l->n == l->stop_at;
}

/* Big enough for some pieces. */
static const struct test_model_spec LARGE = {.seed = 20, .n_embd = 512, .n_ff = 1100, .n_vocab = 1500};

static void progress_is_told(void **state)
{
    (void)state;
    for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
        struct listener l = {.thread = pthread_self()};
        const struct lli_progress progress = {listen, &l};
        struct lli_workers workers;
        struct lli_weights packed;
        struct llminf_error err;
        struct network n;
        int64_t before;
        int n_told;
        open_network(&n, &LARGE);
        assert_int_equal(lli_workers_init(&workers, &n.heap, n_threads, 0, NULL), 0);
        before = n.heap.live_bytes;
        assert_int_equal(lli_packing_make(&packed, &n.heap, &n.config, &n.weights, NULL, 16, &workers, &progress, &err), 0);
        assert_true(l.last == 1 && !l.is_wrong);
        assert_true(n_threads > 1 ? l.n > 0 : l.n > 10);
        lli_weights_finish(&packed);
        n_told = n_threads > 1 ? 1 : l.n; /* how often it is called hangs on the other threads */
        for (int stop_at = 1; stop_at <= n_told; stop_at++) {
            l = (struct listener){.thread = pthread_self(), .stop_at = stop_at};
            assert_int_equal(lli_packing_make(&packed, &n.heap, &n.config, &n.weights, NULL, 16, &workers, &progress, &err),
                             LLMINF_E_CALLBACK);
            assert_string_equal(err.subject, "progress");
            assert_int_equal(l.n, stop_at);
            assert_true(!l.is_wrong && !packed.layers && !packed.packed && !packed.at[0].data);
            assert_int_equal(n.heap.live_bytes, before);
        }
        lli_workers_finish(&workers);
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
        struct lli_workers workers;
        struct lli_weights packed;
        int64_t before = n->heap.live_bytes;
        assert_int_equal(lli_workers_init(&workers, &n->heap, n_threads, 0, NULL), 0);
        assert_int_equal(lli_packing_make(&packed, &n->heap, &n->config, &n->weights, NULL, 8, &workers, NULL, &err),
                         LLMINF_E_NUMERIC);
        assert_string_equal(err.subject, name);
        assert_non_null(strstr(err.text, text));
        lli_workers_finish(&workers);
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
    open_network(&n, &LARGE);
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
    open_network(&n, &(struct test_model_spec){.seed = 21, .type = LLI_Q8_0, .n_experts = 4});
    at = n.weights.layers[1].at;
    spoil(&n, &at[LLI_FFN_UP_EXPS], 2, 9, 33);
    expect_bad(&n, "blk.1.ffn_up_exps.weight", "scale of block 531 "); /* (2 * 128 + 9) * 2 + 1 */
    network_close(&n);
}

/* ---- the packings of a model */

static int32_t take(const struct lli_weights **out, struct lli_packings *packings, struct network *n, uint32_t lanes,
                    const struct lli_progress *progress)
{
    struct lli_packing_source source = {&n->config, &n->weights, NULL};
    return lli_packings_take(out, packings, &source, lanes, 2, progress, NULL);
}

static void one_for_each_number_of_lanes(void **state)
{
    const struct lli_weights *eight, *sixteen, *again;
    struct listener l = {.thread = pthread_self(), .stop_at = 1};
    const struct lli_progress progress = {listen, &l};
    struct lli_packings packings = {0};
    struct network n;
    int64_t before;
    (void)state;
    lli_packings_finish(&packings);
    open_network(&n, &LARGE);
    before = n.heap.live_bytes;
    assert_int_equal(lli_packings_init(&packings, &n.heap, NULL), 0);
    assert_int_equal(take(&again, &packings, &n, 1, &progress), 0);
    assert_ptr_equal(again, &n.weights);
    assert_int_equal(take(&eight, &packings, &n, 8, &progress), LLMINF_E_CALLBACK); /* and it is forgotten */
    assert_int_equal(n.heap.live_bytes, before);
    l.stop_at = 0;
    l.last = 0;
    assert_int_equal(take(&eight, &packings, &n, 8, &progress), 0);
    assert_int_equal(take(&sixteen, &packings, &n, 16, NULL), 0);
    assert_true(l.last == 1 && eight != sixteen);
    l.n = 0;
    assert_int_equal(take(&again, &packings, &n, 8, &progress), 0);
    assert_ptr_equal(again, eight);
    assert_int_equal(take(&again, &packings, &n, 16, &progress), 0);
    assert_ptr_equal(again, sixteen);
    assert_int_equal(l.n, 0);
    check_weights(&n, eight, 8);
    check_weights(&n, sixteen, 16);
    lli_packings_finish(&packings);
    assert_int_equal(n.heap.live_bytes, before);
    network_close(&n);
}

static void memory_fails(void **state)
{
    struct support_heap counter = {0};
    const struct lli_weights *packed;
    struct lli_packings packings;
    struct lli_heap heap;
    struct network n;
    int64_t n_calls;
    (void)state;
    open_network(&n, &SPECS[16]);
    lli_heap_init(&heap, support_alloc, support_release, &counter);
    assert_int_equal(lli_packings_init(&packings, &heap, NULL), 0);
    assert_int_equal(take(&packed, &packings, &n, 8, NULL), 0);
    n_calls = counter.n_calls;
    lli_packings_finish(&packings);
    assert_int_equal(counter.live_bytes, 0);
    assert_true(n_calls >= 6);
    for (int for_ever = 0; for_ever <= 1; for_ever++)
        for (int64_t i = 1; i <= n_calls; i++) {
            assert_int_equal(lli_packings_init(&packings, &heap, NULL), 0);
            support_heap_arm(&counter, i, for_ever);
            assert_int_equal(take(&packed, &packings, &n, 8, NULL), LLMINF_E_MEMORY);
            assert_int_equal(counter.live_bytes, 0);
            support_heap_arm(&counter, 0, 0);
            assert_int_equal(take(&packed, &packings, &n, 8, NULL), 0);
            lli_packings_finish(&packings);
            assert_int_equal(counter.live_bytes, 0);
        }
    network_close(&n);
}

struct taker {
    struct lli_packings *packings;
    struct network *network;
    struct listener listener;
    const struct lli_weights *weights;
    int32_t status;
};

static void *take_it(void *arg)
{
    struct taker *t = arg;
    const struct lli_progress progress = {listen, &t->listener};
    t->listener.thread = pthread_self();
    t->status = take(&t->weights, t->packings, t->network, 16, &progress);
    return NULL;
}

/* Whoever comes first packs, the others wait for it. Who ends his own packing ends nobody else's. */
static void many_threads_pack_once(void **state)
{
    enum { N = 4 };
    (void)state;
    for (int round = 0; round < 10; round++) {
        struct taker takers[N] = {{0}};
        struct lli_packings packings;
        pthread_t threads[N];
        struct network n;
        int n_packed = 0;
        open_network(&n, &LARGE);
        assert_int_equal(lli_packings_init(&packings, &n.heap, NULL), 0);
        for (int i = 0; i < N; i++) {
            takers[i].packings = &packings;
            takers[i].network = &n;
            takers[i].listener.stop_at = i == 1 && round % 2;
            assert_int_equal(pthread_create(&threads[i], NULL, take_it, &takers[i]), 0);
        }
        for (int i = 0; i < N; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (int i = 0; i < N; i++) {
            int was_ended = takers[i].listener.n > 0 && takers[i].listener.stop_at;
            assert_int_equal(takers[i].status, was_ended ? LLMINF_E_CALLBACK : 0);
            assert_int_equal(takers[i].listener.is_wrong, 0);
            n_packed += takers[i].listener.n > 0 && !was_ended;
            if (!was_ended)
                assert_ptr_equal(takers[i].weights, takers[0].weights);
        }
        assert_int_equal(n_packed, 1);
        check_weights(&n, takers[0].weights, 16);
        lli_packings_finish(&packings);
        network_close(&n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_comes_back),   cmocka_unit_test(forward_computes_the_same),
        cmocka_unit_test(progress_is_told),       cmocka_unit_test(not_finite_is_named),
        cmocka_unit_test(memory_fails),           cmocka_unit_test(one_for_each_number_of_lanes),
        cmocka_unit_test(many_threads_pack_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
