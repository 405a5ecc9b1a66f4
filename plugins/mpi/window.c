#include "plugins/mpi/window.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/format.h"

enum { MARK_BYTES = 4096, GROUP_MOST = 64 }; /* the mark has a page of its own, before what is shared */

struct window {
    struct window *next;
    void *memory; /* mapped, with the mark's page */
    size_t bytes;
};

/* What a rank tells about its part. */
struct offer {
    uint64_t mark;
    int64_t pid, fd; /* fd -1: none */
};

static void *map(struct link *link, int fd, size_t bytes)
{
    struct window *window = lli_alloc(&link->heap, sizeof *window);
    void *memory = window ? mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) : MAP_FAILED;
    if (memory == MAP_FAILED) {
        lli_free(&link->heap, window);
        return NULL;
    }
    *window = (struct window){link->windows, memory, bytes};
    link->windows = window;
    return memory;
}

/* Its memory is taken now: what the system promises and has not would be a signal later. */
static void *make(struct link *link, struct offer *offer, size_t bytes)
{
    void *memory = NULL;
    offer->pid = getpid();
    offer->fd = memfd_create("llminf", MFD_CLOEXEC);
    if (offer->fd < 0)
        return NULL;
    if (posix_fallocate((int)offer->fd, 0, (off_t)bytes) == 0 && getrandom(&offer->mark, sizeof offer->mark, 0) > 0)
        memory = map(link, (int)offer->fd, bytes);
    if (memory)
        memcpy(memory, &offer->mark, sizeof offer->mark);
    return memory;
}

static void *visit(struct link *link, const struct offer *offer, size_t bytes)
{
    char path[64];
    off_t size;
    lli_format(path, sizeof path, "/proc/%lld/fd/%lld", (long long)offer->pid, (long long)offer->fd);
    int fd = offer->fd >= 0 ? open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK) : -1;
    if (fd < 0)
        return NULL;
    size = lseek(fd, 0, SEEK_END);
    void *memory = size == (off_t)bytes ? map(link, fd, bytes) : NULL;
    close(fd);
    return memory && memcmp(memory, &offer->mark, sizeof offer->mark) == 0 ? memory : NULL;
}

int32_t window_open(struct link *link, int first, int count, size_t bytes, void **base_out, int64_t end_ns)
{
    struct offer own = {.fd = -1}, offers[GROUP_MOST];
    char refused = 0, answers[GROUP_MOST];
    size_t whole = MARK_BYTES + bytes;
    if (count > GROUP_MOST)
        return LLMINF_E_UNSUPPORTED;
    void *part = make(link, &own, whole);
    int32_t status = link_gather(link, first, count, &own, sizeof own, offers, end_ns);
    for (int i = 0; i < count && status == LLMINF_OK && !refused; i++) {
        uint8_t *memory = first + i == link->rank ? part : visit(link, &offers[i], whole);
        refused = !memory;
        base_out[i] = memory ? memory + MARK_BYTES : NULL;
    }
    if (status == LLMINF_OK) /* the file is open until all have visited it */
        status = link_gather(link, first, count, &refused, 1, answers, end_ns);
    if (own.fd >= 0)
        close((int)own.fd);
    for (int i = 0; i < count && status == LLMINF_OK; i++)
        if (answers[i])
            status = LLMINF_E_UNSUPPORTED;
    return status;
}

void window_close_all(struct link *link)
{
    for (struct window *w = link->windows, *next; w; w = next) {
        next = w->next;
        munmap(w->memory, w->bytes);
        lli_free(&link->heap, w);
    }
    link->windows = NULL;
}
