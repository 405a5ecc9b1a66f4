#include "load.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "limits.h"
#include "llminf/llminf.h"

enum { POSITIONS = 256 }; /* that the context of this test can hold */

/* What is open; all of it is closed at the end. */
struct host {
    llminf_options *options;
    llminf_model *model;
    llminf_context *context;
    llminf_session *session;
};

/* ---- in the child */

static llminf_status open_context(struct host *h, const struct options *o, llminf_error *error)
{
    int64_t token_bytes = 0;
    llminf_status status = llminf_options_open(&h->options, "context", error);
    if (status >= 0)
        status = llminf_model_int(h->model, "kv_bytes_per_token", &token_bytes, error);
    token_bytes *= 2; /* that was in F16; none is wider than F32 */
    if (status >= 0)
        status = llminf_options_set_int(h->options, "kv_budget_bytes", (token_bytes + 16) * POSITIONS + 65536, error);
    if (status >= 0)
        status = llminf_options_set_text(h->options, "kv_type", o->kv_name, -1, error);
    if (status >= 0)
        status = llminf_options_set_text(h->options, "backend", o->backend, -1, error);
    if (status >= 0)
        status = llminf_options_set_int(h->options, "threads", o->threads, error);
    return status < 0 ? status : llminf_context_open(&h->context, h->model, h->options, error);
}

static llminf_status make_token(struct host *h, llminf_error *error)
{
    const llminf_token prompt = 1;
    llminf_token token;
    size_t n;
    llminf_status status = llminf_session_open(&h->session, h->context, NULL, error);
    if (status >= 0)
        status = llminf_session_append(h->session, &prompt, 1, error);
    if (status >= 0)
        status = llminf_session_generate(h->session, NULL, NULL, error);
    return status < 0 ? status : llminf_session_read_tokens(h->session, &token, 1, &n, -1, error);
}

static llminf_status load(struct host *h, struct loaded *out, const struct options *o, llminf_error *error)
{
    int64_t start = lli_clock_ns();
    llminf_status status = llminf_model_open(&h->model, o->model, NULL, error);
    out->model_seconds = seconds_since(start);
    start = lli_clock_ns();
    if (status >= 0)
        status = open_context(h, o, error);
    out->context_seconds = seconds_since(start);
    start = lli_clock_ns();
    if (status >= 0)
        status = make_token(h, error);
    out->token_seconds = seconds_since(start);
    return status;
}

static int run_child(const struct options *o, int to_parent)
{
    struct host host = {0};
    struct loaded out = {0};
    llminf_error error = {0};
    llminf_status status = load(&host, &out, o, &error);
    if (status < 0)
        fprintf(stderr, "llminf-bench: load: %s (%s)\n", error.text, llminf_status_name(status));
    llminf_session_close(host.session);
    llminf_context_close(host.context);
    llminf_options_close(host.options);
    llminf_model_close(host.model);
    return status >= 0 && write(to_parent, &out, sizeof out) == (ssize_t)sizeof out ? 0 : 1;
}

/* ---- in the parent */

/* The file's size; with `cold` the system is asked to forget what it holds of it. */
static double prepare_file(const char *path, int cold)
{
    struct stat file = {0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    if (fstat(fd, &file) == 0 && cold)
        posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
    return (double)file.st_size;
}

int load_run(struct loaded *out, const struct options *o, int cold)
{
    struct rusage usage = {0};
    double file_bytes = prepare_file(o->model, cold);
    int ends[2], status = 0;
    ssize_t got;
    pid_t child;
    if (pipe(ends) < 0)
        return -1;
    child = fork();
    if (child == 0) {
        close(ends[0]);
        _exit(run_child(o, ends[1]));
    }
    close(ends[1]);
    got = child > 0 ? read(ends[0], out, sizeof *out) : 0;
    close(ends[0]);
    if (child < 0 || wait4(child, &status, 0, &usage) < 0 || status != 0 || got != (ssize_t)sizeof *out)
        return -1;
    out->file_bytes = file_bytes;
    out->peak_rss_bytes = (double)usage.ru_maxrss * 1024;
    out->cold = cold;
    return 0;
}
