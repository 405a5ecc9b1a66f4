/* grammar/gbnf.c - one pass over the text with a stack of open groups. */
#include "grammar/gbnf.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"

struct group {
    uint32_t choice, sequence; /* the part, and its alternative that is being read */
    size_t at;
};

struct reader {
    struct lli_parts *parts;
    const char *text;
    size_t n, at;
    struct group groups[LLI_MAX_GRAMMAR_NESTING];
    uint32_t n_groups;
    struct lli_buffer ranges; /* struct lli_range each: of the class that is being read */
};

static int is_failed(const struct reader *r)
{
    return r->parts->status != LLMINF_OK;
}

static uint32_t line_of(const struct reader *r, size_t at)
{
    uint32_t line = 1;
    for (size_t i = 0; i < at; i++)
        line += r->text[i] == '\n';
    return line;
}

__attribute__((format(printf, 3, 4))) static void fail(struct reader *r, size_t at, const char *format, ...)
{
    struct llminf_error what;
    va_list args;
    if (is_failed(r))
        return;
    va_start(args, format);
    lli_fail_list(&what, LLMINF_E_GRAMMAR, 0, 0, NULL, format, args);
    va_end(args);
    r->parts->status =
        lli_fail_at(r->parts->err, LLMINF_E_GRAMMAR, (int64_t)at, "grammar", "line %u: %s", line_of(r, at), what.text);
}

static void fail_limit(struct reader *r, size_t at, const char *what, unsigned limit)
{
    if (!is_failed(r))
        r->parts->status = lli_fail_at(r->parts->err, LLMINF_E_LIMIT, (int64_t)at, "grammar", "line %u: %s over %u",
                                       line_of(r, at), what, limit);
}

/* 0 at the end. */
static char peek(const struct reader *r)
{
    return r->at < r->n ? r->text[r->at] : 0;
}

/* Blanks and comments; line ends too, if so. */
static void skip_space(struct reader *r, int with_lines)
{
    for (; r->at < r->n; r->at++) {
        char c = peek(r);
        if (c == '#') {
            while (r->at + 1 < r->n && r->text[r->at + 1] != '\n')
                r->at++;
        } else if (c != ' ' && c != '\t' && !(with_lines && (c == '\n' || c == '\r'))) {
            break;
        }
    }
}

static int is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

/* UINT32_MAX where there is none. */
static uint32_t read_name(struct reader *r)
{
    size_t from = r->at;
    while (is_word(peek(r)))
        r->at++;
    if (r->at == from) {
        fail(r, from, from < r->n ? "a name is missing" : "the end comes where a name is missing");
        return UINT32_MAX;
    }
    return lli_parts_rule(r->parts, r->text + from, r->at - from, (uint32_t)from);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static uint32_t read_hex(struct reader *r, int n, size_t from)
{
    uint32_t code = 0;
    for (int i = 0; i < n; i++) {
        int digit = r->at < r->n ? hex_digit(r->text[r->at]) : -1;
        if (digit < 0) {
            fail(r, from, "an escape wants %d hexadecimal digits", n);
            return 0;
        }
        code = code << 4 | (uint32_t)digit;
        r->at++;
    }
    if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000))
        fail(r, from, "U+%X is no character", code);
    return code;
}

static uint32_t read_escape(struct reader *r)
{
    static const char names[] = "nrt\\\"[]-^", meanings[] = "\n\r\t\\\"[]-^";
    size_t from = r->at++; /* the backslash */
    char c = peek(r);
    const char *found = c != 0 ? strchr(names, c) : NULL;
    r->at++;
    if (c == 'x' || c == 'u' || c == 'U')
        return read_hex(r, c == 'x' ? 2 : c == 'u' ? 4 : 8, from);
    if (!found)
        fail(r, from, "\\%c is no escape", c ? c : ' ');
    return found ? (uint32_t)(unsigned char)meanings[found - names] : 0;
}

/* One character inside quotes or brackets, which end with `end`. */
static uint32_t read_character(struct reader *r, char end, size_t from)
{
    uint32_t code;
    if (r->at >= r->n || peek(r) == '\n') {
        fail(r, from, "%c is missing", end);
        return 0;
    }
    if (peek(r) == '\\')
        return read_escape(r);
    r->at += lli_utf8_read(&code, r->text + r->at, r->n - r->at);
    return code;
}

