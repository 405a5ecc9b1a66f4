/* grammar/parts.c - parts only grow, so that a part's number is greater than its parent's but where a repeat was put
 * between. */
#include "grammar/parts.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"

static void no_memory(struct lli_parts *parts, size_t bytes)
{
    if (parts->status == LLMINF_OK)
        parts->status = lli_fail_memory(parts->err, "grammar", bytes);
}

void lli_parts_fail(struct lli_parts *parts, int32_t status, int64_t at, const char *text)
{
    if (parts->status == LLMINF_OK)
        parts->status = lli_fail_at(parts->err, status, at, "grammar", "%s", text);
}

int32_t lli_parts_init(struct lli_parts *parts, struct lli_heap *heap, struct llminf_error *err)
{
    static const struct lli_part none;
    *parts = (struct lli_parts){.heap = heap, .err = err};
    lli_buffer_init(&parts->list, heap);
    lli_buffer_init(&parts->rules, heap);
    lli_buffer_init(&parts->bytes, heap);
    lli_arena_init(&parts->names, heap, 1024);
    if (lli_classes_init(&parts->classes, heap) || lli_map_init(&parts->by_name, heap, 16) ||
        lli_buffer_append(&parts->list, &none, sizeof none))
        no_memory(parts, sizeof none);
    return parts->status;
}

void lli_parts_finish(struct lli_parts *parts)
{
    if (parts->heap) {
        lli_buffer_finish(&parts->list);
        lli_buffer_finish(&parts->rules);
        lli_buffer_finish(&parts->bytes);
        lli_map_finish(&parts->by_name);
        lli_arena_finish(&parts->names);
        lli_classes_finish(&parts->classes);
    }
    *parts = (struct lli_parts){0};
}

static void attach(struct lli_parts *parts, uint32_t parent, uint32_t child)
{
    struct lli_part *p = lli_parts_at(parts, parent);
    lli_parts_at(parts, child)->parent = parent;
    if (parent == 0)
        return;
    if (p->first == 0)
        p->first = child;
    else
        lli_parts_at(parts, p->last)->next = child;
    p->last = child;
}

uint32_t lli_parts_add(struct lli_parts *parts, uint32_t parent, uint32_t kind, uint32_t a, uint32_t b)
{
    struct lli_part part = {.kind = kind, .a = a, .b = b};
    uint32_t id = lli_parts_count(parts);
    if (parts->status != LLMINF_OK)
        return 0;
    if (id >= LLI_MAX_GRAMMAR_PARTS)
        parts->status = lli_fail(parts->err, LLMINF_E_LIMIT, "grammar", "has more than %u parts", LLI_MAX_GRAMMAR_PARTS);
    else if (lli_buffer_append(&parts->list, &part, sizeof part))
        no_memory(parts, parts->list.len + sizeof part);
    if (parts->status != LLMINF_OK)
        return 0;
    attach(parts, parent, id);
    return id;
}

uint32_t lli_parts_bytes(struct lli_parts *parts, uint32_t parent, const void *bytes, size_t n)
{
    uint32_t at = (uint32_t)parts->bytes.len;
    if (parts->status != LLMINF_OK)
        return 0;
    if (lli_buffer_append(&parts->bytes, bytes, n)) {
        no_memory(parts, parts->bytes.len + n);
        return 0;
    }
    return lli_parts_add(parts, parent, n > 0 ? LLI_PART_BYTES : LLI_PART_SEQUENCE, at, (uint32_t)n);
}

uint32_t lli_parts_class(struct lli_parts *parts, uint32_t parent, struct lli_range *ranges, size_t n, int is_negated)
{
    uint32_t class = 0;
    if (parts->status == LLMINF_OK)
        parts->status = lli_classes_add(&class, &parts->classes, ranges, n, is_negated, parts->err);
    return lli_parts_add(parts, parent, LLI_PART_CLASS, class, 0);
}

uint32_t lli_parts_name(struct lli_parts *parts, uint32_t parent, uint32_t rule)
{
    if (parts->status != LLMINF_OK)
        return 0;
    uint32_t id = lli_parts_add(parts, parent, LLI_PART_RULE, rule, lli_parts_rule_at(parts, rule)->named);
    if (id != 0)
        lli_parts_rule_at(parts, rule)->named = id;
    return id;
}

uint32_t lli_parts_repeat_last(struct lli_parts *parts, uint32_t parent, uint32_t min, uint32_t max)
{
    uint32_t child = parts->status == LLMINF_OK ? lli_parts_at(parts, parent)->last : 0;
    uint32_t id = lli_parts_add(parts, 0, LLI_PART_REPEAT, min, max);
    if (id == 0)
        return 0;
    struct lli_part *p = lli_parts_at(parts, parent);
    /* They change places, so that the child's links need no change. */
    struct lli_part moved = *lli_parts_at(parts, child), *repeat = lli_parts_at(parts, child), *body = lli_parts_at(parts, id);
    *repeat = (struct lli_part){.kind = LLI_PART_REPEAT, .a = min, .b = max, .parent = parent, .first = id, .last = id};
    *body = moved;
    body->parent = child;
    body->next = 0;
    for (uint32_t i = body->first; i != 0; i = lli_parts_at(parts, i)->next)
        lli_parts_at(parts, i)->parent = id;
    if (body->kind == LLI_PART_RULE) { /* the list of those that name the rule goes through this one */
        struct lli_rule *rule = lli_parts_rule_at(parts, body->a);
        rule->named = rule->named == child ? id : rule->named;
    }
    p->last = child;
    return child;
}

static uint32_t add_rule(struct lli_parts *parts, const struct lli_rule *rule)
{
    uint32_t id = lli_parts_n_rules(parts);
    if (parts->status != LLMINF_OK)
        return UINT32_MAX;
    if (id >= LLI_MAX_GRAMMAR_RULES)
        parts->status = lli_fail(parts->err, LLMINF_E_LIMIT, "grammar", "has more than %u rules", LLI_MAX_GRAMMAR_RULES);
    else if (lli_buffer_append(&parts->rules, rule, sizeof *rule))
        no_memory(parts, parts->rules.len + sizeof *rule);
    return parts->status == LLMINF_OK ? id : UINT32_MAX;
}

uint32_t lli_parts_new_rule(struct lli_parts *parts)
{
    return add_rule(parts, &(struct lli_rule){.is_kept = 1});
}

uint32_t lli_parts_rule(struct lli_parts *parts, const char *name, size_t n, uint32_t at)
{
    struct lli_rule rule = {.name_at = (uint32_t)parts->bytes.len, .name_len = (uint32_t)n, .at = at};
    uint32_t id;
    if (parts->status != LLMINF_OK)
        return UINT32_MAX;
    if (lli_map_find(&parts->by_name, name, n, &id))
        return id;
    const char *key = lli_arena_text(&parts->names, name, n);
    if (!key || lli_buffer_append(&parts->bytes, name, n) || lli_map_put(&parts->by_name, key, n, lli_parts_n_rules(parts)) < 0)
        no_memory(parts, n);
    return add_rule(parts, &rule);
}

void lli_parts_define(struct lli_parts *parts, uint32_t rule, uint32_t root)
{
    if (parts->status != LLMINF_OK)
        return;
    lli_parts_rule_at(parts, rule)->root = root;
    lli_parts_at(parts, root)->rule = rule + 1;
}
