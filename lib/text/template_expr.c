/* text/template_expr.c - expressions, by the precedence that Jinja2 gives them: or, and, not, comparisons, + -, ~, * / //
 * %, **, signs, filters and tests, postfixes. Signs bind weaker than postfixes and stronger than filters. */
#include "text/template_parse.h"

#include <string.h>

/* Levels of binary operators; what is not left-associative has a rule of its own. */
enum { LEVEL_OR, LEVEL_AND, LEVEL_NOT, LEVEL_COMPARE, LEVEL_SUM, LEVEL_CONCAT, LEVEL_PRODUCT, LEVEL_POWER, LEVEL_UNARY };

/* An operator of the level at the token now: its number, or 0. */
static int level_op(const struct lli_tpl_parser *p, int level)
{
    static const struct {
        uint8_t level;
        uint16_t op;
    } ops[] = {{LEVEL_SUM, '+'},
               {LEVEL_SUM, '-'},
               {LEVEL_CONCAT, '~'},
               {LEVEL_PRODUCT, '*'},
               {LEVEL_PRODUCT, '/'},
               {LEVEL_PRODUCT, LLI_OP2('/', '/')},
               {LEVEL_PRODUCT, '%'},
               {LEVEL_POWER, LLI_OP2('*', '*')},
               {LEVEL_COMPARE, LLI_OP2('=', '=')},
               {LEVEL_COMPARE, LLI_OP2('!', '=')},
               {LEVEL_COMPARE, '<'},
               {LEVEL_COMPARE, '>'},
               {LEVEL_COMPARE, LLI_OP2('<', '=')},
               {LEVEL_COMPARE, LLI_OP2('>', '=')}};
    if (level == LEVEL_OR)
        return lli_tpl_is_name(p, "or") ? '|' : 0;
    if (level == LEVEL_AND)
        return lli_tpl_is_name(p, "and") ? '&' : 0;
    if (level == LEVEL_COMPARE && lli_tpl_is_name(p, "in"))
        return 'i';
    for (size_t i = 0; i < sizeof ops / sizeof *ops; i++)
        if (ops[i].level == level && lli_tpl_is_op(p, ops[i].op))
            return ops[i].op;
    return 0;
}

/* One byte for an operator, as nodes keep it. */
static uint8_t short_op(int op)
{
    switch (op) {
    case LLI_OP2('/', '/'):
        return 'd';
    case LLI_OP2('*', '*'):
        return 'p';
    case LLI_OP2('=', '='):
        return '=';
    case LLI_OP2('!', '='):
        return '!';
    case LLI_OP2('<', '='):
        return 'l';
    case LLI_OP2('>', '='):
        return 'g';
    default:
        return (uint8_t)op;
    }
}

/* "not in" at the token now. */
static int32_t is_not_in(int *out, struct lli_tpl_parser *p)
{
    struct lli_tpl_token behind;
    *out = 0;
    if (!lli_tpl_is_name(p, "not"))
        return LLMINF_OK;
    int32_t status = lli_tpl_look(&behind, p);
    if (status == LLMINF_OK)
        *out = behind.kind == LLI_TOK_NAME && behind.text.len == 2 && memcmp(behind.text.bytes, "in", 2) == 0;
    return status;
}

/* Joins f->node and the result by f->op: a binary node, an operand of a comparison, or one more piece of a concatenation. */
static int32_t join(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    uint32_t right = p->result, node = 0;
    int list = f->arg == LEVEL_COMPARE || f->arg == LEVEL_CONCAT;
    int32_t status = LLMINF_OK;
    if (list && f->last == 0) { /* the first operator makes the node around what is there */
        uint32_t left = f->node;
        status = lli_tpl_make(&node, p, f->arg == LEVEL_COMPARE ? LLI_TPL_COMPARE : LLI_TPL_CONCAT, f->at);
        if (status != LLMINF_OK)
            return status;
        lli_tpl_edit(p, node)->a = left;
        f->node = node;
        f->last = f->arg == LEVEL_CONCAT ? left : 0;
    }
    if (f->arg == LEVEL_CONCAT) {
        lli_tpl_hang(p, f, right);
        return LLMINF_OK;
    }
    if (list) {
        status = lli_tpl_make(&node, p, LLI_TPL_OPERAND, f->at);
        if (status != LLMINF_OK)
            return status;
        lli_tpl_edit(p, node)->a = right;
        lli_tpl_edit(p, node)->op = f->op;
        if (f->last)
            lli_tpl_edit(p, f->last)->next = node;
        else
            lli_tpl_edit(p, f->node)->b = node;
        f->last = node;
        return LLMINF_OK;
    }
    status = lli_tpl_make(&node, p, f->op == '|' ? LLI_TPL_OR : f->op == '&' ? LLI_TPL_AND : LLI_TPL_BINARY, f->at);
    if (status != LLMINF_OK)
        return status;
    struct lli_tpl_node *n = lli_tpl_edit(p, node);
    n->a = f->node;
    n->b = right;
    n->op = f->op;
    f->node = node;
    return LLMINF_OK;
}

