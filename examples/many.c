/* many.c - many threads, each with a session of its own: a file of prompts, one a line, is told at once. The library computes
 * what is in flight together. Answers go to stdout as they are done, a line of live figures to stderr. */
#include "program.h"
#include "ranks.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const char *model_path, *prompts_path, *n_threads, *n_tokens, *temperature, *seed, *threads, *backend, *budget, *running,
    *batching, *common, *draft, *speculate, *schema, *lora;

static const struct flag flags[] = {
    {"-m", "FILE", "GGUF file; without it the bundled model", &model_path},
    {"-f", "FILE", "prompts, one a line; without it standard input", &prompts_path},
    {"-j", "N", "threads that talk at once (default 16)", &n_threads},
    {"-n", "N", "new tokens of each at most (default 64)", &n_tokens},
    {"-c", "TEXT", "text before every prompt, computed once", &common},
    {"--temp", "T", "temperature; 0: greedy (default)", &temperature},
    {"--seed", "S", "seed of the draws (default 0)", &seed},
    {"--threads", "N", "threads of the library; 0: what this process may use (default)", &threads},
    RANKS_FLAGS,
    {"--backend", "NAME", "kernel table (default auto)", &backend},
    {"--kv", "BYTES", "budget of keys and values, as 2GiB", &budget},
    {"--running", "N", "generations in one batch (default 64)", &running},
    {"--batching", "MODE", "static, continuous or inflight (default)", &batching},
    {"--json-schema", "FILE", "every story is JSON that is valid under it", &schema},
    {"--draft", "FILE", "a smaller model of the same vocabulary, which guesses tokens", &draft},
    {"--lora", "FILE[:SCALE]", "an adapter: GGUF or a folder of PEFT, and what it is multiplied by", &lora},
    {"--speculate", "HOW", "off, lookup or model (default with --draft)", &speculate},
};
static const struct program program = {"llminf-many", "Tells many stories at once.", NULL, flags, sizeof flags / sizeof *flags};

/* What the threads share; the lists are made before they start. */
struct work {
    llminf_model *model;
    llminf_context *context;
    llminf_options *for_session;
    char *text;   /* of all prompts, lines ended by NUL */
    char **lines; /* in it */
    size_t n_lines;
    _Atomic size_t next, n_done, n_failed;
    pthread_mutex_t output; /* one answer at a time */
};

static llminf_options *open_options(const char *kind)
{
    llminf_error error;
    llminf_options *options;
    check(&program, llminf_options_open(&options, kind, &error), &error);
    return options;
}

static void open_all(struct work *work)
{
    llminf_error error;
    llminf_options *for_model = model_options(&program), *for_context = open_options("context");
    check(&program, llminf_model_open(&work->model, model_path, for_model, &error), &error);
    set_option(&program, for_context, "threads", threads);
    set_option(&program, for_context, "backend", backend);
    set_option(&program, for_context, "kv_budget_bytes", budget);
    set_option(&program, for_context, "max_running", running);
    set_option(&program, for_context, "batching", batching);
    set_draft(&program, for_context, work->model, draft);
    open_context(&program, &work->context, work->model, for_context);
    work->for_session = session_options(&program, work->model, lora);
    llminf_options_close(for_model);
    llminf_options_close(for_context);
}

static void split_lines(struct work *work)
{
    size_t length, cap = 0;
    char *rest;
    work->text = rest = prompts_path != NULL ? read_file(&program, prompts_path, &length) : read_input(&program, &length);
    for (char *line; (line = strtok_r(rest, "\r\n", &rest)) != NULL;) {
        if (work->n_lines == cap && (work->lines = realloc(work->lines, (cap = 2 * cap + 16) * sizeof *work->lines)) == NULL)
            exit(1);
        work->lines[work->n_lines++] = line;
    }
    if (work->n_lines == 0)
        fail_usage(&program, "holds no prompt", prompts_path != NULL ? prompts_path : "standard input");
}

/* One story, from a session that is opened for it. The status that ended it. */
static llminf_status tell(struct work *work, const char *line, const llminf_sampler *sampler, const llminf_options *how,
                          char **text_out, llminf_error *error)
{
    llminf_session *session = NULL;
    char piece[1024], *text = calloc(1, 1);
    size_t n, total = 0;
    llminf_status status = llminf_session_open(&session, work->context, work->for_session, error);
    if (status >= 0 && common != NULL)
        status = llminf_session_append_text(session, common, -1, LLMINF_TEXT_BOUNDS, error);
    if (status >= 0)
        status = llminf_session_append_text(session, line, -1, LLMINF_TEXT_BOUNDS, error);
    while (status >= 0 && (status = llminf_session_generate(session, sampler, how, error)) == LLMINF_E_FULL)
        nanosleep(&(struct timespec){.tv_nsec = 10000000}, NULL);
    while (status >= 0 && (status = llminf_session_read(session, piece, sizeof piece, &n, -1, error)) == LLMINF_OK) {
        text = realloc(text, total + n + 1);
        if (text == NULL)
            exit(1);
        memcpy(text + total, piece, n + 1);
        total += n;
    }
    llminf_session_close(session);
    *text_out = text;
    return status;
}

