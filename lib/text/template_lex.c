/* text/template_lex.c - the rules of Jinja2's lexer, by hand. White space around tags: "-" takes all of it; a tag or
 * comment that stands alone at the beginning of a line takes what is before it there (lstrip_blocks) and the line end
 * behind it (trim_blocks); "+" keeps it; a print takes none. */
#include "text/template_lex.h"

#include <stdarg.h>
#include <string.h>

#include "base/casing.h"
#include "base/error.h"
#include "base/format.h"
#include "base/utf8.h"

uint32_t lli_tpl_line(const struct lli_template *t, size_t at)
{
    uint32_t line = 1;
    for (size_t i = 0; i < at && i < t->n; i++)
        line += t->source[i] == '\n';
    return line;
}

int32_t lli_tpl_fail_at(const struct lli_template *t, struct llminf_error *err, int32_t status, size_t at, const char *format,
                        ...)
{
    char text[320];
    va_list args;
    va_start(args, format);
    size_t n = lli_format_list(text, sizeof text, format, args);
    va_end(args);
    (void)n;
    return lli_fail_at(err, status, (int64_t)at, "chat_template", "line %u: %s", lli_tpl_line(t, at), text);
}

void lli_tpl_lex_init(struct lli_tpl_lexer *lex, struct lli_template *t, struct llminf_error *err)
{
    *lex = (struct lli_tpl_lexer){.t = t, .text = t->source, .n = (uint32_t)t->n, .err = err};
}

static int32_t fail(const struct lli_tpl_lexer *lex, size_t at, const char *what)
{
    return lli_tpl_fail_at(lex->t, lex->err, LLMINF_E_TEMPLATE, at, "%s", what);
}

/* The byte at i, 0 behind the end. */
static char byte_at(const struct lli_tpl_lexer *lex, size_t i)
{
    return i < lex->n ? lex->text[i] : '\0';
}

/* Bytes of the white space character at i; 0 if there is none. */
static uint32_t space_at(const struct lli_tpl_lexer *lex, size_t i)
{
    uint32_t code;
    size_t n = i < lex->n ? lli_utf8_read(&code, lex->text + i, lex->n - i) : 0;
    return n > 0 && lli_casing_is_space(code) ? (uint32_t)n : 0;
}

static uint32_t skip_spaces(const struct lli_tpl_lexer *lex, uint32_t i)
{
    for (uint32_t n; (n = space_at(lex, i)) > 0;)
        i += n;
    return i;
}

/* Where the white space at the end of [from, to) begins. */
static uint32_t trim_end(const struct lli_tpl_lexer *lex, uint32_t from, uint32_t to)
{
    while (to > from) {
        uint32_t i = to - 1;
        while (i > from && ((uint8_t)lex->text[i] & 0xC0) == 0x80)
            i--;
        if (space_at(lex, i) == 0)
            break;
        to = i;
    }
    return to;
}

/* ---- outside of tags */

/* The end of data[from, to) in front of a tag with that sign. */
static uint32_t data_end(const struct lli_tpl_lexer *lex, uint32_t from, uint32_t to, char sign, int is_print)
{
    uint32_t line = to;
    if (sign == '-')
        return trim_end(lex, from, to);
    if (sign == '+' || is_print)
        return to;
    while (line > from && lex->text[line - 1] != '\n')
        line--;
    if (line == from && from > 0 && lex->text[from - 1] != '\n')
        return to;
    return trim_end(lex, line, to) == line ? line : to;
}

/* Where the line end behind a tag, or all white space, is over; i is behind its closing characters. */
static uint32_t behind_tag(const struct lli_tpl_lexer *lex, uint32_t i, char sign)
{
    if (sign == '-')
        return skip_spaces(lex, i);
    return sign != '+' && byte_at(lex, i) == '\n' ? i + 1 : i;
}

/* Behind "{%", a sign and white space: the word and the tag's end. Returns where the source goes on, 0 if it is another
 * tag. */
static uint32_t word_tag(const struct lli_tpl_lexer *lex, uint32_t i, const char *word, int is_end)
{
    uint32_t n = (uint32_t)strlen(word);
    if (byte_at(lex, i) == '-' || byte_at(lex, i) == '+')
        i++;
    i = skip_spaces(lex, i);
    if (lex->n - i < n || memcmp(lex->text + i, word, n) != 0)
        return 0;
    i = skip_spaces(lex, i + n);
    char sign = byte_at(lex, i);
    if (sign == '-' || (sign == '+' && is_end))
        i++;
    else
        sign = 0;
    if (byte_at(lex, i) != '%' || byte_at(lex, i + 1) != '}')
        return 0;
    return is_end || sign ? behind_tag(lex, i + 2, sign) : i + 2; /* Jinja2 keeps the line end behind {% raw %} */
}

