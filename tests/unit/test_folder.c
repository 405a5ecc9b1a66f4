/* Folders as Hugging Face has them, written here, against what GGUF would have: names, types, the order of rows, numbers. */
#include "model/folder.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/half.h"
#include "llminf/status.h"
#include "model/config.h"
#include "model/weights.h"
#include "support/support.h"

enum { LAYERS = 2, EMBD = 16, HEADS = 4, KV_HEADS = 2, HEAD = 4, FF = 24, VOCAB = 20, MAX_TENSORS = 64 };

#define NUMBERS                                                                                                                \
    "\"hidden_size\":16,\"num_hidden_layers\":2,\"intermediate_size\":24,\"num_attention_heads\":4,"                           \
    "\"num_key_value_heads\":2,\"max_position_embeddings\":64,\"rms_norm_eps\":1e-5,\"vocab_size\":20"
#define CLASS "\"architectures\":[\"LlamaForCausalLM\"]"

/* A tensor to be written: its data are words of its type, drawn by the name. */
struct tensor {
    char name[96];
    uint32_t type;          /* enum lli_type */
    uint32_t rows, columns; /* columns 0: a vector */
    size_t bytes;
    uint8_t *data;
};

struct folder {
    struct support_heap counter;
    struct lli_heap heap;
    char path[256];
    struct tensor tensors[MAX_TENSORS];
    size_t n;
    struct lli_gguf g; /* what was read */
    struct lli_files files;
};

/* ---- writing ----------------------------------------------------------------------------------------------------- */

static void add(struct folder *f, const char *name, uint32_t type, uint32_t rows, uint32_t columns)
{
    struct tensor *t = &f->tensors[f->n++];
    uint64_t seed = f->n;
    size_t n = (size_t)rows * (columns ? columns : 1), each = type == LLI_F32 ? 4 : 2;
    assert_true(f->n <= MAX_TENSORS);
    *t = (struct tensor){.type = type, .rows = rows, .columns = columns, .bytes = n * each};
    snprintf(t->name, sizeof t->name, "%s", name);
    t->data = malloc(t->bytes);
    for (size_t i = 0; i < n; i++) {
        float v = support_random_float(&seed);
        uint16_t half = type == LLI_F16 ? lli_half_from_f32(v) : lli_bf16_from_f32(v);
        memcpy(t->data + i * each, type == LLI_F32 ? (const void *)&v : (const void *)&half, each);
    }
}

static void add_layer(struct folder *f, int layer, uint32_t type)
{
    static const struct {
        const char *name;
        uint32_t rows, columns;
    } rows[] = {
        {"self_attn.q_proj.weight", HEADS * HEAD, EMBD},
        {"self_attn.k_proj.weight", KV_HEADS * HEAD, EMBD},
        {"self_attn.v_proj.weight", KV_HEADS * HEAD, EMBD},
        {"self_attn.o_proj.weight", EMBD, HEADS * HEAD},
        {"self_attn.q_proj.bias", HEADS * HEAD, 0},
        {"self_attn.k_proj.bias", KV_HEADS * HEAD, 0},
        {"self_attn.v_proj.bias", KV_HEADS * HEAD, 0},
        {"self_attn.rotary_emb.inv_freq", HEAD / 2, 0},
        {"mlp.gate_proj.weight", FF, EMBD},
        {"mlp.up_proj.weight", FF, EMBD},
        {"mlp.down_proj.weight", EMBD, FF},
        {"input_layernorm.weight", EMBD, 0},
        {"post_attention_layernorm.weight", EMBD, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char name[96];
        snprintf(name, sizeof name, "model.layers.%d.%s", layer, rows[i].name);
        add(f, name, type, rows[i].rows, rows[i].columns);
    }
}

static void write_file(struct folder *f, const char *name, const void *bytes, size_t n)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", f->path, name);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, n, file), n);
    assert_int_equal(fclose(file), 0);
}

static void write_config(struct folder *f, const char *config)
{
    write_file(f, "config.json", config, strlen(config));
}

