/* base/error.h - one act makes an error: it writes subject and text and returns the status.
 *
 *     return lli_fail(err, LLMINF_E_FORMAT, name, "%u dimensions, want 1 to %u", got, LLI_MAX_DIMS);
 *
 * The text becomes "SUBJECT: FORMATTED". Nothing is allocated. */
#ifndef LLI_BASE_ERROR_H
#define LLI_BASE_ERROR_H

#include <stdarg.h>
#include <stdint.h>

#include "llminf/status.h"

/* Fills *err (may be NULL) and returns `status`. `subject` names what is wrong: an option, a metadata key, a tensor, a
 * path, a function's argument; it may be NULL (then the text has no prefix), may lie in *err, and may be any bytes:
 * what is not printable UTF-8 is escaped, what does not fit is cut at a whole character. Format: base/format.h. */
int32_t lli_fail(struct llminf_error *err, int32_t status, const char *subject, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The same with the byte offset in the input. */
int32_t lli_fail_at(struct llminf_error *err, int32_t status, int64_t position, const char *subject, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

/* The same for a refused system call: status LLMINF_E_IO (LLMINF_E_MEMORY for ENOMEM), os_error set, and the reason behind
 * the text: "SUBJECT: FORMATTED: no such file". */
int32_t lli_fail_os(struct llminf_error *err, int os_error, const char *subject, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* LLMINF_E_MEMORY: "SUBJECT: no memory for N bytes". */
int32_t lli_fail_memory(struct llminf_error *err, const char *subject, uint64_t bytes);

int32_t lli_fail_list(struct llminf_error *err, int32_t status, int os_error, int64_t position, const char *subject,
                      const char *format, va_list args);

#endif
