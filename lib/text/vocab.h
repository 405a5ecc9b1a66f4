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
#include "text/normal.h"
#include "text/split.h"

struct llminf_error;
struct lli_pre;        /* text/pre.h: a row of pre-tokenizers */
struct lli_special;    /* text/special.h: automaton over control and user-defined tokens */
struct lli_token_tree; /* text/token_tree.h: tree of the plain tokens */

enum lli_vocab_kind { LLI_VOCAB_SPM, LLI_VOCAB_BPE, LLI_VOCAB_UNIGRAM, LLI_VOCAB_WORDPIECE, LLI_VOCAB_WORDLEVEL };

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

#define LLI_MAX_BOUNDS 4u

/* Tokens at one end of a text: BOS, EOS, CLS, SEP. */
struct lli_bounds {
    uint32_t n;
    int32_t ids[LLI_MAX_BOUNDS];
};

/* Of a token that is taken whole. */
enum {
    LLI_EDGE_LEFT = 1,       /* takes the white space before it */
    LLI_EDGE_RIGHT = 2,      /* and behind it */
    LLI_EDGE_WORD = 4,       /* is taken only where it is no part of a word */
    LLI_EDGE_NORMALIZED = 8, /* is sought in the normalised text */
    LLI_EDGE_ADDED = 16      /* is no token of the model, which joins none to it */
};

/* Two tokens that join. */
struct lli_pair {
    int32_t left, right;
};

struct lli_vocab {
    struct lli_heap *heap;
    struct lli_arena arena;
    int kind; /* enum lli_vocab_kind */
    uint32_t n;
    const struct lli_text *tokens; /* [n] as they stand in the file */
    const struct lli_text
        *texts;            /* [n] the bytes that a token decodes to (BPE characters and <0xXX> mapped back, U+2581 as space) */
    const uint32_t *ranks; /* [n] SPM: 0 for the best score; the same for the same score */
    const double *scores;  /* [n] unigram */
    double unknown_score;  /* unigram: of a character that no token spells */
    uint8_t *types;        /* [n] enum lli_token_type; BOS, EOS and EOG ids count as control */
    uint8_t *is_eog;       /* [n] */
    uint8_t *edges;        /* [n] LLI_EDGE_* of tokens that are taken whole; NULL: none has any */
    size_t longest;        /* bytes of the longest token */
    struct lli_map by_token;           /* bytes as in the file -> id */
    struct lli_map merges;             /* BPE: the bytes of a struct lli_pair -> its rank */
    const struct lli_pair *pairs;      /* BPE: [rank], the keys of merges */
    const int32_t *joined;             /* BPE: [rank] what the pair becomes */
    int32_t byte_ids[256];             /* id of the byte, as <0xXX> or as its character; or LLI_NO_TOKEN */
    int32_t bos, eos, eot, unk, pad;   /* or LLI_NO_TOKEN */
    struct lli_bounds before, after;   /* what LLI_TEXT_BOUNDS adds */
    uint32_t n_strip;                  /* spaces in front of a text that decoding drops: encoding may have put them there */
    int whole_piece_first;             /* BPE: a piece that is a token is taken before any merge */
    int by_characters;                 /* BPE: joins characters; what is no token is spelled in bytes */
    int fuse_unknown;                  /* BPE: unknown characters side by side are one token */
    int as_spelled;                    /* what is taken whole is found as it stands in the file, not as it decodes */
    const struct lli_text *normalized; /* [n] what is sought in the normalised text; NULL: nothing is */
    struct lli_text word_start, word_inner; /* WordPiece: what stands before a token that begins a word, or does not */
    const struct lli_pre *pre;              /* BPE of a GGUF file */
    struct lli_normal normal;
    struct lli_split *split;     /* NULL: a run is one piece */
    struct lli_split *word;      /* cuts away what a word is made of; where an edge asks for it */
    struct lli_token_tree *trie; /* unigram, WordPiece */
    struct lli_special *special; /* what is sought in the text as it is */
    struct lli_special *late;    /* and in what normalising makes of a run between */
};

/* From tokenizer.* metadata. The GGUF and its bytes must outlive *out. */
int32_t lli_vocab_read(struct lli_vocab *out, struct lli_heap *heap, const struct lli_gguf *g, struct llminf_error *err);
void lli_vocab_finish(struct lli_vocab *v); /* accepts a zeroed or half-built struct */

/* The first id whose bytes differ, of two vocabularies of n tokens; n: none does. */
uint32_t lli_vocab_compare(const struct lli_vocab *a, const struct lli_vocab *b);

/* For those who fill one in: empty; and, with types, ids and by_token there, which tokens end a generation. eom may be
 * LLI_NO_TOKEN. */
void lli_vocab_init(struct lli_vocab *out, struct lli_heap *heap);
void lli_vocab_mark_special(struct lli_vocab *v, int32_t eom);
void lli_vocab_mark_end(struct lli_vocab *v, int32_t id); /* one more */

/* The array at a key: of strings, or of anything else for others to judge. FORMAT if there is none, or not of n
 * elements (n = UINT64_MAX: any number). */
int32_t lli_vocab_array(const struct lli_gguf_entry **out, const struct lli_gguf *g, const char *key, int of_strings,
                        uint64_t n, struct llminf_error *err);

/* A user-defined token that the model has too, so that a text may become it in two ways. */
static inline int lli_vocab_is_models(const struct lli_vocab *v, uint32_t id)
{
    return v->types[id] == LLI_TOKEN_USER_DEFINED && !(v->edges && v->edges[id] & LLI_EDGE_ADDED);
}

/* Only these come of joining; all others are taken whole or stand for single bytes. */
static inline int lli_vocab_is_plain(const struct lli_vocab *v, uint32_t id)
{
    return v->types[id] == LLI_TOKEN_NORMAL || v->types[id] == LLI_TOKEN_UNUSED;
}

#endif
