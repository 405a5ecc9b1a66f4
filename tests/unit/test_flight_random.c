/* Random schedules over a forward without arithmetic: sessions that are filled, forked, cut, asked, cancelled and closed
 * between any two steps, in pools that are too small for them. Each tells what it would tell alone. The numbers in comments are
 * those of the oracles in the design of the engine. */
#include "engine/timeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"
#include "engine/drafter.h"
#include "engine/stop.h"
#include "llminf/status.h"
#include "support/flight.h"
#include "support/grammars.h"

enum { B = LLI_BLOCK_TOKENS, N = 8, MAX_LEN = 100 };

uint64_t __real_lli_hash(const void *bytes, size_t n, uint64_t seed);
uint64_t __wrap_lli_hash(const void *bytes, size_t n, uint64_t seed);

static int is_constant; /* 7: all hashes are equal */

uint64_t __wrap_lli_hash(const void *bytes, size_t n, uint64_t seed)
{
    return is_constant ? 42 : __real_lli_hash(bytes, n, seed);
}

static struct flight f;
static uint64_t seed;
static struct lli_engine_stats seen; /* of all runs */
static int is_open[N];               /* a generation that was asked for and not yet held against its story */

enum { N_GRAMMARS = 4 };

static struct lli_heap grammar_heap;
static struct lli_trie trie;
static struct lli_grammar *grammars[N_GRAMMARS];

/* Over the vocabulary of the null engine: endless, ending, nested, and one that can leave no token. */
static int open_grammars(void **state)
{
    static const char *const texts[N_GRAMMARS] = {"root ::= ([a-c] | \" \")*", "root ::= (\"ab\" | \"c\" [a-j]{2,5})+ \"d\"",
                                                  "root ::= x+\nx ::= \"a\" x \"b\" | \"c\" | \"\u00e9\" | \"\u20ac\"",
                                                  "root ::= [a-j]{5} [a-z]{0,3} \"z\""};
    struct null_engine e;
    (void)state;
    null_engine_init(&e, 8);
    lli_heap_init(&grammar_heap, NULL, NULL, NULL);
    int failed = lli_trie_init(&trie, &grammar_heap, e.options.vocab, NULL) != LLMINF_OK;
    for (int i = 0; i < N_GRAMMARS && !failed; i++)
        failed = grammar_compile(&grammars[i], &grammar_heap, &trie, "gbnf", texts[i], strlen(texts[i]), NULL) != LLMINF_OK;
    return failed;
}

static int close_grammars(void **state)
{
    (void)state;
    for (int i = 0; i < N_GRAMMARS; i++)
        lli_grammar_unref(grammars[i]);
    lli_trie_finish(&trie);
    return grammar_heap.live_bytes != 0;
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)(support_random(&seed) % n);
}

/* The depth of guesses by a model hangs on times: these. */
static int step(void)
{
    struct lli_drafter *drafter = f.e.engine->drafter;
    if (drafter) {
        double ns = 1 + below(100);
        drafter->step = (struct lli_pace){.n = 1, .rows = 1, .ns = 100, .rows_rows = 1, .rows_ns = 100};
        drafter->own = (struct lli_pace){.n = 1, .rows = 1, .ns = ns, .rows_rows = 1, .rows_ns = ns};
    }
    return flight_step(&f);
}

static void open_session(uint32_t i)
{
    int32_t adapter = (int32_t)(below(2) * below(3));
    struct lli_timeline_options options = {.salt = "x",
                                           .salt_len = below(4) == 0,
                                           .adapter = null_engine_adapter(adapter),
                                           .adapter_scale = 1 + below(2),
                                           .no_prefix_cache = below(12) == 0,
                                           .is_pinned = below(10) == 0};
    assert_int_equal(lli_timeline_open(&f.t[i], f.e.engine, &options, NULL), LLMINF_OK);
    memset(&f.stories[i], 0, sizeof f.stories[i]);
    f.stories[i].adapter = adapter;
    f.stories[i].adapter_scale = options.adapter_scale;
    is_open[i] = 0;
}

