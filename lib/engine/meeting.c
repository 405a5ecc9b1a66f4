/* engine/meeting.c - see meeting.h. A round is a gather of all answers; the last one is that in which nobody is at work, or
 * somebody has failed, which all ranks see alike. */
#include "engine/meeting.h"

#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/format.h"
#include "base/workers.h"

#define STACK_BYTES (256u << 10)

enum { AT_WORK, READY, FAILED, BEATS = 4 /* within the communicator's limit */ };

static int is_over(const struct lli_meeting *m)
{
    int n_working = 0;
    for (int32_t i = 0; i < m->comm->n_ranks; i++) {
        if (m->all[i].state >= FAILED)
            return 1;
        n_working += m->all[i].state == AT_WORK;
    }
    return n_working == 0;
}

static void *attend(void *arg)
{
    struct lli_meeting *m = arg;
    int64_t beat_ns = m->comm->timeout_ns / BEATS;
    for (;;) {
        pthread_mutex_lock(&m->lock);
        struct lli_answer own = m->own;
        pthread_mutex_unlock(&m->lock);
        if (lli_comm_gather(m->comm, &own, sizeof own, m->all) != LLMINF_OK)
            return NULL;
        if (is_over(m)) {
            m->is_complete = 1;
            lli_comm_barrier(m->comm); /* nobody gives up before all have heard why */
            return NULL;
        }
        int64_t until = lli_clock_ns() + beat_ns;
        pthread_mutex_lock(&m->lock);
        while (m->own.state == AT_WORK && lli_clock_ns() < until)
            lli_clock_cond_wait(&m->news, &m->lock, until);
        pthread_mutex_unlock(&m->lock);
    }
}

static void give_back(struct lli_meeting *m)
{
    pthread_cond_destroy(&m->news);
    pthread_mutex_destroy(&m->lock);
    lli_free(m->comm->heap, m->all);
    m->is_begun = 0;
}

int32_t lli_meeting_begin(struct lli_meeting *m, struct lli_comm *comm, struct llminf_error *err)
{
    *m = (struct lli_meeting){.comm = comm};
    m->all = lli_alloc_zero(comm->heap, (size_t)comm->n_ranks, sizeof *m->all);
    if (!m->all)
        return lli_fail_memory(err, "ranks", (uint64_t)comm->n_ranks * sizeof *m->all);
    int failed = pthread_mutex_init(&m->lock, NULL);
    if (!failed) {
        failed = lli_clock_cond_init(&m->news);
        if (failed)
            pthread_mutex_destroy(&m->lock);
    }
    if (failed) {
        lli_free(comm->heap, m->all);
        return lli_fail_os(err, failed, "ranks", "lock");
    }
    failed = lli_workers_thread(&m->thread, "llminf-meeting", STACK_BYTES, attend, m);
    if (failed) {
        give_back(m);
        return lli_fail_os(err, failed, "ranks", "the thread that meets the others did not start");
    }
    m->is_begun = 1;
    return LLMINF_OK;
}

/* What the last round says. */
static int32_t judge(struct lli_meeting *m, struct llminf_error *err)
{
    char subject[16];
    for (int32_t i = 0; m->is_complete && i < m->comm->n_ranks; i++) {
        if (m->all[i].state == READY || m->all[i].state == AT_WORK)
            continue;
        m->all[i].text[sizeof m->all[i].text - 1] = 0;
        lli_format(subject, sizeof subject, "rank %d", i);
        lli_comm_fail(m->comm, i, "%s", m->all[i].text);
        return lli_fail(err, LLMINF_E_COMM, subject, "%s", m->all[i].text);
    }
    return lli_comm_error(m->comm, err);
}

int32_t lli_meeting_end(struct lli_meeting *m, int32_t status, struct llminf_error *err)
{
    if (!m->is_begun)
        return status;
    pthread_mutex_lock(&m->lock);
    m->own.state = status == LLMINF_OK ? READY : FAILED;
    if (status != LLMINF_OK)
        memcpy(m->own.text, err->text, sizeof err->text);
    pthread_cond_signal(&m->news);
    pthread_mutex_unlock(&m->lock);
    pthread_join(m->thread, NULL);
    if (status == LLMINF_OK)
        status = judge(m, err);
    else
        lli_comm_fail(m->comm, m->comm->rank, "%s", err->text);
    give_back(m);
    return status;
}
