/* engine/meeting.h - ranks get ready, each as long as it takes, and learn how the others fared.
 *
 * While a rank is at work, a thread of the meeting's tells the others from time to time that it still is. So one that is lost
 * is seen within the communicator's limit, however long the work of the others takes. Nobody else calls the communicator
 * from begin to end. */
#ifndef LLI_ENGINE_MEETING_H
#define LLI_ENGINE_MEETING_H

#include <pthread.h>
#include <stdint.h>

#include "llminf/status.h"
#include "parallel/comm.h"

struct lli_answer {
    uint8_t state;
    char text[sizeof(((struct llminf_error *)0)->text)]; /* what went wrong */
};

struct lli_meeting {
    struct lli_comm *comm;
    struct lli_answer *all; /* [n_ranks] of the last round; owned */
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news;   /* on the monotonic clock */
    struct lli_answer own; /* the lock's */
    int is_begun;
    int is_complete; /* the last round was */
};

/* MEMORY, IO for the thread. */
int32_t lli_meeting_begin(struct lli_meeting *m, struct lli_comm *comm, struct llminf_error *err);

/* How it went here: 0, or an error with its text in *err (not NULL). Waits until all are ready, or one is not: COMM with the
 * rank and its text, or the own error. Accepts a meeting that was not begun, and returns its own error then. */
int32_t lli_meeting_end(struct lli_meeting *m, int32_t status, struct llminf_error *err);

#endif
