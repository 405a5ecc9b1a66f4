/* base/cpus.h - how many threads this process may really use. */
#ifndef LLI_BASE_CPUS_H
#define LLI_BASE_CPUS_H

/* CPUs in the affinity mask, bounded by the cgroup quota (v1 or v2, over all ancestors); at least 1. */
int lli_cpus_usable(void);

#endif
