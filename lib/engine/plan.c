/* engine/plan.c - Invariant: rows of one sequence are adjacent and ascending; n_logits is the number of flagged rows. */
#include "engine/plan.h"

#include "engine/timeline.h"

int32_t lli_plan_init(struct lli_batch *batch, struct lli_heap *heap, uint32_t max_rows, uint32_t max_logits, uint32_t max_seqs)
{
    *batch = (struct lli_batch){.heap = heap, .max_rows = max_rows, .max_logits = max_logits, .max_seqs = max_seqs};
    batch->plan.rows = lli_alloc_zero(heap, max_rows, sizeof *batch->plan.rows);
    batch->plan.seqs = lli_alloc_zero(heap, max_seqs, sizeof *batch->plan.seqs);
    batch->rides = lli_alloc_zero(heap, max_seqs, sizeof *batch->rides);
    return batch->plan.rows && batch->plan.seqs && batch->rides ? LLMINF_OK : LLMINF_E_MEMORY;
}

void lli_plan_finish(struct lli_batch *batch)
{
    if (!batch->heap)
        return;
    lli_free(batch->heap, batch->plan.rows);
    lli_free(batch->heap, batch->plan.seqs);
    lli_free(batch->heap, batch->rides);
    *batch = (struct lli_batch){0};
}

void lli_plan_begin(struct lli_batch *batch)
{
    struct lli_plan *plan = &batch->plan;
    plan->number++;
    plan->n_rows = plan->n_seqs = plan->n_logits = 0;
}

static uint32_t first_position(const struct lli_timeline *t)
{
    return t->n_computed < t->n_tokens ? t->n_computed : t->n_tokens - 1;
}

uint32_t lli_plan_rows(const struct lli_batch *batch, const struct lli_timeline *t)
{
    uint32_t n = t->n_tokens - first_position(t), room = batch->max_rows - batch->plan.n_rows;
    if (t->request.kept.mode == LLI_LOGITS_ALL && room > batch->max_logits - batch->plan.n_logits)
        room = batch->max_logits - batch->plan.n_logits;
    return n < room ? n : room;
}

/* Logits are wanted where a token or the host asks for them. */
static int wants_logits(const struct lli_timeline *t, uint32_t pos)
{
    const struct lli_request *request = &t->request;
    if (request->kept.mode == LLI_LOGITS_ALL && pos >= request->kept.first)
        return 1;
    return pos + 1 == t->n_tokens && (request->n_max > request->n_prompt || request->kept.mode != LLI_LOGITS_OFF);
}

void lli_plan_append(struct lli_batch *batch, struct lli_timeline *t, uint32_t n_rows)
{
    struct lli_plan *plan = &batch->plan;
    uint32_t seq = plan->n_seqs++, first = first_position(t);
    plan->seqs[seq] = (struct lli_seq){.first_row = plan->n_rows, .n_rows = n_rows, .blocks = t->table.blocks};
    batch->rides[seq].timeline = t;
    batch->rides[seq].first_logits = plan->n_logits;
    batch->rides[seq].has_token = 0;
    batch->rides[seq].status = LLMINF_OK;
    for (uint32_t pos = first; pos < first + n_rows; pos++) {
        int flags = wants_logits(t, pos) ? LLI_ROW_LOGITS : 0;
        plan->n_logits += flags != 0;
        if (pos < t->n_computed)
            flags |= LLI_ROW_NO_STORE;
        plan->rows[plan->n_rows++] =
            (struct lli_row){.token = t->tokens[pos], .pos = pos, .seq = (uint16_t)seq, .flags = (uint16_t)flags};
    }
    t->in_flight = t->last_step = plan->number;
}