static void *run_thread(void *arg)
{
    struct work *work = arg;
    llminf_options *for_sampler = open_options("sampler"), *how = open_options("generate");
    llminf_sampler *sampler;
    llminf_error error;
    set_option(&program, for_sampler, "temperature", temperature != NULL ? temperature : "0");
    set_option(&program, for_sampler, "seed", seed);
    set_option(&program, how, "max_tokens", n_tokens != NULL ? n_tokens : "64");
    set_option(&program, how, "speculate", speculate != NULL ? speculate : draft != NULL ? "model" : NULL);
    check(&program, llminf_sampler_open(&sampler, work->model, for_sampler, &error), &error);
    set_grammar(&program, sampler, "json_schema", schema);
    for (size_t i; (i = atomic_fetch_add(&work->next, 1)) < work->n_lines;) {
        char *text;
        llminf_status status = tell(work, work->lines[i], sampler, how, &text, &error);
        pthread_mutex_lock(&work->output);
        if (status < 0)
            fprintf(stderr, "\n%s: prompt %zu: %s\n", program.name, i + 1, error.text);
        else
            printf("%zu\t%s%s\n", i + 1, work->lines[i], text);
        fflush(stdout);
        pthread_mutex_unlock(&work->output);
        atomic_fetch_add(status < 0 ? &work->n_failed : &work->n_done, 1);
        free(text);
    }
    llminf_sampler_close(sampler);
    llminf_options_close(for_sampler);
    llminf_options_close(how);
    return NULL;
}

static double number(const struct work *work, const char *key)
{
    int64_t value = 0;
    llminf_context_int(work->context, key, &value, NULL);
    return (double)value;
}

/* The live line; with `last` as it stays. */
static void show(const struct work *work, int64_t start, const char *last)
{
    double seconds = (double)(now_ns() - start) / 1e9, made = number(work, "decode_tokens"),
           looked = number(work, "prefix_tokens");
    fprintf(stderr,
            "%s%zu of %zu told, %.0f running, %.0f waiting; %.0f tokens/s made, %.0f read; prefix hits %.0f %%; KV %.0f %%%s",
            last[0] ? "" : "\r", atomic_load(&work->n_done), work->n_lines, number(work, "running"), number(work, "waiting"),
            made / seconds, number(work, "prefill_tokens") / seconds,
            looked > 0 ? 100 * number(work, "prefix_hit_tokens") / looked : 0,
            100 * number(work, "kv_blocks_used") / number(work, "kv_blocks"), last[0] ? last : "   ");
    fflush(stderr);
}

int main(int argc, char **argv)
{
    static struct work work = {.output = PTHREAD_MUTEX_INITIALIZER};
    const char *word;
    parse_line(&program, argc, argv, &word);
    if (model_path == NULL && (model_path = bundled_model()) == NULL)
        fail_usage(&program, "no bundled model is installed", "-m");
    long n = n_threads != NULL ? strtol(n_threads, NULL, 10) : 16;
    if (n < 1 || n > 4096)
        fail_usage(&program, "want 1 to 4096", "-j");
    split_lines(&work);
    open_all(&work);
    pthread_t *ids = calloc((size_t)n, sizeof *ids);
    int64_t start = now_ns();
    long n_started = 0;
    while (ids != NULL && n_started < n && pthread_create(&ids[n_started], NULL, run_thread, &work) == 0)
        n_started++;
    if (n_started == 0)
        fail_usage(&program, "no thread can be started", "-j");
    while (isatty(STDERR_FILENO) && atomic_load(&work.n_done) + atomic_load(&work.n_failed) < work.n_lines) {
        show(&work, start, "");
        nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
    }
    for (long i = 0; i < n_started; i++)
        pthread_join(ids[i], NULL);
    show(&work, start, "\n");
    free(ids);
    free(work.lines);
    free(work.text);
    llminf_options_close(work.for_session);
    llminf_context_close(work.context);
    llminf_model_close(work.model);
    return atomic_load(&work.n_failed) > 0;
}