static int32_t skip_comment(struct lli_tpl_lexer *lex, uint32_t begin)
{
    uint32_t i = begin + 2;
    if (byte_at(lex, i) == '-' || byte_at(lex, i) == '+')
        i++;
    for (; i + 1 < lex->n; i++) {
        char sign = lex->text[i] == '-' || lex->text[i] == '+' ? lex->text[i] : '\0';
        uint32_t end = sign ? i + 1 : i;
        if (byte_at(lex, end) == '#' && byte_at(lex, end + 1) == '}') {
            lex->at = behind_tag(lex, end + 2, sign);
            return LLMINF_OK;
        }
    }
    return fail(lex, begin, "comment without its end");
}

static void put_data(struct lli_tpl_token *out, const struct lli_tpl_lexer *lex, uint32_t from, uint32_t to)
{
    *out = (struct lli_tpl_token){.kind = LLI_TOK_DATA, .at = from, .text = {lex->text + from, to - from}};
}

/* Behind {% raw %}: its content is data. */
static int32_t read_raw(struct lli_tpl_token *out, struct lli_tpl_lexer *lex, uint32_t begin, uint32_t from)
{
    for (uint32_t i = from; i + 1 < lex->n; i++) {
        uint32_t behind = lex->text[i] == '{' && lex->text[i + 1] == '%' ? word_tag(lex, i + 2, "endraw", 1) : 0;
        if (behind == 0)
            continue;
        lex->at = from; /* data_end looks at what stood before */
        put_data(out, lex, from, data_end(lex, from, i, byte_at(lex, i + 2), 0));
        lex->at = behind;
        return LLMINF_OK;
    }
    return fail(lex, begin, "raw block without endraw");
}

/* The next beginning of a tag at or after i; n if there is none. */
static uint32_t find_tag(const struct lli_tpl_lexer *lex, uint32_t i)
{
    for (; i + 1 < lex->n; i++) {
        const char *open = memchr(lex->text + i, '{', lex->n - 1 - i);
        if (!open)
            break;
        i = (uint32_t)(open - lex->text);
        if (open[1] == '{' || open[1] == '%' || open[1] == '#')
            return i;
    }
    return lex->n;
}

static void begin_tag(struct lli_tpl_token *out, struct lli_tpl_lexer *lex, uint32_t i)
{
    int is_print = lex->text[i + 1] == '{';
    char sign = byte_at(lex, i + 2);
    *out = (struct lli_tpl_token){.kind = is_print ? LLI_TOK_PRINT_BEGIN : LLI_TOK_TAG_BEGIN, .at = i};
    lex->mode = out->kind;
    lex->at = i + 2 + (sign == '-' || sign == '+');
}

/* One piece of data, perhaps empty, with the tag behind it pending; or a tag. */
static int32_t read_outside(struct lli_tpl_token *out, struct lli_tpl_lexer *lex)
{
    if (lex->pending) {
        uint32_t i = lex->pending_at, raw = lex->text[i + 1] == '%' ? word_tag(lex, i + 2, "raw", 0) : 0;
        lex->pending = 0;
        if (raw)
            return read_raw(out, lex, i, raw);
        if (lex->text[i + 1] == '#') {
            int32_t status = skip_comment(lex, i);
            put_data(out, lex, lex->at, lex->at);
            return status;
        }
        begin_tag(out, lex, i);
        return LLMINF_OK;
    }
    uint32_t from = lex->at, tag = find_tag(lex, from);
    if (from >= lex->n) {
        *out = (struct lli_tpl_token){.kind = LLI_TOK_END, .at = from};
        return LLMINF_OK;
    }
    lex->at = tag;
    if (tag < lex->n) {
        lex->pending = 1;
        lex->pending_at = tag;
        put_data(out, lex, from, data_end(lex, from, tag, byte_at(lex, tag + 2), lex->text[tag + 1] == '{'));
    } else {
        put_data(out, lex, from, tag);
    }
    return LLMINF_OK;
}

/* ---- inside */

static int is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* Letters, digits, _ and whatever is not ASCII. */
static int is_word(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (uint8_t)c >= 0x80;
}

