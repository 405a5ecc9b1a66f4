/* engine/step.c - Invariant: between PLAN and COMMIT a timeline's counts and table stand still; sampled tokens wait in the
 * slots behind the committed ones, where no reader looks.
 *
 * Proposed tokens are verified by sampling itself: row by row the sampler picks as if alone; while the pick is the proposal of
 * the next row, that row's K, V and logits are what plain decoding would have made. */
#include "engine/step.h"

#include "base/clock.h"
#include "base/error.h"
#include "engine/drafter.h"
#include "engine/engine.h"
#include "engine/roster.h"
#include "engine/timeline.h"

/* ---- sampling: without a lock, a ride is one worker's */

static int32_t pick(struct lli_engine *engine, struct lli_picker *picker, struct lli_ride *ride, const float *logits)
{
    struct lli_timeline *t = ride->timeline;
    struct lli_request *request = &t->request;
    struct lli_matcher *matcher = request->matcher.grammar ? &request->matcher : NULL;
    uint32_t n_tokens = t->n_tokens + ride->n_picked;
    struct lli_draw draw = {
        .params = &request->sampler,
        .bias = request->bias,
        .n_bias = request->n_bias,
        .bans = request->bans,
        .n_bans = request->n_bans,
        .breaks = request->breaks,
        .mu = &ride->mu,
        .filter = request->filter,
        .user = request->user,
    };
    int32_t status = LLMINF_OK;
    if (matcher) {
        if (ride->n_picked == 0)
            lli_matcher_begin(matcher);
        status = lli_matcher_mask(&draw.allowed, matcher, &ride->error);
    }
    if (status == LLMINF_OK)
        status =
            lli_chain_pick(&t->tokens[n_tokens], &picker->chain, &draw, logits, t->tokens, n_tokens, n_tokens, &ride->error);
    if (status == LLMINF_OK && matcher)
        status = lli_matcher_accept(matcher, t->tokens[n_tokens], &ride->error);
    if (status != LLMINF_OK)
        return status;
    ride->n_picked++;
    lli_request_score(request, n_tokens, t->tokens[n_tokens], logits, engine->vocab->n);
    n_tokens++;
    if (lli_stop_judge(&ride->verdict, &request->stop, engine->vocab, &picker->text, t->tokens, n_tokens) != LLMINF_OK)
        return lli_fail_memory(&ride->error, "stop", picker->text.cap);
    int is_over = matcher && lli_matcher_is_over(matcher);
    if (ride->verdict.reason == LLI_STOP_NONE && (is_over || n_tokens == request->n_max)) {
        ride->verdict.reason = is_over ? LLI_STOP_GRAMMAR : LLI_STOP_LENGTH;
        ride->verdict.n_readable = ride->verdict.n_text = n_tokens;
    }
    return LLMINF_OK;
}

/* Logits of row i of the ride's, or NULL if it has none; *next counts those that have. */
static const float *row_logits(struct lli_engine *engine, const struct lli_seq *seq, uint32_t i, uint32_t *next)
{
    const struct lli_row *row = &engine->batch.plan.rows[seq->first_row + i];
    return row->flags & LLI_ROW_LOGITS ? engine->executor.logits(engine->executor.state, (*next)++) : NULL;
}

static int32_t sample(struct lli_engine *engine, struct lli_picker *picker, struct lli_ride *ride, const struct lli_seq *seq)
{
    struct lli_timeline *t = ride->timeline;
    struct lli_request *request = &t->request;
    uint32_t next = ride->first_logits;
    if (seq->status != LLMINF_OK)
        return lli_fail(&ride->error, seq->status, "session",
                        seq->status == LLMINF_E_NUMERIC ? "NaN or Inf at positions %u to %u" : "failed at positions %u to %u",
                        ride->first, ride->first + ride->n_rows - 1);
    for (uint32_t i = 0; i < ride->n_rows; i++) {
        const float *logits = row_logits(engine, seq, i, &next);
        uint32_t pos = ride->first + i;
        if (!logits)
            continue;
        lli_request_keep(request, pos, logits, engine->vocab->n);
        if (pos + 1 < t->n_tokens)
            lli_request_score(request, pos + 1, t->tokens[pos + 1], logits, engine->vocab->n);
        if (pos + 1 < t->n_tokens || request->n_max == request->n_prompt)
            continue;
        if (t->group) {
            lli_beam_sample(t, logits, engine->vocab->n);
            continue;
        }
        int32_t proposed = i + 1 < ride->n_rows ? t->tokens[pos + 1] : -1;
        int32_t status = pick(engine, picker, ride, logits);
        if (status != LLMINF_OK && ride->n_picked > 0)
            return LLMINF_OK; /* as without guesses: those before it came, and it fails in the next step */
        if (status != LLMINF_OK || ride->verdict.reason != LLI_STOP_NONE || t->tokens[pos + 1] != proposed)
            return status;
    }
    return LLMINF_OK;
}

