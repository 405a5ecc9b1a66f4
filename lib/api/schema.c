#include "api/schema.h"

#include <string.h>

#include "llminf/llminf.h"

#include "base/casing.h"

/* Each macro makes the C fields and the JSON text of a row from the same literals. */
#define HEAD(type) "{\"type\":\"" type "\",\"default\":"
#define TAIL(unit, doc) ",\"unit\":\"" unit "\",\"since\":\"0.1.0\",\"doc\":\"" doc "\"}"
#define UNIT_(name) LLI_UNIT_##name
#define UNIT_TEXT_NONE ""
#define UNIT_TEXT_BYTES "bytes"
#define UNIT_TEXT_NS "ns"

#define INT(key_, otherwise, low, high, unit_, doc)                                                                            \
    {                                                                                                                          \
        .key = key_, .type = LLI_SCHEMA_INT, .unit = UNIT_(unit_), .int_default = otherwise, .int_min = low, .int_max = high,  \
        .json = HEAD("int") #otherwise ",\"min\":" #low ",\"max\":" #high TAIL(UNIT_TEXT_##unit_, doc)                         \
    }
#define INT_OR_0(key_, otherwise, low, high, unit_, doc)                                                                       \
    {                                                                                                                          \
        .key = key_, .type = LLI_SCHEMA_INT, .unit = UNIT_(unit_), .int_default = otherwise, .int_min = low, .int_max = high,  \
        .zero_too = 1,                                                                                                         \
        .json = HEAD("int") #otherwise ",\"min\":" #low ",\"max\":" #high ",\"zero\":true" TAIL(UNIT_TEXT_##unit_, doc)        \
    }
#define BOOL(key_, otherwise, doc)                                                                                             \
    {                                                                                                                          \
        .key = key_, .type = LLI_SCHEMA_BOOL, .int_default = otherwise, .int_max = 1,                                          \
        .json = HEAD("bool") #otherwise TAIL("", doc)                                                                          \
    }
#define FLOAT(key_, otherwise, low, high, doc)                                                                                 \
    {                                                                                                                          \
        .key = key_, .type = LLI_SCHEMA_FLOAT, .float_default = otherwise, .float_min = low, .float_max = high,                \
        .json = HEAD("float") #otherwise ",\"min\":" #low ",\"max\":" #high TAIL("", doc)                                      \
    }
#define FLOAT_ABOVE(key_, otherwise, low, high, doc)                                                                           \
    {                                                                                                                          \
        .key = key_, .type = LLI_SCHEMA_FLOAT, .float_default = otherwise, .float_min = low, .float_max = high, .above = 1,    \
        .json = HEAD("float") #otherwise ",\"above\":" #low ",\"max\":" #high TAIL("", doc)                                    \
    }
#define CHOICE(key_, otherwise, doc, ...) CHOICE_(key_, otherwise, doc, __VA_ARGS__) /* values may be a macro */
#define CHOICE_(key_, otherwise, doc, ...)                                                                                     \
    {                                                                                                                          \
        .key = key_, .type = LLI_SCHEMA_TEXT, .int_max = 64, .text_default = otherwise, .values = "[" #__VA_ARGS__ "]",        \
        .json = HEAD("text") "\"" otherwise "\",\"values\":[" #__VA_ARGS__ "]" TAIL("", doc)                                   \
    }
#define NAME(key_, otherwise, doc)                                                                                             \
    {                                                                                                                          \
        .key = key_, .type = LLI_SCHEMA_TEXT, .int_max = 64, .text_default = otherwise, .values = "",                          \
        .json = HEAD("text") "\"" otherwise "\",\"max_bytes\":64" TAIL("", doc)                                                \
    }
#define TEXT(key_, otherwise, max_bytes_, doc)                                                                                 \
    {                                                                                                                          \
        .key = key_, .type = LLI_SCHEMA_TEXT, .int_max = max_bytes_, .text_default = otherwise, .values = "",                  \
        .json = HEAD("text") "\"" otherwise "\",\"max_bytes\":" #max_bytes_ TAIL("", doc)                                      \
    }
