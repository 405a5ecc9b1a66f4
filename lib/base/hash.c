/* base/hash.c - XXH3 as the library xxHash computes it. */
#include "base/hash.h"

#include <xxhash.h>

uint64_t lli_hash(const void *bytes, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, n, seed);
}
