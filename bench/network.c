#include "network.h"

#include <string.h>

#include "base/fenv.h"
#include "file/shard.h"
#include "forward/layout.h"
#include "model/packing.h"

static int32_t read_file(struct network *n, const char *path, struct llminf_error *err)
{
    const struct lli_shard_options shards = {.gguf = {.header_limit_bytes = LLI_HEADER_BYTES_DEFAULT}};
    const struct lli_gguf_entry *tokens;
    struct lli_mapping m;
    lli_files_init(&n->files, &n->heap);
    int32_t status = lli_mapping_open(&m, &n->heap, path, LLI_LOAD_AUTO, NULL, err);
    if (status == 0)
        status = lli_files_add(&n->files, &m, err);
    if (status == 0)
        status = lli_gguf_read(&n->gguf, &n->heap, m.bytes, m.size, &shards.gguf, err);
    if (status == 0)
        status = lli_shard_join(&n->gguf, &n->files, path, &shards, err);
    if (status < 0)
        return status;
    tokens = lli_gguf_find(&n->gguf, "tokenizer.ggml.tokens");
    status = lli_config_read(&n->config, &n->gguf, tokens ? (uint32_t)tokens->n : 0, err);
    return status < 0 ? status : lli_weights_read(&n->weights, &n->heap, &n->config, &n->gguf, err);
}

int32_t network_open(struct network *n, const char *path, struct llminf_error *err)
{
    memset(n, 0, sizeof *n);
    lli_heap_init(&n->heap, NULL, NULL, NULL);
    uint64_t state = lli_fenv_enter();
    int32_t status = read_file(n, path, err);
    lli_fenv_leave(state);
    struct lli_layout layout;
    lli_layout_find(&layout, &n->config);
    n->n_groups = layout.n_groups;
    return status;
}

int32_t network_start(struct network *n, const struct lli_backend *backend, struct lli_workers *workers, int kv_type,
                      const struct network_room *room, struct llminf_error *err)
{
    const struct lli_forward_options options = {
        .backend = backend,
        .workers = workers,
        .kv_type = kv_type,
        .n_blocks = room->n_blocks * n->n_groups + 1,
        .max_rows = room->rows,
        .max_logits = room->logits,
        .max_pos = room->positions,
        .prefault = room->prefault,
    };
    const struct lli_weights *weights = &n->weights;
    n->kv_type = kv_type;
    if (backend->lanes != 1) {
        const struct lli_packing_source source = {&n->config, &n->weights, &n->files, NULL};
        int32_t status = lli_packing_make(&n->packed, &n->heap, &source, (uint32_t)backend->lanes, workers, NULL, err);
        if (status < 0)
            return status;
        weights = &n->packed;
    }
    return lli_forward_new(&n->forward, &n->heap, &n->config, weights, &options, err);
}

void network_close(struct network *n)
{
    lli_forward_free(n->forward);
    lli_weights_finish(&n->packed);
    lli_weights_finish(&n->weights);
    lli_gguf_finish(&n->gguf);
    lli_files_finish(&n->files);
}

/* ---- what a step costs */

/* Part of a layer's experts that `rows` rows meet when they are routed evenly. */
static double experts_met(const struct lli_config *c, double rows)
{
    double missed = 1;
    for (double i = 0; i < rows && missed > 1e-9; i++)
        missed *= 1 - (double)c->n_experts_used / c->n_experts;
    return 1 - missed;
}

static void add_matrix(struct work *w, const struct lli_config *c, const struct lli_matrix *m, double rows)
{
    double mats = m->n_mats, used = 1, met = 1;
    double weights, ops;
    if (!m->data || m->n_out <= 1 || rows <= 0)
        return; /* vectors are not worth counting */
    if (mats > 1) {
        used = (double)c->n_experts_used / c->n_experts;
        met = experts_met(c, rows);
    }
    weights = mats * m->n_out * m->n_in;
    ops = 2 * weights * used * rows;
    w->bytes += met * mats * m->n_out * (double)lli_dtype_row_bytes(m->type, m->n_in);
    if (m->type->is_float)
        w->fp_ops += ops;
    else
        w->integer_ops += ops;
}

struct work network_work(const struct network *n, double rows, double logit_rows, double positions)
{
    const struct lli_config *c = &n->config;
    struct work w = {.bytes = positions * (double)lli_forward_block_bytes(c, n->kv_type) / LLI_PAGE_TOKENS};
    for (uint32_t layer = 0; layer < c->n_layers; layer++)
        for (int role = LLI_FIRST_LAYER_ROLE; role < LLI_N_ROLES; role++)
            add_matrix(&w, c, &n->weights.layers[layer].at[role], rows);
    add_matrix(&w, c, &n->weights.at[LLI_OUTPUT], logit_rows);
    return w;
}
