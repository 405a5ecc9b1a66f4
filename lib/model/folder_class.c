/* model/folder_class.c - names as transformers has them, and what its converters to GGUF make of them. */
#include "model/folder_class.h"

#include <string.h>

#include "base/format.h"
#include "model/family.h"

#define PLAIN LLI_HOW_PLAIN
#define Q LLI_HOW_Q
#define K LLI_HOW_K
#define QKV LLI_HOW_QKV
#define FLOATS LLI_HOW_FLOATS
#define ON_ONE LLI_HOW_ON_ONE
#define TURNED LLI_HOW_TURNED
#define EXPERT LLI_HOW_EXPERT
#define NOT_AT_ALL LLI_HOW_NOT_AT_ALL
#define EVEN LLI_ROWS_EVEN
#define ODD LLI_ROWS_ODD
#define SUFFIX "ForCausalLM"

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

/* What most classes share: those of llama, and what was added to them since. */
static const struct lli_folder_tensor shared[] = {
    {"embed_tokens.weight", "token_embd.weight", PLAIN, 0},
    {"norm.weight", "output_norm.weight", PLAIN, 0},
    {"lm_head.weight", "output.weight", PLAIN, 0},
    {"input_layernorm.weight", "attn_norm.weight", PLAIN, 0},
    {"post_attention_layernorm.weight", "ffn_norm.weight", PLAIN, 0},
    {"self_attn.q_proj.weight", "attn_q.weight", Q, 0},
    {"self_attn.k_proj.weight", "attn_k.weight", K, 0},
    {"self_attn.v_proj.weight", "attn_v.weight", PLAIN, 0},
    {"self_attn.o_proj.weight", "attn_output.weight", PLAIN, 0},
    {"self_attn.q_proj.bias", "attn_q.bias", Q, 0},
    {"self_attn.k_proj.bias", "attn_k.bias", K, 0},
    {"self_attn.v_proj.bias", "attn_v.bias", PLAIN, 0},
    {"self_attn.o_proj.bias", "attn_output.bias", PLAIN, 0},
    {"self_attn.q_norm.weight", "attn_q_norm.weight", PLAIN, 0},
    {"self_attn.k_norm.weight", "attn_k_norm.weight", PLAIN, 0},
    {"self_attn.qkv_proj.weight", "attn_qkv.weight", PLAIN, 0},
    {"mlp.gate_proj.weight", "ffn_gate.weight", PLAIN, 0},
    {"mlp.up_proj.weight", "ffn_up.weight", PLAIN, 0},
    {"mlp.down_proj.weight", "ffn_down.weight", PLAIN, 0},
    {"mlp.gate_up_proj.weight", "ffn_up.weight", PLAIN, 0},
    {"mlp.gate.weight", "ffn_gate_inp.weight", PLAIN, 0},
    {"mlp.experts.*.gate_proj.weight", "ffn_gate_exps.weight", EXPERT, 0},
    {"mlp.experts.*.up_proj.weight", "ffn_up_exps.weight", EXPERT, 0},
    {"mlp.experts.*.down_proj.weight", "ffn_down_exps.weight", EXPERT, 0},
    {"mlp.shared_expert.gate_proj.weight", "ffn_gate_shexp.weight", PLAIN, 0},
    {"mlp.shared_expert.up_proj.weight", "ffn_up_shexp.weight", PLAIN, 0},
    {"mlp.shared_expert.down_proj.weight", "ffn_down_shexp.weight", PLAIN, 0},
    {"mlp.shared_expert_gate.weight", "ffn_gate_inp_shexp.weight", FLOATS, 0},
    {"self_attn.rotary_emb.inv_freq", "", NOT_AT_ALL, 0}, /* what the base says too */
    {NULL, NULL, 0, 0},
};

static const struct lli_folder_tensor mixtral[] = {
    {"block_sparse_moe.gate.weight", "ffn_gate_inp.weight", PLAIN, 0},
    {"block_sparse_moe.experts.*.w1.weight", "ffn_gate_exps.weight", EXPERT, 0},
    {"block_sparse_moe.experts.*.w3.weight", "ffn_up_exps.weight", EXPERT, 0},
    {"block_sparse_moe.experts.*.w2.weight", "ffn_down_exps.weight", EXPERT, 0},
    {NULL, NULL, 0, 0},
};

