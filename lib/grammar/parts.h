/* grammar/parts.h - a grammar as a tree of parts for each rule: what GBNF and JSON schemas are read into.
 *
 * Part 0 stands for none. Building fails stickily: after the first failure all adds give 0, and `status` says why. */
#ifndef LLI_GRAMMAR_PARTS_H
#define LLI_GRAMMAR_PARTS_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/map.h"
#include "grammar/classes.h"
#include "llminf/status.h"

#define LLI_REPEAT_FOREVER UINT32_MAX

enum lli_part_kind {
    LLI_PART_BYTES,    /* a: offset in bytes, b: how many */
    LLI_PART_CLASS,    /* a: class */
    LLI_PART_RULE,     /* a: rule, b: the part that named it before, or 0 */
    LLI_PART_SEQUENCE, /* of its children; empty: of nothing */
    LLI_PART_CHOICE,   /* one of its children */
    LLI_PART_REPEAT    /* its child a to b times */
};

struct lli_part {
    uint32_t kind, a, b;
    uint32_t parent, first, last, next; /* children from first to last, linked by next */
    uint32_t rule;                      /* of the root of a rule: that, + 1 */
};

struct lli_rule {
    uint32_t root;  /* 0: not defined */
    uint32_t named; /* the part that named it last; linked by b */
    uint32_t name_at, name_len;
    uint32_t at; /* byte of the source where it was first named */
    int is_kept; /* not to be written out where it is named */
};

struct lli_parts {
    struct lli_heap *heap;
    struct llminf_error *err;
    int32_t status;
    struct lli_buffer list;  /* struct lli_part each */
    struct lli_buffer rules; /* struct lli_rule each */
    struct lli_buffer bytes; /* of BYTES and names */
    struct lli_arena names;  /* keys of by_name */
    struct lli_map by_name;
    struct lli_classes classes;
};

int32_t lli_parts_init(struct lli_parts *parts, struct lli_heap *heap, struct llminf_error *err);
void lli_parts_finish(struct lli_parts *parts); /* accepts a zeroed struct */

/* The last child of `parent`, or a part of its own where that is 0. */
uint32_t lli_parts_add(struct lli_parts *parts, uint32_t parent, uint32_t kind, uint32_t a, uint32_t b);
uint32_t lli_parts_bytes(struct lli_parts *parts, uint32_t parent, const void *bytes, size_t n);
uint32_t lli_parts_class(struct lli_parts *parts, uint32_t parent, struct lli_range *ranges, size_t n, int is_negated);
uint32_t lli_parts_name(struct lli_parts *parts, uint32_t parent, uint32_t rule);

/* Puts a REPEAT in the place of the last child of `parent`, which becomes its child. */
uint32_t lli_parts_repeat_last(struct lli_parts *parts, uint32_t parent, uint32_t min, uint32_t max);

/* The rule of that name, made where it is not there; UINT32_MAX after a failure. */
uint32_t lli_parts_rule(struct lli_parts *parts, const char *name, size_t n, uint32_t at);
/* A rule of no name. */
uint32_t lli_parts_new_rule(struct lli_parts *parts);
void lli_parts_define(struct lli_parts *parts, uint32_t rule, uint32_t root);

/* Makes a failure of it, where there is none yet. */
void lli_parts_fail(struct lli_parts *parts, int32_t status, int64_t at, const char *text);

static inline struct lli_part *lli_parts_at(const struct lli_parts *parts, uint32_t i)
{
    return (struct lli_part *)(void *)parts->list.bytes + i;
}

static inline struct lli_rule *lli_parts_rule_at(const struct lli_parts *parts, uint32_t i)
{
    return (struct lli_rule *)(void *)parts->rules.bytes + i;
}

static inline uint32_t lli_parts_count(const struct lli_parts *parts)
{
    return (uint32_t)(parts->list.len / sizeof(struct lli_part));
}

static inline uint32_t lli_parts_n_rules(const struct lli_parts *parts)
{
    return (uint32_t)(parts->rules.len / sizeof(struct lli_rule));
}

#endif
