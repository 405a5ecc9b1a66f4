/* Sampling against a naive model: all candidates sorted, probabilities by the C library. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "llminf/status.h"
#include "sample/chain.h"
#include "sample/ban.h"
#include "sample/filter.h"
#include "sample/logprob.h"
#include "sample/rank.h"
#include "sample/rng.h"
#include "support/support.h"

enum { N = 400 };

static struct lli_heap heap;
static struct lli_chain chain;
static uint64_t seed = 11;
static const struct lli_sampler_params neutral = {.temperature = 1, .min_keep = 1, .top_p = 1, .repeat_penalty = 1};

static int open_chain(void **state)
{
    (void)state;
    lli_heap_init(&heap, NULL, NULL, NULL);
    return lli_chain_init(&chain, &heap, N);
}

static int close_chain(void **state)
{
    (void)state;
    lli_chain_finish(&chain);
    return heap.live_bytes != 0;
}

/* Random logits with ties and both zeros. */
static void fill(float *logits)
{
    for (int i = 0; i < N; i++)
        logits[i] =
            support_random(&seed) % 8 == 0 ? (float)(support_random(&seed) % 3) - 1.0f : 6 * support_random_float(&seed);
    logits[17] = -0.0f;
    logits[5] = 0.0f;
}

static int32_t pick(const struct lli_sampler_params *params, const float *logits, uint64_t pos)
{
    int32_t token = -1;
    assert_int_equal(lli_chain_pick(&token, &chain, &(struct lli_draw){.params = params}, logits, NULL, 0, pos, NULL),
                     LLMINF_OK);
    return token;
}

static int by_logit(const void *a, const void *b)
{
    const struct lli_candidate *x = a, *y = b;
    return x->logit != y->logit ? (x->logit > y->logit ? -1 : 1) : x->id - y->id;
}

static void sorted(struct lli_candidate *c, const float *logits)
{
    for (int i = 0; i < N; i++)
        c[i] = (struct lli_candidate){logits[i], i};
    qsort(c, N, sizeof *c, by_logit);
}

/* The published vectors of Philox4x32-10 (Random123, kat_vectors). */
static void test_philox(void **state)
{
    static const uint32_t rows[3][10] = {
        {0, 0, 0, 0, 0, 0, 0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8},
        {~0u, ~0u, ~0u, ~0u, ~0u, ~0u, 0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd},
        {0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0, 0xd16cfe09, 0x94fdcceb, 0x5001e420,
         0x24126ea1},
    };
    (void)state;
    for (int i = 0; i < 3; i++) {
        uint32_t out[4];
        lli_rng_philox(out, rows[i], rows[i] + 4);
        assert_memory_equal(out, rows[i] + 6, sizeof out);
    }
    for (uint64_t pos = 0; pos < 1000; pos++) {
        uint64_t u = lli_rng_draw(3, pos, 0);
        assert_true(u < UINT64_C(1) << 53);
        assert_true(u == lli_rng_draw(3, pos, 0) && u != lli_rng_draw(4, pos, 0) && u != lli_rng_draw(3, pos, 1));
    }
}

static void test_greedy(void **state)
{
    struct lli_sampler_params params = neutral;
    float logits[N];
    (void)state;
    params.temperature = 0;
    for (int i = 0; i < 50; i++) {
        struct lli_candidate c[N];
        fill(logits);
        sorted(c, logits);
        assert_int_equal(pick(&params, logits, 0), c[0].id);
    }
    for (int i = 0; i < N; i++)
        logits[i] = i % 2 ? 0.0f : -0.0f;
    assert_int_equal(pick(&params, logits, 0), 0);
}

/* A ranking gives the order of a full sort, wherever one looks first. */
static void test_rank(void **state)
{
    float logits[N];
    (void)state;
    for (int round = 0; round < 100; round++) {
        static const size_t firsts[] = {0, 1, 31, 63, 64, 65, 200, 398, 399};
        struct lli_candidate want[N], got[N];
        struct lli_ranking ranking;
        fill(logits);
        if (round % 10 == 9)
            for (int i = 0; i < N; i++)
                logits[i] = (float)(round % 4 == 1 ? i : -i);
        sorted(want, logits);
        lli_rank_init(&ranking, got, logits, N);
        lli_rank_at(&ranking, firsts[round % 9]);
        for (size_t i = 0; i < N; i++)
            assert_int_equal(lli_rank_at(&ranking, i)->id, want[i].id);
    }
}

