/* grammar/check.h - what a grammar must be, and what of it is known before it is written out. */
#ifndef LLI_GRAMMAR_CHECK_H
#define LLI_GRAMMAR_CHECK_H

#include <stdint.h>

#include "grammar/parts.h"

/* For each part. */
enum lli_part_mark {
    LLI_MARK_PRODUCTIVE = 1, /* some text is of it */
    LLI_MARK_NULLABLE = 2,   /* the empty text is of it */
    LLI_MARK_ATOM = 4        /* it names no rule but atoms and repeats nothing without bound */
};

#define LLI_ATOM_SIZE 128u /* operations of the largest rule that is written out where it is named */

struct lli_marks {
    struct lli_heap *heap;
    uint8_t *of;    /* [parts] */
    uint32_t *size; /* [parts] of atoms: operations, at most LLI_ATOM_SIZE + 1 */
};

/* GRAMMAR for a rule that is not defined, that leads back to itself at its left end, or a root that no text is of; MEMORY. */
int32_t lli_marks_init(struct lli_marks *marks, struct lli_parts *parts, uint32_t root);
void lli_marks_finish(struct lli_marks *marks); /* accepts a zeroed struct */

#endif
