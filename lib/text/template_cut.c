/* text/template_cut.c - methods that cut texts and put them together, as Python's str has them. */
#include "text/template_text.h"

#include <string.h>

#include "base/casing.h"
#include "base/utf8.h"

/* Pieces of the text between white space. from_end: the limit counts from the end. */
static int32_t split_blanks(struct lli_var_list *list, struct lli_tpl_run *r, const struct lli_var *text, int64_t limit)
{
    size_t i = 0;
    int32_t status = LLMINF_OK;
    while (status == LLMINF_OK) {
        uint32_t code;
        size_t n;
        while (i < text->len && (n = lli_tpl_read_code(&code, text, i)) > 0 && lli_casing_is_space(code))
            i += n;
        if (i == text->len)
            break;
        size_t from = i;
        if (limit >= 0 && list->n == (uint64_t)limit) { /* the rest as it is */
            struct lli_var rest = lli_var_part(text, from, text->len - from);
            return lli_var_list_add(r, list, &rest);
        }
        while (i < text->len && (n = lli_tpl_read_code(&code, text, i)) > 0 && !lli_casing_is_space(code))
            i += n;
        struct lli_var part = lli_var_part(text, from, i - from);
        status = lli_var_list_add(r, list, &part);
    }
    return status;
}

/* The same from the end, the last piece first. */
static int32_t rsplit_blanks(struct lli_var_list *list, struct lli_tpl_run *r, const struct lli_var *text, int64_t limit)
{
    struct lli_var rest = *text, part;
    int32_t status = LLMINF_OK;
    while (status == LLMINF_OK) {
        status = lli_tpl_text_strip(&rest, r, &rest, NULL, LLI_STRIP_RIGHT);
        if (status != LLMINF_OK || rest.len == 0)
            return status;
        if (limit >= 0 && list->n == (uint64_t)limit)
            return lli_var_list_add(r, list, &rest);
        size_t i = rest.len;
        while (i > 0) {
            size_t k = i - 1;
            uint32_t code;
            while (k > 0 && ((uint8_t)rest.text[k] & 0xC0) == 0x80)
                k--;
            lli_tpl_read_code(&code, &rest, k);
            if (lli_casing_is_space(code))
                break;
            i = k;
        }
        part = lli_var_part(&rest, i, rest.len - i);
        status = lli_var_list_add(r, list, &part);
        rest = lli_var_part(&rest, 0, i);
    }
    return status;
}

static int32_t split_by(struct lli_var_list *list, struct lli_tpl_run *r, const struct lli_var *text, const struct lli_var *by,
                        int64_t limit, int from_end)
{
    struct lli_var rest = *text, part;
    int32_t status = LLMINF_OK;
    while (status == LLMINF_OK && (limit < 0 || list->n < (uint64_t)limit)) {
        size_t at = lli_tpl_find_bytes(&rest, by, from_end), behind = at + by->len;
        if (at == SIZE_MAX)
            break;
        part = from_end ? lli_var_part(&rest, behind, rest.len - behind) : lli_var_part(&rest, 0, at);
        rest = from_end ? lli_var_part(&rest, 0, at) : lli_var_part(&rest, behind, rest.len - behind);
        status = lli_var_list_add(r, list, &part);
    }
    return status == LLMINF_OK ? lli_var_list_add(r, list, &rest) : status;
}

static void turn_round(struct lli_var_list *list)
{
    for (uint32_t i = 0; i < list->n / 2; i++) {
        struct lli_var v = list->items[i];
        list->items[i] = list->items[list->n - 1 - i];
        list->items[list->n - 1 - i] = v;
    }
}

static int32_t split(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c, int from_end)
{
    const struct lli_var *by = &c->arg[0];
    int64_t limit;
    int blanks = by->kind == LLI_VAR_ABSENT || by->kind == LLI_VAR_NONE;
    int32_t status = lli_tpl_int_arg(&limit, r, &c->arg[1], -1);
    if (status == LLMINF_OK && !blanks)
        status = lli_tpl_want_text(r, by);
    if (status == LLMINF_OK && !blanks && by->len == 0)
        status = lli_tpl_fail(r, "split by an empty text");
    if (status == LLMINF_OK)
        status = lli_tpl_charge_bytes(r, c->in->len * (from_end && !blanks ? 1 + (size_t)by->len / 16 : 1));
    if (status == LLMINF_OK)
        status = lli_var_list_new(out, r, LLI_VAR_LIST, 0);
    if (status != LLMINF_OK)
        return status;
    if (!blanks)
        status = split_by(out->list, r, c->in, by, limit, from_end);
    else if (from_end)
        status = rsplit_blanks(out->list, r, c->in, limit);
    else
        status = split_blanks(out->list, r, c->in, limit);
    if (from_end)
        turn_round(out->list);
    return status == LLMINF_OK ? lli_tpl_charge(r, out->list->n) : status;
}

int32_t lli_tpl_method_split(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return split(out, r, c, 0);
}

int32_t lli_tpl_method_rsplit(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return split(out, r, c, 1);
}

