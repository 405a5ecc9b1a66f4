/* file/mapping.c - four ways to the bytes of a file. A mapping outlives its descriptor; a copy is made in pieces, between
 * which progress is told. */
#include "file/mapping.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

#define PIECE_BYTES ((size_t)4 << 20)

static const uint8_t nothing; /* the bytes of an empty file */

static int32_t tell(const struct lli_progress *progress, size_t done, size_t all, struct llminf_error *err)
{
    if (!progress || !progress->call)
        return 0;
    if (progress->call(progress->user, all ? (double)done / (double)all : 1.0))
        return lli_fail(err, LLMINF_E_CALLBACK, "progress", "the host ended the load");
    return 0;
}

static int open_retrying(const char *path)
{
    int fd = -1;
    do /* O_NONBLOCK: a FIFO without a writer is refused later, not waited for */
        fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static int32_t open_regular(int *fd_out, size_t *size_out, const char *path, struct llminf_error *err)
{
    struct stat info;
    int fd = open_retrying(path);
    if (fd < 0)
        return lli_fail_os(err, errno, path, "cannot be opened");
    int32_t status = 0;
    if (fstat(fd, &info))
        status = lli_fail_os(err, errno, path, "cannot be examined");
    else if (!S_ISREG(info.st_mode))
        status = lli_fail_os(err, S_ISDIR(info.st_mode) ? EISDIR : EINVAL, path, "not a regular file");
    else if (info.st_size < 0 || (uint64_t)info.st_size > PTRDIFF_MAX)
        status = lli_fail(err, LLMINF_E_LIMIT, path, "%lld bytes, the address space has less", (long long)info.st_size);
    if (status) {
        close(fd);
        return status;
    }
    *fd_out = fd;
    *size_out = (size_t)info.st_size;
    return 0;
}

static int32_t map_file(struct lli_mapping *m, int fd, const char *path, const struct lli_progress *progress,
                        struct llminf_error *err)
{
    void *mapped = mmap(NULL, m->size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (mapped == MAP_FAILED)
        return lli_fail_os(err, errno, path, "cannot be mapped");
    m->mapped = mapped;
    m->bytes = mapped;
    return tell(progress, 1, 1, err);
}

/* Where the pieces of a copy come from: bytes given, 0 at the end, or negative. */
typedef int64_t read_fn(void *source, int64_t offset, void *bytes, size_t size);

static int64_t read_descriptor(void *source, int64_t offset, void *bytes, size_t size)
{
    ssize_t n;
    do
        n = pread(*(const int *)source, bytes, size, (off_t)offset);
    while (n < 0 && errno == EINTR);
    return n;
}

/* Copies m->size bytes. *given: what the source gave last, if it was not good. */
static int32_t copy_all(struct lli_mapping *m, read_fn *read, void *source, int64_t *given, const struct lli_progress *progress,
                        struct llminf_error *err)
{
    uint8_t *copy = lli_alloc_aligned(m->heap, m->size, 64);
    if (!copy)
        return lli_fail_memory(err, "file", m->size);
    m->copied = copy;
    m->bytes = copy;
    for (size_t done = 0; done < m->size;) {
        size_t want = m->size - done < PIECE_BYTES ? m->size - done : PIECE_BYTES;
        *given = read(source, (int64_t)done, copy + done, want);
        if (*given <= 0 || (uint64_t)*given > want)
            return LLMINF_E_IO;
        done += (size_t)*given;
        int32_t status = tell(progress, done, m->size, err);
        if (status)
            return status;
    }
    return 0;
}

static int32_t copy_file(struct lli_mapping *m, int fd, const char *path, const struct lli_progress *progress,
                         struct llminf_error *err)
{
    int64_t given = 1;
    int32_t status = copy_all(m, read_descriptor, &fd, &given, progress, err);
    if (given < 0)
        return lli_fail_os(err, errno, path, "cannot be read");
    if (given == 0)
        return lli_fail(err, LLMINF_E_IO, path, "became shorter while it was read");
    return status;
}

int32_t lli_mapping_open(struct lli_mapping *out, struct lli_heap *heap, const char *path, int mode,
                         const struct lli_progress *progress, struct llminf_error *err)
{
    int fd = -1;
    memset(out, 0, sizeof *out);
    out->heap = heap;
    out->bytes = &nothing;
    int32_t status = open_regular(&fd, &out->size, path, err);
    if (status)
        return status;
    if (out->size == 0)
        status = tell(progress, 1, 1, err);
    else if (mode == LLI_LOAD_READ)
        status = copy_file(out, fd, path, progress, err);
    else
        status = map_file(out, fd, path, progress, err);
    close(fd);
    if (status)
        lli_mapping_finish(out);
    return status;
}

int32_t lli_mapping_open_memory(struct lli_mapping *out, const void *bytes, size_t size, struct llminf_error *err)
{
    memset(out, 0, sizeof *out);
    if (size > PTRDIFF_MAX)
        return lli_fail(err, LLMINF_E_LIMIT, "size", "%zu bytes, the address space has less", size);
    out->bytes = size ? bytes : &nothing;
    out->size = size;
    return 0;
}

int32_t lli_mapping_open_reader(struct lli_mapping *out, struct lli_heap *heap, lli_read_fn *read, void *user, int64_t size,
                                const struct lli_progress *progress, struct llminf_error *err)
{
    int64_t given = 1;
    memset(out, 0, sizeof *out);
    if (size < 0 || (uint64_t)size > PTRDIFF_MAX)
        return lli_fail(err, LLMINF_E_LIMIT, "size", "%lld bytes, want 0 to what the address space has", (long long)size);
    out->heap = heap;
    out->bytes = &nothing;
    out->size = (size_t)size;
    int32_t status = size ? copy_all(out, read, user, &given, progress, err) : 0;
    if (status == LLMINF_E_IO)
        status = lli_fail(err, LLMINF_E_CALLBACK, "reader", "returned %lld, want 1 to the bytes asked for", (long long)given);
    if (status)
        lli_mapping_finish(out);
    return status;
}

int32_t lli_mapping_touch(const struct lli_mapping *m, const struct lli_progress *progress, struct llminf_error *err)
{
    const size_t page = 4096; /* the smallest of any machine */
    const volatile uint8_t *bytes = m->bytes;
    for (size_t at = 0; at < m->size; at += page) {
        (void)bytes[at];
        if (at % PIECE_BYTES)
            continue;
        int32_t status = tell(progress, at, m->size, err);
        if (status)
            return status;
    }
    return tell(progress, 1, 1, err);
}

void lli_mapping_release(const struct lli_mapping *m, const uint8_t *bytes, size_t n)
{
    long page = sysconf(_SC_PAGESIZE);
    if (lli_mapping_loses(m))
        lli_alloc_forget(m->heap, (void *)(uintptr_t)bytes, n);
    if (!m->mapped || page <= 0)
        return;
    uintptr_t mask = (uintptr_t)page - 1, first = ((uintptr_t)bytes + mask) & ~mask, last = ((uintptr_t)bytes + n) & ~mask;
    if (first < last)
        (void)madvise((void *)first, last - first, MADV_DONTNEED); /* a wish: pages that stay do no harm */
}

int lli_mapping_loses(const struct lli_mapping *m)
{
    return m->copied && !m->heap->alloc;
}

void lli_mapping_finish(struct lli_mapping *m)
{
    if (m->mapped)
        munmap(m->mapped, m->size);
    if (m->copied)
        lli_free(m->heap, m->copied);
    memset(m, 0, sizeof *m);
}
