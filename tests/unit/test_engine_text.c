/* What readers get: stop conditions, echo, characters that come in pieces, small buffers. The oracle decodes the whole text
 * and searches it naively. */
#include "engine/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "engine/stop.h"
#include "llminf/status.h"
#include "null_engine.h"

static struct null_engine e;
static struct lli_bias letters[NULL_VOCAB]; /* only tokens below NULL_EOT, so that texts repeat */

static int open_engine(void **state)
{
    (void)state;
    null_engine_init(&e, 40);
    for (int32_t id = 0; id < NULL_VOCAB; id++)
        letters[id] = (struct lli_bias){id, id < NULL_EOT ? 0 : -1000};
    return null_engine_open(&e, NULL);
}

static int close_engine(void **state)
{
    const char *wrong = null_engine_close(&e);
    (void)state;
    if (wrong)
        print_error("%s\n", wrong);
    return wrong ? -1 : 0;
}

static struct lli_timeline *open_timeline(const struct null_story *story)
{
    struct lli_timeline *t;
    assert_int_equal(lli_timeline_open(&t, e.engine, NULL, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_append(t, story->tokens, story->n, NULL), LLMINF_OK);
    return t;
}

static struct lli_request_params letters_only(int64_t max_tokens)
{
    struct lli_request_params params = null_engine_params();
    params.bias = letters;
    params.n_bias = NULL_VOCAB;
    params.ignore_eog = 1;
    params.max_tokens = max_tokens;
    return params;
}

/* Generates, reads cap bytes at a time and compares. */
static void check(struct lli_timeline *t, struct null_story *story, const struct lli_request_params *params, size_t cap)
{
    static char text[8 * NULL_STORY];
    size_t len;
    struct llminf_error err;
    if (lli_timeline_generate(t, params, &err) != LLMINF_OK)
        fail_msg("%s", err.text);
    assert_int_equal(null_engine_tell(story, params, NULL_TRAIN), LLMINF_OK);
    assert_int_equal(null_engine_read(t, cap, text, sizeof text, &len), LLMINF_DONE);
    const char *wrong = null_engine_compare(t, story, text, len);
    if (wrong)
        fail_msg("%s: told '%s', want '%s'", wrong, text, story->text);
}

static void check_alone(const struct null_story *prompt, const struct lli_request_params *params, size_t cap)
{
    struct null_story story = *prompt;
    struct lli_timeline *t = open_timeline(prompt);
    check(t, &story, params, cap);
    lli_timeline_close(t);
}

static struct null_story make_prompt(uint32_t n, uint64_t seed)
{
    struct null_story story = {.n = n};
    null_engine_words(story.tokens, n, seed);
    return story;
}

/* ---- stop texts -------------------------------------------------------------------------------------------------- */

/* Each piece of the text that is told without a stop, as a stop: inside tokens and across them. */
static void test_every_piece(void **state)
{
    struct null_story prompt = make_prompt(5, 1), free_run = prompt;
    struct lli_request_params params = letters_only(30);
    (void)state;
    assert_int_equal(null_engine_tell(&free_run, &params, NULL_TRAIN), LLMINF_OK);
    assert_true(free_run.text_len > 30);
    for (size_t start = 0; start < free_run.text_len; start++)
        for (size_t n = 1; n <= 7 && start + n <= free_run.text_len; n++) {
            struct lli_text stop = {free_run.text + start, n};
            params.stops = &stop;
            params.n_stops = 1;
            check_alone(&prompt, &params, 32);
        }
}

/* Several that overlap: the one that ends first counts, of those the longest. */
static void test_overlapping(void **state)
{
    static const struct lli_text stops[] = {{"b", 1},        {"ab", 2},  {"abcd", 4},    {"bc", 2},  {"aba", 3},
                                            {"ab", 2},       {"a", 1},   {"cab", 3},     {"aab", 3}, {" ", 1},
                                            {"\xc3\xa9", 2}, {"b a", 3}, {"\xe2\x82", 2}};
    (void)state;
    for (uint64_t seed = 0; seed < 40; seed++)
        for (size_t first = 0; first < 13; first++)
            for (size_t n = 1; n <= 3 && first + n <= 13; n++) {
                struct null_story prompt = make_prompt(3, seed);
                struct lli_request_params params = letters_only(20);
                params.stops = stops + first;
                params.n_stops = n;
                params.min_tokens = (int64_t)(seed % 4) * 3;
                check_alone(&prompt, &params, 16);
            }
}

/* After each step the reader has a beginning of the final text and never more: what may become a stop is held back. */
static void test_held_back(void **state)
{
    static const struct lli_text stops[] = {{"never in here", 13}, {"bca", 3}, {"ab ab ab ab", 11}};
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct null_story prompt = make_prompt(4, seed), story = prompt;
        struct lli_request_params params = letters_only(25);
        struct lli_timeline *t = open_timeline(&prompt);
        char text[512];
        size_t len = 0, n;
        params.stops = stops;
        params.n_stops = 3;
        null_engine_tell(&story, &params, NULL_TRAIN);
        null_forward_allow(0);
        assert_int_equal(lli_timeline_generate(t, &params, NULL), LLMINF_OK);
        null_forward_await_held();
        for (uint32_t i = prompt.n; i < story.n; i++) {
            while (lli_timeline_read(t, text + len, sizeof text - len, &n, 0, NULL) == LLMINF_OK)
                len += n;
            assert_true(len <= story.text_len);
            assert_memory_equal(text, story.text, len);
            null_forward_allow(1);
            if (i + 1 < story.n)
                null_forward_await_held();
        }
        null_forward_allow(-1);
        while (lli_timeline_read(t, text + len, sizeof text - len, &n, -1, NULL) == LLMINF_OK)
            len += n;
        assert_int_equal(len, story.text_len);
        assert_memory_equal(text, story.text, len);
        lli_timeline_close(t);
    }
}

