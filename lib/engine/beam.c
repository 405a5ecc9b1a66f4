/* engine/beam.c - Invariant: live slots are waiting, running or parked (paused); all others are idle, and of these the ended
 * ones may hold blocks until the group dissolves. */
#include "engine/beam.h"

#include <float.h>
#include <string.h>

#include "base/error.h"
#include "base/mathx.h"
#include "engine/engine.h"
#include "engine/roster.h"
#include "engine/timeline.h"

/* ---- life -------------------------------------------------------------------------------------------------------- */

static int32_t make_hidden(struct lli_beam_slot *slot, struct lli_group *group, const struct lli_beam_frame *frame)
{
    struct lli_engine *engine = group->root->engine;
    struct lli_timeline *t = slot->timeline = lli_alloc_zero(engine->heap, 1, sizeof *t);
    if (!t)
        return LLMINF_E_MEMORY;
    t->engine = engine;
    t->group = group;
    t->seats = group->root->seats;
    t->adapter_scale = group->root->adapter_scale;
    t->max_length = t->request.n_max = frame->n_max;
    t->request.n_prompt = frame->n_prompt;
    t->request.footprint = lli_timeline_footprint(engine, frame->n_max);
    lli_table_init(&t->table, &engine->pool, group->root->table.extra, group->root->table.is_private);
    t->tokens = lli_alloc_array(engine->heap, frame->n_max, sizeof *t->tokens);
    t->cap = frame->n_max;
    t->request.stop.texts = lli_alloc_array(engine->heap, frame->n_stops, sizeof *t->request.stop.texts);
    if (!t->tokens || (!t->request.stop.texts && frame->n_stops > 0))
        return LLMINF_E_MEMORY;
    return lli_table_reserve(&t->table, engine->heap, engine->pool.n_groups, lli_table_blocks(frame->n_max));
}

int32_t lli_beam_new(struct lli_group **out, struct lli_timeline *root, const struct lli_beam_frame *frame,
                     struct llminf_error *err)
{
    uint32_t n_beams = frame->n_beams;
    struct lli_heap *heap = root->engine->heap;
    struct lli_group *group = *out = lli_alloc_zero(heap, 1, sizeof *group);
    int32_t status = group ? LLMINF_OK : LLMINF_E_MEMORY;
    if (group) {
        uint32_t n_vocab = root->engine->vocab->n;
        *group = (struct lli_group){.root = root, .n_beams = n_beams, .length_penalty = frame->length_penalty};
        group->n_best = 2 * n_beams < n_vocab ? 2 * n_beams : n_vocab;
        group->slots = lli_alloc_zero(heap, 2 * (size_t)n_beams + 1, sizeof *group->slots);
        group->chosen = lli_alloc_array(heap, n_beams, sizeof *group->chosen);
        status = group->slots && group->chosen ? LLMINF_OK : LLMINF_E_MEMORY;
    }
    for (uint32_t i = 0; i <= 2 * n_beams && status == LLMINF_OK; i++) {
        struct lli_beam_slot *slot = &group->slots[i];
        group->n_slots = i + 1;
        slot->best = lli_alloc_array(heap, 1 + (size_t)group->n_best, sizeof *slot->best);
        if (i == 2 * n_beams)
            slot->timeline = root;
        else
            status = make_hidden(slot, group, frame);
        if (!slot->best)
            status = LLMINF_E_MEMORY;
    }
    if (status == LLMINF_OK)
        return status;
    lli_beam_free(group);
    *out = NULL;
    return lli_fail_memory(err, "beams",
                           (uint64_t)2 * n_beams * (sizeof(struct lli_timeline) + frame->n_max * sizeof(int32_t)));
}

void lli_beam_free(struct lli_group *group)
{
    if (!group)
        return;
    struct lli_heap *heap = group->root->engine->heap;
    for (uint32_t i = 0; i < group->n_slots; i++) {
        struct lli_timeline *t = group->slots[i].timeline;
        lli_free(heap, group->slots[i].best);
        if (!t || t == group->root)
            continue;
        lli_table_finish(&t->table, heap);
        lli_free(heap, t->request.stop.texts);
        lli_free(heap, t->tokens);
        lli_free(heap, t);
    }
    lli_free(heap, group->slots);
    lli_free(heap, group->chosen);
    lli_free(heap, group);
}

