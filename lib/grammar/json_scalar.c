/* grammar/json_scalar.c - strings and numbers of a schema. */
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "grammar/json_lengths.h"
#include "grammar/json_number.h"
#include "grammar/json_pattern.h"
#include "grammar/json_text.h"
#include "grammar/json_write.h"

/* ---- strings */

static uint32_t character_rule(struct lli_schema *s)
{
    if (s->character == 0 && !lli_goal_is_failed(s)) {
        s->character = lli_parts_new_rule(s->parts);
        if (!lli_goal_is_failed(s))
            lli_parts_rule_at(s->parts, s->character)->is_kept = 0;
        lli_parts_define(s->parts, s->character, lli_json_text_any_character(s->parts, 0));
    }
    return s->character;
}

static void add_characters(struct lli_schema *s, uint32_t parent, uint32_t min, uint32_t max)
{
    uint32_t rule = character_rule(s);
    if (!lli_goal_is_failed(s))
        lli_parts_name(s->parts, lli_parts_add(s->parts, parent, LLI_PART_REPEAT, min, max), rule);
}

static void add_any_string(struct lli_schema *s, uint32_t parent)
{
    if (s->string == 0 && !lli_goal_is_failed(s)) {
        uint32_t root = lli_write_add(s, 0, LLI_PART_SEQUENCE);
        s->string = lli_parts_new_rule(s->parts);
        lli_write_text(s, root, "\"");
        add_characters(s, root, 0, LLI_REPEAT_FOREVER);
        lli_write_text(s, root, "\"");
        lli_parts_define(s->parts, s->string, root);
    }
    if (!lli_goal_is_failed(s))
        lli_parts_name(s->parts, parent, s->string);
}

#define DATE "[1-9]\\d{3}-((0[13578]|1[02])-(0[1-9]|[12]\\d|3[01])|(0[469]|11)-(0[1-9]|[12]\\d|30)|02-(0[1-9]|1\\d|2[0-8]))"
#define TIME "([01]\\d|2[0-3]):[0-5]\\d:[0-5]\\d(\\.\\d{1,6})?(Z|[+-]([01]\\d|2[0-3]):[0-5]\\d)"
#define LABEL "[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?"
#define BYTE "(25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)"

/* RFC 3339, 4122, 5321, 1123, 2673; each a part of what is allowed. */
static const struct {
    const char *name, *pattern;
} formats[] = {
    {"date", "^" DATE "$"},
    {"time", "^" TIME "$"},
    {"date-time", "^" DATE "T" TIME "$"},
    {"uuid", "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"},
    {"email", "^[A-Za-z0-9_+-]{1,20}(\\.[A-Za-z0-9_+-]{1,20}){0,2}@" LABEL "(\\." LABEL "){1,3}$"},
    {"hostname", "^" LABEL "(\\." LABEL "){0,4}$"},
    {"ipv4", "^" BYTE "\\." BYTE "\\." BYTE "\\." BYTE "$"},
    {"duration", "^P(\\d{1,4}Y(\\d{1,3}M)?(\\d{1,3}D)?|\\d{1,4}[MDW]|T\\d{1,4}[HMS])$"},
    {"json-pointer", "^(/[A-Za-z0-9._-]{1,40}){0,16}$"},
    {"ipv6", "^[0-9a-f]{1,4}(:[0-9a-f]{1,4}){7}$"},
    {"uri", "^https?://" LABEL "(\\." LABEL "){1,3}(/[A-Za-z0-9._~-]{1,40}){0,8}/?$"},
};

static const char *find_format(struct lli_schema *s, uint32_t value)
{
    const struct lli_json_value *v = lli_goal_value(s, value);
    for (size_t i = 0; v->kind == LLI_JSON_TEXT && i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, v->text) == 0)
            return formats[i].pattern;
    lli_goal_fail(
        s, value, "format",
        "is not supported, want date, time, date-time, duration, uuid, email, hostname, ipv4, ipv6, uri or json-pointer");
    return "";
}

