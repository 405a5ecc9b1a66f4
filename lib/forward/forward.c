/* forward/forward.c - one step from tokens to logits, and the life of what it works on. */
#include "forward/forward.h"

#include <stdatomic.h>
#include <string.h>

#include "backend/pack.h"
#include "backend/registry.h"
#include "base/error.h"
#include "base/fenv.h"
#include "base/mathx.h"
#include "base/size.h"
#include "forward/adapt.h"
#include "forward/attention.h"
#include "forward/ffn.h"
#include "forward/linear.h"
#include "forward/moe.h"
#include "forward/norm.h"
#include "forward/pass.h"
#include "forward/pooled.h"
#include "model/sliced.h"

struct lli_forward {
    struct lli_heap *heap;
    const struct lli_config *whole; /* of the model; pass.config is that of the slice */
    struct lli_config config;
    float *vectors;       /* the bytes that pass.vectors names; owned, as is that table */
    size_t scratch_bytes; /* all but the KV pool */
    size_t max_rows;      /* of a product */
    uint32_t lanes;
    struct lli_pass pass;
};

/* ---- the step */

/* Row i of a table of vectors. */
static void look_up(const struct lli_pass *pass, float *out, const struct lli_matrix *table, size_t i, int worker)
{
    uint8_t *row = pass->scratch.token_row + (size_t)worker * table->n_in * 4;
    const uint8_t *at = row; /* in the file's layout */
    if (table->lanes == 1)
        at = table->data + i * lli_dtype_row_bytes(table->type, table->n_in);
    else
        lli_pack_row(row, table->type, table->lanes, table->data, table->n_in, i);
    pass->kernels.dequant[table->type->id](out, at, table->n_in);
}

static void copy_block(const struct lli_pass *pass, const void *arg, size_t i, int worker)
{
    const struct lli_copy *copy = &pass->plan->copies[i];
    (void)arg;
    (void)worker;
    lli_pages_copy(&pass->pages, copy->dst, copy->src);
}

/* The token's vector, plus that of its type (the first), plus its position's, where there are tables of them. */
static void start_stream(const struct lli_pass *pass, float *x, const struct lli_row *r, float *free, int worker)
{
    const struct lli_matrix *at = pass->weights->at;
    look_up(pass, x, &at[LLI_TOKEN_EMBD], (size_t)r->token, worker);
    if (pass->config->embedding_scale != 1)
        pass->kernels.scale(x, x, pass->config->embedding_scale, pass->config->n_embd);
    if (at[LLI_TOKEN_TYPES].data) {
        look_up(pass, free, &at[LLI_TOKEN_TYPES], 0, worker);
        pass->kernels.add(x, x, free, pass->config->n_embd);
    }
    if (at[LLI_POSITION_EMBD].data) {
        look_up(pass, free, &at[LLI_POSITION_EMBD], r->pos, worker);
        pass->kernels.add(x, x, free, pass->config->n_embd);
    }
    if (at[LLI_TOKEN_NORM].data)
        lli_norm_role(pass, x, x, 0, LLI_TOKEN_NORM, pass->config->n_embd);
}

static void clear_blocks(const struct lli_pass *pass, const struct lli_seq *seq, size_t i)
{
    for (uint32_t g = 0; g < pass->pages.layout.n_groups; g++)
        lli_pages_clear(&pass->pages, seq->blocks[g][i]);
}

/* The token's vector, where layer 0 is, and the angles of its position. A block whose first position comes is cleared. */
static void begin_row(const struct lli_pass *pass, const void *arg, size_t row, int worker)
{
    const struct lli_row *r = &pass->plan->rows[row];
    const struct lli_scratch *s = &pass->scratch;
    size_t n = pass->config->n_embd;
    atomic_store_explicit(&s->bad[row], 0, memory_order_relaxed);
    if (*(const int *)arg)
        start_stream(pass, s->x + row * n, r, s->normed + row * n, worker);
    for (int local = 0; local <= (pass->config->window > 0); local++) {
        size_t n_pairs = pass->rotary[local].n_pairs;
        lli_rotary_at(&pass->rotary[local], r->pos, s->cos[local] + row * n_pairs, s->sin[local] + row * n_pairs);
    }
    if (r->pos % LLI_PAGE_TOKENS == 0 && !(r->flags & LLI_ROW_NO_STORE))
        clear_blocks(pass, &pass->plan->seqs[r->seq], r->pos / LLI_PAGE_TOKENS);
}

