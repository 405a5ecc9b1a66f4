/* 40 of the oracles in the design of the engine: 64 threads with 16 sessions each, in a pool that is far too small for them,
 * each making any call at any time. Every session ends with a status, and every block comes back. Run under a race detector,
 * and under one for memory.
 *
 * usage: test-api-soak [SECONDS [MODEL]]     without: 10,000 calls on a model made in memory */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <llminf/llminf.h>

#include "support/gguf_make.h"

enum { N_THREADS = 64, N_SESSIONS = 16, N_CALLS = 10000, N_BLOCKS = 48, N_IDS = 9, SAVED = 1 << 18 };

static const char *path; /* of the model, or NULL */
static int n_seconds;
static uint8_t *file;
static llminf_model *model;
static int64_t n_calls[11]; /* by kind, of all threads */

struct worker {
    llminf_context *context;
    uint64_t state;
    const char *wrong; /* what was called */
    llminf_error error;
    llminf_options *how;
    char place[64]; /* of a saved session */
    uint8_t *saved; /* [SAVED] */
    size_t n_saved;
    llminf_session *sessions[N_SESSIONS];
    int64_t n_calls[11];
};

static int open_model(void **state)
{
    struct test_model_spec spec = {.seed = 1};
    size_t size;
    (void)state;
    if (path)
        return llminf_model_open(&model, path, NULL, NULL) != LLMINF_OK;
    file = test_model_make(&spec, &size);
    return !file || llminf_model_open_memory(&model, file, size, NULL, NULL) != LLMINF_OK;
}

static int close_model(void **state)
{
    (void)state;
    llminf_model_close(model);
    free(file);
    return 0;
}

static uint32_t below(struct worker *w, uint32_t n)
{
    w->state = w->state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(w->state >> 33) % n;
}

/* ---- one call ---------------------------------------------------------------------------------------------------- */

static llminf_status generate(struct worker *w, llminf_session *s)
{
    llminf_token ids[N_IDS];
    for (int i = 0; i < N_IDS; i++)
        ids[i] = (llminf_token)(5 + below(w, 3));
    llminf_status status = llminf_session_append(s, ids, N_IDS, &w->error);
    if (status != LLMINF_OK)
        return status;
    llminf_options_set_int(w->how, "max_tokens", 1 + below(w, 24), NULL);
    llminf_options_set_int(w->how, "priority", below(w, 3), NULL);
    llminf_options_set_int(w->how, "deadline_ns", below(w, 8) == 0 ? 2000000 : 0, NULL);
    llminf_options_set_text(w->how, "speculate", below(w, 2) ? "lookup" : "off", -1, NULL);
    return llminf_session_generate(s, NULL, w->how, &w->error);
}

static llminf_status replace(llminf_session **s, llminf_session *by, llminf_status status)
{
    if (status == LLMINF_OK) {
        llminf_session_close(*s);
        *s = by;
    }
    return status;
}

static llminf_status save(struct worker *w, llminf_session *s, int to_file)
{
    size_t n;
    if (to_file)
        return llminf_session_save(s, w->place, &w->error);
    llminf_status status = llminf_session_save_memory(s, w->saved, SAVED, &n, &w->error);
    if (status == LLMINF_OK)
        w->n_saved = n;
    return status == LLMINF_E_TOO_SMALL ? LLMINF_OK : status;
}

static llminf_status load(struct worker *w, llminf_session **s)
{
    llminf_session *loaded;
    llminf_status status;
    if (below(w, 2) && w->n_saved > 0)
        status = llminf_session_load_memory(&loaded, w->context, w->saved, w->n_saved, NULL, &w->error);
    else if (access(w->place, F_OK) == 0)
        status = llminf_session_load(&loaded, w->context, w->place, NULL, &w->error);
    else
        return LLMINF_OK;
    return replace(s, loaded, status);
}

/* What a session may always answer: that it is busy, that the pool or a queue is full, or that its timeline is. */
static int is_fair(llminf_status status)
{
    return status >= 0 || status == LLMINF_E_BUSY || status == LLMINF_E_FULL || status == LLMINF_E_TOO_LONG ||
           status == LLMINF_E_STATE;
}

static void call(struct worker *w, llminf_session **s)
{
    static const char *const names[] = {"cancel", "fork", "close",  "truncate", "read",    "wait",
                                        "save",   "load", "append", "generate", "generate"};
    uint32_t what = below(w, 11);
    llminf_session *other = NULL;
    llminf_status status = LLMINF_OK;
    llminf_token id = 7;
    char text[64];
    size_t n;
    w->n_calls[what]++;
    switch (what) {
    case 0:
        llminf_session_cancel(*s);
        break;
    case 1:
        status = llminf_session_fork(&other, *s, &w->error);
        replace(s, other, status);
        break;
    case 2:
        status = llminf_session_open(&other, w->context, NULL, &w->error);
        replace(s, other, status);
        break;
    case 3:
        status = llminf_session_int(*s, "length", &(int64_t){0}, NULL);
        if (status == LLMINF_OK)
            status = llminf_session_truncate(*s, below(w, 2), NULL);
        status = status == LLMINF_E_INVALID ? LLMINF_OK : status; /* it was empty */
        break;
    case 4:
        status = llminf_session_read(*s, text, sizeof text, &n, 1000, &w->error);
        break;
    case 5:
        status = llminf_session_wait(*s, -1, &w->error);
        break;
    case 6:
        status = save(w, *s, below(w, 2) == 0);
        break;
    case 7:
        status = load(w, s);
        break;
    case 8:
        status = llminf_session_append(*s, &id, 1, &w->error);
        break;
    default:
        status = generate(w, *s);
    }
    if (!is_fair(status))
        w->wrong = names[what];
}

