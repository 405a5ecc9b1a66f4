/* model/adapter.c - every tensor must be half of a pair whose matrix the model has; then the pairs are packed for a backend.
 * Encoded halves become binary32 on the way, so that a backend multiplies with floats only. */
#include "model/adapter.h"

#include <string.h>

#include "backend/pack.h"
#include "backend/registry.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/size.h"
#include "file/mapping.h"
#include "model/adapter_folder.h"
#include "model/family.h"
#include "model/folder.h"

#define ALIGN ((size_t)64)
#define TYPE_KEY "general.type"
#define ARCH_KEY "general.architecture"
#define KIND_KEY "adapter.type"
#define ALPHA_KEY "adapter.lora.alpha"
#define TRIGGER_KEY "adapter.alora.invocation_tokens"

static const char suffix_a[] = ".lora_a", suffix_b[] = ".lora_b";

/* Matrices that can have one: those whose rows of activations are the step's rows. */
static const uint64_t roles = LLI_ROLE(LLI_ATTN_Q) | LLI_ROLE(LLI_ATTN_K) | LLI_ROLE(LLI_ATTN_V) | LLI_ROLE(LLI_ATTN_OUTPUT) |
                              LLI_ROLE(LLI_FFN_GATE) | LLI_ROLE(LLI_FFN_UP) | LLI_ROLE(LLI_FFN_DOWN) |
                              LLI_ROLE(LLI_FFN_GATE_SHARED) | LLI_ROLE(LLI_FFN_UP_SHARED) | LLI_ROLE(LLI_FFN_DOWN_SHARED) |
                              LLI_ROLE(LLI_OUTPUT);

struct loader {
    struct lli_adapter *adapter;
    const struct lli_adapter_options *options;
    double alpha;
    struct llminf_error *err;
};

/* ---- metadata ---------------------------------------------------------------------------------------------------- */

static int is_text(const struct lli_text *text, const char *want)
{
    return text->len == strlen(want) && memcmp(text->bytes, want, text->len) == 0;
}

/* A text that must be there and be `want`. */
static int32_t check_text(const struct loader *l, const char *key, const char *want, int32_t otherwise)
{
    struct lli_text text;
    int32_t status = lli_gguf_get_text(&text, &l->adapter->gguf, key, "", l->err);
    if (status)
        return status;
    if (text.len == 0)
        return lli_fail(l->err, LLMINF_E_FORMAT, key, "missing, want %s: this is no adapter", want);
    return is_text(&text, want) ? 0 : lli_fail(l->err, otherwise, key, "is %.*s, want %s", (int)text.len, text.bytes, want);
}

static int32_t read_metadata(struct loader *l)
{
    const struct lli_gguf *g = &l->adapter->gguf;
    int32_t status = check_text(l, TYPE_KEY, "adapter", LLMINF_E_FORMAT);
    if (status == 0)
        status = check_text(l, KIND_KEY, "lora", LLMINF_E_UNSUPPORTED);
    if (status == 0)
        status = check_text(l, ARCH_KEY, l->options->config->family->name, LLMINF_E_MISMATCH);
    if (status == 0)
        status = lli_gguf_get_float(&l->alpha, g, ALPHA_KEY, 0, l->err);
    if (status)
        return status;
    if (!(l->alpha >= -LLI_MAX_FACTOR && l->alpha <= LLI_MAX_FACTOR))
        return lli_fail(l->err, LLMINF_E_FORMAT, ALPHA_KEY, "is %g, want at most %g", l->alpha, LLI_MAX_FACTOR);
    if (lli_gguf_find(g, TRIGGER_KEY))
        return lli_fail(l->err, LLMINF_E_UNSUPPORTED, TRIGGER_KEY, "an adapter that begins at some tokens is not known");
    return 0;
}

/* ---- pairs ------------------------------------------------------------------------------------------------------- */

