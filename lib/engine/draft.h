/* engine/draft.h - guesses at the tokens that come next, which a step then verifies by sampling as if they were not there.
 *
 * Prompt lookup: where the last tokens of a timeline stood before, what followed them may follow again (Saxena 2023). Two
 * tables remember the latest place of each three and each two tokens, so a guess costs a look, not a search. */
#ifndef LLI_ENGINE_DRAFT_H
#define LLI_ENGINE_DRAFT_H

#include <stdint.h>

struct lli_arena;
struct lli_timeline;

enum { LLI_DRAFT_MAX = 16, LLI_LOOKUP_SLOTS = 1024 };

struct lli_lookup {
    uint32_t triples[LLI_LOOKUP_SLOTS], pairs[LLI_LOOKUP_SLOTS]; /* by hash: the place behind the latest; 0: none */
    uint32_t n_indexed;                                          /* tokens that were looked at */
};

struct lli_draft {
    struct lli_lookup *lookup; /* in the request's arena; NULL: no guesses by lookup */
    int by_model;              /* guesses by the engine's drafter, instead */
    uint32_t limit;
    float accepted; /* running share of the guesses that were right */
    uint32_t n_skipped;

    /* the drafter's */
    uint64_t rests_until; /* number of a plan: no guesses before it */
    uint32_t n_wanted;    /* guesses that the plan in the making could use */
    uint32_t ride;        /* its place among those that the drafter guesses for, if it is there */
};

/* Prepares for at most `limit` guesses a step. 0 or MEMORY. */
int32_t lli_draft_init(struct lli_draft *draft, struct lli_arena *arena, uint32_t limit, int by_model);

/* Writes at most `room` guesses behind the committed tokens, where there is room for them, and returns how many. */
uint32_t lli_draft_propose(struct lli_timeline *t, uint32_t room);

/* What became of them, if they are by lookup. */
void lli_draft_learn(struct lli_draft *draft, uint32_t n_proposed, uint32_t n_accepted);

#endif
