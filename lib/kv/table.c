/* kv/table.c - Invariant: entries 0 .. n - 1 name blocks that this table holds one reference on each. */
#include "kv/table.h"

#include <string.h>

#include "llminf/status.h"

#include "base/size.h"

int32_t lli_table_reserve(struct lli_table *table, struct lli_heap *heap, uint32_t cap)
{
    if (cap <= table->cap)
        return LLMINF_OK;
    size_t bytes;
    if (lli_size_mul(&bytes, cap, sizeof *table->blocks))
        return LLMINF_E_MEMORY;
    uint32_t *blocks = lli_realloc(heap, table->blocks, bytes);
    if (!blocks)
        return LLMINF_E_MEMORY;
    table->blocks = blocks;
    table->cap = cap;
    return LLMINF_OK;
}

void lli_table_finish(struct lli_table *table, struct lli_heap *heap)
{
    lli_free(heap, table->blocks);
    *table = (struct lli_table){0};
}

void lli_table_move(struct lli_table *table, struct lli_table *roomier)
{
    struct lli_table old = *table;
    if (old.n > 0)
        memcpy(roomier->blocks, old.blocks, old.n * sizeof *old.blocks);
    *table = (struct lli_table){.blocks = roomier->blocks, .n = old.n, .cap = roomier->cap};
    *roomier = (struct lli_table){.blocks = old.blocks, .cap = old.cap};
}

int32_t lli_table_append(struct lli_table *table, struct lli_pool *pool, uint32_t n_tokens)
{
    uint32_t n = lli_table_blocks(n_tokens);
    if (n > table->cap)
        return LLMINF_E_INTERNAL;
    if (n > table->n && n - table->n > pool->n_free)
        return LLMINF_E_FULL;
    while (table->n < n)
        table->blocks[table->n++] = lli_pool_take(pool);
    return LLMINF_OK;
}

void lli_table_cut(struct lli_table *table, struct lli_pool *pool, uint32_t n_tokens)
{
    uint32_t n = lli_table_blocks(n_tokens);
    while (table->n > n)
        lli_pool_unref(pool, table->blocks[--table->n]);
}
