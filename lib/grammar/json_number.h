/* grammar/json_number.h - parts for JSON numbers: in a range, or multiples. */
#ifndef LLI_GRAMMAR_JSON_NUMBER_H
#define LLI_GRAMMAR_JSON_NUMBER_H

#include <stdint.h>

#include "grammar/parts.h"

/* A bound of numbers, none or a whole one. */
struct lli_bound {
    int is_set, is_open; /* is_open: the bound itself is outside */
    int64_t at;
};

/* A whole number or any number between two bounds. Nothing can be of it where they leave nothing. */
void lli_json_number_integer(struct lli_parts *parts, uint32_t parent, struct lli_bound low, struct lli_bound high);
void lli_json_number_real(struct lli_parts *parts, uint32_t parent, struct lli_bound low, struct lli_bound high);

enum { LLI_NUMBER_ZERO = 1, LLI_NUMBER_NEGATIVE = 2 };

/* Positive multiples of n, and what the signs say. */
void lli_json_number_multiple(struct lli_parts *parts, uint32_t parent, uint32_t n, int signs);

#endif
