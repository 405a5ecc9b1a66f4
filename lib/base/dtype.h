/* base/dtype.h - the types of tensors, a row each. Block layouts: ggml's gguf.md and ggml-common.h. */
#ifndef LLI_BASE_DTYPE_H
#define LLI_BASE_DTYPE_H

#include <stddef.h>
#include <stdint.h>

/* The ids as they stand in GGUF files. */
enum lli_type {
    LLI_F32 = 0,
    LLI_F16 = 1,
    LLI_Q4_0 = 2,
    LLI_Q4_1 = 3,
    LLI_Q5_0 = 6,
    LLI_Q5_1 = 7,
    LLI_Q8_0 = 8,
    LLI_Q2_K = 10,
    LLI_Q3_K = 11,
    LLI_Q4_K = 12,
    LLI_Q5_K = 13,
    LLI_Q6_K = 14,
    LLI_IQ4_NL = 20,
    LLI_IQ4_XS = 23,
    LLI_BF16 = 30,
    LLI_MXFP4 = 39
};

struct lli_dtype {
    uint32_t id;
    const char *name;     /* "q4_0", as in options */
    uint32_t block;       /* elements of a block */
    uint32_t block_bytes; /* bytes of a block */
    int16_t scale_at[2];  /* bytes from the block to the 16-bit words with the exponent of its scale (float types: of the
                             element) and of its minimum; -1: no minimum */
    uint16_t exponent;    /* bits of such a word that are all ones in NaN and Inf */
    uint8_t is_float;     /* activations stay binary32 (numerics) */
};

/* NULL if the id is no weight type known here. */
const struct lli_dtype *lli_dtype_find(uint32_t id);
const struct lli_dtype *lli_dtype_named(const char *name); /* in any case; NULL: unknown */

/* What an id of ggml's is called that is none of ours; NULL: unknown to us altogether. */
const char *lli_dtype_other(uint32_t id);

/* All names, to be shown, as many as fit into cap bytes. */
void lli_dtype_names(char *out, size_t cap);

/* Bytes of a row of n elements; n is a multiple of the block. */
static inline size_t lli_dtype_row_bytes(const struct lli_dtype *t, size_t n)
{
    return n / t->block * t->block_bytes;
}

/* Index of the first block (for float types: element) with a NaN or infinite scale, minimum or element; -1: none. */
int64_t lli_dtype_check(const struct lli_dtype *t, const void *blocks, size_t n_blocks);

#endif
