/* text/template_parse.c - the stack of rules, and statements. */
#include "text/template_parse.h"

#include <string.h>

#include "base/error.h"
#include "base/utf8.h"
#include "text/template.h"

/* ---- tokens */

int32_t lli_tpl_advance(struct lli_tpl_parser *p)
{
    if (!p->has_ahead)
        return lli_tpl_lex_next(&p->now, &p->lex);
    p->now = p->ahead;
    p->has_ahead = 0;
    return LLMINF_OK;
}

int32_t lli_tpl_look(struct lli_tpl_token *out, struct lli_tpl_parser *p)
{
    int32_t status = p->has_ahead ? LLMINF_OK : lli_tpl_lex_next(&p->ahead, &p->lex);
    p->has_ahead = status == LLMINF_OK;
    *out = p->ahead;
    return status;
}

int lli_tpl_is_name(const struct lli_tpl_parser *p, const char *name)
{
    return p->now.kind == LLI_TOK_NAME && p->now.text.len == strlen(name) &&
           memcmp(p->now.text.bytes, name, p->now.text.len) == 0;
}

int lli_tpl_is_op(const struct lli_tpl_parser *p, int op)
{
    return p->now.kind == LLI_TOK_OPERATOR && p->now.op == op;
}

int32_t lli_tpl_syntax(const struct lli_tpl_parser *p, const char *wanted)
{
    static const char *const kinds[] = {
        [LLI_TOK_END] = "the end of the template",
        [LLI_TOK_DATA] = "text",
        [LLI_TOK_PRINT_BEGIN] = "{{",
        [LLI_TOK_PRINT_END] = "}}",
        [LLI_TOK_TAG_BEGIN] = "{%",
        [LLI_TOK_TAG_END] = "%}",
        [LLI_TOK_NAME] = "a name",
        [LLI_TOK_TEXT] = "a text",
        [LLI_TOK_INT] = "an integer",
        [LLI_TOK_REAL] = "a number",
        [LLI_TOK_OPERATOR] = "an operator",
    };
    const struct lli_tpl_token *now = &p->now;
    if (now->kind == LLI_TOK_NAME)
        return lli_tpl_fail_at(p->t, p->err, LLMINF_E_TEMPLATE, now->at, "\"%.*s\", want %s", (int)(now->text.len & 0x3F),
                               now->text.bytes, wanted);
    if (now->kind == LLI_TOK_OPERATOR)
        return lli_tpl_fail_at(p->t, p->err, LLMINF_E_TEMPLATE, now->at, "\"%c%c\", want %s", now->op & 0xFF,
                               now->op > 0xFF ? now->op >> 8 : ' ', wanted);
    return lli_tpl_fail_at(p->t, p->err, LLMINF_E_TEMPLATE, now->at, "%s, want %s", kinds[now->kind], wanted);
}

int32_t lli_tpl_expect_op(struct lli_tpl_parser *p, int op)
{
    char wanted[] = {'"', (char)op, '"', '\0'};
    return lli_tpl_is_op(p, op) ? lli_tpl_advance(p) : lli_tpl_syntax(p, wanted);
}

int32_t lli_tpl_expect_name(struct lli_tpl_parser *p, uint32_t *name_out)
{
    if (p->now.kind != LLI_TOK_NAME)
        return lli_tpl_syntax(p, "a name");
    int32_t status = lli_tpl_name_id(name_out, p, p->now.text);
    return status == LLMINF_OK ? lli_tpl_advance(p) : status;
}

static int32_t expect_word(struct lli_tpl_parser *p, const char *word)
{
    return lli_tpl_is_name(p, word) ? lli_tpl_advance(p) : lli_tpl_syntax(p, word);
}

/* ---- nodes, constants, names */

static int32_t fail_memory(const struct lli_tpl_parser *p)
{
    return lli_fail_memory(p->err, "chat_template", p->t->nodes.len);
}

struct lli_tpl_node *lli_tpl_edit(struct lli_tpl_parser *p, uint32_t i)
{
    return (struct lli_tpl_node *)(void *)p->t->nodes.bytes + i;
}

