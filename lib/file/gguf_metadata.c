/* file/gguf_metadata.c - goes over the entries twice: the first way checks everything and counts, the second fills memory
 * of exactly that size. So nothing is taken on the word of the file; and should its bytes change between the two ways, the
 * counts still bound what is written. */
#include "file/gguf_metadata.h"

#include <string.h>

#define TOKENS "tokenizer.ggml.tokens" /* the only strings that may hold a NUL */
#define MIN_ENTRY_BYTES 13             /* length of the key, type, a value of one byte */

/* Least bytes of a value in the file; a string has its length. */
static const uint8_t value_bytes[] = {
    [LLI_GGUF_U8] = 1,  [LLI_GGUF_I8] = 1,   [LLI_GGUF_U16] = 2, [LLI_GGUF_I16] = 2,    [LLI_GGUF_U32] = 4, [LLI_GGUF_I32] = 4,
    [LLI_GGUF_F32] = 4, [LLI_GGUF_BOOL] = 1, [LLI_GGUF_U64] = 8, [LLI_GGUF_STRING] = 8, [LLI_GGUF_I64] = 8, [LLI_GGUF_F64] = 8};

/* What the entries need, or have left. */
struct room {
    uint64_t key_bytes, n_texts;
    char *keys;
    struct lli_text *texts;
};

static struct lli_text read_key(struct lli_gguf_cursor *c)
{
    lli_gguf_cursor_record(c, "metadata");
    struct lli_text key = lli_gguf_cursor_text(c, "key", 0);
    if (c->status)
        return key;
    lli_gguf_cursor_name(c, &key);
    if (key.len == 0)
        lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "empty key");
    if (key.len > LLI_MAX_KEY_BYTES)
        lli_gguf_cursor_fail(c, LLMINF_E_LIMIT, "key of %zu bytes, the limit is %u", key.len, LLI_MAX_KEY_BYTES);
    return key;
}

/* The type of the value and, of an array, its elements and their number. */
static void read_type(struct lli_gguf_entry *e, struct lli_gguf_cursor *c)
{
    e->n = 1;
    e->kind = lli_gguf_cursor_u32(c);
    e->is_array = e->kind == LLI_GGUF_ARRAY;
    if (e->is_array) {
        e->kind = lli_gguf_cursor_u32(c);
        e->n = lli_gguf_cursor_u64(c);
    }
    if (c->status)
        return;
    if (e->kind == LLI_GGUF_ARRAY)
        lli_gguf_cursor_fail(c, LLMINF_E_UNSUPPORTED, "array of arrays");
    else if (e->kind >= sizeof value_bytes)
        lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "value type %u, want 0 to 12", e->kind);
    else if (lli_gguf_cursor_expect(c, e->n, value_bytes[e->kind]) == 0 && e->n > LLI_MAX_ARRAY_ELEMENTS)
        lli_gguf_cursor_fail(c, LLMINF_E_LIMIT, "array of %llu elements, the limit is %u", (unsigned long long)e->n,
                             LLI_MAX_ARRAY_ELEMENTS);
}

/* texts: room for e->n, or NULL to check only. */
static void read_texts(struct lli_text *texts, const struct lli_gguf_entry *e, struct lli_gguf_cursor *c, int nul_ok)
{
    for (uint64_t i = 0; i < e->n && !c->status; i++) {
        struct lli_text text = lli_gguf_cursor_text(c, "string", nul_ok);
        if (texts)
            texts[i] = text;
    }
}

static void read_values(struct lli_gguf_entry *e, struct lli_gguf_cursor *c)
{
    e->values = lli_gguf_cursor_bytes(c, e->n, value_bytes[e->kind]);
    if (!e->values || e->kind != LLI_GGUF_BOOL)
        return;
    for (uint64_t i = 0; i < e->n && !c->status; i++) {
        if (e->values[i] > 1)
            lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "bool of value %u, want 0 or 1", e->values[i]);
    }
}

