/* grammar/json_goal.h - schemas that must all hold for one value, and what is found in them.
 *
 * A schema with $ref or allOf is several at once; a goal is their list, with the references followed. Each goal that is met is
 * one rule of the grammar, so that schemas that refer to themselves end. */
#ifndef LLI_GRAMMAR_JSON_GOAL_H
#define LLI_GRAMMAR_JSON_GOAL_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "grammar/parts.h"

enum { LLI_GOAL_MEMBERS = 12, LLI_GOAL_LIMIT = 100000 };

/* Kinds of values; a number may be an integer. */
enum {
    LLI_JSON_IS_NULL = 1,
    LLI_JSON_IS_BOOLEAN = 2,
    LLI_JSON_IS_STRING = 4,
    LLI_JSON_IS_INTEGER = 8,
    LLI_JSON_IS_NUMBER = 16,
    LLI_JSON_IS_ARRAY = 32,
    LLI_JSON_IS_OBJECT = 64,
    LLI_JSON_IS_ANY = 127
};

struct lli_goal {
    uint32_t members[LLI_GOAL_MEMBERS]; /* values of the JSON text; 0 is the whole, so each is one more; 0: no more */
    uint32_t chosen;                    /* bit i: an alternative of member i's anyOf or oneOf is a member too */
};

struct lli_schema {
    struct lli_parts *parts;
    struct lli_json json;
    const char *text;
    size_t n;
    struct lli_buffer goals;                            /* struct lli_goal each, in the order in which they were met */
    struct lli_buffer rules;                            /* uint32_t each */
    struct lli_arena arena;                             /* keys of known */
    struct lli_map known;                               /* goal -> its number */
    uint32_t string, character, space, integer, number; /* rules that are made when they are first needed; 0: not yet */
};

/* Fails with the name of a keyword and what is wrong with it. */
void lli_goal_fail(struct lli_schema *s, uint32_t value, const char *keyword, const char *what);

static inline int lli_goal_is_failed(const struct lli_schema *s)
{
    return s->parts->status != LLMINF_OK;
}

static inline const struct lli_json_value *lli_goal_value(const struct lli_schema *s, uint32_t i)
{
    return &s->json.values[i];
}

/* Adds a schema, with what it refers to and all that must hold with it. 0: nothing can be of it (a schema `false`). */
int lli_goal_add(struct lli_schema *s, struct lli_goal *goal, uint32_t value);

/* The rule of a goal. */
uint32_t lli_goal_rule(struct lli_schema *s, const struct lli_goal *goal);

/* Refuses keywords that are not known. */
void lli_goal_check(struct lli_schema *s, const struct lli_goal *goal);

/* The value of a keyword in the one member that has it, or 0; in `from` or behind it. */
uint32_t lli_goal_find(const struct lli_schema *s, const struct lli_goal *goal, const char *keyword, int from, int *member_out);

/* The same where no two members may have it. */
uint32_t lli_goal_only(struct lli_schema *s, const struct lli_goal *goal, const char *keyword);

/* LLI_JSON_IS_... that the goal allows, by `type` or by what its keywords are about. */
uint32_t lli_goal_types(struct lli_schema *s, const struct lli_goal *goal);

/* Of a value. */
uint32_t lli_goal_type_of(const struct lli_json_value *v);

/* Are two values certainly not equal? */
int lli_goal_differ(const struct lli_json_value *a, const struct lli_json_value *b);

/* Is no value of both of these schemas? */
int lli_goal_is_apart(struct lli_schema *s, uint32_t a, uint32_t b);

#endif
