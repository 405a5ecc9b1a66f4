/* text/unigram.h - SentencePiece's unigram model as T5 and XLM-R have it: of all ways to spell a text in tokens the one
 * with the best sum of scores. */
#ifndef LLI_TEXT_UNIGRAM_H
#define LLI_TEXT_UNIGRAM_H

#include "text/encode.h"
#include "text/vocab.h"

/* byte_ids, where there are byte tokens. FORMAT without a token for the unknown. */
int32_t lli_unigram_read_bytes(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err);

/* Scores, the tree of tokens, and how the text is normalised. */
int32_t lli_unigram_read_rules(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err);

/* From v->scores: the tree, and the score of the unknown. */
int32_t lli_unigram_prepare(struct lli_vocab *v, struct llminf_error *err);

lli_encode_fn lli_unigram_encode;

#endif
