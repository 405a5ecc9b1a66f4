/* base/json.c - one pass over the text with a stack of what is open. A text never has more bytes than it is spelled with,
 * and a value takes at least two bytes of source (but the last), so memory is taken once, by the size of the source. */
#include "base/json.h"

#include <string.h>

#include "base/error.h"
#include "base/format.h"
#include "base/limits.h"
#include "base/size.h"
#include "base/utf8.h"

struct reader {
    struct lli_json *out;
    const char *text;
    size_t at, n;
    size_t cap, texts_len;
    uint32_t open[LLI_MAX_JSON_DEPTH]; /* arrays and objects around `at` */
    uint32_t depth;
    const char *subject;
    struct llminf_error *err;
};

static int32_t fail(struct reader *r, const char *wanted)
{
    if (r->at >= r->n)
        return lli_fail_at(r->err, LLMINF_E_FORMAT, (int64_t)r->at, r->subject, "ends at byte %zu, want %s", r->at, wanted);
    return lli_fail_at(r->err, LLMINF_E_FORMAT, (int64_t)r->at, r->subject, "byte %zu: want %s", r->at, wanted);
}

static void skip_blanks(struct reader *r)
{
    while (r->at < r->n &&
           (r->text[r->at] == ' ' || r->text[r->at] == '\t' || r->text[r->at] == '\n' || r->text[r->at] == '\r'))
        r->at++;
}

static int peek(const struct reader *r)
{
    return r->at < r->n ? (unsigned char)r->text[r->at] : -1;
}

static int is_digit(int c)
{
    return c >= '0' && c <= '9';
}

/* Room for one more value; NULL without memory. */
static struct lli_json_value *append(struct reader *r, uint32_t kind)
{
    struct lli_json *out = r->out;
    if (out->n == r->cap) {
        size_t cap = r->cap == 0 ? 64 : 2 * r->cap;
        struct lli_json_value *values = lli_realloc(out->heap, out->values, cap * sizeof *values);
        if (!values)
            return NULL;
        out->values = values;
        r->cap = cap;
    }
    struct lli_json_value *v = &out->values[out->n++];
    *v = (struct lli_json_value){.kind = kind, .end = out->n, .at = (uint32_t)r->at};
    return v;
}

static int32_t fail_memory(const struct reader *r)
{
    return lli_fail_memory(r->err, r->subject, (uint64_t)r->cap * sizeof *r->out->values);
}

/* ---- texts */

