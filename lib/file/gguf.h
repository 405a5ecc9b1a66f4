/* file/gguf.h - a GGUF file (v2, v3, little endian) taken apart, every length and offset checked.
 * Format: https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 *
 * Strings are borrowed from the file's bytes: UTF-8, and without NUL but for elements of tokenizer.ggml.tokens.
 * After a successful read every tensor lies inside the file, aligned, without overlap. */
#ifndef LLI_FILE_GGUF_H
#define LLI_FILE_GGUF_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/dtype.h"
#include "base/limits.h"
#include "base/map.h"

struct llminf_error;

enum lli_gguf_kind {
    LLI_GGUF_U8,
    LLI_GGUF_I8,
    LLI_GGUF_U16,
    LLI_GGUF_I16,
    LLI_GGUF_U32,
    LLI_GGUF_I32,
    LLI_GGUF_F32,
    LLI_GGUF_BOOL,
    LLI_GGUF_STRING,
    LLI_GGUF_ARRAY,
    LLI_GGUF_U64,
    LLI_GGUF_I64,
    LLI_GGUF_F64
};

struct lli_text {
    const char *bytes; /* not NUL-terminated */
    size_t len;
};

/* One metadata entry. */
struct lli_gguf_entry {
    const char *key; /* NUL-terminated copy */
    uint32_t kind;   /* enum lli_gguf_kind; of the elements, if it is an array */
    uint8_t is_array;
    uint64_t n;             /* elements; 1 for a scalar */
    const uint8_t *values;  /* n packed little-endian values, any alignment; NULL for strings */
    struct lli_text *texts; /* n strings, NULL for others */
    int64_t pos;            /* byte offset of the entry */
};

struct lli_gguf_tensor {
    const char *name; /* NUL-terminated copy */
    const struct lli_dtype *type;
    uint32_t n_dims;
    uint64_t dims[LLI_MAX_DIMS]; /* innermost first; 1 behind n_dims */
    const uint8_t *data;         /* in the file's bytes */
    size_t bytes;
    int64_t pos; /* byte offset of the record */
};

struct lli_gguf {
    uint32_t version, alignment;
    struct lli_gguf_entry *entries;
    size_t n_entries;
    struct lli_gguf_tensor *tensors; /* in the file's order */
    size_t n_tensors;
    struct lli_map keys, names; /* key, name -> index */
    struct lli_arena arena;
};

struct lli_gguf_options {
    int64_t header_limit_bytes;
    int vocab_only; /* tensors are listed (data NULL, unknown types allowed), and there may be none */
};

/* The bytes must outlive *out. Statuses as in docs/ (FORMAT, UNSUPPORTED, LIMIT, MEMORY), subject: what is wrong. */
int32_t lli_gguf_read(struct lli_gguf *out, struct lli_heap *heap, const void *bytes, size_t size,
                      const struct lli_gguf_options *options, struct llminf_error *err);
void lli_gguf_finish(struct lli_gguf *g); /* accepts a zeroed struct */

/* Tells models apart: a hash of the metadata that decides what they compute (not of names and notes, "general.*", nor of the
 * chat template), of the tensors' names, types and shapes, and of samples of their bytes. Reads two pages of each tensor. */
uint64_t lli_gguf_fingerprint(const struct lli_gguf *g);

/* NULL if there is none. */
const struct lli_gguf_entry *lli_gguf_find(const struct lli_gguf *g, const char *key);
const struct lli_gguf_tensor *lli_gguf_tensor_find(const struct lli_gguf *g, const char *name);

/* Element i of an entry; 0, or -1 if the kind is another or the value does not fit. Integers of any width, and bools,
 * are read by int; f32 and f64 by float. i < n is the caller's duty. */
int lli_gguf_int(int64_t *out, const struct lli_gguf_entry *e, uint64_t i);
int lli_gguf_float(double *out, const struct lli_gguf_entry *e, uint64_t i);
int lli_gguf_text(struct lli_text *out, const struct lli_gguf_entry *e, uint64_t i);

/* Bytes of a value in the file; 0 for strings and what is no kind of values. */
size_t lli_gguf_value_bytes(uint32_t kind);

/* A scalar by key. Absent: 0, *out is `otherwise`. FORMAT if it has another type. */
int32_t lli_gguf_get_int(int64_t *out, const struct lli_gguf *g, const char *key, int64_t otherwise, struct llminf_error *err);
int32_t lli_gguf_get_float(double *out, const struct lli_gguf *g, const char *key, double otherwise, struct llminf_error *err);
int32_t lli_gguf_get_bool(int *out, const struct lli_gguf *g, const char *key, int otherwise, struct llminf_error *err);
int32_t lli_gguf_get_text(struct lli_text *out, const struct lli_gguf *g, const char *key, const char *otherwise,
                          struct llminf_error *err);

#endif
