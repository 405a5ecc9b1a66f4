/* engine/plan.c - Invariant: rows of one sequence are adjacent and ascending; n_logits is the number of flagged rows, and
 * leaves one for each ride that may still come, until proposals are added. */
#include "engine/plan.h"

#include "engine/timeline.h"

int32_t lli_plan_init(struct lli_batch *batch, struct lli_heap *heap, uint32_t max_rows, uint32_t max_logits, uint32_t max_seqs)
{
    *batch = (struct lli_batch){.heap = heap, .max_rows = max_rows, .max_logits = max_logits, .max_seqs = max_seqs};
    batch->plan.rows = lli_alloc_zero(heap, max_rows, sizeof *batch->plan.rows);
    batch->plan.seqs = lli_alloc_zero(heap, max_seqs, sizeof *batch->plan.seqs);
    batch->rides = lli_alloc_zero(heap, max_seqs, sizeof *batch->rides);
    batch->copies = lli_alloc_zero(heap, (size_t)max_seqs * LLI_GROUPS_MAX, sizeof *batch->copies);
    batch->plan.copies = batch->copies;
    return batch->plan.rows && batch->plan.seqs && batch->rides && batch->copies ? LLMINF_OK : LLMINF_E_MEMORY;
}

size_t lli_plan_bytes(uint32_t max_rows, uint32_t max_seqs)
{
    const struct lli_batch *batch = NULL;
    return max_rows * sizeof *batch->plan.rows +
           max_seqs * (sizeof *batch->plan.seqs + sizeof *batch->rides + LLI_GROUPS_MAX * sizeof *batch->copies);
}

void lli_plan_finish(struct lli_batch *batch)
{
    if (!batch->heap)
        return;
    lli_free(batch->heap, batch->plan.rows);
    lli_free(batch->heap, batch->plan.seqs);
    lli_free(batch->heap, batch->rides);
    lli_free(batch->heap, batch->copies);
    *batch = (struct lli_batch){0};
}

void lli_plan_begin(struct lli_batch *batch)
{
    batch->plan.number++;
    batch->n_rides = batch->n_rows = batch->n_logits = 0;
}

/* Rows with logits beyond one for each ride that may still come. */
static uint32_t spare_logits(const struct lli_batch *batch)
{
    return batch->max_logits - batch->n_logits - (batch->max_seqs - batch->n_rides);
}

static uint32_t count_logits(const struct lli_timeline *t, uint32_t first, uint32_t n_rows)
{
    uint32_t n = 0;
    for (uint32_t pos = first; pos < first + n_rows; pos++)
        n += (uint32_t)lli_request_wants(&t->request, pos, t->n_tokens);
    return n;
}

/* Rows from `first` on, n at most, whose logits there is room for. */
static uint32_t fit_logits(const struct lli_batch *batch, const struct lli_timeline *t, uint32_t first, uint32_t n)
{
    uint32_t room = 1 + spare_logits(batch), n_fit = 0;
    for (uint32_t n_logits = 0; n_fit < n; n_fit++) {
        n_logits += (uint32_t)lli_request_wants(&t->request, first + n_fit, t->n_tokens);
        if (n_logits > room)
            break;
    }
    return n_fit;
}

uint32_t lli_plan_rows(const struct lli_batch *batch, const struct lli_timeline *t, uint32_t budget)
{
    uint32_t first = lli_timeline_next(t), n = t->n_tokens - first, room = batch->max_rows - batch->n_rows;
    n = n < budget ? n : budget;
    n = n < room ? n : room;
    if (batch->n_rides == batch->max_seqs || (t->engine->config->is_bidirectional && n < t->n_tokens))
        return 0; /* whose positions see each other, comes whole */
    return fit_logits(batch, t, first, n);
}