static void test_top_k(void **state)
{
    float logits[N];
    (void)state;
    for (int round = 0; round < 100; round++) {
        static const size_t ks[] = {1, 2, 5, 31, 32, 33, 64, 399, 400, 1000};
        struct lli_candidate want[N], got[N];
        struct lli_ranking ranking;
        size_t k = ks[round % 10];
        fill(logits);
        sorted(want, logits);
        lli_rank_init(&ranking, got, logits, N);
        lli_filter_top_k(&ranking, k, 1);
        assert_int_equal(ranking.n, k < N ? k : N);
        for (size_t i = 0; i < k && i < N; i++)
            assert_int_equal(lli_rank_at(&ranking, i)->id, want[i].id);
    }
}

/* How many of the ordered candidates stay, by the definitions of the filters. */
static size_t naive_top_p(const struct lli_candidate *c, size_t n, double p)
{
    long double total = 0, sum = 0;
    size_t k = 0;
    for (size_t i = 0; i < n; i++)
        total += expl((long double)c[i].logit - (long double)c[0].logit);
    while (k < n && sum < p * total)
        sum += expl((long double)c[k++].logit - (long double)c[0].logit);
    return k;
}

static size_t naive_min_p(const struct lli_candidate *c, size_t n, double p)
{
    size_t k = 0;
    while (k < n && expl((long double)c[k].logit - (long double)c[0].logit) >= p)
        k++;
    return k;
}

static size_t most(size_t a, size_t b)
{
    return a > b ? a : b;
}

static void test_top_p_min_p(void **state)
{
    float logits[N];
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct lli_candidate want[N], got[N];
        struct lli_ranking ranking;
        double top_p = 0.01 + 0.989 * fabs((double)support_random_float(&seed)), min_p = top_p * top_p * 0.5;
        size_t k = round % 3 ? 50 : 0, min_keep = round % 7 ? 1 : 20, n = k ? k : N;
        fill(logits);
        sorted(want, logits);
        lli_rank_init(&ranking, got, logits, N);
        lli_filter_top_k(&ranking, k, min_keep);
        lli_filter_top_p(&ranking, top_p, 1, min_keep);
        n = most(naive_top_p(want, n, top_p), min_keep);
        assert_int_equal(ranking.n, n);
        lli_filter_min_p(&ranking, min_p, 1, min_keep);
        n = most(naive_min_p(want, n, min_p), min_keep);
        assert_int_equal(ranking.n, n);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(lli_rank_at(&ranking, i)->id, want[i].id);
    }
}

/* A draw is where the cumulated probability passes u, best candidates first. */
static void test_draw(void **state)
{
    struct lli_sampler_params params = neutral;
    float logits[N];
    (void)state;
    params.seed = 99;
    for (uint64_t pos = 0; pos < 500; pos++) {
        struct lli_candidate c[N];
        long double total = 0, sum = 0, u = (long double)lli_rng_draw(99, pos, 0) * 0x1p-53L;
        int i = 0;
        params.temperature = pos % 2 ? 1 : 0.3;
        fill(logits);
        sorted(c, logits);
        for (int k = 0; k < N; k++)
            total += expl(((long double)c[k].logit - (long double)c[0].logit) / params.temperature);
        while ((sum += expl(((long double)c[i].logit - (long double)c[0].logit) / params.temperature)) <= u * total)
            i++;
        assert_int_equal(pick(&params, logits, pos), c[i].id);
        assert_int_equal(pick(&params, logits, pos), c[i].id); /* nothing is left from the first time */
    }
}

