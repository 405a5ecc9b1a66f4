/* Adapters that are none, or another model's: each says what is wrong with which tensor or key. The right ones are told apart
 * by their fingerprints. */
#include "model/adapter.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "file/mapping.h"
#include "support/model.h"
#include "support/support.h"

enum { EMBD = 64, KV = 32, FF = 128, MAX_TENSORS = 4 };

struct tensor {
    const char *name;
    uint64_t dims[3];
    uint32_t n_dims; /* 0: 2 */
};

/* What is not said is right. */
struct file {
    const char *type, *arch, *kind, *more; /* "": no such key */
    float alpha;                           /* 0: 8 */
    struct tensor at[MAX_TENSORS];         /* up to the first without a name; none: a pair for q of layer 0 */
    int is_empty;
};

static struct model m;

static int open_model(void **state)
{
    struct test_model_spec spec = {.seed = 1}; /* 2 layers, width 64, 4 heads, 2 of them for K and V */
    (void)state;
    model_make(&m, &spec);
    return model_read(&m) != LLMINF_OK;
}

static int close_model(void **state)
{
    (void)state;
    model_finish(&m);
    return 0;
}

static int32_t open_path(struct lli_adapter **out, const char *path, uint32_t rank_limit, struct llminf_error *err)
{
    const struct lli_adapter_options options = {.config = &m.config,
                                                .weights = &m.weights,
                                                .rank_limit = rank_limit,
                                                .header_limit_bytes = 1 << 20,
                                                .load = LLI_LOAD_READ};
    *out = NULL;
    return lli_adapter_open(out, &m.heap, path, &options, err);
}

/* ---- GGUF -------------------------------------------------------------------------------------------------------- */

static uint64_t bytes_of(const struct tensor *t)
{
    uint64_t n = t->dims[0] * t->dims[1] * (t->n_dims == 3 ? t->dims[2] : 1) * sizeof(float);
    return (n + 31) / 32 * 32;
}

static void put_text(struct test_gguf *f, const char *key, const char *value, const char *otherwise)
{
    test_gguf_key_text(f, value && value[0] == 0 ? "unknown.key" : key, value ? value : otherwise);
}

static char *write_gguf(const struct file *file)
{
    static const struct tensor right[] = {{"blk.0.attn_q.weight.lora_a", {EMBD, 4}, 0},
                                          {"blk.0.attn_q.weight.lora_b", {4, EMBD}, 0}};
    const struct tensor *at = file->at[0].name ? file->at : right;
    size_t n = file->at[0].name || file->is_empty ? 0 : 2;
    struct test_gguf f = {0};
    uint64_t offset = 0, seed = 5;
    while (file->at[0].name && n < MAX_TENSORS && file->at[n].name)
        n++;
    test_gguf_head(&f, n, 4 + (file->more != NULL));
    put_text(&f, "general.type", file->type, "adapter");
    put_text(&f, "general.architecture", file->arch, "llama");
    put_text(&f, "adapter.type", file->kind, "lora");
    test_gguf_key_f32(&f, "adapter.lora.alpha", file->alpha != 0 ? file->alpha : 8);
    if (file->more)
        test_gguf_key_u32(&f, file->more, 1);
    for (size_t i = 0; i < n; i++) {
        test_gguf_tensor(&f, at[i].name, at[i].dims, at[i].n_dims ? at[i].n_dims : 2, LLI_F32, offset);
        offset += bytes_of(&at[i]);
    }
    test_gguf_align(&f, 32);
    for (uint64_t i = 0; i < offset / sizeof(float); i++) {
        float v = support_random_float(&seed);
        test_gguf_bytes(&f, &v, sizeof v);
    }
    char *path = support_write_temporary(f.bytes, f.len);
    free(f.bytes);
    return path;
}

#define A(name, n_in, rank)                                                                                                    \
    {                                                                                                                          \
        name ".lora_a", {n_in, rank}, 0                                                                                        \
    }
#define B(name, rank, n_out)                                                                                                   \
    {                                                                                                                          \
        name ".lora_b", {rank, n_out}, 0                                                                                       \
    }
#define Q "blk.0.attn_q.weight"

