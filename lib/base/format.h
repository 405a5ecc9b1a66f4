/* base/format.h - text from numbers and numbers from text, without stdio and without the locale.
 *
 * Conversions: %d %i %u %x %c %s %% %g %f %p with l, ll, z, j and h, hh; width, '-', '0' and precision (also '*'). %g and
 * %f take a double: %g prints up to the precision's significant digits (default 6); %.17g round-trips. */
#ifndef LLI_BASE_FORMAT_H
#define LLI_BASE_FORMAT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* Writes at most cap - 1 bytes and a NUL (nothing if cap is 0). Returns the length of the whole text, as snprintf. */
size_t lli_format(char *out, size_t cap, const char *format, ...) __attribute__((format(printf, 3, 4)));
size_t lli_format_list(char *out, size_t cap, const char *format, va_list args);

/* Decimal integer with an optional sign, the whole of text[0..n). Returns 0, or -1 (not a number or out of range). */
int lli_format_read_int(int64_t *out, const char *text, size_t n);

/* Decimal number as JSON spells it (also without leading digit rules: ".5", "5.", "+1"), the whole of text[0..n),
 * correctly rounded. Returns 0, or -1 (not a number, or not finite; "nan" and "inf" are not numbers). */
int lli_format_read_float(double *out, const char *text, size_t n);

#endif
