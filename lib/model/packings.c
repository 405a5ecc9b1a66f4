/* model/packings.c - see packings.h. A list under one lock. Holds are counted only where pages can be lost: elsewhere the
 * file's rows are always there, and nobody who uses them waits for a packing. */
#include "model/packings.h"

#include <string.h>

#include "base/error.h"
#include "model/sliced.h"

struct lli_packing {
    struct lli_packing *older;
    uint32_t lanes;
    struct lli_weights weights;

    struct lli_slice slice; /* of a slice: which; its numbers, and its weights in the file */
    struct lli_config config;
    struct lli_weights narrow;
};

int32_t lli_packings_init(struct lli_packings *packings, struct lli_heap *heap, struct llminf_error *err)
{
    memset(packings, 0, sizeof *packings);
    packings->heap = heap;
    int code = pthread_mutex_init(&packings->lock, NULL);
    if (code)
        return lli_fail_os(err, code, "packed weights", "cannot make a lock");
    packings->has_lock = 1;
    return 0;
}

static void give(struct lli_packing *packing, struct lli_heap *heap)
{
    lli_weights_finish(&packing->weights);
    lli_weights_finish(&packing->narrow);
    lli_free(heap, packing);
}

static void give_list(struct lli_packing *newest, struct lli_heap *heap)
{
    while (newest) {
        struct lli_packing *older = newest->older;
        give(newest, heap);
        newest = older;
    }
}

void lli_packings_finish(struct lli_packings *packings)
{
    give_list(packings->newest, packings->heap);
    give_list(packings->newest_slice, packings->heap);
    if (packings->has_lock)
        pthread_mutex_destroy(&packings->lock);
    memset(packings, 0, sizeof *packings);
}

static int loses(const struct lli_packing_source *source)
{
    return source->files && lli_files_loses(source->files, NULL);
}

static int32_t make(struct lli_weights *out, struct lli_heap *heap, const struct lli_packing_source *source, uint32_t lanes,
                    int n_threads, const struct lli_progress *progress, struct llminf_error *err)
{
    struct lli_workers workers = {0};
    int32_t status = lli_workers_init(&workers, heap, n_threads, NULL, 0, err);
    if (status == 0)
        status = lli_packing_make(out, heap, source, lanes, &workers, progress, err);
    lli_workers_finish(&workers);
    return status;
}

/* The lock is held. */
static int32_t add(struct lli_packings *packings, const struct lli_packing_source *source, uint32_t lanes, int n_threads,
                   const struct lli_progress *progress, struct llminf_error *err)
{
    struct lli_packing_source from = *source;
    struct lli_packing *packing = lli_alloc_zero(packings->heap, 1, sizeof *packing);
    if (!packing)
        return lli_fail_memory(err, "packed weights", sizeof *packing);
    from.older = packings->is_lost ? &packings->newest->weights : NULL;
    if (packings->n_holds > 0)
        from.files = NULL;
    int32_t status = make(&packing->weights, packings->heap, &from, lanes, n_threads, progress, err);
    if (status) {
        give(packing, packings->heap);
        return status;
    }
    packing->lanes = lanes;
    packing->older = packings->newest;
    packings->newest = packing;
    packings->is_lost = loses(&from);
    return 0;
}

/* The lock is held, and the file's matrices are too. */
static int32_t add_slice(struct lli_packings *packings, const struct lli_packing_source *source, const struct lli_slice *slice,
                         uint32_t lanes, int n_threads, const struct lli_progress *progress, struct llminf_error *err)
{
    struct lli_packing *packing = lli_alloc_zero(packings->heap, 1, sizeof *packing);
    if (!packing)
        return lli_fail_memory(err, "packed weights", sizeof *packing);
    packing->slice = *slice;
    packing->lanes = lanes;
    lli_sliced_config(&packing->config, source->config, slice);
    const struct lli_packing_source from = {&packing->config, &packing->narrow, loses(source) ? NULL : source->files, NULL};
    int32_t status = lli_sliced_weights(&packing->narrow, packings->heap, source->config, source->file, slice, err);
    if (status == 0 && lanes > 1)
        status = make(&packing->weights, packings->heap, &from, lanes, n_threads, progress, err);
    if (status) {
        give(packing, packings->heap);
        return status;
    }
    packing->older = packings->newest_slice;
    packings->newest_slice = packing;
    return 0;
}

