/* model/folder_tensors.c - two ways through the files: the first counts the bytes of what must be written anew, the second
 * writes it and enters every tensor. Anew are vectors, which GGUF has in binary32, and what is rotated: there a head's rows are
 * its two halves (0 .. d/2-1, d/2 .. d-1), in GGUF's llama its pairs (0, d/2, 1, d/2+1, ...). */
#include "model/folder_tensors.h"

#include <string.h>

#include "base/error.h"
#include "base/format.h"
#include "base/half.h"
#include "base/mathx.h"
#include "base/size.h"
#include "model/family.h"

#define PI 3.14159265358979323846

enum how { AS_IT_IS, ROTATED_Q, ROTATED_K, NOT_AT_ALL };

struct name {
    const char *from, *to;
    enum how how;
};

static const struct name names[] = {
    {"model.embed_tokens.weight", "token_embd.weight", AS_IT_IS},
    {"model.norm.weight", "output_norm.weight", AS_IT_IS},
    {"lm_head.weight", "output.weight", AS_IT_IS},
};

static const struct name layer_names[] = {
    {"input_layernorm.weight", "attn_norm.weight", AS_IT_IS},
    {"post_attention_layernorm.weight", "ffn_norm.weight", AS_IT_IS},
    {"self_attn.q_proj.weight", "attn_q.weight", ROTATED_Q},
    {"self_attn.k_proj.weight", "attn_k.weight", ROTATED_K},
    {"self_attn.v_proj.weight", "attn_v.weight", AS_IT_IS},
    {"self_attn.o_proj.weight", "attn_output.weight", AS_IT_IS},
    {"self_attn.q_proj.bias", "attn_q.bias", ROTATED_Q},
    {"self_attn.k_proj.bias", "attn_k.bias", ROTATED_K},
    {"self_attn.v_proj.bias", "attn_v.bias", AS_IT_IS},
    {"self_attn.o_proj.bias", "attn_output.bias", AS_IT_IS},
    {"self_attn.q_norm.weight", "attn_q_norm.weight", AS_IT_IS},
    {"self_attn.k_norm.weight", "attn_k_norm.weight", AS_IT_IS},
    {"mlp.gate_proj.weight", "ffn_gate.weight", AS_IT_IS},
    {"mlp.up_proj.weight", "ffn_up.weight", AS_IT_IS},
    {"mlp.down_proj.weight", "ffn_down.weight", AS_IT_IS},
    {"self_attn.rotary_emb.inv_freq", "", NOT_AT_ALL}, /* what the base says too */
};

struct walk {
    struct lli_gguf_build *b;
    const struct lli_folder_config *config;
    int has_embedding; /* some file has it by its own name */
    uint8_t *anew;     /* NULL: on the first way */
    size_t n_anew;
};

/* ---- names ------------------------------------------------------------------------------------------------------- */

static const struct name *find_name(const struct name *table, size_t n, const char *name)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(table[i].from, name) == 0)
            return &table[i];
    return NULL;
}

/* The row of a name, and GGUF's; NULL: there is none. */
static const struct name *find_row(char out[LLI_FOLDER_NAME_BYTES], const char *name)
{
    int64_t layer = 0;
    const char *rest = lli_family_layer(&layer, "model.layers.", name);
    const struct name *row = rest ? find_name(layer_names, sizeof layer_names / sizeof *layer_names, rest)
                                  : find_name(names, sizeof names / sizeof *names, name);
    if (row && rest)
        lli_format(out, LLI_FOLDER_NAME_BYTES, "blk.%lld.%s", (long long)layer, row->to);
    else if (row)
        lli_format(out, LLI_FOLDER_NAME_BYTES, "%s", row->to);
    return row;
}

int lli_folder_tensor_name(char out[LLI_FOLDER_NAME_BYTES], int *is_rotated, const char *name)
{
    const struct name *row = find_row(out, name);
    *is_rotated = row && (row->how == ROTATED_Q || row->how == ROTATED_K);
    return row && row->how != NOT_AT_ALL ? 0 : -1;
}

