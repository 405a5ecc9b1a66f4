/* model/folder_config.h - config.json as GGUF's metadata, and what the tensors need to know of it. */
#ifndef LLI_MODEL_FOLDER_CONFIG_H
#define LLI_MODEL_FOLDER_CONFIG_H

#include <stdint.h>

#include "base/json.h"
#include "file/gguf_build.h"

/* An architecture by the name that config.json gives its class. */
struct lli_folder_class {
    const char *name; /* "LlamaForCausalLM" */
    const char *arch; /* general.architecture */
    int has_pairs;    /* GGUF rotates neighbours: rows of q and k change places */
};

struct lli_folder_config {
    const struct lli_folder_class *class;
    uint32_t n_heads, n_kv_heads, head_dim, n_embd, n_layers;
    int is_tied;
    /* RoPE of Llama 3: factors per pair; 0: none */
    double rope_base, rope_factor, rope_low, rope_high, rope_original;
};

/* The first class of an architecture; NULL: its folders are not read. */
const struct lli_folder_class *lli_folder_class_of(const char *arch);

/* Writes the metadata; b->status is the result. */
void lli_folder_config(struct lli_folder_config *out, struct lli_gguf_build *b, const struct lli_json *config);

#endif
