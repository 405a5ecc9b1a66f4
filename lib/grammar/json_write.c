/* grammar/json_write.c - what the writers of several kinds of values need. */
#include "grammar/json_write.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "grammar/json_text.h"

uint32_t lli_write_add(struct lli_schema *s, uint32_t parent, uint32_t kind)
{
    return lli_parts_add(s->parts, parent, kind, 0, 0);
}

void lli_write_text(struct lli_schema *s, uint32_t parent, const char *text)
{
    lli_parts_bytes(s->parts, parent, text, strlen(text));
}

void lli_write_space(struct lli_schema *s, uint32_t parent)
{
    if (s->space == 0 && !lli_goal_is_failed(s)) {
        s->space = lli_parts_new_rule(s->parts);
        lli_parts_define(s->parts, s->space, lli_json_text_space(s->parts, 0));
    }
    if (!lli_goal_is_failed(s))
        lli_parts_name(s->parts, parent, s->space);
}

/* A reference to the rule of one schema, or nothing where nothing can be of it. */
void lli_write_schema(struct lli_schema *s, uint32_t parent, uint32_t value)
{
    struct lli_goal goal = {0};
    if (!lli_goal_add(s, &goal, value))
        lli_write_add(s, parent, LLI_PART_CHOICE);
    else if (!lli_goal_is_failed(s))
        lli_parts_name(s->parts, parent, lli_goal_rule(s, &goal));
}

void lli_write_any(struct lli_schema *s, uint32_t parent)
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
uint32_t lli_write_count(struct lli_schema *s, const struct lli_goal *goal, const char *keyword, uint32_t otherwise)
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
void lli_write_check_counts(struct lli_schema *s, uint32_t min, uint32_t max, const char *what)
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

void lli_write_comma(struct lli_schema *s, uint32_t parent)
{
    lli_write_text(s, parent, ",");
    lli_write_space(s, parent);
}
