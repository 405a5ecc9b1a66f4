/* support/flight.h - many sessions in an engine that the test drives step by step, each held against its story. Everything
 * here asserts. */
#ifndef LLMINF_TESTS_FLIGHT_H
#define LLMINF_TESTS_FLIGHT_H

#include <stdint.h>

#include "story.h"

enum { FLIGHT_MAX = 48, FLIGHT_RUNNING = 64 };

struct flight {
    struct null_engine e;
    uint32_t n;
    int has_adapters; /* session i of flight_put has adapter i % 3, with the scale i */
    struct lli_timeline *t[FLIGHT_MAX];
    struct null_story stories[FLIGHT_MAX]; /* as they were when the generation was asked for */
    struct lli_request_params params[FLIGHT_MAX];
};

/* The engine is opened by the caller, between these two: options can be changed. */
void flight_init(struct flight *f, uint32_t n_blocks);
void flight_close(struct flight *f);

/* A new session with n tokens of the row `seed`, of which the first n_shared are those of row 0; asks for max_tokens more,
 * which no end of generation cuts short. */
uint32_t flight_add(struct flight *f, uint32_t n, uint32_t n_shared, uint64_t seed, int64_t max_tokens);

/* The same without asking, and to ask, or to ask again, as params[i] says. */
uint32_t flight_put(struct flight *f, uint32_t n, uint32_t n_shared, uint64_t seed, int64_t max_tokens);
void flight_ask(struct flight *f, uint32_t i);

/* One step, its plan held against what was before, then all that must hold between two. 0: there was nothing to do. */
int flight_step(struct flight *f);

/* Steps until nothing is left to do; how many. Every session is then held against its story. */
uint32_t flight_run(struct flight *f);
void flight_expect(struct flight *f, uint32_t i);

/* I1 to I6 of the engine's design, over all sessions; and oracles 30 and 59. */
void flight_check(struct flight *f);

#endif
