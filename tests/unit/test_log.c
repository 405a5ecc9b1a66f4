/* The ring of lines, alone and with many writers; the clock that waits. */
#include "base/clock.h"
#include "base/log.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/utf8.h"

static struct lli_log ring;

static int open_log(void **state)
{
    (void)state;
    return lli_log_init(&ring, LLI_LOG_INFO);
}

static int close_log(void **state)
{
    (void)state;
    lli_log_finish(&ring);
    lli_log_finish(&ring); /* twice is fine */
    return 0;
}

static void lines_come_in_order(void **state)
{
    (void)state;
    char line[256];
    assert_true(lli_log_take(&ring, line, sizeof line) == -1);
    lli_log_write(&ring, LLI_LOG_ERROR, "broken %d", 1);
    lli_log_write(&ring, LLI_LOG_WARNING, "odd %s", "x\ny");
    lli_log_write(&ring, LLI_LOG_INFO, "note");
    lli_log_write(&ring, LLI_LOG_DEBUG, "not at this level");
    lli_log_write(&ring, LLI_LOG_OFF, "not a level");
    lli_log_write(&ring, 9, "not a level");
    assert_true(lli_log_take(&ring, line, sizeof line) == 10);
    assert_string_equal(line, "E broken 1");
    lli_log_take(&ring, line, sizeof line);
    assert_string_equal(line, "W odd x\\ny");
    lli_log_take(&ring, line, sizeof line);
    assert_string_equal(line, "I note");
    assert_true(lli_log_take(&ring, line, sizeof line) == -1);
}

static void a_line_that_does_not_fit_stays(void **state)
{
    (void)state;
    char line[8] = "?";
    lli_log_write(&ring, LLI_LOG_INFO, "12345");
    assert_true(lli_log_take(&ring, NULL, 0) == 7);
    assert_true(lli_log_take(&ring, line, 7) == 7);
    assert_string_equal(line, "?");
    assert_true(lli_log_take(&ring, line, 8) == 7);
    assert_string_equal(line, "I 12345");
}

static void the_oldest_gives_way(void **state)
{
    (void)state;
    char line[256], want[32];
    for (unsigned i = 0; i < 3 * LLI_LOG_LINES / 2; i++)
        lli_log_write(&ring, LLI_LOG_INFO, "%u", i);
    for (unsigned i = LLI_LOG_LINES / 2; i < 3 * LLI_LOG_LINES / 2; i++) {
        assert_true(lli_log_take(&ring, line, sizeof line) > 0);
        snprintf(want, sizeof want, "I %u", i);
        assert_string_equal(line, want);
    }
    assert_true(lli_log_take(&ring, line, sizeof line) == -1);
}

static void long_lines_are_cut_whole(void **state)
{
    (void)state;
    char text[600], line[256];
    for (size_t shift = 0; shift < 8; shift++) {
        memset(text, 'x', shift);
        for (size_t at = shift; at + 4 < sizeof text; at += 4)
            memcpy(text + at, "\xf0\x9f\x98\x80", 5);
        lli_log_write(&ring, LLI_LOG_INFO, "%s", text);
        int64_t n = lli_log_take(&ring, line, sizeof line);
        assert_in_range(n, 236, 239);
        assert_int_equal(lli_utf8_valid(line, (size_t)n), (size_t)n);
        assert_memory_equal(line + 2, text, (size_t)n - 2);
    }
}

static void *write_many(void *arg)
{
    for (int i = 0; i < 500; i++)
        lli_log_write(&ring, LLI_LOG_INFO, "%c%d", *(const char *)arg, i);
    return NULL;
}

/* Each writer's lines stay whole and in their order, however many of them were dropped. */
static void many_writers(void **state)
{
    (void)state;
    char names[4] = {'a', 'b', 'c', 'd'}, line[256];
    pthread_t threads[4];
    int last[4] = {-1, -1, -1, -1}, n_taken = 0;
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, write_many, &names[i]), 0);
    for (int n_joined = 0;;) {
        if (lli_log_take(&ring, line, sizeof line) > 0) {
            int who = line[2] - 'a', number = atoi(line + 3);
            assert_in_range(who, 0, 3);
            assert_true(number > last[who] && number < 500);
            last[who] = number;
            n_taken++;
            continue;
        }
        if (n_joined == 4)
            break;
        pthread_join(threads[n_joined++], NULL);
    }
    assert_in_range(n_taken, LLI_LOG_LINES, 2000);
}

static void clock_waits(void **state)
{
    (void)state;
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_cond_t cond;
    assert_int_equal(lli_clock_cond_init(&cond), 0);
    pthread_mutex_lock(&lock);
    int64_t start = lli_clock_ns(), deadline = start + 20000000;
    int result;
    while ((result = lli_clock_cond_wait(&cond, &lock, deadline)) == 0) {
    }
    assert_int_equal(result, ETIMEDOUT);
    assert_true(lli_clock_ns() >= deadline);
    assert_int_equal(lli_clock_cond_wait(&cond, &lock, start), ETIMEDOUT); /* long past */
    assert_int_equal(lli_clock_cond_wait(&cond, &lock, INT64_MIN), ETIMEDOUT);
    pthread_mutex_unlock(&lock);
    pthread_cond_destroy(&cond);
}

struct signal_box {
    pthread_mutex_t lock;
    pthread_cond_t cond;
    int sent;
};

static void *send_signal(void *arg)
{
    struct signal_box *box = arg;
    pthread_mutex_lock(&box->lock);
    box->sent = 1;
    pthread_cond_signal(&box->cond);
    pthread_mutex_unlock(&box->lock);
    return NULL;
}

static void clock_waits_for_ever(void **state)
{
    (void)state;
    struct signal_box box = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t thread;
    assert_int_equal(lli_clock_cond_init(&box.cond), 0);
    pthread_mutex_lock(&box.lock);
    assert_int_equal(pthread_create(&thread, NULL, send_signal, &box), 0);
    while (!box.sent)
        assert_int_equal(lli_clock_cond_wait(&box.cond, &box.lock, INT64_MAX), 0);
    pthread_mutex_unlock(&box.lock);
    pthread_join(thread, NULL);
    pthread_cond_destroy(&box.cond);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_come_in_order, open_log, close_log),
        cmocka_unit_test_setup_teardown(a_line_that_does_not_fit_stays, open_log, close_log),
        cmocka_unit_test_setup_teardown(the_oldest_gives_way, open_log, close_log),
        cmocka_unit_test_setup_teardown(long_lines_are_cut_whole, open_log, close_log),
        cmocka_unit_test_setup_teardown(many_writers, open_log, close_log),
        cmocka_unit_test(clock_waits),
        cmocka_unit_test(clock_waits_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