static void read_literal(struct reader *r, uint32_t sequence)
{
    size_t from = r->at++;
    uint32_t at = (uint32_t)r->parts->bytes.len;
    while (!is_failed(r) && peek(r) != '"') {
        char bytes[4];
        uint32_t code = read_character(r, '"', from);
        if (!is_failed(r) && lli_buffer_append(&r->parts->bytes, bytes, lli_utf8_write(bytes, code)))
            r->parts->status = lli_fail_memory(r->parts->err, "grammar", r->parts->bytes.len);
    }
    r->at++;
    uint32_t n = (uint32_t)r->parts->bytes.len - at;
    lli_parts_add(r->parts, sequence, n > 0 ? LLI_PART_BYTES : LLI_PART_SEQUENCE, at, n);
}

static void read_range(struct reader *r, size_t from)
{
    struct lli_range range = {0};
    size_t at = r->at;
    range.low = range.high = read_character(r, ']', from);
    if (!is_failed(r) && peek(r) == '-' && r->at + 1 < r->n && r->text[r->at + 1] != ']') {
        r->at++;
        range.high = read_character(r, ']', from);
        if (range.high < range.low)
            fail(r, at, "a range goes down from U+%04X to U+%04X", range.low, range.high);
    }
    if (!is_failed(r) && lli_buffer_append(&r->ranges, &range, sizeof range))
        r->parts->status = lli_fail_memory(r->parts->err, "grammar", r->ranges.len);
}

static void read_class(struct reader *r, uint32_t sequence)
{
    size_t from = r->at++;
    int is_negated = peek(r) == '^';
    r->at += (size_t)is_negated;
    r->ranges.len = 0;
    while (!is_failed(r) && peek(r) != ']')
        read_range(r, from);
    r->at++;
    if (!is_failed(r))
        lli_parts_class(r->parts, sequence, (struct lli_range *)(void *)r->ranges.bytes,
                        r->ranges.len / sizeof(struct lli_range), is_negated);
}

/* UINT32_MAX: there is none. */
static uint32_t read_number(struct reader *r)
{
    uint32_t value = 0;
    size_t from = r->at;
    while (peek(r) >= '0' && peek(r) <= '9') {
        value = value * 10 + (uint32_t)(r->text[r->at++] - '0');
        if (value > LLI_MAX_GRAMMAR_REPEAT) {
            fail_limit(r, from, "a repetition", LLI_MAX_GRAMMAR_REPEAT);
            return 0;
        }
    }
    return r->at > from ? value : UINT32_MAX;
}

/* {m} {m,} {m,n} {,n} */
static void read_bounds(struct reader *r, uint32_t *min, uint32_t *max)
{
    size_t from = r->at++;
    skip_space(r, 0);
    *min = *max = read_number(r);
    skip_space(r, 0);
    if (peek(r) == ',') {
        r->at++;
        skip_space(r, 0);
        *max = read_number(r);
        skip_space(r, 0);
    } else if (*min == UINT32_MAX) {
        fail(r, from, "{ wants a number");
    }
    *min = *min == UINT32_MAX ? 0 : *min;
    if (peek(r) != '}')
        fail(r, from, "} is missing");
    else if (*min > *max)
        fail(r, from, "{%u,%u} goes down", *min, *max);
    r->at++;
}

static void read_repeat(struct reader *r, uint32_t sequence)
{
    size_t from = r->at;
    char c = peek(r);
    uint32_t min = c == '+', max = c == '?' ? 1 : LLI_REPEAT_FOREVER;
    if (lli_parts_at(r->parts, sequence)->last == 0) {
        fail(r, from, "%c has nothing to repeat", c);
        return;
    }
    if (c == '{')
        read_bounds(r, &min, &max);
    else
        r->at++;
    lli_parts_repeat_last(r->parts, sequence, min, max);
}

static void open_group(struct reader *r, uint32_t sequence)
{
    uint32_t choice = lli_parts_add(r->parts, sequence, LLI_PART_CHOICE, 0, 0);
    if (r->n_groups == LLI_MAX_GRAMMAR_NESTING)
        fail_limit(r, r->at, "nested groups", LLI_MAX_GRAMMAR_NESTING);
    if (is_failed(r))
        return;
    r->groups[r->n_groups++] = (struct group){choice, lli_parts_add(r->parts, choice, LLI_PART_SEQUENCE, 0, 0), r->at};
    r->at++;
}

