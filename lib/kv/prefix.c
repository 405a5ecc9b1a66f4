/* kv/prefix.c - open addressing with linear probing; deletion shifts back, so that no slot is ever a grave. Invariant: each
 * lead block in PENDING or FULL is reached by exactly one slot, at most MAX_PROBES behind its place; no other block is. */
#include "kv/prefix.h"

#include <string.h>

#include "llminf/status.h"

#include "base/hash.h"

enum { MAX_PROBES = 16 };

size_t lli_prefix_slots(uint32_t n_blocks)
{
    size_t n = 2;
    while (n < 2 * (size_t)n_blocks)
        n *= 2;
    return n;
}

int32_t lli_prefix_init(struct lli_index *index, struct lli_heap *heap, uint32_t n_blocks, uint64_t secret)
{
    size_t n = lli_prefix_slots(n_blocks);
    *index = (struct lli_index){.mask = (uint32_t)(n - 1), .secret = secret};
    index->slots = lli_alloc_zero(heap, n, sizeof *index->slots);
    return index->slots ? LLMINF_OK : LLMINF_E_MEMORY;
}

void lli_prefix_finish(struct lli_index *index, struct lli_heap *heap)
{
    lli_free(heap, index->slots);
    *index = (struct lli_index){0};
}

/* ---- keys -------------------------------------------------------------------------------------------------------- */

uint64_t lli_prefix_seed(const struct lli_pool *pool, uint64_t extra)
{
    return lli_hash(&extra, sizeof extra, pool->index.secret);
}

uint64_t lli_prefix_next(uint64_t hash, const int32_t *tokens)
{
    return lli_hash(tokens, LLI_BLOCK_TOKENS * sizeof *tokens, hash);
}

static int hangs_on(const struct lli_pool *pool, const struct lli_block *block, uint32_t parent)
{
    return block->parent == parent && block->parent_generation == pool->blocks[parent].generation;
}

uint32_t lli_prefix_find(struct lli_pool *pool, uint64_t hash, uint64_t extra, uint32_t parent, const int32_t *tokens)
{
    const struct lli_index *index = &pool->index;
    uint32_t tag = (uint32_t)(hash >> 32);
    for (uint32_t i = (uint32_t)hash & index->mask; index->slots[i].block != 0; i = (i + 1) & index->mask) {
        const struct lli_block *block = &pool->blocks[index->slots[i].block];
        if (index->slots[i].tag != tag || block->hash != hash)
            continue;
        if (block->extra == extra && hangs_on(pool, block, parent) && memcmp(block->tokens, tokens, sizeof block->tokens) == 0)
            return index->slots[i].block;
        pool->counters.rejects++;
    }
    return LLI_NONE;
}

uint32_t lli_prefix_child(uint32_t *n_out, const struct lli_pool *pool, uint32_t parent, uint64_t extra, const int32_t *tokens,
                          uint32_t n)
{
    uint32_t best = LLI_NONE, id = pool->blocks[parent].child;
    *n_out = 0;
    for (int i = 0; i < LLI_MAX_CHILDREN && id != LLI_NONE; i++, id = pool->blocks[id].sibling_next) {
        const struct lli_block *block = &pool->blocks[id];
        uint32_t k = 0, most = block->n_filled < n ? block->n_filled : n;
        if (block->extra != extra)
            continue;
        while (k < most && block->tokens[k] == tokens[k])
            k++;
        if (k > *n_out) {
            *n_out = k;
            best = id;
        }
    }
    return best;
}

/* ---- index ------------------------------------------------------------------------------------------------------- */

