/* grammar/json_goal.c - Invariant: a member of a goal is an object of the schema; true adds nothing, false ends it. */
#include "grammar/json_goal.h"

#include <string.h>

#include "base/error.h"
#include "base/format.h"
#include "grammar/json_text.h"

void lli_goal_fail(struct lli_schema *s, uint32_t value, const char *keyword, const char *what)
{
    if (!lli_goal_is_failed(s))
        s->parts->status = lli_fail_at(s->parts->err, LLMINF_E_GRAMMAR, lli_goal_value(s, value)->at, "grammar",
                                       "the schema's \"%s\" %s", keyword, what);
}

static void no_memory(struct lli_schema *s)
{
    lli_parts_fail(s->parts, LLMINF_E_MEMORY, -1, "no memory for a schema");
}

/* ---- references */

static int hex(char c)
{
    char low = (char)(c | 0x20);
    return c >= '0' && c <= '9' ? c - '0' : low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

/* One step of a pointer, its escapes resolved. */
static size_t read_step(char *out, size_t cap, const char *at, size_t n)
{
    size_t len = 0;
    for (size_t i = 0; i < n && len < cap; i++) {
        char c = at[i];
        if (c == '%' && i + 2 < n + 0 && hex(at[i + 1]) >= 0 && hex(at[i + 2]) >= 0) {
            c = (char)(hex(at[i + 1]) << 4 | hex(at[i + 2]));
            i += 2;
        } else if (c == '~' && i + 1 < n && (at[i + 1] == '0' || at[i + 1] == '1')) {
            c = at[++i] == '0' ? '~' : '/';
        }
        out[len++] = c;
    }
    return len;
}

static uint32_t element(const struct lli_schema *s, uint32_t array, const char *name, size_t n)
{
    int64_t index;
    uint32_t i = array + 1;
    if (lli_format_read_int(&index, name, n) != 0 || index < 0 || index >= (int64_t)lli_goal_value(s, array)->n)
        return 0;
    for (; index > 0; index--)
        i = lli_json_next(&s->json, i);
    return i;
}

/* The value that a pointer names; UINT32_MAX: none. */
static uint32_t resolve(struct lli_schema *s, const char *pointer, size_t n)
{
    char name[256];
    uint32_t at = 0;
    if (n == 0 || pointer[0] != '#' || (n > 1 && pointer[1] != '/'))
        return UINT32_MAX;
    for (size_t i = 1; i < n;) {
        size_t from = ++i, len;
        while (i < n && pointer[i] != '/')
            i++;
        len = read_step(name, sizeof name, pointer + from, i - from);
        at = lli_goal_value(s, at)->kind == LLI_JSON_ARRAY ? element(s, at, name, len) : lli_json_find(&s->json, at, name, len);
        if (at == 0)
            return UINT32_MAX;
    }
    return at;
}

/* ---- members */

static int has_member(const struct lli_goal *goal, uint32_t value, int *n_out)
{
    int n = 0;
    while (n < LLI_GOAL_MEMBERS && goal->members[n] != 0)
        if (goal->members[n++] == value + 1)
            return 1;
    *n_out = n;
    return 0;
}

static void add_reference(struct lli_schema *s, struct lli_buffer *queue, uint32_t value)
{
    uint32_t ref = lli_json_find(&s->json, value, "$ref", 4), to;
    if (ref == 0)
        return;
    if (lli_goal_value(s, ref)->kind != LLI_JSON_TEXT) {
        lli_goal_fail(s, ref, "$ref", "is no text");
        return;
    }
    to = resolve(s, lli_goal_value(s, ref)->text, lli_goal_value(s, ref)->n);
    if (to == UINT32_MAX)
        lli_goal_fail(s, ref, "$ref", "names nothing in this schema");
    else if (lli_buffer_append(queue, &to, sizeof to))
        no_memory(s);
}

static void add_all_of(struct lli_schema *s, struct lli_buffer *queue, uint32_t value)
{
    uint32_t all = lli_json_find(&s->json, value, "allOf", 5);
    if (all == 0)
        return;
    if (lli_goal_value(s, all)->kind != LLI_JSON_ARRAY)
        lli_goal_fail(s, all, "allOf", "is no list");
    for (uint32_t i = all + 1; !lli_goal_is_failed(s) && i < lli_goal_value(s, all)->end; i = lli_json_next(&s->json, i))
        if (lli_buffer_append(queue, &i, sizeof i))
            no_memory(s);
}

int lli_goal_add(struct lli_schema *s, struct lli_goal *goal, uint32_t value)
{
    struct lli_buffer queue;
    int is_possible = 1, n;
    lli_buffer_init(&queue, s->parts->heap);
    if (lli_buffer_append(&queue, &value, sizeof value))
        no_memory(s);
    for (size_t at = 0; at < queue.len && is_possible && !lli_goal_is_failed(s); at += sizeof value) {
        memcpy(&value, queue.bytes + at, sizeof value);
        uint32_t kind = lli_goal_value(s, value)->kind;
        if (kind == LLI_JSON_FALSE)
            is_possible = 0;
        else if (kind != LLI_JSON_TRUE && kind != LLI_JSON_OBJECT)
            lli_parts_fail(s->parts, LLMINF_E_GRAMMAR, lli_goal_value(s, value)->at, "a schema is an object, true or false");
        if (kind != LLI_JSON_OBJECT || lli_goal_value(s, value)->n == 0 || has_member(goal, value, &n))
            continue;
        if (n == LLI_GOAL_MEMBERS) {
            lli_goal_fail(s, value, "allOf", "and what it refers to are too many schemas for one value");
            break;
        }
        goal->members[n] = value + 1;
        add_reference(s, &queue, value);
        add_all_of(s, &queue, value);
    }
    lli_buffer_finish(&queue);
    return is_possible;
}

uint32_t lli_goal_rule(struct lli_schema *s, const struct lli_goal *goal)
{
    uint32_t number, rule;
    if (lli_goal_is_failed(s))
        return 0;
    if (lli_map_find(&s->known, goal, sizeof *goal, &number))
        return ((const uint32_t *)(const void *)s->rules.bytes)[number];
    number = (uint32_t)(s->goals.len / sizeof *goal);
    rule = lli_parts_new_rule(s->parts);
    const char *key = lli_arena_text(&s->arena, goal, sizeof *goal);
    if (number == LLI_GOAL_LIMIT)
        lli_parts_fail(s->parts, LLMINF_E_LIMIT, -1, "the schema has more than 100000 parts");
    else if (!key || lli_buffer_append(&s->goals, goal, sizeof *goal) || lli_buffer_append(&s->rules, &rule, sizeof rule) ||
             lli_map_put(&s->known, key, sizeof *goal, number) < 0)
        no_memory(s);
    return lli_goal_is_failed(s) ? 0 : rule;
}

/* ---- keywords */

static const struct keyword {
    const char *name;
    uint32_t about; /* LLI_JSON_IS_... that it is about */
} keywords[] = {
    /* what says nothing about values */
    {"title", 0},
    {"description", 0},
    {"default", 0},
    {"examples", 0},
    {"deprecated", 0},
    {"readOnly", 0},
    {"writeOnly", 0},
    {"$schema", 0},
    {"$id", 0},
    {"$anchor", 0},
    {"$comment", 0},
    {"example", 0},
    {"discriminator", 0}, /* of OpenAPI: what its alternatives say anyway */
    {"contentEncoding", 0},
    {"contentMediaType", 0},
    {"contentSchema", 0},
    {"$defs", 0},
    {"definitions", 0},
    /* what does */
    {"$ref", 0},
    {"allOf", 0},
    {"anyOf", 0},
    {"oneOf", 0},
    {"type", 0},
    {"enum", 0},
    {"const", 0},
    {"properties", LLI_JSON_IS_OBJECT},
    {"required", LLI_JSON_IS_OBJECT},
    {"additionalProperties", LLI_JSON_IS_OBJECT},
    {"patternProperties", LLI_JSON_IS_OBJECT},
    {"propertyNames", LLI_JSON_IS_OBJECT},
    {"minProperties", LLI_JSON_IS_OBJECT},
    {"maxProperties", LLI_JSON_IS_OBJECT},
    {"items", LLI_JSON_IS_ARRAY},
    {"prefixItems", LLI_JSON_IS_ARRAY},
    {"minItems", LLI_JSON_IS_ARRAY},
    {"maxItems", LLI_JSON_IS_ARRAY},
    {"uniqueItems", LLI_JSON_IS_ARRAY},
    {"minLength", LLI_JSON_IS_STRING},
    {"maxLength", LLI_JSON_IS_STRING},
    {"pattern", LLI_JSON_IS_STRING},
    {"format", LLI_JSON_IS_STRING},
    {"minimum", LLI_JSON_IS_NUMBER | LLI_JSON_IS_INTEGER},
    {"maximum", LLI_JSON_IS_NUMBER | LLI_JSON_IS_INTEGER},
    {"exclusiveMinimum", LLI_JSON_IS_NUMBER | LLI_JSON_IS_INTEGER},
    {"exclusiveMaximum", LLI_JSON_IS_NUMBER | LLI_JSON_IS_INTEGER},
    {"multipleOf", LLI_JSON_IS_NUMBER | LLI_JSON_IS_INTEGER},
};

static const struct keyword *find_keyword(const struct lli_json_value *name)
{
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++)
        if (strlen(keywords[i].name) == name->n && memcmp(keywords[i].name, name->text, name->n) == 0)
            return &keywords[i];
    return NULL;
}

