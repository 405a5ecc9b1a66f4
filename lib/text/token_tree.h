/* text/token_tree.h - a tree of the tokens that a text may hold, walked byte by byte. */
#ifndef LLI_TEXT_TOKEN_TREE_H
#define LLI_TEXT_TOKEN_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "text/vocab.h"

struct lli_token_tree;

#define LLI_TRIE_ROOT 0u
#define LLI_NO_NODE UINT32_MAX

/* Of the plain tokens of v, as they stand in the file. LIMIT if one is longer than max_bytes, or over
 * LLI_MAX_AUTOMATON_BYTES. */
int32_t lli_token_tree_new(struct lli_token_tree **out, const struct lli_vocab *v, size_t max_bytes, struct llminf_error *err);
void lli_token_tree_free(struct lli_token_tree *t); /* NULL does nothing */

/* The node that a byte leads to, or LLI_NO_NODE; and what ends there: an id, or LLI_NO_TOKEN. */
uint32_t lli_token_tree_next(const struct lli_token_tree *t, uint32_t node, uint8_t byte);
int32_t lli_token_tree_token(const struct lli_token_tree *t, uint32_t node);

/* The node that a text leads to from the root, or LLI_NO_NODE. */
uint32_t lli_token_tree_walk(const struct lli_token_tree *t, struct lli_text text);

#endif
