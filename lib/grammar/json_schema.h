/* grammar/json_schema.h - reads a JSON schema: the grammar of JSON texts that are valid under it.
 *
 * The grammar may leave out texts that are valid, but what it lets through is valid: members come in the order of `properties`,
 * others only where `additionalProperties` says so, numbers have at most 16 digits. A keyword that would change the meaning
 * and is not known is refused by its name. docs/constraints.md has the list. */
#ifndef LLI_GRAMMAR_JSON_SCHEMA_H
#define LLI_GRAMMAR_JSON_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

#include "grammar/parts.h"

/* *root_out is the rule of the whole. GRAMMAR or FORMAT (no JSON) with the position, LIMIT, MEMORY. */
int32_t lli_json_schema_read(uint32_t *root_out, struct lli_parts *parts, const char *text, size_t n);

#endif