int32_t lli_tpl_make(uint32_t *out, struct lli_tpl_parser *p, int kind, uint32_t at)
{
    struct lli_tpl_node node = {.kind = (uint8_t)kind, .at = at};
    *out = (uint32_t)(p->t->nodes.len / sizeof node);
    return lli_buffer_append(&p->t->nodes, &node, sizeof node) ? fail_memory(p) : LLMINF_OK;
}

void lli_tpl_hang(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f, uint32_t node)
{
    if (f->last)
        lli_tpl_edit(p, f->last)->next = node;
    else
        lli_tpl_edit(p, f->node)->a = node;
    f->last = node;
}

int32_t lli_tpl_constant_new(uint32_t *out, struct lli_tpl_parser *p, const struct lli_tpl_constant *c)
{
    *out = (uint32_t)(p->t->constants.len / sizeof *c);
    return lli_buffer_append(&p->t->constants, c, sizeof *c) ? fail_memory(p) : LLMINF_OK;
}

int32_t lli_tpl_name_id(uint32_t *out, struct lli_tpl_parser *p, struct lli_text name)
{
    struct lli_template *t = p->t;
    if (lli_map_find(&t->by_name, name.bytes, name.len, out))
        return LLMINF_OK;
    *out = (uint32_t)(t->names.len / sizeof name);
    return lli_map_put(&t->by_name, name.bytes, name.len, *out) < 0 || lli_buffer_append(&t->names, &name, sizeof name)
               ? fail_memory(p)
               : LLMINF_OK;
}

/* ---- the stack */

int32_t lli_tpl_call(struct lli_tpl_parser *p, int rule, int arg)
{
    if (p->n_frames == LLI_MAX_TEMPLATE_RULES)
        return lli_tpl_fail_at(p->t, p->err, LLMINF_E_LIMIT, p->now.at, "nested too deep, more than %u rules",
                               LLI_MAX_TEMPLATE_RULES);
    p->frames[p->n_frames++] = (struct lli_tpl_rule_frame){.rule = (uint8_t)rule, .arg = (uint8_t)arg, .at = p->now.at};
    return LLMINF_OK;
}

int32_t lli_tpl_done(struct lli_tpl_parser *p, uint32_t result)
{
    p->n_frames--;
    p->result = result;
    return LLMINF_OK;
}

/* ---- statements */

/* The words at which a body may end. */
enum { END_NEVER, END_FOR, END_FOR_ELSE, END_IF, END_IF_ELSE, END_SET, END_WITH, END_MACRO, END_CALL, END_FILTER, END_SCOPE };

static const char *const ends[][3] = {
    [END_FOR] = {"endfor", "else"},  [END_FOR_ELSE] = {"endfor"}, [END_IF] = {"endif", "else", "elif"},
    [END_IF_ELSE] = {"endif"},       [END_SET] = {"endset"},      [END_WITH] = {"endwith"},
    [END_MACRO] = {"endmacro"},      [END_CALL] = {"endcall"},    [END_FILTER] = {"endfilter"},
    [END_SCOPE] = {"endgeneration"},
};

static int is_end(const struct lli_tpl_parser *p, int end)
{
    for (size_t i = 0; end != END_NEVER && i < 3 && ends[end][i]; i++)
        if (lli_tpl_is_name(p, ends[end][i]))
            return 1;
    return 0;
}

static int32_t append(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f, int kind, uint32_t at, uint32_t a)
{
    uint32_t node;
    int32_t status = lli_tpl_make(&node, p, kind, at);
    if (status != LLMINF_OK)
        return status;
    lli_tpl_edit(p, node)->a = a;
    lli_tpl_hang(p, f, node);
    return LLMINF_OK;
}

static int32_t append_data(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    struct lli_tpl_constant c = {.kind = LLI_TPL_TEXT, .text = p->now.text};
    uint32_t index;
    int32_t status = LLMINF_OK;
    if (c.text.len > 0)
        status = lli_tpl_constant_new(&index, p, &c);
    if (status == LLMINF_OK && c.text.len > 0)
        status = append(p, f, LLI_TPL_DATA, p->now.at, index);
    return status == LLMINF_OK ? lli_tpl_advance(p) : status;
}

