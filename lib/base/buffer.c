/* base/buffer.c - bytes that grow by doubling. Invariant: len <= cap; bytes is NULL exactly while cap is 0. */
#include "base/buffer.h"

#include <string.h>

#include "base/size.h"

#define FIRST_BYTES 64u

void lli_buffer_init(struct lli_buffer *buffer, struct lli_heap *heap)
{
    *buffer = (struct lli_buffer){.heap = heap};
}

void lli_buffer_finish(struct lli_buffer *buffer)
{
    if (buffer->bytes)
        lli_free(buffer->heap, buffer->bytes);
    *buffer = (struct lli_buffer){.heap = buffer->heap};
}

int lli_buffer_reserve(struct lli_buffer *buffer, size_t n_more)
{
    size_t want;
    if (lli_size_add(&want, buffer->len, n_more))
        return -1;
    if (want <= buffer->cap)
        return 0;
    size_t cap = buffer->cap <= SIZE_MAX / 2 ? buffer->cap * 2 : want;
    if (cap < FIRST_BYTES)
        cap = FIRST_BYTES;
    if (cap < want)
        cap = want;
    uint8_t *bytes = lli_realloc(buffer->heap, buffer->bytes, cap);
    if (!bytes)
        return -1;
    buffer->bytes = bytes;
    buffer->cap = cap;
    return 0;
}

size_t lli_buffer_bytes(size_t n)
{
    return n == 0 || n > FIRST_BYTES ? n : FIRST_BYTES;
}

int lli_buffer_append(struct lli_buffer *buffer, const void *bytes, size_t n)
{
    if (n == 0)
        return 0;
    if (lli_buffer_reserve(buffer, n))
        return -1;
    memcpy(buffer->bytes + buffer->len, bytes, n);
    buffer->len += n;
    return 0;
}
