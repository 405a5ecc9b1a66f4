/* base/cpus.h - which CPUs this process may use, and how many threads. */
#ifndef LLI_BASE_CPUS_H
#define LLI_BASE_CPUS_H

#include <pthread.h>
#include <stdint.h>

/* CPUs in the affinity mask, bounded by the cgroup quota (v1 or v2, over all ancestors); at least 1. */
int lli_cpus_usable(void);

/* A set of CPUs; zeroed: empty. */
enum { LLI_CPUS_MOST = 1024 };

struct lli_cpus {
    uint64_t bits[LLI_CPUS_MOST / 64];
};

/* Numbers and ranges, as "0-3,8". 0, or -1: no such list, or a number of LLI_CPUS_MOST and more. */
int lli_cpus_read(struct lli_cpus *out, const char *text);

int lli_cpus_count(const struct lli_cpus *cpus);

/* The i-th of them, from 0 on; -1: there are not so many. */
int lli_cpus_at(const struct lli_cpus *cpus, int i);

/* Those of part i of n, all parts alike but for one CPU; where there are fewer than parts, one that others have too. */
void lli_cpus_share(struct lli_cpus *out, const struct lli_cpus *cpus, int i, int n);

/* The first of them that this process may not use; -1: it may use all. */
int lli_cpus_foreign(const struct lli_cpus *cpus);

/* From here on the thread runs on this one only. 0, or an errno. */
int lli_cpus_pin(pthread_t thread, int cpu);

#endif
