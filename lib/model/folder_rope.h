/* model/folder_rope.h - RoPE and its scalings, as config.json has them. */
#ifndef LLI_MODEL_FOLDER_ROPE_H
#define LLI_MODEL_FOLDER_ROPE_H

#include <stdint.h>

#include "base/json.h"
#include "model/folder_source.h"

/* What GGUF has as tensors. */
struct lli_folder_rope {
    uint32_t n_pairs;
    double base, factor, low, high, original;                  /* Llama 3: factors by a rule; factor 0: none */
    const struct lli_json_value *long_factors, *short_factors; /* LongRoPE: n_pairs numbers each; NULL: none */
};

/* Writes the metadata; the build's status is the result. */
void lli_folder_rope_read(struct lli_folder_rope *out, const struct lli_folder_source *s, uint32_t head_dim);

/* What divides the angles of pair i, where there is such a rule. */
float lli_folder_rope_factor(const struct lli_folder_rope *rope, uint32_t i);

#endif