static int hex_digit(int c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Four hexadecimal digits at `at`; -1 if they are not there. */
static int32_t read_hex(const struct reader *r, size_t at)
{
    int32_t code = 0;
    if (r->n - at < 4)
        return -1;
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_digit((unsigned char)r->text[at + i]);
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    return code;
}

/* What follows \u, with the second half of a pair. */
static int32_t read_code(struct reader *r, uint32_t *out)
{
    int32_t high = read_hex(r, r->at);
    if (high < 0)
        return fail(r, "four hexadecimal digits");
    if (high < 0xD800 || high > 0xDFFF) {
        *out = (uint32_t)high;
        r->at += 4;
        return LLMINF_OK;
    }
    int32_t low = r->n - r->at >= 10 && r->text[r->at + 4] == '\\' && r->text[r->at + 5] == 'u' ? read_hex(r, r->at + 6) : -1;
    if (high > 0xDBFF || low < 0xDC00 || low > 0xDFFF)
        return fail(r, "both halves of a surrogate pair");
    *out = 0x10000u + (((uint32_t)high - 0xD800u) << 10) + ((uint32_t)low - 0xDC00u);
    r->at += 10;
    return LLMINF_OK;
}

static int32_t read_escape(struct reader *r, char *to, size_t *n_out)
{
    static const char names[] = "\"\\/bfnrt", bytes[] = "\"\\/\b\f\n\r\t";
    uint32_t code = 0;
    int c = peek(r);
    const char *found = c > 0 ? strchr(names, c) : NULL;
    if (found) {
        *to = bytes[found - names];
        *n_out = 1;
        r->at++;
        return LLMINF_OK;
    }
    if (c != 'u')
        return fail(r, "an escape of JSON");
    r->at++;
    int32_t status = read_code(r, &code);
    if (status == LLMINF_OK)
        *n_out = lli_utf8_write(to, code);
    return status;
}

/* From the quote at `at` to behind the other. */
static int32_t read_text(struct reader *r)
{
    struct lli_json_value *v = append(r, LLI_JSON_TEXT);
    char *to = r->out->texts + r->texts_len;
    size_t n = 0;
    if (!v)
        return fail_memory(r);
    r->at++;
    for (;;) {
        int c = peek(r);
        if (c == '"')
            break;
        if (c < 0x20)
            return fail(r, c < 0 ? "the end of a text" : "no control character in a text");
        if (c == '\\') {
            size_t more = 0;
            r->at++;
            int32_t status = read_escape(r, to + n, &more);
            if (status != LLMINF_OK)
                return status;
            n += more;
        } else {
            to[n++] = (char)c;
            r->at++;
        }
    }
    r->at++;
    to[n] = 0;
    v->text = to;
    v->n = (uint32_t)n;
    r->texts_len += n + 1;
    return LLMINF_OK;
}

/* ---- numbers and words */

static int32_t read_digits(struct reader *r)
{
    if (!is_digit(peek(r)))
        return fail(r, "a digit");
    while (is_digit(peek(r)))
        r->at++;
    return LLMINF_OK;
}

static int32_t read_number(struct reader *r)
{
    struct lli_json_value *v = append(r, LLI_JSON_INT);
    size_t start = r->at;
    int32_t status;
    if (!v)
        return fail_memory(r);
    if (peek(r) == '-')
        r->at++;
    if (peek(r) == '0' && is_digit(r->at + 1 < r->n ? (unsigned char)r->text[r->at + 1] : -1)) {
        r->at++;
        return fail(r, "no digit behind a leading 0");
    }
    status = read_digits(r);
    if (status == LLMINF_OK && peek(r) == '.') {
        v->kind = LLI_JSON_FLOAT;
        r->at++;
        status = read_digits(r);
    }
    if (status == LLMINF_OK && (peek(r) == 'e' || peek(r) == 'E')) {
        v->kind = LLI_JSON_FLOAT;
        r->at++;
        if (peek(r) == '+' || peek(r) == '-')
            r->at++;
        status = read_digits(r);
    }
    if (status != LLMINF_OK)
        return status;
    size_t n = r->at - start;
    if (n > LLI_MAX_JSON_NUMBER)
        return lli_fail_at(r->err, LLMINF_E_LIMIT, (int64_t)start, r->subject, "a number of %zu characters, want at most %u", n,
                           LLI_MAX_JSON_NUMBER);
    if (v->kind == LLI_JSON_INT && lli_format_read_int(&v->number, r->text + start, n) != 0) {
        char *to = r->out->texts + r->texts_len;
        v->kind = LLI_JSON_BIG;
        memcpy(to, r->text + start, n);
        to[n] = 0;
        v->text = to;
        v->n = (uint32_t)n;
        r->texts_len += n + 1;
    } else if (v->kind == LLI_JSON_FLOAT && lli_format_read_float(&v->real, r->text + start, n) != 0) {
        r->at = start;
        return fail(r, "a number that a double can hold");
    }
    return LLMINF_OK;
}

static int32_t read_word(struct reader *r)
{
    static const struct {
        const char *word;
        size_t n;
        uint32_t kind;
    } words[] = {{"null", 4, LLI_JSON_NULL}, {"true", 4, LLI_JSON_TRUE}, {"false", 5, LLI_JSON_FALSE}};
    for (size_t i = 0; i < 3; i++) {
        if (r->n - r->at < words[i].n || memcmp(r->text + r->at, words[i].word, words[i].n) != 0)
            continue;
        if (!append(r, words[i].kind))
            return fail_memory(r);
        r->at += words[i].n;
        return LLMINF_OK;
    }
    return fail(r, "a value");
}

/* ---- what is open */

static int32_t open_one(struct reader *r, uint32_t kind)
{
    if (r->depth == LLI_MAX_JSON_DEPTH)
        return lli_fail_at(r->err, LLMINF_E_LIMIT, (int64_t)r->at, r->subject, "nested deeper than %u", LLI_MAX_JSON_DEPTH);
    if (!append(r, kind))
        return fail_memory(r);
    r->open[r->depth++] = r->out->n - 1;
    r->at++;
    return LLMINF_OK;
}

/* A value, or the beginning of one. */
static int32_t read_value(struct reader *r)
{
    int c = peek(r);
    if (c == '{')
        return open_one(r, LLI_JSON_OBJECT);
    if (c == '[')
        return open_one(r, LLI_JSON_ARRAY);
    if (c == '"')
        return read_text(r);
    return c == '-' || is_digit(c) ? read_number(r) : read_word(r);
}

static int32_t read_name(struct reader *r)
{
    if (peek(r) != '"')
        return fail(r, "the name of a member");
    int32_t status = read_text(r);
    skip_blanks(r);
    if (status == LLMINF_OK && peek(r) != ':')
        return fail(r, "a colon");
    r->at++;
    skip_blanks(r);
    return status;
}

/* The next part of the innermost array or object, or its end. */
static int32_t read_part(struct reader *r)
{
    uint32_t i = r->open[r->depth - 1];
    int is_object = r->out->values[i].kind == LLI_JSON_OBJECT, close = is_object ? '}' : ']';
    int32_t status = LLMINF_OK;
    if (peek(r) == close) {
        r->out->values[i].end = r->out->n;
        r->depth--;
        r->at++;
        return LLMINF_OK;
    }
    if (r->out->values[i].n > 0) {
        if (peek(r) != ',')
            return fail(r, is_object ? "a comma or }" : "a comma or ]");
        r->at++;
        skip_blanks(r);
    }
    if (is_object && r->out->values[i].n == LLI_MAX_JSON_MEMBERS)
        return lli_fail_at(r->err, LLMINF_E_LIMIT, (int64_t)r->at, r->subject, "an object of more than %u members",
                           LLI_MAX_JSON_MEMBERS);
    r->out->values[i].n++;
    if (is_object)
        status = read_name(r);
    return status == LLMINF_OK ? read_value(r) : status;
}

static int32_t read_all(struct reader *r)
{
    skip_blanks(r);
    int32_t status = read_value(r);
    while (status == LLMINF_OK && r->depth > 0) {
        skip_blanks(r);
        status = read_part(r);
    }
    skip_blanks(r);
    if (status == LLMINF_OK && r->at < r->n)
        return fail(r, "nothing behind the value");
    return status;
}

int32_t lli_json_read(struct lli_json *out, struct lli_heap *heap, const char *text, size_t n, const char *subject,
                      struct llminf_error *err)
{
    struct reader r = {.out = out, .text = text, .n = n, .subject = subject, .err = err};
    memset(out, 0, sizeof *out);
    out->heap = heap;
    if (n > LLI_MAX_JSON_BYTES)
        return lli_fail(err, LLMINF_E_LIMIT, subject, "%zu bytes, want at most %u", n, LLI_MAX_JSON_BYTES);
    size_t good = lli_utf8_valid(text, n);
    if (good < n)
        return lli_fail_at(err, LLMINF_E_FORMAT, (int64_t)good, subject, "byte %zu begins no UTF-8 character", good);
    out->texts = lli_alloc(heap, n + 1); /* a text and its NUL take less than its quotes did */
    int32_t status = out->texts ? read_all(&r) : lli_fail_memory(err, subject, n + 1);
    if (status != LLMINF_OK)
        lli_json_finish(out);
    return status;
}

void lli_json_finish(struct lli_json *json)
{
    if (json->heap) {
        lli_free(json->heap, json->values);
        lli_free(json->heap, json->texts);
    }
    memset(json, 0, sizeof *json);
}

uint32_t lli_json_find(const struct lli_json *json, uint32_t object, const char *name, size_t n)
{
    uint32_t found = 0;
    if (json->values[object].kind != LLI_JSON_OBJECT)
        return 0;
    for (uint32_t i = object + 1; i < json->values[object].end; i = lli_json_next(json, i + 1)) {
        if (json->values[i].n == n && memcmp(json->values[i].text, name, n) == 0)
            found = i + 1;
    }
    return found;
}
