/* grammar/json_pattern.c - one pass with a stack of open groups, as in grammar/gbnf.c. */
#include "grammar/json_pattern.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "grammar/json_text.h"

struct group {
    uint32_t choice, sequence;
};

enum form { IN_PLACE, BY_RULES, OF_NAMES };

struct reader {
    struct lli_parts *parts;
    enum form form;
    const char *text;
    size_t n, at;
    int64_t source; /* byte of the schema, for errors */
    struct group groups[LLI_MAX_GRAMMAR_NESTING];
    uint32_t n_groups;
    int has_end;              /* the alternative ended with $ */
    struct lli_buffer ranges; /* struct lli_range each: of the class that is being read */
};

static int is_failed(const struct reader *r)
{
    return r->parts->status != LLMINF_OK;
}

static void fail(struct reader *r, const char *what)
{
    if (!is_failed(r))
        r->parts->status = lli_fail_at(r->parts->err, LLMINF_E_GRAMMAR, r->source, "grammar",
                                       "pattern \"%.*s\": %s at byte %zu", (int)(r->n < 80 ? r->n : 80), r->text, what, r->at);
}

static char peek(const struct reader *r)
{
    return r->at < r->n ? r->text[r->at] : 0;
}

static void add_range(struct reader *r, uint32_t low, uint32_t high)
{
    struct lli_range range = {low, high};
    if (!is_failed(r) && lli_buffer_append(&r->ranges, &range, sizeof range))
        r->parts->status = lli_fail_memory(r->parts->err, "grammar", r->ranges.len);
}

/* \d and its like, into the ranges. 0: it is none of them. */
static int read_set(struct reader *r, char name)
{
    static const struct {
        char name;
        struct lli_range ranges[5];
        int n;
    } sets[] = {
        {'d', {{'0', '9'}}, 1},
        {'w', {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}, 4},
        {'s', {{' ', ' '}, {'\t', '\r'}}, 2},
        {'D', {{' ', '/'}, {':', '~'}}, 2},
        {'W', {{' ', '/'}, {':', '@'}, {'[', '^'}, {'`', '`'}, {'{', '~'}}, 5},
        {'S', {{'!', '~'}}, 1},
    };
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        if (sets[i].name != name)
            continue;
        for (int k = 0; k < sets[i].n; k++)
            add_range(r, sets[i].ranges[k].low, sets[i].ranges[k].high);
        return 1;
    }
    return 0;
}

static uint32_t read_hex(struct reader *r, int n)
{
    uint32_t code = 0;
    for (int i = 0; i < n && !is_failed(r); i++) {
        char c = peek(r), low = (char)(c | 0x20);
        if (c >= '0' && c <= '9')
            code = code << 4 | (uint32_t)(c - '0');
        else if (low >= 'a' && low <= 'f')
            code = code << 4 | (uint32_t)(low - 'a' + 10);
        else
            fail(r, "an escape wants more hexadecimal digits");
        r->at++;
    }
    if (code >= 0xd800 && code < 0xe000)
        fail(r, "half a surrogate pair");
    return code;
}

