/* A text has two runs where a vocabulary puts a space in front of a text's beginning: that one, and how it goes on inside. */
#include "api/bans.h"

#include <string.h>

#include "base/error.h"
#include "text/encode.h"

enum { RUNS = 2 };

/* Text behind a line feed is what follows other text: no space is put in front. 0 tokens: it does not stand apart there. */
static llminf_status encode_inside(struct lli_buffer *ids, const struct lli_vocab *vocab, const struct lli_text *item,
                                   llminf_error *error)
{
    struct lli_buffer text, feed, both;
    lli_buffer_init(&text, ids->heap);
    lli_buffer_init(&feed, ids->heap);
    lli_buffer_init(&both, ids->heap);
    llminf_status status = LLMINF_OK;
    if (lli_buffer_append(&text, "\n", 1) != 0 || lli_buffer_append(&text, item->bytes, item->len) != 0)
        status = lli_fail_memory(error, "ban", item->len + 1);
    if (status == LLMINF_OK)
        status = lli_encode(&feed, vocab, "\n", 1, 0, error);
    if (status == LLMINF_OK)
        status = lli_encode(&both, vocab, (const char *)text.bytes, text.len, 0, error);
    if (status == LLMINF_OK && both.len > feed.len && memcmp(both.bytes, feed.bytes, feed.len) == 0)
        if (lli_buffer_append(ids, both.bytes + feed.len, both.len - feed.len) != 0)
            status = lli_fail_memory(error, "ban", both.len);
    lli_buffer_finish(&text);
    lli_buffer_finish(&feed);
    lli_buffer_finish(&both);
    return status;
}

llminf_status lli_bans_init(struct lli_bans *bans, struct lli_heap *heap, const struct lli_vocab *vocab,
                            const struct lli_text *items, size_t n_items, llminf_error *error)
{
    llminf_status status = LLMINF_OK;
    *bans = (struct lli_bans){.heap = heap};
    lli_buffer_init(&bans->ids, heap);
    bans->at = lli_alloc_zero(heap, RUNS * n_items, sizeof *bans->at);
    if (bans->at == NULL)
        return lli_fail_memory(error, "ban", RUNS * n_items * sizeof *bans->at);
    for (size_t i = 0; i < RUNS * n_items && status == LLMINF_OK; i++) {
        const struct lli_text *item = &items[i / RUNS];
        size_t before = bans->ids.len;
        status = i % RUNS == 0 ? lli_encode(&bans->ids, vocab, item->bytes, item->len, 0, error)
                               : encode_inside(&bans->ids, vocab, item, error);
        if (bans->ids.len > before)
            bans->at[bans->n++].n = (bans->ids.len - before) / sizeof(int32_t);
    }
    const int32_t *next = (const int32_t *)(const void *)bans->ids.bytes;
    for (size_t i = 0; i < bans->n; next += bans->at[i++].n)
        bans->at[i].tokens = next;
    return status;
}

void lli_bans_finish(struct lli_bans *bans)
{
    if (bans->heap != NULL) {
        lli_buffer_finish(&bans->ids);
        lli_free(bans->heap, bans->at);
    }
    *bans = (struct lli_bans){0};
}
