/* model/convert.h - a model written anew in another encoding. */
#ifndef LLI_MODEL_CONVERT_H
#define LLI_MODEL_CONVERT_H

#include <stdint.h>

#include "base/alloc.h"
#include "file/gguf.h"
#include "file/mapping.h"
#include "model/config.h"
#include "model/mix.h"

struct lli_convert_options {
    const struct lli_mix *mix;
    int is_pure;                         /* the mix's type for all matrices */
    int n_threads;                       /* 0: lli_cpus_usable() */
    const struct lli_progress *progress; /* NULL: none; called on this thread */
};

/* Writes g as a GGUF file at `path`: its metadata with the file's type, its tensors in their order. What has its type already
 * is copied; everything else goes through binary32. The same bytes for any number of threads. NUMERIC with the tensor's name
 * if an element is not finite, IO, MEMORY, CALLBACK: `path` is then as before. Floating point is as base/fenv.h sets it. */
int32_t lli_convert_write(const char *path, struct lli_heap *heap, const struct lli_gguf *g, const struct lli_config *config,
                          const struct lli_convert_options *options, struct llminf_error *err);

/* The bytes of the same file in memory. */
int32_t lli_convert_copy(struct lli_mapping *out, struct lli_heap *heap, const struct lli_gguf *g,
                         const struct lli_config *config, const struct lli_convert_options *options, struct llminf_error *err);

#endif