/* The pattern of a goal, told or by its format; NULL where there is none. *at: the value that tells. */
static const char *find_pattern(struct lli_schema *s, const struct lli_goal *goal, size_t *n_out, uint32_t *at)
{
    uint32_t pattern = lli_goal_only(s, goal, "pattern"), format = lli_goal_only(s, goal, "format");
    *at = pattern ? pattern : format;
    if (pattern && format)
        lli_goal_fail(s, pattern, "pattern", "stands beside format");
    if (pattern && lli_goal_value(s, pattern)->kind != LLI_JSON_TEXT)
        lli_goal_fail(s, pattern, "pattern", "is no text");
    if (*at == 0 || lli_goal_is_failed(s))
        return NULL;
    const char *text = pattern ? lli_goal_value(s, pattern)->text : find_format(s, format);
    *n_out = pattern ? lli_goal_value(s, pattern)->n : strlen(text);
    return text;
}

void lli_write_string(struct lli_schema *s, const struct lli_goal *goal, uint32_t parent)
{
    uint32_t min = lli_write_count(s, goal, "minLength", 0), max = lli_write_count(s, goal, "maxLength", LLI_REPEAT_FOREVER);
    int has_bounds = min > 0 || max != LLI_REPEAT_FOREVER;
    uint32_t teller;
    size_t n = 0;
    const char *pattern = find_pattern(s, goal, &n, &teller);
    lli_write_check_counts(s, min, max, "a text's length");
    if (lli_goal_is_failed(s))
        return;
    if (!pattern && !has_bounds) {
        add_any_string(s, parent);
        return;
    }
    uint32_t sequence = lli_write_add(s, parent, LLI_PART_SEQUENCE);
    lli_write_text(s, sequence, "\"");
    int64_t at = lli_goal_value(s, teller)->at;
    if (pattern && has_bounds)
        lli_json_lengths(s->parts, sequence, lli_json_pattern_tree(s->parts, pattern, n, at), min, max, at);
    else if (pattern)
        lli_json_pattern(s->parts, sequence, pattern, n, at);
    else
        add_characters(s, sequence, min, max);
    lli_write_text(s, sequence, "\"");
}

/* ---- numbers */

/* A number as a whole one: up or down to it; *is_whole: it is one. */
static int64_t to_whole(const struct lli_json_value *v, int up, int *is_whole)
{
    double real = v->kind == LLI_JSON_INT     ? (double)v->number
                  : v->kind == LLI_JSON_FLOAT ? v->real
                  : v->text[0] == '-'         ? -1e18
                                              : 1e18;
    int64_t whole;
    *is_whole = 1;
    if (v->kind == LLI_JSON_INT)
        return v->number;
    if (real >= 1e17 || real <= -1e17)
        return real > 0 ? (int64_t)1e17 : -(int64_t)1e17;
    whole = (int64_t)real;
    *is_whole = (double)whole == real;
    if (up && (double)whole < real)
        return whole + 1;
    return !up && (double)whole > real ? whole - 1 : whole;
}

static void tighten(struct lli_schema *s, struct lli_bound *bound, const struct lli_goal *goal, const char *keyword, int up,
                    int is_open, int of_integers)
{
    int at = -1, is_whole;
    uint32_t found;
    while ((found = lli_goal_find(s, goal, keyword, at + 1, &at)) != 0) {
        const struct lli_json_value *v = lli_goal_value(s, found);
        if (v->kind != LLI_JSON_INT && v->kind != LLI_JSON_BIG && v->kind != LLI_JSON_FLOAT) {
            lli_goal_fail(s, found, keyword, "is no number");
            return;
        }
        int64_t whole = to_whole(v, up, &is_whole);
        if (!is_whole && !of_integers)
            lli_goal_fail(s, found, keyword, "is no whole number, which is not supported but for integers");
        int opens = is_open && is_whole;
        if (!bound->is_set || (up ? whole > bound->at : whole < bound->at) || (whole == bound->at && opens))
            *bound = (struct lli_bound){1, opens, whole};
    }
}

