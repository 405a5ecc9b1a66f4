/* kv/pool.c - Invariant: every block but 0 is on the free list (refs 0, holds 0, nothing known of it), or on the LRU list
 * (refs 0, holds 0, still found), or used (refs or holds above 0).
 *
 *     free list   free_head -> lru_next -> ...                            a stack
 *     LRU list    lru_head (oldest) <-> ... <-> lru_tail (given up last)
 *
 * Who gives a table up does so from its last block to its first, so a child is older in the LRU than its parent, and where the
 * lead group has full attention no block is recycled that others hang on. */
#include "kv/pool.h"

#include "llminf/status.h"

#include "kv/prefix.h"

int32_t lli_pool_init(struct lli_pool *pool, struct lli_heap *heap, uint32_t n_blocks, const uint32_t *windows,
                      uint32_t n_groups, uint64_t secret)
{
    *pool = (struct lli_pool){.heap = heap, .n_blocks = n_blocks, .n_free = n_blocks - 1, .n_groups = n_groups};
    pool->free_head = n_blocks > 1 ? 1 : LLI_NONE;
    pool->lru_head = pool->lru_tail = LLI_NONE;
    for (uint32_t g = 0; g < n_groups; g++)
        pool->windows[g] = windows[g];
    pool->blocks = lli_alloc_zero(heap, n_blocks, sizeof *pool->blocks);
    if (!pool->blocks || lli_prefix_init(&pool->index, heap, n_blocks, secret) != LLMINF_OK)
        return LLMINF_E_MEMORY;
    for (uint32_t id = 0; id < n_blocks; id++) {
        struct lli_block *block = &pool->blocks[id];
        block->lru_next = id > 0 && id + 1 < n_blocks ? id + 1 : LLI_NONE;
        block->child = block->attached = LLI_NONE;
    }
    pool->blocks[0].generation = 1;
    return LLMINF_OK;
}

void lli_pool_finish(struct lli_pool *pool)
{
    if (pool->heap) {
        lli_free(pool->heap, pool->blocks);
        lli_prefix_finish(&pool->index, pool->heap);
    }
    *pool = (struct lli_pool){0};
}

size_t lli_pool_bytes(uint32_t n_blocks)
{
    return n_blocks * sizeof(struct lli_block) + lli_prefix_slots(n_blocks) * sizeof(struct lli_slot);
}

uint32_t lli_pool_fit(uint64_t budget, size_t block_bytes)
{
    uint64_t n = 0, most = budget / block_bytes;
    most = most < LLI_NONE ? most : LLI_NONE - 1;
    for (uint64_t step = (uint64_t)1 << 31; step > 0; step /= 2)
        if (n + step <= most && (n + step) * block_bytes + lli_pool_bytes((uint32_t)(n + step)) <= budget)
            n += step;
    return (uint32_t)n;
}

/* ---- lists ------------------------------------------------------------------------------------------------------- */

static void cache(struct lli_pool *pool, uint32_t id)
{
    struct lli_block *block = &pool->blocks[id];
    block->lru_prev = pool->lru_tail;
    block->lru_next = LLI_NONE;
    *(pool->lru_tail == LLI_NONE ? &pool->lru_head : &pool->blocks[pool->lru_tail].lru_next) = id;
    pool->lru_tail = id;
    pool->n_cached++;
}

static void uncache(struct lli_pool *pool, uint32_t id)
{
    const struct lli_block *block = &pool->blocks[id];
    *(block->lru_prev == LLI_NONE ? &pool->lru_head : &pool->blocks[block->lru_prev].lru_next) = block->lru_next;
    *(block->lru_next == LLI_NONE ? &pool->lru_tail : &pool->blocks[block->lru_next].lru_prev) = block->lru_prev;
    pool->n_cached--;
}

static void make_free(struct lli_pool *pool, uint32_t id)
{
    struct lli_block *block = &pool->blocks[id];
    block->state = LLI_BLOCK_FREE;
    block->n_filled = 0;
    block->lru_next = pool->free_head;
    pool->free_head = id;
    pool->n_free++;
}

