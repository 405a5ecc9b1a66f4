/* grammar/matcher.h - where one generation stands in a grammar: a state that is a pure function of its tokens.
 *
 * A step tries tokens on the working state and commits them when it is kept; a step that is not leaves nothing behind. All
 * memory is taken at the start. */
#ifndef LLI_GRAMMAR_MATCHER_H
#define LLI_GRAMMAR_MATCHER_H

#include <stdint.h>

#include "grammar/grammar.h"

enum { LLI_MATCHER_MASKS = 4 };

struct lli_matcher {
    struct lli_heap *heap;
    struct lli_grammar *grammar; /* a reference */
    struct lli_automaton automaton;
    uint16_t states[2];                  /* committed, working */
    uint16_t *walk;                      /* [max_depth + 1] */
    uint32_t *exits;                     /* [LLI_MASK_EXITS] */
    uint32_t *masks;                     /* [LLI_MATCHER_MASKS, n_words] of the states below */
    uint16_t mask_of[LLI_MATCHER_MASKS]; /* LLI_SET_FULL: of none */
    uint32_t next_mask;
};

/* At the beginning of a text. Takes a reference on the grammar. MEMORY. */
int32_t lli_matcher_init(struct lli_matcher *m, struct lli_heap *heap, struct lli_grammar *grammar, struct llminf_error *err);
void lli_matcher_finish(struct lli_matcher *m); /* accepts a zeroed struct */

void lli_matcher_restart(struct lli_matcher *m); /* committed and working: the beginning */
void lli_matcher_begin(struct lli_matcher *m);   /* working: the committed one */
void lli_matcher_commit(struct lli_matcher *m);  /* committed: the working one */

/* A bit for each token of the vocabulary that can follow in the working state; good until the next call. GRAMMAR if none can,
 * LIMIT if the grammar is too ambiguous here. */
int32_t lli_matcher_mask(const uint32_t **mask_out, struct lli_matcher *m, struct llminf_error *err);

/* The working state behind a token; one that ends a generation changes nothing. LIMIT. */
int32_t lli_matcher_accept(struct lli_matcher *m, int32_t token, struct llminf_error *err);

/* The text is whole, and nothing more can follow. */
int lli_matcher_is_over(const struct lli_matcher *m);

/* The text is whole. */
int lli_matcher_may_end(const struct lli_matcher *m);

#endif
