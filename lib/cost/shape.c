/* cost/shape.c - see shape.h. */
#include "cost/shape.h"

#include <string.h>

#include "base/error.h"
#include "base/format.h"
#include "base/limits.h"

/* ---- counts ------------------------------------------------------------------------------------------------------ */

static double queries(const struct lli_shape *s)
{
    return (double)s->n_heads * s->head_dim;
}

static double keys(const struct lli_shape *s)
{
    return (double)s->n_kv_heads * s->head_dim;
}

/* A layer's. */
static double attention(const struct lli_shape *s)
{
    return 2 * s->n_embd * (queries(s) + keys(s));
}

/* Of one expert, or of the dense layer. */
static double feed_forward(const struct lli_shape *s)
{
    return (s->is_gated ? 3.0 : 2.0) * s->n_embd * s->n_ff;
}

static double router(const struct lli_shape *s)
{
    return (double)s->n_embd * s->n_experts;
}

static double norm(const struct lli_shape *s)
{
    return (s->has_layer_norm ? 2.0 : 1.0) * s->n_embd;
}

static double layer_vectors(const struct lli_shape *s)
{
    double n = 2 * norm(s);
    n += s->has_qk_norm ? 2.0 * s->head_dim : 0;
    n += s->has_qkv_bias ? queries(s) + 2 * keys(s) : 0;
    n += s->has_output_bias ? s->n_embd : 0;
    return n + (s->has_ff_bias ? (double)s->n_ff + s->n_embd : 0);
}

static double experts(const struct lli_shape *s, int active)
{
    return s->n_experts == 0 ? 1 : active ? s->n_experts_used : s->n_experts;
}

struct lli_shape_counts lli_shape_count(const struct lli_shape *s)
{
    double embedding = (double)s->n_vocab * s->n_embd;
    return (struct lli_shape_counts){
        .attention = s->n_layers * attention(s),
        .ffn = s->n_layers * experts(s, 0) * feed_forward(s),
        .router = s->n_layers * router(s),
        .vectors = s->n_layers * layer_vectors(s) + norm(s),
        .embedding = embedding,
        .head = embedding,
        .positions = (double)s->n_positions * s->n_embd,
    };
}

double lli_shape_params(const struct lli_shape *s, int active)
{
    struct lli_shape_counts n = lli_shape_count(s);
    double ffn = s->n_layers * experts(s, active) * feed_forward(s);
    return n.attention + ffn + n.router + n.vectors + n.embedding + (s->is_tied ? 0 : n.head) + n.positions;
}

double lli_shape_matmul(const struct lli_shape *s)
{
    return s->n_layers * (attention(s) + experts(s, 1) * feed_forward(s) + router(s));
}

double lli_shape_standard(const struct lli_shape *s)
{
    return 12.0 * s->n_layers * s->n_embd * s->n_embd;
}

double lli_shape_body_flops(const struct lli_shape *s)
{
    return 2 * lli_shape_matmul(s);
}

double lli_shape_head_flops(const struct lli_shape *s)
{
    return 2.0 * s->n_vocab * s->n_embd;
}

double lli_shape_attention_flops(const struct lli_shape *s)
{
    return 4.0 * s->n_layers * queries(s);
}

double lli_shape_prefill_flops(const struct lli_shape *s, double n)
{
    double pairs = n * (n + 1), beyond = s->n_local > 0 && n > s->window ? n - s->window : 0;
    pairs -= (double)s->n_local / s->n_layers * beyond * (beyond + 1); /* what a window leaves out */
    return lli_shape_body_flops(s) * n + lli_shape_attention_flops(s) / 2 * pairs + lli_shape_head_flops(s);
}

double lli_shape_kv_elements(const struct lli_shape *s)
{
    return 2 * s->n_layers * keys(s);
}

double lli_shape_kv_share(const struct lli_shape *s)
{
    return 2 * s->n_embd * keys(s) / (lli_shape_matmul(s) / s->n_layers);
}

double lli_shape_attention_crossover(const struct lli_shape *s)
{
    return lli_shape_body_flops(s) / lli_shape_attention_flops(s);
}

struct lli_weight_bytes lli_shape_weights(const struct lli_shape *s, const struct lli_dtype *type)
{
    struct lli_shape_counts n = lli_shape_count(s);
    double each = (double)type->block_bytes / type->block, ffn = n.ffn * each;
    return (struct lli_weight_bytes){
        .layers = n.attention * each + 4 * (n.vectors + n.router) + (s->n_experts == 0 ? ffn : 0),
        .experts = s->n_experts > 0 ? ffn : 0,
        .head = n.head * each,
    };
}

/* ---- a shape as text --------------------------------------------------------------------------------------------- */

struct row {
    const char *name;
    size_t at; /* in struct lli_shape */
    uint32_t low, high;
    int64_t otherwise; /* NEEDED; or a default that others may replace */
};

enum { NEEDED = -1 };

#define ROW(name, low, high, otherwise)                                                                                        \
    {                                                                                                                          \
#name, offsetof(struct lli_shape, name), low, high, otherwise                                                          \
    }
#define FLAG(name, field, otherwise)                                                                                           \
    {                                                                                                                          \
#name, offsetof(struct lli_shape, field), 0, 1, otherwise                                                              \
    }

