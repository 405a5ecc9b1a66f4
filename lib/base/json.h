/* base/json.h - reads JSON (RFC 8259): a checked text becomes an array of values, in the order in which they stand.
 *
 *     {"a": [1, 2], "b": "c"}      0 OBJECT (n 2, end 7)   1 TEXT a   2 ARRAY (n 2, end 5)   3 INT 1   4 INT 2
 *                                  5 TEXT b   6 TEXT c
 *
 * The parts of an array or object lie behind it up to `end`; a member is its name, then its value. So a walk from the first
 * to the last value needs no recursion, and what stands behind a value is at its `end`. A name that stands twice is there
 * twice; lli_json_find gives the last, as Python's json does. */
#ifndef LLI_BASE_JSON_H
#define LLI_BASE_JSON_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

struct llminf_error;

enum lli_json_kind {
    LLI_JSON_NULL,
    LLI_JSON_FALSE,
    LLI_JSON_TRUE,
    LLI_JSON_INT,   /* an integer that fits: number */
    LLI_JSON_BIG,   /* an integer that does not: its digits are the text */
    LLI_JSON_FLOAT, /* real, finite */
    LLI_JSON_TEXT,  /* text: UTF-8, escapes resolved; may hold NULs */
    LLI_JSON_ARRAY,
    LLI_JSON_OBJECT
};

struct lli_json_value {
    uint32_t kind; /* enum lli_json_kind */
    uint32_t end;  /* index of what stands behind it */
    uint32_t n;    /* elements, members, or bytes of the text */
    uint32_t at;   /* byte of the source where it begins */
    union {
        int64_t number;
        double real;
        const char *text; /* ends in a NUL that n does not count */
    };
};

struct lli_json {
    struct lli_heap *heap;
    struct lli_json_value *values; /* [n]; the first is the whole */
    char *texts;                   /* all texts, one behind the other */
    uint32_t n;
};

/* Reads text[0..n), which may be freed then. FORMAT with the position for what is no JSON, no UTF-8 or half a surrogate
 * pair; LIMIT over the limits of base/limits.h (JSON). subject names the text in errors. */
int32_t lli_json_read(struct lli_json *out, struct lli_heap *heap, const char *text, size_t n, const char *subject,
                      struct llminf_error *err);
void lli_json_finish(struct lli_json *json); /* accepts a zeroed struct */

/* Index of the value of the last member of that name; 0: none, or no object. */
uint32_t lli_json_find(const struct lli_json *json, uint32_t object, const char *name, size_t n);

/* The part of an array or object that stands behind part `i`: its end. The first part of `of` is of + 1. */
static inline uint32_t lli_json_next(const struct lli_json *json, uint32_t i)
{
    return json->values[i].end;
}

#endif
