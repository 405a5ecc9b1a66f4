/* text/template_print.c - values as text: Python's str and repr, and its json.dumps without ASCII escapes. Containers are
 * walked with a stack; what a container's brackets and commas count as is its own origin. */
#include <string.h>

#include "base/casing.h"
#include "base/format.h"
#include "base/utf8.h"
#include "text/template_run.h"

/* The shortest digits that read back as the same number, as Python writes them. */
size_t lli_tpl_format_real(char out[40], double real)
{
    char digits[40], *e;
    double back;
    int64_t exponent = 0;
    size_t n = 0, len = 0;
    if (real != real || real - real != 0)
        return lli_format(out, 40, "%s", real != real ? "nan" : real < 0 ? "-inf" : "inf");
    for (int precision = 1; precision <= 17; precision++) {
        lli_format(digits, sizeof digits, "%.*g", precision, real);
        if (lli_format_read_float(&back, digits, strlen(digits)) == 0 && back == real)
            break;
    }
    e = strchr(digits, 'e');
    if (e)
        (void)lli_format_read_int(&exponent, e + 1, strlen(e + 1));
    if (e && exponent >= 16)
        return lli_format(out, 40, "%s", digits);
    if (!e) {
        /* Small exponents are written out by both. */
        return lli_format(out, 40, strchr(digits, '.') ? "%s" : "%s.0", digits);
    }
    if (exponent < -4)
        return lli_format(out, 40, "%s", digits);
    /* 1.2e+07 with few digits: Python writes it out up to 1e16. */
    n = (size_t)(e - digits);
    for (size_t i = 0; i < n; i++)
        if (digits[i] != '.')
            out[len++] = digits[i];
    size_t before = (size_t)exponent + 1 + (digits[0] == '-');
    while (len < before)
        out[len++] = '0';
    out[len++] = '.';
    out[len++] = '0';
    out[len] = 0;
    return len;
}

static int32_t put_word(struct lli_tpl_run *r, const char *word, int ours)
{
    return lli_tpl_put(r, word, strlen(word), ours);
}

static int32_t put_number(struct lli_tpl_run *r, const struct lli_var *v)
{
    char text[40];
    size_t n;
    if (v->kind == LLI_VAR_BOOL)
        return put_word(r, v->number ? "True" : "False", v->flags & LLI_OURS);
    if (v->kind == LLI_VAR_BIG)
        return lli_tpl_put(r, v->text, v->len, v->flags & LLI_OURS);
    n = v->kind == LLI_VAR_REAL ? lli_tpl_format_real(text, v->real)
                                : lli_format(text, sizeof text, "%lld", (long long)v->number);
    return lli_tpl_put(r, text, n, v->flags & LLI_OURS);
}

/* ---- repr */

/* An escape of repr for a character, or 0 if it stands for itself. */
static size_t repr_escape(char out[16], uint32_t code, char quote)
{
    if (code == '\\' || code == (uint8_t)quote)
        return lli_format(out, 16, "\\%c", (int)code);
    if (code == '\n' || code == '\r' || code == '\t')
        return lli_format(out, 16, "\\%c", code == '\n' ? 'n' : code == '\r' ? 'r' : 't');
    if (lli_casing_is_printable(code))
        return 0;
    return lli_format(out, 16, code < 0x100 ? "\\x%02x" : code < 0x10000 ? "\\u%04x" : "\\U%08x", code);
}

