/* grammar/json_schema.c - goals are turned into rules one after the other; a goal only names the rules of those inside it. */
#include "grammar/json_schema.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "grammar/json_goal.h"
#include "grammar/json_text.h"
#include "grammar/json_write.h"

static void refuse_beside_values(struct lli_schema *s, const struct lli_goal *goal, uint32_t found);

/* A value as it stands. */
static void add_value_text(struct lli_schema *s, uint32_t parent, uint32_t value)
{
    struct lli_buffer text;
    lli_buffer_init(&text, s->parts->heap);
    if (lli_json_text_value(&text, &s->json, value, s->text, s->n))
        lli_parts_fail(s->parts, LLMINF_E_MEMORY, -1, "no memory for values");
    lli_parts_bytes(s->parts, parent, text.bytes, text.len);
    lli_buffer_finish(&text);
}

/* ---- arrays */

enum { MAX_DISTINCT = 100 };

static void add_item(struct lli_schema *s, uint32_t parent, uint32_t items)
{
    if (items != 0)
        lli_write_schema(s, parent, items);
    else
        lli_write_any(s, parent);
}

/* Behind i elements, of which there are some: those of the prefix one by one, then all others alike. */
static void add_rest(struct lli_schema *s, uint32_t parent, uint32_t prefix, uint32_t items, uint32_t min, uint32_t max)
{
    uint32_t i = 1, at = prefix ? lli_json_next(&s->json, prefix + 1) : 0;
    uint32_t n_prefix = prefix ? lli_goal_value(s, prefix)->n : 0;
    for (; i < n_prefix && i < max && !lli_goal_is_failed(s); i++, at = lli_json_next(&s->json, at)) {
        uint32_t optional = lli_parts_add(s->parts, parent, LLI_PART_REPEAT, i < min, 1);
        parent = lli_write_add(s, optional, LLI_PART_SEQUENCE);
        lli_write_comma(s, parent);
        lli_write_schema(s, parent, at);
    }
    if (i >= max)
        return;
    uint32_t more = lli_write_add(
        s, lli_parts_add(s->parts, parent, LLI_PART_REPEAT, min > i ? min - i : 0, max == LLI_REPEAT_FOREVER ? max : max - i),
        LLI_PART_SEQUENCE);
    lli_write_comma(s, more);
    add_item(s, more, items);
}

/* The enum of the items, whose values are all different; 0 after a failure. */
static uint32_t find_distinct(struct lli_schema *s, uint32_t unique, uint32_t items)
{
    struct lli_goal goal = {0};
    uint32_t list = items != 0 && lli_goal_add(s, &goal, items) ? lli_goal_only(s, &goal, "enum") : 0;
    if (list == 0 || lli_goal_value(s, list)->kind != LLI_JSON_ARRAY || lli_goal_value(s, list)->n > MAX_DISTINCT) {
        lli_goal_fail(s, unique, "uniqueItems", "is supported for at most one item, and for items of an enum of at most 100");
        return 0;
    }
    lli_goal_check(s, &goal);
    refuse_beside_values(s, &goal, list);
    for (uint32_t i = list + 1; i < lli_goal_value(s, list)->end; i = lli_json_next(&s->json, i))
        for (uint32_t k = lli_json_next(&s->json, i); k < lli_goal_value(s, list)->end; k = lli_json_next(&s->json, k))
            if (!lli_goal_differ(lli_goal_value(s, i), lli_goal_value(s, k)))
                lli_goal_fail(s, k, "enum", "has values that may be equal, for items that may not");
    return lli_goal_is_failed(s) ? 0 : list;
}

/* Items of an enum, each at most once, in the order of the enum. rules[c]: what may stand from the next value on, behind c
 * items; a count over the bounds stands for all such. Written from the last value to the first. */
