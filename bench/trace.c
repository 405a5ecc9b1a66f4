#include "trace.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "llminf/llminf.h"

enum { POLL_NS = 2000000, LINE = 256 };

struct request {
    double at; /* seconds since the start */
    uint32_t n_prompt, n_new, prefix, n_prefix;
    llminf_session *session;
    int64_t asked_ns;
    _Atomic int64_t first_ns, last_ns; /* by the engine's thread: when tokens came */
    struct run *run;
    int is_over;
};

/* Times between two tokens, of all requests: the engine's thread alone writes them. Negative where somebody else's prompt was
 * read meanwhile. */
struct gaps {
    double *at;
    size_t n, cap;
    _Atomic int n_reading; /* requests that wait for their first token */
};

/* The part of the positions of blocks in use that hold something, over time: it is looked at behind each step, by the engine's
 * thread, when none of them is in the making, and counts until the next. Blocks that sessions share count once for each, so
 * with prefixes it may come to more than 1. */
struct share {
    double last, sum, seconds;                 /* last < 0: nothing was in use */
    double held, blocks, sessions;             /* now: positions computed, blocks in use, sessions that have any */
    double held_sum, blocks_sum, sessions_sum; /* over the same time */
    int64_t last_ns, n_steps;
};

struct run {
    struct request *requests;
    size_t n, n_started, n_over, n_failed;
    llminf_model *model;
    llminf_context *context;
    pthread_mutex_t lock; /* which requests there are, and their sessions */
    struct gaps gaps;
    int64_t start_ns;
    struct share share;
};

static int say(const char *what, const char *text)
{
    fprintf(stderr, "llminf-bench: %s: %s\n", what, text);
    return -1;
}

/* ---- the trace */

static int read_trace(struct run *run, const char *path)
{
    char line[LINE];
    size_t cap = 0;
    FILE *file = fopen(path, "r");
    if (file == NULL)
        return say(path, "cannot be read");
    while (fgets(line, sizeof line, file) != NULL) {
        struct request r = {.at = 0};
        int n = sscanf(line, "%lf %u %u %u %u", &r.at, &r.n_prompt, &r.n_new, &r.prefix, &r.n_prefix);
        if (line[0] == '#' || n <= 0)
            continue;
        if (n < 4 || r.n_prompt == 0 || r.n_new == 0)
            break;
        if (n < 5)
            r.n_prefix = r.n_prompt / 2;
        if (run->n == cap) {
            cap = 2 * cap + 64;
            struct request *more = realloc(run->requests, cap * sizeof *more);
            if (more == NULL)
                break;
            run->requests = more;
        }
        memcpy(&run->requests[run->n++], &r, sizeof r);
    }
    int failed = !feof(file) || run->n == 0;
    fclose(file);
    return failed ? say(path, "is no trace: want lines of seconds, prompt, output and prefix") : 0;
}

/* ---- the load */

static int64_t number(const struct run *run, const char *key)
{
    int64_t value = 0;
    llminf_context_int(run->context, key, &value, NULL);
    return value;
}

/* Behind the first news of each step; not while sessions are opened or closed. */
static void look(struct run *run, int64_t now)
{
    struct share *share = &run->share;
    int64_t computed = 0, n_steps = number(run, "steps"), used, n_sessions = 0;
    if (n_steps == share->n_steps || pthread_mutex_trylock(&run->lock) != 0)
        return;
    for (size_t i = 0; i < run->n_started; i++) {
        int64_t n = 0;
        if (run->requests[i].session != NULL && llminf_session_int(run->requests[i].session, "computed", &n, NULL) == LLMINF_OK)
            computed += n;
        n_sessions += n > 0;
    }
    used = number(run, "kv_blocks_used");
    if (share->n_steps > 0 && share->last >= 0) {
        double time = (double)(now - share->last_ns);
        share->sum += share->last * time;
        share->held_sum += share->held * time;
        share->blocks_sum += share->blocks * time;
        share->sessions_sum += share->sessions * time;
        share->seconds += time;
    }
    share->last = used > 0 ? (double)computed / (16.0 * (double)used) : -1;
    share->held = (double)computed;
    share->blocks = (double)used;
    share->sessions = (double)n_sessions;
    share->last_ns = now;
    share->n_steps = n_steps;
    pthread_mutex_unlock(&run->lock);
}

static void on_news(void *user)
{
    struct request *r = user;
    int64_t now = lli_clock_ns(), last = atomic_load(&r->last_ns);
    double gap = (double)(now - last) / 1e9;
    if (last == 0) {
        atomic_store(&r->first_ns, now);
        atomic_fetch_sub(&r->run->gaps.n_reading, 1);
    } else if (r->run->gaps.n < r->run->gaps.cap) {
        r->run->gaps.at[r->run->gaps.n++] = atomic_load(&r->run->gaps.n_reading) > 0 ? -gap : gap;
    }
    atomic_store(&r->last_ns, now);
    look(r->run, now);
}

