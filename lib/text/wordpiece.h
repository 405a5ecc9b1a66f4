/* text/wordpiece.h - WordPiece as BERT has it: a word is spelled in tokens from its front, the longest one each time. */
#ifndef LLI_TEXT_WORDPIECE_H
#define LLI_TEXT_WORDPIECE_H

#include "text/encode.h"
#include "text/vocab.h"

/* What BERT's normalizer does besides keeping words apart. */
struct lli_bert_options {
    int clean_text, split_cjk, strip_accents, lower;
};

/* FORMAT without a token for the unknown. */
int32_t lli_wordpiece_read_bytes(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err);
int32_t lli_wordpiece_read_rules(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err);

/* Appends the steps of BERT's normalizer. */
int32_t lli_wordpiece_add_normal(struct lli_vocab *v, const struct lli_bert_options *options, struct llminf_error *err);

/* The two rules of BERT's pre-tokenizer, after which words are pieces; with CJK characters apart. */
extern const struct lli_split_rule lli_wordpiece_rules[3];

lli_encode_fn lli_wordpiece_encode;

/* WordLevel: a word is a token or unknown. */
lli_encode_fn lli_wordpiece_encode_word;

#endif
