/* text/template_value.h - the values of a running template: Python's, as far as templates can tell.
 *
 * All memory is the run's arena, released at once at its end. A text is a view: a slice shares the bytes of what it was cut
 * from. Each byte of a text has an origin: `marks` says it byte by byte (1: the template's own), without marks the value's
 * flag LLI_OURS says it for all. Numbers and containers have the flag alone; what is computed has it if all operands do. */
#ifndef LLI_TEXT_TEMPLATE_VALUE_H
#define LLI_TEXT_TEMPLATE_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "file/gguf.h"

struct lli_tpl_run;
struct lli_tpl_function;

enum lli_var_kind {
    LLI_VAR_ABSENT,    /* no value: an argument that was not given, a variable not looked up */
    LLI_VAR_UNDEFINED, /* text: the name that was asked for */
    LLI_VAR_NONE,
    LLI_VAR_BOOL, /* number */
    LLI_VAR_INT,
    LLI_VAR_BIG, /* text: the digits of an integer over 64 bits; can be printed, not computed with */
    LLI_VAR_REAL,
    LLI_VAR_TEXT,
    LLI_VAR_LIST,
    LLI_VAR_TUPLE,
    LLI_VAR_VIEW,     /* of a mapping: its keys, values or items, as a list; number of `view` */
    LLI_VAR_ITERATOR, /* a list that can be walked once, and has no length */
    LLI_VAR_RANGE,
    LLI_VAR_DICT,
    LLI_VAR_NAMESPACE, /* dict */
    LLI_VAR_LOOP,
    LLI_VAR_MACRO,
    LLI_VAR_FUNCTION, /* a global */
    LLI_VAR_METHOD,   /* of a value */
    LLI_VAR_CYCLER,   /* list and a position */
    LLI_VAR_JOINER
};

enum { LLI_OURS = 1, LLI_MARKUP = 2 };

struct lli_var {
    uint8_t kind, flags;
    uint8_t view; /* VIEW: 0 keys, 1 values, 2 items; TUPLE: 1 a group of groupby */
    uint32_t len; /* TEXT, BIG, UNDEFINED: bytes */
    union {
        int64_t number;
        double real;
        const char *text;
        struct lli_var_list *list;
        struct lli_var_range *range;
        struct lli_var_dict *dict;
        struct lli_tpl_loop *loop;
        struct lli_tpl_macro *macro;
        const struct lli_tpl_function *function;
        struct lli_tpl_bound *bound;
    };
    const uint8_t *marks; /* TEXT: or NULL */
};

struct lli_var_list {
    struct lli_var *items;
    uint32_t n, cap;
    uint32_t start; /* ITERATOR: items before it are gone; CYCLER: its position */
};

struct lli_var_range {
    int64_t start, step, n;
};

struct lli_var_entry {
    struct lli_var key, value;
};

/* In the order in which keys came. More than a few are found by a hash. */
struct lli_var_dict {
    struct lli_var_entry *entries;
    uint32_t n, cap;
    uint32_t *slots; /* [n_slots] index + 1 of an entry, 0 free; NULL: few entries, looked at one by one */
    uint32_t n_slots;
};

struct lli_tpl_bound {
    struct lli_var of;
    const struct lli_tpl_function *method;
};

/* ---- making */

struct lli_var lli_var_undefined(struct lli_text name);
struct lli_var lli_var_int(int64_t number);
struct lli_var lli_var_bool(int truth);
struct lli_var lli_var_real(double real);
struct lli_var lli_var_ours(const char *text); /* a text of the interpreter's own */
struct lli_var lli_var_text(struct lli_text text, int flags);

/* Part of a text, in bytes. */
struct lli_var lli_var_part(const struct lli_var *text, size_t from, size_t n);

int32_t lli_var_list_new(struct lli_var *out, struct lli_tpl_run *r, int kind, size_t n); /* room for n */
int32_t lli_var_list_add(struct lli_tpl_run *r, struct lli_var_list *list, const struct lli_var *item);
int32_t lli_var_dict_new(struct lli_var *out, struct lli_tpl_run *r, int kind);

/* Replaces the value of a key, or adds one. TEMPLATE for what is no key (containers). */
int32_t lli_var_dict_put(struct lli_tpl_run *r, struct lli_var_dict *d, const struct lli_var *key, const struct lli_var *value);

/* NULL: not there, or not a key. */
struct lli_var *lli_var_dict_find(const struct lli_var_dict *d, const struct lli_var *key);
struct lli_var *lli_var_dict_named(const struct lli_var_dict *d, struct lli_text name);

/* ---- asking */

int lli_var_truth(const struct lli_var *v);
int lli_var_is_number(const struct lli_var *v); /* bool, int, big, real */
int lli_var_is_list(const struct lli_var *v);   /* list, tuple, view, iterator */
static inline int lli_var_is_text(const struct lli_var *v)
{
    return v->kind == LLI_VAR_TEXT;
}
/* An argument that is there, and not None. */
static inline int lli_var_is_given(const struct lli_var *arg)
{
    return arg->kind != LLI_VAR_ABSENT && arg->kind != LLI_VAR_NONE;
}
static inline struct lli_text lli_var_bytes(const struct lli_var *v)
{
    return (struct lli_text){v->text, v->len};
}
int lli_var_is(const struct lli_var *text, const char *word);
double lli_var_as_real(const struct lli_var *v);   /* of a number */
const char *lli_var_type(const struct lli_var *v); /* as Python names it */

/* Characters of a text; and the byte where character number i begins. */
size_t lli_var_count(const struct lli_var *text);
size_t lli_var_offset(const struct lli_var *text, size_t i);

/* The origin of byte i. */
static inline uint8_t lli_var_mark(const struct lli_var *text, size_t i)
{
    return text->marks ? text->marks[i] : (text->flags & LLI_OURS) != 0;
}

/* Python's == and <: order < 0, 0, > 0. LIMIT when nested too deep, TEMPLATE where there is no order. */
int32_t lli_var_equal(int *out, struct lli_tpl_run *r, const struct lli_var *a, const struct lli_var *b);
int32_t lli_var_order(int *out, struct lli_tpl_run *r, const struct lli_var *a, const struct lli_var *b);

/* len(): TEMPLATE for what has none. */
int32_t lli_var_length(int64_t *out, struct lli_tpl_run *r, const struct lli_var *v);

/* What iterating gives, as a list that must not be changed: of a text its characters, of a mapping its keys. An iterator is
 * used up. TEMPLATE for what cannot be iterated. */
int32_t lli_var_iterate(struct lli_var_list **out, struct lli_tpl_run *r, struct lli_var *v);

/* x in y. */
int32_t lli_var_contains(int *out, struct lli_tpl_run *r, const struct lli_var *item, const struct lli_var *in);

#endif