/* Tensors first .. last - 1. */
static void write_tensors(struct folder *f, const char *name, size_t first, size_t last)
{
    static const char *const types[] = {[LLI_F32] = "F32", [LLI_F16] = "F16", [LLI_BF16] = "BF16"};
    size_t cap = 1 << 16, at, n = 8, offset = 0;
    char *bytes = malloc(cap);
    n += (size_t)sprintf(bytes + n, "{");
    for (size_t i = first; i < last; i++) {
        const struct tensor *t = &f->tensors[i];
        n += (size_t)sprintf(bytes + n, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%u", i > first ? "," : "", t->name,
                             types[t->type], t->rows);
        if (t->columns)
            n += (size_t)sprintf(bytes + n, ",%u", t->columns);
        n += (size_t)sprintf(bytes + n, "],\"data_offsets\":[%zu,%zu]}", offset, offset + t->bytes);
        offset += t->bytes;
    }
    n += (size_t)sprintf(bytes + n, "}");
    for (int i = 0; i < 8; i++)
        bytes[i] = (char)((uint64_t)(n - 8) >> 8 * i);
    at = n;
    assert_true(n + offset <= cap);
    for (size_t i = first; i < last; at += f->tensors[i++].bytes)
        memcpy(bytes + at, f->tensors[i].data, f->tensors[i].bytes);
    write_file(f, name, bytes, at);
    free(bytes);
}

/* All that the model has, the norms in BF16. */
static void make_model(struct folder *f, uint32_t type)
{
    add(f, "model.embed_tokens.weight", type, VOCAB, EMBD);
    add(f, "model.norm.weight", LLI_BF16, EMBD, 0);
    add(f, "lm_head.weight", type, VOCAB, EMBD);
    for (int i = 0; i < LAYERS; i++)
        add_layer(f, i, type);
    write_config(f, "{" CLASS "," NUMBERS "}");
    write_tensors(f, "model.safetensors", 0, f->n);
}

static int setup(void **state)
{
    struct folder *f = calloc(1, sizeof *f);
    const char *tmp = getenv("TMPDIR");
    lli_heap_init(&f->heap, support_alloc, support_release, &f->counter);
    snprintf(f->path, sizeof f->path, "%s/llminf-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    *state = f;
    return mkdtemp(f->path) == NULL;
}

static int teardown(void **state)
{
    static const char *const names[] = {"config.json", "model.safetensors", "model.safetensors.index.json", "a.safetensors",
                                        "b.safetensors"};
    struct folder *f = *state;
    char path[512];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", f->path, names[i]);
        unlink(path);
    }
    for (size_t i = 0; i < f->n; i++)
        free(f->tensors[i].data);
    int failed = rmdir(f->path) || f->counter.live_bytes != 0;
    free(f);
    return failed;
}

/* ---- reading ----------------------------------------------------------------------------------------------------- */

static int32_t open_folder(struct folder *f, int load, struct llminf_error *err)
{
    const struct lli_folder_options options = {.header_limit_bytes = LLI_HEADER_BYTES_DEFAULT, .load = load};
    struct lli_gguf_build b;
    lli_files_init(&f->files, &f->heap);
    lli_gguf_build_begin(&b, &f->g, &f->heap, err);
    if (lli_folder_read(&b, &f->files, f->path, &options) == 0)
        lli_gguf_build_end(&b);
    return b.status;
}

static void close_folder(struct folder *f)
{
    lli_gguf_finish(&f->g);
    lli_files_finish(&f->files);
}

static int32_t try_folder(struct folder *f, struct llminf_error *err)
{
    int32_t status = open_folder(f, LLI_LOAD_AUTO, err);
    close_folder(f);
    return status;
}

static float value_at(uint32_t type, const uint8_t *data, size_t i)
{
    uint16_t half;
    float v;
    if (type == LLI_F32)
        memcpy(&v, data + i * sizeof v, sizeof v);
    else
        memcpy(&half, data + i * sizeof half, sizeof half);
    return type == LLI_F32 ? v : type == LLI_F16 ? lli_half_to_f32(half) : lli_bf16_to_f32(half);
}

static const struct tensor *written(const struct folder *f, const char *name)
{
    for (size_t i = 0; i < f->n; i++)
        if (strcmp(f->tensors[i].name, name) == 0)
            return &f->tensors[i];
    return NULL;
}