int lli_prefix_enter(struct lli_pool *pool, uint32_t id, uint64_t hash, uint64_t extra, uint32_t parent, const int32_t *tokens)
{
    struct lli_index *index = &pool->index;
    struct lli_block *block = &pool->blocks[id];
    uint32_t at = (uint32_t)hash & index->mask;
    for (int i = 0; index->slots[at].block != 0; i++, at = (at + 1) & index->mask)
        if (i == MAX_PROBES - 1)
            return 0;
    index->slots[at] = (struct lli_slot){.tag = (uint32_t)(hash >> 32), .block = id};
    index->n++;
    block->state = LLI_BLOCK_PENDING;
    block->hash = hash;
    block->extra = extra;
    block->parent = parent;
    block->parent_generation = pool->blocks[parent].generation;
    memcpy(block->tokens, tokens, sizeof block->tokens);
    pool->epoch++;
    return 1;
}

static uint32_t place_of(const struct lli_pool *pool, uint32_t at)
{
    return (uint32_t)pool->blocks[pool->index.slots[at].block].hash & pool->index.mask;
}

void lli_prefix_leave(struct lli_pool *pool, uint32_t id)
{
    struct lli_index *index = &pool->index;
    uint32_t mask = index->mask, hole = (uint32_t)pool->blocks[id].hash & mask;
    while (index->slots[hole].block != id)
        hole = (hole + 1) & mask;
    for (uint32_t at = (hole + 1) & mask; index->slots[at].block != 0; at = (at + 1) & mask)
        if (((at - place_of(pool, at)) & mask) >= ((at - hole) & mask)) { /* its place is not behind the hole */
            index->slots[hole] = index->slots[at];
            hole = at;
        }
    index->slots[hole].block = 0;
    index->n--;
    pool->blocks[id].state = LLI_BLOCK_OPEN;
    pool->epoch++;
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

static uint32_t *first_of(struct lli_pool *pool, const struct lli_block *block)
{
    struct lli_block *parent = &pool->blocks[block->parent];
    return block->group == 0 ? &parent->child : &parent->attached;
}

void lli_prefix_link(struct lli_pool *pool, uint32_t id, uint32_t parent)
{
    struct lli_block *block = &pool->blocks[id];
    block->parent = parent;
    block->parent_generation = pool->blocks[parent].generation;
    uint32_t *first = first_of(pool, block);
    block->sibling_prev = LLI_NONE;
    block->sibling_next = *first;
    if (*first != LLI_NONE)
        pool->blocks[*first].sibling_prev = id;
    *first = id;
    pool->epoch++;
}

void lli_prefix_unlink(struct lli_pool *pool, uint32_t id)
{
    struct lli_block *block = &pool->blocks[id];
    if (block->sibling_prev != LLI_NONE)
        pool->blocks[block->sibling_prev].sibling_next = block->sibling_next;
    else
        *first_of(pool, block) = block->sibling_next;
    if (block->sibling_next != LLI_NONE)
        pool->blocks[block->sibling_next].sibling_prev = block->sibling_prev;
    block->parent_generation = 0;
    pool->epoch++;
}

uint32_t lli_prefix_attached(const struct lli_pool *pool, uint32_t lead, uint32_t group)
{
    uint32_t id = pool->blocks[lead].attached;
    while (id != LLI_NONE && pool->blocks[id].group != group)
        id = pool->blocks[id].sibling_next;
    return id;
}

static void detach_all(struct lli_pool *pool, uint32_t first)
{
    for (uint32_t id = first, next; id != LLI_NONE; id = next) {
        struct lli_block *block = &pool->blocks[id];
        next = block->sibling_next;
        if (block->group == 0 && block->state == LLI_BLOCK_FULL)
            lli_prefix_leave(pool, id);
        block->state = LLI_BLOCK_OPEN;
        block->parent_generation = 0;
    }
}

void lli_prefix_forget(struct lli_pool *pool, uint32_t id)
{
    struct lli_block *block = &pool->blocks[id];
    if (block->group == 0 && block->state == LLI_BLOCK_FULL)
        lli_prefix_leave(pool, id);
    if (block->parent_generation != 0)
        lli_prefix_unlink(pool, id);
    detach_all(pool, block->child);
    detach_all(pool, block->attached);
    block->child = block->attached = LLI_NONE;
}
