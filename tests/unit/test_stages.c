/* The stages that look at more than the best candidates, against naive models: long double, everything sorted, no shortcut. */
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
#include "sample/dry.h"
#include "sample/filter.h"
#include "sample/heat.h"
#include "sample/rng.h"
#include "support/support.h"

enum { N = 300 };

static uint64_t seed = 5;
static const struct lli_sampler_params neutral = {.temperature = 1, .min_keep = 1, .top_p = 1, .repeat_penalty = 1};

static uint32_t below(uint32_t n)
{
    return (uint32_t)(support_random(&seed) % n);
}

/* Random logits, in places equal, more or less far apart. */
static void fill(float *logits, int round)
{
    float width = 0.5f + (float)(round % 7);
    for (int i = 0; i < N; i++)
        logits[i] = below(8) == 0 ? (float)below(3) - 1.0f : width * support_random_float(&seed);
}

static int by_logit(const void *a, const void *b)
{
    const struct lli_candidate *x = a, *y = b;
    return x->logit != y->logit ? (x->logit > y->logit ? -1 : 1) : x->id - y->id;
}

/* n candidates, best first, and what they have of all at a temperature. */
struct naive {
    struct lli_candidate c[N];
    long double p[N];
    size_t n;
};

static void naive_share(struct naive *m, double temperature)
{
    long double total = 0;
    for (size_t i = 0; i < m->n; i++)
        total += m->p[i] = expl(((long double)m->c[i].logit - (long double)m->c[0].logit) / temperature);
    for (size_t i = 0; i < m->n; i++)
        m->p[i] /= total;
}

static void naive_init(struct naive *m, const float *logits, double temperature)
{
    m->n = N;
    for (int i = 0; i < N; i++)
        m->c[i] = (struct lli_candidate){logits[i], i};
    qsort(m->c, N, sizeof *m->c, by_logit);
    naive_share(m, temperature);
}

static long double naive_entropy(const struct naive *m)
{
    long double h = 0;
    for (size_t i = 0; i < m->n; i++)
        h -= m->p[i] * logl(m->p[i]);
    return h;
}

static void expect(struct lli_ranking *r, const struct naive *m, const uint8_t *is_kept)
{
    size_t at = 0;
    for (size_t i = 0; i < m->n; i++) {
        if (!is_kept[i])
            continue;
        assert_true(at < r->n);
        assert_int_equal(lli_rank_at(r, at++)->id, m->c[i].id);
    }
    assert_int_equal(r->n, at);
}

static void test_typical_p(void **state)
{
    struct lli_candidate items[N];
    struct lli_ranking r;
    struct naive m;
    float logits[N];
    int n_without_best = 0;
    (void)state;
    for (int round = 0; round < 500; round++) {
        double p = 0.02 + 0.96 * below(1000) / 1000, temperature = round % 3 ? 1 : 0.6;
        size_t min_keep = round % 5 ? 1 : 40, n_kept = 0;
        uint8_t is_kept[N] = {0};
        fill(logits, round);
        naive_init(&m, logits, temperature);
        long double h = naive_entropy(&m), sum = 0;
        while (n_kept < N && (sum < p || n_kept < min_keep)) {
            size_t best = N;
            for (size_t i = 0; i < N; i++) {
                int is_twin = best < N && m.c[i].logit == m.c[best].logit && -logl(m.p[i]) < h;
                if (!is_kept[i] && (best == N || is_twin || fabsl(-logl(m.p[i]) - h) < fabsl(-logl(m.p[best]) - h) - 1e-12L))
                    best = i;
            }
            is_kept[best] = 1;
            sum += m.p[best];
            n_kept++;
        }
        n_without_best += !is_kept[0];
        lli_rank_init(&r, items, logits, N);
        lli_filter_typical_p(&r, p, temperature, min_keep);
        expect(&r, &m, is_kept);
    }
    assert_true(n_without_best > 20);
}

