/* llminf/llminf.h - LLM inference inside a host's process: GGUF in, tokens out.
 *
 * Order of use: options -> model -> context -> session -> generate, read. The rules that hold everywhere:
 *
 * - Results come back through `out` or `x_out`; the last argument takes the error and may be NULL. On failure every
 *   result is set to NULL or 0 and the object is as before the call.
 * - What comes back through `out` belongs to the caller, who closes it with the `close` of its noun. Closing NULL does
 *   nothing. A child holds a reference on its parent (session -> context -> model, sampler -> model): handles are closed
 *   in any order.
 * - Inputs are copied before a call returns, but where a function says otherwise.
 * - Text in is UTF-8 with a length in bytes; -1 means NUL-terminated. Text out always ends in a NUL, which `capacity` must
 *   hold and `length_out` does not count. Arrays out have a capacity in elements. NULL with capacity 0 asks for the size
 *   and succeeds; too small gives LLMINF_E_TOO_SMALL, writes nothing and sets the needed size. Only
 *   llminf_session_read and llminf_session_read_tokens give what fits.
 * - Times are nanoseconds; as a timeout -1 is for ever and 0 polls. Unknown flag bits are LLMINF_E_INVALID.
 * - Threads. Free: version, status, schema, llminf_backend_at. Shared (any number of threads on one handle): all of
 *   model, text and chat, all of context but llminf_context_step, llminf_session_open, _load, _load_memory, _wait, _cancel,
 *   _int. Confined (one thread at a time on one handle; a second gets LLMINF_E_BUSY, without harm): options, sampler, all
 *   other session functions, llminf_context_step. Different sessions in parallel threads are the normal case: whatever is
 *   in flight is computed together, and each gets the bits that it would get alone.
 * - Nothing in this library ends the process, whatever the file, the prompt or the option. */
#ifndef LLMINF_LLMINF_H
#define LLMINF_LLMINF_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"
#include "version.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef int32_t llminf_token;
typedef struct llminf_options llminf_options; /* a bag of settings */
typedef struct llminf_model llminf_model;     /* weights and vocabulary; immutable */
typedef struct llminf_context llminf_context; /* engine, workers, KV pool */
typedef struct llminf_session llminf_session; /* one timeline of tokens */
typedef struct llminf_sampler llminf_sampler; /* from logits to one token */

/* Memory of `size` bytes aligned to `align` (a power of two), or NULL. */
typedef void *(*llminf_alloc_fn)(void *user, size_t size, size_t align);
typedef void (*llminf_release_fn)(void *user, void *memory, size_t size);
/* Bytes read; negative: failure. */
typedef int64_t (*llminf_read_fn)(void *user, int64_t offset, void *bytes, size_t size);
/* done: 0..1; non-zero ends the call with LLMINF_E_CALLBACK. */
typedef int32_t (*llminf_progress_fn)(void *user, double done);
/* On the engine's thread, or the one that steps: return soon, call free functions, llminf_session_cancel and _int only. */
typedef void (*llminf_notify_fn)(void *user);
typedef int32_t (*llminf_filter_fn)(void *user, float *logits, size_t count, const llminf_token *history, size_t n_history);

enum {
    LLMINF_TEXT_SPECIAL = 1, /* encode: what spells a control token becomes it; decode: control tokens are shown */
    LLMINF_TEXT_BOUNDS = 2,  /* BOS and EOS, as the vocabulary wants them */
    LLMINF_TEXT_REPAIR = 4   /* invalid UTF-8 becomes U+FFFD instead of LLMINF_E_INVALID */
};
enum { LLMINF_TOKEN_CONTROL = 1, LLMINF_TOKEN_EOG = 2, LLMINF_TOKEN_BYTE = 4, LLMINF_TOKEN_UNUSED = 8 };
enum {
    LLMINF_STATE_IDLE = 0,
    LLMINF_STATE_QUEUED = 1,
    LLMINF_STATE_PREFILL = 2,
    LLMINF_STATE_DECODE = 3,
    LLMINF_STATE_FAILED = 4
};
enum {
    LLMINF_STOP_NONE = 0,
    LLMINF_STOP_EOG = 1,    /* an end-of-generation token */
    LLMINF_STOP_STRING = 2, /* option "stop"; stop_index is its number */
    LLMINF_STOP_TOKEN = 3,  /* option "stop_token"; stop_index is its number */
    LLMINF_STOP_LENGTH = 4, /* max_tokens; or the context is full: then the session's number "room" is 0 */
    LLMINF_STOP_CANCEL = 5,
    LLMINF_STOP_DEADLINE = 6,
    LLMINF_STOP_GRAMMAR = 7,
    LLMINF_STOP_ERROR = 8
};

