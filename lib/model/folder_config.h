/* model/folder_config.h - config.json as GGUF's metadata, and what the tensors need to know of it. */
#ifndef LLI_MODEL_FOLDER_CONFIG_H
#define LLI_MODEL_FOLDER_CONFIG_H

#include <stdint.h>

#include "base/json.h"
#include "file/gguf_build.h"
#include "model/folder_class.h"
#include "model/folder_rope.h"

struct lli_folder_config {
    const struct lli_folder_class *class;
    uint32_t n_heads, n_kv_heads, head_dim, n_embd, n_layers, n_experts; /* within base/limits.h; n_experts 0: dense */
    int is_tied;
    struct lli_folder_rope rope;
};

/* Writes the metadata; b->status is the result. *out is good as long as *config. */
void lli_folder_config(struct lli_folder_config *out, struct lli_gguf_build *b, const struct lli_json *config);

#endif
