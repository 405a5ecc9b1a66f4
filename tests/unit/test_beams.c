/* Beam search over a forward without arithmetic, against one that keeps whole lists of tokens. */
#include "engine/beam.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mathx.h"
#include "engine/stop.h"
#include "engine/timeline.h"
#include "support/flight.h"

enum { B = LLI_BLOCK_TOKENS, MOST = 8, LENGTH = 160 };

static struct flight f;

struct beam {
    int32_t tokens[LENGTH];
    uint32_t n;
    double score;
    int reason, index;
    size_t text_len; /* of the new text, cut at the stop text */
    char text[8 * LENGTH];
};

struct search {
    struct beam live[MOST], next[MOST], ended[MOST];
    uint32_t n_live, n_next, n_ended;
};

static int is_stop(const struct lli_request_params *p, int32_t token)
{
    for (size_t i = 0; i < p->n_stop_tokens; i++)
        if (p->stop_tokens[i] == token)
            return 1;
    return 0;
}

static int is_eog(const struct lli_request_params *p, int32_t token)
{
    return !p->ignore_eog && (token == NULL_EOG || token == NULL_EOT);
}

/* The whole new text of a beam, decoded anew and searched naively: does a stop text end in its last token? */
static void judge_text(struct beam *b, const struct lli_request_params *p, uint32_t n_prompt)
{
    const struct lli_vocab *vocab = f.e.engine->vocab;
    struct lli_heap heap;
    struct lli_buffer text;
    struct lli_decode decode = {0};
    size_t before = 0;
    lli_heap_init(&heap, NULL, NULL, NULL);
    lli_buffer_init(&text, &heap);
    b->text_len = 0;
    for (uint32_t i = n_prompt; i < b->n && b->reason == LLI_STOP_NONE; i++) {
        before = text.len;
        lli_decode_token(&decode, &text, vocab, b->tokens[i], 0);
    }
    b->index = -1;
    for (size_t end = before + 1; end <= text.len && (int64_t)(b->n - n_prompt) >= p->min_tokens && b->index < 0; end++)
        for (size_t k = 0; k < p->n_stops; k++)
            if (p->stops[k].len <= end && memcmp(text.bytes + end - p->stops[k].len, p->stops[k].bytes, p->stops[k].len) == 0 &&
                (b->index < 0 || p->stops[k].len > p->stops[b->index].len)) {
                b->index = (int)k;
                b->reason = LLI_STOP_STRING;
                b->text_len = end - p->stops[k].len;
            }
    if (b->reason == LLI_STOP_STRING && b->text_len > 0)
        memcpy(b->text, text.bytes, b->text_len);
    lli_buffer_finish(&text);
}

/* The best next one that is not taken yet. */
static int take_best(struct search *s, const struct lli_request_params *p, uint32_t n_prompt, int taken[MOST][NULL_VOCAB],
                     struct lli_logprob best[MOST][NULL_VOCAB + 1])
{
    double most = 0;
    int beam = -1, at = -1;
    for (uint32_t b = 0; b < s->n_live; b++)
        for (int i = 1; i <= NULL_VOCAB; i++) {
            int32_t token = best[b][i].token;
            double score = s->live[b].score + (double)best[b][i].value;
            int ends = is_stop(p, token) || is_eog(p, token);
            if (taken[b][i - 1] || (ends && (int64_t)(s->live[b].n + 1 - n_prompt) < p->min_tokens))
                continue;
            if (beam < 0 || score > most) {
                most = score;
                beam = (int)b;
                at = i;
            }
        }
    if (beam < 0)
        return 0;
    taken[beam][at - 1] = 1;
    struct beam *to = &s->next[s->n_next++];
    *to = s->live[beam];
    to->tokens[to->n++] = best[beam][at].token;
    to->score = most;
    int32_t token = to->tokens[to->n - 1];
    to->reason = is_eog(p, token) ? LLI_STOP_EOG : is_stop(p, token) ? LLI_STOP_TOKEN : LLI_STOP_NONE;
    judge_text(to, p, n_prompt);
    return 1;
}

