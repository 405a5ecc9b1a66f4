/* forward/pages.h - the bytes of K and V. Which block holds which position is kv/'s business.
 *
 *     block b:  place 0: K [kv_head], V [kv_head];  place 1: ...            a head's bytes: backend/kernels.h
 *
 * Which layer stands in which place of a block of which group says forward/layout.h.
 *
 * A block's bytes mean nothing until its first position is stored; they are cleared just before, so that attention meets
 * finite values only. */
#ifndef LLI_FORWARD_PAGES_H
#define LLI_FORWARD_PAGES_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "forward/layout.h"
#include "model/config.h"

struct llminf_error;

struct lli_pages {
    struct lli_heap *heap;
    uint8_t *bytes;     /* [n_blocks, block_bytes], aligned to 64; owned */
    size_t block_bytes; /* all layers of a group, and what keeps blocks apart */
    size_t page_bytes;  /* K or V of one layer */
    size_t head_bytes;  /* of one head in a page */
    uint32_t n_blocks;
    uint32_t type; /* enum lli_type: F32, F16 or Q8_0 */
    struct lli_layout layout;
};

/* 0 if it does not fit a size_t. config: of the whole model; slice: the layers and heads that count, NULL: all. kv_type: enum
 * lli_kv_type. */
size_t lli_pages_block_bytes(const struct lli_config *config, const struct lli_slice *slice, int kv_type);

int32_t lli_pages_init(struct lli_pages *pages, struct lli_heap *heap, const struct lli_config *config,
                       const struct lli_slice *slice, int kv_type, uint32_t n_blocks, struct llminf_error *err);
void lli_pages_finish(struct lli_pages *pages); /* accepts a zeroed struct */

static inline uint8_t *lli_pages_block(const struct lli_pages *pages, uint32_t block)
{
    return pages->bytes + block * pages->block_bytes;
}

static inline uint8_t *lli_pages_k(const struct lli_pages *pages, uint32_t block, uint32_t layer)
{
    return lli_pages_block(pages, block) + (size_t)2 * pages->layout.places[layer] * pages->page_bytes;
}

static inline uint8_t *lli_pages_v(const struct lli_pages *pages, uint32_t block, uint32_t layer)
{
    return lli_pages_k(pages, block, layer) + pages->page_bytes;
}

/* For a block whose first position is about to be stored. */
void lli_pages_clear(const struct lli_pages *pages, uint32_t block);

/* All positions of a block, so that what lies behind those that count is finite too. */
void lli_pages_copy(const struct lli_pages *pages, uint32_t dst, uint32_t src);

/* Takes the memory of all blocks from the system now; gives that of one, which nobody needs, back. */
void lli_pages_touch(const struct lli_pages *pages);
void lli_pages_forget(const struct lli_pages *pages, uint32_t block);

#endif
