/* model/packing.c - all matrices are cut into pieces of some groups of rows, handed out in order by one counter, so that the
 * file is read from front to back and its pages can be given back behind. One piece of memory holds all packed matrices:
 *
 *     | matrix 0 of tensor 0 | matrix 1 | ... | matrix 0 of tensor 1 | ...        each aligned to 64
 *
 * A piece whose pages were lost is written anew before it is packed again, so that no more than the pieces in hand are there
 * twice. Pages that two pieces share are never released: whoever writes a piece touches its own bytes only. */
#include "model/packing.h"

#include <stdatomic.h>
#include <string.h>

#include "backend/pack.h"
#include "base/error.h"
#include "base/size.h"

#define ALIGN ((size_t)64)
#define HUGE_PAGE ((size_t)2 << 20)
#define LARGE ((size_t)32 << 20)      /* from here on memory is aligned for huge pages */
#define PIECE_BYTES ((size_t)1 << 20) /* of packed rows, at least a group */

/* One tensor. */
struct job {
    const struct lli_matrix *from, *older; /* in the file; in a packing that has what is lost of it, or NULL */
    struct lli_matrix to;
    int64_t layer; /* -1: none */
    int role;
    size_t n_groups, group_bytes; /* of one of its matrices */
    size_t step, n_steps;         /* groups of a piece, pieces of a matrix */
    size_t first_piece;
};

struct packer {
    struct lli_heap *heap;
    const struct lli_packing_source *source;
    const struct lli_progress *progress;
    struct llminf_error *err;
    uint32_t lanes;
    uint8_t *released; /* [n_pieces] 1: its pages are lost; NULL: they come back, or the older packing has them */
    struct job *jobs;
    size_t n_jobs, n_pieces;
    size_t bytes;         /* of all packed matrices */
    _Atomic size_t next;  /* the next piece */
    _Atomic size_t done;  /* bytes */
    _Atomic size_t bad;   /* the first piece that is not finite; n_pieces: none */
    _Atomic int stopping; /* no piece is begun any more */
    int is_ended;         /* by the host; the calling thread's */
};

/* ---- what there is to do ----------------------------------------------------------------------------------------- */

static const struct lli_matrix *matrix(const struct lli_weights *w, int64_t layer, int role)
{
    return layer < 0 ? &w->at[role] : &w->layers[layer].at[role];
}

/* A rank's part. The embedding is read where the file has it, a tied output is a matrix of its own. */
static int is_sliced(const struct lli_weights *file)
{
    return file->slice.tp > 0;
}

static int is_tied(const struct lli_weights *file)
{
    return !is_sliced(file) && file->at[LLI_OUTPUT].data == file->at[LLI_TOKEN_EMBD].data;
}

static int32_t add_job(struct packer *p, int64_t layer, int role)
{
    const struct lli_matrix *from = matrix(p->source->file, layer, role);
    struct job *job = &p->jobs[p->n_jobs];
    size_t mat_bytes, bytes, n_pieces;
    int is_table = role == LLI_TOKEN_EMBD || role == LLI_POSITION_EMBD || role == LLI_TOKEN_TYPES;
    if (!from->data || lli_family_shape((enum lli_role)role)->is_vector || from->n_in == 0 || from->n_out == 0 ||
        (is_table && is_sliced(p->source->file)))
        return 0;
    *job = (struct job){.from = from, .to = *from, .layer = layer, .role = role, .first_piece = p->n_pieces};
    if (p->source->older && lli_files_loses(p->source->files, from->data))
        job->older = matrix(p->source->older, layer, role);
    job->n_groups = lli_pack_groups(p->lanes, from->n_out);
    job->group_bytes = lli_pack_group_bytes(from->type, p->lanes, lli_matrix_packed_in(from));
    job->step = job->group_bytes < PIECE_BYTES ? PIECE_BYTES / job->group_bytes : 1;
    job->n_steps = (job->n_groups + job->step - 1) / job->step;
    if (lli_size_mul(&mat_bytes, job->n_groups, job->group_bytes) || lli_size_pad(&mat_bytes, mat_bytes, ALIGN) ||
        lli_size_mul(&bytes, mat_bytes, from->n_mats) || lli_size_add(&p->bytes, p->bytes, bytes) ||
        lli_size_mul(&n_pieces, job->n_steps, from->n_mats) || lli_size_add(&p->n_pieces, p->n_pieces, n_pieces))
        return lli_fail_memory(p->err, "packed weights", UINT64_MAX);
    job->to.lanes = p->lanes;
    job->to.mat_bytes = mat_bytes;
    p->n_jobs++;
    return 0;
}

static int32_t list_jobs(struct packer *p)
{
    size_t n_layers = p->source->config->n_layers, n = LLI_FIRST_LAYER_ROLE + n_layers * LLI_N_ROLES;
    int32_t status = 0;
    p->jobs = lli_alloc_array(p->heap, n, sizeof *p->jobs);
    if (!p->jobs)
        return lli_fail_memory(p->err, "layers", n * sizeof *p->jobs);
    for (int role = 0; role < LLI_FIRST_LAYER_ROLE && status == 0; role++)
        if (role != LLI_OUTPUT || !is_tied(p->source->file))
            status = add_job(p, -1, role);
    for (size_t i = 0; i < n_layers; i++)
        for (int role = LLI_FIRST_LAYER_ROLE; role < LLI_N_ROLES && status == 0; role++)
            status = add_job(p, (int64_t)i, role);
    return status;
}