/* GGUF's name and how it is taken over; -1: there is none. */
static int translate(char out[LLI_FOLDER_NAME_BYTES], enum how *how, const struct walk *w, const char *name)
{
    const struct name *row = find_row(out, name);
    if (!row)
        return -1;
    *how = row->how;
    if (w->config->is_tied && row == &names[2]) { /* one matrix, under either name */
        *how = w->has_embedding ? NOT_AT_ALL : AS_IT_IS;
        lli_format(out, LLI_FOLDER_NAME_BYTES, "%s", names[0].to);
    }
    return 0;
}

/* ---- what is written anew ---------------------------------------------------------------------------------------- */

static float to_float(const struct lli_dtype *type, const uint8_t *at)
{
    uint16_t half;
    float v;
    if (type->id == LLI_F32) {
        memcpy(&v, at, sizeof v);
        return v;
    }
    memcpy(&half, at, sizeof half);
    return type->id == LLI_F16 ? lli_half_to_f32(half) : lli_bf16_to_f32(half);
}

uint64_t lli_folder_row(uint64_t i, uint64_t d)
{
    uint64_t at = i % d;
    return i - at + at / 2 + (at % 2 ? d / 2 : 0);
}

/* The tensor's bytes, in the order of GGUF; vectors as binary32. */
static void write_anew(uint8_t *out, const struct lli_st_tensor *t, uint64_t d, int is_rotated)
{
    uint64_t n_rows = t->n_dims == 1 ? t->dims[0] : t->dims[1];
    size_t row_bytes = n_rows ? t->bytes / n_rows : 0;
    for (uint64_t i = 0; i < n_rows; i++) {
        const uint8_t *row = t->data + (is_rotated ? lli_folder_row(i, d) : i) * row_bytes;
        float v;
        if (t->n_dims > 1) {
            memcpy(out + i * row_bytes, row, row_bytes);
            continue;
        }
        v = to_float(t->type, row);
        memcpy(out + i * sizeof v, &v, sizeof v);
    }
}

static int32_t check_heads(const struct walk *w, const struct lli_st_tensor *t, enum how how)
{
    uint64_t n_rows = t->n_dims == 1 ? t->dims[0] : t->dims[1];
    uint64_t want = (uint64_t)(how == ROTATED_Q ? w->config->n_heads : w->config->n_kv_heads) * w->config->head_dim;
    if (t->n_dims <= 2 && n_rows == want && w->config->head_dim % 2 == 0)
        return 0;
    return lli_fail_at(w->b->err, LLMINF_E_FORMAT, t->pos, t->name, "%llu rows, want %llu: heads of %u, which is even",
                       (unsigned long long)n_rows, (unsigned long long)want, w->config->head_dim);
}

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

