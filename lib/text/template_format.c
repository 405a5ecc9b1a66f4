/* text/template_format.c - str.format: {}, {0}, {name}, with !r and !s and the format specifications of texts and numbers. */
#include <string.h>

#include "base/format.h"
#include "base/utf8.h"
#include "text/template_text.h"

struct spec {
    struct lli_text fill;
    char align, sign, type, comma;
    int64_t width, precision; /* -1: none */
};

static int is_align(char c)
{
    return c == '<' || c == '>' || c == '^' || c == '=';
}

static size_t read_digits(int64_t *out, struct lli_text t, size_t i)
{
    size_t from = i;
    while (i < t.len && t.bytes[i] >= '0' && t.bytes[i] <= '9')
        i++;
    if (i > from && lli_format_read_int(out, t.bytes + from, i - from) != 0)
        *out = INT64_MAX;
    return i;
}

/* [[fill]align][sign][0][width][,][.precision][type] */
static int32_t read_spec(struct spec *s, struct lli_tpl_run *r, struct lli_text t)
{
    uint32_t code;
    size_t i = 0, first = t.len > 0 ? lli_utf8_read(&code, t.bytes, t.len) : 0;
    *s = (struct spec){.fill = {" ", 1}, .width = -1, .precision = -1};
    if (first > 0 && first < t.len && is_align(t.bytes[first])) {
        s->fill = (struct lli_text){t.bytes, first};
        s->align = t.bytes[first];
        i = first + 1;
    } else if (t.len > 0 && is_align(t.bytes[0])) {
        s->align = t.bytes[i++];
    }
    if (i < t.len && (t.bytes[i] == '+' || t.bytes[i] == '-' || t.bytes[i] == ' '))
        s->sign = t.bytes[i++];
    if (i < t.len && t.bytes[i] == '0' && !s->align) {
        s->fill = (struct lli_text){"0", 1};
        s->align = '=';
    }
    i = read_digits(&s->width, t, i);
    if (i < t.len && t.bytes[i] == ',')
        s->comma = t.bytes[i++];
    if (i < t.len && t.bytes[i] == '.')
        i = read_digits(&s->precision, t, i + 1);
    if (i < t.len && strchr("dfFgsx%", t.bytes[i]) && t.bytes[i])
        s->type = t.bytes[i++];
    if (i < t.len)
        return lli_tpl_fail(r, "a format specification that is not supported");
    if (s->width > LLI_MAX_TEMPLATE_STRING || s->precision > 100)
        return lli_tpl_limit(r, "a width over %u or a precision over 100", LLI_MAX_TEMPLATE_STRING);
    return LLMINF_OK;
}

/* Digits in groups of three; those behind a point stay. */
static size_t group(char *out, const char *digits, size_t n)
{
    size_t whole = 0, len = 0;
    while (whole < n && digits[whole] >= '0' && digits[whole] <= '9')
        whole++;
    for (size_t i = 0; i < n; i++) {
        if (i > 0 && i < whole && (whole - i) % 3 == 0)
            out[len++] = ',';
        out[len++] = digits[i];
    }
    return len;
}

/* A number without its sign. */
static int32_t number_text(char out[700], size_t *n_out, struct lli_tpl_run *r, const struct spec *s, const struct lli_var *v)
{
    char digits[500];
    double real = lli_var_as_real(v), size = real < 0 ? -real : real;
    int precision = s->precision < 0 ? 6 : (int)s->precision;
    uint64_t whole = v->kind != LLI_VAR_REAL && v->number < 0 ? 0 - (uint64_t)v->number : (uint64_t)v->number;
    size_t n;
    if (v->kind == LLI_VAR_BIG || (v->kind == LLI_VAR_REAL && (s->type == 'd' || s->type == 'x')))
        return lli_tpl_fail(r, "a value of type %s does not go into this format", lli_var_type(v));
    if (s->type == 'x')
        n = lli_format(digits, sizeof digits, "%llx", (unsigned long long)whole);
    else if (s->type == 'f' || s->type == 'F' || s->type == '%')
        n = lli_format(digits, sizeof digits, s->type == '%' ? "%.*f%%" : "%.*f", precision,
                       s->type == '%' ? size * 100 : size);
    else if (s->type == 'g' || (v->kind == LLI_VAR_REAL && s->precision >= 0))
        n = lli_format(digits, sizeof digits, "%.*g", precision > 0 ? precision : 1, size);
    else if (v->kind == LLI_VAR_REAL)
        n = lli_tpl_format_real(digits, size);
    else
        n = lli_format(digits, sizeof digits, "%llu", (unsigned long long)whole);
    n = n < sizeof digits ? n : sizeof digits - 1;
    if (s->comma)
        n = group(out, digits, n);
    else
        memcpy(out, digits, n);
    *n_out = n;
    return LLMINF_OK;
}