/* Without bounds. */
static void add_any_number(struct lli_schema *s, uint32_t parent, int of_integers)
{
    struct lli_bound none = {0};
    uint32_t *rule = of_integers ? &s->integer : &s->number, root;
    if (*rule == 0 && !lli_goal_is_failed(s)) {
        *rule = lli_parts_new_rule(s->parts);
        root = lli_write_add(s, 0, LLI_PART_SEQUENCE);
        if (of_integers)
            lli_json_number_integer(s->parts, root, none, none);
        else
            lli_json_number_real(s->parts, root, none, none);
        lli_parts_define(s->parts, *rule, root);
    }
    if (!lli_goal_is_failed(s))
        lli_parts_name(s->parts, parent, *rule);
}

enum { MOST_MULTIPLE = 1000, MOST_LISTED = 4096 };

/* multipleOf as a whole number; 1 where there is none, 0 after a failure. */
static int64_t read_multiple(struct lli_schema *s, const struct lli_goal *goal)
{
    uint32_t found = lli_goal_only(s, goal, "multipleOf");
    const struct lli_json_value *v = lli_goal_value(s, found);
    double real = v->kind == LLI_JSON_INT ? (double)v->number : v->kind == LLI_JSON_FLOAT ? v->real : 0;
    if (found == 0)
        return 1;
    if (real >= 1 && real <= MOST_MULTIPLE && real == (double)(int64_t)real)
        return (int64_t)real;
    lli_goal_fail(s, found, "multipleOf", "is supported for whole numbers of 1 to 1000 only");
    return 0;
}

/* Each of few multiples. */
static void list_multiples(struct lli_schema *s, uint32_t parent, int64_t n, int64_t first, int64_t count)
{
    uint32_t choice = lli_write_add(s, parent, LLI_PART_CHOICE);
    for (int64_t i = 0; i < count && !lli_goal_is_failed(s); i++) {
        struct lli_bound at = {1, 0, first + i * n};
        lli_json_number_integer(s->parts, choice, at, at);
    }
}

/* Multiples of n between bounds: few, or all of a sign. */
static void add_multiples(struct lli_schema *s, const struct lli_goal *goal, uint32_t parent, int64_t n, struct lli_bound low,
                          struct lli_bound high)
{
    int64_t least = low.at + low.is_open, most = high.at - high.is_open;
    int64_t first = least / n * n + (least % n > 0 ? n : 0); /* C rounds to zero: up where it is negative */
    int64_t count = first > most ? 0 : (most - first) / n + 1;
    int at;
    if (low.is_set && high.is_set && count <= MOST_LISTED)
        list_multiples(s, parent, n, first, count);
    else if (!high.is_set && (!low.is_set || (least > -n && least <= n)))
        lli_json_number_multiple(s->parts, parent, (uint32_t)n,
                                 (low.is_set ? 0 : LLI_NUMBER_NEGATIVE) | (low.is_set && least > 0 ? 0 : LLI_NUMBER_ZERO));
    else
        lli_goal_fail(s, lli_goal_find(s, goal, "multipleOf", 0, &at), "multipleOf",
                      "is supported without bounds, from 0 on, or for at most 4096 values");
}

void lli_write_number(struct lli_schema *s, const struct lli_goal *goal, uint32_t parent, int of_integers)
{
    struct lli_bound low = {0}, high = {0};
    int64_t multiple = read_multiple(s, goal);
    int at;
    of_integers |= lli_goal_find(s, goal, "multipleOf", 0, &at) != 0;
    tighten(s, &low, goal, "minimum", 1, 0, of_integers);
    tighten(s, &low, goal, "exclusiveMinimum", 1, 1, of_integers);
    tighten(s, &high, goal, "maximum", 0, 0, of_integers);
    tighten(s, &high, goal, "exclusiveMaximum", 0, 1, of_integers);
    if (lli_goal_is_failed(s))
        return;
    if (multiple > 1)
        add_multiples(s, goal, parent, multiple, low, high);
    else if (!low.is_set && !high.is_set)
        add_any_number(s, parent, of_integers);
    else if (of_integers)
        lli_json_number_integer(s->parts, parent, low, high);
    else
        lli_json_number_real(s->parts, parent, low, high);
}
