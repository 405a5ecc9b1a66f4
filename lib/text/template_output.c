/* text/template_output.c - how a run ends early, what it may take, and what it writes. Texts are built in the output too:
 * put behind a mark, then cut off. */
#include <stdarg.h>
#include <string.h>

#include "base/format.h"
#include "base/utf8.h"
#include "text/template_lex.h"
#include "text/template_run.h"

/* ---- failures and limits */

static int32_t fail_list(const struct lli_tpl_run *r, int32_t status, const char *format, va_list args)
{
    char text[320];
    lli_format_list(text, sizeof text, format, args);
    return lli_tpl_fail_at(r->t, r->err, status, r->at, "%s", text);
}

int32_t lli_tpl_fail(const struct lli_tpl_run *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int32_t status = fail_list(r, LLMINF_E_TEMPLATE, format, args);
    va_end(args);
    return status;
}

int32_t lli_tpl_limit(const struct lli_tpl_run *r, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int32_t status = fail_list(r, LLMINF_E_LIMIT, format, args);
    va_end(args);
    return status;
}

int32_t lli_tpl_undefined(const struct lli_tpl_run *r, const struct lli_var *v)
{
    return lli_tpl_fail(r, "'%.*s' is undefined", (int)(v->len < 64 ? v->len : 64), v->len > 0 ? v->text : "");
}

int32_t lli_tpl_charge(struct lli_tpl_run *r, size_t n_steps)
{
    if (n_steps > (uint64_t)r->steps_left)
        return lli_tpl_limit(r, "more than %lld steps (option template_limit_steps)", (long long)r->in->limit_steps);
    r->steps_left -= (int64_t)n_steps;
    return LLMINF_OK;
}

int32_t lli_tpl_charge_bytes(struct lli_tpl_run *r, size_t n_bytes)
{
    return lli_tpl_charge(r, n_bytes / 256);
}

int32_t lli_tpl_take(void *out, struct lli_tpl_run *r, size_t n, size_t each)
{
    void *memory = NULL;
    memcpy(out, &memory, sizeof memory);
    if (each > 0 && n > r->arena_left / each)
        return lli_tpl_limit(r, "more memory than 8 times template_limit_bytes");
    memory = lli_arena_take(&r->arena, n, each);
    if (!memory)
        return lli_fail_memory(r->err, "chat_template", (uint64_t)n * each);
    r->arena_left -= n * each;
    memcpy(out, &memory, sizeof memory);
    return LLMINF_OK;
}

/* ---- output */

static int32_t put(struct lli_tpl_run *r, const char *bytes, size_t n, const uint8_t *marks, int ours)
{
    struct lli_template_output *out = r->out;
    int64_t limit = r->in->limit_bytes;
    if (n == 0)
        return LLMINF_OK;
    if (n > (uint64_t)limit || out->text.len > (uint64_t)limit - n)
        return lli_tpl_limit(r, "more than %lld bytes of output (option template_limit_bytes)", (long long)limit);
    if (lli_buffer_reserve(&out->text, n) || lli_buffer_reserve(&out->marks, n))
        return lli_fail_memory(r->err, "chat_template", out->text.len + n);
    memcpy(out->text.bytes + out->text.len, bytes, n);
    if (marks)
        memcpy(out->marks.bytes + out->marks.len, marks, n);
    else
        memset(out->marks.bytes + out->marks.len, ours != 0, n);
    out->text.len += n;
    out->marks.len += n;
    return lli_tpl_charge_bytes(r, n);
}

int32_t lli_tpl_put(struct lli_tpl_run *r, const char *bytes, size_t n, int ours)
{
    return put(r, bytes, n, NULL, ours);
}

int32_t lli_tpl_put_text(struct lli_tpl_run *r, const struct lli_var *text)
{
    return put(r, text->text, text->len, text->marks, text->flags & LLI_OURS);
}

int32_t lli_tpl_put_code(struct lli_tpl_run *r, uint32_t code, int ours)
{
    char bytes[4];
    return put(r, bytes, lli_utf8_write(bytes, code), NULL, ours);
}

void lli_tpl_drop(struct lli_tpl_run *r, size_t from)
{
    r->out->text.len = from;
    r->out->marks.len = from;
}

int32_t lli_tpl_cut(struct lli_var *out, struct lli_tpl_run *r, size_t from)
{
    size_t n = r->out->text.len - from;
    const uint8_t *marks = n > 0 ? r->out->marks.bytes + from : NULL;
    int mixed = n > 0 && memchr(marks, !marks[0], n) != NULL;
    char *bytes;
    *out = lli_var_text((struct lli_text){"", 0}, LLI_OURS);
    if (n == 0)
        return LLMINF_OK;
    if (n > LLI_MAX_TEMPLATE_STRING)
        return lli_tpl_limit(r, "a text of more than %u bytes", LLI_MAX_TEMPLATE_STRING);
    int32_t status = lli_tpl_take(&bytes, r, mixed ? 2 * n : n, 1);
    if (status != LLMINF_OK)
        return status;
    memcpy(bytes, r->out->text.bytes + from, n);
    *out = lli_var_text((struct lli_text){bytes, n}, marks[0] ? LLI_OURS : 0);
    if (mixed) {
        memcpy(bytes + n, marks, n);
        out->marks = (const uint8_t *)bytes + n;
        out->flags = 0;
    }
    lli_tpl_drop(r, from);
    return LLMINF_OK;
}

void lli_template_output_finish(struct lli_template_output *out)
{
    lli_buffer_finish(&out->text);
    lli_buffer_finish(&out->marks);
}