void lli_beam_dissolve(struct lli_engine *engine, struct lli_group *group)
{
    for (uint32_t i = 0; i + 1 < group->n_slots; i++) {
        group->slots[i].is_live = 0;
        lli_roster_retire(engine, group->slots[i].timeline);
    }
    group->n_live = group->n_parked = 0;
}

/* ---- the best of all --------------------------------------------------------------------------------------------- */

static struct lli_beam_slot *slot_of(struct lli_timeline *t)
{
    struct lli_beam_slot *slot = t->group->slots;
    while (slot->timeline != t)
        slot++;
    return slot;
}

void lli_beam_sample(struct lli_timeline *t, const float *logits, uint32_t n_vocab)
{
    lli_logprob_best(slot_of(t)->best, logits, n_vocab, 0, t->group->n_best);
}

/* May this token be the n-th new one of a beam? One that would end it does not come before min_tokens. */
static int may_come(const struct lli_group *group, int32_t token, uint32_t n)
{
    const struct lli_stop *stop = &group->root->request.stop;
    int ends = group->root->engine->vocab->is_eog[token] && !stop->ignore_eog;
    for (size_t i = 0; i < stop->n_tokens; i++)
        ends |= stop->tokens[i] == token;
    return !ends || n >= stop->min_tokens;
}

static int is_better(const struct lli_candidate_beam *a, const struct lli_candidate_beam *b)
{
    if (a->score != b->score)
        return a->score > b->score;
    return a->parent != b->parent ? a->parent < b->parent : a->token < b->token;
}

/* Keeps the best n of chosen[] in order, `n` so far. */
static void insert(struct lli_candidate_beam *chosen, uint32_t *n, uint32_t cap, const struct lli_candidate_beam *candidate)
{
    uint32_t i = *n;
    if (i == cap && !is_better(candidate, &chosen[cap - 1]))
        return;
    i = i < cap ? (*n)++ : cap - 1;
    for (; i > 0 && is_better(candidate, &chosen[i - 1]); i--)
        chosen[i] = chosen[i - 1];
    chosen[i] = *candidate;
}

static uint32_t choose(struct lli_group *group)
{
    uint32_t n = 0, cap = group->n_beams - group->n_ended;
    for (uint32_t s = 0; s < group->n_slots; s++) {
        const struct lli_beam_slot *slot = &group->slots[s];
        uint32_t n_new = slot->timeline->n_tokens - group->root->request.n_prompt + 1;
        for (uint32_t i = 1; slot->is_live && i <= group->n_best; i++) {
            struct lli_candidate_beam c = {slot->score + (double)slot->best[i].value, s, slot->best[i].token};
            if (slot->best[i].value >= -FLT_MAX && may_come(group, c.token, n_new))
                insert(group->chosen, &n, cap, &c);
        }
    }
    return n;
}

/* ---- the next beams ---------------------------------------------------------------------------------------------- */

static struct lli_beam_slot *find_empty(struct lli_group *group)
{
    struct lli_beam_slot *slot = group->slots;
    while (slot->is_live || slot->verdict.reason != LLI_STOP_NONE || slot->timeline->n_tokens > 0)
        slot++; /* there are two generations of slots */
    return slot;
}

/* 0 or MEMORY. Its text is decoded by a token, on the thread that runs the steps. */
static int32_t give_birth(struct lli_group *group, const struct lli_candidate_beam *c)
{
    struct lli_beam_slot *slot = find_empty(group), *parent = &group->slots[c->parent];
    struct lli_timeline *to = slot->timeline, *from = parent->timeline;
    uint32_t n = from->n_tokens;
    memcpy(to->tokens, from->tokens, n * sizeof *to->tokens);
    to->tokens[n] = c->token;
    to->n_tokens = n + 1;
    to->n_reached = from->n_reached;
    to->last_step = from->last_step;
    lli_table_fork(&to->table, &to->engine->pool, &from->table);
    slot->score = c->score;
    lli_stop_fork(&to->request.stop, &from->request.stop);
    struct lli_buffer *text = &to->engine->pickers[0].text;
    if (lli_stop_judge(&slot->verdict, &to->request.stop, to->engine->vocab, text, to->tokens, n + 1) != LLMINF_OK)
        return lli_fail_memory(&group->error, "beams", text->cap);
    if (slot->verdict.reason == LLI_STOP_NONE && to->n_tokens == to->request.n_max) {
        slot->verdict.reason = LLI_STOP_LENGTH;
        slot->verdict.n_readable = slot->verdict.n_text = to->n_tokens;
    }
    group->n_ended += slot->verdict.reason != LLI_STOP_NONE;
    return LLMINF_OK;
}

