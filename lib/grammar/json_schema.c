/* grammar/json_schema.c - goals are turned into rules one after the other; a goal only names the rules of those inside it. */
#include "grammar/json_schema.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "grammar/json_goal.h"
#include "grammar/json_pattern.h"
#include "grammar/json_text.h"

static uint32_t add(struct lli_schema *s, uint32_t parent, uint32_t kind)
{
    return lli_parts_add(s->parts, parent, kind, 0, 0);
}

static void add_text(struct lli_schema *s, uint32_t parent, const char *text)
{
    lli_parts_bytes(s->parts, parent, text, strlen(text));
}

static void add_space(struct lli_schema *s, uint32_t parent)
{
    if (s->space == 0 && !lli_goal_is_failed(s)) {
        s->space = lli_parts_new_rule(s->parts);
        lli_parts_define(s->parts, s->space, lli_json_text_space(s->parts, 0));
    }
    if (!lli_goal_is_failed(s))
        lli_parts_name(s->parts, parent, s->space);
}

/* A reference to the rule of one schema, or nothing where nothing can be of it. */
static void add_schema(struct lli_schema *s, uint32_t parent, uint32_t value)
{
    struct lli_goal goal = {0};
    if (!lli_goal_add(s, &goal, value))
        add(s, parent, LLI_PART_CHOICE);
    else if (!lli_goal_is_failed(s))
        lli_parts_name(s->parts, parent, lli_goal_rule(s, &goal));
}

static void add_any(struct lli_schema *s, uint32_t parent)
{
    struct lli_goal goal = {0};
    uint32_t rule = lli_goal_rule(s, &goal);
    if (!lli_goal_is_failed(s))
        lli_parts_name(s->parts, parent, rule);
}

/* A count: a whole number of 0 or more, at most LLI_MAX_GRAMMAR_REPEAT where it is to be written out. */
static uint32_t read_count(struct lli_schema *s, uint32_t value, const char *keyword)
{
    const struct lli_json_value *v = lli_goal_value(s, value);
    double real = v->kind == LLI_JSON_INT     ? (double)v->number
                  : v->kind == LLI_JSON_FLOAT ? v->real
                  : v->kind == LLI_JSON_BIG   ? 1e18
                                              : -1;
    if (!(real >= 0) || (real < 1e15 && real != (double)(int64_t)real)) {
        lli_goal_fail(s, value, keyword, "is no count");
        return 0;
    }
    return real > UINT32_MAX - 1.0 ? UINT32_MAX - 1 : (uint32_t)real;
}

/* The tightest of all members; `otherwise` where none has it. */
static uint32_t find_count(struct lli_schema *s, const struct lli_goal *goal, const char *keyword, uint32_t otherwise)
{
    int at = -1, is_least = keyword[1] == 'i'; /* "min..." */
    uint32_t found, best = otherwise;
    while ((found = lli_goal_find(s, goal, keyword, at + 1, &at)) != 0) {
        uint32_t n = read_count(s, found, keyword);
        best = is_least ? (n > best ? n : best) : (n < best ? n : best);
    }
    return best;
}

/* What must be written out may not be too long; a bound from above that is far away is none. */
static void check_counts(struct lli_schema *s, uint32_t min, uint32_t max, const char *what)
{
    if (lli_goal_is_failed(s))
        return;
    if (min > max)
        s->parts->status =
            lli_fail(s->parts->err, LLMINF_E_GRAMMAR, "grammar", "the schema's bounds of %s go down: %u to %u", what, min, max);
    else if (min > LLI_MAX_GRAMMAR_REPEAT || (max != LLI_REPEAT_FOREVER && max > LLI_MAX_GRAMMAR_REPEAT))
        s->parts->status = lli_fail(s->parts->err, LLMINF_E_LIMIT, "grammar", "the schema's bounds of %s are over %u", what,
                                    LLI_MAX_GRAMMAR_REPEAT);
}

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
        uint32_t root = add(s, 0, LLI_PART_SEQUENCE);
        s->string = lli_parts_new_rule(s->parts);
        add_text(s, root, "\"");
        add_characters(s, root, 0, LLI_REPEAT_FOREVER);
        add_text(s, root, "\"");
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
    {"uri", "^https?://" LABEL "(\\." LABEL "){1,3}(/[A-Za-z0-9._~-]{1,40}){0,8}/?$"},
};

