/* model/folder_rope.c - "rope_scaling" in older files, "rope_parameters" in newer ones, where the base is in it too, and where
 * layers with a window may have one of their own. The rules: transformers, modeling_rope_utils.py. */
#include "model/folder_rope.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/mathx.h"
#include "model/config.h"
#include "model/family.h"

#define PI 3.14159265358979323846

static uint32_t object_at(const struct lli_folder_source *s, const struct lli_json_value *v)
{
    return v && v->kind == LLI_JSON_OBJECT ? (uint32_t)(v - s->json->values) : 0;
}

static void refuse(const struct lli_folder_source *s, uint32_t at, const char *const *keys)
{
    for (; *keys; keys++)
        if (lli_folder_find(s, at, *keys))
            lli_folder_fail(s, LLMINF_E_UNSUPPORTED, *keys, "of RoPE is not known");
}

/* ---- a row for each kind ----------------------------------------------------------------------------------------- */

static double read_factor(const struct lli_folder_source *s, uint32_t at)
{
    return lli_folder_number_in(s, at, "factor", 1);
}

static void read_linear(struct lli_folder_rope *r, const struct lli_folder_source *s, uint32_t at)
{
    (void)r;
    lli_folder_put_text(s, "rope.scaling.type", "linear");
    lli_folder_put_float(s, "rope.scaling.factor", read_factor(s, at));
}

static uint32_t read_original(const struct lli_folder_source *s, uint32_t at)
{
    const char *key = "original_max_position_embeddings";
    uint32_t all = lli_folder_count(s, "max_position_embeddings", 0, LLI_MAX_CONTEXT);
    uint32_t of_root = lli_folder_count(s, key, all, LLI_MAX_CONTEXT);
    return lli_folder_count_in(s, at, key, of_root, LLI_MAX_CONTEXT);
}

/* "truncate" says whether the ends of the ramp are whole pairs. GGUF has no word for it, and its readers make them whole. */
static void read_yarn(struct lli_folder_rope *r, const struct lli_folder_source *s, uint32_t at)
{
    static const struct {
        const char *from, *to;
    } rows[] = {{"beta_fast", "rope.scaling.yarn_beta_fast"}, {"beta_slow", "rope.scaling.yarn_beta_slow"}};
    static const char *const others[] = {"mscale", "mscale_all_dim", NULL};
    const struct lli_json_value *truncate = lli_folder_find(s, at, "truncate");
    double factor = read_factor(s, at), magnitude = 1 + 0.1 * lli_log_f64(factor > 1 ? factor : 1);
    (void)r;
    refuse(s, at, others);
    if (truncate && truncate->kind != LLI_JSON_TRUE && !(s->class->traits & LLI_FOLDER_MXFP4))
        lli_folder_fail(s, LLMINF_E_UNSUPPORTED, "truncate", "of RoPE is not known here but as true");
    lli_folder_put_text(s, "rope.scaling.type", "yarn");
    lli_folder_put_float(s, "rope.scaling.factor", factor);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (lli_folder_find(s, at, rows[i].from))
            lli_folder_put_float(s, rows[i].to, lli_folder_number_in(s, at, rows[i].from, 0));
    if (lli_folder_find(s, at, "attention_factor"))
        lli_folder_put_float(s, "rope.scaling.yarn_attn_factor",
                             lli_folder_number_in(s, at, "attention_factor", magnitude) / magnitude);
    lli_folder_put_int(s, "rope.scaling.original_context_length", read_original(s, at));
}

static void read_llama3(struct lli_folder_rope *r, const struct lli_folder_source *s, uint32_t at)
{
    r->factor = read_factor(s, at);
    r->low = lli_folder_number_in(s, at, "low_freq_factor", 1);
    r->high = lli_folder_number_in(s, at, "high_freq_factor", 4);
    r->original = lli_folder_number_in(s, at, "original_max_position_embeddings", 8192);
    if (!(r->factor >= 1 && r->factor <= LLI_MAX_ROPE_FACTOR && r->low > 0 && r->high > r->low && r->original >= 1))
        lli_folder_fail(s, LLMINF_E_FORMAT, "rope_scaling", "has factors out of order");
}

/* A list of a number for each pair. */
static const struct lli_json_value *find_factors(const struct lli_folder_rope *r, const struct lli_folder_source *s,
                                                 uint32_t at, const char *key)
{
    const struct lli_json_value *v = lli_folder_find(s, at, key);
    int is_good = v && v->kind == LLI_JSON_ARRAY && v->n == r->n_pairs;
    double number;
    for (uint32_t i = 0; is_good && i < v->n; i++)
        is_good = lli_folder_to_number(&number, v + 1 + i) == 0;
    if (!is_good)
        lli_folder_fail(s, LLMINF_E_FORMAT, key, "is no list of a number for each pair that is rotated");
    return is_good ? v : NULL;
}

