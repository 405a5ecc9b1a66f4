/* api/handles.h - what stands behind the opaque handles, and how long it lives. */
#ifndef LLI_API_HANDLES_H
#define LLI_API_HANDLES_H

#include <stdatomic.h>
#include <stdint.h>

#include "llminf/llminf.h"

#include "api/adapter.h"
#include "api/bans.h"
#include "api/breaks.h"
#include "api/check.h"
#include "api/options.h"
#include "base/alloc.h"
#include "base/log.h"
#include "engine/engine.h"
#include "engine/timeline.h"
#include "file/gguf.h"
#include "file/files.h"
#include "grammar/matcher.h"
#include "model/config.h"
#include "model/packings.h"
#include "model/weights.h"
#include "sample/chain.h"
#include "text/vocab.h"

struct llminf_model {
    struct lli_handle handle;
    struct lli_heap heap;   /* of the model and all its children; the model itself lies in it */
    struct lli_files files; /* the bytes of its files */
    struct lli_gguf gguf;
    struct lli_vocab vocab;
    struct lli_trie *_Atomic trie; /* of the vocabulary; made for the first grammar */
    int has_network;               /* 0: opened for text alone; config and weights are zero */
    struct lli_config config;
    struct lli_weights weights; /* the file's */
    struct lli_packings packings;
    struct lli_adapters adapters;
    uint64_t fingerprint;
    char fingerprint_text[17];             /* hexadecimal */
    const char **shapes;                   /* [n_tensors] "64,512", in the file's arena */
    struct lli_text chat_template;         /* by option; bytes NULL: the file's. Owned, ends in a NUL */
    struct lli_template *_Atomic compiled; /* of it or of the file's; made by the first who needs it */
    int64_t template_limit_steps, template_limit_bytes;
    struct lli_log log;
    int has_log;
};

struct llminf_context {
    struct lli_handle handle;
    struct llminf_model *model;
    struct llminf_model *draft; /* a second one, which guesses; NULL: none */
    struct lli_engine *engine;
    struct lli_values values; /* options in force */
};

struct llminf_session {
    struct lli_handle handle;
    struct llminf_context *context;
    struct lli_timeline *timeline;
};

struct llminf_sampler {
    struct lli_handle handle;
    struct llminf_model *model; /* NULL: none */
    struct lli_heap own;        /* used without a model */
    struct lli_heap *heap;
    struct lli_sampler_params params;
    struct lli_bias *bias;
    size_t n_bias;
    struct lli_bans bans;
    struct lli_break_set breaks;
    lli_chain_filter *filter; /* NULL: none */
    void *user;
    struct lli_matcher matcher; /* zeroed: no grammar */
    struct lli_chain chain;     /* sized at the first pick */
    struct lli_buffer history;  /* int32_t each: tokens that were accepted */
    double mu, next_mu;         /* mirostat's limit behind them; and behind the token picked last, if that is accepted next */
    int32_t picked;             /* it, or -1 */
};

/* A session around the timeline that `make` makes. */
typedef llminf_status lli_session_make(struct lli_timeline **out, struct llminf_context *context,
                                       const struct lli_timeline_options *options, const void *arg, llminf_error *error);
llminf_status lli_session_new(llminf_session **out, llminf_context *context, const llminf_options *options,
                              lli_session_make *make, const void *arg, llminf_error *error);

void lli_handles_model_ref(struct llminf_model *model);
void lli_handles_model_unref(struct llminf_model *model);
void lli_handles_context_unref(struct llminf_context *context);

#endif
