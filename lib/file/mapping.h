/* file/mapping.h - the bytes of a file in memory: mapped, copied, borrowed from the caller, or pulled from a reader.
 *
 * "auto" maps regular files (numbers that the parser trusts are copied out of the mapping before they are used). */
#ifndef LLI_FILE_MAPPING_H
#define LLI_FILE_MAPPING_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

struct llminf_error;

enum lli_mapping_mode { LLI_LOAD_AUTO, LLI_LOAD_MAP, LLI_LOAD_READ };

/* Non-zero ends the load. done: 0..1. */
typedef int32_t lli_progress_fn(void *user, double done);
/* Bytes read into `bytes` (short reads are fine, 0 before the end is a failure); negative: failure. */
typedef int64_t lli_read_fn(void *user, int64_t offset, void *bytes, size_t size);

struct lli_progress {
    lli_progress_fn *call; /* NULL: none */
    void *user;
};

struct lli_mapping {
    const uint8_t *bytes;
    size_t size;
    struct lli_heap *heap;
    void *mapped; /* munmap at finish */
    void *copied; /* free at finish */
};

/* IO for what cannot be opened, is no regular file or is refused; CALLBACK when progress ends it; LIMIT over the address
 * space; MEMORY. EINTR and short reads are retried. */
int32_t lli_mapping_open(struct lli_mapping *out, struct lli_heap *heap, const char *path, int mode,
                         const struct lli_progress *progress, struct llminf_error *err);

/* The caller's bytes stay his. */
int32_t lli_mapping_open_memory(struct lli_mapping *out, const void *bytes, size_t size, struct llminf_error *err);

/* CALLBACK when the reader fails or gives more than asked for. */
int32_t lli_mapping_open_reader(struct lli_mapping *out, struct lli_heap *heap, lli_read_fn *read, void *user, int64_t size,
                                const struct lli_progress *progress, struct llminf_error *err);

/* Reads one byte of every page, calling progress. */
int32_t lli_mapping_touch(const struct lli_mapping *m, const struct lli_progress *progress, struct llminf_error *err);

/* Gives back the whole pages of bytes[n]. Those of a mapped file are read again when they are needed again, those of a copy
 * may be zero from then on: see below. A host's memory, or a copy in it, stays as it is. */
void lli_mapping_release(const struct lli_mapping *m, const uint8_t *bytes, size_t n);

/* 1: what is released is lost until somebody writes it anew (the bytes are the mapping's own, behind the const). */
int lli_mapping_loses(const struct lli_mapping *m);

void lli_mapping_finish(struct lli_mapping *m); /* accepts a zeroed struct */

#endif
