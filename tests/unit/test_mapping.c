/* The ways to a file's bytes, with a system that interrupts, gives little or refuses.
 * Linked with pread, mmap, their 64-bit names and madvise wrapped. */
#include "file/mapping.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "llminf/status.h"
#include "support/gguf_make.h"
#include "support/support.h"

/* ---- the system */

static struct {
    int interrupts; /* calls that end with EINTR first */
    size_t most;    /* bytes of a read; 0: any */
    int fail_at;    /* the read that fails, from 1; 0: none */
    int end_at;     /* the read that gives nothing */
    int map_errno;  /* mmap fails so */
    int n_reads, n_maps;
    int n_advices;
    uint8_t *advised; /* the last: where, how much */
    size_t advised_bytes;
} fake;

ssize_t __real_pread(int fd, void *bytes, size_t n, off_t offset);
ssize_t __wrap_pread(int fd, void *bytes, size_t n, off_t offset);
ssize_t __wrap_pread64(int fd, void *bytes, size_t n, off_t offset);
void *__real_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset);
void *__wrap_mmap64(void *at, size_t n, int prot, int flags, int fd, off_t offset);
int __real_madvise(void *at, size_t n, int advice);
int __wrap_madvise(void *at, size_t n, int advice);

ssize_t __wrap_pread(int fd, void *bytes, size_t n, off_t offset)
{
    if (fake.interrupts > 0) {
        fake.interrupts--;
        errno = EINTR;
        return -1;
    }
    fake.n_reads++;
    if (fake.n_reads == fake.fail_at) {
        errno = EIO;
        return -1;
    }
    if (fake.n_reads == fake.end_at)
        return 0;
    return __real_pread(fd, bytes, fake.most && fake.most < n ? fake.most : n, offset);
}

ssize_t __wrap_pread64(int fd, void *bytes, size_t n, off_t offset)
{
    return __wrap_pread(fd, bytes, n, offset);
}

void *__wrap_mmap(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    fake.n_maps += fd >= 0;
    if (fd >= 0 && fake.map_errno) {
        errno = fake.map_errno;
        return MAP_FAILED;
    }
    return __real_mmap(at, n, prot, flags, fd, offset);
}

void *__wrap_mmap64(void *at, size_t n, int prot, int flags, int fd, off_t offset)
{
    return __wrap_mmap(at, n, prot, flags, fd, offset);
}

int __wrap_madvise(void *at, size_t n, int advice)
{
    if (advice == MADV_DONTNEED) {
        fake.n_advices++;
        fake.advised = at;
        fake.advised_bytes = n;
    }
    return __real_madvise(at, n, advice);
}

/* ---- a file, and opening it */

static uint8_t content[10000];
static char *path;
static struct lli_heap heap;

static int setup(void **state)
{
    (void)state;
    uint64_t random = 1;
    memset(&fake, 0, sizeof fake);
    lli_heap_init(&heap, NULL, NULL, NULL);
    for (size_t i = 0; i < sizeof content; i++)
        content[i] = (uint8_t)support_random(&random);
    path = support_write_temporary(content, sizeof content);
    return path ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    free(path);
    return heap.live_bytes == 0 ? 0 : -1;
}

static int n_told, stop_at;
static double last_told;

static int32_t told(void *user, double done)
{
    int rises = done >= last_told && done <= 1;
    assert_ptr_equal(user, &n_told);
    assert_true(rises);
    last_told = done;
    return ++n_told == stop_at;
}

static const struct lli_progress *listen(int stop)
{
    static const struct lli_progress progress = {told, &n_told};
    n_told = 0;
    last_told = 0;
    stop_at = stop;
    return &progress;
}

static void expect_content(int mode)
{
    struct lli_mapping m;
    assert_int_equal(lli_mapping_open(&m, &heap, path, mode, listen(0), NULL), 0);
    assert_int_equal(m.size, sizeof content);
    assert_memory_equal(m.bytes, content, sizeof content);
    assert_true(last_told == 1);
    lli_mapping_finish(&m);
    assert_null(m.bytes);
}

static int32_t status_of(const char *name, int mode, struct llminf_error *err)
{
    struct lli_mapping m;
    int32_t status = lli_mapping_open(&m, &heap, name, mode, NULL, err);
    lli_mapping_finish(&m);
    return status;
}

static void mapped_or_copied(void **state)
{
    (void)state;
    expect_content(LLI_LOAD_AUTO);
    expect_content(LLI_LOAD_MAP);
    assert_int_equal(fake.n_maps, 2);
    assert_int_equal(fake.n_reads, 0);
    expect_content(LLI_LOAD_READ);
    assert_int_equal(fake.n_maps, 2);
    assert_int_equal(fake.n_reads, 1);
}

static void interrupted_and_short_reads(void **state)
{
    (void)state;
    fake.interrupts = 3;
    fake.most = 37;
    expect_content(LLI_LOAD_READ);
    assert_int_equal(fake.interrupts, 0);
    assert_int_equal(fake.n_reads, (sizeof content + 36) / 37);
}

