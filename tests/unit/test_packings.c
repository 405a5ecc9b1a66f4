/* The packings of a model: made once for all who want them; and a copy of a file, whose pages go as it is packed and come back
 * when its rows are wanted. */
#include "model/packings.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "llminf/status.h"
#include "model/sliced.h"
#include "support/listener.h"
#include "support/network.h"
#include "support/packed.h"
#include "support/support.h"

static int32_t take(const struct lli_weights **out, struct lli_packings *packings, struct network *n, uint32_t lanes,
                    const struct lli_progress *progress)
{
    struct lli_packing_source source = {&n->config, &n->weights, NULL, NULL};
    return lli_packings_take(out, packings, &source, lanes, 2, progress, NULL);
}

static void one_for_each_number_of_lanes(void **state)
{
    const struct lli_weights *eight, *sixteen, *again;
    struct listener l;
    const struct lli_progress progress = {listener_note, &l};
    struct lli_packings packings = {0};
    struct network n;
    int64_t before;
    (void)state;
    listener_start(&l, 1);
    lli_packings_finish(&packings);
    network_make(&n, &PACKED_LARGE);
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
    packed_check(eight, &n, &n.weights, 8);
    packed_check(sixteen, &n, &n.weights, 16);
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
    network_make(&n, &PACKED_SPECS[16]);
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
    const struct lli_progress progress = {listener_note, &t->listener};
    listener_start(&t->listener, t->listener.stop_at);
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
        network_make(&n, &PACKED_LARGE);
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
        packed_check(takers[0].weights, &n, &n.weights, 16);
        lli_packings_finish(&packings);
        network_close(&n);
    }
}

/* ---- a copy of the file, whose pages are lost as it is packed */

struct copy {
    struct network n; /* with the file's bytes as they were */
    struct lli_files files;
    struct lli_gguf gguf;
    struct lli_weights weights; /* in the copy */
    struct lli_packings packings;
    struct lli_packing_source source;
};

static int64_t read_bytes(void *user, int64_t offset, void *bytes, size_t size)
{
    memcpy(bytes, (const uint8_t *)user + offset, size);
    return (int64_t)size;
}

/* heap: of the packings; NULL: the copy's own. */
static void copy_read(struct copy *c, struct lli_heap *heap, size_t size)
{
    const struct lli_gguf_options options = {.header_limit_bytes = 1 << 28};
    struct lli_mapping m;
    assert_int_equal(lli_mapping_open_reader(&m, &c->n.heap, read_bytes, c->n.bytes, (int64_t)size, NULL, NULL), 0);
    assert_int_equal(lli_gguf_read(&c->gguf, &c->n.heap, m.bytes, size, &options, NULL), 0);
    lli_files_init(&c->files, &c->n.heap);
    assert_int_equal(lli_files_add(&c->files, &m, NULL), 0);
    assert_int_equal(lli_weights_read(&c->weights, &c->n.heap, &c->n.config, &c->gguf, NULL), 0);
    assert_int_equal(lli_packings_init(&c->packings, heap ? heap : &c->n.heap, NULL), 0);
    c->source = (struct lli_packing_source){&c->n.config, &c->weights, &c->files, NULL};
    assert_true(lli_files_loses(&c->files, m.bytes));
}

static void copy_make(struct copy *c, struct lli_heap *heap, const struct test_model_spec *spec)
{
    size_t size;
    uint8_t *bytes = test_model_make(spec, &size);
    assert_int_equal(network_open(&c->n, bytes, size), 0);
    copy_read(c, heap, size);
}

static void copy_close(struct copy *c)
{
    lli_packings_finish(&c->packings);
    lli_weights_finish(&c->weights);
    lli_gguf_finish(&c->gguf);
    lli_files_finish(&c->files);
    network_close(&c->n);
}

static int is_whole(const struct copy *c)
{
    return memcmp(c->files.at[0].bytes, c->n.bytes, c->files.at[0].size) == 0;
}

static const struct lli_weights *copy_take(struct copy *c, uint32_t lanes)
{
    const struct lli_weights *weights;
    assert_int_equal(lli_packings_take(&weights, &c->packings, &c->source, lanes, 2, NULL, NULL), 0);
    assert_true((weights == &c->weights) == (lanes == 1));
    return weights;
}

