#include "support/flaky.h"

/* Nonzero: this call is not made. */
static int is_lost(struct flaky *f)
{
    pthread_mutex_lock(&f->lock);
    int is_due = f->n_calls++ == f->at;
    if (is_due && f->way != FLAKY_FAILS)
        f->is_gone = 1;
    while (is_due && f->way == FLAKY_STOPS && !f->is_released)
        pthread_cond_wait(&f->released, &f->lock);
    int lost = is_due || f->is_gone;
    pthread_mutex_unlock(&f->lock);
    return lost;
}

static llminf_status all_gather(void *state, const void *in, size_t bytes, void *out, int64_t timeout_ns)
{
    struct flaky *f = state;
    return is_lost(f) ? LLMINF_E_COMM : f->inner.all_gather(f->inner.state, in, bytes, out, timeout_ns);
}

static llminf_status broadcast(void *state, int32_t root, void *data, size_t bytes, int64_t timeout_ns)
{
    struct flaky *f = state;
    return is_lost(f) ? LLMINF_E_COMM : f->inner.broadcast(f->inner.state, root, data, bytes, timeout_ns);
}

static llminf_status send_to(void *state, int32_t to, const void *data, size_t bytes, int64_t timeout_ns)
{
    struct flaky *f = state;
    return is_lost(f) ? LLMINF_E_COMM : f->inner.send(f->inner.state, to, data, bytes, timeout_ns);
}

static llminf_status receive(void *state, int32_t from, void *data, size_t bytes, int64_t timeout_ns)
{
    struct flaky *f = state;
    return is_lost(f) ? LLMINF_E_COMM : f->inner.receive(f->inner.state, from, data, bytes, timeout_ns);
}

static llminf_status group_gather(void *state, int32_t first, int32_t count, const void *in, size_t bytes, void *out,
                                  int64_t timeout_ns)
{
    struct flaky *f = state;
    return is_lost(f) ? LLMINF_E_COMM : f->inner.group_gather(f->inner.state, first, count, in, bytes, out, timeout_ns);
}

static int is_gone(struct flaky *f)
{
    pthread_mutex_lock(&f->lock);
    int gone = f->is_gone;
    pthread_mutex_unlock(&f->lock);
    return gone;
}

static void fail_all(void *state)
{
    struct flaky *f = state;
    if (!is_gone(f))
        f->inner.fail(f->inner.state);
}

static int32_t lost(void *state)
{
    struct flaky *f = state;
    return f->inner.lost(f->inner.state);
}

static void close_one(void *state)
{
    struct flaky *f = state;
    f->inner.close(f->inner.state); /* the lock stays: it may still be released */
}

void flaky_wrap(struct llminf_comm *table, struct flaky *flaky, enum flaky_way way, int at)
{
    *flaky = (struct flaky){.inner = *table, .way = way, .at = at};
    pthread_mutex_init(&flaky->lock, NULL);
    pthread_cond_init(&flaky->released, NULL);
    table->state = flaky;
    table->all_gather = all_gather;
    table->broadcast = broadcast;
    table->send = send_to;
    table->receive = receive;
    table->group_gather = group_gather;
    table->fail = fail_all;
    table->lost = lost;
    table->close = close_one;
    table->window = NULL; /* sums are calls too */
}

void flaky_release(struct flaky *flaky)
{
    pthread_mutex_lock(&flaky->lock);
    flaky->is_released = 1;
    pthread_cond_broadcast(&flaky->released);
    pthread_mutex_unlock(&flaky->lock);
}
