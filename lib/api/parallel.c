#include "api/parallel.h"

#include "api/forecast.h"
#include "backend/registry.h"
#include "base/cpus.h"
#include "base/error.h"
#include "engine/crew.h"
#include "engine/measure.h"
#include "engine/worker.h"
#include "parallel/local.h"

/* ---- options ----------------------------------------------------------------------------------------------------- */

/* Threads of one process share its CPUs, or those that they are pinned to. */
static int threads_of_rank(const struct lli_values *values, const struct lli_cpus *cpus, uint32_t n_here)
{
    int n = (int)lli_values_int(values, "threads"), all = lli_cpus_count(cpus);
    all = all > 0 ? all : lli_cpus_usable();
    if (n > 0)
        return n;
    return all > (int)n_here ? all / (int)n_here : 1;
}

static void describe(struct lli_wire_hello *out, const struct lli_division *division, const struct lli_engine_size *size,
                     const struct lli_engine_options *options, int64_t timeout_ns)
{
    *out = (struct lli_wire_hello){
        .fingerprint = options->fingerprint,
        .division = *division,
        .kv_type = (uint32_t)options->kv_type,
        .room = {.n_blocks = size->n_blocks,
                 .max_rows = size->max_rows,
                 .max_seqs = size->max_running,
                 .max_logits = size->max_logits,
                 .max_pos = size->longest,
                 .n_groups = size->n_groups,
                 .n_vocab = options->config->n_vocab},
        .timeout_ns = timeout_ns,
    };
    if (out->room.max_seqs < LLI_MEASURED_ROWS)
        out->room.max_seqs = LLI_MEASURED_ROWS;
}

static struct lli_worker_options worker_options(const struct llminf_model *model, const struct lli_values *values,
                                                const struct lli_packing_source *source, const struct lli_progress *progress)
{
    return (struct lli_worker_options){
        .config = &model->config,
        .source = source,
        .progress = progress,
        .fingerprint = model->fingerprint,
        .timeout_ns = lli_values_int(values, "comm_timeout_ns"),
        .spin_ns = lli_values_int(values, "spin_ns"),
        .kv_prefault = (int)lli_values_int(values, "kv_prefault"),
    };
}

/* ---- rank 0 ------------------------------------------------------------------------------------------------------ */

/* Ranks 1 and up, as threads. */
static llminf_status start_mates(struct lli_crew *crew, struct llminf_context *context,
                                 const struct lli_engine_options *options, const llminf_comm *tables, llminf_error *err)
{
    static const struct lli_progress silent;
    struct llminf_model *model = context->model;
    struct lli_packing_source source = lli_context_source(model);
    struct lli_worker_options worker = worker_options(model, &context->values, &source, &silent);
    worker.heap = &model->heap;
    worker.packings = &model->packings;
    worker.backend = options->backend;
    worker.n_threads = options->n_threads;
    worker.cpus = options->cpus;
    crew->owns_table = 1;
    return lli_mates_start(&crew->mates, &worker, tables + 1, crew->comm.n_ranks - 1, err);
}

static llminf_status call_mates(struct lli_crew **out, struct llminf_context *context, const struct lli_engine_options *options,
                                const llminf_comm *tables, const struct lli_wire_hello *hello, llminf_error *err)
{
    struct llminf_model *model = context->model;
    llminf_status status = lli_crew_new(out, &model->heap, &model->config, &tables[0], hello, err);
    if (status != LLMINF_OK) {
        for (int32_t i = 0; i < tables[0].n_ranks; i++)
            tables[i].close(tables[i].state);
        return status;
    }
    status = start_mates(*out, context, options, tables, err);
    if (status != LLMINF_OK)
        lli_crew_free(*out);
    return status;
}

/* The ranks are greeted, and get ready. */
static llminf_status call_crew(struct lli_crew **out, struct llminf_context *context, const struct lli_engine_options *options,
                               const llminf_comm *comm, llminf_error *err)
{
    struct llminf_model *model = context->model;
    int32_t n = (int32_t)lli_division_ranks(options->division);
    struct lli_engine_size size;
    struct lli_wire_hello hello;
    struct llminf_comm *tables;
    int64_t timeout_ns = lli_values_int(&context->values, "comm_timeout_ns");
    llminf_status status = lli_engine_size(&size, options, err);
    if (status != LLMINF_OK)
        return status;
    describe(&hello, options->division, &size, options, timeout_ns);
    if (comm != NULL)
        return lli_crew_new(out, &model->heap, &model->config, comm, &hello, err);
    tables = lli_alloc_zero(&model->heap, (size_t)n, sizeof *tables);
    status = tables != NULL ? lli_local_new(tables, &model->heap, n, LLI_WIRE_FRAME, err)
                            : lli_fail_memory(err, "ranks", (uint64_t)n * sizeof *tables);
    if (status == LLMINF_OK)
        status = call_mates(out, context, options, tables, &hello, err);
    lli_free(&model->heap, tables);
    return status;
}

