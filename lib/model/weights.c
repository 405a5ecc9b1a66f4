/* model/weights.c - walks over the file's tensors and puts each in its place, then looks for places that stayed empty. A
 * tensor without a place is refused: it might be part of the arithmetic. */
#include "model/weights.h"

#include <string.h>

#include "base/error.h"
#include "base/format.h"
#include "base/limits.h"

#define NAME_BYTES 64
#define PIECE_BYTES ((size_t)1 << 20) /* verified between two calls of progress */

struct loader {
    struct lli_weights *w;
    const struct lli_config *config;
    uint64_t sides[LLI_N_EXTENTS];
    const struct lli_gguf_tensor *unknown; /* the first without a place */
    struct llminf_error *err;
};

static void measure(uint64_t sides[LLI_N_EXTENTS], const struct lli_config *c)
{
    int is_whole = c->family->qk_norm == LLI_QK_NORM_ALL;
    sides[LLI_EXTENT_NONE] = 1;
    sides[LLI_EXTENT_EMBD] = c->n_embd;
    sides[LLI_EXTENT_VOCAB] = c->n_vocab;
    sides[LLI_EXTENT_CONTEXT] = c->train_length;
    sides[LLI_EXTENT_TOKEN_TYPES] = c->n_token_types;
    sides[LLI_EXTENT_HEADS] = (uint64_t)c->n_heads * c->head_dim;
    sides[LLI_EXTENT_KV_HEADS] = (uint64_t)c->n_kv_heads * c->head_dim;
    sides[LLI_EXTENT_EACH_HEAD] = c->n_heads;
    sides[LLI_EXTENT_Q_NORM] = is_whole ? sides[LLI_EXTENT_HEADS] : c->head_dim;
    sides[LLI_EXTENT_K_NORM] = is_whole ? sides[LLI_EXTENT_KV_HEADS] : c->head_dim;
    sides[LLI_EXTENT_Q_NORM_HEADS] = c->family->qk_norm == LLI_QK_NORM_EACH_HEAD ? c->n_heads : 1;
    sides[LLI_EXTENT_K_NORM_HEADS] = c->family->qk_norm == LLI_QK_NORM_EACH_HEAD ? c->n_kv_heads : 1;
    sides[LLI_EXTENT_FF] = c->n_ff;
    sides[LLI_EXTENT_EXPERT_FF] = c->n_expert_ff;
    sides[LLI_EXTENT_SHARED_FF] = c->n_shared_ff;
    sides[LLI_EXTENT_EXPERTS] = c->n_experts;
    sides[LLI_EXTENT_ROPE] = c->rope.n_dims / 2;
}

void lli_weights_place(struct lli_place *out, const struct lli_config *config, const char *name)
{
    *out = (struct lli_place){.layer = -1, .roles = &out->role};
    const char *rest = lli_family_layer(&out->layer, "blk.", name);
    const struct lli_fused *fused = rest ? lli_family_fused(config->family, rest) : NULL;
    int first = rest ? LLI_FIRST_LAYER_ROLE : 0, end = rest ? LLI_N_ROLES : LLI_FIRST_LAYER_ROLE;
    uint64_t parts = 0, may = lli_family_may(config->family, config->n_experts > 0);
    for (size_t i = 0; fused && i < fused->n_parts; i++)
        parts |= LLI_ROLE(fused->parts[i]);
    if (fused && (may & parts) == parts) {
        out->n_roles = fused->n_parts;
        out->roles = fused->parts;
        return;
    }
    for (int role = first; role < end; role++) {
        if ((may >> role & 1) && strcmp(lli_family_shape((enum lli_role)role)->name, rest ? rest : name) == 0) {
            out->role = (uint8_t)role;
            out->n_roles = 1;
            return;
        }
    }
}

/* Which side counts rows: a vector's rows are its elements. */
static unsigned row_side(const struct lli_role_shape *shape)
{
    return shape->is_vector ? 0 : 1;
}

