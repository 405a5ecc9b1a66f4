#include "file/safetensors.h"

#include <string.h>

#include "base/error.h"
#include "base/json.h"
#include "base/size.h"
#include "base/sort.h"

#define LENGTH_BYTES 8
#define ARENA_CHUNK_BYTES 4096

/* Types by the format's names, with bytes of an element; those of no weight type can be listed, not used. */
static const struct {
    const char *name;
    uint32_t bytes;
    int type; /* enum lli_type, -1: none */
} types[] = {{"F32", 4, LLI_F32}, {"F16", 2, LLI_F16}, {"BF16", 2, LLI_BF16}, {"F64", 8, -1},     {"I64", 8, -1},
             {"I32", 4, -1},      {"I16", 2, -1},      {"I8", 1, -1},         {"U64", 8, -1},     {"U32", 4, -1},
             {"U16", 2, -1},      {"U8", 1, -1},       {"BOOL", 1, -1},       {"F8_E4M3", 1, -1}, {"F8_E5M2", 1, -1}};

struct parser {
    struct lli_safetensors *out;
    struct lli_json json;
    const uint8_t *data; /* what stands behind the header */
    size_t size;
    const char *subject;
    struct llminf_error *err;
};

static int32_t fail(const struct parser *p, const struct lli_json_value *at, const char *subject, const char *what)
{
    return lli_fail_at(p->err, LLMINF_E_FORMAT, LENGTH_BYTES + (int64_t)at->at, subject, "%s", what);
}

static const struct lli_json_value *member(const struct parser *p, uint32_t object, const char *name, uint32_t kind)
{
    const struct lli_json_value *v = &p->json.values[lli_json_find(&p->json, object, name, strlen(name))];
    return v != p->json.values && v->kind == kind ? v : NULL;
}

/* ---- a tensor ---------------------------------------------------------------------------------------------------- */

static int32_t read_type(struct lli_st_tensor *t, uint32_t *bytes, const struct parser *p, uint32_t object)
{
    const struct lli_json_value *name = member(p, object, "dtype", LLI_JSON_TEXT);
    for (size_t i = 0; name && i < sizeof types / sizeof *types; i++)
        if (strlen(types[i].name) == name->n && memcmp(types[i].name, name->text, name->n) == 0) {
            t->type_name = types[i].name;
            t->type = types[i].type < 0 ? NULL : lli_dtype_find((uint32_t)types[i].type);
            *bytes = types[i].bytes;
            return 0;
        }
    return fail(p, &p->json.values[object], t->name, "\"dtype\" is no type of safetensors");
}

/* dims and, from them and the bytes of an element, bytes. */
static int32_t read_shape(struct lli_st_tensor *t, uint32_t bytes, const struct parser *p, uint32_t object)
{
    const struct lli_json_value *shape = member(p, object, "shape", LLI_JSON_ARRAY);
    t->bytes = bytes;
    if (!shape)
        return fail(p, &p->json.values[object], t->name, "no array \"shape\"");
    if (shape->n > LLI_MAX_DIMS)
        return lli_fail(p->err, LLMINF_E_LIMIT, t->name, "%u dimensions, the limit is %u", shape->n, LLI_MAX_DIMS);
    t->n_dims = shape->n;
    for (uint32_t i = 0; i < LLI_MAX_DIMS; i++)
        t->dims[i] = 1;
    for (uint32_t i = 0; i < shape->n; i++) {
        const struct lli_json_value *side = shape + 1 + i; /* numbers have no parts */
        if (side->kind != LLI_JSON_INT || side->number < 0 || lli_size_mul(&t->bytes, t->bytes, (size_t)side->number))
            return fail(p, side, t->name, "a side of \"shape\" is no size that memory can hold");
        t->dims[shape->n - 1 - i] = (uint64_t)side->number;
    }
    return 0;
}

static int32_t read_place(struct lli_st_tensor *t, const struct parser *p, uint32_t object)
{
    const struct lli_json_value *pair = member(p, object, "data_offsets", LLI_JSON_ARRAY);
    if (!pair || pair->n != 2 || pair[1].kind != LLI_JSON_INT || pair[2].kind != LLI_JSON_INT)
        return fail(p, &p->json.values[object], t->name, "no two numbers \"data_offsets\"");
    int64_t from = pair[1].number, to = pair[2].number;
    if (from < 0 || to < from || (uint64_t)to > p->size)
        return lli_fail_at(p->err, LLMINF_E_FORMAT, t->pos, t->name, "bytes %lld to %lld, the file has %zu of data",
                           (long long)from, (long long)to, p->size);
    if ((uint64_t)(to - from) != t->bytes)
        return lli_fail_at(p->err, LLMINF_E_FORMAT, t->pos, t->name, "%lld bytes, its shape and type want %zu",
                           (long long)(to - from), t->bytes);
    t->data = p->data + from;
    return 0;
}

