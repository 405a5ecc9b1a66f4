#include "llminf/llminf.h"

#include <string.h>

#include "api/forecast.h"
#include "api/handles.h"
#include "api/parallel.h"
#include "api/stats.h"
#include "backend/registry.h"
#include "base/buffer.h"
#include "base/cpus.h"
#include "base/error.h"
#include "base/fenv.h"
#include "forward/forward.h"

const char *llminf_backend_at(const llminf_model *model, size_t index)
{
    const struct lli_backend *backend = lli_registry_at(index);
    (void)model; /* a model's own backends come with plug-ins */
    return backend != NULL ? backend->name : NULL;
}

static int kv_type_named(const char *name)
{
    static const char *const names[] = {[LLI_KV_F16] = "f16", [LLI_KV_F32] = "f32", [LLI_KV_Q8_0] = "q8_0"};
    int type = 0;
    while (strcmp(names[type], name) != 0) /* the schema knows no other */
        type++;
    return type;
}

static int batching_named(const char *name)
{
    return strcmp(name, "static") == 0       ? LLI_BATCHING_STATIC
           : strcmp(name, "continuous") == 0 ? LLI_BATCHING_CONTINUOUS
                                             : LLI_BATCHING_INFLIGHT;
}

struct lli_packing_source lli_context_source(const struct llminf_model *model)
{
    return (struct lli_packing_source){&model->config, &model->weights, &model->files, NULL};
}

/* The weights of a model in the backend's layout: packed by the first context that needs it. */
static llminf_status take_weights(const struct lli_weights **out, struct llminf_context *context, struct llminf_model *model,
                                  int lanes, const struct lli_progress *progress, llminf_error *err)
{
    struct lli_packing_source source = lli_context_source(model);
    int n_threads = (int)lli_values_int(&context->values, "threads");
    return lli_packings_take(out, &model->packings, &source, (uint32_t)lanes, n_threads > 0 ? n_threads : lli_cpus_usable(),
                             progress, err);
}

/* Pinned threads are as many as CPUs, if the host does not say how many. */
static llminf_status read_cpus(struct lli_engine_options *out, const char *text, llminf_error *err)
{
    if (text[0] == 0)
        return LLMINF_OK;
    if (lli_cpus_read(&out->cpus, text) < 0)
        return lli_fail(err, LLMINF_E_OPTION, "cpus", "\"%s\", want numbers below %d and ranges of them, as 0-3,8", text,
                        LLI_CPUS_MOST);
    int foreign = lli_cpus_foreign(&out->cpus);
    if (foreign >= 0)
        return lli_fail(err, LLMINF_E_OPTION, "cpus", "CPU %d is none that this process may use", foreign);
    if (out->n_threads == 0)
        out->n_threads = lli_cpus_count(&out->cpus);
    return LLMINF_OK;
}

llminf_status lli_context_options(struct lli_engine_options *out, const struct lli_values *values,
                                  const struct llminf_model *model, llminf_error *err)
{
    const char *name = lli_values_text(values, "backend");
    *out = (struct lli_engine_options){
        .backend = lli_registry_find(name),
        .kv_type = kv_type_named(lli_values_text(values, "kv_type")),
        .kv_budget_bytes = lli_values_int(values, "kv_budget_bytes"),
        .max_sessions = (uint32_t)lli_values_int(values, "max_sessions"),
        .max_waiting = (uint32_t)lli_values_int(values, "max_waiting"),
        .max_running = (uint32_t)lli_values_int(values, "max_running"),
        .step_tokens = (uint32_t)lli_values_int(values, "step_tokens"),
        .step_target_ns = lli_values_int(values, "step_target_ns"),
        .batching = batching_named(lli_values_text(values, "batching")),
        .admit_reserve = lli_values_float(values, "admit_reserve"),
        .age_steps = (uint32_t)lli_values_int(values, "age_steps"),
        .bypass_limit = (uint32_t)lli_values_int(values, "bypass_limit"),
        .no_prefix_cache = !lli_values_int(values, "prefix_cache"),
        .host_driven = (int)lli_values_int(values, "host_driven"),
        .kv_prefault = (int)lli_values_int(values, "kv_prefault"),
        .n_threads = (int)lli_values_int(values, "threads"),
        .spin_ns = lli_values_int(values, "spin_ns"),
    };
    if (out->backend == NULL)
        return lli_fail(err, LLMINF_E_OPTION, "backend", "\"%s\" is not usable here; llminf_backend_at lists what is", name);
    llminf_status status = read_cpus(out, lli_values_text(values, "cpus"), err);
    if (status != LLMINF_OK)
        return status;
    if (model != NULL) {
        out->config = &model->config;
        out->weights = &model->weights;
        out->vocab = &model->vocab;
        out->fingerprint = model->fingerprint;
        lli_forecast_model(&out->cost, NULL, model, out->kv_type);
    }
    return LLMINF_OK;
}

