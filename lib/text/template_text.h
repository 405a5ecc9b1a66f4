/* text/template_text.h - what methods and filters of texts share. */
#ifndef LLI_TEXT_TEMPLATE_TEXT_H
#define LLI_TEXT_TEMPLATE_TEXT_H

#include "base/utf8.h"
#include "text/template_run.h"

/* The character at byte i. */
static inline size_t lli_tpl_read_code(uint32_t *code, const struct lli_var *text, size_t i)
{
    size_t n = lli_utf8_read(code, text->text + i, text->len - i);
    return n > 0 ? n : 1;
}

int32_t lli_tpl_want_text(struct lli_tpl_run *r, const struct lli_var *v); /* TEMPLATE if it is none */

/* Byte of the first or last place; SIZE_MAX: none. */
size_t lli_tpl_find_bytes(const struct lli_var *text, const struct lli_var *what, int from_end);

enum lli_tpl_case {
    LLI_CASE_UPPER,
    LLI_CASE_LOWER,
    LLI_CASE_SWAP,
    LLI_CASE_CAPITALIZE, /* the first character alone is a capital */
    LLI_CASE_TITLE,      /* the first letter of each run of letters, as str.title */
    LLI_CASE_WORDS       /* the first character of each word, as the filter title */
};
int32_t lli_tpl_text_case(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *text, int how);

/* chars: NULL for white space. */
enum { LLI_STRIP_LEFT = 1, LLI_STRIP_RIGHT = 2 };
int32_t lli_tpl_text_strip(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *text, const struct lli_var *chars,
                           int sides);

/* count < 0: all. */
int32_t lli_tpl_text_replace(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *text, const struct lli_var *from,
                             const struct lli_var *to, int64_t count);

int32_t lli_tpl_text_lines(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *text, int keep_ends);
int32_t lli_tpl_text_center(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *text, int64_t width);

/* template_cut.c */
int32_t lli_tpl_method_split(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c);
int32_t lli_tpl_method_rsplit(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c);
int32_t lli_tpl_method_partition(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c);
int32_t lli_tpl_method_rpartition(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c);
int32_t lli_tpl_method_splitlines(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c);
int32_t lli_tpl_method_join(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c);
int32_t lli_tpl_method_replace(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c);

/* str.format; template_format.c. */
int32_t lli_tpl_text_format(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *call);

#endif
