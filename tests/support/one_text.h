/* tests/support/one_text.h - for programs that have one vocabulary open at a time: `t`. */
#ifndef TEST_ONE_TEXT_H
#define TEST_ONE_TEXT_H

#include <string.h>

#include "support/support.h"
#include "vocab_make.h"

static struct test_text t;

static inline void assert_opened(int32_t status)
{
    if (status)
        print_message("%s\n", t.error.text);
    assert_int_equal(status, 0);
}

static inline void open_made(struct test_vocab *v)
{
    assert_opened(test_text_open(&t, v));
}

static inline void close_text(void)
{
    assert_int_equal(test_text_close(&t), 0);
}

static inline const char *tokens_of(const char *text, int flags)
{
    return test_text_tokens(&t, text, strlen(text), flags);
}

/* What the ids of a text decode to. */
static inline const char *back_of(const char *text, int flags)
{
    return test_text_back(&t, text, strlen(text), flags);
}

#endif