llminf_status lli_parallel_engine(struct llminf_context *context, struct lli_engine_options *options, const llminf_comm *comm,
                                  const struct lli_progress *progress, llminf_error *err)
{
    struct llminf_model *model = context->model;
    struct lli_packing_source source = lli_context_source(model);
    struct lli_division division;
    struct lli_slice slice;
    struct lli_cpus cpus;
    struct llminf_error error;
    llminf_status status = lli_division_make(&division, &model->config, &options->cost,
                                             (uint32_t)lli_values_int(&context->values, "tensor_parallel"),
                                             (uint32_t)lli_values_int(&context->values, "pipeline_parallel"), err);
    if (status != LLMINF_OK)
        return status;
    options->n_here = comm != NULL ? 1 : lli_division_ranks(&division);
    options->n_threads = threads_of_rank(&context->values, &options->cpus, options->n_here);
    options->division = &division;
    options->weights = NULL;
    status = call_crew(&options->crew, context, options, comm, err);
    if (status != LLMINF_OK)
        return status;
    cpus = options->cpus;
    lli_cpus_share(&options->cpus, &cpus, 0, (int)options->n_here);
    lli_division_slice(&slice, &division, &model->config, 0);
    status = lli_context_take_draft(options, context, &error);
    if (status == LLMINF_OK)
        status = lli_packings_take_slice(&options->weights, &model->packings, &source, &slice,
                                         (uint32_t)options->backend->lanes, options->n_threads, progress, &error);
    if (status == LLMINF_OK)
        status = lli_engine_new(&context->engine, &model->heap, options, &error);
    else
        lli_crew_free(options->crew);
    if (status == LLMINF_OK)
        options->crew->owns_table = 1;
    else if (err != NULL)
        *err = error;
    return status;
}

llminf_status llminf_context_open_parallel(struct llminf_context **out, struct llminf_model *model, const llminf_comm *comm,
                                           const struct llminf_options *options, llminf_error *error)
{
    if (lli_check_out(out, "out", error) != LLMINF_OK)
        return LLMINF_E_INVALID;
    *out = NULL;
    if (comm == NULL)
        return lli_fail(error, LLMINF_E_INVALID, "comm", "is NULL, want a table; llminf_context_open needs none");
    if (comm->size >= sizeof *comm && comm->rank != 0)
        return lli_fail(error, LLMINF_E_COMM, "communicator", "rank is %d, want 0; the others call llminf_comm_serve",
                        comm->rank);
    return lli_context_open_over(out, model, comm, options, error);
}

/* ---- the others -------------------------------------------------------------------------------------------------- */

llminf_status llminf_comm_serve(struct llminf_model *model, const llminf_comm *comm, const struct llminf_options *options,
                                llminf_error *error)
{
    struct lli_values values;
    struct lli_engine_options context;
    struct llminf_error own;
    llminf_status status = lli_check_handle(model, LLI_MARK_MODEL, "model", error);
    if (status != LLMINF_OK)
        return status;
    if (comm == NULL)
        return lli_fail(error, LLMINF_E_INVALID, "comm", "is NULL, want a table");
    if (!model->has_network)
        return lli_fail(error, LLMINF_E_STATE, "model", "was opened with vocab_only, want one with weights");
    status = lli_values_copy(&values, &model->heap, "context", options, error);
    if (status == LLMINF_OK)
        status = lli_context_options(&context, &values, model, error);
    if (status == LLMINF_OK) {
        const struct lli_progress progress = options != NULL ? options->progress : (struct lli_progress){0};
        struct lli_packing_source source = lli_context_source(model);
        struct lli_worker_options worker = worker_options(model, &values, &source, &progress);
        worker.heap = &model->heap;
        worker.packings = &model->packings;
        worker.backend = context.backend;
        worker.kv_budget_bytes = context.kv_budget_bytes;
        worker.n_threads = threads_of_rank(&values, &context.cpus, 1);
        worker.cpus = context.cpus;
        lli_handles_model_ref(model);
        status = lli_worker_serve(&worker, comm, &own);
        lli_handles_model_unref(model);
        if (status != LLMINF_OK && error != NULL)
            *error = own;
    }
    lli_values_finish(&values);
    return status;
}
