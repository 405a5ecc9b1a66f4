#include "guess.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "limits.h"
#include "llminf/llminf.h"

enum { PERIOD = 48, PROMPT = 3 * PERIOD, LIMIT = 16 };

struct guessing {
    llminf_model *model;
    llminf_context *context;
    int64_t n_vocab;
};

/* How the tokens come to repeat themselves: the model picks greedily, or a filter sees to it that what stood PERIOD tokens
 * before comes again, as where a text is quoted. */
struct text {
    const char *name;
    llminf_filter_fn filter;
};

static int32_t repeat(void *user, float *logits, size_t count, const llminf_token *history, size_t n_history)
{
    (void)user;
    if (n_history >= PERIOD && (size_t)history[n_history - PERIOD] < count)
        logits[history[n_history - PERIOD]] += 1e6f;
    return 0;
}

static const struct text texts[] = {{"greedy", NULL}, {"quoted", repeat}};

static int say(const llminf_error *error)
{
    fprintf(stderr, "llminf-bench: speculate: %s\n", error->text);
    return -1;
}

static llminf_status fill(const struct guessing *g, llminf_session *session, llminf_error *error)
{
    llminf_token ids[PROMPT];
    for (int i = 0; i < PROMPT; i++)
        ids[i] = (llminf_token)((i % PERIOD * (int64_t)7919 + 1013) % g->n_vocab);
    return llminf_session_append(session, ids, PROMPT, error);
}

static llminf_status ask(llminf_session *session, llminf_sampler *sampler, uint32_t n, int guesses, llminf_error *error)
{
    llminf_options *how = NULL;
    llminf_status status = llminf_options_open(&how, "generate", error);
    if (status >= 0)
        status = llminf_options_set_int(how, "max_tokens", n, error);
    if (status >= 0)
        status = llminf_options_set_int(how, "ignore_eog", 1, error);
    if (status >= 0 && guesses)
        status = llminf_options_set_text(how, "speculate", "lookup", -1, error);
    if (status >= 0 && guesses)
        status = llminf_options_set_int(how, "draft_limit", LIMIT, error);
    if (status >= 0)
        status = llminf_session_generate(session, sampler, how, error);
    llminf_options_close(how);
    return status;
}

struct made {
    double seconds; /* from the first token to the last */
    int64_t drafted, accepted;
    uint64_t sum; /* of the tokens: equal with guesses and without */
};

static llminf_status listen(struct made *out, llminf_session *session, llminf_error *error)
{
    llminf_token ids[256];
    llminf_status status;
    int64_t start = 0;
    size_t n;
    while ((status = llminf_session_read_tokens(session, ids, 256, &n, -1, error)) == LLMINF_OK) {
        start = start == 0 ? lli_clock_ns() : start;
        for (size_t i = 0; i < n; i++)
            out->sum = out->sum * 1000003 + (uint64_t)ids[i];
    }
    out->seconds = seconds_since(start);
    llminf_session_int(session, "drafted", &out->drafted, NULL);
    llminf_session_int(session, "accepted", &out->accepted, NULL);
    return status;
}

static llminf_status make(struct made *out, const struct guessing *g, const struct text *text, uint32_t n, int guesses,
                          llminf_error *error)
{
    llminf_session *session = NULL;
    llminf_sampler *sampler = NULL;
    *out = (struct made){.seconds = 0};
    llminf_status status = llminf_session_open(&session, g->context, NULL, error);
    if (status >= 0)
        status = llminf_sampler_open(&sampler, g->model, NULL, error);
    if (status >= 0 && text->filter != NULL)
        status = llminf_sampler_set_filter(sampler, text->filter, NULL, error);
    if (status >= 0)
        status = fill(g, session, error);
    if (status >= 0)
        status = ask(session, text->filter != NULL ? sampler : NULL, n, guesses, error);
    if (status >= 0)
        status = listen(out, session, error);
    llminf_session_close(session);
    llminf_sampler_close(sampler);
    return status;
}

/* Without and with guesses in turn; the best of each. */
static int compare(const struct guessing *g, const struct text *text, const struct options *o, struct report *report)
{
    struct made best[2] = {{0}}, made;
    llminf_error error;
    for (int run = 0; run < o->runs; run++)
        for (int guesses = 0; guesses < 2; guesses++) {
            if (make(&made, g, text, o->speculate, guesses, &error) < 0)
                return say(&error);
            if (run == 0 || made.seconds < best[guesses].seconds)
                best[guesses] = made;
        }
    double rates[2];
    for (int i = 0; i < 2; i++)
        rates[i] = (o->speculate - 1) / best[i].seconds;
    report_begin(report, "speculate");
    report_text(report, "text", text->name);
    report_number(report, "n", o->speculate, 0);
    report_number(report, "same_tokens", best[0].sum == best[1].sum, 0);
    report_number(report, "plain_tokens_per_second", rates[0], 2);
    report_number(report, "tokens_per_second", rates[1], 2);
    report_number(report, "ratio", rates[1] / rates[0], 3);
    report_number(report, "drafted", (double)best[1].drafted, 0);
    report_number(report, "accepted", (double)best[1].accepted, 0);
    report_end(report);
    return 0;
}

static llminf_status open_context(struct guessing *g, const struct options *o, llminf_error *error)
{
    llminf_options *options = NULL;
    llminf_status status = llminf_options_open(&options, "context", error);
    if (status >= 0)
        status = llminf_options_set_text(options, "kv_type", o->kv_name, -1, error);
    if (status >= 0)
        status = llminf_options_set_text(options, "backend", o->backend, -1, error);
    if (status >= 0)
        status = llminf_options_set_int(options, "threads", o->threads, error);
    if (status >= 0)
        status = llminf_context_open(&g->context, g->model, options, error);
    llminf_options_close(options);
    return status;
}

int guess_run(const struct options *o, struct report *report)
{
    struct guessing g = {0};
    llminf_error error;
    int failed = 0;
    if (llminf_model_open(&g.model, o->model, NULL, &error) < 0 || open_context(&g, o, &error) < 0)
        failed = say(&error);
    if (!failed)
        llminf_model_int(g.model, "n_vocab", &g.n_vocab, NULL);
    for (size_t i = 0; i < sizeof texts / sizeof *texts && !failed; i++)
        failed = compare(&g, &texts[i], o, report);
    llminf_context_close(g.context);
    llminf_model_close(g.model);
    return failed;
}
