/* steps.h - plans made by hand and run: prompts, contexts, sessions that decode in lockstep. */
#ifndef BENCH_STEPS_H
#define BENCH_STEPS_H

#include <stdint.h>

#include "network.h"

enum { STEPS_CHUNK = 512 };

struct steps {
    struct network *network;
    uint32_t n_sessions, table_len;
    uint32_t *tables; /* [n_groups, n_sessions, table_len] the blocks of a session */
    struct lli_row *rows;
    struct lli_seq *seqs;
};

/* Blocks of each group of layers that n_sessions of `positions` each need. */
uint32_t steps_blocks(uint32_t n_sessions, uint32_t positions);

/* 0, or -1 without memory. */
int steps_init(struct steps *s, struct network *network, uint32_t n_sessions, uint32_t positions);
void steps_finish(struct steps *s);

/* The sessions' blocks in random order, the same each time. */
void steps_scatter(struct steps *s);

/* The functions below give 0, or -1 when a step met a NaN or Inf. */

/* Session 0 computes positions 0 .. n - 1 in chunks; the last one wants logits. */
int steps_prefill(struct steps *s, uint32_t n);

/* The same from position `first` on: positions first .. first + n - 1. */
int steps_prompt(struct steps *s, uint32_t first, uint32_t n);

/* Gives every session a context of n positions in a sixteenth of the time: only the first position of each page is
 * computed. The page is cleared then, so the positions behind it hold zeros: K and V of the full size are there to be read. */
int steps_fill(struct steps *s, uint32_t n);

/* Every session computes position pos. */
int steps_decode(struct steps *s, uint32_t pos);

#endif
