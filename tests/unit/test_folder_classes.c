/* The table of classes against that of families, and folders that are made of several pieces and hostile: in memory, all values
 * zero. That good ones give the bits of their GGUF files is shown by tests/golden/folders.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "file/safetensors.h"
#include "llminf/status.h"
#include "model/config.h"
#include "model/family.h"
#include "model/folder_class.h"
#include "model/folder_config.h"
#include "model/folder_generation.h"
#include "model/folder_tensors.h"
#include "support/support.h"

enum { MAX_FILE = 1 << 18, MAX_FILES = 2 };

/* ---- the table ---------------------------------------------------------------------------------------------------- */

static int is_known(const struct lli_family *family, const char *name)
{
    for (int role = 0; role < LLI_N_ROLES; role++)
        if (strcmp(lli_family_shape((enum lli_role)role)->name, name) == 0)
            return 1;
    return lli_family_fused(family, name) != NULL;
}

static void each_class_is_of_a_family(void **state)
{
    (void)state;
    for (size_t i = 0; lli_folder_class_at(i); i++) {
        const struct lli_folder_class *c = lli_folder_class_at(i);
        const struct lli_family *family = lli_family_find(c->arch, strlen(c->arch));
        assert_non_null(family);
        assert_ptr_equal(lli_folder_class_find(c->name, strlen(c->name)), c);
        assert_string_equal(lli_folder_class_of(c->arch)->arch, c->arch);
        for (size_t list = 0; list < 2 && c->tensors[list]; list++)
            for (const struct lli_folder_tensor *row = c->tensors[list]; row->from; row++)
                if (row->how != LLI_HOW_NOT_AT_ALL && !is_known(family, row->to))
                    fail_msg("%s: %s is no tensor of GGUF", c->name, row->to);
    }
}

static void names_are_shown(void **state)
{
    char names[400], few[40];
    (void)state;
    lli_folder_class_names(names, sizeof names);
    assert_non_null(strstr(names, "Llama, Mistral, "));
    assert_non_null(strstr(names, " (each ForCausalLM), "));
    assert_non_null(strstr(names, "GPT2LMHeadModel"));
    lli_folder_class_names(few, sizeof few);
    assert_true(strlen(few) < sizeof few);
}

static void names_are_taken_apart(void **state)
{
    static const struct {
        const char *class, *name, *to;
        int64_t layer, number;
    } rows[] = {
        {"LlamaForCausalLM", "model.layers.7.mlp.up_proj.weight", "ffn_up.weight", 7, -1},
        {"LlamaForCausalLM", "lm_head.weight", "output.weight", -1, -1},
        {"LlamaForCausalLM", "model.layers.07.mlp.up_proj.weight", NULL, -1, -1},
        {"MixtralForCausalLM", "model.layers.0.block_sparse_moe.experts.12.w3.weight", "ffn_up_exps.weight", 0, 12},
        {"MixtralForCausalLM", "model.layers.0.block_sparse_moe.experts.012.w3.weight", NULL, 0, -1},
        {"MixtralForCausalLM", "model.layers.0.block_sparse_moe.experts.1234567.w3.weight", NULL, 0, -1},
        {"MixtralForCausalLM", "model.layers.0.block_sparse_moe.experts..w3.weight", NULL, 0, -1},
        {"GPT2LMHeadModel", "h.3.ln_1.bias", "attn_norm.bias", 3, -1},
        {"GPT2LMHeadModel", "transformer.h.3.ln_1.bias", "attn_norm.bias", 3, -1},
        {"Gemma3ForConditionalGeneration", "model.language_model.layers.1.self_attn.k_norm.weight", "attn_k_norm.weight", 1,
         -1},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lli_folder_match m;
        int64_t number = -1;
        lli_folder_class_match(&m, lli_folder_class_find(rows[i].class, strlen(rows[i].class)), rows[i].name);
        assert_int_equal(m.row != NULL, rows[i].to != NULL);
        assert_int_equal(m.layer, rows[i].layer);
        if (!m.row)
            continue;
        assert_string_equal(m.row->to, rows[i].to);
        assert_ptr_equal(lli_folder_class_row(&number, m.row, m.rest), m.row);
        assert_int_equal(number, rows[i].number);
    }
}

