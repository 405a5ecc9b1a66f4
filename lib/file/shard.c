/* file/shard.c - the other files are read each into a table of its own; when all are there, one table is made of them. Until
 * then the first file's is as it was. */
#include "file/shard.h"

#include <string.h>

#include "base/error.h"
#include "base/format.h"

#define MAX_SHARDS 1024
#define NAME_END "-%05lld-of-%05lld.gguf"
#define PREFIX "split."

struct split {
    int64_t no, count, n_tensors;
};

/* The others of a model, while they are read. */
struct others {
    struct lli_gguf *at; /* [count - 1] */
    int64_t n;
};

/* ---- numbers and names ------------------------------------------------------------------------------------------- */

static int32_t read_split(struct split *s, const struct lli_gguf *g, struct llminf_error *err)
{
    int32_t status = lli_gguf_get_int(&s->count, g, PREFIX "count", 1, err);
    if (status == 0)
        status = lli_gguf_get_int(&s->no, g, PREFIX "no", 0, err);
    if (status == 0)
        status = lli_gguf_get_int(&s->n_tensors, g, PREFIX "tensors.count", (int64_t)g->n_tensors, err);
    return status;
}

static int32_t check_numbers(const struct split *s, size_t n_tensors, struct llminf_error *err)
{
    if (s->count > MAX_SHARDS)
        return lli_fail(err, LLMINF_E_LIMIT, PREFIX "count", "%lld, the limit is %d", (long long)s->count, MAX_SHARDS);
    if (s->count < 1)
        return lli_fail(err, LLMINF_E_FORMAT, PREFIX "count", "%lld, want 1 and more", (long long)s->count);
    if (s->no != 0)
        return lli_fail(err, LLMINF_E_FORMAT, PREFIX "no", "%lld of %lld, want the first shard, 0", (long long)s->no,
                        (long long)s->count);
    int64_t n = (int64_t)n_tensors;
    if (s->n_tensors < n || (s->count == 1 && n != 0 && s->n_tensors != n)) /* 0: the table was not looked at */
        return lli_fail(err, LLMINF_E_FORMAT, PREFIX "tensors.count", "%lld, the first shard has %lld", (long long)s->n_tensors,
                        (long long)n);
    return 0;
}

/* The end of shard i's name (from 0), and how long it is. */
static size_t name_end(char out[64], int64_t i, int64_t count)
{
    return lli_format(out, 64, NAME_END, (long long)i + 1, (long long)count);
}

static int is_first_of(const char *path, int64_t count)
{
    char end[64];
    size_t n = name_end(end, 0, count), len = strlen(path);
    return len >= n && memcmp(path + len - n, end, n) == 0;
}

struct lli_stretch lli_shard_stretch(const struct lli_progress *progress, const char *path, int64_t i)
{
    int64_t count = 2;
    while (path && count <= MAX_SHARDS && !is_first_of(path, count))
        count++;
    if (!path || count > MAX_SHARDS)
        return (struct lli_stretch){progress, 0, 1};
    return (struct lli_stretch){progress, (double)i / (double)count, 1.0 / (double)count};
}

/* ---- the other files --------------------------------------------------------------------------------------------- */

static int32_t read_other(struct others *o, struct lli_files *files, const char *path, const struct split *s,
                          const struct lli_shard_options *options, struct llminf_error *err)
{
    struct lli_mapping m;
    struct lli_gguf *g = &o->at[o->n];
    struct split found;
    struct lli_stretch stretch = lli_shard_stretch(options->progress, path, o->n + 1);
    struct lli_progress progress = lli_stretch_progress(&stretch);
    char *name = lli_alloc(files->heap, strlen(path) + 1);
    if (!name)
        return lli_fail_memory(err, path, strlen(path) + 1);
    memcpy(name, path, strlen(path) + 1);
    char end[64];
    size_t n = name_end(end, o->n + 1, s->count);
    memcpy(name + strlen(name) - n, end, n);
    int32_t status = lli_mapping_open(&m, files->heap, name, options->load, &progress, err);
    if (status == 0)
        status = lli_files_add(files, &m, err);
    if (status == 0)
        status = lli_gguf_read(g, files->heap, m.bytes, m.size, &options->gguf, err);
    if (status == 0) {
        o->n++;
        status = read_split(&found, g, err);
        if (status == 0 && (found.no != o->n || found.count != s->count || found.n_tensors != s->n_tensors))
            status = lli_fail(err, LLMINF_E_FORMAT, name,
                              "says it is shard %lld of %lld with %lld tensors in all, want %lld of "
                              "%lld with %lld",
                              (long long)found.no, (long long)found.count, (long long)found.n_tensors, (long long)o->n,
                              (long long)s->count, (long long)s->n_tensors);
    }
    lli_free(files->heap, name);
    return status;
}