static const struct lli_folder_tensor gemma[] = {
    {"norm.weight", "output_norm.weight", ON_ONE, 0},
    {"input_layernorm.weight", "attn_norm.weight", ON_ONE, 0},
    {"post_attention_layernorm.weight", "ffn_norm.weight", ON_ONE, 0},
    {NULL, NULL, 0, 0},
};

/* Norms on both sides. */
static const struct lli_folder_tensor gemma2[] = {
    {"norm.weight", "output_norm.weight", ON_ONE, 0},
    {"input_layernorm.weight", "attn_norm.weight", ON_ONE, 0},
    {"post_attention_layernorm.weight", "post_attention_norm.weight", ON_ONE, 0},
    {"pre_feedforward_layernorm.weight", "ffn_norm.weight", ON_ONE, 0},
    {"post_feedforward_layernorm.weight", "post_ffw_norm.weight", ON_ONE, 0},
    {"self_attn.q_norm.weight", "attn_q_norm.weight", ON_ONE, 0},
    {"self_attn.k_norm.weight", "attn_k_norm.weight", ON_ONE, 0},
    {NULL, NULL, 0, 0},
};

static const struct lli_folder_tensor olmo2[] = {
    {"post_attention_layernorm.weight", "post_attention_norm.weight", PLAIN, 0},
    {"post_feedforward_layernorm.weight", "post_ffw_norm.weight", PLAIN, 0},
    {NULL, NULL, 0, 0},
};

static const struct lli_folder_tensor cohere[] = {
    {"self_attn.q_norm.weight", "attn_q_norm.weight", FLOATS, 0},
    {"self_attn.k_norm.weight", "attn_k_norm.weight", FLOATS, 0},
    {NULL, NULL, 0, 0},
};

static const struct lli_folder_tensor phi[] = {
    {"final_layernorm.weight", "output_norm.weight", PLAIN, 0},
    {"final_layernorm.bias", "output_norm.bias", PLAIN, 0},
    {"lm_head.bias", "output.bias", PLAIN, 0},
    {"input_layernorm.bias", "attn_norm.bias", PLAIN, 0},
    {"self_attn.dense.weight", "attn_output.weight", PLAIN, 0},
    {"self_attn.dense.bias", "attn_output.bias", PLAIN, 0},
    {"mlp.fc1.weight", "ffn_up.weight", PLAIN, 0},
    {"mlp.fc1.bias", "ffn_up.bias", PLAIN, 0},
    {"mlp.fc2.weight", "ffn_down.weight", PLAIN, 0},
    {"mlp.fc2.bias", "ffn_down.bias", PLAIN, 0},
    {NULL, NULL, 0, 0},
};

static const struct lli_folder_tensor starcoder2[] = {
    {"norm.bias", "output_norm.bias", PLAIN, 0},
    {"input_layernorm.bias", "attn_norm.bias", PLAIN, 0},
    {"post_attention_layernorm.bias", "ffn_norm.bias", PLAIN, 0},
    {"mlp.c_fc.weight", "ffn_up.weight", PLAIN, 0},
    {"mlp.c_fc.bias", "ffn_up.bias", PLAIN, 0},
    {"mlp.c_proj.weight", "ffn_down.weight", PLAIN, 0},
    {"mlp.c_proj.bias", "ffn_down.bias", PLAIN, 0},
    {NULL, NULL, 0, 0},
};

static const struct lli_folder_tensor stablelm[] = {
    {"norm.bias", "output_norm.bias", PLAIN, 0},
    {"input_layernorm.bias", "attn_norm.bias", PLAIN, 0},
    {"post_attention_layernorm.bias", "ffn_norm.bias", PLAIN, 0},
    {"self_attn.q_layernorm.norms.*.weight", "attn_q_norm.weight", LLI_HOW_Q_HEAD, 0},
    {"self_attn.k_layernorm.norms.*.weight", "attn_k_norm.weight", LLI_HOW_KV_HEAD, 0},
    {NULL, NULL, 0, 0},
};

