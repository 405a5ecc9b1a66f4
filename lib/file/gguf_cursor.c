#include "file/gguf_cursor.h"

#include <stdarg.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

void lli_gguf_cursor_init(struct lli_gguf_cursor *c, const void *bytes, size_t size, int64_t limit, struct llminf_error *err)
{
    memset(c, 0, sizeof *c);
    lli_reader_init(&c->reader, bytes, size);
    c->limit = limit;
    c->err = err;
}

void lli_gguf_cursor_record(struct lli_gguf_cursor *c, const char *subject)
{
    struct lli_text name = {subject, strlen(subject)};
    lli_gguf_cursor_name(c, &name);
    c->record = lli_reader_pos(&c->reader);
}

void lli_gguf_cursor_name(struct lli_gguf_cursor *c, const struct lli_text *name)
{
    size_t n = name->len < sizeof c->subject ? name->len : sizeof c->subject - 1;
    if (n == 0)
        return;
    memcpy(c->subject, name->bytes, n);
    c->subject[n] = 0;
}

int32_t lli_gguf_cursor_fail(struct lli_gguf_cursor *c, int32_t status, const char *format, ...)
{
    if (c->status)
        return c->status;
    va_list args;
    va_start(args, format);
    c->status = lli_fail_list(c->err, status, 0, c->record, c->subject, format, args);
    va_end(args);
    c->reader.failed = 1;
    return c->status;
}

int32_t lli_gguf_cursor_expect(struct lli_gguf_cursor *c, uint64_t n, uint64_t each)
{
    uint64_t left = lli_reader_left(&c->reader);
    int64_t pos = lli_reader_pos(&c->reader), room = c->limit - pos;
    if (c->status)
        return c->status;
    if (n > left / each)
        return lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "%llu x %llu bytes wanted at %lld, the file has %llu more",
                                    (unsigned long long)n, (unsigned long long)each, (long long)pos, (unsigned long long)left);
    if (room < 0 || n * each > (uint64_t)room)
        return lli_gguf_cursor_fail(c, LLMINF_E_LIMIT,
                                    "%llu bytes wanted at %lld, the header may have %lld (header_limit_bytes)",
                                    (unsigned long long)(n * each), (long long)pos, (long long)c->limit);
    return 0;
}

const uint8_t *lli_gguf_cursor_bytes(struct lli_gguf_cursor *c, uint64_t n, uint64_t each)
{
    return lli_gguf_cursor_expect(c, n, each) ? NULL : lli_reader_bytes(&c->reader, n * each);
}

uint32_t lli_gguf_cursor_u32(struct lli_gguf_cursor *c)
{
    return lli_gguf_cursor_expect(c, 1, 4) ? 0 : lli_reader_u32(&c->reader);
}

uint64_t lli_gguf_cursor_u64(struct lli_gguf_cursor *c)
{
    return lli_gguf_cursor_expect(c, 1, 8) ? 0 : lli_reader_u64(&c->reader);
}

struct lli_text lli_gguf_cursor_text(struct lli_gguf_cursor *c, const char *what, int nul_ok)
{
    struct lli_text text = {"", 0};
    uint64_t len = lli_gguf_cursor_u64(c);
    const uint8_t *bytes = lli_gguf_cursor_bytes(c, len, 1);
    if (!bytes)
        return text;
    if (len > LLI_MAX_STRING_BYTES) {
        lli_gguf_cursor_fail(c, LLMINF_E_LIMIT, "%s of %llu bytes, the limit is %u", what, (unsigned long long)len,
                             LLI_MAX_STRING_BYTES);
        return text;
    }
    text = (struct lli_text){(const char *)bytes, (size_t)len};
    size_t valid = c->trusted ? text.len : lli_utf8_valid(bytes, text.len);
    if (valid < text.len)
        lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "%s is not UTF-8 at its byte %zu", what, valid);
    else if (!nul_ok && !c->trusted && text.len && memchr(bytes, 0, text.len))
        lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "%s holds a NUL", what);
    return text;
}
