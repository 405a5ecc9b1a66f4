/* Adapters through the public functions: their ids, who may hit whose blocks (oracle 8 of the engine's design), forks, saved
 * sessions, failures of memory, cut files, and opening and closing while others generate. That bits do not depend on who shares
 * a batch is test_invariance's; that they are right is golden/adapters.py's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

#include <llminf/llminf.h>

#include "base/dtype.h"
#include "support/adapter_make.h"
#include "support/gguf_make.h"
#include "support/support.h"

enum { PROMPT = 40, NEW = 12, LENGTH = PROMPT + NEW };

static uint8_t *file;
static size_t file_size;
static llminf_model *model;
static char *paths[2]; /* of two adapters */

static int open_model(void **state)
{
    struct test_model_spec spec = {
        .n_layers = 2, .n_embd = 32, .n_heads = 2, .n_kv_heads = 1, .n_ff = 48, .n_context = 128, .seed = 3};
    (void)state;
    file = test_model_make(&spec, &file_size);
    if (llminf_model_open_memory(&model, file, file_size, NULL, NULL) != LLMINF_OK)
        return 1;
    paths[0] = test_adapter_write(model, 16, 8, LLI_F16, 1);
    paths[1] = test_adapter_write(model, 6, 3, LLI_F32, 2);
    return !paths[0] || !paths[1];
}

static int close_model(void **state)
{
    (void)state;
    llminf_model_close(model);
    for (int i = 0; i < 2; i++) {
        unlink(paths[i]);
        free(paths[i]);
    }
    free(file);
    return 0;
}

