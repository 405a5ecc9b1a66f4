/* kv/pool.h - blocks of 16 positions: who holds which. Ids only; the bytes of K and V belong to forward/pages.
 *
 *     free  --take-->  held (refs >= 1)  --unref to 0-->  free
 *
 * Block 0 is the null block: never taken, never freed. No lock: the caller holds the context's. All memory is taken at init. */
#ifndef LLI_KV_POOL_H
#define LLI_KV_POOL_H

#include <stdint.h>

#include "base/alloc.h"

#define LLI_BLOCK_TOKENS 16
#define LLI_NONE 0xffffffffu

struct lli_block {
    uint32_t refs;      /* table entries that name the block */
    uint32_t next_free; /* valid while refs == 0 */
};

struct lli_pool {
    struct lli_heap *heap;
    struct lli_block *blocks; /* [n_blocks], id = index */
    uint32_t n_blocks, n_free, free_head;
};

int32_t lli_pool_init(struct lli_pool *pool, struct lli_heap *heap, uint32_t n_blocks); /* n_blocks >= 2; 0 or MEMORY */
void lli_pool_finish(struct lli_pool *pool);

/* A block with refs 1, or LLI_NONE. Those freed last come first. */
uint32_t lli_pool_take(struct lli_pool *pool);

/* 0, or LLMINF_E_INTERNAL (state unchanged) for a block that is not held. */
int32_t lli_pool_ref(struct lli_pool *pool, uint32_t id);
int32_t lli_pool_unref(struct lli_pool *pool, uint32_t id);

/* Test builds: NULL, or what is wrong with the free list and the counts. */
const char *lli_pool_check(const struct lli_pool *pool);

#endif
