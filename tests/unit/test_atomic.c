/* A file appears whole or not at all, whatever the system refuses. Linked with write, fsync and rename wrapped. */
#include "file/atomic.h"

#include <dirent.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "llminf/status.h"
#include "support/support.h"

/* ---- the system */

static struct {
    int interrupts; /* calls that end with EINTR first */
    size_t most;    /* bytes of a write; 0: any */
    int fail_at;    /* the write that fails, from 1; 0: none */
    int sync_errno, rename_errno;
    int n_writes;
} fake;

ssize_t __real_write(int fd, const void *bytes, size_t n);
ssize_t __wrap_write(int fd, const void *bytes, size_t n);
int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

ssize_t __wrap_write(int fd, const void *bytes, size_t n)
{
    if (fake.interrupts > 0) {
        fake.interrupts--;
        errno = EINTR;
        return -1;
    }
    if (++fake.n_writes == fake.fail_at) {
        errno = ENOSPC;
        return -1;
    }
    return __real_write(fd, bytes, fake.most && fake.most < n ? fake.most : n);
}

int __wrap_fsync(int fd)
{
    if (fake.interrupts > 0) {
        fake.interrupts--;
        errno = EINTR;
        return -1;
    }
    errno = fake.sync_errno;
    return fake.sync_errno ? -1 : __real_fsync(fd);
}

int __wrap_rename(const char *from, const char *to)
{
    errno = fake.rename_errno;
    return fake.rename_errno ? -1 : __real_rename(from, to);
}

/* ---- a folder of its own */

static char folder[256];
static struct lli_heap heap;
static struct support_heap counted;

