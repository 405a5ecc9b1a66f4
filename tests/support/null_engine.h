/* null_engine.h - an engine over the null forward and a tiny vocabulary, and the oracle: what a session alone would tell.
 *
 * Nothing here asserts. */
#ifndef LLMINF_TESTS_NULL_ENGINE_H
#define LLMINF_TESTS_NULL_ENGINE_H

#include <stddef.h>
#include <stdint.h>

#include "engine/engine.h"
#include "engine/timeline.h"
#include "model/adapter.h"
#include "null_forward.h"
#include "support.h"

enum {
    NULL_VOCAB = 64,
    NULL_TRAIN = 256,
    NULL_BOS = 1,
    NULL_EOG = 2,
    NULL_EURO = 14,  /* this and the two behind it are the bytes of U+20AC */
    NULL_EMPTY = 20, /* decodes to nothing */
    NULL_EOT = 26,   /* the second end of generation */
    NULL_STORY = 512 /* tokens of a story at most */
};

struct null_engine {
    struct support_heap host;
    struct lli_heap heap;
    struct lli_config config, draft; /* draft: used if options.draft_config points to it */
    struct lli_engine_options options;
    struct lli_engine *engine;
};

/* Options for a pool of n_blocks of 16 positions (the null block counted), one thread, 16 rows a step; the caller may change
 * them. Another pool: as many blocks as they are in this build. */
void null_engine_init(struct null_engine *e, uint32_t n_blocks);
void null_engine_pool(struct null_engine *e, uint32_t n_blocks);

/* Gives a model layers that see all, and layers that see a window of at least 2 positions. */
void null_engine_window(struct lli_config *config, uint32_t n_global, uint32_t n_local, uint32_t window);

/* Gives it a draft model that is wrong in so many of 100 rows, with a pool of n_blocks as they are in this build beside the
 * other's. */
void null_engine_draft(struct null_engine *e, uint32_t n_blocks, uint32_t wrong);

int32_t null_engine_open(struct null_engine *e, struct llminf_error *err);

/* NULL, or what was wrong: a complaint of the forward, blocks or bytes that did not come back. */
const char *null_engine_close(struct null_engine *e);

/* Greedy, no limit. */
struct lli_request_params null_engine_params(void);

/* What a session has and has said. */
struct null_story {
    int32_t tokens[NULL_STORY];
    uint32_t n, n_said;
    int32_t adapter; /* 0: none */
    double adapter_scale;
    char text[8 * NULL_STORY]; /* of the last generation, NUL-terminated */
    size_t text_len;
    int reason, index;
};

/* Adapter 1 or 2, which has no tensors; 0: NULL. Both live for ever. */
struct lli_adapter *null_engine_adapter(int32_t id);

/* Goes on with the story as one generation alone would. 0, or NUMERIC from the pick. */
int32_t null_engine_tell(struct null_story *story, const struct lli_request_params *params, uint32_t max_length);

/* Ordinary tokens, a different row for each seed. */
void null_engine_words(int32_t *out, uint32_t n, uint64_t seed);

/* Compares the timeline, idle after a generation whose text was read, with the story; NULL or what differs. */
const char *null_engine_compare(struct lli_timeline *t, const struct null_story *story, const char *text, size_t text_len);

/* Reads text until it is over, cap bytes at a time. The last status; *len_out without the NUL. */
int32_t null_engine_read(struct lli_timeline *t, size_t cap, char *out, size_t room, size_t *len_out);

#endif
