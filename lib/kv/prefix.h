/* kv/prefix.h - which block holds which tokens behind which prefix.
 *
 * A key is (extra, parent block and its generation, 16 token ids), found through the hash of the chain: h(i) = XXH3(tokens of
 * block i, seeded by h(i - 1)), h(-1) from extra and the pool's secret. All of the key is compared, so that by induction the
 * whole prefix is equal: a collision costs a compare, never a wrong hit. Blocks that are not full hang on their parent in a
 * list of children. All functions: inside kv/ only. */
#ifndef LLI_KV_PREFIX_H
#define LLI_KV_PREFIX_H

#include <stdint.h>

#include "kv/pool.h"

enum { LLI_MAX_CHILDREN = 8 }; /* children of a block that a lookup compares */

int32_t lli_prefix_init(struct lli_index *index, struct lli_heap *heap, uint32_t n_blocks, uint64_t secret); /* MEMORY */
void lli_prefix_finish(struct lli_index *index, struct lli_heap *heap);
size_t lli_prefix_slots(uint32_t n_blocks);

/* The hash that begins a chain, and that of the chain with 16 more tokens. */
uint64_t lli_prefix_seed(const struct lli_pool *pool, uint64_t extra);
uint64_t lli_prefix_next(uint64_t hash, const int32_t *tokens);

/* The PENDING or FULL block with this key, or LLI_NONE. */
uint32_t lli_prefix_find(struct lli_pool *pool, uint64_t hash, uint64_t extra, uint32_t parent, const int32_t *tokens);

/* The child of `parent` that has the most of tokens[n] at its beginning; *n_out: how many. LLI_NONE: none has any. */
uint32_t lli_prefix_child(uint32_t *n_out, const struct lli_pool *pool, uint32_t parent, uint64_t extra, const int32_t *tokens,
                          uint32_t n);

/* Makes an OPEN lead block known under its key, as PENDING. 0: the index has no room near its place, it stays OPEN. */
int lli_prefix_enter(struct lli_pool *pool, uint32_t id, uint64_t hash, uint64_t extra, uint32_t parent, const int32_t *tokens);

/* PENDING or FULL to OPEN; out of the index. */
void lli_prefix_leave(struct lli_pool *pool, uint32_t id);

/* Into and out of the parent's list: of children for a lead block, of attached ones for others. */
void lli_prefix_link(struct lli_pool *pool, uint32_t id, uint32_t parent);
void lli_prefix_unlink(struct lli_pool *pool, uint32_t id);

/* The block of this group for the tokens of a lead block, or LLI_NONE. */
uint32_t lli_prefix_attached(const struct lli_pool *pool, uint32_t lead, uint32_t group);

/* Out of index and lists; its children and what is attached to it hang on nothing any more. */
void lli_prefix_forget(struct lli_pool *pool, uint32_t id);

#endif