/* The tokens of a draft model must mean the same. */
llminf_status lli_context_draft(struct lli_engine_options *out, const struct llminf_model *draft,
                                const struct lli_values *values, const struct lli_vocab *vocab, llminf_error *err)
{
    uint32_t id;
    if (!draft->has_network)
        return lli_fail(err, LLMINF_E_OPTION, "draft", "the model was opened with vocab_only, want one with weights");
    if (draft->vocab.n != vocab->n)
        return lli_fail(err, LLMINF_E_OPTION, "draft", "the model has %u tokens, want the %u of the context's", draft->vocab.n,
                        vocab->n);
    id = lli_vocab_compare(&draft->vocab, vocab);
    if (id < vocab->n)
        return lli_fail(err, LLMINF_E_OPTION, "draft", "token %u of the model is another than that of the context's", id);
    if (draft->config.is_bidirectional || out->config->is_bidirectional)
        return lli_fail(err, LLMINF_E_OPTION, "draft", "a model that sees both ways has no next token to guess");
    out->draft_share = lli_values_float(values, "draft_share");
    if (out->draft_share > 0)
        out->draft_config = &draft->config;
    return LLMINF_OK;
}

llminf_status lli_context_take_draft(struct lli_engine_options *options, struct llminf_context *context, llminf_error *err)
{
    static const struct lli_progress silent;
    if (options->draft_config == NULL)
        return LLMINF_OK;
    return take_weights(&options->draft_weights, context, context->draft, options->backend->lanes, &silent, err);
}

static llminf_status open_engine(struct llminf_context *context, const llminf_comm *comm, const struct lli_progress *progress,
                                 llminf_error *err)
{
    struct llminf_model *model = context->model;
    struct lli_engine_options options;
    int64_t n_ranks =
        lli_values_int(&context->values, "tensor_parallel") * lli_values_int(&context->values, "pipeline_parallel");
    llminf_status status = lli_context_options(&options, &context->values, model, err);
    if (status == LLMINF_OK && context->draft != NULL)
        status = lli_context_draft(&options, context->draft, &context->values, &model->vocab, err);
    if (status == LLMINF_OK && (comm != NULL || n_ranks > 1))
        return lli_parallel_engine(context, &options, comm, progress, err);
    if (status == LLMINF_OK)
        status = lli_context_take_draft(&options, context, err);
    if (status == LLMINF_OK)
        status = take_weights(&options.weights, context, model, options.backend->lanes, progress, err);
    return status == LLMINF_OK ? lli_engine_new(&context->engine, &model->heap, &options, err) : status;
}

/* What was asked for as "auto" or 0 becomes what is in force. */
static llminf_status settle_options(struct llminf_context *context, llminf_error *err)
{
    struct lli_values *values = &context->values;
    const char *backend = lli_registry_find(lli_values_text(values, "backend"))->name;
    struct lli_engine_stats stats;
    lli_engine_stats(context->engine, &stats);
    lli_values_put_int(values, "kv_budget_bytes", stats.kv_budget_bytes);
    lli_values_put_int(values, "step_tokens", stats.step_tokens);
    lli_values_put_int(values, "threads", stats.threads);
    return lli_values_put_text(values, "backend", backend, strlen(backend), err);
}

llminf_status llminf_context_open(llminf_context **out, llminf_model *model, const llminf_options *options, llminf_error *error)
{
    return lli_context_open_over(out, model, NULL, options, error);
}

llminf_status lli_context_open_over(llminf_context **out, llminf_model *model, const llminf_comm *comm,
                                    const llminf_options *options, llminf_error *error)
{
    struct llminf_context *context;
    struct lli_progress progress = {0};
    llminf_status status;
    if (lli_check_out(out, "out", error) != LLMINF_OK)
        return LLMINF_E_INVALID;
    *out = NULL;
    status = lli_check_handle(model, LLI_MARK_MODEL, "model", error);
    if (status != LLMINF_OK)
        return status;
    if (!model->has_network)
        return lli_fail(error, LLMINF_E_STATE, "model", "was opened with vocab_only, want one with weights");
    context = lli_alloc_zero(&model->heap, 1, sizeof *context);
    if (context == NULL)
        return lli_fail_memory(error, "context", sizeof *context);
    context->handle.mark = LLI_MARK_CONTEXT;
    atomic_store_explicit(&context->handle.refs, 1, memory_order_relaxed);
    context->model = model;
    lli_handles_model_ref(model);
    status = lli_values_copy(&context->values, &model->heap, "context", options, error);
    if (status == LLMINF_OK)
        status = lli_options_take_draft(&context->draft, options, error);
    if (status == LLMINF_OK) {
        uint64_t state = lli_fenv_enter();
        if (options != NULL)
            progress = options->progress;
        status = open_engine(context, comm, &progress, error);
        lli_fenv_leave(state);
    }
    if (status == LLMINF_OK)
        status = settle_options(context, error);
    if (status != LLMINF_OK) {
        lli_handles_context_unref(context);
        return status;
    }
    *out = context;
    return LLMINF_OK;
}

