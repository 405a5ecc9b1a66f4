#include "file/gguf_build.h"

#include <string.h>

#include "base/error.h"

#define ARENA_CHUNK_BYTES 4096
#define ALIGNMENT 32

void lli_gguf_build_begin(struct lli_gguf_build *b, struct lli_gguf *g, struct lli_heap *heap, struct llminf_error *err)
{
    *b = (struct lli_gguf_build){.g = g, .err = err};
    *g = (struct lli_gguf){.version = 3, .alignment = ALIGNMENT};
    lli_arena_init(&g->arena, heap, ARENA_CHUNK_BYTES);
}

static void fail_memory(struct lli_gguf_build *b, const char *subject, uint64_t bytes)
{
    b->status = lli_fail_memory(b->err, subject, bytes);
}

/* An array of the arena with room for one more behind n; the old one stays behind, so what it names stays good. */
static void *make_room(struct lli_gguf_build *b, void *old, size_t n, size_t *cap, size_t each)
{
    size_t more = *cap ? 2 * *cap : 32;
    if (n < *cap)
        return old;
    void *new = lli_arena_take(&b->g->arena, more, each);
    if (!new) {
        fail_memory(b, "metadata", (uint64_t)more * each);
        return NULL;
    }
    if (n > 0)
        memcpy(new, old, n * each);
    *cap = more;
    return new;
}

/* ---- entries ----------------------------------------------------------------------------------------------------- */

/* An entry of n values, of which nothing is set yet; NULL after a failure. */
static struct lli_gguf_entry *append(struct lli_gguf_build *b, const char *key, uint32_t kind, int is_array, size_t n)
{
    struct lli_gguf *g = b->g;
    if (b->status)
        return NULL;
    struct lli_gguf_entry *entries = make_room(b, g->entries, g->n_entries, &b->cap_entries, sizeof *entries);
    if (!entries)
        return NULL;
    g->entries = entries;
    struct lli_gguf_entry e = {.kind = kind, .is_array = (uint8_t)is_array, .n = n, .pos = -1};
    e.key = lli_arena_text(&g->arena, key, strlen(key));
    if (!e.key) {
        fail_memory(b, key, strlen(key));
        return NULL;
    }
    entries[g->n_entries] = e;
    return &entries[g->n_entries++];
}

static void append_values(struct lli_gguf_build *b, const char *key, uint32_t kind, int is_array, const void *values, size_t n)
{
    struct lli_gguf_entry *e = append(b, key, kind, is_array, n);
    size_t each = lli_gguf_value_bytes(kind);
    if (!e)
        return;
    uint8_t *bytes = lli_arena_take(&b->g->arena, n, each);
    if (!bytes) {
        fail_memory(b, key, (uint64_t)n * each);
        return;
    }
    if (n > 0)
        memcpy(bytes, values, n * each); /* little-endian machines only, as everywhere */
    e->values = bytes;
}

void lli_gguf_build_int(struct lli_gguf_build *b, const char *key, int64_t value)
{
    uint32_t v = (uint32_t)value;
    if (b->status == 0 && (value < 0 || value > UINT32_MAX))
        b->status = lli_fail(b->err, LLMINF_E_LIMIT, key, "%lld, want 0 to 2^32 - 1", (long long)value);
    append_values(b, key, LLI_GGUF_U32, 0, &v, 1);
}

void lli_gguf_build_float(struct lli_gguf_build *b, const char *key, double value)
{
    float v = (float)value;
    append_values(b, key, LLI_GGUF_F32, 0, &v, 1);
}

void lli_gguf_build_bool(struct lli_gguf_build *b, const char *key, int value)
{
    uint8_t v = value != 0;
    append_values(b, key, LLI_GGUF_BOOL, 0, &v, 1);
}

void lli_gguf_build_bools(struct lli_gguf_build *b, const char *key, const uint8_t *values, size_t n)
{
    append_values(b, key, LLI_GGUF_BOOL, 1, values, n);
}

void lli_gguf_build_ints(struct lli_gguf_build *b, const char *key, const int32_t *values, size_t n)
{
    append_values(b, key, LLI_GGUF_I32, 1, values, n);
}

void lli_gguf_build_floats(struct lli_gguf_build *b, const char *key, const float *values, size_t n)
{
    append_values(b, key, LLI_GGUF_F32, 1, values, n);
}

static void append_texts(struct lli_gguf_build *b, const char *key, int is_array, const struct lli_text *texts, size_t n)
{
    struct lli_gguf_entry *e = append(b, key, LLI_GGUF_STRING, is_array, n);
    struct lli_arena *arena = &b->g->arena;
    if (!e)
        return;
    e->texts = lli_arena_take(arena, n, sizeof *e->texts);
    for (size_t i = 0; e->texts && i < n; i++) {
        e->texts[i] = (struct lli_text){lli_arena_text(arena, texts[i].bytes, texts[i].len), texts[i].len};
        if (!e->texts[i].bytes)
            fail_memory(b, key, texts[i].len);
    }
    if (!e->texts)
        fail_memory(b, key, (uint64_t)n * sizeof *e->texts);
}

void lli_gguf_build_text(struct lli_gguf_build *b, const char *key, const char *text, size_t len)
{
    append_texts(b, key, 0, &(struct lli_text){text, len}, 1);
}

void lli_gguf_build_texts(struct lli_gguf_build *b, const char *key, const struct lli_text *texts, size_t n)
{
    append_texts(b, key, 1, texts, n);
}

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

void lli_gguf_build_tensor(struct lli_gguf_build *b, const struct lli_gguf_tensor *t)
{
    struct lli_gguf *g = b->g;
    if (b->status)
        return;
    struct lli_gguf_tensor *tensors = make_room(b, g->tensors, g->n_tensors, &b->cap_tensors, sizeof *tensors);
    if (!tensors)
        return;
    g->tensors = tensors;
    tensors[g->n_tensors] = *t;
    tensors[g->n_tensors].name = lli_arena_text(&g->arena, t->name, strlen(t->name));
    if (!tensors[g->n_tensors++].name)
        fail_memory(b, t->name, strlen(t->name));
}

/* ---- names ------------------------------------------------------------------------------------------------------- */

static void enter(struct lli_gguf_build *b, struct lli_map *map, const char *name, size_t i)
{
    int known = b->status ? 0 : lli_map_put(map, name, strlen(name), (uint32_t)i);
    if (known < 0)
        fail_memory(b, name, sizeof(struct lli_map_slot));
    else if (known)
        b->status = lli_fail(b->err, LLMINF_E_FORMAT, name, "appears twice");
}

int32_t lli_gguf_build_end(struct lli_gguf_build *b)
{
    struct lli_gguf *g = b->g;
    if (b->status == 0 &&
        (lli_map_init(&g->keys, g->arena.heap, g->n_entries) || lli_map_init(&g->names, g->arena.heap, g->n_tensors)))
        fail_memory(b, "metadata", (uint64_t)(g->n_entries + g->n_tensors) * sizeof(struct lli_map_slot));
    for (size_t i = 0; i < g->n_entries; i++)
        enter(b, &g->keys, g->entries[i].key, i);
    for (size_t i = 0; i < g->n_tensors; i++)
        enter(b, &g->names, g->tensors[i].name, i);
    return b->status;
}
