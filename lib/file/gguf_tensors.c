/* file/gguf_tensors.c - goes over the table twice, as for the metadata: checks and counts, then fills. The data begin behind
 * the table, at the next multiple of the alignment; offsets count from there. */
#include "file/gguf_tensors.h"

#include <string.h>

#include "base/size.h"
#include "base/sort.h"

#define MIN_RECORD_BYTES 32 /* length of the name, one dimension and their number, type, offset */

static void read_name(struct lli_text *name, struct lli_gguf_cursor *c)
{
    *name = lli_gguf_cursor_text(c, "name", 0);
    if (c->status)
        return;
    lli_gguf_cursor_name(c, name);
    if (name->len == 0 || name->len > LLI_MAX_TENSOR_NAME)
        lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "tensor name of %zu bytes, want 1 to %u", name->len, LLI_MAX_TENSOR_NAME);
}

/* The dimensions, and the product of them in *n. */
static void read_dims(size_t *n, struct lli_gguf_tensor *t, struct lli_gguf_cursor *c)
{
    t->n_dims = lli_gguf_cursor_u32(c);
    if (c->status == 0 && (t->n_dims == 0 || t->n_dims > LLI_MAX_DIMS))
        lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "%u dimensions, want 1 to %u", t->n_dims, LLI_MAX_DIMS);
    *n = 1;
    for (uint32_t i = 0; i < LLI_MAX_DIMS; i++) {
        t->dims[i] = i < t->n_dims && c->status == 0 ? lli_gguf_cursor_u64(c) : 1;
        size_t dim = (size_t)t->dims[i];
        if (c->status == 0 && dim == 0)
            lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "dimension %u is 0", i);
        else if (dim != t->dims[i] || lli_size_mul(n, *n, dim))
            lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "more elements than memory can hold");
    }
}

/* Stands for the types of later releases where tensors are only listed. */
static const struct lli_dtype unknown_type = {.id = UINT32_MAX, .name = "unknown", .block = 1};

static void refuse_type(struct lli_gguf_cursor *c, uint32_t id)
{
    const char *name = lli_dtype_other(id);
    char known[200];
    lli_dtype_names(known, sizeof known);
    lli_gguf_cursor_fail(c, LLMINF_E_UNSUPPORTED, "weight type %u%s%s%s is not known, want %s", id, name ? " (" : "",
                         name ? name : "", name ? ")" : "", known);
}

static void read_type(struct lli_gguf_tensor *t, size_t n, struct lli_gguf_cursor *c)
{
    uint32_t id = lli_gguf_cursor_u32(c);
    if (c->status)
        return;
    t->type = lli_dtype_find(id);
    if (!t->type && c->list_only)
        t->type = &unknown_type;
    if (!t->type)
        refuse_type(c, id);
    else if (t->dims[0] % t->type->block)
        lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "row of %llu elements, %s wants a multiple of %u",
                             (unsigned long long)t->dims[0], t->type->name, t->type->block);
    else if (lli_size_mul(&t->bytes, n / t->type->block, t->type->block_bytes))
        lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "more bytes than memory can hold");
}

/* One record but for its place: the name in the file, the offset in *offset. */
static int32_t read_record(struct lli_gguf_tensor *t, struct lli_text *name, uint64_t *offset, struct lli_gguf_cursor *c)
{
    size_t n;
    memset(t, 0, sizeof *t);
    lli_gguf_cursor_record(c, "tensor");
    t->pos = c->record;
    read_name(name, c);
    read_dims(&n, t, c);
    read_type(t, n, c);
    *offset = lli_gguf_cursor_u64(c);
    return c->status;
}

static int32_t place(struct lli_gguf_tensor *t, uint64_t offset, size_t start, uint32_t alignment, struct lli_gguf_cursor *c)
{
    size_t size = (size_t)(c->reader.end - c->reader.start), left = start < size ? size - start : 0;
    if (offset % alignment)
        return lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "offset %llu is no multiple of %u", (unsigned long long)offset,
                                    alignment);
    if (offset > left || t->bytes > left - offset)
        return lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "%zu bytes at offset %llu, the file has %zu bytes of data", t->bytes,
                                    (unsigned long long)offset, left);
    t->data = c->reader.start + start + offset;
    return 0;
}