/* ---- folders in memory -------------------------------------------------------------------------------------------- */

/* Tensors as "name type side,side name type side ...". */
static size_t make_file(uint8_t *out, const char *tensors)
{
    static const struct {
        const char *name;
        size_t bytes;
    } types[] = {{"F32", 4}, {"BF16", 2}, {"U8", 1}, {"I64", 8}};
    size_t n = 8, offset = 0;
    char name[96], type[8], sides[48];
    int used;
    n += (size_t)sprintf((char *)out + n, "{");
    for (const char *at = tensors; sscanf(at, " %95s %7s %47s%n", name, type, sides, &used) == 3; at += used) {
        size_t bytes = 0;
        for (size_t i = 0; i < sizeof types / sizeof *types; i++)
            if (strcmp(types[i].name, type) == 0)
                bytes = types[i].bytes;
        for (char *side = sides; *side; side += strcspn(side, ",") + (side[strcspn(side, ",")] == ','))
            bytes *= strtoul(side, NULL, 10);
        n += (size_t)sprintf((char *)out + n, "%s\"%s\":{\"dtype\":\"%s\",\"shape\":[%s],\"data_offsets\":[%zu,%zu]}",
                             offset ? "," : "", name, type, sides, offset, offset + bytes);
        offset += bytes;
    }
    n += (size_t)sprintf((char *)out + n, "}");
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)((uint64_t)(n - 8) >> 8 * i);
    assert_true(n + offset <= MAX_FILE);
    memset(out + n, 0, offset);
    return n + offset;
}

struct read {
    struct support_heap counter;
    struct lli_heap heap;
    struct lli_json json;
    struct lli_safetensors files[MAX_FILES];
    uint8_t *bytes[MAX_FILES];
    struct lli_gguf g;
    struct lli_files own;
    struct llminf_error err;
};

static int32_t open_all(struct read *r, const char *config, const char *const *tensors)
{
    struct lli_folder_config folder;
    struct lli_gguf_build b;
    size_t n = 0;
    *r = (struct read){0};
    lli_heap_init(&r->heap, support_alloc, support_release, &r->counter);
    lli_files_init(&r->own, &r->heap);
    assert_int_equal(lli_json_read(&r->json, &r->heap, config, strlen(config), "config.json", &r->err), 0);
    for (; n < MAX_FILES && tensors[n]; n++) {
        r->bytes[n] = malloc(MAX_FILE);
        assert_int_equal(lli_safetensors_read(&r->files[n], &r->heap, r->bytes[n], make_file(r->bytes[n], tensors[n]), MAX_FILE,
                                              "model.safetensors", &r->err),
                         0);
    }
    lli_gguf_build_begin(&b, &r->g, &r->heap, &r->err);
    lli_folder_config(&folder, &b, &r->json);
    lli_folder_tensors(&b, &r->own, r->files, n, &folder);
    if (b.status == 0)
        lli_gguf_build_end(&b);
    return b.status;
}

static void close_all(struct read *r)
{
    lli_gguf_finish(&r->g);
    lli_files_finish(&r->own);
    for (size_t i = 0; i < MAX_FILES; i++) {
        lli_safetensors_finish(&r->files[i]);
        free(r->bytes[i]);
    }
    lli_json_finish(&r->json);
    assert_int_equal(r->counter.live_bytes, 0);
}

#define SIZES                                                                                                                  \
    "\"hidden_size\":64,\"num_hidden_layers\":1,\"num_attention_heads\":4,\"intermediate_size\":32,\"vocab_size\":8,"          \
    "\"max_position_embeddings\":16"