static void read_longrope(struct lli_folder_rope *r, const struct lli_folder_source *s, uint32_t at)
{
    static const char *const others[] = {"short_mscale", "long_mscale", NULL};
    const struct lli_family *family = lli_family_find(s->class->arch, strlen(s->class->arch));
    uint32_t original = read_original(s, at), all = lli_folder_count(s, "max_position_embeddings", 0, LLI_MAX_CONTEXT);
    double scale = (double)all / original, magnitude = 1;
    if (!family || !(family->may & LLI_ROLE(LLI_ROPE_LONG))) {
        lli_folder_fail(s, LLMINF_E_UNSUPPORTED, "rope_scaling", "is of a kind that this class does not have: longrope");
        return;
    }
    refuse(s, at, others);
    if (original < 2)
        lli_folder_fail(s, LLMINF_E_FORMAT, "original_max_position_embeddings", "is below 2");
    else if (scale > 1)
        magnitude = __builtin_sqrt(1 + lli_log_f64(scale) / lli_log_f64(original));
    r->long_factors = find_factors(r, s, at, "long_factor");
    r->short_factors = find_factors(r, s, at, "short_factor");
    lli_folder_put_text(s, "rope.scaling.type", "longrope");
    lli_folder_put_float(s, "rope.scaling.attn_factor", lli_folder_number_in(s, at, "attention_factor", magnitude));
    lli_folder_put_int(s, "rope.scaling.original_context_length", original);
}

static void read_default(struct lli_folder_rope *r, const struct lli_folder_source *s, uint32_t at)
{
    (void)r, (void)s, (void)at;
}

typedef void read_fn(struct lli_folder_rope *r, const struct lli_folder_source *s, uint32_t at);

static const struct {
    const char *name;
    read_fn *read;
} kinds[] = {{"default", read_default}, {"linear", read_linear},     {"yarn", read_yarn},
             {"llama3", read_llama3},   {"longrope", read_longrope}, {"su", read_longrope}};

static void read_scaling(struct lli_folder_rope *r, const struct lli_folder_source *s, uint32_t at)
{
    const struct lli_json_value *kind = lli_folder_find(s, at, "rope_type");
    if (!kind)
        kind = lli_folder_find(s, at, "type");
    for (size_t i = 0; kind && i < sizeof kinds / sizeof *kinds; i++)
        if (lli_folder_is_text(kind, kinds[i].name)) {
            kinds[i].read(r, s, at);
            return;
        }
    if (kind)
        lli_folder_fail(s, LLMINF_E_UNSUPPORTED, "rope_scaling",
                        "is of a kind that is not known, want default, linear, yarn, llama3 or longrope");
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

/* A number of the network, or of the scaling's object, or of the class. */
static double number_of(const struct lli_folder_source *s, uint32_t at, const char *key, double otherwise)
{
    if (at > 0 && !lli_folder_find(s, s->root, key) && lli_folder_find(s, at, key))
        return lli_folder_number_in(s, at, key, otherwise);
    return lli_folder_number(s, key, otherwise);
}

/* The base of layers with a window, where it is another. */
static void put_local_base(const struct lli_folder_source *s, uint32_t at)
{
    double base = lli_folder_number(s, "rope_local_base_freq", -1);
    if (at > 0 && !lli_folder_find(s, s->root, "rope_local_base_freq"))
        base = lli_folder_number_in(s, at, "rope_theta", base);
    if (base != -1)
        lli_folder_put_float(s, "rope.freq_base_swa", base);
}

void lli_folder_rope_read(struct lli_folder_rope *out, const struct lli_folder_source *s, uint32_t head_dim)
{
    const struct lli_family *family = lli_family_find(s->class->arch, strlen(s->class->arch));
    uint32_t at = object_at(s, lli_folder_find(s, s->root, "rope_scaling"));
    if (!family || family->rope_pairs == LLI_ROPE_UNUSED)
        return;
    if (at == 0)
        at = object_at(s, lli_folder_find(s, s->root, "rope_parameters"));
    uint32_t of_all = at ? object_at(s, lli_folder_find(s, at, "full_attention")) : 0;
    uint32_t of_windows = at ? object_at(s, lli_folder_find(s, at, "sliding_attention")) : 0;
    at = of_all > 0 ? of_all : at;
    double part = number_of(s, at, "partial_rotary_factor", 1);
    if (!(part > 0 && part <= 1)) {
        lli_folder_fail(s, LLMINF_E_FORMAT, "partial_rotary_factor", "is no part of a head, above 0 and up to 1");
        return;
    }
    out->base = number_of(s, at, "rope_theta", 10000);
    if (!(out->base >= LLI_MIN_ROPE_BASE && out->base <= LLI_MAX_ROPE_BASE)) {
        lli_folder_fail(s, LLMINF_E_LIMIT, "rope_theta", "is beyond the limits of a base");
        return;
    }
    uint32_t n_dims = (uint32_t)(head_dim * part);
    out->n_pairs = n_dims / 2;
    lli_folder_put_float(s, "rope.freq_base", out->base);
    put_local_base(s, of_windows);
    lli_folder_put_int(s, "rope.dimension_count", n_dims);
    if (at > 0)
        read_scaling(out, s, at);
}

float lli_folder_rope_factor(const struct lli_folder_rope *r, uint32_t i)
{
    double wave = 2 * PI * lli_pow_f64(r->base, (double)i / r->n_pairs), turns = r->original / wave;
    if (turns > r->high)
        return 1;
    if (turns < r->low)
        return (float)r->factor;
    double smooth = (turns - r->low) / (r->high - r->low);
    return (float)(1 / ((1 - smooth) / r->factor + smooth));
}