/* The rule of the tag at the token now. */
static int32_t call_tag(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    static const struct {
        const char *name;
        uint8_t rule;
    } tags[] = {{"for", LLI_RULE_FOR},     {"if", LLI_RULE_IF},          {"set", LLI_RULE_SET},
                {"with", LLI_RULE_WITH},   {"macro", LLI_RULE_MACRO},    {"call", LLI_RULE_CALLER},
                {"print", LLI_RULE_PRINT}, {"filter", LLI_RULE_FILTERS}, {"generation", LLI_RULE_SCOPE}};
    static const char *const not_supported[] = {"import", "from", "include", "extends", "block", "autoescape", "do", "trans"};
    for (size_t i = 0; i < sizeof tags / sizeof *tags; i++) {
        if (!lli_tpl_is_name(p, tags[i].name))
            continue;
        int32_t status = lli_tpl_advance(p);
        return status == LLMINF_OK ? lli_tpl_call(p, tags[i].rule, 0) : status;
    }
    int is_break = lli_tpl_is_name(p, "break");
    if (is_break || lli_tpl_is_name(p, "continue")) {
        if (p->n_loops == 0)
            return lli_tpl_syntax(p, "it inside of a loop");
        int32_t status = append(p, f, is_break ? LLI_TPL_BREAK : LLI_TPL_CONTINUE, p->now.at, 0);
        f->step = 3;
        return status == LLMINF_OK ? lli_tpl_advance(p) : status;
    }
    for (size_t i = 0; i < sizeof not_supported / sizeof *not_supported; i++)
        if (lli_tpl_is_name(p, not_supported[i]))
            return lli_tpl_fail_at(p->t, p->err, LLMINF_E_TEMPLATE, p->now.at, "the tag \"%s\" is not supported",
                                   not_supported[i]);
    return lli_tpl_syntax(p, "a tag, or the end of the block that is open");
}

/* Data, prints and tags up to an end. Steps: 0 begin, 1 behind a print, 2 behind a tag's rule, 3 behind a tag that has
 * none. */
static int32_t rule_body(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    int32_t status = LLMINF_OK;
    if (f->step == 0) {
        status = lli_tpl_make(&f->node, p, LLI_TPL_BODY, f->at);
        if (status == LLMINF_OK && f->arg != END_NEVER && lli_tpl_is_op(p, ':'))
            status = lli_tpl_advance(p);
    } else if (f->step == 1) {
        status = append(p, f, LLI_TPL_PRINT, f->more[0], p->result);
    } else if (f->step == 2) {
        lli_tpl_hang(p, f, p->result);
    }
    if (status != LLMINF_OK)
        return status;
    if (f->step == 1 && p->now.kind != LLI_TOK_PRINT_END)
        return lli_tpl_syntax(p, "}}");
    if ((f->step > 1 || (f->step == 0 && f->arg != END_NEVER)) && p->now.kind != LLI_TOK_TAG_END)
        return lli_tpl_syntax(p, "%}");
    if (f->step > 0 || f->arg != END_NEVER)
        status = lli_tpl_advance(p);
    while (status == LLMINF_OK && p->now.kind == LLI_TOK_DATA)
        status = append_data(p, f);
    if (status != LLMINF_OK)
        return status;
    if (p->now.kind == LLI_TOK_END) {
        if (f->arg != END_NEVER)
            return lli_tpl_syntax(p, ends[f->arg][0]);
        return lli_tpl_done(p, f->node);
    }
    f->more[0] = p->now.at;
    f->step = p->now.kind == LLI_TOK_PRINT_BEGIN ? 1 : 2;
    status = lli_tpl_advance(p);
    if (status != LLMINF_OK)
        return status;
    if (f->step == 1)
        return lli_tpl_call(p, LLI_RULE_TUPLE, 0);
    if (is_end(p, f->arg))
        return lli_tpl_done(p, f->node);
    if (p->now.kind != LLI_TOK_NAME)
        return lli_tpl_syntax(p, "the name of a tag");
    return call_tag(p, f);
}