static struct beam *search(struct search *s, const struct null_story *prompt, const struct lli_request_params *p)
{
    uint32_t n_max = prompt->n + (uint32_t)p->max_tokens;
    *s = (struct search){.n_live = 1};
    memcpy(s->live[0].tokens, prompt->tokens, prompt->n * sizeof *prompt->tokens);
    s->live[0].n = prompt->n;
    while (s->n_live > 0) {
        static struct lli_logprob best[MOST][NULL_VOCAB + 1];
        int taken[MOST][NULL_VOCAB] = {{0}};
        for (uint32_t b = 0; b < s->n_live; b++) {
            float logits[NULL_VOCAB];
            null_forward_oracle_under(logits, NULL_VOCAB, s->live[b].tokens, s->live[b].n, prompt->adapter,
                                      prompt->adapter_scale);
            lli_logprob_best(best[b], logits, NULL_VOCAB, 0, NULL_VOCAB);
        }
        s->n_next = 0;
        while (s->n_next < p->beams - s->n_ended && take_best(s, p, prompt->n, taken, best))
            ;
        s->n_live = 0;
        for (uint32_t i = 0; i < s->n_next; i++) {
            if (s->next[i].reason == LLI_STOP_NONE && s->next[i].n == n_max)
                s->next[i].reason = LLI_STOP_LENGTH;
            if (s->next[i].reason == LLI_STOP_NONE)
                s->live[s->n_live++] = s->next[i];
            else
                s->ended[s->n_ended++] = s->next[i];
        }
    }
    struct beam *found = &s->ended[0];
    for (uint32_t i = 1; i < s->n_ended; i++)
        if (s->ended[i].score / lli_pow_f64(s->ended[i].n - prompt->n, p->length_penalty) >
            found->score / lli_pow_f64(found->n - prompt->n, p->length_penalty))
            found = &s->ended[i];
    return found;
}

static int n_cut; /* ended by a stop text */

static void check(uint32_t i)
{
    static struct search s;
    const struct lli_timeline *t = f.t[i];
    const struct beam *want = search(&s, &f.stories[i], &f.params[i]);
    assert_int_equal(t->state, LLI_TIMELINE_IDLE);
    assert_int_equal(t->n_tokens, want->n);
    assert_memory_equal(t->tokens, want->tokens, want->n * sizeof *want->tokens);
    assert_int_equal(t->stop_reason, want->reason);
    if (want->reason == LLI_STOP_STRING) {
        static char text[8 * LENGTH];
        size_t len;
        assert_int_equal(null_engine_read(f.t[i], 64, text, sizeof text, &len), LLMINF_DONE);
        assert_int_equal(len, want->text_len);
        assert_memory_equal(text, want->text, len);
        assert_int_equal(t->stop_index, want->index);
        n_cut++;
    }
    f.stories[i].n = f.stories[i].n_said = want->n;
    memcpy(f.stories[i].tokens, want->tokens, want->n * sizeof *want->tokens);
}

static uint32_t add(uint32_t n, uint64_t seed, uint32_t beams, int64_t max_tokens)
{
    uint32_t i = flight_put(&f, n, 0, seed, max_tokens);
    f.params[i].beams = beams;
    f.params[i].length_penalty = (double)(seed % 3);
    f.params[i].ignore_eog = seed % 2;
    f.params[i].min_tokens = seed % 4;
    flight_ask(&f, i);
    return i;
}

/* Of every width, in every mode, alone and beside others, with room for all and for one. */
static void test_beams(void **state)
{
    static const int32_t stop = 9;
    (void)state;
    for (int mode = LLI_BATCHING_STATIC; mode <= LLI_BATCHING_INFLIGHT; mode++)
        for (uint32_t room = 0; room < 3; room++)
            for (uint32_t beams = 2; beams <= MOST; beams += 2) {
                flight_init(&f, (room == 0 ? 400 : room == 1 ? 12 : 5) * 16 / B);
                f.has_adapters = beams % 4 == 0;
                f.e.options.batching = mode;
                f.e.options.max_running = beams == 4 ? 3 : 16;
                f.e.options.n_threads = 1 + (int)beams % 2;
                engine_open(&f.e);
                for (uint32_t i = 0; i < 3; i++)
                    add(3 + 11 * i, beams * 7 + i, beams, 1 + 9 * i);
                uint32_t other = flight_add(&f, 20, 0, 99, 10);
                f.params[0].stop_tokens = &stop;
                f.params[0].n_stop_tokens = 1;
                lli_timeline_cancel(f.t[0]);
                while (flight_step(&f))
                    ;
                assert_int_equal(f.t[0]->stop_reason, LLI_STOP_CANCEL);
                flight_ask(&f, 0);
                while (flight_step(&f))
                    ;
                for (uint32_t i = 0; i < 3; i++)
                    check(i);
                flight_expect(&f, other);
                lli_timeline_close(f.t[other]);
                f.t[other] = NULL;
                for (uint32_t i = 0; i < 3; i++) { /* and on from there, as any session */
                    f.params[i] = null_engine_params();
                    f.params[i].max_tokens = 5;
                    flight_ask(&f, i);
                }
                flight_run(&f);
                flight_close(&f);
            }
}

