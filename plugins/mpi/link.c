#include "plugins/mpi/link.h"

#include <limits.h>
#include <string.h>

#include "base/clock.h"
#include "base/patience.h"

enum { TAG_DATA = 1, TAG_FAIL = 2, DIRECT_BYTES = 4096, LOOKS_PER_PROBE = 64, CANCEL_NS = 10000000 };

int64_t link_end(int64_t timeout_ns)
{
    int64_t now = lli_clock_ns();
    return timeout_ns < INT64_MAX - now ? now + timeout_ns : INT64_MAX;
}

static int32_t lose(struct link *link, int rank)
{
    int none = -1;
    atomic_compare_exchange_strong(&link->lost, &none, rank);
    return LLMINF_E_COMM;
}

/* Another rank has given up. With the lock held. */
static int is_told(struct link *link)
{
    int has_come = 0;
    return MPI_Iprobe(MPI_ANY_SOURCE, TAG_FAIL, link->comm, &has_come, MPI_STATUS_IGNORE) != MPI_SUCCESS || has_come;
}

/* Until the request is complete; `peer` is whom it hangs on. n_out: bytes that came, if it is not NULL. */
static int32_t await(struct link *link, MPI_Request *request, int peer, int *n_out, int64_t end_ns)
{
    int64_t left_ns = end_ns == INT64_MAX ? INT64_MAX : end_ns - lli_clock_ns();
    struct lli_patience patience = lli_patience_begin(left_ns > 0 ? left_ns : 0);
    for (uint32_t n_looks = 1;; n_looks++) {
        MPI_Status status;
        int is_done = 0;
        pthread_mutex_lock(&link->lock);
        int code = MPI_Test(request, &is_done, &status);
        if (code == MPI_SUCCESS && is_done && n_out)
            code = MPI_Get_count(&status, MPI_BYTE, n_out);
        int told = !is_done && n_looks % LOOKS_PER_PROBE == 0 && is_told(link);
        pthread_mutex_unlock(&link->lock);
        if (code != MPI_SUCCESS)
            return lose(link, peer);
        if (is_done)
            return LLMINF_OK;
        if (told)
            link->failed = 1;
        if (link->failed)
            return LLMINF_E_COMM;
        if (lli_patience_is_over(&patience))
            return lose(link, peer);
    }
}

static int32_t grow(struct link *link, uint8_t **data, size_t *cap, size_t bytes)
{
    if (bytes <= *cap)
        return LLMINF_OK;
    uint8_t *more = lli_alloc(&link->heap, bytes);
    if (!more)
        return LLMINF_E_MEMORY;
    lli_free(&link->heap, *data);
    *data = more;
    *cap = bytes;
    return LLMINF_OK;
}

int32_t link_put(struct link *link, int to, const void *data, size_t bytes, int64_t end_ns)
{
    struct peer *peer = &link->peers[to];
    if (bytes > INT_MAX)
        return LLMINF_E_LIMIT;
    int32_t status = await(link, &peer->out, to, NULL, end_ns); /* the one before */
    if (status == LLMINF_OK)
        status = grow(link, &peer->out_data, &peer->out_cap, bytes);
    if (status != LLMINF_OK)
        return status;
    if (bytes > 0)
        memcpy(peer->out_data, data, bytes);
    pthread_mutex_lock(&link->lock);
    int code = MPI_Isend(peer->out_data, (int)bytes, MPI_BYTE, to, TAG_DATA, link->comm, &peer->out);
    pthread_mutex_unlock(&link->lock);
    return code == MPI_SUCCESS ? LLMINF_OK : lose(link, to);
}

static int is_direct(size_t bytes)
{
    return bytes <= DIRECT_BYTES; /* MPI copies it whole when it is matched */
}

int32_t link_expect(struct link *link, int from, void *data, size_t bytes)
{
    struct peer *peer = &link->peers[from];
    if (bytes > INT_MAX)
        return LLMINF_E_LIMIT;
    if (!is_direct(bytes) && grow(link, &peer->in_data, &peer->in_cap, bytes) != LLMINF_OK)
        return LLMINF_E_MEMORY;
    pthread_mutex_lock(&link->lock);
    int code = MPI_Irecv(is_direct(bytes) ? data : peer->in_data, (int)bytes, MPI_BYTE, from, TAG_DATA, link->comm, &peer->in);
    pthread_mutex_unlock(&link->lock);
    return code == MPI_SUCCESS ? LLMINF_OK : lose(link, from);
}

/* So that MPI writes no more into memory of the caller's. */
static void forget(struct link *link, struct peer *peer)
{
    if (peer->in == MPI_REQUEST_NULL)
        return;
    pthread_mutex_lock(&link->lock);
    MPI_Cancel(&peer->in);
    pthread_mutex_unlock(&link->lock);
    int failed = link->failed;
    link->failed = 0;
    await(link, &peer->in, (int)(peer - link->peers), NULL, link_end(CANCEL_NS));
    link->failed = failed;
}

int32_t link_await(struct link *link, int from, void *data, size_t bytes, int64_t end_ns)
{
    struct peer *peer = &link->peers[from];
    int n = 0;
    int32_t status = await(link, &peer->in, from, &n, end_ns);
    if (status != LLMINF_OK) {
        forget(link, peer);
        return status;
    }
    if ((size_t)n != bytes)
        return lose(link, from);
    if (!is_direct(bytes))
        memcpy(data, peer->in_data, bytes);
    return LLMINF_OK;
}

int32_t link_take(struct link *link, int from, void *data, size_t bytes, int64_t end_ns)
{
    int32_t status = link_expect(link, from, data, bytes);
    return status == LLMINF_OK ? link_await(link, from, data, bytes, end_ns) : status;
}

int32_t link_gather(struct link *link, int first, int count, const void *in, size_t bytes, void *out, int64_t end_ns)
{
    uint8_t *parts = out;
    int32_t status = LLMINF_OK;
    int n_expected = 0;
    for (; n_expected < count && status == LLMINF_OK; n_expected++)
        if (first + n_expected != link->rank)
            status = link_expect(link, first + n_expected, parts + (size_t)n_expected * bytes, bytes);
    for (int i = 0; i < count && status == LLMINF_OK; i++)
        if (first + i != link->rank)
            status = link_put(link, first + i, in, bytes, end_ns);
    for (int i = 0; i < n_expected; i++) {
        if (first + i == link->rank)
            memcpy(parts + (size_t)i * bytes, in, bytes);
        else if (status == LLMINF_OK)
            status = link_await(link, first + i, parts + (size_t)i * bytes, bytes, end_ns);
        else
            forget(link, &link->peers[first + i]);
    }
    return status;
}

void link_fail(struct link *link)
{
    link->failed = 1;
    pthread_mutex_lock(&link->lock);
    for (int i = 0; i < link->n; i++) {
        MPI_Request request;
        if (i != link->rank && MPI_Isend(NULL, 0, MPI_BYTE, i, TAG_FAIL, link->comm, &request) == MPI_SUCCESS)
            MPI_Request_free(&request);
    }
    pthread_mutex_unlock(&link->lock);
}

int32_t link_drain(struct link *link, int64_t end_ns)
{
    int32_t status = LLMINF_OK;
    for (int i = 0; i < link->n && status == LLMINF_OK; i++)
        status = await(link, &link->peers[i].out, i, NULL, end_ns);
    return status;
}