/* A name, names, or an attribute of a namespace; a tuple may hold tuples of these. */
static int32_t check_target(const struct lli_tpl_parser *p, uint32_t target, int with_ref)
{
    uint32_t stack[8] = {target};
    int depth = 1;
    while (depth > 0) {
        const struct lli_tpl_node *n = lli_tpl_node_at(p->t, stack[--depth]);
        if (n->kind == LLI_TPL_TUPLE) {
            for (uint32_t i = n->a; i; i = lli_tpl_node_at(p->t, i)->next) {
                if (depth == 8)
                    return lli_tpl_fail_at(p->t, p->err, LLMINF_E_LIMIT, n->at, "too many targets");
                stack[depth++] = i;
            }
        } else if (n->kind != LLI_TPL_NAME && (n->kind != LLI_TPL_NSREF || !with_ref)) {
            return lli_tpl_fail_at(p->t, p->err, LLMINF_E_TEMPLATE, n->at, "is nothing that a value can be given to");
        }
    }
    return LLMINF_OK;
}

/* {% for a in b if c recursive %} body {% else %} otherwise {% endfor %} */
static int32_t rule_for(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    enum { BEGIN, TARGET, SEQUENCE, FILTER, BODY, OTHERWISE };
    struct lli_tpl_node *n = f->node ? lli_tpl_edit(p, f->node) : NULL;
    int32_t status = LLMINF_OK;
    switch (f->step++) {
    case BEGIN:
        status = lli_tpl_make(&f->node, p, LLI_TPL_FOR, f->at);
        return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_TUPLE, LLI_TUPLE_TARGET | LLI_TUPLE_IN);
    case TARGET:
        n->a = p->result;
        status = check_target(p, p->result, 0);
        if (status == LLMINF_OK)
            status = expect_word(p, "in");
        return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_TUPLE, LLI_TUPLE_NO_COND | LLI_TUPLE_FOR);
    case SEQUENCE:
        n->b = p->result;
        if (lli_tpl_is_name(p, "if")) {
            status = lli_tpl_advance(p);
            return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_EXPR, 0);
        }
        p->result = 0;
        f->step++;
        /* fall through */
    case FILTER:
        lli_tpl_edit(p, n->a)->next = p->result; /* 0: no filter */
        if (lli_tpl_is_name(p, "recursive"))
            status = lli_tpl_advance(p);
        p->n_loops++;
        return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_BODY, END_FOR);
    case BODY:
        n->c = p->result;
        p->n_loops--;
        if (lli_tpl_is_name(p, "else")) {
            status = lli_tpl_advance(p);
            return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_BODY, END_FOR_ELSE);
        }
        break;
    default:
        n->d = p->result;
        break;
    }
    status = lli_tpl_advance(p); /* endfor */
    return status != LLMINF_OK ? status : lli_tpl_done(p, f->node);
}

/* An elif is an if in the place of the else; f->last is the innermost. */
static int32_t rule_if(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    enum { BEGIN, CONDITION, BODY, OTHERWISE };
    struct lli_tpl_node *n = f->last ? lli_tpl_edit(p, f->last) : NULL;
    uint32_t inner;
    int32_t status = LLMINF_OK;
    switch (f->step) {
    case BEGIN:
        status = lli_tpl_make(&f->node, p, LLI_TPL_IF, f->at);
        f->last = f->node;
        f->step = CONDITION;
        return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_TUPLE, LLI_TUPLE_NO_COND);
    case CONDITION:
        n->a = p->result;
        f->step = BODY;
        return lli_tpl_call(p, LLI_RULE_BODY, END_IF);
    case BODY:
        n->b = p->result;
        if (lli_tpl_is_name(p, "endif"))
            break;
        if (lli_tpl_is_name(p, "else")) {
            f->step = OTHERWISE;
            status = lli_tpl_advance(p);
            return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_BODY, END_IF_ELSE);
        }
        status = lli_tpl_make(&inner, p, LLI_TPL_IF, p->now.at);
        if (status != LLMINF_OK)
            return status;
        lli_tpl_edit(p, f->last)->c = inner;
        f->last = inner;
        f->step = CONDITION;
        status = lli_tpl_advance(p);
        return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_TUPLE, LLI_TUPLE_NO_COND);
    default:
        n->c = p->result;
        break;
    }
    status = lli_tpl_advance(p); /* endif */
    return status != LLMINF_OK ? status : lli_tpl_done(p, f->node);
}

