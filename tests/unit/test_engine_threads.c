/* Many threads with many sessions over a pool that is too small for them: each tells what it would tell alone. Run under a
 * race detector too. Threads return what was wrong, the test's own thread asserts. */
#include "engine/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "base/clock.h"
#include "engine/stop.h"
#include "llminf/status.h"
#include "null_engine.h"

enum { N_THREADS = 12, N_SESSIONS = 3, N_TURNS = 12 };

struct host {
    struct null_engine *e;
    uint64_t seed;
    const char *wrong;
    struct lli_timeline *t[N_SESSIONS];
    struct null_story stories[N_SESSIONS];
    char text[8 * NULL_STORY];
};

static struct host hosts[N_THREADS];
static int n_pairs = 200000; /* of generate and read; or the first argument */

static struct lli_request_params random_params(uint64_t *seed)
{
    static const struct lli_text stops[] = {{"ab", 2}, {" a", 2}, {"dej", 3}};
    struct lli_request_params params = null_engine_params();
    params.sampler.temperature = support_random(seed) % 2 ? 1 : 0;
    params.sampler.seed = support_random(seed) % 1000;
    params.max_tokens = (int64_t)(support_random(seed) % 12);
    params.ignore_eog = support_random(seed) % 2;
    params.echo = support_random(seed) % 2;
    params.stops = stops;
    params.n_stops = support_random(seed) % 4;
    params.logits = (int)(support_random(seed) % 3);
    params.draft_limit = (uint32_t)(support_random(seed) % 5);
    params.is_drafted = 1;
    return params;
}

/* A turn without the answer: appended, cut at times, and sent. */
static const char *ask(struct host *h, int i, struct lli_request_params *params)
{
    struct null_story *story = &h->stories[i];
    uint32_t n = 1 + (uint32_t)(support_random(&h->seed) % 9);
    if (story->n > 60 || support_random(&h->seed) % 5 == 0) {
        story->n = (uint32_t)(support_random(&h->seed) % (story->n + 1));
        story->n_said = story->n_said < story->n ? story->n_said : story->n;
        if (lli_timeline_truncate(h->t[i], story->n, NULL) != LLMINF_OK)
            return "truncate";
    }
    null_engine_words(story->tokens + story->n, n, support_random(&h->seed));
    if (lli_timeline_append(h->t[i], story->tokens + story->n, n, NULL) != LLMINF_OK)
        return "append";
    story->n += n;
    *params = random_params(&h->seed);
    return lli_timeline_generate(h->t[i], params, NULL) == LLMINF_OK ? NULL : "generate";
}

static const char *hear(struct host *h, int i, const struct lli_request_params *params)
{
    size_t len = 0;
    null_engine_tell(&h->stories[i], params, NULL_TRAIN);
    if (null_engine_read(h->t[i], 5 + support_random(&h->seed) % 20, h->text, sizeof h->text, &len) != LLMINF_DONE)
        return "read";
    return null_engine_compare(h->t[i], &h->stories[i], h->text, len);
}

static const char *talk(struct host *h)
{
    struct lli_request_params params[N_SESSIONS];
    const char *wrong = NULL;
    for (int i = 0; i < N_SESSIONS; i++)
        if (lli_timeline_open(&h->t[i], h->e->engine, NULL, NULL) != LLMINF_OK)
            return "open";
    for (int turn = 0; turn < N_TURNS && !wrong; turn++) {
        for (int i = 0; i < N_SESSIONS && !wrong; i++)
            wrong = ask(h, i, &params[i]);
        for (int i = 0; i < N_SESSIONS && !wrong; i++)
            wrong = hear(h, i, &params[i]);
    }
    for (int i = 0; i < N_SESSIONS; i++)
        lli_timeline_close(h->t[i]);
    return wrong;
}

static void *run_host(void *arg)
{
    struct host *h = arg;
    h->wrong = talk(h);
    return NULL;
}

