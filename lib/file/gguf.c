/* file/gguf.c - the order of a GGUF file: header, metadata, table of tensors; then what is asked of it: metadata as numbers
 * and texts, from whatever type of the file holds them. */
#include "file/gguf.h"

#include <string.h>

#include "base/error.h"
#include "base/hash.h"
#include "file/gguf_cursor.h"
#include "file/gguf_metadata.h"
#include "file/gguf_tensors.h"

#define ARENA_CHUNK_BYTES 4096

static int32_t read_version(struct lli_gguf *g, struct lli_gguf_cursor *c)
{
    static const uint8_t magic[] = {'G', 'G', 'U', 'F'};
    lli_gguf_cursor_record(c, "magic");
    const uint8_t *found = lli_gguf_cursor_bytes(c, 1, sizeof magic);
    if (found && memcmp(found, magic, sizeof magic) != 0)
        return lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "not a GGUF file");
    lli_gguf_cursor_record(c, "version");
    g->version = lli_gguf_cursor_u32(c);
    if (c->status)
        return c->status;
    if (g->version == 0)
        return lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "0, want 2 or 3");
    if (g->version == 2u << 24 || g->version == 3u << 24)
        return lli_gguf_cursor_fail(c, LLMINF_E_UNSUPPORTED, "big endian");
    if (g->version != 2 && g->version != 3)
        return lli_gguf_cursor_fail(c, LLMINF_E_UNSUPPORTED, "%u, want 2 or 3", g->version);
    return 0;
}

static int32_t read_alignment(struct lli_gguf *g, struct llminf_error *err)
{
    static const char key[] = "general.alignment";
    int64_t v;
    int32_t status = lli_gguf_get_int(&v, g, key, 32, err);
    if (status)
        return status;
    if (v < (int64_t)LLI_MIN_ALIGNMENT || (v & (v - 1)) != 0)
        return lli_fail(err, LLMINF_E_FORMAT, key, "%lld, want a power of two from %u on", (long long)v, LLI_MIN_ALIGNMENT);
    if (v > (int64_t)LLI_MAX_ALIGNMENT)
        return lli_fail(err, LLMINF_E_LIMIT, key, "%lld, the limit is %u", (long long)v, LLI_MAX_ALIGNMENT);
    g->alignment = (uint32_t)v;
    return 0;
}

/* The first of several files may hold nothing but metadata. */
static int may_lack_tensors(const struct lli_gguf *g)
{
    return lli_gguf_find(g, "split.count") != NULL;
}

static int32_t read_all(struct lli_gguf *g, struct lli_gguf_cursor *c, const struct lli_gguf_options *options)
{
    if (read_version(g, c))
        return c->status;
    lli_gguf_cursor_record(c, "header");
    uint64_t n_tensors = lli_gguf_cursor_u64(c), n_kv = lli_gguf_cursor_u64(c);
    if (c->status)
        return c->status;
    int32_t status = lli_gguf_metadata_read(g, c, n_kv);
    if (status == 0)
        status = read_alignment(g, c->err);
    if (status)
        return status;
    c->list_only = options->vocab_only;
    if (n_tensors == 0 && (options->vocab_only || may_lack_tensors(g)))
        return 0;
    if (n_tensors == 0)
        return lli_fail(c->err, LLMINF_E_FORMAT, "n_tensors", "the file has no tensors");
    return lli_gguf_tensors_read(g, c, n_tensors);
}

int32_t lli_gguf_read(struct lli_gguf *out, struct lli_heap *heap, const void *bytes, size_t size,
                      const struct lli_gguf_options *options, struct llminf_error *err)
{
    struct lli_gguf_cursor c;
    memset(out, 0, sizeof *out);
    lli_arena_init(&out->arena, heap, ARENA_CHUNK_BYTES);
    lli_gguf_cursor_init(&c, bytes, size, options->header_limit_bytes, err);
    int32_t status = read_all(out, &c, options);
    if (status)
        lli_gguf_finish(out);
    return status;
}