/* One level: operands of the next level with its operators between. */
int32_t lli_tpl_rule_level(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    int32_t status;
    int op, not_in;
    if (f->arg == LEVEL_UNARY) {
        p->n_frames--;
        return lli_tpl_call(p, LLI_RULE_UNARY, 1);
    }
    if (f->step == 0 && f->arg == LEVEL_NOT) {
        f->step = 1;
        if (!lli_tpl_is_name(p, "not")) {
            f->arg = LEVEL_COMPARE;
            f->step = 1;
            return lli_tpl_call(p, LLI_RULE_LEVEL, LEVEL_SUM);
        }
        status = lli_tpl_advance(p);
        return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_LEVEL, LEVEL_NOT);
    }
    if (f->arg == LEVEL_NOT) {
        uint32_t node, inner = p->result;
        status = lli_tpl_make(&node, p, LLI_TPL_NOT, f->at);
        if (status != LLMINF_OK)
            return status;
        lli_tpl_edit(p, node)->a = inner;
        return lli_tpl_done(p, node);
    }
    if (f->step == 0) {
        f->step = 1;
        return lli_tpl_call(p, LLI_RULE_LEVEL, f->arg + 1);
    }
    if (f->step == 1)
        f->node = p->result;
    else if ((status = join(p, f)) != LLMINF_OK)
        return status;
    f->step = 2;
    op = level_op(p, f->arg);
    if (op == 0 && f->arg == LEVEL_COMPARE) {
        status = is_not_in(&not_in, p);
        if (status == LLMINF_OK && not_in) {
            op = 'n';
            status = lli_tpl_advance(p);
        }
        if (status != LLMINF_OK)
            return status;
    }
    if (op == 0)
        return lli_tpl_done(p, f->node);
    f->op = short_op(op);
    status = lli_tpl_advance(p);
    return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_LEVEL, f->arg + 1);
}

/* x if y else z */
int32_t lli_tpl_rule_expr(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    enum { FIRST, VALUE, CONDITION, OTHERWISE };
    uint32_t node;
    int32_t status = LLMINF_OK;
    if (f->step == FIRST) {
        f->step = VALUE;
        return lli_tpl_call(p, LLI_RULE_LEVEL, 0);
    }
    if (f->step == VALUE)
        f->node = p->result;
    if (f->step == CONDITION || f->step == OTHERWISE) {
        if (f->step == CONDITION)
            f->more[0] = p->result;
        if (f->step == CONDITION && lli_tpl_is_name(p, "else")) {
            f->step = OTHERWISE;
            status = lli_tpl_advance(p);
            return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_EXPR, 0);
        }
        uint32_t otherwise = f->step == OTHERWISE ? p->result : 0;
        status = lli_tpl_make(&node, p, LLI_TPL_COND, f->at);
        if (status != LLMINF_OK)
            return status;
        struct lli_tpl_node *n = lli_tpl_edit(p, node);
        n->a = f->more[0];
        n->b = f->node;
        n->c = otherwise;
        f->node = node;
    }
    if (!lli_tpl_is_name(p, "if"))
        return lli_tpl_done(p, f->node);
    f->step = CONDITION;
    status = lli_tpl_advance(p);
    return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_LEVEL, 0);
}

