/* model/adapter_folder.c - what adapter_config.json says beyond rank and alpha must be idle. Rows of B of q and k change places
 * where those of the model do; the first way through the tensors counts their bytes, the second writes them. */
#include "model/adapter_folder.h"

#include <string.h>

#include "base/error.h"
#include "base/format.h"
#include "base/json.h"
#include "base/size.h"
#include "file/gguf_build.h"
#include "file/safetensors.h"
#include "model/adapter.h"
#include "model/family.h"
#include "model/folder.h"
#include "model/folder_piece.h"
#include "model/folder_tensors.h"

#define CONFIG "adapter_config.json"
#define TENSORS "adapter_model.safetensors"
#define PREFIX "base_model.model."

struct folder {
    struct lli_gguf_build b;
    const struct lli_adapter_options *options;
    const struct lli_folder_class *class;
    struct lli_safetensors st;
    int64_t rank;  /* of all tensors; 0: they say */
    uint8_t *anew; /* NULL: on the first way */
    size_t n_anew;
};

static int32_t fail(struct folder *f, int32_t status, const char *key, const char *what)
{
    return lli_fail(f->b.err, status, CONFIG, "\"%s\" %s", key, what);
}

/* ---- adapter_config.json ----------------------------------------------------------------------------------------- */

/* The member; NULL if it is not there, or null. */
static const struct lli_json_value *find(const struct lli_json *json, const char *key)
{
    uint32_t i = lli_json_find(json, 0, key, strlen(key));
    return i > 0 && json->values[i].kind != LLI_JSON_NULL ? &json->values[i] : NULL;
}

static int is_one_of(const struct lli_json_value *v, const char *const *texts)
{
    for (; v->kind == LLI_JSON_TEXT && *texts; texts++)
        if (strlen(*texts) == v->n && memcmp(*texts, v->text, v->n) == 0)
            return 1;
    return 0;
}

/* false, 0 parts, or a text that changes nothing. */
static int is_idle(const struct lli_json_value *v, const char *const *texts)
{
    int is_empty = (v->kind == LLI_JSON_ARRAY || v->kind == LLI_JSON_OBJECT) && v->n == 0;
    return v->kind == LLI_JSON_FALSE || is_empty || is_one_of(v, texts);
}

