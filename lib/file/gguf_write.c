/* file/gguf_write.c - what gguf_metadata.c and gguf_tensors.c read, the other way round. The buffer remembers in `lost` that
 * memory was missing, so that only the end looks. */
#include "file/gguf_write.h"

#include <string.h>

#include "base/error.h"
#include "base/size.h"

struct writer {
    struct lli_buffer *out;
    int lost;
};

static void put(struct writer *w, const void *bytes, size_t n)
{
    w->lost |= lli_buffer_append(w->out, bytes, n) != 0;
}

static void put_u32(struct writer *w, uint32_t v)
{
    uint8_t b[4];
    for (unsigned i = 0; i < sizeof b; i++)
        b[i] = (uint8_t)(v >> 8 * i);
    put(w, b, sizeof b);
}

static void put_u64(struct writer *w, uint64_t v)
{
    put_u32(w, (uint32_t)v);
    put_u32(w, (uint32_t)(v >> 32));
}

static void put_text(struct writer *w, const char *text, size_t n)
{
    put_u64(w, n);
    put(w, text, n);
}

static void put_entry(struct writer *w, const struct lli_gguf_entry *e)
{
    put_text(w, e->key, strlen(e->key));
    if (e->is_array)
        put_u32(w, LLI_GGUF_ARRAY);
    put_u32(w, e->kind);
    if (e->is_array)
        put_u64(w, e->n);
    if (e->kind != LLI_GGUF_STRING)
        put(w, e->values, (size_t)e->n * lli_gguf_value_bytes(e->kind));
    for (uint64_t i = 0; e->kind == LLI_GGUF_STRING && i < e->n && !w->lost; i++)
        put_text(w, e->texts[i].bytes, e->texts[i].len);
}

static void put_number(struct writer *w, const struct lli_gguf_number *number)
{
    put_text(w, number->key, strlen(number->key));
    put_u32(w, LLI_GGUF_U32);
    put_u32(w, number->value);
}

static const struct lli_gguf_number *find_number(const char *key, const struct lli_gguf_number *numbers, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(numbers[i].key, key) == 0)
            return &numbers[i];
    return NULL;
}

static void put_metadata(struct writer *w, const struct lli_gguf *g, const struct lli_gguf_number *numbers, size_t n_numbers)
{
    for (size_t i = 0; i < g->n_entries && !w->lost; i++) {
        const struct lli_gguf_number *number = find_number(g->entries[i].key, numbers, n_numbers);
        if (number)
            put_number(w, number);
        else
            put_entry(w, &g->entries[i]);
    }
    for (size_t i = 0; i < n_numbers; i++)
        if (!lli_gguf_find(g, numbers[i].key))
            put_number(w, &numbers[i]);
}

/* Offsets count from the end of the head. Non-zero: they do not fit. */
static int put_table(struct writer *w, const struct lli_gguf *g, const struct lli_gguf_tensor *tensors)
{
    size_t offset = 0;
    for (size_t i = 0; i < g->n_tensors && !w->lost; i++) {
        const struct lli_gguf_tensor *t = &tensors[i];
        put_text(w, t->name, strlen(t->name));
        put_u32(w, t->n_dims);
        for (uint32_t d = 0; d < t->n_dims; d++)
            put_u64(w, t->dims[d]);
        put_u32(w, t->type->id);
        put_u64(w, offset);
        if (lli_size_add(&offset, offset, t->bytes) || lli_size_pad(&offset, offset, g->alignment))
            return -1;
    }
    return 0;
}

static size_t count_new(const struct lli_gguf *g, const struct lli_gguf_number *numbers, size_t n)
{
    size_t n_new = 0;
    for (size_t i = 0; i < n; i++)
        n_new += !lli_gguf_find(g, numbers[i].key);
    return n_new;
}

int32_t lli_gguf_write_head(struct lli_buffer *out, const struct lli_gguf *g, const struct lli_gguf_tensor *tensors,
                            const struct lli_gguf_number *numbers, size_t n_numbers, struct llminf_error *err)
{
    static const uint8_t zeros[LLI_MAX_ALIGNMENT];
    struct writer w = {.out = out};
    size_t start = out->len;
    put(&w, "GGUF", 4);
    put_u32(&w, 3);
    put_u64(&w, g->n_tensors);
    put_u64(&w, g->n_entries + count_new(g, numbers, n_numbers));
    put_metadata(&w, g, numbers, n_numbers);
    if (put_table(&w, g, tensors))
        return lli_fail(err, LLMINF_E_LIMIT, "tensors", "more bytes than memory can hold");
    put(&w, zeros, lli_gguf_padding(out->len - start, g->alignment));
    if (w.lost)
        return lli_fail_memory(err, "metadata", out->len - start);
    return 0;
}
