/* grammar/json_object.c - objects of a schema: members come in the order in which the schema names them, others behind. */
#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "grammar/json_pattern.h"
#include "grammar/json_text.h"
#include "grammar/json_write.h"

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
    struct lli_goal names; /* of their names, if has_names */
    int has_names;
    uint32_t pattern; /* of their names: a value, or 0 */
    uint32_t min, max;
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

/* Names of a list are members that may be there; any other schema of names is for members that are not named. */
static void read_names(struct object *o, const struct lli_goal *goal)
{
    static const char *const others[] = {"anyOf", "oneOf"};
    struct lli_schema *s = o->s;
    uint32_t found = lli_goal_only(s, goal, "propertyNames");
    int at;
    if (found == 0 || lli_goal_is_failed(s))
        return;
    if (o->list.len > 0 || lli_goal_find(s, goal, "required", 0, &at) != 0)
        lli_goal_fail(s, found, "propertyNames", "stands beside properties or required");
    o->has_names = lli_goal_add(s, &o->names, found);
    o->has_others &= o->has_names;
    lli_goal_check(s, &o->names);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (lli_goal_find(s, &o->names, others[i], 0, &at) != 0)
            lli_goal_fail(s, found, others[i], "is not supported in propertyNames");
    uint32_t list = lli_goal_only(s, &o->names, "enum");
    if (lli_goal_find(s, &o->names, "const", 0, &at) != 0 || !(lli_goal_types(s, &o->names) & LLI_JSON_IS_STRING))
        lli_goal_fail(s, found, "propertyNames", "wants texts: an enum, a pattern, a format or lengths");
    if (list == 0 || lli_goal_is_failed(s))
        return;
    if (lli_goal_value(s, list)->kind != LLI_JSON_ARRAY)
        lli_goal_fail(s, list, "enum", "is no list");
    for (uint32_t i = list + 1; !lli_goal_is_failed(s) && i < lli_goal_value(s, list)->end; i = lli_json_next(&s->json, i)) {
        uint32_t k = lli_goal_value(s, i)->kind == LLI_JSON_TEXT ? find_property(o, lli_goal_value(s, i)) : UINT32_MAX;
        if (k == UINT32_MAX)
            continue; /* no name of a member */
        property_at(o, k)->goal = o->others;
        property_at(o, k)->is_possible = o->has_others;
    }
    o->has_others = 0;
}

/* Members whose names are of a pattern are all that there may be. */
static void read_pattern(struct object *o, const struct lli_goal *goal)
{
    struct lli_schema *s = o->s;
    uint32_t found = lli_goal_only(s, goal, "patternProperties");
    int at;
    if (found == 0 || lli_goal_is_failed(s))
        return;
    if (lli_goal_value(s, found)->kind != LLI_JSON_OBJECT || lli_goal_value(s, found)->n != 1)
        lli_goal_fail(s, found, "patternProperties", "is supported for one pattern only");
    else if (o->list.len > 0 || o->has_names || lli_goal_find(s, goal, "required", 0, &at) != 0)
        lli_goal_fail(s, found, "patternProperties", "stands beside properties, required or propertyNames");
    if (lli_goal_is_failed(s))
        return;
    o->pattern = found + 1;
    o->others = (struct lli_goal){0};
    o->has_others = lli_goal_add(s, &o->others, found + 2);
}

