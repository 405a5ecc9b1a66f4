/* engine/draft.c - a table may have forgotten or mixed up a place: a guess is taken only where the tokens are equal. */
#include "engine/draft.h"

#include "llminf/status.h"

#include "base/arena.h"
#include "engine/timeline.h"

#define TRY_EVERY 64    /* steps between two tries where guesses were wrong */
#define TOO_FEW 0.1f    /* share of right guesses below which only tries are made */
#define MEMORY_SHARE 8u /* a new result weighs one part of so many */

int32_t lli_draft_init(struct lli_draft *draft, struct lli_arena *arena, uint32_t limit, int by_model)
{
    *draft = (struct lli_draft){.limit = limit < LLI_DRAFT_MAX ? limit : LLI_DRAFT_MAX, .accepted = 0.5f};
    draft->by_model = by_model && limit > 0;
    if (by_model || limit == 0)
        return LLMINF_OK;
    draft->lookup = lli_arena_take(arena, 1, sizeof *draft->lookup);
    if (!draft->lookup)
        return LLMINF_E_MEMORY;
    *draft->lookup = (struct lli_lookup){.n_indexed = 0};
    return LLMINF_OK;
}

static uint32_t slot_of(const int32_t *tokens, uint32_t n)
{
    uint32_t h = 0;
    for (uint32_t i = 0; i < n; i++)
        h = (h ^ (uint32_t)tokens[i]) * 0x9e3779b1u;
    return h >> 22; /* 1024 slots */
}

/* The runs that end before the last token: that one is looked up, not remembered. */
static void index_tokens(struct lli_lookup *lookup, const int32_t *tokens, uint32_t n_tokens)
{
    for (uint32_t end = lookup->n_indexed + 1; end < n_tokens; end++) {
        if (end >= 3)
            lookup->triples[slot_of(tokens + end - 3, 3)] = end;
        if (end >= 2)
            lookup->pairs[slot_of(tokens + end - 2, 2)] = end;
        lookup->n_indexed = end;
    }
}

/* The place behind the latest earlier run of the last n tokens, or 0. */
static uint32_t look(const uint32_t *slots, const int32_t *tokens, uint32_t n_tokens, uint32_t n)
{
    uint32_t end = n_tokens < n ? 0 : slots[slot_of(tokens + n_tokens - n, n)];
    for (uint32_t i = 1; end > 0 && i <= n; i++)
        if (tokens[end - i] != tokens[n_tokens - i])
            return 0;
    return end;
}

/* How many guesses are worth their rows. */
static uint32_t find_length(struct lli_draft *draft)
{
    if (draft->accepted < TOO_FEW)
        return ++draft->n_skipped % TRY_EVERY == 0;
    return 1 + (uint32_t)((float)(draft->limit - 1) * draft->accepted + 0.5f);
}

uint32_t lli_draft_propose(struct lli_timeline *t, uint32_t room)
{
    struct lli_draft *draft = &t->draft;
    uint32_t n_tokens = t->n_tokens, from, n = 0;
    if (!draft->lookup || n_tokens + 1 >= t->request.n_max)
        return 0;
    if (room > t->request.n_max - 1 - n_tokens)
        room = t->request.n_max - 1 - n_tokens; /* one more token is picked than is guessed */
    index_tokens(draft->lookup, t->tokens, n_tokens);
    from = look(draft->lookup->triples, t->tokens, n_tokens, 3);
    if (from == 0)
        from = look(draft->lookup->pairs, t->tokens, n_tokens, 2);
    if (from == 0)
        return 0;
    uint32_t wanted = find_length(draft);
    for (wanted = wanted < room ? wanted : room; n < wanted; n++)
        t->tokens[n_tokens + n] = t->tokens[from + n]; /* also from what was just guessed */
    return n;
}

void lli_draft_learn(struct lli_draft *draft, uint32_t n_proposed, uint32_t n_accepted)
{
    if (draft->lookup && n_proposed > 0)
        draft->accepted += ((float)n_accepted / (float)n_proposed - draft->accepted) / (float)MEMORY_SHARE;
}
