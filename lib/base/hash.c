/* base/hash.c - XXH3 as the library xxHash computes it. */
#include "base/hash.h"

#include <xxhash.h>

uint64_t lli_hash(const void *bytes, size_t n, uint64_t seed)
{
    return XXH3_64bits_withSeed(bytes, n, seed);
}

static void write_hex(char *out, uint64_t v)
{
    for (int i = 0; i < 16; i++)
        out[i] = "0123456789abcdef"[(v >> (60 - 4 * i)) & 15];
}

void lli_hash_text(char out[33], const void *bytes, size_t n)
{
    XXH128_hash_t hash = XXH3_128bits(bytes, n);
    write_hex(out, hash.high64);
    write_hex(out + 16, hash.low64);
    out[32] = '\0';
}
