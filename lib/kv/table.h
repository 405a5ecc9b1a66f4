/* kv/table.h - one session's list of blocks: entry i holds positions 16 i .. 16 i + 15. */
#ifndef LLI_KV_TABLE_H
#define LLI_KV_TABLE_H

#include <stdint.h>

#include "kv/pool.h"

struct lli_table {
    uint32_t *blocks; /* [cap]; owned */
    uint32_t n, cap;
};

static inline uint32_t lli_table_blocks(uint32_t n_tokens) /* blocks that hold n_tokens */
{
    return n_tokens / LLI_BLOCK_TOKENS + (n_tokens % LLI_BLOCK_TOKENS != 0);
}

/* Room for cap entries, so that append allocates nothing. 0 or MEMORY. */
int32_t lli_table_reserve(struct lli_table *table, struct lli_heap *heap, uint32_t cap);
void lli_table_finish(struct lli_table *table, struct lli_heap *heap); /* the entries must have been given back */

/* Moves the entries to an empty table with room for them; the old memory is left in it. Allocates nothing. */
void lli_table_move(struct lli_table *table, struct lli_table *roomier);

/* Takes blocks until n_tokens positions are covered: all or nothing. FULL if the pool has too few, INTERNAL over cap. */
int32_t lli_table_append(struct lli_table *table, struct lli_pool *pool, uint32_t n_tokens);

/* Gives back what lies behind n_tokens positions, last entry first. */
void lli_table_cut(struct lli_table *table, struct lli_pool *pool, uint32_t n_tokens);

#endif