/* is_rotated: row 2i + s of a head is row i + s * HEAD / 2 of the folder's. */
static void check_tensor(const struct folder *f, const char *name, const char *from, int is_rotated)
{
    const struct lli_gguf_tensor *t = lli_gguf_tensor_find(&f->g, name);
    const struct tensor *want = written(f, from);
    assert_non_null(t);
    uint32_t columns = want->columns ? want->columns : 1;
    assert_int_equal(t->type->id, want->columns ? want->type : LLI_F32);
    assert_int_equal(t->dims[0], want->columns ? want->columns : want->rows);
    assert_int_equal(t->dims[1], want->columns ? want->rows : 1);
    for (uint32_t head = 0; head < want->rows / HEAD; head++)
        for (uint32_t i = 0; i < HEAD / 2; i++)
            for (uint32_t s = 0; s < 2; s++) {
                uint32_t row = head * HEAD + 2 * i + s, source = is_rotated ? head * HEAD + i + s * HEAD / 2 : row;
                for (uint32_t k = 0; k < columns; k++)
                    assert_true(value_at(t->type->id, t->data, (size_t)row * columns + k) ==
                                value_at(want->type, want->data, (size_t)source * columns + k));
            }
}

static void check_all(const struct folder *f, int has_pairs)
{
    static const struct {
        const char *to, *from;
        int is_rotated;
    } rows[] = {
        {"attn_q.weight", "self_attn.q_proj.weight", 1},   {"attn_k.weight", "self_attn.k_proj.weight", 1},
        {"attn_v.weight", "self_attn.v_proj.weight", 0},   {"attn_output.weight", "self_attn.o_proj.weight", 0},
        {"attn_q.bias", "self_attn.q_proj.bias", 1},       {"attn_k.bias", "self_attn.k_proj.bias", 1},
        {"attn_v.bias", "self_attn.v_proj.bias", 0},       {"ffn_gate.weight", "mlp.gate_proj.weight", 0},
        {"ffn_up.weight", "mlp.up_proj.weight", 0},        {"ffn_down.weight", "mlp.down_proj.weight", 0},
        {"attn_norm.weight", "input_layernorm.weight", 0}, {"ffn_norm.weight", "post_attention_layernorm.weight", 0},
    };
    check_tensor(f, "token_embd.weight", "model.embed_tokens.weight", 0);
    check_tensor(f, "output_norm.weight", "model.norm.weight", 0);
    check_tensor(f, "output.weight", "lm_head.weight", 0);
    for (int layer = 0; layer < LAYERS; layer++)
        for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
            char to[96], from[96];
            snprintf(to, sizeof to, "blk.%d.%s", layer, rows[i].to);
            snprintf(from, sizeof from, "model.layers.%d.%s", layer, rows[i].from);
            check_tensor(f, to, from, rows[i].is_rotated && has_pairs);
        }
    assert_int_equal(f->g.n_tensors, 3 + LAYERS * sizeof rows / sizeof *rows);
}

static void a_folder_is_a_file(void **state)
{
    struct folder *f = *state;
    static const uint32_t types[] = {LLI_F32, LLI_F16, LLI_BF16};
    for (size_t i = 0; i < 3; i++)
        for (int load = LLI_LOAD_AUTO; load <= LLI_LOAD_READ; load++) {
            struct lli_config config;
            struct lli_weights weights;
            f->n = 0;
            make_model(f, types[i]);
            assert_true(lli_folder_is(f->path));
            assert_int_equal(open_folder(f, load, NULL), 0);
            check_all(f, 1);
            assert_int_equal(lli_config_read(&config, &f->g, VOCAB, NULL), 0);
            assert_int_equal(config.n_ff, FF);
            assert_int_equal(config.head_dim, HEAD);
            assert_int_equal(config.train_length, 64);
            assert_true(config.norm_eps == 1e-5f);
            assert_int_equal(lli_weights_read(&weights, &f->heap, &config, &f->g, NULL), 0);
            lli_weights_finish(&weights);
            close_folder(f);
            for (size_t t = 0; t < f->n; t++)
                free(f->tensors[t].data);
        }
    f->n = 0;
}

/* Classes whose GGUF form rotates halves, as the folder does. */
static void halves_stay(void **state)
{
    static const char *const classes[] = {"Qwen2ForCausalLM", "Qwen3ForCausalLM"};
    struct folder *f = *state;
    make_model(f, LLI_F16);
    for (size_t i = 0; i < 2; i++) {
        char config[1024];
        struct lli_config read;
        snprintf(config, sizeof config,
                 "{\"architectures\":[\"%s\"]," NUMBERS ",\"sliding_window\":8,\"use_sliding_window\":false}", classes[i]);
        write_config(f, config);
        assert_int_equal(open_folder(f, LLI_LOAD_AUTO, NULL), 0);
        check_all(f, 0);
        assert_int_equal(lli_config_read(&read, &f->g, VOCAB, NULL), 0);
        assert_int_equal(read.rope.pairs, LLI_ROPE_HALVES);
        close_folder(f);
    }
    add(f, "model.layers.0.self_attn.q_norm.weight", LLI_BF16, HEAD, 0);
    write_tensors(f, "model.safetensors", 0, f->n);
    assert_int_equal(open_folder(f, LLI_LOAD_AUTO, NULL), 0);
    check_tensor(f, "blk.0.attn_q_norm.weight", "model.layers.0.self_attn.q_norm.weight", 0);
    close_folder(f);
}

