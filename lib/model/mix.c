/* model/mix.c - matrices that suffer most from few bits get more of them: the output, the values of attention and the way down
 * of the feed-forward layer, in some layers or all. Which, is as llama.cpp does it (llama-quant.cpp), so that a file of a
 * name is of the size and quality that the name stands for. */
#include "model/mix.h"

#include <string.h>

static const struct lli_mix mixes[] = {
    {"f32", LLI_F32, 0},
    {"f16", LLI_F16, 1},
    {"bf16", LLI_BF16, 32},
    {"q8_0", LLI_Q8_0, 7},
    {"q4_0", LLI_Q4_0, 2},
    {"q4_1", LLI_Q4_1, 3},
    {"q5_0", LLI_Q5_0, 8},
    {"q5_1", LLI_Q5_1, 9},
    {"q2_k", LLI_Q2_K, 10},
    {"q3_k_s", LLI_Q3_K, 11},
    {"q3_k_m", LLI_Q3_K, 12},
    {"q3_k_l", LLI_Q3_K, 13},
    {"q4_k_s", LLI_Q4_K, 14},
    {"q4_k_m", LLI_Q4_K, 15},
    {"q5_k_s", LLI_Q5_K, 16},
    {"q5_k_m", LLI_Q5_K, 17},
    {"q6_k", LLI_Q6_K, 18},
    {"iq4_nl", LLI_IQ4_NL, 25},
    {"iq4_xs", LLI_IQ4_XS, 30},
    /* a type whose mixes have other names: the middle one */
    {"q3_k", LLI_Q3_K, 12},
    {"q4_k", LLI_Q4_K, 15},
    {"q5_k", LLI_Q5_K, 17},
};

/* What the rules tell apart; the first whose text is part of the name. */
enum kind { OUTPUT, EMBEDDING, VALUES, KEYS, ATTENTION_OUT, DOWN, OTHER };

static const struct {
    const char *text;
    enum kind kind;
} kinds[] = {
    {"output.weight", OUTPUT}, /* the whole name: below */
    {"token_embd.weight", EMBEDDING}, {"attn_qkv.weight", VALUES},           {"attn_v.weight", VALUES},
    {"attn_k.weight", KEYS},          {"attn_output.weight", ATTENTION_OUT}, {"ffn_down", DOWN},
};

enum when { ALWAYS, FIRST_2, FIRST_4, FIRST_16TH, FIRST_8TH, MORE_BITS, SHARED_KEYS, EIGHT_EXPERTS };

/* By file_type; the first that holds. */
static const struct rule {
    uint8_t file_type, kind, when, type;
} rules[] = {
    {10, VALUES, SHARED_KEYS, LLI_Q4_K},
    {10, VALUES, ALWAYS, LLI_Q3_K},
    {10, DOWN, ALWAYS, LLI_Q3_K},
    {10, ATTENTION_OUT, EIGHT_EXPERTS, LLI_Q5_K},
    {10, ATTENTION_OUT, ALWAYS, LLI_Q3_K},
    {11, ATTENTION_OUT, EIGHT_EXPERTS, LLI_Q5_K},
    {12, VALUES, FIRST_2, LLI_Q5_K},
    {12, VALUES, ALWAYS, LLI_Q4_K},
    {12, DOWN, FIRST_16TH, LLI_Q5_K},
    {12, DOWN, ALWAYS, LLI_Q4_K},
    {12, ATTENTION_OUT, EIGHT_EXPERTS, LLI_Q5_K},
    {12, ATTENTION_OUT, ALWAYS, LLI_Q4_K},
    {13, VALUES, ALWAYS, LLI_Q5_K},
    {13, DOWN, ALWAYS, LLI_Q5_K},
    {13, ATTENTION_OUT, ALWAYS, LLI_Q5_K},
    {14, VALUES, FIRST_4, LLI_Q5_K},
    {14, DOWN, FIRST_8TH, LLI_Q5_K},
    {14, ATTENTION_OUT, EIGHT_EXPERTS, LLI_Q5_K},
    {15, VALUES, MORE_BITS, LLI_Q6_K},
    {15, DOWN, MORE_BITS, LLI_Q6_K},
    {15, ATTENTION_OUT, EIGHT_EXPERTS, LLI_Q5_K},
    {17, VALUES, MORE_BITS, LLI_Q6_K},
    {17, DOWN, MORE_BITS, LLI_Q6_K},
    {25, VALUES, SHARED_KEYS, LLI_Q5_K},
    {25, DOWN, FIRST_8TH, LLI_Q5_K},
    {25, ATTENTION_OUT, EIGHT_EXPERTS, LLI_Q5_K},
    {30, VALUES, SHARED_KEYS, LLI_Q5_K},
    {30, DOWN, FIRST_8TH, LLI_Q5_K},
    {30, ATTENTION_OUT, EIGHT_EXPERTS, LLI_Q5_K},
};

