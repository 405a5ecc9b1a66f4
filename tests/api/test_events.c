/* What a host can have instead of blocking calls, and what it can ask of a generation: its own steps, descriptors, callbacks,
 * deadlines, pauses, scores, bans. On a small random model. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <llminf/llminf.h>

#include "support/gguf_make.h"

static uint8_t *file;
static size_t file_size;
static llminf_model *model;
static size_t n_vocab;

static int open_model(void **state)
{
    struct test_model_spec spec = {.seed = 1};
    int64_t n;
    (void)state;
    file = test_model_make(&spec, &file_size);
    if (!file || llminf_model_open_memory(&model, file, file_size, NULL, NULL) != LLMINF_OK)
        return 1;
    if (llminf_model_int(model, "n_vocab", &n, NULL) != LLMINF_OK)
        return 1;
    n_vocab = (size_t)n;
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    llminf_model_close(model);
    free(file);
    return 0;
}

/* Up to three keys; the rest NULL. */
static llminf_options *bag(const char *kind, const char *const pairs[])
{
    llminf_options *options;
    llminf_error error;
    assert_int_equal(llminf_options_open(&options, kind, NULL), LLMINF_OK);
    for (int i = 0; pairs[i]; i += 2)
        if (llminf_options_parse(options, pairs[i], pairs[i + 1], -1, &error) != LLMINF_OK)
            fail_msg("%s", error.text);
    return options;
}

#define BAG(kind, ...) bag(kind, (const char *const[]){__VA_ARGS__, NULL})

