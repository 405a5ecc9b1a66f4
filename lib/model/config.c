/* model/config.c - every key is a row of a table with its range. Keys that would change the arithmetic in a way that is not
 * done here are known too: they must say that nothing changes. */
#include "model/config.h"

#include <string.h>

#include "base/error.h"
#include "base/format.h"
#include "base/limits.h"
#include "model/family.h"

#define KEY_BYTES 128

/* What the readers share. */
struct source {
    const struct lli_gguf *g;
    const struct lli_family *family;
    struct llminf_error *err;
    uint32_t n_layers; /* elements of a per-layer array */
};

struct int_row {
    const char *key;    /* behind the architecture */
    uint32_t low, high; /* below is FORMAT, above LIMIT */
    int64_t otherwise;  /* where absent; -1: the key is needed */
    int per_layer;      /* an array of one value per layer will do, if they are equal */
};

struct float_row {
    const char *key;
    double low, high;
    double otherwise; /* where absent; negative: the key is needed */
    int32_t over;     /* status above `high` (infinity is FORMAT always) */
};

static void name_key(char out[KEY_BYTES], const struct source *s, const char *key)
{
    lli_format(out, KEY_BYTES, "%s.%s", s->family->name, key);
}

static const struct lli_gguf_entry *find(char key_out[KEY_BYTES], const struct source *s, const char *key)
{
    name_key(key_out, s, key);
    return lli_gguf_find(s->g, key_out);
}

static int32_t check_int(uint32_t *out, const struct source *s, const struct int_row *row, const char *key, int64_t v)
{
    if (v < (int64_t)row->low)
        return lli_fail(s->err, LLMINF_E_FORMAT, key, "%lld, want %u to %u", (long long)v, row->low, row->high);
    if (v > (int64_t)row->high)
        return lli_fail(s->err, LLMINF_E_LIMIT, key, "%lld, the limit is %u", (long long)v, row->high);
    *out = (uint32_t)v;
    return 0;
}

static int32_t read_per_layer(uint32_t *out, const struct source *s, const struct int_row *row, const char *key,
                              const struct lli_gguf_entry *e)
{
    uint32_t first = 0, v = 0;
    if (e->n != s->n_layers)
        return lli_fail(s->err, LLMINF_E_FORMAT, key, "%llu values, want one for each of %u layers", (unsigned long long)e->n,
                        s->n_layers);
    for (uint64_t i = 0; i < e->n; i++) {
        int64_t wide;
        if (lli_gguf_int(&wide, e, i))
            return lli_fail(s->err, LLMINF_E_FORMAT, key, "values of type %u, want integers", e->kind);
        int32_t status = check_int(&v, s, row, key, wide);
        if (status)
            return status;
        if (i > 0 && v != first)
            return lli_fail(s->err, LLMINF_E_UNSUPPORTED, key, "layers differ: %u and %u", first, v);
        first = v;
    }
    *out = v;
    return 0;
}

static int32_t read_int(uint32_t *out, const struct source *s, const struct int_row *row)
{
    char key[KEY_BYTES];
    const struct lli_gguf_entry *e = find(key, s, row->key);
    int64_t v;
    if (e && e->is_array && row->per_layer)
        return read_per_layer(out, s, row, key, e);
    if (!e && row->otherwise < 0)
        return lli_fail(s->err, LLMINF_E_FORMAT, key, "missing");
    int32_t status = lli_gguf_get_int(&v, s->g, key, row->otherwise, s->err);
    return status ? status : check_int(out, s, row, key, v);
}

static int32_t read_float(double *out, const struct source *s, const struct float_row *row)
{
    char key[KEY_BYTES];
    double v;
    if (!find(key, s, row->key) && row->otherwise < 0)
        return lli_fail(s->err, LLMINF_E_FORMAT, key, "missing");
    int32_t status = lli_gguf_get_float(&v, s->g, key, row->otherwise, s->err);
    if (status)
        return status;
    if (v >= row->low && v <= row->high) {
        *out = v;
        return 0;
    }
    return lli_fail(s->err, v > row->high && v < (double)__builtin_inff() ? row->over : LLMINF_E_FORMAT, key,
                    "%g, want %g to %g", v, row->low, row->high);
}