static void sample_ride(struct lli_engine *engine, uint32_t i, int worker)
{
    struct lli_batch *batch = &engine->batch;
    batch->rides[i].status = sample(engine, &engine->pickers[worker], &batch->rides[i], &batch->plan.seqs[i]);
}

static void share_ride(void *arg, size_t i, int worker)
{
    struct lli_engine *engine = arg;
    if (!engine->batch.rides[i].timeline->request.filter)
        sample_ride(engine, (uint32_t)i, worker);
}

/* A host's filter is called on this thread only. */
static void sample_all(struct lli_engine *engine)
{
    const struct lli_batch *batch = &engine->batch;
    lli_workers_share(&engine->workers, share_ride, engine, batch->n_rides);
    for (uint32_t i = 0; i < batch->n_rides; i++)
        if (batch->rides[i].timeline->request.filter)
            sample_ride(engine, i, 0);
}

/* No ride keeps anything. */
static void fail_all(struct lli_batch *batch)
{
    for (uint32_t i = 0; i < batch->n_rides; i++) {
        batch->rides[i].status = batch->failure.status;
        batch->rides[i].error = batch->failure;
    }
}

void lli_step_run(struct lli_engine *engine)
{
    struct lli_batch *batch = &engine->batch;
    int64_t start_ns, forward_ns, expected_ns;
    lli_drafter_run(engine);
    start_ns = lli_clock_ns();
    expected_ns = lli_calibrate_expect(&engine->calibration, &batch->load, batch->predicted_ns);
    batch->failure.status = engine->executor.run(engine->executor.state, &batch->plan, expected_ns, &batch->failure);
    forward_ns = lli_clock_ns();
    if (batch->failure.status == LLMINF_OK)
        sample_all(engine);
    else
        fail_all(batch);
    batch->ns = lli_clock_ns() - start_ns;
    batch->forward_ns = forward_ns - start_ns;
    lli_drafter_time(engine);
}

/* ---- committing */

/* A step counts as prefill for a timeline if it computes any of its prompt. */
static void count_rows(struct lli_engine *engine, struct lli_timeline *t, const struct lli_ride *ride)
{
    uint32_t n_prompt = t->request.n_prompt;
    int64_t ns = engine->batch.ns + engine->batch.draft_ns;
    if (ride->first >= n_prompt) {
        t->request.decode_ns += ns;
        return;
    }
    t->request.prefill_ns += ns;
    engine->totals.prefill_tokens += ride->n_rows < n_prompt - ride->first ? ride->n_rows : n_prompt - ride->first;
}

/* Rows of the ride that stay: those of its tokens, and of the proposals that were picked. */
static uint32_t rows_kept(const struct lli_ride *ride)
{
    uint32_t n = ride->n_rows - ride->n_drafts;
    return ride->n_picked > 1 ? n + ride->n_picked - 1 : n;
}

static void keep_rows(struct lli_engine *engine, struct lli_timeline *t, const struct lli_ride *ride)
{
    uint32_t end = ride->first + rows_kept(ride);
    engine->totals.copied_blocks += t->table.n_copies;
    if (t->n_reached > t->table.n_computed && end > t->table.n_computed)
        engine->totals.recomputed_tokens += (end < t->n_reached ? end : t->n_reached) - t->table.n_computed;
    lli_table_commit(&t->table, &engine->pool, t->tokens, end > t->table.n_computed ? end : t->table.n_computed);
    if (t->n_reached < t->table.n_computed)
        t->n_reached = t->table.n_computed;
}

static void time_token(struct lli_engine *engine, struct lli_timeline *t)
{
    int64_t now = lli_clock_ns();
    if (t->request.first_ns < 0) {
        t->request.first_ns = now - t->request.asked_ns;
        lli_histogram_add(&engine->totals.first, t->request.first_ns);
    } else {
        lli_histogram_add(&engine->totals.between, now - t->request.last_ns);
    }
    t->request.last_ns = now;
}