/* The last norm, for the i-th row that wants logits. */
static void norm_last(const struct lli_pass *pass, const void *arg, size_t i, int worker)
{
    const struct lli_scratch *s = &pass->scratch;
    size_t n = pass->config->n_embd, row = s->logit_rows[i];
    (void)worker;
    lli_norm_last(pass, s->normed + i * n, row);
    if (lli_linear_take(pass, s->q8 + i * lli_q8_blocks(n), s->normed + i * n, n, *(const int *)arg) < 0)
        lli_pass_mark(pass, row);
}

static void finish_logits(const struct lli_pass *pass, const void *arg, size_t i, int worker)
{
    const struct lli_config *c = pass->config;
    const struct lli_scratch *s = &pass->scratch;
    float *logits = s->logits + i * c->n_vocab;
    (void)arg;
    (void)worker;
    if (c->logit_scale != 1)
        pass->kernels.scale(logits, logits, c->logit_scale, c->n_vocab);
    if (!pass->kernels.finite(logits, c->n_vocab))
        lli_pass_mark(pass, s->logit_rows[i]);
    if (c->logit_softcap > 0)
        pass->kernels.softcap(logits, logits, c->logit_softcap, c->n_vocab);
}

static void run_logits(struct lli_pass *pass)
{
    const struct lli_plan *plan = pass->plan;
    const struct lli_scratch *s = &pass->scratch;
    const struct lli_linear output = {.w = &pass->weights->at[LLI_OUTPUT],
                                      .bias = lli_pass_vector(pass, 0, LLI_OUTPUT_BIAS),
                                      .out = s->logits,
                                      .input = s->normed,
                                      .q8 = s->q8};
    int q8 = lli_linear_wants_q8(&output, 1);
    size_t n = 0;
    for (uint32_t row = 0; row < plan->n_rows; row++)
        if (plan->rows[row].flags & LLI_ROW_LOGITS)
            s->logit_rows[n++] = row;
    if (n == 0)
        return;
    lli_adapt_find_logits(pass, n);
    lli_pass_share(pass, norm_last, &q8, n);
    lli_linear_run_one(pass, &output, n);
    lli_pass_share(pass, finish_logits, NULL, n);
}

/* NULL: the weights are those of the whole model. */
static const struct lli_slice *slice_of(const struct lli_weights *w)
{
    return w && w->slice.tp > 0 ? &w->slice : NULL;
}

static void set_statuses(const struct lli_pass *pass, struct lli_plan *plan)
{
    for (uint32_t i = 0; i < plan->n_seqs; i++)
        plan->seqs[i].status = 0;
    for (uint32_t row = 0; row < plan->n_rows; row++)
        if (atomic_load_explicit(&pass->scratch.bad[row], memory_order_relaxed))
            plan->seqs[plan->rows[row].seq].status = LLMINF_E_NUMERIC;
}

