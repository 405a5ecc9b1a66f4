/* model/folder_tensors.c - two ways through the files: the first finds out what must be written anew, of which pieces, and
 * counts its bytes; the second writes it. A tensor that is made of several pieces is complete before memory is taken for it. */
#include "model/folder_tensors.h"

#include <string.h>

#include "base/error.h"
#include "base/format.h"
#include "base/map.h"
#include "base/size.h"
#include "model/folder_piece.h"

#define EMBEDDING "token_embd.weight"
#define OUTPUT "output.weight"
#define ALIGNMENT 64u
#define MAX_PARTS LLI_MAX_EXPERTS

/* A tensor that is written anew. */
struct target {
    struct lli_gguf_tensor t; /* data NULL; the name is the build's */
    size_t at;                /* where its bytes are */
    uint32_t n_parts, n_have;
    uint64_t have[MAX_PARTS / 64];
};

struct walk {
    struct lli_gguf_build *b;
    const struct lli_folder_config *config;
    struct lli_heap *heap;
    struct lli_folder_heads heads;
    struct lli_map names; /* of the targets */
    struct target *targets;
    size_t n_targets, cap_targets;
    int has_embedding; /* some file has it by its own name */
    uint8_t *anew;     /* NULL: on the first way */
    size_t n_anew;
};

/* ---- names ------------------------------------------------------------------------------------------------------- */

static void name_tensor(char out[LLI_FOLDER_NAME_BYTES], const struct lli_folder_match *m, const struct lli_folder_tensor *row)
{
    if (m->layer >= 0)
        lli_format(out, LLI_FOLDER_NAME_BYTES, "blk.%lld.%s", (long long)m->layer, row->to);
    else
        lli_format(out, LLI_FOLDER_NAME_BYTES, "%s", row->to);
}

int lli_folder_tensor_name(char out[LLI_FOLDER_NAME_BYTES], enum lli_folder_how *how, const struct lli_folder_class *class,
                           const char *name)
{
    struct lli_folder_match m;
    lli_folder_class_match(&m, class, name);
    if (!m.row || m.row->rows != LLI_ROWS_ALL)
        return -1;
    *how = m.row->how == LLI_HOW_TURNED ? LLI_HOW_PLAIN : m.row->how; /* PEFT has them as if they were not */
    name_tensor(out, &m, m.row);
    return *how <= LLI_HOW_QKV ? 0 : -1;
}

static int is_global(const struct lli_folder_match *m, const char *to)
{
    return m->row && m->layer < 0 && strcmp(m->row->to, to) == 0;
}

/* ---- targets ----------------------------------------------------------------------------------------------------- */

static int32_t fail_memory(const struct walk *w, const char *name, size_t bytes)
{
    return lli_fail_memory(w->b->err, name, bytes);
}

static int32_t make_room(struct walk *w)
{
    size_t more = w->cap_targets ? 2 * w->cap_targets : 64;
    if (w->n_targets < w->cap_targets)
        return 0;
    struct target *new = lli_realloc(w->heap, w->targets, more * sizeof *new);
    if (!new)
        return fail_memory(w, "tensors", more * sizeof *new);
    w->targets = new;
    w->cap_targets = more;
    return 0;
}

static int32_t add_target(struct walk *w, const char *name, const struct lli_folder_piece *p)
{
    size_t bytes = p->bytes, parts = p->type->id == LLI_MXFP4 ? 1 : p->n_parts, end;
    int32_t status = make_room(w);
    if (status)
        return status;
    struct target *t = &w->targets[w->n_targets];
    *t = (struct target){.at = w->n_anew, .n_parts = p->n_parts};
    if (lli_size_mul(&bytes, bytes, parts) || lli_size_add(&end, w->n_anew, bytes) || lli_size_pad(&end, end, ALIGNMENT))
        return lli_fail_at(w->b->err, LLMINF_E_LIMIT, p->from->pos, p->from->name, "more bytes than memory can hold");
    w->n_anew = end;
    t->t = (struct lli_gguf_tensor){.type = p->type, .n_dims = p->n_dims, .bytes = bytes, .pos = p->from->pos};
    memcpy(t->t.dims, p->dims, sizeof t->t.dims);
    t->t.name = lli_arena_text(&w->b->g->arena, name, strlen(name));
    if (!t->t.name || lli_map_put(&w->names, t->t.name, strlen(name), (uint32_t)w->n_targets) < 0)
        return fail_memory(w, name, strlen(name));
    w->n_targets++;
    return 0;
}

