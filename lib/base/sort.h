/* base/sort.h - in-place sorting without memory (glibc's qsort allocates), O(n log n) for every input. Not stable. */
#ifndef LLI_BASE_SORT_H
#define LLI_BASE_SORT_H

#include <stddef.h>

/* < 0: a before b; 0: either. */
typedef int lli_sort_fn(const void *a, const void *b, const void *user);

/* each: at most 64 bytes. */
void lli_sort(void *items, size_t n, size_t each, lli_sort_fn *order, const void *user);

#endif
