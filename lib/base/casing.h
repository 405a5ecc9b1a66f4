/* base/casing.h - characters in the other case (Unicode 14, UnicodeData.txt and the one rule of SpecialCasing.txt that
 * matters in prose: the sharp s), and which are white space. Without the locale. */
#ifndef LLI_BASE_CASING_H
#define LLI_BASE_CASING_H

#include <stddef.h>
#include <stdint.h>

/* One character, or the two of a sharp s: writes them to out and returns how many. */
int lli_casing_upper(uint32_t out[2], uint32_t code);
int lli_casing_title(uint32_t out[2], uint32_t code);
uint32_t lli_casing_lower(uint32_t code);

/* Are n bytes of two ASCII words the same in any case? Other bytes have to be equal. */
int lli_casing_same(const char *a, const char *b, size_t n);

/* What has another case is a letter with case. */
int lli_casing_is_upper(uint32_t code);
int lli_casing_is_lower(uint32_t code);

/* White space as Python's str.isspace has it. */
int lli_casing_is_space(uint32_t code);

/* Would Python's repr write the character as it is? Controls, formats, separators and private use are escaped. */
int lli_casing_is_printable(uint32_t code);

#endif
