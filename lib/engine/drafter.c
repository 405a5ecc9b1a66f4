/* engine/drafter.c - Invariant: between steps a timeline's second table holds what this model computed of committed tokens, and
 * is empty unless the timeline runs. Guesses are never in its index. */
#include "engine/drafter.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "engine/engine.h"
#include "engine/timeline.h"
#include "forward/forward.h"
#include "forward/layout.h"

#define TRY_EVERY 64     /* steps between two tries where guesses are not worth their time, or found no block */
#define TOO_FEW 0.1f     /* chance below which a guess is not made */
#define AT_FIRST 0.7f    /* share of right guesses that is hoped for before there were any */
#define MEMORY_SHARE 8u  /* of a generation's share of right guesses: a new one weighs one part of so many */
#define ENGINE_SHARE 64u /* the same of the share of all */
#define PACE_SHARE 16.0  /* the same of a pass for its pace */
#define HICCUP 2         /* a pass that takes so many times what was expected is not believed to that extent */
#define LEAST_GAIN 1.02

/* ---- life -------------------------------------------------------------------------------------------------------- */

int64_t lli_drafter_share(const struct lli_engine_options *options, int64_t budget)
{
    return options->draft_config ? (int64_t)(options->draft_share * (double)budget) : 0;
}

/* Its pool. */
struct pool_size {
    uint32_t n_blocks, n_groups, longest; /* timeline in tokens that it holds */
    size_t block_bytes;
    uint32_t windows[LLI_GROUPS_MAX];
};

/* OPTION if it holds no block. */
static int32_t find_blocks(struct pool_size *out, const struct lli_engine_options *options, int64_t bytes, uint32_t max_rows,
                           struct llminf_error *err)
{
    struct lli_layout layout;
    size_t each = lli_forward_block_bytes(options->draft_config, options->kv_type);
    lli_layout_find(&layout, options->draft_config);
    uint32_t n_blocks = each > 0 ? lli_pool_fit((uint64_t)bytes, each) : 0, least = 1 + layout.n_groups;
    if (n_blocks < least)
        return lli_fail(err, LLMINF_E_OPTION, "draft_share", "%lld bytes hold no block of the draft model, want at least %llu",
                        (long long)bytes, (unsigned long long)(least * (uint64_t)each + lli_pool_bytes(least)));
    *out = (struct pool_size){.n_blocks = n_blocks, .n_groups = layout.n_groups, .block_bytes = each};
    memcpy(out->windows, layout.windows, sizeof out->windows);
    out->longest = lli_table_longest(out->windows, out->n_groups, n_blocks - 1, max_rows);
    return LLMINF_OK;
}

static struct lli_forward_options forward_options(const struct lli_engine_options *options, const struct pool_size *pool,
                                                  uint32_t max_rows, uint32_t max_seqs)
{
    return (struct lli_forward_options){
        .backend = options->backend,
        .kv_type = options->kv_type,
        .n_blocks = pool->n_blocks,
        .max_rows = max_rows,
        .max_logits = max_seqs,
        .max_pos = pool->longest,
        .prefault = options->kv_prefault,
    };
}

int32_t lli_drafter_size(struct lli_engine_size *out, const struct lli_engine_options *options, struct llminf_error *err)
{
    int64_t bytes = lli_drafter_share(options, out->kv_budget_bytes);
    struct lli_forward_size size;
    struct pool_size pool;
    if (bytes == 0)
        return LLMINF_OK;
    int32_t status = find_blocks(&pool, options, bytes, out->max_rows, err);
    if (status != LLMINF_OK)
        return status;
    struct lli_forward_options forward = forward_options(options, &pool, out->max_rows, out->max_running);
    if (lli_forward_size(&size, options->draft_config, options->draft_weights, &forward, out->n_threads) < 0)
        return lli_fail_memory(err, "draft", UINT64_MAX);
    out->draft_groups = pool.n_groups;
    out->draft_kv_bytes = size.kv_bytes + lli_pool_bytes(pool.n_blocks);
    out->draft_bytes = sizeof(struct lli_drafter) + out->draft_kv_bytes + size.scratch_bytes +
                       lli_plan_bytes(out->max_rows, out->max_running) + out->max_running * sizeof(uint32_t);
    out->draft_scratch_bytes = size.scratch_bytes;
    return LLMINF_OK;
}