static int is_tuple_end(const struct lli_tpl_parser *p, int how)
{
    return p->now.kind == LLI_TOK_PRINT_END || p->now.kind == LLI_TOK_TAG_END || lli_tpl_is_op(p, ')') ||
           ((how & LLI_TUPLE_FOR) && lli_tpl_is_name(p, "recursive")) || ((how & LLI_TUPLE_IN) && lli_tpl_is_name(p, "in"));
}

/* An expression, or several with commas between, which are a tuple. */
int32_t lli_tpl_rule_tuple(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    int32_t status = LLMINF_OK;
    if (f->step == 1) {
        if (f->node == 0 && !lli_tpl_is_op(p, ','))
            return lli_tpl_done(p, p->result);
        if (f->node == 0)
            status = lli_tpl_make(&f->node, p, LLI_TPL_TUPLE, f->at);
        if (status != LLMINF_OK)
            return status;
        lli_tpl_hang(p, f, p->result);
        if (!lli_tpl_is_op(p, ','))
            return lli_tpl_done(p, f->node);
        status = lli_tpl_advance(p);
        if (status != LLMINF_OK)
            return status;
    }
    if (is_tuple_end(p, f->arg)) {
        if (f->node == 0 && !(f->arg & LLI_TUPLE_BRACKETS))
            return lli_tpl_syntax(p, "an expression");
        if (f->node == 0)
            status = lli_tpl_make(&f->node, p, LLI_TPL_TUPLE, f->at);
        return status != LLMINF_OK ? status : lli_tpl_done(p, f->node);
    }
    f->step = 1;
    if (f->arg & LLI_TUPLE_TARGET)
        return lli_tpl_call(p, LLI_RULE_PRIMARY, 1);
    return lli_tpl_call(p, f->arg & LLI_TUPLE_NO_COND ? LLI_RULE_LEVEL : LLI_RULE_EXPR, 0);
}

/* ---- signs, postfixes, filters and tests */

enum { UNARY_BEGIN, UNARY_SIGN, UNARY_PRIMARY, UNARY_SUBSCRIPT, UNARY_CALL, UNARY_ARGS, UNARY_OPERAND, UNARY_LOOP };

/* A node of that kind with the frame's node as a and the result as b; it becomes the frame's. */
static int32_t wrap(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f, int kind, uint32_t b, uint32_t at)
{
    uint32_t node;
    int32_t status = lli_tpl_make(&node, p, kind, at);
    if (status != LLMINF_OK)
        return status;
    lli_tpl_edit(p, node)->a = f->node;
    lli_tpl_edit(p, node)->b = b;
    f->node = node;
    return LLMINF_OK;
}

/* Takes up what a rule called from here has left. */
static int32_t take_result(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    int32_t status = LLMINF_OK;
    uint32_t arg;
    switch (f->step) {
    case UNARY_SIGN:
        f->node = p->result;
        status = wrap(p, f, LLI_TPL_UNARY, 0, f->at);
        if (status == LLMINF_OK)
            lli_tpl_edit(p, f->node)->op = f->op;
        break;
    case UNARY_PRIMARY:
        f->node = p->result;
        break;
    case UNARY_SUBSCRIPT:
        status = wrap(p, f, LLI_TPL_ITEM, p->result, f->more[1]);
        break;
    case UNARY_CALL:
        status = wrap(p, f, LLI_TPL_CALL, p->result, f->more[1]);
        break;
    case UNARY_ARGS:
        lli_tpl_edit(p, f->node)->b = p->result;
        break;
    case UNARY_OPERAND:
        status = lli_tpl_make(&arg, p, LLI_TPL_ARG, f->more[1]);
        if (status != LLMINF_OK)
            break;
        lli_tpl_edit(p, arg)->a = p->result;
        lli_tpl_edit(p, f->node)->b = arg;
        break;
    default:
        break;
    }
    if (status == LLMINF_OK && f->more[2] && (f->step == UNARY_ARGS || f->step == UNARY_OPERAND)) {
        f->more[2] = 0;
        status = wrap(p, f, LLI_TPL_NOT, 0, f->more[1]);
    }
    return status;
}

