#include "file/gguf_override.h"

#include <math.h>
#include <string.h>

#include "llminf/status.h"

#include "base/error.h"
#include "base/format.h"
#include "base/utf8.h"

#define SUBJECT "override"
#define ALIGNMENT "general.alignment"

/* What the integers of a type may be; of 64 bits what the library reads of them. */
static const struct {
    int64_t min, max;
} ranges[] = {
    [LLI_GGUF_U8] = {0, UINT8_MAX},          [LLI_GGUF_I8] = {INT8_MIN, INT8_MAX},    [LLI_GGUF_U16] = {0, UINT16_MAX},
    [LLI_GGUF_I16] = {INT16_MIN, INT16_MAX}, [LLI_GGUF_U32] = {0, UINT32_MAX},        [LLI_GGUF_I32] = {INT32_MIN, INT32_MAX},
    [LLI_GGUF_U64] = {0, INT64_MAX},         [LLI_GGUF_I64] = {INT64_MIN, INT64_MAX},
};

static int read_bool(int *out, struct lli_text value)
{
    *out = value.len == 4 && memcmp(value.bytes, "true", 4) == 0;
    return *out || (value.len == 5 && memcmp(value.bytes, "false", 5) == 0) ? 0 : -1;
}

/* The type of a value that stands for itself. */
static uint32_t guess_kind(struct lli_text value)
{
    int truth;
    int64_t integer;
    double real;
    if (read_bool(&truth, value) == 0)
        return LLI_GGUF_BOOL;
    if (lli_format_read_int(&integer, value.bytes, value.len) == 0)
        return LLI_GGUF_I64;
    return lli_format_read_float(&real, value.bytes, value.len) == 0 ? LLI_GGUF_F32 : LLI_GGUF_STRING;
}

static int encode_float(uint8_t out[8], uint32_t kind, struct lli_text value)
{
    double real;
    if (lli_format_read_float(&real, value.bytes, value.len) < 0)
        return -1;
    float narrow = (float)real;
    if (kind == LLI_GGUF_F64)
        memcpy(out, &real, sizeof real);
    else
        memcpy(out, &narrow, sizeof narrow);
    return kind == LLI_GGUF_F64 || isfinite(narrow) ? 0 : -1;
}

/* The value as the file would have it, little-endian as every machine here. 0, or -1: the type has no such value. */
static int encode(uint8_t out[8], uint32_t kind, struct lli_text value)
{
    int truth;
    int64_t integer;
    if (kind == LLI_GGUF_F32 || kind == LLI_GGUF_F64)
        return encode_float(out, kind, value);
    if (kind == LLI_GGUF_BOOL) {
        int status = read_bool(&truth, value);
        out[0] = (uint8_t)truth;
        return status;
    }
    if (lli_format_read_int(&integer, value.bytes, value.len) < 0 || integer < ranges[kind].min || integer > ranges[kind].max)
        return -1;
    memcpy(out, &integer, sizeof integer);
    return 0;
}

/* The value of an entry whose key and kind are set. */
static int32_t put_value(struct lli_gguf_entry *e, struct lli_gguf *g, struct lli_text value, struct llminf_error *err)
{
    static const char *const names[] = {"uint8", "int8", "uint16", "int16",  "uint32", "int32",  "float32",
                                        "bool",  "",     "",       "uint64", "int64",  "float64"};
    uint8_t bytes[8];
    if (e->kind == LLI_GGUF_STRING) {
        e->texts = lli_arena_take(&g->arena, 1, sizeof *e->texts);
        if (e->texts != NULL)
            *e->texts = (struct lli_text){lli_arena_text(&g->arena, value.bytes, value.len), value.len};
        return e->texts != NULL && e->texts->bytes != NULL ? LLMINF_OK : lli_fail_memory(err, SUBJECT, value.len);
    }
    if (encode(bytes, e->kind, value) < 0)
        return lli_fail(err, LLMINF_E_OPTION, SUBJECT, "%s: \"%.*s\" is no %s", e->key, (int)value.len, value.bytes,
                        names[e->kind]);
    uint8_t *values = lli_arena_take(&g->arena, 1, sizeof bytes);
    if (values == NULL)
        return lli_fail_memory(err, SUBJECT, sizeof bytes);
    memcpy(values, bytes, sizeof bytes);
    e->values = values;
    return LLMINF_OK;
}

/* The entry of that key, a new one if there is none; the array has room for it. */
static int32_t find_entry(struct lli_gguf_entry **out, struct lli_gguf *g, struct lli_text key, struct lli_text value,
                          struct llminf_error *err)
{
    uint32_t at;
    if (lli_map_find(&g->keys, key.bytes, key.len, &at)) {
        *out = &g->entries[at];
        return !(*out)->is_array ? LLMINF_OK : lli_fail(err, LLMINF_E_OPTION, SUBJECT, "%s is an array", (*out)->key);
    }
    const char *name = lli_arena_text(&g->arena, key.bytes, key.len);
    if (name == NULL || lli_map_put(&g->keys, name, key.len, (uint32_t)g->n_entries) < 0)
        return lli_fail_memory(err, SUBJECT, key.len);
    *out = &g->entries[g->n_entries++];
    **out = (struct lli_gguf_entry){.key = name, .kind = guess_kind(value), .n = 1};
    return LLMINF_OK;
}

static int32_t override_one(struct lli_gguf *g, struct lli_text item, struct llminf_error *err)
{
    const char *sign = memchr(item.bytes, '=', item.len);
    struct lli_gguf_entry *e = NULL;
    if (sign == NULL || sign == item.bytes || memchr(item.bytes, 0, item.len) != NULL ||
        lli_utf8_valid(item.bytes, item.len) != item.len)
        return lli_fail(err, LLMINF_E_OPTION, SUBJECT, "\"%.*s\", want KEY=VALUE in UTF-8", (int)item.len, item.bytes);
    struct lli_text key = {item.bytes, (size_t)(sign - item.bytes)};
    struct lli_text value = {sign + 1, item.len - key.len - 1};
    if (key.len == strlen(ALIGNMENT) && memcmp(key.bytes, ALIGNMENT, key.len) == 0)
        return lli_fail(err, LLMINF_E_OPTION, SUBJECT, "%s says how the file is laid out", ALIGNMENT);
    int32_t status = find_entry(&e, g, key, value, err);
    if (status != LLMINF_OK)
        return status;
    e->pos = -1; /* not in the file */
    return put_value(e, g, value, err);
}

int32_t lli_gguf_override(struct lli_gguf *g, const struct lli_text *items, size_t n, struct llminf_error *err)
{
    struct lli_gguf_entry *entries;
    int32_t status = LLMINF_OK;
    if (n == 0)
        return LLMINF_OK;
    entries = lli_arena_take(&g->arena, g->n_entries + n, sizeof *entries);
    if (entries == NULL)
        return lli_fail_memory(err, SUBJECT, (g->n_entries + n) * sizeof *entries);
    memcpy(entries, g->entries, g->n_entries * sizeof *entries);
    g->entries = entries;
    for (size_t i = 0; i < n && status == LLMINF_OK; i++)
        status = override_one(g, items[i], err);
    return status;
}
