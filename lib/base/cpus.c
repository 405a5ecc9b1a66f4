/* base/cpus.c - the affinity mask counts CPUs, a cgroup's quota bounds their time; what cannot be read bounds nothing.
 * Files: Linux, Documentation/admin-guide/cgroup-v2.rst (cpu.max) and scheduler/sched-bwc.rst (version 1). */
#include "base/cpus.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#include "base/format.h"

enum { MAX_CPUS = 8192, WORD_BITS = 8 * sizeof(unsigned long), FILE_BYTES = 2048, PATH_BYTES = 512 };

/* The affinity mask; 0, or -1: it cannot be read. */
static int read_affinity(unsigned long mask[MAX_CPUS / WORD_BITS])
{
    memset(mask, 0, MAX_CPUS / 8);
    return sched_getaffinity(0, MAX_CPUS / 8, (cpu_set_t *)(void *)mask);
}

static int count_affinity(void)
{
    unsigned long mask[MAX_CPUS / WORD_BITS];
    int n = 0;
    if (read_affinity(mask) != 0)
        return 1;
    for (size_t i = 0; i < MAX_CPUS / WORD_BITS; i++)
        n += __builtin_popcountl(mask[i]);
    return n > 0 ? n : 1;
}

/* The file's first bytes as text; 0 if there is none. */
static size_t read_text(char *out, size_t cap, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t n = 0;
    ssize_t got = 0;
    if (fd < 0)
        return 0;
    while (n + 1 < cap && ((got = read(fd, out + n, cap - 1 - n)) > 0 || (got < 0 && errno == EINTR)))
        n += got > 0 ? (size_t)got : 0;
    close(fd);
    out[n] = 0;
    return n;
}

/* The number at *at, which then stands behind it and one blank; -1: none ("max"). */
static int64_t read_number(const char **at)
{
    size_t n = strspn(*at, "-0123456789");
    int64_t value = -1;
    if (n == 0 || lli_format_read_int(&value, *at, n) != 0)
        value = -1;
    *at += n + strcspn(*at + n, " \n");
    *at += strspn(*at, " ");
    return value;
}

/* ceil(quota / period); 0: no bound. */
static int64_t quota_cpus(int64_t quota, int64_t period)
{
    return quota > 0 && period > 0 ? quota / period + (quota % period != 0) : 0;
}

/* The numbers at the start of a file of a cgroup, -1 for what is none; both -1 if there is no such file. */
static void read_numbers(int64_t out[2], const char *folder, const char *name)
{
    char path[PATH_BYTES + 32], text[64];
    const char *at = text;
    lli_format(path, sizeof path, "%s/%s", folder, name);
    if (read_text(text, sizeof text, path) == 0)
        text[0] = 0;
    out[0] = read_number(&at);
    out[1] = read_number(&at);
}

/* Version 2: "cpu.max" holds "quota period" or "max period". */
static int64_t bound_v2(const char *folder)
{
    int64_t numbers[2];
    read_numbers(numbers, folder, "cpu.max");
    return quota_cpus(numbers[0], numbers[1]);
}

/* Version 1: a file each. */
static int64_t bound_v1(const char *folder)
{
    int64_t quota[2], period[2];
    read_numbers(quota, folder, "cpu.cfs_quota_us");
    read_numbers(period, folder, "cpu.cfs_period_us");
    return quota_cpus(quota[0], period[0]);
}

/* The smallest bound of a cgroup and all its ancestors under `root`; group is cut as it climbs. */
static int64_t bound_of(const char *root, char *group, int64_t (*bound)(const char *folder))
{
    int64_t least = 0;
    for (;;) {
        char folder[PATH_BYTES];
        char *slash = strrchr(group, '/');
        int64_t here;
        lli_format(folder, sizeof folder, "%s%s", root, group);
        here = bound(folder);
        if (here > 0 && (least == 0 || here < least))
            least = here;
        if (slash == NULL)
            return least;
        *slash = 0;
    }
}

