/* model/folder_config.c - what config.json says beyond the numbers that are read must be idle. Numbers that sizes follow from
 * are held against the limits before they are used. */
#include "model/folder_config.h"

#include <string.h>

#include "base/error.h"
#include "base/format.h"
#include "base/limits.h"
#include "model/family.h"
#include "model/folder_source.h"

#define SUBJECT "config.json"
#define MAX_WINDOW (1u << 30)

/* ---- the class --------------------------------------------------------------------------------------------------- */

static const struct lli_folder_class *find_class(const struct lli_folder_source *s)
{
    const struct lli_json_value *list = lli_folder_find(s, 0, "architectures"), *name = list ? list + 1 : NULL;
    char names[300];
    if (!list || list->kind != LLI_JSON_ARRAY || list->n != 1 || name->kind != LLI_JSON_TEXT) {
        lli_folder_fail(s, LLMINF_E_FORMAT, "architectures", "is no list of one name");
        return NULL;
    }
    const struct lli_folder_class *class = lli_folder_class_find(name->text, name->n);
    if (class || s->b->status)
        return class;
    lli_folder_class_names(names, sizeof names);
    s->b->status = lli_fail(s->b->err, LLMINF_E_UNSUPPORTED, "architectures", "%.*s is not known, want one of %s",
                            (int)(name->n < 40 ? name->n : 40), name->text, names);
    return NULL;
}

/* The part of config.json that has the network. */
static uint32_t find_root(const struct lli_folder_source *s)
{
    const struct lli_json_value *v = s->class->inner ? lli_folder_find(s, 0, s->class->inner) : s->json->values;
    if (v && v->kind == LLI_JSON_OBJECT)
        return (uint32_t)(v - s->json->values);
    lli_folder_fail(s, LLMINF_E_FORMAT, s->class->inner, "is no object");
    return 0;
}

/* ---- what would change the arithmetic ---------------------------------------------------------------------------- */

#define NEVER (-1e300)

/* Numbers and yes (1) or no (0); an empty list is none. */
static int is_idle(const struct lli_json_value *v, double idle)
{
    double number = NEVER;
    if (v->kind == LLI_JSON_ARRAY || v->kind == LLI_JSON_OBJECT)
        return v->n == 0 && idle != NEVER;
    if (v->kind == LLI_JSON_TRUE || v->kind == LLI_JSON_FALSE)
        number = v->kind == LLI_JSON_TRUE;
    else if (lli_folder_to_number(&number, v))
        return 0;
    return number == idle && idle != NEVER;
}

static void refuse_numbers(const struct lli_folder_source *s)
{
    static const struct {
        const char *key;
        double idle;
    } rows[] = {
        {"compression_config", NEVER},
        {"logit_scale", 1},
        {"embedding_multiplier", 1},
        {"residual_multiplier", 1},
        {"attention_multiplier", NEVER},
        {"logits_scaling", 1},
        {"final_logit_softcapping", 0},
        {"attn_logit_softcapping", 0},
        {"clip_qkv", NEVER},
        {"swiglu_limit", 7},
        {"alibi", 0},
        {"parallel_attn", 1},
        {"apply_residual_connection_post_layernorm", 0},
        {"scale_attn_weights", 1},
        {"scale_attn_by_inverse_layer_idx", 0},
        {"decoder_sparse_step", 1},
        {"mlp_only_layers", 0},
        {"use_bidirectional_attention", 0},
        {"is_encoder_decoder", 0},
        {"add_cross_attention", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct lli_json_value *v = lli_folder_find(s, s->root, rows[i].key);
        if (v && !lli_folder_class_reads(s->class, rows[i].key) && !is_idle(v, rows[i].idle))
            lli_folder_fail(s, LLMINF_E_UNSUPPORTED, rows[i].key, "has a value that is not known for this class");
    }
}

/* GELU is what its tanh form was called in the first models that had it. */
static void refuse_activations(const struct lli_folder_source *s, const struct lli_family *family)
{
    static const char *const keys[] = {"hidden_act", "hidden_activation", "activation_function", "activation"};
    static const char *const names[][3] = {[LLI_SILU] = {"silu", "swish"},
                                           [LLI_GELU_TANH] = {"gelu_new", "gelu_pytorch_tanh", "gelu_fast"},
                                           [LLI_GELU_ERF] = {"gelu"},
                                           [LLI_SILU_CLAMPED] = {"silu", "swish"}};
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        const struct lli_json_value *v = lli_folder_find(s, s->root, keys[i]);
        int is_known = !v || (i == 0 && s->class->traits & LLI_FOLDER_OLD_ACT && lli_folder_is_text(v, "gelu"));
        for (size_t k = 0; k < 3 && names[family->activation][k] && !is_known; k++)
            is_known = lli_folder_is_text(v, names[family->activation][k]);
        if (!is_known)
            lli_folder_fail(s, LLMINF_E_UNSUPPORTED, keys[i], "has a value that is not known for this class");
    }
}

