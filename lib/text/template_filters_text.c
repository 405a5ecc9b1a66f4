/* text/template_filters_text.c - filters that make texts. What is no text goes through str() first, as in Jinja2. */
#include <string.h>

#include "base/casing.h"
#include "base/utf8.h"
#include "text/template_text.h"

static int32_t with_case(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c, int how)
{
    struct lli_var text;
    int32_t status = lli_tpl_str(&text, r, c->in);
    return status == LLMINF_OK ? lli_tpl_text_case(out, r, &text, how) : status;
}

static int32_t f_upper(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return with_case(out, r, c, LLI_CASE_UPPER);
}

static int32_t f_lower(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return with_case(out, r, c, LLI_CASE_LOWER);
}

static int32_t f_capitalize(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return with_case(out, r, c, LLI_CASE_CAPITALIZE);
}

static int32_t f_title(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return with_case(out, r, c, LLI_CASE_WORDS);
}

static int32_t f_string(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return lli_tpl_str(out, r, c->in);
}

static int32_t f_trim(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var text;
    int32_t status = lli_tpl_str(&text, r, c->in);
    if (status != LLMINF_OK)
        return status;
    return lli_tpl_text_strip(out, r, &text, lli_var_is_given(&c->arg[0]) ? &c->arg[0] : NULL,
                              LLI_STRIP_LEFT | LLI_STRIP_RIGHT);
}

static int32_t f_replace(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var text, from, to;
    int64_t count = -1;
    int32_t status = lli_var_is_given(&c->arg[2]) ? lli_tpl_int_arg(&count, r, &c->arg[2], -1) : LLMINF_OK;
    if (status == LLMINF_OK)
        status = lli_tpl_str(&text, r, c->in);
    if (status == LLMINF_OK)
        status = lli_tpl_str(&from, r, &c->arg[0]);
    if (status == LLMINF_OK)
        status = lli_tpl_str(&to, r, &c->arg[1]);
    return status == LLMINF_OK ? lli_tpl_text_replace(out, r, &text, &from, &to, count) : status;
}

static int32_t f_center(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var text;
    int64_t width;
    int32_t status = lli_tpl_int_arg(&width, r, &c->arg[0], 80);
    if (status == LLMINF_OK)
        status = lli_tpl_str(&text, r, c->in);
    return status == LLMINF_OK ? lli_tpl_text_center(out, r, &text, width) : status;
}

/* What each line but the first begins with. */
static int32_t indention(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *width)
{
    struct lli_var blank = lli_var_ours(" ");
    int64_t n;
    *out = *width;
    if (width->kind == LLI_VAR_TEXT)
        return LLMINF_OK;
    int32_t status = lli_tpl_int_arg(&n, r, width, 4);
    struct lli_var times = lli_var_int(n);
    return status == LLMINF_OK ? lli_tpl_binary(out, r, '*', &blank, &times) : status;
}

static int32_t f_indent(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var with, lines, text, newline = lli_var_ours("\n");
    int first = lli_var_truth(&c->arg[1]), blank = lli_var_truth(&c->arg[2]);
    size_t mark = lli_tpl_mark(r);
    int32_t status = indention(&with, r, &c->arg[0]);
    if (status == LLMINF_OK)
        status = lli_tpl_binary(&text, r, '+', c->in, &newline);
    if (status == LLMINF_OK)
        status = lli_tpl_text_lines(&lines, r, &text, 0);
    if (status == LLMINF_OK && first)
        status = lli_tpl_put_text(r, &with);
    for (uint32_t i = 0; status == LLMINF_OK && i < lines.list->n; i++) {
        if (i > 0)
            status = lli_tpl_put(r, "\n", 1, 1);
        if (status == LLMINF_OK && i > 0 && (blank || lines.list->items[i].len > 0))
            status = lli_tpl_put_text(r, &with);
        if (status == LLMINF_OK)
            status = lli_tpl_put_text(r, &lines.list->items[i]);
    }
    return status == LLMINF_OK ? lli_tpl_cut(out, r, mark) : status;
}

static int32_t escape(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c, int always)
{
    struct lli_var text, empty = lli_var_ours("");
    int32_t status = lli_tpl_str(&text, r, c->in);
    if (status != LLMINF_OK)
        return status;
    if (always)
        text.flags &= (uint8_t)~LLI_MARKUP;
    empty.flags |= LLI_MARKUP; /* added to markup, a text is escaped */
    return lli_tpl_binary(out, r, '+', &empty, &text);
}

