/* tests/support/one_text.h - for programs that have one vocabulary open at a time: `t`. */
#ifndef TEST_ONE_TEXT_H
#define TEST_ONE_TEXT_H

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "support/support.h"
#include "text/encode.h"
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

static inline void open_spm(void)
{
    struct test_vocab v;
    test_vocab_spm(&v);
    open_made(&v);
}

static inline void open_bpe(const char *pre)
{
    struct test_vocab v;
    test_vocab_bpe(&v, pre);
    open_made(&v);
}

/* A text of 256 KiB, the unit again and again: 10^11 steps, of a way that is quadratic, take longer than is allowed here.
 * Bytes of ids. */
static inline size_t encode_long(const char *unit)
{
    enum { BYTES = 1 << 18 };
    struct lli_buffer ids;
    char *text = malloc(BYTES);
    size_t n = 0, len = strlen(unit);
    assert_non_null(text);
    for (; n + len <= BYTES; n += len)
        memcpy(text + n, unit, len);
    lli_buffer_init(&ids, &t.heap);
    int64_t start = lli_clock_ns();
    assert_int_equal(lli_encode(&ids, &t.vocab, text, n, 0, &t.error), 0);
    assert_true(lli_clock_ns() - start < (int64_t)10 * 1000000000);
    n = ids.len;
    lli_buffer_finish(&ids);
    free(text);
    return n;
}

#endif
