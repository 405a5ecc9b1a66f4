/* text/template_text.c - methods of texts, as Python's str has them. They count in characters; bytes are counted inside. */
#include "text/template_text.h"

#include <string.h>

#include "base/casing.h"
#include "base/utf8.h"

int32_t lli_tpl_want_text(struct lli_tpl_run *r, const struct lli_var *v)
{
    if (v->kind == LLI_VAR_TEXT)
        return LLMINF_OK;
    return v->kind == LLI_VAR_UNDEFINED ? lli_tpl_undefined(r, v)
                                        : lli_tpl_fail(r, "an argument of type %s, want a text", lli_var_type(v));
}

/* ---- case */

int32_t lli_tpl_text_case(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *text, int how)
{
    size_t from = lli_tpl_mark(r);
    int32_t status = LLMINF_OK;
    int inside = 0; /* the character before belongs to the same word */
    for (size_t i = 0, n; status == LLMINF_OK && i < text->len; i += n) {
        uint32_t code = 0, to[2];
        n = lli_tpl_read_code(&code, text, i);
        int n_to = 1, is_lower = lli_casing_is_lower(code), has_case = is_lower || lli_casing_is_upper(code);
        int raise = how == LLI_CASE_UPPER || (how == LLI_CASE_SWAP && is_lower) || (how > LLI_CASE_SWAP && !inside);
        if (!raise)
            to[0] = how == LLI_CASE_SWAP && is_lower ? code : lli_casing_lower(code);
        else if (how == LLI_CASE_CAPITALIZE || how == LLI_CASE_TITLE)
            n_to = lli_casing_title(to, code);
        else
            n_to = lli_casing_upper(to, code);
        int between = code < 0x80 ? strchr("-({[<", (int)code) != NULL && code != 0 : 0;
        inside = how == LLI_CASE_TITLE ? has_case : how == LLI_CASE_WORDS ? !between && !lli_casing_is_space(code) : 1;
        for (int k = 0; status == LLMINF_OK && k < n_to; k++)
            status = lli_tpl_put_code(r, to[k], lli_var_mark(text, i));
    }
    return status == LLMINF_OK ? lli_tpl_cut(out, r, from) : status;
}

static int32_t m_upper(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return lli_tpl_text_case(out, r, c->in, LLI_CASE_UPPER);
}

static int32_t m_lower(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return lli_tpl_text_case(out, r, c->in, LLI_CASE_LOWER);
}

static int32_t m_capitalize(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return lli_tpl_text_case(out, r, c->in, LLI_CASE_CAPITALIZE);
}

static int32_t m_title(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return lli_tpl_text_case(out, r, c->in, LLI_CASE_TITLE);
}

static int32_t m_swapcase(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return lli_tpl_text_case(out, r, c->in, LLI_CASE_SWAP);
}

/* ---- stripping */

/* Is the character of `text` at [i, i + n) one of those? */
static int is_stripped(const struct lli_var *text, size_t i, size_t n, uint32_t code, const struct lli_var *chars)
{
    return chars ? memmem(chars->text, chars->len, text->text + i, n) != NULL : lli_casing_is_space(code);
}

int32_t lli_tpl_text_strip(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *text, const struct lli_var *chars,
                           int sides)
{
    size_t from = 0, to = text->len;
    uint32_t code;
    int32_t status = chars ? lli_tpl_want_text(r, chars) : LLMINF_OK;
    if (status != LLMINF_OK)
        return status;
    while ((sides & LLI_STRIP_LEFT) && from < to) {
        size_t n = lli_tpl_read_code(&code, text, from);
        if (!is_stripped(text, from, n, code, chars))
            break;
        from += n;
    }
    while ((sides & LLI_STRIP_RIGHT) && from < to) {
        size_t i = to - 1;
        while (i > from && ((uint8_t)text->text[i] & 0xC0) == 0x80)
            i--;
        lli_tpl_read_code(&code, text, i);
        if (!is_stripped(text, i, to - i, code, chars))
            break;
        to = i;
    }
    *out = lli_var_part(text, from, to - from);
    return lli_tpl_charge_bytes(r, (text->len - (to - from)) * (chars ? 1 + chars->len : 1));
}

static int32_t strip(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c, int sides)
{
    int all = c->arg[0].kind == LLI_VAR_ABSENT || c->arg[0].kind == LLI_VAR_NONE;
    return lli_tpl_text_strip(out, r, c->in, all ? NULL : &c->arg[0], sides);
}