static void add_distinct(struct lli_schema *s, uint32_t parent, uint32_t list, uint32_t min, uint32_t max)
{
    uint32_t n = lli_goal_value(s, list)->n, rules[2][MAX_DISTINCT + 1], values[MAX_DISTINCT], i = 0;
    for (uint32_t at = list + 1; at < lli_goal_value(s, list)->end; at = lli_json_next(&s->json, at))
        values[i++] = at;
    for (i = n + 1; i-- > 0 && !lli_goal_is_failed(s);) {
        for (uint32_t c = 0; c <= i && !lli_goal_is_failed(s); c++) {
            uint32_t choice = lli_write_add(s, 0, LLI_PART_CHOICE), rule = lli_parts_new_rule(s->parts);
            if (i == n && c >= min && c <= max)
                lli_write_add(s, choice, LLI_PART_SEQUENCE);
            if (i < n && !lli_goal_is_failed(s)) {
                lli_parts_name(s->parts, choice, rules[(i + 1) % 2][c]);
                uint32_t sequence = lli_write_add(s, choice, LLI_PART_SEQUENCE);
                if (c > 0)
                    lli_write_comma(s, sequence);
                add_value_text(s, sequence, values[i]);
                lli_parts_name(s->parts, sequence, rules[(i + 1) % 2][c + 1]);
            }
            if (!lli_goal_is_failed(s))
                lli_parts_define(s->parts, rules[i % 2][c] = rule, choice);
        }
    }
    if (!lli_goal_is_failed(s))
        lli_parts_name(s->parts, parent, rules[0][0]);
}

static void add_array(struct lli_schema *s, const struct lli_goal *goal, uint32_t parent)
{
    int at;
    uint32_t unique = lli_goal_find(s, goal, "uniqueItems", 0, &at);
    uint32_t min = lli_write_count(s, goal, "minItems", 0), max = lli_write_count(s, goal, "maxItems", LLI_REPEAT_FOREVER);
    uint32_t items = lli_goal_only(s, goal, "items"), prefix = lli_goal_only(s, goal, "prefixItems"), sequence, inner;
    if (prefix != 0 && (lli_goal_value(s, prefix)->kind != LLI_JSON_ARRAY || lli_goal_value(s, prefix)->n == 0))
        lli_goal_fail(s, prefix, "prefixItems", "is no list of schemas");
    lli_write_check_counts(s, min, max, "an array's length");
    if (prefix != 0 && !lli_goal_is_failed(s) && lli_goal_value(s, prefix)->n > LLI_MAX_GRAMMAR_REPEAT)
        lli_goal_fail(s, prefix, "prefixItems", "is too long");
    if (lli_goal_is_failed(s))
        return;
    sequence = lli_write_add(s, parent, LLI_PART_SEQUENCE);
    lli_write_text(s, sequence, "[");
    lli_write_space(s, sequence);
    if (unique != 0 && lli_goal_value(s, unique)->kind != LLI_JSON_FALSE && max > 1) {
        uint32_t list = find_distinct(s, unique, prefix ? 0 : items);
        if (list != 0)
            add_distinct(s, sequence, list, min, max);
        lli_write_space(s, sequence);
    } else if (max > 0) {
        inner = lli_write_add(s, lli_parts_add(s->parts, sequence, LLI_PART_REPEAT, min > 0, 1), LLI_PART_SEQUENCE);
        add_item(s, inner, prefix ? prefix + 1 : items);
        add_rest(s, inner, prefix, items, min, max);
        lli_write_space(s, inner);
    }
    lli_write_text(s, sequence, "]");
}

/* ---- goals */

/* The list of anyOf or oneOf of a member that is not decided yet, or 0. */
static uint32_t find_alternatives(struct lli_schema *s, const struct lli_goal *goal, int member, int *is_one)
{
    uint32_t any = lli_json_find(&s->json, goal->members[member] - 1, "anyOf", 5);
    uint32_t one = lli_json_find(&s->json, goal->members[member] - 1, "oneOf", 5);
    *is_one = any == 0;
    if (goal->chosen >> member & 1)
        return 0;
    if (any && one)
        lli_goal_fail(s, one, "oneOf", "stands beside anyOf");
    return any ? any : one;
}