uint32_t lli_pool_take(struct lli_pool *pool, uint32_t group)
{
    uint32_t id = pool->free_head;
    if (pool->n_free > 0) {
        pool->free_head = pool->blocks[id].lru_next;
        pool->n_free--;
    } else {
        id = pool->lru_head;
        if (id == LLI_NONE)
            return LLI_NONE;
        uncache(pool, id);
        lli_prefix_forget(pool, id);
        pool->counters.recycled++;
    }
    struct lli_block *block = &pool->blocks[id];
    uint32_t generation = block->generation + 1;
    *block = (struct lli_block){.refs = 1,
                                .generation = generation ? generation : 1,
                                .state = LLI_BLOCK_OPEN,
                                .group = (uint16_t)group,
                                .child = LLI_NONE,
                                .attached = LLI_NONE};
    pool->epoch++;
    return id;
}

/* ---- who needs it ------------------------------------------------------------------------------------------------ */

static int is_used(const struct lli_block *block)
{
    return block->refs > 0 || block->holds > 0;
}

/* A block that a table or a copy may name: used or cached. */
static int is_there(const struct lli_pool *pool, uint32_t id)
{
    return id > 0 && id < pool->n_blocks && pool->blocks[id].state != LLI_BLOCK_FREE;
}

static int32_t need(struct lli_pool *pool, uint32_t id, uint32_t *count)
{
    if (*count == UINT32_MAX)
        return LLMINF_E_INTERNAL;
    if (!is_used(&pool->blocks[id]))
        uncache(pool, id);
    ++*count;
    return LLMINF_OK;
}

static int32_t need_no_more(struct lli_pool *pool, uint32_t id, uint32_t *count)
{
    const struct lli_block *block = &pool->blocks[id];
    if (*count == 0)
        return LLMINF_E_INTERNAL;
    --*count;
    pool->epoch++;
    if (is_used(block))
        return LLMINF_OK;
    if (block->parent_generation != 0 && block->n_filled > 0) {
        cache(pool, id);
    } else {
        lli_prefix_forget(pool, id);
        make_free(pool, id);
    }
    return LLMINF_OK;
}

int32_t lli_pool_ref(struct lli_pool *pool, uint32_t id)
{
    return is_there(pool, id) ? need(pool, id, &pool->blocks[id].refs) : LLMINF_E_INTERNAL;
}

int32_t lli_pool_unref(struct lli_pool *pool, uint32_t id)
{
    return is_there(pool, id) ? need_no_more(pool, id, &pool->blocks[id].refs) : LLMINF_E_INTERNAL;
}

int32_t lli_pool_hold(struct lli_pool *pool, uint32_t id)
{
    return is_there(pool, id) ? need(pool, id, &pool->blocks[id].holds) : LLMINF_E_INTERNAL;
}

int32_t lli_pool_unhold(struct lli_pool *pool, uint32_t id)
{
    return is_there(pool, id) ? need_no_more(pool, id, &pool->blocks[id].holds) : LLMINF_E_INTERNAL;
}

uint32_t lli_pool_trim(struct lli_pool *pool, uint32_t n_keep, uint32_t *ids, uint32_t cap)
{
    uint32_t n = 0;
    while (n < cap && pool->n_cached > n_keep) {
        uint32_t id = pool->lru_head;
        uncache(pool, id);
        lli_prefix_forget(pool, id);
        make_free(pool, id);
        pool->epoch++;
        ids[n++] = id;
    }
    return n;
}

/* ---- checks ------------------------------------------------------------------------------------------------------ */

static const char *check_free(const struct lli_pool *pool)
{
    uint32_t id = pool->free_head;
    for (uint32_t n = 0; n < pool->n_free; n++, id = pool->blocks[id].lru_next) {
        if (id == 0 || id >= pool->n_blocks)
            return "the free list leaves the pool or ends early";
        if (is_used(&pool->blocks[id]) || pool->blocks[id].state != LLI_BLOCK_FREE)
            return "a block on the free list is not free";
    }
    return id == LLI_NONE ? NULL : "the free list goes on behind n_free blocks";
}

static const char *check_lru(const struct lli_pool *pool)
{
    uint32_t id = pool->lru_head, before = LLI_NONE;
    for (uint32_t n = 0; n < pool->n_cached; n++, before = id, id = pool->blocks[id].lru_next) {
        if (id == 0 || id >= pool->n_blocks)
            return "the LRU list leaves the pool or ends early";
        const struct lli_block *block = &pool->blocks[id];
        if (is_used(block) || (block->state != LLI_BLOCK_OPEN && block->state != LLI_BLOCK_FULL))
            return "a block on the LRU list is not cached";
        if (block->lru_prev != before)
            return "the LRU list is not linked backwards";
    }
    return id == LLI_NONE && pool->lru_tail == before ? NULL : "the LRU list goes on behind n_cached blocks";
}