void lli_forward_run(struct lli_forward *f, struct lli_plan *plan)
{
    struct lli_pass *pass = &f->pass;
    const struct lli_slice *slice = slice_of(pass->weights);
    int is_first = !slice || slice->is_first, is_last = !slice || slice->is_last;
    size_t stream_bytes = (size_t)plan->n_rows * pass->config->n_embd * sizeof(float);
    uint64_t state = lli_fenv_enter();
    pass->plan = plan;
    lli_adapt_find_rows(pass);
    for (int local = 0; local <= (pass->config->window > 0); local++)
        lli_tiles_cut(&pass->tiling[local], pass->scratch.tiles[local], plan, pass->config, local ? pass->config->window : 0,
                      (size_t)pass->workers->n);
    lli_pass_share(pass, copy_block, NULL, plan->n_copies);
    lli_pass_share(pass, begin_row, &is_first, plan->n_rows);
    if (!is_first)
        lli_comm_receive(pass->comm, pass->comm->rank - pass->comm->tp, pass->scratch.x, stream_bytes);
    for (uint32_t layer = 0; layer < pass->config->n_layers; layer++) {
        lli_ffn_see(pass, layer);
        lli_attention_run(pass, layer);
        if (pass->config->n_experts > 0)
            lli_moe_run(pass, layer);
        else
            lli_ffn_run(pass, layer);
    }
    if (is_last) {
        run_logits(pass);
        lli_pooled_run(pass);
    } else {
        lli_comm_send(pass->comm, pass->comm->rank + pass->comm->tp, pass->scratch.x, stream_bytes);
    }
    set_statuses(pass, plan);
    pass->plan = NULL;
    lli_fenv_leave(state);
}

const float *lli_forward_logits(const struct lli_forward *f, uint32_t i)
{
    return f->pass.scratch.logits + (size_t)i * f->pass.config->n_vocab;
}

/* ---- gains, biases and sinks: copied, so that they are aligned whatever the host's memory is */

static const struct lli_matrix *matrix_at(const struct lli_weights *w, uint32_t layer, uint32_t role)
{
    return role >= LLI_FIRST_LAYER_ROLE ? &w->layers[layer].at[role] : layer == 0 ? &w->at[role] : NULL;
}

/* The factors of angles have gone into rotary. */
static int is_copied(uint32_t role)
{
    return lli_family_shape((enum lli_role)role)->is_vector && role != LLI_ROPE_FREQS && role != LLI_ROPE_LONG &&
           role != LLI_ROPE_SHORT;
}

static void copy_rows(float *to, const struct lli_matrix *m)
{
    for (uint32_t i = 0; i < m->n_out; i++)
        memcpy(to + (size_t)i * m->n_in, m->data + i * lli_matrix_row_bytes(m), m->n_in * sizeof *to);
}

/* Copies every vector to `to` and enters it in the pass's table; returns how many floats that takes. `to` NULL: it counts. */
static size_t copy_vectors(struct lli_pass *pass, float *to, const struct lli_config *config, const struct lli_weights *weights)
{
    size_t n = 0;
    for (uint32_t layer = 0; layer < config->n_layers; layer++)
        for (uint32_t role = 0; role < LLI_N_ROLES; role++) {
            const struct lli_matrix *m = matrix_at(weights, layer, role);
            size_t length;
            if (!m || !m->data || !is_copied(role))
                continue;
            length = (size_t)m->n_in * m->n_out;
            if (to) {
                copy_rows(to + n, m);
                pass->vectors[(size_t)layer * LLI_N_ROLES + role] = to + n;
            }
            n += length;
        }
    return n;
}

static int32_t take_vectors(struct lli_forward *f, struct llminf_error *err)
{
    struct lli_pass *pass = &f->pass;
    size_t n = copy_vectors(NULL, NULL, pass->config, pass->weights), n_slots = (size_t)pass->config->n_layers * LLI_N_ROLES;
    pass->vectors = lli_alloc_zero(f->heap, n_slots, sizeof *pass->vectors);
    f->vectors = lli_alloc_array(f->heap, n, sizeof *f->vectors);
    if (!pass->vectors || !f->vectors)
        return lli_fail_memory(err, "norms", n * sizeof *f->vectors);
    copy_vectors(pass, f->vectors, pass->config, pass->weights);
    if (!pass->kernels.finite(f->vectors, n))
        return lli_fail(err, LLMINF_E_NUMERIC, "norms", "NaN or Inf in a gain, a bias or a sink, want finite numbers");
    return 0;
}

/* ALiBi: the first heads, a power of two of them, have powers of one base, those behind the odd powers of its root (Press,
 * Smith and Lewis, "Train Short, Test Long", 2022, and their code). */