static int32_t take(struct walk *w, const struct lli_st_tensor *t)
{
    char name[LLI_FOLDER_NAME_BYTES];
    enum how how;
    int32_t status = 0;
    if (translate(name, &how, w, t->name))
        return lli_fail_at(w->b->err, LLMINF_E_UNSUPPORTED, t->pos, t->name, "not a tensor of %s", w->config->class->name);
    if (how == NOT_AT_ALL)
        return 0;
    if (!t->type)
        return lli_fail_at(w->b->err, LLMINF_E_UNSUPPORTED, t->pos, t->name, "in %s, want F32, F16 or BF16", t->type_name);
    if (t->n_dims == 0 || t->bytes == 0)
        return lli_fail_at(w->b->err, LLMINF_E_FORMAT, t->pos, t->name, "has no elements, or no dimensions");
    int is_rotated = how != AS_IT_IS && w->config->class->has_pairs;
    if (is_rotated)
        status = check_heads(w, t, how);
    if (status)
        return status;
    struct lli_gguf_tensor out = {.name = name, .type = t->type, .n_dims = t->n_dims, .data = t->data, .bytes = t->bytes};
    out.pos = t->pos;
    memcpy(out.dims, t->dims, sizeof out.dims);
    if (is_rotated || (t->n_dims == 1 && t->type->id != LLI_F32)) {
        size_t at = w->n_anew;
        out.type = t->n_dims == 1 ? lli_dtype_find(LLI_F32) : t->type;
        out.bytes = t->n_dims == 1 ? (size_t)t->dims[0] * sizeof(float) : t->bytes;
        if (lli_size_add(&w->n_anew, at, out.bytes) || lli_size_pad(&w->n_anew, w->n_anew, 64))
            return lli_fail(w->b->err, LLMINF_E_LIMIT, t->name, "more bytes than memory can hold");
        if (w->anew) {
            out.data = w->anew + at;
            write_anew(w->anew + at, t, w->config->head_dim, is_rotated);
        }
    }
    if (w->anew)
        lli_gguf_build_tensor(w->b, &out);
    return w->b->status;
}

/* What divides the angles of pair i in Llama 3 (transformers, modeling_rope_utils: llama3). */
static float rope_factor(const struct lli_folder_config *c, uint32_t i)
{
    double wave = 2 * PI * lli_pow_f64(c->rope_base, 2.0 * i / c->head_dim), turns = c->rope_original / wave;
    if (turns > c->rope_high)
        return 1;
    if (turns < c->rope_low)
        return (float)c->rope_factor;
    double smooth = (turns - c->rope_low) / (c->rope_high - c->rope_low);
    return (float)(1 / ((1 - smooth) / c->rope_factor + smooth));
}

static void add_rope_factors(struct walk *w)
{
    const struct lli_folder_config *c = w->config;
    uint32_t n = c->head_dim / 2;
    struct lli_gguf_tensor t = {.name = "rope_freqs.weight", .type = lli_dtype_find(LLI_F32), .n_dims = 1, .pos = -1};
    if (c->rope_factor <= 0 || n == 0)
        return;
    t.dims[0] = n;
    t.dims[1] = t.dims[2] = t.dims[3] = 1;
    t.bytes = n * sizeof(float);
    if (w->anew) {
        t.data = w->anew + w->n_anew;
        for (uint32_t i = 0; i < n; i++) {
            float v = rope_factor(c, i);
            memcpy(w->anew + w->n_anew + i * sizeof v, &v, sizeof v);
        }
        lli_gguf_build_tensor(w->b, &t);
    }
    w->n_anew += t.bytes;
}

static int32_t go(struct walk *w, const struct lli_safetensors *files, size_t n)
{
    int32_t status = 0;
    w->n_anew = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < files[i].n_tensors && status == 0; k++)
            status = take(w, &files[i].tensors[k]);
    if (status == 0)
        add_rope_factors(w);
    return status ? status : w->b->status;
}

void lli_folder_tensors(struct lli_gguf_build *b, struct lli_files *own, const struct lli_safetensors *files, size_t n,
                        const struct lli_folder_config *config)
{
    struct walk w = {.b = b, .config = config};
    struct lli_mapping anew = {.heap = own->heap};
    for (size_t i = 0; i < n; i++)
        w.has_embedding |= lli_safetensors_find(&files[i], names[0].from) != NULL;
    if (b->status == 0)
        b->status = go(&w, files, n);
    if (b->status)
        return;
    anew.size = w.n_anew;
    anew.copied = w.anew = lli_alloc_aligned(own->heap, w.n_anew + 1, 64); /* not NULL though nothing is anew */
    anew.bytes = w.anew;
    b->status = w.anew ? lli_files_add(own, &anew, b->err) : lli_fail_memory(b->err, "tensors", w.n_anew);
    if (b->status == 0)
        b->status = go(&w, files, n);
}
