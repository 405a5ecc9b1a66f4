/* How many CPUs are ours: the files of the kernel are rows of a table here, the affinity mask a number. Linked with open,
 * its 64-bit name and sched_getaffinity wrapped. */
#include "base/cpus.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

struct file {
    const char *path, *text;
};

enum { MAX_FILES = 6 };

static struct {
    int on, n_cpus;
    struct file files[MAX_FILES];
} kernel;

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __real_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *mask);
int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *mask);

/* The file's text comes out of a pipe. */
static int open_text(const char *text)
{
    int ends[2];
    if (pipe(ends) != 0)
        return -1;
    ssize_t written = write(ends[1], text, strlen(text));
    close(ends[1]);
    if (written == (ssize_t)strlen(text))
        return ends[0];
    close(ends[0]);
    return -1;
}

static int open_row(const char *path)
{
    for (int i = 0; i < MAX_FILES && kernel.files[i].path; i++)
        if (strcmp(kernel.files[i].path, path) == 0)
            return open_text(kernel.files[i].text);
    errno = ENOENT;
    return -1;
}

int __wrap_open(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0; /* what measures coverage makes files */
    va_end(args);
    return kernel.on ? open_row(path) : __real_open(path, flags, mode);
}

int __wrap_open64(const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
    va_end(args);
    return __wrap_open(path, flags, mode);
}

int __wrap_sched_getaffinity(pid_t pid, size_t size, cpu_set_t *mask)
{
    if (!kernel.on)
        return __real_sched_getaffinity(pid, size, mask);
    if (kernel.n_cpus < 0) {
        errno = EINVAL;
        return -1;
    }
    for (int i = 0; i < kernel.n_cpus; i++) /* every second one, as where threads share a core */
        ((unsigned char *)mask)[i / 4] |= (unsigned char)(1u << (i % 4 * 2));
    return 0;
}

struct row {
    const char *what;
    int n_cpus, want;
    struct file files[MAX_FILES];
};

#define GROUP "/proc/self/cgroup"
#define V2 "/sys/fs/cgroup"
#define V1 "/sys/fs/cgroup/cpu"

static const struct row rows[] = {
    {"no cgroups", 6, 6, {{0}}},
    {"more than 1024 CPUs", 3000, 3000, {{0}}},
    {"no affinity mask", -1, 1, {{0}}},
    {"no quota", 4, 4, {{GROUP, "0::/\n"}, {V2 "/cpu.max", "max 100000\n"}}},
    {"a quota rounds up", 8, 3, {{GROUP, "0::/job\n"}, {V2 "/job/cpu.max", "250000 100000\n"}}},
    {"a whole quota", 8, 2, {{GROUP, "0::/job\n"}, {V2 "/job/cpu.max", "200000 100000\n"}}},
    {"less than one CPU", 8, 1, {{GROUP, "0::/job\n"}, {V2 "/job/cpu.max", "1000 100000\n"}}},
    {"more than the mask", 2, 2, {{GROUP, "0::/job\n"}, {V2 "/job/cpu.max", "9000000 100000\n"}}},
    {"an ancestor's quota",
     8,
     2,
     {{GROUP, "0::/a/b/c\n"},
      {V2 "/a/b/c/cpu.max", "500000 100000\n"},
      {V2 "/a/b/cpu.max", "max 100000\n"},
      {V2 "/a/cpu.max", "150000 100000\n"}}},
    {"the root's quota, as a container sees it", 8, 4, {{GROUP, "0::/\n"}, {V2 "/cpu.max", "400000 100000\n"}}},
    {"a group that is not mounted", 8, 4, {{GROUP, "0::/far/away\n"}, {V2 "/cpu.max", "400000 100000\n"}}},
    {"version 1",
     8,
     3,
     {{GROUP, "5:memory:/m\n4:cpu,cpuacct:/job\n0::/\n"},
      {V1 "/job/cpu.cfs_quota_us", "120000\n"},
      {V1 "/job/cpu.cfs_period_us", "50000\n"}}},
    {"version 1, no quota",
     8,
     8,
     {{GROUP, "4:cpu:/\n"}, {V1 "//cpu.cfs_quota_us", "-1\n"}, {V1 "//cpu.cfs_period_us", "100000\n"}}},
    {"version 1, an ancestor's",
     8,
     2,
     {{GROUP, "4:cpuacct,cpu:/docker/0123\n"}, {V1 "/cpu.cfs_quota_us", "200000\n"}, {V1 "/cpu.cfs_period_us", "100000\n"}}},
    {"period of 0", 8, 8, {{GROUP, "0::/\n"}, {V2 "/cpu.max", "100000 0\n"}}},
    {"nonsense", 8, 8, {{GROUP, "0::/\n"}, {V2 "/cpu.max", "99999999999999999999999 -\n"}}},
    {"empty files", 8, 8, {{GROUP, ""}, {V2 "/cpu.max", ""}}},
    {"lines without fields", 8, 8, {{GROUP, "\n:\nabc\n0:\n"}, {V2 "/cpu.max", "100000 100000\n"}}},
};

