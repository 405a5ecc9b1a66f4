/* Sessions through the public API, on a small random model: order of closing, reading, threads, limits, values by key. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <llminf/llminf.h>

#include "support/gguf_make.h"
#include "support/support.h"

static uint8_t *file;
static size_t file_size;

struct host {
    llminf_model *model;
    llminf_context *context;
    llminf_session *session;
};

static int make_file(void **state)
{
    struct test_model_spec spec = {.seed = 1};
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

static llminf_options *bag(const char *kind, const char *key, const char *value)
{
    llminf_options *options;
    llminf_error error;
    assert_int_equal(llminf_options_open(&options, kind, &error), LLMINF_OK);
    if (key != NULL)
        assert_int_equal(llminf_options_parse(options, key, value, -1, &error), LLMINF_OK);
    return options;
}

static void open_host(struct host *h)
{
    llminf_error error;
    assert_int_equal(llminf_model_open_memory(&h->model, file, file_size, NULL, &error), LLMINF_OK);
    assert_int_equal(llminf_context_open(&h->context, h->model, NULL, &error), LLMINF_OK);
    assert_int_equal(llminf_session_open(&h->session, h->context, NULL, &error), LLMINF_OK);
}

static void close_host(struct host *h)
{
    llminf_model_close(h->model);
    llminf_context_close(h->context);
    llminf_session_close(h->session);
}

/* All text of a generation; freed by the caller. */
static char *read_all(llminf_session *session, size_t room)
{
    char *all = calloc(1, 65536), *piece = malloc(room);
    size_t n, total = 0;
    llminf_status status;
    while ((status = llminf_session_read(session, piece, room, &n, -1, NULL)) == LLMINF_OK && total + n < 65535) {
        memcpy(all + total, piece, n);
        total += n;
    }
    free(piece);
    if (status != LLMINF_DONE) {
        free(all);
        return NULL;
    }
    return all;
}

static char *tell(llminf_session *session, const char *prompt, const llminf_options *options, size_t room)
{
    if (llminf_session_append_text(session, prompt, -1, LLMINF_TEXT_BOUNDS, NULL) != LLMINF_OK ||
        llminf_session_generate(session, NULL, options, NULL) != LLMINF_OK)
        return NULL;
    return read_all(session, room);
}

static int64_t number_of(llminf_session *session, const char *key)
{
    int64_t value;
    assert_int_equal(llminf_session_int(session, key, &value, NULL), LLMINF_OK);
    return value;
}

