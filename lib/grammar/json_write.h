/* grammar/json_write.h - a goal as parts of a grammar: one writer for each kind of value, and what they share. Where a schema
 * cannot be written they fail as lli_goal_fail does, and go on to no effect. */
#ifndef LLI_GRAMMAR_JSON_WRITE_H
#define LLI_GRAMMAR_JSON_WRITE_H

#include "grammar/json_goal.h"

/* A part without numbers, and one of text, as the last child of `parent`. */
uint32_t lli_write_add(struct lli_schema *s, uint32_t parent, uint32_t kind);
void lli_write_text(struct lli_schema *s, uint32_t parent, const char *text);

/* Blanks that may stand there; a comma with blanks behind it. */
void lli_write_space(struct lli_schema *s, uint32_t parent);
void lli_write_comma(struct lli_schema *s, uint32_t parent);

/* A value of one schema, which nothing may be of; and any value. */
void lli_write_schema(struct lli_schema *s, uint32_t parent, uint32_t value);
void lli_write_any(struct lli_schema *s, uint32_t parent);

/* The tightest count ("min..." or "max...") of all members; `otherwise` where none has it. */
uint32_t lli_write_count(struct lli_schema *s, const struct lli_goal *goal, const char *keyword, uint32_t otherwise);

/* Fails where they go down, or are too far to be written out. */
void lli_write_check_counts(struct lli_schema *s, uint32_t min, uint32_t max, const char *what);

/* json_scalar.c, json_object.c: all values of a kind that a goal allows. */
void lli_write_string(struct lli_schema *s, const struct lli_goal *goal, uint32_t parent);
void lli_write_number(struct lli_schema *s, const struct lli_goal *goal, uint32_t parent, int of_integers);
void lli_write_object(struct lli_schema *s, const struct lli_goal *goal, uint32_t parent);

#endif