static void several_files(void **state)
{
    static const char index[] = "{\"metadata\":{},\"weight_map\":{\"x\":\"a.safetensors\",\"y\":\"b.safetensors\","
                                "\"z\":\"a.safetensors\"}}";
    static const struct {
        const char *index;
        int32_t status;
    } bad[] = {
        {"{}", LLMINF_E_FORMAT},
        {"{\"weight_map\":{}}", LLMINF_E_FORMAT},
        {"{\"weight_map\":{\"x\":1}}", LLMINF_E_FORMAT},
        {"{\"weight_map\":{\"x\":\"../a.safetensors\"}}", LLMINF_E_FORMAT},
        {"{\"weight_map\":{\"x\":\"/etc/passwd\"}}", LLMINF_E_FORMAT},
        {"{\"weight_map\":{\"x\":\"..\"}}", LLMINF_E_FORMAT},
        {"{\"weight_map\":{\"x\":\"c.safetensors\"}}", LLMINF_E_IO},
        {"{\"weight_map\":{\"x\":\"a.safetensors\"", LLMINF_E_FORMAT},
    };
    struct folder *f = *state;
    make_model(f, LLI_F16);
    write_tensors(f, "a.safetensors", 0, 7);
    write_tensors(f, "b.safetensors", 7, f->n);
    write_file(f, "model.safetensors.index.json", index, sizeof index - 1);
    assert_int_equal(open_folder(f, LLI_LOAD_AUTO, NULL), 0);
    check_all(f, 1);
    close_folder(f);
    write_tensors(f, "b.safetensors", 6, f->n);
    assert_int_equal(try_folder(f, NULL), LLMINF_E_FORMAT); /* one of them twice */
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        write_file(f, "model.safetensors.index.json", bad[i].index, strlen(bad[i].index));
        assert_int_equal(try_folder(f, NULL), bad[i].status);
    }
}

static void one_matrix_for_both(void **state)
{
    struct folder *f = *state;
    make_model(f, LLI_F32);
    write_config(f, "{" CLASS "," NUMBERS ",\"tie_word_embeddings\":true}");
    assert_int_equal(open_folder(f, LLI_LOAD_AUTO, NULL), 0);
    check_tensor(f, "token_embd.weight", "model.embed_tokens.weight", 0);
    assert_null(lli_gguf_tensor_find(&f->g, "output.weight"));
    close_folder(f);
    write_tensors(f, "model.safetensors", 1, f->n); /* saved under the other name alone */
    assert_int_equal(open_folder(f, LLI_LOAD_AUTO, NULL), 0);
    check_tensor(f, "token_embd.weight", "lm_head.weight", 0);
    assert_null(lli_gguf_tensor_find(&f->g, "output.weight"));
    close_folder(f);
}

static void llama3_rope(void **state)
{
    struct folder *f = *state;
    const double pi = acos(-1.0), base = 500000, factor = 8, low = 1, high = 4, original = 16;
    make_model(f, LLI_F32);
    write_config(f, "{" CLASS "," NUMBERS ",\"rope_theta\":500000.0,\"rope_scaling\":{\"factor\":8.0,\"low_freq_factor\":1.0,"
                    "\"high_freq_factor\":4.0,\"original_max_position_embeddings\":16,\"rope_type\":\"llama3\"}}");
    assert_int_equal(open_folder(f, LLI_LOAD_AUTO, NULL), 0);
    const struct lli_gguf_tensor *t = lli_gguf_tensor_find(&f->g, "rope_freqs.weight");
    assert_non_null(t);
    assert_int_equal(t->dims[0], HEAD / 2);
    for (size_t i = 0; i < HEAD / 2; i++) {
        double wave = 2 * pi * pow(base, 2.0 * (double)i / HEAD), want = factor;
        if (wave < original / high)
            want = 1;
        else if (wave <= original / low)
            want = 1 / ((1 - (original / wave - low) / (high - low)) / factor + (original / wave - low) / (high - low));
        assert_true(fabs((double)value_at(LLI_F32, t->data, i) / want - 1) < 1e-6);
    }
    close_folder(f);
}