static const char *find_format(struct lli_schema *s, uint32_t value)
{
    const struct lli_json_value *v = lli_goal_value(s, value);
    for (size_t i = 0; v->kind == LLI_JSON_TEXT && i < sizeof formats / sizeof *formats; i++)
        if (strcmp(formats[i].name, v->text) == 0)
            return formats[i].pattern;
    lli_goal_fail(s, value, "format", "is not supported, want date, time, date-time, uuid, email, hostname, ipv4 or uri");
    return "";
}

static void add_string(struct lli_schema *s, const struct lli_goal *goal, uint32_t parent)
{
    uint32_t min = find_count(s, goal, "minLength", 0), max = find_count(s, goal, "maxLength", LLI_REPEAT_FOREVER);
    uint32_t pattern = lli_goal_only(s, goal, "pattern"), format = lli_goal_only(s, goal, "format"), sequence;
    int has_bounds = min > 0 || max != LLI_REPEAT_FOREVER;
    if ((pattern != 0) + (format != 0) + has_bounds > 1)
        lli_goal_fail(s, pattern ? pattern : format, pattern ? "pattern" : "format", "goes with no other keyword about texts");
    if (pattern != 0 && lli_goal_value(s, pattern)->kind != LLI_JSON_TEXT)
        lli_goal_fail(s, pattern, "pattern", "is no text");
    check_counts(s, min, max, "a text's length");
    if (lli_goal_is_failed(s))
        return;
    if (!pattern && !format && !has_bounds) {
        add_any_string(s, parent);
        return;
    }
    sequence = add(s, parent, LLI_PART_SEQUENCE);
    add_text(s, sequence, "\"");
    if (pattern) {
        const struct lli_json_value *v = lli_goal_value(s, pattern);
        lli_json_pattern(s->parts, sequence, v->text, v->n, v->at);
    } else if (format) {
        const char *text = find_format(s, format);
        lli_json_pattern(s->parts, sequence, text, strlen(text), lli_goal_value(s, format)->at);
    } else {
        add_characters(s, sequence, min, max);
    }
    add_text(s, sequence, "\"");
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
        root = add(s, 0, LLI_PART_SEQUENCE);
        if (of_integers)
            lli_json_text_integer(s->parts, root, none, none);
        else
            lli_json_text_number(s->parts, root, none, none);
        lli_parts_define(s->parts, *rule, root);
    }
    if (!lli_goal_is_failed(s))
        lli_parts_name(s->parts, parent, *rule);
}

static void add_number(struct lli_schema *s, const struct lli_goal *goal, uint32_t parent, int of_integers)
{
    struct lli_bound low = {0}, high = {0};
    uint32_t multiple = lli_goal_only(s, goal, "multipleOf");
    if (multiple != 0) {
        const struct lli_json_value *v = lli_goal_value(s, multiple);
        if (!(v->kind == LLI_JSON_INT && v->number == 1) && !(v->kind == LLI_JSON_FLOAT && v->real == 1))
            lli_goal_fail(s, multiple, "multipleOf", "is supported for 1 only");
        of_integers = 1;
    }
    tighten(s, &low, goal, "minimum", 1, 0, of_integers);
    tighten(s, &low, goal, "exclusiveMinimum", 1, 1, of_integers);
    tighten(s, &high, goal, "maximum", 0, 0, of_integers);
    tighten(s, &high, goal, "exclusiveMaximum", 0, 1, of_integers);
    if (!low.is_set && !high.is_set)
        add_any_number(s, parent, of_integers);
    else if (of_integers)
        lli_json_text_integer(s->parts, parent, low, high);
    else
        lli_json_text_number(s->parts, parent, low, high);
}

