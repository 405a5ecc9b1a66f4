/* null_forward.h - forward/forward.h without arithmetic, to be linked instead of lib/forward.
 *
 * What it stores for a position is the hash of the tokens up to it; the logits are made from that hash. Each row reads all
 * positions before it through its block table and checks them, so a wrong block, row or order is found at once. A gate
 * holds steps back, so that a test can act between two of them. Two tokens make a sequence fail.
 *
 * Layers are there for their windows alone: forward/layout.h makes groups of them, each of which holds the same and reads what
 * it sees.
 *
 * A config with n_experts > 0 is that of a draft model, which has no gate and no counts: of 100 rows about n_ff have the
 * logits of ordinary tokens negated; n_heads = k > 0: each k-th position fails; n_kv_heads = k: has NaN logits; n_embd = k:
 * proposes the token with which a sequence fails. */
#ifndef LLMINF_TESTS_NULL_FORWARD_H
#define LLMINF_TESTS_NULL_FORWARD_H

#include <stddef.h>
#include <stdint.h>

enum {
    NULL_FORWARD_NAN = 3,     /* logits after this token are NaN */
    NULL_FORWARD_NUMERIC = 4, /* a sequence with this token in its rows gets the status NUMERIC */
    NULL_FORWARD_FIRST = 5    /* the first ordinary token; those before, but EOG, are never picked by the logits */
};

/* Forgets counts and complaints, opens the gate. No step is running. */
void null_forward_reset(void);

/* Lets n more steps begin, then holds; -1: no gate. */
void null_forward_allow(int64_t n_steps);

/* Waits until a step is held at the gate. */
void null_forward_await_held(void);

/* In the step-th step from now (1: the next) sequence `seq`, modulo how many there are, gets this status, and what its rows
 * stored is rubbish. */
void null_forward_fail(int64_t step, uint32_t seq, int32_t status);

/* Since the reset. The complaint is the first thing found wrong, NULL if all was right. */
const char *null_forward_complaint(void);
int64_t null_forward_steps(void);
int64_t null_forward_rows(void);

/* The oracle: the logits after these tokens, without an adapter and with one. */
void null_forward_oracle_under(float *out, uint32_t n_vocab, const int32_t *tokens, size_t n, int32_t adapter, double scale);
void null_forward_oracle(float *out, uint32_t n_vocab, const int32_t *tokens, size_t n);

#endif