static int32_t read_dot(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    uint32_t at = p->now.at, name, node;
    int32_t status = lli_tpl_advance(p);
    if (status != LLMINF_OK)
        return status;
    if (p->now.kind == LLI_TOK_INT) {
        struct lli_tpl_constant c = {.kind = LLI_TPL_INT, .number = p->now.number};
        status = lli_tpl_make(&node, p, LLI_TPL_CONST, at);
        if (status == LLMINF_OK)
            status = lli_tpl_constant_new(&name, p, &c);
        if (status != LLMINF_OK)
            return status;
        lli_tpl_edit(p, node)->a = name;
        status = wrap(p, f, LLI_TPL_ITEM, node, at);
        return status != LLMINF_OK ? status : lli_tpl_advance(p);
    }
    status = lli_tpl_expect_name(p, &name);
    return status != LLMINF_OK ? status : wrap(p, f, LLI_TPL_ATTR, name, at);
}

int32_t lli_tpl_begin_filter(uint32_t *out, int *has_args, struct lli_tpl_parser *p, int kind, uint32_t input)
{
    uint32_t at = p->now.at, name;
    int32_t status = lli_tpl_expect_name(p, &name);
    if (status == LLMINF_OK && lli_tpl_is_op(p, '.'))
        return lli_tpl_syntax(p, kind == LLI_TPL_FILTER ? "a filter without a dot in its name"
                                                        : "a test without a dot in its name");
    if (status == LLMINF_OK)
        status = lli_tpl_make(out, p, kind, at);
    if (status != LLMINF_OK)
        return status;
    lli_tpl_edit(p, *out)->a = input;
    lli_tpl_edit(p, *out)->c = name;
    *has_args = lli_tpl_is_op(p, '(');
    return LLMINF_OK;
}

/* Behind "is": negation, name, and what it is asked with. */
static int32_t read_test(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    int has_args, negated;
    int32_t status = lli_tpl_advance(p);
    if (status != LLMINF_OK)
        return status;
    negated = lli_tpl_is_name(p, "not");
    if (negated && (status = lli_tpl_advance(p)) != LLMINF_OK)
        return status;
    f->more[1] = p->now.at;
    status = lli_tpl_begin_filter(&f->node, &has_args, p, LLI_TPL_TEST, f->node);
    if (status != LLMINF_OK)
        return status;
    f->more[2] = (uint32_t)negated;
    int operand = p->now.kind == LLI_TOK_NAME || p->now.kind == LLI_TOK_TEXT || p->now.kind == LLI_TOK_INT ||
                  p->now.kind == LLI_TOK_REAL || lli_tpl_is_op(p, '[') || lli_tpl_is_op(p, '{');
    if (has_args) {
        f->step = UNARY_ARGS;
        return lli_tpl_call(p, LLI_RULE_ARGS, 0);
    }
    if (operand && !lli_tpl_is_name(p, "else") && !lli_tpl_is_name(p, "or") && !lli_tpl_is_name(p, "and")) {
        if (lli_tpl_is_name(p, "is"))
            return lli_tpl_syntax(p, "no second test behind a test");
        f->step = UNARY_OPERAND;
        return lli_tpl_call(p, LLI_RULE_POSTFIX, 0);
    }
    f->step = UNARY_LOOP;
    f->more[2] = 0;
    return negated ? wrap(p, f, LLI_TPL_NOT, 0, f->more[1]) : LLMINF_OK;
}

static int32_t read_filter(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    int has_args;
    int32_t status = lli_tpl_advance(p);
    f->more[1] = p->now.at;
    if (status == LLMINF_OK)
        status = lli_tpl_begin_filter(&f->node, &has_args, p, LLI_TPL_FILTER, f->node);
    if (status != LLMINF_OK)
        return status;
    f->step = has_args ? UNARY_ARGS : UNARY_LOOP;
    return has_args ? lli_tpl_call(p, LLI_RULE_ARGS, 0) : LLMINF_OK;
}