/* ---- shape */

static int32_t read_sizes(struct lli_config *c, struct source *s)
{
    const struct {
        uint32_t *out;
        struct int_row row;
    } rows[] = {
        {&c->n_layers, {"block_count", 1, LLI_MAX_LAYERS, -1, 0}},
        {&c->train_length, {"context_length", 1, LLI_MAX_CONTEXT, -1, 0}},
        {&c->n_embd, {"embedding_length", 1, LLI_MAX_EMBEDDING, -1, 0}},
        {&c->n_ff, {"feed_forward_length", 1, LLI_MAX_FEED_FORWARD, -1, 1}},
        {&c->n_heads, {"attention.head_count", 1, LLI_MAX_HEADS, -1, 1}},
        {&c->n_experts, {"expert_count", 0, LLI_MAX_EXPERTS, 0, 0}},
        {&c->n_experts_used, {"expert_used_count", 0, LLI_MAX_EXPERTS, 0, 0}},
        {&c->pooling, {"pooling_type", 0, UINT32_MAX, LLI_POOLING_NONE, 0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int32_t status = read_int(rows[i].out, s, &rows[i].row);
        if (status)
            return status;
        s->n_layers = c->n_layers; /* the first row */
    }
    return 0;
}

/* What is counted in heads, and defaults that come from other keys. */
static int32_t read_heads(struct lli_config *c, const struct source *s)
{
    char key[KEY_BYTES];
    uint32_t value_length;
    const struct int_row kv_heads = {"attention.head_count_kv", 1, LLI_MAX_HEADS, c->n_heads, 1};
    int32_t status = read_int(&c->n_kv_heads, s, &kv_heads);
    if (status)
        return status;
    name_key(key, s, "attention.head_count_kv");
    if (c->n_heads % c->n_kv_heads)
        return lli_fail(s->err, LLMINF_E_FORMAT, key, "%u, want a divisor of %u heads", c->n_kv_heads, c->n_heads);
    const struct lli_gguf_entry *given = find(key, s, "attention.key_length");
    name_key(key, s, "attention.head_count");
    if (!given && c->n_embd % c->n_heads)
        return lli_fail(s->err, LLMINF_E_FORMAT, key, "%u, want a divisor of the width %u", c->n_heads, c->n_embd);
    const struct int_row head = {"attention.key_length", 1, LLI_MAX_HEAD_DIM, c->n_embd / c->n_heads, 0};
    status = read_int(&c->head_dim, s, &head);
    if (status)
        return status;
    if ((uint64_t)c->n_heads * c->head_dim > UINT32_MAX)
        return lli_fail(s->err, LLMINF_E_LIMIT, key, "%u heads of %u, the limit is 2^32 - 1 in all", c->n_heads, c->head_dim);
    const struct int_row value = {"attention.value_length", 1, LLI_MAX_HEAD_DIM, c->head_dim, 0};
    status = read_int(&value_length, s, &value);
    name_key(key, s, value.key);
    if (status == 0 && value_length != c->head_dim)
        return lli_fail(s->err, LLMINF_E_FORMAT, key, "%u, want the key's length %u", value_length, c->head_dim);
    return status;
}

static int32_t check_experts(const struct lli_config *c, const struct source *s)
{
    char key[KEY_BYTES];
    name_key(key, s, "expert_count");
    if (!(s->family->needs & LLI_ROLE(c->n_experts > 0 ? LLI_FFN_ROUTER : LLI_FFN_UP)))
        return lli_fail(s->err, LLMINF_E_UNSUPPORTED, key, "%u, %s has %s", c->n_experts, s->family->name,
                        c->n_experts > 0 ? "no experts" : "experts");
    name_key(key, s, "expert_used_count");
    if (c->n_experts_used > c->n_experts || (c->n_experts > 0 && c->n_experts_used == 0))
        return lli_fail(s->err, LLMINF_E_FORMAT, key, "%u of %u experts", c->n_experts_used, c->n_experts);
    return 0;
}

static int32_t read_experts(struct lli_config *c, const struct source *s)
{
    char key[KEY_BYTES];
    const struct int_row width = {"expert_feed_forward_length", 1, LLI_MAX_FEED_FORWARD, c->n_ff, 1};
    const struct int_row shared = {"expert_shared_feed_forward_length", 1, LLI_MAX_FEED_FORWARD, c->n_ff, 1};
    int sum_to_1 = !(s->family->traits & LLI_RAW_SHARES);
    int32_t status = check_experts(c, s);
    if (status || c->n_experts == 0)
        return status;
    status = read_int(&c->n_expert_ff, s, &width);
    if (status == 0)
        status = read_int(&c->n_shared_ff, s, &shared);
    name_key(key, s, "expert_weights_norm");
    if (status == 0)
        status = lli_gguf_get_bool(&sum_to_1, s->g, key, sum_to_1, s->err);
    c->has_raw_shares = !sum_to_1;
    return status;
}

static int32_t read_factor(float *out, const struct source *s, const char *key, double otherwise)
{
    const struct float_row row = {key, 0, LLI_MAX_FACTOR, otherwise, LLMINF_E_LIMIT};
    double v = 0;
    int32_t status = read_float(&v, s, &row);
    *out = (float)v;
    return status;
}

/* A multiplier, already set to what it is without the key, or with 0. */
static int32_t read_scale(float *out, const struct source *s, const char *key)
{
    float otherwise = *out;
    int32_t status = read_factor(out, s, key, (double)otherwise);
    if (*out == 0)
        *out = otherwise;
    return status;
}

static int32_t read_scales(struct lli_config *c, const struct source *s)
{
    int traits = s->family->traits;
    uint32_t wide = c->n_embd / c->n_heads, per_head = s->family->wide_at == c->n_layers ? wide : c->head_dim;
    int32_t status = 0;
    c->attention_scale = 1.0f / __builtin_sqrtf((float)per_head);
    c->residual_scale = c->logit_scale = c->embedding_scale = 1;
    c->alibi = s->family->alibi;
    if (traits & LLI_ROOT_EMBEDDING)
        c->embedding_scale = __builtin_sqrtf((float)c->n_embd);
    if (traits & LLI_SCALES) {
        status = read_scale(&c->embedding_scale, s, "embedding_scale");
        if (status == 0)
            status = read_scale(&c->residual_scale, s, "residual_scale");
        if (status == 0)
            status = read_scale(&c->attention_scale, s, "attention.scale");
    }
    if (status == 0 && traits & (LLI_SCALES | LLI_LOGIT_FACTOR))
        status = read_scale(&c->logit_scale, s, "logit_scale");
    if (status == 0 && traits & LLI_SOFT_CAPS)
        status = read_factor(&c->softcap, s, "attn_logit_softcapping", (double)s->family->softcap);
    if (status == 0 && traits & LLI_SOFT_CAPS)
        status = read_factor(&c->logit_softcap, s, "final_logit_softcapping", (double)s->family->logit_softcap);
    if (status == 0 && traits & LLI_SCALES)
        c->logit_scale = 1.0f / c->logit_scale;
    return status;
}

static int32_t read_parallel(struct lli_config *c, const struct source *s)
{
    char key[KEY_BYTES];
    name_key(key, s, "use_parallel_residual");
    switch (s->family->parallel) {
    case LLI_PARALLEL_BY_KEY:
        return lli_gguf_get_bool(&c->is_parallel, s->g, key, 1, s->err);
    case LLI_PARALLEL_WITHOUT_FFN_NORM:
        c->is_parallel = !lli_gguf_tensor_find(s->g, "blk.0.ffn_norm.weight");
        return 0;
    default:
        c->is_parallel = s->family->parallel == LLI_PARALLEL;
        return 0;
    }
}

/* Whether a position sees what is behind it. */
static int32_t read_causal(struct lli_config *c, const struct source *s)
{
    char key[KEY_BYTES];
    int is_encoder = (s->family->traits & LLI_ENCODER) != 0, is_causal = !is_encoder;
    name_key(key, s, "attention.causal");
    int32_t status = lli_gguf_get_bool(&is_causal, s->g, key, is_causal, s->err);
    if (status)
        return status;
    if (is_causal ? is_encoder : c->window > 0 || c->alibi != 0)
        return lli_fail(s->err, LLMINF_E_UNSUPPORTED, key, "%s, %s", is_causal ? "true" : "false",
                        is_encoder ? "an encoder sees both ways" : "windows and ALiBi look back only");
    c->is_bidirectional = !is_causal;
    return 0;
}

/* Rows of the table, as the file has it: of these the first is used. */
static int32_t read_token_types(struct lli_config *c, const struct source *s)
{
    static const char name[] = "token_types.weight", key[] = "tokenizer.ggml.token_type_count";
    const struct lli_gguf_tensor *t = lli_gguf_tensor_find(s->g, name);
    int64_t told;
    if (!t || !(s->family->may & LLI_ROLE(LLI_TOKEN_TYPES)))
        return 0;
    if (t->dims[1] < 1 || t->dims[1] > LLI_MAX_TOKEN_TYPES)
        return lli_fail_at(s->err, LLMINF_E_LIMIT, t->pos, name, "%llu types, want 1 to %u", (unsigned long long)t->dims[1],
                           LLI_MAX_TOKEN_TYPES);
    c->n_token_types = (uint32_t)t->dims[1];
    int32_t status = lli_gguf_get_int(&told, s->g, key, c->n_token_types, s->err);
    if (status == 0 && told != c->n_token_types)
        status = lli_fail(s->err, LLMINF_E_FORMAT, key, "%lld, want the %u of %s", (long long)told, c->n_token_types, name);
    return status;
}

static int32_t read_epsilon(struct lli_config *c, const struct source *s)
{
    static const char *const keys[] = {
        [LLI_NORM_RMS] = "attention.layer_norm_rms_epsilon", [LLI_NORM_LAYER] = "attention.layer_norm_epsilon"};
    const struct float_row row = {keys[s->family->norm], LLI_MIN_EPSILON, LLI_MAX_EPSILON, -1, LLMINF_E_FORMAT};
    double epsilon = 0;
    int32_t status = read_float(&epsilon, s, &row);
    c->norm_eps = (float)epsilon;
    return status;
}

/* ---- RoPE */

static int32_t read_scaling_type(int *out, const struct source *s)
{
    static const struct {
        const char *name;
        int scaling;
    } types[] = {{"none", LLI_ROPE_NONE},
                 {"linear", LLI_ROPE_LINEAR},
                 {"yarn", LLI_ROPE_YARN},
                 {"longrope", LLI_ROPE_LONGROPE}}; /* the last: of families that may have its factors */
    size_t n_types = sizeof types / sizeof *types - !(s->family->may & LLI_ROLE(LLI_ROPE_LONG));
    char key[KEY_BYTES], type_key[KEY_BYTES];
    int is_scaled = find(key, s, "rope.scaling.factor") || find(key, s, "rope.scale_linear");
    struct lli_text type;
    name_key(type_key, s, "rope.scaling.type");
    int32_t status = lli_gguf_get_text(&type, s->g, type_key, is_scaled ? "linear" : "none", s->err);
    if (status)
        return status;
    for (size_t i = 0; i < n_types; i++) {
        if (strlen(types[i].name) == type.len && memcmp(types[i].name, type.bytes, type.len) == 0) {
            *out = types[i].scaling;
            return 0;
        }
    }
    return lli_fail(s->err, LLMINF_E_UNSUPPORTED, type_key, "%.*s, want none, linear or yarn",
                    (int)(type.len < 32 ? type.len : 32), type.bytes);
}

static int32_t read_yarn(struct lli_config *c, const struct source *s)
{
    struct lli_rope *r = &c->rope;
    const struct {
        double *out;
        struct float_row row;
    } rows[] = {
        {&r->yarn_ext_factor, {"rope.scaling.yarn_ext_factor", 0, 1, 1, LLMINF_E_FORMAT}},
        {&r->yarn_attn_factor, {"rope.scaling.yarn_attn_factor", 1e-3, 1e3, 1, LLMINF_E_FORMAT}},
        {&r->yarn_beta_fast, {"rope.scaling.yarn_beta_fast", 1e-3, 1e6, 32, LLMINF_E_FORMAT}},
        {&r->yarn_beta_slow, {"rope.scaling.yarn_beta_slow", 1e-3, 1e6, 1, LLMINF_E_FORMAT}},
    };
    int32_t status = 0;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && status == 0; i++)
        status = read_float(rows[i].out, s, &rows[i].row);
    return status;
}

static int32_t read_rope(struct lli_config *c, const struct source *s)
{
    static const struct float_row base = {"rope.freq_base", LLI_MIN_ROPE_BASE, LLI_MAX_ROPE_BASE, 10000, LLMINF_E_LIMIT};
    const struct int_row dims = {"rope.dimension_count", 2, LLI_MAX_HEAD_DIM, c->head_dim, 0};
    static const struct float_row magnitude = {"rope.scaling.attn_factor", 1e-3, 1e3, 1, LLMINF_E_FORMAT};
    const struct int_row length = {"rope.scaling.original_context_length", 1, LLI_MAX_CONTEXT, c->train_length, 0};
    struct float_row factor = {"rope.scaling.factor", LLI_MIN_ROPE_FACTOR, LLI_MAX_ROPE_FACTOR, 1, LLMINF_E_LIMIT};
    char key[KEY_BYTES];
    struct lli_rope *r = &c->rope;
    r->pairs = s->family->rope_pairs;
    r->factor = r->magnitude = 1;
    int is_rotated = r->pairs != LLI_ROPE_UNUSED;
    name_key(key, s, "rope.scaling.finetuned");
    int32_t status = 0;
    if (s->family->traits & LLI_ROPE_SWITCH)
        status = lli_gguf_get_bool(&is_rotated, s->g, key, 1, s->err);
    if (!is_rotated)
        r->pairs = LLI_ROPE_UNUSED;
    if (status == 0 && is_rotated)
        status = read_int(&r->n_dims, s, &dims);
    if (status || !is_rotated)
        return status;
    name_key(key, s, dims.key);
    if (r->n_dims % 2 || r->n_dims > c->head_dim)
        return lli_fail(s->err, LLMINF_E_FORMAT, key, "%u, want an even number up to the head's %u", r->n_dims, c->head_dim);
    status = read_float(&r->base, s, &base);
    if (status == 0)
        status = read_float(&r->magnitude, s, &magnitude);
    if (status == 0)
        status = read_int(&r->original_length, s, &length);
    if (status == 0)
        status = read_scaling_type(&r->scaling, s);
    if (status || r->scaling == LLI_ROPE_NONE || r->scaling == LLI_ROPE_LONGROPE)
        return status;
    if (!find(key, s, factor.key))
        factor.key = "rope.scale_linear"; /* what it was called before */
    status = read_float(&r->factor, s, &factor);
    return status || r->scaling != LLI_ROPE_YARN ? status : read_yarn(c, s);
}

/* ---- windows */

static void set_global(struct lli_config *c, uint32_t layer)
{
    c->global_layers[layer / 64] |= (uint64_t)1 << layer % 64;
}

/* A flag for each layer: it has the window. */
static int32_t read_local_layers(struct lli_config *c, const struct source *s, const char *key, const struct lli_gguf_entry *e)
{
    if (e->n != c->n_layers)
        return lli_fail(s->err, LLMINF_E_FORMAT, key, "%llu values, want one for each of %u layers", (unsigned long long)e->n,
                        c->n_layers);
    for (uint32_t i = 0; i < c->n_layers; i++) {
        int64_t is_local;
        if (lli_gguf_int(&is_local, e, i))
            return lli_fail(s->err, LLMINF_E_FORMAT, key, "values of type %u, want bools", e->kind);
        if (!is_local)
            set_global(c, i);
    }
    return 0;
}

static int32_t read_period(struct lli_config *c, const struct source *s)
{
    const struct int_row row = {"attention.sliding_window_pattern", 0, LLI_MAX_LAYERS, s->family->window_period, 0};
    char key[KEY_BYTES];
    const struct lli_gguf_entry *e = find(key, s, row.key);
    uint32_t period = 0;
    if (e && e->is_array)
        return read_local_layers(c, s, key, e);
    int32_t status = read_int(&period, s, &row);
    for (uint32_t i = 0; i < c->n_layers && period > 0 && status == 0; i++)
        if (i % period == period - 1)
            set_global(c, i);
    return status;
}

/* How layers with a window rotate. */
static int32_t read_local_rope(struct lli_config *c, const struct source *s)
{
    struct lli_rope *r = &c->local_rope;
    const struct float_row base = {"rope.freq_base_swa", LLI_MIN_ROPE_BASE, LLI_MAX_ROPE_BASE,
                                   s->family->local_base > 0 ? s->family->local_base : c->rope.base, LLMINF_E_LIMIT};
    *r = c->rope;
    if (c->window == 0 || r->pairs == LLI_ROPE_UNUSED)
        return 0;
    if (s->family->traits & LLI_LOCAL_UNSCALED) {
        r->scaling = LLI_ROPE_NONE;
        r->factor = r->magnitude = 1;
    }
    return read_float(&r->base, s, &base);
}

/* Where windows are no habit of the family, one is fine that no position ever leaves. */
static int32_t read_window(struct lli_config *c, const struct source *s)
{
    int has_windows = s->family->traits & LLI_WINDOWS;
    const struct int_row row = {"attention.sliding_window", has_windows ? 0 : 1, UINT32_MAX,
                                has_windows ? s->family->window : c->train_length, 1};
    char key[KEY_BYTES];
    uint32_t window = 0;
    int32_t status = read_int(&window, s, &row);
    name_key(key, s, row.key);
    if (status == 0 && !has_windows && window < c->train_length)
        return lli_fail(s->err, LLMINF_E_UNSUPPORTED, key, "%u, want the context's %u and more", window, c->train_length);
    c->window = has_windows ? window : 0;
    if (status == 0)
        status = read_period(c, s);
    return status ? status : read_local_rope(c, s);
}

/* ---- keys of arithmetic that is not done here */

/* The value as a number, whatever its type; -1 if it has none. */
static int read_number(double *out, const struct lli_gguf_entry *e)
{
    int64_t v;
    if (e->is_array)
        return -1;
    if (lli_gguf_float(out, e, 0) == 0)
        return 0;
    if (lli_gguf_int(&v, e, 0))
        return -1;
    *out = (double)v;
    return 0;
}

static int32_t refuse_other_arithmetic(const struct source *s)
{
    static const struct {
        const char *key;
        double idle[2]; /* values that change nothing */
        int traits;     /* of families that do it */
    } rows[] = {
        {"attention.scale", {0, 0}, LLI_SCALES},
        {"attention.clamp_kqv", {0, 0}, 0},
        {"attention.max_alibi_bias", {0, 0}, 0},
        {"attn_logit_softcapping", {0, 0}, LLI_SOFT_CAPS},
        {"final_logit_softcapping", {0, 0}, LLI_SOFT_CAPS},
        {"logit_scale", {0, 1}, LLI_SCALES | LLI_LOGIT_FACTOR},
        {"embedding_scale", {0, 1}, LLI_SCALES},
        {"residual_scale", {0, 1}, LLI_SCALES},
        {"use_parallel_residual", {0, 0}, 0},
        {"leading_dense_block_count", {0, 0}, 0},
        {"interleave_moe_layer_step", {0, 1}, 0},
        {"expert_shared_count", {0, 0}, 0},
        {"expert_group_count", {0, 1}, 0},
        {"expert_weights_scale", {0, 1}, 0},
        {"expert_gating_func", {0, 1}, 0},
        {"rope.scaling.yarn_log_multiplier", {0, 0}, 0},
    };
    char key[KEY_BYTES];
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct lli_gguf_entry *e = find(key, s, rows[i].key);
        int is_parallel = s->family->parallel != LLI_SEQUENTIAL && strcmp(rows[i].key, "use_parallel_residual") == 0;
        double v;
        if (!e || s->family->traits & rows[i].traits || is_parallel)
            continue;
        if (read_number(&v, e) || !(v >= -1e30 && v <= 1e30))
            return lli_fail(s->err, LLMINF_E_FORMAT, key, "want one finite number");
        if (v != rows[i].idle[0] && v != rows[i].idle[1])
            return lli_fail(s->err, LLMINF_E_UNSUPPORTED, key, "%g, want %g: nothing else is done", v, rows[i].idle[1]);
    }
    return 0;
}