static int32_t check_shape(const struct loader *l, const struct lli_gguf_tensor *t, const struct lli_place *place)
{
    const struct lli_role_shape *shape = lli_family_shape((enum lli_role)place->roles[0]);
    for (unsigned i = 0; i < LLI_MAX_DIMS; i++) {
        uint64_t want = i < sizeof shape->sides ? l->sides[shape->sides[i]] : 1;
        for (size_t part = 1; part < place->n_roles && i == row_side(shape); part++)
            want += l->sides[lli_family_shape((enum lli_role)place->roles[part])->sides[i]];
        if (t->dims[i] != want)
            return lli_fail_at(l->err, LLMINF_E_FORMAT, t->pos, t->name, "dimension %u is %llu, want %llu", i,
                               (unsigned long long)t->dims[i], (unsigned long long)want);
    }
    return 0;
}

/* Vectors are used as they are: binary32, and finite. */
static int32_t check_vector(const struct loader *l, const struct lli_gguf_tensor *t)
{
    if (t->type->id != LLI_F32)
        return lli_fail_at(l->err, LLMINF_E_UNSUPPORTED, t->pos, t->name, "a vector in %s, want f32", t->type->name);
    int64_t bad = lli_dtype_check(t->type, t->data, (size_t)(t->dims[0] * t->dims[1]));
    if (bad >= 0)
        return lli_fail_at(l->err, LLMINF_E_NUMERIC, t->pos, t->name, "element %lld is not finite", (long long)bad);
    return 0;
}

/* They divide angles: their range is that of any other scaling. */
static int32_t check_rope_factors(const struct loader *l, enum lli_role role)
{
    const char *name = lli_family_shape(role)->name;
    const struct lli_matrix *m = &l->w->at[role];
    for (uint32_t i = 0; m->data && i < m->n_in; i++) {
        float v;
        memcpy(&v, m->data + i * sizeof v, sizeof v);
        if (!((double)v >= LLI_MIN_ROPE_FACTOR && (double)v <= LLI_MAX_ROPE_FACTOR))
            return lli_fail(l->err, LLMINF_E_FORMAT, name, "element %u is %g, want %g to %g", i, (double)v, LLI_MIN_ROPE_FACTOR,
                            LLI_MAX_ROPE_FACTOR);
    }
    return 0;
}

/* One role's part of a tensor: the rows from first_row on. */
static int32_t put_part(struct loader *l, const struct lli_gguf_tensor *t, int64_t layer, int role, uint64_t first_row)
{
    const struct lli_role_shape *shape = lli_family_shape((enum lli_role)role);
    const uint64_t sides[3] = {l->sides[shape->sides[0]], l->sides[shape->sides[1]], l->sides[shape->sides[2]]};
    size_t row_bytes = shape->is_vector ? t->type->block_bytes : lli_dtype_row_bytes(t->type, (size_t)sides[0]);
    struct lli_matrix *m = layer < 0 ? &l->w->at[role] : &l->w->layers[layer].at[role];
    if (m->data)
        return lli_fail_at(l->err, LLMINF_E_FORMAT, t->pos, t->name, "is there already, as %s", m->tensor);
    *m = (struct lli_matrix){.type = t->type,
                             .data = t->data + first_row * row_bytes,
                             .n_in = (uint32_t)sides[0],
                             .n_out = (uint32_t)sides[1],
                             .n_mats = (uint32_t)sides[2],
                             .lanes = 1,
                             .mat_bytes = (size_t)sides[1] * lli_dtype_row_bytes(t->type, (size_t)sides[0]),
                             .tensor = t->name,
                             .first_block = first_row * row_bytes / t->type->block_bytes,
                             .site = (uint32_t)((layer < 0 ? 0 : layer) * LLI_N_ROLES + role)};
    return 0;
}

