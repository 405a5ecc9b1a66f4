/* base/log.c - lines[first], lines[first + 1], ... (round the end) are the n lines, oldest first. All under the lock. */
#include "base/log.h"

#include <stdarg.h>
#include <string.h>

#include "base/format.h"
#include "base/utf8.h"
#include "llminf/status.h"

#define LINE_BYTES sizeof(((struct lli_log *)0)->lines[0])

int32_t lli_log_init(struct lli_log *log, int level)
{
    memset(log, 0, sizeof *log);
    log->level = level;
    if (pthread_mutex_init(&log->lock, NULL))
        return LLMINF_E_IO;
    log->ready = 1;
    return LLMINF_OK;
}

void lli_log_finish(struct lli_log *log)
{
    if (log->ready)
        pthread_mutex_destroy(&log->lock);
    log->ready = 0;
}

/* The line that the next text goes to; the oldest gives way if all are taken. */
static char *next_line(struct lli_log *log)
{
    if (log->n == LLI_LOG_LINES) {
        log->first = (log->first + 1) % LLI_LOG_LINES;
        log->n--;
    }
    return log->lines[(log->first + log->n++) % LLI_LOG_LINES];
}

void lli_log_write(struct lli_log *log, int level, const char *format, ...)
{
    if (level <= LLI_LOG_OFF || level > LLI_LOG_DEBUG || level > log->level)
        return;
    char raw[LINE_BYTES + 4]; /* escaping never shortens: a cut character at the end lies beyond the line */
    va_list args;
    va_start(args, format);
    size_t len = lli_format_list(raw, sizeof raw, format, args);
    va_end(args);
    if (len >= sizeof raw)
        len = sizeof raw - 1;

    pthread_mutex_lock(&log->lock);
    char *line = next_line(log);
    line[0] = "-EWID"[level];
    line[1] = ' ';
    lli_utf8_escape(line + 2, LINE_BYTES - 2, raw, len);
    pthread_mutex_unlock(&log->lock);
}

int64_t lli_log_take(struct lli_log *log, char *out, size_t cap)
{
    int64_t len = -1;
    pthread_mutex_lock(&log->lock);
    if (log->n > 0) {
        const char *line = log->lines[log->first];
        size_t bytes = strlen(line);
        len = (int64_t)bytes;
        if (bytes < cap) {
            memcpy(out, line, bytes + 1);
            log->first = (log->first + 1) % LLI_LOG_LINES;
            log->n--;
        }
    }
    pthread_mutex_unlock(&log->lock);
    return len;
}
