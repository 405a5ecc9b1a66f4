/* api/schema.h - every option and every value that can be asked by key, a row each. The rows are the truth: setters check
 * against them, and the JSON that hosts read is made from the same words by the preprocessor. */
#ifndef LLI_API_SCHEMA_H
#define LLI_API_SCHEMA_H

#include <stddef.h>
#include <stdint.h>

enum lli_schema_type { LLI_SCHEMA_INT, LLI_SCHEMA_BOOL, LLI_SCHEMA_FLOAT, LLI_SCHEMA_TEXT, LLI_SCHEMA_LIST, LLI_SCHEMA_VALUE };
enum lli_schema_unit { LLI_UNIT_NONE, LLI_UNIT_BYTES, LLI_UNIT_NS };

struct lli_schema_row {
    const char *key;
    int type, unit;
    int64_t int_default, int_min, int_max; /* INT and BOOL; TEXT and LIST: int_max is the bytes of a text or an item */
    int zero_too;                          /* INT: 0 is allowed below int_min */
    double float_default, float_min, float_max;
    int above; /* FLOAT: float_min itself is not allowed */
    const char *text_default;
    const char *values; /* TEXT: the allowed ones as a JSON list, "" for any */
    const char *json;
};

struct lli_schema_kind {
    const char *name;
    const struct lli_schema_row *rows;
    size_t n;
    int is_bag; /* a kind of options, not of values */
};

const struct lli_schema_kind *lli_schema_kind_find(const char *name);                              /* NULL: unknown */
const struct lli_schema_row *lli_schema_find(const struct lli_schema_kind *kind, const char *key); /* NULL: unknown */

/* text[0..n) in any case, as one of the row's values spells it; itself where there are none to keep to. NULL: none of them. */
const char *lli_schema_spelt(const struct lli_schema_row *row, const char *text, size_t n);

#endif
