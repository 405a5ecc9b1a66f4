/* file/shard.h - models in several GGUF files, NAME-00001-of-00003.gguf and so on. The first has the metadata, each has some of
 * the tensors. */
#ifndef LLI_FILE_SHARD_H
#define LLI_FILE_SHARD_H

#include <stdint.h>

#include "file/gguf.h"
#include "file/mapping.h"
#include "file/files.h"

struct lli_shard_options {
    struct lli_gguf_options gguf;
    int load;                            /* enum lli_mapping_mode */
    const struct lli_progress *progress; /* of all files; NULL: none */
};

/* What of `progress` belongs to file i of a model whose first file has this name; path NULL: there is one. */
struct lli_stretch lli_shard_stretch(const struct lli_progress *progress, const char *path, int64_t i);

/* To be called with the first file read into *g and its bytes in *files; path NULL: it has none. Of a whole model nothing
 * changes. Of one of several files the others are opened and read, and *g has all their tensors as if it came from one file,
 * without what it says of its parts; with vocab_only it stays as it is. LIMIT or FORMAT where numbers or a name are wrong or
 * a file belongs to another model, UNSUPPORTED without a path, and what opening and reading say. */
int32_t lli_shard_join(struct lli_gguf *g, struct lli_files *files, const char *path, const struct lli_shard_options *options,
                       struct llminf_error *err);

#endif
