#include "support/gguf_make.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"

enum { ALIGN = 32, N_BYTE_TOKENS = 256, N_SPECIAL = 3 };

/* ---- the writer */

void test_gguf_zeros(struct test_gguf *f, size_t n)
{
    if (f->len + n > f->cap) {
        f->cap = 2 * (f->len + n);
        f->bytes = realloc(f->bytes, f->cap);
        if (!f->bytes)
            abort();
    }
    memset(f->bytes + f->len, 0, n);
    f->len += n;
}

void test_gguf_bytes(struct test_gguf *f, const void *bytes, size_t n)
{
    test_gguf_zeros(f, n);
    if (n)
        memcpy(f->bytes + f->len - n, bytes, n);
}

void test_gguf_u32(struct test_gguf *f, uint32_t v)
{
    uint8_t b[4];
    for (unsigned i = 0; i < 4; i++)
        b[i] = (uint8_t)(v >> 8 * i);
    test_gguf_bytes(f, b, sizeof b);
}

void test_gguf_u64(struct test_gguf *f, uint64_t v)
{
    test_gguf_u32(f, (uint32_t)v);
    test_gguf_u32(f, (uint32_t)(v >> 32));
}

static void put_f32(struct test_gguf *f, float v)
{
    uint32_t bits;
    memcpy(&bits, &v, sizeof bits);
    test_gguf_u32(f, bits);
}

void test_gguf_text(struct test_gguf *f, const char *text)
{
    test_gguf_u64(f, strlen(text));
    test_gguf_bytes(f, text, strlen(text));
}

void test_gguf_head(struct test_gguf *f, uint64_t n_tensors, uint64_t n_kv)
{
    test_gguf_bytes(f, "GGUF", 4);
    test_gguf_u32(f, 3);
    test_gguf_u64(f, n_tensors);
    test_gguf_u64(f, n_kv);
}

void test_gguf_key(struct test_gguf *f, const char *key, uint32_t kind)
{
    test_gguf_text(f, key);
    test_gguf_u32(f, kind);
}

void test_gguf_key_u32(struct test_gguf *f, const char *key, uint32_t v)
{
    test_gguf_key(f, key, LLI_GGUF_U32);
    test_gguf_u32(f, v);
}

void test_gguf_key_f32(struct test_gguf *f, const char *key, float v)
{
    test_gguf_key(f, key, LLI_GGUF_F32);
    put_f32(f, v);
}

void test_gguf_key_text(struct test_gguf *f, const char *key, const char *v)
{
    test_gguf_key(f, key, LLI_GGUF_STRING);
    test_gguf_text(f, v);
}

void test_gguf_key_array(struct test_gguf *f, const char *key, uint32_t kind, uint64_t n)
{
    test_gguf_key(f, key, LLI_GGUF_ARRAY);
    test_gguf_u32(f, kind);
    test_gguf_u64(f, n);
}

void test_gguf_tensor(struct test_gguf *f, const char *name, const uint64_t *dims, uint32_t n_dims, uint32_t type, uint64_t at)
{
    test_gguf_text(f, name);
    test_gguf_u32(f, n_dims);
    for (uint32_t i = 0; i < n_dims; i++)
        test_gguf_u64(f, dims[i]);
    test_gguf_u32(f, type);
    test_gguf_u64(f, at);
}

void test_gguf_align(struct test_gguf *f, size_t align)
{
    test_gguf_zeros(f, (align - f->len % align) % align);
}

static const uint8_t *seek(const struct test_gguf *f, const char *name)
{
    struct test_gguf text = {0};
    test_gguf_text(&text, name);
    const uint8_t *at = memmem(f->bytes, f->len, text.bytes, text.len);
    free(text.bytes);
    return at;
}

size_t test_gguf_find(const struct test_gguf *f, const char *name)
{
    const uint8_t *at = seek(f, name);
    if (!at) {
        fprintf(stderr, "no %s in the file\n", name);
        abort();
    }
    return (size_t)(at - f->bytes);
}