/* Behind a backslash; sets go into the ranges and give UINT32_MAX. */
static uint32_t read_escape(struct reader *r)
{
    static const char names[] = "nrtfv", meanings[] = "\n\r\t\f\v";
    char c = peek(r);
    const char *found = c ? strchr(names, c) : NULL;
    r->at++;
    if (read_set(r, c))
        return UINT32_MAX;
    if (found)
        return (uint32_t)meanings[found - names];
    if (c == 'u' || c == 'x')
        return read_hex(r, c == 'u' ? 4 : 2);
    if (c == 0 || (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (unsigned char)c >= 0x80) {
        r->at--;
        fail(r, "an escape that is not supported");
    }
    return (uint32_t)(unsigned char)c;
}

static uint32_t read_character(struct reader *r)
{
    uint32_t code = 0;
    if (peek(r) == '\\') {
        r->at++;
        return read_escape(r);
    }
    r->at += lli_utf8_read(&code, r->text + r->at, r->n - r->at);
    return code;
}

/* Where one character, which was made as a part of its own, goes as a rule. */
static void add_by_rule(struct reader *r, uint32_t parent, uint32_t character)
{
    uint32_t rule = lli_parts_new_rule(r->parts);
    if (is_failed(r))
        return;
    lli_parts_rule_at(r->parts, rule)->is_kept = 0;
    lli_parts_define(r->parts, rule, character);
    lli_parts_name(r->parts, parent, rule);
}

static void add_ranges(struct reader *r, int is_negated)
{
    uint32_t parent = r->groups[r->n_groups - 1].sequence;
    if (is_failed(r))
        return;
    uint32_t character = lli_json_text_character(r->parts, r->form == BY_RULES ? 0 : parent,
                                                 (const struct lli_range *)(const void *)r->ranges.bytes,
                                                 r->ranges.len / sizeof(struct lli_range), is_negated);
    if (r->form == BY_RULES)
        add_by_rule(r, parent, character);
}

static void read_class(struct reader *r)
{
    int is_negated = r->at + 1 < r->n && r->text[r->at + 1] == '^';
    r->at += 1 + (size_t)is_negated;
    r->ranges.len = 0;
    while (!is_failed(r) && peek(r) != ']') {
        if (r->at >= r->n) {
            fail(r, "] is missing");
            return;
        }
        uint32_t low = read_character(r), high = low;
        if (low == UINT32_MAX)
            continue;
        if (peek(r) == '-' && r->at + 1 < r->n && r->text[r->at + 1] != ']') {
            r->at++;
            high = read_character(r);
            if (high == UINT32_MAX || high < low)
                fail(r, "a range goes down");
        }
        add_range(r, low, high);
    }
    r->at++;
    add_ranges(r, is_negated);
}

static void read_one(struct reader *r)
{
    r->ranges.len = 0;
    if (peek(r) == '.') {
        r->at++;
        add_range(r, '\n', '\n');
        add_range(r, '\r', '\r');
        add_range(r, 0x2028, 0x2029);
        add_ranges(r, 1);
        return;
    }
    uint32_t code = read_character(r);
    if (code != UINT32_MAX)
        add_range(r, code, code);
    add_ranges(r, 0);
}

static uint32_t read_number(struct reader *r)
{
    uint32_t value = 0;
    size_t from = r->at;
    while (peek(r) >= '0' && peek(r) <= '9' && value <= LLI_MAX_GRAMMAR_REPEAT)
        value = value * 10 + (uint32_t)(r->text[r->at++] - '0');
    if (value > LLI_MAX_GRAMMAR_REPEAT && !is_failed(r))
        r->parts->status =
            lli_fail_at(r->parts->err, LLMINF_E_LIMIT, r->source, "grammar", "a repetition is over %u", LLI_MAX_GRAMMAR_REPEAT);
    return r->at > from ? value : UINT32_MAX;
}

static void read_repeat(struct reader *r)
{
    char c = peek(r);
    uint32_t sequence = r->groups[r->n_groups - 1].sequence, min = c == '+', max = c == '?' ? 1 : LLI_REPEAT_FOREVER;
    if (lli_parts_at(r->parts, sequence)->last == 0) {
        fail(r, "nothing to repeat");
        return;
    }
    r->at++;
    if (c == '{') {
        min = max = read_number(r);
        if (peek(r) == ',') {
            r->at++;
            max = read_number(r);
        }
        if (min == UINT32_MAX || min > max || peek(r) != '}')
            fail(r, "{ wants {m}, {m,} or {m,n}");
        r->at++;
    }
    if (peek(r) == '?')
        r->at++; /* lazy: the same texts */
    lli_parts_repeat_last(r->parts, sequence, min, max);
}

static void add_anything(struct reader *r, uint32_t sequence)
{
    uint32_t repeat = lli_parts_add(r->parts, sequence, LLI_PART_REPEAT, 0, LLI_REPEAT_FOREVER);
    if (r->form == IN_PLACE)
        lli_json_text_any_character(r->parts, repeat);
    else if (r->form == OF_NAMES)
        lli_json_text_character(r->parts, repeat, NULL, 0, 1);
    else
        add_by_rule(r, repeat, lli_json_text_any_character(r->parts, 0));
}

/* What stands before an alternative of the whole and is not matched, where ^ does not say that there is nothing. */
static void begin_alternative(struct reader *r)
{
    struct group *group = &r->groups[r->n_groups - 1];
    group->sequence = lli_parts_add(r->parts, group->choice, LLI_PART_SEQUENCE, 0, 0);
    r->has_end = 0;
    if (r->n_groups > 1)
        return;
    if (peek(r) == '^')
        r->at++;
    else
        add_anything(r, group->sequence);
    /* The pattern's own parts in a sequence of their own: what was just added is not for its operators. */
    group->sequence = lli_parts_add(r->parts, group->sequence, LLI_PART_SEQUENCE, 0, 0);
}

static void end_alternative(struct reader *r)
{
    struct group *group = &r->groups[r->n_groups - 1];
    if (r->n_groups == 1 && !r->has_end && !is_failed(r))
        add_anything(r, lli_parts_at(r->parts, group->sequence)->parent);
}

static void open_group(struct reader *r)
{
    uint32_t choice = lli_parts_add(r->parts, r->groups[r->n_groups - 1].sequence, LLI_PART_CHOICE, 0, 0);
    if (r->n_groups == LLI_MAX_GRAMMAR_NESTING && !is_failed(r))
        r->parts->status = lli_fail_at(r->parts->err, LLMINF_E_LIMIT, r->source, "grammar", "groups are nested over %u deep",
                                       LLI_MAX_GRAMMAR_NESTING);
    if (is_failed(r))
        return;
    r->at++;
    if (peek(r) == '?') {
        if (r->n - r->at < 2 || r->text[r->at + 1] != ':')
            fail(r, "a group that is not supported");
        r->at += 2;
    }
    r->groups[r->n_groups++].choice = choice;
    begin_alternative(r);
}

static void read_element(struct reader *r)
{
    char c = peek(r);
    if (r->has_end && c != '|') {
        fail(r, "$ stands before the end");
    } else if (c == '|') {
        end_alternative(r);
        r->at++;
        begin_alternative(r);
    } else if (c == '(') {
        open_group(r);
    } else if (c == ')' && r->n_groups > 1) {
        r->n_groups--;
        r->at++;
    } else if (c == '[') {
        read_class(r);
    } else if (c == '*' || c == '+' || c == '?' || c == '{') {
        read_repeat(r);
    } else if (c == '$' && r->n_groups == 1) {
        r->has_end = 1;
        r->at++;
    } else if (c == '^' || c == '$' || c == ')' || c == ']' || c == '}') {
        fail(r, "a character that is not supported there");
    } else {
        read_one(r);
    }
}

static uint32_t read_all(struct lli_parts *parts, enum form form, uint32_t parent, const char *pattern, size_t n, int64_t at)
{
    struct reader r = {.parts = parts, .form = form, .text = pattern, .n = n, .source = at, .n_groups = 1};
    uint32_t root = lli_parts_add(parts, parent, LLI_PART_CHOICE, 0, 0);
    lli_buffer_init(&r.ranges, parts->heap);
    r.groups[0].choice = root;
    begin_alternative(&r);
    while (!is_failed(&r) && r.at < n)
        read_element(&r);
    if (r.n_groups > 1)
        fail(&r, ") is missing");
    end_alternative(&r);
    lli_buffer_finish(&r.ranges);
    return root;
}

int32_t lli_json_pattern(struct lli_parts *parts, uint32_t parent, const char *pattern, size_t n, int64_t at)
{
    read_all(parts, IN_PLACE, parent, pattern, n, at);
    return parts->status;
}

uint32_t lli_json_pattern_tree(struct lli_parts *parts, const char *pattern, size_t n, int64_t at)
{
    return read_all(parts, BY_RULES, 0, pattern, n, at);
}

int32_t lli_json_pattern_name(struct lli_parts *parts, uint32_t parent, const char *pattern, size_t n, int64_t at)
{
    read_all(parts, OF_NAMES, parent, pattern, n, at);
    return parts->status;
}