/* How many members are told apart: of others, which may have the same name, there is one at least. */
static void read_counts(struct object *o, const struct lli_goal *goal)
{
    struct lli_schema *s = o->s;
    uint32_t n = (uint32_t)(o->list.len / sizeof(struct property)), n_required = 0;
    int at;
    o->min = lli_write_count(s, goal, "minProperties", 0);
    o->max = lli_write_count(s, goal, "maxProperties", LLI_REPEAT_FOREVER);
    for (uint32_t i = 0; i < n; i++)
        n_required += property_at(o, i)->is_required != 0;
    if (o->min > n + (o->has_others != 0))
        lli_goal_fail(s, lli_goal_find(s, goal, "minProperties", 0, &at), "minProperties",
                      "is more than the names that are known");
    if (o->min <= n_required)
        o->min = 0;
    if (!o->has_others && o->max >= n)
        o->max = LLI_REPEAT_FOREVER;
    lli_write_check_counts(s, o->min, o->max, "an object's members");
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
    lli_write_text(s, parent, ":");
    lli_write_space(s, parent);
    uint32_t rule = is_possible ? lli_goal_rule(s, goal) : 0;
    if (!is_possible)
        lli_write_add(s, parent, LLI_PART_CHOICE);
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

static void add_pattern_name(struct object *o, uint32_t parent)
{
    const struct lli_json_value *v = lli_goal_value(o->s, o->pattern);
    lli_write_text(o->s, parent, "\"");
    lli_json_pattern_name(o->s->parts, parent, v->text, v->n, v->at);
    lli_write_text(o->s, parent, "\"");
}

/* A name that is none of those that are known. */
static void add_other_name(struct object *o, uint32_t parent)
{
    struct lli_heap *heap = o->s->parts->heap;
    uint32_t n = (uint32_t)(o->list.len / sizeof(struct property));
    struct lli_text *names = lli_alloc_array(heap, n, sizeof *names);
    for (uint32_t i = 0; names && i < n; i++)
        names[i] = (struct lli_text){property_at(o, i)->name, property_at(o, i)->len};
    if (!names)
        lli_parts_fail(o->s->parts, LLMINF_E_MEMORY, -1, "no memory for names");
    lli_write_text(o->s, parent, "\"");
    if (names)
        lli_json_text_other(o->s->parts, parent, names, n);
    lli_write_text(o->s, parent, "\"");
    lli_free(heap, names);
}

/* A member of any other name. */
static void add_other(struct object *o, uint32_t parent)
{
    if (o->pattern)
        add_pattern_name(o, parent);
    else if (o->has_names)
        lli_write_string(o->s, &o->names, parent);
    else
        add_other_name(o, parent);
    add_value(o->s, parent, &o->others, 1);
}

/* Others, behind `n` members or none, each behind a comma but the first of all. */
static void add_others(struct object *o, uint32_t parent, int is_first)
{
    struct lli_schema *s = o->s;
    uint32_t sequence = parent, more;
    if (!o->has_others)
        return;
    uint32_t rule = lli_parts_new_rule(s->parts), root = lli_write_add(s, 0, LLI_PART_SEQUENCE);
    add_other(o, root);
    lli_parts_define(s->parts, rule, root);
    if (lli_goal_is_failed(s))
        return;
    if (is_first) {
        sequence = lli_write_add(s, lli_parts_add(s->parts, parent, LLI_PART_REPEAT, 0, 1), LLI_PART_SEQUENCE);
        lli_parts_name(s->parts, sequence, rule);
    }
    more = lli_write_add(s, lli_parts_add(s->parts, sequence, LLI_PART_REPEAT, 0, LLI_REPEAT_FOREVER), LLI_PART_SEQUENCE);
    lli_write_comma(s, more);
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
            lli_write_add(o->s, lli_parts_add(o->s->parts, parent, LLI_PART_REPEAT, p->is_required != 0, 1), LLI_PART_SEQUENCE);
        lli_write_comma(o->s, sequence);
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
    choice = lli_write_add(s, parent, LLI_PART_CHOICE);
    /* From the last: what stands behind member i is member i + 1 or none, then what stands behind that. */
    for (uint32_t i = n_first; i-- > 0 && !lli_goal_is_failed(s);) {
        uint32_t rule = lli_parts_new_rule(s->parts), root = lli_write_add(s, 0, LLI_PART_SEQUENCE), sequence;
        if (i + 1 == n_first) {
            add_behind(o, root, n_first);
        } else {
            const struct property *p = property_at(o, i + 1);
            sequence =
                lli_write_add(s, lli_parts_add(s->parts, root, LLI_PART_REPEAT, p->is_required != 0, 1), LLI_PART_SEQUENCE);
            lli_write_comma(s, sequence);
            add_property(o, sequence, p);
            if (!lli_goal_is_failed(s))
                lli_parts_name(s->parts, root, behind);
        }
        lli_parts_define(s->parts, rule, root);
        behind = rule;
        sequence = lli_write_add(s, choice, LLI_PART_SEQUENCE);
        add_property(o, sequence, property_at(o, i));
        if (!lli_goal_is_failed(s))
            lli_parts_name(s->parts, sequence, rule);
    }
    if (n_first == 0 || !property_at(o, n_first - 1)->is_required)
        add_others(o, lli_write_add(s, choice, LLI_PART_SEQUENCE), 1);
}

/* ---- members that are counted: for each property a rule for each number of members before it, from the last to the first */

struct counted {
    struct object *o;
    uint32_t n; /* counts: 0 to n - 1; the last stands for more, too, where there is no bound from above */
    uint32_t other;
};

/* What may stand behind all properties and c members: others, as many as are wanted. */
static void add_counted_others(struct counted *k, uint32_t choice, uint32_t c)
{
    struct object *o = k->o;
    struct lli_parts *parts = o->s->parts;
    if (c >= o->min)
        lli_write_add(o->s, choice, LLI_PART_SEQUENCE);
    if (!o->has_others || c + 1 < o->min || c >= o->max || lli_goal_is_failed(o->s))
        return;
    uint32_t sequence = lli_write_add(o->s, choice, LLI_PART_SEQUENCE), most = o->max - c - 1;
    if (c > 0)
        lli_write_comma(o->s, sequence);
    lli_parts_name(parts, sequence, k->other);
    uint32_t more = lli_parts_add(parts, sequence, LLI_PART_REPEAT, 0, o->max == LLI_REPEAT_FOREVER ? o->max : most);
    sequence = lli_write_add(o->s, more, LLI_PART_SEQUENCE);
    lli_write_comma(o->s, sequence);
    if (!lli_goal_is_failed(o->s))
        lli_parts_name(parts, sequence, k->other);
}

/* Property i behind c members, or not; rules: of what stands behind it. */
static void add_counted(struct counted *k, uint32_t choice, uint32_t i, uint32_t c, uint32_t rules)
{
    struct object *o = k->o;
    const struct property *p = property_at(o, i);
    if (!p->is_required)
        lli_parts_name(o->s->parts, choice, rules + c);
    if (c >= o->max)
        return;
    uint32_t sequence = lli_write_add(o->s, choice, LLI_PART_SEQUENCE);
    if (c > 0)
        lli_write_comma(o->s, sequence);
    add_property(o, sequence, p);
    if (!lli_goal_is_failed(o->s))
        lli_parts_name(o->s->parts, sequence, rules + (c + 1 < k->n ? c + 1 : c));
}

static void add_counted_members(struct object *o, uint32_t parent)
{
    struct lli_schema *s = o->s;
    uint32_t n = (uint32_t)(o->list.len / sizeof(struct property)), behind = 0;
    struct counted k = {o, (o->max != LLI_REPEAT_FOREVER ? o->max : o->min) + 1, lli_parts_new_rule(s->parts)};
    uint32_t root = lli_write_add(s, 0, LLI_PART_SEQUENCE);
    if (o->has_others)
        add_other(o, root);
    if (!lli_goal_is_failed(s))
        lli_parts_define(s->parts, k.other, root);
    for (uint32_t i = n + 1; i-- > 0 && !lli_goal_is_failed(s);) {
        uint32_t rules = lli_parts_new_rule(s->parts);
        for (uint32_t c = 1; c < k.n && !lli_goal_is_failed(s); c++)
            lli_parts_new_rule(s->parts);
        for (uint32_t c = 0; c < k.n && !lli_goal_is_failed(s); c++) {
            uint32_t choice = lli_write_add(s, 0, LLI_PART_CHOICE);
            if (i == n)
                add_counted_others(&k, choice, c);
            else
                add_counted(&k, choice, i, c, behind);
            lli_parts_define(s->parts, rules + c, choice);
        }
        behind = rules;
    }
    if (!lli_goal_is_failed(s))
        lli_parts_name(s->parts, parent, behind);
}

void lli_write_object(struct lli_schema *s, const struct lli_goal *goal, uint32_t parent)
{
    struct object o = {.s = s};
    uint32_t sequence = lli_write_add(s, parent, LLI_PART_SEQUENCE);
    lli_buffer_init(&o.list, s->parts->heap);
    if (lli_map_init(&o.by_name, s->parts->heap, 16))
        lli_parts_fail(s->parts, LLMINF_E_MEMORY, -1, "no memory for an object's schema");
    read_properties(&o, goal);
    read_others(&o, goal);
    read_names(&o, goal);
    read_pattern(&o, goal);
    read_required(&o, goal);
    read_counts(&o, goal);
    lli_write_text(s, sequence, "{");
    lli_write_space(s, sequence);
    if (!lli_goal_is_failed(s) && (o.min > 0 || o.max != LLI_REPEAT_FOREVER))
        add_counted_members(&o, sequence);
    else if (!lli_goal_is_failed(s))
        add_members(&o, sequence);
    lli_write_space(s, sequence);
    lli_write_text(s, sequence, "}");
    lli_map_finish(&o.by_name);
    lli_buffer_finish(&o.list);
}