static struct lli_matrix half(const struct lli_gguf_tensor *t, uint64_t first_row, uint64_t n_rows)
{
    size_t row_bytes = lli_dtype_row_bytes(t->type, (size_t)t->dims[0]);
    return (struct lli_matrix){.type = t->type,
                               .data = t->data + first_row * row_bytes,
                               .n_in = (uint32_t)t->dims[0],
                               .n_out = (uint32_t)n_rows,
                               .n_mats = 1,
                               .lanes = 1,
                               .mat_bytes = (size_t)n_rows * row_bytes,
                               .tensor = t->name,
                               .first_block = first_row * (t->dims[0] / t->type->block)};
}

/* The model's matrix, whose data is NULL if it has none. */
static const struct lli_matrix *matrix_of(const struct loader *l, const struct lli_place *place, size_t part)
{
    const struct lli_weights *w = l->options->weights;
    uint8_t role = place->roles[part];
    return place->layer < 0 ? &w->at[role] : &w->layers[place->layer].at[role];
}

static int32_t check_place(const struct loader *l, const struct lli_gguf_tensor *t, const struct lli_place *place)
{
    const struct lli_config *c = l->options->config;
    if (place->n_roles == 0)
        return lli_fail_at(l->err, LLMINF_E_MISMATCH, t->pos, t->name, "not a matrix of %s", c->family->name);
    if (place->layer >= (int64_t)c->n_layers)
        return lli_fail_at(l->err, LLMINF_E_MISMATCH, t->pos, t->name, "layer %lld, the model has %u", (long long)place->layer,
                           c->n_layers);
    for (size_t i = 0; i < place->n_roles; i++) {
        if (!(roles >> place->roles[i] & 1))
            return lli_fail_at(l->err, LLMINF_E_UNSUPPORTED, t->pos, t->name,
                               "no adapter is known here, want one of attention, a dense feed-forward layer or the output");
        if (!matrix_of(l, place, i)->data)
            return lli_fail_at(l->err, LLMINF_E_MISMATCH, t->pos, t->name, "the model has no such matrix");
    }
    return 0;
}

/* Of hostile numbers nothing is multiplied: all sides are below 2^32 once they are checked. */
static int32_t check_shapes(const struct loader *l, const struct lli_gguf_tensor *a, const struct lli_gguf_tensor *b,
                            const struct lli_place *place)
{
    uint64_t n_in = matrix_of(l, place, 0)->n_in, n_out = 0, rank = a->dims[1];
    for (size_t i = 0; i < place->n_roles; i++)
        n_out += matrix_of(l, place, i)->n_out;
    if (a->n_dims != 2 || b->n_dims != 2)
        return lli_fail_at(l->err, LLMINF_E_FORMAT, a->pos, a->name, "%u and %u dimensions, want 2", a->n_dims, b->n_dims);
    if (rank == 0 || rank != b->dims[0])
        return lli_fail_at(l->err, LLMINF_E_FORMAT, a->pos, a->name, "rank %llu, that of its %s is %llu",
                           (unsigned long long)rank, suffix_b, (unsigned long long)b->dims[0]);
    if (rank > l->options->rank_limit)
        return lli_fail_at(l->err, LLMINF_E_LIMIT, a->pos, a->name, "rank %llu, rank_limit is %u", (unsigned long long)rank,
                           l->options->rank_limit);
    if (a->dims[0] != n_in)
        return lli_fail_at(l->err, LLMINF_E_MISMATCH, a->pos, a->name, "dimension 0 is %llu, the model's is %llu",
                           (unsigned long long)a->dims[0], (unsigned long long)n_in);
    if (b->dims[1] != n_out)
        return lli_fail_at(l->err, LLMINF_E_MISMATCH, b->pos, b->name, "dimension 1 is %llu, the model's is %llu",
                           (unsigned long long)b->dims[1], (unsigned long long)n_out);
    return 0;
}

static int32_t put(struct loader *l, const struct lli_gguf_tensor *a, const struct lli_gguf_tensor *b,
                   const struct lli_place *place)
{
    struct lli_adapter *adapter = l->adapter;
    uint64_t row = 0;
    for (size_t i = 0; i < place->n_roles; i++) {
        const struct lli_matrix *m = matrix_of(l, place, i);
        uint32_t *index = &adapter->index[m->site];
        if (*index > 0)
            return lli_fail_at(l->err, LLMINF_E_FORMAT, a->pos, a->name, "is there already, as %s",
                               adapter->at[*index - 1].a.tensor);
        struct lli_low_rank *pair = &adapter->at[adapter->n++];
        pair->rank = (uint32_t)a->dims[1];
        pair->factor = l->alpha != 0 ? l->alpha / pair->rank : 1;
        pair->a = half(a, 0, a->dims[1]);
        pair->b = half(b, row, m->n_out);
        adapter->rank = pair->rank > adapter->rank ? pair->rank : adapter->rank;
        *index = (uint32_t)adapter->n;
        row += m->n_out;
    }
    return 0;
}