/* Texts within tokens and across them, several that overlap; with and without min_tokens. */
static void test_stop_texts(void **state)
{
    static const struct lli_text stops[] = {{"de", 2}, {"b", 1},    {"hh", 2}, {"j", 1},
                                            {"ia", 2}, {"ddee", 4}, {"aj", 2}, {"a", 1}};
    (void)state;
    n_cut = 0;
    for (uint32_t beams = 2; beams <= MOST; beams += 3)
        for (uint32_t seed = 0; seed < 30; seed++) {
            flight_init(&f, 60 * 16 / B);
            engine_open(&f.e);
            uint32_t i = flight_put(&f, 3 + seed % 20, 0, seed, 20);
            f.params[i].beams = beams;
            f.params[i].length_penalty = (double)(seed % 3);
            f.params[i].min_tokens = seed % 5;
            f.params[i].stops = stops + seed % 6;
            f.params[i].n_stops = 1 + seed % 3;
            flight_ask(&f, i);
            while (flight_step(&f))
                ;
            check(i);
            flight_close(&f);
        }
    assert_true(n_cut > 30);
}

/* Cancelled after any step, closed after any step: nothing is left, and what follows is as ever. */
static void test_cancel(void **state)
{
    (void)state;
    for (uint32_t k = 0; k < 30; k++)
        for (int closes = 0; closes < 2; closes++) {
            flight_init(&f, 40 * 16 / B);
            f.e.options.max_running = 3;
            engine_open(&f.e);
            add(50, k, 4, 12);
            add(20, k + 1, 3, 12);
            for (uint32_t i = 0; i < k; i++)
                flight_step(&f);
            if (closes) {
                lli_timeline_close(f.t[0]);
                f.t[0] = NULL;
            } else {
                lli_timeline_cancel(f.t[0]);
                flight_step(&f);
                assert_int_equal(f.t[0]->state, LLI_TIMELINE_IDLE);
            }
            while (flight_step(&f))
                ;
            check(1);
            if (!closes && f.t[0]->stop_reason == LLI_STOP_CANCEL) {
                assert_int_equal(f.t[0]->n_tokens, 50);
                flight_ask(&f, 0);
                while (flight_step(&f))
                    ;
                check(0);
            }
            flight_close(&f);
        }
}

/* A row that fails ends the search, and no other. */
static void test_numeric(void **state)
{
    static const int32_t bad = NULL_FORWARD_NUMERIC;
    (void)state;
    flight_init(&f, 40 * 16 / B);
    engine_open(&f.e);
    flight_put(&f, 5, 0, 1, 10);
    assert_int_equal(lli_timeline_append(f.t[0], &bad, 1, NULL), LLMINF_OK);
    f.params[0].beams = 4;
    flight_ask(&f, 0);
    add(5, 2, 4, 10);
    while (flight_step(&f))
        ;
    assert_int_equal(f.t[0]->stop_reason, LLI_STOP_ERROR);
    assert_int_equal(lli_timeline_wait(f.t[0], 0, NULL), LLMINF_E_NUMERIC);
    check(1);
    flight_close(&f);
}

/* 48: in any step, in any beam. */
static void test_failures(void **state)
{
    uint32_t n_failed = 0;
    (void)state;
    for (uint32_t k = 0; k < 30; k++) {
        flight_init(&f, 40 * 16 / B);
        f.e.options.max_running = 5;
        engine_open(&f.e);
        add(20, k, 4, 12);
        add(50, k + 1, 3, 12);
        null_forward_fail(1 + k, k, LLMINF_E_COMM);
        while (flight_step(&f))
            ;
        for (uint32_t i = 0; i < 2; i++)
            if (f.t[i]->stop_reason == LLI_STOP_ERROR) {
                assert_int_equal(lli_timeline_wait(f.t[i], 0, NULL), LLMINF_E_COMM);
                assert_int_equal(f.t[i]->n_tokens, f.stories[i].n);
                n_failed++;
                flight_ask(&f, i);
                while (flight_step(&f))
                    ;
            }
        check(0);
        check(1);
        flight_close(&f);
    }
    assert_true(n_failed > 10);
}

static void test_memory(void **state)
{
    static const struct lli_text never = {"never said", 10};
    int32_t status;
    (void)state;
    flight_init(&f, 40 * 16 / B);
    engine_open(&f.e);
    flight_put(&f, 20, 0, 1, 10);
    f.params[0].beams = 4;
    f.params[0].length_penalty = 1;
    f.params[0].stops = &never;
    f.params[0].n_stops = 1;
    for (int64_t i = 1;
         (support_heap_arm(&f.e.host, i, 0), status = lli_timeline_generate(f.t[0], &f.params[0], NULL)) != LLMINF_OK; i++) {
        assert_int_equal(status, LLMINF_E_MEMORY);
        assert_true(i < 200);
    }
    support_heap_arm(&f.e.host, 1, 1); /* none is needed from here on */
    while (flight_step(&f))
        ;
    assert_int_equal(f.e.host.n_calls, 0);
    support_heap_arm(&f.e.host, 0, 0);
    check(0);
    flight_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beams),   cmocka_unit_test(test_stop_texts), cmocka_unit_test(test_cancel),
        cmocka_unit_test(test_numeric), cmocka_unit_test(test_failures),   cmocka_unit_test(test_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
