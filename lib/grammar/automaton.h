/* grammar/automaton.h - a program made deterministic while it runs. A state is a set of threads, a thread is an operation
 * and the calls around it; sets and calls that are equal are one, so that a state is a number.
 *
 *     thread (op, frame)      frame -> (return to, frame below) -> ... -> LLI_FRAME_NONE
 *     set                     threads that wait for a byte, in order; `ends`: some thread has returned from everything
 *     row of a set            byte -> set, worked out when it is asked for
 *
 * All memory is taken at the start. Where it is used up a call gives LLI_SET_FULL, and lli_automaton_clear makes room: it
 * forgets all sets but those that are named, and what no thread of theirs needs. */
#ifndef LLI_GRAMMAR_AUTOMATON_H
#define LLI_GRAMMAR_AUTOMATON_H

#include <stdint.h>

#include "base/alloc.h"
#include "grammar/program.h"

#define LLI_FRAME_NONE 0u
#define LLI_SET_DEAD 0u /* no threads, does not end */
#define LLI_SET_FULL 0xffffu

struct lli_thread {
    uint32_t op, frame;
};

struct lli_frame {
    uint32_t ret, below;
};

struct lli_set {
    uint32_t first, n; /* threads */
    uint32_t hash;
    uint32_t ends;
};

struct lli_automaton {
    struct lli_heap *heap;
    const struct lli_program *program;
    struct lli_frame *frames; /* frame 0 is none */
    struct lli_thread *threads;
    struct lli_set *sets;
    uint16_t (*rows)[256]; /* [sets] LLI_SET_FULL: not known */
    uint32_t *frame_slots; /* hash table of frames: number or 0 */
    uint16_t *set_slots;   /* hash table of sets: number or 0 */
    uint32_t n_frames, n_threads, n_sets;
    uint32_t max_live; /* threads of a set */
    uint64_t work;     /* threads looked at since this was last set to 0; at most LLI_MAX_GRAMMAR_WORK */

    /* while a set is made */
    struct lli_thread *stack, *found; /* to be followed; that wait for a byte */
    struct lli_thread *seen;          /* hash table of those met in this turn */
    uint32_t *seen_turn;
    uint32_t turn, n_stack, n_found, n_seen, ends;
};

/* The program outlives it. MEMORY (err is not filled). */
int32_t lli_automaton_init(struct lli_automaton *a, struct lli_heap *heap, const struct lli_program *program);
void lli_automaton_finish(struct lli_automaton *a); /* accepts a zeroed struct */

/* The set of what can be read from an operation with these calls around it. */
uint32_t lli_automaton_start(struct lli_automaton *a, uint32_t op, uint32_t frame);

/* The set behind a byte, worked out. */
uint32_t lli_automaton_work(struct lli_automaton *a, uint32_t set, uint8_t byte);

static inline uint32_t lli_automaton_step(struct lli_automaton *a, uint32_t set, uint8_t byte)
{
    uint32_t next = a->rows[set][byte];
    return next != LLI_SET_FULL ? next : lli_automaton_work(a, set, byte);
}

/* Forgets all but two sets (or none: LLI_SET_DEAD), whose numbers become those that they have afterwards. */
void lli_automaton_clear(struct lli_automaton *a, uint16_t keep[2]);

#endif
