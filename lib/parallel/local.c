/* parallel/local.c - a rank that waits for a box spins a little, then sleeps on the condition of its own seat.
 *
 * Invariant: a box's `full` changes under the hub's lock, where a sleeper cannot miss it; its bytes belong to the sender while
 * it is empty, to the receiver while it is full. */
#include "parallel/local.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/patience.h"

enum { SPINS = 2000 };

struct box {
    uint8_t *data; /* owned */
    size_t bytes, cap;
    _Atomic int full;
};

struct seat {
    struct hub *hub;
    int32_t rank;
    _Atomic int32_t lost;
    pthread_cond_t news; /* a box from or to this rank changed, or the hub failed */
};

struct memory {
    struct memory *next;
    void *bytes; /* owned */
};

struct hub {
    struct lli_heap *heap;
    int32_t n, n_open, n_conds;
    struct seat *seats;     /* [n] owned */
    struct box *boxes;      /* [n from][n to] owned */
    struct memory *windows; /* owned; under the lock */
    pthread_mutex_t lock;
    int has_lock;
    int32_t culprit; /* whom the first that gave up missed, or -1; under the lock */
    _Atomic int failed;
};

static void hub_free(struct hub *hub)
{
    struct lli_heap *heap = hub->heap;
    for (int32_t i = 0; hub->boxes && i < hub->n * hub->n; i++)
        lli_free(heap, hub->boxes[i].data);
    for (int32_t i = 0; i < hub->n_conds; i++)
        pthread_cond_destroy(&hub->seats[i].news);
    for (struct memory *w = hub->windows, *next; w; w = next) {
        next = w->next;
        lli_free(heap, w->bytes);
        lli_free(heap, w);
    }
    if (hub->has_lock)
        pthread_mutex_destroy(&hub->lock);
    lli_free(heap, hub->seats);
    lli_free(heap, hub->boxes);
    lli_free(heap, hub);
}

static struct box *box_at(struct hub *hub, int32_t from, int32_t to)
{
    return &hub->boxes[(size_t)from * (size_t)hub->n + (size_t)to];
}

/* Until box->full == full; `peer` is whom it hangs on. Returns with the lock held if 0. */
static int32_t await_box(struct seat *seat, struct box *box, int full, int32_t peer, int64_t end_ns)
{
    struct hub *hub = seat->hub;
    int code = 0;
    for (int i = 0; i < SPINS && atomic_load_explicit(&box->full, memory_order_relaxed) != full; i++)
        lli_relax();
    pthread_mutex_lock(&hub->lock);
    while (code == 0 && !hub->failed && box->full != full)
        code = lli_clock_cond_wait(&seat->news, &hub->lock, end_ns);
    if (box->full == full && !hub->failed)
        return LLMINF_OK;
    seat->lost = hub->failed ? hub->culprit : peer;
    pthread_mutex_unlock(&hub->lock);
    return LLMINF_E_COMM;
}

/* With the lock held; gives it back. */
static void turn_box(struct seat *seat, struct box *box, int full, int32_t peer)
{
    struct hub *hub = seat->hub;
    box->full = full;
    pthread_mutex_unlock(&hub->lock);
    pthread_cond_signal(&hub->seats[peer].news);
}

static int32_t grow(struct hub *hub, struct box *box, size_t bytes)
{
    if (bytes <= box->cap)
        return LLMINF_OK;
    uint8_t *data = lli_realloc(hub->heap, box->data, bytes);
    if (!data)
        return LLMINF_E_MEMORY;
    box->data = data;
    box->cap = bytes;
    return LLMINF_OK;
}

static llminf_status put(struct seat *seat, int32_t to, const void *data, size_t bytes, int64_t end_ns)
{
    struct box *box = box_at(seat->hub, seat->rank, to);
    int32_t status = await_box(seat, box, 0, to, end_ns);
    if (status != LLMINF_OK)
        return status;
    pthread_mutex_unlock(&seat->hub->lock); /* an empty box is the sender's own */
    status = grow(seat->hub, box, bytes);
    if (status != LLMINF_OK)
        return status;
    if (bytes > 0)
        memcpy(box->data, data, bytes);
    box->bytes = bytes;
    pthread_mutex_lock(&seat->hub->lock);
    turn_box(seat, box, 1, to);
    return LLMINF_OK;
}