static void test_top_n_sigma(void **state)
{
    struct lli_candidate items[N];
    struct lli_ranking r;
    struct naive m;
    float logits[N];
    (void)state;
    for (int round = 0; round < 500; round++) {
        double n = 0.1 + below(300) / 100.0;
        long double mean = 0, square = 0;
        size_t n_kept = 0, min_keep = round % 5 ? 1 : 40;
        uint8_t is_kept[N] = {0};
        fill(logits, round);
        naive_init(&m, logits, 1);
        for (int i = 0; i < N; i++)
            mean += (long double)logits[i] / N;
        for (int i = 0; i < N; i++)
            square += ((long double)logits[i] - mean) * ((long double)logits[i] - mean) / N;
        while (n_kept < N &&
               (n_kept < min_keep || (long double)m.c[n_kept].logit >= (long double)m.c[0].logit - n * sqrtl(square)))
            is_kept[n_kept++] = 1;
        lli_rank_init(&r, items, logits, N);
        assert_true(fabsl((long double)lli_rank_deviation(&r) - sqrtl(square)) < 2e-6L);
        lli_filter_top_n_sigma(&r, n, min_keep);
        expect(&r, &m, is_kept);
    }
}

/* Logits as far apart as they can be do not overflow. */
static void test_deviation_ends(void **state)
{
    struct lli_candidate items[N];
    struct lli_ranking r;
    float logits[N];
    (void)state;
    for (int i = 0; i < N; i++)
        logits[i] = i == 7 ? 3e38f : -3e38f;
    lli_rank_init(&r, items, logits, N);
    assert_true(lli_rank_deviation(&r) > 0 && lli_rank_deviation(&r) < 0x1p20);
    lli_filter_top_n_sigma(&r, 1, 1);
    assert_int_equal(r.n, 1);
}

static void test_xtc(void **state)
{
    struct lli_candidate items[N];
    struct lli_ranking r;
    struct naive m;
    float logits[N];
    (void)state;
    for (int round = 0; round < 500; round++) {
        double threshold = 0.001 * (1 + below(120));
        size_t k = 0, min_keep = round % 5 ? 1 : 299;
        uint8_t is_kept[N];
        fill(logits, round);
        naive_init(&m, logits, 1);
        while (k < N && m.p[k] >= threshold)
            k++;
        memset(is_kept, 1, sizeof is_kept);
        for (size_t i = 0; i + 1 < k && i + min_keep < N; i++)
            is_kept[i] = 0;
        lli_rank_init(&r, items, logits, N);
        lli_filter_xtc(&r, threshold, 1, min_keep);
        expect(&r, &m, is_kept);
    }
}

static struct lli_chain chain;

static int32_t pick(const struct lli_sampler_params *params, const float *logits, uint64_t pos, double *mu)
{
    int32_t token = -1;
    assert_int_equal(lli_chain_pick(&token, &chain, &(struct lli_draw){.params = params, .mu = mu}, logits, NULL, 0, pos, NULL),
                     LLMINF_OK);
    return token;
}

/* The second number of a position says whether; the first is drawn as ever. */
static void test_xtc_chance(void **state)
{
    struct lli_sampler_params params = neutral;
    float logits[N];
    int n_dropped = 0;
    (void)state;
    for (int i = 0; i < N; i++)
        logits[i] = -100;
    logits[3] = logits[4] = 0;
    params.xtc_threshold = 0.2;
    for (uint64_t pos = 0; pos < 2000; pos++) {
        int is_lucky = (double)lli_rng_draw(0, pos, 1) * 0x1p-53 < 0.3;
        params.xtc_probability = 0;
        int32_t plain = pick(&params, logits, pos, NULL);
        params.xtc_probability = 0.3;
        assert_int_equal(pick(&params, logits, pos, NULL), is_lucky ? 4 : plain);
        n_dropped += is_lucky;
    }
    assert_true(n_dropped > 500 && n_dropped < 700);
}