/* Only types go with the values that are told. */
static void refuse_beside_values(struct lli_schema *s, const struct lli_goal *goal, uint32_t found)
{
    static const char *const others[] = {"properties",
                                         "required",
                                         "additionalProperties",
                                         "patternProperties",
                                         "propertyNames",
                                         "minProperties",
                                         "maxProperties",
                                         "items",
                                         "prefixItems",
                                         "minItems",
                                         "maxItems",
                                         "uniqueItems",
                                         "minLength",
                                         "maxLength",
                                         "pattern",
                                         "format",
                                         "minimum",
                                         "maximum",
                                         "exclusiveMinimum",
                                         "exclusiveMaximum",
                                         "multipleOf"};
    int at, is_one;
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (lli_goal_find(s, goal, others[i], 0, &at) != 0)
            lli_goal_fail(s, found, others[i], "stands beside const or enum");
    for (int k = 0; k < LLI_GOAL_MEMBERS && goal->members[k] != 0; k++)
        if (find_alternatives(s, goal, k, &is_one) != 0)
            lli_goal_fail(s, found, is_one ? "oneOf" : "anyOf", "stands beside const or enum");
}

/* const or enum: the values as they are. */
static int add_values(struct lli_schema *s, const struct lli_goal *goal, uint32_t parent)
{
    uint32_t one = lli_goal_only(s, goal, "const"), list = lli_goal_only(s, goal, "enum"), found = one ? one : list, types,
             n = 0;
    struct lli_buffer texts, bytes;
    if (found == 0)
        return 0;
    if (one && list)
        lli_goal_fail(s, list, "enum", "stands beside const");
    if (list && lli_goal_value(s, list)->kind != LLI_JSON_ARRAY)
        lli_goal_fail(s, list, "enum", "is no list");
    refuse_beside_values(s, goal, found);
    types = lli_goal_types(s, goal);
    types |= types & LLI_JSON_IS_NUMBER ? LLI_JSON_IS_INTEGER : 0;
    lli_buffer_init(&texts, s->parts->heap);
    lli_buffer_init(&bytes, s->parts->heap);
    uint32_t end = list ? lli_goal_value(s, list)->end : lli_json_next(&s->json, found);
    int failed = 0;
    for (uint32_t i = list ? list + 1 : found; i < end && !failed && !lli_goal_is_failed(s); i = lli_json_next(&s->json, i)) {
        size_t before = bytes.len;
        if (!(lli_goal_type_of(lli_goal_value(s, i)) & types))
            continue;
        failed = lli_json_text_value(&bytes, &s->json, i, s->text, s->n);
        struct lli_text text = {NULL, bytes.len - before};
        failed = failed || lli_buffer_append(&texts, &text, sizeof text);
        n++;
    }
    struct lli_text *text = (struct lli_text *)(void *)texts.bytes;
    const char *next = (const char *)bytes.bytes;
    for (uint32_t i = 0; i < n && !failed; next += text[i++].len)
        text[i].bytes = next;
    if (failed)
        lli_parts_fail(s->parts, LLMINF_E_MEMORY, -1, "no memory for values");
    else if (!lli_goal_is_failed(s))
        lli_json_text_choice(s->parts, parent, text, n);
    lli_buffer_finish(&texts);
    lli_buffer_finish(&bytes);
    return 1;
}

enum { MAX_ALTERNATIVES = 1000 };

static void check_apart(struct lli_schema *s, uint32_t list)
{
    if (lli_goal_value(s, list)->n > MAX_ALTERNATIVES) {
        lli_parts_fail(s->parts, LLMINF_E_LIMIT, lli_goal_value(s, list)->at,
                       "the schema's \"oneOf\" has more than 1000 alternatives");
        return;
    }
    for (uint32_t i = list + 1; i < lli_goal_value(s, list)->end; i = lli_json_next(&s->json, i))
        for (uint32_t k = lli_json_next(&s->json, i); k < lli_goal_value(s, list)->end; k = lli_json_next(&s->json, k))
            if (!lli_goal_is_failed(s) && !lli_goal_is_apart(s, i, k)) {
                lli_goal_fail(s, k, "oneOf", "has alternatives of which two may hold at once, which is not supported");
                return;
            }
}