/* ---- arrays */

static void add_comma(struct lli_schema *s, uint32_t parent)
{
    add_text(s, parent, ",");
    add_space(s, parent);
}

static void add_item(struct lli_schema *s, uint32_t parent, uint32_t items)
{
    if (items != 0)
        add_schema(s, parent, items);
    else
        add_any(s, parent);
}

/* Behind i elements, of which there are some: those of the prefix one by one, then all others alike. */
static void add_rest(struct lli_schema *s, uint32_t parent, uint32_t prefix, uint32_t items, uint32_t min, uint32_t max)
{
    uint32_t i = 1, at = prefix ? lli_json_next(&s->json, prefix + 1) : 0;
    uint32_t n_prefix = prefix ? lli_goal_value(s, prefix)->n : 0;
    for (; i < n_prefix && i < max && !lli_goal_is_failed(s); i++, at = lli_json_next(&s->json, at)) {
        uint32_t optional = lli_parts_add(s->parts, parent, LLI_PART_REPEAT, i < min, 1);
        parent = add(s, optional, LLI_PART_SEQUENCE);
        add_comma(s, parent);
        add_schema(s, parent, at);
    }
    if (i >= max)
        return;
    uint32_t more = add(
        s, lli_parts_add(s->parts, parent, LLI_PART_REPEAT, min > i ? min - i : 0, max == LLI_REPEAT_FOREVER ? max : max - i),
        LLI_PART_SEQUENCE);
    add_comma(s, more);
    add_item(s, more, items);
}

static void add_array(struct lli_schema *s, const struct lli_goal *goal, uint32_t parent)
{
    uint32_t min = find_count(s, goal, "minItems", 0), max = find_count(s, goal, "maxItems", LLI_REPEAT_FOREVER);
    uint32_t items = lli_goal_only(s, goal, "items"), prefix = lli_goal_only(s, goal, "prefixItems"), sequence, inner;
    if (prefix != 0 && (lli_goal_value(s, prefix)->kind != LLI_JSON_ARRAY || lli_goal_value(s, prefix)->n == 0))
        lli_goal_fail(s, prefix, "prefixItems", "is no list of schemas");
    check_counts(s, min, max, "an array's length");
    if (prefix != 0 && !lli_goal_is_failed(s) && lli_goal_value(s, prefix)->n > LLI_MAX_GRAMMAR_REPEAT)
        lli_goal_fail(s, prefix, "prefixItems", "is too long");
    if (lli_goal_is_failed(s))
        return;
    sequence = add(s, parent, LLI_PART_SEQUENCE);
    add_text(s, sequence, "[");
    add_space(s, sequence);
    if (max > 0) {
        inner = add(s, lli_parts_add(s->parts, sequence, LLI_PART_REPEAT, min > 0, 1), LLI_PART_SEQUENCE);
        add_item(s, inner, prefix ? prefix + 1 : items);
        add_rest(s, inner, prefix, items, min, max);
        add_space(s, inner);
    }
    add_text(s, sequence, "]");
}

/* ---- objects */

struct property {
    const char *name;
    uint32_t len;
    struct lli_goal goal;
    int is_required, is_possible;
};

struct object {
    struct lli_schema *s;
    struct lli_buffer list; /* struct property each */
    struct lli_map by_name;
    struct lli_goal others; /* of members that are not named */
    int has_others;
};

static struct property *property_at(const struct object *o, uint32_t i)
{
    return (struct property *)(void *)o->list.bytes + i;
}