void lli_goal_check(struct lli_schema *s, const struct lli_goal *goal)
{
    for (int k = 0; k < LLI_GOAL_MEMBERS && goal->members[k] != 0; k++) {
        uint32_t object = goal->members[k] - 1;
        for (uint32_t i = object + 1; i < lli_goal_value(s, object)->end; i = lli_json_next(&s->json, i + 1)) {
            const struct lli_json_value *name = lli_goal_value(s, i);
            const struct keyword *found = find_keyword(name);
            if ((name->n >= 2 && memcmp(name->text, "x-", 2) == 0) || found)
                continue;
            lli_goal_fail(s, i, name->text, "is a keyword that is not supported");
        }
    }
}

uint32_t lli_goal_find(const struct lli_schema *s, const struct lli_goal *goal, const char *keyword, int from, int *member_out)
{
    size_t n = strlen(keyword);
    for (int k = from; k < LLI_GOAL_MEMBERS && goal->members[k] != 0; k++) {
        uint32_t found = lli_json_find(&s->json, goal->members[k] - 1, keyword, n);
        if (found != 0) {
            *member_out = k;
            return found;
        }
    }
    return 0;
}

uint32_t lli_goal_only(struct lli_schema *s, const struct lli_goal *goal, const char *keyword)
{
    int at;
    uint32_t found = lli_goal_find(s, goal, keyword, 0, &at), other = found ? lli_goal_find(s, goal, keyword, at + 1, &at) : 0;
    if (other != 0)
        lli_goal_fail(s, other, keyword, "stands in two schemas that must both hold");
    return found;
}