/* An escape of JSON, or 0. */
static size_t json_escape(char out[16], uint32_t code, int ascii)
{
    static const char bytes[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    const char *found = code > 0 && code < 0x80 ? strchr(bytes, (int)code) : NULL;
    if (found)
        return lli_format(out, 16, "\\%c", names[found - bytes]);
    if (code >= 0x10000 && ascii)
        return lli_format(out, 16, "\\u%04x\\u%04x", 0xD800 + ((code - 0x10000) >> 10), 0xDC00 + ((code - 0x10000) & 0x3FF));
    if (code >= 0x20 && (code < 0x7F || !ascii))
        return 0;
    return lli_format(out, 16, "\\u%04x", code);
}

enum { AS_REPR, AS_JSON, AS_JSON_ASCII };

/* A text in quotes. Runs that need no escape go as a whole; an escape has the origin of its character. */
static int32_t put_quoted(struct lli_tpl_run *r, const struct lli_var *v, int how, int ours)
{
    int has_single = how == AS_REPR && v->len > 0 && memchr(v->text, '\'', v->len) != NULL;
    char quote = how != AS_REPR || (has_single && !memchr(v->text, '"', v->len)) ? '"' : '\'';
    int32_t status = lli_tpl_put(r, &quote, 1, ours);
    size_t done = 0;
    for (size_t i = 0, n; status == LLMINF_OK && i < v->len; i += n) {
        uint32_t code = 0;
        char escape[16];
        n = lli_utf8_read(&code, v->text + i, v->len - i);
        n = n > 0 ? n : 1;
        size_t len = how == AS_REPR ? repr_escape(escape, code, quote) : json_escape(escape, code, how == AS_JSON_ASCII);
        if (len == 0)
            continue;
        struct lli_var run = lli_var_part(v, done, i - done);
        status = lli_tpl_put_text(r, &run);
        if (status == LLMINF_OK)
            status = lli_tpl_put(r, escape, len, lli_var_mark(v, i));
        done = i + n;
    }
    struct lli_var rest = lli_var_part(v, done, v->len - done);
    if (status == LLMINF_OK)
        status = lli_tpl_put_text(r, &rest);
    return status == LLMINF_OK ? lli_tpl_put(r, &quote, 1, ours) : status;
}

/* ---- containers */

static const char *const repr_brackets[][2] = {
    [LLI_VAR_LIST] = {"[", "]"},
    [LLI_VAR_TUPLE] = {"(", ")"},
    [LLI_VAR_DICT] = {"{", "}"},
    [LLI_VAR_NAMESPACE] = {"<Namespace {", "}>"},
};

static const char *const view_names[] = {"dict_keys([", "dict_values([", "dict_items(["};

static int32_t open_container(struct lli_tpl_run *r, uint32_t *depth, const struct lli_var *v)
{
    if (*depth == LLI_MAX_TEMPLATE_DEPTH)
        return lli_tpl_limit(r, "a printed value is nested deeper than %u", LLI_MAX_TEMPLATE_DEPTH);
    int is_dict = v->kind == LLI_VAR_DICT || v->kind == LLI_VAR_NAMESPACE;
    int32_t status = lli_tpl_walk_new(&r->print, r);
    if (status != LLMINF_OK)
        return status;
    r->print[(*depth)++] = (struct lli_tpl_walk){.a = is_dict ? NULL : v->list->items,
                                                 .da = is_dict ? v->dict : NULL,
                                                 .n = is_dict ? v->dict->n : v->list->n,
                                                 .how = v->kind,
                                                 .ours = v->flags & LLI_OURS};
    return LLMINF_OK;
}

/* The next item of the innermost container: its key (or NULL) and value; 0 if it has no more. */
static int next_item(struct lli_tpl_walk *w, const struct lli_var **key, const struct lli_var **value)
{
    if (w->i == w->n)
        return 0;
    *key = w->da ? &w->da->entries[w->i].key : NULL;
    *value = w->da ? &w->da->entries[w->i].value : &w->a[w->i];
    w->i++;
    return 1;
}

static int32_t put_repr_leaf(struct lli_tpl_run *r, const struct lli_var *v, int ours)
{
    char text[96];
    if (lli_var_is_number(v))
        return put_number(r, v);
    switch (v->kind) {
    case LLI_VAR_NONE:
        return put_word(r, "None", ours);
    case LLI_VAR_UNDEFINED:
        return put_word(r, "Undefined", 1);
    case LLI_VAR_TEXT:
        return put_quoted(r, v, AS_REPR, ours);
    case LLI_VAR_RANGE:
        if (v->range->step == 1)
            lli_format(text, sizeof text, "range(%lld, %lld)", (long long)v->range->start,
                       (long long)(v->range->start + v->range->n));
        else
            return lli_tpl_fail(r, "a range with a step is printed, want a list");
        return put_word(r, text, 1);
    default:
        return lli_tpl_fail(r, "a value of type %s cannot be printed", lli_var_type(v));
    }
}

static int32_t open_repr(struct lli_tpl_run *r, uint32_t *depth, const struct lli_var *v)
{
    const char *open = v->kind == LLI_VAR_VIEW ? view_names[v->view] : repr_brackets[v->kind][0];
    int32_t status = open_container(r, depth, v);
    return status == LLMINF_OK ? put_word(r, open, v->flags & LLI_OURS) : status;
}

static int32_t close_repr(struct lli_tpl_run *r, const struct lli_tpl_walk *w)
{
    if (w->how == LLI_VAR_TUPLE && w->n == 1)
        return put_word(r, ",)", w->ours);
    return put_word(r, w->how == LLI_VAR_VIEW ? "])" : repr_brackets[w->how][1], w->ours);
}

static int is_container(const struct lli_var *v)
{
    return v->kind == LLI_VAR_LIST || v->kind == LLI_VAR_TUPLE || v->kind == LLI_VAR_VIEW || v->kind == LLI_VAR_DICT ||
           v->kind == LLI_VAR_NAMESPACE;
}

int32_t lli_tpl_put_repr(struct lli_tpl_run *r, const struct lli_var *v)
{
    uint32_t depth = 0;
    int ours = v->flags & LLI_OURS;
    int32_t status = LLMINF_OK;
    const struct lli_var *key;
    for (;;) {
        status = is_container(v) ? open_repr(r, &depth, v) : put_repr_leaf(r, v, ours);
        while (status == LLMINF_OK && depth > 0) {
            struct lli_tpl_walk *w = &r->print[depth - 1];
            int is_first = w->i == 0;
            ours = w->ours;
            if (next_item(w, &key, &v)) {
                if (!is_first)
                    status = put_word(r, ", ", ours);
                if (status == LLMINF_OK && key)
                    status = put_repr_leaf(r, key, ours);
                if (status == LLMINF_OK && key)
                    status = put_word(r, ": ", ours);
                break;
            }
            status = close_repr(r, w);
            depth--;
        }
        if (status != LLMINF_OK || depth == 0)
            return status;
        if ((status = lli_tpl_charge(r, 1)) != LLMINF_OK)
            return status;
    }
}

int32_t lli_tpl_put_str(struct lli_tpl_run *r, const struct lli_var *v)
{
    if (v->kind == LLI_VAR_TEXT)
        return lli_tpl_put_text(r, v);
    if (v->kind == LLI_VAR_UNDEFINED)
        return LLMINF_OK;
    return lli_tpl_put_repr(r, v);
}

int32_t lli_tpl_str(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *v)
{
    size_t from = lli_tpl_mark(r);
    if (v->kind == LLI_VAR_TEXT) {
        *out = *v;
        return LLMINF_OK;
    }
    int32_t status = lli_tpl_put_str(r, v);
    return status == LLMINF_OK ? lli_tpl_cut(out, r, from) : status;
}

/* ---- JSON */

static int32_t put_json_leaf(struct lli_tpl_run *r, const struct lli_var *v, int ours, int ascii)
{
    char text[40];
    size_t n;
    switch (v->kind) {
    case LLI_VAR_NONE:
        return put_word(r, "null", ours);
    case LLI_VAR_BOOL:
        return put_word(r, v->number ? "true" : "false", v->flags & LLI_OURS);
    case LLI_VAR_INT:
    case LLI_VAR_BIG:
        return put_number(r, v);
    case LLI_VAR_REAL:
        n = lli_tpl_format_real(text, v->real);
        if (v->real - v->real != 0)
            n = lli_format(text, sizeof text, "%s", v->real != v->real ? "NaN" : v->real < 0 ? "-Infinity" : "Infinity");
        return lli_tpl_put(r, text, n, v->flags & LLI_OURS);
    case LLI_VAR_TEXT:
        return put_quoted(r, v, ascii ? AS_JSON_ASCII : AS_JSON, ours);
    default:
        return lli_tpl_fail(r, "a value of type %s cannot be written as JSON", lli_var_type(v));
    }
}

/* A name of a member: numbers, truth and none become texts. */
static int32_t put_json_key(struct lli_tpl_run *r, const struct lli_var *key, int ours, int ascii)
{
    if (key->kind == LLI_VAR_TEXT)
        return put_quoted(r, key, ascii ? AS_JSON_ASCII : AS_JSON, ours);
    int32_t status = put_word(r, "\"", ours);
    if (status == LLMINF_OK)
        status = put_json_leaf(r, key, ours, ascii);
    return status == LLMINF_OK ? put_word(r, "\"", ours) : status;
}

static int32_t put_line(struct lli_tpl_run *r, uint32_t depth, int indent, int ours)
{
    int32_t status = LLMINF_OK;
    if (indent < 0)
        return status;
    status = put_word(r, "\n", ours);
    for (uint64_t i = 0; status == LLMINF_OK && i < (uint64_t)depth * (uint64_t)indent; i++)
        status = put_word(r, " ", ours);
    return status;
}

/* A copy whose entries are in the order of their keys. */
static int32_t sort_entries(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *v)
{
    struct lli_var_dict *d = v->dict;
    int32_t status = lli_var_dict_new(out, r, LLI_VAR_DICT);
    out->flags = v->flags;
    for (uint32_t i = 0; status == LLMINF_OK && i < d->n; i++)
        status = lli_var_dict_put(r, out->dict, &d->entries[i].key, &d->entries[i].value);
    if (status != LLMINF_OK)
        return status;
    d = out->dict;
    status = lli_tpl_charge(r, (size_t)d->n * d->n / 2);
    for (uint32_t i = 1; status == LLMINF_OK && i < d->n; i++) {
        struct lli_var_entry e = d->entries[i];
        uint32_t k = i;
        for (int order = -1; k > 0; k--) {
            status = lli_var_order(&order, r, &e.key, &d->entries[k - 1].key);
            if (status != LLMINF_OK || order >= 0)
                break;
            d->entries[k] = d->entries[k - 1];
        }
        d->entries[k] = e;
    }
    return status;
}

static int32_t open_json(struct lli_tpl_run *r, uint32_t *depth, const struct lli_var *v,
                         const struct lli_tpl_json_style *style)
{
    struct lli_var sorted = *v;
    int32_t status = v->kind == LLI_VAR_DICT && style->sort_keys ? sort_entries(&sorted, r, v) : LLMINF_OK;
    if (status == LLMINF_OK)
        status = put_word(r, v->kind == LLI_VAR_DICT ? "{" : "[", v->flags & LLI_OURS);
    return status == LLMINF_OK ? open_container(r, depth, &sorted) : status;
}

static int32_t close_json(struct lli_tpl_run *r, uint32_t depth, const struct lli_tpl_walk *w, int indent)
{
    int32_t status = w->n > 0 ? put_line(r, depth, indent, w->ours) : LLMINF_OK;
    return status == LLMINF_OK ? put_word(r, w->how == LLI_VAR_DICT ? "}" : "]", w->ours) : status;
}

/* What stands in front of an item: comma, line, key. */
static int32_t begin_item(struct lli_tpl_run *r, uint32_t depth, const struct lli_tpl_walk *w, const struct lli_var *key,
                          const struct lli_tpl_json_style *style)
{
    int32_t status = w->i > 1 ? lli_tpl_put(r, style->comma.text, style->comma.len, w->ours) : LLMINF_OK;
    if (status == LLMINF_OK)
        status = put_line(r, depth, style->indent, w->ours);
    if (status == LLMINF_OK && key)
        status = put_json_key(r, key, w->ours, style->ascii);
    if (status == LLMINF_OK && key)
        status = lli_tpl_put(r, style->colon.text, style->colon.len, w->ours);
    return status;
}

int32_t lli_tpl_put_json(struct lli_tpl_run *r, const struct lli_var *v, const struct lli_tpl_json_style *style)
{
    uint32_t depth = 0;
    int ours = v->flags & LLI_OURS;
    const struct lli_var *key;
    for (;;) {
        int nested = v->kind == LLI_VAR_LIST || v->kind == LLI_VAR_TUPLE || v->kind == LLI_VAR_DICT;
        int32_t status = nested ? open_json(r, &depth, v, style) : put_json_leaf(r, v, ours, style->ascii);
        while (status == LLMINF_OK && depth > 0) {
            struct lli_tpl_walk *w = &r->print[depth - 1];
            ours = w->ours;
            if (next_item(w, &key, &v)) {
                status = begin_item(r, depth, w, key, style);
                break;
            }
            depth--;
            status = close_json(r, depth, w, style->indent);
        }
        if (status == LLMINF_OK && depth > 0)
            status = lli_tpl_charge(r, 1);
        if (status != LLMINF_OK || depth == 0)
            return status;
    }
}