/* The property of that name, new where it is not there; UINT32_MAX after a failure. */
static uint32_t find_property(struct object *o, const struct lli_json_value *name)
{
    struct property made = {.name = name->text, .len = name->n, .is_possible = 1};
    uint32_t i = (uint32_t)(o->list.len / sizeof made), found;
    if (lli_map_find(&o->by_name, name->text, name->n, &found))
        return found;
    if (lli_buffer_append(&o->list, &made, sizeof made) || lli_map_put(&o->by_name, name->text, name->n, i) < 0) {
        lli_parts_fail(o->s->parts, LLMINF_E_MEMORY, -1, "no memory for an object's schema");
        return UINT32_MAX;
    }
    return i;
}

static void read_properties(struct object *o, const struct lli_goal *goal)
{
    struct lli_schema *s = o->s;
    int at = -1;
    uint32_t found;
    while ((found = lli_goal_find(s, goal, "properties", at + 1, &at)) != 0) {
        if (lli_goal_value(s, found)->kind != LLI_JSON_OBJECT)
            lli_goal_fail(s, found, "properties", "is no object");
        for (uint32_t i = found + 1; !lli_goal_is_failed(s) && i < lli_goal_value(s, found)->end;
             i = lli_json_next(&s->json, i + 1)) {
            uint32_t k = find_property(o, lli_goal_value(s, i));
            if (k != UINT32_MAX)
                property_at(o, k)->is_possible &= lli_goal_add(s, &property_at(o, k)->goal, i + 1);
        }
    }
}

/* Of several schemas that must all hold one may not say what the others' members are. */
static void read_others(struct object *o, const struct lli_goal *goal)
{
    struct lli_schema *s = o->s;
    int at, next;
    uint32_t found = lli_goal_only(s, goal, "additionalProperties");
    uint32_t first = lli_goal_find(s, goal, "properties", 0, &at);
    if (found != 0 && first != 0 && lli_goal_find(s, goal, "properties", at + 1, &next) != 0 &&
        lli_goal_value(s, found)->kind != LLI_JSON_TRUE)
        lli_goal_fail(s, found, "additionalProperties", "stands among schemas that must all hold");
    if (found != 0)
        o->has_others = lli_goal_add(s, &o->others, found);
    else
        o->has_others = first == 0;
}

/* A name that must be there and has no schema is of others. */
static void read_required(struct object *o, const struct lli_goal *goal)
{
    struct lli_schema *s = o->s;
    int at = -1;
    uint32_t found, n_named = (uint32_t)(o->list.len / sizeof(struct property));
    while ((found = lli_goal_find(s, goal, "required", at + 1, &at)) != 0) {
        if (lli_goal_value(s, found)->kind != LLI_JSON_ARRAY)
            lli_goal_fail(s, found, "required", "is no list");
        for (uint32_t i = found + 1; !lli_goal_is_failed(s) && i < lli_goal_value(s, found)->end;
             i = lli_json_next(&s->json, i)) {
            uint32_t k;
            if (lli_goal_value(s, i)->kind != LLI_JSON_TEXT) {
                lli_goal_fail(s, i, "required", "holds what is no text");
                return;
            }
            if ((k = find_property(o, lli_goal_value(s, i))) == UINT32_MAX)
                return;
            property_at(o, k)->is_required = 1;
            if (k >= n_named) {
                int dummy;
                uint32_t said = lli_goal_find(s, goal, "additionalProperties", 0, &dummy);
                property_at(o, k)->goal = o->others;
                property_at(o, k)->is_possible = said == 0 || o->has_others;
            }
        }
    }
}

static void add_value(struct lli_schema *s, uint32_t parent, const struct lli_goal *goal, int is_possible)
{
    add_text(s, parent, ":");
    add_space(s, parent);
    uint32_t rule = is_possible ? lli_goal_rule(s, goal) : 0;
    if (!is_possible)
        add(s, parent, LLI_PART_CHOICE);
    else if (!lli_goal_is_failed(s))
        lli_parts_name(s->parts, parent, rule);
}