static int32_t make_slopes(struct lli_forward *f, struct llminf_error *err)
{
    const struct lli_config *c = f->whole;
    const struct lli_slice *slice = slice_of(f->pass.weights);
    uint32_t most = 1, first = slice ? slice->heads.first : 0, n = f->pass.config->n_heads;
    if (c->alibi == 0 || n == 0)
        return 0;
    f->pass.slopes = lli_alloc_array(f->heap, n, sizeof *f->pass.slopes);
    if (!f->pass.slopes)
        return lli_fail_memory(err, "slopes", n * sizeof *f->pass.slopes);
    while (2 * most <= c->n_heads)
        most *= 2;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t h = first + i;
        double power = h < most ? h + 1 : (double)(h - most) + 0.5;
        f->pass.slopes[i] = (float)lli_pow_f64(2, -(double)c->alibi * power / most);
    }
    return 0;
}

/* ---- life */

static void narrow(struct lli_config *out, const struct lli_config *config, const struct lli_slice *slice)
{
    if (slice)
        lli_sliced_config(out, config, slice);
    else
        *out = *config;
}

int lli_forward_size(struct lli_forward_size *out, const struct lli_config *whole, const struct lli_weights *weights,
                     const struct lli_forward_options *o, int n_workers)
{
    struct lli_config narrowed, *config = &narrowed;
    narrow(config, whole, slice_of(weights));
    size_t n_vectors = weights ? copy_vectors(NULL, NULL, config, weights) : 0, scratch;
    size_t n_pairs = config->rope.n_dims / 2 + (config->window > 0 ? config->local_rope.n_dims / 2 : 0);
    size_t own = sizeof(struct lli_forward) + n_vectors * sizeof(float) + n_pairs * sizeof(double) +
                 (size_t)config->n_layers * LLI_N_ROLES * sizeof(float *) +
                 (config->alibi != 0 ? config->n_heads : 0) * sizeof(float);
    if (lli_scratch_bytes(&scratch, config, o->max_rows, o->max_logits, n_workers) < 0 ||
        lli_size_add(&out->scratch_bytes, scratch, own) ||
        lli_size_mul(&out->kv_bytes, lli_pages_block_bytes(whole, slice_of(weights), o->kv_type), o->n_blocks))
        return -1;
    out->logits_bytes = (size_t)o->max_logits * config->n_vocab * sizeof(float);
    return 0;
}

/* The factors of the model's own: of two, the long ones if it was trained beyond the length of the short ones. They do not
 * depend on the context's length, so that a file has one answer. */
static const struct lli_matrix *rope_factors(const struct lli_pass *pass)
{
    const struct lli_matrix *at = pass->weights->at;
    if (at[LLI_ROPE_FREQS].data)
        return &at[LLI_ROPE_FREQS];
    return &at[pass->config->train_length > pass->config->rope.original_length ? LLI_ROPE_LONG : LLI_ROPE_SHORT];
}

static int32_t init(struct lli_forward *f, const struct lli_forward_options *o, struct llminf_error *err)
{
    struct lli_pass *pass = &f->pass;
    const struct lli_config *config = pass->config;
    struct lli_forward_size size;
    int32_t status;
    lli_registry_fill(&pass->kernels, o->backend);
    if (lli_forward_size(&size, f->whole, pass->weights, o, o->workers->n) < 0)
        return lli_fail_memory(err, "buffers of a step", UINT64_MAX);
    f->scratch_bytes = size.scratch_bytes;
    if ((status = take_vectors(f, err)) < 0 || (status = make_slopes(f, err)) < 0)
        return status;
    status = lli_rotary_init(&pass->rotary[0], f->heap, &config->rope, rope_factors(pass), o->max_pos, err);
    if (status == 0 && config->window > 0)
        status = lli_rotary_init(&pass->rotary[1], f->heap, &config->local_rope, rope_factors(pass), o->max_pos, err);
    if (status < 0)
        return status;
    status = lli_scratch_init(&pass->scratch, f->heap, config, o->max_rows, o->max_logits, o->workers->n, err);
    if (status < 0)
        return status;
    status = lli_pages_init(&pass->pages, f->heap, f->whole, slice_of(pass->weights), o->kv_type, o->n_blocks, err);
    if (status == 0 && o->prefault)
        lli_pages_touch(&pass->pages);
    return status;
}