static void refuse_quantised(const struct lli_folder_source *s)
{
    const struct lli_json_value *v = lli_folder_find(s, 0, "quantization_config");
    const struct lli_json_value *method =
        v && v->kind == LLI_JSON_OBJECT ? lli_folder_find(s, (uint32_t)(v - s->json->values), "quant_method") : NULL;
    if (v && !(s->class->traits & LLI_FOLDER_MXFP4 && method && lli_folder_is_text(method, "mxfp4")))
        lli_folder_fail(s, LLMINF_E_UNSUPPORTED, "quantization_config",
                        "is there: want a folder in F32, F16 or BF16 (gpt-oss: MXFP4 too), or a GGUF file");
}

/* What scores are divided by: the library takes the family's habit. */
static void check_score_scale(const struct lli_folder_source *s, const struct lli_family *family,
                              const struct lli_folder_config *c)
{
    uint32_t want = family->wide_at == c->n_layers ? c->n_embd / c->n_heads : c->head_dim;
    if (lli_folder_number(s, "query_pre_attn_scalar", want) != (double)want)
        lli_folder_fail(s, LLMINF_E_UNSUPPORTED, "query_pre_attn_scalar", "is not the size of a head");
}

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static void read_heads(struct lli_folder_config *c, const struct lli_folder_source *s)
{
    uint32_t n_embd = c->n_embd;
    c->n_heads = lli_folder_count(s, "num_attention_heads", 0, LLI_MAX_HEADS);
    c->n_kv_heads = lli_folder_count(s, "num_key_value_heads", c->n_heads, LLI_MAX_HEADS);
    if (s->class->traits & LLI_FOLDER_ONE_KV_HEAD && !lli_folder_flag(s, "new_decoder_architecture", 0))
        c->n_kv_heads = lli_folder_flag(s, "multi_query", 1) ? 1 : c->n_heads;
    c->head_dim = lli_folder_count(s, "head_dim", n_embd >= c->n_heads ? n_embd / c->n_heads : 1, LLI_MAX_HEAD_DIM);
    if (c->n_heads % c->n_kv_heads)
        lli_folder_fail(s, LLMINF_E_FORMAT, "num_key_value_heads", "is no divisor of the number of heads");
    lli_folder_put_int(s, "attention.head_count", c->n_heads);
    lli_folder_put_int(s, "attention.head_count_kv", c->n_kv_heads);
    lli_folder_put_int(s, "attention.key_length", c->head_dim);
    lli_folder_put_int(s, "attention.value_length", c->head_dim);
}

static void read_sizes(struct lli_folder_config *c, const struct lli_folder_source *s, const struct lli_family *family)
{
    int is_rms = family->norm == LLI_NORM_RMS;
    uint32_t wide = s->class->traits & LLI_FOLDER_WIDE_FF ? 4 : 0, length;
    c->n_layers = lli_folder_count(s, "num_hidden_layers", 0, LLI_MAX_LAYERS);
    c->n_embd = lli_folder_count(s, "hidden_size", 0, LLI_MAX_EMBEDDING);
    length = lli_folder_count(s, "max_position_embeddings", 0, LLI_MAX_CONTEXT);
    if (s->class->traits & LLI_FOLDER_MAX_LENGTH)
        length = lli_folder_count(s, "model_max_length", length, LLI_MAX_CONTEXT);
    lli_folder_put_int(s, "block_count", c->n_layers);
    lli_folder_put_int(s, "context_length", length);
    lli_folder_put_int(s, "embedding_length", c->n_embd);
    lli_folder_put_int(s, "feed_forward_length",
                       lli_folder_count(s, "intermediate_size", wide * c->n_embd, LLI_MAX_FEED_FORWARD));
    lli_folder_put_int(s, "vocab_size", lli_folder_count(s, "vocab_size", 0, LLI_MAX_TOKENS));
    lli_folder_put_float(s, is_rms ? "attention.layer_norm_rms_epsilon" : "attention.layer_norm_epsilon",
                         lli_folder_number(s, is_rms ? "rms_norm_eps" : "layer_norm_epsilon", -1));
    read_heads(c, s);
}

