/* base/arena.h - many small things that live and die together: chunks taken from a heap, freed all at once. */
#ifndef LLI_BASE_ARENA_H
#define LLI_BASE_ARENA_H

#include <stddef.h>

#include "base/alloc.h"

struct lli_arena_chunk;

struct lli_arena {
    struct lli_heap *heap;
    struct lli_arena_chunk *newest; /* chunks are linked from the newest to the first */
    size_t chunk_bytes;
};

void lli_arena_init(struct lli_arena *arena, struct lli_heap *heap, size_t chunk_bytes);
void lli_arena_finish(struct lli_arena *arena); /* accepts a zeroed arena */

/* Bytes of an arena with one chunk. */
size_t lli_arena_bytes(size_t chunk_bytes);

/* Zeroed memory, 16-aligned; NULL when there is none. Larger than a chunk is fine. */
void *lli_arena_take(struct lli_arena *arena, size_t n, size_t each);

/* A copy of n bytes with a NUL behind them. */
char *lli_arena_text(struct lli_arena *arena, const void *bytes, size_t n);

#endif
