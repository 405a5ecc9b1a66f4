/* base/map.h - from byte strings to 32-bit values: open addressing over XXH3, keys borrowed. */
#ifndef LLI_BASE_MAP_H
#define LLI_BASE_MAP_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"

struct lli_map_slot {
    const void *key; /* NULL: empty */
    uint32_t len, value;
};

struct lli_map {
    struct lli_heap *heap;
    struct lli_map_slot *slots;
    uint32_t *tags; /* high half of the hash, beside the slots */
    size_t mask, n;
};

/* Room for n keys at once, grows beyond. 0, or -1 without memory. A zeroed map is empty and may be asked and finished. */
int lli_map_init(struct lli_map *map, struct lli_heap *heap, size_t n);
void lli_map_finish(struct lli_map *map);

/* 0: entered; 1: the key was there, its value is unchanged; -1: no memory. The key's bytes must outlive the map;
 * len < 2^32, len 0 is a key too (with a pointer that is not NULL). */
int lli_map_put(struct lli_map *map, const void *key, size_t len, uint32_t value);

/* 1 and the value, or 0. */
int lli_map_find(const struct lli_map *map, const void *key, size_t len, uint32_t *value_out);

#endif
