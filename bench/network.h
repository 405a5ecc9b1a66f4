/* network.h - a model's file down to its forward pass, without vocabulary and engine: the seam that the tests measure. */
#ifndef BENCH_NETWORK_H
#define BENCH_NETWORK_H

#include <stdint.h>

#include "backend/registry.h"
#include "base/alloc.h"
#include "base/workers.h"
#include "file/gguf.h"
#include "file/files.h"
#include "forward/forward.h"
#include "limits.h"
#include "llminf/status.h"
#include "model/config.h"
#include "model/weights.h"

struct network {
    struct lli_heap heap;
    struct lli_files files;
    struct lli_gguf gguf;
    struct lli_config config;
    uint32_t n_groups;          /* of its layers, each with blocks of its own */
    struct lli_weights weights; /* the file's; what a step costs is counted by these */
    struct lli_weights packed;  /* for a backend of several lanes */
    struct lli_forward *forward;
    int kv_type;
};

struct network_room {
    uint32_t n_blocks; /* of each group of layers, without the null block */
    uint32_t rows, logits, positions;
    int prefault; /* take the memory of all blocks now */
};

/* 0 or a status; to be closed in either case. */
int32_t network_open(struct network *n, const char *path, struct llminf_error *err);

/* Opens the forward: all that a backend does to the weights happens here. */
int32_t network_start(struct network *n, const struct lli_backend *backend, struct lli_workers *workers, int kv_type,
                      const struct network_room *room, struct llminf_error *err);
void network_close(struct network *n);

/* What a step has to do at least: every matrix that its rows need read once, K and V of `positions` read, and two operations
 * per weight and row. Rows with logits also meet the output matrix. */
struct work network_work(const struct network *n, double rows, double logit_rows, double positions);

#endif
