/* engine/wire.h - what rank 0 and the others tell each other, as bytes.
 *
 * A message begins with a head of 32 bytes; numbers are little endian:
 *
 *     u32 magic | u16 version | u16 kind | u64 number | u32 bytes, the head among them | u32 0 | u64 XXH3 of what is behind
 *
 * From rank 0 to all: a frame of 4096 bytes, filled up with zeros, and behind it what a longer message has beyond that. HELLO
 * comes first, then PLANs by ascending numbers, IDLE when there was none for a while, and CLOSE.
 *
 *     plan   u64 ns to wait | u32 sequences, rows, copies, rows with logits, groups
 *            sequences: u32 first position, u32 rows | rows: i32 token, u32 flags | copies: u32 dst, src, tokens
 *            tables: for each sequence and group u32 ids of the blocks up to its last row
 *
 * A RESULT goes from each rank to rank 0: i32 status of each sequence; from the last stage the logits follow as floats, those
 * of the rank's rows of the output matrix.
 *
 * Nothing that comes is believed: all counts, ids and positions are checked against the room that was agreed. */
#ifndef LLI_ENGINE_WIRE_H
#define LLI_ENGINE_WIRE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "engine/division.h"
#include "forward/batch.h"

struct llminf_error;

enum { LLI_WIRE_HEAD = 32, LLI_WIRE_FRAME = 4096 };
enum lli_wire_kind { LLI_WIRE_HELLO = 1, LLI_WIRE_PLAN, LLI_WIRE_IDLE, LLI_WIRE_CLOSE, LLI_WIRE_RESULT };

struct lli_wire_head {
    uint32_t kind;   /* enum lli_wire_kind */
    uint32_t bytes;  /* of the message, at least the head's */
    uint64_t number; /* of the plan, else 0 */
    uint64_t hash;
};

/* What no plan exceeds. */
struct lli_wire_room {
    uint32_t n_blocks, max_rows, max_seqs, max_logits, max_pos, n_groups;
    uint32_t n_vocab;
};

struct lli_wire_hello {
    uint64_t fingerprint;
    struct lli_division division;
    uint32_t kv_type;
    struct lli_wire_room room;
    int64_t timeout_ns;
};

/* ---- writing: the buffer is emptied first. 0, or MEMORY */

int32_t lli_wire_put_hello(struct lli_buffer *out, const struct lli_wire_hello *hello);
int32_t lli_wire_put_plan(struct lli_buffer *out, const struct lli_plan *plan, uint32_t n_groups, uint64_t number,
                          int64_t timeout_ns);
int32_t lli_wire_put_empty(struct lli_buffer *out, enum lli_wire_kind kind);
int32_t lli_wire_put_result(struct lli_buffer *out, const struct lli_plan *plan, uint64_t number);

/* ---- reading: COMM with what is wrong */

/* The head of bytes[n], n >= 32. */
int32_t lli_wire_read_head(struct lli_wire_head *out, const uint8_t *bytes, size_t n, struct llminf_error *err);

/* Of a whole message: does its hash fit? */
int32_t lli_wire_check_body(const struct lli_wire_head *head, const uint8_t *bytes, struct llminf_error *err);

/* bytes: a frame. Its numbers may be any. */
int32_t lli_wire_read_hello(struct lli_wire_hello *out, const uint8_t *bytes, struct llminf_error *err);

/* Is it about this model? COMM with the field's name. */
int32_t lli_wire_check_hello(const struct lli_wire_hello *hello, const struct lli_config *config, uint64_t fingerprint,
                             uint32_t n_ranks, struct llminf_error *err);

/* The most bytes that a plan can have. */
uint64_t lli_wire_plan_most(const struct lli_wire_room *room);

/* Where a plan is read into. */
struct lli_wire_plan {
    struct lli_heap *heap;
    struct lli_plan plan; /* its tables lie in the message */
    struct lli_copy *copies;
    int64_t timeout_ns;
};

int32_t lli_wire_plan_init(struct lli_wire_plan *out, struct lli_heap *heap, const struct lli_wire_room *room); /* MEMORY */
void lli_wire_plan_finish(struct lli_wire_plan *plan); /* accepts a zeroed struct */

/* Of a whole message, which is changed and must be as long-lived as the plan. */
int32_t lli_wire_read_plan(struct lli_wire_plan *out, const struct lli_wire_room *room, const struct lli_wire_head *head,
                           uint8_t *bytes, struct llminf_error *err);

/* Bytes of a result; and its statuses, which are put over those of the sequences that are well. */
size_t lli_wire_result_bytes(uint32_t n_seqs);
int32_t lli_wire_read_result(struct lli_plan *plan, uint64_t number, const uint8_t *bytes, struct llminf_error *err);

#endif