/* ---- many -------------------------------------------------------------------------------------------------------- */

static int64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void end(struct worker *w, llminf_session *s)
{
    int64_t state = -1;
    llminf_error error;
    llminf_session_cancel(s);
    llminf_status status = llminf_session_wait(s, -1, &error);
    if (w->wrong == NULL && status != LLMINF_DONE && status != LLMINF_E_STATE) /* STATE: nothing was ever generated */
        w->wrong = "end", w->error = error;
    if (llminf_session_int(s, "state", &state, NULL) != LLMINF_OK || state != LLMINF_STATE_IDLE)
        w->wrong = "a session that ended is not idle";
    llminf_session_close(s);
}

static void *work(void *arg)
{
    struct worker *w = arg;
    int64_t until = now() + (int64_t)n_seconds * 1000000000;
    for (int i = 0; i < N_SESSIONS; i++)
        if (llminf_session_open(&w->sessions[i], w->context, NULL, NULL) != LLMINF_OK)
            w->wrong = "open";
    for (int i = 0; !w->wrong && (n_seconds > 0 ? now() < until : i < N_CALLS / N_THREADS + 1); i++)
        call(w, &w->sessions[below(w, N_SESSIONS)]);
    for (int i = 0; i < N_SESSIONS; i++)
        end(w, w->sessions[i]);
    unlink(w->place);
    return NULL;
}

static int64_t number(llminf_context *context, const char *key)
{
    int64_t value;
    assert_int_equal(llminf_context_int(context, key, &value, NULL), LLMINF_OK);
    return value;
}

static llminf_context *open_context(int64_t budget)
{
    llminf_options *options;
    llminf_context *context;
    llminf_error error;
    assert_int_equal(llminf_options_open(&options, "context", NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_int(options, "threads", 2, NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_int(options, "max_sessions", 2 * N_THREADS * N_SESSIONS, NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_int(options, "max_waiting", 256, NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_int(options, "kv_budget_bytes", budget, NULL), LLMINF_OK);
    if (llminf_context_open(&context, model, options, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    llminf_options_close(options);
    return context;
}

static void print(llminf_context *context)
{
    static const char *const keys[] = {"steps",     "ended",    "cancelled", "late",     "refused",      "preemptions",
                                       "evictions", "recycled", "overtakes", "accepted", "copied_blocks"};
    int64_t all = 0;
    for (int i = 0; i < 11; i++)
        all += n_calls[i];
    printf("calls %lld\n", (long long)all);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
        printf("%s %lld\n", keys[i], (long long)number(context, keys[i]));
}

static void test_soak(void **state)
{
    static struct worker workers[N_THREADS];
    pthread_t threads[N_THREADS];
    char folder[] = "/tmp/llminf-test-XXXXXX";
    (void)state;
    assert_non_null(mkdtemp(folder));
    llminf_context *context = open_context(0);
    int64_t block = number(context, "kv_bytes") / number(context, "kv_blocks"), budget = N_BLOCKS * (block + 160);
    llminf_context_close(context);
    context = open_context(budget > 65536 ? budget : 65536);
    for (uint32_t i = 0; i < N_THREADS; i++) {
        struct worker *w = &workers[i];
        *w = (struct worker){.context = context, .state = i, .saved = malloc(SAVED)};
        snprintf(w->place, sizeof w->place, "%s/%u", folder, i);
        assert_int_equal(llminf_options_open(&w->how, "generate", NULL), LLMINF_OK);
        assert_int_equal(pthread_create(&threads[i], NULL, work, w), 0);
    }
    for (int i = 0; i < N_THREADS; i++) {
        pthread_join(threads[i], NULL);
        llminf_options_close(workers[i].how);
        free(workers[i].saved);
        for (int k = 0; k < 11; k++)
            n_calls[k] += workers[i].n_calls[k];
    }
    for (int i = 0; i < N_THREADS; i++)
        if (workers[i].wrong)
            fail_msg("thread %d: %s: %s", i, workers[i].wrong, workers[i].error.text);
    if (n_seconds > 0)
        print(context);
    assert_int_equal(number(context, "sessions"), 0);
    assert_int_equal(number(context, "failed"), 0);
    assert_int_equal(number(context, "kv_blocks_used"), 0);
    assert_int_equal(number(context, "kv_blocks_pinned"), 0);
    assert_int_equal(llminf_context_trim(context, 0, NULL), LLMINF_OK);
    assert_int_equal(number(context, "kv_bytes_used") + number(context, "kv_bytes_cached"), 0);
    llminf_context_close(context);
    assert_int_equal(rmdir(folder), 0);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_soak)};
    if (argc > 1)
        n_seconds = atoi(argv[1]);
    if (argc > 2)
        path = argv[2];
    return cmocka_run_group_tests(tests, open_model, close_model);
}