void lli_gguf_finish(struct lli_gguf *g)
{
    lli_map_finish(&g->keys);
    lli_map_finish(&g->names);
    lli_arena_finish(&g->arena);
    memset(g, 0, sizeof *g);
}

const struct lli_gguf_entry *lli_gguf_find(const struct lli_gguf *g, const char *key)
{
    uint32_t i;
    return lli_map_find(&g->keys, key, strlen(key), &i) ? &g->entries[i] : NULL;
}

const struct lli_gguf_tensor *lli_gguf_tensor_find(const struct lli_gguf *g, const char *name)
{
    uint32_t i;
    return lli_map_find(&g->names, name, strlen(name), &i) ? &g->tensors[i] : NULL;
}

/* How a type is read: bytes of a value, and what they are. */
enum { NO_NUMBER, UNSIGNED, SIGNED, FLOAT };

static const struct {
    uint8_t bytes, is;
} kinds[] = {[LLI_GGUF_U8] = {1, UNSIGNED},     [LLI_GGUF_I8] = {1, SIGNED},     [LLI_GGUF_U16] = {2, UNSIGNED},
             [LLI_GGUF_I16] = {2, SIGNED},      [LLI_GGUF_U32] = {4, UNSIGNED},  [LLI_GGUF_I32] = {4, SIGNED},
             [LLI_GGUF_F32] = {4, FLOAT},       [LLI_GGUF_BOOL] = {1, UNSIGNED}, [LLI_GGUF_STRING] = {0, NO_NUMBER},
             [LLI_GGUF_ARRAY] = {0, NO_NUMBER}, [LLI_GGUF_U64] = {8, UNSIGNED},  [LLI_GGUF_I64] = {8, SIGNED},
             [LLI_GGUF_F64] = {8, FLOAT}};

size_t lli_gguf_value_bytes(uint32_t kind)
{
    return kind < sizeof kinds / sizeof *kinds ? kinds[kind].bytes : 0;
}

static uint64_t bits_at(const struct lli_gguf_entry *e, uint64_t i)
{
    unsigned n = kinds[e->kind].bytes;
    uint64_t v = 0;
    for (unsigned k = 0; k < n; k++)
        v |= (uint64_t)e->values[i * n + k] << 8 * k;
    return v;
}

int lli_gguf_int(int64_t *out, const struct lli_gguf_entry *e, uint64_t i)
{
    int is = kinds[e->kind].is;
    if (is != UNSIGNED && is != SIGNED)
        return -1;
    uint64_t bits = bits_at(e, i), sign = (uint64_t)1 << (8 * kinds[e->kind].bytes - 1);
    if (is == SIGNED) {
        *out = (bits & sign) ? -1 - (int64_t)(sign - 1 - (bits & (sign - 1))) : (int64_t)bits;
        return 0;
    }
    if (bits > INT64_MAX)
        return -1;
    *out = (int64_t)bits;
    return 0;
}

int lli_gguf_float(double *out, const struct lli_gguf_entry *e, uint64_t i)
{
    if (kinds[e->kind].is != FLOAT)
        return -1;
    uint64_t bits = bits_at(e, i);
    if (e->kind == LLI_GGUF_F64) {
        memcpy(out, &bits, sizeof *out);
        return 0;
    }
    uint32_t low = (uint32_t)bits;
    float f;
    memcpy(&f, &low, sizeof f);
    *out = (double)f;
    return 0;
}

int lli_gguf_text(struct lli_text *out, const struct lli_gguf_entry *e, uint64_t i)
{
    if (e->kind != LLI_GGUF_STRING)
        return -1;
    *out = e->texts[i];
    return 0;
}

/* The scalar of that key; NULL and *status 0 if absent, FORMAT if it is an array. */
static const struct lli_gguf_entry *find_scalar(const struct lli_gguf *g, const char *key, int32_t *status,
                                                struct llminf_error *err)
{
    const struct lli_gguf_entry *e = lli_gguf_find(g, key);
    *status = 0;
    if (e && e->is_array) {
        *status = lli_fail_at(err, LLMINF_E_FORMAT, e->pos, key, "an array, want one value");
        return NULL;
    }
    return e;
}

