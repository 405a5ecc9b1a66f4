/* engine/step.c - Invariant: between PLAN and COMMIT a timeline's counts and table stand still; a sampled token waits in the
 * slot behind the committed ones, where no reader looks. */
#include "engine/step.h"

#include "base/clock.h"
#include "base/error.h"
#include "engine/engine.h"
#include "engine/schedule.h"
#include "engine/timeline.h"
#include "forward/forward.h"

static int32_t pick(struct lli_engine *engine, struct lli_ride *ride, const float *logits)
{
    struct lli_timeline *t = ride->timeline;
    struct lli_request *request = &t->request;
    uint32_t n_tokens = t->n_tokens;
    int32_t status = lli_chain_pick(&t->tokens[n_tokens], &engine->chain, &request->sampler, request->bias, request->n_bias,
                                    logits, t->tokens, n_tokens, n_tokens, &ride->error);
    if (status != LLMINF_OK)
        return status;
    ride->has_token = 1;
    n_tokens++;
    if (lli_stop_judge(&ride->verdict, &request->stop, engine->vocab, &engine->text, t->tokens, n_tokens) != LLMINF_OK)
        return lli_fail_memory(&ride->error, "stop", engine->text.cap);
    if (ride->verdict.reason == LLI_STOP_NONE && n_tokens == request->n_max) {
        ride->verdict.reason = LLI_STOP_LENGTH;
        ride->verdict.n_readable = ride->verdict.n_text = n_tokens;
    }
    return LLMINF_OK;
}

static int32_t sample(struct lli_engine *engine, struct lli_ride *ride, const struct lli_seq *seq)
{
    struct lli_timeline *t = ride->timeline;
    const struct lli_row *rows = engine->batch.plan.rows + seq->first_row;
    uint32_t last = rows[seq->n_rows - 1].pos, i_logits = ride->first_logits;
    const float *logits = NULL;
    if (seq->status != LLMINF_OK)
        return lli_fail(&ride->error, seq->status, "session", "NaN or Inf at positions %u to %u", rows[0].pos, last);
    for (uint32_t i = 0; i < seq->n_rows; i++) {
        if (!(rows[i].flags & LLI_ROW_LOGITS))
            continue;
        logits = lli_forward_logits(engine->forward, i_logits++);
        lli_request_keep(&t->request, rows[i].pos, logits, engine->vocab->n);
    }
    if (last + 1 < t->n_tokens || t->request.n_max == t->request.n_prompt)
        return LLMINF_OK;
    return pick(engine, ride, logits);
}

void lli_step_run(struct lli_engine *engine)
{
    struct lli_batch *batch = &engine->batch;
    int64_t start_ns = lli_clock_ns();
    lli_forward_run(engine->forward, &batch->plan);
    for (uint32_t i = 0; i < batch->plan.n_seqs; i++)
        batch->rides[i].status = sample(engine, &batch->rides[i], &batch->plan.seqs[i]);
    batch->ns = lli_clock_ns() - start_ns;
}

/* A step counts as prefill for a timeline if it computes any of its prompt. */
static void count_rows(struct lli_engine *engine, struct lli_timeline *t, const struct lli_seq *seq)
{
    const struct lli_row *rows = engine->batch.plan.rows + seq->first_row;
    uint32_t n_prompt = t->request.n_prompt, first = rows[0].pos;
    if (first >= n_prompt) {
        t->request.decode_ns += engine->batch.ns;
        return;
    }
    t->request.prefill_ns += engine->batch.ns;
    engine->totals.prefill_tokens += seq->n_rows < n_prompt - first ? seq->n_rows : n_prompt - first;
}

static void keep_rows(struct lli_engine *engine, struct lli_timeline *t, const struct lli_seq *seq)
{
    if (!(engine->batch.plan.rows[seq->first_row].flags & LLI_ROW_NO_STORE))
        t->n_computed += seq->n_rows;
    if (t->n_reached < t->n_computed)
        t->n_reached = t->n_computed;
}

static void take_token(struct lli_engine *engine, struct lli_ride *ride)
{
    struct lli_timeline *t = ride->timeline;
    t->n_tokens++;
    t->request.n_made++;
    engine->totals.decode_tokens++;
    if (t->request.first_ns < 0)
        t->request.first_ns = lli_clock_ns() - t->request.asked_ns;
    if (ride->verdict.reason == LLI_STOP_NONE)
        lli_output_release(&t->output, ride->verdict.n_readable);
    else
        lli_schedule_end(engine, t, &ride->verdict, LLMINF_DONE, NULL);
}

static void commit_ride(struct lli_engine *engine, struct lli_ride *ride, const struct lli_seq *seq)
{
    struct lli_timeline *t = ride->timeline;
    t->in_flight = 0;
    count_rows(engine, t, seq);
    if (ride->status == LLMINF_OK)
        keep_rows(engine, t, seq);
    if (atomic_load(&t->is_cancelled))
        lli_schedule_cancel(engine, t);
    else if (ride->status != LLMINF_OK)
        lli_schedule_fail(engine, t, ride->status, &ride->error);
    else if (ride->has_token)
        take_token(engine, ride);
    else if (t->n_computed == t->n_tokens)
        lli_schedule_finish(engine, t);
}

void lli_step_commit(struct lli_engine *engine)
{
    struct lli_batch *batch = &engine->batch;
    for (uint32_t i = 0; i < batch->plan.n_seqs; i++)
        commit_ride(engine, &batch->rides[i], &batch->plan.seqs[i]);
    engine->totals.steps++;
    engine->totals.step_ns += batch->ns;
    if (engine->totals.step_max_ns < batch->ns)
        engine->totals.step_max_ns = batch->ns;
    if (engine->n_closing > 0)
        pthread_cond_broadcast(&engine->landed);
}