#define LIST(key_, max_bytes_, doc)                                                                                            \
    {                                                                                                                          \
        .key = key_, .type = LLI_SCHEMA_LIST, .int_max = max_bytes_,                                                           \
        .json = HEAD("list") "[],\"max_items\":64,\"max_bytes\":" #max_bytes_ TAIL("", doc)                                    \
    }
/* What an empty list stands for. */
#define LIST_OR(key_, otherwise, max_bytes_, doc)                                                                              \
    {                                                                                                                          \
        .key = key_, .type = LLI_SCHEMA_LIST, .int_max = max_bytes_,                                                           \
        .json = HEAD("list") otherwise ",\"max_items\":64,\"max_bytes\":" #max_bytes_ TAIL("", doc)                            \
    }
#define VALUE(key_, type_, unit_, doc)                                                                                         \
    {                                                                                                                          \
        .key = key_, .type = LLI_SCHEMA_VALUE,                                                                                 \
        .json = "{\"type\":\"" type_ "\",\"unit\":\"" unit_ "\",\"since\":\"0.1.0\",\"doc\":\"" doc "\"}"                      \
    }

/* Types of weights, and mixes of them. */
#define ENCODINGS                                                                                                              \
    "f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "q5_0", "q5_1", "q2_k", "q3_k", "q3_k_s", "q3_k_m", "q3_k_l", "q4_k",        \
        "q4_k_s", "q4_k_m", "q5_k", "q5_k_s", "q5_k_m", "q6_k", "iq4_nl", "iq4_xs"

static const struct lli_schema_row model_rows[] = {
    CHOICE("load", "auto", "map the file or copy it; auto maps regular local files", "auto", "map", "read"),
    BOOL("prefault", 0, "touch all weights in open"),
    CHOICE("verify", "header", "full also reads all weights and rejects NaN and Inf", "header", "full"),
    CHOICE("convert", "", "encode the matrices anew while loading: a type or a mix as of kind convert; empty: as they are", "",
           ENCODINGS),
    BOOL("vocab_only", 0, "metadata and text only; a context cannot be opened"),
    LIST("override", 65536, "KEY=VALUE: metadata in the place of the file's, checked as if they stood there"),
    TEXT("chat_template", "", 1048576, "template to use instead of the file's"),
    INT("template_limit_steps", 1000000, 1, 1000000000, NONE, "largest work of one run of a template"),
    INT("template_limit_bytes", 16777216, 1, 1000000000, BYTES, "largest output of one run of a template"),
    INT("header_limit_bytes", 268435456, 4096, 4294967296, BYTES, "largest header with metadata accepted"),
    INT("log_level", 2, 0, 4, NONE, "0 off, 1 error, 2 warning, 3 info, 4 debug"),
};