#define RMS SIZES ",\"rms_norm_eps\":1e-5"
#define LAYERED SIZES ",\"layer_norm_eps\":1e-5"
#define OF(class) "\"architectures\":[\"" class "\"],"
#define EXPERT(i) " model.layers.0.block_sparse_moe.experts." i ".w1.weight F32 32,64"
#define BLOCKS "model.layers.0.mlp.experts.gate_up_proj_blocks U8 2,64,2,16"
#define SCALES " model.layers.0.mlp.experts.gate_up_proj_scales U8 2,64,2"
#define MIXTRAL "{" OF("MixtralForCausalLM") RMS ",\"num_local_experts\":2,\"num_experts_per_tok\":1}"
#define GPT_OSS "{" OF("GptOssForCausalLM") RMS ",\"num_local_experts\":2,\"num_experts_per_tok\":1}"
#define NEOX "{" OF("GPTNeoXForCausalLM") LAYERED "}"
#define PHI3(scaling) "{" OF("Phi3ForCausalLM") RMS ",\"original_max_position_embeddings\":8,\"rope_scaling\":" scaling "}"
#define FACTORS8 "[1,1,1,1,2,2,2,2.5]"

/* Pieces: all of them, each once, of one shape and type. */
static void pieces_make_a_whole(void **state)
{
    static const struct {
        const char *config, *files[MAX_FILES];
        int32_t status;
    } rows[] = {
        {MIXTRAL, {EXPERT("0") EXPERT("1")}, LLMINF_OK},
        {MIXTRAL, {EXPERT("1"), EXPERT("0")}, LLMINF_OK},
        {MIXTRAL, {EXPERT("0")}, LLMINF_E_FORMAT},
        {MIXTRAL, {EXPERT("0"), EXPERT("0")}, LLMINF_E_FORMAT},
        {MIXTRAL, {EXPERT("0") EXPERT("1") EXPERT("2")}, LLMINF_E_FORMAT},
        {MIXTRAL, {EXPERT("0") " model.layers.0.block_sparse_moe.experts.1.w1.weight F32 32,32"}, LLMINF_E_FORMAT},
        {MIXTRAL, {EXPERT("0") " model.layers.0.block_sparse_moe.experts.1.w1.weight BF16 32,64"}, LLMINF_E_FORMAT},
        {MIXTRAL, {EXPERT("0") " model.layers.0.block_sparse_moe.experts.1.w1.weight F32 2,32,64"}, LLMINF_E_FORMAT},
        {MIXTRAL, {"model.layers.1.input_layernorm.weight F32 64"}, LLMINF_E_FORMAT},
        {MIXTRAL, {"model.layers.0.input_layernorm.weight I64 64"}, LLMINF_E_UNSUPPORTED},
        {"{" OF("Qwen2ForCausalLM") RMS "}", {"model.layers.0.mlp.experts.0.up_proj.weight F32 32,64"}, LLMINF_E_FORMAT},
        {GPT_OSS, {BLOCKS SCALES}, LLMINF_OK},
        {GPT_OSS, {BLOCKS}, LLMINF_E_FORMAT},
        {GPT_OSS, {SCALES}, LLMINF_E_FORMAT},
        {GPT_OSS, {BLOCKS " model.layers.0.mlp.experts.gate_up_proj_scales U8 2,64,3"}, LLMINF_E_FORMAT},
        {GPT_OSS, {"model.layers.0.mlp.experts.gate_up_proj_blocks U8 2,64,2,15" SCALES}, LLMINF_E_FORMAT},
        {GPT_OSS, {"model.layers.0.mlp.experts.gate_up_proj_blocks U8 2,63,2,16" SCALES}, LLMINF_E_FORMAT},
        {GPT_OSS, {"model.layers.0.mlp.experts.gate_up_proj_blocks F32 2,64,2,16" SCALES}, LLMINF_E_UNSUPPORTED},
        {GPT_OSS, {BLOCKS SCALES " model.layers.0.mlp.experts.gate_up_proj F32 2,64,64"}, LLMINF_E_FORMAT},
        {NEOX, {"gpt_neox.layers.0.attention.query_key_value.weight F32 192,64"}, LLMINF_OK},
        {NEOX, {"gpt_neox.layers.0.attention.query_key_value.weight F32 128,64"}, LLMINF_E_FORMAT},
        {NEOX, {"gpt_neox.layers.0.attention.query_key_value.bias F32 191"}, LLMINF_E_FORMAT},
        {NEOX, {"gpt_neox.layers.0.attention.query_key_value.weight F32 3,192,64"}, LLMINF_E_FORMAT},
        {PHI3("{\"type\":\"longrope\",\"long_factor\":" FACTORS8 ",\"short_factor\":" FACTORS8 "}"), {"x"}, LLMINF_OK},
        {PHI3("{\"type\":\"longrope\",\"long_factor\":[1],\"short_factor\":" FACTORS8 "}"), {"x"}, LLMINF_E_FORMAT},
        {PHI3("{\"type\":\"longrope\",\"long_factor\":" FACTORS8 "}"), {"x"}, LLMINF_E_FORMAT},
        {PHI3("{\"type\":\"longrope\",\"long_factor\":[1,1,1,1,1,1,1,[]],\"short_factor\":" FACTORS8 "}"),
         {"x"},
         LLMINF_E_FORMAT},
        {"{" OF("LlamaForCausalLM") RMS ",\"rope_scaling\":{\"type\":\"longrope\"}}", {"x"}, LLMINF_E_UNSUPPORTED},
    };
    struct read r;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (open_all(&r, rows[i].config, rows[i].files) != rows[i].status)
            fail_msg("row %zu: %d, %s: %s", i, r.err.status, r.err.subject, r.err.text);
        close_all(&r);
    }
}