/* ---- version and status ------------------------------------------------------------------------------------------ */

/* Of the loaded library: major * 1000000 + minor * 1000 + patch. */
LLMINF_API int32_t llminf_version(void);

/* The same as text, with compiler and target. */
LLMINF_API const char *llminf_version_text(void);

/* "LLMINF_E_FORMAT"; never NULL. */
LLMINF_API const char *llminf_status_name(llminf_status status);

/* One English sentence; never NULL. */
LLMINF_API const char *llminf_status_text(llminf_status status);

/* ---- options ----------------------------------------------------------------------------------------------------- */

/* An empty bag of kind "model", "context", "session", "sampler", "generate", "adapter", "convert" or "cost". Each setter
 * checks key, type and range at once (LLMINF_E_OPTION, subject: the key) and a failed one leaves the bag as it was. The call
 * that takes a bag copies it, so it can be changed, reused or closed at once. NULL stands for all defaults. */
LLMINF_API llminf_status llminf_options_open(llminf_options **out, const char *kind, llminf_error *error);
LLMINF_API void llminf_options_close(llminf_options *options);

/* Sets an int or bool key. */
LLMINF_API llminf_status llminf_options_set_int(llminf_options *options, const char *key, int64_t value, llminf_error *error);
LLMINF_API llminf_status llminf_options_set_float(llminf_options *options, const char *key, double value, llminf_error *error);
/* Where the schema lists values, ASCII letters match in either case: "Q4_K_M" sets "q4_k_m". */
LLMINF_API llminf_status llminf_options_set_text(llminf_options *options, const char *key, const char *text, int64_t length,
                                                 llminf_error *error);

/* Appends an item to a list key. */
LLMINF_API llminf_status llminf_options_add_text(llminf_options *options, const char *key, const char *text, int64_t length,
                                                 llminf_error *error);

/* Sets a key of any type from text, for command lines and configuration files: "2GiB", "50ms", "true", "0.7". */
LLMINF_API llminf_status llminf_options_parse(llminf_options *options, const char *key, const char *text, int64_t length,
                                              llminf_error *error);

/* Kind "model": the heap of the model and all its children. Called on any thread; `user` lives until all are closed. */
LLMINF_API llminf_status llminf_options_set_allocator(llminf_options *options, llminf_alloc_fn alloc, llminf_release_fn release,
                                                      void *user, llminf_error *error);

/* Kinds "model", "context" and "convert": called on the calling thread while it copies, touches or verifies the weights, packs
 * them for a backend, or writes them. NULL removes it. */
LLMINF_API llminf_status llminf_options_set_progress(llminf_options *options, llminf_progress_fn progress, void *user,
                                                     llminf_error *error);

/* Kind "context", key "draft": a smaller model of the same vocabulary, which guesses tokens for generations that ask for it by
 * "speculate" = "model". The bag and the context keep it. NULL removes it. */
LLMINF_API llminf_status llminf_options_set_model(llminf_options *options, const char *key, llminf_model *model,
                                                  llminf_error *error);

/* The keys of a kind of bag; values by key are "stats.model", "stats.context", "stats.session", "stats.cost". NULL after the
 * last. */
LLMINF_API const char *llminf_schema_key(const char *kind, size_t index);

/* One key as JSON: type, default, min, max, values, unit, since, doc. NULL when unknown. */
LLMINF_API const char *llminf_schema_entry(const char *kind, const char *key);

/* ---- model ------------------------------------------------------------------------------------------------------- */

/* A GGUF file, or the first of several (NAME-00001-of-00003.gguf). Checks all of it but the weights' values
 * (option "verify"). May block. */