/* Filters of a set block or a filter block, around what was captured. more[1]: the chain so far. */
static int32_t read_chain(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f, int at_name)
{
    int32_t status = LLMINF_OK;
    int has_args = 0;
    while (status == LLMINF_OK && (at_name || lli_tpl_is_op(p, '|'))) {
        if (!at_name)
            status = lli_tpl_advance(p);
        at_name = 0;
        if (status == LLMINF_OK && f->more[1] == 0)
            status = lli_tpl_make(&f->more[1], p, LLI_TPL_CAPTURED, p->now.at);
        if (status == LLMINF_OK)
            status = lli_tpl_begin_filter(&f->more[1], &has_args, p, LLI_TPL_FILTER, f->more[1]);
        if (status == LLMINF_OK && has_args)
            return lli_tpl_call(p, LLI_RULE_ARGS, 0);
    }
    return status;
}

enum { BLOCK_BEGIN, BLOCK_TARGET, BLOCK_EXPRESSION, BLOCK_CHAIN, BLOCK_BODY };

/* What a set block and a filter block share: the chain of filters, then the body. */
static int32_t rule_block(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f, int end, int at_name)
{
    uint32_t depth = p->n_frames;
    int32_t status = LLMINF_OK;
    if (f->step == BLOCK_BODY) {
        struct lli_tpl_node *n = lli_tpl_edit(p, f->node);
        n->b = f->more[1];
        n->c = p->result;
        status = lli_tpl_advance(p);
        return status != LLMINF_OK ? status : lli_tpl_done(p, f->node);
    }
    if (f->step == BLOCK_CHAIN)
        lli_tpl_edit(p, f->more[1])->b = p->result;
    f->step = BLOCK_CHAIN;
    status = read_chain(p, f, at_name);
    if (status != LLMINF_OK || p->n_frames != depth)
        return status;
    f->step = BLOCK_BODY;
    return lli_tpl_call(p, LLI_RULE_BODY, end);
}

/* {% set a = b %}, {% set a | filters %} body {% endset %} */
static int32_t rule_set(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    int32_t status = LLMINF_OK;
    switch (f->step) {
    case BLOCK_BEGIN:
        f->step = BLOCK_TARGET;
        return lli_tpl_call(p, LLI_RULE_TUPLE, LLI_TUPLE_TARGET);
    case BLOCK_TARGET:
        f->more[0] = p->result;
        status = check_target(p, p->result, 1);
        if (status == LLMINF_OK)
            status = lli_tpl_make(&f->node, p, lli_tpl_is_op(p, '=') ? LLI_TPL_SET : LLI_TPL_BLOCK, f->at);
        if (status != LLMINF_OK)
            return status;
        lli_tpl_edit(p, f->node)->a = f->more[0];
        if (!lli_tpl_is_op(p, '='))
            return rule_block(p, f, END_SET, 0);
        f->step = BLOCK_EXPRESSION;
        status = lli_tpl_advance(p);
        return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_TUPLE, 0);
    case BLOCK_EXPRESSION:
        lli_tpl_edit(p, f->node)->b = p->result;
        return lli_tpl_done(p, f->node);
    default:
        return rule_block(p, f, END_SET, 0);
    }
}

static int32_t rule_filters(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    int begin = f->step == BLOCK_BEGIN;
    int32_t status = begin ? lli_tpl_make(&f->node, p, LLI_TPL_BLOCK, f->at) : LLMINF_OK;
    return status != LLMINF_OK ? status : rule_block(p, f, END_FILTER, begin);
}

