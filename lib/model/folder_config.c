/* model/folder_config.c - rows say how a number is called here and there. What config.json says beyond them must be idle. */
#include "model/folder_config.h"

#include <string.h>

#include "base/error.h"
#include "base/format.h"
#include "base/limits.h"

#define SUBJECT "config.json"
#define KEY_BYTES 96

static const struct lli_folder_class classes[] = {
    {"LlamaForCausalLM", "llama", 1},
    {"MistralForCausalLM", "llama", 1},
    {"Qwen2ForCausalLM", "qwen2", 0},
    {"Qwen3ForCausalLM", "qwen3", 0},
};

const struct lli_folder_class *lli_folder_class_of(const char *arch)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(classes[i].arch, arch) == 0)
            return &classes[i];
    return NULL;
}

struct source {
    struct lli_gguf_build *b;
    const struct lli_json *json;
    const char *arch;
};

static int32_t fail(struct source *s, int32_t status, const char *key, const char *what)
{
    if (s->b->status == 0)
        s->b->status = lli_fail(s->b->err, status, SUBJECT, "\"%s\" %s", key, what);
    return s->b->status;
}

/* The member of an object; NULL if it is not there, or null. */
static const struct lli_json_value *find(const struct source *s, uint32_t object, const char *key)
{
    uint32_t i = lli_json_find(s->json, object, key, strlen(key));
    const struct lli_json_value *v = &s->json->values[i];
    return i > 0 && v->kind != LLI_JSON_NULL ? v : NULL;
}

static int is_text(const struct lli_json_value *v, const char *text)
{
    return v->kind == LLI_JSON_TEXT && strlen(text) == v->n && memcmp(v->text, text, v->n) == 0;
}

/* 0 and the number, or -1: it is none. */
static int read_number(double *out, const struct lli_json_value *v)
{
    if (v->kind == LLI_JSON_INT)
        *out = (double)v->number;
    else if (v->kind == LLI_JSON_FLOAT)
        *out = v->real;
    return v->kind == LLI_JSON_INT || v->kind == LLI_JSON_FLOAT ? 0 : -1;
}

/* The number, or `otherwise` if it is not there; a failure if it is none. */
static double number(struct source *s, uint32_t object, const char *key, double otherwise)
{
    const struct lli_json_value *v = find(s, object, key);
    double out = otherwise;
    if (v && read_number(&out, v))
        fail(s, LLMINF_E_FORMAT, key, "is no number");
    return out;
}

/* A whole number from 1 on; `otherwise` 0: it must be there. */
static uint32_t count_in(struct source *s, uint32_t object, const char *key, uint32_t otherwise)
{
    double v = number(s, object, key, otherwise);
    if (v >= 1 && v <= UINT32_MAX && v == (double)(uint32_t)v)
        return (uint32_t)v;
    fail(s, LLMINF_E_FORMAT, key, "is missing, or no whole number from 1 on");
    return 1;
}

static uint32_t count(struct source *s, const char *key, uint32_t otherwise)
{
    return count_in(s, 0, key, otherwise);
}

static void name_key(char out[KEY_BYTES], const struct source *s, const char *key)
{
    lli_format(out, KEY_BYTES, "%s.%s", s->arch, key);
}

static void put_int(struct source *s, const char *key, uint32_t value)
{
    char name[KEY_BYTES];
    name_key(name, s, key);
    lli_gguf_build_int(s->b, name, value);
}

static void put_float(struct source *s, const char *key, double value)
{
    char name[KEY_BYTES];
    name_key(name, s, key);
    lli_gguf_build_float(s->b, name, value);
}

static void put_text(struct source *s, const char *key, const char *value)
{
    char name[KEY_BYTES];
    name_key(name, s, key);
    lli_gguf_build_text(s->b, name, value, strlen(value));
}

/* ---- the class --------------------------------------------------------------------------------------------------- */

static const struct lli_folder_class *find_class(struct source *s)
{
    const struct lli_json_value *list = find(s, 0, "architectures"), *name = list ? list + 1 : NULL;
    if (!list || list->kind != LLI_JSON_ARRAY || list->n != 1 || name->kind != LLI_JSON_TEXT) {
        fail(s, LLMINF_E_FORMAT, "architectures", "is no list of one name");
        return NULL;
    }
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (is_text(name, classes[i].name))
            return &classes[i];
    if (s->b->status == 0)
        s->b->status = lli_fail(
            s->b->err, LLMINF_E_UNSUPPORTED, "architectures",
            "%s is not known, want LlamaForCausalLM, MistralForCausalLM, Qwen2ForCausalLM or Qwen3ForCausalLM", name->text);
    return NULL;
}

/* Values that would change the arithmetic, and those that do not. */
static void refuse_other_arithmetic(struct source *s)
{
    static const struct {
        const char *key, *idle[2];
    } texts[] = {{"hidden_act", {"silu", "silu"}}};
    static const char *const absent[] = {"quantization_config",  "compression_config",      "logit_scale",
                                         "embedding_multiplier", "residual_multiplier",     "attention_multiplier",
                                         "logits_scaling",       "final_logit_softcapping", "attn_logit_softcapping"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        const struct lli_json_value *v = find(s, 0, texts[i].key);
        if (v && !is_text(v, texts[i].idle[0]) && !is_text(v, texts[i].idle[1]))
            fail(s, LLMINF_E_UNSUPPORTED, texts[i].key, "has a value that is not known for this class");
    }
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        if (find(s, 0, absent[i]))
            fail(s, LLMINF_E_UNSUPPORTED, absent[i], "is not known for this class");
}