LLMINF_API llminf_status llminf_model_open(llminf_model **out, const char *path, const llminf_options *options,
                                           llminf_error *error);

/* The same from memory, which stays the caller's and lives until the model and all its children are closed. */
LLMINF_API llminf_status llminf_model_open_memory(llminf_model **out, const void *bytes, size_t size,
                                                  const llminf_options *options, llminf_error *error);

/* From any source of `size` bytes; copied during the call. A failing read ends the load. */
LLMINF_API llminf_status llminf_model_open_reader(llminf_model **out, llminf_read_fn read, void *user, int64_t size,
                                                  const llminf_options *options, llminf_error *error);

/* Writes the model as a GGUF file in another encoding (kind "convert": "type", "pure", "threads"; "progress" too). The file is
 * written beside its place, synced, then renamed: after a failure `path` is as before, and it may be the file that the model
 * was opened from. A tensor that has its new type already is copied; what is encoded anew loses, so begin with a file of
 * many bits. The same bytes for any number of threads. LLMINF_E_STATE for a model opened with "vocab_only",
 * LLMINF_E_NUMERIC with the tensor's name for a weight that is not finite. May block for minutes. */
LLMINF_API llminf_status llminf_model_convert(const llminf_model *model, const char *path, const llminf_options *options,
                                              llminf_error *error);

/* Gives the handle back; its children keep the model. */
LLMINF_API void llminf_model_close(llminf_model *model);

/* Values by key. A key with a dot is metadata as it stands in the file, the others are facts (llminf_schema_key
 * "stats.model"). "key[3]" is an element, "key[]" the number of elements. Another type is LLMINF_E_INVALID, an unknown key
 * LLMINF_E_NOT_FOUND; an integer or bool that fits is read by _int. Text is borrowed from the model and ends in a NUL, but for
 * elements of arrays: these are length_out bytes in place. */
LLMINF_API llminf_status llminf_model_int(const llminf_model *model, const char *key, int64_t *value_out, llminf_error *error);
LLMINF_API llminf_status llminf_model_float(const llminf_model *model, const char *key, double *value_out, llminf_error *error);
LLMINF_API llminf_status llminf_model_text(const llminf_model *model, const char *key, const char **text_out,
                                           size_t *length_out, llminf_error *error);

/* Metadata keys of the file, in its order; NULL after the last; borrowed. */
LLMINF_API const char *llminf_model_key(const llminf_model *model, size_t index);

/* Takes the oldest line, "W text", from a ring of 256; LLMINF_AGAIN when empty. */
LLMINF_API llminf_status llminf_model_log(llminf_model *model, char *buffer, size_t capacity, size_t *length_out,
                                          llminf_error *error);

/* ---- text -------------------------------------------------------------------------------------------------------- */

/* Text to token ids. What spells a control token stays plain text unless LLMINF_TEXT_SPECIAL is set. */
LLMINF_API llminf_status llminf_text_encode(const llminf_model *model, const char *text, int64_t length, int32_t flags,
                                            llminf_token *tokens, size_t capacity, size_t *count_out, llminf_error *error);

/* Token ids to text: a whole text, whose bytes that form no character become U+FFFD. */
LLMINF_API llminf_status llminf_text_decode(const llminf_model *model, const llminf_token *tokens, size_t count, int32_t flags,
                                            char *buffer, size_t capacity, size_t *length_out, llminf_error *error);

/* The bytes of one token, borrowed; may be part of a character. */
LLMINF_API llminf_status llminf_text_token(const llminf_model *model, llminf_token token, const char **bytes_out,
                                           size_t *length_out, llminf_error *error);

/* LLMINF_TOKEN_* bits; 0 plain; -1 not in the vocabulary. */
LLMINF_API int32_t llminf_text_kind(const llminf_model *model, llminf_token token);

/* ---- chat -------------------------------------------------------------------------------------------------------- */

/* Runs the chat template. `json` is the object of its variables: "messages", "tools", "add_generation_prompt", whatever
 * the template asks for; "bos_token" and its kin are the model's unless they are given. "chat_template" replaces the
 * model's (model may be NULL then); "now", as "2026-01-15 10:20:30", is what strftime_now tells: without it there is no
 * such function. A message of a template's raise_exception and what is wrong with a template are LLMINF_E_TEMPLATE with
 * the byte of the template; LLMINF_E_FORMAT is about the JSON, LLMINF_E_NOT_FOUND a model without a template. */