/* Numbers that sizes follow from, and words that change the arithmetic. */
static void configs_that_are_refused(void **state)
{
    static const struct {
        const char *config;
        int32_t status;
    } rows[] = {
        {"{" OF("LlamaForCausalLM") RMS ",\"num_hidden_layers\":1025}", LLMINF_E_LIMIT},
        {"{" OF("LlamaForCausalLM") RMS ",\"hidden_size\":1048577}", LLMINF_E_LIMIT},
        {"{" OF("LlamaForCausalLM") RMS ",\"num_attention_heads\":65537}", LLMINF_E_LIMIT},
        {"{" OF("LlamaForCausalLM") RMS ",\"num_attention_heads\":0}", LLMINF_E_FORMAT},
        {"{" OF("LlamaForCausalLM") RMS ",\"num_key_value_heads\":3}", LLMINF_E_FORMAT},
        {"{" OF("LlamaForCausalLM") RMS ",\"head_dim\":65537}", LLMINF_E_LIMIT},
        {"{" OF("LlamaForCausalLM") RMS ",\"head_dim\":null}", LLMINF_OK},
        {"{" OF("LlamaForCausalLM") RMS ",\"vocab_size\":4294967296}", LLMINF_E_FORMAT},
        {"{" OF("LlamaForCausalLM") RMS ",\"rope_theta\":0}", LLMINF_E_LIMIT},
        {"{" OF("LlamaForCausalLM") RMS ",\"partial_rotary_factor\":1.5}", LLMINF_E_FORMAT},
        {"{" OF("LlamaForCausalLM") RMS ",\"logit_scale\":0.5}", LLMINF_E_UNSUPPORTED},
        {"{" OF("LlamaForCausalLM") RMS ",\"rope_scaling\":{\"type\":\"mrope\"}}", LLMINF_E_UNSUPPORTED},
        {"{" OF("MixtralForCausalLM") RMS "}", LLMINF_E_FORMAT},
        {"{" OF("MixtralForCausalLM") RMS ",\"num_local_experts\":1025}", LLMINF_E_LIMIT},
        {"{" OF("Qwen3MoeForCausalLM") RMS ",\"num_experts\":2,\"mlp_only_layers\":[0]}", LLMINF_E_UNSUPPORTED},
        {"{" OF("Qwen3MoeForCausalLM") RMS ",\"num_experts\":2,\"decoder_sparse_step\":2}", LLMINF_E_UNSUPPORTED},
        {"{" OF("Qwen3MoeForCausalLM") RMS ",\"num_experts\":2,\"norm_topk_prob\":1}", LLMINF_E_FORMAT},
        {"{" OF("FalconForCausalLM") LAYERED ",\"alibi\":true}", LLMINF_E_UNSUPPORTED},
        {"{" OF("FalconForCausalLM") LAYERED ",\"parallel_attn\":false}", LLMINF_E_UNSUPPORTED},
        {"{" OF("FalconForCausalLM") LAYERED ",\"activation\":\"relu\"}", LLMINF_E_UNSUPPORTED},
        {"{" OF("BloomForCausalLM") LAYERED ",\"apply_residual_connection_post_layernorm\":true}", LLMINF_E_UNSUPPORTED},
        {"{" OF("GPT2LMHeadModel") LAYERED ",\"scale_attn_by_inverse_layer_idx\":true}", LLMINF_E_UNSUPPORTED},
        {"{" OF("Gemma2ForCausalLM") RMS "}", LLMINF_E_UNSUPPORTED}, /* scores scaled by 256 */
        {"{" OF("Gemma2ForCausalLM") RMS ",\"query_pre_attn_scalar\":16}", LLMINF_OK},
        {"{" OF("Gemma2ForCausalLM") RMS ",\"query_pre_attn_scalar\":16,\"layer_types\":[\"chunked_attention\"]}",
         LLMINF_E_UNSUPPORTED},
        {"{" OF("Gemma2ForCausalLM") RMS ",\"query_pre_attn_scalar\":16,\"layer_types\":[]}", LLMINF_E_FORMAT},
        {"{" OF("Gemma2ForCausalLM") RMS
         ",\"query_pre_attn_scalar\":16,\"sliding_window\":null,\"layer_types\":[\"sliding_attention\"]}",
         LLMINF_E_FORMAT},
        {"{" OF("Gemma3ForConditionalGeneration") RMS "}", LLMINF_E_FORMAT},
        {"{" OF("Gemma3ForConditionalGeneration") "\"text_config\":[]}", LLMINF_E_FORMAT},
        {"{" OF("GptOssForCausalLM") RMS ",\"num_experts\":2,\"quantization_config\":{\"quant_method\":\"mxfp4\"}}", LLMINF_OK},
        {"{" OF("GptOssForCausalLM") RMS ",\"num_experts\":2,\"quantization_config\":{\"quant_method\":\"awq\"}}",
         LLMINF_E_UNSUPPORTED},
        {"{" OF("GptOssForCausalLM") RMS ",\"num_experts\":2,\"swiglu_limit\":5}", LLMINF_E_UNSUPPORTED},
        {"{" OF("LlamaForCausalLM") RMS ",\"quantization_config\":{\"quant_method\":\"mxfp4\"}}", LLMINF_E_UNSUPPORTED},
    };
    static const char *const none[] = {"x", NULL};
    struct read r;
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        if (open_all(&r, rows[i].config, none) != rows[i].status)
            fail_msg("%s: %d, %s: %s", rows[i].config, r.err.status, r.err.subject, r.err.text);
        close_all(&r);
    }
}

