/* file/atomic.h - a new file that appears whole or not at all: written beside its place, synced, then renamed. */
#ifndef LLI_FILE_ATOMIC_H
#define LLI_FILE_ATOMIC_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

struct llminf_error;

struct lli_atomic {
    struct lli_heap *heap;
    char *path; /* where it shall be; owned */
    char *part; /* ".llminf-PID-N.part" in the same folder, while it is written; owned, NULL: none */
    int fd;
    uint64_t size; /* bytes written */
};

/* Makes the temporary file; readable as the process' umask says. IO, MEMORY. What stands at `path` stays until commit. */
int32_t lli_atomic_open(struct lli_atomic *out, struct lli_heap *heap, const char *path, struct llminf_error *err);

/* Appends. IO: no room, or over the process' limit for files (which is looked at first: no signal is raised). */
int32_t lli_atomic_write(struct lli_atomic *file, const void *bytes, size_t n, struct llminf_error *err);

/* Syncs the file, gives it its name, and closes it. IO: the temporary file is gone and `path` as it was. */
int32_t lli_atomic_commit(struct lli_atomic *file, struct llminf_error *err);

/* Without a commit nothing is left. Accepts a zeroed struct. */
void lli_atomic_finish(struct lli_atomic *file);

#endif