/* anyOf or oneOf of a member that is not decided yet: a goal for each alternative. */
static int add_alternatives(struct lli_schema *s, const struct lli_goal *goal, uint32_t parent)
{
    for (int k = 0, is_one; k < LLI_GOAL_MEMBERS && goal->members[k] != 0; k++) {
        uint32_t list = find_alternatives(s, goal, k, &is_one);
        if (list == 0)
            continue;
        if (lli_goal_value(s, list)->kind != LLI_JSON_ARRAY)
            lli_goal_fail(s, list, is_one ? "oneOf" : "anyOf", "is no list");
        if (is_one && !lli_goal_is_failed(s))
            check_apart(s, list);
        for (uint32_t i = list + 1; !lli_goal_is_failed(s) && i < lli_goal_value(s, list)->end;
             i = lli_json_next(&s->json, i)) {
            struct lli_goal with = *goal;
            with.chosen |= 1u << k;
            uint32_t rule = lli_goal_add(s, &with, i) ? lli_goal_rule(s, &with) : 0;
            if (rule != 0 && !lli_goal_is_failed(s))
                lli_parts_name(s->parts, parent, rule);
        }
        return 1;
    }
    return 0;
}

static void write_goal(struct lli_schema *s, const struct lli_goal *goal, uint32_t choice)
{
    lli_goal_check(s, goal);
    if (lli_goal_is_failed(s) || add_values(s, goal, choice) || add_alternatives(s, goal, choice))
        return;
    uint32_t types = lli_goal_types(s, goal);
    if (types & LLI_JSON_IS_NULL)
        lli_write_text(s, choice, "null");
    if (types & LLI_JSON_IS_BOOLEAN) {
        lli_write_text(s, choice, "true");
        lli_write_text(s, choice, "false");
    }
    if (types & LLI_JSON_IS_STRING)
        lli_write_string(s, goal, choice);
    if (types & (LLI_JSON_IS_NUMBER | LLI_JSON_IS_INTEGER))
        lli_write_number(s, goal, choice, !(types & LLI_JSON_IS_NUMBER));
    if (types & LLI_JSON_IS_ARRAY)
        add_array(s, goal, choice);
    if (types & LLI_JSON_IS_OBJECT)
        lli_write_object(s, goal, choice);
}

static void write_goals(struct lli_schema *s)
{
    for (uint32_t i = 0; i < s->goals.len / sizeof(struct lli_goal) && !lli_goal_is_failed(s); i++) {
        struct lli_goal goal = ((const struct lli_goal *)(const void *)s->goals.bytes)[i];
        uint32_t rule = ((const uint32_t *)(const void *)s->rules.bytes)[i], choice = lli_write_add(s, 0, LLI_PART_CHOICE);
        lli_parts_define(s->parts, rule, choice);
        write_goal(s, &goal, choice);
    }
}

int32_t lli_json_schema_read(uint32_t *root_out, struct lli_parts *parts, const char *text, size_t n)
{
    struct lli_schema s = {.parts = parts, .text = text, .n = n};
    struct lli_goal goal = {0};
    *root_out = 0;
    if (n > LLI_MAX_GRAMMAR_BYTES)
        return parts->status =
                   lli_fail(parts->err, LLMINF_E_LIMIT, "grammar", "has %zu bytes, want at most %u", n, LLI_MAX_GRAMMAR_BYTES);
    parts->status = lli_json_read(&s.json, parts->heap, text, n, "grammar", parts->err);
    lli_buffer_init(&s.goals, parts->heap);
    lli_buffer_init(&s.rules, parts->heap);
    lli_arena_init(&s.arena, parts->heap, 4096);
    if (parts->status == LLMINF_OK && lli_map_init(&s.known, parts->heap, 16))
        lli_parts_fail(parts, LLMINF_E_MEMORY, -1, "no memory for a schema");
    lli_parts_new_rule(parts); /* number 0, which stands for none here: the empty text */
    if (parts->status == LLMINF_OK)
        lli_parts_define(parts, 0, lli_parts_add(parts, 0, LLI_PART_SEQUENCE, 0, 0));
    if (parts->status == LLMINF_OK && !lli_goal_add(&s, &goal, 0))
        lli_parts_fail(parts, LLMINF_E_GRAMMAR, 0, "nothing is valid under the schema false");
    if (parts->status == LLMINF_OK)
        *root_out = lli_goal_rule(&s, &goal);
    write_goals(&s);
    lli_json_finish(&s.json);
    lli_map_finish(&s.known);
    lli_arena_finish(&s.arena);
    lli_buffer_finish(&s.goals);
    lli_buffer_finish(&s.rules);
    return parts->status;
}