static int32_t take_memory(struct packer *p, struct lli_weights *out)
{
    uint8_t *at = lli_alloc_aligned(p->heap, p->bytes > 0 ? p->bytes : ALIGN, p->bytes < LARGE ? ALIGN : HUGE_PAGE);
    if (!at)
        return lli_fail_memory(p->err, "packed weights", p->bytes);
    if (p->bytes >= LARGE)
        lli_alloc_prefer_huge(p->heap, at, p->bytes);
    out->packed = at;
    for (size_t i = 0; i < p->n_jobs; i++) {
        struct job *job = &p->jobs[i];
        job->to.data = at;
        at += job->to.mat_bytes * job->to.n_mats;
        *(job->layer < 0 ? &out->at[job->role] : &out->layers[job->layer].at[job->role]) = job->to;
    }
    out->bytes = p->bytes;
    if (!p->source->older && p->source->files && lli_files_loses(p->source->files, NULL)) {
        p->released = lli_alloc_zero(p->heap, p->n_pieces, 1);
        if (!p->released)
            return lli_fail_memory(p->err, "packed weights", p->n_pieces);
    }
    return 0;
}

/* ---- the work ---------------------------------------------------------------------------------------------------- */

/* Groups first .. last - 1 of a matrix of a tensor. */
struct piece {
    const struct job *job;
    size_t mat, first, last;
};

static struct piece find_piece(const struct packer *p, size_t i)
{
    size_t low = 0, high = p->n_jobs; /* of the jobs: low's first piece is not behind i, high's is */
    struct piece piece;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (p->jobs[middle].first_piece <= i)
            low = middle;
        else
            high = middle;
    }
    piece.job = &p->jobs[low];
    i -= piece.job->first_piece;
    piece.mat = i / piece.job->n_steps;
    piece.first = i % piece.job->n_steps * piece.job->step;
    piece.last = piece.first + piece.job->step < piece.job->n_groups ? piece.first + piece.job->step : piece.job->n_groups;
    return piece;
}

/* The first row of the piece's matrix that is not finite, or -1. */
static int64_t pack(const struct packer *p, const struct piece *piece)
{
    const struct lli_matrix *from = piece->job->from, *to = &piece->job->to;
    uint8_t *out = (uint8_t *)(uintptr_t)to->data + piece->mat * to->mat_bytes;
    return lli_pack_rows(out, from->type, p->lanes, from->data + piece->mat * from->mat_bytes, lli_matrix_row_bytes(from),
                         from->n_out, lli_matrix_packed_in(from), piece->first, piece->last);
}

/* The piece's rows in the file's bytes: where they begin and how many bytes they are. */
static const uint8_t *rows_of(size_t *bytes, const struct packer *p, const struct piece *piece)
{
    const struct lli_matrix *from = piece->job->from;
    size_t row_bytes = lli_matrix_row_bytes(from), first = piece->first * p->lanes, last = piece->last * p->lanes;
    if (last > from->n_out)
        last = from->n_out;
    *bytes = (last - first - 1) * row_bytes + lli_dtype_row_bytes(from->type, lli_matrix_packed_in(from));
    return from->data + piece->mat * from->mat_bytes + first * row_bytes;
}

static void release(const struct packer *p, size_t i, const struct piece *piece)
{
    size_t bytes;
    const uint8_t *rows = rows_of(&bytes, p, piece);
    if (!p->source->files)
        return;
    lli_files_release(p->source->files, rows, bytes);
    if (p->released && lli_files_loses(p->source->files, rows))
        p->released[i] = 1;
}

/* The same out of a packing, to the bit. */
static void write_rows(const struct packer *p, const struct piece *piece, const struct lli_matrix *packed)
{
    size_t bytes, row_bytes = piece->job->from->mat_bytes / piece->job->from->n_out;
    uint8_t *out = (uint8_t *)(uintptr_t)rows_of(&bytes, p, piece);
    const uint8_t *mat = packed->data + piece->mat * packed->mat_bytes;
    for (size_t row = piece->first * p->lanes; bytes > 0; row++, out += row_bytes, bytes -= row_bytes)
        lli_pack_row(out, packed->type, packed->lanes, mat, packed->n_in, row);
}

static void note_bad(struct packer *p, size_t i)
{
    size_t first = atomic_load(&p->bad);
    while (i < first && !atomic_compare_exchange_weak(&p->bad, &first, i))
        continue;
    atomic_store(&p->stopping, 1);
}

/* The last word, 1, is said at the end. */
static void tell(struct packer *p, double part)
{
    if (p->progress && p->progress->call && !p->is_ended && p->progress->call(p->progress->user, part)) {
        p->is_ended = 1;
        atomic_store(&p->stopping, 1);
    }
}