/* Behind a primary, one postfix, filter or test after the other. more[0]: filters have begun, so . and [ are over. */
static int32_t read_behind(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f, int with_filters)
{
    for (;;) {
        int32_t status = LLMINF_OK;
        uint32_t depth = p->n_frames;
        f->more[1] = p->now.at;
        if (lli_tpl_is_op(p, '(')) {
            f->step = UNARY_CALL;
            return lli_tpl_call(p, LLI_RULE_ARGS, 0);
        }
        if (!f->more[0] && lli_tpl_is_op(p, '[')) {
            f->step = UNARY_SUBSCRIPT;
            return lli_tpl_call(p, LLI_RULE_SUBSCRIPT, 0);
        }
        if (!f->more[0] && lli_tpl_is_op(p, '.')) {
            status = read_dot(p, f);
        } else if (with_filters && lli_tpl_is_op(p, '|')) {
            f->more[0] = 1;
            status = read_filter(p, f);
        } else if (with_filters && lli_tpl_is_name(p, "is")) {
            f->more[0] = 1;
            status = read_test(p, f);
        } else {
            return lli_tpl_done(p, f->node);
        }
        if (status != LLMINF_OK || p->n_frames != depth)
            return status;
    }
}

int32_t lli_tpl_rule_unary(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    int32_t status;
    if (f->step == UNARY_BEGIN && (lli_tpl_is_op(p, '-') || lli_tpl_is_op(p, '+'))) {
        f->op = (uint8_t)p->now.op;
        f->step = UNARY_SIGN;
        status = lli_tpl_advance(p);
        return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_UNARY, 0);
    }
    if (f->step == UNARY_BEGIN) {
        f->step = UNARY_PRIMARY;
        return lli_tpl_call(p, LLI_RULE_PRIMARY, 0);
    }
    status = take_result(p, f);
    return status != LLMINF_OK ? status : read_behind(p, f, f->arg);
}

int32_t lli_tpl_rule_postfix(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    if (f->step == UNARY_BEGIN) {
        f->step = UNARY_PRIMARY;
        return lli_tpl_call(p, LLI_RULE_PRIMARY, 0);
    }
    int32_t status = take_result(p, f);
    return status != LLMINF_OK ? status : read_behind(p, f, 0);
}

/* [x], [x:y:z] */
int32_t lli_tpl_rule_subscript(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    int32_t status = LLMINF_OK;
    if (f->step == 0) { /* at the bracket */
        status = lli_tpl_advance(p);
        f->step = 1;
        if (status == LLMINF_OK && !lli_tpl_is_op(p, ':'))
            return lli_tpl_call(p, LLI_RULE_EXPR, 0);
        p->result = 0;
    }
    while (status == LLMINF_OK) { /* step 1, 2, 3: start, stop, step have been read */
        f->more[f->step - 1] = p->result;
        if (!lli_tpl_is_op(p, ':') || f->step == 3)
            break;
        if (f->node == 0)
            status = lli_tpl_make(&f->node, p, LLI_TPL_SLICE, f->at);
        if (status == LLMINF_OK)
            status = lli_tpl_advance(p);
        f->step++;
        if (status == LLMINF_OK && !lli_tpl_is_op(p, ':') && !lli_tpl_is_op(p, ']'))
            return lli_tpl_call(p, LLI_RULE_EXPR, 0);
        p->result = 0;
    }
    if (status == LLMINF_OK)
        status = lli_tpl_expect_op(p, ']');
    if (status != LLMINF_OK)
        return status;
    if (f->node == 0)
        return lli_tpl_done(p, f->more[0]);
    struct lli_tpl_node *n = lli_tpl_edit(p, f->node);
    n->a = f->more[0];
    n->b = f->more[1];
    n->c = f->more[2];
    return lli_tpl_done(p, f->node);
}

