/* model/folder_generation.h - generation_config.json: which tokens end a generation, and how its makers sample. */
#ifndef LLI_MODEL_FOLDER_GENERATION_H
#define LLI_MODEL_FOLDER_GENERATION_H

#include "base/json.h"
#include "file/gguf_build.h"

/* Ids of tokens that end a generation, beside those known by their texts; an array. */
#define LLI_FOLDER_ENDS "tokenizer.huggingface.eog_token_ids"

/* Writes LLI_FOLDER_ENDS and "general.sampling.*" of what is there. generation: an empty JSON (n 0) if there is no such file;
 * then config.json says what ends. b->status is the result: FORMAT, LIMIT. */
void lli_folder_generation(struct lli_gguf_build *b, const struct lli_json *generation, const struct lli_json *config);

#endif
