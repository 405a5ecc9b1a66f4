/* base/map.c - open addressing with linear probing, at most 70 % full, never a key taken out.
 *
 *     memory:  slots[mask + 1] | tags[mask + 1]
 *
 * A key sits at or after slot hash & mask with no empty slot between; its tag, the high half of the hash, spares nearly
 * every comparison of bytes. Growing hashes the keys again. */
#include "base/map.h"

#include <string.h>

#include "base/hash.h"
#include "base/size.h"

#define MIN_SLOTS 16u
#define FULL_TENTHS 7u

/* A map of the least power of two slots that n keys fill by 70 % at most. */
static int make_slots(struct lli_map *map, struct lli_heap *heap, size_t n)
{
    size_t n_slots = MIN_SLOTS, bytes;
    while (n_slots / 10 * FULL_TENTHS < n) {
        if (lli_size_mul(&n_slots, n_slots, 2))
            return -1;
    }
    if (lli_size_mul(&bytes, n_slots, sizeof *map->slots + sizeof *map->tags))
        return -1;
    struct lli_map_slot *slots = lli_alloc_zero(heap, 1, bytes);
    if (!slots)
        return -1;
    *map = (struct lli_map){.heap = heap, .slots = slots, .tags = (uint32_t *)(slots + n_slots), .mask = n_slots - 1};
    return 0;
}

/* The slot of the key, or the empty slot where it belongs. */
static size_t seek(const struct lli_map *map, const void *key, size_t len, uint64_t hash)
{
    uint32_t tag = (uint32_t)(hash >> 32);
    size_t i = (size_t)hash & map->mask;
    for (; map->slots[i].key; i = (i + 1) & map->mask) {
        const struct lli_map_slot *slot = &map->slots[i];
        if (map->tags[i] == tag && slot->len == len && (len == 0 || memcmp(slot->key, key, len) == 0))
            break;
    }
    return i;
}

static void enter(struct lli_map *map, size_t i, uint64_t hash, const struct lli_map_slot *slot)
{
    map->slots[i] = *slot;
    map->tags[i] = (uint32_t)(hash >> 32);
    map->n++;
}

static int grow(struct lli_map *map)
{
    struct lli_map larger;
    if (make_slots(&larger, map->heap, map->n + 1))
        return -1;
    for (size_t i = 0; map->slots && i <= map->mask; i++) {
        const struct lli_map_slot *slot = &map->slots[i];
        if (!slot->key)
            continue;
        uint64_t hash = lli_hash(slot->key, slot->len, 0);
        enter(&larger, seek(&larger, slot->key, slot->len, hash), hash, slot);
    }
    lli_map_finish(map);
    *map = larger;
    return 0;
}

int lli_map_init(struct lli_map *map, struct lli_heap *heap, size_t n)
{
    *map = (struct lli_map){.heap = heap};
    return make_slots(map, heap, n);
}

void lli_map_finish(struct lli_map *map)
{
    if (map->slots)
        lli_free(map->heap, map->slots);
    *map = (struct lli_map){.heap = map->heap};
}

static int is_full(const struct lli_map *map)
{
    return !map->slots || map->n >= (map->mask + 1) / 10 * FULL_TENTHS;
}

int lli_map_put(struct lli_map *map, const void *key, size_t len, uint32_t value)
{
    uint64_t hash = lli_hash(key, len, 0);
    if (map->slots && map->slots[seek(map, key, len, hash)].key)
        return 1;
    if (is_full(map) && grow(map))
        return -1;
    enter(map, seek(map, key, len, hash), hash, &(struct lli_map_slot){key, (uint32_t)len, value});
    return 0;
}

int lli_map_find(const struct lli_map *map, const void *key, size_t len, uint32_t *value_out)
{
    if (!map->slots)
        return 0;
    const struct lli_map_slot *slot = &map->slots[seek(map, key, len, lli_hash(key, len, 0))];
    if (!slot->key)
        return 0;
    if (value_out)
        *value_out = slot->value;
    return 1;
}
