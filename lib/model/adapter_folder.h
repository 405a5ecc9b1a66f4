/* model/adapter_folder.h - a folder of PEFT (https://github.com/huggingface/peft), shown as a GGUF file of an adapter would
 * show it: adapter_config.json as metadata, adapter_model.safetensors under GGUF's names and in its order of rows. */
#ifndef LLI_MODEL_ADAPTER_FOLDER_H
#define LLI_MODEL_ADAPTER_FOLDER_H

#include <stdint.h>

#include "file/files.h"
#include "file/gguf.h"

struct llminf_error;
struct lli_adapter_options;

/* *out is to be finished in any case; its bytes are in *files. UNSUPPORTED with the key or the tensor that is not known, or an
 * architecture whose folders are not read; FORMAT, LIMIT, IO, MEMORY, CALLBACK. */
int32_t lli_adapter_folder_read(struct lli_gguf *out, struct lli_files *files, const char *path,
                                const struct lli_adapter_options *options, struct llminf_error *err);

#endif