static void test_dynatemp(void **state)
{
    struct lli_candidate items[N];
    struct lli_ranking r;
    struct naive m;
    float logits[N];
    (void)state;
    for (int round = 0; round < 300; round++) {
        struct lli_sampler_params params = neutral;
        params.temperature = 0.5 + below(100) / 50.0;
        params.dynatemp_range = below(200) / 100.0;
        params.dynatemp_exponent = below(30) / 10.0;
        fill(logits, round);
        naive_init(&m, logits, 1);
        long double low = fmaxl(0, (long double)params.temperature - params.dynatemp_range),
                    high = (long double)params.temperature + params.dynatemp_range,
                    share = naive_entropy(&m) / logl((long double)N);
        lli_rank_init(&r, items, logits, N);
        assert_true(fabsl((long double)lli_heat_temperature(&r, &params) -
                          (low + (high - low) * powl(share, params.dynatemp_exponent))) < 1e-7L);
        lli_rank_cut(&r, 1); /* of one candidate there is no entropy */
        assert_true(lli_heat_temperature(&r, &params) == params.temperature);
    }
}

/* A range that leads to 0 where the model is sure of itself: then the best is it. */
static void test_dynatemp_cold(void **state)
{
    struct lli_sampler_params params = neutral;
    float logits[N];
    (void)state;
    for (int i = 0; i < N; i++)
        logits[i] = i == 9 ? 0 : -1000;
    params.temperature = params.dynatemp_range = 1;
    params.dynatemp_exponent = 1;
    for (uint64_t pos = 0; pos < 50; pos++)
        assert_int_equal(pick(&params, logits, pos, NULL), 9);
}

/* The limit, what it leaves, the draw, and how the limit moves, over many tokens. */
static void test_mirostat(void **state)
{
    struct lli_sampler_params params = neutral;
    struct naive m;
    float logits[N];
    (void)state;
    params.mirostat = 2;
    params.mirostat_tau = 3;
    params.mirostat_eta = 0.2;
    params.temperature = 0.8;
    double mu = lli_chain_mu(&params);
    long double want = 6;
    for (uint64_t pos = 0; pos < 2000; pos++) {
        long double u = (long double)lli_rng_draw(0, pos, 0) * 0x1p-53L, sum = 0;
        size_t i = 0, k = 1;
        fill(logits, (int)pos);
        naive_init(&m, logits, 0.8);
        while (k < N && -log2l(m.p[k]) <= want)
            k++;
        m.n = k;
        naive_share(&m, 0.8);
        while ((sum += m.p[i]) <= u)
            i++;
        assert_int_equal(pick(&params, logits, pos, NULL), pick(&params, logits, pos, NULL));
        assert_int_equal(pick(&params, logits, pos, &mu), m.c[i].id);
        want -= 0.2L * (-log2l(m.p[i]) - 3);
        assert_true(fabsl((long double)mu - want) < 1e-6L);
    }
}

/* By the definition: how many tokens before place i are those at the end, none of them a break. */
static void naive_dry(double *logits, const struct lli_sampler_params *p, const uint8_t *is_break, const int32_t *history,
                      int n)
{
    int longest[N] = {0}, begin = p->dry_window >= 0 && p->dry_window < n ? n - (int)p->dry_window : 0;
    for (int i = begin + 1; i < n; i++) {
        int len = 0;
        while (i - 1 - len >= begin && len < (int)LLI_DRY_LONGEST && !is_break[n - 1 - len] &&
               history[i - 1 - len] == history[n - 1 - len])
            len++;
        if (history[i] >= 0 && history[i] < N && longest[history[i]] < len)
            longest[history[i]] = len;
    }
    for (int id = 0; id < N; id++)
        if (longest[id] >= p->dry_length)
            logits[id] -= fmin(1e30, p->dry_multiplier * pow(p->dry_base, (double)(longest[id] - p->dry_length)));
}

