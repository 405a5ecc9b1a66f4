/* api/parse.h - option values as text: "2GiB", "50ms", "true", "0.7". */
#ifndef LLI_API_PARSE_H
#define LLI_API_PARSE_H

#include <stddef.h>
#include <stdint.h>

#include "api/schema.h"

/* 0, or -1: not understood or out of int64. The row's type and unit say which words are allowed. */
int lli_parse_int(int64_t *out, const char *text, size_t n, const struct lli_schema_row *row);
int lli_parse_float(double *out, const char *text, size_t n);

/* What the row wants, in words: "whole number of bytes (as 65536, 512MiB, 2GiB)". */
const char *lli_parse_wanted(const struct lli_schema_row *row);

#endif
