/* What a model takes, by key: bytes of a context before it is opened, by the functions that it is opened with; operations and
 * time by cost/. All keys are computed at once, into a struct that a table names. */
#include "api/forecast.h"

#include <string.h>

#include "api/handles.h"
#include "backend/registry.h"
#include "base/error.h"
#include "base/limits.h"
#include "forward/forward.h"
#include "kv/table.h"
#include "model/figures.h"

/* ---- a model as numbers ------------------------------------------------------------------------------------------ */

static double kv_bytes(const struct lli_shape *shape, int kv_type)
{
    static const double each[] = {[LLI_KV_F16] = 2, [LLI_KV_F32] = 4, [LLI_KV_Q8_0] = 34.0 / 32};
    return lli_shape_kv_elements(shape) * each[kv_type];
}

void lli_forecast_model(struct lli_cost *out, struct lli_shape *shape_out, const struct llminf_model *model, int kv_type)
{
    struct lli_weight_bytes weights;
    struct lli_shape shape;
    lli_figures_shape(&shape, &model->config, &model->weights);
    lli_figures_weights(&weights, &model->config, &model->weights);
    lli_cost_init(out, &shape, &weights, kv_bytes(&shape, kv_type));
    if (shape_out != NULL)
        *shape_out = shape;
}

/* What is asked about. */
struct question {
    const struct llminf_model *model; /* NULL: a shape alone */
    const struct lli_values *load;    /* of kind "cost" */
    struct lli_values *context;
    struct lli_heap *heap; /* small things, counted */
    struct lli_shape shape;
    const struct lli_dtype *type; /* of a shape's weights */
    struct lli_config config;     /* of a shape */
    struct lli_engine_options options;
    struct lli_cost cost;
    struct lli_engine_size size;
};

struct forecast {
    double weight_bytes, kv_bytes, kv_tokens, kv_blocks, block_bytes, meta_bytes, plan_bytes, scratch_bytes, logits_bytes;
    double engine_bytes, session_bytes, stack_bytes, heap_bytes, total_bytes, max_sessions, max_context;
    double params, params_active, matmul_params, body_flops, head_flops, attention_flops, kv_bytes_per_token, kv_share;
    double attention_crossover, kv_crossover, prefill_flops, step_flops, step_bytes, comm_bytes;
    double prefill_ns, step_ns, tokens_per_s, b_star, floor_ns;
};

#define ROW(name, timed_)                                                                                                      \
    {                                                                                                                          \
#name, offsetof(struct forecast, name), timed_                                                                         \
    }

static const struct {
    const char *key;
    size_t at;
    int is_timed; /* needs rates */
} rows[] = {
    ROW(weight_bytes, 0),
    ROW(kv_bytes, 0),
    ROW(kv_tokens, 0),
    ROW(kv_blocks, 0),
    ROW(block_bytes, 0),
    ROW(meta_bytes, 0),
    ROW(plan_bytes, 0),
    ROW(scratch_bytes, 0),
    ROW(logits_bytes, 0),
    ROW(engine_bytes, 0),
    ROW(session_bytes, 0),
    ROW(stack_bytes, 0),
    ROW(heap_bytes, 0),
    ROW(total_bytes, 0),
    ROW(max_sessions, 0),
    ROW(max_context, 0),
    ROW(params, 0),
    ROW(params_active, 0),
    ROW(matmul_params, 0),
    ROW(body_flops, 0),
    ROW(head_flops, 0),
    ROW(attention_flops, 0),
    ROW(kv_bytes_per_token, 0),
    ROW(kv_share, 0),
    ROW(attention_crossover, 0),
    ROW(kv_crossover, 0),
    ROW(prefill_flops, 0),
    ROW(step_flops, 0),
    ROW(step_bytes, 0),
    ROW(comm_bytes, 0),
    ROW(prefill_ns, 1),
    ROW(step_ns, 1),
    ROW(tokens_per_s, 1),
    ROW(b_star, 1),
    ROW(floor_ns, 1),
};

enum { N_ROWS = sizeof rows / sizeof *rows };

