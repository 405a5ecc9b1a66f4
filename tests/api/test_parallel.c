/* Ranks that share a model, of which one is this program and the others are threads with models of their own: that they answer
 * as one would (the bits: test_invariance.c --ranks), and what happens where they do not. Oracles R4, R5, R7, R8, R10 and R11
 * of the ranks' design; of the engine's 55 the part about ranks. */
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
#include <xxhash.h>

#include <llminf/comm.h>
#include <llminf/llminf.h>

#include "base/clock.h"
#include "parallel/local.h"
#include "support/flaky.h"

#define PATH LLMINF_SOURCE_ROOT "/examples/demo-model/stories.gguf"
#define MS INT64_C(1000000)

enum { MOST = 8, N_SESSIONS = 4, NEW = 24 };

static llminf_model *model;
static size_t n_vocab;
static const char *const prompts[N_SESSIONS] = {"Once upon a time", "Once upon a hill", "The cat", "A big dog said"};

static llminf_options *bag(const char *kind, const char *text)
{
    llminf_options *options;
    char copy[256], *rest = copy;
    assert_int_equal(llminf_options_open(&options, kind, NULL), LLMINF_OK);
    snprintf(copy, sizeof copy, "%s", text);
    for (char *pair; (pair = strtok_r(rest, " ", &rest));) {
        char *value = strchr(pair, '=');
        llminf_error error;
        *value++ = 0;
        if (llminf_options_parse(options, pair, value, -1, &error) != LLMINF_OK)
            fail_msg("%s", error.text);
    }
    return options;
}

/* ---- the other ranks --------------------------------------------------------------------------------------------- */

struct other {
    llminf_model *model; /* closed at its end */
    struct llminf_comm table;
    const char *options;
    pthread_t thread;
    llminf_status status;
    llminf_error error;
};

static void *serve(void *arg)
{
    struct other *other = arg;
    llminf_options *options = bag("context", other->options);
    other->status = llminf_comm_serve(other->model, &other->table, options, &other->error);
    other->table.close(other->table.state);
    llminf_options_close(options);
    llminf_model_close(other->model);
    return NULL;
}

struct cluster {
    struct lli_heap heap;
    struct llminf_comm tables[MOST];
    struct flaky flaky[MOST];
    struct other others[MOST];
    int n;
};

/* Rank `lost`, if it is not 0, goes before its call number `at`. */
static void begin(struct cluster *c, int n, const char *options, int lost, enum flaky_way way, int at)
{
    memset(c, 0, sizeof *c);
    c->n = n;
    lli_heap_init(&c->heap, NULL, NULL, NULL);
    assert_int_equal(lli_local_new(c->tables, &c->heap, n, 64, NULL), LLMINF_OK);
    for (int i = 0; i < n; i++)
        flaky_wrap(&c->tables[i], &c->flaky[i], way, lost > 0 && i == lost ? at : -1);
    for (int i = 1; i < n; i++) {
        struct other *other = &c->others[i];
        *other = (struct other){.table = c->tables[i], .options = options};
        assert_int_equal(llminf_model_open(&other->model, PATH, NULL, NULL), LLMINF_OK);
    }
}

static void start(struct cluster *c)
{
    for (int i = 1; i < c->n; i++)
        assert_int_equal(pthread_create(&c->others[i].thread, NULL, serve, &c->others[i]), 0);
}

/* Of a context that was not opened. */
static void close_first(struct cluster *c)
{
    c->tables[0].close(c->tables[0].state);
}

static void join(struct cluster *c)
{
    for (int i = 1; i < c->n; i++)
        flaky_release(&c->flaky[i]);
    for (int i = 1; i < c->n; i++)
        pthread_join(c->others[i].thread, NULL);
    assert_int_equal(c->heap.live_bytes, 0); /* who closed last freed all */
}

/* ---- sessions ---------------------------------------------------------------------------------------------------- */

