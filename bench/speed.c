#include "speed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "steps.h"

enum { SCATTER_RUNS = 9 };

static uint32_t larger(uint32_t a, uint32_t b)
{
    return a > b ? a : b;
}

static uint32_t decode_positions(const struct options *o)
{
    return o->depth + o->decode + 1;
}

struct network_room speed_room(const struct options *o)
{
    uint32_t one = larger(larger(o->prefill, 1), decode_positions(o)), most = 1;
    for (int i = 0; i < o->sessions.n; i++)
        most = larger(most, o->sessions.at[i]);
    return (struct network_room){
        .n_blocks = larger(steps_blocks(1, one), steps_blocks(most, o->prompt + o->gen)),
        .rows = larger(STEPS_CHUNK, most),
        .logits = most,
        .positions = larger(one, o->prompt + o->gen),
    };
}

/* One test while it runs. */
struct running {
    struct steps steps;
    uint32_t first, n; /* positions that are timed */
};

static double time_prefill(void *arg)
{
    struct running *r = arg;
    int64_t start = lli_clock_ns();
    return steps_prefill(&r->steps, r->n) < 0 ? -1 : seconds_since(start);
}

static double time_decode(void *arg)
{
    struct running *r = arg;
    int64_t start = lli_clock_ns();
    for (uint32_t i = 0; i < r->n; i++)
        if (steps_decode(&r->steps, r->first + i) < 0)
            return -1;
    return seconds_since(start);
}

static void report_speed(struct report *report, const struct measured *m, double n_tokens)
{
    report_number(report, "tokens_per_second", n_tokens / m->seconds, 3);
    report_number(report, "limit_tokens_per_second", n_tokens / m->limit_seconds, 3);
    report_number(report, "limit_share", m->share, 4);
    report_text(report, "bound", m->bound);
    report_number(report, "limit_drift", m->drift, 3);
    report_end(report);
}

static int fail(const char *test)
{
    fprintf(stderr, "llminf-bench: %s: no memory, or NaN or Inf in a step\n", test);
    return -1;
}

/* A chunk before the clock starts: file and buffers have been touched then. */
static int run_prefill(const struct options *o, struct network *network, struct limits *limits, struct report *report)
{
    struct running r = {.n = o->prefill};
    struct work work = network_work(network, o->prefill, 1, 0);
    struct measured m;
    int status = steps_init(&r.steps, network, 1, o->prefill);
    if (status == 0)
        status = steps_prefill(&r.steps, o->prefill < STEPS_CHUNK ? o->prefill : STEPS_CHUNK);
    if (status == 0)
        status = limits_repeat(&m, limits, &work, o->runs, time_prefill, &r);
    steps_finish(&r.steps);
    if (status < 0)
        return fail("prefill");
    report_begin(report, "prefill");
    report_number(report, "n", o->prefill, 0);
    report_speed(report, &m, o->prefill);
    return 0;
}

/* n_sessions at `depth` tokens of context each make n tokens each. */
static int decode(struct measured *m, const struct options *o, struct network *network, struct limits *limits,
                  uint32_t n_sessions, uint32_t depth, uint32_t n)
{
    struct running r = {.first = depth, .n = n};
    struct work work = network_work(network, n_sessions, n_sessions, n_sessions * (depth + (n + 1) / 2.0));
    int status = steps_init(&r.steps, network, n_sessions, depth + n);
    work.bytes *= n;
    work.integer_ops *= n;
    work.fp_ops *= n;
    if (status == 0)
        status = steps_fill(&r.steps, depth);
    if (status == 0)
        status = steps_decode(&r.steps, depth);
    if (status == 0)
        status = limits_repeat(m, limits, &work, o->runs, time_decode, &r);
    steps_finish(&r.steps);
    return status;
}