/* The text with what fills it up; sign: bytes at its front that stay in front of the filling of '='. */
static int32_t put_aligned(struct lli_tpl_run *r, const struct spec *s, const struct lli_var *text, size_t sign, char otherwise)
{
    int64_t room = s->width - (int64_t)lli_var_count(text);
    char align = s->align ? s->align : otherwise;
    int64_t before = room <= 0 ? 0 : align == '>' ? room : align == '^' ? room / 2 : 0;
    struct lli_var front = lli_var_part(text, 0, sign), rest = lli_var_part(text, sign, text->len - sign);
    int32_t status = LLMINF_OK;
    for (int64_t i = 0; status == LLMINF_OK && i < before; i++)
        status = lli_tpl_put(r, s->fill.bytes, s->fill.len, 1);
    if (status == LLMINF_OK)
        status = lli_tpl_put_text(r, &front);
    for (int64_t i = 0; status == LLMINF_OK && align == '=' && i < room; i++)
        status = lli_tpl_put(r, s->fill.bytes, s->fill.len, 1);
    if (status == LLMINF_OK)
        status = lli_tpl_put_text(r, &rest);
    for (int64_t i = before; status == LLMINF_OK && align != '=' && i < room; i++)
        status = lli_tpl_put(r, s->fill.bytes, s->fill.len, 1);
    return status;
}

static int32_t put_value(struct lli_tpl_run *r, const struct lli_var *v, char conversion, struct lli_text spec)
{
    struct spec s;
    struct lli_var text;
    char digits[704];
    size_t n = 0, mark = lli_tpl_mark(r), sign = 0;
    int32_t status = read_spec(&s, r, spec);
    if (status != LLMINF_OK)
        return status;
    if (!conversion && lli_var_is_number(v) && spec.len > 0 && (v->kind != LLI_VAR_BOOL || s.type)) {
        int negative = lli_var_as_real(v) < 0;
        sign = negative || s.sign == '+' || s.sign == ' ';
        digits[0] = negative ? '-' : s.sign;
        status = number_text(digits + sign, &n, r, &s, v);
        text = lli_var_text((struct lli_text){digits, n + sign}, v->flags & LLI_OURS);
        return status == LLMINF_OK ? put_aligned(r, &s, &text, sign, '>') : status;
    }
    if (!conversion && spec.len > 0 && v->kind != LLI_VAR_TEXT)
        return lli_tpl_fail(r, "a value of type %s does not go into this format", lli_var_type(v));
    status = conversion == 'r' ? lli_tpl_put_repr(r, v) : lli_tpl_put_str(r, v);
    if (status == LLMINF_OK)
        status = lli_tpl_cut(&text, r, mark);
    if (status == LLMINF_OK && s.precision >= 0)
        text = lli_var_part(&text, 0, lli_var_offset(&text, (size_t)s.precision));
    return status == LLMINF_OK ? put_aligned(r, &s, &text, 0, '<') : status;
}

/* The argument that a field names: the next, one by number, one by name. */
static int32_t find_argument(const struct lli_var **out, struct lli_tpl_run *r, const struct lli_tpl_args *args,
                             struct lli_text name, uint32_t *next)
{
    int64_t i;
    *out = NULL;
    if (name.len == 0)
        i = (*next)++;
    else if (lli_format_read_int(&i, name.bytes, name.len) != 0)
        i = -1;
    if (i >= 0 && i < args->n)
        *out = &args->at[i];
    for (uint32_t k = 0; i < 0 && k < args->n_named; k++)
        if (args->names[k].len == name.len && memcmp(args->names[k].bytes, name.bytes, name.len) == 0)
            *out = &args->named[k];
    return *out ? LLMINF_OK : lli_tpl_fail(r, "format asks for an argument that is not given");
}

/* A field, from behind its brace to behind the other. */
static int32_t put_field(struct lli_tpl_run *r, const struct lli_var *format, size_t *at, const struct lli_tpl_args *args,
                         uint32_t *next)
{
    const char *close = memchr(format->text + *at, '}', format->len - *at);
    const struct lli_var *value;
    char conversion = 0;
    if (!close)
        return lli_tpl_fail(r, "a brace that is not closed in a format");
    struct lli_text field = {format->text + *at, (size_t)(close - (format->text + *at))}, spec = {"", 0};
    const char *colon = field.len > 0 ? memchr(field.bytes, ':', field.len) : NULL;
    *at += field.len + 1;
    if (colon) {
        spec = (struct lli_text){colon + 1, field.len - (size_t)(colon + 1 - field.bytes)};
        field.len = (size_t)(colon - field.bytes);
    }
    if (field.len >= 2 && field.bytes[field.len - 2] == '!') {
        conversion = field.bytes[field.len - 1];
        field.len -= 2;
    }
    if (conversion && conversion != 'r' && conversion != 's')
        return lli_tpl_fail(r, "a conversion that is not supported in a format");
    int32_t status = find_argument(&value, r, args, field, next);
    return status == LLMINF_OK ? put_value(r, value, conversion, spec) : status;
}

int32_t lli_tpl_text_format(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call)
{
    const struct lli_var *format = call->in;
    size_t mark = lli_tpl_mark(r);
    uint32_t next = 0;
    int32_t status = LLMINF_OK;
    for (size_t i = 0; status == LLMINF_OK && i < format->len;) {
        char c = format->text[i];
        int twice = i + 1 < format->len && format->text[i + 1] == c;
        if ((c != '{' && c != '}') || twice) {
            status = lli_tpl_put(r, &c, 1, lli_var_mark(format, i));
            i += (c == '{' || c == '}') && twice ? 2 : 1;
        } else if (c == '}') {
            return lli_tpl_fail(r, "a brace that closes nothing in a format");
        } else {
            i++;
            status = put_field(r, format, &i, call->args, &next);
        }
    }
    return status == LLMINF_OK ? lli_tpl_cut(out, r, mark) : status;
}
