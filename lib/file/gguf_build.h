/* file/gguf_build.h - what a GGUF file would hold, put together in memory: for models that come in another format.
 *
 * The first failure stays and everything after it does nothing, so that a list of entries needs no checks in between. */
#ifndef LLI_FILE_GGUF_BUILD_H
#define LLI_FILE_GGUF_BUILD_H

#include <stddef.h>
#include <stdint.h>

#include "file/gguf.h"

struct lli_gguf_build {
    struct lli_gguf *g;
    size_t cap_entries, cap_tensors;
    int32_t status; /* 0, or that of the first failure */
    struct llminf_error *err;
};

/* Zeroes *g, which is the caller's to finish in any case. */
void lli_gguf_build_begin(struct lli_gguf_build *b, struct lli_gguf *g, struct lli_heap *heap, struct llminf_error *err);

/* The maps of names. FORMAT if a key or a tensor is there twice; MEMORY. */
int32_t lli_gguf_build_end(struct lli_gguf_build *b);

/* Entries. Keys and values are copied; int is a u32 (LIMIT: it is none), float a binary32. */
void lli_gguf_build_int(struct lli_gguf_build *b, const char *key, int64_t value);
void lli_gguf_build_float(struct lli_gguf_build *b, const char *key, double value);
void lli_gguf_build_bool(struct lli_gguf_build *b, const char *key, int value);
void lli_gguf_build_text(struct lli_gguf_build *b, const char *key, const char *text, size_t len);
void lli_gguf_build_bools(struct lli_gguf_build *b, const char *key, const uint8_t *values, size_t n); /* 0 or 1 each */
void lli_gguf_build_ints(struct lli_gguf_build *b, const char *key, const int32_t *values, size_t n);
void lli_gguf_build_floats(struct lli_gguf_build *b, const char *key, const float *values, size_t n);
void lli_gguf_build_texts(struct lli_gguf_build *b, const char *key, const struct lli_text *texts, size_t n);

/* A tensor; its name is copied, its data are not. */
void lli_gguf_build_tensor(struct lli_gguf_build *b, const struct lli_gguf_tensor *t);

#endif
