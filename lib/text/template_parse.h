/* text/template_parse.h - from tokens to the tree: Jinja2's grammar by descent, on a stack of its own.
 *
 * A rule is a function that is called again and again: its frame says at which step it is. It calls another rule by pushing
 * its frame and returning; it is done when it pops its own frame and leaves a node in `result`. */
#ifndef LLI_TEXT_TEMPLATE_PARSE_H
#define LLI_TEXT_TEMPLATE_PARSE_H

#include <stdint.h>

#include "text/template_lex.h"
#include "text/template_tree.h"

enum lli_tpl_rule {
    LLI_RULE_BODY, /* statements; arg: enum lli_tpl_end */
    LLI_RULE_FOR,
    LLI_RULE_IF,
    LLI_RULE_SET,
    LLI_RULE_WITH,
    LLI_RULE_MACRO,
    LLI_RULE_CALLER,
    LLI_RULE_FILTERS, /* a filter block */
    LLI_RULE_SCOPE,
    LLI_RULE_PRINT,
    LLI_RULE_SIGNATURE, /* result: first PARAM */
    LLI_RULE_TUPLE,     /* arg: LLI_TUPLE_* */
    LLI_RULE_EXPR,
    LLI_RULE_LEVEL,   /* arg: precedence, 0 (or) ... */
    LLI_RULE_UNARY,   /* arg: 1 with filters and tests behind */
    LLI_RULE_POSTFIX, /* what a test takes without brackets */
    LLI_RULE_PRIMARY, /* arg: 1 for a target: x.y is an attribute of a namespace */
    LLI_RULE_SUBSCRIPT,
    LLI_RULE_ARGS, /* result: first ARG */
    LLI_RULE_N
};

enum { LLI_TUPLE_BRACKETS = 1, LLI_TUPLE_NO_COND = 2, LLI_TUPLE_TARGET = 4, LLI_TUPLE_FOR = 8, LLI_TUPLE_IN = 16 };

struct lli_tpl_rule_frame {
    uint8_t rule, step;
    uint8_t arg, op;
    uint32_t at;         /* byte where the rule began */
    uint32_t node, last; /* what is being built; the last of a list */
    uint32_t more[3];
};

struct lli_tpl_parser {
    struct lli_template *t;
    struct lli_tpl_lexer lex;
    struct lli_tpl_token now, ahead;
    int has_ahead;
    uint32_t result;
    uint32_t n_frames, n_loops;
    uint8_t uses; /* of the macro whose body is being read: LLI_TPL_USES_* */
    struct lli_tpl_rule_frame *frames;
    struct llminf_error *err;
};

typedef int32_t lli_tpl_rule_fn(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f);

/* Statements; template_parse.c. Expressions; template_expr.c. */
lli_tpl_rule_fn lli_tpl_rule_tuple, lli_tpl_rule_expr, lli_tpl_rule_level, lli_tpl_rule_unary, lli_tpl_rule_postfix,
    lli_tpl_rule_primary, lli_tpl_rule_subscript, lli_tpl_rule_args;

/* ---- for rules */

int32_t lli_tpl_advance(struct lli_tpl_parser *p);                         /* to the next token */
int32_t lli_tpl_look(struct lli_tpl_token *out, struct lli_tpl_parser *p); /* the token behind it */
int lli_tpl_is_name(const struct lli_tpl_parser *p, const char *name);
int lli_tpl_is_op(const struct lli_tpl_parser *p, int op);
int32_t lli_tpl_expect_op(struct lli_tpl_parser *p, int op);
int32_t lli_tpl_expect_name(struct lli_tpl_parser *p, uint32_t *name_out);
int32_t lli_tpl_syntax(const struct lli_tpl_parser *p, const char *wanted); /* TEMPLATE: what is, what was wanted */

/* Pushes a rule; the caller returns at once and is called again with its result. */
int32_t lli_tpl_call(struct lli_tpl_parser *p, int rule, int arg);
int32_t lli_tpl_done(struct lli_tpl_parser *p, uint32_t result);

/* A new node in *out. */
int32_t lli_tpl_make(uint32_t *out, struct lli_tpl_parser *p, int kind, uint32_t at);
struct lli_tpl_node *lli_tpl_edit(struct lli_tpl_parser *p, uint32_t i);

/* Hangs a node behind f->last, or as the first (slot a, b of f->node by `which`) if there is none; counts in n. */
void lli_tpl_hang(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f, uint32_t node);

int32_t lli_tpl_constant_new(uint32_t *out, struct lli_tpl_parser *p, const struct lli_tpl_constant *c);
int32_t lli_tpl_name_id(uint32_t *out, struct lli_tpl_parser *p, struct lli_text name);

/* One filter behind a |: node around `input`; the name is the token now. Its arguments, if any, are left to the caller:
 * *has_args. */
int32_t lli_tpl_begin_filter(uint32_t *out, int *has_args, struct lli_tpl_parser *p, int kind, uint32_t input);

#endif