/* What only this class has; left out where neither the file nor the class has it. */
static void read_figures(struct lli_folder_config *c, const struct lli_folder_source *s)
{
    for (const struct lli_folder_figure *f = s->class->figures; f && f->from; f++) {
        int is_there = lli_folder_member(s, s->root, f->from) || lli_folder_class_default(s->class, f->from, -1) != -1;
        if (is_there && f->kind == LLI_FIGURE_COUNT)
            lli_folder_put_int(s, f->to, lli_folder_count(s, f->from, 0, LLI_MAX_FEED_FORWARD));
        else if (is_there && f->kind == LLI_FIGURE_FLOAT)
            lli_folder_put_float(s, f->to, lli_folder_number(s, f->from, 0));
        else if (is_there)
            lli_folder_put_flag(s, f->to, lli_folder_flag(s, f->from, 0));
    }
    if (lli_folder_class_reads(s->class, "num_experts"))
        c->n_experts = lli_folder_count(s, "num_experts", 0, LLI_MAX_EXPERTS);
}

/* ---- windows ----------------------------------------------------------------------------------------------------- */

/* "layer_types": -1 without it, else the number of layers with a window, and flags of them. */
static int64_t read_layer_types(uint8_t flags[LLI_MAX_LAYERS], const struct lli_folder_config *c,
                                const struct lli_folder_source *s)
{
    const struct lli_json_value *list = lli_folder_find(s, s->root, "layer_types");
    int64_t n = 0;
    if (!list)
        return -1;
    if (list->kind != LLI_JSON_ARRAY || list->n != c->n_layers) {
        lli_folder_fail(s, LLMINF_E_FORMAT, "layer_types", "is no list of a text for each layer");
        return -1;
    }
    uint32_t at = (uint32_t)(list - s->json->values) + 1;
    for (uint32_t i = 0; i < c->n_layers; i++, at = lli_json_next(s->json, at)) {
        flags[i] = (uint8_t)lli_folder_is_text(&s->json->values[at], "sliding_attention");
        n += flags[i];
        if (!flags[i] && !lli_folder_is_text(&s->json->values[at], "full_attention"))
            lli_folder_fail(s, LLMINF_E_UNSUPPORTED, "layer_types",
                            "has one that is not known, want full_attention or sliding_attention");
    }
    return n;
}

/* Which layers have a window is the family's habit, if the file does not say. */
static void read_windows(const struct lli_folder_config *c, const struct lli_folder_source *s, const struct lli_family *family)
{
    uint8_t flags[LLI_MAX_LAYERS];
    int64_t n_local = read_layer_types(flags, c, s);
    int has_window = lli_folder_number(s, "sliding_window", -1) != -1 && lli_folder_flag(s, "use_sliding_window", 1);
    if (n_local > 0 && !has_window)
        lli_folder_fail(s, LLMINF_E_FORMAT, "layer_types", "has layers with a window, and there is no sliding_window");
    if (n_local == 0 || !has_window) {
        if (family->traits & LLI_WINDOWS)
            lli_folder_put_int(s, "attention.sliding_window", 0); /* not that of the family */
        return;
    }
    lli_folder_put_int(s, "attention.sliding_window", lli_folder_count(s, "sliding_window", 0, MAX_WINDOW));
    if (!(family->traits & LLI_WINDOWS))
        return;
    if (n_local > 0)
        lli_folder_put_flags(s, "attention.sliding_window_pattern", flags, c->n_layers);
    else if (lli_folder_find(s, s->root, "sliding_window_pattern"))
        lli_folder_put_int(s, "attention.sliding_window_pattern",
                           lli_folder_count(s, "sliding_window_pattern", 0, LLI_MAX_LAYERS));
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static int is_tied(const struct lli_folder_source *s)
{
    struct lli_folder_source outer = *s;
    outer.root = 0;
    return lli_folder_find(s, s->root, "tie_word_embeddings") ? lli_folder_flag(s, "tie_word_embeddings", 0)
                                                              : lli_folder_flag(&outer, "tie_word_embeddings", 0);
}

void lli_folder_config(struct lli_folder_config *out, struct lli_gguf_build *b, const struct lli_json *config)
{
    struct lli_folder_source s = {.b = b, .json = config};
    *out = (struct lli_folder_config){0};
    if (config->values[0].kind != LLI_JSON_OBJECT) {
        b->status = lli_fail(b->err, LLMINF_E_FORMAT, SUBJECT, "is no object");
        return;
    }
    out->class = s.class = find_class(&s);
    if (!s.class)
        return;
    const struct lli_family *family = lli_family_find(s.class->arch, strlen(s.class->arch));
    s.root = find_root(&s);
    refuse_numbers(&s);
    refuse_activations(&s, family);
    refuse_quantised(&s);
    lli_gguf_build_text(b, "general.architecture", s.class->arch, strlen(s.class->arch));
    read_sizes(out, &s, family);
    check_score_scale(&s, family, out);
    read_figures(out, &s);
    if (b->status)
        return;
    read_windows(out, &s, family);
    lli_folder_rope_read(&out->rope, &s, out->head_dim);
    out->is_tied = is_tied(&s);
}