static int32_t init_pool(struct lli_drafter *drafter, const struct pool_size *size, uint64_t secret, struct llminf_error *err)
{
    drafter->block_bytes = (int64_t)size->block_bytes;
    if (lli_pool_init(&drafter->pool, drafter->heap, size->n_blocks, size->windows, size->n_groups, secret) != LLMINF_OK)
        return lli_fail_memory(err, "draft", lli_pool_bytes(size->n_blocks));
    return LLMINF_OK;
}

static int32_t init_passes(struct lli_drafter *drafter, struct lli_engine *engine, const struct lli_engine_options *options,
                           const struct pool_size *size, struct llminf_error *err)
{
    uint32_t max_seqs = engine->max_running, max_rows = engine->batch.max_rows;
    struct lli_forward_options forward = forward_options(options, size, max_rows, max_seqs);
    forward.workers = &engine->workers;
    drafter->n_positions = lli_config_positions(options->draft_config);
    if (drafter->n_positions > size->longest)
        drafter->n_positions = size->longest;
    drafter->riders = lli_alloc_array(drafter->heap, max_seqs, sizeof *drafter->riders);
    if (!drafter->riders || lli_plan_init(&drafter->batch, drafter->heap, max_rows, max_seqs, max_seqs) != LLMINF_OK)
        return lli_fail_memory(err, "draft", (uint64_t)max_rows * sizeof(struct lli_row));
    return lli_forward_new(&drafter->forward, drafter->heap, options->draft_config, options->draft_weights, &forward, err);
}

int32_t lli_drafter_new(struct lli_drafter **out, struct lli_engine *engine, const struct lli_engine_options *options,
                        struct llminf_error *err)
{
    int64_t bytes = lli_drafter_share(options, engine->totals.kv_budget_bytes);
    *out = NULL;
    if (bytes == 0)
        return LLMINF_OK;
    struct lli_drafter *drafter = lli_alloc_zero(engine->heap, 1, sizeof *drafter);
    if (!drafter)
        return lli_fail_memory(err, "draft", sizeof *drafter);
    drafter->heap = engine->heap;
    drafter->accepted = AT_FIRST;
    struct pool_size size;
    int32_t status = find_blocks(&size, options, bytes, engine->batch.max_rows, err);
    if (status == LLMINF_OK)
        status = init_pool(drafter, &size, engine->pool.index.secret, err);
    if (status == LLMINF_OK)
        status = init_passes(drafter, engine, options, &size, err);
    if (status != LLMINF_OK) {
        lli_drafter_free(drafter);
        return status;
    }
    engine->totals.draft_kv_bytes = (int64_t)(lli_forward_kv_bytes(drafter->forward) + lli_pool_bytes(drafter->pool.n_blocks));
    engine->totals.scratch_bytes += (int64_t)lli_forward_scratch_bytes(drafter->forward);
    *out = drafter;
    return LLMINF_OK;
}

void lli_drafter_free(struct lli_drafter *drafter)
{
    if (!drafter)
        return;
    lli_forward_free(drafter->forward);
    lli_plan_finish(&drafter->batch);
    lli_pool_finish(&drafter->pool);
    lli_free(drafter->heap, drafter->riders);
    lli_free(drafter->heap, drafter);
}

/* ---- a generation ------------------------------------------------------------------------------------------------ */