/* The record is written behind the header; a text fills up to the alignment, so that all behind it stays aligned. */
void test_gguf_set(struct test_gguf *f, const char *key, const struct test_gguf *record)
{
    enum { HEADER = 24, N_KV_AT = 16, FILLER = 8 + 6 + 4 + 8 };
    if (seek(f, key))
        f->bytes[test_gguf_find(f, key) + 8] = 'x';
    if (!record->len)
        return;
    struct test_gguf made = {0};
    size_t fill = (ALIGN - (record->len + FILLER) % ALIGN) % ALIGN;
    char name[7], filler[ALIGN + 1] = {0};
    memset(filler, '.', fill);
    snprintf(name, sizeof name, "%06u", (unsigned)f->bytes[N_KV_AT]); /* their number: no other filler is called so */
    test_gguf_bytes(&made, f->bytes, HEADER);
    made.bytes[N_KV_AT] = (uint8_t)(made.bytes[N_KV_AT] + 2);
    test_gguf_bytes(&made, record->bytes, record->len);
    test_gguf_key_text(&made, name, filler);
    test_gguf_bytes(&made, f->bytes + HEADER, f->len - HEADER);
    free(f->bytes);
    *f = made;
}

/* ---- random weights */

static uint64_t next(uint64_t *state) /* SplitMix64 */
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

/* Uniform with standard deviation 1. */
static float spread(uint64_t *state)
{
    return (float)(((double)(next(state) >> 11) * 0x1p-52 - 1) * 1.7320508);
}

/* For random bits in a block: the standard deviation of an element in units of the scale, and the minimum (or its own
 * scale) in units of the scale that centres the elements. */
static const struct {
    uint32_t type;
    double deviation, minimum;
} BLOCKS[] = {{LLI_Q4_0, 4.6, 0},    {LLI_Q4_1, 4.6, -7.5}, {LLI_Q5_0, 9.2, 0},  {LLI_Q5_1, 9.2, -15.5},
              {LLI_Q8_0, 74, 0},     {LLI_Q2_K, 14, 1.5},   {LLI_Q3_K, 42, 0},   {LLI_Q4_K, 270, 7.5},
              {LLI_Q5_K, 540, 15.5}, {LLI_Q6_K, 1360, 0},   {LLI_IQ4_NL, 67, 0}, {LLI_IQ4_XS, 1250, 0}};

static void put_half(uint8_t *at, double v)
{
    uint16_t h = lli_half_from_f32((float)v);
    at[0] = (uint8_t)h;
    at[1] = (uint8_t)(h >> 8);
}

static void put_block(struct test_gguf *f, const struct lli_dtype *type, double deviation, uint64_t *state)
{
    uint8_t block[256];
    for (uint32_t i = 0; i < type->block_bytes; i++)
        block[i] = (uint8_t)next(state);
    if (type->id == LLI_MXFP4) { /* numbers of deviation 3.4 */
        double e = 127 + floor(log2(deviation / 3.4));
        block[0] = (uint8_t)e;
    }
    for (size_t i = 0; i < sizeof BLOCKS / sizeof *BLOCKS; i++) {
        if (BLOCKS[i].type != type->id)
            continue;
        double scale = deviation / BLOCKS[i].deviation;
        put_half(block + type->scale_at[0], scale);
        if (type->scale_at[1] >= 0)
            put_half(block + type->scale_at[1], scale * BLOCKS[i].minimum);
    }
    test_gguf_bytes(f, block, type->block_bytes);
}

static void put_weights(struct test_gguf *f, const struct lli_dtype *type, uint64_t n, double mean, double deviation,
                        uint64_t *state)
{
    for (uint64_t i = 0; i < n; i += type->block) {
        float v = (float)(mean + deviation * (type->is_float ? spread(state) : 0));
        uint16_t half = type->id == LLI_BF16 ? lli_bf16_from_f32(v) : lli_half_from_f32(v);
        uint8_t b[2] = {(uint8_t)half, (uint8_t)(half >> 8)};
        if (type->id == LLI_F32)
            put_f32(f, v);
        else if (type->is_float)
            test_gguf_bytes(f, b, sizeof b);
        else
            put_block(f, type, deviation, state);
    }
}

/* ---- the model */

struct tensor {
    char name[64];
    uint64_t dims[3], n;
    uint32_t n_dims, type;
    double mean, deviation;
};

struct plan {
    struct test_model_spec s;
    struct tensor *tensors;
    size_t n_tensors;
};

