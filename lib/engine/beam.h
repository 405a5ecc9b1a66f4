/* engine/beam.h - beam search: a generation that owns hidden timelines, made by fork, and follows the best of them.
 *
 * When a beam's last row is computed, its best next tokens are kept and it is parked. When all beams of a group are parked, the
 * best of all (beam, token), by (sum of log-probabilities down, beam up, id up), become the next beams: each shares its
 * parent's blocks. Beams that end leave the group. Which beam is computed in which step changes nothing, so that beams are
 * scheduled, and preempted, as any timeline. At the end the best, by sum / length ^ penalty, becomes the session's timeline. */
#ifndef LLI_ENGINE_BEAM_H
#define LLI_ENGINE_BEAM_H

#include <stdint.h>

#include "engine/stop.h"
#include "llminf/status.h"
#include "sample/logprob.h"

struct lli_engine;
struct lli_ride;
struct lli_timeline;

enum { LLI_BEAMS_MAX = 64 };

struct lli_candidate_beam {
    double score;
    uint32_t parent; /* slot */
    int32_t token;
};

struct lli_beam_slot {
    struct lli_timeline *timeline; /* hidden; owned. Of the last slot: the session's own */
    struct lli_logprob *best;      /* [1 + n_best] of its last row */
    double score;                  /* sum of the log-probabilities of its new tokens */
    struct lli_verdict verdict;    /* of its last token */
    int is_live;
};

struct lli_group {
    struct lli_timeline *root;
    uint32_t n_beams, n_slots, n_best; /* slots: two generations of beams, and the root */
    double length_penalty;
    struct lli_beam_slot *slots;
    struct lli_candidate_beam *chosen; /* [n_beams] */

    /* the engine's lock */
    uint32_t n_live, n_parked, n_ended;
    uint32_t n_in_flight;      /* hidden timelines of the plan in flight */
    int32_t status;            /* 0, or the error that ends the generation when none is in flight */
    struct llminf_error error; /* valid if status is one */
};

/* What is asked for: of a timeline of n_prompt tokens that may grow to n_max, with so many stop texts. */
struct lli_beam_frame {
    uint32_t n_beams, n_prompt, n_max;
    double length_penalty;
    size_t n_stops;
};

/* MEMORY. */
int32_t lli_beam_new(struct lli_group **out, struct lli_timeline *root, const struct lli_beam_frame *frame,
                     struct llminf_error *err);
void lli_beam_free(struct lli_group *group); /* dissolved; NULL does nothing */

/* SAMPLE: keeps the best tokens behind the last row. */
void lli_beam_sample(struct lli_timeline *t, const float *logits, uint32_t n_vocab);

/* COMMIT: a ride of the group is over, its rows kept or rolled back. */
void lli_beam_commit(struct lli_engine *engine, struct lli_timeline *t, const struct lli_ride *ride);

/* The hidden timelines give everything up. None is in flight. */
void lli_beam_dissolve(struct lli_engine *engine, struct lli_group *group);

#endif
