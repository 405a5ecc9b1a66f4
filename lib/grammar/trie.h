/* grammar/trie.h - the texts of a vocabulary's tokens as a tree of bytes, in the order of a walk in depth.
 *
 *     a 1 | ab 2 | abc 3 | b 4        node i's subtree is i .. end - 1, so a walk that skips one goes on at `end`
 *
 * Left out are tokens that are no text: control, unknown and unused ones, those that end a generation, and empty ones. */
#ifndef LLI_GRAMMAR_TRIE_H
#define LLI_GRAMMAR_TRIE_H

#include <stdint.h>

#include "base/alloc.h"
#include "base/buffer.h"
#include "text/vocab.h"

struct llminf_error;

struct lli_trie_node {
    uint32_t end;        /* behind its subtree */
    uint32_t first;      /* its own tokens: from here to the next node's first */
    uint32_t depth_byte; /* depth * 256 + byte; the depth of a single byte is 1 */
};

struct lli_trie {
    struct lli_heap *heap;
    const struct lli_vocab *vocab;
    struct lli_buffer list;      /* of nodes */
    struct lli_trie_node *nodes; /* [n + 1] the last one only ends the tokens; nodes[0] is the root, of depth 0 */
    int32_t *tokens;             /* sorted by their texts */
    int32_t *eog;                /* ids that end a generation */
    uint32_t n, n_tokens, n_eog, max_depth;
};

/* The vocabulary outlives it. MEMORY. */
int32_t lli_trie_init(struct lli_trie *trie, struct lli_heap *heap, const struct lli_vocab *vocab, struct llminf_error *err);
void lli_trie_finish(struct lli_trie *trie); /* accepts a zeroed struct */

#endif
