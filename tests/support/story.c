#include "support/story.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "llminf/status.h"

void engine_open(struct null_engine *e)
{
    struct llminf_error err;
    if (null_engine_open(e, &err) != LLMINF_OK)
        fail_msg("%s", err.text);
}

void engine_start(struct null_engine *e, uint32_t n_blocks)
{
    null_engine_init(e, n_blocks);
    engine_open(e);
}

void engine_close(struct null_engine *e)
{
    const char *wrong = null_engine_close(e);
    if (wrong)
        fail_msg("%s", wrong);
}

struct lli_timeline *engine_timeline(struct null_engine *e)
{
    struct lli_timeline *t;
    assert_int_equal(lli_timeline_open(&t, e->engine, NULL, NULL), LLMINF_OK);
    return t;
}

void story_append(struct lli_timeline *t, struct null_story *story, uint32_t n, uint64_t seed)
{
    null_engine_words(story->tokens + story->n, n, seed);
    assert_int_equal(lli_timeline_append(t, story->tokens + story->n, n, NULL), LLMINF_OK);
    story->n += n;
}

void story_generate(struct lli_timeline *t, const struct lli_request_params *params)
{
    struct llminf_error err;
    if (lli_timeline_generate(t, params, &err) != LLMINF_OK)
        fail_msg("%s", err.text);
}

/* Reads what was generated and compares it with the story. */
void story_expect(struct lli_timeline *t, struct null_story *story, const struct lli_request_params *params)
{
    static char text[8 * NULL_STORY];
    size_t len;
    int32_t status = null_engine_tell(story, params, (uint32_t)t->max_length);
    assert_int_equal(null_engine_read(t, 64, text, sizeof text, &len), status < 0 ? status : LLMINF_DONE);
    const char *wrong = null_engine_compare(t, story, text, len);
    if (wrong)
        fail_msg("%s: told '%s', want '%s'", wrong, text, story->text);
}

void story_tell(struct lli_timeline *t, struct null_story *story, const struct lli_request_params *params)
{
    story_generate(t, params);
    story_expect(t, story, params);
}

struct lli_engine_stats engine_stats(struct null_engine *e)
{
    struct lli_engine_stats stats;
    lli_engine_stats(e->engine, &stats);
    return stats;
}
