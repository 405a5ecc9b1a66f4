/* Samplers on their own and in generations, through the public API, with the bundled model's vocabulary. */
#include "llminf/llminf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

enum { MAX = 64 };

static llminf_model *model;
static size_t n_vocab;
static float *logits;

static int open_model(void **state)
{
    int64_t n;
    (void)state;
    if (llminf_model_open(&model, LLMINF_SOURCE_ROOT "/examples/demo-model/stories.gguf", NULL, NULL) != LLMINF_OK ||
        llminf_model_int(model, "n_vocab", &n, NULL) != LLMINF_OK)
        return -1;
    n_vocab = (size_t)n;
    logits = calloc(n_vocab, sizeof *logits);
    return logits == NULL;
}

static int close_model(void **state)
{
    (void)state;
    free(logits);
    llminf_model_close(model);
    return 0;
}

/* A sampler from pairs of key and value, "+key" appends to a list. */
static llminf_status open_sampler(llminf_sampler **out, llminf_model *of, const char *const *pairs, llminf_error *error)
{
    llminf_options *options;
    assert_int_equal(llminf_options_open(&options, "sampler", NULL), LLMINF_OK);
    for (; *pairs != NULL; pairs += 2)
        assert_int_equal(pairs[0][0] == '+' ? llminf_options_add_text(options, pairs[0] + 1, pairs[1], -1, NULL)
                                            : llminf_options_parse(options, pairs[0], pairs[1], -1, NULL),
                         LLMINF_OK);
    llminf_status status = llminf_sampler_open(out, of, options, error);
    llminf_options_close(options);
    return status;
}

#define PAIRS(...)                                                                                                             \
    (const char *const[])                                                                                                      \
    {                                                                                                                          \
        __VA_ARGS__, NULL                                                                                                      \
    }

