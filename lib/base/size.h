/* base/size.h - sums, products and padding of sizes that came from outside. Non-zero: does not fit, *out untouched. */
#ifndef LLI_BASE_SIZE_H
#define LLI_BASE_SIZE_H

#include <stddef.h>
#include <stdint.h>

static inline int lli_size_mul(size_t *out, size_t a, size_t b)
{
    size_t v;
    if (__builtin_mul_overflow(a, b, &v))
        return 1;
    *out = v;
    return 0;
}

static inline int lli_size_add(size_t *out, size_t a, size_t b)
{
    size_t v;
    if (__builtin_add_overflow(a, b, &v))
        return 1;
    *out = v;
    return 0;
}

/* align: a power of two. */
static inline int lli_size_pad(size_t *out, size_t n, size_t align)
{
    size_t v;
    if (__builtin_add_overflow(n, align - 1, &v))
        return 1;
    *out = v & ~(align - 1);
    return 0;
}

#endif
