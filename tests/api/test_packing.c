/* What a host sees of the packing that the strongest backend needs: progress, an end to it, weights that are not finite, one
 * packing for all contexts. A machine that has the scalar backend alone packs nothing, and tells nothing. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <llminf/llminf.h>

#include "file/gguf.h"
#include "support/gguf_make.h"
#include "support/listener.h"
#include "support/support.h"
#include "support/tell.h"

static uint8_t *file;
static size_t file_size;
static int packs;

static int set_up(void **state)
{
    struct test_model_spec spec = {.n_embd = 256, .n_ff = 700, .n_vocab = 900, .n_context = 64, .seed = 5};
    (void)state;
    packs = strcmp(llminf_backend_at(NULL, 0), "scalar") != 0;
    file = test_model_make(&spec, &file_size);
    return file == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    free(file);
    return 0;
}

/* A bag of a context whose progress goes to the listener. */
static llminf_options *bag_for(struct listener *l, const char *backend, int stop_at)
{
    llminf_options *bag;
    listener_start(l, stop_at);
    if (llminf_options_open(&bag, "context", NULL) != LLMINF_OK ||
        llminf_options_set_text(bag, "backend", backend, -1, NULL) != LLMINF_OK ||
        llminf_options_set_int(bag, "threads", 2, NULL) != LLMINF_OK ||
        llminf_options_set_progress(bag, listener_note, l, NULL) != LLMINF_OK)
        abort();
    return bag;
}

static llminf_status open_context(llminf_context **out, llminf_model *model, struct listener *l, const char *backend,
                                  int stop_at, llminf_error *error)
{
    llminf_options *bag = bag_for(l, backend, stop_at);
    llminf_status status = llminf_context_open(out, model, bag, error);
    llminf_options_close(bag);
    return status;
}

static int64_t live_bytes(const llminf_context *context)
{
    int64_t n = -1;
    assert_int_equal(llminf_context_int(context, "live_bytes", &n, NULL), LLMINF_OK);
    return n;
}

static void test_progress(void **state)
{
    struct listener l;
    llminf_model *model;
    llminf_context *first, *second, *scalar;
    llminf_token ids[3][8];
    int64_t one, two;
    (void)state;
    assert_int_equal(llminf_model_open_memory(&model, file, file_size, NULL, NULL), LLMINF_OK);
    assert_int_equal(open_context(&first, model, &l, "auto", 0, NULL), LLMINF_OK);
    assert_int_equal(l.is_wrong, 0);
    assert_true(packs ? l.n > 0 && l.last == 1 : l.n == 0);
    one = live_bytes(first);
    assert_int_equal(open_context(&second, model, &l, "auto", 1, NULL), LLMINF_OK);
    assert_int_equal(l.n, 0); /* there was nothing to do, and nothing to end */
    two = live_bytes(first);
    assert_true(packs ? two - one < one - (int64_t)file_size / 2 : two > one);
    assert_int_equal(open_context(&scalar, model, &l, "scalar", 1, NULL), LLMINF_OK);
    assert_int_equal(l.n, 0);
    tell_tokens(first, ids[0], 8);
    tell_tokens(second, ids[1], 8);
    tell_tokens(scalar, ids[2], 8);
    assert_memory_equal(ids[0], ids[1], sizeof ids[0]);
    assert_memory_equal(ids[0], ids[2], sizeof ids[0]);
    llminf_context_close(first);
    llminf_context_close(second);
    llminf_context_close(scalar);
    assert_int_equal(open_context(&first, model, &l, "auto", 1, NULL), LLMINF_OK); /* kept with the model */
    assert_int_equal(l.n, 0);
    llminf_model_close(model);
    tell_tokens(first, ids[1], 8);
    assert_memory_equal(ids[0], ids[1], sizeof ids[0]);
    llminf_context_close(first);
}