static llminf_status read_shape(struct question *q, llminf_error *err)
{
    const char *text = lli_values_text(q->load, "shape"), *type = lli_values_text(q->load, "weights");
    struct lli_weight_bytes weights;
    q->type = lli_dtype_named(type[0] != 0 ? type : "f16");
    if (q->type == NULL)
        return lli_fail(err, LLMINF_E_OPTION, "weights", "\"%s\" is no type of weights", type);
    llminf_status status = lli_shape_read(&q->shape, text, strlen(text), err);
    if (status != LLMINF_OK)
        return status;
    weights = lli_shape_weights(&q->shape, q->type);
    lli_cost_init(&q->cost, &q->shape, &weights, kv_bytes(&q->shape, q->options.kv_type));
    lli_figures_config(&q->config, &q->shape);
    q->options.config = &q->config;
    return LLMINF_OK;
}

static llminf_status read_model(struct question *q, llminf_error *err)
{
    llminf_status status = lli_context_options(&q->options, q->context, q->model, err);
    if (status != LLMINF_OK)
        return status;
    if (q->model == NULL)
        return read_shape(q, err);
    lli_forecast_model(&q->cost, &q->shape, q->model, q->options.kv_type);
    return LLMINF_OK;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* Of all weights, in the layout that the context wants; heap_out: what of that is taken from the heap. */
static llminf_status size_weights(double *bytes_out, double *heap_out, const struct question *q, llminf_error *err)
{
    size_t matrices, all;
    if (q->model == NULL) {
        const struct lli_weight_bytes *w = &q->cost.weights;
        double embedding = q->shape.is_tied ? 0 : w->head;
        *bytes_out = w->layers + w->experts + w->head + embedding + 4 * lli_shape_count(&q->shape).positions;
        *heap_out = q->options.backend->lanes > 1 ? *bytes_out : 0;
        return LLMINF_OK;
    }
    struct lli_packing_source source = {&q->model->config, &q->model->weights, NULL, NULL};
    llminf_status status = lli_packings_bytes(&matrices, &all, q->heap, &source, (uint32_t)q->options.backend->lanes, err);
    *bytes_out = (double)matrices;
    *heap_out = (double)all;
    return status;
}

/* Tokens of a session at its end. */
static double session_tokens(const struct question *q)
{
    return (double)lli_values_int(q->load, "prompt_tokens") + (double)lli_values_int(q->load, "new_tokens");
}

static double blocks_of(double tokens)
{
    return (double)(uint64_t)((tokens + LLI_BLOCK_TOKENS - 1) / LLI_BLOCK_TOKENS);
}

/* Whole blocks that all sessions have in common. */
static double shared_blocks(const struct question *q)
{
    double shared = (double)lli_values_int(q->load, "shared_tokens"), all = session_tokens(q);
    return (double)(uint64_t)((shared < all ? shared : all) / LLI_BLOCK_TOKENS);
}

/* What fits: into the pool as it is set, or into so much memory with a pool that takes what is left. */
static void find_room(struct forecast *out, const struct question *q)
{
    double memory = (double)lli_values_int(q->load, "memory_bytes"), sessions = (double)lli_values_int(q->load, "sessions");
    double blocks = out->kv_blocks - 1, shared = shared_blocks(q), each = blocks_of(session_tokens(q)) - shared;
    double block_bytes = out->block_bytes + out->meta_bytes / out->kv_blocks, per_session = 0;
    sessions = sessions > 0 ? sessions : 1;
    if (memory > 0) {
        double fixed = out->total_bytes - sessions * out->session_bytes - out->kv_bytes - out->meta_bytes;
        blocks = (memory - fixed) / block_bytes - 1;
        per_session = out->session_bytes / block_bytes;
    }
    double fit = each + per_session > 0 ? (blocks - shared) / (each + per_session) : 0;
    double most = ((blocks - shared) / sessions - per_session + shared) * LLI_BLOCK_TOKENS;
    out->max_sessions = fit > 0 ? (double)(uint64_t)fit : 0;
    out->max_context = most > 0 ? (double)((uint64_t)most / LLI_BLOCK_TOKENS * LLI_BLOCK_TOKENS) : 0;
}

static llminf_status find_memory(struct forecast *out, struct question *q, llminf_error *err)
{
    double weights_heap = 0, tokens = session_tokens(q);
    struct lli_engine_size *size = &q->size;
    llminf_status status = lli_engine_size(size, &q->options, err);
    if (status == LLMINF_OK) /* as the context keeps it */
        status = lli_values_put_text(q->context, "backend", q->options.backend->name, strlen(q->options.backend->name), err);
    double values_bytes = (double)atomic_load_explicit(&q->heap->live_bytes, memory_order_relaxed);
    if (status == LLMINF_OK)
        status = size_weights(&out->weight_bytes, &weights_heap, q, err);
    if (status != LLMINF_OK)
        return status;
    out->kv_bytes = (double)size->kv_bytes;
    out->kv_blocks = size->n_blocks;
    out->kv_tokens = (double)(size->n_blocks - 1) * LLI_BLOCK_TOKENS;
    out->block_bytes = (double)size->block_bytes;
    out->meta_bytes = (double)size->meta_bytes;
    out->plan_bytes = (double)size->plan_bytes;
    out->scratch_bytes = (double)size->scratch_bytes;
    if (q->model == NULL)
        out->scratch_bytes += 4 * lli_shape_count(&q->shape).vectors;
    out->logits_bytes = (double)size->logits_bytes;
    out->engine_bytes = (double)(size->own_bytes + size->sample_bytes + sizeof(struct llminf_context)) + values_bytes;
    out->session_bytes =
        (double)(sizeof(struct llminf_session) +
                 lli_timeline_bytes((uint32_t)(tokens < LLI_MAX_CONTEXT ? tokens : LLI_MAX_CONTEXT), size->text_bytes));
    out->stack_bytes = (double)size->stack_bytes;
    out->heap_bytes = weights_heap + out->kv_bytes + out->meta_bytes + out->plan_bytes + out->scratch_bytes + out->engine_bytes;
    out->total_bytes = out->heap_bytes + (weights_heap > 0 ? 0 : out->weight_bytes) + out->stack_bytes +
                       (double)lli_values_int(q->load, "sessions") * out->session_bytes;
    find_room(out, q);
    return LLMINF_OK;
}

/* ---- operations and time ----------------------------------------------------------------------------------------- */

/* A step that makes a token of each session, in the middle of its output. */
static struct lli_load decode_load(const struct question *q)
{
    double sessions = (double)lli_values_int(q->load, "sessions");
    double context = (double)lli_values_int(q->load, "prompt_tokens") + (double)lli_values_int(q->load, "new_tokens") / 2;
    return (struct lli_load){.rows = sessions,
                             .seqs = sessions,
                             .logits = sessions,
                             .contexts = sessions * context,
                             .positions = sessions * context};
}

/* Bytes of a weight of the layers' matrices, on the average. */
static double weight_width(const struct question *q)
{
    struct lli_shape_counts n = lli_shape_count(&q->shape);
    double rest = 4 * (n.vectors + n.router);
    if (q->type != NULL)
        return (double)q->type->block_bytes / q->type->block;
    return (q->cost.weights.layers + q->cost.weights.experts - rest) / (n.attention + n.ffn);
}

static void find_work(struct forecast *out, const struct question *q)
{
    struct lli_load load = decode_load(q);
    double prompt = (double)lli_values_int(q->load, "prompt_tokens");
    const struct lli_weight_bytes *w = &q->cost.weights;
    out->params = lli_shape_params(&q->shape, 0);
    out->params_active = lli_shape_params(&q->shape, 1);
    out->matmul_params = lli_shape_matmul(&q->shape);
    out->body_flops = q->cost.body_flops;
    out->head_flops = q->cost.head_flops;
    out->attention_flops = q->cost.attention_flops;
    out->kv_bytes_per_token = q->cost.kv_bytes;
    out->kv_share = lli_shape_kv_share(&q->shape);
    out->attention_crossover = lli_shape_attention_crossover(&q->shape);
    out->kv_crossover = (w->layers + w->experts + w->head) / q->cost.kv_bytes;
    out->prefill_flops = prompt > 0 ? lli_shape_prefill_flops(&q->shape, prompt) : 0;
    out->step_flops = lli_cost_step_flops(&q->cost, &load);
    out->step_bytes = lli_cost_step_bytes(&q->cost, &load);
}

static void find_times(struct forecast *out, const struct question *q)
{
    double flops = lli_values_float(q->load, "flops_per_s");
    struct lli_rates rates = {.flops = flops, .attention_flops = flops, .bytes = lli_values_float(q->load, "bytes_per_s")};
    struct lli_load load = decode_load(q);
    double prompt = (double)lli_values_int(q->load, "prompt_tokens");
    const struct lli_weight_bytes *w = &q->cost.weights;
    out->prefill_ns = prompt > 0 ? lli_cost_prefill_ns(&q->cost, &rates, prompt, q->size.step_tokens) : 0;
    out->step_ns = lli_cost_step_ns(&q->cost, &rates, &load);
    out->tokens_per_s = load.rows > 0 ? load.rows / (out->step_ns / 1e9) : 0;
    out->b_star = lli_cost_b_star(&rates, weight_width(q));
    out->floor_ns = (w->layers + w->experts + w->head) / rates.bytes * 1e9;
}

/* ---- the call ---------------------------------------------------------------------------------------------------- */

static llminf_status check_rates(const struct lli_values *load, const char *key, llminf_error *err)
{
    static const char *const names[] = {"flops_per_s", "bytes_per_s"};
    for (int i = 0; i < 2; i++)
        if (lli_values_float(load, names[i]) <= 0)
            return lli_fail(err, LLMINF_E_OPTION, names[i], "is 0, want the machine's speed to forecast %s", key);
    return LLMINF_OK;
}

static llminf_status check_source(const struct llminf_model *model, const struct lli_values *load, llminf_error *err)
{
    int has_shape = lli_values_text(load, "shape")[0] != 0;
    if (model == NULL && !has_shape)
        return lli_fail(err, LLMINF_E_INVALID, "model", "is NULL, want a model or the option \"shape\"");
    if (model != NULL && has_shape)
        return lli_fail(err, LLMINF_E_OPTION, "shape", "is given beside a model, want one of them");
    if (model != NULL && !model->has_network)
        return lli_fail(err, LLMINF_E_STATE, "model", "was opened with vocab_only, want one with weights");
    return LLMINF_OK;
}

static llminf_status answer(double *out, struct question *q, size_t row, llminf_error *err)
{
    struct forecast forecast = {0};
    llminf_status status = check_source(q->model, q->load, err);
    if (status == LLMINF_OK && rows[row].is_timed)
        status = check_rates(q->load, rows[row].key, err);
    if (status == LLMINF_OK)
        status = read_model(q, err);
    if (status == LLMINF_OK)
        status = find_memory(&forecast, q, err);
    if (status != LLMINF_OK)
        return status;
    find_work(&forecast, q);
    if (rows[row].is_timed)
        find_times(&forecast, q);
    memcpy(out, (const char *)&forecast + rows[row].at, sizeof *out);
    return LLMINF_OK;
}

llminf_status llminf_cost_plan(const llminf_model *model, const llminf_options *context_options,
                               const llminf_options *cost_options, const char *key, double *value_out, llminf_error *error)
{
    struct lli_values load = {0}, context = {0};
    struct lli_heap heap, load_heap;
    size_t row = 0;
    llminf_status status = lli_check_out(value_out, "value_out", error);
    if (status != LLMINF_OK)
        return status;
    *value_out = 0;
    if (model != NULL && (status = lli_check_handle(model, LLI_MARK_MODEL, "model", error)) != LLMINF_OK)
        return status;
    if (key == NULL)
        return lli_fail(error, LLMINF_E_INVALID, "key", "is NULL, want a name");
    while (row < N_ROWS && strcmp(rows[row].key, key) != 0)
        row++;
    if (row == N_ROWS)
        return lli_fail(error, LLMINF_E_NOT_FOUND, key, "a cost plan has no such number");
    lli_heap_init(&heap, model ? model->heap.alloc : NULL, model ? model->heap.release : NULL, model ? model->heap.user : NULL);
    lli_heap_init(&load_heap, heap.alloc, heap.release, heap.user);
    status = lli_values_copy(&load, &load_heap, "cost", cost_options, error);
    if (status == LLMINF_OK)
        status = lli_values_copy(&context, &heap, "context", context_options, error);
    if (status == LLMINF_OK && context_options != NULL && context_options->draft != NULL)
        status = lli_fail(error, LLMINF_E_UNSUPPORTED, "draft", "is not counted by a plan, want options without one");
    if (status == LLMINF_OK)
        status = answer(value_out, &(struct question){.model = model, .load = &load, .context = &context, .heap = &heap}, row,
                        error);
    lli_values_finish(&context);
    lli_values_finish(&load);
    return status;
}