/* Takes the entry's memory from the room that the first way measured. */
static int take_room(struct room *room, struct lli_gguf_entry *e, const struct lli_text *key)
{
    uint64_t n_texts = e->kind == LLI_GGUF_STRING ? e->n : 0;
    if (key->len >= room->key_bytes || n_texts > room->n_texts)
        return -1;
    memcpy(room->keys, key->bytes, key->len);
    room->keys[key->len] = 0;
    e->key = room->keys;
    room->keys += key->len + 1;
    room->key_bytes -= key->len + 1;
    e->texts = e->kind == LLI_GGUF_STRING ? room->texts : NULL;
    room->texts += n_texts;
    room->n_texts -= n_texts;
    return 0;
}

/* One entry; the texts and the key's copy only when the room has memory, otherwise it counts what they need. */
static int32_t read_entry(struct lli_gguf_entry *e, struct lli_gguf_cursor *c, struct room *room)
{
    memset(e, 0, sizeof *e);
    struct lli_text key = read_key(c);
    e->pos = c->record;
    read_type(e, c);
    if (c->status)
        return c->status;
    if (room->keys && take_room(room, e, &key))
        return lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "changed while it was read");
    if (!room->keys) {
        room->key_bytes += key.len + 1;
        room->n_texts += e->kind == LLI_GGUF_STRING ? e->n : 0;
    }
    int nul_ok = key.len == strlen(TOKENS) && memcmp(key.bytes, TOKENS, key.len) == 0;
    if (e->kind == LLI_GGUF_STRING)
        read_texts(e->texts, e, c, nul_ok);
    else
        read_values(e, c);
    return c->status;
}

static int take_memory(struct lli_gguf *g, struct room *room, size_t n)
{
    g->entries = lli_arena_take(&g->arena, n, sizeof *g->entries);
    room->keys = lli_arena_take(&g->arena, (size_t)room->key_bytes, 1);
    room->texts = lli_arena_take(&g->arena, (size_t)room->n_texts, sizeof *room->texts);
    return g->entries && room->keys && room->texts && lli_map_init(&g->keys, g->arena.heap, n) == 0 ? 0 : -1;
}

static int32_t enter(struct lli_gguf *g, struct lli_gguf_cursor *c)
{
    const char *key = g->entries[g->n_entries].key;
    int known = lli_map_put(&g->keys, key, strlen(key), (uint32_t)g->n_entries);
    if (known < 0)
        return lli_gguf_cursor_fail(c, LLMINF_E_MEMORY, "no memory for the key");
    if (known)
        return lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "key appears twice");
    g->n_entries++;
    return 0;
}

int32_t lli_gguf_metadata_read(struct lli_gguf *g, struct lli_gguf_cursor *c, uint64_t n)
{
    const struct lli_reader start = c->reader;
    struct room room = {0};
    struct lli_gguf_entry e;
    lli_gguf_cursor_record(c, "n_kv");
    if (n == 0)
        return lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "no metadata");
    if (lli_gguf_cursor_expect(c, n, MIN_ENTRY_BYTES))
        return c->status;
    if (n > LLI_MAX_METADATA)
        return lli_gguf_cursor_fail(c, LLMINF_E_LIMIT, "%llu entries, the limit is %u", (unsigned long long)n,
                                    LLI_MAX_METADATA);
    for (uint64_t i = 0; i < n; i++) {
        if (read_entry(&e, c, &room))
            return c->status;
    }
    if (take_memory(g, &room, (size_t)n))
        return lli_gguf_cursor_fail(c, LLMINF_E_MEMORY, "no memory for %llu entries", (unsigned long long)n);
    c->reader = start;
    c->trusted = 1;
    for (uint64_t i = 0; i < n; i++) {
        if (read_entry(&g->entries[i], c, &room) || enter(g, c))
            break;
    }
    c->trusted = 0;
    return c->status;
}