static int32_t partition(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c, int from_end)
{
    const struct lli_var *by = &c->arg[0];
    int32_t status = lli_tpl_want_text(r, by);
    if (status == LLMINF_OK && by->len == 0)
        status = lli_tpl_fail(r, "partition by an empty text");
    if (status == LLMINF_OK)
        status = lli_var_list_new(out, r, LLI_VAR_TUPLE, 3);
    if (status != LLMINF_OK)
        return status;
    size_t at = lli_tpl_find_bytes(c->in, by, from_end);
    struct lli_var empty = lli_var_ours(""), *items = out->list->items;
    out->list->n = 3;
    items[0] = items[1] = items[2] = empty;
    if (at == SIZE_MAX) {
        items[from_end ? 2 : 0] = *c->in;
    } else {
        items[0] = lli_var_part(c->in, 0, at);
        items[1] = *by;
        items[2] = lli_var_part(c->in, at + by->len, c->in->len - at - by->len);
    }
    return lli_tpl_charge_bytes(r, c->in->len);
}

int32_t lli_tpl_method_partition(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return partition(out, r, c, 0);
}

int32_t lli_tpl_method_rpartition(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return partition(out, r, c, 1);
}

int32_t lli_tpl_text_lines(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *text, int keep_ends)
{
    int32_t status = lli_var_list_new(out, r, LLI_VAR_LIST, 0);
    size_t from = 0;
    for (size_t i = 0, n; status == LLMINF_OK && i < text->len; i += n) {
        uint32_t code = 0;
        n = lli_tpl_read_code(&code, text, i);
        if (!(code >= '\n' && code <= '\r') && !(code >= 0x1C && code <= 0x1E) && code != 0x85 && code != 0x2028 &&
            code != 0x2029)
            continue;
        n += code == '\r' && i + 1 < text->len && text->text[i + 1] == '\n';
        struct lli_var line = lli_var_part(text, from, (keep_ends ? i + n : i) - from);
        status = lli_var_list_add(r, out->list, &line);
        from = i + n;
    }
    struct lli_var rest = lli_var_part(text, from, text->len - from);
    if (status == LLMINF_OK && rest.len > 0)
        status = lli_var_list_add(r, out->list, &rest);
    return status == LLMINF_OK ? lli_tpl_charge(r, out->list->n + text->len / 64) : status;
}

int32_t lli_tpl_method_splitlines(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    return lli_tpl_text_lines(out, r, c->in, lli_var_truth(&c->arg[0]));
}

int32_t lli_tpl_method_join(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    struct lli_var from = c->arg[0];
    struct lli_var_list *list;
    size_t mark = lli_tpl_mark(r);
    int32_t status = lli_var_iterate(&list, r, &from);
    for (uint32_t i = 0; status == LLMINF_OK && i < list->n; i++) {
        status = lli_tpl_want_text(r, &list->items[i]);
        if (status == LLMINF_OK && i > 0)
            status = lli_tpl_put_text(r, c->in);
        if (status == LLMINF_OK)
            status = lli_tpl_put_text(r, &list->items[i]);
    }
    return status == LLMINF_OK ? lli_tpl_cut(out, r, mark) : status;
}

int32_t lli_tpl_text_replace(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *text, const struct lli_var *from,
                             const struct lli_var *to, int64_t count)
{
    size_t mark = lli_tpl_mark(r);
    struct lli_var rest = *text, part;
    int32_t status = LLMINF_OK;
    for (int64_t i = 0; status == LLMINF_OK && (count < 0 || i < count); i++) {
        size_t at = lli_tpl_find_bytes(&rest, from, 0), n = from->len;
        if (at == SIZE_MAX)
            break;
        part = lli_var_part(&rest, 0, at);
        if (from->len == 0 && i > 0) { /* between all characters */
            uint32_t code;
            if (rest.len == 0)
                break;
            n = lli_tpl_read_code(&code, &rest, 0);
            part = lli_var_part(&rest, 0, n);
        }
        status = lli_tpl_charge(r, i % 4 == 0);
        if (status == LLMINF_OK)
            status = lli_tpl_put_text(r, &part);
        if (status == LLMINF_OK)
            status = lli_tpl_put_text(r, to);
        rest = lli_var_part(&rest, at + n, rest.len - at - n);
    }
    if (status == LLMINF_OK)
        status = lli_tpl_put_text(r, &rest);
    if (status == LLMINF_OK)
        status = lli_tpl_charge_bytes(r, text->len);
    return status == LLMINF_OK ? lli_tpl_cut(out, r, mark) : status;
}

int32_t lli_tpl_method_replace(struct lli_var *out, struct lli_tpl_run *r, const struct lli_tpl_call *c)
{
    int64_t count;
    int32_t status = lli_tpl_int_arg(&count, r, &c->arg[2], -1);
    if (status == LLMINF_OK)
        status = lli_tpl_want_text(r, &c->arg[0]);
    if (status == LLMINF_OK)
        status = lli_tpl_want_text(r, &c->arg[1]);
    return status == LLMINF_OK ? lli_tpl_text_replace(out, r, c->in, &c->arg[0], &c->arg[1], count) : status;
}