static const struct lli_folder_tensor gpt2[] = {
    {"wte.weight", "token_embd.weight", PLAIN, 0},
    {"wpe.weight", "position_embd.weight", PLAIN, 0},
    {"ln_f.weight", "output_norm.weight", PLAIN, 0},
    {"ln_f.bias", "output_norm.bias", PLAIN, 0},
    {"lm_head.weight", "output.weight", PLAIN, 0},
    {"ln_1.weight", "attn_norm.weight", PLAIN, 0},
    {"ln_1.bias", "attn_norm.bias", PLAIN, 0},
    {"attn.c_attn.weight", "attn_qkv.weight", TURNED, 0},
    {"attn.c_attn.bias", "attn_qkv.bias", PLAIN, 0},
    {"attn.c_proj.weight", "attn_output.weight", TURNED, 0},
    {"attn.c_proj.bias", "attn_output.bias", PLAIN, 0},
    {"ln_2.weight", "ffn_norm.weight", PLAIN, 0},
    {"ln_2.bias", "ffn_norm.bias", PLAIN, 0},
    {"mlp.c_fc.weight", "ffn_up.weight", TURNED, 0},
    {"mlp.c_fc.bias", "ffn_up.bias", PLAIN, 0},
    {"mlp.c_proj.weight", "ffn_down.weight", TURNED, 0},
    {"mlp.c_proj.bias", "ffn_down.bias", PLAIN, 0},
    {"attn.bias", "", NOT_AT_ALL, 0}, /* the causal mask */
    {"attn.masked_bias", "", NOT_AT_ALL, 0},
    {NULL, NULL, 0, 0},
};

static const struct lli_folder_tensor gptneox[] = {
    {"embed_in.weight", "token_embd.weight", PLAIN, 0},
    {"embed_out.weight", "output.weight", PLAIN, 0},
    {"final_layer_norm.weight", "output_norm.weight", PLAIN, 0},
    {"final_layer_norm.bias", "output_norm.bias", PLAIN, 0},
    {"input_layernorm.weight", "attn_norm.weight", PLAIN, 0},
    {"input_layernorm.bias", "attn_norm.bias", PLAIN, 0},
    {"post_attention_layernorm.weight", "ffn_norm.weight", PLAIN, 0},
    {"post_attention_layernorm.bias", "ffn_norm.bias", PLAIN, 0},
    {"attention.query_key_value.weight", "attn_qkv.weight", QKV, 0},
    {"attention.query_key_value.bias", "attn_qkv.bias", QKV, 0},
    {"attention.dense.weight", "attn_output.weight", PLAIN, 0},
    {"attention.dense.bias", "attn_output.bias", PLAIN, 0},
    {"mlp.dense_h_to_4h.weight", "ffn_up.weight", PLAIN, 0},
    {"mlp.dense_h_to_4h.bias", "ffn_up.bias", PLAIN, 0},
    {"mlp.dense_4h_to_h.weight", "ffn_down.weight", PLAIN, 0},
    {"mlp.dense_4h_to_h.bias", "ffn_down.bias", PLAIN, 0},
    {"attention.rotary_emb.inv_freq", "", NOT_AT_ALL, 0},
    {"attention.bias", "", NOT_AT_ALL, 0},
    {"attention.masked_bias", "", NOT_AT_ALL, 0},
    {NULL, NULL, 0, 0},
};

