/* Every allocation fails once, and for ever; open, generate and close a thousand times: nothing is lost. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <llminf/llminf.h>

#include "support/gguf_make.h"
#include "support/support.h"

static uint8_t *file;
static size_t file_size;

static int make_file(void **state)
{
    struct test_model_spec spec = {
        .n_layers = 1, .n_embd = 32, .n_heads = 2, .n_kv_heads = 1, .n_ff = 32, .n_context = 64, .seed = 3};
    (void)state;
    file = test_model_make(&spec, &file_size);
    return file == NULL;
}

static int drop_file(void **state)
{
    (void)state;
    free(file);
    return 0;
}

/* Opens, generates, reads, closes. The first status that is no success; the ids that came. */
static llminf_status run(const llminf_options *options, llminf_token *ids, size_t *n_ids)
{
    llminf_options *for_context = NULL, *for_generate = NULL;
    llminf_model *model = NULL;
    llminf_context *context = NULL;
    llminf_session *session = NULL;
    llminf_sampler *sampler = NULL;
    llminf_error error;
    llminf_status status = llminf_options_open(&for_context, "context", &error);
    *n_ids = 0;
    if (status == LLMINF_OK)
        status = llminf_options_open(&for_generate, "generate", &error);
    if (status == LLMINF_OK)
        status = llminf_options_set_int(for_context, "threads", 2, &error);
    if (status == LLMINF_OK)
        status = llminf_options_set_int(for_generate, "max_tokens", 8, &error);
    if (status == LLMINF_OK)
        status = llminf_options_add_text(for_generate, "stop", "never said", -1, &error);
    if (status == LLMINF_OK)
        status = llminf_options_set_text(for_generate, "speculate", "model", -1, &error);
    if (status == LLMINF_OK)
        status = llminf_options_set_float(for_context, "draft_share", 0.5, &error);
    if (status == LLMINF_OK)
        status = llminf_model_open_memory(&model, file, file_size, options, &error);
    if (status == LLMINF_OK)
        status = llminf_options_set_model(for_context, "draft", model, &error);
    if (status == LLMINF_OK)
        status = llminf_context_open(&context, model, for_context, &error);
    if (status == LLMINF_OK)
        status = llminf_session_open(&session, context, NULL, &error);
    if (status == LLMINF_OK)
        status = llminf_sampler_open(&sampler, model, NULL, &error);
    if (status == LLMINF_OK)
        status = llminf_session_append_text(session, "a cat and a dog", -1, LLMINF_TEXT_BOUNDS, &error);
    if (status == LLMINF_OK)
        status = llminf_session_generate(session, sampler, for_generate, &error);
    if (status == LLMINF_OK)
        status = llminf_session_wait(session, -1, &error);
    if (status == LLMINF_DONE)
        status = llminf_session_read_tokens(session, ids, 8, n_ids, 0, &error);
    if (status == LLMINF_OK) {
        char text[256];
        size_t n;
        do
            status = llminf_session_read(session, text, sizeof text, &n, 0, &error);
        while (status == LLMINF_OK);
    }
    llminf_sampler_close(sampler);
    llminf_session_close(session);
    llminf_context_close(context);
    llminf_model_close(model);
    llminf_options_close(for_context);
    llminf_options_close(for_generate);
    return status == LLMINF_DONE ? LLMINF_OK : status;
}

