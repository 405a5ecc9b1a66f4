/* text/bpe.h - byte-level BPE as GPT-2 has it: bytes stand as printable characters, pieces are joined by a list of merges. */
#ifndef LLI_TEXT_BPE_H
#define LLI_TEXT_BPE_H

#include "text/encode.h"
#include "text/vocab.h"

/* byte_ids, from the tokens. FORMAT if there is neither a token for a byte nor one for the unknown. */
int32_t lli_bpe_read_bytes(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err);

/* Merges and pre-tokenizer; needs the final types. */
int32_t lli_bpe_read_rules(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err);

/* byte_ids, from the characters that stand for bytes. subject: of errors. */
int32_t lli_bpe_find_bytes(struct lli_vocab *v, const char *subject, struct llminf_error *err);

/* The merges of a vocabulary, one by one in the order of their ranks. finish accepts a failed start. */
struct lli_bpe_merges {
    struct lli_vocab *v;
    struct lli_pair *pairs;
    int32_t *joined;
    char *both; /* [2 * longest] where a joined token is put together */
    const char *subject;
    int64_t pos; /* of errors */
};

int32_t lli_bpe_merges_start(struct lli_bpe_merges *m, struct lli_vocab *v, uint64_t n, const char *subject, int64_t pos,
                             struct llminf_error *err);
int32_t lli_bpe_merges_add(struct lli_bpe_merges *m, uint64_t rank, struct lli_text left, struct lli_text right,
                           struct llminf_error *err);
int32_t lli_bpe_merges_add_line(struct lli_bpe_merges *m, uint64_t rank, struct lli_text line, struct llminf_error *err);
void lli_bpe_merges_finish(struct lli_bpe_merges *m);

/* Writes the text of a token to out, which holds as many bytes as the token; returns the length. */
size_t lli_bpe_text(char *out, const struct lli_vocab *v, uint32_t id);

/* The bytes that the characters of a text stand for, as above. */
size_t lli_bpe_bytes(char *out, struct lli_text token);

lli_encode_fn lli_bpe_encode;

#endif
