/* base/utf8.h - UTF-8 by the table of the Unicode standard (3.9, table 3-7): no overlong forms, surrogates or > U+10FFFF. */
#ifndef LLI_BASE_UTF8_H
#define LLI_BASE_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Offset of the first byte that is not part of a valid character; n if all are. */
size_t lli_utf8_valid(const void *bytes, size_t n);

/* Length of the valid character at bytes[0] (1 to 4), its code point in *out; 0 if invalid or cut. n >= 1. */
size_t lli_utf8_read(uint32_t *out, const void *bytes, size_t n);

/* 1 to 4 bytes. code must be a scalar value. */
size_t lli_utf8_write(char out[4], uint32_t code);

/* Bytes at the end of bytes[0..n) that begin a character which more bytes could complete (0 to 3). */
size_t lli_utf8_pending(const void *bytes, size_t n);

/* Writes bytes[0..n) to out with each maximal ill-formed part as U+FFFD (Unicode 3.9, best practice); returns the
 * length. out holds 3 * n bytes, or is NULL to ask. */
size_t lli_utf8_repair(char *out, const void *bytes, size_t n);

/* Writes bytes[0..n) as one line to show: control characters and what is ill-formed become \n, \r, \t or \xNN. Stops at
 * the last whole character or escape that fits, writes a NUL (nothing if cap is 0) and returns the length before it. */
size_t lli_utf8_escape(char *out, size_t cap, const void *bytes, size_t n);

#endif