static void what_is_lost_comes_back(void **state)
{
    const struct lli_weights *sixteen;
    struct copy c;
    (void)state;
    copy_make(&c, NULL, &PACKED_LARGE);
    sixteen = copy_take(&c, 16);
    assert_false(is_whole(&c));
    packed_check(copy_take(&c, 8), &c.n, &c.weights, 8); /* out of the other */
    packed_check(sixteen, &c.n, &c.weights, 16);
    assert_false(is_whole(&c));
    assert_int_equal(lli_packings_hold(&c.packings, &c.source, 3, NULL), 0);
    assert_true(is_whole(&c));
    copy_take(&c, 4); /* nothing goes while it is held */
    assert_true(is_whole(&c));
    lli_packings_let_go(&c.packings, &c.source);
    assert_ptr_equal(copy_take(&c, 16), sixteen);
    copy_close(&c);
}

/* Rows that a context uses as they are stay. */
static void rows_in_use_stay(void **state)
{
    struct copy c;
    (void)state;
    for (int first = 0; first < 2; first++) {
        copy_make(&c, NULL, &PACKED_LARGE);
        if (first)
            copy_take(&c, 16);
        copy_take(&c, 1);
        assert_true(is_whole(&c));
        copy_take(&c, 8);
        assert_int_equal(lli_packings_hold(&c.packings, &c.source, 1, NULL), 0);
        lli_packings_let_go(&c.packings, &c.source);
        copy_take(&c, 4);
        assert_true(is_whole(&c));
        copy_close(&c);
    }
}

/* A matrix in memory that cannot be written, as of a second file that is mapped. */
static void parts_of_two_kinds(void **state)
{
    struct lli_mapping second;
    struct lli_matrix *moved;
    struct copy c;
    void *memory;
    (void)state;
    copy_make(&c, NULL, &PACKED_LARGE);
    moved = &c.weights.layers[0].at[LLI_FFN_DOWN];
    memory = mmap(NULL, moved->mat_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(memory, MAP_FAILED);
    memcpy(memory, moved->data, moved->mat_bytes);
    assert_int_equal(mprotect(memory, moved->mat_bytes, PROT_READ), 0);
    assert_int_equal(lli_mapping_open_memory(&second, memory, moved->mat_bytes, NULL), 0);
    assert_int_equal(lli_files_add(&c.files, &second, NULL), 0);
    moved->data = memory;
    assert_false(lli_files_loses(&c.files, memory));
    assert_true(lli_files_loses(&c.files, NULL));
    copy_take(&c, 16);
    assert_false(is_whole(&c));
    packed_check(copy_take(&c, 8), &c.n, &c.weights, 8);
    copy_take(&c, 1);
    assert_true(is_whole(&c));
    munmap(memory, moved->mat_bytes);
    copy_close(&c);
}

static void every_kind_comes_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PACKED_SPECS; i++) {
        struct copy c;
        copy_make(&c, NULL, &PACKED_SPECS[i]);
        copy_take(&c, 8);
        copy_take(&c, 16);
        copy_take(&c, 1);
        assert_true(is_whole(&c));
        copy_close(&c);
    }
}

/* A packing that is ended, or finds what is not finite, leaves the file's rows as they were. */
static void a_failure_loses_nothing(void **state)
{
    struct listener l;
    const struct lli_progress progress = {listener_note, &l};
    const struct lli_weights *weights;
    struct llminf_error err;
    struct copy c;
    size_t size;
    uint8_t *last;
    (void)state;
    copy_make(&c, NULL, &PACKED_LARGE);
    size = c.files.at[0].size;
    for (int stop_at = 1; stop_at <= 9; stop_at += 4) {
        listener_start(&l, stop_at);
        assert_int_equal(lli_packings_take(&weights, &c.packings, &c.source, 16, 1, &progress, NULL), LLMINF_E_CALLBACK);
        assert_true(is_whole(&c));
    }
    copy_take(&c, 8);
    listener_start(&l, 5);
    assert_int_equal(lli_packings_take(&weights, &c.packings, &c.source, 16, 1, &progress, NULL), LLMINF_E_CALLBACK);
    copy_take(&c, 16);
    copy_take(&c, 1);
    assert_true(is_whole(&c));
    lli_packings_finish(&c.packings);
    lli_weights_finish(&c.weights);
    lli_gguf_finish(&c.gguf);
    lli_files_finish(&c.files);

    last = c.n.bytes + (c.n.weights.layers[1].at[LLI_FFN_DOWN].data - c.n.bytes);
    memset(last + c.n.weights.layers[1].at[LLI_FFN_DOWN].mat_bytes - 4, 0xff, 4);
    copy_read(&c, NULL, size);
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        assert_int_equal(lli_packings_take(&weights, &c.packings, &c.source, 16, n_threads, NULL, &err), LLMINF_E_NUMERIC);
        assert_string_equal(err.subject, "blk.1.ffn_down.weight");
        assert_true(is_whole(&c));
    }
    copy_close(&c);
}

