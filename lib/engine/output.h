/* engine/output.h - what readers see of a generation, and how they wait for it.
 *
 * The timeline's token array is the buffer: COMMIT raises n_readable, a reader decodes below it on its own thread, so a
 * slow reader costs no memory. struct lli_output is shared and has a leaf lock; struct lli_listener belongs to the one host
 * thread that reads. */
#ifndef LLI_ENGINE_OUTPUT_H
#define LLI_ENGINE_OUTPUT_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "engine/stop.h"
#include "llminf/status.h"
#include "text/decode.h"

struct lli_output {
    pthread_mutex_t lock; /* guards all below */
    pthread_cond_t ready; /* n_readable or status changed */
    pthread_cond_t left;  /* the last waiter went */
    int has_lock;         /* lock and conditions are initialised; set once */
    int is_closed;
    uint32_t n_waiters;
    int32_t status; /* STATE before the first generation, AGAIN while one runs, then DONE or the error that ended it */
    uint32_t n_readable, n_text, n_read; /* n_read: tokens that the reader has got */
    uint64_t text_end;
    int event_fd, is_set;      /* -1: nobody asked; it is readable now */
    struct llminf_error error; /* valid while status is an error */
};

struct lli_listener {
    struct lli_decode decode;
    struct lli_buffer text; /* of the token decoded last; room for any token's */
    size_t n_given;         /* bytes of it that were read */
    uint32_t n_decoded;     /* tokens of the timeline that went through decode */
    uint32_t n_taken;       /* tokens of the timeline that were read as ids */
    uint32_t n_prompt;      /* from here on text is new */
    uint64_t new_len;       /* bytes of new text decoded */
    int special, is_over;   /* is_over: what was pending at the end has been decoded */
};

int32_t lli_output_init(struct lli_output *output, struct llminf_error *err); /* IO */
void lli_output_finish(struct lli_output *output);                            /* accepts a zeroed struct */

/* The engine's side. release and end wake readers. */
void lli_output_start(struct lli_output *output, uint32_t n_readable, uint32_t n_read);
void lli_output_release(struct lli_output *output, uint32_t n_readable);
void lli_output_end(struct lli_output *output, const struct lli_verdict *verdict, int32_t status,
                    const struct llminf_error *error);
uint32_t lli_output_readable(struct lli_output *output);
uint32_t lli_output_unread(struct lli_output *output);

/* A descriptor that is readable while a read would not say AGAIN, but that it may be so once too often. IO. */
int32_t lli_output_fd(struct lli_output *output, int *fd_out, struct llminf_error *err);

/* What lies behind n tokens was cut from the timeline: nobody reads it any more. */
void lli_output_cut(struct lli_output *output, uint32_t n_tokens);

/* From now on every wait is STATE; returns when the last waiter is out. */
void lli_output_close(struct lli_output *output);

/* Waits for the end of the generation until the clock shows deadline_ns: DONE, AGAIN, its error, or STATE. */
int32_t lli_output_wait(struct lli_output *output, int64_t deadline_ns, struct llminf_error *err);

/* Reading begins at token `from` with this decoder; tokens from n_prompt on are new. */
void lli_output_listen(struct lli_listener *listener, uint32_t from, uint32_t n_prompt, const struct lli_decode *decode,
                       int special);

/* As lli_timeline_read and _read_tokens, but that they wait once at most: AGAIN may come before the deadline. */
int32_t lli_output_read_text(struct lli_listener *listener, struct lli_output *output, const struct lli_vocab *vocab,
                             const int32_t *tokens, char *out, size_t cap, size_t *n_out, int64_t deadline_ns,
                             struct llminf_error *err);
int32_t lli_output_read_ids(struct lli_listener *listener, struct lli_output *output, const int32_t *tokens, int32_t *out,
                            size_t cap, size_t *n_out, int64_t deadline_ns, struct llminf_error *err);

#endif