static int is_known(const struct lli_block *block)
{
    return block->group == 0 && (block->state == LLI_BLOCK_PENDING || block->state == LLI_BLOCK_FULL);
}

/* I4: from each slot to its block, and as many slots as known blocks. */
static const char *check_index(const struct lli_pool *pool)
{
    uint32_t n_slots = 0, n_known = 0;
    for (uint32_t i = 0; i <= pool->index.mask; i++) {
        uint32_t id = pool->index.slots[i].block;
        if (id == 0)
            continue;
        const struct lli_block *block = &pool->blocks[id];
        n_slots++;
        if (!is_known(block) || pool->index.slots[i].tag != (uint32_t)(block->hash >> 32))
            return "a slot of the index leads to a block that is not known";
        for (uint32_t at = (uint32_t)block->hash & pool->index.mask; at != i; at = (at + 1) & pool->index.mask)
            if (pool->index.slots[at].block == 0 || pool->index.slots[at].block == id)
                return "a slot of the index cannot be reached, or is there twice";
    }
    for (uint32_t id = 1; id < pool->n_blocks; id++)
        n_known += (uint32_t)is_known(&pool->blocks[id]);
    return n_slots == n_known && n_slots == pool->index.n ? NULL : "a known block has no slot";
}

static const char *check_list(uint32_t *n, const struct lli_pool *pool, uint32_t parent, uint32_t first, int is_lead)
{
    for (uint32_t id = first, before = LLI_NONE; id != LLI_NONE; before = id, id = pool->blocks[id].sibling_next) {
        if (id == 0 || id >= pool->n_blocks || ++*n > pool->n_blocks)
            return "a list of children leaves the pool or ends nowhere";
        const struct lli_block *block = &pool->blocks[id];
        if (block->parent != parent || block->parent_generation != pool->blocks[parent].generation)
            return "a child names another parent";
        if (block->sibling_prev != before || (block->group == 0) != is_lead)
            return "a list of children is not linked backwards, or mixes groups";
        if (block->state == LLI_BLOCK_FREE || block->state == LLI_BLOCK_PENDING || block->n_filled == 0)
            return "a child is free, pending or empty";
        if (block->state == LLI_BLOCK_FULL && block->n_filled != LLI_BLOCK_TOKENS)
            return "a full block is not filled";
    }
    return NULL;
}

static const char *check_children(const struct lli_pool *pool)
{
    uint32_t n_listed = 0, n_linked = 0;
    const char *wrong = NULL;
    for (uint32_t id = 0; id < pool->n_blocks && !wrong; id++) {
        const struct lli_block *block = &pool->blocks[id];
        wrong = check_list(&n_listed, pool, id, block->child, 1);
        if (!wrong)
            wrong = check_list(&n_listed, pool, id, block->attached, 0);
        if (id > 0 && block->state != LLI_BLOCK_FREE && block->state != LLI_BLOCK_PENDING)
            n_linked += block->parent_generation != 0;
    }
    if (!wrong && n_listed != n_linked)
        wrong = "a block hangs on a parent that does not list it";
    return wrong;
}

const char *lli_pool_check(const struct lli_pool *pool)
{
    uint32_t n_used = 0;
    if (is_used(&pool->blocks[0]) || pool->blocks[0].state != LLI_BLOCK_FREE)
        return "the null block is held";
    for (uint32_t id = 1; id < pool->n_blocks; id++) {
        const struct lli_block *block = &pool->blocks[id];
        n_used += (uint32_t)is_used(block);
        if (block->state == LLI_BLOCK_PENDING && block->refs == 0)
            return "a pending block is nobody's";
    }
    if (pool->n_free + pool->n_cached + n_used + 1 != pool->n_blocks)
        return "blocks free, cached, used and null are not the whole pool";
    const char *wrong = check_free(pool);
    if (!wrong)
        wrong = check_lru(pool);
    if (!wrong)
        wrong = check_index(pool);
    return wrong ? wrong : check_children(pool);
}
