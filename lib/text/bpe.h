/* text/bpe.h - byte-level BPE as GPT-2 has it: bytes stand as printable characters, pieces are joined by a list of merges. */
#ifndef LLI_TEXT_BPE_H
#define LLI_TEXT_BPE_H

#include "text/encode.h"
#include "text/vocab.h"

/* byte_ids, from the tokens. FORMAT if there is neither a token for a byte nor one for the unknown. */
int32_t lli_bpe_read_bytes(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err);

/* Merges and pre-tokenizer; needs the final types. */
int32_t lli_bpe_read_rules(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err);

/* Writes the text of a token to out, which holds as many bytes as the token; returns the length. */
size_t lli_bpe_text(char *out, const struct lli_vocab *v, uint32_t id);

lli_encode_fn lli_bpe_encode;

#endif
