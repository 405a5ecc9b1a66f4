/* model/folder.h - a Hugging Face folder, shown as a GGUF file would show it: config.json as metadata, the tensors of all its
 * safetensors under GGUF's names, in the order of rows and the types that GGUF has them in, generation_config.json as what ends
 * a generation. The tokenizer is not here. */
#ifndef LLI_MODEL_FOLDER_H
#define LLI_MODEL_FOLDER_H

#include <stdint.h>

#include "base/json.h"
#include "file/gguf_build.h"
#include "file/files.h"

struct llminf_error;

struct lli_folder_options {
    int64_t header_limit_bytes;
    int load; /* enum lli_mapping_mode */
    int no_tensors;
    const struct lli_progress *progress; /* of all files; NULL: none */
};

int lli_folder_is(const char *path);

/* Reads the file `name` of the folder. IO if it is not there: *is_there_out, if not NULL, then tells, and it is no failure;
 * *out is to be finished in any case. */
int32_t lli_folder_open(struct lli_mapping *out, int *is_there_out, struct lli_heap *heap, const char *path, const char *name,
                        struct llminf_error *err);

/* The same, mapped or copied as `load` (enum lli_mapping_mode) says, of a file that must be there. */
int32_t lli_folder_open_as(struct lli_mapping *out, struct lli_heap *heap, const char *path, const char *name, int load,
                           const struct lli_progress *progress, struct llminf_error *err);

/* The same of a JSON file. */
int32_t lli_folder_json(struct lli_json *out, int *is_there_out, struct lli_heap *heap, const char *path, const char *name,
                        struct llminf_error *err);

/* Adds metadata and tensors to *b; their bytes are in *files: those of the files, and of what had to be written anew.
 * UNSUPPORTED with the name of what is not known: an architecture, a kind of RoPE, a tensor, an encoding; FORMAT, LIMIT, IO,
 * MEMORY, CALLBACK. */
int32_t lli_folder_read(struct lli_gguf_build *b, struct lli_files *files, const char *path,
                        const struct lli_folder_options *options);

#endif
