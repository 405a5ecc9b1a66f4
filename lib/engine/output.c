/* engine/output.c - Invariant: n_text <= n_readable, equal while a generation runs; neither falls but by a cut. A token
 * below n_readable is never written again while a generation runs, so it is read without the lock. */
#include "engine/output.h"

#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/utf8.h"

/* One consistent look at the shared part. */
struct view {
    int32_t status;
    uint32_t n_readable, n_text;
    uint64_t text_end;
};

int32_t lli_output_init(struct lli_output *output, struct llminf_error *err)
{
    int failed = pthread_mutex_init(&output->lock, NULL);
    if (failed)
        return lli_fail_os(err, failed, "session", "lock");
    failed = lli_clock_cond_init(&output->ready);
    if (failed)
        goto no_ready;
    failed = pthread_cond_init(&output->left, NULL);
    if (failed)
        goto no_left;
    output->has_lock = 1;
    output->event_fd = -1;
    output->status = LLMINF_E_STATE;
    lli_fail(&output->error, LLMINF_E_STATE, "session", "nothing was generated yet");
    return LLMINF_OK;
no_left:
    pthread_cond_destroy(&output->ready);
no_ready:
    pthread_mutex_destroy(&output->lock);
    return lli_fail_os(err, failed, "session", "condition");
}

void lli_output_finish(struct lli_output *output)
{
    if (!output->has_lock)
        return;
    if (output->event_fd >= 0)
        close(output->event_fd);
    pthread_cond_destroy(&output->left);
    pthread_cond_destroy(&output->ready);
    pthread_mutex_destroy(&output->lock);
    output->has_lock = 0;
}

/* The counter of an eventfd is 1 or 0; neither write nor read of it can fail or block then. */
static void set_event(struct lli_output *output, int set)
{
    uint64_t one = 1;
    if (output->event_fd < 0 || output->is_set == set)
        return;
    output->is_set = set;
    ssize_t n = set ? write(output->event_fd, &one, sizeof one) : read(output->event_fd, &one, sizeof one);
    (void)n;
}

static int is_silent(const struct lli_output *output)
{
    return output->status == LLMINF_AGAIN && output->n_readable <= output->n_read;
}

/* Makes no system call where nobody waits. */
static void wake(struct lli_output *output)
{
    if (output->n_waiters > 0)
        pthread_cond_broadcast(&output->ready);
    set_event(output, !is_silent(output));
}

void lli_output_start(struct lli_output *output, uint32_t n_readable, uint32_t n_read)
{
    pthread_mutex_lock(&output->lock);
    output->status = LLMINF_AGAIN;
    output->n_readable = output->n_text = n_readable;
    output->n_read = n_read;
    output->text_end = UINT64_MAX;
    set_event(output, !is_silent(output));
    pthread_mutex_unlock(&output->lock);
}

void lli_output_release(struct lli_output *output, uint32_t n_readable)
{
    pthread_mutex_lock(&output->lock);
    if (n_readable > output->n_readable) {
        output->n_readable = output->n_text = n_readable;
        wake(output);
    }
    pthread_mutex_unlock(&output->lock);
}

void lli_output_end(struct lli_output *output, const struct lli_verdict *verdict, int32_t status,
                    const struct llminf_error *error)
{
    pthread_mutex_lock(&output->lock);
    output->n_readable = verdict->n_readable;
    output->n_text = verdict->n_text;
    output->text_end = verdict->text_end;
    output->status = status;
    if (status < 0)
        output->error = *error;
    wake(output);
    pthread_mutex_unlock(&output->lock);
}

uint32_t lli_output_readable(struct lli_output *output)
{
    pthread_mutex_lock(&output->lock);
    uint32_t n = output->n_readable;
    pthread_mutex_unlock(&output->lock);
    return n;
}

uint32_t lli_output_unread(struct lli_output *output)
{
    pthread_mutex_lock(&output->lock);
    uint32_t n = output->n_readable > output->n_read ? output->n_readable - output->n_read : 0;
    pthread_mutex_unlock(&output->lock);
    return n;
}