/* ---- one table --------------------------------------------------------------------------------------------------- */

static int32_t put_tensors(struct lli_gguf *g, struct lli_map *names, struct lli_gguf_tensor *to, const struct lli_gguf *from,
                           size_t *n, struct llminf_error *err)
{
    for (size_t i = 0; i < from->n_tensors; i++) {
        struct lli_gguf_tensor *t = &to[*n];
        *t = from->tensors[i];
        if (from != g)
            t->name = lli_arena_text(&g->arena, t->name, strlen(t->name));
        int known = t->name ? lli_map_put(names, t->name, strlen(t->name), (uint32_t)*n) : -1;
        if (known < 0)
            return lli_fail_memory(err, "tensors", sizeof *t);
        if (known)
            return lli_fail_at(err, LLMINF_E_FORMAT, t->pos, t->name, "tensor appears twice");
        ++*n;
    }
    return 0;
}

/* What the file said of the others is no more true. */
static int32_t drop_split(struct lli_gguf *g, struct llminf_error *err)
{
    struct lli_map keys = {0};
    size_t n = 0;
    if (lli_map_init(&keys, g->arena.heap, g->n_entries))
        return lli_fail_memory(err, "metadata", g->n_entries * sizeof(struct lli_map_slot));
    for (size_t i = 0; i < g->n_entries; i++) {
        if (strncmp(g->entries[i].key, PREFIX, sizeof PREFIX - 1) == 0)
            continue;
        g->entries[n] = g->entries[i];
        (void)lli_map_put(&keys, g->entries[n].key, strlen(g->entries[n].key), (uint32_t)n); /* there is room */
        n++;
    }
    lli_map_finish(&g->keys);
    g->keys = keys;
    g->n_entries = n;
    return 0;
}

static int32_t join(struct lli_gguf *g, const struct others *o, const struct split *s, struct llminf_error *err)
{
    struct lli_map names = {0};
    size_t n = 0, n_all = g->n_tensors;
    for (int64_t i = 0; i < o->n; i++)
        n_all += o->at[i].n_tensors;
    if ((int64_t)n_all != s->n_tensors)
        return lli_fail(err, LLMINF_E_FORMAT, PREFIX "tensors.count", "%lld, all shards together have %zu",
                        (long long)s->n_tensors, n_all);
    struct lli_gguf_tensor *tensors = lli_arena_take(&g->arena, n_all, sizeof *tensors);
    if (!tensors || lli_map_init(&names, g->arena.heap, n_all))
        return lli_fail_memory(err, "tensors", n_all * sizeof *tensors);
    int32_t status = put_tensors(g, &names, tensors, g, &n, err);
    for (int64_t i = 0; i < o->n && status == 0; i++)
        status = put_tensors(g, &names, tensors, &o->at[i], &n, err);
    if (status == 0)
        status = drop_split(g, err);
    if (status) {
        lli_map_finish(&names);
        return status;
    }
    lli_map_finish(&g->names);
    g->names = names;
    g->tensors = tensors;
    g->n_tensors = n_all;
    return 0;
}

int32_t lli_shard_join(struct lli_gguf *g, struct lli_files *files, const char *path, const struct lli_shard_options *options,
                       struct llminf_error *err)
{
    struct split s;
    struct others o = {0};
    int32_t status = read_split(&s, g, err);
    if (status == 0)
        status = check_numbers(&s, g->n_tensors, err);
    if (status || s.count == 1 || options->gguf.vocab_only)
        return status;
    if (!path)
        return lli_fail(err, LLMINF_E_UNSUPPORTED, PREFIX "count", "the first of %lld shards, want their path",
                        (long long)s.count);
    if (!is_first_of(path, s.count)) {
        char end[64];
        name_end(end, 0, s.count);
        return lli_fail(err, LLMINF_E_FORMAT, path, "the first of %lld shards, want a name that ends in %s", (long long)s.count,
                        end);
    }
    o.at = lli_alloc_zero(files->heap, (size_t)s.count - 1, sizeof *o.at);
    if (!o.at)
        return lli_fail_memory(err, path, (size_t)s.count * sizeof *o.at);
    while (status == 0 && o.n < s.count - 1)
        status = read_other(&o, files, path, &s, options, err);
    if (status == 0)
        status = join(g, &o, &s, err);
    while (o.n > 0)
        lli_gguf_finish(&o.at[--o.n]);
    lli_free(files->heap, o.at);
    return status;
}