LLMINF_API llminf_status llminf_chat_format(const llminf_model *model, const char *json, int64_t length, char *buffer,
                                            size_t capacity, size_t *length_out, llminf_error *error);

/* The same to token ids. Only what the template itself wrote becomes control tokens: text out of the variables stays text,
 * whatever it spells. */
LLMINF_API llminf_status llminf_chat_encode(const llminf_model *model, const char *json, int64_t length, llminf_token *tokens,
                                            size_t capacity, size_t *count_out, llminf_error *error);

/* ---- context ----------------------------------------------------------------------------------------------------- */

/* Packs the weights for the backend, once for all contexts of the model; reserves the KV pool and all scratch memory; starts
 * the threads. Steps allocate nothing. May block. */
LLMINF_API llminf_status llminf_context_open(llminf_context **out, llminf_model *model, const llminf_options *options,
                                             llminf_error *error);

/* Gives the handle back; its sessions keep the context. The last close waits for the step in progress and joins the
 * threads. */
LLMINF_API void llminf_context_close(llminf_context *context);

/* Only with the option "host_driven". Runs steps until max_ns are over, at least one. LLMINF_DONE without work. */
LLMINF_API llminf_status llminf_context_step(llminf_context *context, int64_t max_ns, llminf_error *error);

/* Only with the option "host_driven": a descriptor that is readable while there is work. The context owns it. */
LLMINF_API llminf_status llminf_context_fd(llminf_context *context, int32_t *fd_out, llminf_error *error);

/* Forgets cached blocks, oldest first, down to keep_bytes; their memory goes back to the system. */
LLMINF_API llminf_status llminf_context_trim(llminf_context *context, int64_t keep_bytes, llminf_error *error);

/* A counter ("stats.context"), or an option in force: "option.threads". */
LLMINF_API llminf_status llminf_context_int(const llminf_context *context, const char *key, int64_t *value_out,
                                            llminf_error *error);

/* A text option in force: "option.backend"; "metrics": all counters in Prometheus' text format. */
LLMINF_API llminf_status llminf_context_text(const llminf_context *context, const char *key, char *buffer, size_t capacity,
                                             size_t *length_out, llminf_error *error);

/* ---- session ----------------------------------------------------------------------------------------------------- */

/* An empty timeline; takes no KV block yet. */
LLMINF_API llminf_status llminf_session_open(llminf_session **out, llminf_context *context, const llminf_options *options,
                                             llminf_error *error);

/* Cancels what runs; full blocks stay cached for others. */
LLMINF_API void llminf_session_close(llminf_session *session);

/* Adds to the timeline; computes nothing, generate does. LLMINF_E_TOO_LONG over max_length. */
LLMINF_API llminf_status llminf_session_append(llminf_session *session, const llminf_token *tokens, size_t count,
                                               llminf_error *error);

/* Encode and append in one call. LLMINF_TEXT_BOUNDS acts on an empty timeline only. */
LLMINF_API llminf_status llminf_session_append_text(llminf_session *session, const char *text, int64_t length, int32_t flags,
                                                    llminf_error *error);

/* Keeps the first n_keep tokens. */
LLMINF_API llminf_status llminf_session_truncate(llminf_session *session, size_t n_keep, llminf_error *error);

/* Another session with the same timeline and options. All blocks are shared, and copied when one of the two writes. */
LLMINF_API llminf_status llminf_session_fork(llminf_session **out, llminf_session *session, llminf_error *error);

/* The timeline from a position on. */
LLMINF_API llminf_status llminf_session_tokens(llminf_session *session, size_t from, llminf_token *tokens, size_t capacity,
                                               size_t *count_out, llminf_error *error);

/* Queues a generation and returns; new tokens join the timeline. The sampler is copied, NULL is greedy. LLMINF_E_TOO_LONG
 * for what can never fit, LLMINF_E_FULL where the queue is full. */
LLMINF_API llminf_status llminf_session_generate(llminf_session *session, const llminf_sampler *sampler,
                                                 const llminf_options *options, llminf_error *error);

