/* model/convert.c - tensors go by in pieces, pieces in chunks that the workers take one by one: bytes to floats to bytes. A
 * piece is written when it is whole.
 *
 * Every chunk is a multiple of all blocks (but for the last of a tensor), so that which worker had it does not show. */
#include "model/convert.h"

#include <stdatomic.h>
#include <string.h>

#include "backend/encode/encoders.h"
#include "backend/registry.h"
#include "base/cpus.h"
#include "base/error.h"
#include "base/size.h"
#include "base/workers.h"
#include "file/atomic.h"
#include "file/gguf_write.h"

enum {
    CHUNK = 4096,           /* elements that a worker takes */
    PIECE = 256 * CHUNK,    /* elements between two calls of progress */
    PIECE_BYTES = 4 * PIECE /* of the widest type */
};

#define QUANTISATION_VERSION 2 /* of the blocks' layouts, as ggml counts them */

struct converter {
    struct lli_heap *heap;
    const struct lli_gguf *g;
    const struct lli_convert_options *options;
    struct llminf_error *err;
    struct lli_kernels kernels;
    struct lli_gguf_tensor *tensors; /* [g->n_tensors] as they will be */
    struct lli_workers workers;
    struct lli_atomic file;   /* where the bytes go, or */
    struct lli_mapping *copy; /* memory of the right size, with n_copied so far; NULL: the file */
    size_t n_copied;
    uint8_t *piece;
    float *floats;      /* [workers, CHUNK] */
    uint64_t done, all; /* elements */
};

static size_t elements(const struct lli_gguf_tensor *t)
{
    return t->bytes / t->type->block_bytes * t->type->block;
}

static int32_t emit(struct converter *c, const void *bytes, size_t n)
{
    if (!c->copy)
        return lli_atomic_write(&c->file, bytes, n, c->err);
    if (n > 0)
        memcpy((uint8_t *)c->copy->copied + c->n_copied, bytes, n);
    c->n_copied += n;
    return 0;
}

/* ---- one piece */

struct work {
    lli_dequant_fn *decode;
    lli_encode_fn *encode;
    lli_finite_fn *is_finite;
    const struct lli_dtype *from_type, *to_type;
    const uint8_t *from;
    uint8_t *to;
    float *floats;
    size_t n;                 /* elements */
    _Atomic size_t next, bad; /* chunks: the next to take, the first that is not finite */
};

static void note_bad(struct work *w, size_t chunk)
{
    size_t known = atomic_load_explicit(&w->bad, memory_order_relaxed);
    while (chunk < known &&
           !atomic_compare_exchange_weak_explicit(&w->bad, &known, chunk, memory_order_relaxed, memory_order_relaxed))
        ;
}

static void convert_chunks(void *arg, int index, int n_workers)
{
    struct work *w = arg;
    float *x = w->floats + (size_t)index * CHUNK;
    (void)n_workers;
    for (;;) {
        size_t chunk = atomic_fetch_add_explicit(&w->next, 1, memory_order_relaxed), at = chunk * CHUNK;
        if (at >= w->n)
            return;
        size_t n = w->n - at < CHUNK ? w->n - at : CHUNK;
        w->decode(x, w->from + lli_dtype_row_bytes(w->from_type, at), n);
        if (w->is_finite(x, n))
            w->encode(w->to + lli_dtype_row_bytes(w->to_type, at), x, n);
        else
            note_bad(w, chunk);
    }
}

static int32_t fail_element(const struct converter *c, const struct lli_gguf_tensor *t, size_t element)
{
    return lli_fail(c->err, LLMINF_E_NUMERIC, t->name, "element %zu is not finite", element);
}

/* The first element of chunk `bad` that is not finite. */
static size_t find_bad(const struct converter *c, const struct work *w, size_t bad)
{
    size_t at = bad * CHUNK, n = w->n - at < CHUNK ? w->n - at : CHUNK, i = 0;
    w->decode(c->floats, w->from + lli_dtype_row_bytes(w->from_type, at), n);
    while (i + 1 < n && w->is_finite(c->floats + i, 1))
        i++;
    return at + i;
}

static int32_t encode_piece(struct converter *c, size_t tensor, size_t at, size_t n)
{
    const struct lli_gguf_tensor *from = &c->g->tensors[tensor], *to = &c->tensors[tensor];
    struct work w = {.decode = c->kernels.dequant[from->type->id],
                     .encode = lli_encoders_find(to->type->id),
                     .is_finite = c->kernels.finite,
                     .from_type = from->type,
                     .to_type = to->type,
                     .from = from->data + lli_dtype_row_bytes(from->type, at),
                     .to = c->piece,
                     .floats = c->floats,
                     .n = n};
    atomic_store_explicit(&w.bad, SIZE_MAX, memory_order_relaxed);
    lli_workers_run(&c->workers, convert_chunks, &w);
    size_t bad = atomic_load_explicit(&w.bad, memory_order_relaxed);
    if (bad != SIZE_MAX)
        return fail_element(c, from, at + find_bad(c, &w, bad));
    return emit(c, c->piece, lli_dtype_row_bytes(to->type, n));
}

/* Blocks that stay as they are. */
static int32_t copy_piece(struct converter *c, size_t tensor, size_t at, size_t n)
{
    const struct lli_gguf_tensor *t = &c->g->tensors[tensor];
    const uint8_t *from = t->data + lli_dtype_row_bytes(t->type, at);
    int64_t bad = lli_dtype_check(t->type, from, n / t->type->block);
    if (bad >= 0)
        return fail_element(c, t, at + (size_t)bad * t->type->block);
    return emit(c, from, lli_dtype_row_bytes(t->type, n));
}

/* ---- all of them */