static const struct lli_schema_row context_rows[] = {
    INT_OR_0("kv_budget_bytes", 0, 65536, 281474976710656, BYTES,
             "the KV pool; 0: one session of full length, at most 1/4 of the memory open to the process"),
    CHOICE("kv_type", "f16", "element type of keys and values", "f16", "f32", "q8_0"),
    FLOAT("draft_share", 0.1, 0, 0.9, "part of the KV budget that is the draft model's, if one is set; 0: it does not guess"),
    BOOL("kv_prefault", 0, "touch the whole pool in open"),
    BOOL("prefix_cache", 1, "share equal blocks between sessions and keep them when they close"),
    INT("max_sessions", 1024, 1, 65536, NONE, "open sessions"),
    INT("max_running", 64, 1, 4096, NONE, "generations in one batch"),
    INT("max_waiting", 1024, 0, 1048576, NONE, "generations beyond max_running; one more is LLMINF_E_FULL"),
    INT_OR_0("step_tokens", 0, 16, 65536, NONE,
             "tokens of a step: decodes first, then parts of prompts, of which at least 32; 0: 64 beyond max_running"),
    INT("step_target_ns", 0, 0, 1000000000000, NS,
        "how long a step that makes tokens should last at most: fewer tokens of prompts beside them, at least 1; 0: off"),
    CHOICE("batching", "inflight",
           "how steps are filled: a new batch when the last one is over; prompts or decodes; both in one step", "static",
           "continuous", "inflight"),
    FLOAT("admit_reserve", 0.25, 0, 1, "share of the blocks that generations may still need which admission leaves free"),
    INT("age_steps", 1024, 0, 2147483647, NONE, "steps of waiting that raise a priority by 1; 0: never"),
    INT("bypass_limit", 16, 0, 1000, NONE, "how often a generation that does not fit yet may be overtaken"),
    BOOL("host_driven", 0, "no engine thread; the host calls llminf_context_step"),
    INT("threads", 0, 0, 1024, NONE, "workers; 0: as many as cpus, or what affinity and cgroup quota allow"),
    TEXT("cpus", "", 4096, "pin workers and the engine thread to these CPUs, as 0-3,8; empty: pin none"),
    INT("spin_ns", 20000, 0, 10000000, NS, "how long an idle worker spins before it sleeps"),
    NAME("backend", "auto", "kernel table; auto: the strongest usable"),
    INT("tensor_parallel", 1, 1, 8, NONE,
        "ranks that share each layer: 1, 2, 4 or 8; threads of this process, or those of a communicator"),
    INT("pipeline_parallel", 1, 1, 64, NONE, "stages of such ranks, each with layers of its own"),
    INT("comm_timeout_ns", 10000000000, 1000000, 10000000000000, NS, "a rank that does not answer for so long is lost"),
};

static const struct lli_schema_row session_rows[] = {
    INT("max_length", 0, 0, 2147483647, NONE,
        "longest timeline in tokens; 0: the model's context length, or what the pool holds if that is less"),
    BOOL("prefix_cache", 1, "share equal blocks with other sessions"),
    TEXT("cache_salt", "", 256, "sessions with different salts share no blocks"),
    INT("adapter", 0, 0, 2147483647, NONE, "id of the adapter for the whole life of the session; 0: none"),
    FLOAT("adapter_scale", 1.0, -16, 16, "what the adapter adds is multiplied by this"),
    BOOL("pinned", 0, "keep its blocks while idle; if 0 they may be evicted and are computed again"),
    CHOICE("pooling", "none", "a session for embeddings: which positions make one; model: as the file says", "none", "last",
           "mean", "cls", "model"),
    BOOL("normalize", 1, "an embedding has length 1"),
};

static const struct lli_schema_row sampler_rows[] = {
    INT("seed", 0, 0, 9223372036854775807, NONE, "a draw depends on seed and position only"),
    FLOAT("temperature", 1.0, 0, 100, "0: greedy, and nothing drops candidates"),
    FLOAT("dynatemp_range", 0.0, 0, 100, "the temperature is so much lower where the model is sure, higher where not; 0: off"),
    FLOAT("dynatemp_exponent", 1.0, 0, 100, "of the share of the largest entropy that leads from one to the other"),
    INT("top_k", 0, 0, 2147483647, NONE, "keep the k best; 0: off"),
    INT("min_keep", 1, 1, 2147483647, NONE, "every filter leaves at least this many"),
    FLOAT_ABOVE("top_p", 1.0, 0, 1, "nucleus; 1: off"),
    FLOAT_ABOVE("typical_p", 1.0, 0, 1, "locally typical; 1: off"),
    FLOAT("min_p", 0.0, 0, 1, "drop what is below p times the best; 0: off"),
    FLOAT("top_n_sigma", 0.0, 0, 100, "drop what is so many standard deviations of the logits below the best; 0: off"),
    FLOAT("xtc_probability", 0.0, 0, 1, "chance to drop the top choices but the worst of them; 0: off"),
    FLOAT("xtc_threshold", 0.1, 0, 1, "probability of a top choice"),
    INT_OR_0("mirostat", 0, 2, 2, NONE, "version of mirostat, which drops what surprises beyond a limit; 0: off"),
    FLOAT("mirostat_tau", 5.0, 0, 100, "bits of surprise wanted"),
    FLOAT("mirostat_eta", 0.1, 0, 1, "how fast the limit follows"),
    FLOAT("repeat_penalty", 1.0, 0.01, 100, "divide or multiply the logits of recent tokens; 1: off"),
    INT("penalty_window", 64, -1, 2147483647, NONE, "tokens looked back by the penalties; -1: all"),
    FLOAT("frequency_penalty", 0.0, -10, 10, "subtracted per occurrence"),
    FLOAT("presence_penalty", 0.0, -10, 10, "subtracted once"),
    FLOAT("dry_multiplier", 0.0, 0, 100, "penalty on tokens that go on with a repetition; 0: off"),
    FLOAT("dry_base", 1.75, 1, 10, "its growth with each token of the repetition"),
    INT("dry_length", 2, 1, 1000, NONE, "repetitions of fewer tokens are free"),
    INT("dry_window", -1, -1, 2147483647, NONE, "tokens looked back for them; -1: all"),
    LIST_OR("dry_breaker", "[\"\\n\",\":\",\"\\\"\",\"*\"]", 4096, "text that ends a sequence"),
    TEXT("order", "penalties,dry,top_n_sigma,top_k,typical_p,top_p,min_p,xtc,temperature,mirostat", 128,
         "the stages that run, in their order; penalties and dry, if named, before the others"),
    LIST("ban", 4096, "texts that may not be produced: the last token of each is forbidden behind the others"),
};