/* (x, y=z, *a, **b) */
int32_t lli_tpl_rule_args(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    struct lli_tpl_token behind;
    uint32_t arg;
    int32_t status = LLMINF_OK;
    if (f->step == 0) {
        status = lli_tpl_advance(p);
        f->step = 1;
    } else {
        lli_tpl_edit(p, f->last)->a = p->result;
        if (!lli_tpl_is_op(p, ')'))
            status = lli_tpl_expect_op(p, ',');
    }
    if (status != LLMINF_OK)
        return status;
    if (lli_tpl_is_op(p, ')')) {
        status = lli_tpl_advance(p);
        return status != LLMINF_OK ? status : lli_tpl_done(p, f->node);
    }
    int star = lli_tpl_is_op(p, '*') ? 1 : lli_tpl_is_op(p, LLI_OP2('*', '*')) ? 2 : 0;
    if (f->more[1] >= LLI_MAX_TEMPLATE_ARGUMENTS)
        return lli_tpl_fail_at(p->t, p->err, LLMINF_E_LIMIT, p->now.at, "more than %u arguments", LLI_MAX_TEMPLATE_ARGUMENTS);
    status = lli_tpl_make(&arg, p, LLI_TPL_ARG, p->now.at);
    if (status != LLMINF_OK)
        return status;
    lli_tpl_edit(p, arg)->op = (uint8_t)star;
    if (star) {
        status = lli_tpl_advance(p);
    } else if (p->now.kind == LLI_TOK_NAME) {
        uint32_t name;
        status = lli_tpl_look(&behind, p);
        if (status == LLMINF_OK && behind.kind == LLI_TOK_OPERATOR && behind.op == '=') {
            status = lli_tpl_expect_name(p, &name);
            if (status == LLMINF_OK)
                status = lli_tpl_advance(p);
            if (status == LLMINF_OK)
                lli_tpl_edit(p, arg)->b = name + 1;
        }
    }
    if (status != LLMINF_OK)
        return status;
    if (f->more[0] && !star && lli_tpl_edit(p, arg)->b == 0)
        return lli_tpl_syntax(p, "no argument without a name behind one with a name");
    f->more[0] |= (uint32_t)(star || lli_tpl_edit(p, arg)->b);
    f->more[1]++;
    if (f->last)
        lli_tpl_edit(p, f->last)->next = arg;
    else
        f->node = arg;
    f->last = arg;
    return lli_tpl_call(p, LLI_RULE_EXPR, 0);
}

/* ---- primaries */

static int32_t make_constant(uint32_t *out, struct lli_tpl_parser *p, const struct lli_tpl_constant *c, uint32_t at)
{
    uint32_t index;
    int32_t status = lli_tpl_make(out, p, LLI_TPL_CONST, at);
    if (status == LLMINF_OK)
        status = lli_tpl_constant_new(&index, p, c);
    if (status == LLMINF_OK)
        lli_tpl_edit(p, *out)->a = index;
    return status;
}

/* Texts that stand side by side are one. */
static int32_t read_texts(uint32_t *out, struct lli_tpl_parser *p)
{
    struct lli_tpl_constant c = {.kind = LLI_TPL_TEXT, .text = p->now.text};
    uint32_t at = p->now.at;
    int32_t status = lli_tpl_advance(p);
    while (status == LLMINF_OK && p->now.kind == LLI_TOK_TEXT) {
        char *joined = lli_arena_take(&p->t->arena, c.text.len + p->now.text.len + 1, 1);
        if (!joined || c.text.len + p->now.text.len > LLI_MAX_TEMPLATE_BYTES)
            return lli_tpl_fail_at(p->t, p->err, joined ? LLMINF_E_LIMIT : LLMINF_E_MEMORY, at, "texts too long to be joined");
        memcpy(joined, c.text.bytes, c.text.len);
        memcpy(joined + c.text.len, p->now.text.bytes, p->now.text.len);
        c.text = (struct lli_text){joined, c.text.len + p->now.text.len};
        status = lli_tpl_advance(p);
    }
    return status == LLMINF_OK ? make_constant(out, p, &c, at) : status;
}

