#include "support/network.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backend/registry.h"
#include "forward/layout.h"
#include "llminf/status.h"
#include "support/support.h"

enum { MAX_ROWS = 64 };

struct network_table {
    struct network_table *next;
    uint32_t ids[];
};

static int32_t read_file(struct network *n, size_t size, struct llminf_error *error)
{
    const struct lli_gguf_options options = {.header_limit_bytes = 1 << 28};
    const struct lli_gguf_entry *tokens;
    int32_t status = lli_gguf_read(&n->gguf, &n->heap, n->bytes, size, &options, error);
    if (status < 0)
        return status;
    tokens = lli_gguf_find(&n->gguf, "tokenizer.ggml.tokens");
    status = lli_config_read(&n->config, &n->gguf, tokens ? (uint32_t)tokens->n : 0, error);
    return status < 0 ? status : lli_weights_read(&n->weights, &n->heap, &n->config, &n->gguf, error);
}

int32_t network_open(struct network *network, uint8_t *bytes, size_t size)
{
    struct llminf_error error;
    int32_t status;
    memset(network, 0, sizeof *network);
    network->bytes = bytes;
    lli_heap_init(&network->heap, NULL, NULL, NULL);
    status = read_file(network, size, &error);
    if (status < 0)
        fprintf(stderr, "%s\n", error.text);
    return status;
}

void network_make(struct network *network, const struct test_model_spec *spec)
{
    size_t size;
    uint8_t *bytes = test_model_make(spec, &size);
    if (network_open(network, bytes, size) != 0)
        abort();
}

void network_close(struct network *network)
{
    lli_weights_finish(&network->weights);
    lli_gguf_finish(&network->gguf);
    free(network->sinks);
    free(network->bytes);
    if (network->heap.live_bytes != 0)
        fprintf(stderr, "%lld bytes live\n", (long long)network->heap.live_bytes);
}

void network_add_sinks(struct network *network)
{
    size_t n_layers = network->config.n_layers, n_heads = network->config.n_heads;
    uint64_t seed = 1;
    network->sinks = malloc(n_layers * n_heads * sizeof *network->sinks);
    if (!network->sinks)
        abort();
    for (size_t i = 0; i < n_layers * n_heads; i++)
        network->sinks[i] = (float)(support_random(&seed) % 1024) / 128.0f - 1.0f;
    network->sinks[(n_layers - 1) * n_heads] = 100;
    network->sinks[n_layers * n_heads - 1] = -100;
    for (size_t i = 0; i < n_layers; i++)
        network->weights.layers[i].at[LLI_ATTN_SINKS] = (struct lli_matrix){.type = lli_dtype_find(LLI_F32),
                                                                            .data = (uint8_t *)(network->sinks + i * n_heads),
                                                                            .n_in = (uint32_t)n_heads,
                                                                            .n_out = 1,
                                                                            .n_mats = 1,
                                                                            .lanes = 1};
}

int32_t network_start(struct network_run *run, struct network *network, int kv_type, int n_threads, uint32_t n_blocks)
{
    const struct lli_backend *backend = network->backend ? network->backend : lli_registry_find("auto");
    const struct lli_weights *weights = &network->weights;
    struct llminf_error error;
    struct lli_layout layout;
    lli_layout_find(&layout, &network->config);
    struct lli_forward_options options = {
        .backend = backend,
        .workers = &run->workers,
        .kv_type = kv_type,
        .n_blocks = n_blocks * layout.n_groups,
        .max_rows = MAX_ROWS,
        .max_logits = MAX_ROWS,
        .max_pos = n_blocks * 16,
    };
    int32_t status;
    memset(run, 0, sizeof *run);
    run->network = network;
    run->n_groups = layout.n_groups;
    run->n_blocks = n_blocks;
    status = lli_workers_init(&run->workers, &network->heap, n_threads, NULL, 10000, &error);
    if (status >= 0 && backend->lanes > 1) {
        const struct lli_packing_source source = {&network->config, weights, NULL, NULL};
        status = lli_packing_make(&run->packed, &network->heap, &source, (uint32_t)backend->lanes, &run->workers, NULL, &error);
        weights = &run->packed;
    }
    if (status >= 0)
        status = lli_forward_new(&run->forward, &network->heap, &network->config, weights, &options, &error);
    if (status < 0)
        fprintf(stderr, "%s\n", error.text);
    return status;
}

void network_stop(struct network_run *run)
{
    for (struct network_table *table; (table = run->tables); free(table))
        run->tables = table->next;
    lli_forward_free(run->forward);
    lli_workers_finish(&run->workers);
    lli_weights_finish(&run->packed);
}

void network_show(struct network_run *run, struct lli_seq *seq, const uint32_t *blocks, uint32_t n)
{
    seq->blocks[0] = blocks;
    for (uint32_t g = 1; g < run->n_groups; g++) {
        struct network_table *table = malloc(sizeof *table + n * sizeof *table->ids);
        if (!table)
            abort();
        for (uint32_t i = 0; i < n; i++)
            table->ids[i] = blocks[i] + g * run->n_blocks;
        table->next = run->tables;
        run->tables = table;
        seq->blocks[g] = table->ids;
    }
}

int32_t network_feed(struct network_run *run, const uint32_t *blocks, const int32_t *ids, uint32_t first, uint32_t n,
                     uint32_t chunk, float *logits_out)
{
    struct lli_row rows[MAX_ROWS];
    size_t n_vocab = run->network->config.n_vocab;
    for (uint32_t at = 0; at < n; at += chunk) {
        uint32_t n_rows = n - at < chunk ? n - at : chunk;
        struct lli_seq seq = {.n_rows = n_rows};
        network_show(run, &seq, blocks, (first + n + 15) / 16);
        struct lli_plan plan = {.n_rows = n_rows, .n_seqs = 1, .rows = rows, .seqs = &seq};
        plan.n_logits = logits_out ? n_rows : 0;
        for (uint32_t i = 0; i < n_rows; i++)
            rows[i] = (struct lli_row){ids[at + i], first + at + i, 0, logits_out ? LLI_ROW_LOGITS : 0};
        lli_forward_run(run->forward, &plan);
        if (seq.status < 0)
            return seq.status;
        for (uint32_t i = 0; i < plan.n_logits; i++)
            memcpy(logits_out + (at + i) * n_vocab, lli_forward_logits(run->forward, i), n_vocab * sizeof *logits_out);
    }
    return 0;
}