static int32_t open_adapter(const char *path)
{
    llminf_error error;
    int32_t id;
    if (llminf_adapter_open(&id, model, path, NULL, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    return id;
}

static llminf_options *for_session(int32_t adapter, double scale)
{
    llminf_options *options;
    assert_int_equal(llminf_options_open(&options, "session", NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_int(options, "adapter", adapter, NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_float(options, "adapter_scale", scale, NULL), LLMINF_OK);
    return options;
}

static llminf_context *open_context(void)
{
    llminf_context *context;
    llminf_options *options;
    assert_int_equal(llminf_options_open(&options, "context", NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_int(options, "threads", 2, NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_int(options, "kv_budget_bytes", 1 << 20, NULL), LLMINF_OK);
    assert_int_equal(llminf_context_open(&context, model, options, NULL), LLMINF_OK);
    llminf_options_close(options);
    return context;
}

/* With the prompt. */
static llminf_session *open_session(llminf_context *context, int32_t adapter, double scale)
{
    llminf_options *options = for_session(adapter, scale);
    llminf_session *session;
    llminf_error error;
    llminf_token ids[PROMPT];
    for (int i = 0; i < PROMPT; i++)
        ids[i] = i == 0 ? 1 : 40 + i * 7 % 200;
    if (llminf_session_open(&session, context, options, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    assert_int_equal(llminf_session_append(session, ids, PROMPT, NULL), LLMINF_OK);
    llminf_options_close(options);
    return session;
}

/* NEW tokens; XXH3 of them and of the logits before the first. */
static uint64_t go_on(llminf_session *session)
{
    llminf_options *options;
    llminf_token tokens[LENGTH + NEW];
    float logits[512];
    size_t n, n_logits;
    assert_int_equal(llminf_options_open(&options, "generate", NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_int(options, "max_tokens", NEW, NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_int(options, "ignore_eog", 1, NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_text(options, "logits", "last", -1, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_generate(session, NULL, options, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
    assert_int_equal(llminf_session_tokens(session, 0, tokens, LENGTH + NEW, &n, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_logits(session, n - 2, logits, 512, &n_logits, NULL), LLMINF_OK);
    llminf_options_close(options);
    return XXH3_64bits_withSeed(logits, n_logits * sizeof *logits, XXH3_64bits(tokens, n * sizeof *tokens));
}

static int64_t number(llminf_session *session, const char *key)
{
    int64_t value;
    assert_int_equal(llminf_session_int(session, key, &value, NULL), LLMINF_OK);
    return value;
}

/* ---- ids --------------------------------------------------------------------------------------------------------- */

static void expect_refused(llminf_context *context, int32_t id)
{
    llminf_options *options = for_session(id, 1);
    llminf_session *session = (llminf_session *)(uintptr_t)1;
    llminf_error error;
    assert_int_equal(llminf_session_open(&session, context, options, &error), LLMINF_E_NOT_FOUND);
    assert_string_equal(error.subject, "adapter");
    assert_null(session);
    llminf_options_close(options);
}

/* A session keeps what it has; a closed id is gone for ever. */
static void test_ids(void **state)
{
    llminf_model *vocabulary;
    llminf_options *options;
    int32_t id = 9, first = open_adapter(paths[0]), second = open_adapter(paths[0]), third;
    llminf_context *context = open_context();
    llminf_error error;
    (void)state;
    assert_true(first >= 1 && second == first + 1);
    expect_refused(context, second + 1);
    llminf_session *session = open_session(context, second, 1), *again = open_session(context, first, 1);
    llminf_adapter_close(model, second);
    expect_refused(context, second);
    assert_true(go_on(session) == go_on(again)); /* the same file */
    third = open_adapter(paths[1]);
    assert_int_equal(third, second + 1);
    expect_refused(context, second);
    llminf_session_close(session);
    llminf_session_close(again);
    llminf_adapter_close(model, first);
    llminf_adapter_close(model, third);
    llminf_adapter_close(model, third);
    llminf_adapter_close(model, 0);
    llminf_adapter_close(NULL, first);
    llminf_context_close(context);
    assert_int_equal(llminf_adapter_open(NULL, model, paths[0], NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_adapter_open(&id, NULL, paths[0], NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_adapter_open(&id, model, NULL, NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_adapter_open(&id, model, "", NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_adapter_open(&id, model, "/nowhere/at/all", NULL, &error), LLMINF_E_IO);
    assert_int_equal(id, 0);
    assert_int_equal(llminf_options_open(&options, "model", NULL), LLMINF_OK);
    assert_int_equal(llminf_adapter_open(&id, model, paths[0], options, &error), LLMINF_E_OPTION);
    assert_int_equal(llminf_options_set_int(options, "vocab_only", 1, NULL), LLMINF_OK);
    assert_int_equal(llminf_model_open_memory(&vocabulary, file, file_size, options, NULL), LLMINF_OK);
    assert_int_equal(llminf_adapter_open(&id, vocabulary, paths[0], NULL, &error), LLMINF_E_STATE);
    llminf_model_close(vocabulary);
    llminf_options_close(options);
}

/* rank_limit; every way to load; NaN, at once or by the first session. */
static void test_options(void **state)
{
    static const char *const ways[] = {"auto", "map", "read"};
    llminf_options *options;
    llminf_context *context = open_context();
    llminf_session *session;
    llminf_error error;
    size_t size;
    int32_t id;
    (void)state;
    llminf_options_open(&options, "adapter", NULL);
    assert_int_equal(llminf_options_set_int(options, "rank_limit", 7, NULL), LLMINF_OK);
    assert_int_equal(llminf_adapter_open(&id, model, paths[0], options, &error), LLMINF_E_LIMIT);
    assert_non_null(strstr(error.text, "rank 8, rank_limit is 7"));
    assert_int_equal(llminf_options_set_int(options, "rank_limit", 8, NULL), LLMINF_OK);
    uint64_t want = 0;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(llminf_options_set_text(options, "load", ways[i], -1, NULL), LLMINF_OK);
        assert_int_equal(llminf_adapter_open(&id, model, paths[0], options, &error), LLMINF_OK);
        session = open_session(context, id, 1);
        uint64_t got = go_on(session);
        assert_true(i == 0 || got == want);
        want = got;
        llminf_session_close(session);
        llminf_adapter_close(model, id);
    }
    uint8_t *bytes = support_read(paths[1], &size);
    memset(bytes + size - 36, 0xff, 4); /* before the padding of the last tensor */
    memset(bytes + size - 100, 0xff, 4);
    char *path = support_write_temporary(bytes, size);
    assert_int_equal(llminf_options_set_text(options, "verify", "full", -1, NULL), LLMINF_OK);
    assert_int_equal(llminf_adapter_open(&id, model, path, options, &error), LLMINF_E_NUMERIC);
    assert_int_equal(llminf_adapter_open(&id, model, path, NULL, &error), LLMINF_OK);
    llminf_options *named = for_session(id, 1);
    assert_int_equal(llminf_session_open(&session, context, named, &error), LLMINF_E_NUMERIC);
    assert_non_null(strstr(error.subject, ".lora_b"));
    assert_null(session);
    llminf_options_close(named);
    llminf_options_close(options);
    llminf_adapter_close(model, id);
    llminf_context_close(context);
    unlink(path);
    free(path);
    free(bytes);
}

/* ---- whose blocks ------------------------------------------------------------------------------------------------ */

/* 8: equal tokens under another adapter, or another scale, never hit; under the same they do. */
static void test_prefixes(void **state)
{
    const int32_t ids[] = {0, open_adapter(paths[0]), open_adapter(paths[1])};
    static const double scales[] = {1, -0.5, 0};
    llminf_context *context = open_context();
    uint64_t cold[3][3];
    (void)state;
    for (int round = 0; round < 2; round++)
        for (int a = 0; a < 3; a++)
            for (int s = 0; s < (a == 0 ? 1 : 3); s++) {
                llminf_session *session = open_session(context, ids[a], scales[s]);
                uint64_t hash = go_on(session);
                assert_int_equal(number(session, "cached"), round == 0 ? 0 : PROMPT);
                assert_true(round == 0 || hash == cold[a][s]);
                cold[a][s] = hash;
                llminf_session_close(session);
            }
    for (int a = 1; a < 3; a++) { /* all are different, but that a scale of 0 adds nothing */
        assert_true(cold[a][0] != cold[0][0] && cold[a][0] != cold[3 - a][0] && cold[a][1] != cold[a][0]);
        assert_true(cold[a][2] == cold[0][0]);
        llminf_adapter_close(model, ids[a]);
    }
    llminf_context_close(context);
}

/* A fork has the adapter, also when the session it came from and the id are gone. */
static void test_forks(void **state)
{
    int32_t id = open_adapter(paths[0]);
    llminf_context *context = open_context();
    llminf_session *session = open_session(context, id, 0.75), *fork, *alone;
    (void)state;
    go_on(session);
    assert_int_equal(llminf_session_fork(&fork, session, NULL), LLMINF_OK);
    uint64_t want = go_on(session);
    llminf_session_close(session);
    llminf_adapter_close(model, id);
    assert_true(go_on(fork) == want);
    llminf_session_close(fork);
    llminf_context_close(context);
    context = open_context();
    alone = open_session(context, id = open_adapter(paths[0]), 0.75);
    go_on(alone);
    assert_true(go_on(alone) == want);
    llminf_session_close(alone);
    llminf_adapter_close(model, id);
    llminf_context_close(context);
}

/* ---- saved sessions ---------------------------------------------------------------------------------------------- */

static uint8_t *save(llminf_session *session, size_t *size)
{
    assert_int_equal(llminf_session_save_memory(session, NULL, 0, size, NULL), LLMINF_OK);
    uint8_t *bytes = malloc(*size);
    assert_int_equal(llminf_session_save_memory(session, bytes, *size, size, NULL), LLMINF_OK);
    return bytes;
}

static void expect_mismatch(llminf_context *context, const uint8_t *bytes, size_t size, int32_t id, double scale,
                            const char *subject)
{
    llminf_options *options = for_session(id, scale);
    llminf_session *session;
    llminf_error error;
    assert_int_equal(llminf_session_load_memory(&session, context, bytes, size, options, &error), LLMINF_E_MISMATCH);
    assert_string_equal(error.subject, subject);
    llminf_options_close(options);
}

static void expect_going_on(llminf_context *context, const uint8_t *bytes, size_t size, int32_t id, double scale, uint64_t want)
{
    llminf_options *options = for_session(id, scale);
    llminf_session *session;
    llminf_error error;
    if (llminf_session_load_memory(&session, context, bytes, size, options, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    assert_true(number(session, "computed") >= (LENGTH - 1) / 16 * 16); /* more, where the blocks are still there */
    assert_true(go_on(session) == want);
    llminf_session_close(session);
    llminf_options_close(options);
}

/* The file decides, not the id: another model's handle and another context read it with their own. */
static void test_saved(void **state)
{
    int32_t id = open_adapter(paths[0]), other = open_adapter(paths[1]), again;
    llminf_context *context = open_context(), *second;
    llminf_session *session = open_session(context, id, -1.5);
    size_t size;
    (void)state;
    go_on(session);
    uint8_t *bytes = save(session, &size);
    uint64_t want = go_on(session);
    llminf_session_close(session);
    expect_mismatch(context, bytes, size, 0, 1, "adapter");
    expect_mismatch(context, bytes, size, other, -1.5, "adapter");
    expect_mismatch(context, bytes, size, id, 1.5, "adapter_scale");
    expect_going_on(context, bytes, size, id, -1.5, want);
    llminf_adapter_close(model, id);
    again = open_adapter(paths[0]);
    second = open_context();
    expect_going_on(second, bytes, size, again, -1.5, want);
    llminf_context_close(second);
    llminf_adapter_close(model, again);
    llminf_adapter_close(model, other);
    llminf_context_close(context);
    free(bytes);
}

/* The checksum at the end: engine/snapshot.h. */
static void sum_up(uint8_t *bytes, size_t size)
{
    uint64_t sum = 0;
    for (size_t at = 0; at < size - 8; at += 65536)
        sum = XXH3_64bits_withSeed(bytes + at, size - 8 - at < 65536 ? size - 8 - at : 65536, sum);
    for (int i = 0; i < 8; i++)
        bytes[size - 8 + (size_t)i] = (uint8_t)(sum >> 8 * i);
}

/* Files of version 1 have no adapter, and no place for one. */
static void test_saved_before(void **state)
{
    enum { VERSION = 8, ADAPTER = 56, N_NEW = 16 + 8 /* an adapter; groups, of which there is one */ };
    int32_t id = open_adapter(paths[0]);
    llminf_context *context = open_context();
    llminf_session *session = open_session(context, 0, 1);
    size_t size;
    (void)state;
    go_on(session);
    uint8_t *bytes = save(session, &size);
    uint64_t want = go_on(session);
    llminf_session_close(session);
    expect_mismatch(context, bytes, size, id, 1, "adapter");
    assert_int_equal(bytes[VERSION], 3);
    bytes[VERSION] = 1;
    memmove(bytes + ADAPTER, bytes + ADAPTER + N_NEW, size - ADAPTER - N_NEW);
    size -= N_NEW;
    sum_up(bytes, size);
    expect_going_on(context, bytes, size, 0, 1, want);
    expect_mismatch(context, bytes, size, id, 1, "adapter");
    llminf_adapter_close(model, id);
    llminf_context_close(context);
    free(bytes);
}

/* ---- failures ---------------------------------------------------------------------------------------------------- */

static llminf_status use(const llminf_options *options)
{
    llminf_model *own = NULL;
    llminf_context *context = NULL;
    llminf_session *first = NULL, *second = NULL;
    llminf_options *of_session = NULL;
    llminf_error error;
    int32_t id;
    llminf_status status = llminf_options_open(&of_session, "session", &error);
    if (status == LLMINF_OK)
        status = llminf_model_open_memory(&own, file, file_size, options, &error);
    if (status == LLMINF_OK)
        status = llminf_adapter_open(&id, own, paths[0], NULL, &error);
    if (status == LLMINF_OK)
        status = llminf_options_set_int(of_session, "adapter", id, &error);
    if (status == LLMINF_OK)
        status = llminf_context_open(&context, own, NULL, &error);
    if (status == LLMINF_OK)
        status = llminf_session_open(&first, context, of_session, &error);
    if (status == LLMINF_OK)
        status = llminf_session_append_text(first, "a cat", -1, LLMINF_TEXT_BOUNDS, &error);
    if (status == LLMINF_OK)
        status = llminf_session_fork(&second, first, &error);
    llminf_model_close(own); /* any order */
    llminf_context_close(context);
    llminf_session_close(first);
    llminf_session_close(second);
    llminf_options_close(of_session);
    return status;
}

static void test_memory(void **state)
{
    struct support_heap heap = {0};
    llminf_options *options;
    (void)state;
    assert_int_equal(llminf_options_open(&options, "model", NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_allocator(options, support_alloc, support_release, &heap, NULL), LLMINF_OK);
    assert_int_equal(use(options), LLMINF_OK);
    int64_t n_sites = heap.n_calls;
    for (int for_ever = 0; for_ever < 2; for_ever++)
        for (int64_t k = 1; k <= n_sites; k++) {
            support_heap_arm(&heap, k, for_ever);
            assert_int_equal(use(options), LLMINF_E_MEMORY);
            assert_int_equal(heap.live_bytes, 0);
        }
    support_heap_arm(&heap, 0, 0);
    assert_int_equal(use(options), LLMINF_OK);
    assert_int_equal(heap.live_bytes, 0);
    llminf_options_close(options);
}

/* No length but the whole is accepted. */
static void test_cut_files(void **state)
{
    struct test_matrix at[2];
    struct test_adapter_spec spec = {.alpha = 4, .rank = 2, .seed = 1, .at = at, .n = test_adapter_matrices(at, 2, model)};
    size_t size;
    uint8_t *bytes = test_adapter_make(&spec, &size);
    (void)state;
    assert_int_equal(spec.n, 2);
    for (size_t n = 0; n <= size; n++) {
        llminf_error error;
        int32_t id;
        char *path = support_write_temporary(bytes, n);
        llminf_status status = llminf_adapter_open(&id, model, path, NULL, &error);
        assert_int_equal(status, n == size ? LLMINF_OK : LLMINF_E_FORMAT);
        assert_true(n == size || (error.subject[0] != 0 && error.text[0] != 0));
        llminf_adapter_close(model, id);
        unlink(path);
        free(path);
    }
    free(bytes);
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

struct talk {
    llminf_context *context;
    int n_rounds, n_bad;
    uint64_t want[2];
};

/* Each round another adapter, opened, used and closed while the other threads do the same. */
static void *talk(void *arg)
{
    struct talk *t = arg;
    for (int i = 0; i < t->n_rounds; i++) {
        llminf_options *of_session = NULL, *of_generate = NULL;
        llminf_session *session = NULL;
        llminf_token ids[PROMPT], tokens[LENGTH];
        int32_t id = 0;
        size_t n = 0;
        for (int k = 0; k < PROMPT; k++)
            ids[k] = k == 0 ? 1 : 40 + k * 7 % 200;
        int is_good = llminf_adapter_open(&id, model, paths[i % 2], NULL, NULL) == LLMINF_OK &&
                      llminf_options_open(&of_session, "session", NULL) == LLMINF_OK &&
                      llminf_options_open(&of_generate, "generate", NULL) == LLMINF_OK &&
                      llminf_options_set_int(of_session, "adapter", id, NULL) == LLMINF_OK &&
                      llminf_options_set_int(of_generate, "max_tokens", NEW, NULL) == LLMINF_OK &&
                      llminf_options_set_int(of_generate, "ignore_eog", 1, NULL) == LLMINF_OK &&
                      llminf_session_open(&session, t->context, of_session, NULL) == LLMINF_OK;
        llminf_adapter_close(model, id);
        is_good = is_good && llminf_session_append(session, ids, PROMPT, NULL) == LLMINF_OK &&
                  llminf_session_generate(session, NULL, of_generate, NULL) == LLMINF_OK &&
                  llminf_session_wait(session, -1, NULL) == LLMINF_DONE &&
                  llminf_session_tokens(session, 0, tokens, LENGTH, &n, NULL) == LLMINF_OK && n == LENGTH;
        t->n_bad += !is_good || XXH3_64bits(tokens, sizeof tokens) != t->want[i % 2];
        llminf_session_close(session);
        llminf_options_close(of_session);
        llminf_options_close(of_generate);
    }
    return NULL;
}

static void test_threads(void **state)
{
    enum { N = 4 };
    pthread_t threads[N];
    struct talk all = {.context = open_context(), .n_rounds = 12}, talks[N];
    (void)state;
    for (int i = 0; i < 2; i++) {
        int32_t id = open_adapter(paths[i]);
        llminf_session *session = open_session(all.context, id, 1);
        llminf_token tokens[LENGTH];
        size_t n;
        go_on(session);
        assert_int_equal(llminf_session_tokens(session, 0, tokens, LENGTH, &n, NULL), LLMINF_OK);
        all.want[i] = XXH3_64bits(tokens, sizeof tokens);
        llminf_session_close(session);
        llminf_adapter_close(model, id);
    }
    for (int i = 0; i < N; i++) {
        talks[i] = all;
        assert_int_equal(pthread_create(&threads[i], NULL, talk, &talks[i]), 0);
    }
    for (int i = 0; i < N; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(talks[i].n_bad, 0);
    }
    llminf_context_close(all.context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ids),    cmocka_unit_test(test_options),   cmocka_unit_test(test_prefixes),
        cmocka_unit_test(test_forks),  cmocka_unit_test(test_saved),     cmocka_unit_test(test_saved_before),
        cmocka_unit_test(test_memory), cmocka_unit_test(test_cut_files), cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
