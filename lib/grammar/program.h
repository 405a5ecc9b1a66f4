/* grammar/program.h - a grammar as operations: a nondeterministic automaton over bytes that calls its rules.
 *
 *     BYTE   low high       one byte, then the next operation
 *     CLASS  class state    a character of a class: one operation for each of its states, in their order; behind them goes on
 *                           what was read whole
 *     SPLIT  other          the next operation, or another
 *     JUMP   to
 *     CALL   entry is_last  a rule, then the next operation; is_last: that is RETURN
 *     RETURN
 */
#ifndef LLI_GRAMMAR_PROGRAM_H
#define LLI_GRAMMAR_PROGRAM_H

#include <stdint.h>

#include "grammar/classes.h"
#include "grammar/parts.h"

enum lli_op_kind { LLI_OP_BYTE, LLI_OP_CLASS, LLI_OP_SPLIT, LLI_OP_JUMP, LLI_OP_CALL, LLI_OP_RETURN };

struct lli_op {
    uint32_t kind, a, b;
};

struct lli_program {
    struct lli_op *ops; /* owned by code */
    uint32_t n, entry;
    struct lli_buffer code;
    struct lli_classes classes;
};

/* Of the rules that `root` needs; takes the classes out of parts. GRAMMAR (see check.h), LIMIT, MEMORY. */
int32_t lli_program_init(struct lli_program *out, struct lli_parts *parts, uint32_t root);
void lli_program_finish(struct lli_program *program); /* accepts a zeroed struct */

#endif
