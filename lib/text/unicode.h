/* text/unicode.h - characters by the Unicode standard: decomposition, combining classes, composition, small letters. */
#ifndef LLI_TEXT_UNICODE_H
#define LLI_TEXT_UNICODE_H

#include <stddef.h>
#include <stdint.h>

#define LLI_MAX_DECOMPOSED 18u /* characters that one becomes at most: U+FDFA */

/* The full decomposition of a character, canonical or of compatibility; returns how many it has, 1 if it is its own. */
size_t lli_unicode_decompose(uint32_t out[LLI_MAX_DECOMPOSED], uint32_t code, int compatible);

/* The canonical combining class: 0 for a character that begins anew. */
uint8_t lli_unicode_class(uint32_t code);

/* What two characters compose to, or 0. */
uint32_t lli_unicode_compose(uint32_t first, uint32_t second);

/* The character in small letters; returns how many that is, 1 or 2. */
size_t lli_unicode_lower(uint32_t out[2], uint32_t code);

/* White_Space. */
int lli_unicode_is_space(uint32_t code);

/* ---- the tables (make_unicode.py) */

/* Of `n` characters from `first` on; value: a class, or the index of the first's beginning. */
struct lli_unicode_range {
    uint32_t first;
    uint16_t n, value;
};

struct lli_unicode_pair {
    uint32_t first, second, composed;
};

struct lli_unicode_lower {
    uint32_t first;
    uint16_t n, step;
    int32_t difference;
};

extern const struct lli_unicode_range lli_unicode_canonical_ranges[], lli_unicode_compatible_ranges[], lli_unicode_classes[];
extern const uint16_t lli_unicode_canonical_starts[], lli_unicode_canonical_units[];
extern const uint16_t lli_unicode_compatible_starts[], lli_unicode_compatible_units[];
extern const struct lli_unicode_pair lli_unicode_pairs[];
extern const struct lli_unicode_lower lli_unicode_lowers[];
extern const size_t lli_unicode_canonical_n, lli_unicode_compatible_n;
extern const size_t lli_unicode_n_classes, lli_unicode_n_pairs, lli_unicode_n_lowers;

#endif
