/* llminf/status.h - status codes and the error that goes with them.
 *
 * 0 is success, positive is a normal outcome, negative is an error. The list is closed: numbers never change, and a
 * function called with keys and flags of release 1.x returns only codes of release 1.x. */
#ifndef LLMINF_STATUS_H
#define LLMINF_STATUS_H

#include <stddef.h>
#include <stdint.h>

#ifndef LLMINF_API
#if defined(LLMINF_BUILDING) && defined(__GNUC__)
#define LLMINF_API __attribute__((visibility("default")))
#else
#define LLMINF_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t llminf_status;

enum {
    LLMINF_OK = 0,
    LLMINF_AGAIN = 1,          /* nothing yet, or the timeout is over; call again */
    LLMINF_DONE = 2,           /* nothing more will come: generation over and read, or engine idle */
    LLMINF_E_INVALID = -1,     /* wrong argument: NULL, wrong handle, bad token id, bad flag, bad UTF-8 (position) */
    LLMINF_E_MEMORY = -2,      /* an allocation failed; the object is as before the call */
    LLMINF_E_IO = -3,          /* the system refused to open, read, map or write; see os_error */
    LLMINF_E_FORMAT = -4,      /* a file or JSON text is malformed; position is the byte */
    LLMINF_E_UNSUPPORTED = -5, /* well formed, but not known to this library */
    LLMINF_E_LIMIT = -6,       /* a limit against hostile input was reached */
    LLMINF_E_NOT_FOUND = -7,   /* no such key, kind or adapter */
    LLMINF_E_TOO_SMALL = -8,   /* the caller's buffer is too small; the needed size is set */
    LLMINF_E_OPTION = -9,      /* unknown key, wrong type, out of range, wrong kind of bag */
    LLMINF_E_BUSY = -10,       /* another thread is in this handle, or a generation runs */
    LLMINF_E_STATE = -11,      /* the call does not fit now: nothing generated yet, handle closed, process forked */
    LLMINF_E_FULL = -12,       /* no room now: KV blocks, sessions or queue; try later */
    LLMINF_E_TOO_LONG = -13,   /* can never fit: over max_length, or over the whole KV budget */
    LLMINF_E_NUMERIC = -14,    /* NaN or Inf in weights or logits */
    LLMINF_E_GRAMMAR = -15,    /* grammar or schema is wrong, or no token can continue it */
    LLMINF_E_TEMPLATE = -16,   /* chat template is wrong, outside the supported subset, or raised an error */
    LLMINF_E_MISMATCH = -17,   /* a saved session or an adapter belongs to another model or kv_type */
    LLMINF_E_CALLBACK = -18,   /* a function of the host reported failure */
    LLMINF_E_BACKEND = -19,    /* a backend failed the handshake or its check */
    LLMINF_E_COMM = -20,       /* a rank failed or did not answer in time */
    LLMINF_E_INTERNAL = -21    /* the library found its own state wrong; close the handle and report it */
};

/* What went wrong in one call. The caller owns the memory, on its stack if it likes, and passes it as the last
 * argument; NULL is allowed. A call that fails writes all 512 bytes, a call that succeeds does not touch them; no
 * preparation is needed. Both strings are NUL-terminated UTF-8 without control characters; prompts never appear in
 * them. The layout is frozen: a binding without structs passes 512 bytes and reads the text at offset 144. */
typedef struct llminf_error {
    int32_t status;      /* at   0: the status that the call returned */
    int32_t os_error;    /* at   4: errno, or 0 */
    int64_t position;    /* at   8: byte offset in the input, or -1 */
    int64_t reserved[2]; /* at  16: 0 */
    char subject[112];   /* at  32: option, metadata key, tensor or path */
    char text[368];      /* at 144: one sentence: subject, what is, what was wanted */
} llminf_error;

#ifdef __cplusplus
}
#endif

#endif
