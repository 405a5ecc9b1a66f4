/* text/template_tree.h - a compiled template: nodes that name each other by index. Node 0 is none.
 *
 * Children are a, b, c, d; a list of nodes hangs on its first and goes on by `next`. What a kind keeps where: */
#ifndef LLI_TEXT_TEMPLATE_TREE_H
#define LLI_TEXT_TEMPLATE_TREE_H

#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "base/map.h"
#include "file/gguf.h"

enum lli_tpl_kind {
    LLI_TPL_NONE,
    /* statements */
    LLI_TPL_BODY,   /* a: first statement */
    LLI_TPL_DATA,   /* a: constant */
    LLI_TPL_PRINT,  /* a: expression */
    LLI_TPL_IF,     /* a: condition, b: body, c: else (IF or BODY) */
    LLI_TPL_FOR,    /* a: target, b: sequence, c: body, d: else; op: has a filter, which is the first of next's of the target */
    LLI_TPL_SET,    /* a: target, b: expression */
    LLI_TPL_BLOCK,  /* a: target or 0, b: filters around CAPTURED or 0, c: body: a set block, a filter block */
    LLI_TPL_WITH,   /* a: first SET, b: body */
    LLI_TPL_SCOPE,  /* a: body: a generation block */
    LLI_TPL_MACRO,  /* a: name, b: first PARAM, c: body; op: LLI_TPL_USES_* */
    LLI_TPL_CALLER, /* a: CALL, b: MACRO: a call block */
    LLI_TPL_BREAK,
    LLI_TPL_CONTINUE,
    /* parts */
    LLI_TPL_PARAM,   /* a: name, b: default or 0 */
    LLI_TPL_ARG,     /* a: expression, b: name + 1 or 0; op: 1 for *x, 2 for **x */
    LLI_TPL_OPERAND, /* a: expression; op */
    LLI_TPL_SLICE,   /* a: start, b: stop, c: step, each or 0 */
    LLI_TPL_NSREF,   /* a: name, b: attribute's name: a target only */
    /* expressions */
    LLI_TPL_CONST, /* a: constant */
    LLI_TPL_NAME,  /* a: name */
    LLI_TPL_CAPTURED,
    LLI_TPL_LIST,    /* a: first */
    LLI_TPL_TUPLE,   /* a: first */
    LLI_TPL_DICT,    /* a: first key, behind it its value, the next key, ... */
    LLI_TPL_NOT,     /* a */
    LLI_TPL_UNARY,   /* a; op */
    LLI_TPL_BINARY,  /* a, b; op */
    LLI_TPL_AND,     /* a, b */
    LLI_TPL_OR,      /* a, b */
    LLI_TPL_COND,    /* a: condition, b: then, c: else or 0 */
    LLI_TPL_COMPARE, /* a, b: first OPERAND */
    LLI_TPL_CONCAT,  /* a: first */
    LLI_TPL_ATTR,    /* a, b: name */
    LLI_TPL_ITEM,    /* a, b: expression or SLICE */
    LLI_TPL_CALL,    /* a, b: first ARG */
    LLI_TPL_FILTER,  /* a, b: first ARG, c: name */
    LLI_TPL_TEST,    /* a, b: first ARG, c: name */
    LLI_TPL_N_KINDS
};

enum { LLI_TPL_USES_CALLER = 1, LLI_TPL_USES_VARARGS = 2, LLI_TPL_USES_KWARGS = 4 };

struct lli_tpl_node {
    uint8_t kind, op;
    uint16_t n;  /* LIST, ARGs ...: how many */
    uint32_t at; /* byte of the source */
    uint32_t next;
    uint32_t a, b, c, d;
};

enum lli_tpl_constant_kind { LLI_TPL_NULL, LLI_TPL_BOOL, LLI_TPL_INT, LLI_TPL_REAL, LLI_TPL_TEXT };

struct lli_tpl_constant {
    int kind;
    int64_t number;
    double real;
    struct lli_text text;
};

struct lli_template {
    struct lli_heap *heap;
    struct lli_arena arena; /* the source and texts of constants */
    const char *source;     /* with line ends as \n */
    size_t n;
    struct lli_buffer nodes, constants;
    struct lli_buffer names; /* struct lli_text: identifiers, each once */
    struct lli_map by_name;
    uint32_t root;
};

static inline const struct lli_tpl_node *lli_tpl_node_at(const struct lli_template *t, uint32_t i)
{
    return (const struct lli_tpl_node *)(const void *)t->nodes.bytes + i;
}

static inline const struct lli_tpl_constant *lli_tpl_constant_at(const struct lli_template *t, uint32_t i)
{
    return (const struct lli_tpl_constant *)(const void *)t->constants.bytes + i;
}

static inline struct lli_text lli_tpl_name_at(const struct lli_template *t, uint32_t i)
{
    return ((const struct lli_text *)(const void *)t->names.bytes)[i];
}

/* Line of a byte, from 1. */
uint32_t lli_tpl_line(const struct lli_template *t, size_t at);

#endif
