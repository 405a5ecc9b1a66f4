/* base/clock.h - monotonic time. */
#ifndef LLI_BASE_CLOCK_H
#define LLI_BASE_CLOCK_H

#include <pthread.h>
#include <stdint.h>

int64_t lli_clock_ns(void);

/* A condition variable on the monotonic clock. 0 or an errno. */
int lli_clock_cond_init(pthread_cond_t *cond);

/* Waits until signalled or until the clock shows deadline_ns (INT64_MAX: for ever). 0, or ETIMEDOUT. */
int lli_clock_cond_wait(pthread_cond_t *cond, pthread_mutex_t *lock, int64_t deadline_ns);

#endif
