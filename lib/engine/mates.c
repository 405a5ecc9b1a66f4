/* engine/mates.c - see mates.h. */
#include "engine/mates.h"

#include <pthread.h>

#include "base/error.h"
#include "base/format.h"
#include "base/workers.h"

#define STACK_BYTES (256u << 10)

struct mate {
    struct lli_worker_options options;
    struct llminf_comm table;
    pthread_t thread;
};

struct lli_mates {
    struct lli_heap *heap;
    struct lli_packing_source source;
    int32_t n_started;
    struct mate at[];
};

/* Why it failed hears rank 0 by the table. */
static void *run(void *arg)
{
    struct mate *mate = arg;
    struct llminf_error error;
    lli_worker_serve(&mate->options, &mate->table, &error);
    mate->table.close(mate->table.state);
    return NULL;
}

int32_t lli_mates_start(struct lli_mates **out, const struct lli_worker_options *options, const struct llminf_comm *tables,
                        int32_t n, struct llminf_error *err)
{
    struct lli_mates *mates = lli_alloc_zero(options->heap, 1, sizeof *mates + (size_t)n * sizeof *mates->at);
    int failed = 0;
    *out = mates;
    if (mates) {
        mates->heap = options->heap;
        mates->source = *options->source;
    }
    for (int32_t i = 0; mates && i < n && !failed; i++) {
        struct mate *mate = &mates->at[i];
        char name[16];
        *mate = (struct mate){.options = *options, .table = tables[i]};
        mate->options.source = &mates->source;
        lli_cpus_share(&mate->options.cpus, &options->cpus, i + 1, n + 1);
        lli_format(name, sizeof name, "llminf-rank-%d", tables[i].rank);
        failed = lli_workers_thread(&mate->thread, name, STACK_BYTES, run, mate);
        mates->n_started += !failed;
        int cpu = lli_cpus_at(&mate->options.cpus, 0);
        if (!failed && cpu >= 0)
            failed = lli_cpus_pin(mate->thread, cpu);
    }
    if (mates && !failed)
        return LLMINF_OK;
    for (int32_t i = mates ? mates->n_started : 0; i < n; i++) {
        tables[i].fail(tables[i].state);
        tables[i].close(tables[i].state);
    }
    lli_mates_join(mates);
    *out = NULL;
    return mates ? lli_fail_os(err, failed, "ranks", "a thread did not start") : lli_fail_memory(err, "ranks", sizeof *mates);
}

void lli_mates_join(struct lli_mates *mates)
{
    if (!mates)
        return;
    for (int32_t i = 0; i < mates->n_started; i++)
        pthread_join(mates->at[i].thread, NULL);
    lli_free(mates->heap, mates);
}
