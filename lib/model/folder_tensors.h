/* model/folder_tensors.h - the tensors of a folder's safetensors under GGUF's names, types and orders of rows. */
#ifndef LLI_MODEL_FOLDER_TENSORS_H
#define LLI_MODEL_FOLDER_TENSORS_H

#include <stddef.h>

#include "file/gguf_build.h"
#include "file/files.h"
#include "file/safetensors.h"
#include "model/folder_config.h"

/* Adds those of files[n] to *b. What has to be written anew goes to memory that becomes a part of *files. b->status is the
 * result. */
void lli_folder_tensors(struct lli_gguf_build *b, struct lli_files *own, const struct lli_safetensors *files, size_t n,
                        const struct lli_folder_config *config);

#endif