/* ---- types */

static const struct {
    const char *name;
    uint32_t type;
} types[] = {{"null", LLI_JSON_IS_NULL},
             {"boolean", LLI_JSON_IS_BOOLEAN},
             {"string", LLI_JSON_IS_STRING},
             {"integer", LLI_JSON_IS_INTEGER},
             {"number", LLI_JSON_IS_NUMBER | LLI_JSON_IS_INTEGER},
             {"array", LLI_JSON_IS_ARRAY},
             {"object", LLI_JSON_IS_OBJECT}};

static uint32_t named_type(struct lli_schema *s, uint32_t i)
{
    const struct lli_json_value *v = lli_goal_value(s, i);
    for (size_t k = 0; v->kind == LLI_JSON_TEXT && k < sizeof types / sizeof *types; k++)
        if (strlen(types[k].name) == v->n && memcmp(types[k].name, v->text, v->n) == 0)
            return types[k].type;
    lli_goal_fail(s, i, "type", "is none of null, boolean, string, integer, number, array, object");
    return 0;
}

static uint32_t read_types(struct lli_schema *s, uint32_t type)
{
    uint32_t mask = 0;
    if (lli_goal_value(s, type)->kind != LLI_JSON_ARRAY)
        return named_type(s, type);
    for (uint32_t i = type + 1; i < lli_goal_value(s, type)->end; i = lli_json_next(&s->json, i))
        mask |= named_type(s, i);
    return mask;
}

/* What the keywords of a schema are about. */
static uint32_t about(const struct lli_schema *s, uint32_t object)
{
    uint32_t mask = 0;
    for (uint32_t i = object + 1; i < lli_goal_value(s, object)->end; i = lli_json_next(&s->json, i + 1)) {
        const struct keyword *found = find_keyword(lli_goal_value(s, i));
        mask |= found ? found->about : 0;
    }
    return mask;
}

uint32_t lli_goal_types(struct lli_schema *s, const struct lli_goal *goal)
{
    uint32_t mask = LLI_JSON_IS_ANY, topics = 0;
    int has_type = 0;
    for (int k = 0; k < LLI_GOAL_MEMBERS && goal->members[k] != 0; k++) {
        uint32_t type = lli_json_find(&s->json, goal->members[k] - 1, "type", 4);
        if (type != 0)
            mask &= read_types(s, type);
        has_type |= type != 0;
        topics |= about(s, goal->members[k] - 1);
    }
    return has_type || topics == 0 ? mask : topics;
}

uint32_t lli_goal_type_of(const struct lli_json_value *v)
{
    static const uint32_t of[] = {LLI_JSON_IS_NULL,    LLI_JSON_IS_BOOLEAN, LLI_JSON_IS_BOOLEAN,
                                  LLI_JSON_IS_INTEGER, LLI_JSON_IS_INTEGER, LLI_JSON_IS_NUMBER,
                                  LLI_JSON_IS_STRING,  LLI_JSON_IS_ARRAY,   LLI_JSON_IS_OBJECT};
    return of[v->kind];
}

/* ---- are two schemas apart? */

static int is_same_text(const struct lli_json_value *a, const struct lli_json_value *b)
{
    return a->n == b->n && memcmp(a->text, b->text, a->n) == 0;
}