/* The length of the name before its suffix; 0: it ends otherwise. */
static size_t stem(const char *name, const char *suffix)
{
    size_t n = strlen(name), n_suffix = strlen(suffix);
    return n > n_suffix && strcmp(name + n - n_suffix, suffix) == 0 ? n - n_suffix : 0;
}

/* The other half of a tensor; NULL: it is not there. */
static const struct lli_gguf_tensor *other_half(const struct loader *l, const char *name, size_t n, const char *suffix)
{
    char other[LLI_MAX_TENSOR_NAME + 1];
    memcpy(other, name, n);
    memcpy(other + n, suffix, sizeof suffix_a);
    return lli_gguf_tensor_find(&l->adapter->gguf, other);
}

static int32_t take(struct loader *l, const struct lli_gguf_tensor *t)
{
    char name[LLI_MAX_TENSOR_NAME + 1];
    size_t n = stem(t->name, suffix_a), n_b = stem(t->name, suffix_b);
    const char *missing = n > 0 ? suffix_b : suffix_a;
    struct lli_place place;
    if (n + n_b == 0)
        return lli_fail_at(l->err, LLMINF_E_UNSUPPORTED, t->pos, t->name, "not a tensor of an adapter, want NAME%s and NAME%s",
                           suffix_a, suffix_b);
    const struct lli_gguf_tensor *other = other_half(l, t->name, n + n_b, missing);
    if (!other)
        return lli_fail_at(l->err, LLMINF_E_FORMAT, t->pos, t->name, "comes without its %s", missing);
    if (n == 0)
        return 0;
    memcpy(name, t->name, n);
    name[n] = 0;
    lli_weights_place(&place, l->options->config, name);
    int32_t status = check_place(l, t, &place);
    if (status == 0)
        status = check_shapes(l, t, other, &place);
    return status ? status : put(l, t, other, &place);
}

static int32_t read_pairs(struct loader *l)
{
    struct lli_adapter *adapter = l->adapter;
    const struct lli_gguf *g = &adapter->gguf;
    size_t n_sites = (size_t)l->options->config->n_layers * LLI_N_ROLES, cap = g->n_tensors / 2 * 3; /* three of a fused one */
    int32_t status = 0;
    if (g->n_tensors == 0)
        return lli_fail(l->err, LLMINF_E_FORMAT, "n_tensors", "is 0, want the tensors of an adapter");
    adapter->index = lli_alloc_zero(adapter->heap, n_sites, sizeof *adapter->index);
    adapter->at = lli_alloc_zero(adapter->heap, cap, sizeof *adapter->at);
    if (!adapter->index || !adapter->at)
        return lli_fail_memory(l->err, "adapter", n_sites * sizeof *adapter->index + cap * sizeof *adapter->at);
    for (size_t i = 0; i < g->n_tensors && status == 0; i++)
        status = take(l, &g->tensors[i]);
    return status;
}

/* ---- finite ------------------------------------------------------------------------------------------------------ */

static int32_t check_half(const struct lli_matrix *m, struct llminf_error *err)
{
    int64_t bad = lli_dtype_check(m->type, m->data, (size_t)m->n_out * (m->n_in / m->type->block));
    return bad < 0 ? 0 : lli_weights_not_finite(m, -1, LLI_OUTPUT, (uint64_t)bad, err);
}

static int32_t check_finite(const struct lli_adapter *adapter, struct llminf_error *err)
{
    int32_t status = 0;
    for (size_t i = 0; i < adapter->n && status == 0; i++) {
        status = check_half(&adapter->at[i].a, err);
        if (status == 0)
            status = check_half(&adapter->at[i].b, err);
    }
    return status;
}

