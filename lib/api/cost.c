/* What a model takes, by key: bytes of a context before it is opened, by the functions that it is opened with; operations and
 * time by cost/. All keys are computed at once, into a struct that a table names. */
#include "api/forecast.h"

#include <string.h>

#include "api/handles.h"
#include "backend/registry.h"
#include "base/error.h"
#include "base/limits.h"
#include "cost/ranks.h"
#include "engine/measure.h"
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
    struct llminf_model *draft;       /* of the context's options; NULL: none */
    const struct lli_values *load;    /* of kind "cost" */
    struct lli_values *context;
    struct lli_heap *heap; /* small things, counted */
    struct lli_shape shape;
    const struct lli_dtype *type; /* of all matrices; NULL: as the file has them */
    struct lli_config config;     /* of a shape */
    struct lli_engine_options options;
    struct lli_ranks ranks;
    struct lli_cost cost, draft_cost;
    struct lli_engine_size size;
};

struct forecast {
    double weight_bytes, kv_bytes, kv_tokens, kv_blocks, block_bytes, meta_bytes, plan_bytes, scratch_bytes, logits_bytes;
    double engine_bytes, session_bytes, stack_bytes, heap_bytes, draft_weight_bytes, draft_kv_bytes, total_bytes;
    double rank_weight_bytes, rank_kv_bytes, rank_bytes, max_sessions, max_context, max_params;
    double params, params_active, matmul_params, standard_params, body_flops, head_flops, attention_flops, kv_bytes_per_token;
    double kv_share, standard_kv_share, attention_crossover, kv_crossover, experts_met, prefill_flops, step_flops, step_bytes;
    double intensity, tokens_per_step, comm_messages, comm_bytes, bubble;
    double prefill_ns, prefill_tokens_per_s, step_ns, comm_ns, tokens_per_s, b_star, balance, memory_bound, floor_ns;
};

/* What a key needs besides a model. */
enum need { NOTHING, RATES, MEMORY };

#define ROW(name, need_)                                                                                                       \
    {                                                                                                                          \
#name, offsetof(struct forecast, name), need_                                                                          \
    }

static const struct {
    const char *key;
    size_t at;
    enum need need;
} rows[] = {
    ROW(weight_bytes, NOTHING),
    ROW(kv_bytes, NOTHING),
    ROW(kv_tokens, NOTHING),
    ROW(kv_blocks, NOTHING),
    ROW(block_bytes, NOTHING),
    ROW(meta_bytes, NOTHING),
    ROW(plan_bytes, NOTHING),
    ROW(scratch_bytes, NOTHING),
    ROW(logits_bytes, NOTHING),
    ROW(engine_bytes, NOTHING),
    ROW(session_bytes, NOTHING),
    ROW(stack_bytes, NOTHING),
    ROW(heap_bytes, NOTHING),
    ROW(draft_weight_bytes, NOTHING),
    ROW(draft_kv_bytes, NOTHING),
    ROW(total_bytes, NOTHING),
    ROW(rank_weight_bytes, NOTHING),
    ROW(rank_kv_bytes, NOTHING),
    ROW(rank_bytes, NOTHING),
    ROW(max_sessions, NOTHING),
    ROW(max_context, NOTHING),
    ROW(max_params, MEMORY),
    ROW(params, NOTHING),
    ROW(params_active, NOTHING),
    ROW(matmul_params, NOTHING),
    ROW(standard_params, NOTHING),
    ROW(body_flops, NOTHING),
    ROW(head_flops, NOTHING),
    ROW(attention_flops, NOTHING),
    ROW(kv_bytes_per_token, NOTHING),
    ROW(kv_share, NOTHING),
    ROW(standard_kv_share, NOTHING),
    ROW(attention_crossover, NOTHING),
    ROW(kv_crossover, NOTHING),
    ROW(experts_met, NOTHING),
    ROW(prefill_flops, NOTHING),
    ROW(step_flops, NOTHING),
    ROW(step_bytes, NOTHING),
    ROW(intensity, NOTHING),
    ROW(tokens_per_step, NOTHING),
    ROW(comm_messages, NOTHING),
    ROW(comm_bytes, NOTHING),
    ROW(bubble, NOTHING),
    ROW(prefill_ns, RATES),
    ROW(prefill_tokens_per_s, RATES),
    ROW(step_ns, RATES),
    ROW(comm_ns, NOTHING),
    ROW(tokens_per_s, RATES),
    ROW(b_star, RATES),
    ROW(balance, RATES),
    ROW(memory_bound, RATES),
    ROW(floor_ns, RATES),
};