/* The next whole characters: LLMINF_OK, LLMINF_AGAIN after the timeout, LLMINF_DONE, or the error that ended the
 * generation. With the option "host_driven" it never blocks. */
LLMINF_API llminf_status llminf_session_read(llminf_session *session, char *buffer, size_t capacity, size_t *length_out,
                                             int64_t timeout_ns, llminf_error *error);

/* The same as ids, with a position of its own. */
LLMINF_API llminf_status llminf_session_read_tokens(llminf_session *session, llminf_token *tokens, size_t capacity,
                                                    size_t *count_out, int64_t timeout_ns, llminf_error *error);

/* For the end: LLMINF_DONE, LLMINF_AGAIN after the timeout, or the error that ended it. */
LLMINF_API llminf_status llminf_session_wait(llminf_session *session, int64_t timeout_ns, llminf_error *error);

/* Ends the generation within one step; text so far can be read. Lock-free: allowed in a signal handler. */
LLMINF_API void llminf_session_cancel(llminf_session *session);

/* A descriptor that is readable while read would not say LLMINF_AGAIN (at times once too often). The session owns it. */
LLMINF_API llminf_status llminf_session_fd(llminf_session *session, int32_t *fd_out, llminf_error *error);

/* Called when there is something to read. NULL removes it, and waits for a call in progress. */
LLMINF_API llminf_status llminf_session_notify(llminf_session *session, llminf_notify_fn notify, void *user,
                                               llminf_error *error);

/* n_vocab values after the token at a position of the last generation; needs the option "logits". */
LLMINF_API llminf_status llminf_session_logits(llminf_session *session, size_t position, float *logits, size_t capacity,
                                               size_t *count_out, llminf_error *error);

/* The token at a position of the last generation and its log-probability, then the best in its place; needs the options
 * "logprobs" or "prompt_logprobs". Both arrays have `capacity` elements. */
LLMINF_API llminf_status llminf_session_logprobs(llminf_session *session, size_t position, llminf_token *tokens,
                                                 float *logprobs, size_t capacity, size_t *count_out, llminf_error *error);

/* The timeline as one vector of n_embd values, in a session with the option "pooling" after a generation with "max_tokens" 0,
 * which is all that such a session does. LLMINF_E_STATE without pooling, or if tokens were appended since; LLMINF_E_NUMERIC
 * where a value is out of range. */
LLMINF_API llminf_status llminf_session_embedding(llminf_session *session, float *vector, size_t capacity, size_t *count_out,
                                                  llminf_error *error);

/* Tokens, keys and values, with the model's fingerprint and a checksum. The file appears whole or not at all: new file, fsync,
 * rename. May block. */
LLMINF_API llminf_status llminf_session_save(llminf_session *session, const char *path, llminf_error *error);

/* The same bytes into memory. */
LLMINF_API llminf_status llminf_session_save_memory(llminf_session *session, void *bytes, size_t capacity, size_t *size_out,
                                                    llminf_error *error);

/* A new session from such a file, of this or any older release; goes on with the same bits. LLMINF_E_FORMAT for damage,
 * LLMINF_E_MISMATCH for another model or kv_type. What is loaded is shared with forks only. May block. */
LLMINF_API llminf_status llminf_session_load(llminf_session **out, llminf_context *context, const char *path,
                                             const llminf_options *options, llminf_error *error);
LLMINF_API llminf_status llminf_session_load_memory(llminf_session **out, llminf_context *context, const void *bytes,
                                                    size_t size, const llminf_options *options, llminf_error *error);

/* State, stop reason, counters, times ("stats.session"). */
LLMINF_API llminf_status llminf_session_int(const llminf_session *session, const char *key, int64_t *value_out,
                                            llminf_error *error);

/* ---- sampler ----------------------------------------------------------------------------------------------------- */

/* Settings, and a state for stand-alone use; model may be NULL. */
LLMINF_API llminf_status llminf_sampler_open(llminf_sampler **out, llminf_model *model, const llminf_options *options,
                                             llminf_error *error);

/* Generations that copied it are not affected. */
LLMINF_API void llminf_sampler_close(llminf_sampler *sampler);

