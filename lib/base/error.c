/* base/error.c - composes the whole record aside and copies it last, so that the subject and the arguments may lie in the
 * record which is overwritten. */
#include "base/error.h"

#include <errno.h>
#include <string.h>

#include "base/format.h"
#include "base/utf8.h"

_Static_assert(sizeof(struct llminf_error) == 512, "the layout is frozen");

/* Escaping never shortens: more bytes than a field holds are not needed to fill it, but for one character cut in half. */
#define RAW_BYTES (sizeof(((struct llminf_error *)0)->text) + 8)

static const char *os_reason(int os_error)
{
    static const struct {
        int os_error;
        const char *reason;
    } rows[] = {
        {ENOENT, "no such file"},
        {EACCES, "permission denied"},
        {EPERM, "not permitted"},
        {EISDIR, "is a directory"},
        {ENOTDIR, "not a directory"},
        {ENOSPC, "no space left"},
        {EMFILE, "too many files open"},
        {ENFILE, "too many files open in the system"},
        {ENOMEM, "no memory"},
        {EAGAIN, "out of resources"},
        {EIO, "input or output error"},
        {EROFS, "read-only file system"},
        {ENODEV, "not supported by the device"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (rows[i].os_error == os_error)
            return rows[i].reason;
    }
    return NULL;
}

static size_t append(char *raw, size_t len, const char *format, ...) __attribute__((format(printf, 3, 4)));

static size_t append(char *raw, size_t len, const char *format, ...)
{
    if (len >= RAW_BYTES)
        return len;
    va_list args;
    va_start(args, format);
    len += lli_format_list(raw + len, RAW_BYTES - len, format, args);
    va_end(args);
    return len;
}

static void write_text(struct llminf_error *out, int os_error, const char *format, va_list args)
{
    char raw[RAW_BYTES];
    size_t len = lli_format_list(raw, sizeof raw, format, args);
    if (os_error) {
        const char *reason = os_reason(os_error);
        len = reason ? append(raw, len, ": %s", reason) : append(raw, len, ": error %d of the system", os_error);
    }
    if (len >= sizeof raw)
        len = sizeof raw - 1;
    size_t prefix = 0;
    if (out->subject[0] != '\0')
        prefix = lli_format(out->text, sizeof out->text, "%s: ", out->subject);
    lli_utf8_escape(out->text + prefix, sizeof out->text - prefix, raw, len);
}

int32_t lli_fail_list(struct llminf_error *err, int32_t status, int os_error, int64_t position, const char *subject,
                      const char *format, va_list args)
{
    if (!err)
        return status;
    struct llminf_error filled = {.status = status, .os_error = os_error, .position = position};
    if (subject)
        lli_utf8_escape(filled.subject, sizeof filled.subject, subject, strnlen(subject, sizeof filled.subject + 4));
    write_text(&filled, os_error, format, args);
    *err = filled;
    return status;
}

int32_t lli_fail(struct llminf_error *err, int32_t status, const char *subject, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    status = lli_fail_list(err, status, 0, -1, subject, format, args);
    va_end(args);
    return status;
}

int32_t lli_fail_at(struct llminf_error *err, int32_t status, int64_t position, const char *subject, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    status = lli_fail_list(err, status, 0, position, subject, format, args);
    va_end(args);
    return status;
}

int32_t lli_fail_os(struct llminf_error *err, int os_error, const char *subject, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int32_t status = os_error == ENOMEM ? LLMINF_E_MEMORY : LLMINF_E_IO;
    status = lli_fail_list(err, status, os_error, -1, subject, format, args);
    va_end(args);
    return status;
}

int32_t lli_fail_memory(struct llminf_error *err, const char *subject, uint64_t bytes)
{
    return lli_fail(err, LLMINF_E_MEMORY, subject, "no memory for %llu bytes", (unsigned long long)bytes);
}