static double final_score(const struct lli_group *group, const struct lli_beam_slot *slot)
{
    uint32_t n = slot->timeline->n_tokens - group->root->request.n_prompt;
    return slot->score / lli_pow_f64((double)n, group->length_penalty);
}

/* The best of those that ended; the first of equals. */
static void finish(struct lli_engine *engine, struct lli_group *group)
{
    struct lli_timeline *root = group->root;
    const struct lli_beam_slot *best = NULL;
    for (uint32_t i = 0; i + 1 < group->n_slots; i++) {
        const struct lli_beam_slot *slot = &group->slots[i];
        if (slot->verdict.reason != LLI_STOP_NONE && (!best || final_score(group, slot) > final_score(group, best)))
            best = slot;
    }
    if (!best) {
        lli_fail(&group->error, LLMINF_E_NUMERIC, "beams", "no token is left to go on with");
        lli_roster_fail(engine, root, LLMINF_E_NUMERIC, &group->error);
        return;
    }
    const struct lli_timeline *t = best->timeline;
    uint32_t n = t->n_tokens;
    memcpy(root->tokens, t->tokens, n * sizeof *root->tokens);
    root->request.n_made = n - root->n_tokens;
    engine->totals.decode_tokens += root->request.n_made;
    root->n_tokens = n;
    root->n_reached = t->n_reached;
    lli_table_cut(&root->table, &engine->pool, 0);
    lli_table_fork(&root->table, &engine->pool, &t->table);
    lli_roster_end(engine, root, &best->verdict, LLMINF_DONE, NULL);
}

/* All are parked. */
static void go_on(struct lli_engine *engine, struct lli_group *group)
{
    uint32_t n = choose(group);
    for (uint32_t i = 0; i < n && group->status == LLMINF_OK; i++)
        group->status = give_birth(group, &group->chosen[i]);
    if (group->status != LLMINF_OK) {
        lli_roster_fail(engine, group->root, group->status, &group->error);
        return;
    }
    group->n_live = group->n_parked = 0;
    for (uint32_t i = 0; i < group->n_slots; i++) {
        struct lli_beam_slot *slot = &group->slots[i];
        struct lli_timeline *t = slot->timeline;
        int was_live = slot->is_live;
        slot->is_live = !was_live && t != group->root && t->n_tokens > 0 && slot->verdict.reason == LLI_STOP_NONE;
        if (was_live && t != group->root)
            lli_roster_retire(engine, t);
        else if (!slot->is_live && t != group->root)
            lli_roster_settle(engine, t); /* one that ended: its blocks can be done without */
        if (slot->is_live) {
            lli_roster_await(engine, t, &group->root->request);
            group->n_live++;
        }
    }
    if (group->n_live == 0)
        finish(engine, group);
}

void lli_beam_commit(struct lli_engine *engine, struct lli_timeline *t, const struct lli_ride *ride)
{
    struct lli_group *group = t->group;
    struct lli_timeline *root = group->root;
    if (ride->status != LLMINF_OK && group->status == LLMINF_OK) {
        group->status = ride->status;
        group->error = ride->error;
    }
    if (group->n_in_flight > 0 && (group->status != LLMINF_OK || atomic_load(&root->is_cancelled)))
        return;
    if (atomic_load(&root->is_cancelled)) {
        lli_roster_stop(engine, root, LLI_STOP_CANCEL);
    } else if (group->status != LLMINF_OK) {
        lli_roster_fail(engine, root, group->status, &group->error);
    } else if (ride->first + ride->n_rows == t->n_tokens) {
        if (t == root) {
            group->n_live = 1;
            slot_of(root)->is_live = 1;
        }
        lli_roster_park(engine, t);
        if (++group->n_parked == group->n_live)
            go_on(engine, group);
    }
}