/* Replaces the list of values added to logits; -Inf forbids a token. */
LLMINF_API llminf_status llminf_sampler_set_bias(llminf_sampler *sampler, const llminf_token *tokens, const float *bias,
                                                 size_t count, llminf_error *error);

/* A stage of the host, before all others: it may change the logits, and non-zero ends the generation with
 * LLMINF_E_CALLBACK. NULL removes it. `user` lives until the sampler is closed and the generations that copied it are over. */
LLMINF_API llminf_status llminf_sampler_set_filter(llminf_sampler *sampler, llminf_filter_fn filter, void *user,
                                                   llminf_error *error);

/* Compiles a grammar for the model's vocabulary, kind "gbnf" or "json_schema"; tokens that cannot go on with a text of it
 * are not picked. The text begins with the first token of a generation, or at reset; accepted before does not count. It may
 * end where the grammar is whole: only there an end of generation is allowed, and where nothing more can follow the
 * generation ends with LLMINF_STOP_GRAMMAR. LLMINF_E_GRAMMAR with the position; LLMINF_E_NOT_FOUND for another kind. text
 * NULL removes it. */
LLMINF_API llminf_status llminf_sampler_set_grammar(llminf_sampler *sampler, const char *kind, const char *text, int64_t length,
                                                    llminf_error *error);

/* Stand-alone: one token from any array of logits; changes nothing. */
LLMINF_API llminf_status llminf_sampler_pick(llminf_sampler *sampler, const float *logits, size_t count,
                                             llminf_token *token_out, llminf_error *error);

/* Stand-alone: history, grammar and draw move on by this token. */
LLMINF_API llminf_status llminf_sampler_accept(llminf_sampler *sampler, llminf_token token, llminf_error *error);

/* Stand-alone: forgets what was accepted. */
LLMINF_API llminf_status llminf_sampler_reset(llminf_sampler *sampler, llminf_error *error);

/* ---- adapters ---------------------------------------------------------------------------------------------------- */

/* A low-rank adapter (LoRA) for sessions of the model: a GGUF file of the type "adapter", or a folder of PEFT; options of kind
 * "adapter". Ids begin at 1 and are never used again; a session has one for its whole life (keys "adapter", "adapter_scale").
 * LLMINF_E_MISMATCH: it belongs to another model; LLMINF_E_LIMIT: over "rank_limit"; LLMINF_E_UNSUPPORTED names what is not
 * known. Any thread. */
LLMINF_API llminf_status llminf_adapter_open(int32_t *out, llminf_model *model, const char *path, const llminf_options *options,
                                             llminf_error *error);

/* New sessions cannot name it; those that use it keep it. Any thread. */
LLMINF_API void llminf_adapter_close(llminf_model *model, int32_t adapter);

/* ---- cost -------------------------------------------------------------------------------------------------------- */

/* Bytes, operations and time before a context is opened ("stats.cost"): of this model, or of one that is given by its numbers
 * (option "shape"; model is NULL then), with the options of a context and a load of kind "cost"; both may be NULL. Nothing is
 * opened, started or measured. The bytes are what the context will have; time is arithmetic on the speeds in the options. */
LLMINF_API llminf_status llminf_cost_plan(const llminf_model *model, const llminf_options *context_options,
                                          const llminf_options *cost_options, const char *key, double *value_out,
                                          llminf_error *error);

/* What this machine computes and reads a second, for "flops_per_s" and "bytes_per_s": steps of one row and of many of the
 * context's own weights, timed on its own workers for max_ns in turn, at least one of each; sessions wait meanwhile and see
 * nothing of it. A model that fits the caches says nothing of memory. LLMINF_E_BUSY while another thread measures or,
 * host-driven, runs steps. */
LLMINF_API llminf_status llminf_cost_measure(llminf_context *context, int64_t max_ns, double *flops_out, double *bytes_out,
                                             llminf_error *error);

/* ---- backends ---------------------------------------------------------------------------------------------------- */

/* Usable here, strongest first; NULL after the last; model may be NULL. */
LLMINF_API const char *llminf_backend_at(const llminf_model *model, size_t index);

#ifdef __cplusplus
}
#endif

#endif