enum { LAYERS_OF_70B = 80 };

const struct lli_mix *lli_mix_find(const char *name)
{
    for (size_t i = 0; i < sizeof mixes / sizeof *mixes; i++)
        if (strcmp(mixes[i].name, name) == 0)
            return &mixes[i];
    return NULL;
}

static int ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);
    return n >= k && strcmp(text + n - k, end) == 0;
}

static int is_matrix(const struct lli_gguf_tensor *t)
{
    int has_rows = 0;
    for (unsigned i = 1; i < LLI_MAX_DIMS; i++)
        has_rows |= t->dims[i] > 1;
    return has_rows && ends_with(t->name, "weight") && !ends_with(t->name, "_norm.weight") &&
           !ends_with(t->name, "ffn_gate_inp.weight");
}

static enum kind kind_of(const char *name)
{
    if (strcmp(name, kinds[0].text) == 0)
        return OUTPUT;
    for (size_t i = 1; i < sizeof kinds / sizeof *kinds; i++)
        if (strstr(name, kinds[i].text))
            return kinds[i].kind;
    return OTHER;
}

/* N of "blk.N."; the loader has checked it. 0 where there is none. */
static uint32_t layer_of(const char *name)
{
    uint32_t n = 0;
    if (strncmp(name, "blk.", 4) != 0)
        return 0;
    for (name += 4; *name >= '0' && *name <= '9' && n < LLI_MAX_LAYERS; name++)
        n = n * 10 + (uint32_t)(*name - '0');
    return n;
}

static int holds(int when, uint32_t layer, const struct lli_config *c)
{
    uint32_t n = c->n_layers;
    switch (when) {
    case FIRST_2:
        return layer < 2;
    case FIRST_4:
        return layer < 4;
    case FIRST_16TH:
        return layer < n / 16;
    case FIRST_8TH:
        return layer < n / 8;
    case MORE_BITS: /* at both ends, and every third between */
        return layer < n / 8 || layer >= 7 * n / 8 || (layer - n / 8) % 3 == 2;
    case SHARED_KEYS:
        return c->n_heads / c->n_kv_heads >= 4;
    case EIGHT_EXPERTS:
        return c->n_experts == 8;
    default:
        return 1;
    }
}

static uint32_t choose(const struct lli_mix *mix, enum kind kind, uint32_t layer, const struct lli_config *c)
{
    uint32_t type = mix->type;
    if ((kind == VALUES || kind == KEYS) && c->n_experts == 8) /* small beside the experts */
        return LLI_Q8_0;
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++) {
        const struct rule *r = &rules[i];
        if (r->file_type != mix->file_type || r->kind != kind || !holds(r->when, layer, c))
            continue;
        type = r->type;
        break;
    }
    int is_70b = c->n_layers == LAYERS_OF_70B && c->n_heads != c->n_kv_heads; /* its values are small beside the rest */
    if (kind == VALUES && is_70b && (type == LLI_Q3_K || type == LLI_Q4_K))
        return LLI_Q5_K;
    return type;
}

/* A type whose block divides a row of n elements. */
static uint32_t fit(uint32_t type, uint64_t n)
{
    static const uint8_t others[][2] = {{LLI_Q2_K, LLI_Q4_0}, {LLI_Q3_K, LLI_Q4_0}, {LLI_Q4_K, LLI_Q5_0},
                                        {LLI_Q5_K, LLI_Q5_1}, {LLI_Q6_K, LLI_Q8_0}, {LLI_IQ4_XS, LLI_IQ4_NL}};
    if (n % lli_dtype_find(type)->block == 0)
        return type;
    for (size_t i = 0; i < sizeof others / sizeof *others && n % 32 == 0; i++)
        if (others[i][0] == type)
            return others[i][1];
    return LLI_F16;
}

const struct lli_dtype *lli_mix_type(const struct lli_mix *mix, int is_pure, const struct lli_gguf *g,
                                     const struct lli_config *config, const struct lli_gguf_tensor *t)
{
    const struct lli_dtype *base = lli_dtype_find(mix->type);
    if (!is_matrix(t))
        return t->type;
    if (is_pure || base->is_float)
        return lli_dtype_find(fit(base->id, t->dims[0]));
    enum kind kind = kind_of(t->name);
    uint32_t type = base->id;
    if (kind == OUTPUT || (kind == EMBEDDING && !lli_gguf_tensor_find(g, "output.weight")))
        type = base->id == LLI_Q8_0 || t->dims[0] % base->block ? LLI_Q8_0 : LLI_Q6_K;
    else if (kind != EMBEDDING)
        type = choose(mix, kind, layer_of(t->name), config);
    return lli_dtype_find(fit(type, t->dims[0]));
}
