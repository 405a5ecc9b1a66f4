/* text/decode.h - token ids to text, whole or as a stream that never splits a character. */
#ifndef LLI_TEXT_DECODE_H
#define LLI_TEXT_DECODE_H

#include "base/buffer.h"
#include "text/vocab.h"

/* Zero it for the start of a text; at_start: drop SPM's one space in front of it. */
struct lli_decode {
    uint8_t pending[4]; /* bytes of a character that is not complete */
    uint8_t n_pending;
    uint8_t at_start;
};

/* Appends the text of one token: whole characters only; bytes that can never become a character are U+FFFD. Control
 * tokens are shown as they are spelled if `special`, else nothing. id is in the vocabulary. 0, or -1 without memory. */
int lli_decode_token(struct lli_decode *d, struct lli_buffer *out, const struct lli_vocab *v, int32_t id, int special);

/* At the end: what is pending becomes U+FFFD. */
int lli_decode_end(struct lli_decode *d, struct lli_buffer *out);

#endif