static int32_t tell(struct converter *c, size_t n)
{
    const struct lli_progress *progress = c->options->progress;
    c->done += n;
    if (progress && progress->call && progress->call(progress->user, (double)c->done / (double)c->all))
        return lli_fail(c->err, LLMINF_E_CALLBACK, "progress", "the host ended the conversion");
    return 0;
}

static int32_t write_padding(struct converter *c, uint64_t n)
{
    static const uint8_t zeros[LLI_MAX_ALIGNMENT];
    return emit(c, zeros, lli_gguf_padding(n, c->g->alignment));
}

static int32_t write_tensor(struct converter *c, size_t i)
{
    const struct lli_gguf_tensor *from = &c->g->tensors[i], *to = &c->tensors[i];
    size_t all = elements(from);
    for (size_t at = 0; at < all; at += PIECE) {
        size_t n = all - at < PIECE ? all - at : PIECE;
        int32_t status = from->type == to->type ? copy_piece(c, i, at, n) : encode_piece(c, i, at, n);
        if (status == 0)
            status = tell(c, n);
        if (status)
            return status;
    }
    return write_padding(c, to->bytes);
}

/* Memory for the whole file, whose head has so many bytes. */
static int32_t take_copy(struct converter *c, size_t head)
{
    struct lli_mapping *copy = c->copy;
    for (size_t i = 0; i < c->g->n_tensors; i++)
        if (lli_size_add(&head, head, c->tensors[i].bytes) || lli_size_pad(&head, head, c->g->alignment))
            return lli_fail(c->err, LLMINF_E_LIMIT, c->tensors[i].name, "more bytes than memory can hold");
    copy->copied = lli_alloc_aligned(c->heap, head, 64);
    if (!copy->copied)
        return lli_fail_memory(c->err, "convert", head);
    copy->bytes = copy->copied;
    copy->size = head;
    return 0;
}

static int32_t write_head(struct converter *c)
{
    const struct lli_gguf_number numbers[] = {{"general.quantization_version", QUANTISATION_VERSION},
                                              {"general.file_type", c->options->mix->file_type}};
    struct lli_buffer head;
    lli_buffer_init(&head, c->heap);
    int32_t status = lli_gguf_write_head(&head, c->g, c->tensors, numbers, 2, c->err);
    if (status == 0 && c->copy)
        status = take_copy(c, head.len);
    if (status == 0)
        status = emit(c, head.bytes, head.len);
    lli_buffer_finish(&head);
    return status;
}

/* Types and sizes, decided before anything is written. */
static int32_t plan(struct converter *c, const struct lli_config *config)
{
    const struct lli_gguf *g = c->g;
    c->tensors = lli_alloc_array(c->heap, g->n_tensors, sizeof *c->tensors);
    if (!c->tensors)
        return lli_fail_memory(c->err, "tensors", g->n_tensors * sizeof *c->tensors);
    for (size_t i = 0; i < g->n_tensors; i++) {
        struct lli_gguf_tensor *t = &c->tensors[i];
        size_t n = elements(&g->tensors[i]);
        *t = g->tensors[i];
        t->type = lli_mix_type(c->options->mix, c->options->is_pure, g, config, t);
        if (lli_size_mul(&t->bytes, n / t->type->block, t->type->block_bytes))
            return lli_fail(c->err, LLMINF_E_LIMIT, t->name, "more bytes than memory can hold");
        c->all += n;
    }
    return 0;
}

static int32_t take_memory(struct converter *c)
{
    int n_threads = c->options->n_threads > 0 ? c->options->n_threads : lli_cpus_usable();
    int32_t status = lli_workers_init(&c->workers, c->heap, n_threads, NULL, 0, c->err);
    if (status)
        return status;
    c->piece = lli_alloc(c->heap, PIECE_BYTES);
    c->floats = lli_alloc_array(c->heap, (size_t)n_threads, CHUNK * sizeof *c->floats);
    if (!c->piece || !c->floats)
        return lli_fail_memory(c->err, "convert", PIECE_BYTES + (uint64_t)n_threads * CHUNK * sizeof *c->floats);
    return 0;
}

static void finish(struct converter *c)
{
    lli_atomic_finish(&c->file);
    lli_workers_finish(&c->workers);
    lli_free(c->heap, c->floats);
    lli_free(c->heap, c->piece);
    lli_free(c->heap, c->tensors);
}

/* path NULL: to memory. */
static int32_t run(struct converter *c, const char *path, const struct lli_config *config)
{
    lli_registry_fill(&c->kernels, lli_registry_find("scalar"));
    int32_t status = plan(c, config);
    if (status == 0)
        status = take_memory(c);
    if (status == 0 && path)
        status = lli_atomic_open(&c->file, c->heap, path, c->err);
    if (status == 0)
        status = write_head(c);
    for (size_t i = 0; i < c->g->n_tensors && status == 0; i++)
        status = write_tensor(c, i);
    if (status == 0 && path)
        status = lli_atomic_commit(&c->file, c->err);
    finish(c);
    return status;
}

int32_t lli_convert_write(const char *path, struct lli_heap *heap, const struct lli_gguf *g, const struct lli_config *config,
                          const struct lli_convert_options *options, struct llminf_error *err)
{
    struct converter c = {.heap = heap, .g = g, .options = options, .err = err};
    return run(&c, path, config);
}

int32_t lli_convert_copy(struct lli_mapping *out, struct lli_heap *heap, const struct lli_gguf *g,
                         const struct lli_config *config, const struct lli_convert_options *options, struct llminf_error *err)
{
    struct converter c = {.heap = heap, .g = g, .options = options, .err = err, .copy = out};
    *out = (struct lli_mapping){.heap = heap};
    int32_t status = run(&c, NULL, config);
    if (status)
        lli_mapping_finish(out);
    return status;
}