static const struct lli_folder_tensor bloom[] = {
    {"word_embeddings.weight", "token_embd.weight", PLAIN, 0},
    {"word_embeddings_layernorm.weight", "token_embd_norm.weight", PLAIN, 0},
    {"word_embeddings_layernorm.bias", "token_embd_norm.bias", PLAIN, 0},
    {"ln_f.weight", "output_norm.weight", PLAIN, 0},
    {"ln_f.bias", "output_norm.bias", PLAIN, 0},
    {"lm_head.weight", "output.weight", PLAIN, 0},
    {"input_layernorm.weight", "attn_norm.weight", PLAIN, 0},
    {"input_layernorm.bias", "attn_norm.bias", PLAIN, 0},
    {"post_attention_layernorm.weight", "ffn_norm.weight", PLAIN, 0},
    {"post_attention_layernorm.bias", "ffn_norm.bias", PLAIN, 0},
    {"self_attention.query_key_value.weight", "attn_qkv.weight", QKV, 0},
    {"self_attention.query_key_value.bias", "attn_qkv.bias", QKV, 0},
    {"self_attention.dense.weight", "attn_output.weight", PLAIN, 0},
    {"self_attention.dense.bias", "attn_output.bias", PLAIN, 0},
    {"mlp.dense_h_to_4h.weight", "ffn_up.weight", PLAIN, 0},
    {"mlp.dense_h_to_4h.bias", "ffn_up.bias", PLAIN, 0},
    {"mlp.dense_4h_to_h.weight", "ffn_down.weight", PLAIN, 0},
    {"mlp.dense_4h_to_h.bias", "ffn_down.bias", PLAIN, 0},
    {NULL, NULL, 0, 0},
};

/* One norm in front of both, or one of each: then that of the FFN is GGUF's first. */
static const struct lli_folder_tensor falcon[] = {
    {"ln_mlp.weight", "attn_norm.weight", PLAIN, 0},
    {"ln_mlp.bias", "attn_norm.bias", PLAIN, 0},
    {"ln_attn.weight", "attn_norm_2.weight", PLAIN, 0},
    {"ln_attn.bias", "attn_norm_2.bias", PLAIN, 0},
    {NULL, NULL, 0, 0},
};

static const struct lli_folder_tensor gpt_oss[] = {
    {"post_attention_layernorm.weight", "post_attention_norm.weight", PLAIN, 0},
    {"self_attn.sinks", "attn_sinks.weight", PLAIN, 0},
    {"mlp.router.weight", "ffn_gate_inp.weight", PLAIN, 0},
    {"mlp.router.bias", "ffn_gate_inp.bias", PLAIN, 0},
    {"mlp.experts.gate_up_proj_blocks", "ffn_gate_exps.weight", LLI_HOW_NIBBLES, EVEN},
    {"mlp.experts.gate_up_proj_blocks", "ffn_up_exps.weight", LLI_HOW_NIBBLES, ODD},
    {"mlp.experts.gate_up_proj_scales", "ffn_gate_exps.weight", LLI_HOW_SCALES, EVEN},
    {"mlp.experts.gate_up_proj_scales", "ffn_up_exps.weight", LLI_HOW_SCALES, ODD},
    {"mlp.experts.gate_up_proj_bias", "ffn_gate_exps.bias", FLOATS, EVEN},
    {"mlp.experts.gate_up_proj_bias", "ffn_up_exps.bias", FLOATS, ODD},
    {"mlp.experts.gate_up_proj", "ffn_gate_exps.weight", TURNED, EVEN},
    {"mlp.experts.gate_up_proj", "ffn_up_exps.weight", TURNED, ODD},
    {"mlp.experts.down_proj_blocks", "ffn_down_exps.weight", LLI_HOW_NIBBLES, 0},
    {"mlp.experts.down_proj_scales", "ffn_down_exps.weight", LLI_HOW_SCALES, 0},
    {"mlp.experts.down_proj_bias", "ffn_down_exps.bias", FLOATS, 0},
    {"mlp.experts.down_proj", "ffn_down_exps.weight", TURNED, 0},
    {NULL, NULL, 0, 0},
};

/* ---- numbers ----------------------------------------------------------------------------------------------------- */