static void configs_that_are_refused(void **state)
{
    static const struct {
        const char *config;
        int32_t status;
    } rows[] = {
        {"[]", LLMINF_E_FORMAT},
        {"{" NUMBERS "}", LLMINF_E_FORMAT},
        {"{\"architectures\":[]," NUMBERS "}", LLMINF_E_FORMAT},
        {"{\"architectures\":[\"FooForCausalLM\"]," NUMBERS "}", LLMINF_E_UNSUPPORTED},
        {"{" CLASS "}", LLMINF_E_FORMAT},
        {"{" CLASS "," NUMBERS ",\"hidden_size\":-16}", LLMINF_E_FORMAT},
        {"{" CLASS "," NUMBERS ",\"hidden_size\":16.5}", LLMINF_E_FORMAT},
        {"{" CLASS "," NUMBERS ",\"hidden_size\":\"16\"}", LLMINF_E_FORMAT},
        {"{" CLASS "," NUMBERS ",\"hidden_size\":1e30}", LLMINF_E_FORMAT},
        {"{" CLASS "," NUMBERS ",\"head_dim\":3}", LLMINF_E_FORMAT},
        {"{" CLASS "," NUMBERS ",\"num_attention_heads\":8}", LLMINF_E_FORMAT},
        {"{" CLASS "," NUMBERS ",\"hidden_act\":\"gelu\"}", LLMINF_E_UNSUPPORTED},
        {"{" CLASS "," NUMBERS ",\"quantization_config\":{\"quant_method\":\"gptq\"}}", LLMINF_E_UNSUPPORTED},
        {"{" CLASS "," NUMBERS ",\"quantization_config\":null}", LLMINF_OK},
        {"{" CLASS "," NUMBERS ",\"rope_scaling\":{\"type\":\"dynamic\"}}", LLMINF_E_UNSUPPORTED},
        {"{" CLASS "," NUMBERS ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":\"2\"}}", LLMINF_E_FORMAT},
        {"{" CLASS "," NUMBERS ",\"rope_scaling\":{\"type\":\"linear\",\"factor\":2}}", LLMINF_OK},
        {"{" CLASS "," NUMBERS ",\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":2}}", LLMINF_OK},
        {"{" CLASS "," NUMBERS ",\"rope_scaling\":{\"rope_type\":\"yarn\",\"factor\":2,\"mscale\":1}}", LLMINF_E_UNSUPPORTED},
        {"{" CLASS "," NUMBERS ",\"rope_scaling\":{\"rope_type\":\"llama3\",\"factor\":0}}", LLMINF_E_FORMAT},
    };
    struct folder *f = *state;
    struct llminf_error err;
    make_model(f, LLI_F32);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_config(f, rows[i].config);
        if (try_folder(f, &err) != rows[i].status)
            fail_msg("%s: %s", rows[i].config, err.text);
    }
}

static void tensors_that_are_refused(void **state)
{
    struct folder *f = *state;
    struct llminf_error err;
    make_model(f, LLI_F32);
    add(f, "model.layers.0.self_attn.r_norm.weight", LLI_F32, HEAD, 0);
    write_tensors(f, "model.safetensors", 0, f->n);
    assert_int_equal(try_folder(f, &err), LLMINF_E_UNSUPPORTED);
    assert_string_equal(err.subject, "model.layers.0.self_attn.r_norm.weight");
    f->tensors[--f->n].rows = 0;
    free(f->tensors[f->n].data);
    write_tensors(f, "model.safetensors", 0, 0);
    assert_int_equal(try_folder(f, &err), 0); /* what is missing is found behind it */
    write_file(f, "model.safetensors", "", 0);
    assert_int_equal(try_folder(f, &err), LLMINF_E_FORMAT);
}

static void no_memory(void **state)
{
    struct folder *f = *state;
    int32_t status = LLMINF_E_MEMORY;
    make_model(f, LLI_F16);
    for (int64_t i = 1; status; i++) {
        support_heap_arm(&f->counter, i, 0);
        status = try_folder(f, NULL);
        assert_true(status == 0 || status == LLMINF_E_MEMORY);
        assert_int_equal(f->counter.live_bytes, 0);
    }
    support_heap_arm(&f->counter, 0, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_folder_is_a_file),       TEST(halves_stay), TEST(several_files),
        TEST(one_matrix_for_both),      TEST(llama3_rope), TEST(configs_that_are_refused),
        TEST(tensors_that_are_refused), TEST(no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
