/* text/special.h - finds the tokens that are taken whole: control tokens when asked for, user-defined ones always.
 *
 * At each byte the longest token that begins there counts; the leftmost is taken, the search goes on behind it. Linear
 * in the text, whatever the tokens are. */
#ifndef LLI_TEXT_SPECIAL_H
#define LLI_TEXT_SPECIAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "text/vocab.h"

/* A token that is spelled at a byte of the text. */
struct lli_spelling {
    uint32_t at;
    int32_t id;
};

/* What is sought, by a bit of lli_vocab's edges: tokens that stand in the text as it is, or in the normalised one. */
enum lli_special_place { LLI_SPECIAL_AS_IS, LLI_SPECIAL_NORMALIZED };

/* Of the control and user-defined tokens of v that are sought in one place; *out is NULL if there are none. v must outlive
 * it. LIMIT over LLI_MAX_CONTROL_TOKENS or LLI_MAX_AUTOMATON_BYTES. */
int32_t lli_special_new(struct lli_special **out, const struct lli_vocab *v, enum lli_special_place place,
                        struct llminf_error *err);
void lli_special_free(struct lli_special *s); /* NULL does nothing */

/* What a token looks like there. */
struct lli_text lli_special_text(const struct lli_special *s, int32_t id);

/* Appends what is spelled in text[0..n), as struct lli_spelling, from the last byte to the first; they may overlap.
 * 0, or -1 without memory. s may be NULL. */
int lli_special_find(struct lli_buffer *out, const struct lli_special *s, const char *text, size_t n, int with_control);

#endif