int32_t lli_output_fd(struct lli_output *output, int *fd_out, struct llminf_error *err)
{
    int32_t status = LLMINF_OK;
    pthread_mutex_lock(&output->lock);
    if (output->event_fd < 0)
        output->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (output->event_fd < 0)
        status = lli_fail_os(err, errno, "session", "no descriptor for events");
    set_event(output, !is_silent(output));
    *fd_out = output->event_fd;
    pthread_mutex_unlock(&output->lock);
    return status;
}

void lli_output_cut(struct lli_output *output, uint32_t n_tokens)
{
    pthread_mutex_lock(&output->lock);
    if (output->n_readable > n_tokens)
        output->n_readable = n_tokens;
    if (output->n_text > n_tokens)
        output->n_text = n_tokens;
    pthread_mutex_unlock(&output->lock);
}

void lli_output_close(struct lli_output *output)
{
    pthread_mutex_lock(&output->lock);
    output->is_closed = 1;
    pthread_cond_broadcast(&output->ready);
    while (output->n_waiters > 0)
        pthread_cond_wait(&output->left, &output->lock);
    pthread_mutex_unlock(&output->lock);
}

/* Waits for more than n_seen readable tokens or for the end. The status, AGAIN after the deadline, STATE when closed; err is
 * filled for STATE and, if `last_word`, for the error that ended it. */
static int32_t look(struct view *out, struct lli_output *output, uint32_t n_seen, int64_t deadline_ns, int last_word,
                    struct llminf_error *err)
{
    int timed_out = deadline_ns <= 0, is_reader = n_seen != UINT32_MAX;
    pthread_mutex_lock(&output->lock);
    output->n_waiters++;
    if (is_reader && output->n_read < n_seen)
        output->n_read = n_seen;
    if (is_reader)
        set_event(output, !is_silent(output));
    while (!output->is_closed && output->status == LLMINF_AGAIN && output->n_readable <= n_seen && !timed_out)
        timed_out = lli_clock_cond_wait(&output->ready, &output->lock, deadline_ns) == ETIMEDOUT;
    *out = (struct view){output->status, output->n_readable, output->n_text, output->text_end};
    if (output->is_closed)
        out->status = lli_fail(err, LLMINF_E_STATE, "session", "was closed meanwhile");
    else if (err && output->status < 0 && last_word)
        *err = output->error;
    if (--output->n_waiters == 0 && output->is_closed)
        pthread_cond_signal(&output->left);
    pthread_mutex_unlock(&output->lock);
    return out->status;
}

int32_t lli_output_wait(struct lli_output *output, int64_t deadline_ns, struct llminf_error *err)
{
    struct view view;
    return look(&view, output, UINT32_MAX, deadline_ns, 1, err);
}

void lli_output_listen(struct lli_listener *listener, uint32_t from, uint32_t n_prompt, const struct lli_decode *decode,
                       int special)
{
    listener->decode = *decode;
    listener->text.len = listener->n_given = 0;
    listener->n_decoded = listener->n_taken = from;
    listener->n_prompt = n_prompt;
    listener->new_len = 0;
    listener->special = special;
    listener->is_over = 0;
}

/* Copies the whole characters that fit. TOO_SMALL if there is one and none fits an empty buffer. */
static int32_t give(struct lli_listener *listener, char *out, size_t cap, size_t *n_out, struct llminf_error *err)
{
    while (listener->n_given < listener->text.len) {
        const uint8_t *at = listener->text.bytes + listener->n_given;
        uint32_t code;
        size_t n = lli_utf8_read(&code, at, listener->text.len - listener->n_given);
        n = n > 0 ? n : 1;
        if (*n_out + n >= cap) {
            if (*n_out > 0)
                return LLMINF_OK;
            *n_out = n;
            return lli_fail(err, LLMINF_E_TOO_SMALL, "capacity", "is %zu, want %zu", cap, n + 1);
        }
        memcpy(out + *n_out, at, n);
        *n_out += n;
        listener->n_given += n;
    }
    return LLMINF_OK;
}