int32_t lli_drafter_reserve(struct lli_timeline *t, uint32_t n_max)
{
    return lli_table_reserve(&t->draft_table, t->engine->heap, t->engine->drafter->pool.n_groups, lli_table_blocks(n_max));
}

void lli_drafter_start(struct lli_timeline *t)
{
    struct lli_drafter *drafter = t->engine->drafter;
    t->draft_table.extra = t->table.extra;
    t->draft_table.is_private = t->table.is_private;
    lli_table_restart(&t->draft_table, &drafter->pool);
    t->draft.accepted = drafter->accepted;
}

void lli_drafter_release(struct lli_timeline *t)
{
    if (t->draft_table.n > 0)
        lli_table_cut(&t->draft_table, &t->engine->drafter->pool, 0);
}

/* ---- what guesses are worth -------------------------------------------------------------------------------------- */

/* As long as nothing tells otherwise more rows cost nothing: so they are tried, and then it is known. */
static double predict(const struct lli_pace *pace, double rows)
{
    if (pace->n == 0)
        return 0;
    double mean_rows = pace->rows / pace->n, mean_ns = pace->ns / pace->n;
    double spread = pace->rows_rows / pace->n - mean_rows * mean_rows;
    double slope = spread > 1e-3 ? (pace->rows_ns / pace->n - mean_rows * mean_ns) / spread : 0;
    double most = mean_ns / mean_rows; /* a line through 0 */
    slope = slope < 0 ? 0 : slope > most ? most : slope;
    return mean_ns + slope * (rows - mean_rows);
}

static void note(struct lli_pace *pace, double rows, double ns)
{
    const double kept = 1 - 1 / PACE_SHARE;
    double most = pace->n > 0 ? pace->ns * rows / pace->rows : ns;
    if (most < predict(pace, rows))
        most = predict(pace, rows);
    if (ns > HICCUP * most)
        ns = HICCUP * most;
    *pace = (struct lli_pace){
        .n = pace->n * kept + 1,
        .rows = pace->rows * kept + rows,
        .ns = pace->ns * kept + ns,
        .rows_rows = pace->rows_rows * kept + rows * rows,
        .rows_ns = pace->rows_ns * kept + rows * ns,
    };
}

/* Guesses in a row that the timeline could make use of. */
static uint32_t find_wish(const struct lli_engine *engine, const struct lli_ride *ride)
{
    struct lli_timeline *t = ride->timeline;
    struct lli_draft *draft = &t->draft;
    uint32_t n = 0, n_max = t->request.n_max;
    if (!draft->by_model || ride->first + 1 != t->n_tokens || t->n_tokens + 1 >= n_max ||
        engine->batch.plan.number < draft->rests_until)
        return 0;
    for (float chance = draft->accepted; n < draft->limit && chance >= TOO_FEW; chance *= draft->accepted)
        n++;
    if (n == 0)
        n = ++draft->n_skipped % TRY_EVERY == 0;
    return n < n_max - 1 - t->n_tokens ? n : n_max - 1 - t->n_tokens; /* one more token is picked than is guessed */
}

static double power(double base, uint32_t n)
{
    double product = 1;
    for (; n > 0; n--)
        product *= base;
    return product;
}