/* 49 of the oracles in the design of the engine. */
static void usable(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        kernel.n_cpus = rows[i].n_cpus;
        memcpy(kernel.files, rows[i].files, sizeof kernel.files);
        kernel.on = 1;
        int got = lli_cpus_usable();
        kernel.on = 0;
        if (got != rows[i].want)
            fail_msg("%s: %d, want %d", rows[i].what, got, rows[i].want);
    }
}

/* What is larger than the room for it is cut, and still read without harm. */
static void long_files(void **state)
{
    static char text[20000];
    (void)state;
    memset(text, 'a', sizeof text - 1);
    memcpy(text, "0::/", 4);
    kernel.n_cpus = 8;
    memset(kernel.files, 0, sizeof kernel.files);
    kernel.files[0] = (struct file){GROUP, text};
    kernel.files[1] = (struct file){V2 "/cpu.max", "100000 100000\n"};
    kernel.on = 1;
    int got = lli_cpus_usable();
    kernel.on = 0;
    assert_int_equal(got, 8); /* the group's name is not known, so neither are its ancestors */
}

/* want: the CPUs in order, NULL: no list. foreign: where the even ones up to 14 are ours. */
static const struct list {
    const char *text, *want;
    int foreign;
} LISTS[] = {
    {"0", "0", -1},
    {"0,2-2,14", "0 2 14", -1},
    {"0-3,7", "0 1 2 3 7", 1},
    {"7,0", "0 7", 7},
    {"2,2,1-2", "1 2", 1},
    {"14,16", "14 16", 16},
    {"1023", "1023", 1023},
    {"63-65", "63 64 65", 63},
    {"", NULL, 0},
    {",", NULL, 0},
    {"1,", NULL, 0},
    {"-1", NULL, 0},
    {"3-1", NULL, 0},
    {"1024", NULL, 0},
    {"0-1024", NULL, 0},
    {"1-", NULL, 0},
    {"0 1", NULL, 0},
    {"1-2-3", NULL, 0},
    {"99999999999999999999", NULL, 0},
};

static void lists(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof LISTS / sizeof *LISTS; i++) {
        const struct list *row = &LISTS[i];
        struct lli_cpus cpus;
        char got[64] = "";
        size_t n = 0;
        int status = lli_cpus_read(&cpus, row->text);
        if ((status < 0) != (row->want == NULL))
            fail_msg("\"%s\": %d", row->text, status);
        if (status < 0)
            continue;
        for (int at = 0; lli_cpus_at(&cpus, at) >= 0; at++)
            n += (size_t)snprintf(got + n, sizeof got - n, at > 0 ? " %d" : "%d", lli_cpus_at(&cpus, at));
        assert_string_equal(got, row->want);
        kernel.n_cpus = 8;
        kernel.on = 1;
        int foreign = lli_cpus_foreign(&cpus);
        kernel.on = 0;
        assert_int_equal(foreign, row->foreign);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(usable),
        cmocka_unit_test(long_files),
        cmocka_unit_test(lists),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
