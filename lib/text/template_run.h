/* text/template_run.h - what a run consists of: stacks, scopes, output, limits; and what functions of the template see of
 * it. */
#ifndef LLI_TEXT_TEMPLATE_RUN_H
#define LLI_TEXT_TEMPLATE_RUN_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/limits.h"
#include "text/template.h"
#include "text/template_tree.h"
#include "text/template_value.h"

struct lli_tpl_binding {
    struct lli_tpl_binding *next;
    uint32_t name;
    struct lli_var value;
};

struct lli_tpl_scope {
    struct lli_tpl_scope *outer;
    struct lli_tpl_binding *first;
};

/* A node at work. Its steps and what it keeps between them are its evaluator's. */
struct lli_tpl_frame {
    uint8_t kind; /* enum lli_tpl_kind, or enum lli_tpl_work */
    uint8_t flag;
    uint16_t step;
    uint32_t node, child;
    uint32_t n_values;           /* of the stack when it began */
    struct lli_tpl_scope *scope; /* that was in force before it */
    size_t capture;              /* where its output begins, if it captures */
    void *data;
};

/* Kinds of frames that are no nodes. */
enum lli_tpl_work { LLI_TPL_MACRO_RUN = LLI_TPL_N_KINDS, LLI_TPL_LOOP_RUN, LLI_TPL_N_WORKS };

struct lli_tpl_macro {
    uint32_t node; /* MACRO */
    struct lli_tpl_scope *scope;
};

enum { LLI_JUMP_NONE, LLI_JUMP_CONTINUE, LLI_JUMP_BREAK };

struct lli_tpl_loop {
    uint32_t node; /* FOR */
    struct lli_var_list *items;
    uint32_t i, depth;
    uint32_t n_whole; /* items whose body was not left by a jump; the else is for none, as in Jinja2 */
    uint8_t jump;     /* by which this one's was */
    struct lli_tpl_scope *scope; /* around the loop */
    struct lli_var changed;      /* what loop.changed saw last; ABSENT: nothing */
};

/* A container that is being walked through, or two side by side. */
struct lli_tpl_walk {
    const struct lli_var *a, *b; /* items */
    const struct lli_var_dict *da, *db;
    uint32_t i, n;
    uint8_t how, ours;
};

struct lli_tpl_run {
    const struct lli_template *t;
    const struct lli_template_input *in;
    struct lli_heap *heap;
    struct lli_arena arena;
    size_t arena_left; /* bytes that may still be taken */
    int64_t steps_left;
    struct lli_template_output *out; /* the output, and behind it what is being captured */
    struct lli_tpl_frame *frames;
    struct lli_var *values;
    uint32_t n_frames, n_values;
    struct lli_tpl_scope *scope;
    struct lli_var *globals;      /* [names of t] */
    struct lli_var captured;      /* what a block has just captured */
    struct lli_tpl_walk *compare; /* [LLI_MAX_TEMPLATE_DEPTH] containers that are being compared, and printed; NULL: none yet */
    struct lli_tpl_walk *print;
    struct lli_tpl_arguments *arguments; /* of the call that is being made */
    uint32_t at;                         /* byte of the source of the node at work */
    struct llminf_error *err;
};

#define LLI_TPL_VALUES (4u * LLI_MAX_TEMPLATE_FRAMES)

/* ---- limits and failures */

