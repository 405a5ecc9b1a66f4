/* text/encode.h - text to token ids. */
#ifndef LLI_TEXT_ENCODE_H
#define LLI_TEXT_ENCODE_H

#include "base/buffer.h"
#include "text/merge.h"
#include "text/split.h"
#include "text/vocab.h"

/* As LLMINF_TEXT_*. */
enum { LLI_TEXT_SPECIAL = 1, LLI_TEXT_BOUNDS = 2, LLI_TEXT_REPAIR = 4 };

/* Appends ids (int32_t each) to `ids`. SPECIAL: what spells a control token becomes it (user-defined tokens always do).
 * BOUNDS: BOS and EOS as the vocabulary says. Invalid UTF-8 is INVALID with its position, or U+FFFD with REPAIR.
 * O(n log n). LIMIT over LLI_MAX_TEXT_BYTES or the regex limits. On failure ids is as before. */
int32_t lli_encode(struct lli_buffer *ids, const struct lli_vocab *v, const char *text, size_t n, int flags,
                   struct llminf_error *err);

/* The same for a text of which marks[i] tells whether byte i may be part of the spelling of a control token (1) or is text
 * of somebody else (0): a control token is taken where all its bytes are marked, whatever stands beside it. No flags. */
int32_t lli_encode_marked(struct lli_buffer *ids, const struct lli_vocab *v, const char *text, const uint8_t *marks, size_t n,
                          struct llminf_error *err);

/* Inside text/: the memory that one call works in, run after run. */
struct lli_encode_work {
    struct lli_merge merge;
    struct lli_normal_work normal;
    struct lli_pieces pieces;
    struct lli_buffer text; /* a piece as the vocabulary spells it; what a way through it costs */
    struct lli_buffer late; /* struct lli_spelling: tokens in a normalised run */
};

/* Appends the ids of a piece, which is not empty. 0, or -1 without memory: ids may hold more than before then. */
typedef int lli_encode_fn(struct lli_buffer *ids, const struct lli_vocab *v, struct lli_encode_work *work,
                          struct lli_text piece);

#endif