static int hex_digit(char c)
{
    return is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Digits of a base, "_" between two of them. Returns behind them. */
static uint32_t skip_digits(const struct lli_tpl_lexer *lex, uint32_t i, int base)
{
    for (;; i++) {
        char c = byte_at(lex, i), before = i > 0 ? lex->text[i - 1] : '\0';
        int digit = hex_digit(c);
        if (digit >= 0 && digit < base)
            continue;
        digit = hex_digit(byte_at(lex, i + 1));
        if (c != '_' || before == '_' || digit < 0 || digit >= base)
            return i;
    }
}

static int32_t read_int(struct lli_tpl_token *out, const struct lli_tpl_lexer *lex, uint32_t from, uint32_t to, int base)
{
    int64_t value = 0;
    for (uint32_t i = from; i < to; i++) {
        if (lex->text[i] == '_')
            continue;
        if (__builtin_mul_overflow(value, base, &value) || __builtin_add_overflow(value, hex_digit(lex->text[i]), &value))
            return fail(lex, from, "integer over 64 bits");
    }
    out->kind = LLI_TOK_INT;
    out->number = value;
    return LLMINF_OK;
}

static int32_t read_real(struct lli_tpl_token *out, const struct lli_tpl_lexer *lex, uint32_t from, uint32_t to)
{
    char text[128];
    size_t n = 0;
    for (uint32_t i = from; i < to && n < sizeof text; i++)
        if (lex->text[i] != '_')
            text[n++] = lex->text[i];
    if (n == sizeof text || lli_format_read_float(&out->real, text, n) != 0)
        return fail(lex, from, "number out of range");
    out->kind = LLI_TOK_REAL;
    return LLMINF_OK;
}

static int32_t read_number(struct lli_tpl_token *out, struct lli_tpl_lexer *lex)
{
    static const char letters[] = "bBoOxX";
    static const int bases[] = {2, 2, 8, 8, 16, 16};
    uint32_t from = lex->at, i = skip_digits(lex, from, 10), end = i;
    const char *letter = byte_at(lex, from + 1) ? strchr(letters, byte_at(lex, from + 1)) : NULL;
    if (lex->text[from] == '0' && letter) {
        lex->at = skip_digits(lex, from + 2, bases[letter - letters]);
        if (lex->at == from + 2)
            return fail(lex, from, "number without digits");
        return read_int(out, lex, from + 2, lex->at, bases[letter - letters]);
    }
    int is_real = 0, after_dot = from > 0 && lex->text[from - 1] == '.';
    if (!after_dot && byte_at(lex, i) == '.' && is_digit(byte_at(lex, i + 1))) {
        end = i = skip_digits(lex, i + 1, 10);
        is_real = 1;
    }
    if (!after_dot && (byte_at(lex, i) == 'e' || byte_at(lex, i) == 'E')) {
        i += byte_at(lex, i + 1) == '+' || byte_at(lex, i + 1) == '-' ? 2 : 1;
        if (is_digit(byte_at(lex, i))) {
            end = skip_digits(lex, i, 10);
            is_real = 1;
        }
    }
    if (!is_real && lex->text[from] == '0') /* 012 is 0 and then 12 */
        for (end = from + 1; byte_at(lex, end) == '0';)
            end++;
    lex->at = end;
    return is_real ? read_real(out, lex, from, end) : read_int(out, lex, from, end, 10);
}

/* The code point of \xHH, \uHHHH or \UHHHHHHHH behind i; -1 if the digits are not there. */
static int64_t read_hex(const struct lli_tpl_lexer *lex, uint32_t i, uint32_t n_digits, uint32_t end)
{
    int64_t code = 0;
    if (end - i < n_digits)
        return -1;
    for (uint32_t k = 0; k < n_digits; k++) {
        int digit = hex_digit(lex->text[i + k]);
        if (digit < 0)
            return -1;
        code = code * 16 + digit;
    }
    return code;
}

/* Resolves the escape at i (its backslash) of a text that ends at `end`; *i moves behind it. Python's unicode-escape. */
static int32_t read_escape(char *to, size_t *n, const struct lli_tpl_lexer *lex, uint32_t *i, uint32_t end)
{
    static const char names[] = "\\'\"abfnrtv", bytes[] = "\\'\"\a\b\f\n\r\t\v";
    uint32_t at = *i + 1;
    char c = lex->text[at];
    const char *found = strchr(names, c);
    int64_t code = -1;
    uint32_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
    if (c == '\n') { /* a line that goes on */
        *i = at + 1;
        return LLMINF_OK;
    }
    if (found && c != '\0') {
        to[(*n)++] = bytes[found - names];
        *i = at + 1;
        return LLMINF_OK;
    }
    if (digits > 0) {
        code = read_hex(lex, at + 1, digits, end);
        if (code < 0 || code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF))
            return fail(lex, *i, "escape that is no character");
        *i = at + 1 + digits;
    } else if (c >= '0' && c <= '7') {
        for (code = 0, digits = 0; digits < 3 && at < end && lex->text[at] >= '0' && lex->text[at] <= '7'; digits++)
            code = code * 8 + (lex->text[at++] - '0');
        *i = at;
    } else if (c == 'N') {
        return fail(lex, *i, "escape by name is not supported");
    } else {
        to[(*n)++] = '\\'; /* an unknown escape stays as it is */
        *i = at;
        return LLMINF_OK;
    }
    *n += lli_utf8_write(to + *n, (uint32_t)code);
    return LLMINF_OK;
}

