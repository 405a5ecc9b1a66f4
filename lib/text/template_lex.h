/* text/template_lex.h - a template's source as tokens: text outside tags with its white space settled, and what stands in
 * tags. */
#ifndef LLI_TEXT_TEMPLATE_LEX_H
#define LLI_TEXT_TEMPLATE_LEX_H

#include <stdint.h>

#include "base/limits.h"
#include "llminf/status.h"
#include "text/template_tree.h"

enum lli_tpl_token_kind {
    LLI_TOK_END,
    LLI_TOK_DATA,
    LLI_TOK_PRINT_BEGIN, /* {{ */
    LLI_TOK_PRINT_END,
    LLI_TOK_TAG_BEGIN, /* {% */
    LLI_TOK_TAG_END,
    LLI_TOK_NAME,
    LLI_TOK_TEXT,
    LLI_TOK_INT,
    LLI_TOK_REAL,
    LLI_TOK_OPERATOR /* op */
};

/* One character is its own number; two have the second in the next byte. */
#define LLI_OP2(a, b) ((a) | (b) << 8)

struct lli_tpl_token {
    uint8_t kind;
    uint16_t op;
    uint32_t at;
    struct lli_text text; /* DATA, NAME, TEXT (escapes resolved) */
    int64_t number;
    double real;
};

#define LLI_TPL_BRACKETS 256

struct lli_tpl_lexer {
    struct lli_template *t; /* whose arena takes what is no part of the source */
    const char *text;
    uint32_t at, n;
    uint8_t mode;    /* 0: outside, else the kind of token that began the tag */
    uint8_t pending; /* a beginning of a tag that was found behind data */
    uint32_t pending_at;
    char brackets[LLI_TPL_BRACKETS]; /* open ones, as their closing character */
    uint32_t n_brackets;
    struct llminf_error *err;
};

void lli_tpl_lex_init(struct lli_tpl_lexer *lex, struct lli_template *t, struct llminf_error *err);

/* The next token. TEMPLATE, LIMIT, MEMORY. */
int32_t lli_tpl_lex_next(struct lli_tpl_token *out, struct lli_tpl_lexer *lex);

/* TEMPLATE (or LIMIT) at a byte of the source, with its line in the text. */
int32_t lli_tpl_fail_at(const struct lli_template *t, struct llminf_error *err, int32_t status, size_t at, const char *format,
                        ...) __attribute__((format(printf, 5, 6)));

#endif