static const struct lli_schema_row generate_rows[] = {
    INT("max_tokens", -1, -1, 2147483647, NONE, "new tokens; -1: up to max_length, 0: compute the prompt only"),
    INT("min_tokens", 0, 0, 2147483647, NONE, "no end before this many"),
    LIST("stop", 4096, "text that ends the output and is not part of it"),
    LIST("stop_token", 4096, "token ids or exact texts of control tokens that end the output"),
    BOOL("ignore_eog", 0, "go on after end-of-generation tokens"),
    BOOL("special", 0, "show control tokens in the text"),
    CHOICE("logits", "off", "keep the logits of the last or of every position that this generation computes", "off", "last",
           "all"),
    INT("logprobs", -1, -1, 64, NONE, "keep log-probabilities of new tokens: 0 their own, k also the k best; -1: off"),
    INT("prompt_logprobs", -1, -1, 64, NONE, "the same for the tokens appended since the last generation"),
    BOOL("echo", 0, "read gives the text appended since the last generation first"),
    INT("read_ahead", 0, 0, 2147483647, NONE, "pause when so many tokens are unread; 0: never"),
    INT("beams", 1, 1, 64, NONE, "beam search, if more than 1: not with a sampler, logits or logprobs"),
    FLOAT("length_penalty", 1.0, -10, 10, "a beam's score is its log-probability / length ^ penalty"),
    CHOICE("speculate", "off", "guess tokens where the timeline repeats itself, or by a draft model; never changes output",
           "off", "lookup", "model"),
    INT("draft_limit", 8, 1, 16, NONE, "tokens guessed at a time, at most"),
    INT("deadline_ns", 0, 0, 4611686018427387904, NS, "stop this long after the call; 0: never"),
    INT("priority", 0, -100, 100, NONE, "higher goes first"),
};

static const struct lli_schema_row convert_rows[] = {
    CHOICE("type", "q8_0", "encoding of the matrices: a type, or a mix of types by the name that llama.cpp gives it",
           ENCODINGS),
    BOOL("pure", 0, "the type itself for all matrices, without those that a mix gives more bits"),
    INT("threads", 0, 0, 1024, NONE, "threads that encode; 0: what affinity and cgroup quota allow"),
};

