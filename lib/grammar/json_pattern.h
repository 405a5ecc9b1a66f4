/* grammar/json_pattern.h - regular expressions (of ECMA 262, as JSON schemas have them) over the characters of a JSON
 * string.
 *
 * Read are ^ and $ at the ends of the whole or of its alternatives, |, groups (also (?:...)), * + ? {m,n} (also lazy),
 * classes, ., \d \w \s \D \W \S, and escapes. All else is refused. \d, \w and \s are of ASCII, and so are what is in none of
 * them, so that readings of the pattern that differ there all hold. */
#ifndef LLI_GRAMMAR_JSON_PATTERN_H
#define LLI_GRAMMAR_JSON_PATTERN_H

#include <stddef.h>
#include <stdint.h>

#include "grammar/parts.h"

/* What stands between the quotes of a string that the pattern matches. GRAMMAR (at: for the error), LIMIT, MEMORY. */
int32_t lli_json_pattern(struct lli_parts *parts, uint32_t parent, const char *pattern, size_t n, int64_t at);

/* The same as a part of its own, each character of which is a rule. */
uint32_t lli_json_pattern_tree(struct lli_parts *parts, const char *pattern, size_t n, int64_t at);

/* The same for a member's name: what the pattern leaves open before and behind itself has no escapes, so that there is one way
 * to spell a name. */
int32_t lli_json_pattern_name(struct lli_parts *parts, uint32_t parent, const char *pattern, size_t n, int64_t at);

#endif
