#include "file/shard.h"

#include <string.h>

#include "base/error.h"
#include "base/format.h"
#include "file/mapping.h"

#define MAX_SHARDS 1024
#define NAME_END "-%05lld-of-%05lld.gguf"

struct split {
    int64_t no, count, n_tensors;
};

static int32_t read_split(struct split *s, const struct lli_gguf *g, struct llminf_error *err)
{
    int32_t status = lli_gguf_get_int(&s->count, g, "split.count", 1, err);
    if (status == 0)
        status = lli_gguf_get_int(&s->no, g, "split.no", 0, err);
    if (status == 0)
        status = lli_gguf_get_int(&s->n_tensors, g, "split.tensors.count", (int64_t)g->n_tensors, err);
    return status;
}

static int32_t check_numbers(const struct split *s, size_t n_tensors, struct llminf_error *err)
{
    if (s->count > MAX_SHARDS)
        return lli_fail(err, LLMINF_E_LIMIT, "split.count", "%lld, the limit is %d", (long long)s->count, MAX_SHARDS);
    if (s->count < 1)
        return lli_fail(err, LLMINF_E_FORMAT, "split.count", "%lld, want 1 and more", (long long)s->count);
    if (s->no != 0)
        return lli_fail(err, LLMINF_E_FORMAT, "split.no", "%lld of %lld, want the first shard, 0", (long long)s->no,
                        (long long)s->count);
    int64_t n = (int64_t)n_tensors;
    if (s->n_tensors < n || (s->count == 1 && n != 0 && s->n_tensors != n)) /* 0: the table was not looked at */
        return lli_fail(err, LLMINF_E_FORMAT, "split.tensors.count", "%lld, the first shard has %lld", (long long)s->n_tensors,
                        (long long)n);
    return 0;
}

/* Writes the end of shard i's name (from 0) over that of the first; FORMAT if the first is not called so. */
static int32_t name_shard(char *path, const struct split *s, int64_t i, struct llminf_error *err)
{
    char first[64], other[64];
    size_t n = lli_format(first, sizeof first, NAME_END, 1LL, (long long)s->count), len = strlen(path);
    lli_format(other, sizeof other, NAME_END, (long long)i + 1, (long long)s->count);
    if (i == 1 && (len < n || memcmp(path + len - n, first, n) != 0))
        return lli_fail(err, LLMINF_E_FORMAT, path, "the first of %lld shards, want a name that ends in %s",
                        (long long)s->count, first);
    memcpy(path + len - n, other, n);
    return 0;
}

static int32_t find_others(const struct split *s, struct lli_heap *heap, char *path, struct llminf_error *err)
{
    int32_t status = 0;
    for (int64_t i = 1; i < s->count && status == 0; i++) {
        struct lli_mapping m;
        status = name_shard(path, s, i, err);
        if (status == 0)
            status = lli_mapping_open(&m, heap, path, LLI_LOAD_MAP, NULL, err);
        if (status == 0)
            lli_mapping_finish(&m);
    }
    return status;
}

int32_t lli_shard_check(const struct lli_gguf *g, const char *path, struct llminf_error *err)
{
    struct split s;
    int32_t status = read_split(&s, g, err);
    if (status == 0)
        status = check_numbers(&s, g->n_tensors, err);
    if (status || s.count == 1)
        return status;
    if (path) {
        struct lli_heap *heap = g->arena.heap;
        size_t n = strlen(path) + 1;
        char *copy = lli_alloc(heap, n);
        if (!copy)
            return lli_fail_memory(err, path, n);
        memcpy(copy, path, n);
        status = find_others(&s, heap, copy, err);
        lli_free(heap, copy);
    }
    if (status)
        return status;
    return lli_fail(err, LLMINF_E_UNSUPPORTED, "split.count", "one of %lld shards; this release opens whole models only",
                    (long long)s.count);
}