/* The lock is held. */
static int32_t restore(struct lli_packings *packings, const struct lli_packing_source *source, int n_threads,
                       struct llminf_error *err)
{
    struct lli_packing_source from = *source;
    struct lli_workers workers = {0};
    from.older = &packings->newest->weights;
    int32_t status = lli_workers_init(&workers, packings->heap, n_threads, NULL, 0, err);
    if (status == 0)
        status = lli_packing_restore(packings->heap, &from, &workers, err);
    lli_workers_finish(&workers);
    if (status == 0)
        packings->is_lost = 0;
    return status;
}

int32_t lli_packings_bytes(size_t *matrices_out, size_t *heap_out, struct lli_heap *heap,
                           const struct lli_packing_source *source, uint32_t lanes, struct llminf_error *err)
{
    *matrices_out = (size_t)source->file->bytes;
    *heap_out = 0;
    if (lanes == 1)
        return 0;
    int32_t status = lli_packing_bytes(matrices_out, heap_out, heap, source, lanes, err);
    *heap_out += sizeof(struct lli_packing);
    return status;
}

/* The lock is held. */
static int32_t hold(struct lli_packings *packings, const struct lli_packing_source *source, int n_threads,
                    struct llminf_error *err)
{
    int32_t status = packings->is_lost ? restore(packings, source, n_threads, err) : 0;
    if (status == 0)
        packings->n_holds++;
    return status;
}

int32_t lli_packings_hold(struct lli_packings *packings, const struct lli_packing_source *source, int n_threads,
                          struct llminf_error *err)
{
    if (!loses(source))
        return 0;
    pthread_mutex_lock(&packings->lock);
    int32_t status = hold(packings, source, n_threads, err);
    pthread_mutex_unlock(&packings->lock);
    return status;
}

void lli_packings_let_go(struct lli_packings *packings, const struct lli_packing_source *source)
{
    if (!loses(source))
        return;
    pthread_mutex_lock(&packings->lock);
    packings->n_holds--;
    pthread_mutex_unlock(&packings->lock);
}

int32_t lli_packings_take(const struct lli_weights **out, struct lli_packings *packings,
                          const struct lli_packing_source *source, uint32_t lanes, int n_threads,
                          const struct lli_progress *progress, struct llminf_error *err)
{
    struct lli_packing *packing;
    int32_t status = 0;
    *out = source->file;
    if (lanes == 1)
        return lli_packings_hold(packings, source, n_threads, err);
    pthread_mutex_lock(&packings->lock);
    for (packing = packings->newest; packing && packing->lanes != lanes; packing = packing->older)
        continue;
    if (!packing) {
        status = add(packings, source, lanes, n_threads, progress, err);
        packing = packings->newest;
    }
    pthread_mutex_unlock(&packings->lock);
    if (status == 0)
        *out = &packing->weights;
    return status;
}

int32_t lli_packings_take_slice(const struct lli_weights **out, struct lli_packings *packings,
                                const struct lli_packing_source *source, const struct lli_slice *slice, uint32_t lanes,
                                int n_threads, const struct lli_progress *progress, struct llminf_error *err)
{
    struct lli_packing *packing;
    int32_t status = 0;
    if (lli_slice_is_whole(slice))
        return lli_packings_take(out, packings, source, lanes, n_threads, progress, err);
    pthread_mutex_lock(&packings->lock);
    for (packing = packings->newest_slice; packing; packing = packing->older)
        if (packing->lanes == lanes && memcmp(&packing->slice, slice, sizeof *slice) == 0)
            break;
    if (!packing) {
        if (loses(source))
            status = hold(packings, source, n_threads, err);
        if (status == 0 && (status = add_slice(packings, source, slice, lanes, n_threads, progress, err)) < 0 && loses(source))
            packings->n_holds--;
        packing = packings->newest_slice;
    }
    pthread_mutex_unlock(&packings->lock);
    if (status == 0)
        *out = lanes == 1 ? &packing->narrow : &packing->weights;
    return status;
}