static void count_drafts(struct lli_engine *engine, struct lli_timeline *t, const struct lli_ride *ride)
{
    uint32_t n_accepted = ride->n_picked > 0 ? ride->n_picked - 1 : 0;
    t->request.n_drafted += ride->n_drafts;
    t->request.n_accepted += n_accepted;
    engine->totals.drafted += ride->n_drafts;
    engine->totals.accepted += n_accepted;
    lli_draft_learn(&t->draft, ride->n_drafts, n_accepted);
}

static int is_unread(struct lli_timeline *t)
{
    return t->request.read_ahead > 0 && lli_output_unread(&t->output) >= t->request.read_ahead;
}

static void take_tokens(struct lli_engine *engine, struct lli_ride *ride)
{
    struct lli_timeline *t = ride->timeline;
    t->n_tokens += ride->n_picked;
    t->request.n_made += ride->n_picked;
    t->request.mu = ride->mu;
    if (t->request.matcher.grammar)
        lli_matcher_commit(&t->request.matcher);
    engine->totals.decode_tokens += ride->n_picked;
    time_token(engine, t);
    if (ride->n_drafts > 0)
        count_drafts(engine, t, ride);
    if (ride->verdict.reason != LLI_STOP_NONE) {
        lli_roster_end(engine, t, &ride->verdict, LLMINF_DONE, NULL);
        return;
    }
    lli_output_release(&t->output, ride->verdict.n_readable);
    lli_roster_announce(engine, t);
    if (is_unread(t))
        lli_roster_pause(engine, t);
}

static void commit_ride(struct lli_engine *engine, struct lli_ride *ride)
{
    struct lli_timeline *t = ride->timeline;
    int is_cancelled = atomic_load(&t->is_cancelled) != 0;
    t->in_flight = 0;
    if (t->group)
        t->group->n_in_flight--;
    if (is_cancelled)
        ride->n_picked = 0; /* nobody hears of these tokens, so the rows of those that were guessed do not stay */
    count_rows(engine, t, ride);
    lli_drafter_commit(engine, t, ride);
    if (ride->status == LLMINF_OK) {
        keep_rows(engine, t, ride);
        lli_pooling_commit(&t->pooling, ride->first + ride->n_rows, t->n_tokens);
    } else {
        lli_table_roll_back(&t->table, &engine->pool);
        lli_pooling_reset(&t->pooling);
    }
    if (t->group)
        lli_beam_commit(engine, t, ride);
    else if (is_cancelled)
        lli_roster_stop(engine, t, LLI_STOP_CANCEL);
    else if (ride->status != LLMINF_OK && ride->n_drafts > 0)
        t->draft = (struct lli_draft){0}; /* it may have been a guess that failed: again, without any */
    else if (ride->status != LLMINF_OK)
        lli_roster_fail(engine, t, ride->status, &ride->error);
    else if (ride->n_picked > 0)
        take_tokens(engine, ride);
    else if (ride->first + ride->n_rows == t->n_tokens) /* nothing was to follow */
        lli_roster_finish(engine, t);
}

static void count_step(struct lli_engine *engine)
{
    const struct lli_batch *batch = &engine->batch;
    struct lli_engine_stats *totals = &engine->totals;
    totals->steps++;
    totals->rows += batch->plan.n_rows;
    totals->step_ns += batch->ns + batch->draft_ns;
    totals->draft_ns += batch->draft_ns;
    totals->draft_rows += batch->n_draft_rows;
    totals->predicted_ns += (int64_t)batch->predicted_ns;
    lli_calibrate_learn(&engine->calibration, &batch->load, batch->ns);
    totals->run_ns += batch->forward_ns;
    totals->sample_ns += batch->ns - batch->forward_ns;
    lli_histogram_add(&totals->step, batch->ns + batch->draft_ns);
    if (totals->step_max_ns < batch->ns + batch->draft_ns)
        totals->step_max_ns = batch->ns + batch->draft_ns;
}

void lli_step_commit(struct lli_engine *engine)
{
    int64_t start_ns = lli_clock_ns();
    for (uint32_t i = 0; i < engine->batch.n_rides; i++)
        commit_ride(engine, &engine->batch.rides[i]);
    if (engine->batch.failure.status == LLMINF_OK)
        count_step(engine);
    else
        lli_roster_abandon(engine, &engine->batch.failure);
    if (engine->n_closing > 0)
        pthread_cond_broadcast(&engine->landed);
    engine->totals.commit_ns += lli_clock_ns() - start_ns;
}