static void add_property(struct object *o, uint32_t parent, const struct property *p)
{
    struct lli_buffer name;
    lli_buffer_init(&name, o->s->parts->heap);
    if (lli_json_text_quote(&name, p->name, p->len))
        lli_parts_fail(o->s->parts, LLMINF_E_MEMORY, -1, "no memory for a name");
    lli_parts_bytes(o->s->parts, parent, name.bytes, name.len);
    lli_buffer_finish(&name);
    add_value(o->s, parent, &p->goal, p->is_possible);
}

/* A member of any other name. */
static void add_other(struct object *o, uint32_t parent)
{
    struct lli_heap *heap = o->s->parts->heap;
    uint32_t n = (uint32_t)(o->list.len / sizeof(struct property));
    struct lli_text *names = lli_alloc_array(heap, n, sizeof *names);
    for (uint32_t i = 0; names && i < n; i++)
        names[i] = (struct lli_text){property_at(o, i)->name, property_at(o, i)->len};
    if (!names)
        lli_parts_fail(o->s->parts, LLMINF_E_MEMORY, -1, "no memory for names");
    add_text(o->s, parent, "\"");
    if (names)
        lli_json_text_other(o->s->parts, parent, names, n);
    add_text(o->s, parent, "\"");
    lli_free(heap, names);
    add_value(o->s, parent, &o->others, 1);
}

/* Others, behind `n` members or none, each behind a comma but the first of all. */
static void add_others(struct object *o, uint32_t parent, int is_first)
{
    struct lli_schema *s = o->s;
    uint32_t sequence = parent, more;
    if (!o->has_others)
        return;
    uint32_t rule = lli_parts_new_rule(s->parts), root = add(s, 0, LLI_PART_SEQUENCE);
    add_other(o, root);
    lli_parts_define(s->parts, rule, root);
    if (lli_goal_is_failed(s))
        return;
    if (is_first) {
        sequence = add(s, lli_parts_add(s->parts, parent, LLI_PART_REPEAT, 0, 1), LLI_PART_SEQUENCE);
        lli_parts_name(s->parts, sequence, rule);
    }
    more = add(s, lli_parts_add(s->parts, sequence, LLI_PART_REPEAT, 0, LLI_REPEAT_FOREVER), LLI_PART_SEQUENCE);
    add_comma(s, more);
    if (!lli_goal_is_failed(s))
        lli_parts_name(s->parts, more, rule);
}

/* Members i and on, behind some. */
static void add_behind(struct object *o, uint32_t parent, uint32_t i)
{
    uint32_t n = (uint32_t)(o->list.len / sizeof(struct property));
    for (; i < n && !lli_goal_is_failed(o->s); i++) {
        const struct property *p = property_at(o, i);
        uint32_t sequence =
            add(o->s, lli_parts_add(o->s->parts, parent, LLI_PART_REPEAT, p->is_required != 0, 1), LLI_PART_SEQUENCE);
        add_comma(o->s, sequence);
        add_property(o, sequence, p);
    }
    add_others(o, parent, 0);
}

/* All members: `behind` are rules of those behind the first one, which is one of those up to the first that must be there. */
static void add_members(struct object *o, uint32_t parent)
{
    struct lli_schema *s = o->s;
    uint32_t n = (uint32_t)(o->list.len / sizeof(struct property)), behind = 0, n_first = 0, choice;
    while (n_first < n && !property_at(o, n_first++)->is_required)
        ;
    choice = add(s, parent, LLI_PART_CHOICE);
    /* From the last: what stands behind member i is member i + 1 or none, then what stands behind that. */
    for (uint32_t i = n_first; i-- > 0 && !lli_goal_is_failed(s);) {
        uint32_t rule = lli_parts_new_rule(s->parts), root = add(s, 0, LLI_PART_SEQUENCE), sequence;
        if (i + 1 == n_first) {
            add_behind(o, root, n_first);
        } else {
            const struct property *p = property_at(o, i + 1);
            sequence = add(s, lli_parts_add(s->parts, root, LLI_PART_REPEAT, p->is_required != 0, 1), LLI_PART_SEQUENCE);
            add_comma(s, sequence);
            add_property(o, sequence, p);
            if (!lli_goal_is_failed(s))
                lli_parts_name(s->parts, root, behind);
        }
        lli_parts_define(s->parts, rule, root);
        behind = rule;
        sequence = add(s, choice, LLI_PART_SEQUENCE);
        add_property(o, sequence, property_at(o, i));
        if (!lli_goal_is_failed(s))
            lli_parts_name(s->parts, sequence, rule);
    }
    if (n_first == 0 || !property_at(o, n_first - 1)->is_required)
        add_others(o, add(s, choice, LLI_PART_SEQUENCE), 1);
}