static int by_place(const void *a, const void *b, const void *user)
{
    const struct lli_gguf_tensor *tensors = user, *x, *y;
    uint32_t i, j;
    memcpy(&i, a, sizeof i);
    memcpy(&j, b, sizeof j);
    x = &tensors[i];
    y = &tensors[j];
    return x->data < y->data ? -1 : x->data > y->data;
}

/* FORMAT if two tensors share a byte. */
static int32_t check_overlap(const struct lli_gguf *g, struct lli_gguf_cursor *c)
{
    uint32_t *order = lli_alloc_array(g->arena.heap, g->n_tensors, sizeof *order);
    if (!order)
        return lli_gguf_cursor_fail(c, LLMINF_E_MEMORY, "no memory to order %zu tensors", g->n_tensors);
    for (size_t i = 0; i < g->n_tensors; i++)
        order[i] = (uint32_t)i;
    lli_sort(order, g->n_tensors, sizeof *order, by_place, g->tensors);
    for (size_t i = 1; i < g->n_tensors && !c->status; i++) {
        const struct lli_gguf_tensor *before = &g->tensors[order[i - 1]], *t = &g->tensors[order[i]];
        if ((size_t)(t->data - before->data) >= before->bytes)
            continue;
        c->record = t->pos;
        lli_gguf_cursor_name(c, &(struct lli_text){t->name, strlen(t->name)});
        lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "its data overlap those of %s", before->name);
    }
    lli_free(g->arena.heap, order);
    return c->status;
}

/* Fills g from the table, which has been checked; names: n_tensors names with their NULs, names_len bytes in all. */
static int32_t fill(struct lli_gguf *g, struct lli_gguf_cursor *c, char *names, size_t names_len, size_t start, size_t n)
{
    for (; g->n_tensors < n; g->n_tensors++) {
        struct lli_gguf_tensor *t = &g->tensors[g->n_tensors];
        struct lli_text name;
        uint64_t offset;
        if (read_record(t, &name, &offset, c) || (!c->list_only && place(t, offset, start, g->alignment, c)))
            return c->status;
        if (name.len >= names_len)
            return lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "changed while it was read");
        memcpy(names, name.bytes, name.len);
        names[name.len] = 0;
        t->name = names;
        names += name.len + 1;
        names_len -= name.len + 1;
        int known = lli_map_put(&g->names, t->name, strlen(t->name), (uint32_t)g->n_tensors);
        if (known < 0)
            return lli_gguf_cursor_fail(c, LLMINF_E_MEMORY, "no memory for the name");
        if (known)
            return lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "tensor appears twice");
    }
    return 0;
}

int32_t lli_gguf_tensors_read(struct lli_gguf *g, struct lli_gguf_cursor *c, uint64_t n)
{
    const struct lli_reader table = c->reader;
    size_t names_len = 0, start;
    lli_gguf_cursor_record(c, "n_tensors");
    if (lli_gguf_cursor_expect(c, n, MIN_RECORD_BYTES))
        return c->status;
    if (n > LLI_MAX_TENSORS)
        return lli_gguf_cursor_fail(c, LLMINF_E_LIMIT, "%llu tensors, the limit is %u", (unsigned long long)n, LLI_MAX_TENSORS);
    for (uint64_t i = 0; i < n; i++) {
        struct lli_gguf_tensor t;
        struct lli_text name;
        uint64_t offset;
        if (read_record(&t, &name, &offset, c))
            return c->status;
        names_len += name.len + 1;
    }
    lli_gguf_cursor_record(c, "n_tensors");
    if (lli_size_pad(&start, (size_t)lli_reader_pos(&c->reader), g->alignment))
        return lli_gguf_cursor_fail(c, LLMINF_E_FORMAT, "no room behind the table");
    g->tensors = lli_arena_take(&g->arena, (size_t)n, sizeof *g->tensors);
    char *names = lli_arena_take(&g->arena, names_len, 1);
    if (!g->tensors || !names || lli_map_init(&g->names, g->arena.heap, (size_t)n))
        return lli_gguf_cursor_fail(c, LLMINF_E_MEMORY, "no memory for %llu tensors", (unsigned long long)n);
    c->reader = table;
    c->trusted = 1;
    if (fill(g, c, names, names_len, start, (size_t)n) == 0 && !c->list_only)
        check_overlap(g, c);
    return c->status;
}