static void run_hosts(int has_draft)
{
    struct null_engine e;
    pthread_t threads[N_THREADS];
    struct lli_engine_stats stats;
    null_engine_init(&e, 1 + 24); /* 36 sessions of up to 6 blocks */
    if (has_draft)
        null_engine_draft(&e, 1 + 20, 20);
    e.options.n_threads = 2;
    assert_int_equal(null_engine_open(&e, NULL), LLMINF_OK);
    for (uint64_t i = 0; i < N_THREADS; i++) {
        memset(&hosts[i], 0, sizeof hosts[i]);
        hosts[i].e = &e;
        hosts[i].seed = i;
        assert_int_equal(pthread_create(&threads[i], NULL, run_host, &hosts[i]), 0);
    }
    for (uint64_t i = 0; i < N_THREADS; i++)
        pthread_join(threads[i], NULL);
    for (uint64_t i = 0; i < N_THREADS; i++)
        if (hosts[i].wrong)
            fail_msg("host %d: %s", (int)i, hosts[i].wrong);
    lli_engine_stats(e.engine, &stats);
    assert_true(stats.evictions > 0);
    assert_int_equal(stats.accepted > 0, has_draft);
    const char *wrong = null_engine_close(&e);
    if (wrong)
        fail_msg("%s", wrong);
}

static void test_hosts(void **state)
{
    (void)state;
    run_hosts(0);
    run_hosts(1);
}

/* ---- the calls that any thread may make -------------------------------------------------------------------------- */

struct visitor {
    struct lli_timeline *t;
    int32_t status;
    _Atomic int is_in, stop;
};

static void *wait_for_end(void *arg)
{
    struct visitor *v = arg;
    atomic_store(&v->is_in, 1);
    v->status = lli_timeline_wait(v->t, -1, NULL);
    return NULL;
}

static void *look_and_cancel(void *arg)
{
    struct visitor *v = arg;
    for (int i = 0; !atomic_load(&v->stop); i++) {
        struct lli_timeline_stats stats;
        struct lli_engine_stats all;
        lli_timeline_stats(v->t, &stats);
        lli_engine_stats(v->t->engine, &all);
        if (i % 3 == 0)
            lli_timeline_cancel(v->t);
        if (lli_timeline_wait(v->t, 1000, NULL) == LLMINF_E_INTERNAL || stats.length > NULL_TRAIN || all.sessions != 1)
            v->status = LLMINF_E_INTERNAL;
        sched_yield();
    }
    return NULL;
}

/* Whatever step a cancel meets: what was told is a beginning of what would have been told. */
static void test_cancel_anywhere(void **state)
{
    struct null_engine e;
    pthread_t threads[2];
    struct visitor v = {.status = LLMINF_OK};
    struct null_story prompt = {.n = 30}, story;
    struct lli_request_params params = null_engine_params();
    int32_t tokens[NULL_STORY];
    size_t n;
    (void)state;
    null_engine_init(&e, 20);
    assert_int_equal(null_engine_open(&e, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_open(&v.t, e.engine, NULL, NULL), LLMINF_OK);
    params.ignore_eog = 1;
    params.max_tokens = 30;
    null_engine_words(prompt.tokens, prompt.n, 5);
    story = prompt;
    null_engine_tell(&story, &params, NULL_TRAIN);
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_and_cancel, &v), 0);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(lli_timeline_truncate(v.t, 0, NULL), LLMINF_OK);
        assert_int_equal(lli_timeline_append(v.t, prompt.tokens, prompt.n, NULL), LLMINF_OK);
        assert_int_equal(lli_timeline_generate(v.t, &params, NULL), LLMINF_OK);
        assert_int_equal(lli_timeline_wait(v.t, -1, NULL), LLMINF_DONE);
        assert_int_equal(lli_timeline_tokens(v.t, 0, tokens, NULL_STORY, &n, NULL), LLMINF_OK);
        assert_in_range(n, prompt.n, story.n);
        assert_memory_equal(tokens, story.tokens, n * sizeof *tokens);
    }
    atomic_store(&v.stop, 1);
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(v.status, LLMINF_OK);
    lli_timeline_close(v.t);
    assert_null(null_engine_close(&e));
}

