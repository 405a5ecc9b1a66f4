#include "file/parts.h"

#include <string.h>

#include "base/error.h"

void lli_parts_init(struct lli_parts *parts, struct lli_heap *heap)
{
    *parts = (struct lli_parts){.heap = heap};
}

void lli_parts_finish(struct lli_parts *parts)
{
    for (size_t i = 0; i < parts->n; i++)
        lli_mapping_finish(&parts->at[i]);
    if (parts->heap)
        lli_free(parts->heap, parts->at);
    *parts = (struct lli_parts){0};
}

int32_t lli_parts_add(struct lli_parts *parts, const struct lli_mapping *m, struct llminf_error *err)
{
    size_t bytes = (parts->n + 1) * sizeof *parts->at;
    struct lli_mapping *at = lli_realloc(parts->heap, parts->at, bytes), own = *m;
    if (!at) {
        lli_mapping_finish(&own);
        return lli_fail_memory(err, "file", bytes);
    }
    parts->at = at;
    parts->at[parts->n++] = own;
    return 0;
}

int32_t lli_parts_touch(const struct lli_parts *parts, const struct lli_progress *progress, struct llminf_error *err)
{
    double all = 0, done = 0;
    int32_t status = 0;
    for (size_t i = 0; i < parts->n; i++)
        all += (double)parts->at[i].size;
    for (size_t i = 0; i < parts->n && status == 0; i++) {
        double size = (double)parts->at[i].size;
        struct lli_stretch stretch = {progress, all > 0 ? done / all : 0, all > 0 ? size / all : 1};
        struct lli_progress part = lli_stretch_progress(&stretch);
        status = lli_mapping_touch(&parts->at[i], &part, err);
        done += size;
    }
    return status;
}

static const struct lli_mapping *part_of(const struct lli_parts *parts, const uint8_t *bytes)
{
    for (size_t i = 0; i < parts->n; i++)
        if ((uintptr_t)bytes - (uintptr_t)parts->at[i].bytes < parts->at[i].size)
            return &parts->at[i];
    return NULL;
}

void lli_parts_release(const struct lli_parts *parts, const uint8_t *bytes, size_t n)
{
    const struct lli_mapping *part = part_of(parts, bytes);
    if (part)
        lli_mapping_release(part, bytes, n);
}

int lli_parts_loses(const struct lli_parts *parts, const uint8_t *bytes)
{
    const struct lli_mapping *part = bytes ? part_of(parts, bytes) : NULL;
    if (bytes)
        return part && lli_mapping_loses(part);
    for (size_t i = 0; i < parts->n; i++)
        if (lli_mapping_loses(&parts->at[i]))
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