static const struct lli_schema_row cost_rows[] = {
    INT("sessions", 1, 0, 2147483647, NONE, "the load: sessions at once"),
    INT("prompt_tokens", 512, 0, 2147483647, NONE, "the load: tokens of each before the output"),
    INT("shared_tokens", 0, 0, 2147483647, NONE, "the load: of these, a prefix that all have in common"),
    INT("new_tokens", 128, 0, 2147483647, NONE, "the load: tokens of output of each"),
    FLOAT("flops_per_s", 0.0, 0, 1e18, "what the machine computes a second; 0: no forecast of time"),
    FLOAT("bytes_per_s", 0.0, 0, 1e18, "what it reads from memory a second; 0: no forecast of time"),
    FLOAT("overlap", 0.0, 0, 1000,
          "how reading and computing hide each other: the p-th root of the sum of their times' p-th powers; 0: the longer one"),
    TEXT("shape", "", 1024,
         "a model by its numbers in place of a handle, as n_layers=32,n_embd=4096,n_heads=32,n_ff=14336,n_vocab=128256"),
    NAME("weights", "", "one type for all matrices; empty: a file's own, or f16 for a shape"),
    INT("memory_bytes", 0, 0, 1152921504606846976, BYTES,
        "memory of each rank that must hold it all; 0: what the pool as it is set holds"),
    INT("tensor_parallel", 1, 1, 8, NONE, "ranks that share each layer: 1, 2, 4 or 8"),
    INT("pipeline_parallel", 1, 1, 64, NONE, "stages, each with layers of its own"),
    INT("micro_batches", 0, 0, 2147483647, NONE, "steps that follow one another through the stages; 0: as many as stages"),
    FLOAT("link_bytes_per_s", 0.0, 0, 1e18, "what goes from rank to rank a second; 0: without limit"),
    INT("link_ns", 0, 0, 1000000000, NS, "what a message from rank to rank takes besides"),
    INT("draft_tokens", 0, 0, 16, NONE, "guesses that a step verifies for each session, of the draft model if one is set"),
    FLOAT("draft_accept", 0.8, 0, 1, "chance that a guess is right"),
};

static const struct lli_schema_row adapter_rows[] = {
    CHOICE("load", "auto", "map the file or copy it; auto maps regular local files", "auto", "map", "read"),
    CHOICE("verify", "header", "full also reads all of it and rejects NaN and Inf, which else the first session does", "header",
           "full"),
    INT("rank_limit", 256, 1, 65536, NONE, "largest rank accepted"),
};

static const struct lli_schema_row stats_model_rows[] = {
    VALUE("arch", "text", "", "architecture"),
    VALUE("tokenizer", "text", "", "kind of the vocabulary"),
    VALUE("chat_template", "text", "", "the chat template in use"),
    VALUE("fingerprint", "text", "", "tells models apart, as saved sessions do"),
    VALUE("n_params", "int", "", "elements of all tensors"),
    VALUE("n_layers", "int", "", "layers"),
    VALUE("n_embd", "int", "", "width"),
    VALUE("n_heads", "int", "", "query heads"),
    VALUE("n_kv_heads", "int", "", "key and value heads"),
    VALUE("head_dim", "int", "", "width of a head"),
    VALUE("n_ff", "int", "", "width of the feed-forward layer"),
    VALUE("n_vocab", "int", "", "tokens of the vocabulary"),
    VALUE("n_experts", "int", "", "experts; 0: dense"),
    VALUE("n_experts_used", "int", "", "experts that see a token"),
    VALUE("train_length", "int", "", "context length of training"),
    VALUE("weight_bytes", "int", "bytes", "bytes of all tensors"),
    VALUE("kv_bytes_per_token", "int", "bytes", "keys and values of a position in F16"),
    VALUE("bos", "int", "", "id, or -1"),
    VALUE("eos", "int", "", "id, or -1"),
    VALUE("eot", "int", "", "id, or -1"),
    VALUE("unk", "int", "", "id, or -1"),
    VALUE("pad", "int", "", "id, or -1"),
    VALUE("tensor_name", "text", "", "tensor_name[i]; tensor_name[] is the number of tensors"),
    VALUE("tensor_type", "text", "", "tensor_type[i]"),
    VALUE("tensor_shape", "text", "", "tensor_shape[i], innermost first, as 64,512"),
    VALUE("tensor_bytes", "int", "bytes", "tensor_bytes[i]"),
};

