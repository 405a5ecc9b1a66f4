/* grammar/grammar.h - a compiled grammar over a vocabulary, and what is known of its tokens wherever they come.
 *
 * Most tokens are possible or not at an operation whatever rules were called on the way to it: those that end before the rule
 * returns. Such a mask is made once for an operation and kept; the others are known by the bytes at which the rule returns
 * ("exits"), and only what follows these is looked at with the calls of a state (compare XGrammar: Dong et al., "XGrammar:
 * flexible and efficient structured generation engine for large language models", 2024). Any number of threads may use it. */
#ifndef LLI_GRAMMAR_GRAMMAR_H
#define LLI_GRAMMAR_GRAMMAR_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "grammar/automaton.h"
#include "grammar/program.h"
#include "grammar/trie.h"

struct llminf_error;

#define LLI_MASK_EXITS 4096u /* an operation with more of them has no mask */

struct lli_grammar {
    struct lli_heap *heap;
    const struct lli_trie *trie;
    struct lli_program program;
    uint32_t n_words; /* of a mask: a bit for each token of the vocabulary, in 32-bit words */
    _Atomic uint32_t refs;

    pthread_mutex_t lock; /* guards all below */
    int has_lock;
    struct lli_automaton loose; /* knows no callers */
    uint16_t *walk;             /* [max_depth + 1] sets on the way to a node */
    uint16_t *slot_of;          /* [operations] slot + 1, or 0 */
    uint32_t *op_of;            /* [slots] */
    uint32_t *masks;            /* [slots, n_words] */
    uint32_t *exits;            /* [slots, LLI_MASK_EXITS] nodes */
    uint32_t *n_exits;          /* [slots] UINT32_MAX: too many, no mask */
    uint32_t n_slots, n_used, next;
};

/* From the parts of a grammar, with one reference. The trie outlives it. GRAMMAR, LIMIT, MEMORY, IO. */
int32_t lli_grammar_new(struct lli_grammar **out, struct lli_parts *parts, uint32_t root, const struct lli_trie *trie);
void lli_grammar_ref(struct lli_grammar *g);
void lli_grammar_unref(struct lli_grammar *g); /* NULL does nothing */

/* Adds the tokens that are possible at an operation whatever called its rule to mask, and gives the exits. 0, or -1: there are
 * too many. */
int lli_grammar_look(struct lli_grammar *g, uint32_t op, uint32_t *mask, uint32_t *exits, uint32_t *n_exits_out);

/* Sets the bits of the tokens below node `from` that can be read from `set`; walk: [max_depth + 1]. exits: where it is not
 * NULL, the nodes at which everything has returned and below which more follows, at most LLI_MASK_EXITS. LLI_SET_FULL: no
 * room, of the automaton or for exits; else 0. */
uint32_t lli_grammar_walk(const struct lli_trie *trie, struct lli_automaton *a, uint32_t from, uint32_t set, uint16_t *walk,
                          uint32_t *mask, uint32_t *exits, uint32_t *n_exits);

#endif