static void add_object(struct lli_schema *s, const struct lli_goal *goal, uint32_t parent)
{
    struct object o = {.s = s};
    uint32_t sequence = add(s, parent, LLI_PART_SEQUENCE);
    lli_buffer_init(&o.list, s->parts->heap);
    if (lli_map_init(&o.by_name, s->parts->heap, 16))
        lli_parts_fail(s->parts, LLMINF_E_MEMORY, -1, "no memory for an object's schema");
    read_properties(&o, goal);
    read_others(&o, goal);
    read_required(&o, goal);
    add_text(s, sequence, "{");
    add_space(s, sequence);
    if (!lli_goal_is_failed(s))
        add_members(&o, sequence);
    add_space(s, sequence);
    add_text(s, sequence, "}");
    lli_map_finish(&o.by_name);
    lli_buffer_finish(&o.list);
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

/* const or enum: the values as they are. */
static int add_values(struct lli_schema *s, const struct lli_goal *goal, uint32_t parent)
{
    static const char *const others[] = {"properties",       "required",         "items",      "prefixItems",
                                         "minItems",         "maxItems",         "minLength",  "maxLength",
                                         "pattern",          "format",           "minimum",    "maximum",
                                         "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "additionalProperties"};
    uint32_t one = lli_goal_only(s, goal, "const"), list = lli_goal_only(s, goal, "enum"), found = one ? one : list, types,
             n = 0;
    struct lli_buffer texts, bytes;
    int at, is_one;
    if (found == 0)
        return 0;
    if (one && list)
        lli_goal_fail(s, list, "enum", "stands beside const");
    if (list && lli_goal_value(s, list)->kind != LLI_JSON_ARRAY)
        lli_goal_fail(s, list, "enum", "is no list");
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (lli_goal_find(s, goal, others[i], 0, &at) != 0)
            lli_goal_fail(s, found, others[i], "stands beside const or enum");
    for (int k = 0; k < LLI_GOAL_MEMBERS && goal->members[k] != 0; k++)
        if (find_alternatives(s, goal, k, &is_one) != 0)
            lli_goal_fail(s, found, is_one ? "oneOf" : "anyOf", "stands beside const or enum");
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
        add_text(s, choice, "null");
    if (types & LLI_JSON_IS_BOOLEAN) {
        add_text(s, choice, "true");
        add_text(s, choice, "false");
    }
    if (types & LLI_JSON_IS_STRING)
        add_string(s, goal, choice);
    if (types & (LLI_JSON_IS_NUMBER | LLI_JSON_IS_INTEGER))
        add_number(s, goal, choice, !(types & LLI_JSON_IS_NUMBER));
    if (types & LLI_JSON_IS_ARRAY)
        add_array(s, goal, choice);
    if (types & LLI_JSON_IS_OBJECT)
        add_object(s, goal, choice);
}

static void write_goals(struct lli_schema *s)
{
    for (uint32_t i = 0; i < s->goals.len / sizeof(struct lli_goal) && !lli_goal_is_failed(s); i++) {
        struct lli_goal goal = ((const struct lli_goal *)(const void *)s->goals.bytes)[i];
        uint32_t rule = ((const uint32_t *)(const void *)s->rules.bytes)[i], choice = add(s, 0, LLI_PART_CHOICE);
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