static llminf_sampler *sampler_of(const char *const *pairs)
{
    llminf_sampler *sampler;
    llminf_error error;
    if (open_sampler(&sampler, model, pairs, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    return sampler;
}

static llminf_token pick(llminf_sampler *sampler)
{
    llminf_token token;
    assert_int_equal(llminf_sampler_pick(sampler, logits, n_vocab, &token, NULL), LLMINF_OK);
    return token;
}

static size_t accept(llminf_sampler *sampler, const char *text, llminf_token *ids)
{
    size_t n;
    assert_int_equal(llminf_text_encode(model, text, -1, 0, ids, MAX, &n, NULL), LLMINF_OK);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(llminf_sampler_accept(sampler, ids[i], NULL), LLMINF_OK);
    return n;
}

/* The text would go on as it did before; with a break in what is repeated it may. */
static void test_dry(void **state)
{
    static const char *const said = "Once upon a time. Once upon a";
    llminf_sampler *free_of_it = sampler_of(PAIRS("temperature", "0", "dry_multiplier", "1", "+dry_breaker", "pon")),
                   *plain = sampler_of(PAIRS("temperature", "0")),
                   *dry = sampler_of(PAIRS("temperature", "0", "dry_multiplier", "1", "dry_length", "2")), *none;
    llminf_token ids[MAX], time;
    llminf_error error;
    size_t n;
    (void)state;
    assert_int_equal(llminf_text_encode(model, "Once upon a time", -1, 0, ids, MAX, &n, NULL), LLMINF_OK);
    time = ids[n - 1];
    accept(plain, said, ids);
    accept(dry, said, ids);
    n = accept(free_of_it, said, ids);
    assert_true(n >= 4);
    logits[time] = 1;
    assert_int_equal(pick(plain), time);
    assert_int_not_equal(pick(dry), time);
    assert_int_equal(pick(free_of_it), time); /* only "a" is repeated, which is free */
    logits[time] = 0;
    assert_int_equal(open_sampler(&none, NULL, PAIRS("dry_multiplier", "1"), &error), LLMINF_E_OPTION);
    assert_string_equal(error.subject, "dry_multiplier");
    llminf_sampler_close(dry);
    llminf_sampler_close(plain);
    llminf_sampler_close(free_of_it);
}

/* Mirostat's limit moves on with what is accepted, not with what is picked, and a reset takes it back. */
static void test_mirostat(void **state)
{
    static const char *const how[] = {"mirostat", "2", "mirostat_tau", "4", "mirostat_eta", "0.5", NULL};
    llminf_sampler *a = sampler_of(how), *b = sampler_of(how);
    llminf_token told[200];
    int n_other = 0;
    (void)state;
    for (size_t i = 0; i < n_vocab; i++)
        logits[i] = -(float)(i % 97) / 8;
    for (int i = 0; i < 200; i++) {
        told[i] = pick(a);
        for (int k = 0; k < i % 3; k++)
            assert_int_equal(pick(b), told[i]);
        assert_int_equal(pick(b), told[i]);
        llminf_sampler_accept(a, told[i], NULL);
        llminf_sampler_accept(b, told[i], NULL);
    }
    assert_int_equal(llminf_sampler_reset(a, NULL), LLMINF_OK);
    for (int i = 0; i < 200; i++) { /* a limit that stays where it began lets more through */
        n_other += pick(a) != told[i];
        llminf_sampler_accept(a, told[i] == 5 ? 6 : 5, NULL);
    }
    assert_true(n_other > 10);
    assert_int_equal(llminf_sampler_reset(a, NULL), LLMINF_OK);
    for (int i = 0; i < 200; i++) {
        assert_int_equal(pick(a), told[i]);
        llminf_sampler_accept(a, told[i], NULL);
    }
    memset(logits, 0, n_vocab * sizeof *logits);
    llminf_sampler_close(a);
    llminf_sampler_close(b);
}

/* Guesses change nothing: 51 of the engine's oracles, with every stage that has a memory. */
static void test_speculation(void **state)
{
    llminf_context *context;
    llminf_token told[2][200];
    (void)state;
    llminf_sampler *sampler = sampler_of(PAIRS("mirostat", "2", "mirostat_tau", "1", "dry_multiplier", "0.1", "xtc_probability",
                                               "0.2", "dynatemp_range", "0.3", "typical_p", "0.95", "seed", "4"));
    assert_int_equal(llminf_context_open(&context, model, NULL, NULL), LLMINF_OK);
    for (int k = 0; k < 2; k++) {
        llminf_options *options;
        llminf_session *session;
        int64_t accepted;
        size_t n;
        assert_int_equal(llminf_options_open(&options, "generate", NULL), LLMINF_OK);
        assert_int_equal(llminf_options_parse(options, "max_tokens", "200", -1, NULL), LLMINF_OK);
        assert_int_equal(llminf_options_parse(options, "ignore_eog", "1", -1, NULL), LLMINF_OK);
        assert_int_equal(llminf_options_parse(options, "speculate", k ? "lookup" : "off", -1, NULL), LLMINF_OK);
        assert_int_equal(llminf_session_open(&session, context, NULL, NULL), LLMINF_OK);
        assert_int_equal(llminf_session_append_text(session, "Once upon a time", -1, LLMINF_TEXT_BOUNDS, NULL), LLMINF_OK);
        assert_int_equal(llminf_session_generate(session, sampler, options, NULL), LLMINF_OK);
        assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
        assert_int_equal(llminf_session_read_tokens(session, told[k], 200, &n, -1, NULL), LLMINF_OK);
        assert_int_equal(n, 200);
        assert_int_equal(llminf_session_int(session, "accepted", &accepted, NULL), LLMINF_OK);
        assert_int_equal(accepted > 0, k);
        llminf_session_close(session);
        llminf_options_close(options);
    }
    assert_memory_equal(told[0], told[1], sizeof told[0]);
    llminf_sampler_close(sampler);
    llminf_context_close(context);
}

/* ---- grammars */

static llminf_context *open_context(const char *threads)
{
    llminf_context *context;
    llminf_options *options;
    assert_int_equal(llminf_options_open(&options, "context", NULL), LLMINF_OK);
    assert_int_equal(llminf_options_parse(options, "threads", threads, -1, NULL), LLMINF_OK);
    assert_int_equal(llminf_context_open(&context, model, options, NULL), LLMINF_OK);
    llminf_options_close(options);
    return context;
}

static llminf_session *ask(llminf_context *context, const llminf_sampler *sampler, const char *speculate, const char *n)
{
    llminf_session *session;
    llminf_options *options;
    assert_int_equal(llminf_options_open(&options, "generate", NULL), LLMINF_OK);
    assert_int_equal(llminf_options_parse(options, "max_tokens", n, -1, NULL), LLMINF_OK);
    assert_int_equal(llminf_options_parse(options, "speculate", speculate, -1, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_open(&session, context, NULL, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_append_text(session, "Once upon a time", -1, LLMINF_TEXT_BOUNDS, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_generate(session, sampler, options, NULL), LLMINF_OK);
    llminf_options_close(options);
    return session;
}

/* The text of a generation that ends, and why it did. */
static int64_t hear(llminf_session *session, char *text, size_t capacity)
{
    llminf_status status = LLMINF_OK;
    int64_t reason;
    size_t n = 0;
    *text = 0;
    for (size_t at = 0; status == LLMINF_OK; at += n)
        status = llminf_session_read(session, text + at, capacity - at, &n, -1, NULL);
    assert_int_equal(status, LLMINF_DONE);
    assert_int_equal(llminf_session_int(session, "stop_reason", &reason, NULL), LLMINF_OK);
    llminf_session_close(session);
    return reason;
}

static void test_refused(void **state)
{
    llminf_sampler *sampler = sampler_of(PAIRS("seed", "1")), *alone;
    llminf_error error;
    (void)state;
    assert_int_equal(llminf_sampler_set_grammar(sampler, "regex", "a", -1, &error), LLMINF_E_NOT_FOUND);
    assert_int_equal(llminf_sampler_set_grammar(sampler, NULL, "a", -1, &error), LLMINF_E_NOT_FOUND);
    assert_int_equal(llminf_sampler_set_grammar(sampler, "gbnf", "a", -2, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_sampler_set_grammar(sampler, "gbnf", "root ::= \"a", -1, &error), LLMINF_E_GRAMMAR);
    assert_int_equal(error.position, 9);
    assert_string_equal(error.subject, "grammar");
    assert_int_equal(llminf_sampler_set_grammar(sampler, "json_schema", "{\"not\": {}}", -1, &error), LLMINF_E_GRAMMAR);
    assert_non_null(strstr(error.text, "\"not\""));
    assert_int_equal(llminf_sampler_set_grammar(sampler, "gbnf", NULL, -1, NULL), LLMINF_OK); /* there is none to remove */
    assert_int_equal(open_sampler(&alone, NULL, PAIRS("seed", "1"), NULL), LLMINF_OK);
    assert_int_equal(llminf_sampler_set_grammar(alone, "gbnf", "root ::= \"a\"", -1, &error), LLMINF_E_INVALID);
    llminf_sampler_close(alone);
    llminf_sampler_close(sampler);
}

static void test_ends(void **state)
{
    llminf_context *context = open_context("1");
    llminf_sampler *sampler = sampler_of(PAIRS("temperature", "1", "seed", "3"));
    char text[4096];
    (void)state;
    assert_int_equal(llminf_sampler_set_grammar(sampler, "gbnf", "root ::= \" yes\" | \" no\"", -1, NULL), LLMINF_OK);
    assert_int_equal(hear(ask(context, sampler, "off", "50"), text, sizeof text), LLMINF_STOP_GRAMMAR);
    assert_true(strcmp(text, " yes") == 0 || strcmp(text, " no") == 0);
    assert_int_equal(llminf_sampler_set_grammar(sampler, "gbnf", "root ::= [a-z ]*", -1, NULL), LLMINF_OK);
    int64_t reason = hear(ask(context, sampler, "off", "50"), text, sizeof text);
    assert_true(reason == LLMINF_STOP_EOG || reason == LLMINF_STOP_LENGTH);
    assert_int_equal(strspn(text, "abcdefghijklmnopqrstuvwxyz "), strlen(text));
    assert_int_equal(llminf_sampler_set_grammar(sampler, NULL, NULL, 0, NULL), LLMINF_OK); /* and without it again */
    hear(ask(context, sampler, "off", "50"), text, sizeof text);
    assert_true(strspn(text, "abcdefghijklmnopqrstuvwxyz ") < strlen(text));
    llminf_sampler_close(sampler);
    llminf_context_close(context);
}

/* Many at once share what is known of the grammar; each tells what it tells alone, with guesses or without. */
static void test_shared_grammar(void **state)
{
    static const char schema[] =
        "{\"properties\": {\"name\": {\"type\": \"string\", \"maxLength\": 30}, \"tags\": {\"type\": \"array\", "
        "\"items\": {\"enum\": [\"red\", \"green\"]}}}, \"required\": [\"name\", \"tags\"]}";
    enum { N = 6 };
    static char alone[N][4096], together[4096];
    llminf_session *sessions[N];
    llminf_sampler *samplers[N];
    llminf_context *context = open_context("2");
    (void)state;
    for (int i = 0; i < N; i++) {
        char seed[2] = {(char)('0' + i), 0};
        samplers[i] = sampler_of(PAIRS("temperature", "1", "seed", seed));
        assert_int_equal(llminf_sampler_set_grammar(samplers[i], "json_schema", schema, -1, NULL), LLMINF_OK);
        hear(ask(context, samplers[i], "off", "60"), alone[i], sizeof alone[i]);
        assert_int_equal(alone[i][0], '{');
    }
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < N; i++)
            sessions[i] = ask(context, samplers[i], k ? "lookup" : "off", "60");
        for (int i = 0; i < N; i++) {
            hear(sessions[i], together, sizeof together);
            assert_string_equal(together, alone[i]);
        }
    }
    for (int i = 0; i < N; i++)
        sessions[i] = ask(context, samplers[0], "lookup", "60"); /* one grammar */
    for (int i = 0; i < N; i++) {
        hear(sessions[i], together, sizeof together);
        assert_string_equal(together, alone[0]);
    }
    for (int i = 0; i < N; i++)
        llminf_sampler_close(samplers[i]);
    llminf_context_close(context);
}

/* On its own: only what can follow is picked, in its order, and then nothing but an end. */
static void test_grammar_alone(void **state)
{
    llminf_sampler *sampler = sampler_of(PAIRS("temperature", "0"));
    llminf_error error;
    llminf_token token;
    char text[64] = "";
    (void)state;
    assert_int_equal(llminf_sampler_set_grammar(sampler, "gbnf", "root ::= \"one\" \"two\"", -1, NULL), LLMINF_OK);
    assert_int_equal(llminf_sampler_pick(sampler, logits, n_vocab - 1, &token, &error), LLMINF_E_INVALID);
    for (int round = 0; round < 2; round++) {
        size_t n = 0, length;
        while (strcmp(text, "onetwo") != 0) {
            const char *bytes;
            token = pick(sampler);
            assert_int_equal(llminf_text_token(model, token, &bytes, &length, NULL), LLMINF_OK);
            assert_true(n + length < sizeof text);
            memcpy(text + n, bytes, length);
            text[n += length] = 0;
            assert_int_equal(memcmp("onetwo", text, n), 0);
            assert_int_equal(llminf_sampler_accept(sampler, token, NULL), LLMINF_OK);
        }
        assert_true(llminf_text_kind(model, pick(sampler)) & LLMINF_TOKEN_EOG);
        assert_int_equal(llminf_sampler_reset(sampler, NULL), LLMINF_OK);
        text[0] = 0;
    }
    llminf_sampler_close(sampler);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_dry),          cmocka_unit_test(test_mirostat),
                                       cmocka_unit_test(test_speculation),  cmocka_unit_test(test_refused),
                                       cmocka_unit_test(test_ends),         cmocka_unit_test(test_shared_grammar),
                                       cmocka_unit_test(test_grammar_alone)};
    return cmocka_run_group_tests(tests, open_model, close_model);
}