static int32_t f_escape(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return escape(out, r, c, 0);
}

static int32_t f_forceescape(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return escape(out, r, c, 1);
}

static int32_t f_safe(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    int32_t status = lli_tpl_str(out, r, c->in);
    out->flags |= LLI_MARKUP;
    return status;
}

/* ---- JSON */

static int32_t read_separators(struct lli_tpl_json_style *style, struct lli_tpl_run *r, struct lli_var separators)
{
    struct lli_var_list *pair;
    int32_t status = lli_var_iterate(&pair, r, &separators);
    if (status != LLMINF_OK)
        return status;
    if (pair->n != 2 || pair->items[0].kind != LLI_VAR_TEXT || pair->items[1].kind != LLI_VAR_TEXT)
        return lli_tpl_fail(r, "separators of tojson are two texts");
    style->comma = pair->items[0];
    style->colon = pair->items[1];
    return LLMINF_OK;
}

static int32_t f_tojson(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_tpl_json_style style = {
        .indent = -1, .ascii = lli_var_truth(&c->arg[0]), .sort_keys = lli_var_truth(&c->arg[3])};
    int64_t indent = -1;
    size_t mark = lli_tpl_mark(r);
    int32_t status = LLMINF_OK;
    if (lli_var_is_given(&c->arg[1]))
        status = lli_tpl_int_arg(&indent, r, &c->arg[1], -1);
    if (lli_var_is_given(&c->arg[1]))
        style.indent = indent < 0 ? 0 : indent > 4096 ? 4096 : (int)indent;
    style.comma = lli_var_ours(style.indent < 0 ? ", " : ",");
    style.colon = lli_var_ours(": ");
    if (status == LLMINF_OK && lli_var_is_given(&c->arg[2]))
        status = read_separators(&style, r, c->arg[2]);
    if (status == LLMINF_OK)
        status = lli_tpl_put_json(r, c->in, &style);
    return status == LLMINF_OK ? lli_tpl_cut(out, r, mark) : status;
}

/* ---- others */

static int32_t f_format(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var text, values;
    int32_t status = lli_tpl_str(&text, r, c->in);
    if (status == LLMINF_OK && c->args->n > 0 && c->args->n_named > 0)
        return lli_tpl_fail(r, "format takes arguments by place or by name");
    if (status == LLMINF_OK)
        status = c->args->n_named > 0 ? lli_var_dict_new(&values, r, LLI_VAR_DICT)
                                      : lli_var_list_new(&values, r, LLI_VAR_TUPLE, c->args->n);
    for (uint32_t i = 0; status == LLMINF_OK && i < c->args->n; i++)
        status = lli_var_list_add(r, values.list, &c->args->at[i]);
    for (uint32_t i = 0; status == LLMINF_OK && i < c->args->n_named; i++) {
        struct lli_var key = lli_var_text(c->args->names[i], LLI_OURS);
        status = lli_var_dict_put(r, values.dict, &key, &c->args->named[i]);
    }
    return status == LLMINF_OK ? lli_tpl_format_text(out, r, &text, &values) : status;
}

/* Up to `length` characters with the end, at a blank unless words may be cut. */
static int32_t f_truncate(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var text, end = c->arg[2].kind == LLI_VAR_ABSENT ? lli_var_ours("...") : c->arg[2];
    int64_t length, leeway = 5;
    int32_t status = lli_tpl_int_arg(&length, r, &c->arg[0], 255);
    if (status == LLMINF_OK && lli_var_is_given(&c->arg[3]))
        status = lli_tpl_int_arg(&leeway, r, &c->arg[3], 5);
    if (status == LLMINF_OK && c->in->kind != LLI_VAR_TEXT)
        return lli_tpl_fail(r, "truncate of a value of type %s, want a text", lli_var_type(c->in));
    text = *c->in;
    if (status != LLMINF_OK)
        return status;
    if (end.kind != LLI_VAR_TEXT || length < (int64_t)lli_var_count(&end) || leeway < 0)
        return lli_tpl_fail(r, "truncate to less than its end");
    *out = text;
    if ((int64_t)lli_var_count(&text) <= length + leeway)
        return lli_tpl_charge_bytes(r, text.len);
    struct lli_var kept = lli_var_part(&text, 0, lli_var_offset(&text, (size_t)length - lli_var_count(&end)));
    size_t blank = lli_var_truth(&c->arg[1]) ? 0 : kept.len;
    while (blank > 0 && kept.text[blank - 1] != ' ')
        blank--;
    if (blank > 0)
        kept = lli_var_part(&kept, 0, blank - 1);
    return lli_tpl_binary(out, r, '+', &kept, &end);
}

