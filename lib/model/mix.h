/* model/mix.h - which tensor gets which type when a model is encoded anew: the mixes that llama.cpp names, a row each. */
#ifndef LLI_MODEL_MIX_H
#define LLI_MODEL_MIX_H

#include <stdint.h>

#include "file/gguf.h"
#include "model/config.h"

struct lli_mix {
    const char *name;   /* "q4_k_m"; a type's own name where it is the only mix around it */
    uint32_t type;      /* enum lli_type of most matrices */
    uint32_t file_type; /* general.file_type */
};

/* NULL if unknown. */
const struct lli_mix *lli_mix_find(const char *name);

/* The type of tensor t of g. What is no matrix of weights stays as it is, and so do norms and the routers of experts; a row
 * that is no multiple of the type's block gets another type. is_pure: the mix's type for all matrices. */
const struct lli_dtype *lli_mix_type(const struct lli_mix *mix, int is_pure, const struct lli_gguf *g,
                                     const struct lli_config *config, const struct lli_gguf_tensor *t);

#endif
