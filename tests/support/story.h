/* support/story.h - sessions over the null engine, whose answers are held against their stories. Everything here asserts. */
#ifndef LLMINF_TESTS_STORY_H
#define LLMINF_TESTS_STORY_H

#include <stdint.h>

#include "null_engine.h"

void engine_open(struct null_engine *e); /* after null_engine_init */
void engine_start(struct null_engine *e, uint32_t n_blocks);
void engine_close(struct null_engine *e); /* with nothing wrong, and nothing left */
struct lli_engine_stats engine_stats(struct null_engine *e);
struct lli_timeline *engine_timeline(struct null_engine *e);

/* n tokens of the row `seed`, to both. */
void story_append(struct lli_timeline *t, struct null_story *story, uint32_t n, uint64_t seed);
void story_generate(struct lli_timeline *t, const struct lli_request_params *params);

/* Reads what was generated and compares it with the story. */
void story_expect(struct lli_timeline *t, struct null_story *story, const struct lli_request_params *params);

/* Generates and reads. */
void story_tell(struct lli_timeline *t, struct null_story *story, const struct lli_request_params *params);

#endif