static void sweep(int for_ever)
{
    struct support_heap heap = {0};
    llminf_options *options;
    llminf_token first[8], ids[8];
    size_t n_first, n;
    int64_t n_sites;
    assert_int_equal(llminf_options_open(&options, "model", NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_allocator(options, support_alloc, support_release, &heap, NULL), LLMINF_OK);
    assert_int_equal(llminf_options_add_text(options, "override", "general.name=a cat", -1, NULL), LLMINF_OK);
    assert_int_equal(run(options, first, &n_first), LLMINF_OK);
    assert_int_equal(heap.live_bytes, 0);
    n_sites = heap.n_calls;
    assert_true(n_sites > 20);
    for (int64_t k = 1; k <= n_sites; k++) {
        llminf_status status;
        support_heap_arm(&heap, k, for_ever);
        status = run(options, ids, &n);
        if (status != LLMINF_E_MEMORY)
            fail_msg("allocation %lld of %lld failed, status %d", (long long)k, (long long)n_sites, status);
        assert_int_equal(heap.live_bytes, 0);
    }
    support_heap_arm(&heap, 0, 0);
    assert_int_equal(run(options, ids, &n), LLMINF_OK);
    assert_int_equal(n, n_first);
    assert_memory_equal(ids, first, n * sizeof *ids);
    assert_int_equal(heap.live_bytes, 0);
    llminf_options_close(options);
}

static void test_each_fails_once(void **state)
{
    (void)state;
    sweep(0);
}

static void test_all_fail_from(void **state)
{
    (void)state;
    sweep(1);
}

static void test_thousand_cycles(void **state)
{
    struct support_heap heap = {0};
    llminf_options *options;
    llminf_token first[8], ids[8];
    size_t n_first, n;
    (void)state;
    assert_int_equal(llminf_options_open(&options, "model", NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_allocator(options, support_alloc, support_release, &heap, NULL), LLMINF_OK);
    assert_int_equal(run(options, first, &n_first), LLMINF_OK);
    for (int i = 0; i < 1000; i++) {
        assert_int_equal(run(options, ids, &n), LLMINF_OK);
        assert_int_equal(n, n_first);
        assert_memory_equal(ids, first, n * sizeof *ids);
        assert_int_equal(heap.live_bytes, 0);
    }
    llminf_options_close(options);
}

/* A reader that fails, stops or claims too much at the n-th call. */
struct bad_reader {
    int n_calls, fail_at;
    int64_t answer;
};

static int64_t read_part(void *user, int64_t offset, void *bytes, size_t size)
{
    struct bad_reader *r = user;
    size_t n = size < 1000 ? size : 1000;
    r->n_calls++;
    if (r->n_calls == r->fail_at)
        return r->answer < 0 ? r->answer : r->answer == 0 ? 0 : (int64_t)size + 1;
    memcpy(bytes, file + offset, n);
    return (int64_t)n;
}

static void test_readers(void **state)
{
    struct bad_reader good = {0};
    llminf_model *model;
    llminf_error error;
    (void)state;
    assert_int_equal(llminf_model_open_reader(&model, read_part, &good, (int64_t)file_size, NULL, &error), LLMINF_OK);
    llminf_model_close(model);
    for (int at = 1; at <= good.n_calls; at += 7)
        for (int answer = -1; answer <= 1; answer++) {
            struct bad_reader bad = {.fail_at = at, .answer = answer};
            assert_int_equal(llminf_model_open_reader(&model, read_part, &bad, (int64_t)file_size, NULL, &error),
                             LLMINF_E_CALLBACK);
            assert_null(model);
            assert_true(error.text[0] != 0);
        }
}

static void test_cut_files(void **state)
{
    struct support_heap heap = {0};
    llminf_options *options;
    (void)state;
    assert_int_equal(llminf_options_open(&options, "model", NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_allocator(options, support_alloc, support_release, &heap, NULL), LLMINF_OK);
    for (size_t n = 0; n < file_size; n += n < 12000 ? 1 : 997) {
        llminf_model *model;
        llminf_error error;
        uint8_t *part = malloc(n + 1);
        memcpy(part, file, n);
        assert_int_equal(llminf_model_open_memory(&model, part, n, options, &error), LLMINF_E_FORMAT);
        assert_true(error.subject[0] != 0 && error.text[0] != 0);
        assert_int_equal(heap.live_bytes, 0);
        free(part);
    }
    llminf_options_close(options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_fails_once), cmocka_unit_test(test_all_fail_from), cmocka_unit_test(test_thousand_cycles),
        cmocka_unit_test(test_readers),         cmocka_unit_test(test_cut_files),
    };
    return cmocka_run_group_tests(tests, make_file, drop_file);
}