int32_t lli_forward_new(struct lli_forward **out, struct lli_heap *heap, const struct lli_config *config,
                        const struct lli_weights *weights, const struct lli_forward_options *options, struct llminf_error *err)
{
    struct lli_forward *f = lli_alloc_zero(heap, 1, sizeof *f);
    uint64_t state;
    int32_t status;
    if (!f)
        return lli_fail_memory(err, "forward pass", sizeof *f);
    f->heap = heap;
    f->whole = config;
    narrow(&f->config, config, slice_of(weights));
    f->pass.config = &f->config;
    f->pass.comm = options->comm;
    f->pass.weights = weights;
    f->pass.workers = options->workers;
    f->max_rows = options->max_rows > options->max_logits ? options->max_rows : options->max_logits;
    f->lanes = (uint32_t)options->backend->lanes;
    state = lli_fenv_enter();
    status = init(f, options, err);
    lli_fenv_leave(state);
    if (status < 0) {
        lli_forward_free(f);
        return status;
    }
    *out = f;
    return 0;
}

void lli_forward_free(struct lli_forward *f)
{
    struct lli_heap *heap;
    if (!f)
        return;
    heap = f->heap;
    lli_pages_finish(&f->pass.pages);
    lli_scratch_finish(&f->pass.scratch);
    lli_rotary_finish(&f->pass.rotary[0]);
    lli_rotary_finish(&f->pass.rotary[1]);
    lli_free(heap, f->vectors);
    lli_free(heap, f->pass.vectors);
    lli_free(heap, f->pass.slopes);
    lli_free(heap, f);
}

int32_t lli_forward_seat(struct lli_seat **out, struct lli_forward *f, struct lli_adapter *adapter, struct llminf_error *err)
{
    if (f->pass.weights->slice.tp > 0)
        return lli_fail(err, LLMINF_E_UNSUPPORTED, "adapter", "of a model that is shared by ranks is not known yet");
    return lli_adapt_seat(out, f->heap, adapter, f->lanes, f->max_rows, f->pass.workers->n, err);
}

void lli_forward_unseat(struct lli_seat *seat)
{
    lli_adapt_leave(seat);
}

size_t lli_forward_block_bytes(const struct lli_config *config, int kv_type)
{
    return lli_pages_block_bytes(config, NULL, kv_type);
}

size_t lli_forward_slice_bytes(const struct lli_config *config, const struct lli_slice *slice, int kv_type)
{
    return lli_pages_block_bytes(config, slice, kv_type);
}

void lli_forward_forget(struct lli_forward *f, uint32_t block)
{
    lli_pages_forget(&f->pass.pages, block);
}

size_t lli_forward_saved_bytes(const struct lli_forward *f)
{
    struct lli_layout layout;
    lli_layout_find(&layout, f->whole);
    return 2 * layout.n_places * f->whole->n_kv_heads * f->pass.pages.head_bytes;
}

void lli_forward_save_block(const struct lli_forward *f, uint32_t block, void *out)
{
    memcpy(out, lli_pages_block(&f->pass.pages, block), lli_forward_saved_bytes(f));
}

void lli_forward_load_block(struct lli_forward *f, uint32_t block, const void *bytes)
{
    lli_pages_clear(&f->pass.pages, block);
    memcpy(lli_pages_block(&f->pass.pages, block), bytes, lli_forward_saved_bytes(f));
}

size_t lli_forward_kv_bytes(const struct lli_forward *f)
{
    return f->pass.pages.block_bytes * f->pass.pages.n_blocks;
}

size_t lli_forward_scratch_bytes(const struct lli_forward *f)
{
    return f->scratch_bytes;
}
