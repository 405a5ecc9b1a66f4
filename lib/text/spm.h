/* text/spm.h - SentencePiece BPE as Llama 2 has it: spaces stand as U+2581, pairs are joined by score, and what is no
 * token is spelled in bytes, <0xXX>. */
#ifndef LLI_TEXT_SPM_H
#define LLI_TEXT_SPM_H

#include "text/encode.h"
#include "text/vocab.h"

/* byte_ids, from the tokens. FORMAT if there is neither a token for a byte nor one for the unknown. */
int32_t lli_spm_read_bytes(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err);

/* The byte that "<0xXX>" spells, or -1. */
int lli_spm_spelled_byte(struct lli_text t);

/* byte_ids, from the tokens of type byte. FORMAT if one spells none, or one that is there. subject: of errors. */
int32_t lli_spm_enter_bytes(struct lli_vocab *v, const char *subject, struct llminf_error *err);

/* scores, of a unigram vocabulary. */
int32_t lli_spm_read_scores(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err);

/* How text is normalised: a map of characters, spaces. prefix: whether a space goes in front if the file does not say. */
int32_t lli_spm_read_normal(struct lli_vocab *v, const struct lli_gguf *g, int prefix, struct llminf_error *err);

/* Ranks, from the scores, and how text is normalised. */
int32_t lli_spm_read_rules(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err);

/* Writes the text of a token to out, which holds as many bytes as the token; returns the length. */
size_t lli_spm_text(char *out, const struct lli_vocab *v, uint32_t id);

lli_encode_fn lli_spm_encode;

#endif