void lli_plan_add(struct lli_batch *batch, struct lli_timeline *t, uint32_t n_rows)
{
    struct lli_ride *ride = &batch->rides[batch->n_rides];
    ride->timeline = t;
    ride->first = lli_timeline_next(t);
    ride->n_rows = n_rows;
    ride->n_drafts = ride->n_picked = 0;
    ride->mu = t->request.mu;
    ride->n_logits = count_logits(t, ride->first, n_rows);
    ride->status = LLMINF_OK;
    t->ride = batch->n_rides++;
    t->in_flight = t->last_step = batch->plan.number;
    if (t->group)
        t->group->n_in_flight++;
    batch->n_rows += n_rows;
    batch->n_logits += ride->n_logits;
}

uint32_t lli_plan_draft_room(const struct lli_batch *batch)
{
    uint32_t rows = batch->max_rows - batch->n_rows, logits = batch->max_logits - batch->n_logits;
    return rows < logits ? rows : logits;
}

void lli_plan_add_drafts(struct lli_batch *batch, struct lli_timeline *t, uint32_t n_drafts)
{
    struct lli_ride *ride = &batch->rides[t->ride];
    ride->n_drafts = n_drafts;
    ride->n_rows += n_drafts;
    ride->n_logits += n_drafts;
    batch->n_rows += n_drafts;
    batch->n_logits += n_drafts;
}

void lli_plan_remove(struct lli_batch *batch, struct lli_timeline *t)
{
    struct lli_ride *ride = &batch->rides[t->ride];
    batch->n_rows -= ride->n_rows;
    batch->n_logits -= ride->n_logits;
    t->in_flight = 0;
    if (t->group)
        t->group->n_in_flight--;
    for (batch->n_rides--; ride < batch->rides + batch->n_rides; ride++) { /* the order of the rides stays */
        *ride = ride[1];
        ride->timeline->ride--;
    }
}

void lli_plan_weigh(struct lli_load *out, const struct lli_batch *batch)
{
    *out = (struct lli_load){.window = batch->window};
    for (uint32_t i = 0; i < batch->n_rides; i++)
        lli_load_add(out, batch->rides[i].first, batch->rides[i].n_rows, batch->rides[i].n_logits);
}

static void lay_out(struct lli_batch *batch, uint32_t i)
{
    struct lli_ride *ride = &batch->rides[i];
    struct lli_timeline *t = ride->timeline;
    struct lli_plan *plan = &batch->plan;
    struct lli_seq *seq = &plan->seqs[i];
    *seq = (struct lli_seq){.first_row = plan->n_rows, .n_rows = ride->n_rows};
    lli_table_show(seq->blocks, &t->table);
    seq->seat = t->seats ? t->seats->seat : NULL;
    seq->adapter_scale = t->adapter_scale;
    seq->pooled = t->pooling.sum;
    lli_pooling_begin(&t->pooling);
    ride->first_logits = plan->n_logits;
    for (uint32_t pos = ride->first; pos < ride->first + ride->n_rows; pos++) {
        int flags = pos >= t->n_tokens || lli_request_wants(&t->request, pos, t->n_tokens) ? LLI_ROW_LOGITS : 0;
        if (pos + 1 == t->n_tokens && ride->n_drafts > 0)
            flags = LLI_ROW_LOGITS;
        plan->n_logits += flags != 0;
        if (lli_pooling_wants(&t->pooling, pos, t->n_tokens)) {
            flags |= LLI_ROW_POOL;
            plan->n_pooled++;
        }
        if (pos < t->table.n_computed)
            flags |= LLI_ROW_NO_STORE;
        plan->rows[plan->n_rows++] =
            (struct lli_row){.token = t->tokens[pos], .pos = pos, .seq = (uint16_t)i, .flags = (uint16_t)flags};
    }
    for (uint32_t c = 0; c < t->table.n_copies; c++)
        batch->copies[plan->n_copies++] = t->table.copies[c];
}

void lli_plan_close(struct lli_batch *batch)
{
    struct lli_plan *plan = &batch->plan;
    plan->n_rows = plan->n_logits = plan->n_copies = plan->n_pooled = 0;
    plan->n_seqs = batch->n_rides;
    for (uint32_t i = 0; i < batch->n_rides; i++)
        lay_out(batch, i);
    lli_plan_weigh(&batch->load, batch);
}