static void test_gguf(void **state)
{
    static const struct {
        struct file file;
        int32_t status;
        const char *subject, *text;
    } rows[] = {
        {{0}, LLMINF_OK, NULL, NULL},
        {{.alpha = -1e6f}, LLMINF_OK, NULL, NULL},
        {{.at = {A("blk.1.attn_qkv.weight", EMBD, 3), B("blk.1.attn_qkv.weight", 3, EMBD + 2 * KV)}}, LLMINF_OK, NULL, NULL},
        {{.at = {A("output.weight", EMBD, 16), B("output.weight", 16, 320)}}, LLMINF_OK, NULL, NULL},
        {{.type = ""}, LLMINF_E_FORMAT, "general.type", "missing"},
        {{.type = "model"}, LLMINF_E_FORMAT, "general.type", "is model, want adapter"},
        {{.kind = ""}, LLMINF_E_FORMAT, "adapter.type", "missing"},
        {{.kind = "control_vector"}, LLMINF_E_UNSUPPORTED, "adapter.type", "is control_vector, want lora"},
        {{.arch = "qwen2"}, LLMINF_E_MISMATCH, "general.architecture", "is qwen2, want llama"},
        {{.alpha = NAN}, LLMINF_E_FORMAT, "adapter.lora.alpha", "nan"},
        {{.alpha = INFINITY}, LLMINF_E_FORMAT, "adapter.lora.alpha", "inf"},
        {{.alpha = 2e6f}, LLMINF_E_FORMAT, "adapter.lora.alpha", "at most 1e+06"},
        {{.more = "adapter.alora.invocation_tokens"}, LLMINF_E_UNSUPPORTED, "adapter.alora.invocation_tokens", "not known"},
        {{.is_empty = 1}, LLMINF_E_FORMAT, "n_tensors", "has no tensors"},
        {{.at = {A(Q, EMBD, 4)}}, LLMINF_E_FORMAT, Q ".lora_a", "without its .lora_b"},
        {{.at = {B(Q, 4, EMBD)}}, LLMINF_E_FORMAT, Q ".lora_b", "without its .lora_a"},
        {{.at = {{Q, {EMBD, EMBD}, 0}}}, LLMINF_E_UNSUPPORTED, Q, "not a tensor of an adapter"},
        {{.at = {{".lora_a", {EMBD, 4}, 0}}}, LLMINF_E_UNSUPPORTED, ".lora_a", "not a tensor of an adapter"},
        {{.at = {A("blk.0.nothing.weight", EMBD, 4), B("blk.0.nothing.weight", 4, EMBD)}},
         LLMINF_E_MISMATCH,
         "blk.0.nothing.weight.lora_a",
         "not a matrix of llama"},
        {{.at = {A("blk.2.attn_q.weight", EMBD, 4), B("blk.2.attn_q.weight", 4, EMBD)}},
         LLMINF_E_MISMATCH,
         "blk.2.attn_q.weight.lora_a",
         "layer 2, the model has 2"},
        {{.at = {A("token_embd.weight", EMBD, 4), B("token_embd.weight", 4, EMBD)}},
         LLMINF_E_UNSUPPORTED,
         "token_embd.weight.lora_a",
         "want one of attention"},
        {{.at = {A("blk.0.attn_norm.weight", EMBD, 4), B("blk.0.attn_norm.weight", 4, EMBD)}},
         LLMINF_E_UNSUPPORTED,
         "blk.0.attn_norm.weight.lora_a",
         "want one of attention"},
        {{.at = {A(Q, EMBD - 1, 4), B(Q, 4, EMBD)}}, LLMINF_E_MISMATCH, Q ".lora_a", "dimension 0 is 63, the model's is 64"},
        {{.at = {A(Q, EMBD, 4), B(Q, 4, EMBD + 1)}}, LLMINF_E_MISMATCH, Q ".lora_b", "dimension 1 is 65, the model's is 64"},
        {{.at = {A(Q, EMBD, 4), B(Q, 5, EMBD)}}, LLMINF_E_FORMAT, Q ".lora_a", "rank 4, that of its .lora_b is 5"},
        {{.at = {A(Q, EMBD, 17), B(Q, 17, EMBD)}}, LLMINF_E_LIMIT, Q ".lora_a", "rank 17, rank_limit is 16"},
        {{.at = {{Q ".lora_a", {EMBD, 4, 2}, 3}, B(Q, 4, EMBD)}}, LLMINF_E_FORMAT, Q ".lora_a", "3 and 2 dimensions, want 2"},
        {{.at = {A(Q, EMBD, 4), B(Q, 4, EMBD), A("blk.0.attn_qkv.weight", EMBD, 4), B("blk.0.attn_qkv.weight", 4, 128)}},
         LLMINF_E_FORMAT,
         "blk.0.attn_qkv.weight.lora_a",
         "is there already, as " Q ".lora_a"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *path = write_gguf(&rows[i].file);
        struct lli_adapter *adapter;
        struct llminf_error err;
        int32_t status = open_path(&adapter, path, 16, &err);
        if (status != rows[i].status ||
            (status && (strcmp(err.subject, rows[i].subject) != 0 || !strstr(err.text, rows[i].text))))
            fail_msg("row %zu: status %d, %s", i, status, status ? err.text : "");
        lli_adapter_unref(adapter);
        unlink(path);
        free(path);
    }
}

/* Experts have rows of their own. */
static void test_experts(void **state)
{
    static const char name[] = "blk.0.ffn_down_exps.weight.lora_a";
    const struct file file = {.at = {A("blk.0.ffn_down_exps.weight", FF, 4), B("blk.0.ffn_down_exps.weight", 4, EMBD)}};
    struct test_model_spec spec = {.seed = 1}; /* 2 layers, width 64, 4 heads, 2 of them for K and V */
    struct model dense = m;
    struct lli_adapter *adapter;
    (void)state;
    spec.n_experts = 4;
    memset(&m, 0, sizeof m);
    model_make(&m, &spec);
    assert_int_equal(model_read(&m), LLMINF_OK);
    char *path = write_gguf(&file);
    assert_int_equal(open_path(&adapter, path, 16, &m.err), LLMINF_E_UNSUPPORTED);
    assert_string_equal(m.err.subject, name);
    unlink(path);
    free(path);
    model_finish(&m);
    m = dense;
}

/* ---- PEFT -------------------------------------------------------------------------------------------------------- */

#define PEFT "\"peft_type\":\"LORA\",\"r\":4,\"lora_alpha\":8"
#define NAMED "base_model.model.model.layers.0.self_attn.q_proj"

struct folder {
    const char *config;             /* NULL: as below */
    const char *names[2];           /* NULL: those of a pair */
    const char *type;               /* NULL: F32 */
    uint64_t n_in, rank, rank_of_b; /* 0: EMBD, 4 */
};

static void write_in(const char *path, const char *name, const void *bytes, size_t n)
{
    char file[300];
    snprintf(file, sizeof file, "%s/%s", path, name);
    FILE *out = fopen(file, "wb");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, n, out), n);
    assert_int_equal(fclose(out), 0);
}