static int32_t m_strip(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return strip(out, r, c, LLI_STRIP_LEFT | LLI_STRIP_RIGHT);
}

static int32_t m_lstrip(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return strip(out, r, c, LLI_STRIP_LEFT);
}

static int32_t m_rstrip(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return strip(out, r, c, LLI_STRIP_RIGHT);
}

static int starts_with(const struct lli_var *text, const struct lli_var *with)
{
    return with->len <= text->len && memcmp(text->text, with->text, with->len) == 0;
}

static int ends_with(const struct lli_var *text, const struct lli_var *with)
{
    return with->len <= text->len && memcmp(text->text + text->len - with->len, with->text, with->len) == 0;
}

static int32_t m_removeprefix(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    int32_t status = lli_tpl_want_text(r, &c->arg[0]);
    *out = *c->in;
    if (status == LLMINF_OK && starts_with(c->in, &c->arg[0]))
        *out = lli_var_part(c->in, c->arg[0].len, c->in->len - c->arg[0].len);
    return status;
}

static int32_t m_removesuffix(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    int32_t status = lli_tpl_want_text(r, &c->arg[0]);
    *out = *c->in;
    if (status == LLMINF_OK && ends_with(c->in, &c->arg[0]))
        *out = lli_var_part(c->in, 0, c->in->len - c->arg[0].len);
    return status;
}

/* ---- finding */

/* The part of the text that arguments 1 and 2 (start, end, in characters) leave. */
static int32_t window(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    const struct lli_var bounds[3] = {c->arg[1], c->arg[2], {0}};
    return lli_tpl_slice(out, r, c->in, bounds);
}

static int32_t affix(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c,
                     int (*has)(const struct lli_var *, const struct lli_var *))
{
    const struct lli_var *with = &c->arg[0];
    struct lli_var part;
    uint32_t n = with->kind == LLI_VAR_TUPLE ? with->list->n : 1;
    int found = 0;
    int32_t status = window(&part, r, c);
    for (uint32_t i = 0; status == LLMINF_OK && i < n; i++) {
        const struct lli_var *one = with->kind == LLI_VAR_TUPLE ? &with->list->items[i] : with;
        status = lli_tpl_want_text(r, one);
        found |= status == LLMINF_OK && has(&part, one);
    }
    *out = lli_var_bool(found);
    return status;
}

static int32_t m_startswith(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return affix(out, r, c, starts_with);
}

static int32_t m_endswith(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return affix(out, r, c, ends_with);
}

size_t lli_tpl_find_bytes(const struct lli_var *text, const struct lli_var *what, int from_end)
{
    size_t found = SIZE_MAX;
    if (what->len > text->len)
        return SIZE_MAX;
    if (what->len == 0)
        return from_end ? text->len : 0;
    if (!from_end) {
        const char *at = memmem(text->text, text->len, what->text, what->len);
        return at ? (size_t)(at - text->text) : SIZE_MAX;
    }
    for (size_t i = text->len - what->len + 1; i-- > 0 && found == SIZE_MAX;)
        if (text->text[i] == what->text[0] && memcmp(text->text + i, what->text, what->len) == 0)
            found = i;
    return found;
}

static int32_t find(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c, int from_end, int must)
{
    struct lli_var part, before;
    int32_t status = lli_tpl_want_text(r, &c->arg[0]);
    if (status == LLMINF_OK)
        status = window(&part, r, c);
    if (status == LLMINF_OK)
        status = lli_tpl_charge_bytes(r, part.len * (from_end ? 1 + (size_t)c->arg[0].len / 16 : 1));
    if (status != LLMINF_OK)
        return status;
    int beyond = c->arg[1].kind == LLI_VAR_INT && c->arg[1].number > (int64_t)lli_var_count(c->in);
    size_t at = beyond ? SIZE_MAX : lli_tpl_find_bytes(&part, &c->arg[0], from_end);
    *out = lli_var_int(-1);
    if (at == SIZE_MAX)
        return must ? lli_tpl_fail(r, "the text does not hold what is looked for") : LLMINF_OK;
    before = lli_var_part(c->in, 0, (size_t)(part.text - c->in->text) + at);
    *out = lli_var_int((int64_t)lli_var_count(&before));
    return LLMINF_OK;
}

static int32_t m_find(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return find(out, r, c, 0, 0);
}

