/* text/template_input.c - JSON to values, with a stack of what is open. All of it is the caller's. */
#include "text/template_run.h"

static int32_t leaf_from_json(struct lli_var *out, struct lli_tpl_run *r, const struct lli_json_value *v)
{
    *out = (struct lli_var){.kind = LLI_VAR_NONE};
    switch (v->kind) {
    case LLI_JSON_TRUE:
    case LLI_JSON_FALSE:
        *out = (struct lli_var){.kind = LLI_VAR_BOOL, .number = v->kind == LLI_JSON_TRUE};
        return LLMINF_OK;
    case LLI_JSON_INT:
        *out = (struct lli_var){.kind = LLI_VAR_INT, .number = v->number};
        return LLMINF_OK;
    case LLI_JSON_FLOAT:
        *out = (struct lli_var){.kind = LLI_VAR_REAL, .real = v->real};
        return LLMINF_OK;
    case LLI_JSON_BIG:
    case LLI_JSON_TEXT:
        if (v->n > LLI_MAX_TEMPLATE_STRING)
            return lli_tpl_limit(r, "a text of more than %u bytes", LLI_MAX_TEMPLATE_STRING);
        *out = lli_var_text((struct lli_text){v->text, v->n}, 0);
        out->kind = v->kind == LLI_JSON_BIG ? LLI_VAR_BIG : LLI_VAR_TEXT;
        return LLMINF_OK;
    default:
        return LLMINF_OK;
    }
}

static int32_t value_from_json(struct lli_var *out, struct lli_tpl_run *r, const struct lli_json_value *v)
{
    int32_t status;
    if (v->kind == LLI_JSON_ARRAY)
        status = lli_var_list_new(out, r, LLI_VAR_LIST, v->n);
    else if (v->kind == LLI_JSON_OBJECT)
        status = lli_var_dict_new(out, r, LLI_VAR_DICT);
    else
        return leaf_from_json(out, r, v);
    out->flags = 0;
    return status;
}

int32_t lli_tpl_from_json(struct lli_var *out, struct lli_tpl_run *r, uint32_t value)
{
    struct lli_var open[LLI_MAX_JSON_DEPTH], key, part;
    uint32_t ends[LLI_MAX_JSON_DEPTH], depth = 0, i = value;
    const struct lli_json_value *values = r->in->json->values;
    int32_t status = value_from_json(out, r, &values[i]);
    if (status == LLMINF_OK && values[i].end > i + 1) {
        open[depth] = *out;
        ends[depth++] = values[i].end;
    }
    for (i++; status == LLMINF_OK && depth > 0;) {
        if (i == ends[depth - 1]) {
            depth--;
            continue;
        }
        struct lli_var *in = &open[depth - 1];
        if (in->kind == LLI_VAR_DICT)
            status = leaf_from_json(&key, r, &values[i++]);
        if (status == LLMINF_OK)
            status = value_from_json(&part, r, &values[i]);
        if (status == LLMINF_OK)
            status =
                in->kind == LLI_VAR_DICT ? lli_var_dict_put(r, in->dict, &key, &part) : lli_var_list_add(r, in->list, &part);
        if (values[i].end > i + 1) {
            open[depth] = part;
            ends[depth++] = values[i].end;
        }
        i++;
    }
    return status;
}
