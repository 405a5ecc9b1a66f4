#include "model/folder.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/limits.h"
#include "file/safetensors.h"
#include "model/folder_config.h"
#include "model/folder_generation.h"
#include "model/folder_tensors.h"

#define MAX_FILES 1024u
#define ONE_FILE "model.safetensors"
#define INDEX "model.safetensors.index.json"

struct files {
    struct lli_heap *heap;
    const char *path;
    const struct lli_folder_options *options;
    struct lli_gguf_build *b;
    struct lli_files *files;
    struct lli_text names[MAX_FILES];
    uint32_t n_names;
    struct lli_safetensors *at; /* [n_names] */
    size_t n;
};

/* Is there something of that name, and, with O_DIRECTORY, a folder? Nothing is opened. */
static int is_there(const char *path, int flags)
{
    int fd = open(path, O_PATH | O_CLOEXEC | flags);
    if (fd >= 0)
        close(fd);
    return fd >= 0;
}

int lli_folder_is(const char *path)
{
    return is_there(path, O_DIRECTORY);
}

/* PATH/NAME, to be freed; NULL without memory. */
static char *join(struct lli_heap *heap, const char *path, const char *name, size_t len)
{
    size_t n = strlen(path);
    char *out = lli_alloc(heap, n + len + 2);
    if (!out)
        return NULL;
    memcpy(out, path, n);
    out[n] = '/';
    memcpy(out + n + 1, name, len);
    out[n + 1 + len] = 0;
    return out;
}

int32_t lli_folder_open(struct lli_mapping *out, int *is_there_out, struct lli_heap *heap, const char *path, const char *name,
                        struct llminf_error *err)
{
    char *file = join(heap, path, name, strlen(name));
    int32_t status = 0;
    *out = (struct lli_mapping){0};
    if (!file)
        return lli_fail_memory(err, name, strlen(path) + strlen(name));
    if (is_there_out)
        *is_there_out = is_there(file, 0);
    if (!is_there_out || *is_there_out)
        status = lli_mapping_open(out, heap, file, LLI_LOAD_READ, NULL, err);
    lli_free(heap, file);
    return status;
}

int32_t lli_folder_open_as(struct lli_mapping *out, struct lli_heap *heap, const char *path, const char *name, int load,
                           const struct lli_progress *progress, struct llminf_error *err)
{
    char *file = join(heap, path, name, strlen(name));
    *out = (struct lli_mapping){0};
    if (!file)
        return lli_fail_memory(err, name, strlen(path) + strlen(name));
    int32_t status = lli_mapping_open(out, heap, file, load, progress, err);
    lli_free(heap, file);
    return status;
}

int32_t lli_folder_json(struct lli_json *out, int *is_there_out, struct lli_heap *heap, const char *path, const char *name,
                        struct llminf_error *err)
{
    struct lli_mapping m;
    *out = (struct lli_json){0};
    int32_t status = lli_folder_open(&m, is_there_out, heap, path, name, err);
    if (status == 0 && m.bytes)
        status = lli_json_read(out, heap, (const char *)m.bytes, m.size, name, err);
    lli_mapping_finish(&m);
    return status;
}

/* ---- the files of the tensors ------------------------------------------------------------------------------------ */

/* A file of the same folder. */
static int is_plain(const struct lli_json_value *v)
{
    return v->kind == LLI_JSON_TEXT && v->n > 0 && strlen(v->text) == v->n && !strchr(v->text, '/') && v->text[0] != '.';
}

static int32_t add_name(struct files *f, const struct lli_json_value *v)
{
    for (uint32_t i = 0; i < f->n_names; i++)
        if (f->names[i].len == v->n && memcmp(f->names[i].bytes, v->text, v->n) == 0)
            return 0;
    if (f->n_names == MAX_FILES)
        return lli_fail(f->b->err, LLMINF_E_LIMIT, INDEX, "more than %u files", MAX_FILES);
    f->names[f->n_names++] = (struct lli_text){v->text, v->n};
    return 0;
}