/* The depth that brings most tokens in a time; the tokens that a step of n guesses in a row brings are 1 + a + .. + a^n. */
static uint32_t find_depth(const struct lli_engine *engine, uint32_t most, uint32_t room)
{
    const struct lli_drafter *drafter = engine->drafter;
    const struct lli_batch *batch = &engine->batch;
    double n_rows = batch->n_rows, n_tokens = 0, own_ns = 0, best = 0;
    uint32_t depth = 0;
    for (uint32_t i = 0; i < batch->n_rides; i++)
        n_tokens += batch->rides[i].first + batch->rides[i].n_rows == batch->rides[i].timeline->n_tokens;
    for (uint32_t d = 0; d <= most; d++) {
        uint32_t n_asking = 0;
        for (uint32_t i = 0; d > 0 && i < batch->n_rides; i++) {
            const struct lli_draft *draft = &batch->rides[i].timeline->draft;
            if (draft->n_wanted < d)
                continue;
            n_asking++;
            n_tokens += power((double)draft->accepted, d);
        }
        if (n_asking > room)
            break;
        room -= n_asking;
        n_rows += n_asking;
        own_ns += n_asking > 0 ? predict(&drafter->own, n_asking) : 0;
        double step_ns = predict(&drafter->step, n_rows) + own_ns;
        if (step_ns == 0)
            return most; /* nothing is known yet */
        double gain = n_tokens / step_ns * (d == 0 ? LEAST_GAIN : 1);
        if (gain > best) {
            best = gain;
            depth = d;
        }
    }
    return depth;
}

/* Does the step the other way, so that its time is known too? Seldom, but sooner where it has only just become the better way:
 * that may have been a hiccup. */
static int is_try(struct lli_drafter *drafter, int is_worth)
{
    uint32_t n = drafter->n_alike = is_worth == drafter->is_worth ? drafter->n_alike + 1 : 1;
    drafter->is_worth = is_worth;
    return n > 1 && drafter->step.n > 0 && (n < TRY_EVERY ? (n & (n - 1)) == 0 : n % TRY_EVERY == 0);
}

uint32_t lli_drafter_begin(struct lli_engine *engine, uint32_t room)
{
    struct lli_drafter *drafter = engine->drafter;
    uint32_t most = 0, depth;
    if (!drafter)
        return 0;
    lli_plan_begin(&drafter->batch);
    for (uint32_t i = 0; i < engine->batch.n_rides; i++) {
        struct lli_ride *ride = &engine->batch.rides[i];
        uint32_t n = ride->timeline->draft.n_wanted = find_wish(engine, ride);
        most = most > n ? most : n;
    }
    if (most == 0 || room == 0)
        return 0;
    depth = find_depth(engine, most, room);
    return is_try(drafter, depth > 0) ? depth == 0 : depth;
}

/* ---- who gets them ----------------------------------------------------------------------------------------------- */

/* Looks its tokens up, if it holds nothing. 0: another computes the very next block in this step. */
static int look_up(struct lli_drafter *drafter, struct lli_timeline *t)
{
    struct lli_hit hit;
    if (t->draft_table.n > 0)
        return 1;
    lli_table_find(&hit, &t->draft_table, &drafter->pool, t->tokens, t->n_tokens);
    if (hit.pending != LLI_NONE)
        return 0;
    lli_table_accept(&t->draft_table, &drafter->pool, &hit);
    return 1;
}

/* No block is left for it: what it holds is of no use until there are more. */
static void rest(struct lli_engine *engine, struct lli_timeline *t, uint32_t end)
{
    lli_drafter_release(t);
    t->draft.rests_until = engine->batch.plan.number + TRY_EVERY;
    if (end > engine->drafter->n_positions)
        t->draft.by_model = 0; /* there will never be */
}

uint32_t lli_drafter_board(struct lli_engine *engine, struct lli_timeline *t, uint32_t n)
{
    struct lli_drafter *drafter = engine->drafter;
    struct lli_batch *batch = &drafter->batch;
    struct lli_table *table = &t->draft_table;
    uint32_t room = batch->max_rows - batch->n_rows;
    if (room == 0 || !look_up(drafter, t))
        return 0;
    uint32_t first = table->n_computed < t->n_tokens ? table->n_computed : t->n_tokens - 1, n_rows = t->n_tokens - first;
    if (n_rows > room) {
        n_rows = room;
        n = 0; /* it reads on in the next step */
    }
    uint32_t end = first + n_rows + (n > 0 ? n - 1 : 0); /* the last guess is not computed */
    if (end > drafter->n_positions || lli_table_extend(table, &drafter->pool, end) != LLMINF_OK) {
        rest(engine, t, end);
        return 0;
    }
    lli_table_enter(table, &drafter->pool, t->tokens, first + n_rows);
    t->draft.ride = batch->n_rides++;
    batch->n_rows += n_rows;
    struct lli_ride *ride = &batch->rides[t->draft.ride];
    ride->timeline = t;
    ride->first = first;
    ride->n_rows = n_rows;
    ride->n_drafts = n;
    ride->n_picked = 0;
    ride->status = LLMINF_OK;
    return n;
}

