/* model/folder_tensors.h - the tensors of a folder's safetensors under GGUF's names, types and orders of rows. */
#ifndef LLI_MODEL_FOLDER_TENSORS_H
#define LLI_MODEL_FOLDER_TENSORS_H

#include <stddef.h>
#include <stdint.h>

#include "file/gguf_build.h"
#include "file/files.h"
#include "file/safetensors.h"
#include "model/folder_class.h"
#include "model/folder_config.h"

#define LLI_FOLDER_NAME_BYTES 64

/* GGUF's name of a matrix of the network that is one tensor here and there, and what becomes of its rows: PLAIN, Q, K, QKV. 0,
 * or -1: there is none. */
int lli_folder_tensor_name(char out[LLI_FOLDER_NAME_BYTES], enum lli_folder_how *how, const struct lli_folder_class *class,
                           const char *name);

/* Adds those of files[n] to *b. What has to be written anew goes to memory that becomes a part of *files. b->status is the
 * result. */
void lli_folder_tensors(struct lli_gguf_build *b, struct lli_files *own, const struct lli_safetensors *files, size_t n,
                        const struct lli_folder_config *config);

#endif