static void append(uint32_t i)
{
    struct null_story *story = &f.stories[i];
    uint32_t n = 1 + below(30);
    if (story->n + n > MAX_LEN)
        return;
    null_engine_words(story->tokens + story->n, n, below(3));
    assert_int_equal(lli_timeline_append(f.t[i], story->tokens + story->n, n, NULL), LLMINF_OK);
    story->n += n;
}

static void truncate_one(uint32_t i)
{
    struct null_story *story = &f.stories[i];
    story->n = below(story->n + 1);
    story->n_said = story->n_said < story->n ? story->n_said : story->n;
    assert_int_equal(lli_timeline_truncate(f.t[i], story->n, NULL), LLMINF_OK);
}

static void ask(uint32_t i)
{
    static const struct lli_bias repeat[] = {{7, 5}, {8, 4.5f}, {9, 4}};
    static const uint8_t in_token[NULL_VOCAB / 8] = {0, 0, 1};
    static const int32_t run[] = {7, 8};
    static const struct lli_ban runs[] = {{run, 2}};
    static const struct lli_breaks breaks = {in_token, NULL_VOCAB, runs, 1};
    struct lli_request_params *p = &f.params[i];
    *p = null_engine_params();
    p->max_tokens = below(40);
    p->sampler.temperature = below(2);
    p->sampler.seed = below(1000);
    p->sampler.repeat_penalty = below(2) ? 1 : 1.1;
    if (below(2)) {
        p->sampler.mirostat = below(2) ? 2 : 0;
        p->sampler.mirostat_tau = 1 + below(5);
        p->sampler.mirostat_eta = 0.3;
        p->sampler.xtc_probability = below(3) / 2.0;
        p->sampler.xtc_threshold = 0.05;
        p->sampler.dynatemp_range = below(2) * 0.5;
        p->sampler.dynatemp_exponent = 1;
        p->sampler.typical_p = below(2) ? 0.9 : 0;
        p->sampler.dry_multiplier = below(2) * 0.3;
        p->sampler.dry_base = 1.2;
        p->sampler.dry_length = 2;
        p->sampler.dry_window = (int)below(60) - 1;
        p->breaks = below(2) ? &breaks : NULL;
    }
    p->grammar = below(3) == 0 ? grammars[below(N_GRAMMARS)] : NULL;
    p->ignore_eog = (int)below(2);
    p->echo = (int)below(2);
    p->logits = (int)below(3);
    p->logprobs = (int)below(3) - 1;
    p->prompt_logprobs = (int)below(3) - 1;
    p->priority = (int)below(3);
    p->draft_limit = below(2) * (1 + below(16));
    p->is_drafted = below(2);
    if (below(2)) { /* texts that repeat, so that guesses are right */
        p->bias = repeat;
        p->n_bias = 3;
    }
    if (f.stories[i].n > 0 && lli_timeline_generate(f.t[i], p, NULL) == LLMINF_OK)
        is_open[i] = 1;
}

static void hear(uint32_t i)
{
    if (!is_open[i] || f.t[i]->state != LLI_TIMELINE_IDLE)
        return;
    is_open[i] = 0;
    flight_expect(&f, i);
}

/* What was told so far is a beginning of what would have been told. */
static void cancel(uint32_t i)
{
    struct null_story *story = &f.stories[i];
    lli_timeline_cancel(f.t[i]);
    while (f.t[i]->state != LLI_TIMELINE_IDLE)
        step();
    if (f.t[i]->stop_reason != LLI_STOP_CANCEL || !is_open[i])
        return;
    is_open[i] = 0;
    null_engine_tell(story, &f.params[i], (uint32_t)f.t[i]->max_length);
    assert_true(f.t[i]->n_tokens <= story->n);
    assert_memory_equal(f.t[i]->tokens, story->tokens, f.t[i]->n_tokens * sizeof *story->tokens);
    story->n = story->n_said = f.t[i]->n_tokens;
}

static void fork_one(uint32_t to, uint32_t from)
{
    if (to == from || f.t[from]->state != LLI_TIMELINE_IDLE || is_open[from])
        return;
    struct lli_timeline *fork;
    int32_t status = lli_timeline_fork(&fork, f.t[from], NULL);
    assert_true(status == LLMINF_OK || (status == LLMINF_E_FULL && f.t[from]->is_pinned));
    if (status != LLMINF_OK)
        return;
    lli_timeline_close(f.t[to]);
    f.t[to] = fork;
    f.stories[to] = f.stories[from];
    is_open[to] = 0;
}

