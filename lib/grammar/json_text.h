/* grammar/json_text.h - parts for pieces of JSON text: strings of characters from a set, literals. */
#ifndef LLI_GRAMMAR_JSON_TEXT_H
#define LLI_GRAMMAR_JSON_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "base/json.h"
#include "file/gguf.h"
#include "grammar/parts.h"

/* Blanks that may stand between two pieces: one space, or a line end and up to 16. */
uint32_t lli_json_text_space(struct lli_parts *parts, uint32_t parent);

/* One character of a string, as it stands there: of the ranges, or of all others if so. What must be escaped is. */
uint32_t lli_json_text_character(struct lli_parts *parts, uint32_t parent, const struct lli_range *ranges, size_t n,
                                 int is_negated);

/* The same for any character, with every escape. */
uint32_t lli_json_text_any_character(struct lli_parts *parts, uint32_t parent);

/* One of n texts, which are put in order; equal beginnings are written once. */
void lli_json_text_choice(struct lli_parts *parts, uint32_t parent, struct lli_text *texts, size_t n);

/* A string without quotes and escapes that is none of n texts. */
void lli_json_text_other(struct lli_parts *parts, uint32_t parent, struct lli_text *texts, size_t n);

/* Appends text[0..n) as a JSON string with its quotes. 0, or -1 without memory. */
int lli_json_text_quote(struct lli_buffer *out, const char *text, size_t n);

/* Appends value i as JSON without blanks; numbers as they stand in the source. 0, or -1 without memory. */
int lli_json_text_value(struct lli_buffer *out, const struct lli_json *json, uint32_t i, const char *source, size_t n_source);

#endif
