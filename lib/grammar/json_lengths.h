/* grammar/json_lengths.h - the texts of a pattern that have a number of characters between two bounds. */
#ifndef LLI_GRAMMAR_JSON_LENGTHS_H
#define LLI_GRAMMAR_JSON_LENGTHS_H

#include <stdint.h>

#include "grammar/parts.h"

/* root: of lli_json_pattern_tree, of parts from there on. min is at most LLI_MAX_GRAMMAR_REPEAT; max as well, or
 * LLI_REPEAT_FOREVER. GRAMMAR where the pattern repeats without bound what may be empty (at: for the error), LIMIT where it
 * takes too many rules. */
void lli_json_lengths(struct lli_parts *parts, uint32_t parent, uint32_t root, uint32_t min, uint32_t max, int64_t at);

#endif