/* A line of /proc/self/cgroup is "id:controllers:/group". */
static int64_t bound_of_line(char *line)
{
    char *controllers = strchr(line, ':'), *group = controllers != NULL ? strchr(controllers + 1, ':') : NULL;
    if (group == NULL || strlen(group) > PATH_BYTES / 2)
        return 0;
    *group++ = 0;
    controllers++;
    if (*controllers == 0)
        return bound_of("/sys/fs/cgroup", group, bound_v2);
    if (strcmp(controllers, "cpu") == 0 || strcmp(controllers, "cpu,cpuacct") == 0 || strcmp(controllers, "cpuacct,cpu") == 0)
        return bound_of("/sys/fs/cgroup/cpu", group, bound_v1);
    return 0;
}

int lli_cpus_usable(void)
{
    static const char path[] = "/proc/self/cgroup";
    char text[FILE_BYTES];
    int n = count_affinity();
    if (read_text(text, sizeof text, path) == 0)
        return n;
    for (char *line = text, *next; line != NULL; line = next) {
        int64_t bound;
        next = strchr(line, '\n');
        if (next != NULL)
            *next++ = 0;
        bound = bound_of_line(line);
        if (bound > 0 && bound < n)
            n = (int)bound;
    }
    return n;
}

/* ---- sets -------------------------------------------------------------------------------------------------------- */

/* The number at *at, which then stands behind it; -1: none below LLI_CPUS_MOST. */
static int read_cpu(const char **at)
{
    size_t n = strspn(*at, "0123456789");
    int64_t value;
    if (n == 0 || lli_format_read_int(&value, *at, n) != 0 || value >= LLI_CPUS_MOST)
        return -1;
    *at += n;
    return (int)value;
}

int lli_cpus_read(struct lli_cpus *out, const char *text)
{
    memset(out, 0, sizeof *out);
    for (const char *at = text;; at++) {
        int first = read_cpu(&at), last = first;
        if (*at == '-') {
            at++;
            last = read_cpu(&at);
        }
        if (first < 0 || last < first || (*at != ',' && *at != 0))
            return -1;
        for (int cpu = first; cpu <= last; cpu++)
            out->bits[cpu / 64] |= UINT64_C(1) << cpu % 64;
        if (*at == 0)
            return 0;
    }
}

int lli_cpus_count(const struct lli_cpus *cpus)
{
    int n = 0;
    for (size_t i = 0; i < LLI_CPUS_MOST / 64; i++)
        n += __builtin_popcountll(cpus->bits[i]);
    return n;
}

static int has(const struct lli_cpus *cpus, int cpu)
{
    return cpus->bits[cpu / 64] >> cpu % 64 & 1;
}

int lli_cpus_at(const struct lli_cpus *cpus, int i)
{
    int cpu = 0;
    while (cpu < LLI_CPUS_MOST && (!has(cpus, cpu) || i-- > 0))
        cpu++;
    return cpu < LLI_CPUS_MOST ? cpu : -1;
}

void lli_cpus_share(struct lli_cpus *out, const struct lli_cpus *cpus, int i, int n)
{
    int count = lli_cpus_count(cpus), first = i * count / n, end = (i + 1) * count / n;
    *out = (struct lli_cpus){0};
    for (int k = first; k < end || (k == first && count > 0); k++) {
        int cpu = lli_cpus_at(cpus, k);
        out->bits[cpu / 64] |= UINT64_C(1) << cpu % 64;
    }
}

int lli_cpus_foreign(const struct lli_cpus *cpus)
{
    unsigned long mask[MAX_CPUS / WORD_BITS];
    if (read_affinity(mask) != 0)
        return lli_cpus_at(cpus, 0);
    for (int cpu = 0; cpu < LLI_CPUS_MOST; cpu++)
        if (has(cpus, cpu) && !(mask[(size_t)cpu / WORD_BITS] >> (size_t)cpu % WORD_BITS & 1))
            return cpu;
    return -1;
}

int lli_cpus_pin(pthread_t thread, int cpu)
{
    unsigned long mask[LLI_CPUS_MOST / WORD_BITS] = {0};
    mask[(size_t)cpu / WORD_BITS] = 1ul << (size_t)cpu % WORD_BITS;
    return pthread_setaffinity_np(thread, sizeof mask, (cpu_set_t *)(void *)mask);
}
