/* Embeddings through the public API. What "last" gives for every beginning of a text says what "mean" and "cls" of the whole
 * must be, to the bit; that the states themselves are right is shown by tests/golden/embeddings.py. With --encoder the model
 * is one that sees both ways, with --window one most of whose layers see the last positions only. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <llminf/llminf.h>

#include "support/gguf_make.h"

enum { WIDTH = 64, N = 12, LENGTH = 75, SHARED = 40, N_KINDS = 3 };

static const char *const kinds[N_KINDS] = {"last", "mean", "cls"};
static llminf_model *model;
static int is_encoder, has_window;
static uint8_t *files[8]; /* live until the end */
static int n_files;
static llminf_token prompts[N][LENGTH];
static float alone[N_KINDS][N][WIDTH];

/* ---- small steps */

static llminf_options *bag(const char *kind, const char *text)
{
    llminf_options *options;
    char copy[256], *rest = copy;
    assert_int_equal(llminf_options_open(&options, kind, NULL), LLMINF_OK);
    snprintf(copy, sizeof copy, "%s", text);
    for (char *pair; (pair = strtok_r(rest, " ", &rest));) {
        char *value = strchr(pair, '=');
        *value++ = 0;
        assert_int_equal(llminf_options_parse(options, pair, value, -1, NULL), LLMINF_OK);
    }
    return options;
}

