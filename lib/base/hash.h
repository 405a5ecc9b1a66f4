/* base/hash.h - XXH3 (https://xxhash.com), the only hash of the library. Not for secrets. */
#ifndef LLI_BASE_HASH_H
#define LLI_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t lli_hash(const void *bytes, size_t n, uint64_t seed);

#endif
