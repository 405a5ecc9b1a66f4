/* base/buffer.h - bytes that grow by doubling. */
#ifndef LLI_BASE_BUFFER_H
#define LLI_BASE_BUFFER_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

struct lli_buffer {
    struct lli_heap *heap;
    uint8_t *bytes;
    size_t len, cap;
};

void lli_buffer_init(struct lli_buffer *buffer, struct lli_heap *heap);
void lli_buffer_finish(struct lli_buffer *buffer); /* accepts a zeroed buffer */

/* 0, or -1 when there is no memory (the buffer is as before). append with n = 0 does nothing. */
int lli_buffer_append(struct lli_buffer *buffer, const void *bytes, size_t n);
int lli_buffer_reserve(struct lli_buffer *buffer, size_t n_more);

/* Bytes that an empty buffer takes for n of them. */
size_t lli_buffer_bytes(size_t n);

#endif
