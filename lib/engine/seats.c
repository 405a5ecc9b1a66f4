/* engine/seats.c - a seat is made and freed without the lock: both take time, and nobody else can reach it meanwhile. */
#include "engine/seats.h"

#include "base/error.h"
#include "engine/engine.h"
#include "forward/forward.h"

/* Under the lock. */
static struct lli_seats *find(struct lli_engine *engine, const struct lli_adapter *adapter)
{
    struct lli_seats *seats = engine->seats;
    while (seats && seats->adapter != adapter)
        seats = seats->next;
    return lli_seats_share(seats);
}

static void free_seats(struct lli_engine *engine, struct lli_seats *seats)
{
    lli_forward_unseat(seats->seat);
    lli_free(engine->heap, seats);
}

static int32_t make(struct lli_seats **out, struct lli_engine *engine, struct lli_adapter *adapter, struct llminf_error *err)
{
    struct lli_seats *seats = lli_alloc_zero(engine->heap, 1, sizeof *seats);
    if (!seats)
        return lli_fail_memory(err, "adapter", sizeof *seats);
    *seats = (struct lli_seats){.adapter = adapter, .n_users = 1};
    int32_t status = lli_forward_seat(&seats->seat, engine->forward, adapter, err);
    if (status != LLMINF_OK)
        lli_free(engine->heap, seats);
    else
        *out = seats;
    return status;
}

int32_t lli_seats_take(struct lli_seats **out, struct lli_engine *engine, struct lli_adapter *adapter, struct llminf_error *err)
{
    struct lli_seats *seats = NULL, *old;
    *out = NULL;
    if (!adapter)
        return LLMINF_OK;
    pthread_mutex_lock(&engine->lock);
    *out = find(engine, adapter);
    pthread_mutex_unlock(&engine->lock);
    int32_t status = *out ? LLMINF_OK : make(&seats, engine, adapter, err);
    if (status != LLMINF_OK || *out)
        return status;
    pthread_mutex_lock(&engine->lock);
    old = find(engine, adapter); /* somebody else's, made meanwhile */
    if (!old) {
        seats->next = engine->seats;
        engine->seats = seats;
    }
    pthread_mutex_unlock(&engine->lock);
    if (old)
        free_seats(engine, seats);
    *out = old ? old : seats;
    return LLMINF_OK;
}

struct lli_seats *lli_seats_share(struct lli_seats *seats)
{
    if (seats)
        seats->n_users++;
    return seats;
}

void lli_seats_give(struct lli_engine *engine, struct lli_seats *seats)
{
    if (!seats)
        return;
    pthread_mutex_lock(&engine->lock);
    int is_last = --seats->n_users == 0;
    struct lli_seats **at = &engine->seats;
    while (is_last && *at != seats)
        at = &(*at)->next;
    if (is_last)
        *at = seats->next;
    pthread_mutex_unlock(&engine->lock);
    if (is_last)
        free_seats(engine, seats);
}