/* Packs, packs again and restores with memory that fails at every call. */
static void no_memory_loses_nothing(void **state)
{
    struct support_heap counter = {0};
    struct lli_heap heap;
    int32_t status = LLMINF_E_MEMORY;
    (void)state;
    lli_heap_init(&heap, support_alloc, support_release, &counter);
    for (int64_t i = 1; status; i++) {
        static const uint32_t lanes[] = {8, 16, 1};
        const struct lli_weights *weights;
        struct copy c;
        copy_make(&c, &heap, &PACKED_SPECS[0]);
        support_heap_arm(&counter, i, 0);
        status = 0;
        for (size_t k = 0; k < 3 && status == 0; k++)
            status = lli_packings_take(&weights, &c.packings, &c.source, lanes[k], 2, NULL, NULL);
        assert_true(status == 0 || status == LLMINF_E_MEMORY);
        support_heap_arm(&counter, 0, 0);
        copy_take(&c, 16);
        copy_take(&c, 8);
        copy_take(&c, 1);
        assert_true(is_whole(&c));
        copy_close(&c);
        assert_int_equal(counter.live_bytes, 0);
    }
}

/* Memory of the host's is nobody's to give back. */
static void a_hosts_copy_stays(void **state)
{
    struct support_heap counter = {0};
    struct lli_mapping m;
    struct lli_heap heap;
    uint8_t bytes[20000] = {1};
    (void)state;
    memset(bytes, 7, sizeof bytes);
    lli_heap_init(&heap, support_alloc, support_release, &counter);
    assert_int_equal(lli_mapping_open_reader(&m, &heap, read_bytes, bytes, sizeof bytes, NULL, NULL), 0);
    assert_false(lli_mapping_loses(&m));
    lli_mapping_release(&m, m.bytes, m.size);
    assert_memory_equal(m.bytes, bytes, sizeof bytes);
    lli_mapping_finish(&m);
}

struct user {
    struct copy *copy;
    uint32_t lanes;
    int32_t status;
    int is_wrong;
};

static void *use_it(void *arg)
{
    struct user *u = arg;
    const struct lli_weights *weights;
    if (u->lanes > 0) {
        u->status = lli_packings_take(&weights, &u->copy->packings, &u->copy->source, u->lanes, 2, NULL, NULL);
        return NULL;
    }
    for (int i = 0; i < 3 && u->status == 0; i++) {
        u->status = lli_packings_hold(&u->copy->packings, &u->copy->source, 2, NULL);
        if (u->status == 0) {
            u->is_wrong |= !is_whole(u->copy);
            lli_packings_let_go(&u->copy->packings, &u->copy->source);
        }
    }
    return NULL;
}

/* Packed for 4, 8 and 16 while others look at the rows. */
static void many_threads_use_a_copy(void **state)
{
    static const uint32_t lanes[] = {16, 0, 8, 0, 4};
    enum { N = sizeof lanes / sizeof *lanes };
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct user users[N] = {{0}};
        pthread_t threads[N];
        struct copy c;
        copy_make(&c, NULL, &PACKED_LARGE);
        for (int i = 0; i < N; i++) {
            users[i] = (struct user){.copy = &c, .lanes = lanes[i]};
            assert_int_equal(pthread_create(&threads[i], NULL, use_it, &users[i]), 0);
        }
        for (int i = 0; i < N; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (int i = 0; i < N; i++)
            assert_true(users[i].status == 0 && !users[i].is_wrong);
        packed_check(copy_take(&c, 4), &c.n, &c.weights, 4);
        packed_check(copy_take(&c, 8), &c.n, &c.weights, 8);
        packed_check(copy_take(&c, 16), &c.n, &c.weights, 16);
        copy_close(&c);
    }
}