int32_t lli_tpl_fail(const struct lli_tpl_run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
int32_t lli_tpl_limit(const struct lli_tpl_run *r, const char *format, ...) __attribute__((format(printf, 2, 3)));
int32_t lli_tpl_undefined(const struct lli_tpl_run *r, const struct lli_var *v); /* TEMPLATE: it is undefined */
int32_t lli_tpl_charge(struct lli_tpl_run *r, size_t n_steps);
int32_t lli_tpl_charge_bytes(struct lli_tpl_run *r, size_t n_bytes);           /* that are looked at or copied */
int32_t lli_tpl_take(void *out, struct lli_tpl_run *r, size_t n, size_t each); /* out: a pointer's place; zeroed */
int32_t lli_tpl_walk_new(struct lli_tpl_walk **walk, struct lli_tpl_run *r);   /* *walk: r->compare or r->print */

/* ---- output; also where texts are built: note the length, put, cut what came behind it */

static inline size_t lli_tpl_mark(const struct lli_tpl_run *r)
{
    return r->out->text.len;
}
int32_t lli_tpl_put(struct lli_tpl_run *r, const char *bytes, size_t n, int ours);
int32_t lli_tpl_put_text(struct lli_tpl_run *r, const struct lli_var *text);
int32_t lli_tpl_put_code(struct lli_tpl_run *r, uint32_t code, int ours);
void lli_tpl_drop(struct lli_tpl_run *r, size_t from);
int32_t lli_tpl_cut(struct lli_var *out, struct lli_tpl_run *r, size_t from); /* as a text; the output is as before */

/* str(), repr() and json.dumps() of a value, into the output; template_print.c. */
struct lli_tpl_json_style {
    int indent; /* -1: one line */
    int sort_keys, ascii;
    struct lli_var comma, colon; /* texts */
};
int32_t lli_tpl_put_str(struct lli_tpl_run *r, const struct lli_var *v);
int32_t lli_tpl_put_repr(struct lli_tpl_run *r, const struct lli_var *v);
int32_t lli_tpl_put_json(struct lli_tpl_run *r, const struct lli_var *v, const struct lli_tpl_json_style *style);
int32_t lli_tpl_str(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *v);
size_t lli_tpl_format_real(char out[40], double real); /* as Python's repr */

/* ---- arguments */

struct lli_tpl_args {
    const struct lli_var *at; /* in their order */
    uint32_t n, n_named;
    const struct lli_text *names; /* [n_named] */
    const struct lli_var *named;
};

#define LLI_TPL_PARAMS 6

/* Puts arguments into places by a list of names with blanks between, ABSENT where none was given. TEMPLATE for one too
 * many, one twice, an unknown name, or one that is missing of the first `n_needed`. */
int32_t lli_tpl_bind(struct lli_var out[LLI_TPL_PARAMS], struct lli_tpl_run *r, const char *what, const char *params,
                     uint32_t n_needed, const struct lli_tpl_args *args);

/* An integer argument, `otherwise` if it is ABSENT. TEMPLATE for another type. */
int32_t lli_tpl_int_arg(int64_t *out, struct lli_tpl_run *r, const struct lli_var *arg, int64_t otherwise);

/* A filter, a test (whose out is a bool), a method or a global. params NULL: it takes `args` as they are, else `arg` is
 * bound. */
struct lli_tpl_call {
    struct lli_var *in; /* what a filter or test is applied to, a method's object; NULL for a global */
    const struct lli_tpl_args *args;
    const struct lli_var *arg; /* [LLI_TPL_PARAMS] */
};
typedef int32_t lli_tpl_fn(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call);

struct lli_tpl_function {
    const char *name, *params;
    uint32_t n_needed;
    lli_tpl_fn *fn;
};

/* NULL: unknown. */
const struct lli_tpl_function *lli_tpl_filter_find(struct lli_text name);
const struct lli_tpl_function *lli_tpl_test_find(struct lli_text name);
const struct lli_tpl_function *lli_tpl_global_find(struct lli_text name);
const struct lli_tpl_function *lli_tpl_method_find(const struct lli_var *of, struct lli_text name);

int32_t lli_tpl_invoke(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_function *f, struct lli_var *in,
                       const struct lli_tpl_args *args);

/* By name, as map and select do. */
int32_t lli_tpl_apply(struct lli_var *out, struct lli_tpl_run *r, int is_test, struct lli_text name, struct lli_var *in,
                      const struct lli_tpl_args *args);

/* Rows of tables, for lli_tpl_*_find; the last has no name. */
extern const struct lli_tpl_function lli_tpl_text_filters[], lli_tpl_list_filters[], lli_tpl_value_filters[];
extern const struct lli_tpl_function lli_tpl_text_methods[];

/* ---- parts of values; template_access.c */

int32_t lli_tpl_attribute(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *of, struct lli_text name);
int32_t lli_tpl_item(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *of, const struct lli_var *key);
int32_t lli_tpl_slice(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *of, const struct lli_var bounds[3]);

/* ---- operators; template_arith.c */

int32_t lli_tpl_unary(struct lli_var *out, struct lli_tpl_run *r, int op, const struct lli_var *a);
int32_t lli_tpl_binary(struct lli_var *out, struct lli_tpl_run *r, int op, const struct lli_var *a, const struct lli_var *b);
int32_t lli_tpl_compare(int *out, struct lli_tpl_run *r, int op, const struct lli_var *a, const struct lli_var *b);
int32_t lli_tpl_format_text(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *format,
                            const struct lli_var *args);
int32_t lli_tpl_round(double *out, struct lli_tpl_run *r, double x, int64_t places);

/* strftime of `now`; template_time.c. */
int32_t lli_tpl_strftime(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *format);
int lli_tpl_time_valid(const char *now);

/* ---- the machine; template_run.c */

int32_t lli_tpl_push(struct lli_tpl_run *r, int kind, uint32_t node);
void lli_tpl_pop(struct lli_tpl_run *r); /* the frame; its scope is left, values it pushed stay */
int32_t lli_tpl_push_value(struct lli_tpl_run *r, const struct lli_var *v);
int32_t lli_tpl_lookup(struct lli_var *out, struct lli_tpl_run *r, uint32_t name);
int32_t lli_tpl_assign(struct lli_tpl_run *r, uint32_t target, const struct lli_var *value);
int32_t lli_tpl_bind_name(struct lli_tpl_run *r, uint32_t name, const struct lli_var *value);
int32_t lli_tpl_enter_scope(struct lli_tpl_run *r, struct lli_tpl_scope *outer);
int32_t lli_tpl_start_macro(struct lli_tpl_run *r, const struct lli_tpl_macro *macro, const struct lli_tpl_args *args);
int32_t lli_tpl_start_loop(struct lli_tpl_run *r, const struct lli_tpl_loop *outer, struct lli_var *sequence);
int32_t lli_tpl_from_json(struct lli_var *out, struct lli_tpl_run *r, uint32_t value);

typedef int32_t lli_tpl_step_fn(struct lli_tpl_run *r, struct lli_tpl_frame *f, const struct lli_tpl_node *n);
lli_tpl_step_fn lli_tpl_step_list, lli_tpl_step_dict, lli_tpl_step_const, lli_tpl_step_name, lli_tpl_step_captured,
    lli_tpl_step_not, lli_tpl_step_unary, lli_tpl_step_binary, lli_tpl_step_logic, lli_tpl_step_cond, lli_tpl_step_compare,
    lli_tpl_step_concat, lli_tpl_step_attr, lli_tpl_step_item, lli_tpl_step_call, lli_tpl_step_filter, lli_tpl_step_caller;

#endif
