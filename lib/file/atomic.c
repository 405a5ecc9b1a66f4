/* file/atomic.c - the order that survives a crash: write, sync the file, rename, sync the folder. The temporary file has a
 * short name of its own in the target's folder, so that the rename stays on one file system and no name grows too long. */
#include "file/atomic.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/error.h"
#include "base/format.h"

enum { NAME_BYTES = 64, MAX_NAMES = 1000 };

int rename(const char *from, const char *to); /* of stdio.h, which is not for lib/ */

/* Bytes of the path up to its last slash. */
static size_t folder_len(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? (size_t)(slash - path) + 1 : 0;
}

static int is_folder(const char *path)
{
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

/* Opens a file of a new name in the folder that part[0..folder) spells; room for NAME_BYTES more. -1 and errno. */
static int open_part(char *part, size_t folder)
{
    for (int i = 0; i < MAX_NAMES; i++) {
        int fd;
        lli_format(part + folder, NAME_BYTES, ".llminf-%lld-%d.part", (long long)getpid(), i);
        do
            fd = open(part, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        while (fd < 0 && errno == EINTR);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    return -1;
}

int32_t lli_atomic_open(struct lli_atomic *out, struct lli_heap *heap, const char *path, struct llminf_error *err)
{
    size_t folder = folder_len(path), n = strlen(path) + 1;
    memset(out, 0, sizeof *out);
    out->heap = heap;
    if (is_folder(path)) /* the rename would find out when all is written */
        return lli_fail_os(err, EISDIR, path, "cannot be written");
    out->path = lli_alloc(heap, n);
    char *part = lli_alloc(heap, folder + NAME_BYTES);
    if (!out->path || !part) {
        lli_free(heap, part);
        lli_atomic_finish(out);
        return lli_fail_memory(err, path, n + folder + NAME_BYTES);
    }
    memcpy(out->path, path, n);
    memcpy(part, path, folder);
    out->fd = open_part(part, folder);
    if (out->fd < 0) {
        int code = errno;
        lli_free(heap, part);
        lli_atomic_finish(out);
        return lli_fail_os(err, code, path, "cannot be made");
    }
    out->part = part;
    return 0;
}

/* A write over the limit would raise SIGXFSZ, which ends the host. */
static int is_over_limit(uint64_t size)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && size > limit.rlim_cur;
}

int32_t lli_atomic_write(struct lli_atomic *file, const void *bytes, size_t n, struct llminf_error *err)
{
    const uint8_t *at = bytes;
    if (is_over_limit(file->size + n))
        return lli_fail_os(err, EFBIG, file->path, "cannot have %llu bytes", (unsigned long long)(file->size + n));
    while (n) {
        ssize_t written = write(file->fd, at, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return lli_fail_os(err, written ? errno : ENOSPC, file->path, "cannot be written");
        at += written;
        n -= (size_t)written;
        file->size += (uint64_t)written;
    }
    return 0;
}

static int sync_file(int fd)
{
    int code;
    do
        code = fsync(fd);
    while (code < 0 && errno == EINTR);
    return code;
}

/* The name's entry; where a file system cannot, the file is there all the same. */
static void sync_folder(const struct lli_atomic *file)
{
    char *part = file->part;
    size_t folder = folder_len(part);
    memcpy(part + folder, ".", 2);
    int fd = open(part, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return;
    sync_file(fd);
    close(fd);
}

int32_t lli_atomic_commit(struct lli_atomic *file, struct llminf_error *err)
{
    int32_t status = 0;
    if (sync_file(file->fd))
        status = lli_fail_os(err, errno, file->path, "cannot be synced");
    else if (rename(file->part, file->path))
        status = lli_fail_os(err, errno, file->path, "cannot be put in its place");
    if (status == 0) {
        close(file->fd);
        sync_folder(file);
        lli_free(file->heap, file->part);
        file->part = NULL;
    }
    lli_atomic_finish(file);
    return status;
}

void lli_atomic_finish(struct lli_atomic *file)
{
    if (file->part) {
        unlink(file->part);
        close(file->fd);
        lli_free(file->heap, file->part);
    }
    if (file->path)
        lli_free(file->heap, file->path);
    memset(file, 0, sizeof *file);
}