static llminf_status fill(struct request *r, size_t i, int64_t n_vocab, llminf_error *error)
{
    llminf_status status = LLMINF_OK;
    for (uint32_t k = 0; k < r->n_prompt && status == LLMINF_OK; k += 256) {
        llminf_token ids[256];
        uint32_t n = r->n_prompt - k < 256 ? r->n_prompt - k : 256;
        for (uint32_t j = 0; j < n; j++) {
            uint64_t row = r->prefix > 0 && k + j < r->n_prefix ? r->prefix : 1000003u * (i + 1);
            ids[j] = (llminf_token)((row * 7919 + (uint64_t)(k + j) * 104729) % (uint64_t)n_vocab);
        }
        status = llminf_session_append(r->session, ids, n, error);
    }
    return status;
}

static void finish(struct run *run, struct request *r)
{
    pthread_mutex_lock(&run->lock);
    llminf_session *over = r->session;
    r->session = NULL;
    pthread_mutex_unlock(&run->lock);
    llminf_session_close(over);
    r->is_over = 1;
    run->n_over++;
}

static int start(struct run *run, struct request *r, int64_t n_vocab)
{
    llminf_error error;
    llminf_options *how = NULL;
    r->run = run;
    r->asked_ns = lli_clock_ns();
    llminf_session *session = NULL;
    llminf_status status = llminf_session_open(&session, run->context, NULL, &error);
    pthread_mutex_lock(&run->lock);
    r->session = session;
    run->n_started++;
    pthread_mutex_unlock(&run->lock);
    if (status >= 0)
        status = fill(r, (size_t)(r - run->requests), n_vocab, &error);
    if (status >= 0)
        status = llminf_session_notify(r->session, on_news, r, &error);
    if (status >= 0)
        status = llminf_options_open(&how, "generate", &error);
    if (status >= 0)
        status = llminf_options_set_int(how, "max_tokens", r->n_new, &error);
    if (status >= 0)
        status = llminf_options_set_int(how, "ignore_eog", 1, &error);
    atomic_fetch_add(&run->gaps.n_reading, 1);
    if (status >= 0)
        status = llminf_session_generate(r->session, NULL, how, &error);
    llminf_options_close(how);
    if (status >= 0)
        return 0;
    atomic_fetch_sub(&run->gaps.n_reading, 1);
    run->n_failed++;
    finish(run, r);
    return say("trace", error.text);
}

static void reap(struct run *run)
{
    for (size_t i = 0; i < run->n_started; i++) {
        struct request *r = &run->requests[i];
        if (r->is_over || llminf_session_wait(r->session, 0, NULL) == LLMINF_AGAIN)
            continue;
        finish(run, r);
    }
}

static void play(struct run *run)
{
    int64_t n_vocab = 0;
    llminf_model_int(run->model, "n_vocab", &n_vocab, NULL);
    run->start_ns = lli_clock_ns();
    while (run->n_over < run->n) {
        while (run->n_started < run->n && (double)(lli_clock_ns() - run->start_ns) / 1e9 >= run->requests[run->n_started].at)
            start(run, &run->requests[run->n_started], n_vocab);
        reap(run);
        nanosleep(&(struct timespec){.tv_nsec = POLL_NS}, NULL);
    }
}

/* ---- the figures */

static int ascending(const void *a, const void *b)
{
    double x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    return (x > y) - (x < y);
}

static void report_times(struct report *report, const char *const keys[3], double *times, size_t n)
{
    static const double shares[] = {0.5, 0.9, 0.99};
    if (n > 0)
        qsort(times, n, sizeof *times, ascending);
    for (int i = 0; i < 3; i++)
        if (n > 0)
            report_number(report, keys[i], times[(size_t)(shares[i] * (double)(n - 1) + 0.5)], 4);
        else
            report_unknown(report, keys[i]);
}

/* The gaps beside a prompt go to the front and lose their sign; how many. */
static size_t part_gaps(struct gaps *gaps)
{
    size_t n = 0;
    for (size_t i = 0; i < gaps->n; i++)
        if (gaps->at[i] < 0) {
            double gap = -gaps->at[i];
            gaps->at[i] = gaps->at[n];
            gaps->at[n++] = gap;
        }
    return n;
}

/* K and V in the mean: what the sessions hold, the blocks that this is in, and a place of full length for each. */
static void report_kv(struct report *report, struct run *run)
{
    const struct share *share = &run->share;
    double position = (double)number(run, "kv_bytes") / (double)number(run, "kv_blocks") / 16, seconds = share->seconds;
    int64_t limit = 0;
    llminf_model_int(run->model, "train_length", &limit, NULL);
    position = seconds > 0 ? position / seconds : 0;
    report_number(report, "kv_held_bytes", share->held_sum * position, 0);
    report_number(report, "kv_paged_bytes", share->blocks_sum * 16 * position, 0);
    report_number(report, "kv_contiguous_bytes", share->sessions_sum * (double)limit * position, 0);
}