static void operate(uint32_t i)
{
    int is_idle = f.t[i]->state == LLI_TIMELINE_IDLE;
    switch (below(16)) {
    case 0:
        cancel(i);
        break;
    case 1:
        lli_timeline_close(f.t[i]);
        open_session(i);
        break;
    case 2:
        if (is_idle)
            truncate_one(i);
        break;
    case 3:
        fork_one(i, below(N));
        break;
    case 4:
        if (below(8) == 0)
            lli_engine_trim(f.e.engine, 0);
        break;
    default:
        if (is_idle && below(2))
            append(i);
        if (is_idle)
            ask(i);
    }
}

/* That the rare paths were gone at all. */
static void note(void)
{
    struct lli_engine_stats s = engine_stats(&f.e);
    seen.preemptions += s.preemptions;
    seen.copied_blocks += s.copied_blocks;
    seen.accepted += s.accepted;
    seen.drafted += s.drafted;
    seen.evictions += s.evictions;
    seen.recycled += s.recycled;
    seen.deduplicated += s.deduplicated;
    seen.refused += s.refused;
    seen.overtakes += s.overtakes;
    seen.prefix_hit_tokens += s.prefix_hit_tokens;
    seen.recomputed_tokens += s.recomputed_tokens;
    seen.cancelled += s.cancelled;
    seen.draft_rows += s.draft_rows;
}

/* A model all of whose layers see all, or some, or none of them. */
static void shape(struct lli_config *config)
{
    static const struct {
        uint32_t n_global, n_local, window;
    } models[] = {{1, 1, B + 3}, {2, 7, 2 * B}, {0, 1, B + 1}, {1, 5, 2}, {0, 3, 40}};
    uint32_t i = below(10);
    if (i < sizeof models / sizeof *models)
        null_engine_window(config, models[i].n_global, models[i].n_local, models[i].window);
}

/* A pool for the longest session, and blocks for others in the measure that it needs. */
static void make_pool(void)
{
    struct lli_engine_size size;
    assert_int_equal(lli_engine_size(&size, &f.e.options, NULL), LLMINF_OK);
    uint32_t n = lli_table_footprint(size.windows, size.n_groups, MAX_LEN + 40, size.max_rows);
    null_engine_pool(&f.e, 1 + n + below(5) * n / 2);
}

static void fly(int n_operations)
{
    flight_init(&f, 100);
    shape(&f.e.config);
    f.e.options.batching = below(4) ? LLI_BATCHING_INFLIGHT : (int)below(3);
    f.e.options.step_tokens = 16 + below(100);
    f.e.options.max_running = 1 + below(8);
    f.e.options.max_waiting = below(12);
    f.e.options.admit_reserve = below(3) / 2.0;
    f.e.options.bypass_limit = below(4);
    f.e.options.age_steps = below(5);
    make_pool();
    if (below(3) == 0) {
        null_engine_draft(&f.e, 2 + LLI_GROUPS_MAX + below(30 * 16 / B), below(60));
        shape(&f.e.draft);
    }
    if (below(3) == 0)
        f.e.draft.n_heads = 1 + below(200); /* fails at times */
    engine_open(&f.e);
    for (uint32_t i = 0; i < N; i++)
        open_session(i);
    f.n = N;
    for (int k = 0; k < n_operations; k++) {
        operate(below(N));
        for (uint32_t n = below(5); n > 0; n--)
            step();
        for (uint32_t i = 0; i < N; i++)
            hear(i);
    }
    while (step())
        ;
    for (uint32_t i = 0; i < N; i++) {
        hear(i);
        assert_int_equal(is_open[i], 0);
    }
    note();
    flight_close(&f);
}