static void generate_all(llminf_session *session, const llminf_sampler *sampler, int64_t max_tokens)
{
    llminf_options *options = bag("generate", "ignore_eog", "1");
    llminf_error error;
    assert_int_equal(llminf_options_set_int(options, "max_tokens", max_tokens, NULL), LLMINF_OK);
    if (llminf_session_generate(session, sampler, options, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
    assert_int_equal(number_of(session, "stop_reason"), LLMINF_STOP_LENGTH);
    llminf_options_close(options);
}

/* Full, or only at the end of max_tokens; and how to go on, with the tokens that a session alone would give. */
static void test_full(void **state)
{
    enum { LENGTH = 96, KEEP = 20 };
    struct host h;
    llminf_options *options = bag("session", "max_length", "96"), *hot = bag("sampler", "temperature", "1.5");
    llminf_session *other;
    llminf_sampler *sampler;
    llminf_token prompt[30], all[LENGTH], tail[LENGTH], want[LENGTH];
    llminf_error error;
    int64_t before, after;
    size_t n;
    (void)state;
    for (int i = 0; i < 30; i++)
        prompt[i] = 30 + 3 * i;
    open_host(&h);
    llminf_session_close(h.session);
    assert_int_equal(llminf_session_open(&h.session, h.context, options, NULL), LLMINF_OK);
    assert_int_equal(llminf_sampler_open(&sampler, h.model, hot, NULL), LLMINF_OK);
    assert_int_equal(number_of(h.session, "room"), LENGTH);
    assert_int_equal(llminf_session_append(h.session, prompt, 30, NULL), LLMINF_OK);
    generate_all(h.session, sampler, 10);
    assert_int_equal(number_of(h.session, "room"), LENGTH - 40);
    generate_all(h.session, sampler, -1);
    assert_int_equal(number_of(h.session, "room"), 0);
    assert_int_equal(llminf_session_generate(h.session, NULL, NULL, &error), LLMINF_E_TOO_LONG);
    assert_int_equal(llminf_session_append(h.session, prompt, 1, &error), LLMINF_E_TOO_LONG);
    assert_int_equal(llminf_session_tokens(h.session, 0, all, LENGTH, &n, NULL), LLMINF_OK);
    assert_int_equal(n, LENGTH);
    size_t drop = (LENGTH - KEEP) / 2;
    assert_int_equal(llminf_session_tokens(h.session, KEEP + drop, tail, LENGTH, &n, NULL), LLMINF_OK);
    assert_int_equal(n, LENGTH - KEEP - drop);
    assert_int_equal(llminf_session_truncate(h.session, KEEP, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_append(h.session, tail, n, NULL), LLMINF_OK);
    assert_int_equal(number_of(h.session, "room"), drop);
    assert_int_equal(llminf_context_int(h.context, "prefill_tokens", &before, NULL), LLMINF_OK);
    generate_all(h.session, sampler, -1);
    assert_int_equal(llminf_context_int(h.context, "prefill_tokens", &after, NULL), LLMINF_OK);
    assert_int_equal(after - before, n); /* what was kept is there, the rest is computed anew */
    assert_int_equal(number_of(h.session, "generated"), drop);
    assert_int_equal(llminf_session_tokens(h.session, 0, want, LENGTH, &n, NULL), LLMINF_OK);
    assert_int_equal(n, LENGTH);
    assert_int_equal(llminf_options_set_int(options, "prefix_cache", 0, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_open(&other, h.context, options, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_append(other, all, KEEP, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_append(other, all + KEEP + drop, LENGTH - KEEP - drop, NULL), LLMINF_OK);
    generate_all(other, sampler, -1);
    assert_int_equal(llminf_session_tokens(other, 0, all, LENGTH, &n, NULL), LLMINF_OK);
    assert_memory_equal(all, want, sizeof all);
    llminf_session_close(other);
    llminf_sampler_close(sampler);
    llminf_options_close(options);
    llminf_options_close(hot);
    close_host(&h);
}

/* Oracle 44 of the engine's design: in every order of handles, while a session is idle, and while it and its fork generate. */
static void test_any_order(void **state)
{
    static const int orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    llminf_options *few = bag("generate", "max_tokens", "5"), *many = bag("generate", "ignore_eog", "1");
    (void)state;
    for (int i = 0; i < 24; i++) {
        llminf_session *fork;
        struct host h;
        char *text;
        open_host(&h);
        text = tell(h.session, "a cat", few, 64);
        assert_non_null(text);
        free(text);
        assert_int_equal(llminf_session_fork(&fork, h.session, NULL), LLMINF_OK);
        if (i % 4 & 1)
            assert_int_equal(llminf_session_generate(h.session, NULL, many, NULL), LLMINF_OK);
        if (i % 4 & 2)
            assert_int_equal(llminf_session_generate(fork, NULL, many, NULL), LLMINF_OK);
        for (int k = 0; k < 3; k++) {
            if (orders[i / 4][k] == 0)
                llminf_model_close(h.model);
            else if (orders[i / 4][k] == 1)
                llminf_context_close(h.context);
            else
                llminf_session_close(i % 3 ? h.session : fork);
        }
        llminf_session_close(i % 3 ? fork : h.session);
    }
    llminf_options_close(few);
    llminf_options_close(many);
}

/* A closed model and context go on serving. */
static void test_orphan(void **state)
{
    llminf_options *options = bag("generate", "max_tokens", "8");
    struct host h;
    char *first, *second;
    (void)state;
    open_host(&h);
    first = tell(h.session, "a cat", options, 64);
    llminf_session_close(h.session);
    assert_int_equal(llminf_session_open(&h.session, h.context, NULL, NULL), LLMINF_OK);
    llminf_model_close(h.model);
    llminf_context_close(h.context);
    second = tell(h.session, "a cat", options, 5);
    assert_non_null(first);
    assert_string_equal(first, second);
    llminf_session_close(h.session);
    llminf_options_close(options);
    free(first);
    free(second);
}

static void test_wrong_handles(void **state)
{
    struct host h;
    llminf_session *session;
    llminf_error error;
    char text[8];
    size_t n;
    (void)state;
    open_host(&h);
    assert_int_equal(llminf_session_open(&session, (llminf_context *)(void *)h.model, NULL, &error), LLMINF_E_INVALID);
    assert_string_equal(error.subject, "context");
    assert_int_equal(llminf_session_open(NULL, h.context, NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_session_append(NULL, NULL, 0, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_session_append(h.session, NULL, 3, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_session_append(h.session, (llminf_token[]){-1}, 1, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_session_append(h.session, (llminf_token[]){1, INT32_MAX}, 2, &error), LLMINF_E_INVALID);
    assert_int_equal(error.position, 1);
    assert_int_equal(llminf_session_generate(h.session, NULL, NULL, &error), LLMINF_E_STATE);
    assert_int_equal(llminf_session_read(h.session, text, sizeof text, &n, 0, &error), LLMINF_E_STATE);
    assert_int_equal(llminf_session_wait(h.session, 0, &error), LLMINF_E_STATE);
    assert_int_equal(llminf_session_read(h.session, text, sizeof text, &n, -2, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_session_append_text(h.session, "\xff", -1, 0, &error), LLMINF_E_INVALID);
    assert_int_equal(error.position, 0);
    assert_int_equal(llminf_session_append_text(h.session, "a", -1, 64, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_session_append_text(h.session, "a", -5, 0, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_session_truncate(h.session, 1, &error), LLMINF_E_INVALID);
    close_host(&h);
    llminf_model_close(NULL);
    llminf_context_close(NULL);
    llminf_session_close(NULL);
    llminf_session_cancel(NULL);
}

static void test_too_long(void **state)
{
    llminf_options *options = bag("session", "max_length", "20");
    llminf_token ids[21] = {0};
    struct host h;
    llminf_error error;
    char *text;
    int64_t reason;
    (void)state;
    open_host(&h);
    llminf_session_close(h.session);
    assert_int_equal(llminf_session_open(&h.session, h.context, options, &error), LLMINF_OK);
    for (int i = 0; i < 21; i++)
        ids[i] = 5 + i;
    assert_int_equal(llminf_session_append(h.session, ids, 21, &error), LLMINF_E_TOO_LONG);
    assert_int_equal(llminf_session_append(h.session, ids, 18, &error), LLMINF_OK);
    text = tell(h.session, "", NULL, 64);
    assert_non_null(text);
    assert_int_equal(llminf_session_int(h.session, "stop_reason", &reason, &error), LLMINF_OK);
    assert_true(reason == LLMINF_STOP_LENGTH || reason == LLMINF_STOP_EOG);
    free(text);
    llminf_options_close(options);
    close_host(&h);
}

/* The text does not hang on the size of the reader's buffer. */
/* A table of learned positions ends: nothing is computed behind it, whatever length a session was promised. */
static void test_known_positions(void **state)
{
    struct test_model_spec spec = {.arch = "gpt2", .n_context = 64};
    llminf_options *context_options = bag("context", "kv_budget_bytes", "4MiB"), *options = bag("session", "max_length", "500");
    llminf_options *some = bag("generate", "max_tokens", "4"), *more = bag("generate", "max_tokens", "5");
    llminf_token ids[60];
    llminf_error error;
    struct host h;
    size_t size;
    (void)state;
    for (int i = 0; i < 60; i++)
        ids[i] = 5 + i % 7;
    uint8_t *bytes = test_model_make(&spec, &size);
    assert_int_equal(llminf_model_open_memory(&h.model, bytes, size, NULL, &error), LLMINF_OK);
    assert_int_equal(llminf_context_open(&h.context, h.model, context_options, &error), LLMINF_OK);
    assert_int_equal(llminf_session_open(&h.session, h.context, options, &error), LLMINF_OK);
    assert_int_equal(llminf_session_append(h.session, ids, 60, &error), LLMINF_OK);
    assert_int_equal(llminf_session_generate(h.session, NULL, NULL, &error), LLMINF_E_TOO_LONG);
    assert_int_equal(llminf_session_generate(h.session, NULL, more, &error), LLMINF_E_TOO_LONG);
    assert_non_null(strstr(error.text, "64 positions"));
    assert_int_equal(llminf_session_generate(h.session, NULL, some, &error), LLMINF_OK);
    free(read_all(h.session, 64));
    close_host(&h);
    llminf_options_close(context_options);
    llminf_options_close(options);
    llminf_options_close(some);
    llminf_options_close(more);
    free(bytes);
}

static void test_small_reads(void **state)
{
    llminf_options *options = bag("generate", "max_tokens", "40");
    char *all[3];
    (void)state;
    assert_int_equal(llminf_options_parse(options, "ignore_eog", "1", -1, NULL), LLMINF_OK);
    for (int i = 0; i < 3; i++) {
        static const size_t rooms[] = {5, 17, 4096};
        struct host h;
        open_host(&h);
        all[i] = tell(h.session, "the dog", options, rooms[i]);
        assert_non_null(all[i]);
        close_host(&h);
    }
    assert_string_equal(all[0], all[2]);
    assert_string_equal(all[1], all[2]);
    for (int i = 0; i < 3; i++)
        free(all[i]);
    llminf_options_close(options);
}

static void test_values(void **state)
{
    struct host h;
    int64_t n;
    double real;
    const char *text;
    size_t length;
    char name[16];
    llminf_error error;
    (void)state;
    open_host(&h);
    assert_int_equal(llminf_model_text(h.model, "arch", &text, &length, &error), LLMINF_OK);
    assert_string_equal(text, "llama");
    assert_int_equal(llminf_model_int(h.model, "n_layers", &n, &error), LLMINF_OK);
    assert_int_equal(n, 2);
    assert_int_equal(llminf_model_int(h.model, "llama.block_count", &n, &error), LLMINF_OK);
    assert_int_equal(n, 2);
    assert_int_equal(llminf_model_int(h.model, "n_vocab", &n, &error), LLMINF_OK);
    assert_int_equal(n, 320);
    assert_int_equal(llminf_model_int(h.model, "tokenizer.ggml.tokens[]", &n, &error), LLMINF_OK);
    assert_int_equal(n, 320);
    assert_int_equal(llminf_model_text(h.model, "tokenizer.ggml.tokens[1]", &text, &length, &error), LLMINF_OK);
    assert_memory_equal(text, "<s>", 3);
    assert_int_equal(llminf_model_text(h.model, "tokenizer.ggml.tokens[320]", &text, &length, &error), LLMINF_E_NOT_FOUND);
    assert_int_equal(llminf_model_float(h.model, "llama.attention.layer_norm_rms_epsilon", &real, &error), LLMINF_OK);
    assert_true(real > 0 && real < 1e-3);
    assert_int_equal(llminf_model_int(h.model, "llama.attention.layer_norm_rms_epsilon", &n, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_model_int(h.model, "nothing", &n, &error), LLMINF_E_NOT_FOUND);
    assert_int_equal(llminf_model_int(h.model, "no.thing", &n, &error), LLMINF_E_NOT_FOUND);
    assert_int_equal(llminf_model_text(h.model, "tensor_name[0]", &text, &length, &error), LLMINF_OK);
    assert_int_equal(llminf_model_text(h.model, "tensor_name[99999999999999999999]", &text, &length, &error),
                     LLMINF_E_NOT_FOUND);
    assert_non_null(llminf_model_key(h.model, 0));
    assert_null(llminf_model_key(h.model, 100000));
    assert_int_equal(llminf_context_int(h.context, "option.threads", &n, &error), LLMINF_OK);
    assert_true(n >= 1);
    assert_int_equal(llminf_context_text(h.context, "option.backend", name, sizeof name, &length, &error), LLMINF_OK);
    assert_string_not_equal(name, "auto");
    assert_int_equal(llminf_context_text(h.context, "option.backend", name, 2, &length, &error), LLMINF_E_TOO_SMALL);
    assert_true(length > 1);
    for (size_t i = 0; llminf_schema_key("stats.context", i) != NULL; i++)
        assert_int_equal(llminf_context_int(h.context, llminf_schema_key("stats.context", i), &n, &error), LLMINF_OK);
    for (size_t i = 0; llminf_schema_key("stats.session", i) != NULL; i++)
        assert_int_equal(llminf_session_int(h.session, llminf_schema_key("stats.session", i), &n, &error), LLMINF_OK);
    close_host(&h);
}

/* A file opened for text alone: its tensors are listed, the network is not there. */
static void test_text_alone(void **state)
{
    llminf_options *options = bag("model", "vocab_only", "1");
    llminf_model *model;
    llminf_context *context;
    llminf_error error;
    const char *text;
    size_t length;
    int64_t n;
    (void)state;
    assert_int_equal(llminf_model_open_memory(&model, file, file_size, options, &error), LLMINF_OK);
    assert_int_equal(llminf_model_int(model, "tensor_name[]", &n, &error), LLMINF_OK);
    assert_true(n > 10);
    assert_int_equal(llminf_model_text(model, "tensor_type[0]", &text, &length, &error), LLMINF_OK);
    assert_string_equal(text, "f32");
    assert_int_equal(llminf_model_int(model, "n_vocab", &n, &error), LLMINF_OK);
    assert_int_equal(llminf_model_int(model, "n_layers", &n, &error), LLMINF_E_NOT_FOUND);
    assert_int_equal(llminf_context_open(&context, model, NULL, &error), LLMINF_E_STATE);
    assert_null(context);
    llminf_model_close(model);
    llminf_options_close(options);
}

static void test_text(void **state)
{
    struct host h;
    llminf_token ids[64];
    char text[64];
    size_t n, length;
    llminf_error error;
    (void)state;
    open_host(&h);
    assert_int_equal(llminf_text_encode(h.model, "a cat", -1, LLMINF_TEXT_BOUNDS, NULL, 0, &n, &error), LLMINF_OK);
    assert_true(n > 1 && n < 64);
    assert_int_equal(llminf_text_encode(h.model, "a cat", -1, LLMINF_TEXT_BOUNDS, ids, n - 1, &n, &error), LLMINF_E_TOO_SMALL);
    assert_int_equal(llminf_text_encode(h.model, "a cat", -1, LLMINF_TEXT_BOUNDS, ids, 64, &n, &error), LLMINF_OK);
    assert_int_equal(ids[0], 1);
    assert_int_equal(llminf_text_decode(h.model, ids, n, 0, text, sizeof text, &length, &error), LLMINF_OK);
    assert_string_equal(text, "a cat");
    assert_int_equal(llminf_text_decode(h.model, ids, n, 0, text, 5, &length, &error), LLMINF_E_TOO_SMALL);
    assert_int_equal(length, 5);
    assert_int_equal(llminf_text_kind(h.model, 1), LLMINF_TOKEN_CONTROL);
    assert_int_equal(llminf_text_kind(h.model, 2) & LLMINF_TOKEN_EOG, LLMINF_TOKEN_EOG);
    assert_int_equal(llminf_text_kind(h.model, 320), -1);
    assert_int_equal(llminf_text_kind(h.model, -1), -1);
    ids[0] = 320;
    assert_int_equal(llminf_text_decode(h.model, ids, 1, 0, NULL, 0, &length, &error), LLMINF_E_INVALID);
    close_host(&h);
}

/* Each thread a session of its own; all tell what one alone tells. */
struct teller {
    struct host *host;
    llminf_options *options; /* a bag is for one thread at a time */
    char *texts[4];
};

static void *tell_four(void *arg)
{
    struct teller *t = arg;
    for (int i = 0; i < 4; i++) {
        llminf_session *session;
        if (llminf_session_open(&session, t->host->context, NULL, NULL) != LLMINF_OK)
            return NULL;
        t->texts[i] = tell(session, i % 2 ? "a cat" : "the dog and the cat", t->options, 32);
        llminf_session_close(session);
    }
    return NULL;
}

static void test_threads(void **state)
{
    struct teller tellers[8] = {{0}};
    pthread_t threads[8];
    struct host h;
    (void)state;
    open_host(&h);
    for (int i = 0; i < 8; i++) {
        tellers[i].host = &h;
        tellers[i].options = bag("generate", "max_tokens", "12");
        assert_int_equal(pthread_create(&threads[i], NULL, tell_four, &tellers[i]), 0);
    }
    for (int i = 0; i < 8; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < 8; i++)
        for (int k = 0; k < 4; k++) {
            assert_non_null(tellers[i].texts[k]);
            assert_string_equal(tellers[i].texts[k], tellers[0].texts[k % 2]);
        }
    for (int i = 0; i < 8; i++) {
        for (int k = 0; k < 4; k++)
            free(tellers[i].texts[k]);
        llminf_options_close(tellers[i].options);
    }
    close_host(&h);
}

static void *cancel_soon(void *arg)
{
    for (int i = 0; i < 1000; i++)
        llminf_session_cancel(arg);
    return NULL;
}

static void test_cancel(void **state)
{
    llminf_options *options = bag("generate", "ignore_eog", "1");
    struct host h;
    (void)state;
    open_host(&h);
    for (int i = 0; i < 10; i++) {
        pthread_t thread;
        int64_t reason;
        assert_int_equal(llminf_session_truncate(h.session, 0, NULL), LLMINF_OK);
        assert_int_equal(llminf_session_append_text(h.session, "a cat", -1, LLMINF_TEXT_BOUNDS, NULL), LLMINF_OK);
        assert_int_equal(llminf_session_generate(h.session, NULL, options, NULL), LLMINF_OK);
        assert_int_equal(pthread_create(&thread, NULL, cancel_soon, h.session), 0);
        assert_int_equal(llminf_session_wait(h.session, 10000000000, NULL), LLMINF_DONE);
        pthread_join(thread, NULL);
        assert_int_equal(llminf_session_int(h.session, "stop_reason", &reason, NULL), LLMINF_OK);
        assert_true(reason == LLMINF_STOP_CANCEL || reason == LLMINF_STOP_LENGTH);
    }
    close_host(&h);
    llminf_options_close(options);
}

/* Equal logits for any number of threads and any way to cut the prompt. */
static void test_same_bits(void **state)
{
    static const char *const threads[] = {"1", "2", "3", "8"};
    static const size_t chunks[] = {1, 7, 16, 40};
    static float first[40 * 320], other[40 * 320];
    llminf_options *options = bag("generate", "max_tokens", "0");
    llminf_token ids[40];
    (void)state;
    assert_int_equal(llminf_options_parse(options, "logits", "all", -1, NULL), LLMINF_OK);
    for (int i = 0; i < 40; i++)
        ids[i] = 3 + (i * 37) % 300;
    for (size_t t = 0; t < 4; t++) {
        llminf_options *for_context = bag("context", "threads", threads[t]);
        for (size_t c = 0; c < 4; c++) {
            float *out = t + c == 0 ? first : other;
            struct host h = {0};
            size_t n;
            assert_int_equal(llminf_model_open_memory(&h.model, file, file_size, NULL, NULL), LLMINF_OK);
            assert_int_equal(llminf_context_open(&h.context, h.model, for_context, NULL), LLMINF_OK);
            assert_int_equal(llminf_session_open(&h.session, h.context, NULL, NULL), LLMINF_OK);
            for (size_t from = 0; from < 40; from += chunks[c]) {
                size_t to = from + chunks[c] < 40 ? from + chunks[c] : 40;
                assert_int_equal(llminf_session_append(h.session, ids + from, to - from, NULL), LLMINF_OK);
                assert_int_equal(llminf_session_generate(h.session, NULL, options, NULL), LLMINF_OK);
                assert_int_equal(llminf_session_wait(h.session, -1, NULL), LLMINF_DONE);
                for (size_t i = from; i < to; i++)
                    assert_int_equal(llminf_session_logits(h.session, i, out + i * 320, 320, &n, NULL), LLMINF_OK);
            }
            assert_memory_equal(first, out, sizeof first);
            close_host(&h);
        }
        llminf_options_close(for_context);
    }
    llminf_options_close(options);
}

static void test_sampler(void **state)
{
    llminf_options *options = bag("sampler", "temperature", "0");
    llminf_sampler *sampler;
    float logits[5] = {0, 3, 3, -1, 2};
    llminf_token token;
    llminf_error error;
    (void)state;
    assert_int_equal(llminf_sampler_open(&sampler, NULL, options, &error), LLMINF_OK);
    assert_int_equal(llminf_sampler_pick(sampler, logits, 5, &token, &error), LLMINF_OK);
    assert_int_equal(token, 1);
    assert_int_equal(llminf_sampler_set_bias(sampler, (llminf_token[]){1, 2}, (float[]){-100, -100}, 2, &error), LLMINF_OK);
    assert_int_equal(llminf_sampler_pick(sampler, logits, 5, &token, &error), LLMINF_OK);
    assert_int_equal(token, 4);
    assert_int_equal(llminf_sampler_accept(sampler, 4, &error), LLMINF_OK);
    assert_int_equal(llminf_sampler_accept(sampler, -1, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_sampler_reset(sampler, &error), LLMINF_OK);
    logits[0] = __builtin_nanf("");
    assert_int_equal(llminf_sampler_pick(sampler, logits, 5, &token, &error), LLMINF_E_NUMERIC);
    assert_int_equal(llminf_sampler_pick(sampler, NULL, 5, &token, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_sampler_pick(sampler, logits, 0, &token, &error), LLMINF_E_INVALID);
    llminf_sampler_close(sampler);
    llminf_sampler_close(NULL);
    llminf_options_close(options);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_full),          cmocka_unit_test(test_any_order), cmocka_unit_test(test_orphan),
        cmocka_unit_test(test_wrong_handles), cmocka_unit_test(test_too_long),  cmocka_unit_test(test_small_reads),
        cmocka_unit_test(test_values),        cmocka_unit_test(test_text),      cmocka_unit_test(test_text_alone),
        cmocka_unit_test(test_threads),       cmocka_unit_test(test_cancel),    cmocka_unit_test(test_same_bits),
        cmocka_unit_test(test_sampler),       cmocka_unit_test(test_known_positions),
    };
    return cmocka_run_group_tests(tests, make_file, drop_file);
}