/* The draws stay inside what the filters keep, and reach all of it. */
static void check_support(const struct lli_sampler_params *params, const float *logits, size_t n_kept)
{
    struct lli_candidate c[N];
    int seen[N] = {0};
    size_t n_seen = 0;
    sorted(c, logits);
    for (uint64_t pos = 0; pos < 3000; pos++) {
        int32_t id = pick(params, logits, pos);
        size_t place = 0;
        while (c[place].id != id)
            place++;
        assert_true(place < n_kept);
        n_seen += !seen[place];
        seen[place] = 1;
    }
    assert_int_equal(n_seen, n_kept);
}

static void test_filters(void **state)
{
    struct lli_sampler_params params = neutral;
    float logits[N];
    (void)state;
    for (int i = 0; i < N; i++)
        logits[(i * 3) % N] = -0.5f * (float)i; /* best first: exp(-i / 2) */
    params.top_k = 4;
    check_support(&params, logits, 4);
    params.top_k = 0;
    params.top_p = 0.8; /* 1 - exp(-n / 2) reaches 0.8 at n = 4 */
    check_support(&params, logits, 4);
    params.min_keep = 6;
    check_support(&params, logits, 6);
    params.min_keep = 1;
    params.top_p = 1;
    params.min_p = 0.1; /* exp(-n / 2) >= 0.1 to n = 4 */
    check_support(&params, logits, 5);
    params.min_p = 1;
    check_support(&params, logits, 1);
    params.min_p = 0;
    params.top_p = 1e-9;
    check_support(&params, logits, 1);
}

static void test_frequencies(void **state)
{
    struct lli_sampler_params params = neutral;
    float logits[N];
    double total = 0, chi = 0;
    int counts[4] = {0}, n = 20000;
    (void)state;
    for (int i = 0; i < N; i++)
        logits[i] = -INFINITY;
    params.temperature = 2;
    params.seed = 5;
    for (int i = 0; i < 4; i++) {
        logits[100 * i] = (float)i;
        total += exp(i / 2.0);
    }
    for (int i = 0; i < n; i++)
        counts[pick(&params, logits, (uint64_t)i) / 100]++;
    for (int i = 0; i < 4; i++) {
        double expected = n * exp(i / 2.0) / total;
        chi += (counts[i] - expected) * (counts[i] - expected) / expected;
    }
    assert_true(chi < 16.3); /* 3 degrees of freedom: 0.001 */
}

static void test_penalties(void **state)
{
    struct lli_sampler_params params = neutral;
    float logits[N] = {0};
    int32_t history[] = {9, 3, 3, 7, 1000, -1}, token;
    (void)state;
    params.temperature = 0;
    params.penalty_window = -1;
    logits[3] = 4;
    logits[7] = 3.5f;
    logits[9] = 3;
    params.repeat_penalty = 2; /* 3: 2, 7: 1.75, 9: 1.5 */
    logits[20] = 1.9f;
    assert_int_equal(lli_chain_pick(&token, &chain, &(struct lli_draw){.params = &params}, logits, history, 6, 6, NULL),
                     LLMINF_OK);
    assert_int_equal(token, 3);
    params.frequency_penalty = 0.1; /* 3 occurs twice: 1.8 */
    assert_int_equal(lli_chain_pick(&token, &chain, &(struct lli_draw){.params = &params}, logits, history, 6, 6, NULL),
                     LLMINF_OK);
    assert_int_equal(token, 20);
    params.penalty_window = 3; /* 7 alone */
    assert_int_equal(lli_chain_pick(&token, &chain, &(struct lli_draw){.params = &params}, logits, history, 6, 6, NULL),
                     LLMINF_OK);
    assert_int_equal(token, 3);
    params.repeat_penalty = 1;
    params.frequency_penalty = 0;
    params.penalty_window = -1;
    params.presence_penalty = 3;
    assert_int_equal(lli_chain_pick(&token, &chain, &(struct lli_draw){.params = &params}, logits, NULL, 0, 0, NULL),
                     LLMINF_OK);
    assert_int_equal(token, 3);
    assert_int_equal(lli_chain_pick(&token, &chain, &(struct lli_draw){.params = &params}, logits, history, 6, 6, NULL),
                     LLMINF_OK);
    assert_int_equal(token, 20);
}