static const struct lli_schema_row stats_context_rows[] = {
    VALUE("sessions", "int", "", "open sessions"),
    VALUE("running", "int", "", "generations admitted"),
    VALUE("waiting", "int", "", "generations that wait for admission"),
    VALUE("paused", "int", "", "generations that wait for their readers"),
    VALUE("kv_blocks", "int", "", "blocks of 16 positions in the pool"),
    VALUE("kv_blocks_used", "int", "", "blocks held by sessions"),
    VALUE("kv_blocks_cached", "int", "", "blocks that nobody holds and that can still be found"),
    VALUE("kv_blocks_free", "int", "", "blocks that hold nothing"),
    VALUE("kv_blocks_pinned", "int", "", "blocks promised to pinned sessions"),
    VALUE("kv_bytes", "int", "bytes", "bytes of the pool"),
    VALUE("kv_bytes_used", "int", "bytes", "bytes of the blocks held by sessions"),
    VALUE("kv_bytes_cached", "int", "bytes", "bytes of the cached blocks"),
    VALUE("kv_meta_bytes", "int", "bytes", "bytes of the pool's bookkeeping"),
    VALUE("draft_kv_bytes", "int", "bytes", "bytes of the draft model's pool, with its bookkeeping"),
    VALUE("scratch_bytes", "int", "bytes", "bytes reserved for the activations of a step"),
    VALUE("live_bytes", "int", "bytes", "heap bytes of the model and all its children"),
    VALUE("steps", "int", "", "steps run"),
    VALUE("step_ns", "int", "ns", "time of all steps, without planning"),
    VALUE("step_max_ns", "int", "ns", "time of the longest step"),
    VALUE("predicted_ns", "int", "ns", "the same as it was foreseen"),
    VALUE("plan_ns", "int", "ns", "time of planning"),
    VALUE("run_ns", "int", "ns", "time of the model in steps"),
    VALUE("sample_ns", "int", "ns", "time of sampling in steps"),
    VALUE("commit_ns", "int", "ns", "time of committing"),
    VALUE("rows", "int", "", "rows computed in steps"),
    VALUE("prefill_tokens", "int", "", "prompt tokens computed"),
    VALUE("decode_tokens", "int", "", "tokens made"),
    VALUE("recomputed_tokens", "int", "", "positions computed again after their blocks were given up"),
    VALUE("prefix_tokens", "int", "", "tokens looked up in the prefix cache"),
    VALUE("prefix_hit_tokens", "int", "", "tokens found there"),
    VALUE("prefix_rejects", "int", "", "hashes that met with other tokens"),
    VALUE("copied_blocks", "int", "", "blocks copied because two sessions went on differently"),
    VALUE("deduplicated", "int", "", "blocks given back because another holds the same"),
    VALUE("recycled", "int", "", "cached blocks that were forgotten and used again"),
    VALUE("drafted", "int", "", "tokens guessed"),
    VALUE("accepted", "int", "", "guesses that were right"),
    VALUE("draft_ns", "int", "ns", "time of the draft model in steps"),
    VALUE("draft_rows", "int", "", "rows computed by the draft model"),
    VALUE("evictions", "int", "", "blocks taken from sessions that do not run"),
    VALUE("preemptions", "int", "", "running generations that gave their blocks up and waited again"),
    VALUE("pauses", "int", "", "times that a generation was ahead of its reader"),
    VALUE("overtakes", "int", "", "admissions past a generation that did not fit yet"),
    VALUE("follows", "int", "", "steps waited for a block that another session computes"),
    VALUE("ended", "int", "", "generations that ended"),
    VALUE("failed", "int", "", "generations that ended with an error"),
    VALUE("refused", "int", "", "generations refused as LLMINF_E_FULL"),
    VALUE("cancelled", "int", "", "generations cancelled"),
    VALUE("late", "int", "", "generations past their deadline"),
};