/* ---- guessing: without a lock ------------------------------------------------------------------------------------ */

/* Positions first .. end - 1 of the ride's timeline. */
static void add_rows(struct lli_drafter *drafter, struct lli_ride *ride, uint32_t first, uint32_t end, int wants_logits)
{
    const struct lli_timeline *t = ride->timeline;
    struct lli_plan *plan = &drafter->batch.plan;
    struct lli_seq *seq = &plan->seqs[plan->n_seqs];
    *seq = (struct lli_seq){.first_row = plan->n_rows, .n_rows = end - first};
    lli_table_show(seq->blocks, &t->draft_table);
    drafter->riders[plan->n_seqs] = (uint32_t)(ride - drafter->batch.rides);
    ride->n_logits = (uint32_t)wants_logits;
    ride->first_logits = plan->n_logits;
    plan->n_logits += (uint32_t)wants_logits;
    for (uint32_t pos = first; pos < end; pos++) {
        int flags = pos + 1 == end && wants_logits ? LLI_ROW_LOGITS : 0;
        if (pos < t->draft_table.n_computed)
            flags |= LLI_ROW_NO_STORE;
        plan->rows[plan->n_rows++] =
            (struct lli_row){.token = t->tokens[pos], .pos = pos, .seq = (uint16_t)plan->n_seqs, .flags = (uint16_t)flags};
    }
    plan->n_seqs++;
}

/* The rows of a round: what is to be read in the first, then the guess of the round before. 0: there are none. */
static int lay_out(struct lli_drafter *drafter, uint32_t round)
{
    struct lli_batch *batch = &drafter->batch;
    struct lli_plan *plan = &batch->plan;
    plan->n_rows = plan->n_seqs = plan->n_logits = plan->n_copies = 0;
    for (uint32_t i = 0; i < batch->n_rides; i++) {
        struct lli_ride *ride = &batch->rides[i];
        const struct lli_table *table = &ride->timeline->draft_table;
        uint32_t pos = ride->timeline->n_tokens + round - 1;
        if (round == 0) {
            add_rows(drafter, ride, ride->first, ride->first + ride->n_rows, ride->n_drafts > 0);
            for (uint32_t c = 0; c < table->n_copies; c++)
                batch->copies[plan->n_copies++] = table->copies[c];
        } else if (ride->status == LLMINF_OK && ride->n_picked == round && ride->n_drafts > round) {
            add_rows(drafter, ride, pos, pos + 1, 1);
        }
    }
    return plan->n_rows > 0;
}

/* The host's filter is not asked: it may count its calls. */
static void guess(void *arg, size_t i, int worker)
{
    struct lli_engine *engine = arg;
    struct lli_drafter *drafter = engine->drafter;
    struct lli_ride *ride = &drafter->batch.rides[drafter->riders[i]];
    struct lli_timeline *t = ride->timeline;
    const struct lli_request *request = &t->request;
    uint32_t n_tokens = t->n_tokens + ride->n_picked;
    int32_t *out = &t->tokens[n_tokens];
    struct lli_draw draw = {
        .params = &request->sampler,
        .bias = request->bias,
        .n_bias = request->n_bias,
        .bans = request->bans,
        .n_bans = request->n_bans,
        .breaks = request->breaks,
    };
    ride->status = drafter->batch.plan.seqs[i].status;
    if (ride->status != LLMINF_OK || ride->n_logits == 0)
        return;
    if (lli_chain_pick(out, &engine->pickers[worker].chain, &draw, lli_forward_logits(drafter->forward, ride->first_logits),
                       t->tokens, n_tokens, n_tokens, &ride->error) != LLMINF_OK) {
        ride->n_drafts = ride->n_picked;
        return;
    }
    ride->n_picked++;
    if (engine->vocab->is_eog[*out] && !request->stop.ignore_eog)
        ride->n_drafts = ride->n_picked; /* nothing comes behind it */
}

