/* text/spm.h - SentencePiece BPE as Llama 2 has it: spaces stand as U+2581, pairs are joined by score, and what is no
 * token is spelled in bytes, <0xXX>. */
#ifndef LLI_TEXT_SPM_H
#define LLI_TEXT_SPM_H

#include "text/encode.h"
#include "text/vocab.h"

/* byte_ids, from the tokens. FORMAT if there is neither a token for a byte nor one for the unknown. */
int32_t lli_spm_read_bytes(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err);

/* Scores. */
int32_t lli_spm_read_rules(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err);

/* Writes the text of a token to out, which holds as many bytes as the token; returns the length. */
size_t lli_spm_text(char *out, const struct lli_vocab *v, uint32_t id);

lli_encode_fn lli_spm_encode;

#endif