static int32_t read_tensor(struct parser *p, uint32_t name, uint32_t object)
{
    struct lli_safetensors *out = p->out;
    struct lli_st_tensor *t = &out->tensors[out->n_tensors];
    const struct lli_json_value *key = &p->json.values[name];
    uint32_t bytes = 0;
    if (key->n == 0 || key->n > LLI_MAX_SAFETENSORS_NAME || strlen(key->text) != key->n)
        return fail(p, key, p->subject, "a tensor's name is empty, too long or has a NUL");
    t->name = lli_arena_text(&out->arena, key->text, key->n);
    if (!t->name)
        return lli_fail_memory(p->err, p->subject, key->n);
    t->pos = LENGTH_BYTES + (int64_t)key->at;
    if (p->json.values[object].kind != LLI_JSON_OBJECT)
        return fail(p, key, t->name, "is no object");
    int32_t status = read_type(t, &bytes, p, object);
    if (status == 0)
        status = read_shape(t, bytes, p, object);
    if (status == 0)
        status = read_place(t, p, object);
    if (status)
        return status;
    int known = lli_map_put(&out->names, t->name, key->n, (uint32_t)out->n_tensors);
    if (known < 0)
        return lli_fail_memory(p->err, p->subject, sizeof(struct lli_map_slot));
    if (known)
        return fail(p, key, t->name, "appears twice");
    out->n_tensors++;
    return 0;
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static int by_place(const void *a, const void *b, const void *user)
{
    const struct lli_st_tensor *tensors = user;
    uint32_t i, j;
    memcpy(&i, a, sizeof i);
    memcpy(&j, b, sizeof j);
    return tensors[i].data != tensors[j].data ? (tensors[i].data < tensors[j].data ? -1 : 1)
                                              : (tensors[i].bytes > tensors[j].bytes) - (tensors[i].bytes < tensors[j].bytes);
}

static int32_t check_overlap(const struct parser *p)
{
    const struct lli_safetensors *st = p->out;
    uint32_t *order = lli_alloc_array(st->arena.heap, st->n_tensors, sizeof *order);
    int32_t status = 0;
    if (!order)
        return lli_fail_memory(p->err, p->subject, st->n_tensors * sizeof *order);
    for (size_t i = 0; i < st->n_tensors; i++)
        order[i] = (uint32_t)i;
    lli_sort(order, st->n_tensors, sizeof *order, by_place, st->tensors);
    for (size_t i = 1; i < st->n_tensors && status == 0; i++) {
        const struct lli_st_tensor *before = &st->tensors[order[i - 1]], *t = &st->tensors[order[i]];
        if ((size_t)(t->data - before->data) < before->bytes)
            status = lli_fail_at(p->err, LLMINF_E_FORMAT, t->pos, t->name, "its data overlap those of %s", before->name);
    }
    lli_free(st->arena.heap, order);
    return status;
}

static int32_t read_tensors(struct parser *p)
{
    static const char metadata[] = "__metadata__";
    const struct lli_json_value *all = p->json.values;
    if (all->kind != LLI_JSON_OBJECT)
        return fail(p, all, p->subject, "the header is no object");
    if (all->n > LLI_MAX_TENSORS)
        return lli_fail(p->err, LLMINF_E_LIMIT, p->subject, "%u tensors, the limit is %u", all->n, LLI_MAX_TENSORS);
    p->out->tensors = lli_arena_take(&p->out->arena, all->n, sizeof *p->out->tensors);
    if (!p->out->tensors || lli_map_init(&p->out->names, p->out->arena.heap, all->n))
        return lli_fail_memory(p->err, p->subject, (uint64_t)all->n * sizeof *p->out->tensors);
    for (uint32_t name = 1; name < all->end; name = lli_json_next(&p->json, name + 1)) {
        int is_note = all[name].n == sizeof metadata - 1 && memcmp(all[name].text, metadata, all[name].n) == 0;
        int32_t status = is_note ? 0 : read_tensor(p, name, name + 1);
        if (status)
            return status;
    }
    return check_overlap(p);
}

static int32_t find_header(size_t *n_out, const uint8_t *bytes, size_t size, int64_t limit, const char *name,
                           struct llminf_error *err)
{
    uint64_t n = 0;
    if (size < LENGTH_BYTES)
        return lli_fail_at(err, LLMINF_E_FORMAT, (int64_t)size, name, "%zu bytes, want a safetensors file", size);
    for (int i = 0; i < LENGTH_BYTES; i++)
        n |= (uint64_t)bytes[i] << 8 * i;
    if (n > size - LENGTH_BYTES)
        return lli_fail_at(err, LLMINF_E_FORMAT, 0, name, "a header of %llu bytes in a file of %zu", (unsigned long long)n,
                           size);
    if (n > (uint64_t)limit)
        return lli_fail_at(err, LLMINF_E_LIMIT, 0, name, "a header of %llu bytes, the limit is %lld", (unsigned long long)n,
                           (long long)limit);
    *n_out = (size_t)n;
    return 0;
}

int32_t lli_safetensors_read(struct lli_safetensors *out, struct lli_heap *heap, const void *bytes, size_t size,
                             int64_t header_limit, const char *name, struct llminf_error *err)
{
    struct parser p = {.out = out, .subject = name, .err = err};
    const uint8_t *file = bytes;
    size_t n = 0;
    *out = (struct lli_safetensors){0};
    lli_arena_init(&out->arena, heap, ARENA_CHUNK_BYTES);
    int32_t status = find_header(&n, file, size, header_limit, name, err);
    if (status == 0)
        status = lli_json_read(&p.json, heap, (const char *)file + LENGTH_BYTES, n, name, err);
    if (status == 0) {
        p.data = file + LENGTH_BYTES + n;
        p.size = size - LENGTH_BYTES - n;
        status = read_tensors(&p);
    }
    lli_json_finish(&p.json);
    if (status)
        lli_safetensors_finish(out);
    return status;
}

void lli_safetensors_finish(struct lli_safetensors *st)
{
    lli_map_finish(&st->names);
    lli_arena_finish(&st->arena);
    *st = (struct lli_safetensors){0};
}

const struct lli_st_tensor *lli_safetensors_find(const struct lli_safetensors *st, const char *name)
{
    uint32_t i;
    return lli_map_find(&st->names, name, strlen(name), &i) ? &st->tensors[i] : NULL;
}
