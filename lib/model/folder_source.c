#include "model/folder_source.h"

#include <string.h>

#include "base/error.h"
#include "base/format.h"

#define KEY_BYTES 96

/* Names of the same number, in the order in which they are looked for. */
static const struct {
    const char *name, *others[3];
} aliases[] = {
    {"num_hidden_layers", {"n_layer"}},
    {"hidden_size", {"n_embd", "n_embed"}},
    {"num_attention_heads", {"n_head"}},
    {"num_key_value_heads", {"num_kv_heads", "n_head_kv"}},
    {"intermediate_size", {"n_inner", "ffn_hidden_size"}},
    {"max_position_embeddings", {"n_positions", "n_ctx", "seq_length"}},
    {"layer_norm_epsilon", {"layer_norm_eps", "norm_epsilon", "norm_eps"}},
    {"num_experts", {"num_local_experts"}},
    {"num_experts_per_tok", {"experts_per_token"}},
    {"partial_rotary_factor", {"rotary_pct", "rope_pct"}},
    {"rope_theta", {"rotary_emb_base"}},
    {"sliding_window_pattern", {"_sliding_window_pattern"}},
};

int32_t lli_folder_fail(const struct lli_folder_source *s, int32_t status, const char *key, const char *what)
{
    if (s->b->status == 0)
        s->b->status = lli_fail(s->b->err, status, "config.json", "\"%s\" %s", key, what);
    return s->b->status;
}

const struct lli_json_value *lli_folder_member(const struct lli_folder_source *s, uint32_t object, const char *key)
{
    uint32_t i = lli_json_find(s->json, object, key, strlen(key));
    for (size_t a = 0; a < sizeof aliases / sizeof *aliases && i == 0; a++)
        for (size_t k = 0; strcmp(aliases[a].name, key) == 0 && k < 3 && aliases[a].others[k] && i == 0; k++)
            i = lli_json_find(s->json, object, aliases[a].others[k], strlen(aliases[a].others[k]));
    return i > 0 ? &s->json->values[i] : NULL;
}

const struct lli_json_value *lli_folder_find(const struct lli_folder_source *s, uint32_t object, const char *key)
{
    const struct lli_json_value *v = lli_folder_member(s, object, key);
    return v && v->kind != LLI_JSON_NULL ? v : NULL;
}

int lli_folder_is_text(const struct lli_json_value *v, const char *text)
{
    return v->kind == LLI_JSON_TEXT && strlen(text) == v->n && memcmp(v->text, text, v->n) == 0;
}

int lli_folder_to_number(double *out, const struct lli_json_value *v)
{
    if (v->kind == LLI_JSON_INT)
        *out = (double)v->number;
    else if (v->kind == LLI_JSON_FLOAT)
        *out = v->real;
    return v->kind == LLI_JSON_INT || v->kind == LLI_JSON_FLOAT ? 0 : -1;
}

double lli_folder_number_in(const struct lli_folder_source *s, uint32_t object, const char *key, double otherwise)
{
    const struct lli_json_value *v = lli_folder_find(s, object, key);
    double out = otherwise;
    if (v && lli_folder_to_number(&out, v))
        lli_folder_fail(s, LLMINF_E_FORMAT, key, "is no number");
    return out;
}

double lli_folder_number(const struct lli_folder_source *s, const char *key, double otherwise)
{
    if (!lli_folder_member(s, s->root, key))
        return lli_folder_class_default(s->class, key, otherwise);
    return lli_folder_number_in(s, s->root, key, otherwise);
}

int lli_folder_flag(const struct lli_folder_source *s, const char *key, int otherwise)
{
    const struct lli_json_value *v = lli_folder_member(s, s->root, key);
    if (!v)
        return lli_folder_class_default(s->class, key, otherwise) != 0;
    if (v->kind == LLI_JSON_TRUE || v->kind == LLI_JSON_FALSE)
        return v->kind == LLI_JSON_TRUE;
    if (v->kind != LLI_JSON_NULL)
        lli_folder_fail(s, LLMINF_E_FORMAT, key, "is neither true nor false");
    return otherwise;
}

static uint32_t check_count(const struct lli_folder_source *s, const char *key, double v, uint32_t limit)
{
    if (v >= 1 && v <= limit && v == (double)(uint32_t)v)
        return (uint32_t)v;
    if (v > limit && v <= UINT32_MAX)
        lli_folder_fail(s, LLMINF_E_LIMIT, key, "is above the limit");
    else
        lli_folder_fail(s, LLMINF_E_FORMAT, key, "is missing, or no whole number from 1 on");
    return 1;
}

uint32_t lli_folder_count(const struct lli_folder_source *s, const char *key, uint32_t otherwise, uint32_t limit)
{
    return check_count(s, key, lli_folder_number(s, key, otherwise), limit);
}

uint32_t lli_folder_count_in(const struct lli_folder_source *s, uint32_t object, const char *key, uint32_t otherwise,
                             uint32_t limit)
{
    return check_count(s, key, lli_folder_number_in(s, object, key, otherwise), limit);
}

/* ---- what goes out ----------------------------------------------------------------------------------------------- */

static void name_key(char out[KEY_BYTES], const struct lli_folder_source *s, const char *key)
{
    lli_format(out, KEY_BYTES, "%s.%s", s->class->arch, key);
}

void lli_folder_put_int(const struct lli_folder_source *s, const char *key, uint32_t value)
{
    char name[KEY_BYTES];
    name_key(name, s, key);
    lli_gguf_build_int(s->b, name, value);
}

void lli_folder_put_float(const struct lli_folder_source *s, const char *key, double value)
{
    char name[KEY_BYTES];
    name_key(name, s, key);
    lli_gguf_build_float(s->b, name, value);
}

void lli_folder_put_flag(const struct lli_folder_source *s, const char *key, int value)
{
    char name[KEY_BYTES];
    name_key(name, s, key);
    lli_gguf_build_bool(s->b, name, value);
}

void lli_folder_put_flags(const struct lli_folder_source *s, const char *key, const uint8_t *values, size_t n)
{
    char name[KEY_BYTES];
    name_key(name, s, key);
    lli_gguf_build_bools(s->b, name, values, n);
}

void lli_folder_put_text(const struct lli_folder_source *s, const char *key, const char *value)
{
    char name[KEY_BYTES];
    name_key(name, s, key);
    lli_gguf_build_text(s->b, name, value, strlen(value));
}