static const struct lli_schema_row stats_session_rows[] = {
    VALUE("state", "int", "", "LLMINF_STATE_*"),
    VALUE("stop_reason", "int", "", "LLMINF_STOP_* of the last generation"),
    VALUE("stop_index", "int", "", "which stop text or stop token ended it; -1: none"),
    VALUE("length", "int", "", "tokens of the timeline"),
    VALUE("computed", "int", "", "positions with keys and values"),
    VALUE("cached", "int", "", "positions that the last generation found computed"),
    VALUE("prompt", "int", "", "tokens before the last generation"),
    VALUE("generated", "int", "", "tokens made by the last generation"),
    VALUE("blocks", "int", "", "KV blocks held"),
    VALUE("shared_blocks", "int", "", "those of them that others hold too"),
    VALUE("preemptions", "int", "", "times that the last generation gave its blocks up and waited again"),
    VALUE("drafted", "int", "", "tokens guessed for the last generation"),
    VALUE("accepted", "int", "", "guesses that were right"),
    VALUE("max_length", "int", "", "longest timeline"),
    VALUE("room", "int", "", "tokens that the timeline can still take; 0: the context is full"),
    VALUE("queue_ns", "int", "ns", "from generate to the first step"),
    VALUE("first_ns", "int", "ns", "from generate to the first token"),
    VALUE("prefill_ns", "int", "ns", "time of the steps that computed the prompt"),
    VALUE("decode_ns", "int", "ns", "time of the steps behind it"),
};

static const struct lli_schema_row stats_cost_rows[] = {
    VALUE("weight_bytes", "float", "bytes", "all weights, in the layout of the context's backend"),
    VALUE("kv_bytes", "float", "bytes", "the pool of keys and values"),
    VALUE("kv_tokens", "float", "", "positions of one session that it holds"),
    VALUE("kv_blocks", "float", "", "blocks of 16 positions in the pool"),
    VALUE("block_bytes", "float", "bytes", "bytes of a block"),
    VALUE("meta_bytes", "float", "bytes", "bookkeeping of the pool"),
    VALUE("plan_bytes", "float", "bytes", "bookkeeping of a step"),
    VALUE("scratch_bytes", "float", "bytes", "activations of a step"),
    VALUE("logits_bytes", "float", "bytes", "the part of scratch_bytes that holds logits"),
    VALUE("engine_bytes", "float", "bytes", "all else of a context in the heap"),
    VALUE("session_bytes", "float", "bytes", "heap of one session of the load"),
    VALUE("stack_bytes", "float", "bytes", "stacks of the threads"),
    VALUE("heap_bytes", "float", "bytes", "what the first context of this backend takes from the model's heap"),
    VALUE("draft_weight_bytes", "float", "bytes", "weights of the draft model, if it is another"),
    VALUE("draft_kv_bytes", "float", "bytes", "its pool of keys and values, with the bookkeeping"),
    VALUE("total_bytes", "float", "bytes", "weights, context, sessions of the load and stacks"),
    VALUE("rank_weight_bytes", "float", "bytes", "weights of the rank that holds most"),
    VALUE("rank_kv_bytes", "float", "bytes", "its part of the pool"),
    VALUE("rank_bytes", "float", "bytes", "all that it holds"),
    VALUE("max_sessions", "float", "", "sessions of the load that there is room for"),
    VALUE("max_context", "float", "", "tokens that each session of the load could have"),
    VALUE("max_params", "float", "", "parameters of the largest model of these types that leaves room for the load"),
    VALUE("params", "float", "", "parameters"),
    VALUE("params_active", "float", "", "parameters that one token meets"),
    VALUE("matmul_params", "float", "", "weights of the layers' matrices that one token meets"),
    VALUE("standard_params", "float", "", "12 n_layers n_embd^2: the same of the classic block"),
    VALUE("body_flops", "float", "", "operations of a token in the layers' matrices"),
    VALUE("head_flops", "float", "", "operations of a row of logits"),
    VALUE("attention_flops", "float", "", "operations of a token for each position that it sees"),
    VALUE("kv_bytes_per_token", "float", "bytes", "keys and values of a position"),
    VALUE("kv_share", "float", "", "share of a layer's operations that makes keys and values"),
    VALUE("standard_kv_share", "float", "", "the same of the classic block: 1/6"),
    VALUE("attention_crossover", "float", "", "context at which attention has as many operations as the matrices"),
    VALUE("kv_crossover", "float", "", "positions of all sessions at which keys and values have as many bytes as the weights"),
    VALUE("experts_met", "float", "", "experts of a layer that a step of the load meets; 0: dense"),
    VALUE("prefill_flops", "float", "", "operations of one prompt of the load"),
    VALUE("step_flops", "float", "", "operations of a step that makes a token of each session"),
    VALUE("step_bytes", "float", "bytes", "bytes that this step reads"),
    VALUE("intensity", "float", "", "operations of this step for a byte that it reads"),
    VALUE("tokens_per_step", "float", "", "tokens that it makes, with the guesses that are right"),
    VALUE("comm_messages", "float", "", "messages between ranks in this step that follow one another"),
    VALUE("comm_bytes", "float", "bytes", "bytes that this step sends to other ranks"),
    VALUE("bubble", "float", "", "share of time that a stage waits while steps fill the pipe and leave it"),
    VALUE("prefill_ns", "float", "ns", "time of one prompt of the load, alone"),
    VALUE("prefill_tokens_per_s", "float", "", "tokens of this prompt a second"),
    VALUE("step_ns", "float", "ns", "time of a step that makes a token of each session"),
    VALUE("comm_ns", "float", "ns", "time of its messages"),
    VALUE("tokens_per_s", "float", "", "tokens of all sessions a second"),
    VALUE("b_star", "float", "", "rows of a step at which computing takes as long as reading the weights"),
    VALUE("balance", "float", "", "operations that the machine does in the time of reading a byte"),
    VALUE("memory_bound", "float", "", "1: the step has fewer operations for a byte than that: it waits for memory"),
    VALUE("floor_ns", "float", "ns", "time to read the weights once: no token of one session comes faster"),
};

