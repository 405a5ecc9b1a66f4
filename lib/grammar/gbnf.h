/* grammar/gbnf.h - reads GBNF, the notation of llama.cpp's grammars.
 *
 *     root ::= "[" ( item ( "," item )* )? "]"    # rules by name; the text is of `root`
 *     item ::= [0-9]+ | "\"" [^"\\]{0,8} "\""
 *
 * A rule ends with its line, but inside parentheses, and where the next line goes on with "|". */
#ifndef LLI_GRAMMAR_GBNF_H
#define LLI_GRAMMAR_GBNF_H

#include <stddef.h>
#include <stdint.h>

#include "grammar/parts.h"

/* Adds the rules of text[0..n); *root_out is the number of `root`. GRAMMAR or INVALID (not UTF-8) with the position, LIMIT,
 * MEMORY. */
int32_t lli_gbnf_read(uint32_t *root_out, struct lli_parts *parts, const char *text, size_t n);

#endif