static void test_bias(void **state)
{
    struct lli_sampler_params params = neutral;
    struct lli_bias bias[] = {{3, 100}, {5, 1}, {3, -INFINITY}, {9999, 1}};
    float logits[N] = {0};
    int32_t token;
    (void)state;
    params.temperature = 0;
    logits[3] = 1;
    assert_int_equal(lli_chain_pick(&token, &chain, &(struct lli_draw){.params = &params, .bias = bias, .n_bias = 1}, logits,
                                    NULL, 0, 0, NULL),
                     LLMINF_OK);
    assert_int_equal(token, 3);
    assert_int_equal(lli_chain_pick(&token, &chain, &(struct lli_draw){.params = &params, .bias = bias, .n_bias = 4}, logits,
                                    NULL, 0, 0, NULL),
                     LLMINF_OK);
    assert_int_equal(token, 5);
    params.temperature = 1;
    for (uint64_t pos = 0; pos < 2000; pos++) {
        assert_int_equal(lli_chain_pick(&token, &chain, &(struct lli_draw){.params = &params, .bias = bias + 2, .n_bias = 1},
                                        logits, NULL, 0, pos, NULL),
                         LLMINF_OK);
        assert_int_not_equal(token, 3);
    }
}

static void test_numeric(void **state)
{
    static const float bad[] = {NAN, -NAN, INFINITY};
    struct llminf_error error;
    float logits[N] = {0};
    int32_t token;
    (void)state;
    for (int i = 0; i < 3; i++) {
        logits[399] = bad[i];
        assert_int_equal(lli_chain_pick(&token, &chain, &(struct lli_draw){.params = &neutral}, logits, NULL, 0, 0, &error),
                         LLMINF_E_NUMERIC);
        assert_int_equal(error.position, 399);
    }
    for (int i = 0; i < N; i++)
        logits[i] = -INFINITY;
    assert_int_equal(lli_chain_pick(&token, &chain, &(struct lli_draw){.params = &neutral}, logits, NULL, 0, 0, &error),
                     LLMINF_E_NUMERIC);
    logits[8] = -1e-45f;
    assert_int_equal(pick(&neutral, logits, 0), 8);
    assert_int_equal(
        lli_chain_pick(&token, &chain,
                       &(struct lli_draw){.params = &neutral, .bias = &(struct lli_bias){8, -INFINITY}, .n_bias = 1}, logits,
                       NULL, 0, 0, &error),
        LLMINF_E_NUMERIC);
}

/* Extremes of temperature. */
static void test_temperature(void **state)
{
    struct lli_sampler_params params = neutral;
    float logits[N];
    (void)state;
    for (int i = 0; i < N; i++)
        logits[i] = (float)i * 1e-3f;
    params.temperature = 1e-40;
    for (uint64_t pos = 0; pos < 100; pos++)
        assert_int_equal(pick(&params, logits, pos), N - 1);
    params.temperature = 100;
    assert_int_not_equal(pick(&params, logits, 1), pick(&params, logits, 2));
}

/* ---- bans, scores, order, filter --------------------------------------------------------------------------------- */

static void test_bans(void **state)
{
    static const int32_t one[] = {4}, three[] = {1, 2, 5}, history[] = {9, 1, 2};
    const struct lli_ban bans[] = {{one, 1}, {three, 3}};
    float logits[N] = {0};
    (void)state;
    lli_ban_apply(logits, N, bans, 2, history, 3);
    assert_true(logits[4] == -INFINITY && logits[5] == -INFINITY);
    logits[4] = logits[5] = 0;
    lli_ban_apply(logits, N, bans, 2, history, 2); /* the others do not stand before it */
    assert_true(logits[4] == -INFINITY && logits[5] == 0);
    lli_ban_apply(logits, N, bans + 1, 1, history + 2, 1); /* nor are there so many */
    assert_true(logits[5] == 0);
}