/* What a stop text cut off is not text. */
static void trim(struct lli_listener *listener, uint64_t text_end)
{
    if (listener->new_len >= text_end)
        listener->text.len = 0;
    else if (listener->text.len > text_end - listener->new_len)
        listener->text.len = (size_t)(text_end - listener->new_len);
}

/* Replaces what was given by the text of the next token, or at the end by what is pending. 1: done, 0: nothing is there, -1:
 * no memory and as before. */
static int decode_next(struct lli_listener *listener, const struct lli_vocab *vocab, const int32_t *tokens,
                       const struct view *view)
{
    struct lli_decode decode = listener->decode;
    int is_token = listener->n_decoded < view->n_text, failed;
    if (!is_token && (view->status == LLMINF_AGAIN || listener->is_over))
        return 0;
    listener->text.len = listener->n_given = 0;
    if (is_token)
        failed = lli_decode_token(&decode, &listener->text, vocab, tokens[listener->n_decoded], listener->special);
    else
        failed = lli_decode_end(&decode, &listener->text);
    if (failed) {
        listener->text.len = 0;
        return -1;
    }
    if (listener->n_decoded >= listener->n_prompt) {
        size_t len = listener->text.len;
        trim(listener, view->text_end);
        listener->new_len += len;
    }
    listener->decode = decode;
    listener->n_decoded += (uint32_t)is_token;
    listener->is_over = !is_token;
    return 1;
}

int32_t lli_output_read_text(struct lli_listener *listener, struct lli_output *output, const struct lli_vocab *vocab,
                             const int32_t *tokens, char *out, size_t cap, size_t *n_out, int64_t deadline_ns,
                             struct llminf_error *err)
{
    struct view view = {.status = LLMINF_AGAIN};
    int32_t status;
    int has_waited = 0;
    *n_out = 0;
    if (cap > 0)
        out[0] = '\0';
    while ((status = give(listener, out, cap, n_out, err)) == LLMINF_OK && listener->n_given == listener->text.len) {
        int decoded = decode_next(listener, vocab, tokens, &view);
        if (decoded < 0 && *n_out == 0)
            return lli_fail_memory(err, "session", listener->text.cap);
        if (decoded < 0)
            break;
        if (decoded > 0)
            continue;
        uint32_t n_seen = listener->n_decoded;
        int64_t until = *n_out > 0 || has_waited ? 0 : deadline_ns;
        if (view.status != LLMINF_AGAIN || look(&view, output, n_seen, until, 0, err) == LLMINF_E_STATE)
            break;
        has_waited = until > 0;
        if (view.status == LLMINF_AGAIN && view.n_readable <= n_seen)
            break;
    }
    if (status == LLMINF_OK && *n_out == 0)
        return view.status < 0 ? lli_output_wait(output, 0, err) : view.status;
    if (status == LLMINF_OK)
        out[*n_out] = '\0';
    return status;
}

int32_t lli_output_read_ids(struct lli_listener *listener, struct lli_output *output, const int32_t *tokens, int32_t *out,
                            size_t cap, size_t *n_out, int64_t deadline_ns, struct llminf_error *err)
{
    struct view view;
    *n_out = 0;
    if (cap == 0)
        return lli_fail(err, LLMINF_E_TOO_SMALL, "capacity", "is 0, want 1 or more");
    look(&view, output, listener->n_taken, deadline_ns, 0, err);
    if (view.n_readable <= listener->n_taken)
        return view.status < 0 ? lli_output_wait(output, 0, err) : view.status;
    size_t n = view.n_readable - listener->n_taken;
    n = n < cap ? n : cap;
    memcpy(out, tokens + listener->n_taken, n * sizeof *out);
    listener->n_taken += (uint32_t)n;
    *n_out = n;
    return LLMINF_OK;
}