static void write_folder(const char *path, const struct folder *f)
{
    static uint8_t bytes[1 << 16];
    const char *config = f->config ? f->config : "{" PEFT "}", *type = f->type ? f->type : "F32";
    const char *a = f->names[0] ? f->names[0] : NAMED ".lora_A.weight", *b = f->names[1] ? f->names[1] : NAMED ".lora_B.weight";
    uint64_t n_in = f->n_in ? f->n_in : EMBD, rank = f->rank ? f->rank : 4, other = f->rank_of_b ? f->rank_of_b : rank;
    size_t each = strcmp(type, "F32") == 0 ? 4 : 2, n_a = n_in * rank * each, n_b = other * EMBD * each;
    int n = snprintf((char *)bytes + 8, 1024,
                     "{\"%s\":{\"dtype\":\"%s\",\"shape\":[%d,%d],\"data_offsets\":[0,%zu]},"
                     "\"%s\":{\"dtype\":\"%s\",\"shape\":[%d,%d],\"data_offsets\":[%zu,%zu]}}",
                     a, type, (int)rank, (int)n_in, n_a, b, type, EMBD, (int)other, n_a, n_a + n_b);
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)((uint64_t)n >> 8 * i);
    memset(bytes + 8 + n, 0, n_a + n_b);
    write_in(path, "adapter_config.json", config, strlen(config));
    write_in(path, "adapter_model.safetensors", bytes, 8 + (size_t)n + n_a + n_b);
}

