/* base/arena.c - chunks linked from the newest to the first. Room is taken from the newest only; what is larger than a
 * quarter of a chunk and does not fit gets a chunk of its own behind the newest, whose room stays in use. */
#include "base/arena.h"

#include <stdint.h>
#include <string.h>

#include "base/size.h"

struct lli_arena_chunk {
    struct lli_arena_chunk *older;
    size_t used, cap; /* bytes behind this header */
};

#define ALIGN 16u
#define HEADER_BYTES ((sizeof(struct lli_arena_chunk) + ALIGN - 1) / ALIGN * ALIGN)

void lli_arena_init(struct lli_arena *arena, struct lli_heap *heap, size_t chunk_bytes)
{
    arena->heap = heap;
    arena->newest = NULL;
    arena->chunk_bytes = chunk_bytes;
}

void lli_arena_finish(struct lli_arena *arena)
{
    while (arena->newest) {
        struct lli_arena_chunk *older = arena->newest->older;
        lli_free(arena->heap, arena->newest);
        arena->newest = older;
    }
}

static struct lli_arena_chunk *new_chunk(struct lli_arena *arena, size_t cap)
{
    size_t bytes;
    if (lli_size_add(&bytes, cap, HEADER_BYTES))
        return NULL;
    struct lli_arena_chunk *chunk = lli_alloc(arena->heap, bytes);
    if (!chunk)
        return NULL;
    *chunk = (struct lli_arena_chunk){.cap = cap};
    return chunk;
}

size_t lli_arena_bytes(size_t chunk_bytes)
{
    return HEADER_BYTES + chunk_bytes;
}

/* A chunk with room for `bytes`, linked in; NULL without memory. */
static struct lli_arena_chunk *make_room(struct lli_arena *arena, size_t bytes)
{
    struct lli_arena_chunk *newest = arena->newest;
    if (newest && bytes <= newest->cap - newest->used)
        return newest;
    int alone = newest && bytes > arena->chunk_bytes / 4;
    struct lli_arena_chunk *chunk = new_chunk(arena, alone || bytes > arena->chunk_bytes ? bytes : arena->chunk_bytes);
    if (!chunk)
        return NULL;
    struct lli_arena_chunk **link = alone ? &newest->older : &arena->newest;
    chunk->older = *link;
    *link = chunk;
    return chunk;
}

static void *take(struct lli_arena *arena, size_t bytes)
{
    if (lli_size_pad(&bytes, bytes, ALIGN))
        return NULL;
    struct lli_arena_chunk *chunk = make_room(arena, bytes);
    if (!chunk)
        return NULL;
    void *memory = (uint8_t *)chunk + HEADER_BYTES + chunk->used;
    chunk->used += bytes;
    return memory;
}

void *lli_arena_take(struct lli_arena *arena, size_t n, size_t each)
{
    size_t bytes;
    if (lli_size_mul(&bytes, n, each))
        return NULL;
    void *memory = take(arena, bytes);
    if (memory)
        memset(memory, 0, bytes);
    return memory;
}

char *lli_arena_text(struct lli_arena *arena, const void *bytes, size_t n)
{
    size_t with_nul;
    if (lli_size_add(&with_nul, n, 1))
        return NULL;
    char *text = take(arena, with_nul);
    if (!text)
        return NULL;
    if (n)
        memcpy(text, bytes, n);
    text[n] = '\0';
    return text;
}