#define KIND(name_, rows_, bag)                                                                                                \
    {                                                                                                                          \
        name_, rows_, sizeof rows_ / sizeof *rows_, bag                                                                        \
    }

static const struct lli_schema_kind kinds[] = {
    KIND("model", model_rows, 1),
    KIND("context", context_rows, 1),
    KIND("session", session_rows, 1),
    KIND("sampler", sampler_rows, 1),
    KIND("generate", generate_rows, 1),
    KIND("adapter", adapter_rows, 1),
    KIND("convert", convert_rows, 1),
    KIND("cost", cost_rows, 1),
    KIND("stats.model", stats_model_rows, 0),
    KIND("stats.context", stats_context_rows, 0),
    KIND("stats.session", stats_session_rows, 0),
    KIND("stats.cost", stats_cost_rows, 0),
};

const struct lli_schema_kind *lli_schema_kind_find(const char *name)
{
    for (size_t i = 0; name != NULL && i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].name, name) == 0)
            return &kinds[i];
    return NULL;
}

const struct lli_schema_row *lli_schema_find(const struct lli_schema_kind *kind, const char *key)
{
    for (size_t i = 0; kind != NULL && key != NULL && i < kind->n; i++)
        if (strcmp(kind->rows[i].key, key) == 0)
            return &kind->rows[i];
    return NULL;
}

const char *lli_schema_spelt(const struct lli_schema_row *row, const char *text, size_t n)
{
    if (row->values[0] == 0)
        return text;
    for (const char *at = row->values; (at = strchr(at, '"')) != NULL;) {
        const char *end = strchr(at + 1, '"');
        if (end == NULL)
            break;
        if ((size_t)(end - at - 1) == n && lli_casing_same(at + 1, text, n))
            return at + 1;
        at = end + 1;
    }
    return NULL;
}

const char *llminf_schema_key(const char *kind, size_t index)
{
    const struct lli_schema_kind *found = lli_schema_kind_find(kind);
    return found != NULL && index < found->n ? found->rows[index].key : NULL;
}

const char *llminf_schema_entry(const char *kind, const char *key)
{
    const struct lli_schema_row *row = lli_schema_find(lli_schema_kind_find(kind), key);
    return row != NULL ? row->json : NULL;
}