static int32_t m_rfind(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return find(out, r, c, 1, 0);
}

static int32_t m_index(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return find(out, r, c, 0, 1);
}

static int32_t m_rindex(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return find(out, r, c, 1, 1);
}

static int32_t m_count(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var part;
    int64_t n = 0;
    int32_t status = lli_tpl_want_text(r, &c->arg[0]);
    if (status == LLMINF_OK)
        status = window(&part, r, c);
    if (status != LLMINF_OK)
        return status;
    if (c->arg[0].len == 0) {
        n = (int64_t)lli_var_count(&part) + 1;
    } else {
        for (size_t at; (at = lli_tpl_find_bytes(&part, &c->arg[0], 0)) != SIZE_MAX; n++)
            part = lli_var_part(&part, at + c->arg[0].len, part.len - at - c->arg[0].len);
    }
    *out = lli_var_int(n);
    return lli_tpl_charge_bytes(r, c->in->len);
}

/* ---- padding */

/* With so many of the character in front and behind. */
static int32_t pad(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *text, int64_t before, int64_t after,
                   const struct lli_var *with)
{
    size_t mark = lli_tpl_mark(r);
    int32_t status = LLMINF_OK;
    for (int64_t i = 0; status == LLMINF_OK && i < before; i++)
        status = lli_tpl_put_text(r, with);
    if (status == LLMINF_OK)
        status = lli_tpl_put_text(r, text);
    for (int64_t i = 0; status == LLMINF_OK && i < after; i++)
        status = lli_tpl_put_text(r, with);
    return status == LLMINF_OK ? lli_tpl_cut(out, r, mark) : status;
}

int32_t lli_tpl_text_center(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *text, int64_t width)
{
    struct lli_var blank = lli_var_ours(" ");
    int64_t room = width - (int64_t)lli_var_count(text);
    int64_t before = room > 0 ? room / 2 + (room & width & 1) : 0;
    return pad(out, r, text, before, room - before, &blank);
}

static int32_t justify(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c, int where)
{
    struct lli_var with = c->arg[1].kind == LLI_VAR_ABSENT ? lli_var_ours(" ") : c->arg[1];
    int64_t width;
    int32_t status = lli_tpl_int_arg(&width, r, &c->arg[0], 0);
    if (status == LLMINF_OK)
        status = lli_tpl_want_text(r, &with);
    if (status == LLMINF_OK && lli_var_count(&with) != 1)
        status = lli_tpl_fail(r, "what fills a text up is one character");
    if (status != LLMINF_OK)
        return status;
    int64_t room = width > LLI_MAX_TEMPLATE_STRING ? LLI_MAX_TEMPLATE_STRING : width;
    room = room > (int64_t)lli_var_count(c->in) ? room - (int64_t)lli_var_count(c->in) : 0;
    int64_t before = where == 'r' ? room : where == 'c' ? room / 2 + (room & width & 1) : 0;
    return pad(out, r, c->in, before, room - before, &with);
}

static int32_t m_center(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return justify(out, r, c, 'c');
}

static int32_t m_ljust(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return justify(out, r, c, 'l');
}

static int32_t m_rjust(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return justify(out, r, c, 'r');
}

static int32_t m_zfill(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var zero = lli_var_ours("0"), sign, digits;
    int64_t width;
    size_t mark = lli_tpl_mark(r), n_sign = c->in->len > 0 && (c->in->text[0] == '-' || c->in->text[0] == '+');
    int32_t status = lli_tpl_int_arg(&width, r, &c->arg[0], 0);
    sign = lli_var_part(c->in, 0, n_sign);
    if (status == LLMINF_OK)
        status = lli_tpl_put_text(r, &sign);
    digits = lli_var_part(c->in, n_sign, c->in->len - n_sign);
    for (int64_t i = (int64_t)lli_var_count(c->in); status == LLMINF_OK && i < width; i++)
        status = lli_tpl_put_text(r, &zero);
    if (status == LLMINF_OK)
        status = lli_tpl_put_text(r, &digits);
    return status == LLMINF_OK ? lli_tpl_cut(out, r, mark) : status;
}

/* ---- kinds of characters */

enum { IS_DIGIT, IS_ALPHA, IS_ALNUM, IS_SPACE, IS_ASCII };