/* ---- a rank's part */

/* Part `index` of 2, of a stage with the last layer. */
static const struct lli_weights *take_slice(struct lli_packings *packings, const struct lli_packing_source *source,
                                            uint32_t index, uint32_t lanes)
{
    struct lli_slice_sizes sizes = lli_sliced_sizes(source->config);
    const struct lli_weights *weights;
    struct lli_slice slice;
    assert_int_equal(lli_slice_make(&slice, &sizes, 2, index, (struct lli_span){sizes.n_layers - 1, 1}, NULL), 0);
    assert_int_equal(lli_packings_take_slice(&weights, packings, source, &slice, lanes, 2, NULL, NULL), 0);
    return weights;
}

/* One for each slice and number of lanes; both ranks together hold the matrices of their layer once, and the output. */
static void one_for_each_slice(void **state)
{
    const struct lli_weights *whole, *first, *second;
    struct lli_packings packings;
    struct network n;
    (void)state;
    network_make(&n, &PACKED_LARGE);
    const struct lli_packing_source source = {&n.config, &n.weights, NULL, NULL};
    assert_int_equal(lli_packings_init(&packings, &n.heap, NULL), 0);
    assert_int_equal(take(&whole, &packings, &n, 16, NULL), 0);
    first = take_slice(&packings, &source, 0, 16);
    second = take_slice(&packings, &source, 1, 16);
    assert_true(first != second && first != whole);
    assert_ptr_equal(take_slice(&packings, &source, 0, 16), first);
    assert_ptr_equal(take_slice(&packings, &source, 1, 16), second);
    assert_true(take_slice(&packings, &source, 1, 8) != second);
    assert_true(first->bytes + second->bytes < whole->bytes / 2 + (64 << 10)); /* of two layers and the embedding */
    assert_ptr_equal(first->at[LLI_TOKEN_EMBD].data, n.weights.at[LLI_TOKEN_EMBD].data);
    assert_null(take_slice(&packings, &source, 0, 1)->packed); /* of the file's rows */
    assert_int_equal(take_slice(&packings, &source, 0, 1)->layers[0].at[LLI_FFN_DOWN].lanes, 1);
    lli_packings_finish(&packings);
    network_close(&n);
}

/* A slice of a copy is that of its file, whatever was lost before, and nothing is lost behind it. */
static void a_slice_of_a_copy(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_PACKED_SPECS; i++)
        for (int is_lost = 0; is_lost < 2; is_lost++) {
            const struct lli_weights *got, *want;
            struct lli_packings packings;
            struct copy c;
            copy_make(&c, NULL, &PACKED_SPECS[i]);
            if (c.n.config.n_heads * c.n.config.head_dim % 64 == 0) {
                const struct lli_packing_source source = {&c.n.config, &c.n.weights, NULL, NULL};
                if (is_lost)
                    copy_take(&c, 8);
                assert_int_equal(lli_packings_init(&packings, &c.n.heap, NULL), 0);
                got = take_slice(&c.packings, &c.source, 1, 16);
                want = take_slice(&packings, &source, 1, 16);
                assert_true(is_whole(&c));
                assert_int_equal(got->bytes, want->bytes);
                assert_memory_equal(got->packed, want->packed, (size_t)want->bytes);
                copy_take(&c, 4);
                assert_true(is_whole(&c));
                lli_packings_finish(&packings);
            }
            copy_close(&c);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_for_each_number_of_lanes),
        cmocka_unit_test(memory_fails),
        cmocka_unit_test(many_threads_pack_once),
        cmocka_unit_test(what_is_lost_comes_back),
        cmocka_unit_test(rows_in_use_stay),
        cmocka_unit_test(parts_of_two_kinds),
        cmocka_unit_test(every_kind_comes_back),
        cmocka_unit_test(a_failure_loses_nothing),
        cmocka_unit_test(no_memory_loses_nothing),
        cmocka_unit_test(a_hosts_copy_stays),
        cmocka_unit_test(many_threads_use_a_copy),
        cmocka_unit_test(one_for_each_slice),
        cmocka_unit_test(a_slice_of_a_copy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