/* ---- stop tokens and ends of generation -------------------------------------------------------------------------- */

static void test_tokens(void **state)
{
    static const int32_t stop_tokens[] = {40, 12, 9, NULL_EOG, 33};
    (void)state;
    for (uint64_t seed = 0; seed < 60; seed++) {
        struct null_story prompt = make_prompt(3, seed);
        struct lli_request_params params = null_engine_params();
        params.max_tokens = 100;
        params.sampler.temperature = 1;
        params.sampler.seed = seed;
        params.ignore_eog = seed % 2;
        params.special = seed % 3 == 0;
        params.stop_tokens = stop_tokens;
        params.n_stop_tokens = seed % 6;
        params.min_tokens = seed % 5 == 0 ? 30 : 0;
        check_alone(&prompt, &params, 8);
    }
}

/* An end of generation joins the timeline, but is no text, not even with `special`. */
static void test_eog(void **state)
{
    struct lli_bias bias = {NULL_EOT, 1000};
    struct null_story prompt = make_prompt(3, 1);
    struct lli_request_params params = null_engine_params();
    char text[32];
    size_t n;
    (void)state;
    params.bias = &bias;
    params.n_bias = 1;
    params.special = 1;
    struct lli_timeline *t = open_timeline(&prompt);
    assert_int_equal(lli_timeline_generate(t, &params, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_read(t, text, sizeof text, &n, -1, NULL), LLMINF_DONE);
    assert_int_equal(lli_timeline_tokens(t, 3, NULL, 0, &n, NULL), LLMINF_OK);
    assert_int_equal(n, 1);
    params.ignore_eog = 1;
    params.max_tokens = 2;
    assert_int_equal(lli_timeline_generate(t, &params, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_wait(t, -1, NULL), LLMINF_DONE);
    assert_int_equal(lli_timeline_read(t, text, sizeof text, &n, 0, NULL), LLMINF_OK);
    assert_string_equal(text, "<eot><eot>");
    lli_timeline_close(t);
}

/* ---- echo, spaces, characters ------------------------------------------------------------------------------------ */

static void test_echo(void **state)
{
    static const struct lli_text stop = {"ab", 2};
    (void)state;
    for (uint64_t seed = 0; seed < 30; seed++) {
        struct null_story story = make_prompt(4, seed);
        struct lli_request_params params = letters_only(7);
        story.tokens[0] = seed % 2 ? NULL_BOS : 11;
        story.tokens[1] = 12;
        struct lli_timeline *t = open_timeline(&story);
        params.stops = &stop;
        params.n_stops = seed % 3 == 0;
        params.special = seed % 5 == 0;
        for (int turn = 0; turn < 4; turn++) {
            params.echo = turn != 2;
            check(t, &story, &params, 64);
            uint32_t keep = story.n - (uint32_t)(turn == 1);
            assert_int_equal(lli_timeline_truncate(t, keep, NULL), LLMINF_OK);
            story.n = keep;
            story.n_said = story.n_said < keep ? story.n_said : keep;
            null_engine_words(story.tokens + story.n, 3, seed + 100);
            assert_int_equal(lli_timeline_append(t, story.tokens + story.n, 3, NULL), LLMINF_OK);
            story.n += 3;
        }
        lli_timeline_close(t);
    }
}

/* The space in front is dropped at the start of the timeline's text only. */
static void test_first_space(void **state)
{
    static const struct {
        int32_t tokens[3];
        uint32_t n;
        int echo;
        const char *want;
    } rows[] = {
        {{11, 12}, 2, 1, "a b a"},        {{NULL_BOS, 11, 12}, 3, 1, "a b a"},
        {{NULL_BOS, 11, 12}, 3, 0, " a"}, {{NULL_BOS}, 1, 0, "a"}, /* the new text is the first */
        {{NULL_BOS}, 1, 1, "a"},          {{11}, 1, 0, " a"},
    };
    struct lli_bias bias = {11, 1000};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lli_request_params params = null_engine_params();
        struct lli_timeline *t;
        char text[32];
        size_t n;
        params.bias = &bias;
        params.n_bias = 1;
        params.max_tokens = 1;
        params.echo = rows[i].echo;
        assert_int_equal(lli_timeline_open(&t, e.engine, NULL, NULL), LLMINF_OK);
        assert_int_equal(lli_timeline_append(t, rows[i].tokens, rows[i].n, NULL), LLMINF_OK);
        assert_int_equal(lli_timeline_generate(t, &params, NULL), LLMINF_OK);
        assert_int_equal(lli_timeline_wait(t, -1, NULL), LLMINF_DONE);
        assert_int_equal(lli_timeline_read(t, text, sizeof text, &n, -1, NULL), LLMINF_OK);
        assert_string_equal(text, rows[i].want);
        lli_timeline_close(t);
    }
}

/* A character of three tokens comes when it is whole, or at the end as U+FFFD. */
static void test_pending(void **state)
{
    static const int32_t euro[] = {NULL_BOS, 5, NULL_EURO, NULL_EURO + 1, NULL_EURO + 2};
    struct lli_request_params params = null_engine_params();
    char text[32];
    size_t n;
    (void)state;
    for (uint32_t len = 2; len <= 5; len++) {
        struct lli_timeline *t;
        params.max_tokens = 0;
        params.echo = 1;
        assert_int_equal(lli_timeline_open(&t, e.engine, NULL, NULL), LLMINF_OK);
        assert_int_equal(lli_timeline_append(t, euro, len, NULL), LLMINF_OK);
        null_forward_allow(0);
        assert_int_equal(lli_timeline_generate(t, &params, NULL), LLMINF_OK);
        null_forward_await_held();
        assert_int_equal(lli_timeline_read(t, text, sizeof text, &n, 0, NULL), LLMINF_OK); /* the echo needs no step */
        assert_string_equal(text, len == 5 ? "a\xe2\x82\xac" : "a");
        assert_int_equal(lli_timeline_read(t, text, sizeof text, &n, 0, NULL), LLMINF_AGAIN);
        null_forward_allow(-1);
        if (len == 3 || len == 4) {
            assert_int_equal(lli_timeline_read(t, text, sizeof text, &n, -1, NULL), LLMINF_OK);
            assert_string_equal(text, "\xef\xbf\xbd");
        }
        assert_int_equal(lli_timeline_read(t, text, sizeof text, &n, -1, NULL), LLMINF_DONE);
        lli_timeline_close(t);
    }
}

/* The text does not hang on the room; a room too small for the next character says how much it needs and takes nothing. */
static void test_small_rooms(void **state)
{
    struct null_story prompt = make_prompt(4, 8);
    struct lli_request_params params = letters_only(60);
    char text[8];
    size_t n;
    int n_small = 0;
    int32_t status;
    (void)state;
    for (size_t cap = 5; cap < 12; cap++)
        check_alone(&prompt, &params, cap);
    struct null_story story = prompt;
    assert_int_equal(null_engine_tell(&story, &params, NULL_TRAIN), LLMINF_OK);
    struct lli_timeline *t = open_timeline(&prompt);
    assert_int_equal(lli_timeline_generate(t, &params, NULL), LLMINF_OK);
    for (size_t at = 0; (status = lli_timeline_read(t, text, 2, &n, -1, NULL)) != LLMINF_DONE; at += n) {
        if (status == LLMINF_E_TOO_SMALL) {
            size_t needed = n;
            n_small++;
            assert_in_range(needed, 2, 4);
            assert_int_equal(lli_timeline_read(t, text, needed, &n, -1, NULL), LLMINF_E_TOO_SMALL);
            assert_int_equal(lli_timeline_read(t, text, needed + 1, &n, -1, NULL), LLMINF_OK);
            assert_int_equal(n, needed);
        } else {
            assert_int_equal(status, LLMINF_OK);
            assert_int_equal(n, 1);
        }
        assert_true(at + n <= story.text_len);
        assert_memory_equal(text, story.text + at, n);
    }
    assert_true(n_small > 0);
    assert_int_equal(lli_timeline_read(t, NULL, 0, &n, -1, NULL), LLMINF_DONE);
    lli_timeline_close(t);
}

static void test_read_tokens(void **state)
{
    struct null_story prompt = make_prompt(10, 2);
    (void)state;
    for (size_t cap = 1; cap < 9; cap++)
        for (int echo = 0; echo < 2; echo++) {
            struct null_story story = prompt;
            struct lli_request_params params = null_engine_params();
            struct lli_timeline *t = open_timeline(&prompt);
            int32_t ids[NULL_STORY], status;
            uint32_t at = echo ? 0 : prompt.n;
            char text[512];
            size_t n;
            params.max_tokens = 40;
            params.echo = echo;
            assert_int_equal(lli_timeline_generate(t, &params, NULL), LLMINF_OK);
            null_engine_tell(&story, &params, NULL_TRAIN);
            while ((status = lli_timeline_read_tokens(t, ids, cap, &n, -1, NULL)) == LLMINF_OK) {
                assert_in_range(n, 1, cap);
                assert_true(at + n <= story.n);
                assert_memory_equal(ids, story.tokens + at, n * sizeof *ids);
                at += (uint32_t)n;
            }
            assert_int_equal(status, LLMINF_DONE);
            assert_int_equal(at, story.n);
            assert_int_equal(lli_timeline_read_tokens(t, ids, 0, &n, -1, NULL), LLMINF_E_TOO_SMALL);
            assert_int_equal(null_engine_read(t, 64, text, sizeof text, &n), LLMINF_DONE); /* a position of its own */
            assert_int_equal(n, story.text_len);
            assert_memory_equal(text, story.text, n);
            lli_timeline_close(t);
        }
}

/* What was not read before the timeline is cut is gone; nothing behind the cut is ever shown. */
static void test_cut_unread(void **state)
{
    struct null_story prompt = make_prompt(6, 4);
    struct lli_request_params params = letters_only(20);
    char text[256];
    int32_t id;
    size_t n;
    (void)state;
    struct lli_timeline *t = open_timeline(&prompt);
    assert_int_equal(lli_timeline_generate(t, &params, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_wait(t, -1, NULL), LLMINF_DONE);
    assert_int_equal(lli_timeline_read_tokens(t, &id, 1, &n, 0, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_truncate(t, 4, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_append(t, prompt.tokens, 6, NULL), LLMINF_OK);
    assert_int_equal(lli_timeline_read(t, text, sizeof text, &n, 0, NULL), LLMINF_DONE);
    assert_int_equal(lli_timeline_read_tokens(t, &id, 1, &n, 0, NULL), LLMINF_DONE);
    struct null_story story = prompt;
    story.n = 4;
    memcpy(story.tokens + 4, prompt.tokens, 6 * sizeof *story.tokens);
    story.n = 10;
    story.n_said = 4;
    params.echo = 1;
    check(t, &story, &params, 32);
    lli_timeline_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_piece), cmocka_unit_test(test_overlapping), cmocka_unit_test(test_held_back),
        cmocka_unit_test(test_tokens),      cmocka_unit_test(test_eog),         cmocka_unit_test(test_echo),
        cmocka_unit_test(test_first_space), cmocka_unit_test(test_pending),     cmocka_unit_test(test_small_rooms),
        cmocka_unit_test(test_read_tokens), cmocka_unit_test(test_cut_unread),
    };
    return cmocka_run_group_tests(tests, open_engine, close_engine);
}