static void hand_over(struct lli_engine *engine)
{
    const struct lli_batch *batch = &engine->drafter->batch;
    uint32_t n = 0;
    for (uint32_t i = 0; i < batch->n_rides; i++) {
        n += batch->rides[i].n_picked;
        if (batch->rides[i].n_picked > 0)
            lli_plan_add_drafts(&engine->batch, batch->rides[i].timeline, batch->rides[i].n_picked);
    }
    if (n > 0)
        lli_plan_close(&engine->batch);
}

void lli_drafter_run(struct lli_engine *engine)
{
    struct lli_drafter *drafter = engine->drafter;
    engine->batch.draft_ns = 0;
    engine->batch.n_draft_rows = 0;
    if (!drafter || drafter->batch.n_rides == 0)
        return;
    int64_t start_ns = lli_clock_ns(), last_ns = start_ns;
    for (uint32_t round = 0; lay_out(drafter, round); round++) {
        lli_forward_run(drafter->forward, &drafter->batch.plan);
        lli_workers_share(&engine->workers, guess, engine, drafter->batch.plan.n_seqs);
        int64_t now = lli_clock_ns();
        note(&drafter->own, drafter->batch.plan.n_rows, (double)(now - last_ns));
        engine->batch.n_draft_rows += drafter->batch.plan.n_rows;
        last_ns = now;
    }
    hand_over(engine);
    engine->batch.draft_ns = lli_clock_ns() - start_ns;
}

void lli_drafter_time(struct lli_engine *engine)
{
    if (engine->drafter)
        note(&engine->drafter->step, engine->batch.plan.n_rows, (double)engine->batch.ns);
}

/* ---- committing -------------------------------------------------------------------------------------------------- */

/* A guess behind a wrong one was not judged. */
static void learn(struct lli_drafter *drafter, struct lli_draft *draft, uint32_t n_made, uint32_t n_right)
{
    for (uint32_t i = 0; i < n_made && i <= n_right; i++) {
        float right = i < n_right;
        draft->accepted += (right - draft->accepted) / (float)MEMORY_SHARE;
        drafter->accepted += (right - drafter->accepted) / (float)ENGINE_SHARE;
    }
}

void lli_drafter_commit(struct lli_engine *engine, struct lli_timeline *t, const struct lli_ride *ride)
{
    struct lli_drafter *drafter = engine->drafter;
    const struct lli_ride *own = drafter ? &drafter->batch.rides[t->draft.ride] : NULL;
    if (!drafter || t->draft.ride >= drafter->batch.n_rides || own->timeline != t)
        return;
    if (own->status != LLMINF_OK) {
        lli_table_roll_back(&t->draft_table, &drafter->pool);
        lli_drafter_release(t);
        t->draft.by_model = 0;
        return;
    }
    uint32_t end = own->first + own->n_rows, n_right = 0;
    if (ride->status == LLMINF_OK && ride->n_picked > 0) {
        n_right = ride->n_picked - 1;
        learn(drafter, &t->draft, own->n_picked, n_right);
    }
    if (own->n_picked > 1)
        end += n_right < own->n_picked - 1 ? n_right : own->n_picked - 1;
    if (end < t->draft_table.n_computed)
        end = t->draft_table.n_computed;
    lli_table_commit(&t->draft_table, &drafter->pool, t->tokens, end);
}
