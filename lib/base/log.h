/* base/log.h - a ring of lines that the host may pull; the oldest line gives way. Thread-safe, allocates nothing. */
#ifndef LLI_BASE_LOG_H
#define LLI_BASE_LOG_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/limits.h"

enum { LLI_LOG_OFF = 0, LLI_LOG_ERROR = 1, LLI_LOG_WARNING = 2, LLI_LOG_INFO = 3, LLI_LOG_DEBUG = 4 };

struct lli_log {
    pthread_mutex_t lock;
    int level; /* what is above is not written */
    int ready; /* the lock is initialised */
    uint32_t first, n;
    char lines[LLI_LOG_LINES][240]; /* "W text", NUL-terminated UTF-8, control characters escaped */
};

int32_t lli_log_init(struct lli_log *log, int level); /* 0, or LLMINF_E_IO */
void lli_log_finish(struct lli_log *log);             /* accepts a zeroed log */

void lli_log_write(struct lli_log *log, int level, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* Length of the oldest line; copied and dropped from the ring if it fits cap with its NUL. -1: empty. */
int64_t lli_log_take(struct lli_log *log, char *out, size_t cap);

#endif