/* A wait in progress when its session is closed. */
static void test_close_under_wait(void **state)
{
    struct null_engine e;
    pthread_t threads[3];
    int32_t id = 7;
    struct lli_request_params params = null_engine_params();
    (void)state;
    null_engine_init(&e, 20);
    assert_int_equal(null_engine_open(&e, NULL), LLMINF_OK);
    for (int round = 0; round < 20; round++) {
        struct visitor v[3];
        struct lli_timeline *t;
        assert_int_equal(lli_timeline_open(&t, e.engine, NULL, NULL), LLMINF_OK);
        assert_int_equal(lli_timeline_append(t, &id, 1, NULL), LLMINF_OK);
        null_forward_allow(0);
        assert_int_equal(lli_timeline_generate(t, &params, NULL), LLMINF_OK);
        for (int i = 0; i < 3; i++) {
            v[i] = (struct visitor){.t = t};
            assert_int_equal(pthread_create(&threads[i], NULL, wait_for_end, &v[i]), 0);
        }
        for (int n_waiters = 0; n_waiters < 3; sched_yield()) {
            pthread_mutex_lock(&t->output.lock);
            n_waiters = (int)t->output.n_waiters;
            pthread_mutex_unlock(&t->output.lock);
        }
        null_forward_allow(-1);
        lli_timeline_close(t);
        for (int i = 0; i < 3; i++) {
            pthread_join(threads[i], NULL);
            assert_true(v[i].status == LLMINF_E_STATE || v[i].status == LLMINF_DONE); /* DONE: the cancel was seen first */
        }
        null_forward_reset();
    }
    assert_null(null_engine_close(&e));
}

/* 46: no wait ends by its time-out where something was released: no wake-up is lost. A lost one could also hide behind the
 * short sleep of the engine while a request is open: hardly any pair takes so long. */
static void test_wake_ups(void **state)
{
    struct null_engine e;
    struct lli_timeline *t;
    struct lli_request_params params = null_engine_params();
    int32_t id = 7;
    size_t n;
    (void)state;
    null_engine_init(&e, 20);
    assert_int_equal(null_engine_open(&e, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_open(&t, e.engine, NULL, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_append(t, &id, 1, NULL), LLMINF_OK);
    params.max_tokens = 1;
    params.ignore_eog = 1;
    int n_slow = 0;
    for (int i = 0; i < n_pairs; i++) {
        int64_t start = lli_clock_ns();
        assert_int_equal(lli_timeline_truncate(t, 1, NULL), LLMINF_OK);
        assert_int_equal(lli_timeline_generate(t, &params, NULL), LLMINF_OK);
        assert_int_equal(lli_timeline_read_tokens(t, &id, 1, &n, 20000000000, NULL), LLMINF_OK);
        if (i % 2)
            assert_int_equal(lli_timeline_read_tokens(t, &id, 1, &n, 20000000000, NULL), LLMINF_DONE);
        else
            assert_int_equal(lli_timeline_wait(t, 20000000000, NULL), LLMINF_DONE);
        n_slow += lli_clock_ns() - start > 19000000;
    }
    assert_true(n_slow <= 10 + n_pairs / 100);
    lli_timeline_close(t);
    assert_null(null_engine_close(&e));
}

/* 45: with nothing to do the engine's thread takes no CPU time at all. */
static void test_idle(void **state)
{
    struct null_engine e;
    struct lli_timeline *t;
    struct lli_request_params params = null_engine_params();
    struct timespec before, after;
    clockid_t clock;
    int32_t id = 7;
    (void)state;
    null_engine_init(&e, 20);
    e.options.n_threads = 2;
    assert_int_equal(null_engine_open(&e, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_open(&t, e.engine, NULL, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_append(t, &id, 1, NULL), LLMINF_OK);
    params.max_tokens = 5;
    assert_int_equal(lli_timeline_generate(t, &params, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_wait(t, -1, NULL), LLMINF_DONE);
    assert_int_equal(pthread_getcpuclockid(e.engine->thread, &clock), 0);
    nanosleep(&(struct timespec){.tv_nsec = 100000000}, NULL); /* until it sleeps */
    assert_int_equal(clock_gettime(clock, &before), 0);
    nanosleep(&(struct timespec){.tv_sec = 1}, NULL);
    assert_int_equal(clock_gettime(clock, &after), 0);
    assert_int_equal((after.tv_sec - before.tv_sec) * 1000000000 + after.tv_nsec - before.tv_nsec, 0);
    lli_timeline_close(t);
    assert_null(null_engine_close(&e));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hosts),
        cmocka_unit_test(test_cancel_anywhere),
        cmocka_unit_test(test_close_under_wait),
        cmocka_unit_test(test_wake_ups),
        cmocka_unit_test(test_idle),
    };
    if (argc == 2)
        n_pairs = atoi(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