/* Certainly not equal: of other kinds, or two texts, or two integers that differ. */
int lli_goal_differ(const struct lli_json_value *a, const struct lli_json_value *b)
{
    uint32_t x = lli_goal_type_of(a), y = lli_goal_type_of(b), numbers = LLI_JSON_IS_INTEGER | LLI_JSON_IS_NUMBER;
    if ((x & numbers) && (y & numbers))
        return a->kind == LLI_JSON_INT && b->kind == LLI_JSON_INT && a->number != b->number;
    if (x != y)
        return 1;
    return x == LLI_JSON_IS_STRING ? !is_same_text(a, b) : x == LLI_JSON_IS_BOOLEAN && a->kind != b->kind;
}

/* The values of const or enum: from *first, *n of them. 0: there are none. */
static int find_values(const struct lli_schema *s, uint32_t schema, uint32_t *first, uint32_t *end)
{
    uint32_t one = lli_json_find(&s->json, schema, "const", 5), list = lli_json_find(&s->json, schema, "enum", 4);
    *first = one ? one : list + 1;
    *end = one ? lli_json_next(&s->json, one) : list ? lli_goal_value(s, list)->end : 0;
    return one != 0 || (list != 0 && lli_goal_value(s, list)->kind == LLI_JSON_ARRAY);
}

static int all_differ(const struct lli_schema *s, uint32_t a, uint32_t b)
{
    uint32_t first_a, end_a, first_b, end_b;
    if (!find_values(s, a, &first_a, &end_a) || !find_values(s, b, &first_b, &end_b))
        return 0;
    for (uint32_t i = first_a; i < end_a; i = lli_json_next(&s->json, i))
        for (uint32_t k = first_b; k < end_b; k = lli_json_next(&s->json, k))
            if (!lli_goal_differ(lli_goal_value(s, i), lli_goal_value(s, k)))
                return 0;
    return 1;
}

static uint32_t follow(struct lli_schema *s, uint32_t schema)
{
    for (int i = 0; i < 8; i++) {
        uint32_t ref = lli_json_find(&s->json, schema, "$ref", 4), to;
        if (ref == 0 || lli_goal_value(s, ref)->kind != LLI_JSON_TEXT)
            break;
        to = resolve(s, lli_goal_value(s, ref)->text, lli_goal_value(s, ref)->n);
        if (to == UINT32_MAX)
            break;
        schema = to;
    }
    return schema;
}

static uint32_t outer_types(struct lli_schema *s, uint32_t schema)
{
    uint32_t type = lli_json_find(&s->json, schema, "type", 4), first, end, mask = 0;
    if (find_values(s, schema, &first, &end)) {
        for (uint32_t i = first; i < end; i = lli_json_next(&s->json, i))
            mask |= lli_goal_type_of(lli_goal_value(s, i));
        return mask & LLI_JSON_IS_NUMBER ? mask | LLI_JSON_IS_INTEGER : mask;
    }
    mask = type ? read_types(s, type) : about(s, schema);
    return mask ? mask : LLI_JSON_IS_ANY;
}

static int is_required(const struct lli_schema *s, uint32_t schema, const struct lli_json_value *name)
{
    uint32_t list = lli_json_find(&s->json, schema, "required", 8);
    for (uint32_t i = list + 1; list != 0 && i < lli_goal_value(s, list)->end; i = lli_json_next(&s->json, i))
        if (lli_goal_value(s, i)->kind == LLI_JSON_TEXT && is_same_text(lli_goal_value(s, i), name))
            return 1;
    return 0;
}

/* Both have a member of one name whose values differ. */
static int has_tag(const struct lli_schema *s, uint32_t a, uint32_t b)
{
    uint32_t of_a = lli_json_find(&s->json, a, "properties", 10), of_b = lli_json_find(&s->json, b, "properties", 10);
    if (of_a == 0 || of_b == 0 || lli_goal_value(s, of_a)->kind != LLI_JSON_OBJECT)
        return 0;
    for (uint32_t i = of_a + 1; i < lli_goal_value(s, of_a)->end; i = lli_json_next(&s->json, i + 1)) {
        const struct lli_json_value *name = lli_goal_value(s, i);
        uint32_t other = lli_json_find(&s->json, of_b, name->text, name->n);
        if (other != 0 && is_required(s, a, name) && is_required(s, b, name) && all_differ(s, i + 1, other))
            return 1;
    }
    return 0;
}

int lli_goal_is_apart(struct lli_schema *s, uint32_t a, uint32_t b)
{
    a = follow(s, a);
    b = follow(s, b);
    uint32_t common = outer_types(s, a) & outer_types(s, b);
    return common == 0 || all_differ(s, a, b) || (common == LLI_JSON_IS_OBJECT && has_tag(s, a, b));
}