static int32_t refuse_family(const struct source *s, const char *key, const struct lli_text *name)
{
    char known[300];
    size_t n = 0;
    for (size_t i = 0; lli_family_at(i) && n < sizeof known; i++)
        n += lli_format(known + n, sizeof known - n, i > 0 ? ", %s" : "%s", lli_family_at(i)->name);
    return lli_fail(s->err, LLMINF_E_UNSUPPORTED, key, "\"%.*s\" is none of %s", (int)(name->len < 32 ? name->len : 32),
                    name->bytes, known);
}

static int32_t find_family(struct source *s)
{
    static const char key[] = "general.architecture", version_key[] = "general.quantization_version";
    struct lli_text name;
    int64_t version;
    if (!lli_gguf_find(s->g, key))
        return lli_fail(s->err, LLMINF_E_FORMAT, key, "missing");
    int32_t status = lli_gguf_get_text(&name, s->g, key, "", s->err);
    if (status)
        return status;
    s->family = lli_family_find(name.bytes, name.len);
    if (!s->family)
        return refuse_family(s, key, &name);
    status = lli_gguf_get_int(&version, s->g, version_key, 2, s->err);
    if (status == 0 && version > 2)
        return lli_fail(s->err, LLMINF_E_UNSUPPORTED, version_key, "%lld, want 0 to 2", (long long)version);
    if (status == 0 && version < 0)
        return lli_fail(s->err, LLMINF_E_FORMAT, version_key, "%lld, want 0 to 2", (long long)version);
    return status;
}

uint32_t lli_config_positions(const struct lli_config *c)
{
    int has_table = c->family && ((c->family->needs | c->family->may) & LLI_ROLE(LLI_POSITION_EMBD));
    return has_table ? c->train_length : LLI_MAX_CONTEXT;
}

int32_t lli_config_read(struct lli_config *out, const struct lli_gguf *g, uint32_t n_vocab, struct llminf_error *err)
{
    struct source s = {.g = g, .err = err};
    memset(out, 0, sizeof *out);
    out->n_vocab = n_vocab;
    int32_t status = find_family(&s);
    out->family = s.family;
    if (status == 0)
        status = read_sizes(out, &s);
    if (status == 0)
        status = read_heads(out, &s);
    if (status == 0)
        status = read_experts(out, &s);
    if (status == 0)
        status = read_scales(out, &s);
    if (status == 0)
        status = read_parallel(out, &s);
    if (status == 0)
        status = read_epsilon(out, &s);
    if (status == 0)
        status = read_rope(out, &s);
    if (status == 0)
        status = read_window(out, &s);
    if (status == 0)
        status = read_causal(out, &s);
    if (status == 0)
        status = read_token_types(out, &s);
    return status ? status : refuse_other_arithmetic(&s);
}