/* ---- life -------------------------------------------------------------------------------------------------------- */

static int32_t read_file(struct loader *l, const char *path)
{
    const struct lli_gguf_options options = {.header_limit_bytes = l->options->header_limit_bytes};
    struct lli_adapter *adapter = l->adapter;
    struct lli_mapping m;
    int32_t status = lli_mapping_open(&m, adapter->heap, path, l->options->load, l->options->progress, l->err);
    if (status == 0)
        status = lli_files_add(&adapter->files, &m, l->err);
    return status ? status : lli_gguf_read(&adapter->gguf, adapter->heap, m.bytes, m.size, &options, l->err);
}

static int32_t load(struct loader *l, const char *path)
{
    struct lli_adapter *adapter = l->adapter;
    int code = pthread_mutex_init(&adapter->lock, NULL);
    if (code)
        return lli_fail_os(l->err, code, "adapter", "cannot make a lock");
    adapter->has_lock = 1;
    lli_files_init(&adapter->files, adapter->heap);
    int32_t status = lli_folder_is(path) ? lli_adapter_folder_read(&adapter->gguf, &adapter->files, path, l->options, l->err)
                                         : read_file(l, path);
    if (status == 0)
        status = read_metadata(l);
    if (status == 0)
        status = read_pairs(l);
    if (status == 0 && l->options->verify_all)
        status = check_finite(adapter, l->err);
    if (status == 0)
        adapter->fingerprint = lli_gguf_fingerprint(&adapter->gguf);
    return status;
}

int32_t lli_adapter_open(struct lli_adapter **out, struct lli_heap *heap, const char *path,
                         const struct lli_adapter_options *options, struct llminf_error *err)
{
    struct lli_adapter *adapter = lli_alloc_zero(heap, 1, sizeof *adapter);
    struct loader l = {.adapter = adapter, .options = options, .err = err};
    if (!adapter)
        return lli_fail_memory(err, "adapter", sizeof *adapter);
    adapter->heap = heap;
    atomic_init(&adapter->refs, 1);
    int32_t status = load(&l, path);
    if (status)
        lli_adapter_unref(adapter);
    else
        *out = adapter;
    return status;
}

void lli_adapter_ref(struct lli_adapter *adapter)
{
    atomic_fetch_add_explicit(&adapter->refs, 1, memory_order_relaxed);
}

void lli_adapter_unref(struct lli_adapter *adapter)
{
    if (!adapter || atomic_fetch_sub_explicit(&adapter->refs, 1, memory_order_acq_rel) != 1)
        return;
    struct lli_heap *heap = adapter->heap;
    for (struct lli_low_ranks *all = adapter->newest; all;) {
        struct lli_low_ranks *older = all->older;
        lli_free(heap, all->packed);
        lli_free(heap, all->at);
        lli_free(heap, all);
        all = older;
    }
    if (adapter->has_lock)
        pthread_mutex_destroy(&adapter->lock);
    lli_free(heap, adapter->index);
    lli_free(heap, adapter->at);
    lli_gguf_finish(&adapter->gguf);
    lli_files_finish(&adapter->files);
    lli_free(heap, adapter);
}

/* ---- packing ----------------------------------------------------------------------------------------------------- */

struct packer {
    struct lli_low_ranks *out;
    struct lli_heap *heap;
    struct lli_kernels kernels; /* to take encoded halves apart */
    size_t bytes;
    uint8_t *base; /* NULL: it only counts */
};

/* Rows as binary32, to out[n_out, n_in]. */
static void dequantise(const struct packer *p, uint8_t *out, const struct lli_matrix *m)
{
    size_t row_bytes = lli_dtype_row_bytes(m->type, m->n_in), n = m->n_in;
    for (size_t i = 0; i < m->n_out; i++)
        p->kernels.dequant[m->type->id]((float *)(void *)(out + i * n * sizeof(float)), m->data + i * row_bytes, n);
}

/* Where the half begins in the packing, and where it goes on. */
static int reserve(struct packer *p, uint8_t **at_out, size_t n, size_t each)
{
    size_t bytes;
    *at_out = p->base ? p->base + p->bytes : NULL;
    return lli_size_mul(&bytes, n, each) || lli_size_pad(&bytes, bytes, ALIGN) || lli_size_add(&p->bytes, p->bytes, bytes) ? -1
                                                                                                                           : 0;
}

