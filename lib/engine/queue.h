/* engine/queue.h - what one generation was asked for, and the orders in which timelines stand.
 *
 * A request is made on the host's thread with everything copied and reserved, so that the steps which serve it allocate
 * nothing. It stays with its timeline until the next one, for its logits and its times. */
#ifndef LLI_ENGINE_QUEUE_H
#define LLI_ENGINE_QUEUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "engine/stop.h"
#include "file/gguf.h"
#include "grammar/matcher.h"
#include "sample/ban.h"
#include "sample/chain.h"
#include "sample/logprob.h"

struct llminf_error;
struct lli_timeline;

enum lli_logits_mode { LLI_LOGITS_OFF, LLI_LOGITS_LAST, LLI_LOGITS_ALL };

/* What a generation is asked to do. Everything behind the pointers is copied. */
struct lli_request_params {
    struct lli_sampler_params sampler;
    const struct lli_bias *bias; /* sorted or not; later entries for the same token win */
    size_t n_bias;
    const struct lli_ban *bans; /* runs of tokens that may not come */
    size_t n_bans;
    const struct lli_breaks *breaks; /* what ends a sequence for dry; NULL: nothing */
    struct lli_grammar *grammar;     /* NULL: none; a reference is taken, of the engine's vocabulary */
    lli_chain_filter *filter;        /* NULL: none; called on the thread that runs the steps */
    void *user;
    int64_t max_tokens;           /* -1: up to max_length; 0: compute the prompt only */
    int64_t min_tokens;           /* no end of generation, stop text or stop token before this many, the ending one counted */
    const struct lli_text *stops; /* texts that end the output and are not part of it */
    size_t n_stops;
    const int32_t *stop_tokens; /* these end the output; as an end of generation they join the timeline, but not the text */
    size_t n_stop_tokens;
    int ignore_eog, special, echo;
    int logits;                    /* enum lli_logits_mode */
    int logprobs, prompt_logprobs; /* best kept beside the token's own; -1: none */
    int64_t deadline_ns;           /* from now; 0: none */
    int priority;                  /* higher goes first */
    uint32_t read_ahead;           /* pause when so many tokens are unread; 0: never */
    uint32_t beams;                /* 0 and 1: none; else bias, bans, filter and logprobs are not asked for */
    double length_penalty;
    uint32_t draft_limit; /* tokens guessed and verified in one step; 0: none */
    int is_drafted;       /* the engine's draft model guesses, if it has one; else lookup does */
};

/* Logits kept: those after positions first .. first + n - 1. */
struct lli_kept {
    float *rows; /* [cap, n_vocab] */
    uint32_t first, n, cap;
    int mode; /* enum lli_logits_mode */
};

/* Log-probabilities kept: of the tokens at positions first .. first + n - 1. */
struct lli_scored {
    struct lli_logprob *rows; /* [cap, 1 + n_best]: the token's own, then the best */
    uint32_t first, n, cap, n_best;
    int of_prompt, of_new; /* what is kept */
};

struct lli_request {
    struct lli_heap *heap;
    struct lli_arena arena; /* of bias, bans and stop */
    struct lli_sampler_params sampler;
    struct lli_bias *bias;
    size_t n_bias;
    struct lli_ban *bans;
    size_t n_bans;
    struct lli_breaks *breaks;  /* NULL: none */
    struct lli_matcher matcher; /* zeroed without a grammar, and when the generation is over */
    lli_chain_filter *filter;
    void *user;
    struct lli_stop stop;
    struct lli_kept kept;
    struct lli_scored scored;
    uint32_t n_prompt;  /* tokens of the timeline before it */
    uint32_t n_max;     /* hard length of the timeline */
    uint32_t footprint; /* blocks of all groups that it can come to hold */
    uint32_t n_made;    /* tokens committed */
    double mu;          /* mirostat's limit behind them */
    uint32_t read_ahead;

    /* its place among others */
    int priority;
    uint64_t arrival;     /* number of its generate; kept across preemption */
    int64_t rank;         /* priority and waiting in one number that time does not change: higher goes first */
    int64_t deadline_ns;  /* on the clock; 0: none */
    uint32_t n_overtaken; /* later ones that were admitted while it was blocked at the head */
    uint32_t n_follow;    /* steps that it waited in vain for a block that another computes */
    uint32_t n_followed;  /* tokens that it could have shared then */
    uint64_t tried_step;  /* the plan that last found no room for it, 0: none; and what there was then: */
    uint64_t tried_ended; /* generations ended or paused */
    uint32_t tried_room;  /* blocks available */

    /* what became of it */
    uint32_t n_cached, n_preempted, n_drafted, n_accepted;       /* n_cached: prompt tokens that were found */
    int64_t asked_ns, queue_ns, first_ns, prefill_ns, decode_ns; /* asked: on the clock; -1: not yet */
    int64_t last_ns;                                             /* when the last token came, on the clock */
};

/* A timeline as it is when a generation is asked for. */
struct lli_request_frame {
    uint32_t n_prompt, n_max; /* tokens now, and at most */
    uint32_t first, n_said;   /* logits are kept from here on; log-probabilities of the prompt from here on */
    uint32_t n_vocab;
};

/* OPTION, MEMORY, LIMIT. */
int32_t lli_request_init(struct lli_request *request, struct lli_heap *heap, const struct lli_request_params *params,
                         const struct lli_request_frame *frame, struct llminf_error *err);
size_t lli_request_bytes(void);                       /* that one takes which asks for nothing but tokens */
void lli_request_finish(struct lli_request *request); /* accepts a zeroed or half-built struct */

/* Logits are wanted after a position of a timeline of n_tokens: where a token or the host asks for them. */
int lli_request_wants(const struct lli_request *request, uint32_t pos, uint32_t n_tokens);

/* The first position whose logits the host asks for and did not get yet, so that rows from there on must be computed even
 * where their keys and values are cached; UINT32_MAX: none. */
uint32_t lli_request_from(const struct lli_request *request);

/* Keeps the logits after a position, if the mode and the room say so. */
void lli_request_keep(struct lli_request *request, uint32_t pos, const float *logits, uint32_t n_vocab);

/* Keeps the log-probability of the token at pos, given the logits before it. */
void lli_request_score(struct lli_request *request, uint32_t pos, int32_t token, const float *logits, uint32_t n_vocab);

/* Forgets what was kept behind n tokens. */
void lli_request_cut(struct lli_request *request, uint32_t n);

/* A list of timelines, linked through one of their links. */
enum lli_link_kind { LLI_LINK_REQUEST, LLI_LINK_SOFT, LLI_LINK_DEADLINE, LLI_LINK_NEWS, LLI_LINK_ALL, LLI_N_LINKS };

struct lli_link {
    struct lli_timeline *prev, *next;
};

struct lli_queue {
    struct lli_timeline *first, *last;
    uint32_t n;
    int kind; /* enum lli_link_kind */
};

void lli_queue_append(struct lli_queue *queue, struct lli_timeline *t);
void lli_queue_insert(struct lli_queue *queue, struct lli_timeline *t, struct lli_timeline *after); /* NULL: first */
void lli_queue_remove(struct lli_queue *queue, struct lli_timeline *t);

#endif