/* Of each character; a text that is not ASCII is judged as far as its case tells. */
static int32_t all_are(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *text, int kind)
{
    int all = text->len > 0 || kind == IS_ASCII;
    for (size_t i = 0, n; all && i < text->len; i += n) {
        uint32_t code = 0;
        n = lli_tpl_read_code(&code, text, i);
        int digit = code >= '0' && code <= '9', letter = lli_casing_is_upper(code) || lli_casing_is_lower(code);
        if (code >= 0x80 && !letter && (kind == IS_DIGIT || kind == IS_ALPHA || kind == IS_ALNUM) && !lli_casing_is_space(code))
            return lli_tpl_fail(r, "kinds of characters without case are known in ASCII only");
        all = kind == IS_DIGIT   ? digit
              : kind == IS_ALPHA ? letter
              : kind == IS_ALNUM ? digit || letter
              : kind == IS_SPACE ? lli_casing_is_space(code)
                                 : code < 0x80;
    }
    *out = lli_var_bool(all);
    return lli_tpl_charge_bytes(r, text->len);
}

static int32_t m_isdigit(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return all_are(out, r, c->in, IS_DIGIT);
}

static int32_t m_isalpha(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return all_are(out, r, c->in, IS_ALPHA);
}

static int32_t m_isalnum(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return all_are(out, r, c->in, IS_ALNUM);
}

static int32_t m_isspace(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return all_are(out, r, c->in, IS_SPACE);
}

static int32_t m_isascii(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return all_are(out, r, c->in, IS_ASCII);
}

/* At least one letter with case, and none of the other. */
static int32_t has_case(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *text, int upper)
{
    int wanted = 0, other = 0;
    for (size_t i = 0, n; i < text->len; i += n) {
        uint32_t code = 0;
        n = lli_tpl_read_code(&code, text, i);
        wanted |= upper ? lli_casing_is_upper(code) : lli_casing_is_lower(code);
        other |= upper ? lli_casing_is_lower(code) : lli_casing_is_upper(code);
    }
    *out = lli_var_bool(wanted && !other);
    return lli_tpl_charge_bytes(r, text->len);
}

static int32_t m_isupper(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return has_case(out, r, c->in, 1);
}

static int32_t m_islower(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return has_case(out, r, c->in, 0);
}

const struct lli_tpl_function lli_tpl_text_methods[] = {
    {"capitalize", "", 0, m_capitalize},
    {"casefold", "", 0, m_lower},
    {"center", "width fillchar", 1, m_center},
    {"count", "sub start end", 1, m_count},
    {"endswith", "suffix start end", 1, m_endswith},
    {"find", "sub start end", 1, m_find},
    {"format", NULL, 0, lli_tpl_text_format},
    {"index", "sub start end", 1, m_index},
    {"isalnum", "", 0, m_isalnum},
    {"isalpha", "", 0, m_isalpha},
    {"isascii", "", 0, m_isascii},
    {"isdecimal", "", 0, m_isdigit},
    {"isdigit", "", 0, m_isdigit},
    {"islower", "", 0, m_islower},
    {"isnumeric", "", 0, m_isdigit},
    {"isspace", "", 0, m_isspace},
    {"isupper", "", 0, m_isupper},
    {"join", "iterable", 1, lli_tpl_method_join},
    {"ljust", "width fillchar", 1, m_ljust},
    {"lower", "", 0, m_lower},
    {"lstrip", "chars", 0, m_lstrip},
    {"partition", "sep", 1, lli_tpl_method_partition},
    {"removeprefix", "prefix", 1, m_removeprefix},
    {"removesuffix", "suffix", 1, m_removesuffix},
    {"replace", "old new count", 2, lli_tpl_method_replace},
    {"rfind", "sub start end", 1, m_rfind},
    {"rindex", "sub start end", 1, m_rindex},
    {"rjust", "width fillchar", 1, m_rjust},
    {"rpartition", "sep", 1, lli_tpl_method_rpartition},
    {"rsplit", "sep maxsplit", 0, lli_tpl_method_rsplit},
    {"rstrip", "chars", 0, m_rstrip},
    {"split", "sep maxsplit", 0, lli_tpl_method_split},
    {"splitlines", "keepends", 0, lli_tpl_method_splitlines},
    {"startswith", "prefix start end", 1, m_startswith},
    {"strip", "chars", 0, m_strip},
    {"swapcase", "", 0, m_swapcase},
    {"title", "", 0, m_title},
    {"upper", "", 0, m_upper},
    {"zfill", "width", 1, m_zfill},
    {NULL, NULL, 0, NULL},
};
