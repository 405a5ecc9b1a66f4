/* kv/pool.h - blocks of 16 positions of one layer group: who holds which. Ids only; the bytes of K and V belong to
 * forward/pages.
 *
 *     state     refs   in the index          in a child list    may be written
 *     FREE      0      no                    no                 no
 *     OPEN      any    no                    if n_filled > 0    if refs == 1, by the session that lists it
 *     PENDING   >= 1   yes; lookup stops     no                 by that session, this step only
 *     FULL      any    yes (lead group)      yes                never
 *
 * OPEN or FULL with refs == 0 and holds == 0 is cached: on the LRU list, still found, first to be recycled. Block 0 is the
 * null block and the root of all chains: never taken, never freed. No lock: the caller holds the context's. */
#ifndef LLI_KV_POOL_H
#define LLI_KV_POOL_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

#ifndef LLI_BLOCK_TOKENS
#define LLI_BLOCK_TOKENS 16
#endif
#define LLI_NONE 0xffffffffu
#define LLI_GROUPS_MAX 8

enum lli_block_state { LLI_BLOCK_FREE, LLI_BLOCK_OPEN, LLI_BLOCK_PENDING, LLI_BLOCK_FULL };

struct lli_block {               /* 128 bytes */
    uint32_t refs;               /* table entries that name the block */
    uint32_t generation;         /* +1 whenever it is taken, never 0 */
    uint32_t parent;             /* lead: previous block of the chain, 0 for the first; other groups: their lead block */
    uint32_t parent_generation;  /* of the parent, when the link was made; 0: no link */
    uint64_t extra;              /* whose prefixes it may serve (adapter, salt); part of the key */
    uint8_t state, n_filled;     /* enum lli_block_state; tokens with valid K and V */
    uint16_t group;              /* 0: lead */
    uint32_t holds;              /* copies in flight that read it */
    uint64_t hash;               /* of the chain; lead blocks that are or were in the index */
    uint32_t lru_prev, lru_next; /* LRU list; lru_next also links the free list */
    uint32_t child, attached;    /* newest lead child; newest block of another group for the same tokens */
    uint32_t sibling_prev, sibling_next;
    int32_t tokens[LLI_BLOCK_TOKENS]; /* of the lead group: n_filled of them, all once it is PENDING */
};

/* What it did since init; only grows. */
struct lli_pool_counters {
    uint64_t recycled, deduplicated, rejects; /* rejects: hashes that met with other tokens */
};

/* The prefix index (kv/prefix.c): open addressing over the lead blocks in PENDING and FULL. */
struct lli_index {
    struct lli_slot {
        uint32_t tag, block; /* high half of the hash; 0: the slot is empty */
    } * slots;               /* [mask + 1], a power of two, at least twice the blocks */
    uint32_t mask, n;
    uint64_t secret; /* seeds every chain; tests fix it */
};

struct lli_pool {
    struct lli_heap *heap;
    struct lli_block *blocks; /* [n_blocks], id = index */
    uint32_t n_blocks, n_free, n_cached, free_head, lru_head, lru_tail;
    uint32_t n_groups;
    uint32_t windows[LLI_GROUPS_MAX]; /* positions that a group's layers see; 0: all. Group 0 is the lead */
    uint64_t epoch; /* +1 whenever a block is taken, given back or made known: what was looked up may have changed */
    struct lli_index index;
    struct lli_pool_counters counters;
};

/* n_blocks >= 2, the null block counted; 1 to LLI_GROUPS_MAX groups. 0 or MEMORY. */
int32_t lli_pool_init(struct lli_pool *pool, struct lli_heap *heap, uint32_t n_blocks, const uint32_t *windows,
                      uint32_t n_groups, uint64_t secret);
void lli_pool_finish(struct lli_pool *pool); /* accepts a zeroed struct */

/* Bytes of bookkeeping for so many blocks. */
size_t lli_pool_bytes(uint32_t n_blocks);

/* The most blocks of so many bytes that the budget holds with their bookkeeping. */
uint32_t lli_pool_fit(uint64_t budget, size_t block_bytes);

/* Blocks that take can still give. */
static inline uint32_t lli_pool_available(const struct lli_pool *pool)
{
    return pool->n_free + pool->n_cached;
}

/* An OPEN block with refs 1, or LLI_NONE: a free one, else the oldest cached one, which is forgotten as a prefix. */
uint32_t lli_pool_take(struct lli_pool *pool, uint32_t group);

/* 0, or LLMINF_E_INTERNAL (state unchanged): ref and hold of a free or null block, unref and unhold of one without. What
 * nobody refers to or holds any more stays cached if it can be found, else it is free. */
int32_t lli_pool_ref(struct lli_pool *pool, uint32_t id);
int32_t lli_pool_unref(struct lli_pool *pool, uint32_t id);
int32_t lli_pool_hold(struct lli_pool *pool, uint32_t id);
int32_t lli_pool_unhold(struct lli_pool *pool, uint32_t id);

/* Forgets cached blocks, oldest first, until at most n_keep are cached; they become free. Writes the ids of at most
 * `cap` of them; returns how many it wrote. Called again until it returns 0. */
uint32_t lli_pool_trim(struct lli_pool *pool, uint32_t n_keep, uint32_t *ids, uint32_t cap);

/* Test builds: NULL, or what is wrong (I1, I4, lists, counts). */
const char *lli_pool_check(const struct lli_pool *pool);

#endif