/* A soft cap that is null is none, whatever the family does without the key. */
static void what_null_means(void **state)
{
    static const char *const none[] = {"x", NULL};
    const struct {
        const char *more;
        double softcap;
    } rows[] = {{"", 50}, {",\"attn_logit_softcapping\":null", 0}, {",\"attn_logit_softcapping\":20.5", 20.5}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct read r;
        struct lli_config c;
        char config[512];
        snprintf(config, sizeof config, "{%s%s,\"query_pre_attn_scalar\":16%s}", OF("Gemma2ForCausalLM"), RMS, rows[i].more);
        assert_int_equal(open_all(&r, config, none), 0);
        assert_int_equal(lli_config_read(&c, &r.g, 8, &r.err), 0);
        assert_true(c.softcap == (float)rows[i].softcap);
        assert_int_equal(c.window, 4096);
        close_all(&r);
    }
}

/* ---- generation_config.json ----------------------------------------------------------------------------------------- */

static void what_ends_a_generation(void **state)
{
    static const struct {
        const char *generation, *config; /* generation NULL: there is none */
        const char *ends;
        int32_t status;
    } rows[] = {
        {"{\"eos_token_id\":2}", "{}", "2", LLMINF_OK},
        {"{\"eos_token_id\":[2,7]}", "{\"eos_token_id\":3}", "2 7", LLMINF_OK},
        {"{\"eos_token_id\":[-1,7,5000000000]}", "{}", "7", LLMINF_OK},
        {"{}", "{\"eos_token_id\":3}", NULL, LLMINF_OK},
        {"{\"eos_token_id\":null}", "{\"eos_token_id\":3}", NULL, LLMINF_OK},
        {NULL, "{\"eos_token_id\":[3,4]}", "3 4", LLMINF_OK},
        {NULL, "{\"eos_token_id\":null}", NULL, LLMINF_OK},
        {"{\"eos_token_id\":\"2\"}", "{}", NULL, LLMINF_E_FORMAT},
        {"{\"eos_token_id\":[2,[3]]}", "{}", NULL, LLMINF_E_FORMAT},
        {"{\"eos_token_id\":[0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,"
         "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0]}",
         "{}", NULL, LLMINF_E_LIMIT},
        {"{\"temperature\":-1}", "{}", NULL, LLMINF_E_FORMAT},
        {"{\"top_k\":1.5}", "{}", NULL, LLMINF_E_FORMAT},
        {"{\"top_p\":\"1\"}", "{}", NULL, LLMINF_E_FORMAT},
        {"[]", "{}", NULL, LLMINF_OK},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct read r = {0};
        struct lli_json generation = {0};
        struct lli_gguf_build b;
        char ends[64] = "";
        lli_heap_init(&r.heap, support_alloc, support_release, &r.counter);
        assert_int_equal(lli_json_read(&r.json, &r.heap, rows[i].config, strlen(rows[i].config), "config.json", &r.err), 0);
        if (rows[i].generation)
            assert_int_equal(
                lli_json_read(&generation, &r.heap, rows[i].generation, strlen(rows[i].generation), "generation", &r.err), 0);
        lli_gguf_build_begin(&b, &r.g, &r.heap, &r.err);
        lli_folder_generation(&b, &generation, &r.json);
        assert_int_equal(b.status, rows[i].status);
        assert_int_equal(lli_gguf_build_end(&b), rows[i].status);
        const struct lli_gguf_entry *e = lli_gguf_find(&r.g, LLI_FOLDER_ENDS);
        for (uint64_t k = 0; e && k < e->n; k++) {
            int64_t id;
            assert_int_equal(lli_gguf_int(&id, e, k), 0);
            snprintf(ends + strlen(ends), sizeof ends - strlen(ends), k > 0 ? " %lld" : "%lld", (long long)id);
        }
        if (b.status == 0)
            assert_string_equal(ends, rows[i].ends ? rows[i].ends : "");
        lli_json_finish(&generation);
        close_all(&r);
    }
}