void llminf_context_close(llminf_context *context)
{
    if (lli_check_handle(context, LLI_MARK_CONTEXT, "context", NULL) == LLMINF_OK)
        lli_handles_context_unref(context);
}

llminf_status llminf_context_step(llminf_context *context, int64_t max_ns, llminf_error *error)
{
    llminf_status status = lli_check_handle(context, LLI_MARK_CONTEXT, "context", error);
    if (status != LLMINF_OK)
        return status;
    if (max_ns < 0)
        return lli_fail(error, LLMINF_E_INVALID, "max_ns", "is %lld, want 0 or more", (long long)max_ns);
    return lli_engine_step(context->engine, max_ns, error);
}

llminf_status llminf_context_fd(llminf_context *context, int32_t *fd_out, llminf_error *error)
{
    int fd = -1;
    llminf_status status = lli_check_out(fd_out, "fd_out", error);
    if (status != LLMINF_OK)
        return status;
    *fd_out = -1;
    status = lli_check_handle(context, LLI_MARK_CONTEXT, "context", error);
    if (status == LLMINF_OK)
        status = lli_engine_fd(context->engine, &fd, error);
    if (status == LLMINF_OK)
        *fd_out = fd;
    return status;
}

llminf_status llminf_context_trim(llminf_context *context, int64_t keep_bytes, llminf_error *error)
{
    llminf_status status = lli_check_handle(context, LLI_MARK_CONTEXT, "context", error);
    if (status != LLMINF_OK)
        return status;
    if (keep_bytes < 0)
        return lli_fail(error, LLMINF_E_INVALID, "keep_bytes", "is %lld, want 0 or more", (long long)keep_bytes);
    lli_engine_trim(context->engine, keep_bytes);
    return LLMINF_OK;
}

/* The row of an option's key "option.NAME" of these types, or NULL. */
static const struct lli_schema_row *find_option(const struct llminf_context *context, const char *key, int is_text)
{
    static const char prefix[] = "option.";
    const struct lli_schema_row *row = NULL;
    if (strncmp(key, prefix, sizeof prefix - 1) == 0)
        row = lli_schema_find(context->values.kind, key + sizeof prefix - 1);
    return row != NULL && (row->type == LLI_SCHEMA_TEXT) == is_text ? row : NULL;
}

llminf_status llminf_context_int(const llminf_context *context, const char *key, int64_t *value_out, llminf_error *error)
{
    const struct lli_schema_row *row;
    llminf_status status = lli_check_out(value_out, "value_out", error);
    if (status != LLMINF_OK)
        return status;
    *value_out = 0;
    status = lli_check_handle(context, LLI_MARK_CONTEXT, "context", error);
    if (status != LLMINF_OK)
        return status;
    if (key == NULL)
        return lli_fail(error, LLMINF_E_INVALID, "key", "is NULL, want a name");
    row = find_option(context, key, 0);
    if (row != NULL)
        *value_out = lli_values_int(&context->values, row->key);
    else if (!lli_stats_find(value_out, context, key))
        return lli_fail(error, LLMINF_E_NOT_FOUND, key, "a context has no such number");
    return LLMINF_OK;
}

static llminf_status give_text(char *buffer, size_t capacity, size_t *length_out, const char *text, size_t length,
                               llminf_error *error)
{
    int copy;
    *length_out = length;
    llminf_status status = lli_check_room(&copy, buffer, capacity, length + 1, error);
    if (status == LLMINF_OK && copy) {
        memcpy(buffer, text, length);
        buffer[length] = '\0';
    }
    return status;
}

static llminf_status give_metrics(const struct llminf_context *context, char *buffer, size_t capacity, size_t *length_out,
                                  llminf_error *error)
{
    struct lli_buffer text;
    lli_buffer_init(&text, &context->model->heap);
    llminf_status status = lli_stats_write(&text, context) == 0
                               ? give_text(buffer, capacity, length_out, (const char *)text.bytes, text.len, error)
                               : lli_fail_memory(error, "metrics", text.cap);
    lli_buffer_finish(&text);
    return status;
}

llminf_status llminf_context_text(const llminf_context *context, const char *key, char *buffer, size_t capacity,
                                  size_t *length_out, llminf_error *error)
{
    const struct lli_schema_row *row;
    const char *text;
    llminf_status status = lli_check_out(length_out, "length_out", error);
    if (status != LLMINF_OK)
        return status;
    *length_out = 0;
    status = lli_check_handle(context, LLI_MARK_CONTEXT, "context", error);
    if (status != LLMINF_OK)
        return status;
    if (key != NULL && strcmp(key, "metrics") == 0)
        return give_metrics(context, buffer, capacity, length_out, error);
    row = key != NULL ? find_option(context, key, 1) : NULL;
    if (row == NULL)
        return lli_fail(error, key != NULL ? LLMINF_E_NOT_FOUND : LLMINF_E_INVALID, key != NULL ? key : "key",
                        "a context has no such text");
    text = lli_values_text(&context->values, row->key);
    return give_text(buffer, capacity, length_out, text, strlen(text), error);
}