int32_t lli_gguf_get_int(int64_t *out, const struct lli_gguf *g, const char *key, int64_t otherwise, struct llminf_error *err)
{
    int32_t status;
    const struct lli_gguf_entry *e = find_scalar(g, key, &status, err);
    if (e && lli_gguf_int(out, e, 0))
        return lli_fail_at(err, LLMINF_E_FORMAT, e->pos, key, "value of type %u, want an integer below 2^63", e->kind);
    if (!e)
        *out = otherwise;
    return status;
}

int32_t lli_gguf_get_float(double *out, const struct lli_gguf *g, const char *key, double otherwise, struct llminf_error *err)
{
    int32_t status;
    const struct lli_gguf_entry *e = find_scalar(g, key, &status, err);
    if (e && lli_gguf_float(out, e, 0))
        return lli_fail_at(err, LLMINF_E_FORMAT, e->pos, key, "value of type %u, want a float", e->kind);
    if (!e)
        *out = otherwise;
    return status;
}

int32_t lli_gguf_get_bool(int *out, const struct lli_gguf *g, const char *key, int otherwise, struct llminf_error *err)
{
    int32_t status;
    const struct lli_gguf_entry *e = find_scalar(g, key, &status, err);
    if (e && e->kind != LLI_GGUF_BOOL)
        return lli_fail_at(err, LLMINF_E_FORMAT, e->pos, key, "value of type %u, want a bool", e->kind);
    *out = e ? e->values[0] != 0 : otherwise;
    return status;
}

int32_t lli_gguf_get_text(struct lli_text *out, const struct lli_gguf *g, const char *key, const char *otherwise,
                          struct llminf_error *err)
{
    int32_t status;
    const struct lli_gguf_entry *e = find_scalar(g, key, &status, err);
    if (e && lli_gguf_text(out, e, 0))
        return lli_fail_at(err, LLMINF_E_FORMAT, e->pos, key, "value of type %u, want a string", e->kind);
    if (!e)
        *out = (struct lli_text){otherwise, otherwise ? strlen(otherwise) : 0};
    return status;
}

/* ---- fingerprint ------------------------------------------------------------------------------------------------- */

enum { SAMPLE_BYTES = 4096 };

static int is_note(const char *key)
{
    static const char general[] = "general.";
    return strncmp(key, general, sizeof general - 1) == 0 || strcmp(key, "tokenizer.chat_template") == 0;
}

static uint64_t hash_entry(const struct lli_gguf_entry *e, uint64_t hash)
{
    const uint32_t kind[2] = {e->kind, e->is_array};
    hash = lli_hash(e->key, strlen(e->key), hash);
    hash = lli_hash(kind, sizeof kind, hash);
    if (e->values)
        return lli_hash(e->values, (size_t)(e->n * lli_gguf_value_bytes(e->kind)), hash);
    for (uint64_t i = 0; e->texts && i < e->n; i++)
        hash = lli_hash(e->texts[i].bytes, e->texts[i].len, hash);
    return hash;
}

static uint64_t hash_tensor(const struct lli_gguf_tensor *t, uint64_t hash)
{
    size_t n = t->bytes < SAMPLE_BYTES ? t->bytes : SAMPLE_BYTES;
    hash = lli_hash(t->name, strlen(t->name), hash);
    hash = lli_hash(t->type->name, strlen(t->type->name), hash);
    hash = lli_hash(t->dims, sizeof t->dims, hash);
    if (!t->data)
        return hash;
    hash = lli_hash(t->data, n, hash);
    return lli_hash(t->data + (t->bytes - n) / 2, n, hash);
}

uint64_t lli_gguf_fingerprint(const struct lli_gguf *g)
{
    uint64_t hash = 0;
    for (size_t i = 0; i < g->n_entries; i++)
        if (!is_note(g->entries[i].key))
            hash = hash_entry(&g->entries[i], hash);
    for (size_t i = 0; i < g->n_tensors; i++)
        hash = hash_tensor(&g->tensors[i], hash);
    return hash;
}