enum { N_ROWS = sizeof rows / sizeof *rows };

/* One type for all matrices: of a shape, or in place of a file's. NULL: a file's own. */
static llminf_status read_type(struct question *q, llminf_error *err)
{
    const char *type = lli_values_text(q->load, "weights");
    q->type = type[0] != 0 || q->model == NULL ? lli_dtype_named(type[0] != 0 ? type : "f16") : NULL;
    if (q->type == NULL && type[0] != 0)
        return lli_fail(err, LLMINF_E_OPTION, "weights", "\"%s\" is no type of weights", type);
    return LLMINF_OK;
}

static llminf_status read_shape(struct question *q, llminf_error *err)
{
    const char *text = lli_values_text(q->load, "shape");
    llminf_status status = lli_shape_read(&q->shape, text, strlen(text), err);
    if (status != LLMINF_OK)
        return status;
    lli_figures_config(&q->config, &q->shape);
    q->options.config = &q->config;
    return LLMINF_OK;
}

static void retype(struct question *q)
{
    struct lli_weight_bytes weights = lli_shape_weights(&q->shape, q->type);
    lli_cost_init(&q->cost, &q->shape, &weights, kv_bytes(&q->shape, q->options.kv_type));
}

/* Its weights are the file's: sizes follow from these too. A shape has no tokens that could be compared. */
static llminf_status read_draft(struct question *q, llminf_error *err)
{
    llminf_status status = q->draft == NULL   ? LLMINF_OK
                           : q->model != NULL ? lli_context_draft(&q->options, q->draft, q->context, &q->model->vocab, err)
                                              : lli_fail(err, LLMINF_E_OPTION, "draft", "is set beside a shape, want a model");
    if (status != LLMINF_OK || q->options.draft_config == NULL)
        return status;
    q->options.draft_weights = &q->draft->weights;
    lli_forecast_model(&q->draft_cost, NULL, q->draft, q->options.kv_type);
    return LLMINF_OK;
}

static llminf_status read_ranks(struct question *q, llminf_error *err)
{
    q->ranks = (struct lli_ranks){
        .tp = (uint32_t)lli_values_int(q->load, "tensor_parallel"),
        .pp = (uint32_t)lli_values_int(q->load, "pipeline_parallel"),
        .link_bytes = lli_values_float(q->load, "link_bytes_per_s"),
        .link_ns = (double)lli_values_int(q->load, "link_ns"),
    };
    return lli_ranks_check(&q->ranks, &q->shape, err);
}

static llminf_status read_model(struct question *q, llminf_error *err)
{
    llminf_status status = lli_context_options(&q->options, q->context, q->model, err);
    if (status == LLMINF_OK && q->model == NULL)
        status = read_shape(q, err);
    else if (status == LLMINF_OK)
        lli_forecast_model(&q->cost, &q->shape, q->model, q->options.kv_type);
    if (status == LLMINF_OK)
        status = read_type(q, err);
    if (status == LLMINF_OK && q->type != NULL)
        retype(q);
    if (status == LLMINF_OK)
        status = read_draft(q, err);
    return status == LLMINF_OK ? read_ranks(q, err) : status;
}