static void test_folders(void **state)
{
    static const struct {
        struct folder folder;
        int32_t status;
        const char *text;
    } rows[] = {
        {{0}, LLMINF_OK, NULL},
        {{.type = "BF16"}, LLMINF_OK, NULL},
        {{.names = {NAMED ".lora_A.default.weight", NAMED ".lora_B.default.weight"}}, LLMINF_OK, NULL},
        {{.config =
              "{" PEFT ",\"use_dora\":false,\"modules_to_save\":null,\"bias\":\"none\",\"init_lora_weights\":\"gaussian\","
              "\"alpha_pattern\":{},\"anything\":[1]}"},
         LLMINF_OK,
         NULL},
        {{.config = "{" PEFT ",\"rank_pattern\":{\"q_proj\":2}}", .rank = 2}, LLMINF_OK, NULL},
        {{.config = "[" PEFT "]"}, LLMINF_E_FORMAT, "adapter_config.json"},
        {{.config = "[]"}, LLMINF_E_FORMAT, "\"peft_type\" is not there"},
        {{.config = "{}"}, LLMINF_E_FORMAT, "\"peft_type\" is not there"},
        {{.config = "{\"peft_type\":\"IA3\"}"}, LLMINF_E_UNSUPPORTED, "\"peft_type\" is not LORA"},
        {{.config = "{\"peft_type\":\"LORA\",\"r\":4}"}, LLMINF_E_FORMAT, "\"lora_alpha\" is no number"},
        {{.config = "{\"peft_type\":\"LORA\",\"lora_alpha\":4,\"r\":0}"}, LLMINF_E_FORMAT, "\"r\" is no number above 0"},
        {{.config = "{\"peft_type\":\"LORA\",\"lora_alpha\":0,\"r\":4}"}, LLMINF_E_UNSUPPORTED, "\"lora_alpha\" is 0"},
        {{.config = "{\"peft_type\":\"LORA\",\"lora_alpha\":1e300,\"r\":4}"}, LLMINF_E_FORMAT, "adapter.lora.alpha"},
        {{.config = "{" PEFT ",\"use_dora\":true}"}, LLMINF_E_UNSUPPORTED, "\"use_dora\""},
        {{.config = "{" PEFT ",\"bias\":\"all\"}"}, LLMINF_E_UNSUPPORTED, "\"bias\""},
        {{.config = "{" PEFT ",\"modules_to_save\":[\"lm_head\"]}"}, LLMINF_E_UNSUPPORTED, "\"modules_to_save\""},
        {{.config = "{" PEFT ",\"alpha_pattern\":{\"q_proj\":3}}"}, LLMINF_E_UNSUPPORTED, "\"alpha_pattern\""},
        {{.config = "{" PEFT ",\"init_lora_weights\":\"pissa\"}"}, LLMINF_E_UNSUPPORTED, "\"init_lora_weights\""},
        {{.config = "{" PEFT ",\"use_rslora\":true,\"rank_pattern\":{\"q\":2}}"}, LLMINF_E_UNSUPPORTED, "\"rank_pattern\""},
        {{.rank = 3}, LLMINF_E_FORMAT, "rank 3, \"r\" is 4"},
        {{.rank_of_b = 5}, LLMINF_E_FORMAT, "rank 5, \"r\" is 4"},
        {{.n_in = EMBD + 1}, LLMINF_E_MISMATCH, "dimension 0 is 65"},
        {{.type = "I16"}, LLMINF_E_UNSUPPORTED, "in I16, want F32, F16 or BF16"},
        {{.names = {NAMED ".lora_A.weight", NAMED ".lora_A.default.weight"}}, LLMINF_E_FORMAT, "lora_A.default.weight"},
        {{.names = {NAMED ".lora_magnitude_vector", NULL}}, LLMINF_E_UNSUPPORTED, "lora_magnitude_vector"},
        {{.names = {"base_model.model.lm_head.weight", NULL}}, LLMINF_E_UNSUPPORTED, "lm_head.weight"},
        {{.names = {"base_model.model.model.embed_tokens.lora_embedding_A", NULL}}, LLMINF_E_UNSUPPORTED, "lora_embedding_A"},
        {{.names = {"base_model.model.model.layers.0.mlp.experts.0.w1.lora_A.weight", NULL}},
         LLMINF_E_UNSUPPORTED,
         "experts.0"},
    };
    char path[] = "/tmp/llminf-test-XXXXXX", file[300];
    (void)state;
    assert_non_null(mkdtemp(path));
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lli_adapter *adapter;
        struct llminf_error err;
        write_folder(path, &rows[i].folder);
        int32_t status = open_path(&adapter, path, 16, &err);
        if (status != rows[i].status || (status && !strstr(err.text, rows[i].text)))
            fail_msg("row %zu: status %d, %s", i, status, status ? err.text : "");
        lli_adapter_unref(adapter);
    }
    snprintf(file, sizeof file, "%s/adapter_model.safetensors", path);
    unlink(file);
    struct lli_adapter *adapter;
    assert_int_equal(open_path(&adapter, path, 16, &m.err), LLMINF_E_IO);
    snprintf(file, sizeof file, "%s/adapter_config.json", path);
    unlink(file);
    assert_int_equal(open_path(&adapter, path, 16, &m.err), LLMINF_E_IO);
    rmdir(path);
}

/* Of what decides: other alpha, other numbers. */
static void test_fingerprints(void **state)
{
    static const struct file files[] = {{0},
                                        {0},
                                        {.alpha = 9},
                                        {.at = {A(Q, EMBD, 3), B(Q, 3, EMBD)}},
                                        {.at = {A("blk.1.attn_q.weight", EMBD, 4), B("blk.1.attn_q.weight", 4, EMBD)}}};
    uint64_t prints[sizeof files / sizeof *files];
    (void)state;
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char *path = write_gguf(&files[i]);
        struct lli_adapter *adapter;
        assert_int_equal(open_path(&adapter, path, 16, NULL), LLMINF_OK);
        prints[i] = adapter->fingerprint;
        lli_adapter_unref(adapter);
        unlink(path);
        free(path);
        for (size_t k = 0; k < i; k++)
            assert_int_equal(prints[k] == prints[i], k == 0 && i == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gguf),
        cmocka_unit_test(test_experts),
        cmocka_unit_test(test_folders),
        cmocka_unit_test(test_fingerprints),
    };
    return cmocka_run_group_tests(tests, open_model, close_model);
}