/* {% with a = b, c = d %} body {% endwith %} */
static int32_t rule_with(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    enum { BEGIN, TARGET, VALUE, BODY };
    int32_t status = LLMINF_OK;
    uint32_t set;
    switch (f->step) {
    case BEGIN:
        status = lli_tpl_make(&f->node, p, LLI_TPL_WITH, f->at);
        break;
    case TARGET:
        status = check_target(p, p->result, 0);
        if (status == LLMINF_OK)
            status = lli_tpl_make(&set, p, LLI_TPL_SET, f->at);
        if (status != LLMINF_OK)
            return status;
        lli_tpl_edit(p, set)->a = p->result;
        lli_tpl_hang(p, f, set);
        f->step = VALUE;
        status = lli_tpl_expect_op(p, '=');
        return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_EXPR, 0);
    case VALUE:
        lli_tpl_edit(p, f->last)->b = p->result;
        if (p->now.kind != LLI_TOK_TAG_END)
            status = lli_tpl_expect_op(p, ',');
        break;
    default:
        lli_tpl_edit(p, f->node)->b = p->result;
        status = lli_tpl_advance(p);
        return status != LLMINF_OK ? status : lli_tpl_done(p, f->node);
    }
    if (status != LLMINF_OK)
        return status;
    if (p->now.kind == LLI_TOK_TAG_END) {
        f->step = BODY;
        return lli_tpl_call(p, LLI_RULE_BODY, END_WITH);
    }
    f->step = TARGET;
    return lli_tpl_call(p, LLI_RULE_PRIMARY, 0);
}

/* (a, b=c) of a macro; at the bracket. */
static int32_t rule_signature(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    int32_t status = LLMINF_OK;
    uint32_t param, name;
    if (f->step == 0) {
        status = lli_tpl_expect_op(p, '(');
    } else {
        if (f->step == 2)
            lli_tpl_edit(p, f->last)->b = p->result;
        if (!lli_tpl_is_op(p, ')'))
            status = lli_tpl_expect_op(p, ',');
    }
    while (status == LLMINF_OK && !lli_tpl_is_op(p, ')')) {
        if (f->more[1]++ == LLI_MAX_TEMPLATE_ARGUMENTS)
            return lli_tpl_fail_at(p->t, p->err, LLMINF_E_LIMIT, p->now.at, "more than %u parameters",
                                   LLI_MAX_TEMPLATE_ARGUMENTS);
        status = lli_tpl_make(&param, p, LLI_TPL_PARAM, p->now.at);
        if (status == LLMINF_OK)
            status = lli_tpl_expect_name(p, &name);
        if (status != LLMINF_OK)
            return status;
        lli_tpl_edit(p, param)->a = name;
        if (f->last)
            lli_tpl_edit(p, f->last)->next = param;
        else
            f->node = param;
        f->last = param;
        if (lli_tpl_is_op(p, '=')) {
            f->step = 2;
            f->more[0] = 1;
            status = lli_tpl_advance(p);
            return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_EXPR, 0);
        }
        if (f->more[0])
            return lli_tpl_syntax(p, "a default behind a parameter with one");
        if (!lli_tpl_is_op(p, ')'))
            status = lli_tpl_expect_op(p, ',');
    }
    if (status == LLMINF_OK)
        status = lli_tpl_advance(p);
    return status != LLMINF_OK ? status : lli_tpl_done(p, f->node);
}

/* The body of a macro is a function of its own: no loop around it counts, and its special names are its own. */
static int32_t call_macro_body(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f, int end)
{
    f->more[1] = p->n_loops;
    f->more[2] = p->uses;
    p->n_loops = 0;
    p->uses = 0;
    return lli_tpl_call(p, LLI_RULE_BODY, end);
}

static int32_t end_macro_body(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f, uint32_t macro)
{
    struct lli_tpl_node *n = lli_tpl_edit(p, macro);
    n->c = p->result;
    n->op = p->uses;
    p->n_loops = f->more[1];
    p->uses = (uint8_t)f->more[2];
    int32_t status = lli_tpl_advance(p);
    return status != LLMINF_OK ? status : lli_tpl_done(p, f->node);
}