/* ---- memory ------------------------------------------------------------------------------------------------------ */

/* Of a model's weights, in the layout that the context wants; heap_out: what of that is taken from the heap. */
static llminf_status size_packing(double *bytes_out, double *heap_out, const struct question *q,
                                  const struct llminf_model *model, llminf_error *err)
{
    struct lli_packing_source source = {&model->config, &model->weights, NULL, NULL};
    size_t matrices, all;
    llminf_status status = lli_packings_bytes(&matrices, &all, q->heap, &source, (uint32_t)q->options.backend->lanes, err);
    *bytes_out = (double)matrices;
    *heap_out = (double)all;
    return status;
}

/* The draft model's are in its own heap; of one that is the model itself there is one packing. */
static llminf_status size_weights(struct forecast *out, double *heap_out, const struct question *q, llminf_error *err)
{
    const struct lli_weight_bytes *w = &q->cost.weights;
    double draft_heap;
    llminf_status status = LLMINF_OK;
    if (q->type == NULL)
        status = size_packing(&out->weight_bytes, heap_out, q, q->model, err);
    if (status == LLMINF_OK && q->options.draft_config != NULL && q->draft != q->model)
        status = size_packing(&out->draft_weight_bytes, &draft_heap, q, q->draft, err);
    if (q->type == NULL || status != LLMINF_OK)
        return status;
    double embedding = q->shape.is_tied ? 0 : w->head;
    out->weight_bytes = w->layers + w->experts + w->head + embedding + 4 * lli_shape_count(&q->shape).positions;
    *heap_out = q->options.backend->lanes > 1 ? out->weight_bytes : 0;
    return LLMINF_OK;
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

/* Whole blocks that all sessions have in common: where a window drops what is behind, they do not stay so. */
static double shared_blocks(const struct question *q)
{
    double shared = (double)lli_values_int(q->load, "shared_tokens"), all = session_tokens(q), n_wide = 0;
    for (uint32_t g = 0; g < q->size.n_groups; g++)
        n_wide += q->size.windows[g] == 0;
    return n_wide * (double)(uint64_t)((shared < all ? shared : all) / LLI_BLOCK_TOKENS);
}

/* Blocks of all groups of layers that a session of the load holds while it makes tokens. */
static double session_blocks(const struct question *q)
{
    double tokens = session_tokens(q);
    return lli_table_footprint(q->size.windows, q->size.n_groups, tokens < UINT32_MAX ? (uint32_t)tokens : UINT32_MAX, 1);
}

/* And the longest that needs no more than so many. */
static double longest(const struct question *q, double blocks)
{
    uint32_t n = blocks < 0 ? 0 : blocks < UINT32_MAX ? (uint32_t)blocks : UINT32_MAX;
    return lli_table_longest(q->size.windows, q->size.n_groups, n, 1) / LLI_BLOCK_TOKENS * LLI_BLOCK_TOKENS;
}

static double streamed(const struct lli_cost *c)
{
    return c->weights.layers + c->weights.experts + c->weights.head;
}

/* Of the rank that holds most: its slices of the weights, but no embedding, rows of which come out of the file; its K and V. */
static void find_rank(struct forecast *out, const struct question *q)
{
    const struct lli_cost *c = &q->cost;
    struct lli_shape_counts n = lli_shape_count(&q->shape);
    double tables = (q->shape.is_tied ? 0 : c->weights.head) + 4 * n.positions, most = -1;
    out->rank_weight_bytes = out->weight_bytes;
    out->rank_kv_bytes = out->kv_bytes;
    for (uint32_t stage = 0; q->ranks.tp * q->ranks.pp > 1 && stage < q->ranks.pp; stage++) {
        struct lli_cost own;
        lli_ranks_cost(&own, &q->ranks, &q->shape, c, stage);
        double weights = out->weight_bytes * streamed(&own) / (streamed(c) + tables);
        double kv = out->kv_bytes * own.kv_bytes / c->kv_bytes;
        if (weights + kv <= most)
            continue;
        most = weights + kv;
        out->rank_weight_bytes = weights;
        out->rank_kv_bytes = kv;
    }
    out->rank_bytes = out->total_bytes - out->weight_bytes - out->kv_bytes + out->rank_weight_bytes + out->rank_kv_bytes;
}

/* What fits: into the pool as it is set, or into so much memory of each rank with a pool that takes what is left; and the
 * parameters of a model that leaves room for the load. */
static void find_room(struct forecast *out, const struct question *q)
{
    double memory = (double)lli_values_int(q->load, "memory_bytes"), sessions = (double)lli_values_int(q->load, "sessions");
    double blocks = out->kv_blocks - 1, shared = shared_blocks(q), each = session_blocks(q) - shared;
    double block_bytes = (out->rank_kv_bytes + out->meta_bytes) / out->kv_blocks, per_session = 0;
    sessions = sessions > 0 ? sessions : 1;
    if (memory > 0) {
        double asked = (double)lli_values_int(q->load, "sessions");
        double fixed = out->rank_bytes - asked * out->session_bytes - out->rank_kv_bytes - out->meta_bytes;
        blocks = (memory - fixed) / block_bytes - 1;
        per_session = out->session_bytes / block_bytes;
        double taken =
            fixed - out->rank_weight_bytes + sessions * out->session_bytes + (1 + shared + sessions * each) * block_bytes;
        out->max_params = memory > taken ? (memory - taken) * lli_shape_params(&q->shape, 0) / out->rank_weight_bytes : 0;
    }
    double fit = each + per_session > 0 ? (blocks - shared) / (each + per_session) : 0;
    out->max_sessions = fit > 0 ? (double)(uint64_t)fit : 0;
    out->max_context = longest(q, (blocks - shared) / sessions - per_session + shared);
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
        status = size_weights(out, &weights_heap, q, err);
    if (status != LLMINF_OK)
        return status;
    out->kv_bytes = (double)size->kv_bytes;
    out->kv_blocks = size->n_blocks;
    out->kv_tokens = size->longest;
    out->block_bytes = (double)size->block_bytes;
    out->meta_bytes = (double)size->meta_bytes;
    out->plan_bytes = (double)size->plan_bytes;
    out->scratch_bytes = (double)(size->scratch_bytes + size->draft_scratch_bytes);
    out->draft_kv_bytes = (double)size->draft_kv_bytes;
    if (q->model == NULL)
        out->scratch_bytes += 4 * lli_shape_count(&q->shape).vectors;
    out->logits_bytes = (double)size->logits_bytes;
    out->engine_bytes = (double)(size->own_bytes + size->sample_bytes + sizeof(struct llminf_context)) + values_bytes;
    out->session_bytes = (double)(sizeof(struct llminf_session) +
                                  lli_timeline_bytes((uint32_t)(tokens < LLI_MAX_CONTEXT ? tokens : LLI_MAX_CONTEXT),
                                                     size->n_groups, size->text_bytes));
    out->session_bytes += blocks_of(tokens) * size->draft_groups * sizeof(uint32_t); /* a second table */
    out->stack_bytes = (double)size->stack_bytes;
    out->heap_bytes = weights_heap + out->kv_bytes + out->meta_bytes + out->plan_bytes + out->scratch_bytes +
                      out->engine_bytes + (double)(size->draft_bytes - size->draft_scratch_bytes);
    out->total_bytes = out->heap_bytes + (weights_heap > 0 ? 0 : out->weight_bytes) + out->draft_weight_bytes +
                       out->stack_bytes + (double)lli_values_int(q->load, "sessions") * out->session_bytes;
    find_rank(out, q);
    find_room(out, q);
    return LLMINF_OK;
}

/* ---- operations and time ----------------------------------------------------------------------------------------- */

/* Rows of a step that each session has: a token, and the guesses that are verified with it. */
static double session_rows(const struct question *q)
{
    return 1 + (double)lli_values_int(q->load, "draft_tokens");
}

/* A step that makes a token of each session, in the middle of its output. */
static struct lli_load decode_load(const struct question *q)
{
    double sessions = (double)lli_values_int(q->load, "sessions"), each = session_rows(q);
    double context = (double)lli_values_int(q->load, "prompt_tokens") + (double)lli_values_int(q->load, "new_tokens") / 2;
    struct lli_load one = {.window = q->cost.window};
    lli_load_add(&one, context - 1, each, each);
    return (struct lli_load){.rows = sessions * each,
                             .seqs = sessions,
                             .logits = sessions * each,
                             .contexts = sessions * one.contexts,
                             .positions = sessions * one.positions,
                             .window = one.window,
                             .local_contexts = sessions * one.local_contexts,
                             .local_positions = sessions * one.local_positions};
}

/* The draft model's passes before it: a row of each session, once for each guess. */
static double draft_ns(const struct question *q, const struct lli_rates *rates, const struct lli_load *load)
{
    double n = session_rows(q) - 1, context = load->seqs > 0 ? load->positions / load->seqs : 0;
    double local = context < q->draft_cost.window ? context : q->draft_cost.window;
    struct lli_load pass = {
        .rows = load->seqs,
        .seqs = load->seqs,
        .logits = load->seqs,
        .contexts = load->seqs * context,
        .positions = load->seqs * context,
        .window = q->draft_cost.window,
        .local_contexts = load->seqs * local,
        .local_positions = load->seqs * local,
    };
    return n > 0 && q->options.draft_config != NULL ? n * lli_cost_step_ns(&q->draft_cost, rates, &pass) : 0;
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
    struct lli_traffic traffic;
    double prompt = (double)lli_values_int(q->load, "prompt_tokens"), plans = (double)lli_values_int(q->load, "micro_batches");
    double guesses = session_rows(q) - 1;
    out->params = lli_shape_params(&q->shape, 0);
    out->params_active = lli_shape_params(&q->shape, 1);
    out->matmul_params = lli_shape_matmul(&q->shape);
    out->standard_params = lli_shape_standard(&q->shape);
    out->body_flops = q->cost.body_flops;
    out->head_flops = q->cost.head_flops;
    out->attention_flops = q->cost.attention_flops;
    out->kv_bytes_per_token = q->cost.kv_bytes;
    out->kv_share = lli_shape_kv_share(&q->shape);
    out->standard_kv_share = LLI_STANDARD_KV_SHARE;
    out->attention_crossover = lli_shape_attention_crossover(&q->shape);
    out->kv_crossover = streamed(&q->cost) / q->cost.kv_bytes;
    out->experts_met = lli_cost_experts(q->cost.experts, q->cost.experts_used, load.rows);
    out->prefill_flops = prompt > 0 ? lli_shape_prefill_flops(&q->shape, prompt) : 0;
    out->step_flops = lli_cost_step_flops(&q->cost, &load);
    out->step_bytes = lli_cost_step_bytes(&q->cost, &load);
    out->intensity = out->step_bytes > 0 ? out->step_flops / out->step_bytes : 0;
    out->tokens_per_step = load.seqs * lli_cost_drafts(lli_values_float(q->load, "draft_accept"), (uint32_t)guesses);
    lli_ranks_traffic(&traffic, &q->ranks, &q->shape, &load);
    out->comm_messages = traffic.messages;
    out->comm_bytes = traffic.bytes;
    out->comm_ns = lli_ranks_traffic_ns(&q->ranks, &traffic);
    out->bubble = lli_ranks_bubble(q->ranks.pp, plans > 0 ? plans : q->ranks.pp);
}

static void find_times(struct forecast *out, const struct question *q)
{
    double flops = lli_values_float(q->load, "flops_per_s");
    struct lli_rates rates = {.flops = flops, .attention_flops = flops, .bytes = lli_values_float(q->load, "bytes_per_s")};
    rates.overlap = lli_values_float(q->load, "overlap");
    struct lli_load load = decode_load(q);
    double prompt = (double)lli_values_int(q->load, "prompt_tokens");
    if (prompt > 0) {
        out->prefill_ns = lli_ranks_prefill_ns(&q->ranks, &q->shape, &q->cost, &rates, prompt, q->size.step_tokens);
        out->prefill_tokens_per_s = prompt / (out->prefill_ns / 1e9);
    }
    out->step_ns = lli_ranks_step_ns(&q->ranks, &q->shape, &q->cost, &rates, &load) + draft_ns(q, &rates, &load);
    out->tokens_per_s = out->tokens_per_step / (out->step_ns / 1e9);
    out->b_star = lli_cost_b_star(&rates, weight_width(q));
    out->balance = rates.flops / rates.bytes;
    out->memory_bound = out->intensity < out->balance;
    out->floor_ns = streamed(&q->cost) / rates.bytes * 1e9;
}

/* ---- the call ---------------------------------------------------------------------------------------------------- */

static llminf_status check_needs(const struct lli_values *load, enum need need, const char *key, llminf_error *err)
{
    static const char *const names[] = {"flops_per_s", "bytes_per_s"};
    if (need == MEMORY && lli_values_int(load, "memory_bytes") == 0)
        return lli_fail(err, LLMINF_E_OPTION, "memory_bytes", "is 0, want the memory to find %s", key);
    for (int i = 0; need == RATES && i < 2; i++)
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
    if (status == LLMINF_OK)
        status = check_needs(q->load, rows[row].need, rows[row].key, err);
    if (status == LLMINF_OK)
        status = read_model(q, err);
    if (status == LLMINF_OK)
        status = find_memory(&forecast, q, err);
    if (status != LLMINF_OK)
        return status;
    find_work(&forecast, q);
    if (rows[row].need == RATES)
        find_times(&forecast, q);
    memcpy(out, (const char *)&forecast + rows[row].at, sizeof *out);
    return LLMINF_OK;
}

llminf_status llminf_cost_plan(const llminf_model *model, const llminf_options *context_options,
                               const llminf_options *cost_options, const char *key, double *value_out, llminf_error *error)
{
    struct lli_values load = {0}, context = {0};
    struct lli_heap heap, load_heap;
    struct llminf_model *draft = NULL;
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
    if (status == LLMINF_OK)
        status = lli_options_take_draft(&draft, context_options, error);
    struct question q = {.model = model, .draft = draft, .load = &load, .context = &context, .heap = &heap};
    if (status == LLMINF_OK)
        status = answer(value_out, &q, row, error);
    if (draft != NULL)
        lli_handles_model_unref(draft);
    lli_values_finish(&context);
    lli_values_finish(&load);
    return status;
}

llminf_status llminf_cost_measure(llminf_context *context, int64_t max_ns, double *flops_out, double *bytes_out,
                                  llminf_error *error)
{
    struct lli_rates rates = {0};
    llminf_status status = lli_check_out(flops_out, "flops_out", error);
    if (status == LLMINF_OK)
        status = lli_check_out(bytes_out, "bytes_out", error);
    if (status != LLMINF_OK)
        return status;
    *flops_out = *bytes_out = 0;
    status = lli_check_handle(context, LLI_MARK_CONTEXT, "context", error);
    if (status != LLMINF_OK)
        return status;
    if (max_ns <= 0)
        return lli_fail(error, LLMINF_E_INVALID, "max_ns", "is %lld, want more than 0", (long long)max_ns);
    status = lli_measure_rates(&rates, context->engine, max_ns, error);
    *flops_out = rates.flops;
    *bytes_out = rates.bytes;
    return status;
}
