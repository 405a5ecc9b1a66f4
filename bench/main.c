/* main.c - llminf-bench: the library's speed, each figure beside the limit of the machine that bounds it. */
#include <stdio.h>
#include <string.h>

#include "base/cpus.h"
#include "forecast.h"
#include "guess.h"
#include "kernels.h"
#include "limits.h"
#include "load.h"
#include "network.h"
#include "options.h"
#include "report.h"
#include "speed.h"
#include "trace.h"

enum { SPIN_NS = 20000 }; /* as contexts have it by default */

static void report_limits(struct report *report, const struct limits *l)
{
    report_begin(report, "limits");
    report_text(report, "isa", l->peak->name);
    report_number(report, "read_bytes_per_second", l->now.bytes, 0);
    report_number(report, "integer_ops_per_second", l->now.integer_ops, 0);
    report_number(report, "float_ops_per_second", l->now.fp_ops, 0);
    report_number(report, "buffer_bytes", (double)l->buffer_bytes, 0);
    report_end(report);
}

static void report_load(struct report *report, const struct loaded *loaded)
{
    report_begin(report, "load");
    report_text(report, "cache", loaded->cold ? "cold" : "as it was");
    report_number(report, "seconds", loaded->model_seconds + loaded->context_seconds, 4);
    report_number(report, "model_seconds", loaded->model_seconds, 4);
    report_number(report, "context_seconds", loaded->context_seconds, 4);
    report_number(report, "first_token_seconds", loaded->token_seconds, 4);
    report_number(report, "file_bytes", loaded->file_bytes, 0);
    report_number(report, "peak_rss_bytes", loaded->peak_rss_bytes, 0);
    report_number(report, "rss_share", loaded->file_bytes > 0 ? loaded->peak_rss_bytes / loaded->file_bytes : 0, 3);
    report_end(report);
}

static void report_model(struct report *report, const struct options *o, const struct network *n)
{
    struct work token = network_work(n, 1, 1, 0), position = network_work(n, 0, 0, 1);
    report_begin(report, "model");
    report_text(report, "arch", n->config.family->name);
    report_text(report, "kv", o->kv_name);
    report_number(report, "params", (double)n->weights.n_params, 0);
    report_number(report, "weight_bytes", (double)n->weights.bytes, 0);
    report_number(report, "bytes_per_token", token.bytes, 0);
    report_number(report, "integer_ops_per_token", token.integer_ops, 0);
    report_number(report, "float_ops_per_token", token.fp_ops, 0);
    report_number(report, "kv_bytes_per_position", position.bytes, 0);
    report_end(report);
}

static int run_model(const struct options *o, const struct lli_backend *backend, struct limits *limits, struct report *report)
{
    struct llminf_error error = {0};
    struct network network;
    struct network_room room;
    int status = network_open(&network, o->model, &error);
    room = o->forecast ? forecast_room(o, &network) : speed_room(o);
    if (status == 0)
        status = network_start(&network, backend, limits->workers, o->kv_type, &room, &error);
    if (status < 0) {
        fprintf(stderr, "llminf-bench: %s\n", error.text);
    } else {
        report_model(report, o, &network);
        status = o->forecast ? forecast_run(o, &network, report) : speed_run(o, &network, limits, report);
    }
    network_close(&network);
    return status;
}

/* All but the loading, which came before there were threads. */
static int run(const struct options *o, const struct lli_backend *backend, struct lli_workers *workers, struct report *report,
               const struct loaded *loaded, int n_loaded)
{
    struct limits limits;
    int status = 0;
    if (limits_init(&limits, workers, backend, o->buffer_bytes) < 0)
        options_fail("limits", "no memory");
    report_limits(report, &limits);
    for (int i = 0; i < n_loaded; i++)
        report_load(report, &loaded[i]);
    if (o->kernels)
        status = kernels_run(o, backend, &limits, report);
    if (status == 0 && o->model != NULL)
        status = run_model(o, backend, &limits, report);
    limits_finish(&limits);
    return status;
}

int main(int argc, char **argv)
{
    struct options o;
    struct loaded loaded[2];
    struct lli_heap heap;
    struct lli_workers workers;
    struct llminf_error error = {0};
    int n_loaded = 0, status;
    options_read(&o, argc, argv);
    const struct lli_backend *backend = lli_registry_find(o.backend);
    if (backend == NULL)
        options_fail(o.backend, "no such backend is usable here");
    o.threads = o.threads > 0 ? o.threads : lli_cpus_usable();
    struct report report = {.json = o.json, .backend = backend->name, .threads = o.threads};
    if (o.speculate > 0)
        return guess_run(&o, &report) < 0;
    if (o.trace != NULL)
        return trace_run(&o, &report) < 0;
    for (int cold = o.cold; o.model != NULL && !o.forecast && cold >= 0; cold--)
        if (load_run(&loaded[n_loaded++], &o, cold) < 0)
            options_fail("load", "failed");
    lli_heap_init(&heap, NULL, NULL, NULL);
    if (lli_workers_init(&workers, &heap, o.threads, NULL, SPIN_NS, &error) < 0)
        options_fail("threads", error.text);
    status = run(&o, backend, &workers, &report, loaded, n_loaded);
    lli_workers_finish(&workers);
    return status < 0 ? 1 : 0;
}
