/* text/charsmap.h - SentencePiece's precompiled map of characters: a Darts double array from byte strings to the texts
 * that stand for them. */
#ifndef LLI_TEXT_CHARSMAP_H
#define LLI_TEXT_CHARSMAP_H

#include <stddef.h>
#include <stdint.h>

#include "file/gguf.h"

struct llminf_error;
struct lli_heap;

#define LLI_MAX_CHARSMAP_KEY 256u /* bytes of a text that are looked up at most */

/* A view; the bytes are borrowed. Every unit that can be reached lies in the array, and every text in the texts. */
struct lli_charsmap {
    const uint8_t *units; /* n little-endian uint32_t, any alignment */
    size_t n;
    const char *texts; /* NUL-terminated, one behind the other, UTF-8 */
    size_t texts_len;
};

/* FORMAT if an offset leads outside or a text is no UTF-8, LIMIT over LLI_MAX_CHARSMAP_BYTES. subject: of errors. */
int32_t lli_charsmap_read(struct lli_charsmap *out, struct lli_heap *heap, const uint8_t *bytes, size_t n, const char *subject,
                          struct llminf_error *err);

/* The longest key of whole characters that text[0..n) begins with, and what stands for it; 0 if there is none. */
size_t lli_charsmap_find(struct lli_text *out, const struct lli_charsmap *map, const char *text, size_t n);

#endif