/* What would make other sums than W x + B A x, or needs more tensors, or begins from other weights than the model's. */
static int32_t refuse_others(struct folder *f, const struct lli_json *json)
{
    static const struct {
        const char *key, *idle[5];
        int may_be_true;
    } rows[] = {
        {"use_dora", {NULL}, 0},          {"lora_bias", {NULL}, 0},
        {"fan_in_fan_out", {NULL}, 1},    {"modules_to_save", {NULL}, 0},
        {"alpha_pattern", {NULL}, 0},     {"trainable_token_indices", {NULL}, 0},
        {"layer_replication", {NULL}, 0}, {"alora_invocation_tokens", {NULL}, 0},
        {"use_qalora", {NULL}, 0},        {"target_parameters", {NULL}, 0},
        {"bias", {"none", NULL}, 0},      {"init_lora_weights", {"gaussian", "eva", "orthogonal", NULL}, 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct lli_json_value *v = find(json, rows[i].key);
        if (v && !is_idle(v, rows[i].idle) && !(rows[i].may_be_true && v->kind == LLI_JSON_TRUE))
            return fail(f, LLMINF_E_UNSUPPORTED, rows[i].key, "has a value that is not known here");
    }
    return 0;
}

/* alpha / rank is what B A is multiplied by; alpha / sqrt(rank) where the adapter is "rank stabilised". */
static int32_t put_alpha(struct folder *f, const struct lli_json *json)
{
    const struct lli_json_value *alpha = find(json, "lora_alpha"), *rank = find(json, "r");
    const struct lli_json_value *pattern = find(json, "rank_pattern"), *is_stable = find(json, "use_rslora");
    int has_pattern = pattern && !(pattern->kind == LLI_JSON_OBJECT && pattern->n == 0);
    int is_real = alpha && alpha->kind == LLI_JSON_FLOAT;
    if (!alpha || (!is_real && alpha->kind != LLI_JSON_INT))
        return fail(f, LLMINF_E_FORMAT, "lora_alpha", "is no number");
    if (!rank || rank->kind != LLI_JSON_INT || rank->number < 1)
        return fail(f, LLMINF_E_FORMAT, "r", "is no number above 0");
    double value = is_real ? alpha->real : (double)alpha->number;
    if (value == 0)
        return fail(f, LLMINF_E_UNSUPPORTED, "lora_alpha", "is 0, so nothing would be added");
    if (is_stable && is_stable->kind == LLI_JSON_TRUE) {
        if (has_pattern)
            return fail(f, LLMINF_E_UNSUPPORTED, "rank_pattern", "is not known beside use_rslora");
        value *= __builtin_sqrt((double)rank->number);
    }
    f->rank = has_pattern ? 0 : rank->number;
    lli_gguf_build_float(&f->b, "adapter.lora.alpha", value);
    return f->b.status;
}

static int32_t put_metadata(struct folder *f, const struct lli_json *json)
{
    static const char *const lora[] = {"LORA", NULL};
    const struct lli_json_value *kind = json->values[0].kind == LLI_JSON_OBJECT ? find(json, "peft_type") : NULL;
    const char *arch = f->options->config->family->name;
    if (!kind)
        return fail(f, LLMINF_E_FORMAT, "peft_type", "is not there");
    if (!is_one_of(kind, lora))
        return fail(f, LLMINF_E_UNSUPPORTED, "peft_type", "is not LORA");
    int32_t status = refuse_others(f, json);
    if (status)
        return status;
    lli_gguf_build_text(&f->b, "general.type", "adapter", strlen("adapter"));
    lli_gguf_build_text(&f->b, "general.architecture", arch, strlen(arch));
    lli_gguf_build_text(&f->b, "adapter.type", "lora", strlen("lora"));
    return put_alpha(f, json);
}

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

/* "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight" becomes "blk.0.attn_q.weight.lora_a". 0, or -1: it cannot;
 * *how tells of rows that change places. */
static int translate(char out[LLI_MAX_TENSOR_NAME + 1], enum lli_folder_how *how, const struct folder *f, const char *name)
{
    static const char weight[] = "weight", adapter[] = "default.";
    char stem[LLI_MAX_SAFETENSORS_NAME + sizeof weight + 1], gguf[LLI_FOLDER_NAME_BYTES];
    const char *rest = strncmp(name, PREFIX, strlen(PREFIX)) == 0 ? name + strlen(PREFIX) : name, *at = strstr(rest, ".lora_");
    if (!at || (at[6] != 'A' && at[6] != 'B') || at[7] != '.')
        return -1;
    const char *end = at + 8;
    if (strncmp(end, adapter, sizeof adapter - 1) == 0)
        end += sizeof adapter - 1;
    if (strcmp(end, weight) != 0 || (size_t)(at - rest) > LLI_MAX_SAFETENSORS_NAME)
        return -1;
    lli_format(stem, sizeof stem, "%.*s.%s", (int)(at - rest), rest, weight);
    if (lli_folder_tensor_name(gguf, how, f->class, stem) || strlen(gguf) + strlen(".lora_a") > LLI_MAX_TENSOR_NAME)
        return -1;
    lli_format(out, LLI_MAX_TENSOR_NAME + 1, "%s.lora_%c", gguf, at[6] == 'A' ? 'a' : 'b');
    *how = at[6] == 'B' ? *how : LLI_HOW_PLAIN;
    return 0;
}

static int32_t check_tensor(const struct folder *f, const struct lli_st_tensor *t, int is_a)
{
    if (!t->type)
        return lli_fail_at(f->b.err, LLMINF_E_UNSUPPORTED, t->pos, t->name, "in %s, want F32, F16 or BF16", t->type_name);
    if (t->n_dims != 2 || t->bytes == 0)
        return lli_fail_at(f->b.err, LLMINF_E_FORMAT, t->pos, t->name, "%u dimensions and %zu bytes, want a matrix", t->n_dims,
                           t->bytes);
    if (f->rank > 0 && t->dims[is_a ? 1 : 0] != (uint64_t)f->rank)
        return lli_fail_at(f->b.err, LLMINF_E_FORMAT, t->pos, t->name, "rank %llu, \"r\" is %lld",
                           (unsigned long long)t->dims[is_a ? 1 : 0], (long long)f->rank);
    return 0;
}

/* What has other rows than the heads is refused when its shape is looked at. */
static void write_rows(uint8_t *out, const struct lli_st_tensor *t, const struct lli_folder_heads *heads,
                       enum lli_folder_how how)
{
    size_t row_bytes = t->bytes / t->dims[1];
    int is_whole = lli_folder_rows(heads, how) == t->dims[1] && (how == LLI_HOW_QKV || heads->head_dim % 2 == 0);
    for (uint64_t i = 0; i < t->dims[1]; i++)
        memcpy(out + i * row_bytes, t->data + (is_whole ? lli_folder_row(heads, how, i) : i) * row_bytes, row_bytes);
}

static int32_t take(struct folder *f, const struct lli_st_tensor *t)
{
    const struct lli_config *c = f->options->config;
    const struct lli_folder_heads heads = {c->n_heads, c->n_kv_heads, c->head_dim, f->class->traits & LLI_FOLDER_PAIRS};
    char name[LLI_MAX_TENSOR_NAME + 1];
    enum lli_folder_how how;
    if (translate(name, &how, f, t->name))
        return lli_fail_at(f->b.err, LLMINF_E_UNSUPPORTED, t->pos, t->name, "no adapter is known here for %s", f->class->arch);
    int32_t status = check_tensor(f, t, name[strlen(name) - 1] == 'a');
    if (status)
        return status;
    struct lli_gguf_tensor out = {.name = name, .type = t->type, .n_dims = t->n_dims, .data = t->data, .bytes = t->bytes};
    out.pos = t->pos;
    memcpy(out.dims, t->dims, sizeof out.dims);
    if (lli_folder_rows(&heads, how) > 0) {
        size_t at = f->n_anew;
        if (lli_size_add(&f->n_anew, at, t->bytes) || lli_size_pad(&f->n_anew, f->n_anew, 64))
            return lli_fail_memory(f->b.err, t->name, UINT64_MAX);
        if (f->anew) {
            out.data = f->anew + at;
            write_rows(f->anew + at, t, &heads, how);
        }
    }
    if (f->anew)
        lli_gguf_build_tensor(&f->b, &out);
    return f->b.status;
}

static int32_t take_all(struct folder *f)
{
    int32_t status = 0;
    f->n_anew = 0;
    for (size_t i = 0; i < f->st.n_tensors && status == 0; i++)
        status = take(f, &f->st.tensors[i]);
    return status;
}

static int32_t put_tensors(struct folder *f, struct lli_files *files)
{
    struct lli_mapping anew = {.heap = files->heap};
    int32_t status = take_all(f);
    if (status)
        return status;
    anew.size = f->n_anew;
    anew.copied = f->anew = lli_alloc_aligned(files->heap, f->n_anew + 1, 64); /* not NULL though nothing is anew */
    anew.bytes = f->anew;
    if (!f->anew)
        return lli_fail_memory(f->b.err, TENSORS, f->n_anew);
    status = lli_files_add(files, &anew, f->b.err);
    return status ? status : take_all(f);
}

static int32_t read_tensors(struct folder *f, struct lli_files *files, const char *path)
{
    const struct lli_adapter_options *o = f->options;
    struct lli_mapping m;
    int32_t status = lli_folder_open_as(&m, files->heap, path, TENSORS, o->load, o->progress, f->b.err);
    if (status == 0)
        status = lli_files_add(files, &m, f->b.err);
    if (status == 0)
        status = lli_safetensors_read(&f->st, files->heap, m.bytes, m.size, o->header_limit_bytes, TENSORS, f->b.err);
    if (status == 0)
        status = put_tensors(f, files);
    lli_safetensors_finish(&f->st);
    return status;
}

int32_t lli_adapter_folder_read(struct lli_gguf *out, struct lli_files *files, const char *path,
                                const struct lli_adapter_options *options, struct llminf_error *err)
{
    const char *arch = options->config->family->name;
    struct folder f = {.options = options, .class = lli_folder_class_of(arch)};
    struct lli_json config;
    lli_gguf_build_begin(&f.b, out, files->heap, err);
    if (!f.class)
        return lli_fail(err, LLMINF_E_UNSUPPORTED, path, "folders of %s are not known, want an adapter in GGUF", arch);
    int32_t status = lli_folder_json(&config, NULL, files->heap, path, CONFIG, err);
    if (status == 0)
        status = put_metadata(&f, &config);
    lli_json_finish(&config);
    if (status == 0)
        status = read_tensors(&f, files, path);
    return status ? status : lli_gguf_build_end(&f.b);
}