static llminf_status take(struct seat *seat, int32_t from, void *data, size_t bytes, int64_t end_ns)
{
    struct box *box = box_at(seat->hub, from, seat->rank);
    int32_t status = await_box(seat, box, 1, from, end_ns);
    if (status != LLMINF_OK)
        return status;
    pthread_mutex_unlock(&seat->hub->lock);
    int fits = box->bytes == bytes;
    if (fits && bytes > 0)
        memcpy(data, box->data, bytes);
    pthread_mutex_lock(&seat->hub->lock);
    turn_box(seat, box, 0, from);
    if (fits)
        return LLMINF_OK;
    seat->lost = from;
    return LLMINF_E_COMM;
}

/* INT64_MAX: for ever. */
static int64_t end_of(int64_t timeout_ns)
{
    int64_t now = lli_clock_ns();
    return timeout_ns < INT64_MAX - now ? now + timeout_ns : INT64_MAX;
}

/* ---- the slots --------------------------------------------------------------------------------------------------- */

static llminf_status local_send(void *state, int32_t to, const void *data, size_t bytes, int64_t timeout_ns)
{
    return put(state, to, data, bytes, end_of(timeout_ns));
}

static llminf_status local_receive(void *state, int32_t from, void *data, size_t bytes, int64_t timeout_ns)
{
    return take(state, from, data, bytes, end_of(timeout_ns));
}

static llminf_status local_group_gather(void *state, int32_t first, int32_t count, const void *in, size_t bytes, void *out,
                                        int64_t timeout_ns)
{
    struct seat *seat = state;
    uint8_t *parts = out;
    int64_t end_ns = end_of(timeout_ns);
    llminf_status status = LLMINF_OK;
    for (int32_t rank = first; rank < first + count && status == LLMINF_OK; rank++)
        if (rank != seat->rank)
            status = put(seat, rank, in, bytes, end_ns);
    for (int32_t rank = first; rank < first + count && status == LLMINF_OK; rank++) {
        uint8_t *part = parts + (size_t)(rank - first) * bytes;
        if (rank != seat->rank)
            status = take(seat, rank, part, bytes, end_ns);
        else if (bytes > 0)
            memcpy(part, in, bytes);
    }
    return status;
}

static llminf_status local_all_gather(void *state, const void *in, size_t bytes, void *out, int64_t timeout_ns)
{
    const struct seat *seat = state;
    return local_group_gather(state, 0, seat->hub->n, in, bytes, out, timeout_ns);
}

static llminf_status local_broadcast(void *state, int32_t root, void *data, size_t bytes, int64_t timeout_ns)
{
    struct seat *seat = state;
    int64_t end_ns = end_of(timeout_ns);
    llminf_status status = LLMINF_OK;
    if (seat->rank != root)
        return take(seat, root, data, bytes, end_ns);
    for (int32_t rank = 0; rank < seat->hub->n && status == LLMINF_OK; rank++)
        if (rank != root)
            status = put(seat, rank, data, bytes, end_ns);
    return status;
}

/* Memory of this thread, kept by the hub: a rank that is through may leave before the others. */
static void *window_part(struct hub *hub, size_t bytes)
{
    struct memory *memory = lli_alloc(hub->heap, sizeof *memory);
    void *part = memory ? lli_alloc_aligned(hub->heap, bytes, 128) : NULL;
    if (!part) {
        lli_free(hub->heap, memory);
        return NULL;
    }
    memset(part, 0, bytes);
    memory->bytes = part;
    pthread_mutex_lock(&hub->lock);
    memory->next = hub->windows;
    hub->windows = memory;
    pthread_mutex_unlock(&hub->lock);
    return part;
}