static void how_its_makers_sample(void **state)
{
    static const char text[] = "{\"temperature\":0.6,\"top_k\":20,\"top_p\":1,\"repetition_penalty\":1.05,\"do_sample\":true}";
    struct read r = {0};
    struct lli_gguf_build b;
    int64_t top_k;
    double temperature, top_p, penalty;
    (void)state;
    lli_heap_init(&r.heap, support_alloc, support_release, &r.counter);
    assert_int_equal(lli_json_read(&r.json, &r.heap, text, strlen(text), "generation_config.json", &r.err), 0);
    lli_gguf_build_begin(&b, &r.g, &r.heap, &r.err);
    lli_folder_generation(&b, &r.json, &r.json);
    assert_int_equal(lli_gguf_build_end(&b), 0);
    assert_int_equal(lli_gguf_get_int(&top_k, &r.g, "general.sampling.top_k", 0, NULL), 0);
    assert_int_equal(lli_gguf_get_float(&temperature, &r.g, "general.sampling.temp", 0, NULL), 0);
    assert_int_equal(lli_gguf_get_float(&top_p, &r.g, "general.sampling.top_p", 0, NULL), 0);
    assert_int_equal(lli_gguf_get_float(&penalty, &r.g, "general.sampling.penalty_repeat", 0, NULL), 0);
    assert_int_equal(top_k, 20);
    assert_true((float)temperature == 0.6f && top_p == 1 && (float)penalty == 1.05f);
    assert_int_equal(r.g.n_entries, 4);
    close_all(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_class_is_of_a_family), cmocka_unit_test(names_are_shown),
        cmocka_unit_test(names_are_taken_apart),     cmocka_unit_test(pieces_make_a_whole),
        cmocka_unit_test(configs_that_are_refused),  cmocka_unit_test(what_null_means),
        cmocka_unit_test(what_ends_a_generation),    cmocka_unit_test(how_its_makers_sample),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