static void ask(llminf_session *session, const char *options)
{
    llminf_options *how = bag("generate", options);
    llminf_error error;
    if (llminf_session_generate(session, NULL, how, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    llminf_options_close(how);
}

static void open_sessions(llminf_session **out, llminf_context *context)
{
    for (int i = 0; i < N_SESSIONS; i++) {
        assert_int_equal(llminf_session_open(&out[i], context, NULL, NULL), LLMINF_OK);
        assert_int_equal(llminf_session_append_text(out[i], prompts[i], -1, LLMINF_TEXT_BOUNDS, NULL), LLMINF_OK);
    }
}

static void close_sessions(llminf_session **sessions)
{
    for (int i = 0; i < N_SESSIONS; i++)
        llminf_session_close(sessions[i]);
}

static uint64_t hash_tokens(llminf_session *session)
{
    llminf_token tokens[256];
    size_t n;
    assert_int_equal(llminf_session_tokens(session, 0, tokens, 256, &n, NULL), LLMINF_OK);
    return XXH3_64bits(tokens, n * sizeof *tokens);
}

/* Tokens and the last logits of all sessions. */
static uint64_t tell_all(llminf_context *context)
{
    llminf_session *sessions[N_SESSIONS];
    float *logits = malloc(n_vocab * sizeof *logits);
    uint64_t hash = 0;
    open_sessions(sessions, context);
    for (int i = 0; i < N_SESSIONS; i++)
        ask(sessions[i], "max_tokens=24 ignore_eog=1 logits=last");
    for (int i = 0; i < N_SESSIONS; i++) {
        int64_t length;
        size_t n;
        assert_int_equal(llminf_session_wait(sessions[i], -1, NULL), LLMINF_DONE);
        assert_int_equal(llminf_session_int(sessions[i], "length", &length, NULL), LLMINF_OK);
        assert_int_equal(llminf_session_logits(sessions[i], (size_t)length - 2, logits, n_vocab, &n, NULL), LLMINF_OK);
        hash = XXH3_64bits_withSeed(logits, n_vocab * sizeof *logits, hash ^ hash_tokens(sessions[i]));
    }
    close_sessions(sessions);
    free(logits);
    return hash;
}

static llminf_context *open_alone(const char *options)
{
    llminf_options *how = bag("context", options);
    llminf_context *context;
    llminf_error error;
    if (llminf_context_open(&context, model, how, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    llminf_options_close(how);
    return context;
}

static llminf_status open_over(llminf_context **out, struct cluster *c, const char *options, llminf_error *error)
{
    llminf_options *how = bag("context", options);
    llminf_status status = llminf_context_open_parallel(out, model, &c->tables[0], how, error);
    llminf_options_close(how);
    return status;
}

static uint64_t alone;

static const struct {
    const char *options;
    int n;
} shapes[] = {
    {"tensor_parallel=2 threads=1", 2},
    {"pipeline_parallel=2 threads=1", 2},
    {"tensor_parallel=2 pipeline_parallel=2 threads=2", 4},
};

enum { N_SHAPES = sizeof shapes / sizeof *shapes };

/* ---- tests ------------------------------------------------------------------------------------------------------- */

static void test_as_one(void **state)
{
    (void)state;
    for (size_t s = 0; s < N_SHAPES; s++) {
        struct cluster c;
        llminf_context *context;
        llminf_error error;
        begin(&c, shapes[s].n, "threads=1", 0, FLAKY_DIES, 0);
        start(&c);
        if (open_over(&context, &c, shapes[s].options, &error) != LLMINF_OK)
            fail_msg("%s", error.text);
        assert_true(tell_all(context) == alone);
        assert_true(tell_all(context) == alone); /* cached */
        llminf_context_close(context);
        join(&c);
        for (int i = 1; i < c.n; i++)
            assert_int_equal(c.others[i].status, LLMINF_OK);
    }
}

/* A host may take its time between steps, and beside a long one. */
static void test_idle(void **state)
{
    static const char *const options[] = {"tensor_parallel=2 comm_timeout_ns=200ms",
                                          "tensor_parallel=2 comm_timeout_ns=200ms host_driven=1"};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        llminf_context *context = open_alone(options[i]);
        llminf_session *sessions[N_SESSIONS];
        int64_t steps;
        open_sessions(sessions, context);
        for (int k = 0; k < N_SESSIONS; k++) {
            ask(sessions[k], "max_tokens=4 ignore_eog=1");
            usleep(500 * 1000);
            while (i == 1 && llminf_context_step(context, 0, NULL) == LLMINF_OK)
                usleep(1000);
            assert_int_equal(llminf_session_wait(sessions[k], i == 0 ? -1 : 0, NULL), LLMINF_DONE);
        }
        assert_int_equal(llminf_context_int(context, "steps", &steps, NULL), LLMINF_OK);
        assert_true(steps >= 4 * N_SESSIONS);
        close_sessions(sessions);
        llminf_context_close(context);
    }
}

/* What cannot be opened says why; the table stays the caller's. */
static void test_refused(void **state)
{
    static const struct {
        const char *options, *text;
        llminf_status status;
    } cases[] = {
        {"tensor_parallel=3", "tensor_parallel: 3 ranks, want 1, 2, 4 or 8", LLMINF_E_OPTION},
        {"pipeline_parallel=64", "pipeline_parallel: is 64, want 1 to the ", LLMINF_E_OPTION},
        {"tensor_parallel=2 pipeline_parallel=2", "communicator: n_ranks is 2, want tensor_parallel 2 x pipeline_parallel 2",
         LLMINF_E_COMM},
        {"", "communicator: n_ranks is 2, want tensor_parallel 1 x pipeline_parallel 1", LLMINF_E_COMM},
    };
    struct cluster c;
    llminf_context *context;
    llminf_error error;
    (void)state;
    begin(&c, 2, "", 0, FLAKY_DIES, 0);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(open_over(&context, &c, cases[i].options, &error), cases[i].status);
        assert_null(context);
        if (!strstr(error.text, cases[i].text))
            fail_msg("%s: \"%s\"", cases[i].options, error.text);
    }
    assert_int_equal(llminf_context_open_parallel(&context, model, NULL, NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_context_open_parallel(NULL, model, &c.tables[0], NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_context_open_parallel(&context, NULL, &c.tables[0], NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_context_open_parallel(&context, model, &c.tables[1], NULL, &error), LLMINF_E_COMM);
    assert_string_equal(error.text, "communicator: rank is 1, want 0; the others call llminf_comm_serve");
    assert_int_equal(llminf_comm_serve(model, &c.tables[0], NULL, &error), LLMINF_E_COMM);
    assert_string_equal(error.text, "communicator: rank is 0, which opens a context");
    assert_int_equal(llminf_comm_serve(model, NULL, NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_comm_serve(NULL, &c.tables[1], NULL, &error), LLMINF_E_INVALID);
    close_first(&c);
    c.tables[1].close(c.tables[1].state);
    llminf_model_close(c.others[1].model);
}

static llminf_model *open_other_model(void)
{
    const char *tmp = getenv("TMPDIR");
    char file[256];
    llminf_options *options = bag("convert", "type=q4_0");
    llminf_model *other = NULL;
    llminf_error error;
    snprintf(file, sizeof file, "%s/llminf-other-%d.gguf", tmp && *tmp ? tmp : "/tmp", (int)getpid());
    if (llminf_model_convert(model, file, options, &error) != LLMINF_OK ||
        llminf_model_open(&other, file, NULL, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    unlink(file);
    llminf_options_close(options);
    return other;
}

/* R7: rank 2 has another model, or no room: all hear of it, and from whom. */
static void test_other_model(void **state)
{
    (void)state;
    for (int way = 0; way < 2; way++) {
        struct cluster c;
        llminf_context *context;
        llminf_error error;
        begin(&c, 4, "", 0, FLAKY_DIES, 0);
        if (way == 0) {
            llminf_model_close(c.others[2].model);
            c.others[2].model = open_other_model();
        } else {
            c.others[2].options = "kv_budget_bytes=65536";
        }
        start(&c);
        assert_int_equal(open_over(&context, &c, shapes[2].options, &error), LLMINF_E_COMM);
        close_first(&c);
        join(&c);
        if (!strstr(error.text, way == 0 ? "rank 2: model: is " : "rank 2: kv_budget_bytes: 65536 holds "))
            fail_msg("%s", error.text);
        for (int i = 1; i < c.n; i++) {
            assert_int_equal(c.others[i].status, i == 2 && way == 1 ? LLMINF_E_OPTION : LLMINF_E_COMM);
            assert_non_null(strstr(c.others[i].error.text, way == 0 ? "model: is " : "kv_budget_bytes: 65536 holds "));
        }
    }
}

/* All sessions end with COMM, and what is asked for later; they have their tokens and can be saved; closing takes no time. */
static void expect_failed(llminf_context *context, llminf_session **sessions, int64_t start_ns, int64_t timeout_ns)
{
    llminf_error error;
    int64_t state;
    size_t n, size;
    for (int i = 0; i < N_SESSIONS; i++) {
        llminf_status status;
        while ((status = llminf_session_wait(sessions[i], 10 * MS, &error)) == LLMINF_AGAIN)
            if (lli_clock_ns() - start_ns > timeout_ns + 2000 * MS)
                fail_msg("session %d: no end in time", i);
        assert_int_equal(status, LLMINF_E_COMM);
        assert_non_null(strstr(error.text, "in step "));
        assert_int_equal(llminf_session_generate(sessions[i], NULL, NULL, &error), LLMINF_E_COMM);
        assert_int_equal(llminf_session_int(sessions[i], "state", &state, NULL), LLMINF_OK);
        assert_int_equal(state, LLMINF_STATE_FAILED);
        assert_int_equal(llminf_session_tokens(sessions[i], 0, NULL, 0, &n, NULL), LLMINF_OK);
        assert_true(n > 0);
        assert_int_equal(llminf_session_save_memory(sessions[i], NULL, 0, &size, NULL), LLMINF_OK);
    }
    double flops, bytes;
    assert_int_equal(llminf_cost_measure(context, MS, &flops, &bytes, &error), LLMINF_E_COMM);
}

/* R5, R8: a rank that goes before each of its calls, or stops in it, or fails in it. */
static void lose(int n, const char *options, int lost, enum flaky_way way, int at, int64_t timeout_ns)
{
    char text[160];
    struct cluster c;
    llminf_context *context;
    llminf_session *sessions[N_SESSIONS];
    llminf_error error;
    snprintf(text, sizeof text, "%s comm_timeout_ns=%lld", options, (long long)timeout_ns);
    begin(&c, n, text, lost, way, at);
    start(&c);
    int64_t start_ns = lli_clock_ns();
    llminf_status status = open_over(&context, &c, text, &error);
    if (status == LLMINF_OK) {
        open_sessions(sessions, context);
        for (int i = 0; i < N_SESSIONS && status == LLMINF_OK; i++) {
            llminf_options *how = bag("generate", "max_tokens=-1 ignore_eog=1");
            status = llminf_session_generate(sessions[i], NULL, how, &error);
            llminf_options_close(how);
            if (status != LLMINF_OK)
                assert_int_equal(status, LLMINF_E_COMM);
        }
        if (status == LLMINF_OK)
            expect_failed(context, sessions, start_ns, timeout_ns);
        start_ns = lli_clock_ns();
        close_sessions(sessions);
        llminf_context_close(context);
    } else {
        assert_int_equal(status, LLMINF_E_COMM);
        assert_null(context);
        close_first(&c);
    }
    if (lli_clock_ns() - start_ns > timeout_ns + 2000 * MS)
        fail_msg("%s, rank %d, call %d: took %lld ms", options, lost, at, (long long)((lli_clock_ns() - start_ns) / MS));
    join(&c);
    for (int i = 1; i < n; i++)
        assert_int_equal(c.others[i].status, LLMINF_E_COMM);
}

static void test_lost(void **state)
{
    static const int calls[] = {0, 1, 2, 3, 4, 5, 6, 9, 17, 40, 77};
    (void)state;
    for (size_t s = 0; s < N_SHAPES; s++)
        for (int way = 0; way < FLAKY_WAYS; way++)
            for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
                lose(shapes[s].n, shapes[s].options, 1 + (int)i % (shapes[s].n - 1), (enum flaky_way)way, calls[i], 150 * MS);
}

/* 55, R11: saved by ranks and loaded by one process, or by others, and the other way round: equal continuation. */
static void test_saved(void **state)
{
    static const char *const options[] = {"threads=1", "tensor_parallel=2 threads=1", "pipeline_parallel=2 threads=1"};
    uint64_t want = 0;
    (void)state;
    for (size_t from = 0; from < 3; from++)
        for (size_t to = 0; to < 3; to++) {
            llminf_context *context = open_alone(options[from]), *next = open_alone(options[to]);
            llminf_session *session, *loaded;
            llminf_error error;
            size_t size;
            assert_int_equal(llminf_session_open(&session, context, NULL, NULL), LLMINF_OK);
            assert_int_equal(llminf_session_append_text(session, prompts[0], -1, LLMINF_TEXT_BOUNDS, NULL), LLMINF_OK);
            ask(session, "max_tokens=30 ignore_eog=1");
            assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
            assert_int_equal(llminf_session_save_memory(session, NULL, 0, &size, NULL), LLMINF_OK);
            uint8_t *bytes = malloc(size);
            assert_int_equal(llminf_session_save_memory(session, bytes, size, &size, NULL), LLMINF_OK);
            if (llminf_session_load_memory(&loaded, next, bytes, size, NULL, &error) != LLMINF_OK)
                fail_msg("from %s to %s: %s", options[from], options[to], error.text);
            ask(loaded, "max_tokens=20 ignore_eog=1");
            assert_int_equal(llminf_session_wait(loaded, -1, NULL), LLMINF_DONE);
            if (want == 0)
                want = hash_tokens(loaded);
            assert_true(hash_tokens(loaded) == want);
            free(bytes);
            llminf_session_close(session);
            llminf_session_close(loaded);
            llminf_context_close(context);
            llminf_context_close(next);
        }
}

/* R10. */
static void test_closing(void **state)
{
    (void)state;
    for (int i = 0; i < 60; i++) {
        llminf_context *context = open_alone(shapes[i % N_SHAPES].options);
        llminf_session *sessions[N_SESSIONS];
        open_sessions(sessions, context);
        for (int k = 0; k < N_SESSIONS && i % 2; k++)
            ask(sessions[k], "max_tokens=-1");
        if (i % 4 < 2)
            llminf_context_close(context);
        close_sessions(sessions);
        if (i % 4 >= 2)
            llminf_context_close(context);
    }
}

static void test_measured(void **state)
{
    double flops, bytes;
    (void)state;
    llminf_context *context = open_alone(shapes[2].options);
    assert_int_equal(llminf_cost_measure(context, 20 * MS, &flops, &bytes, NULL), LLMINF_OK);
    assert_true(flops > 0 && bytes > 0);
    assert_true(tell_all(context) == alone);
    llminf_context_close(context);
}

/* An embedding of tensor parallel ranks is that of one process; where the last layers are elsewhere there is none. */
static void test_pooled(void **state)
{
    static const char *const options[] = {"threads=1", "tensor_parallel=2 threads=1", "pipeline_parallel=2 threads=1"};
    float want[1024], got[1024];
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        llminf_context *context = open_alone(options[i]);
        llminf_options *pooled = bag("session", "pooling=mean");
        llminf_session *session;
        llminf_error error;
        size_t n;
        llminf_status status = llminf_session_open(&session, context, pooled, &error);
        assert_int_equal(status, i == 2 ? LLMINF_E_UNSUPPORTED : LLMINF_OK);
        if (status == LLMINF_OK) {
            assert_int_equal(llminf_session_append_text(session, prompts[0], -1, LLMINF_TEXT_BOUNDS, NULL), LLMINF_OK);
            ask(session, "max_tokens=0");
            assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
            assert_int_equal(llminf_session_embedding(session, i ? got : want, 1024, &n, NULL), LLMINF_OK);
            if (i > 0)
                assert_memory_equal(got, want, n * sizeof *got);
        }
        llminf_session_close(session);
        llminf_options_close(pooled);
        llminf_context_close(context);
    }
}

static int setup(void **state)
{
    int64_t n;
    (void)state;
    if (llminf_model_open(&model, PATH, NULL, NULL) != LLMINF_OK || llminf_model_int(model, "n_vocab", &n, NULL) != LLMINF_OK)
        return 1;
    n_vocab = (size_t)n;
    llminf_context *context = open_alone("threads=1");
    alone = tell_all(context);
    llminf_context_close(context);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    llminf_model_close(model);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_as_one), cmocka_unit_test(test_idle),        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_saved),  cmocka_unit_test(test_closing),     cmocka_unit_test(test_measured),
        cmocka_unit_test(test_lost),   cmocka_unit_test(test_other_model), cmocka_unit_test(test_pooled),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
