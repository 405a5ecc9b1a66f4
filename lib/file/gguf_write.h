/* file/gguf_write.h - the head of a GGUF file: all that stands before the data of the tensors. */
#ifndef LLI_FILE_GGUF_WRITE_H
#define LLI_FILE_GGUF_WRITE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "file/gguf.h"

/* A metadata entry of type u32 that is set. */
struct lli_gguf_number {
    const char *key;
    uint32_t value;
};

/* Appends to *out the head of a file (v3): the metadata of g as they are, but that `numbers` take the place of entries of
 * their keys or come last, and the table of tensors[g->n_tensors]. Their data follow in this order, each behind it padded to
 * g->alignment; type, dims and bytes are looked at, data not. MEMORY, LIMIT: over what a file can tell. */
int32_t lli_gguf_write_head(struct lli_buffer *out, const struct lli_gguf *g, const struct lli_gguf_tensor *tensors,
                            const struct lli_gguf_number *numbers, size_t n_numbers, struct llminf_error *err);

/* Bytes of zero behind n, up to the alignment. */
static inline size_t lli_gguf_padding(uint64_t n, uint32_t alignment)
{
    return (size_t)(-n & (alignment - 1));
}

#endif