static void test_dry(void **state)
{
    static int32_t history[2000];
    static uint8_t is_break[2000];
    static const int32_t run[] = {1, 2, 2};
    static const struct lli_ban runs[] = {{run, 3}};
    uint8_t in_token[(N + 7) / 8] = {0};
    const struct lli_breaks breaks = {in_token, N, runs, 1};
    uint32_t counts[N] = {0};
    int n_changed = 0;
    (void)state;
    in_token[0] = 1; /* token 0 */
    for (int round = 0; round < 2000; round++) {
        struct lli_sampler_params p = {.dry_multiplier = 0.8, .dry_base = 1 + below(10) / 8.0, .dry_length = 1 + below(4)};
        int n = round % 50 ? (int)below(120) : 2000, kinds = 1 + (int)below(5), first = round % 4 ? 1 : 0;
        float logits[N];
        double want[N];
        p.dry_window = round % 3 ? -1 : (int)below(130);
        for (int i = 0; i < n; i++)
            history[i] = below(40) == 0 ? (int32_t)below(2) * 1000 - 1 : first + (int32_t)below((uint32_t)kinds);
        for (int i = 0; i < n; i++)
            is_break[i] = history[i] == 0 || (i >= 2 && history[i] == 2 && history[i - 1] == 2 && history[i - 2] == 1);
        if (p.dry_window >= 0 && p.dry_window < n) /* a run that the window cuts is none */
            for (int i = 0; i < 2 && i < p.dry_window; i++)
                is_break[n - p.dry_window + i] = history[n - p.dry_window + i] == 0;
        for (int i = 0; i < N; i++)
            want[i] = (double)(logits[i] = 5 * support_random_float(&seed));
        naive_dry(want, &p, is_break, history, n);
        lli_dry_apply(logits, counts, N, &p, &breaks, history, (size_t)n);
        for (int i = 0; i < N; i++) {
            assert_true(fabs((double)logits[i] - want[i]) <= 1e-6 * (1 + fabs(want[i])));
            assert_int_equal(counts[i], 0);
        }
        n_changed += logits[1] < -5;
    }
    assert_true(n_changed > 50);
}

/* The worst history takes no time, and no penalty makes a logit -Inf. */
static void test_dry_repetition(void **state)
{
    enum { LONG = 200000 };
    struct lli_sampler_params p = {.dry_multiplier = 100, .dry_base = 10, .dry_length = 1, .dry_window = -1};
    uint32_t counts[N] = {0};
    float logits[N] = {0};
    int32_t *history = calloc(LONG, sizeof *history);
    (void)state;
    assert_non_null(history);
    lli_dry_apply(logits, counts, N, &p, NULL, history, LONG);
    assert_true(logits[0] < -9e29f && logits[0] > -INFINITY && logits[1] == 0);
    free(history);
}

static void test_order(void **state)
{
    static const char *const bad[] = {"top_k,dry", "dry,dry", "dry,top_k,penalties", "typical", "mirostat,", "xtc,min_p,xtc"};
    static const char *const good[] = {"dry", "dry,penalties", "penalties,dry,mirostat,xtc", LLI_STAGE_NAMES,
                                       "mirostat,top_n_sigma"};
    struct lli_sampler_params p = neutral;
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        assert_int_equal(lli_chain_order(p.order, bad[i]), -1);
    for (size_t i = 0; i < sizeof good / sizeof *good; i++)
        assert_int_equal(lli_chain_order(p.order, good[i]), 0);
    assert_int_equal(lli_chain_order(p.order, LLI_STAGE_NAMES), 0);
    for (uint8_t stage = 1; stage < LLI_N_STAGES; stage++)
        assert_int_equal(p.order[stage - 1], stage);
}

/* Where the temperature is 0 the best is it, though xtc and typical would drop it. */
static void test_greedy(void **state)
{
    struct lli_sampler_params params = neutral;
    float logits[N];
    (void)state;
    params.temperature = 0;
    params.xtc_probability = 1;
    params.typical_p = 0.1;
    for (int round = 0; round < 100; round++) {
        struct naive m;
        fill(logits, round);
        naive_init(&m, logits, 1);
        assert_int_equal(pick(&params, logits, 0, NULL), m.c[0].id);
    }
}

static struct lli_heap heap;

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_typical_p),
        cmocka_unit_test(test_top_n_sigma),
        cmocka_unit_test(test_deviation_ends),
        cmocka_unit_test(test_xtc),
        cmocka_unit_test(test_xtc_chance),
        cmocka_unit_test(test_dynatemp),
        cmocka_unit_test(test_dynatemp_cold),
        cmocka_unit_test(test_mirostat),
        cmocka_unit_test(test_dry),
        cmocka_unit_test(test_dry_repetition),
        cmocka_unit_test(test_order),
        cmocka_unit_test(test_greedy),
    };
    return cmocka_run_group_tests(tests, open_chain, close_chain);
}
