#include "llminf/llminf.h"

#include <stddef.h>

#define TEXT_OF(x) #x
#define DIGITS(x) TEXT_OF(x)

#if defined(__clang__)
#define COMPILER "clang " DIGITS(__clang_major__) "." DIGITS(__clang_minor__)
#elif defined(__GNUC__)
#define COMPILER "gcc " DIGITS(__GNUC__) "." DIGITS(__GNUC_MINOR__)
#else
#define COMPILER "C compiler"
#endif

#if defined(__x86_64__)
#define TARGET "x86-64"
#elif defined(__i386__)
#define TARGET "x86"
#elif defined(__aarch64__)
#define TARGET "aarch64"
#else
#define TARGET "other target"
#endif

/* The layout that abi.md freezes. */
_Static_assert(sizeof(llminf_error) == 512, "llminf_error is 512 bytes");
_Static_assert(offsetof(llminf_error, os_error) == 4, "os_error at 4");
_Static_assert(offsetof(llminf_error, position) == 8, "position at 8");
_Static_assert(offsetof(llminf_error, reserved) == 16, "reserved at 16");
_Static_assert(offsetof(llminf_error, subject) == 32, "subject at 32");
_Static_assert(offsetof(llminf_error, text) == 144, "text at 144");

struct status_row {
    llminf_status status;
    const char *name, *text;
};

static const struct status_row rows[] = {
    {LLMINF_OK, "LLMINF_OK", "The call succeeded."},
    {LLMINF_AGAIN, "LLMINF_AGAIN", "Nothing is there yet, or the timeout is over; call again."},
    {LLMINF_DONE, "LLMINF_DONE", "Nothing more will come."},
    {LLMINF_E_INVALID, "LLMINF_E_INVALID", "An argument is wrong."},
    {LLMINF_E_MEMORY, "LLMINF_E_MEMORY", "An allocation failed."},
    {LLMINF_E_IO, "LLMINF_E_IO", "The system refused to open, read, map or write."},
    {LLMINF_E_FORMAT, "LLMINF_E_FORMAT", "The input is malformed."},
    {LLMINF_E_UNSUPPORTED, "LLMINF_E_UNSUPPORTED", "The input is well formed but not known to this library."},
    {LLMINF_E_LIMIT, "LLMINF_E_LIMIT", "A limit against hostile input was reached."},
    {LLMINF_E_NOT_FOUND, "LLMINF_E_NOT_FOUND", "There is no such key or kind."},
    {LLMINF_E_TOO_SMALL, "LLMINF_E_TOO_SMALL", "The caller's buffer is too small."},
    {LLMINF_E_OPTION, "LLMINF_E_OPTION", "An option is unknown, of another type, out of range or of another kind."},
    {LLMINF_E_BUSY, "LLMINF_E_BUSY", "Another thread is in this handle, or a generation runs."},
    {LLMINF_E_STATE, "LLMINF_E_STATE", "The call does not fit now."},
    {LLMINF_E_FULL, "LLMINF_E_FULL", "There is no room now; try later."},
    {LLMINF_E_TOO_LONG, "LLMINF_E_TOO_LONG", "It can never fit."},
    {LLMINF_E_NUMERIC, "LLMINF_E_NUMERIC", "A weight or a logit is NaN or infinite."},
    {LLMINF_E_GRAMMAR, "LLMINF_E_GRAMMAR", "A grammar is wrong, or no token can continue it."},
    {LLMINF_E_TEMPLATE, "LLMINF_E_TEMPLATE", "A chat template is wrong or raised an error."},
    {LLMINF_E_MISMATCH, "LLMINF_E_MISMATCH", "A saved session or an adapter belongs to another model."},
    {LLMINF_E_CALLBACK, "LLMINF_E_CALLBACK", "A function of the host reported failure."},
    {LLMINF_E_BACKEND, "LLMINF_E_BACKEND", "A backend failed its handshake or its check."},
    {LLMINF_E_COMM, "LLMINF_E_COMM", "A rank failed or did not answer in time."},
    {LLMINF_E_INTERNAL, "LLMINF_E_INTERNAL", "The library found its own state wrong."},
};

static const struct status_row *find(llminf_status status)
{
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].status == status)
            return &rows[i];
    return NULL;
}

int32_t llminf_version(void)
{
    return LLMINF_VERSION_MAJOR * 1000000 + LLMINF_VERSION_MINOR * 1000 + LLMINF_VERSION_PATCH;
}

const char *llminf_version_text(void)
{
    return DIGITS(LLMINF_VERSION_MAJOR) "." DIGITS(LLMINF_VERSION_MINOR) "." DIGITS(LLMINF_VERSION_PATCH) " (" COMPILER
                                                                                                          ", " TARGET ")";
}

const char *llminf_status_name(llminf_status status)
{
    const struct status_row *row = find(status);
    return row != NULL ? row->name : "LLMINF_UNKNOWN";
}

const char *llminf_status_text(llminf_status status)
{
    const struct status_row *row = find(status);
    return row != NULL ? row->text : "This status is not known to this release of the library.";
}