/* ---- RoPE -------------------------------------------------------------------------------------------------------- */

static void put_yarn(struct source *s, uint32_t scaling)
{
    static const struct {
        const char *from, *to;
        double otherwise;
    } rows[] = {{"beta_fast", "rope.scaling.yarn_beta_fast", 32}, {"beta_slow", "rope.scaling.yarn_beta_slow", 1}};
    static const char *const absent[] = {"attention_factor", "mscale", "mscale_all_dim", "truncate"};
    for (size_t i = 0; i < sizeof absent / sizeof *absent; i++)
        if (find(s, scaling, absent[i]))
            fail(s, LLMINF_E_UNSUPPORTED, absent[i], "of yarn is not known");
    put_text(s, "rope.scaling.type", "yarn");
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (find(s, scaling, rows[i].from))
            put_float(s, rows[i].to, number(s, scaling, rows[i].from, rows[i].otherwise));
    put_int(s, "rope.scaling.original_context_length",
            count_in(s, scaling, "original_max_position_embeddings", count(s, "max_position_embeddings", 0)));
}

/* "rope_scaling" in older files, "rope_parameters" in newer ones, where the base is in it too. */
static void read_rope(struct lli_folder_config *c, struct source *s)
{
    const struct lli_json_value *scaling = find(s, 0, "rope_scaling"), *kind = NULL;
    if (!scaling)
        scaling = find(s, 0, "rope_parameters");
    uint32_t at = scaling && scaling->kind == LLI_JSON_OBJECT ? (uint32_t)(scaling - s->json->values) : 0;
    c->rope_base = number(s, 0, "rope_theta", at ? number(s, at, "rope_theta", 10000) : 10000);
    put_float(s, "rope.freq_base", c->rope_base);
    put_int(s, "rope.dimension_count", c->head_dim);
    if (at == 0)
        return;
    if (!(kind = find(s, at, "rope_type")))
        kind = find(s, at, "type");
    double factor = number(s, at, "factor", 1);
    if (!kind || is_text(kind, "default"))
        return;
    if (is_text(kind, "linear")) {
        put_text(s, "rope.scaling.type", "linear");
        put_float(s, "rope.scaling.factor", factor);
    } else if (is_text(kind, "yarn")) {
        put_float(s, "rope.scaling.factor", factor);
        put_yarn(s, at);
    } else if (is_text(kind, "llama3")) {
        c->rope_factor = factor;
        c->rope_low = number(s, at, "low_freq_factor", 1);
        c->rope_high = number(s, at, "high_freq_factor", 4);
        c->rope_original = number(s, at, "original_max_position_embeddings", 8192);
        if (!(factor >= 1 && c->rope_low > 0 && c->rope_high > c->rope_low && c->rope_original >= 1))
            fail(s, LLMINF_E_FORMAT, "rope_scaling", "has factors out of order");
    } else {
        fail(s, LLMINF_E_UNSUPPORTED, "rope_scaling", "is of a kind that is not known, want linear, yarn or llama3");
    }
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static void put_numbers(struct lli_folder_config *c, struct source *s)
{
    const struct lli_json_value *window = find(s, 0, "sliding_window"), *tied = find(s, 0, "tie_word_embeddings");
    const struct lli_json_value *has_window = find(s, 0, "use_sliding_window"); /* Qwen's: the window alone says nothing */
    c->n_layers = count(s, "num_hidden_layers", 0);
    c->n_embd = count(s, "hidden_size", 0);
    c->n_heads = count(s, "num_attention_heads", 0);
    c->n_kv_heads = count(s, "num_key_value_heads", c->n_heads);
    c->head_dim = count(s, "head_dim", c->n_embd / c->n_heads);
    c->is_tied = tied && tied->kind == LLI_JSON_TRUE;
    put_int(s, "block_count", c->n_layers);
    put_int(s, "context_length", count(s, "max_position_embeddings", 0));
    put_int(s, "embedding_length", c->n_embd);
    put_int(s, "feed_forward_length", count(s, "intermediate_size", 0));
    put_int(s, "attention.head_count", c->n_heads);
    put_int(s, "attention.head_count_kv", c->n_kv_heads);
    put_int(s, "attention.key_length", c->head_dim);
    put_int(s, "attention.value_length", c->head_dim);
    put_float(s, "attention.layer_norm_rms_epsilon", number(s, 0, "rms_norm_eps", -1));
    put_int(s, "vocab_size", count(s, "vocab_size", 0));
    if (window && !(has_window && has_window->kind == LLI_JSON_FALSE))
        put_int(s, "attention.sliding_window", count(s, "sliding_window", 0));
}

void lli_folder_config(struct lli_folder_config *out, struct lli_gguf_build *b, const struct lli_json *config)
{
    struct source s = {.b = b, .json = config};
    *out = (struct lli_folder_config){0};
    if (config->values[0].kind != LLI_JSON_OBJECT) {
        b->status = lli_fail(b->err, LLMINF_E_FORMAT, SUBJECT, "is no object");
        return;
    }
    out->class = find_class(&s);
    if (!out->class)
        return;
    s.arch = out->class->arch;
    refuse_other_arithmetic(&s);
    lli_gguf_build_text(b, "general.architecture", s.arch, strlen(s.arch));
    put_numbers(out, &s);
    read_rope(out, &s);
}
