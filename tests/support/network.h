/* support/network.h - a model file's network without vocabulary and engine: ids in, logits out. */
#ifndef LLMINF_TESTS_NETWORK_H
#define LLMINF_TESTS_NETWORK_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/workers.h"
#include "file/gguf.h"
#include "forward/forward.h"
#include "model/config.h"
#include "model/packing.h"
#include "model/weights.h"
#include "support/gguf_make.h"

struct network {
    struct lli_heap heap;
    uint8_t *bytes; /* the file; owned */
    float *sinks;   /* [n_layers, n_heads]; owned; NULL: none */
    struct lli_gguf gguf;
    struct lli_config config;
    struct lli_weights weights;
    const struct lli_backend *backend; /* of the forwards that are started; NULL: the strongest */
};

/* Takes the bytes over. config may be changed before a start. 0 or a status (said on stderr); to be closed in either case. */
int32_t network_open(struct network *network, uint8_t *bytes, size_t size);
void network_close(struct network *network);

/* Opens a model that is made here. Ends the test if that fails. */
void network_make(struct network *network, const struct test_model_spec *spec);

/* Gives all layers sinks, before a start: of the weight of some positions, and in the last layer one that takes all and one
 * that takes nothing. Ends the test on no memory. */
void network_add_sinks(struct network *network);

/* A forward of a network, with workers of its own. */
struct network_run {
    struct network *network;
    struct lli_workers workers;
    struct lli_weights packed; /* zero for a backend of 1 lane */
    struct lli_forward *forward;
    uint32_t n_groups, n_blocks;  /* groups of layers; blocks of each, the null block counted */
    struct network_table *tables; /* owned; of the groups behind the first */
};

/* 64 rows and logits a step; n_blocks for each group of layers counts the null block. 0 or a status (said on stderr); to be
 * closed in either case. */
int32_t network_start(struct network_run *run, struct network *network, int kv_type, int n_threads, uint32_t n_blocks);
void network_stop(struct network_run *run);

/* Gives the sequence a table of n entries: blocks[n], valid as long as the sequence, for the first group of layers, for each
 * other one as many that are its own. Ends the test on no memory. */
void network_show(struct network_run *run, struct lli_seq *seq, const uint32_t *blocks, uint32_t n);

/* Computes ids[n] at positions first .. first + n - 1 of one sequence in steps of `chunk` rows (64 at most).
 * logits_out[n, n_vocab]: NULL for none. blocks: the sequence's table. The status of the first step that fails, or 0. */
int32_t network_feed(struct network_run *run, const uint32_t *blocks, const int32_t *ids, uint32_t first, uint32_t n,
                     uint32_t chunk, float *logits_out);

#endif