static int32_t put(struct loader *l, const struct lli_gguf_tensor *t)
{
    struct lli_place place;
    uint64_t row = 0;
    lli_weights_place(&place, l->config, t->name);
    if (place.layer >= (int64_t)l->config->n_layers)
        return lli_fail_at(l->err, LLMINF_E_FORMAT, t->pos, t->name, "layer %lld of %u", (long long)place.layer,
                           l->config->n_layers);
    if (place.n_roles == 0) {
        if (!l->unknown)
            l->unknown = t;
        return 0;
    }
    const struct lli_role_shape *shape = lli_family_shape((enum lli_role)place.roles[0]);
    int32_t status = check_shape(l, t, &place);
    if (status == 0 && shape->is_vector)
        status = check_vector(l, t);
    for (size_t i = 0; i < place.n_roles && status == 0; i++) {
        status = put_part(l, t, place.layer, place.roles[i], row);
        row += l->sides[lli_family_shape((enum lli_role)place.roles[i])->sides[row_side(shape)]];
    }
    l->w->n_params += t->dims[0] * t->dims[1] * t->dims[2];
    l->w->bytes += t->bytes;
    return status;
}

static void name_tensor(char out[NAME_BYTES], int64_t layer, int role)
{
    const char *name = lli_family_shape((enum lli_role)role)->name;
    if (layer < 0)
        lli_format(out, NAME_BYTES, "%s", name);
    else
        lli_format(out, NAME_BYTES, "blk.%lld.%s", (long long)layer, name);
}

/* A role of the layers: in all of them, or in none if it need not be there. */
static int32_t check_layers(const struct loader *l, int role, int is_needed)
{
    char name[NAME_BYTES];
    uint32_t n = 0, missing = 0;
    for (uint32_t i = l->config->n_layers; i-- > 0;) {
        if (l->w->layers[i].at[role].data)
            n++;
        else
            missing = i;
    }
    if (n == l->config->n_layers || (n == 0 && !is_needed))
        return 0;
    name_tensor(name, missing, role);
    return lli_fail(l->err, LLMINF_E_FORMAT, name, "missing; %u of %u layers have it", n, l->config->n_layers);
}

static int32_t check_complete(const struct loader *l)
{
    uint64_t needs = lli_family_needs(l->config->family, l->config->n_experts > 0);
    for (int role = 0; role < LLI_N_ROLES; role++) {
        int is_needed = needs >> role & 1;
        int32_t status = 0;
        if (role >= LLI_FIRST_LAYER_ROLE)
            status = check_layers(l, role, is_needed);
        else if (is_needed && !l->w->at[role].data)
            status = lli_fail(l->err, LLMINF_E_FORMAT, lli_family_shape((enum lli_role)role)->name, "missing");
        if (status)
            return status;
    }
    if (l->unknown)
        return lli_fail_at(l->err, LLMINF_E_UNSUPPORTED, l->unknown->pos, l->unknown->name, "not a tensor of %s",
                           l->config->family->name);
    return 0;
}

static int32_t load(struct loader *l, const struct lli_gguf *g)
{
    uint32_t n_layers = l->config->n_layers;
    if (g->n_tensors < n_layers)
        return lli_fail(l->err, LLMINF_E_FORMAT, "n_tensors", "%zu tensors for %u layers", g->n_tensors, n_layers);
    l->w->layers = lli_alloc_zero(l->w->heap, n_layers, sizeof *l->w->layers);
    if (!l->w->layers)
        return lli_fail_memory(l->err, "layers", n_layers * sizeof *l->w->layers);
    for (size_t i = 0; i < g->n_tensors; i++) {
        int32_t status = put(l, &g->tensors[i]);
        if (status)
            return status;
    }
    int32_t status = check_complete(l);
    if (status == 0)
        status = check_rope_factors(l, LLI_ROPE_FREQS);
    if (status == 0)
        status = check_rope_factors(l, LLI_ROPE_LONG);
    if (status == 0)
        status = check_rope_factors(l, LLI_ROPE_SHORT);
    if (status == 0 && !l->w->at[LLI_ROPE_LONG].data != !l->w->at[LLI_ROPE_SHORT].data)
        status = lli_fail(l->err, LLMINF_E_FORMAT,
                          l->w->at[LLI_ROPE_LONG].data ? "rope_factors_short.weight" : "rope_factors_long.weight",
                          "missing, want both or none");
    if (status == 0 && !l->w->at[LLI_OUTPUT].data)
        lli_weights_tie(l->w);
    return status;
}