static void test_logprobs(void **state)
{
    struct lli_logprob got[6];
    float logits[N];
    double sum = 0;
    (void)state;
    for (int i = 0; i < N; i++)
        logits[i] = 4 * support_random_float(&seed);
    logits[7] = logits[9] = 6; /* equal: the lower id first */
    logits[11] = -INFINITY;
    for (int i = 0; i < N; i++)
        sum += exp(logits[i]);
    for (uint32_t n_best = 0; n_best < 6; n_best++) {
        lli_logprob_best(got, logits, N, 20, n_best);
        assert_int_equal(got[0].token, 20);
        for (uint32_t i = 0; i <= n_best; i++)
            assert_true(fabs(got[i].value - (logits[got[i].token] - log(sum))) < 1e-5);
        for (uint32_t i = 1; i < n_best; i++)
            assert_true(got[i].value >= got[i + 1].value);
    }
    assert_int_equal(got[1].token, 7);
    assert_int_equal(got[2].token, 9);
    lli_logprob_best(got, logits, N, 11, 0);
    assert_true(got[0].value == -INFINITY);
}

static void test_order(void **state)
{
    static const char *const bad[] = {"top_k,top_k", "top_k,penalties", "heat", "top_k,", ",top_k", " top_k"};
    struct lli_sampler_params a = neutral, b = neutral;
    float logits[N];
    int n_other = 0;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(lli_chain_order(a.order, bad[i]), -1);
    a.temperature = b.temperature = 3;
    a.top_p = b.top_p = 0.5;
    a.top_k = b.top_k = 30;
    assert_int_equal(lli_chain_order(a.order, "penalties,top_k,top_p,min_p,temperature"), 0);
    for (int i = 0; i < N; i++)
        logits[i] = 5 * support_random_float(&seed);
    for (uint64_t pos = 0; pos < 200; pos++)
        assert_int_equal(pick(&a, logits, pos), pick(&b, logits, pos)); /* that is what happens without */
    assert_int_equal(lli_chain_order(b.order, "temperature,top_p"), 0); /* flatter: more reach the half */
    for (uint64_t pos = 0; pos < 200; pos++)
        n_other += pick(&a, logits, pos) != pick(&b, logits, pos);
    assert_true(n_other > 20);
    assert_int_equal(lli_chain_order(b.order, "top_k"), 0); /* no temperature: 1 */
    b.temperature = 0;
    a = neutral;
    a.top_k = 30;
    for (uint64_t pos = 0; pos < 200; pos++)
        assert_int_equal(pick(&a, logits, pos), pick(&b, logits, pos));
}

static int32_t choose(void *user, float *logits, size_t n, const int32_t *history, size_t n_history)
{
    int32_t wanted = *(int32_t *)user;
    if (wanted < 0)
        return 1;
    assert_int_equal(n, N);
    assert_int_equal(history[n_history - 1], 42);
    for (size_t i = 0; i < n; i++)
        logits[i] = (int32_t)i == wanted ? 0 : -INFINITY;
    return 0;
}

static void test_filter(void **state)
{
    static const int32_t history[] = {41, 42};
    struct llminf_error error;
    float logits[N] = {0};
    int32_t wanted = 17, token;
    const struct lli_draw how = {.params = &neutral, .filter = choose, .user = &wanted};
    (void)state;
    assert_int_equal(lli_chain_pick(&token, &chain, &how, logits, history, 2, 2, &error), LLMINF_OK);
    assert_int_equal(token, 17);
    assert_true(logits[0] == 0); /* its own copy */
    wanted = -1;
    assert_int_equal(lli_chain_pick(&token, &chain, &how, logits, history, 2, 2, &error), LLMINF_E_CALLBACK);
    assert_string_equal(error.subject, "filter");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_philox),    cmocka_unit_test(test_greedy),   cmocka_unit_test(test_rank),
        cmocka_unit_test(test_top_k),     cmocka_unit_test(test_filters),  cmocka_unit_test(test_top_p_min_p),
        cmocka_unit_test(test_draw),      cmocka_unit_test(test_bias),     cmocka_unit_test(test_frequencies),
        cmocka_unit_test(test_penalties), cmocka_unit_test(test_numeric),  cmocka_unit_test(test_temperature),
        cmocka_unit_test(test_bans),      cmocka_unit_test(test_logprobs), cmocka_unit_test(test_order),
        cmocka_unit_test(test_filter),
    };
    return cmocka_run_group_tests(tests, open_chain, close_chain);
}