static int report_run(struct run *run, struct report *report, const struct options *o)
{
    static const char *const first[] = {"first_p50", "first_p90", "first_p99"}, *const gap[] = {"gap_p50", "gap_p90",
                                                                                                "gap_p99"};
    static const char *const beside[] = {"gap_beside_prompt_p50", "gap_beside_prompt_p90", "gap_beside_prompt_p99"};
    static const char *const alone[] = {"gap_alone_p50", "gap_alone_p90", "gap_alone_p99"};
    double seconds = (double)(lli_clock_ns() - run->start_ns) / 1e9, *firsts = calloc(run->n, sizeof *firsts);
    double steps = (double)number(run, "steps"), looked = (double)number(run, "prefix_tokens");
    size_t n = 0, n_beside;
    if (firsts == NULL)
        return say("trace", "no memory");
    for (size_t i = 0; i < run->n; i++)
        if (atomic_load(&run->requests[i].first_ns) > 0)
            firsts[n++] = (double)(atomic_load(&run->requests[i].first_ns) - run->requests[i].asked_ns) / 1e9;
    report_begin(report, "trace");
    report_text(report, "mode", o->mode);
    report_number(report, "requests", (double)run->n, 0);
    report_number(report, "failed", (double)run->n_failed, 0);
    report_number(report, "seconds", seconds, 3);
    report_number(report, "tokens_per_second", (double)number(run, "decode_tokens") / seconds, 2);
    report_number(report, "prompt_tokens_per_second", (double)number(run, "prefill_tokens") / seconds, 2);
    report_times(report, first, firsts, n);
    n_beside = part_gaps(&run->gaps);
    report_times(report, beside, run->gaps.at, n_beside);
    report_times(report, alone, run->gaps.at + n_beside, run->gaps.n - n_beside);
    report_times(report, gap, run->gaps.at, run->gaps.n);
    report_number(report, "hit_share", looked > 0 ? (double)number(run, "prefix_hit_tokens") / looked : 0, 3);
    report_number(report, "kv_utilisation", run->share.seconds > 0 ? run->share.sum / run->share.seconds : 0, 4);
    report_kv(report, run);
    report_number(report, "preemptions", (double)number(run, "preemptions"), 0);
    report_number(report, "rows_per_step", steps > 0 ? (double)number(run, "rows") / steps : 0, 2);
    report_number(report, "schedule_ns_per_step",
                  steps > 0 ? (double)(number(run, "plan_ns") + number(run, "commit_ns")) / steps : 0, 0);
    report_end(report);
    free(firsts);
    return 0;
}

static llminf_status open_context(struct run *run, const struct options *o, llminf_error *error)
{
    llminf_options *options;
    llminf_status status = llminf_options_open(&options, "context", error);
    if (status < 0)
        return status;
    status = llminf_options_set_text(options, "batching", o->mode, -1, error);
    if (status >= 0)
        status = llminf_options_set_text(options, "kv_type", o->kv_name, -1, error);
    if (status >= 0)
        status = llminf_options_set_text(options, "backend", o->backend, -1, error);
    if (status >= 0)
        status = llminf_options_set_int(options, "threads", o->threads, error);
    if (status >= 0)
        status = llminf_options_set_int(options, "step_tokens", o->step_tokens, error);
    if (status >= 0 && o->max_running > 0)
        status = llminf_options_set_int(options, "max_running", o->max_running, error);
    if (status >= 0)
        status = llminf_options_set_int(options, "step_target_ns", (int64_t)o->target_us * 1000, error);
    if (status >= 0 && o->budget_bytes > 0)
        status = llminf_options_set_int(options, "kv_budget_bytes", (int64_t)o->budget_bytes, error);
    if (status >= 0)
        status = llminf_context_open(&run->context, run->model, options, error);
    llminf_options_close(options);
    return status;
}

int trace_run(const struct options *o, struct report *report)
{
    struct run run = {.lock = PTHREAD_MUTEX_INITIALIZER};
    llminf_error error;
    int failed = read_trace(&run, o->trace);
    if (!failed && llminf_model_open(&run.model, o->model, NULL, &error) < 0)
        failed = say(o->model, error.text);
    if (!failed && open_context(&run, o, &error) < 0)
        failed = say("context", error.text);
    for (size_t i = 0; i < run.n; i++)
        run.gaps.cap += run.requests[i].n_new;
    run.gaps.at = calloc(run.gaps.cap + 1, sizeof *run.gaps.at);
    if (!failed && run.gaps.at == NULL)
        failed = say("trace", "no memory");
    if (!failed) {
        play(&run);
        failed = report_run(&run, report, o);
    }
    free(run.gaps.at);
    free(run.requests);
    llminf_context_close(run.context);
    llminf_model_close(run.model);
    return failed;
}