static const char *path_of(const char *name)
{
    static char path[1024];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

/* Files in the folder. */
static int n_files(void)
{
    DIR *dir = opendir(folder);
    int n = 0;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return n;
}

static int set_up(void **state)
{
    const char *tmp = getenv("TMPDIR");
    (void)state;
    memset(&fake, 0, sizeof fake);
    memset(&counted, 0, sizeof counted);
    lli_heap_init(&heap, support_alloc, support_release, &counted);
    snprintf(folder, sizeof folder, "%s/llminf-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return mkdtemp(folder) == NULL;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path_of("a"));
    return rmdir(folder) != 0 || counted.live_bytes != 0;
}

static void assert_content(const char *name, const char *want)
{
    size_t n;
    uint8_t *bytes = support_read(path_of(name), &n);
    assert_non_null(bytes);
    assert_int_equal(n, strlen(want));
    assert_memory_equal(bytes, want, n);
    free(bytes);
}

/* Writes the text in two parts; the status of the first call that fails. */
static int32_t make(const char *path, const char *text, struct llminf_error *err)
{
    struct lli_atomic file;
    size_t n = strlen(text), half = n / 2;
    int32_t status = lli_atomic_open(&file, &heap, path, err);
    if (status == 0)
        status = lli_atomic_write(&file, text, half, err);
    if (status == 0)
        status = lli_atomic_write(&file, text + half, n - half, err);
    if (status == 0)
        status = lli_atomic_commit(&file, err);
    lli_atomic_finish(&file);
    return status;
}

static void test_whole(void **state)
{
    struct lli_atomic file;
    struct stat info;
    mode_t mask = umask(022);
    (void)state;
    assert_int_equal(lli_atomic_open(&file, &heap, path_of("a"), NULL), 0);
    assert_int_equal(access(path_of("a"), F_OK), -1);
    assert_int_equal(n_files(), 1);
    assert_int_equal(lli_atomic_write(&file, "one", 3, NULL), 0);
    assert_int_equal(lli_atomic_write(&file, NULL, 0, NULL), 0);
    assert_int_equal(lli_atomic_write(&file, " two", 4, NULL), 0);
    assert_int_equal(access(path_of("a"), F_OK), -1);
    assert_true(file.size == 7);
    assert_int_equal(lli_atomic_commit(&file, NULL), 0);
    assert_content("a", "one two");
    assert_int_equal(n_files(), 1);
    assert_int_equal(stat(path_of("a"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0644);
    umask(mask);
    lli_atomic_finish(&file);
    assert_int_equal(make(path_of("a"), "another", NULL), 0);
    assert_content("a", "another");
    assert_int_equal(n_files(), 1);
}

/* In the folder that the process is in: a path without a slash. */
static void test_here(void **state)
{
    char before[4096];
    (void)state;
    assert_non_null(getcwd(before, sizeof before));
    assert_int_equal(chdir(folder), 0);
    assert_int_equal(make("a", "here", NULL), 0);
    assert_int_equal(chdir(before), 0);
    assert_content("a", "here");
    assert_int_equal(n_files(), 1);
}

static void test_slow_system(void **state)
{
    (void)state;
    fake.interrupts = 5;
    fake.most = 1;
    assert_int_equal(make(path_of("a"), "byte by byte", NULL), 0);
    assert_content("a", "byte by byte");
}

/* What stood there stays, and nothing else is left. */
static void test_refusals(void **state)
{
    static const struct {
        int fail_at, sync_errno, rename_errno, want;
    } rows[] = {{1, 0, 0, ENOSPC}, {2, 0, 0, ENOSPC}, {0, EIO, 0, EIO}, {0, 0, EROFS, EROFS}};
    (void)state;
    assert_int_equal(make(path_of("a"), "old", NULL), 0);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct llminf_error err;
        fake.n_writes = 0;
        fake.fail_at = rows[i].fail_at;
        fake.sync_errno = rows[i].sync_errno;
        fake.rename_errno = rows[i].rename_errno;
        assert_int_equal(make(path_of("a"), "new", &err), LLMINF_E_IO);
        assert_int_equal(err.os_error, rows[i].want);
        assert_string_equal(err.subject, path_of("a"));
        assert_content("a", "old");
        assert_int_equal(n_files(), 1);
    }
    memset(&fake, 0, sizeof fake);
}

static void test_given_up(void **state)
{
    struct lli_atomic file;
    (void)state;
    assert_int_equal(lli_atomic_open(&file, &heap, path_of("a"), NULL), 0);
    assert_int_equal(lli_atomic_write(&file, "half", 4, NULL), 0);
    lli_atomic_finish(&file);
    assert_int_equal(n_files(), 0);
    lli_atomic_finish(&file);
}

static void test_no_place(void **state)
{
    struct llminf_error err;
    char deep[512], name[300];
    (void)state;
    assert_int_equal(make(folder, "x", &err), LLMINF_E_IO);
    assert_int_equal(err.os_error, EISDIR);
    snprintf(deep, sizeof deep, "%s/none/a", folder);
    assert_int_equal(make(deep, "x", &err), LLMINF_E_IO);
    assert_int_equal(err.os_error, ENOENT);
    memset(name, 'n', sizeof name - 1);
    name[sizeof name - 1] = 0;
    assert_int_equal(make(path_of(name), "x", &err), LLMINF_E_IO);
    assert_int_equal(err.os_error, ENAMETOOLONG);
    assert_int_equal(n_files(), 0);
}

/* The longest name that a file system takes leaves room for the temporary one. */
static void test_long_name(void **state)
{
    char name[256];
    (void)state;
    memset(name, 'n', 255);
    name[255] = 0;
    assert_int_equal(make(path_of(name), "x", NULL), 0);
    assert_content(name, "x");
    assert_int_equal(unlink(path_of(name)), 0);
}

/* Two at once, in one process and to one place: the last one stays. */
static void test_two(void **state)
{
    struct lli_atomic one, two;
    (void)state;
    assert_int_equal(lli_atomic_open(&one, &heap, path_of("a"), NULL), 0);
    assert_int_equal(lli_atomic_open(&two, &heap, path_of("a"), NULL), 0);
    assert_int_equal(n_files(), 2);
    assert_int_equal(lli_atomic_write(&one, "one", 3, NULL), 0);
    assert_int_equal(lli_atomic_write(&two, "two", 3, NULL), 0);
    assert_int_equal(lli_atomic_commit(&two, NULL), 0);
    assert_content("a", "two");
    assert_int_equal(lli_atomic_commit(&one, NULL), 0);
    assert_content("a", "one");
    assert_int_equal(n_files(), 1);
}

/* Over the limit for files a write would raise a signal that ends the process. */
static void test_limit(void **state)
{
    struct rlimit before, low;
    struct llminf_error err;
    int32_t status;
    (void)state;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    low = before;
    low.rlim_cur = 5;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &low), 0);
    status = make(path_of("a"), "six...", &err);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(status, LLMINF_E_IO);
    assert_int_equal(err.os_error, EFBIG);
    assert_int_equal(n_files(), 0);
}

static void test_memory(void **state)
{
    (void)state;
    for (int64_t k = 1; k <= 2; k++) {
        support_heap_arm(&counted, k, 1);
        assert_int_equal(make(path_of("a"), "x", NULL), LLMINF_E_MEMORY);
        assert_int_equal(n_files(), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_here, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slow_system, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_given_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_no_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_two, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_limit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_memory, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