static llminf_status local_window(void *state, int32_t first, int32_t count, size_t bytes, void **base_out, int64_t timeout_ns)
{
    struct seat *seat = state;
    void *part = window_part(seat->hub, bytes);
    llminf_status status = local_group_gather(state, first, count, &part, sizeof part, base_out, timeout_ns);
    for (int32_t i = 0; i < count && status == LLMINF_OK; i++)
        if (!base_out[i])
            status = LLMINF_E_MEMORY;
    return status;
}

static void local_fail(void *state)
{
    struct seat *seat = state;
    struct hub *hub = seat->hub;
    pthread_mutex_lock(&hub->lock);
    if (!hub->failed)
        hub->culprit = seat->lost;
    hub->failed = 1;
    pthread_mutex_unlock(&hub->lock);
    for (int32_t i = 0; i < hub->n; i++)
        pthread_cond_broadcast(&hub->seats[i].news);
}

static int32_t local_lost(void *state)
{
    struct seat *seat = state;
    return seat->lost;
}

static void local_close(void *state)
{
    struct hub *hub = ((struct seat *)state)->hub;
    pthread_mutex_lock(&hub->lock);
    int32_t n_open = --hub->n_open;
    pthread_mutex_unlock(&hub->lock);
    if (n_open == 0)
        hub_free(hub);
}

/* ---- the hub ----------------------------------------------------------------------------------------------------- */

static int32_t init_hub(struct hub *hub, int32_t n, size_t message_bytes, struct llminf_error *err)
{
    hub->n = hub->n_open = n;
    hub->seats = lli_alloc_zero(hub->heap, (size_t)n, sizeof *hub->seats);
    hub->boxes = lli_alloc_zero(hub->heap, (size_t)n * (size_t)n, sizeof *hub->boxes);
    if (!hub->seats || !hub->boxes)
        return lli_fail_memory(err, "ranks", (uint64_t)n * (uint64_t)n * sizeof *hub->boxes);
    for (int32_t i = 1; i < n; i++)
        if (grow(hub, box_at(hub, 0, i), message_bytes) != LLMINF_OK ||
            grow(hub, box_at(hub, i, 0), message_bytes) != LLMINF_OK)
            return lli_fail_memory(err, "ranks", message_bytes);
    int failed = pthread_mutex_init(&hub->lock, NULL);
    hub->has_lock = !failed;
    for (; !failed && hub->n_conds < n; hub->n_conds += !failed) {
        struct seat *seat = &hub->seats[hub->n_conds];
        *seat = (struct seat){.hub = hub, .rank = hub->n_conds, .lost = -1};
        failed = lli_clock_cond_init(&seat->news);
    }
    return failed ? lli_fail_os(err, failed, "ranks", "lock") : LLMINF_OK;
}

int32_t lli_local_new(struct llminf_comm *tables, struct lli_heap *heap, int32_t n, size_t message_bytes,
                      struct llminf_error *err)
{
    struct hub *hub = lli_alloc_zero(heap, 1, sizeof *hub);
    memset(tables, 0, (size_t)n * sizeof *tables);
    if (!hub)
        return lli_fail_memory(err, "ranks", sizeof *hub);
    hub->heap = heap;
    int32_t status = init_hub(hub, n, message_bytes, err);
    if (status != LLMINF_OK) {
        hub_free(hub);
        return status;
    }
    for (int32_t i = 0; i < n; i++)
        tables[i] = (struct llminf_comm){
            .size = sizeof tables[i],
            .abi = LLMINF_COMM_ABI,
            .rank = i,
            .n_ranks = n,
            .state = &hub->seats[i],
            .all_gather = local_all_gather,
            .broadcast = local_broadcast,
            .send = local_send,
            .receive = local_receive,
            .fail = local_fail,
            .close = local_close,
            .group_gather = local_group_gather,
            .window = local_window,
            .lost = local_lost,
        };
    return LLMINF_OK;
}
