/* file/gguf_cursor.h - the way through a GGUF header: what is read is there, and inside the header's limit.
 *
 * The first failure writes the error and stays: everything after it reads as zero, so a parser looks at `status` once per
 * record and before what it takes from the file's word. */
#ifndef LLI_FILE_GGUF_CURSOR_H
#define LLI_FILE_GGUF_CURSOR_H

#include <stdint.h>

#include "base/reader.h"
#include "file/gguf.h"
#include "llminf/status.h"

struct lli_gguf_cursor {
    struct lli_reader reader;
    int64_t limit;     /* bytes that the header may have */
    int trusted;       /* texts were checked on an earlier way through */
    int list_only;     /* tensors may be of unknown types and are not looked for in the file */
    char subject[112]; /* what is being read: a part of the file, a key, a tensor */
    int64_t record;    /* byte offset of the record being read */
    int32_t status;    /* 0, or that of the first failure */
    struct llminf_error *err;
};

void lli_gguf_cursor_init(struct lli_gguf_cursor *c, const void *bytes, size_t size, int64_t limit, struct llminf_error *err);

/* A record begins here; it is called `subject` until its name is known (an empty name changes nothing). */
void lli_gguf_cursor_record(struct lli_gguf_cursor *c, const char *subject);
void lli_gguf_cursor_name(struct lli_gguf_cursor *c, const struct lli_text *name);

/* The record is wrong. Returns the status that stays: the first. */
int32_t lli_gguf_cursor_fail(struct lli_gguf_cursor *c, int32_t status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

uint32_t lli_gguf_cursor_u32(struct lli_gguf_cursor *c);
uint64_t lli_gguf_cursor_u64(struct lli_gguf_cursor *c);

/* n items of `each` bytes in place: FORMAT if the file ends before, LIMIT if the header's limit does. NULL: failed. */
const uint8_t *lli_gguf_cursor_bytes(struct lli_gguf_cursor *c, uint64_t n, uint64_t each);

/* The same demand, nothing is read: 0, or the status. */
int32_t lli_gguf_cursor_expect(struct lli_gguf_cursor *c, uint64_t n, uint64_t each);

/* A length and as many bytes: UTF-8, and without NUL unless nul_ok. `what` is for the error's text. */
struct lli_text lli_gguf_cursor_text(struct lli_gguf_cursor *c, const char *what, int nul_ok);

#endif