static int32_t rule_macro(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    uint32_t name;
    int32_t status;
    switch (f->step++) {
    case 0:
        status = lli_tpl_make(&f->node, p, LLI_TPL_MACRO, f->at);
        if (status == LLMINF_OK)
            status = lli_tpl_expect_name(p, &name);
        if (status != LLMINF_OK)
            return status;
        lli_tpl_edit(p, f->node)->a = name;
        return lli_tpl_call(p, LLI_RULE_SIGNATURE, 0);
    case 1:
        lli_tpl_edit(p, f->node)->b = p->result;
        return call_macro_body(p, f, END_MACRO);
    default:
        return end_macro_body(p, f, f->node);
    }
}

/* {% call(a) m(b) %} body {% endcall %}: the body is a macro that m knows as caller. */
static int32_t rule_caller(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    static const struct lli_text caller = {"caller", 6};
    uint32_t macro = f->node ? lli_tpl_edit(p, f->node)->b : 0, name;
    int32_t status;
    switch (f->step++) {
    case 0:
        status = lli_tpl_make(&f->node, p, LLI_TPL_CALLER, f->at);
        if (status == LLMINF_OK)
            status = lli_tpl_make(&macro, p, LLI_TPL_MACRO, f->at);
        if (status == LLMINF_OK)
            status = lli_tpl_name_id(&name, p, caller);
        if (status != LLMINF_OK)
            return status;
        lli_tpl_edit(p, f->node)->b = macro;
        lli_tpl_edit(p, macro)->a = name;
        p->result = 0;
        if (lli_tpl_is_op(p, '('))
            return lli_tpl_call(p, LLI_RULE_SIGNATURE, 0);
        f->step++;
        /* fall through */
    case 1:
        lli_tpl_edit(p, macro)->b = p->result;
        f->step = 2;
        return lli_tpl_call(p, LLI_RULE_EXPR, 0);
    case 2:
        if (lli_tpl_edit(p, p->result)->kind != LLI_TPL_CALL)
            return lli_tpl_fail_at(p->t, p->err, LLMINF_E_TEMPLATE, f->at, "a call block without a call");
        lli_tpl_edit(p, f->node)->a = p->result;
        return call_macro_body(p, f, END_CALL);
    default:
        return end_macro_body(p, f, macro);
    }
}

static int32_t rule_scope(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    if (f->step++ == 0) {
        int32_t status = lli_tpl_make(&f->node, p, LLI_TPL_SCOPE, f->at);
        f->more[1] = p->n_loops;
        p->n_loops = 0;
        return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_BODY, END_SCOPE);
    }
    lli_tpl_edit(p, f->node)->a = p->result;
    p->n_loops = f->more[1];
    int32_t status = lli_tpl_advance(p);
    return status != LLMINF_OK ? status : lli_tpl_done(p, f->node);
}

/* {% print a, b %}: the same as {{ a }}{{ b }}; a body of prints. */
static int32_t rule_print(struct lli_tpl_parser *p, struct lli_tpl_rule_frame *f)
{
    int32_t status = LLMINF_OK;
    if (f->step == 0)
        status = lli_tpl_make(&f->node, p, LLI_TPL_BODY, f->at);
    else
        status = append(p, f, LLI_TPL_PRINT, f->at, p->result);
    if (status == LLMINF_OK && p->now.kind == LLI_TOK_TAG_END)
        return lli_tpl_done(p, f->node);
    if (status == LLMINF_OK && f->step == 1)
        status = lli_tpl_expect_op(p, ',');
    f->step = 1;
    return status != LLMINF_OK ? status : lli_tpl_call(p, LLI_RULE_EXPR, 0);
}

static lli_tpl_rule_fn *const rules[LLI_RULE_N] = {
    [LLI_RULE_BODY] = rule_body,
    [LLI_RULE_FOR] = rule_for,
    [LLI_RULE_IF] = rule_if,
    [LLI_RULE_SET] = rule_set,
    [LLI_RULE_WITH] = rule_with,
    [LLI_RULE_MACRO] = rule_macro,
    [LLI_RULE_CALLER] = rule_caller,
    [LLI_RULE_FILTERS] = rule_filters,
    [LLI_RULE_SCOPE] = rule_scope,
    [LLI_RULE_PRINT] = rule_print,
    [LLI_RULE_SIGNATURE] = rule_signature,
    [LLI_RULE_TUPLE] = lli_tpl_rule_tuple,
    [LLI_RULE_EXPR] = lli_tpl_rule_expr,
    [LLI_RULE_LEVEL] = lli_tpl_rule_level,
    [LLI_RULE_UNARY] = lli_tpl_rule_unary,
    [LLI_RULE_POSTFIX] = lli_tpl_rule_postfix,
    [LLI_RULE_PRIMARY] = lli_tpl_rule_primary,
    [LLI_RULE_SUBSCRIPT] = lli_tpl_rule_subscript,
    [LLI_RULE_ARGS] = lli_tpl_rule_args,
};