static int32_t f_wordcount(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var text;
    int64_t n = 0;
    int inside = 0;
    int32_t status = lli_tpl_str(&text, r, c->in);
    for (size_t i = 0, len; status == LLMINF_OK && i < text.len; i += len) {
        uint32_t code = 0;
        len = lli_utf8_read(&code, text.text + i, text.len - i);
        int word = code >= 0x80 ? !lli_casing_is_space(code)
                                : (code >= '0' && code <= '9') || lli_casing_lower(code) - 'a' < 26 || code == '_';
        n += word && !inside;
        inside = word;
    }
    *out = lli_var_int(n);
    return status == LLMINF_OK ? lli_tpl_charge_bytes(r, text.len) : status;
}

static int32_t put_quoted(struct lli_tpl_run *r, const struct lli_var *text, int in_query)
{
    static const char hex[] = "0123456789ABCDEF";
    int32_t status = LLMINF_OK;
    for (size_t i = 0; status == LLMINF_OK && i < text->len; i++) {
        uint8_t b = (uint8_t)text->text[i];
        int plain = (b >= '0' && b <= '9') || ((b | 32) >= 'a' && (b | 32) <= 'z') || (b && strchr("_.-~", b)) ||
                    (b == '/' && !in_query);
        char escaped[3] = {'%', hex[b >> 4], hex[b & 15]};
        plain = plain && b < 0x80;
        if (b == ' ' && in_query)
            status = lli_tpl_put(r, "+", 1, lli_var_mark(text, i));
        else
            status = lli_tpl_put(r, plain ? text->text + i : escaped, plain ? 1 : 3, lli_var_mark(text, i));
    }
    return status;
}

static int32_t put_pair(struct lli_tpl_run *r, const struct lli_var *key, const struct lli_var *value, int first)
{
    struct lli_var text;
    int32_t status = first ? LLMINF_OK : lli_tpl_put(r, "&", 1, 1);
    if (status == LLMINF_OK)
        status = lli_tpl_str(&text, r, key);
    if (status == LLMINF_OK)
        status = put_quoted(r, &text, 1);
    if (status == LLMINF_OK)
        status = lli_tpl_put(r, "=", 1, 1);
    if (status == LLMINF_OK)
        status = lli_tpl_str(&text, r, value);
    return status == LLMINF_OK ? put_quoted(r, &text, 1) : status;
}

static int32_t f_urlencode(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    size_t mark = lli_tpl_mark(r);
    struct lli_var text;
    int32_t status = LLMINF_OK;
    if (c->in->kind == LLI_VAR_DICT) {
        const struct lli_var_dict *d = c->in->dict;
        for (uint32_t i = 0; status == LLMINF_OK && i < d->n; i++)
            status = put_pair(r, &d->entries[i].key, &d->entries[i].value, i == 0);
    } else if (lli_var_is_list(c->in)) {
        return lli_tpl_fail(r, "urlencode of a list, want a text or a mapping");
    } else {
        status = lli_tpl_str(&text, r, c->in);
        if (status == LLMINF_OK)
            status = put_quoted(r, &text, 0);
    }
    return status == LLMINF_OK ? lli_tpl_cut(out, r, mark) : status;
}

const struct lli_tpl_function lli_tpl_text_filters[] = {
    {"capitalize", "", 0, f_capitalize},
    {"center", "width", 0, f_center},
    {"e", "", 0, f_escape},
    {"escape", "", 0, f_escape},
    {"forceescape", "", 0, f_forceescape},
    {"format", NULL, 0, f_format},
    {"indent", "width first blank", 0, f_indent},
    {"lower", "", 0, f_lower},
    {"replace", "old new count", 2, f_replace},
    {"safe", "", 0, f_safe},
    {"string", "", 0, f_string},
    {"title", "", 0, f_title},
    {"tojson", "ensure_ascii indent separators sort_keys", 0, f_tojson},
    {"trim", "chars", 0, f_trim},
    {"truncate", "length killwords end leeway", 0, f_truncate},
    {"upper", "", 0, f_upper},
    {"urlencode", "", 0, f_urlencode},
    {"wordcount", "", 0, f_wordcount},
    {NULL, NULL, 0, NULL},
};
