/* text/charsmap.c - walks a double array of a file. A unit is
 *
 *     bit 31: it holds a value (bits 0 to 30)      else: bits 10 to 30 the offset, times 256 if bit 9 is set,
 *                                                        bit 8: a value hangs on it, bits 0 to 7: the byte that leads here
 *
 * and the child of unit k by byte c is unit k ^ offset(k) ^ c, if that names c. Units can be shared and a file can make
 * them lead in a circle, so a check visits each once, and a walk ends after LLI_MAX_CHARSMAP_KEY bytes.
 *
 * Source: S. Yata, Darts-clone; T. Kudo, J. Richardson, SentencePiece, 2018. */
#include "text/charsmap.h"

#include <string.h>

#include "base/alloc.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"

#define UNIT_BYTES 4u
#define IS_VALUE 0x80000000u
#define HAS_VALUE 0x100u

static uint32_t unit_at(const struct lli_charsmap *map, size_t k)
{
    const uint8_t *p = map->units + k * UNIT_BYTES;
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << (unit & 0x200 ? 8 : 0);
}

/* The byte that leads to a unit; more than a byte for one that holds a value. */
static uint32_t label_of(uint32_t unit)
{
    return unit & (IS_VALUE | 0xFF);
}

/* Whether the value beside a unit is one, and begins a text. */
static int has_good_value(const struct lli_charsmap *map, size_t base)
{
    uint32_t unit = unit_at(map, base), at = unit & ~IS_VALUE;
    return (unit & IS_VALUE) && at < map->texts_len && ((uint8_t)map->texts[at] & 0xC0) != 0x80;
}

/* Visits what can be reached from the root: 0, or the unit + 1 that leads outside. */
static size_t find_bad_unit(const struct lli_charsmap *map, uint8_t *seen, uint32_t *waiting)
{
    size_t n_waiting = 1;
    waiting[0] = 0;
    seen[0] = 1;
    while (n_waiting > 0) {
        size_t k = waiting[--n_waiting], base = k ^ offset_of(unit_at(map, k));
        if ((base | 0xFF) >= map->n || ((unit_at(map, k) & HAS_VALUE) && !has_good_value(map, base)))
            return k + 1;
        for (uint32_t c = 1; c < 256; c++) {
            size_t child = base ^ c;
            if (seen[child] || label_of(unit_at(map, child)) != c)
                continue;
            seen[child] = 1;
            waiting[n_waiting++] = (uint32_t)child;
        }
    }
    return 0;
}

static int32_t check_units(const struct lli_charsmap *map, struct lli_heap *heap, const char *subject, struct llminf_error *err)
{
    uint8_t *seen = lli_alloc_zero(heap, map->n, 1);
    uint32_t *waiting = lli_alloc_array(heap, map->n, sizeof *waiting);
    int32_t status = LLMINF_OK;
    size_t bad = seen && waiting ? find_bad_unit(map, seen, waiting) : 0;
    if (!seen || !waiting)
        status = lli_fail_memory(err, subject, (uint64_t)map->n * (1 + sizeof *waiting));
    else if (bad)
        status = lli_fail(err, LLMINF_E_FORMAT, subject, "unit %zu leads outside its %zu units or %zu bytes of texts", bad - 1,
                          map->n, map->texts_len);
    lli_free(heap, seen);
    lli_free(heap, waiting);
    return status;
}

int32_t lli_charsmap_read(struct lli_charsmap *out, struct lli_heap *heap, const uint8_t *bytes, size_t n, const char *subject,
                          struct llminf_error *err)
{
    *out = (struct lli_charsmap){NULL, 0, NULL, 0};
    if (n > LLI_MAX_CHARSMAP_BYTES)
        return lli_fail(err, LLMINF_E_LIMIT, subject, "%zu bytes, want at most %u", n, LLI_MAX_CHARSMAP_BYTES);
    struct lli_charsmap map = {bytes, 1, NULL, 0};
    size_t units_bytes = n < UNIT_BYTES ? 0 : unit_at(&map, 0);
    if (n < UNIT_BYTES || units_bytes == 0 || units_bytes % UNIT_BYTES || units_bytes >= n - UNIT_BYTES)
        return lli_fail(err, LLMINF_E_FORMAT, subject,
                        "%zu bytes of units in %zu bytes, want a multiple of %u with texts behind", units_bytes, n, UNIT_BYTES);
    map.units = bytes + UNIT_BYTES;
    map.n = units_bytes / UNIT_BYTES;
    map.texts = (const char *)map.units + units_bytes;
    map.texts_len = n - UNIT_BYTES - units_bytes;
    if (map.texts[map.texts_len - 1] != '\0' || lli_utf8_valid(map.texts, map.texts_len) != map.texts_len)
        return lli_fail(err, LLMINF_E_FORMAT, subject, "its texts are no UTF-8 with a NUL at the end");
    int32_t status = check_units(&map, heap, subject, err);
    if (status == LLMINF_OK)
        *out = map;
    return status;
}

size_t lli_charsmap_find(struct lli_text *out, const struct lli_charsmap *map, const char *text, size_t n)
{
    size_t found = 0, base = offset_of(unit_at(map, 0)), value = 0;
    for (size_t i = 0; i < n && i < LLI_MAX_CHARSMAP_KEY && text[i]; i++) {
        size_t k = base ^ (uint8_t)text[i];
        uint32_t unit = unit_at(map, k);
        if (label_of(unit) != (uint8_t)text[i])
            break;
        base = k ^ offset_of(unit);
        if ((unit & HAS_VALUE) && (i + 1 == n || ((uint8_t)text[i + 1] & 0xC0) != 0x80)) {
            value = unit_at(map, base) & ~IS_VALUE;
            found = i + 1;
        }
    }
    if (found)
        *out = (struct lli_text){map->texts + value, strlen(map->texts + value)};
    return found;
}
