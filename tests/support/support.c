#include "support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef LLMINF_SOURCE_ROOT
#define LLMINF_SOURCE_ROOT "."
#endif

static char *joined(const char *folder, const char *name)
{
    size_t size = strlen(folder) + strlen(name) + 2;
    char *path = malloc(size);
    if (path)
        snprintf(path, size, "%s/%s", folder, name);
    return path;
}

const char *support_shared(void)
{
    const char *folder = getenv("LLMINF_SHARED");
    if (!folder || !*folder)
        folder = LLMINF_SOURCE_ROOT "/../shared";
    return access(folder, R_OK | X_OK) == 0 ? folder : NULL;
}

char *support_shared_file(const char *name)
{
    const char *folder = support_shared();
    char *path = folder ? joined(folder, name) : NULL;
    if (path && access(path, R_OK) != 0) {
        free(path);
        path = NULL;
    }
    return path;
}

char *support_source_file(const char *name)
{
    return joined(LLMINF_SOURCE_ROOT, name);
}

uint8_t *support_read(const char *path, size_t *size_out)
{
    *size_out = 0;
    FILE *file = fopen(path, "rb");
    if (!file)
        return NULL;
    size_t size = 0, capacity = 1 << 16;
    uint8_t *bytes = malloc(capacity);
    while (bytes) {
        size += fread(bytes + size, 1, capacity - size, file);
        if (size < capacity)
            break;
        capacity *= 2;
        uint8_t *larger = realloc(bytes, capacity);
        if (!larger)
            free(bytes);
        bytes = larger;
    }
    if (bytes && ferror(file)) {
        free(bytes);
        bytes = NULL;
    }
    fclose(file);
    if (bytes)
        *size_out = size;
    return bytes;
}

char *support_write_temporary(const void *bytes, size_t size)
{
    const char *folder = getenv("TMPDIR");
    char *path = joined(folder && *folder ? folder : "/tmp", "llminf-test-XXXXXX");
    int fd = path ? mkstemp(path) : -1;
    size_t done = 0;
    while (fd >= 0 && done < size) {
        ssize_t n = write(fd, (const char *)bytes + done, size - done);
        if (n <= 0)
            break;
        done += (size_t)n;
    }
    if (fd < 0 || close(fd) != 0 || done < size) {
        if (fd >= 0)
            unlink(path);
        free(path);
        return NULL;
    }
    return path;
}

void *support_alloc(void *user, size_t size, size_t align)
{
    struct support_heap *heap = user;
    int64_t call = atomic_fetch_add(&heap->n_calls, 1) + 1;
    if (heap->fail_at > 0 && (call == heap->fail_at || (heap->fail_on && call > heap->fail_at)))
        return NULL;
    void *memory = NULL;
    if (align < sizeof(void *))
        align = sizeof(void *);
    if (posix_memalign(&memory, align, size ? size : 1) != 0)
        return NULL;
    atomic_fetch_add(&heap->live_bytes, (int64_t)size);
    return memory;
}

void support_release(void *user, void *memory, size_t size)
{
    struct support_heap *heap = user;
    if (memory)
        atomic_fetch_sub(&heap->live_bytes, (int64_t)size);
    free(memory);
}

void support_heap_arm(struct support_heap *heap, int64_t fail_at, int fail_on)
{
    atomic_store(&heap->n_calls, 0);
    heap->fail_at = fail_at;
    heap->fail_on = fail_on;
}

/* splitmix64 */
uint64_t support_random(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

float support_random_float(uint64_t *state)
{
    return (float)((int32_t)(support_random(state) >> 40) - (1 << 23)) * 0x1p-23f;
}