/* One more piece of a tensor that is there already, or of a new one. */
static int32_t note_piece(struct walk *w, const char *name, const struct lli_folder_piece *p)
{
    uint32_t i;
    int32_t status = 0;
    if (!lli_map_find(&w->names, name, strlen(name), &i)) {
        i = (uint32_t)w->n_targets;
        status = add_target(w, name, p);
    }
    if (status)
        return status;
    struct target *t = &w->targets[i];
    if (t->t.type != p->type || t->n_parts != p->n_parts || memcmp(t->t.dims, p->dims, sizeof t->t.dims) != 0)
        return lli_fail_at(w->b->err, LLMINF_E_FORMAT, p->from->pos, p->from->name,
                           "of another type or shape than its neighbours");
    if (t->have[p->part / 64] >> p->part % 64 & 1)
        return lli_fail_at(w->b->err, LLMINF_E_FORMAT, p->from->pos, p->from->name, "appears twice");
    t->have[p->part / 64] |= (uint64_t)1 << p->part % 64;
    t->n_have++;
    return 0;
}

static int32_t check_complete(const struct walk *w)
{
    for (size_t i = 0; i < w->n_targets; i++)
        if (w->targets[i].n_have != w->targets[i].n_parts)
            return lli_fail_at(w->b->err, LLMINF_E_FORMAT, w->targets[i].t.pos, w->targets[i].t.name,
                               "%u of its %u parts are there", w->targets[i].n_have, w->targets[i].n_parts);
    return 0;
}

/* ---- tensors ----------------------------------------------------------------------------------------------------- */

static uint32_t count_stack(const struct walk *w, enum lli_folder_how how)
{
    return how == LLI_HOW_EXPERT    ? w->config->n_experts
           : how == LLI_HOW_Q_HEAD  ? w->config->n_heads
           : how == LLI_HOW_KV_HEAD ? w->config->n_kv_heads
                                    : 0;
}

/* As it stands in its file. */
static void add_as_it_is(struct walk *w, const char *name, const struct lli_folder_piece *p)
{
    struct lli_gguf_tensor out = {.name = name, .type = p->type, .n_dims = p->n_dims, .data = p->from->data, .bytes = p->bytes};
    out.pos = p->from->pos;
    memcpy(out.dims, p->dims, sizeof out.dims);
    lli_gguf_build_tensor(w->b, &out);
}

static int32_t take_row(struct walk *w, const struct lli_st_tensor *t, const char *name, const struct lli_folder_tensor *row,
                        int64_t number)
{
    struct lli_folder_piece piece;
    uint32_t i, n_stacked = count_stack(w, row->how);
    if (n_stacked > MAX_PARTS)
        return lli_fail_at(w->b->err, LLMINF_E_LIMIT, t->pos, t->name, "one of %u, the limit is %u", n_stacked, MAX_PARTS);
    if (n_stacked == 0 && number >= 0)
        return lli_fail_at(w->b->err, LLMINF_E_FORMAT, t->pos, t->name, "config.json knows no number of experts");
    int32_t status = lli_folder_piece_make(&piece, t, &w->heads, row, number, n_stacked, w->b->err);
    if (status)
        return status;
    if (!piece.is_new && w->anew)
        add_as_it_is(w, name, &piece);
    else if (piece.is_new && !w->anew)
        status = note_piece(w, name, &piece);
    else if (piece.is_new && lli_map_find(&w->names, name, strlen(name), &i))
        lli_folder_piece_write(w->anew + w->targets[i].at, &piece);
    return status ? status : w->b->status;
}

static int32_t take(struct walk *w, const struct lli_st_tensor *t)
{
    char name[LLI_FOLDER_NAME_BYTES];
    struct lli_folder_match m;
    int32_t status = 0;
    int64_t number;
    lli_folder_class_match(&m, w->config->class, t->name);
    if (m.is_other)
        return 0;
    if (!m.row)
        return lli_fail_at(w->b->err, LLMINF_E_UNSUPPORTED, t->pos, t->name, "not a tensor of %s", w->config->class->name);
    if (m.layer >= (int64_t)w->config->n_layers)
        return lli_fail_at(w->b->err, LLMINF_E_FORMAT, t->pos, t->name, "layer %lld of %u", (long long)m.layer,
                           w->config->n_layers);
    for (const struct lli_folder_tensor *row = m.row; status == 0 && (row = lli_folder_class_row(&number, row, m.rest));
         row++) {
        int is_tied = w->config->is_tied && is_global(&m, OUTPUT); /* one matrix, under either name */
        if (row->how == LLI_HOW_NOT_AT_ALL || (is_tied && w->has_embedding))
            continue;
        name_tensor(name, &m, row);
        status = take_row(w, t, is_tied ? EMBEDDING : name, row, number);
    }
    return status;
}