static llminf_model *open_with(const struct test_model_spec *spec)
{
    size_t size;
    uint8_t *bytes = test_model_make(spec, &size);
    llminf_model *opened;
    llminf_error error;
    if (llminf_model_open_memory(&opened, bytes, size, NULL, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    files[n_files++] = bytes;
    return opened;
}

static llminf_context *context_of(llminf_model *of, const char *text)
{
    llminf_options *options = bag("context", text);
    llminf_context *context;
    llminf_error error;
    if (llminf_context_open(&context, of, options, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    llminf_options_close(options);
    return context;
}

static llminf_session *session_of(llminf_context *context, const char *text)
{
    llminf_options *options = bag("session", text);
    llminf_session *session;
    assert_int_equal(llminf_session_open(&session, context, options, NULL), LLMINF_OK);
    llminf_options_close(options);
    return session;
}

static llminf_session *pooled(llminf_context *context, int kind)
{
    char text[64];
    snprintf(text, sizeof text, "normalize=0 pooling=%s", kinds[kind]);
    return session_of(context, text);
}

static void append(llminf_session *session, const llminf_token *tokens, size_t n)
{
    assert_int_equal(llminf_session_append(session, tokens, n, NULL), LLMINF_OK);
}

static void start(llminf_session *session)
{
    llminf_options *nothing = bag("generate", "max_tokens=0");
    llminf_error error;
    if (llminf_session_generate(session, NULL, nothing, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    llminf_options_close(nothing);
}

static void run(llminf_session *session)
{
    start(session);
    assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
}

static void take(float out[WIDTH], llminf_session *session)
{
    llminf_error error;
    size_t n;
    if (llminf_session_embedding(session, out, WIDTH, &n, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    assert_int_equal(n, WIDTH);
}

static void expect(llminf_session *session, int kind, int i, const char *what)
{
    float got[WIDTH];
    take(got, session);
    if (memcmp(got, alone[kind][i], sizeof got) != 0)
        fail_msg("prompt %d, %s, %s: other bits than alone", i, kinds[kind], what);
}

static int64_t number(llminf_context *context, const char *key)
{
    int64_t value;
    assert_int_equal(llminf_context_int(context, key, &value, NULL), LLMINF_OK);
    return value;
}

static struct test_model_spec spec_of(int pooling_type)
{
    return (struct test_model_spec){
        .arch = is_encoder   ? "bert"
                : has_window ? "gemma2"
                             : "llama",
        .optional = is_encoder ? LLI_ROLE(LLI_TOKEN_TYPES) : 0,
        .seed = 5,
        .n_layers = 3,
        .type = LLI_Q8_0,
        .keys = {{"pooling_type", pooling_type, 1}, {has_window ? "attention.sliding_window" : NULL, 20, 1}}};
}

/* ---- what it is */

static int set_up(void **state)
{
    struct test_model_spec spec = spec_of(0);
    (void)state;
    model = open_with(&spec);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < LENGTH; k++)
            prompts[i][k] = (llminf_token)(3 + (k * 53 + (k < SHARED ? 0 : 17 * i)) % 300);
    for (int kind = 0; kind < N_KINDS; kind++)
        for (int i = 0; i < N; i++) {
            llminf_context *context = context_of(model, "threads=1 max_running=1 prefix_cache=0");
            llminf_session *session = pooled(context, kind);
            append(session, prompts[i], LENGTH);
            run(session);
            take(alone[kind][i], session);
            llminf_session_close(session);
            llminf_context_close(context);
        }
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    llminf_model_close(model);
    while (n_files > 0)
        free(files[--n_files]);
    return 0;
}

/* One session with "last", computed token by token, meets every state. */
static void test_definition(void **state)
{
    llminf_context *context = context_of(model, "threads=1");
    llminf_session *session = pooled(context, 0);
    float one[WIDTH], sum[WIDTH] = {0};
    (void)state;
    for (int k = 0; k < LENGTH; k++) {
        append(session, &prompts[0][k], 1);
        run(session);
        take(one, session);
        for (int i = 0; i < WIDTH; i++)
            sum[i] += one[i];
        if (k == 0)
            assert_memory_equal(one, alone[2][0], sizeof one);
    }
    for (int i = 0; i < WIDTH; i++)
        sum[i] /= (float)LENGTH;
    assert_memory_equal(one, alone[0][0], sizeof one);
    assert_memory_equal(sum, alone[1][0], sizeof sum);
    assert_memory_not_equal(one, sum, sizeof one);
    llminf_session_close(session);
    llminf_context_close(context);
}

static void test_normalized(void **state)
{
    llminf_context *context = context_of(model, "threads=1");
    llminf_session *session = session_of(context, "pooling=mean");
    const float *raw = alone[1][0];
    double length = 0, ratio;
    float got[WIDTH];
    (void)state;
    append(session, prompts[0], LENGTH);
    run(session);
    take(got, session);
    for (int i = 0; i < WIDTH; i++)
        length += (double)got[i] * (double)got[i];
    assert_true(length > 1 - 1e-6 && length < 1 + 1e-6);
    ratio = (double)raw[0] / (double)got[0];
    for (int i = 0; i < WIDTH; i++)
        assert_true((double)raw[i] / (double)got[i] > ratio * (1 - 1e-6) &&
                    (double)raw[i] / (double)got[i] < ratio * (1 + 1e-6));
    llminf_session_close(session);
    llminf_context_close(context);
}

/* ---- the same bits */

/* Prompt i in pieces; the last one is started and not waited for. 0: in one. */
static void feed(llminf_session *session, int i, size_t piece)
{
    size_t at = 0;
    for (; piece > 0 && at + piece < LENGTH; at += piece) {
        append(session, prompts[i] + at, piece);
        run(session);
    }
    append(session, prompts[i] + at, LENGTH - at);
    start(session);
}

/* n sessions at once, with another kind each. */
static void fly(llminf_context *context, int n, size_t piece, const char *what)
{
    llminf_session *sessions[N];
    for (int i = 0; i < n; i++) {
        sessions[i] = pooled(context, (i + (int)piece) % N_KINDS);
        feed(sessions[i], i, piece);
    }
    for (int i = 0; i < n; i++) {
        assert_int_equal(llminf_session_wait(sessions[i], -1, NULL), LLMINF_DONE);
        expect(sessions[i], (i + (int)piece) % N_KINDS, i, what);
    }
    for (int i = 0; i < n; i++)
        llminf_session_close(sessions[i]);
}

static void test_bits(void **state)
{
    static const char *const contexts[] = {"threads=1 step_tokens=16",  "threads=2",
                                           "threads=8 step_tokens=512", "threads=2 batching=static",
                                           "threads=2 backend=scalar",  "threads=2 prefix_cache=0"};
    static const size_t pieces[] = {0, 1, 7, 16, 64};
    static const int others[] = {1, 2, N};
    (void)state;
    for (size_t c = is_encoder; c < sizeof contexts / sizeof *contexts;
         c++) /* whose prompts do not fit the first one's steps */
        for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
            llminf_context *context = context_of(model, contexts[c]);
            for (size_t p = 0; p < sizeof pieces / sizeof *pieces; p++)
                fly(context, others[k], pieces[p], contexts[c]); /* from the second on what is cached is computed again */
            llminf_context_close(context);
        }
}

static void test_backends(void **state)
{
    const char *name;
    (void)state;
    for (size_t i = 0; (name = llminf_backend_at(model, i)); i++) {
        char text[64];
        snprintf(text, sizeof text, "threads=2 backend=%s", name);
        llminf_context *context = context_of(model, text);
        fly(context, N, 0, name);
        llminf_context_close(context);
    }
}

/* Sessions that generate stand beside them, and their blocks are found. */
static void test_company(void **state)
{
    llminf_context *context = context_of(model, "threads=2");
    llminf_session *teller = session_of(context, "");
    llminf_options *some = bag("generate", "max_tokens=30 ignore_eog=1");
    int64_t value;
    (void)state;
    append(teller, prompts[3], LENGTH);
    assert_int_equal(llminf_session_generate(teller, NULL, some, NULL), LLMINF_OK);
    fly(context, N, 0, "beside a generation");
    assert_int_equal(llminf_session_wait(teller, -1, NULL), LLMINF_DONE);
    assert_true(number(context, "prefix_hit_tokens") > 0);
    assert_int_equal(llminf_session_int(teller, "generated", &value, NULL), LLMINF_OK);
    assert_int_equal(value, 30);
    llminf_options_close(some);
    llminf_session_close(teller);
    llminf_context_close(context);
}

/* All sessions in turn, a piece of each. */
static void take_turns(llminf_context *context)
{
    llminf_session *sessions[N];
    for (int i = 0; i < N; i++)
        sessions[i] = pooled(context, i % N_KINDS);
    for (size_t at = 0, n = 14; at < LENGTH; at += n) {
        n = LENGTH - at < n ? LENGTH - at : n;
        for (int i = 0; i < N; i++) {
            append(sessions[i], prompts[i] + at, n);
            run(sessions[i]);
        }
    }
    for (int i = 0; i < N; i++) {
        expect(sessions[i], i % N_KINDS, i, "in few blocks");
        llminf_session_close(sessions[i]);
    }
}

/* A pool of few blocks: sessions that are half way lose what they hold, but not their sums. */
static void test_evicted(void **state)
{
    llminf_context *context = context_of(model, "threads=1");
    int64_t block = number(context, "kv_bytes") / number(context, "kv_blocks");
    int64_t budget = 13 * (block + 160) > 65536 ? 13 * (block + 160) : 65536; /* the least there can be */
    (void)state;
    llminf_context_close(context);
    for (int has_cache = 0; has_cache < 2; has_cache++) {
        char text[128];
        snprintf(text, sizeof text, "threads=2 admit_reserve=0 step_tokens=80 prefix_cache=%d kv_budget_bytes=%lld", has_cache,
                 (long long)budget);
        context = context_of(model, text);
        fly(context, N, 0, "in few blocks");
        take_turns(context);
        assert_true(number(context, "evictions") > 0);
        assert_true(number(context, "recomputed_tokens") > 0);
        llminf_context_close(context);
    }
}

static void test_fork_and_cut(void **state)
{
    llminf_context *context = context_of(model, "threads=2");
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        llminf_session *session = pooled(context, kind), *copy;
        append(session, prompts[0], SHARED);
        run(session);
        assert_int_equal(llminf_session_fork(&copy, session, NULL), LLMINF_OK);
        append(copy, prompts[1] + SHARED, LENGTH - SHARED);
        run(copy);
        expect(copy, kind, 1, "forked");
        append(session, prompts[0] + SHARED, LENGTH - SHARED);
        run(session);
        expect(session, kind, 0, "went on beside its fork");
        for (size_t n = LENGTH - 1; n > 0; n /= 2) { /* back, and along another way */
            assert_int_equal(llminf_session_truncate(session, n, NULL), LLMINF_OK);
            append(session, prompts[2] + n, LENGTH - n);
            run(session);
            if (n <= SHARED)
                expect(session, kind, 2, "cut");
            assert_int_equal(llminf_session_truncate(session, n, NULL), LLMINF_OK);
            append(session, prompts[0] + n, LENGTH - n);
            run(session);
            expect(session, kind, 0, "cut and back");
        }
        llminf_session_close(session);
        llminf_session_close(copy);
    }
    llminf_context_close(context);
}

static void test_saved(void **state)
{
    llminf_context *context = context_of(model, "threads=2");
    llminf_session *session = session_of(context, ""), *loaded;
    size_t size, n;
    (void)state;
    append(session, prompts[0], SHARED);
    run(session);
    assert_int_equal(llminf_session_save_memory(session, NULL, 0, &size, NULL), LLMINF_OK);
    void *bytes = malloc(size);
    assert_int_equal(llminf_session_save_memory(session, bytes, size, &n, NULL), LLMINF_OK);
    for (int kind = 0; kind < N_KINDS; kind++) {
        char text[64];
        snprintf(text, sizeof text, "normalize=0 pooling=%s", kinds[kind]);
        llminf_options *options = bag("session", text);
        assert_int_equal(llminf_session_load_memory(&loaded, context, bytes, size, options, NULL), LLMINF_OK);
        append(loaded, prompts[0] + SHARED, LENGTH - SHARED);
        run(loaded);
        expect(loaded, kind, 0, "loaded");
        llminf_session_close(loaded);
        llminf_options_close(options);
    }
    free(bytes);
    llminf_session_close(session);
    llminf_context_close(context);
}

/* ---- what is refused */

static void test_statuses(void **state)
{
    llminf_context *context = context_of(model, "host_driven=1");
    llminf_session *plain = session_of(context, ""), *session = pooled(context, 1);
    llminf_error error;
    float out[WIDTH];
    size_t n;
    (void)state;
    append(plain, prompts[0], 5);
    assert_int_equal(llminf_session_embedding(plain, out, WIDTH, &n, &error), LLMINF_E_STATE);
    assert_string_equal(error.subject, "pooling");
    assert_int_equal(llminf_session_embedding(session, out, WIDTH, &n, &error), LLMINF_E_STATE);
    append(session, prompts[0], 5);
    assert_int_equal(llminf_session_embedding(session, out, WIDTH, &n, &error), LLMINF_E_STATE);
    assert_int_equal(n, 0);
    assert_int_equal(llminf_session_generate(session, NULL, NULL, &error), LLMINF_E_OPTION);
    assert_string_equal(error.subject, "max_tokens");
    start(session);
    assert_int_equal(llminf_session_embedding(session, out, WIDTH, &n, &error), LLMINF_E_BUSY);
    assert_int_equal(llminf_context_step(context, INT64_MAX, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_embedding(session, NULL, 0, &n, &error), LLMINF_OK);
    assert_int_equal(n, WIDTH);
    assert_int_equal(llminf_session_embedding(session, out, WIDTH - 1, &n, &error), LLMINF_E_TOO_SMALL);
    assert_int_equal(n, WIDTH);
    assert_int_equal(llminf_session_embedding(session, NULL, WIDTH, &n, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_session_embedding(session, out, WIDTH, NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_session_embedding(NULL, out, WIDTH, &n, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_session_embedding(session, out, WIDTH, &n, &error), LLMINF_OK);
    append(session, prompts[0], 1);
    assert_int_equal(llminf_session_embedding(session, out, WIDTH, &n, &error), LLMINF_E_STATE);
    llminf_session_close(plain);
    llminf_session_close(session);
    llminf_context_close(context);
}

/* What the file says: the numbers of GGUF's pooling_type. */
static void test_of_model(void **state)
{
    static const struct {
        int type;
        llminf_status status;
        int kind;
    } rows[] = {{0, LLMINF_E_OPTION, 0}, {1, LLMINF_OK, 1}, {2, LLMINF_OK, 2}, {3, LLMINF_OK, 0}, {4, LLMINF_E_UNSUPPORTED, 0}};
    llminf_options *options = bag("session", "pooling=model normalize=0");
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_model_spec spec = spec_of(rows[i].type);
        llminf_session *session;
        llminf_error error;
        llminf_model *other = open_with(&spec);
        llminf_context *context = context_of(other, "threads=1");
        assert_int_equal(llminf_session_open(&session, context, options, &error), rows[i].status);
        if (rows[i].status == LLMINF_OK) {
            append(session, prompts[0], LENGTH);
            run(session);
            expect(session, rows[i].kind, 0, "as the file says");
        } else {
            assert_string_equal(error.subject, "pooling");
        }
        llminf_session_close(session);
        llminf_context_close(context);
        llminf_model_close(other);
    }
    llminf_options_close(options);
}

/* ---- encoders */

/* A short one after a long one: what was there is seen no more. */
static void test_shorter(void **state)
{
    llminf_context *context = context_of(model, "threads=2");
    float want[WIDTH], got[WIDTH];
    (void)state;
    for (int kind = 0; kind < N_KINDS; kind++) {
        llminf_session *whole = pooled(context, kind), *alone_too = pooled(context, kind);
        append(alone_too, prompts[0], 20);
        run(alone_too);
        take(want, alone_too);
        append(whole, prompts[0], LENGTH);
        run(whole);
        take(got, whole);
        assert_memory_not_equal(want, got, sizeof want);
        assert_int_equal(llminf_session_truncate(whole, 20, NULL), LLMINF_OK);
        run(whole);
        take(got, whole);
        assert_memory_equal(want, got, sizeof want);
        append(whole, prompts[0] + 20, LENGTH - 20);
        run(whole);
        expect(whole, kind, 0, "whole again");
        llminf_session_close(whole);
        llminf_session_close(alone_too);
    }
    llminf_context_close(context);
}

static void expect_refused(llminf_session *session, const char *text, llminf_status status, const char *word)
{
    llminf_options *options = bag("generate", text);
    llminf_error error;
    assert_int_equal(llminf_session_generate(session, NULL, options, &error), status);
    if (!strstr(error.text, word) && !strstr(error.subject, word))
        fail_msg("no %s in: %s", word, error.text);
    llminf_options_close(options);
}

static void test_refused(void **state)
{
    llminf_context *context = context_of(model, "threads=1 step_tokens=64"), *other;
    llminf_session *plain = session_of(context, ""), *session = pooled(context, 2);
    llminf_options *options = bag("context", "threads=1");
    llminf_error error;
    float out[WIDTH];
    size_t n;
    (void)state;
    append(plain, prompts[0], 5);
    append(session, prompts[0], 64);
    expect_refused(plain, "", LLMINF_E_UNSUPPORTED, "pooling");
    expect_refused(plain, "max_tokens=0", LLMINF_E_UNSUPPORTED, "pooling");
    expect_refused(session, "max_tokens=0 logits=all", LLMINF_E_UNSUPPORTED, "next token");
    expect_refused(session, "max_tokens=0 prompt_logprobs=1", LLMINF_E_UNSUPPORTED, "next token");
    expect_refused(session, "max_tokens=1", LLMINF_E_OPTION, "max_tokens");
    run(session);
    take(out, session);
    append(session, prompts[0], 1);
    assert_int_equal(llminf_session_embedding(session, out, WIDTH, &n, &error), LLMINF_E_STATE);
    expect_refused(session, "max_tokens=0", LLMINF_E_TOO_LONG, "step_tokens");
    assert_int_equal(llminf_options_set_model(options, "draft", model, NULL), LLMINF_OK);
    assert_int_equal(llminf_context_open(&other, model, options, &error), LLMINF_E_OPTION);
    assert_string_equal(error.subject, "draft");
    llminf_options_close(options);
    llminf_session_close(plain);
    llminf_session_close(session);
    llminf_context_close(context);
}

/* A step's rows are what the host says: prompts wait until there is room for them whole, and nobody waits for ever. */
static void test_room(void **state)
{
    llminf_context *context = context_of(model, "threads=2 step_tokens=75 max_running=2");
    (void)state;
    fly(context, N, 0, "one at a time");
    fly(context, N, 7, "one at a time, in pieces");
    assert_int_equal(number(context, "prefix_hit_tokens"), 0);
    llminf_context_close(context);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest decoder[] = {
        cmocka_unit_test(test_definition), cmocka_unit_test(test_normalized),   cmocka_unit_test(test_bits),
        cmocka_unit_test(test_backends),   cmocka_unit_test(test_company),      cmocka_unit_test(test_evicted),
        cmocka_unit_test(test_saved),      cmocka_unit_test(test_fork_and_cut), cmocka_unit_test(test_statuses),
        cmocka_unit_test(test_of_model),
    };
    const struct CMUnitTest encoder[] = {
        cmocka_unit_test(test_normalized), cmocka_unit_test(test_bits),         cmocka_unit_test(test_backends),
        cmocka_unit_test(test_evicted),    cmocka_unit_test(test_fork_and_cut), cmocka_unit_test(test_of_model),
        cmocka_unit_test(test_shorter),    cmocka_unit_test(test_refused),      cmocka_unit_test(test_room),
    };
    is_encoder = argc > 1 && strcmp(argv[1], "--encoder") == 0;
    has_window = argc > 1 && strcmp(argv[1], "--window") == 0;
    return is_encoder ? cmocka_run_group_tests(encoder, set_up, tear_down) : cmocka_run_group_tests(decoder, set_up, tear_down);
}