static const struct row rows[] = {
    ROW(n_layers, 1, LLI_MAX_LAYERS, NEEDED),
    ROW(n_embd, 1, LLI_MAX_EMBEDDING, NEEDED),
    ROW(n_heads, 1, LLI_MAX_HEADS, NEEDED),
    ROW(n_ff, 1, LLI_MAX_FEED_FORWARD, NEEDED),
    ROW(n_vocab, 1, LLI_MAX_TOKENS, NEEDED),
    ROW(n_kv_heads, 1, LLI_MAX_HEADS, 0),
    ROW(head_dim, 1, LLI_MAX_HEAD_DIM, 0),
    ROW(n_experts, 0, LLI_MAX_EXPERTS, 0),
    ROW(n_experts_used, 0, LLI_MAX_EXPERTS, 0),
    ROW(n_positions, 0, LLI_MAX_CONTEXT, 0),
    ROW(train_length, 1, LLI_MAX_CONTEXT, 0),
    ROW(window, 0, LLI_MAX_CONTEXT, 0),
    ROW(n_local, 0, LLI_MAX_LAYERS, 0),
    FLAG(gated, is_gated, 1),
    FLAG(tied, is_tied, 0),
    FLAG(layer_norm, has_layer_norm, 0),
    FLAG(qk_norm, has_qk_norm, 0),
    FLAG(qkv_bias, has_qkv_bias, 0),
    FLAG(output_bias, has_output_bias, 0),
    FLAG(ff_bias, has_ff_bias, 0),
};

enum { N_ROWS = sizeof rows / sizeof *rows, DEFAULT_LENGTH = 4096 };

static void put(struct lli_shape *out, const struct row *row, uint32_t value)
{
    memcpy((char *)out + row->at, &value, sizeof value);
}

/* One "name=value"; `seen` has a bit for each row. */
static int32_t read_item(struct lli_shape *out, uint32_t *seen, const char *item, size_t len, struct llminf_error *err)
{
    const char *equals = memchr(item, '=', len);
    size_t i = 0, name_len = equals ? (size_t)(equals - item) : len;
    int64_t value;
    while (i < N_ROWS && (strlen(rows[i].name) != name_len || memcmp(rows[i].name, item, name_len) != 0))
        i++;
    if (!equals || i == N_ROWS)
        return lli_fail(err, LLMINF_E_OPTION, "shape", "\"%.*s\" is no name=number that is known", (int)(len < 48 ? len : 48),
                        item);
    if (*seen >> i & 1)
        return lli_fail(err, LLMINF_E_OPTION, "shape", "%s is there twice", rows[i].name);
    if (lli_format_read_int(&value, equals + 1, len - name_len - 1) != 0 || value < rows[i].low || value > rows[i].high)
        return lli_fail(err, LLMINF_E_OPTION, "shape", "%s is \"%.*s\", want %u to %u", rows[i].name,
                        (int)(len - name_len - 1 < 24 ? len - name_len - 1 : 24), equals + 1, rows[i].low, rows[i].high);
    *seen |= 1u << i;
    put(out, &rows[i], (uint32_t)value);
    return LLMINF_OK;
}

/* What follows from the other numbers, and what does not go together. */
static int32_t settle(struct lli_shape *s, struct llminf_error *err)
{
    if (s->n_kv_heads == 0)
        s->n_kv_heads = s->n_heads;
    if (s->n_heads % s->n_kv_heads != 0)
        return lli_fail(err, LLMINF_E_OPTION, "shape", "n_kv_heads is %u, want a divisor of %u heads", s->n_kv_heads,
                        s->n_heads);
    if (s->head_dim == 0 && s->n_embd % s->n_heads != 0)
        return lli_fail(err, LLMINF_E_OPTION, "shape", "n_heads is %u, want a divisor of n_embd %u, or head_dim", s->n_heads,
                        s->n_embd);
    if (s->head_dim == 0)
        s->head_dim = s->n_embd / s->n_heads;
    if (s->n_experts_used > s->n_experts || (s->n_experts > 0 && s->n_experts_used == 0))
        return lli_fail(err, LLMINF_E_OPTION, "shape", "%u of %u experts are used", s->n_experts_used, s->n_experts);
    if (s->train_length == 0)
        s->train_length = s->n_positions > 0 ? s->n_positions : DEFAULT_LENGTH;
    if (s->n_local > s->n_layers || (s->n_local > 0 && s->window == 0))
        return lli_fail(err, LLMINF_E_OPTION, "shape", "a window of %u in %u of %u layers", s->window, s->n_local, s->n_layers);
    if (s->window > 0 && s->n_local == 0)
        s->n_local = s->n_layers;
    return LLMINF_OK;
}

int32_t lli_shape_read(struct lli_shape *out, const char *text, size_t len, struct llminf_error *err)
{
    uint32_t seen = 0;
    *out = (struct lli_shape){0};
    for (size_t at = 0; at <= len;) { /* nothing behind a comma is an item too */
        const char *comma = memchr(text + at, ',', len - at);
        size_t n = comma ? (size_t)(comma - text) - at : len - at;
        int32_t status = read_item(out, &seen, text + at, n, err);
        if (status != LLMINF_OK)
            return status;
        at += n + 1;
    }
    for (size_t i = 0; i < N_ROWS; i++) {
        if (seen >> i & 1)
            continue;
        if (rows[i].otherwise == NEEDED)
            return lli_fail(err, LLMINF_E_OPTION, "shape", "%s is missing", rows[i].name);
        put(out, &rows[i], (uint32_t)rows[i].otherwise);
    }
    return settle(out, err);
}
