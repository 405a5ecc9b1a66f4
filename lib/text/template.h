/* text/template.h - chat templates: a bounded interpreter of the part of Jinja that they use, with the results of Python's
 * Jinja2 in its sandbox (trim_blocks, lstrip_blocks, loop controls, tojson without ASCII escapes).
 *
 * A template is compiled into a flat tree and run against the members of a JSON object. Nothing recurses; a run ends at its
 * limits of steps, output, memory and depth. Each byte of output is marked: the template's own, or from the caller's
 * values.
 *
 * Inside the family of files template_*.[ch] names begin with lli_tpl_. */
#ifndef LLI_TEXT_TEMPLATE_H
#define LLI_TEXT_TEMPLATE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/json.h"
#include "file/gguf.h"

struct llminf_error;
struct lli_template; /* compiled; immutable, shared by threads */

/* TEMPLATE with the position for what is no template, LIMIT over LLI_MAX_TEMPLATE_*, INVALID for what is no UTF-8. */
int32_t lli_template_new(struct lli_template **out, struct lli_heap *heap, const char *source, size_t n,
                         struct llminf_error *err);
void lli_template_free(struct lli_template *t); /* NULL does nothing */

/* A text variable whose value counts as the template's own; a variable of the caller with the same name and value does too. */
struct lli_template_constant {
    const char *name;
    struct lli_text text;
};

struct lli_template_input {
    const struct lli_json *json; /* an object; its members are the variables */
    const char *hidden;          /* a member that is none of them; NULL: none */
    const struct lli_template_constant *constants;
    size_t n_constants;
    const char *now; /* "YYYY-MM-DD HH:MM:SS", what strftime_now sees; NULL: there is no such function */
    int64_t limit_steps, limit_bytes;
};

struct lli_template_output {
    struct lli_buffer text;  /* UTF-8 */
    struct lli_buffer marks; /* a byte each: 1 for the template's own, 0 for the caller's */
};

/* TEMPLATE for an error of the template or one that it raises, LIMIT, FORMAT (now), MEMORY; out is empty then. */
int32_t lli_template_run(struct lli_template_output *out, struct lli_heap *heap, const struct lli_template *t,
                         const struct lli_template_input *in, struct llminf_error *err);
void lli_template_output_finish(struct lli_template_output *out); /* accepts a zeroed struct */

#endif