static int32_t read_text(struct lli_tpl_token *out, struct lli_tpl_lexer *lex)
{
    uint32_t from = lex->at + 1, end = from;
    char quote = lex->text[lex->at];
    int plain = 1;
    while (end < lex->n && lex->text[end] != quote) {
        plain &= lex->text[end] != '\\';
        end += lex->text[end] == '\\' ? 2 : 1;
    }
    if (end >= lex->n)
        return fail(lex, lex->at, "text without its closing quote");
    lex->at = end + 1;
    out->kind = LLI_TOK_TEXT;
    out->text = (struct lli_text){lex->text + from, end - from};
    if (plain)
        return LLMINF_OK;
    char *to = lli_arena_take(&lex->t->arena, end - from + 4, 1);
    size_t n = 0;
    if (!to)
        return lli_fail_memory(lex->err, "chat_template", end - from);
    for (uint32_t i = from; i < end;) {
        int32_t status = LLMINF_OK;
        if (lex->text[i] == '\\')
            status = read_escape(to, &n, lex, &i, end);
        else
            to[n++] = lex->text[i++];
        if (status != LLMINF_OK)
            return status;
    }
    out->text = (struct lli_text){to, n};
    return LLMINF_OK;
}

static int32_t balance(struct lli_tpl_lexer *lex, char c, uint32_t at)
{
    char close = c == '(' ? ')' : c == '[' ? ']' : c == '{' ? '}' : '\0';
    if (close && lex->n_brackets == LLI_TPL_BRACKETS)
        return lli_tpl_fail_at(lex->t, lex->err, LLMINF_E_LIMIT, at, "brackets nested deeper than %d", LLI_TPL_BRACKETS);
    if (close)
        lex->brackets[lex->n_brackets++] = close;
    else if ((c == ')' || c == ']' || c == '}') && (lex->n_brackets == 0 || lex->brackets[--lex->n_brackets] != c))
        return fail(lex, at, "bracket that closes nothing");
    return LLMINF_OK;
}

static int32_t read_operator(struct lli_tpl_token *out, struct lli_tpl_lexer *lex)
{
    static const char twos[][3] = {"//", "**", "==", "!=", ">=", "<="};
    char c = byte_at(lex, lex->at), after = byte_at(lex, lex->at + 1);
    out->kind = LLI_TOK_OPERATOR;
    for (size_t i = 0; i < sizeof twos / sizeof *twos; i++) {
        if (c != twos[i][0] || after != twos[i][1])
            continue;
        out->op = (uint16_t)LLI_OP2((uint8_t)c, (uint8_t)after);
        lex->at += 2;
        return LLMINF_OK;
    }
    if (c == '\0' || !strchr("+-/*%~[](){}<>=.:|,;", c))
        return fail(lex, lex->at, "character that has no place in a tag");
    out->op = (uint8_t)c;
    return balance(lex, c, lex->at++);
}

/* The end of the tag at i, if it is there: moves on and returns 1. */
static int read_tag_end(struct lli_tpl_token *out, struct lli_tpl_lexer *lex)
{
    int is_print = lex->mode == LLI_TOK_PRINT_BEGIN;
    char sign = byte_at(lex, lex->at), first = is_print ? '}' : '%';
    uint32_t i = lex->at;
    if (sign == '-' || (sign == '+' && !is_print))
        i++;
    else
        sign = 0;
    if (lex->n_brackets > 0 || byte_at(lex, i) != first || byte_at(lex, i + 1) != '}')
        return 0;
    lex->at = is_print && !sign ? i + 2 : behind_tag(lex, i + 2, sign);
    lex->mode = 0;
    out->kind = is_print ? LLI_TOK_PRINT_END : LLI_TOK_TAG_END;
    return 1;
}

static int32_t read_inside(struct lli_tpl_token *out, struct lli_tpl_lexer *lex)
{
    lex->at = skip_spaces(lex, lex->at);
    *out = (struct lli_tpl_token){.at = lex->at};
    if (lex->at >= lex->n)
        return fail(lex, lex->at, "the template ends inside of a tag");
    if (read_tag_end(out, lex))
        return LLMINF_OK;
    char c = lex->text[lex->at];
    if (is_digit(c))
        return read_number(out, lex);
    if (is_word(c)) {
        uint32_t from = lex->at;
        while (is_word(byte_at(lex, lex->at)) && space_at(lex, lex->at) == 0)
            lex->at++;
        out->kind = LLI_TOK_NAME;
        out->text = (struct lli_text){lex->text + from, lex->at - from};
        return LLMINF_OK;
    }
    return c == '"' || c == '\'' ? read_text(out, lex) : read_operator(out, lex);
}

int32_t lli_tpl_lex_next(struct lli_tpl_token *out, struct lli_tpl_lexer *lex)
{
    return lex->mode ? read_inside(out, lex) : read_outside(out, lex);
}