/* ---- the whole */

static int32_t parse(struct lli_template *t, struct llminf_error *err)
{
    struct lli_tpl_parser p = {.t = t, .err = err};
    uint32_t none;
    lli_tpl_lex_init(&p.lex, t, err);
    p.frames = lli_alloc_array(t->heap, LLI_MAX_TEMPLATE_RULES, sizeof *p.frames);
    if (!p.frames)
        return fail_memory(&p);
    int32_t status = lli_tpl_make(&none, &p, LLI_TPL_NONE, 0);
    if (status == LLMINF_OK)
        status = lli_tpl_advance(&p);
    if (status == LLMINF_OK)
        status = lli_tpl_call(&p, LLI_RULE_BODY, END_NEVER);
    while (status == LLMINF_OK && p.n_frames > 0) {
        struct lli_tpl_rule_frame *f = &p.frames[p.n_frames - 1];
        status = rules[f->rule](&p, f);
    }
    t->root = p.result;
    lli_free(t->heap, p.frames);
    return status;
}

/* A copy with \n for every line end, without the last one. */
static int32_t copy_source(struct lli_template *t, const char *source, size_t n, struct llminf_error *err)
{
    char *to = lli_arena_take(&t->arena, n + 1, 1);
    size_t len = 0;
    if (!to)
        return lli_fail_memory(err, "chat_template", n);
    for (size_t i = 0; i < n; i++) {
        if (source[i] == '\r' && i + 1 < n && source[i + 1] == '\n')
            continue;
        to[len++] = source[i] == '\r' ? '\n' : source[i];
    }
    t->source = to;
    t->n = len > 0 && to[len - 1] == '\n' ? len - 1 : len;
    return LLMINF_OK;
}

int32_t lli_template_new(struct lli_template **out, struct lli_heap *heap, const char *source, size_t n,
                         struct llminf_error *err)
{
    *out = NULL;
    if (n > LLI_MAX_TEMPLATE_BYTES)
        return lli_fail(err, LLMINF_E_LIMIT, "chat_template", "%zu bytes, want at most %u", n, LLI_MAX_TEMPLATE_BYTES);
    size_t good = lli_utf8_valid(source, n);
    if (good < n)
        return lli_fail_at(err, LLMINF_E_INVALID, (int64_t)good, "chat_template", "byte %zu begins no UTF-8 character", good);
    struct lli_template *t = lli_alloc_zero(heap, 1, sizeof *t);
    if (!t)
        return lli_fail_memory(err, "chat_template", sizeof *t);
    t->heap = heap;
    lli_arena_init(&t->arena, heap, 4096);
    lli_buffer_init(&t->nodes, heap);
    lli_buffer_init(&t->constants, heap);
    lli_buffer_init(&t->names, heap);
    int32_t status = lli_map_init(&t->by_name, heap, 64) ? lli_fail_memory(err, "chat_template", n) : LLMINF_OK;
    if (status == LLMINF_OK)
        status = copy_source(t, source, n, err);
    if (status == LLMINF_OK)
        status = parse(t, err);
    if (status == LLMINF_OK)
        *out = t;
    else
        lli_template_free(t);
    return status;
}

void lli_template_free(struct lli_template *t)
{
    if (!t)
        return;
    lli_map_finish(&t->by_name);
    lli_buffer_finish(&t->names);
    lli_buffer_finish(&t->constants);
    lli_buffer_finish(&t->nodes);
    lli_arena_finish(&t->arena);
    lli_free(t->heap, t);
}