static const struct lli_folder_figure experts[] = {
    {"num_experts", "expert_count", LLI_FIGURE_COUNT},
    {"num_experts_per_tok", "expert_used_count", LLI_FIGURE_COUNT},
    {"moe_intermediate_size", "expert_feed_forward_length", LLI_FIGURE_COUNT},
    {"shared_expert_intermediate_size", "expert_shared_feed_forward_length", LLI_FIGURE_COUNT},
    {"norm_topk_prob", "expert_weights_norm", LLI_FIGURE_FLAG},
    {NULL, NULL, 0},
};
static const struct lli_folder_figure granite_figures[] = {
    {"embedding_multiplier", "embedding_scale", LLI_FIGURE_FLOAT},
    {"residual_multiplier", "residual_scale", LLI_FIGURE_FLOAT},
    {"attention_multiplier", "attention.scale", LLI_FIGURE_FLOAT},
    {"logits_scaling", "logit_scale", LLI_FIGURE_FLOAT},
    {NULL, NULL, 0},
};
static const struct lli_folder_figure gemma_figures[] = {
    {"attn_logit_softcapping", "attn_logit_softcapping", LLI_FIGURE_FLOAT},
    {"final_logit_softcapping", "final_logit_softcapping", LLI_FIGURE_FLOAT},
    {NULL, NULL, 0},
};
static const struct lli_folder_figure cohere_figures[] = {{"logit_scale", "logit_scale", LLI_FIGURE_FLOAT}, {NULL, NULL, 0}};
static const struct lli_folder_figure gptneox_figures[] = {{"use_parallel_residual", "use_parallel_residual", LLI_FIGURE_FLAG},
                                                           {NULL, NULL, 0}};

static const struct lli_folder_default nothing[] = {{NULL, 0}};
static const struct lli_folder_default tied[] = {{"tie_word_embeddings", 1}, {NULL, 0}};
static const struct lli_folder_default qwen[] = {{"use_sliding_window", 0}, {NULL, 0}};
static const struct lli_folder_default raw_shares[] = {{"use_sliding_window", 0}, {"norm_topk_prob", 0}, {NULL, 0}};
static const struct lli_folder_default gemma2_defaults[] = {{"tie_word_embeddings", 1},      {"attn_logit_softcapping", 50},
                                                            {"final_logit_softcapping", 30}, {"sliding_window", 4096},
                                                            {"query_pre_attn_scalar", 256},  {NULL, 0}};
/* A text model within another has only what differs from the class. */
static const struct lli_folder_default gemma3_defaults[] = {{"tie_word_embeddings", 1},
                                                            {"vocab_size", 262208},
                                                            {"num_attention_heads", 8},
                                                            {"num_key_value_heads", 4},
                                                            {"head_dim", 256},
                                                            {"max_position_embeddings", 131072},
                                                            {"rms_norm_eps", 1e-6},
                                                            {"rope_theta", 1e6},
                                                            {"rope_local_base_freq", 1e4},
                                                            {"sliding_window", 4096},
                                                            {"query_pre_attn_scalar", 256},
                                                            {NULL, 0}};
static const struct lli_folder_default half_rotated[] = {{"partial_rotary_factor", 0.5}, {NULL, 0}};
static const struct lli_folder_default quarter_rotated[] = {{"partial_rotary_factor", 0.25}, {NULL, 0}};
static const struct lli_folder_default gptneox_defaults[] = {
    {"partial_rotary_factor", 0.25}, {"use_parallel_residual", 1}, {NULL, 0}};
static const struct lli_folder_default cohere_defaults[] = {{"tie_word_embeddings", 1}, {"logit_scale", 0.0625}, {NULL, 0}};
static const struct lli_folder_default bloom_defaults[] = {
    {"tie_word_embeddings", 1}, {"max_position_embeddings", 2048}, {"layer_norm_epsilon", 1e-5}, {NULL, 0}};
static const struct lli_folder_default falcon_defaults[] = {
    {"tie_word_embeddings", 1}, {"max_position_embeddings", 2048}, {"layer_norm_epsilon", 1e-5}, {"multi_query", 1}, {NULL, 0}};
static const struct lli_folder_default olmo3_defaults[] = {{"sliding_window", 4096}, {NULL, 0}};

/* ---- classes ----------------------------------------------------------------------------------------------------- */

static const char *const pictures[] = {"vision_tower.", "multi_modal_projector.", "model.vision_tower.",
                                       "model.multi_modal_projector.", NULL};

