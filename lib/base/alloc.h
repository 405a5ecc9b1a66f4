/* base/alloc.h - the one door to memory.
 *
 * A heap counts its live bytes and calls the host's functions, or malloc and free. Every block remembers its size, so
 * that the host's release function gets it. A model owns a heap; all its children allocate from it. */
#ifndef LLI_BASE_ALLOC_H
#define LLI_BASE_ALLOC_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

typedef void *lli_alloc_fn(void *user, size_t size, size_t align);
typedef void lli_release_fn(void *user, void *memory, size_t size);

struct lli_heap {
    lli_alloc_fn *alloc; /* NULL: malloc */
    lli_release_fn *release;
    void *user;
    _Atomic int64_t live_bytes; /* as asked for, without the heap's own headers */
};

/* Both functions or none. */
void lli_heap_init(struct lli_heap *heap, lli_alloc_fn *alloc, lli_release_fn *release, void *user);

/* NULL when there is no memory or a product does not fit. bytes = 0 gives a pointer that may be freed. */
void *lli_alloc(struct lli_heap *heap, size_t bytes);                       /* 16-aligned, uninitialised */
void *lli_alloc_array(struct lli_heap *heap, size_t n, size_t each);        /* 16-aligned, uninitialised */
void *lli_alloc_zero(struct lli_heap *heap, size_t n, size_t each);         /* 16-aligned, zeroed */
void *lli_alloc_aligned(struct lli_heap *heap, size_t bytes, size_t align); /* align: a power of two, 16 to 2 MiB */

/* Asks the system for huge pages under a block of the library's own heap; a host's memory is the host's. */
void lli_alloc_prefer_huge(const struct lli_heap *heap, void *memory, size_t bytes);

/* Gives the whole pages in memory[bytes], part of a block, back to the system. They read as zero from then on, or as before
 * where the system did not want them; a host's memory stays as it is. */
void lli_alloc_forget(const struct lli_heap *heap, void *memory, size_t bytes);

/* Grows or shrinks a 16-aligned block; memory may be NULL. On NULL the old block is as before. */
void *lli_realloc(struct lli_heap *heap, void *memory, size_t bytes);

/* NULL does nothing. */
void lli_free(struct lli_heap *heap, void *memory);

#endif
