#include "file/files.h"

#include <string.h>

#include "base/error.h"

void lli_files_init(struct lli_files *files, struct lli_heap *heap)
{
    *files = (struct lli_files){.heap = heap};
}

void lli_files_finish(struct lli_files *files)
{
    for (size_t i = 0; i < files->n; i++)
        lli_mapping_finish(&files->at[i]);
    if (files->heap)
        lli_free(files->heap, files->at);
    *files = (struct lli_files){0};
}

int32_t lli_files_add(struct lli_files *files, const struct lli_mapping *m, struct llminf_error *err)
{
    size_t bytes = (files->n + 1) * sizeof *files->at;
    struct lli_mapping *at = lli_realloc(files->heap, files->at, bytes), own = *m;
    if (!at) {
        lli_mapping_finish(&own);
        return lli_fail_memory(err, "file", bytes);
    }
    files->at = at;
    files->at[files->n++] = own;
    return 0;
}

int32_t lli_files_touch(const struct lli_files *files, const struct lli_progress *progress, struct llminf_error *err)
{
    double all = 0, done = 0;
    int32_t status = 0;
    for (size_t i = 0; i < files->n; i++)
        all += (double)files->at[i].size;
    for (size_t i = 0; i < files->n && status == 0; i++) {
        double size = (double)files->at[i].size;
        struct lli_stretch stretch = {progress, all > 0 ? done / all : 0, all > 0 ? size / all : 1};
        struct lli_progress part = lli_stretch_progress(&stretch);
        status = lli_mapping_touch(&files->at[i], &part, err);
        done += size;
    }
    return status;
}

static const struct lli_mapping *part_of(const struct lli_files *files, const uint8_t *bytes)
{
    for (size_t i = 0; i < files->n; i++)
        if ((uintptr_t)bytes - (uintptr_t)files->at[i].bytes < files->at[i].size)
            return &files->at[i];
    return NULL;
}

void lli_files_release(const struct lli_files *files, const uint8_t *bytes, size_t n)
{
    const struct lli_mapping *part = part_of(files, bytes);
    if (part)
        lli_mapping_release(part, bytes, n);
}

int lli_files_loses(const struct lli_files *files, const uint8_t *bytes)
{
    const struct lli_mapping *part = bytes ? part_of(files, bytes) : NULL;
    if (bytes)
        return part && lli_mapping_loses(part);
    for (size_t i = 0; i < files->n; i++)
        if (lli_mapping_loses(&files->at[i]))
            return 1;
    return 0;
}

/* ---- stretches --------------------------------------------------------------------------------------------------- */

static int32_t tell(void *user, double done)
{
    const struct lli_stretch *stretch = user;
    return stretch->whole->call(stretch->whole->user, stretch->from + stretch->share * done);
}

struct lli_progress lli_stretch_progress(struct lli_stretch *stretch)
{
    if (!stretch->whole || !stretch->whole->call)
        return (struct lli_progress){0};
    return (struct lli_progress){tell, stretch};
}