/* 6, 8, 13, 29, 39, 51, 53 */
static void test_random(void **state)
{
    (void)state;
    for (seed = 1; seed <= 2000; seed++) {
        uint64_t run = seed;
        fly(60);
        seed = run;
    }
    assert_true(seen.preemptions > 0 && seen.copied_blocks > 0 && seen.accepted > 0 && seen.drafted > seen.accepted);
    assert_true(seen.evictions > 0 && seen.recycled > 0 && seen.deduplicated > 0 && seen.refused > 0 && seen.overtakes > 0);
    assert_true(seen.prefix_hit_tokens > 0 && seen.recomputed_tokens > 0 && seen.cancelled > 0 && seen.draft_rows > 0);
}

/* 7: hits stay right, though some are not found. */
static void test_one_hash(void **state)
{
    (void)state;
    is_constant = 1;
    for (seed = 1000; seed < 1040; seed++) {
        uint64_t run = seed;
        fly(60);
        seed = run;
    }
    is_constant = 0;
}

/* 7: where a place of the index holds all blocks of the pool, hits too are the same. */
static void test_same_hits(void **state)
{
    int64_t hits[2], copies[2], rows[2];
    (void)state;
    for (is_constant = 0; is_constant < 2; is_constant++) {
        flight_init(&f, 1 + 16);
        engine_open(&f.e);
        for (uint32_t i = 0; i < 12; i++)
            flight_add(&f, 1 + i % 4 * B + i % 3, i % 5 * B, i / 2, 3);
        flight_run(&f);
        struct lli_engine_stats s = engine_stats(&f.e);
        hits[is_constant] = s.prefix_hit_tokens;
        copies[is_constant] = s.copied_blocks;
        rows[is_constant] = null_forward_rows();
        flight_close(&f);
    }
    is_constant = 0;
    assert_true(hits[0] > 0);
    assert_int_equal(hits[0], hits[1]);
    assert_int_equal(copies[0], copies[1]);
    assert_int_equal(rows[0], rows[1]);
}

/* 52: the same two tokens, and a third that never came behind them: every guess is wrong. */
static int32_t never_again(void *user, float *logits, size_t n_vocab, const int32_t *history, size_t n_history)
{
    int32_t next = n_history % 3 == 0 ? 7 : n_history % 3 == 1 ? 8 : (int32_t)(10 + n_history / 3);
    (void)user;
    (void)history;
    for (size_t i = 0; i < n_vocab; i++)
        logits[i] = (int32_t)i == next ? 1 : -1000;
    return 0;
}

static void test_wrong_guesses(void **state)
{
    (void)state;
    for (uint32_t limit = 0; limit <= 16; limit += 4) {
        flight_init(&f, 1 + 200 / B);
        engine_open(&f.e);
        flight_put(&f, 1, 0, 1, 130);
        f.params[0].filter = never_again;
        f.params[0].draft_limit = limit;
        flight_ask(&f, 0);
        uint32_t n_steps = flight_run(&f);
        struct lli_engine_stats s = engine_stats(&f.e);
        assert_int_equal(s.accepted, 0);
        assert_int_equal(n_steps, 130);
        assert_true((s.drafted > 0) == (limit > 0));
        flight_close(&f);
    }
}

/* 52: guesses that are always right bring gamma + 1 tokens a step; those that are never right cost no token. */
static void test_drafts(void **state)
{
    static const struct lli_bias always = {7, 100};
    (void)state;
    for (uint32_t limit = 0; limit <= 16; limit += 8) {
        flight_init(&f, 300);
        engine_open(&f.e);
        flight_put(&f, 10, 0, 1, 80);
        f.params[0].bias = &always;
        f.params[0].n_bias = 1;
        f.params[0].draft_limit = limit;
        flight_ask(&f, 0);
        uint32_t n_steps = flight_run(&f);
        struct lli_engine_stats s = engine_stats(&f.e);
        assert_int_equal(s.decode_tokens, 80);
        assert_int_equal(s.drafted, s.accepted);
        if (limit == 0)
            assert_int_equal(n_steps, 80);
        else
            assert_true(n_steps < 80 / (limit / 2) + 8 && s.accepted > 0);
        flight_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random),        cmocka_unit_test(test_one_hash), cmocka_unit_test(test_same_hits),
        cmocka_unit_test(test_wrong_guesses), cmocka_unit_test(test_drafts),
    };
    return cmocka_run_group_tests(tests, open_grammars, close_grammars);
}