static void reads_that_fail(void **state)
{
    (void)state;
    struct llminf_error err;
    fake.most = 4096;
    for (int n = 1; n <= 3; n++) {
        fake.n_reads = 0;
        fake.fail_at = n;
        assert_int_equal(status_of(path, LLI_LOAD_READ, &err), LLMINF_E_IO);
        assert_int_equal(err.os_error, EIO);
        fake.n_reads = fake.fail_at = 0;
        fake.end_at = n; /* somebody made the file shorter */
        assert_int_equal(status_of(path, LLI_LOAD_READ, &err), LLMINF_E_IO);
        assert_string_equal(err.subject, path);
        fake.end_at = 0;
    }
}

static void maps_that_fail(void **state)
{
    (void)state;
    struct llminf_error err;
    fake.map_errno = EACCES;
    assert_int_equal(status_of(path, LLI_LOAD_AUTO, &err), LLMINF_E_IO);
    assert_int_equal(err.os_error, EACCES);
    fake.map_errno = ENOMEM;
    assert_int_equal(status_of(path, LLI_LOAD_MAP, &err), LLMINF_E_MEMORY);
}

static void only_regular_files(void **state)
{
    (void)state;
    char fifo[128], link[128];
    struct llminf_error err;
    snprintf(fifo, sizeof fifo, "%s.fifo", path);
    snprintf(link, sizeof link, "%s.link", path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(symlink("nowhere", link), 0);
    const struct {
        const char *name;
        int os_error;
    } rows[] = {{"/", EISDIR}, {fifo, EINVAL}, {"/dev/zero", EINVAL}, {link, ENOENT}, {"/nowhere/at/all", ENOENT},
                {"", ENOENT}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(status_of(rows[i].name, LLI_LOAD_AUTO, &err), LLMINF_E_IO);
        assert_int_equal(err.os_error, rows[i].os_error);
    }
    unlink(fifo);
    unlink(link);
}

static void an_empty_file(void **state)
{
    (void)state;
    struct lli_mapping m;
    assert_int_equal(truncate(path, 0), 0);
    for (int mode = LLI_LOAD_AUTO; mode <= LLI_LOAD_READ; mode++) {
        assert_int_equal(lli_mapping_open(&m, &heap, path, mode, NULL, NULL), 0);
        assert_true(m.size == 0 && m.bytes != NULL);
        lli_mapping_finish(&m);
    }
}

/* A terabyte of holes: mapped without being read. */
static void a_sparse_file(void **state)
{
    (void)state;
    struct lli_mapping m;
    if (truncate(path, (off_t)1 << 40))
        skip();
    int32_t status = lli_mapping_open(&m, &heap, path, LLI_LOAD_AUTO, NULL, NULL);
    assert_true(status == LLMINF_OK || status == LLMINF_E_LIMIT || status == LLMINF_E_MEMORY);
    if (status == LLMINF_OK)
        assert_true(m.size == (size_t)1 << 40 && m.bytes[0] == content[0] && m.bytes[m.size - 1] == 0);
    lli_mapping_finish(&m);
}

static void the_host_ends_a_load(void **state)
{
    (void)state;
    struct lli_mapping m;
    fake.most = 4096;
    for (int mode = LLI_LOAD_AUTO; mode <= LLI_LOAD_READ; mode++) {
        int stop = mode == LLI_LOAD_READ ? 2 : 1;
        assert_int_equal(lli_mapping_open(&m, &heap, path, mode, listen(stop), NULL), LLMINF_E_CALLBACK);
        assert_int_equal(n_told, stop);
        assert_int_equal(heap.live_bytes, 0);
    }
    assert_int_equal(lli_mapping_open(&m, &heap, path, LLI_LOAD_MAP, NULL, NULL), 0);
    assert_int_equal(lli_mapping_touch(&m, listen(0), NULL), 0);
    assert_true(last_told == 1);
    assert_int_equal(lli_mapping_touch(&m, listen(1), NULL), LLMINF_E_CALLBACK);
    lli_mapping_finish(&m);
}

/* Whole pages of a mapped file go, and come back when they are read; those of a copy are zero then. Nobody else's memory is
 * touched. */
static void pages_are_given_back(void **state)
{
    (void)state;
    struct lli_mapping m;
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    assert_int_equal(truncate(path, (off_t)(4 * page)), 0);
    assert_int_equal(lli_mapping_open(&m, &heap, path, LLI_LOAD_AUTO, NULL, NULL), 0);
    lli_mapping_release(&m, m.bytes + 1, page - 1);
    lli_mapping_release(&m, m.bytes + 1, 2 * page - 2);
    lli_mapping_release(&m, m.bytes + page, 0);
    assert_int_equal(fake.n_advices, 0);
    lli_mapping_release(&m, m.bytes + 1, 3 * page);
    assert_int_equal(fake.n_advices, 1);
    assert_ptr_equal(fake.advised, m.bytes + page);
    assert_int_equal(fake.advised_bytes, 2 * page);
    lli_mapping_release(&m, m.bytes, 4 * page);
    assert_int_equal(fake.n_advices, 2);
    assert_int_equal(fake.advised_bytes, 4 * page);
    assert_memory_equal(m.bytes, content, page < sizeof content ? page : sizeof content);
    assert_false(lli_mapping_loses(&m));
    lli_mapping_finish(&m);

    assert_int_equal(lli_mapping_open(&m, &heap, path, LLI_LOAD_READ, NULL, NULL), 0);
    assert_true(lli_mapping_loses(&m));
    lli_mapping_release(&m, m.bytes, m.size);
    assert_int_equal(fake.n_advices, 3);
    assert_true(fake.advised >= m.bytes && fake.advised + fake.advised_bytes <= m.bytes + m.size);
    assert_true(fake.advised_bytes >= 3 * page && *fake.advised == 0);
    lli_mapping_finish(&m);
    assert_int_equal(lli_mapping_open_memory(&m, content, sizeof content, NULL), 0);
    assert_false(lli_mapping_loses(&m));
    lli_mapping_release(&m, m.bytes, m.size);
    lli_mapping_finish(&m);
    assert_int_equal(fake.n_advices, 3);
}

/* ---- bytes and readers of the host */

struct host {
    int64_t most; /* bytes given at once */
    int fail_at;  /* the call that answers `answer` */
    int64_t answer;
    int n_calls;
};

static int64_t host_read(void *user, int64_t offset, void *bytes, size_t size)
{
    struct host *h = user;
    int64_t n = h->most < (int64_t)size ? h->most : (int64_t)size;
    if (++h->n_calls == h->fail_at)
        return h->answer < (int64_t)size ? h->answer : (int64_t)size + 1;
    memcpy(bytes, content + offset, (size_t)n);
    return n;
}

static void from_memory(void **state)
{
    (void)state;
    struct lli_mapping m;
    assert_int_equal(lli_mapping_open_memory(&m, content, sizeof content, NULL), 0);
    assert_ptr_equal(m.bytes, content);
    lli_mapping_finish(&m);
    assert_int_equal(lli_mapping_open_memory(&m, NULL, 0, NULL), 0);
    assert_non_null(m.bytes);
    lli_mapping_finish(&m);
    assert_int_equal(lli_mapping_open_memory(&m, content, SIZE_MAX, NULL), LLMINF_E_LIMIT);
}

static void from_a_reader(void **state)
{
    (void)state;
    static const int64_t wrong[] = {0, -1, INT64_MIN, INT64_MAX};
    struct lli_mapping m;
    struct host h = {.most = 33};
    assert_int_equal(lli_mapping_open_reader(&m, &heap, host_read, &h, sizeof content, listen(0), NULL), 0);
    assert_memory_equal(m.bytes, content, sizeof content);
    lli_mapping_finish(&m);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        h = (struct host){.most = 4096, .fail_at = (int)i % 3 + 1, .answer = wrong[i]};
        assert_int_equal(lli_mapping_open_reader(&m, &heap, host_read, &h, sizeof content, NULL, NULL), LLMINF_E_CALLBACK);
        assert_int_equal(heap.live_bytes, 0);
    }
    h = (struct host){.most = 4096};
    assert_int_equal(lli_mapping_open_reader(&m, &heap, host_read, &h, sizeof content, listen(1), NULL), LLMINF_E_CALLBACK);
    assert_int_equal(lli_mapping_open_reader(&m, &heap, host_read, &h, 0, NULL, NULL), 0);
    lli_mapping_finish(&m);
    assert_int_equal(lli_mapping_open_reader(&m, &heap, host_read, &h, -1, NULL, NULL), LLMINF_E_LIMIT);
    assert_int_equal(lli_mapping_open_reader(&m, &heap, host_read, &h, INT64_MAX - 64, NULL, NULL), LLMINF_E_MEMORY);
}

static void no_memory_for_a_copy(void **state)
{
    (void)state;
    struct support_heap failing = {.fail_at = 1};
    struct lli_heap own;
    struct lli_mapping m;
    lli_heap_init(&own, support_alloc, support_release, &failing);
    assert_int_equal(lli_mapping_open(&m, &own, path, LLI_LOAD_READ, NULL, NULL), LLMINF_E_MEMORY);
    assert_int_equal(failing.live_bytes, 0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(mapped_or_copied), TEST(interrupted_and_short_reads), TEST(reads_that_fail),
        TEST(maps_that_fail),   TEST(only_regular_files),          TEST(an_empty_file),
        TEST(a_sparse_file),    TEST(the_host_ends_a_load),        TEST(from_memory),
        TEST(from_a_reader),    TEST(no_memory_for_a_copy),        TEST(pages_are_given_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
