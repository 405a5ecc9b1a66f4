/* text/vocab.h - the vocabulary of a model: tokens, their kinds, the special ids, and what encoding needs.
 *
 * Immutable after read; any number of threads may use it. Bytes of tokens are borrowed from the file. */
#ifndef LLI_TEXT_VOCAB_H
#define LLI_TEXT_VOCAB_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/map.h"
#include "file/gguf.h"

struct llminf_error;
struct lli_split;   /* text/split.h: compiled pre-tokenizer */
struct lli_special; /* text/special.h: automaton over control and user-defined tokens */

enum lli_vocab_kind { LLI_VOCAB_SPM, LLI_VOCAB_BPE };

/* tokenizer.ggml.token_type */
enum lli_token_type {
    LLI_TOKEN_NORMAL = 1,
    LLI_TOKEN_UNKNOWN = 2,
    LLI_TOKEN_CONTROL = 3,
    LLI_TOKEN_USER_DEFINED = 4,
    LLI_TOKEN_UNUSED = 5,
    LLI_TOKEN_BYTE = 6
};

#define LLI_NO_TOKEN (-1)

struct lli_vocab {
    struct lli_heap *heap;
    struct lli_arena arena;
    int kind; /* enum lli_vocab_kind */
    uint32_t n;
    const struct lli_text *tokens; /* [n] as they stand in the file */
    const struct lli_text
        *texts;            /* [n] the bytes that a token decodes to (BPE characters and <0xXX> mapped back, U+2581 as space) */
    const float *scores;   /* [n], SPM; NULL for BPE */
    const uint8_t *types;  /* [n] enum lli_token_type; BOS, EOS and EOG ids count as control */
    const uint8_t *is_eog; /* [n] */
    struct lli_map by_token;         /* bytes as in the file -> id */
    struct lli_map merges;           /* BPE: "left right" -> rank */
    int32_t byte_ids[256];           /* SPM: id of <0xXX>; BPE: id of the byte's character; or LLI_NO_TOKEN */
    int32_t bos, eos, eot, unk, pad; /* or LLI_NO_TOKEN */
    int add_bos, add_eos, add_space_prefix;
    int whole_piece_first;   /* BPE: a piece that is a token is taken before any merge (llama-bpe) */
    struct lli_split *split; /* BPE */
    struct lli_special *special;
};

/* From tokenizer.* metadata. The GGUF and its bytes must outlive *out. */
int32_t lli_vocab_read(struct lli_vocab *out, struct lli_heap *heap, const struct lli_gguf *g, struct llminf_error *err);
void lli_vocab_finish(struct lli_vocab *v); /* accepts a zeroed or half-built struct */

#endif