int32_t lli_weights_read(struct lli_weights *out, struct lli_heap *heap, const struct lli_config *config,
                         const struct lli_gguf *g, struct llminf_error *err)
{
    struct loader l = {.w = out, .config = config, .err = err};
    memset(out, 0, sizeof *out);
    out->heap = heap;
    measure(l.sides, config);
    int32_t status = load(&l, g);
    if (status)
        lli_weights_finish(out);
    return status;
}

void lli_weights_tie(struct lli_weights *w)
{
    w->at[LLI_OUTPUT] = w->at[LLI_TOKEN_EMBD];
    w->at[LLI_OUTPUT].site = LLI_OUTPUT;
}

void lli_weights_finish(struct lli_weights *w)
{
    if (w->heap) {
        lli_free(w->heap, w->layers);
        lli_free(w->heap, w->packed);
    }
    memset(w, 0, sizeof *w);
}

/* ---- every byte */

int32_t lli_weights_not_finite(const struct lli_matrix *m, int64_t layer, int role, uint64_t block, struct llminf_error *err)
{
    char name[NAME_BYTES];
    name_tensor(name, layer, role);
    return lli_fail(err, LLMINF_E_NUMERIC, m->tensor ? m->tensor : name, "%s %llu is not finite",
                    m->type->is_float ? "element" : "scale of block", (unsigned long long)(m->first_block + block));
}

struct scan {
    const struct lli_progress *progress;
    uint64_t done, all; /* bytes */
    struct llminf_error *err;
};

static int32_t scan_matrix(struct scan *s, const struct lli_matrix *m, int64_t layer, int role)
{
    if (!m->data)
        return 0;
    const struct lli_dtype *type = m->type;
    size_t n_blocks = (size_t)m->n_in / type->block * m->n_out * m->n_mats, piece = PIECE_BYTES / type->block_bytes;
    for (size_t at = 0; at < n_blocks;) {
        size_t n = n_blocks - at < piece ? n_blocks - at : piece;
        int64_t bad = lli_dtype_check(type, m->data + at * type->block_bytes, n);
        if (bad >= 0)
            return lli_weights_not_finite(m, layer, role, (uint64_t)at + (uint64_t)bad, s->err);
        at += n;
        s->done += n * type->block_bytes;
        if (s->progress && s->progress->call && s->progress->call(s->progress->user, (double)s->done / (double)s->all))
            return lli_fail(s->err, LLMINF_E_CALLBACK, "progress", "the host ended the check of the weights");
    }
    return 0;
}

int32_t lli_weights_verify(const struct lli_weights *w, const struct lli_config *config, const struct lli_progress *progress,
                           struct llminf_error *err)
{
    struct scan s = {.progress = progress, .all = w->bytes, .err = err};
    int is_tied = w->at[LLI_OUTPUT].data == w->at[LLI_TOKEN_EMBD].data;
    int32_t status = 0;
    for (int role = 0; role < LLI_FIRST_LAYER_ROLE && status == 0; role++) {
        if (role != LLI_OUTPUT || !is_tied)
            status = scan_matrix(&s, &w->at[role], -1, role);
    }
    for (uint32_t i = 0; i < config->n_layers && status == 0; i++) {
        for (int role = LLI_FIRST_LAYER_ROLE; role < LLI_N_ROLES && status == 0; role++)
            status = scan_matrix(&s, &w->layers[i].at[role], i, role);
    }
    return status;
}