static int32_t read_name(uint32_t *out, struct lli_tpl_parser *p, int is_target)
{
    static const struct {
        const char *name;
        struct lli_tpl_constant c;
    } words[] = {{"true", {.kind = LLI_TPL_BOOL, .number = 1}},
                 {"True", {.kind = LLI_TPL_BOOL, .number = 1}},
                 {"false", {.kind = LLI_TPL_BOOL, .number = 0}},
                 {"False", {.kind = LLI_TPL_BOOL, .number = 0}},
                 {"none", {.kind = LLI_TPL_NULL}},
                 {"None", {.kind = LLI_TPL_NULL}}};
    static const struct {
        const char *name;
        uint8_t uses;
    } special[] = {{"caller", LLI_TPL_USES_CALLER}, {"varargs", LLI_TPL_USES_VARARGS}, {"kwargs", LLI_TPL_USES_KWARGS}};
    uint32_t at = p->now.at, name, attribute = 0;
    int32_t status;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (!lli_tpl_is_name(p, words[i].name))
            continue;
        status = lli_tpl_advance(p);
        return status == LLMINF_OK ? make_constant(out, p, &words[i].c, at) : status;
    }
    for (size_t i = 0; i < sizeof special / sizeof *special; i++)
        if (lli_tpl_is_name(p, special[i].name))
            p->uses |= special[i].uses;
    status = lli_tpl_expect_name(p, &name);
    int is_ref = status == LLMINF_OK && is_target && lli_tpl_is_op(p, '.');
    if (is_ref) {
        status = lli_tpl_advance(p);
        if (status == LLMINF_OK)
            status = lli_tpl_expect_name(p, &attribute);
    }
    if (status == LLMINF_OK)
        status = lli_tpl_make(out, p, is_ref ? LLI_TPL_NSREF : LLI_TPL_NAME, at);
    if (status != LLMINF_OK)
        return status;
    lli_tpl_edit(p, *out)->a = name;
    lli_tpl_edit(p, *out)->b = attribute;
    return LLMINF_OK;
}

/* Parts of a list or of a mapping, with commas between and one behind the last if they like. */
static int32_t read_parts(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    int is_dict = f->op == '}';
    int32_t status;
    if (f->step == 1) { /* behind the opening bracket */
        status = lli_tpl_advance(p);
    } else if (f->step == 2 && is_dict) {
        lli_tpl_hang(p, f, p->result);
        f->step = 3;
        status = lli_tpl_expect_op(p, ':');
        return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_EXPR, 0);
    } else {
        lli_tpl_hang(p, f, p->result);
        status = lli_tpl_is_op(p, f->op) ? LLMINF_OK : lli_tpl_expect_op(p, ',');
    }
    if (status != LLMINF_OK)
        return status;
    if (lli_tpl_is_op(p, f->op)) {
        status = lli_tpl_advance(p);
        return status != LLMINF_OK ? status : lli_tpl_done(p, f->node);
    }
    f->step = 2;
    return lli_tpl_call(p, LLI_RULE_EXPR, 0);
}

int32_t lli_tpl_rule_primary(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    int32_t status = LLMINF_OK;
    uint32_t node = 0;
    if (f->step > 0 && f->op == ')') {
        node = p->result;
        status = lli_tpl_expect_op(p, ')');
    } else if (f->step > 0) {
        return read_parts(p, f);
    } else if (p->now.kind == LLI_TOK_NAME) {
        status = read_name(&node, p, f->arg);
    } else if (p->now.kind == LLI_TOK_TEXT) {
        status = read_texts(&node, p);
    } else if (p->now.kind == LLI_TOK_INT || p->now.kind == LLI_TOK_REAL) {
        struct lli_tpl_constant c = {
            .kind = p->now.kind == LLI_TOK_INT ? LLI_TPL_INT : LLI_TPL_REAL, .number = p->now.number, .real = p->now.real};
        status = make_constant(&node, p, &c, p->now.at);
        if (status == LLMINF_OK)
            status = lli_tpl_advance(p);
    } else if (lli_tpl_is_op(p, '(')) {
        f->op = ')';
        f->step = 1;
        status = lli_tpl_advance(p);
        return status != LLMINF_OK ? status
                                   : lli_tpl_call(p, LLI_RULE_TUPLE, LLI_TUPLE_BRACKETS | (f->arg ? LLI_TUPLE_TARGET : 0));
    } else if (lli_tpl_is_op(p, '[') || lli_tpl_is_op(p, '{')) {
        f->op = lli_tpl_is_op(p, '[') ? ']' : '}';
        f->step = 1;
        status = lli_tpl_make(&f->node, p, f->op == ']' ? LLI_TPL_LIST : LLI_TPL_DICT, f->at);
        return status != LLMINF_OK ? status : read_parts(p, f);
    } else {
        return lli_tpl_syntax(p, "an expression");
    }
    return status != LLMINF_OK ? status : lli_tpl_done(p, node);
}