static void work(void *arg, int worker, int n_workers)
{
    struct packer *p = arg;
    size_t i, done;
    (void)n_workers;
    while (!atomic_load(&p->stopping) && (i = atomic_fetch_add(&p->next, 1)) < p->n_pieces) {
        struct piece piece = find_piece(p, i);
        size_t bytes = (piece.last - piece.first) * piece.job->group_bytes;
        if (piece.job->older)
            write_rows(p, &piece, piece.job->older);
        if (pack(p, &piece) >= 0)
            note_bad(p, i);
        else
            release(p, i, &piece);
        done = atomic_fetch_add(&p->done, bytes) + bytes;
        if (worker == 0 && done < p->bytes)
            tell(p, (double)done / (double)p->bytes);
    }
}

/* All pieces before a bad one were begun, so they are done: it is the first of the file whoever found it. */
static int32_t fail_bad(const struct packer *p)
{
    struct piece piece = find_piece(p, atomic_load(&p->bad));
    const struct lli_matrix *from = piece.job->from;
    uint64_t row = (uint64_t)pack(p, &piece), at = piece.mat * from->mat_bytes + row * lli_matrix_row_bytes(from);
    uint64_t block = (uint64_t)lli_dtype_check(from->type, from->data + at, lli_matrix_packed_in(from) / from->type->block);
    int64_t layer = piece.job->layer < 0 ? -1 : piece.job->layer + p->source->file->slice.layers.first;
    return lli_weights_not_finite(from, layer, piece.job->role, at / from->type->block_bytes + block, p->err);
}

static void take_back(void *arg, size_t i, int worker)
{
    const struct packer *p = arg;
    struct piece piece = find_piece(p, i);
    (void)worker;
    if (p->released[i])
        write_rows(p, &piece, &piece.job->to);
}

static int32_t run(struct packer *p, struct lli_workers *workers)
{
    int32_t status = 0;
    atomic_init(&p->bad, p->n_pieces);
    lli_workers_run(workers, work, p);
    if (atomic_load(&p->bad) < p->n_pieces)
        status = fail_bad(p);
    else
        tell(p, 1);
    if (p->is_ended && status == 0)
        status = lli_fail(p->err, LLMINF_E_CALLBACK, "progress", "the host ended the packing of the weights");
    if (status && p->released)
        lli_workers_share(workers, take_back, p, p->n_pieces);
    return status;
}

/* ---- one packing ------------------------------------------------------------------------------------------------- */

static size_t bytes_of_layers(const struct lli_config *config)
{
    return config->n_layers * sizeof(struct lli_layer);
}

static int32_t make(struct packer *p, struct lli_weights *out, struct lli_workers *workers)
{
    const struct lli_weights *file = p->source->file;
    size_t layers_bytes = bytes_of_layers(p->source->config);
    memcpy(out->at, file->at, sizeof out->at);
    out->n_params = file->n_params;
    out->slice = file->slice;
    out->layers = lli_alloc(p->heap, layers_bytes);
    if (!out->layers)
        return lli_fail_memory(p->err, "layers", layers_bytes);
    memcpy(out->layers, file->layers, layers_bytes);
    int32_t status = list_jobs(p);
    if (status == 0)
        status = take_memory(p, out);
    if (status == 0)
        status = run(p, workers);
    if (status == 0 && is_tied(file))
        lli_weights_tie(out);
    return status;
}

int32_t lli_packing_make(struct lli_weights *out, struct lli_heap *heap, const struct lli_packing_source *source,
                         uint32_t lanes, struct lli_workers *workers, const struct lli_progress *progress,
                         struct llminf_error *err)
{
    struct packer p = {.heap = heap, .source = source, .progress = progress, .err = err, .lanes = lanes};
    memset(out, 0, sizeof *out);
    out->heap = heap;
    int32_t status = make(&p, out, workers);
    lli_free(heap, p.released);
    lli_free(heap, p.jobs);
    if (status)
        lli_weights_finish(out);
    return status;
}

int32_t lli_packing_bytes(size_t *matrices_out, size_t *all_out, struct lli_heap *heap, const struct lli_packing_source *source,
                          uint32_t lanes, struct llminf_error *err)
{
    struct packer p = {.heap = heap, .source = source, .err = err, .lanes = lanes};
    int32_t status = list_jobs(&p);
    lli_free(heap, p.jobs);
    *matrices_out = p.bytes;
    *all_out = p.bytes + bytes_of_layers(source->config);
    return status;
}

static void restore(void *arg, size_t i, int worker)
{
    const struct packer *p = arg;
    struct piece piece = find_piece(p, i);
    (void)worker;
    if (piece.job->older)
        write_rows(p, &piece, piece.job->older);
}

int32_t lli_packing_restore(struct lli_heap *heap, const struct lli_packing_source *source, struct lli_workers *workers,
                            struct llminf_error *err)
{
    struct packer p = {.heap = heap, .source = source, .err = err, .lanes = source->older->at[LLI_TOKEN_EMBD].lanes};
    int32_t status = list_jobs(&p);
    if (status == 0)
        lli_workers_share(workers, restore, &p, p.n_pieces);
    lli_free(heap, p.jobs);
    return status;
}
