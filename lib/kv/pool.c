/* kv/pool.c - the free list is a stack through next_free. Invariant: a block is on it exactly while its refs are 0; block 0
 * has refs 0 and is on no list. */
#include "kv/pool.h"

#include "llminf/status.h"

int32_t lli_pool_init(struct lli_pool *pool, struct lli_heap *heap, uint32_t n_blocks)
{
    *pool = (struct lli_pool){.heap = heap, .n_blocks = n_blocks, .n_free = n_blocks - 1, .free_head = 1};
    pool->blocks = lli_alloc_zero(heap, n_blocks, sizeof *pool->blocks);
    if (!pool->blocks)
        return LLMINF_E_MEMORY;
    for (uint32_t id = 1; id < n_blocks; id++)
        pool->blocks[id].next_free = id + 1 < n_blocks ? id + 1 : LLI_NONE;
    return LLMINF_OK;
}

void lli_pool_finish(struct lli_pool *pool)
{
    if (pool->blocks)
        lli_free(pool->heap, pool->blocks);
    *pool = (struct lli_pool){0};
}

uint32_t lli_pool_take(struct lli_pool *pool)
{
    uint32_t id = pool->free_head;
    if (pool->n_free == 0)
        return LLI_NONE;
    pool->free_head = pool->blocks[id].next_free;
    pool->blocks[id] = (struct lli_block){.refs = 1, .next_free = LLI_NONE};
    pool->n_free--;
    return id;
}

static int is_held(const struct lli_pool *pool, uint32_t id)
{
    return id < pool->n_blocks && pool->blocks[id].refs > 0;
}

int32_t lli_pool_ref(struct lli_pool *pool, uint32_t id)
{
    if (!is_held(pool, id) || pool->blocks[id].refs == UINT32_MAX)
        return LLMINF_E_INTERNAL;
    pool->blocks[id].refs++;
    return LLMINF_OK;
}

int32_t lli_pool_unref(struct lli_pool *pool, uint32_t id)
{
    if (!is_held(pool, id))
        return LLMINF_E_INTERNAL;
    if (--pool->blocks[id].refs > 0)
        return LLMINF_OK;
    pool->blocks[id].next_free = pool->free_head;
    pool->free_head = id;
    pool->n_free++;
    return LLMINF_OK;
}

const char *lli_pool_check(const struct lli_pool *pool)
{
    uint32_t n_listed = 0, n_held = 0;
    if (pool->blocks[0].refs != 0)
        return "the null block is held";
    for (uint32_t id = 1; id < pool->n_blocks; id++)
        n_held += pool->blocks[id].refs > 0;
    for (uint32_t id = pool->free_head; n_listed < pool->n_free; n_listed++) {
        if (id == 0 || id >= pool->n_blocks)
            return "the free list leaves the pool or ends early";
        if (pool->blocks[id].refs > 0)
            return "a held block is on the free list";
        id = pool->blocks[id].next_free;
        if (n_listed + 1 == pool->n_free && id != LLI_NONE)
            return "the free list goes on behind n_free blocks";
    }
    return n_held + pool->n_free + 1 == pool->n_blocks ? NULL : "blocks held, free and null are not the whole pool";
}
