/* file/shard.h - models in several GGUF files, NAME-00001-of-00003.gguf and so on. */
#ifndef LLI_FILE_SHARD_H
#define LLI_FILE_SHARD_H

#include <stdint.h>

#include "file/gguf.h"

/* Called for each file that was opened; path NULL: it has none. 0 for a whole model. One of several files: LIMIT or FORMAT
 * where its numbers or its name are wrong, IO where another of them is missing, otherwise UNSUPPORTED: this release opens
 * whole models only. */
int32_t lli_shard_check(const struct lli_gguf *g, const char *path, struct llminf_error *err);

#endif