static int run_decode(const struct options *o, struct network *network, struct limits *limits, struct report *report)
{
    struct measured m;
    if (decode(&m, o, network, limits, 1, o->depth, o->decode) < 0)
        return fail("decode");
    report_begin(report, "decode");
    report_number(report, "n", o->decode, 0);
    report_number(report, "depth", o->depth, 0);
    report_speed(report, &m, o->decode);
    return 0;
}

static int run_sessions(const struct options *o, struct network *network, struct limits *limits, struct report *report,
                        uint32_t n_sessions)
{
    struct measured m;
    if (decode(&m, o, network, limits, n_sessions, o->prompt, o->gen) < 0)
        return fail("decode_sessions");
    report_begin(report, "decode_sessions");
    report_number(report, "sessions", n_sessions, 0);
    report_number(report, "prompt", o->prompt, 0);
    report_number(report, "gen", o->gen, 0);
    report_speed(report, &m, (double)n_sessions * o->gen);
    return 0;
}

/* ---- blocks in order and in random order */

struct scatter {
    struct steps steps[3]; /* behind nothing; behind a context in order; in random order */
    double seconds[3][SCATTER_RUNS];
};

/* The three in turn, so that a drift of the machine meets all of them. */
static int time_scatter(struct scatter *s, const struct options *o)
{
    for (int run = -1; run < SCATTER_RUNS; run++) /* one that does not count */
        for (int i = 0; i < 3; i++) {
            struct running r = {.steps = s->steps[i], .first = i > 0 ? o->depth : 1, .n = o->decode};
            double seconds = time_decode(&r);
            if (seconds < 0)
                return -1;
            if (run >= 0)
                s->seconds[i][run] = seconds / o->decode;
        }
    return 0;
}

static int start_scatter(struct scatter *s, const struct options *o, struct network *network)
{
    int status = 0;
    for (int i = 0; i < 3 && status == 0; i++)
        status = steps_init(&s->steps[i], network, 1, o->depth + o->decode + 1);
    if (status == 0)
        steps_scatter(&s->steps[2]);
    if (status == 0)
        status = steps_fill(&s->steps[1], o->depth + o->decode + 1); /* of all blocks */
    return status == 0 ? time_scatter(s, o) : status;
}

static int ascending(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

/* Medians. What a step takes longer behind a context than behind nothing is attention's. */
static int run_scatter(const struct options *o, struct network *network, struct report *report)
{
    struct scatter s = {.seconds = {{0}}};
    double m[3];
    int status = start_scatter(&s, o, network);
    for (int i = 0; i < 3; i++) {
        steps_finish(&s.steps[i]);
        qsort(s.seconds[i], SCATTER_RUNS, sizeof *s.seconds[i], ascending);
        m[i] = s.seconds[i][SCATTER_RUNS / 2];
    }
    if (status < 0)
        return fail("scatter");
    report_begin(report, "scatter");
    report_number(report, "n", o->decode, 0);
    report_number(report, "depth", o->depth, 0);
    report_number(report, "seconds_alone", m[0], 6);
    report_number(report, "seconds_in_order", m[1], 6);
    report_number(report, "seconds_scattered", m[2], 6);
    report_number(report, "step_ratio", m[2] / m[1], 4);
    if (m[1] > m[0] && m[2] > m[0]) /* else noise is larger than attention */
        report_number(report, "attention_ratio", (m[2] - m[0]) / (m[1] - m[0]), 4);
    else
        report_unknown(report, "attention_ratio");
    report_end(report);
    return 0;
}

int speed_run(const struct options *o, struct network *network, struct limits *limits, struct report *report)
{
    int status = 0;
    if (o->prefill > 0)
        status = run_prefill(o, network, limits, report);
    if (status == 0 && o->decode > 0)
        status = run_decode(o, network, limits, report);
    if (status == 0 && o->scatter && o->decode > 0 && o->depth > 0)
        status = run_scatter(o, network, report);
    for (int i = 0; i < o->sessions.n && status == 0; i++)
        status = run_sessions(o, network, limits, report, o->sessions.at[i]);
    return status;
}