/* 0, or -1: it does not fit the memory. */
static int pack_half(struct packer *p, struct lli_matrix *out, const struct lli_matrix *from)
{
    uint8_t *plain = NULL, *packed = NULL;
    struct lli_matrix m = *from;
    *out = m;
    if (!m.type->is_float) {
        m.type = lli_dtype_find(LLI_F32);
        m.mat_bytes = (size_t)m.n_out * m.n_in * sizeof(float);
        if (reserve(p, &plain, m.mat_bytes, 1))
            return -1;
        if (plain)
            dequantise(p, plain, from);
        m.data = plain;
    }
    if (p->out->lanes > 1) {
        size_t n_groups = lli_pack_groups(p->out->lanes, m.n_out);
        size_t group_bytes = lli_pack_group_bytes(m.type, p->out->lanes, m.n_in);
        if (reserve(p, &packed, n_groups, group_bytes))
            return -1;
        if (packed)
            lli_pack_rows(packed, m.type, p->out->lanes, m.data, lli_dtype_row_bytes(m.type, m.n_in), m.n_out, m.n_in, 0,
                          n_groups);
        m.data = packed;
        m.mat_bytes = n_groups * group_bytes;
        m.lanes = p->out->lanes;
    }
    *out = m;
    return 0;
}

static int pack_all(struct packer *p, const struct lli_adapter *adapter)
{
    p->bytes = 0;
    for (size_t i = 0; i < adapter->n; i++) {
        struct lli_low_rank *to = &p->out->at[i];
        *to = adapter->at[i];
        if (pack_half(p, &to->a, &adapter->at[i].a) || pack_half(p, &to->b, &adapter->at[i].b))
            return -1;
    }
    return 0;
}

static int32_t fill(struct packer *p, const struct lli_adapter *adapter, struct llminf_error *err)
{
    struct lli_low_ranks *out = p->out;
    lli_registry_fill(&p->kernels, lli_registry_find("scalar"));
    out->at = lli_alloc_array(p->heap, adapter->n, sizeof *out->at);
    if (!out->at)
        return lli_fail_memory(err, "adapter", adapter->n * sizeof *out->at);
    if (pack_all(p, adapter))
        return lli_fail_memory(err, "adapter", UINT64_MAX);
    if (p->bytes == 0)
        return 0;
    out->packed = p->base = lli_alloc_aligned(p->heap, p->bytes, ALIGN);
    if (!p->base)
        return lli_fail_memory(err, "adapter", p->bytes);
    pack_all(p, adapter);
    return 0;
}

/* The lock is held. */
static int32_t make(struct lli_low_ranks **out, struct lli_adapter *adapter, uint32_t lanes, struct llminf_error *err)
{
    struct lli_low_ranks *all = lli_alloc_zero(adapter->heap, 1, sizeof *all);
    if (!all)
        return lli_fail_memory(err, "adapter", sizeof *all);
    *all = (struct lli_low_ranks){.index = adapter->index, .lanes = lanes};
    struct packer p = {.out = all, .heap = adapter->heap};
    int32_t status = check_finite(adapter, err);
    if (status == 0)
        status = fill(&p, adapter, err);
    if (status) {
        lli_free(adapter->heap, all->at);
        lli_free(adapter->heap, all);
        return status;
    }
    *out = all;
    return 0;
}

int32_t lli_adapter_take(const struct lli_low_ranks **out, struct lli_adapter *adapter, uint32_t lanes,
                         struct llminf_error *err)
{
    struct lli_low_ranks *all;
    int32_t status = 0;
    pthread_mutex_lock(&adapter->lock);
    for (all = adapter->newest; all && all->lanes != lanes; all = all->older)
        continue;
    if (!all && (status = make(&all, adapter, lanes, err)) == 0) {
        all->older = adapter->newest;
        adapter->newest = all;
    }
    pthread_mutex_unlock(&adapter->lock);
    if (status == 0)
        *out = all;
    return status;
}
