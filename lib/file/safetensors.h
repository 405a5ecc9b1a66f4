/* file/safetensors.h - a safetensors file taken apart, every offset checked.
 * Format: https://github.com/huggingface/safetensors (a JSON header behind its length in 8 bytes, then the data)
 *
 * Strings are copies. After a successful read every tensor lies inside the file, without overlap; its alignment is what the
 * file gives. */
#ifndef LLI_FILE_SAFETENSORS_H
#define LLI_FILE_SAFETENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/dtype.h"
#include "base/limits.h"
#include "base/map.h"

struct llminf_error;

struct lli_st_tensor {
    const char *name;             /* NUL-terminated */
    const char *type_name;        /* "BF16", as the file says */
    const struct lli_dtype *type; /* NULL: none of F32, F16, BF16 */
    uint32_t n_dims;
    uint64_t dims[LLI_MAX_DIMS]; /* innermost first, as in file/gguf.h; 1 behind n_dims */
    const uint8_t *data;         /* in the file's bytes */
    size_t bytes;
    int64_t pos; /* byte offset of its entry in the header */
};

struct lli_safetensors {
    struct lli_st_tensor *tensors; /* in the header's order */
    size_t n_tensors;
    struct lli_map names; /* name -> index */
    struct lli_arena arena;
};

/* The bytes must outlive *out. FORMAT, LIMIT (a header over the limit, more dimensions or tensors than base/limits.h allows),
 * MEMORY; subject: `name` for the header, else the tensor. */
int32_t lli_safetensors_read(struct lli_safetensors *out, struct lli_heap *heap, const void *bytes, size_t size,
                             int64_t header_limit, const char *name, struct llminf_error *err);
void lli_safetensors_finish(struct lli_safetensors *st); /* accepts a zeroed struct */

/* NULL if there is none. */
const struct lli_st_tensor *lli_safetensors_find(const struct lli_safetensors *st, const char *name);

#endif