#define MODEL .stems = {"model."}, .layers = "layers."
#define TRANSFORMER .stems = {"transformer."}, .layers = "h."

static const struct lli_folder_class classes[] = {
    {"LlamaForCausalLM", "llama", MODEL, .tensors = {shared}, .defaults = nothing, .traits = LLI_FOLDER_PAIRS},
    {"MistralForCausalLM", "llama", MODEL, .tensors = {shared}, .defaults = nothing, .traits = LLI_FOLDER_PAIRS},
    {"MixtralForCausalLM", "llama", MODEL, .tensors = {mixtral, shared}, .figures = experts, .defaults = nothing,
     .traits = LLI_FOLDER_PAIRS},
    {"GraniteForCausalLM", "granite", MODEL, .tensors = {shared}, .figures = granite_figures, .defaults = nothing,
     .traits = LLI_FOLDER_PAIRS},
    {"Qwen2ForCausalLM", "qwen2", MODEL, .tensors = {shared}, .defaults = qwen},
    {"Qwen2MoeForCausalLM", "qwen2moe", MODEL, .tensors = {shared}, .figures = experts, .defaults = raw_shares},
    {"Qwen3ForCausalLM", "qwen3", MODEL, .tensors = {shared}, .defaults = qwen},
    {"Qwen3MoeForCausalLM", "qwen3moe", MODEL, .tensors = {shared}, .figures = experts, .defaults = raw_shares},
    {"GemmaForCausalLM", "gemma", MODEL, .tensors = {gemma, shared}, .defaults = tied, .traits = LLI_FOLDER_OLD_ACT},
    {"Gemma2ForCausalLM", "gemma2", MODEL, .tensors = {gemma2, shared}, .figures = gemma_figures, .defaults = gemma2_defaults},
    {"Gemma3ForCausalLM", "gemma3", MODEL, .tensors = {gemma2, shared}, .figures = gemma_figures, .defaults = gemma3_defaults},
    {"Gemma3ForConditionalGeneration", "gemma3", .stems = {"language_model.model.", "model.language_model.", "language_model."},
     .layers = "layers.", .inner = "text_config", .others = pictures, .tensors = {gemma2, shared}, .figures = gemma_figures,
     .defaults = gemma3_defaults},
    {"PhiForCausalLM", "phi2", MODEL, .tensors = {phi, shared}, .defaults = half_rotated},
    {"Phi3ForCausalLM", "phi3", MODEL, .tensors = {shared}, .defaults = nothing},
    {"GPT2LMHeadModel", "gpt2", TRANSFORMER, .tensors = {gpt2}, .defaults = tied, .traits = LLI_FOLDER_WIDE_FF},
    {"GPTNeoXForCausalLM", "gptneox", .stems = {"gpt_neox."}, .layers = "layers.", .tensors = {gptneox},
     .figures = gptneox_figures, .defaults = gptneox_defaults},
    {"Starcoder2ForCausalLM", "starcoder2", MODEL, .tensors = {starcoder2, shared}, .defaults = tied},
    {"FalconForCausalLM", "falcon", TRANSFORMER, .tensors = {falcon, bloom}, .defaults = falcon_defaults,
     .traits = LLI_FOLDER_WIDE_FF | LLI_FOLDER_ONE_KV_HEAD},
    {"StableLmForCausalLM", "stablelm", MODEL, .tensors = {stablelm, shared}, .defaults = quarter_rotated},
    {"Olmo2ForCausalLM", "olmo2", MODEL, .tensors = {olmo2, shared}, .defaults = nothing},
    {"Olmo3ForCausalLM", "olmo2", MODEL, .tensors = {olmo2, shared}, .defaults = olmo3_defaults},
    {"CohereForCausalLM", "command-r", MODEL, .tensors = {cohere, shared}, .figures = cohere_figures,
     .defaults = cohere_defaults, .traits = LLI_FOLDER_MAX_LENGTH},
    {"BloomForCausalLM", "bloom", TRANSFORMER, .tensors = {bloom}, .defaults = bloom_defaults, .traits = LLI_FOLDER_WIDE_FF},
    {"GptOssForCausalLM", "gpt-oss", MODEL, .tensors = {gpt_oss, shared}, .figures = experts, .defaults = nothing,
     .traits = LLI_FOLDER_MXFP4},
};

