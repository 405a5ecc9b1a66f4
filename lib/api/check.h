/* api/check.h - arguments of public functions: handles, text in, room for what comes out.
 *
 * A handle starts with a mark, so that a wrong one is noticed. A parent counts its own handle and its children; the last
 * to go releases it. A confined handle has a busy flag that one thread takes for the time of a call. */
#ifndef LLI_API_CHECK_H
#define LLI_API_CHECK_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "llminf/llminf.h"

enum lli_mark {
    LLI_MARK_MODEL = 0x6c6d4d01,
    LLI_MARK_CONTEXT = 0x6c6d4302,
    LLI_MARK_SESSION = 0x6c6d5303,
    LLI_MARK_SAMPLER = 0x6c6d5004,
    LLI_MARK_OPTIONS = 0x6c6d4f05
};

/* What every handle begins with. */
struct lli_handle {
    uint32_t mark;
    _Atomic uint32_t refs;
    _Atomic uint32_t busy;
};

/* 0, or INVALID: NULL or no handle of this kind. `name` is the argument's. */
llminf_status lli_check_handle(const void *handle, uint32_t mark, const char *name, llminf_error *err);

/* The same, and this thread is in: BUSY if another is. A const handle is const to the host only. */
llminf_status lli_check_enter(const void *handle, uint32_t mark, const char *name, llminf_error *err);
void lli_check_leave(const void *handle);

/* INVALID where a result is to be put and the pointer is NULL. */
llminf_status lli_check_out(const void *out, const char *name, llminf_error *err);

/* Text in: its length in bytes, -1 being NUL-terminated. INVALID for NULL (but with length 0) and below -1, LIMIT over max. */
llminf_status lli_check_text(size_t *out, const char *text, int64_t length, size_t max, const char *name, llminf_error *err);

/* An array or text out; need includes a text's NUL. NULL with capacity 0 asks for the size: 0 with *copy 0. TOO_SMALL, or
 * 0 with *copy 1: the caller may write. */
llminf_status lli_check_room(int *copy, const void *buffer, size_t capacity, size_t need, llminf_error *err);

#endif