static int32_t list_indexed(struct files *f, const struct lli_json *index)
{
    uint32_t map = lli_json_find(index, 0, "weight_map", strlen("weight_map"));
    int32_t status = 0;
    if (map == 0 || index->values[map].kind != LLI_JSON_OBJECT || index->values[map].n == 0)
        return lli_fail(f->b->err, LLMINF_E_FORMAT, INDEX, "no object \"weight_map\" with tensors");
    for (uint32_t i = map + 1; i < index->values[map].end && status == 0; i = lli_json_next(index, i + 1)) {
        const struct lli_json_value *v = &index->values[i + 1];
        status = is_plain(v) ? add_name(f, v)
                             : lli_fail_at(f->b->err, LLMINF_E_FORMAT, v->at, INDEX, "%s is in no file of the folder",
                                           index->values[i].text);
    }
    return status;
}

static int32_t read_file(struct files *f, const struct lli_text *name)
{
    struct lli_mapping m;
    double share = 1.0 / f->n_names;
    struct lli_stretch stretch = {f->options->progress, (double)f->n * share, share};
    struct lli_progress progress = lli_stretch_progress(&stretch);
    char *path = join(f->heap, f->path, name->bytes, name->len);
    if (!path)
        return lli_fail_memory(f->b->err, f->path, name->len);
    int32_t status = lli_mapping_open(&m, f->heap, path, f->options->load, &progress, f->b->err);
    if (status == 0)
        status = lli_files_add(f->files, &m, f->b->err);
    if (status == 0)
        status = lli_safetensors_read(&f->at[f->n], f->heap, m.bytes, m.size, f->options->header_limit_bytes, path, f->b->err);
    f->n += status == 0;
    lli_free(f->heap, path);
    return status;
}

static int32_t read_files(struct files *f)
{
    int32_t status = 0;
    f->at = lli_alloc_zero(f->heap, f->n_names, sizeof *f->at);
    if (!f->at)
        return lli_fail_memory(f->b->err, f->path, f->n_names * sizeof *f->at);
    while (f->n < f->n_names && status == 0)
        status = read_file(f, &f->names[f->n]);
    return status;
}

static int32_t read_tensors(struct files *f, const struct lli_folder_config *config)
{
    struct lli_json index;
    int has_index;
    int32_t status = lli_folder_json(&index, &has_index, f->heap, f->path, INDEX, f->b->err);
    if (status == 0 && has_index)
        status = list_indexed(f, &index);
    else
        f->names[f->n_names++] = (struct lli_text){ONE_FILE, strlen(ONE_FILE)};
    if (status == 0)
        status = read_files(f);
    if (status == 0) {
        lli_folder_tensors(f->b, f->files, f->at, f->n, config);
        status = f->b->status;
    }
    while (f->n > 0)
        lli_safetensors_finish(&f->at[--f->n]);
    lli_free(f->heap, f->at);
    lli_json_finish(&index);
    return status;
}

/* What ends a generation; the file need not be there. */
static int32_t read_generation(struct files *f, const struct lli_json *config)
{
    struct lli_json generation;
    int is_there_out;
    int32_t status = lli_folder_json(&generation, &is_there_out, f->heap, f->path, "generation_config.json", f->b->err);
    if (status == 0)
        lli_folder_generation(f->b, &generation, config);
    lli_json_finish(&generation);
    return status ? status : f->b->status;
}

int32_t lli_folder_read(struct lli_gguf_build *b, struct lli_files *files, const char *path,
                        const struct lli_folder_options *options)
{
    struct lli_heap *heap = files->heap;
    struct lli_folder_config folder;
    struct lli_json config;
    struct files *f = lli_alloc_zero(heap, 1, sizeof *f); /* too large for a stack */
    b->status =
        f ? lli_folder_json(&config, NULL, heap, path, "config.json", b->err) : lli_fail_memory(b->err, path, sizeof *f);
    if (!f)
        return b->status;
    *f = (struct files){.heap = heap, .path = path, .options = options, .b = b, .files = files};
    if (b->status == 0)
        lli_folder_config(&folder, b, &config);
    if (b->status == 0)
        b->status = read_generation(f, &config);
    if (b->status == 0 && !options->no_tensors)
        b->status = read_tensors(f, &folder);
    lli_json_finish(&config);
    lli_free(heap, f);
    return b->status;
}