static void fill_defaults(struct test_model_spec *s)
{
    const struct lli_dtype *type = lli_dtype_find(s->type);
    if (!type)
        abort();
    const struct {
        uint32_t *field, otherwise;
    } rows[] = {{&s->n_layers, 2},  {&s->n_embd, type->block == 256 ? 256 : 64},
                {&s->n_heads, 4},   {&s->n_kv_heads, 2},
                {&s->n_vocab, 320}, {&s->n_context, 256}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (!*rows[i].field)
            *rows[i].field = rows[i].otherwise;
    if (!s->arch)
        s->arch = "llama";
    if (!s->n_ff)
        s->n_ff = 2 * s->n_embd;
    if (s->n_experts && !s->n_experts_used)
        s->n_experts_used = s->n_experts < 2 ? 1 : 2;
    if (s->rope_factor == 0)
        s->rope_factor = 2;
    if (s->rope_base == 0)
        s->rope_base = 10000;
}

/* layer < 0: no layer. n_out 0: a vector; n_mats 0: one matrix. */
static struct tensor *add(struct plan *p, int layer, const char *role, uint32_t n_in, uint32_t n_out, uint32_t n_mats)
{
    p->tensors = realloc(p->tensors, (p->n_tensors + 1) * sizeof *p->tensors);
    if (!p->tensors)
        abort();
    struct tensor *t = &p->tensors[p->n_tensors++];
    memset(t, 0, sizeof *t);
    if (layer < 0)
        snprintf(t->name, sizeof t->name, "%s", role);
    else
        snprintf(t->name, sizeof t->name, "blk.%d.%s", layer, role);
    t->dims[0] = n_in;
    t->dims[1] = n_out;
    t->dims[2] = n_mats;
    t->n_dims = n_mats ? 3 : n_out ? 2 : 1;
    t->n = (uint64_t)n_in * (n_out ? n_out : 1) * (n_mats ? n_mats : 1);
    t->type = n_out ? p->s.type : (uint32_t)LLI_F32;
    t->mean = n_out ? 0 : 1;
    t->deviation = n_out ? 1 / sqrt(n_in) : 0.1;
    return t;
}

static void add_layer(struct plan *p, int i)
{
    const struct test_model_spec *s = &p->s;
    uint32_t head = s->head_dim ? s->head_dim : s->n_embd / s->n_heads;
    uint32_t d = s->n_embd, q = head * s->n_heads, kv = head * s->n_kv_heads, ff = s->n_ff, n = s->n_experts;
    add(p, i, "attn_norm.weight", d, 0, 0);
    add(p, i, "attn_q.weight", d, q, 0);
    add(p, i, "attn_k.weight", d, kv, 0);
    add(p, i, "attn_v.weight", d, kv, 0);
    add(p, i, "attn_output.weight", q, d, 0);
    if (s->biases) {
        add(p, i, "attn_q.bias", q, 0, 0)->mean = 0;
        add(p, i, "attn_k.bias", kv, 0, 0)->mean = 0;
        add(p, i, "attn_v.bias", kv, 0, 0)->mean = 0;
        add(p, i, "attn_output.bias", d, 0, 0)->mean = 0;
    }
    if (s->sinks)
        add(p, i, "attn_sinks.weight", s->n_heads, 0, 0)->mean = 0;
    add(p, i, "ffn_norm.weight", d, 0, 0);
    if (n)
        add(p, i, "ffn_gate_inp.weight", d, n, 0)->type = LLI_F32;
    add(p, i, n ? "ffn_gate_exps.weight" : "ffn_gate.weight", d, ff, n);
    add(p, i, n ? "ffn_up_exps.weight" : "ffn_up.weight", d, ff, n);
    add(p, i, n ? "ffn_down_exps.weight" : "ffn_down.weight", ff, d, n);
}

static void add_all(struct plan *p)
{
    uint32_t head = p->s.head_dim ? p->s.head_dim : p->s.n_embd / p->s.n_heads;
    add(p, -1, "token_embd.weight", p->s.n_embd, p->s.n_vocab, 0)->deviation = 1;
    for (uint32_t i = 0; i < p->s.n_layers; i++)
        add_layer(p, (int)i);
    if (p->s.rope_freqs) {
        struct tensor *t = add(p, -1, "rope_freqs.weight", head / 2, 0, 0);
        t->mean = 2;
        t->deviation = 0.5;
    }
    add(p, -1, "output_norm.weight", p->s.n_embd, 0, 0);
    if (!p->s.tied)
        add(p, -1, "output.weight", p->s.n_embd, p->s.n_vocab, 0);
}

/* ---- other architectures: what their family's row names, in the shapes that it gives */

static void measure(uint32_t sides[LLI_N_EXTENTS], const struct test_model_spec *s, const struct lli_family *family)
{
    uint32_t head = s->head_dim ? s->head_dim : s->n_embd / s->n_heads;
    int is_each = family->qk_norm == LLI_QK_NORM_EACH_HEAD, is_all = family->qk_norm == LLI_QK_NORM_ALL;
    const uint32_t values[LLI_N_EXTENTS] = {
        [LLI_EXTENT_EMBD] = s->n_embd,
        [LLI_EXTENT_VOCAB] = s->n_vocab,
        [LLI_EXTENT_CONTEXT] = s->n_context,
        [LLI_EXTENT_TOKEN_TYPES] = 2,
        [LLI_EXTENT_HEADS] = s->n_heads * head,
        [LLI_EXTENT_KV_HEADS] = s->n_kv_heads * head,
        [LLI_EXTENT_EACH_HEAD] = s->n_heads,
        [LLI_EXTENT_Q_NORM] = is_all ? s->n_heads * head : head,
        [LLI_EXTENT_K_NORM] = is_all ? s->n_kv_heads * head : head,
        [LLI_EXTENT_Q_NORM_HEADS] = is_each ? s->n_heads : 0,
        [LLI_EXTENT_K_NORM_HEADS] = is_each ? s->n_kv_heads : 0,
        [LLI_EXTENT_FF] = s->n_ff,
        [LLI_EXTENT_EXPERT_FF] = s->n_ff,
        [LLI_EXTENT_SHARED_FF] = s->n_ff,
        [LLI_EXTENT_EXPERTS] = s->n_experts,
        [LLI_EXTENT_ROPE] = head / 2,
    };
    memcpy(sides, values, sizeof values);
}

static void add_role(struct plan *p, int layer, int role, const uint32_t *sides)
{
    const struct lli_role_shape *shape = lli_family_shape((enum lli_role)role);
    struct tensor *t = add(p, layer, shape->name, sides[shape->sides[0]], sides[shape->sides[1]], sides[shape->sides[2]]);
    int is_bias = strstr(shape->name, ".bias") != NULL || role == LLI_ATTN_SINKS;
    if (shape->is_vector || role == LLI_FFN_ROUTER_SHARED) {
        t->type = LLI_F32;
        t->mean = shape->is_vector && !is_bias ? 1 : 0;
        t->deviation = 0.1;
    }
    if (role == LLI_FFN_ROUTER || role == LLI_POSITION_EMBD || role == LLI_TOKEN_TYPES)
        t->type = LLI_F32;
    if (role == LLI_TOKEN_EMBD)
        t->deviation = 1;
}

/* Roles whose rows stand behind those of another in one tensor are left out there. */
static void add_fused(struct plan *p, int layer, int role, const struct lli_family *family, const uint32_t *sides)
{
    const struct test_model_spec *s = &p->s;
    uint32_t kv = sides[LLI_EXTENT_KV_HEADS], all = sides[LLI_EXTENT_HEADS] + 2 * kv;
    int is_up = family->traits & LLI_GATE_IN_UP, is_after = family->traits & LLI_FFN_NORM_AFTER;
    if (s->fused && role == LLI_ATTN_Q)
        add(p, layer, "attn_qkv.weight", s->n_embd, all, 0);
    else if (s->fused && role == LLI_ATTN_Q_BIAS)
        add(p, layer, "attn_qkv.bias", all, 0, 0)->mean = 0;
    else if (is_up && role == LLI_FFN_UP)
        add(p, layer, "ffn_up.weight", s->n_embd, 2 * s->n_ff, 0);
    else if (is_after && role == LLI_FFN_NORM)
        add(p, layer, "post_attention_norm.weight", s->n_embd, 0, 0);
    else if (!(s->fused && (role == LLI_ATTN_K || role == LLI_ATTN_V || role == LLI_ATTN_K_BIAS || role == LLI_ATTN_V_BIAS)) &&
             !(is_up && role == LLI_FFN_GATE))
        add_role(p, layer, role, sides);
}

static void add_family(struct plan *p)
{
    const struct lli_family *family = lli_family_find(p->s.arch, strlen(p->s.arch));
    uint32_t sides[LLI_N_EXTENTS];
    if (!family)
        abort();
    uint64_t roles = lli_family_needs(family, p->s.n_experts > 0) | p->s.optional;
    measure(sides, &p->s, family);
    for (int role = 0; role < LLI_FIRST_LAYER_ROLE; role++)
        if (roles >> role & 1)
            add_role(p, -1, role, sides);
    for (int layer = 0; layer < (int)p->s.n_layers; layer++)
        for (int role = LLI_FIRST_LAYER_ROLE; role < LLI_N_ROLES; role++)
            if (roles >> role & 1)
                add_fused(p, layer, role, family, sides);
}

/* ---- the vocabulary: <unk> <s> </s>, 256 bytes, U+2581, a to z, words, then four-letter names */

static const char *const WORDS[] = {"\xe2\x96\x81the",
                                    "\xe2\x96\x81t",
                                    "he",
                                    "\xe2\x96\x81th",
                                    "in",
                                    "an",
                                    "\xe2\x96\x81"
                                    "a",
                                    "er",
                                    "on",
                                    "re",
                                    "\xe2\x96\x81s",
                                    "\xe2\x96\x81w",
                                    "it",
                                    "ed",
                                    "nd",
                                    "\xe2\x96\x81"
                                    "and",
                                    "\xe2\x96\x81in",
                                    "ou",
                                    "\xe2\x96\x81he",
                                    "at",
                                    "en",
                                    "es",
                                    "\xe2\x96\x81to",
                                    "\xe2\x96\x81of",
                                    "is",
                                    "ing",
                                    "\xe2\x96\x81it",
                                    "\xe2\x96\x81on",
                                    "\xe2\x96\x81you",
                                    "or",
                                    "\xe2\x96\x81was",
                                    "\xe2\x96\x81"
                                    "be",
                                    "\xe2\x96\x81"
                                    "for",
                                    "."};

static void token_text(char out[16], uint32_t id)
{
    static const char *const special[N_SPECIAL] = {"<unk>", "<s>", "</s>"};
    uint32_t n_words = sizeof WORDS / sizeof *WORDS, i = id - N_SPECIAL - N_BYTE_TOKENS, rest = i - 27 - n_words;
    if (id < N_SPECIAL)
        snprintf(out, 16, "%s", special[id]);
    else if (id < N_SPECIAL + N_BYTE_TOKENS)
        snprintf(out, 16, "<0x%02X>", id - N_SPECIAL);
    else if (i == 0)
        snprintf(out, 16, "\xe2\x96\x81");
    else if (i < 27)
        snprintf(out, 16, "%c", (char)('a' + i - 1));
    else if (i < 27 + n_words)
        snprintf(out, 16, "%s", WORDS[i - 27]);
    else
        snprintf(out, 16, "%c%c%c%c", (char)('a' + rest / 17576 % 26), (char)('a' + rest / 676 % 26),
                 (char)('a' + rest / 26 % 26), (char)('a' + rest % 26));
}

static uint32_t put_vocabulary(struct test_gguf *f, uint32_t n)
{
    char text[16];
    test_gguf_key_text(f, "tokenizer.ggml.model", "llama");
    test_gguf_key_array(f, "tokenizer.ggml.tokens", LLI_GGUF_STRING, n);
    for (uint32_t id = 0; id < n; id++) {
        token_text(text, id);
        test_gguf_text(f, text);
    }
    test_gguf_key_array(f, "tokenizer.ggml.scores", LLI_GGUF_F32, n);
    for (uint32_t id = 0; id < n; id++)
        put_f32(f, id < N_SPECIAL + N_BYTE_TOKENS ? 0 : -(float)id);
    test_gguf_key_array(f, "tokenizer.ggml.token_type", LLI_GGUF_I32, n);
    for (uint32_t id = 0; id < n; id++)
        test_gguf_u32(f, id == 0 ? 2 : id < N_SPECIAL ? 3 : id < N_SPECIAL + N_BYTE_TOKENS ? 6 : 1);
    test_gguf_key_u32(f, "tokenizer.ggml.unknown_token_id", 0);
    test_gguf_key_u32(f, "tokenizer.ggml.bos_token_id", 1);
    test_gguf_key_u32(f, "tokenizer.ggml.eos_token_id", 2);
    return 7;
}

static const char *full_key(const struct test_model_spec *s, const char *name)
{
    static char key[96];
    snprintf(key, sizeof key, "%s.%s", s->arch, name);
    return key;
}

/* Writes the metadata entries and returns their number. */
static uint32_t put_metadata(struct test_gguf *f, const struct test_model_spec *s)
{
    const struct {
        const char *key;
        uint32_t value;
    } rows[] = {{"context_length", s->n_context},      {"embedding_length", s->n_embd},
                {"block_count", s->n_layers},          {"feed_forward_length", s->n_ff},
                {"attention.head_count", s->n_heads},  {"attention.head_count_kv", s->n_kv_heads},
                {"attention.key_length", s->head_dim}, {"attention.value_length", s->head_dim},
                {"expert_count", s->n_experts},        {"expert_used_count", s->n_experts_used}};
    const struct lli_family *family = lli_family_find(s->arch, strlen(s->arch));
    uint32_t n = 3;
    test_gguf_key_text(f, "general.architecture", s->arch);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (rows[i].value) {
            test_gguf_key_u32(f, full_key(s, rows[i].key), rows[i].value);
            n++;
        }
    for (size_t i = 0; i < sizeof s->keys / sizeof *s->keys && s->keys[i].name; i++, n++) {
        if (s->keys[i].is_int)
            test_gguf_key_u32(f, full_key(s, s->keys[i].name), (uint32_t)s->keys[i].value);
        else
            test_gguf_key_f32(f, full_key(s, s->keys[i].name), (float)s->keys[i].value);
    }
    test_gguf_key_f32(f,
                      full_key(s, family && family->norm == LLI_NORM_LAYER ? "attention.layer_norm_epsilon"
                                                                           : "attention.layer_norm_rms_epsilon"),
                      1e-5f);
    test_gguf_key_f32(f, full_key(s, "rope.freq_base"), (float)s->rope_base);
    if (s->rope_scaling) {
        test_gguf_key_text(f, full_key(s, "rope.scaling.type"), s->rope_scaling);
        test_gguf_key_f32(f, full_key(s, "rope.scaling.factor"), (float)s->rope_factor);
        n += 2;
    }
    return n + put_vocabulary(f, s->n_vocab);
}

uint8_t *test_model_make(const struct test_model_spec *spec, size_t *size_out)
{
    struct plan p = {.s = *spec};
    struct test_gguf meta = {0}, f = {0};
    uint64_t at = 0, state = spec->seed;
    fill_defaults(&p.s);
    if (strcmp(p.s.arch, "llama") == 0)
        add_all(&p);
    else
        add_family(&p);
    uint32_t n_kv = put_metadata(&meta, &p.s);
    test_gguf_head(&f, p.n_tensors, n_kv);
    test_gguf_bytes(&f, meta.bytes, meta.len);
    for (size_t i = 0; i < p.n_tensors; i++) {
        const struct tensor *t = &p.tensors[i];
        const struct lli_dtype *type = lli_dtype_find(t->type);
        test_gguf_tensor(&f, t->name, t->dims, t->n_dims, t->type, at);
        at += (t->n / type->block * type->block_bytes + ALIGN - 1) / ALIGN * ALIGN;
    }
    for (size_t i = 0; i < p.n_tensors; i++) {
        const struct tensor *t = &p.tensors[i];
        test_gguf_align(&f, ALIGN);
        put_weights(&f, lli_dtype_find(t->type), t->n, t->mean, t->deviation, &state);
    }
    free(meta.bytes);
    free(p.tensors);
    *size_out = f.len;
    return f.bytes;
}