static llminf_context *open_context(llminf_options *options)
{
    llminf_context *context;
    llminf_error error;
    if (llminf_context_open(&context, model, options, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    llminf_options_close(options);
    return context;
}

static llminf_session *open_session(llminf_context *context, llminf_options *options)
{
    llminf_session *session;
    llminf_token ids[20];
    for (int i = 0; i < 20; i++)
        ids[i] = 30 + 3 * i;
    assert_int_equal(llminf_session_open(&session, context, options, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_append(session, ids, 20, NULL), LLMINF_OK);
    llminf_options_close(options);
    return session;
}

static void generate(llminf_session *session, llminf_options *options)
{
    llminf_error error;
    if (llminf_session_generate(session, NULL, options, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    llminf_options_close(options);
}

static int64_t number(llminf_context *context, const char *key)
{
    int64_t value;
    assert_int_equal(llminf_context_int(context, key, &value, NULL), LLMINF_OK);
    return value;
}

static int64_t session_number(llminf_session *session, const char *key)
{
    int64_t value;
    assert_int_equal(llminf_session_int(session, key, &value, NULL), LLMINF_OK);
    return value;
}

static int is_readable(int32_t fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    return poll(&p, 1, 0) == 1;
}

/* ---- the host's own steps ---------------------------------------------------------------------------------------- */

static void test_host_driven(void **state)
{
    llminf_token token;
    llminf_error error;
    int32_t fd, none;
    size_t n, total = 0;
    (void)state;
    llminf_context *context = open_context(BAG("context", "host_driven", "1", "threads", "1"));
    llminf_session *session = open_session(context, NULL);
    assert_int_equal(llminf_context_step(context, 0, NULL), LLMINF_DONE);
    assert_int_equal(llminf_context_step(context, -1, NULL), LLMINF_E_INVALID);
    assert_int_equal(llminf_context_fd(context, &fd, NULL), LLMINF_OK);
    assert_false(is_readable(fd));
    generate(session, BAG("generate", "max_tokens", "5", "ignore_eog", "1"));
    assert_true(is_readable(fd));
    assert_int_equal(llminf_session_read_tokens(session, &token, 1, &n, -1, NULL), LLMINF_AGAIN); /* never blocks */
    assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_AGAIN);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(llminf_context_step(context, 0, NULL), LLMINF_OK);
        while (llminf_session_read_tokens(session, &token, 1, &n, 0, NULL) == LLMINF_OK)
            total += n;
        assert_int_equal(total, i + 1);
    }
    assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
    assert_int_equal(llminf_context_step(context, 0, NULL), LLMINF_DONE);
    assert_false(is_readable(fd));
    generate(session, BAG("generate", "max_tokens", "5", "ignore_eog", "1"));
    assert_int_equal(llminf_context_step(context, 1000000000000, NULL), LLMINF_OK); /* until nothing is left */
    assert_int_equal(llminf_session_wait(session, 0, NULL), LLMINF_DONE);
    generate(session, BAG("generate", "max_tokens", "50"));
    llminf_session_cancel(session); /* seen by a read, without a step */
    assert_int_equal(llminf_session_read_tokens(session, &token, 1, &n, 0, NULL), LLMINF_AGAIN);
    assert_int_equal(llminf_session_read_tokens(session, &token, 1, &n, 0, NULL), LLMINF_DONE);
    assert_int_equal(session_number(session, "stop_reason"), LLMINF_STOP_CANCEL);
    llminf_session_close(session);
    llminf_context_close(context);
    context = open_context(BAG("context", "threads", "1"));
    assert_int_equal(llminf_context_step(context, 0, &error), LLMINF_E_STATE);
    assert_string_equal(error.subject, "host_driven");
    assert_int_equal(llminf_context_fd(context, &none, NULL), LLMINF_E_STATE);
    assert_int_equal(none, -1);
    llminf_context_close(context);
}

/* ---- events ------------------------------------------------------------------------------------------------------ */

struct listener {
    llminf_session *session;
    _Atomic int n_calls, is_inside;
};

static void on_news(void *user)
{
    struct listener *l = user;
    int64_t state;
    atomic_store(&l->is_inside, 1);
    if (llminf_session_int(l->session, "state", &state, NULL) == LLMINF_OK)
        atomic_fetch_add(&l->n_calls, 1);
    if (atomic_load(&l->n_calls) == 5)
        llminf_session_cancel(l->session);
    atomic_store(&l->is_inside, 0);
}

static void test_notify(void **state)
{
    (void)state;
    llminf_context *context = open_context(BAG("context", "threads", "2"));
    struct listener l = {.session = open_session(context, NULL)};
    assert_int_equal(llminf_session_notify(l.session, on_news, &l, NULL), LLMINF_OK);
    generate(l.session, BAG("generate", "max_tokens", "200", "ignore_eog", "1"));
    assert_int_equal(llminf_session_wait(l.session, -1, NULL), LLMINF_DONE);
    assert_int_equal(llminf_session_notify(l.session, NULL, NULL, NULL), LLMINF_OK);
    assert_int_equal(atomic_load(&l.is_inside), 0);
    int n = atomic_load(&l.n_calls);
    assert_true(n >= 5);
    assert_int_equal(session_number(l.session, "stop_reason"), LLMINF_STOP_CANCEL);
    generate(l.session, BAG("generate", "max_tokens", "3", "ignore_eog", "1"));
    assert_int_equal(llminf_session_wait(l.session, -1, NULL), LLMINF_DONE);
    assert_int_equal(atomic_load(&l.n_calls), n);
    llminf_session_close(l.session);
    llminf_context_close(context);
}

static void test_descriptor(void **state)
{
    llminf_token token;
    llminf_status status;
    int32_t fd;
    size_t n, total = 0;
    (void)state;
    llminf_context *context = open_context(BAG("context", "threads", "2"));
    llminf_session *session = open_session(context, NULL);
    assert_int_equal(llminf_session_fd(session, &fd, NULL), LLMINF_OK);
    for (int round = 0; round < 3; round++) {
        generate(session, BAG("generate", "max_tokens", "20", "ignore_eog", "1"));
        do {
            struct pollfd p = {.fd = fd, .events = POLLIN};
            assert_int_equal(poll(&p, 1, 20000), 1);
            while ((status = llminf_session_read_tokens(session, &token, 1, &n, 0, NULL)) == LLMINF_OK)
                total += n;
        } while (status == LLMINF_AGAIN);
        assert_int_equal(status, LLMINF_DONE);
        assert_true(is_readable(fd));
    }
    assert_int_equal(total, 60);
    llminf_session_close(session);
    llminf_context_close(context);
}

/* A pause ends when its reader comes; a deadline ends it too. */
static void test_read_ahead(void **state)
{
    llminf_token token;
    llminf_status status;
    size_t n, total = 0;
    (void)state;
    llminf_context *context = open_context(BAG("context", "threads", "2"));
    llminf_session *session = open_session(context, NULL);
    for (int late = 0; late < 2; late++) {
        generate(session, BAG("generate", "max_tokens", "40", "ignore_eog", "1", "read_ahead", "4", "deadline_ns",
                              late ? "100ms" : "0"));
        while (number(context, "paused") == 0 && session_number(session, "state") != LLMINF_STATE_IDLE)
            sched_yield();
        if (late) {
            assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
            assert_int_equal(session_number(session, "stop_reason"), LLMINF_STOP_DEADLINE);
            continue;
        }
        assert_int_equal(session_number(session, "generated"), 4);
        assert_int_equal(session_number(session, "state"), LLMINF_STATE_QUEUED);
        while ((status = llminf_session_read_tokens(session, &token, 1, &n, -1, NULL)) == LLMINF_OK)
            total += n;
        assert_int_equal(status, LLMINF_DONE);
        assert_int_equal(total, 40);
    }
    llminf_session_close(session);
    llminf_context_close(context);
}

/* ---- scores and bans --------------------------------------------------------------------------------------------- */

static double log_softmax(const float *logits, size_t id)
{
    double sum = 0, max = logits[0];
    for (size_t i = 0; i < n_vocab; i++)
        max = logits[i] > max ? logits[i] : max;
    for (size_t i = 0; i < n_vocab; i++)
        sum += exp(logits[i] - max);
    return logits[id] - max - log(sum);
}

static void test_logprobs(void **state)
{
    llminf_token tokens[4], all[64];
    float values[4], *logits = malloc(n_vocab * sizeof *logits);
    size_t n, n_all;
    (void)state;
    llminf_context *context = open_context(BAG("context", "threads", "1"));
    for (int warm = 0; warm < 2; warm++) {
        llminf_session *session = open_session(context, NULL);
        generate(session, BAG("generate", "max_tokens", "6", "ignore_eog", "1", "logits", "all", "logprobs", "2",
                              "prompt_logprobs", "3"));
        assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
        assert_int_equal(llminf_session_tokens(session, 0, all, 64, &n_all, NULL), LLMINF_OK);
        assert_int_equal(llminf_session_logprobs(session, 0, tokens, values, 4, &n, NULL), LLMINF_E_NOT_FOUND);
        assert_int_equal(llminf_session_logprobs(session, 1, NULL, NULL, 0, &n, NULL), LLMINF_OK);
        assert_int_equal(n, 4);
        assert_int_equal(llminf_session_logprobs(session, 1, tokens, values, 3, &n, NULL), LLMINF_E_TOO_SMALL);
        for (size_t pos = 1; pos < n_all; pos++) {
            assert_int_equal(llminf_session_logits(session, pos - 1, logits, n_vocab, &n, NULL), LLMINF_OK);
            assert_int_equal(llminf_session_logprobs(session, pos, tokens, values, 4, &n, NULL), LLMINF_OK);
            assert_int_equal(tokens[0], all[pos]);
            for (int i = 0; i < 4; i++)
                assert_true(fabs(values[i] - log_softmax(logits, (size_t)tokens[i])) < 1e-4);
            assert_true(values[1] >= values[2] && values[2] >= values[3] && values[1] >= values[0]);
            if (pos >= 20)
                assert_int_equal(tokens[1], all[pos]); /* greedy */
        }
        llminf_session_close(session);
    }
    free(logits);
    llminf_context_close(context);
}

/* The text that is told is forbidden; then another is told, without it. */
static void test_ban(void **state)
{
    llminf_token first[8], second[8];
    const char *text;
    size_t n, length;
    llminf_error error;
    llminf_sampler *sampler;
    (void)state;
    llminf_context *context = open_context(BAG("context", "threads", "1"));
    llminf_session *session = open_session(context, NULL);
    generate(session, BAG("generate", "max_tokens", "8", "ignore_eog", "1"));
    assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
    assert_int_equal(llminf_session_tokens(session, 20, first, 8, &n, NULL), LLMINF_OK);
    llminf_session_close(session);
    llminf_options *options = BAG("sampler", "temperature", "0");
    int n_banned = 0;
    for (int i = 0; i < 8; i++) { /* those that are text */
        llminf_token ids[8];
        assert_int_equal(llminf_text_token(model, first[i], &text, &length, NULL), LLMINF_OK);
        if (length == 0 || llminf_text_encode(model, text, (int64_t)length, 0, ids, 8, &n, NULL) != LLMINF_OK)
            continue;
        if (llminf_options_add_text(options, "ban", text, (int64_t)length, NULL) == LLMINF_OK)
            n_banned++;
    }
    assert_true(n_banned > 0);
    assert_int_equal(llminf_sampler_open(&sampler, NULL, options, &error), LLMINF_E_OPTION);
    assert_string_equal(error.subject, "ban");
    assert_int_equal(llminf_sampler_open(&sampler, model, options, NULL), LLMINF_OK);
    session = open_session(context, NULL);
    llminf_options *how = BAG("generate", "max_tokens", "8", "ignore_eog", "1");
    assert_int_equal(llminf_session_generate(session, sampler, how, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
    assert_int_equal(llminf_session_tokens(session, 20, second, 8, &n, NULL), LLMINF_OK);
    assert_memory_not_equal(first, second, sizeof first);
    llminf_options_close(how);
    llminf_options_close(options);
    llminf_sampler_close(sampler);
    llminf_session_close(session);
    llminf_context_close(context);
}

/* A host's own stage: every token is one that it allows, and it can end the generation. */
struct filter {
    pthread_t thread;
    int n_calls, n_most;
};

static int32_t only_even(void *user, float *logits, size_t count, const llminf_token *history, size_t n_history)
{
    struct filter *f = user;
    (void)history;
    if (n_history < 20 || (f->n_calls++ > 0 && !pthread_equal(f->thread, pthread_self())))
        return 1;
    f->thread = pthread_self();
    for (size_t i = 1; i < count; i += 2)
        logits[i] = -INFINITY;
    return f->n_calls > f->n_most;
}

static void test_filter(void **state)
{
    struct filter f = {.n_most = 12};
    llminf_sampler *sampler;
    llminf_token ids[64], token;
    llminf_error error;
    size_t n;
    (void)state;
    llminf_context *context = open_context(BAG("context", "threads", "2"));
    llminf_options *options = BAG("sampler", "order", "temperature,top_k", "top_k", "40"),
                   *bad = BAG("sampler", "order", "top_k,heat");
    assert_int_equal(llminf_sampler_open(&sampler, model, bad, &error), LLMINF_E_OPTION);
    assert_string_equal(error.subject, "order");
    assert_int_equal(llminf_sampler_open(&sampler, model, options, NULL), LLMINF_OK);
    assert_int_equal(llminf_sampler_set_filter(sampler, only_even, &f, NULL), LLMINF_OK);
    llminf_session *session = open_session(context, NULL);
    llminf_options *how = BAG("generate", "max_tokens", "40", "ignore_eog", "1");
    assert_int_equal(llminf_session_generate(session, sampler, how, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_wait(session, -1, &error), LLMINF_E_CALLBACK);
    assert_string_equal(error.subject, "filter");
    assert_int_equal(session_number(session, "stop_reason"), LLMINF_STOP_ERROR);
    assert_int_equal(llminf_session_tokens(session, 20, ids, 64, &n, NULL), LLMINF_OK);
    assert_int_equal(n, 12);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(ids[i] % 2, 0);
    float *logits = calloc(n_vocab, sizeof *logits);
    assert_int_equal(llminf_sampler_pick(sampler, logits, n_vocab, &token, &error), LLMINF_E_CALLBACK);
    assert_int_equal(llminf_sampler_set_filter(sampler, NULL, NULL, NULL), LLMINF_OK);
    assert_int_equal(llminf_sampler_pick(sampler, logits, n_vocab, &token, NULL), LLMINF_OK);
    free(logits);
    llminf_options_close(how);
    llminf_options_close(bad);
    llminf_options_close(options);
    llminf_sampler_close(sampler);
    llminf_session_close(session);
    llminf_context_close(context);
}

/* More beams find a text that is at least as probable; what goes with beams is said. */
static void test_beams(void **state)
{
    static const char *const refused[][2] = {{"logits", "all"}, {"logprobs", "0"}, {"prompt_logprobs", "0"}};
    llminf_token tokens[1];
    float value[1];
    double sums[2] = {0, 0};
    llminf_error error;
    size_t n;
    (void)state;
    llminf_context *context = open_context(BAG("context", "threads", "2"));
    llminf_session *session = open_session(context, NULL);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++) {
        llminf_options *how = BAG("generate", "beams", "2", refused[i][0], refused[i][1]);
        assert_int_equal(llminf_session_generate(session, NULL, how, &error), LLMINF_E_OPTION);
        assert_string_equal(error.subject, "beams");
        llminf_options_close(how);
    }
    llminf_session_close(session);
    for (int i = 0; i < 2; i++) {
        char text[256];
        session = open_session(context, NULL);
        generate(session, BAG("generate", "beams", i ? "6" : "1", "max_tokens", "10", "ignore_eog", "1"));
        assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
        assert_int_equal(session_number(session, "generated"), 10);
        assert_int_equal(session_number(session, "length"), 30);
        assert_int_equal(llminf_session_read(session, text, sizeof text, &n, 0, NULL), LLMINF_OK);
        assert_true(n > 0);
        llminf_session *judge; /* the same text, scored */
        llminf_token all[30];
        assert_int_equal(llminf_session_tokens(session, 0, all, 30, &n, NULL), LLMINF_OK);
        assert_int_equal(llminf_session_open(&judge, context, NULL, NULL), LLMINF_OK);
        assert_int_equal(llminf_session_append(judge, all, 30, NULL), LLMINF_OK);
        generate(judge, BAG("generate", "max_tokens", "0", "prompt_logprobs", "0"));
        assert_int_equal(llminf_session_wait(judge, -1, NULL), LLMINF_DONE);
        for (size_t pos = 20; pos < 30; pos++) {
            assert_int_equal(llminf_session_logprobs(judge, pos, tokens, value, 1, &n, NULL), LLMINF_OK);
            sums[i] += (double)value[0];
        }
        llminf_session_close(judge);
        llminf_session_close(session);
    }
    assert_true(sums[1] >= sums[0] - 1e-4);
    llminf_context_close(context);
}

/* ---- blocks ------------------------------------------------------------------------------------------------------ */

static void test_trim_and_salt(void **state)
{
    (void)state;
    llminf_context *context = open_context(BAG("context", "threads", "1", "kv_prefault", "1"));
    for (int round = 0; round < 2; round++) {
        static const char *const salts[] = {"a", "a", "b"};
        for (int i = 0; i < 3; i++) {
            llminf_session *session = open_session(context, BAG("session", "cache_salt", salts[i]));
            generate(session, BAG("generate", "max_tokens", "0"));
            assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
            assert_int_equal(session_number(session, "cached"), i == 1 ? 20 : 0);
            llminf_session_close(session);
        }
        assert_int_equal(number(context, "kv_blocks_cached"), 4);
        assert_int_equal(llminf_context_trim(context, -1, NULL), LLMINF_E_INVALID);
        assert_int_equal(llminf_context_trim(context, number(context, "kv_bytes_cached"), NULL), LLMINF_OK);
        assert_int_equal(number(context, "kv_blocks_cached"), 4);
        assert_int_equal(llminf_context_trim(context, 0, NULL), LLMINF_OK);
        assert_int_equal(number(context, "kv_blocks_cached"), 0);
    }
    llminf_context_close(context);
}

static void test_metrics(void **state)
{
    char *text;
    size_t length, n;
    (void)state;
    llminf_context *context = open_context(BAG("context", "threads", "1"));
    llminf_session *session = open_session(context, NULL);
    generate(session, BAG("generate", "max_tokens", "3", "ignore_eog", "1"));
    assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
    assert_int_equal(llminf_context_text(context, "metrics", NULL, 0, &length, NULL), LLMINF_OK);
    text = malloc(length + 256);
    assert_int_equal(llminf_context_text(context, "metrics", text, length + 256, &n, NULL), LLMINF_OK);
    assert_int_equal(strlen(text), n);
    assert_non_null(strstr(text, "# TYPE llminf_decode_tokens_total counter\nllminf_decode_tokens_total 3\n"));
    assert_non_null(strstr(text, "# HELP llminf_sessions open sessions\n# TYPE llminf_sessions gauge\nllminf_sessions 1\n"));
    assert_non_null(strstr(text, "llminf_first_token_ns_bucket{le=\"+Inf\"} 1\n"));
    for (size_t i = 0; llminf_schema_key("stats.context", i); i++) { /* every number that can be asked for is in it */
        char name[80] = "\nllminf_";
        strcat(name, llminf_schema_key("stats.context", i));
        assert_non_null(strstr(text, name));
        number(context, llminf_schema_key("stats.context", i));
    }
    for (size_t i = 0; llminf_schema_key("stats.session", i); i++)
        session_number(session, llminf_schema_key("stats.session", i));
    free(text);
    llminf_session_close(session);
    llminf_context_close(context);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host_driven), cmocka_unit_test(test_notify),   cmocka_unit_test(test_descriptor),
        cmocka_unit_test(test_read_ahead),  cmocka_unit_test(test_logprobs), cmocka_unit_test(test_ban),
        cmocka_unit_test(test_filter),      cmocka_unit_test(test_beams),    cmocka_unit_test(test_trim_and_salt),
        cmocka_unit_test(test_metrics),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
