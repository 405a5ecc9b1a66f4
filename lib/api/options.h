/* api/options.h - the options bag: one value for each row of its kind's schema. */
#ifndef LLI_API_OPTIONS_H
#define LLI_API_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

#include "llminf/llminf.h"

#include "api/check.h"
#include "api/schema.h"
#include "base/alloc.h"
#include "file/gguf.h"
#include "file/mapping.h"

struct lli_value {
    int64_t number;
    double real;
    char *text; /* NULL: the schema's default */
    size_t len;
    struct lli_text *items; /* LIST: texts of their own, NUL-terminated */
    size_t n_items;
};

struct lli_values {
    struct lli_heap *heap;
    const struct lli_schema_kind *kind;
    struct lli_value *at; /* [kind->n] */
};

struct llminf_options {
    struct lli_handle handle;
    struct lli_heap heap;
    struct lli_values values;
    llminf_alloc_fn alloc;
    llminf_release_fn release;
    void *alloc_user;
    struct lli_progress progress;
    struct llminf_model *draft; /* a reference; NULL: none */
};

/* A copy of what the bag holds, or of the defaults if the bag is NULL. OPTION for a bag of another kind, INVALID, BUSY,
 * MEMORY. */
llminf_status lli_values_copy(struct lli_values *out, struct lli_heap *heap, const char *kind, const llminf_options *bag,
                              llminf_error *err);
void lli_values_finish(struct lli_values *values); /* accepts a zeroed struct */

/* A reference on the bag's draft model, or NULL. BUSY. */
llminf_status lli_options_take_draft(struct llminf_model **out, const llminf_options *bag, llminf_error *err);

/* By key; the key is in the schema. */
const struct lli_value *lli_values_at(const struct lli_values *values, const char *key);
int64_t lli_values_int(const struct lli_values *values, const char *key);
double lli_values_float(const struct lli_values *values, const char *key);
const char *lli_values_text(const struct lli_values *values, const char *key);

/* Overwrites an int by the value in force. */
void lli_values_put_int(struct lli_values *values, const char *key, int64_t number);
/* Overwrites a text by a static one: copied; 0 or MEMORY. */
llminf_status lli_values_put_text(struct lli_values *values, const char *key, const char *text, size_t n, llminf_error *err);

#endif
