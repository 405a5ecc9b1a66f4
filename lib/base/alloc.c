/* base/alloc.c - blocks with a header in front, the only file that calls malloc and free.
 *
 *     base                    memory (aligned)
 *     |  ...  | bytes offset |  bytes ...  |
 *     |<------ offset ------>|
 *
 * `offset` is the alignment, so base and memory are both aligned; release gets base and offset + bytes, what alloc was
 * asked for. live_bytes counts without order: it is a figure, no lock. */
#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/size.h"

#define MIN_ALIGN 16u
#define MAX_ALIGN (2u << 20)

struct header {
    size_t bytes, offset;
};

_Static_assert(sizeof(struct header) <= MIN_ALIGN, "the header fits before the least aligned block");

static void *host_alloc(void *user, size_t size, size_t align)
{
    void *memory = NULL;
    (void)user;
    if (align <= _Alignof(max_align_t))
        return malloc(size);
    return posix_memalign(&memory, align, size) == 0 ? memory : NULL;
}

static void host_release(void *user, void *memory, size_t size)
{
    (void)user;
    (void)size;
    free(memory);
}

static struct header read_header(const void *memory)
{
    struct header header;
    memcpy(&header, (const uint8_t *)memory - sizeof header, sizeof header);
    return header;
}

static void count(struct lli_heap *heap, int64_t bytes)
{
    atomic_fetch_add_explicit(&heap->live_bytes, bytes, memory_order_relaxed);
}

void lli_heap_init(struct lli_heap *heap, lli_alloc_fn *alloc, lli_release_fn *release, void *user)
{
    heap->alloc = alloc;
    heap->release = release;
    heap->user = user;
    atomic_init(&heap->live_bytes, 0);
}

void *lli_alloc_aligned(struct lli_heap *heap, size_t bytes, size_t align)
{
    if (align < MIN_ALIGN || align > MAX_ALIGN || (align & (align - 1)) != 0)
        return NULL;
    size_t whole;
    if (lli_size_add(&whole, bytes, align) || whole > PTRDIFF_MAX)
        return NULL;
    uint8_t *base = (heap->alloc ? heap->alloc : host_alloc)(heap->user, whole, align);
    if (!base)
        return NULL;
    struct header header = {bytes, align};
    memcpy(base + align - sizeof header, &header, sizeof header);
    count(heap, (int64_t)bytes);
    return base + align;
}

void *lli_alloc(struct lli_heap *heap, size_t bytes)
{
    return lli_alloc_aligned(heap, bytes, MIN_ALIGN);
}

void *lli_alloc_array(struct lli_heap *heap, size_t n, size_t each)
{
    size_t bytes;
    return lli_size_mul(&bytes, n, each) ? NULL : lli_alloc(heap, bytes);
}

void *lli_alloc_zero(struct lli_heap *heap, size_t n, size_t each)
{
    void *memory = lli_alloc_array(heap, n, each);
    if (memory)
        memset(memory, 0, n * each);
    return memory;
}

void lli_alloc_prefer_huge(const struct lli_heap *heap, void *memory, size_t bytes)
{
    const uintptr_t page = MAX_ALIGN; /* a huge page of x86, and of arm64 with small pages */
    uintptr_t first = ((uintptr_t)memory + page - 1) & ~(page - 1), last = ((uintptr_t)memory + bytes) & ~(page - 1);
    if (!heap->alloc && first < last)
        (void)madvise((void *)first, last - first, MADV_HUGEPAGE); /* a wish: what it answers changes nothing */
}

void lli_alloc_forget(const struct lli_heap *heap, void *memory, size_t bytes)
{
    long page = sysconf(_SC_PAGESIZE);
    if (heap->alloc || page <= 0)
        return;
    uintptr_t mask = (uintptr_t)page - 1, first = ((uintptr_t)memory + mask) & ~mask,
              last = ((uintptr_t)memory + bytes) & ~mask;
    if (first < last)
        (void)madvise((void *)first, last - first, MADV_DONTNEED);
}

void *lli_realloc(struct lli_heap *heap, void *memory, size_t bytes)
{
    void *moved = lli_alloc(heap, bytes);
    if (!moved || !memory)
        return moved;
    size_t old = read_header(memory).bytes;
    memcpy(moved, memory, old < bytes ? old : bytes);
    lli_free(heap, memory);
    return moved;
}

void lli_free(struct lli_heap *heap, void *memory)
{
    if (!memory)
        return;
    struct header header = read_header(memory);
    count(heap, -(int64_t)header.bytes);
    (heap->alloc ? heap->release : host_release)(heap->user, (uint8_t *)memory - header.offset, header.bytes + header.offset);
}
