/* support.h - what several tests need: files beside the repository, a heap that counts and fails, small checks.
 *
 * Nothing here asserts: a helper thread may call all of it, and the test's own thread judges what comes back. */
#ifndef LLMINF_TESTS_SUPPORT_H
#define LLMINF_TESTS_SUPPORT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

/* The folder of shared test data: $LLMINF_SHARED, or ../shared beside the source root. NULL where there is none. Static. */
const char *support_shared(void);

/* "<shared>/<name>" in memory that the caller frees; NULL where the folder or the file is missing. */
char *support_shared_file(const char *name);

/* "<source root>/<name>" in memory that the caller frees. */
char *support_source_file(const char *name);

/* A whole file in memory that the caller frees; NULL if it cannot be read. An empty file gives one byte of memory. */
uint8_t *support_read(const char *path, size_t *size_out);

/* Writes a new file under the test's temporary folder ($TMPDIR or /tmp); the path is the caller's to unlink and free. */
char *support_write_temporary(const void *bytes, size_t size);

/* A heap for llminf_options_set_allocator (user: the struct) that counts, and fails on demand. Zeroed, it only counts. */
struct support_heap {
    _Atomic int64_t n_calls;    /* allocations asked for */
    _Atomic int64_t live_bytes; /* given and not released */
    int64_t fail_at;            /* 1: the first call fails; 0: none does */
    int fail_on;                /* nonzero: so do all calls after it */
};

void *support_alloc(void *user, size_t size, size_t align);
void support_release(void *user, void *memory, size_t size);

/* Forgets the counts and sets the next failure. Live bytes stay: they belong to blocks that still live. */
void support_heap_arm(struct support_heap *heap, int64_t fail_at, int fail_on);

/* Numbers that are the same in each run; the state is any value, a different one gives another row. */
uint64_t support_random(uint64_t *state);
float support_random_float(uint64_t *state); /* -1 .. 1 */

#endif