/* ---- factors of angles ------------------------------------------------------------------------------------------- */

static float long_factor(const struct lli_folder_rope *r, uint32_t i)
{
    double v = 0;
    lli_folder_to_number(&v, r->long_factors + 1 + i);
    return (float)v;
}

static float short_factor(const struct lli_folder_rope *r, uint32_t i)
{
    double v = 0;
    lli_folder_to_number(&v, r->short_factors + 1 + i);
    return (float)v;
}

static void add_factors(struct walk *w, const char *name, float (*factor)(const struct lli_folder_rope *r, uint32_t i))
{
    const struct lli_folder_rope *r = &w->config->rope;
    struct lli_gguf_tensor t = {.name = name, .type = lli_dtype_find(LLI_F32), .n_dims = 1, .pos = -1};
    t.dims[0] = r->n_pairs;
    t.dims[1] = t.dims[2] = t.dims[3] = 1;
    t.bytes = r->n_pairs * sizeof(float);
    if (w->anew) {
        t.data = w->anew + w->n_anew;
        for (uint32_t i = 0; i < r->n_pairs; i++) {
            float v = factor(r, i);
            memcpy(w->anew + w->n_anew + i * sizeof v, &v, sizeof v);
        }
        lli_gguf_build_tensor(w->b, &t);
    }
    w->n_anew += (t.bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void add_rope_factors(struct walk *w)
{
    const struct lli_folder_rope *r = &w->config->rope;
    if (r->n_pairs == 0)
        return;
    if (r->factor > 0)
        add_factors(w, "rope_freqs.weight", lli_folder_rope_factor);
    if (r->long_factors && r->short_factors) {
        add_factors(w, "rope_factors_long.weight", long_factor);
        add_factors(w, "rope_factors_short.weight", short_factor);
    }
}

/* ---- the two ways ------------------------------------------------------------------------------------------------ */

static int32_t go(struct walk *w, const struct lli_safetensors *files, size_t n)
{
    int32_t status = 0;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < files[i].n_tensors && status == 0; k++)
            status = take(w, &files[i].tensors[k]);
    return status;
}

static void find_embedding(struct walk *w, const struct lli_safetensors *files, size_t n)
{
    struct lli_folder_match m;
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < files[i].n_tensors && !w->has_embedding; k++) {
            lli_folder_class_match(&m, w->config->class, files[i].tensors[k].name);
            w->has_embedding = is_global(&m, EMBEDDING);
        }
}

/* The memory of what is written anew becomes the model's. */
static int32_t take_memory(struct walk *w, struct lli_files *own)
{
    struct lli_mapping anew = {.heap = own->heap};
    size_t factors = 2 * ((size_t)w->config->rope.n_pairs * sizeof(float) + ALIGNMENT); /* of pairs: small */
    if (lli_size_add(&anew.size, w->n_anew, factors))
        return lli_fail(w->b->err, LLMINF_E_LIMIT, "tensors", "more bytes than memory can hold");
    anew.copied = w->anew = lli_alloc_aligned(own->heap, anew.size, ALIGNMENT);
    anew.bytes = w->anew;
    return w->anew ? lli_files_add(own, &anew, w->b->err) : fail_memory(w, "tensors", anew.size);
}

static int32_t run(struct walk *w, struct lli_files *own, const struct lli_safetensors *files, size_t n)
{
    find_embedding(w, files, n);
    int32_t status = go(w, files, n);
    if (status == 0)
        status = check_complete(w);
    if (status == 0)
        status = take_memory(w, own);
    if (status == 0)
        status = go(w, files, n);
    for (size_t i = 0; i < w->n_targets && status == 0; i++) {
        struct lli_gguf_tensor *t = &w->targets[i].t;
        t->data = w->anew + w->targets[i].at;
        lli_gguf_build_tensor(w->b, t);
    }
    if (status == 0)
        add_rope_factors(w);
    return status ? status : w->b->status;
}

void lli_folder_tensors(struct lli_gguf_build *b, struct lli_files *own, const struct lli_safetensors *files, size_t n,
                        const struct lli_folder_config *config)
{
    struct walk w = {.b = b, .config = config, .heap = own->heap, .names = {.heap = own->heap}};
    w.heads = (struct lli_folder_heads){config->n_heads, config->n_kv_heads, config->head_dim,
                                        config->class->traits & LLI_FOLDER_PAIRS};
    if (b->status == 0)
        b->status = lli_map_init(&w.names, own->heap, 64) ? fail_memory(&w, "tensors", sizeof w) : run(&w, own, files, n);
    lli_map_finish(&w.names);
    lli_free(own->heap, w.targets);
}