static void test_ended(void **state)
{
    struct support_heap heap = {0};
    struct listener l;
    llminf_options *options;
    llminf_model *model;
    llminf_context *context;
    llminf_error error;
    int64_t before;
    (void)state;
    assert_int_equal(llminf_options_open(&options, "model", NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_allocator(options, support_alloc, support_release, &heap, NULL), LLMINF_OK);
    assert_int_equal(llminf_model_open_memory(&model, file, file_size, options, NULL), LLMINF_OK);
    before = heap.live_bytes;
    for (int i = 0; packs && i < 3; i++) {
        assert_int_equal(open_context(&context, model, &l, "auto", 1, &error), LLMINF_E_CALLBACK);
        assert_null(context);
        assert_string_equal(error.subject, "progress");
        assert_int_equal(l.n, 1);
        assert_int_equal(heap.live_bytes, before);
    }
    assert_int_equal(open_context(&context, model, &l, "auto", 0, &error), LLMINF_OK);
    assert_int_equal(l.n > 0, packs);
    llminf_context_close(context);
    llminf_model_close(model);
    llminf_options_close(options);
    assert_int_equal(heap.live_bytes, 0);
}

/* Spoils an element of a tensor of F32 in a copy of the file. */
static uint8_t *spoiled(const char *name, size_t element)
{
    const struct lli_gguf_options options = {.header_limit_bytes = 1 << 28};
    struct lli_heap heap;
    struct lli_gguf gguf;
    uint8_t *copy = malloc(file_size);
    assert_non_null(copy);
    memcpy(copy, file, file_size);
    lli_heap_init(&heap, NULL, NULL, NULL);
    assert_int_equal(lli_gguf_read(&gguf, &heap, copy, file_size, &options, NULL), 0);
    for (size_t i = 0; i < gguf.n_tensors; i++)
        if (strcmp(gguf.tensors[i].name, name) == 0)
            memset(copy + (gguf.tensors[i].data - copy) + 4 * element, 0xff, 4);
    lli_gguf_finish(&gguf);
    return copy;
}

static void test_not_finite(void **state)
{
    static const char *const names[] = {"blk.1.ffn_down.weight", "token_embd.weight"};
    (void)state;
    for (int i = 0; i < 2; i++) {
        uint8_t *bad = spoiled(names[i], 4321);
        struct listener l;
        llminf_model *model;
        llminf_context *context;
        llminf_error error;
        assert_int_equal(llminf_model_open_memory(&model, bad, file_size, NULL, NULL), LLMINF_OK);
        if (packs) {
            assert_int_equal(open_context(&context, model, &l, "auto", 0, &error), LLMINF_E_NUMERIC);
            assert_null(context);
            assert_string_equal(error.subject, names[i]);
            assert_non_null(strstr(error.text, "4321"));
        }
        /* rows that are used as they are show it at the token that meets them */
        assert_int_equal(open_context(&context, model, &l, "scalar", 0, &error), LLMINF_OK);
        llminf_context_close(context);
        llminf_model_close(model);
        free(bad);
    }
}

struct opener {
    llminf_model *model;
    llminf_context *context;
    struct listener listener;
    llminf_status status;
};

static void *open_it(void *arg)
{
    struct opener *o = arg;
    o->status = open_context(&o->context, o->model, &o->listener, "auto", 0, NULL);
    return NULL;
}

static void test_two_at_once(void **state)
{
    char *path = support_write_temporary(file, file_size); /* a mapped one, whose pages are given back */
    (void)state;
    assert_non_null(path);
    for (int round = 0; round < 10; round++) {
        struct opener openers[2];
        pthread_t threads[2];
        llminf_model *model;
        llminf_token ids[2][8];
        assert_int_equal(llminf_model_open(&model, path, NULL, NULL), LLMINF_OK);
        for (int i = 0; i < 2; i++) {
            openers[i] = (struct opener){.model = model};
            assert_int_equal(pthread_create(&threads[i], NULL, open_it, &openers[i]), 0);
        }
        for (int i = 0; i < 2; i++)
            assert_int_equal(pthread_join(threads[i], NULL), 0);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(openers[i].status, LLMINF_OK);
            assert_int_equal(openers[i].listener.is_wrong, 0);
            tell_tokens(openers[i].context, ids[i], 8);
        }
        assert_int_equal((openers[0].listener.n > 0) + (openers[1].listener.n > 0), packs);
        assert_memory_equal(ids[0], ids[1], sizeof ids[0]);
        llminf_context_close(openers[0].context);
        llminf_model_close(model);
        llminf_context_close(openers[1].context);
    }
    unlink(path);
    free(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_progress),
        cmocka_unit_test(test_ended),
        cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_two_at_once),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