const struct lli_folder_class *lli_folder_class_at(size_t i)
{
    return i < sizeof classes / sizeof *classes ? &classes[i] : NULL;
}

const struct lli_folder_class *lli_folder_class_find(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strlen(classes[i].name) == len && memcmp(classes[i].name, name, len) == 0)
            return &classes[i];
    return NULL;
}

const struct lli_folder_class *lli_folder_class_of(const char *arch)
{
    for (size_t i = 0; i < sizeof classes / sizeof *classes; i++)
        if (strcmp(classes[i].arch, arch) == 0)
            return &classes[i];
    return NULL;
}

/* Most names end alike: that end is shown once, behind them. */
void lli_folder_class_names(char *out, size_t cap)
{
    size_t len = 0, end = strlen(SUFFIX);
    for (int is_whole = 0; is_whole < 2; is_whole++) {
        for (size_t i = 0; i < sizeof classes / sizeof *classes && len < cap; i++) {
            size_t n = strlen(classes[i].name);
            int has_end = n > end && strcmp(classes[i].name + n - end, SUFFIX) == 0;
            if (has_end == is_whole)
                len += lli_format(out + len, cap - len, len > 0 ? ", %.*s" : "%.*s", (int)(has_end ? n - end : n),
                                  classes[i].name);
        }
        if (!is_whole && len < cap)
            len += lli_format(out + len, cap - len, " (each %s)", SUFFIX);
    }
}

int lli_folder_class_reads(const struct lli_folder_class *class, const char *key)
{
    for (const struct lli_folder_figure *f = class->figures; f && f->from; f++)
        if (strcmp(f->from, key) == 0)
            return 1;
    return 0;
}

double lli_folder_class_default(const struct lli_folder_class *class, const char *key, double otherwise)
{
    for (const struct lli_folder_default *d = class->defaults; d->key; d++)
        if (strcmp(d->key, key) == 0)
            return d->value;
    return otherwise;
}

/* ---- names of tensors -------------------------------------------------------------------------------------------- */

/* Whether the name is the row's; *number is what stands at its "*", without leading zeros. */
static int fits(int64_t *number, const char *row, const char *name)
{
    const char *star = strchr(row, '*');
    size_t n = star ? (size_t)(star - row) : strlen(row), digits;
    *number = -1;
    if (!star)
        return strcmp(row, name) == 0;
    if (strncmp(row, name, n) != 0)
        return 0;
    digits = strspn(name + n, "0123456789");
    if (digits == 0 || digits > 6 || (digits > 1 && name[n] == '0') || strcmp(name + n + digits, star + 1) != 0)
        return 0;
    *number = 0;
    for (size_t i = 0; i < digits; i++)
        *number = 10 * *number + (name[n + i] - '0');
    return 1;
}

const struct lli_folder_tensor *lli_folder_class_row(int64_t *number, const struct lli_folder_tensor *row, const char *rest)
{
    for (; row && row->from; row++)
        if (fits(number, row->from, rest))
            return row;
    return NULL;
}

void lli_folder_class_match(struct lli_folder_match *out, const struct lli_folder_class *class, const char *name)
{
    int64_t number;
    *out = (struct lli_folder_match){.rest = name, .layer = -1};
    for (const char *const *other = class->others; other && *other && !out->is_other; other++)
        out->is_other = strncmp(name, *other, strlen(*other)) == 0;
    for (size_t i = 0; i < LLI_FOLDER_MAX_STEMS && class->stems[i]; i++)
        if (strncmp(name, class->stems[i], strlen(class->stems[i])) == 0) {
            out->rest = name + strlen(class->stems[i]);
            break;
        }
    const char *rest = lli_family_layer(&out->layer, class->layers, out->rest);
    if (rest)
        out->rest = rest;
    for (size_t i = 0; i < 2 && !out->row && !out->is_other; i++)
        out->row = lli_folder_class_row(&number, class->tensors[i], out->rest);
}
