/* Every token is looked through once, when the sampler opens. */
#include "api/breaks.h"

#include <string.h>

#include "base/error.h"

/* An item has one byte at least. */
static int holds(const char *bytes, size_t n, const struct lli_text *item)
{
    for (const char *at = bytes, *end = bytes + n; item->len <= (size_t)(end - at); at++) {
        at = memchr(at, item->bytes[0], (size_t)(end - at) - item->len + 1);
        if (at == NULL)
            return 0;
        if (memcmp(at, item->bytes, item->len) == 0)
            return 1;
    }
    return 0;
}

static int holds_any(const struct lli_text *token, const struct lli_text *items, size_t n_items)
{
    for (size_t i = 0; i < n_items; i++)
        if (holds(token->bytes, token->len, &items[i]))
            return 1;
    return 0;
}

llminf_status lli_break_set_init(struct lli_break_set *set, struct lli_heap *heap, const struct lli_vocab *vocab,
                                 const struct lli_text *items, size_t n_items, llminf_error *error)
{
    size_t bytes = (vocab->n + 7u) / 8;
    *set = (struct lli_break_set){.heap = heap};
    set->in_token = lli_alloc_zero(heap, bytes, 1);
    if (set->in_token == NULL)
        return lli_fail_memory(error, "dry_breaker", bytes);
    for (uint32_t id = 0; id < vocab->n; id++)
        if (holds_any(&vocab->texts[id], items, n_items))
            set->in_token[id / 8] |= (uint8_t)(1u << id % 8);
    llminf_status status = lli_bans_init(&set->runs, heap, vocab, items, n_items, error);
    set->breaks = (struct lli_breaks){set->in_token, vocab->n, set->runs.at, set->runs.n};
    return status;
}

void lli_break_set_finish(struct lli_break_set *set)
{
    if (set->heap != NULL)
        lli_free(set->heap, set->in_token);
    lli_bans_finish(&set->runs);
    *set = (struct lli_break_set){0};
}

const struct lli_breaks *lli_break_set_of(const struct lli_break_set *set)
{
    return set->heap != NULL ? &set->breaks : NULL;
}