/* One element of a sequence, or what stands around it. */
static void read_element(struct reader *r)
{
    struct group *group = &r->groups[r->n_groups - 1];
    size_t from = r->at;
    char c = peek(r);
    if (c == '"') {
        read_literal(r, group->sequence);
    } else if (c == '[') {
        read_class(r, group->sequence);
    } else if (c == '.') {
        r->at++;
        lli_parts_class(r->parts, group->sequence, (struct lli_range[1]){{0, 0}}, 0, 1);
    } else if (c == '(') {
        open_group(r, group->sequence);
    } else if (c == ')' && r->n_groups > 1) {
        r->n_groups--;
        r->at++;
    } else if (c == '|') {
        group->sequence = lli_parts_add(r->parts, group->choice, LLI_PART_SEQUENCE, 0, 0);
        r->at++;
        skip_space(r, 1);
    } else if (c == '*' || c == '+' || c == '?' || c == '{') {
        read_repeat(r, group->sequence);
    } else if (is_word(c)) {
        uint32_t rule = read_name(r);
        if (!is_failed(r))
            lli_parts_name(r->parts, group->sequence, rule);
    } else {
        fail(r, from, "unexpected %.*s", (int)(r->n - from < 1 ? 0 : 1), r->text + from);
    }
}

/* The line is over, and the next one does not go on with it. */
static int is_over(struct reader *r)
{
    char c = peek(r);
    if (r->at >= r->n)
        return 1;
    if (c != '\n' && c != '\r')
        return 0;
    skip_space(r, 1);
    return peek(r) != '|';
}

static void read_rule(struct reader *r)
{
    size_t from = r->at;
    uint32_t rule = read_name(r), choice = lli_parts_add(r->parts, 0, LLI_PART_CHOICE, 0, 0);
    skip_space(r, 0);
    if (!is_failed(r) && (r->n - r->at < 3 || memcmp(r->text + r->at, "::=", 3) != 0))
        fail(r, r->at, "::= is missing");
    if (!is_failed(r) && lli_parts_rule_at(r->parts, rule)->root != 0)
        fail(r, from, "rule \"%.*s\" is defined twice", (int)lli_parts_rule_at(r->parts, rule)->name_len, r->text + from);
    if (is_failed(r))
        return;
    r->at += 3;
    lli_parts_define(r->parts, rule, choice);
    r->groups[0] = (struct group){choice, lli_parts_add(r->parts, choice, LLI_PART_SEQUENCE, 0, 0), from};
    r->n_groups = 1;
    skip_space(r, 1);
    while (!is_failed(r)) {
        skip_space(r, r->n_groups > 1);
        if (r->n_groups == 1 && is_over(r))
            return;
        if (r->at >= r->n)
            fail(r, r->groups[r->n_groups - 1].at, ") is missing");
        else
            read_element(r);
    }
}

int32_t lli_gbnf_read(uint32_t *root_out, struct lli_parts *parts, const char *text, size_t n)
{
    struct reader r = {.parts = parts, .text = text, .n = n};
    size_t valid = lli_utf8_valid(text, n);
    *root_out = 0;
    if (n > LLI_MAX_GRAMMAR_BYTES)
        return parts->status =
                   lli_fail(parts->err, LLMINF_E_LIMIT, "grammar", "has %zu bytes, want at most %u", n, LLI_MAX_GRAMMAR_BYTES);
    if (valid != n || (n > 0 && memchr(text, 0, n)))
        return parts->status = lli_fail_at(parts->err, LLMINF_E_INVALID, (int64_t)valid, "grammar", "is no text of UTF-8");
    lli_buffer_init(&r.ranges, parts->heap);
    for (skip_space(&r, 1); !is_failed(&r) && r.at < r.n; skip_space(&r, 1))
        read_rule(&r);
    lli_buffer_finish(&r.ranges);
    uint32_t root;
    if (!is_failed(&r) && !lli_map_find(&parts->by_name, "root", 4, &root))
        fail(&r, n, "there is no rule \"root\"");
    else if (!is_failed(&r))
        *root_out = root;
    return parts->status;
}
