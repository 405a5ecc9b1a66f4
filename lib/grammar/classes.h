/* grammar/classes.h - sets of characters as automata over the bytes of their UTF-8. Equal sets are one.
 *
 * A state is a row of what each byte leads to: a state of the same class, LLI_CLASS_OUT (the character is complete), or
 * LLI_CLASS_NO. State 0 begins. */
#ifndef LLI_GRAMMAR_CLASSES_H
#define LLI_GRAMMAR_CLASSES_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "base/arena.h"
#include "base/buffer.h"
#include "base/map.h"

struct llminf_error;

#define LLI_CLASS_NO 0xffffu
#define LLI_CLASS_OUT 0xfffeu

struct lli_range {
    uint32_t low, high; /* code points, both inside */
};

struct lli_class {
    uint32_t first_row, n_states; /* no states: no character is in it */
};

struct lli_classes {
    struct lli_heap *heap;
    struct lli_arena arena; /* keys of known */
    struct lli_map known;   /* ranges in order -> class */
    struct lli_buffer list; /* struct lli_class each */
    struct lli_buffer rows; /* uint16_t [256] each */
};

int lli_classes_init(struct lli_classes *classes, struct lli_heap *heap); /* 0, or -1 without memory */
void lli_classes_finish(struct lli_classes *classes);                     /* accepts a zeroed struct */

/* The class of the characters in any of the ranges, or in none of them; the ranges are put in order. Surrogates are no
 * characters. MEMORY, LIMIT. */
int32_t lli_classes_add(uint32_t *class_out, struct lli_classes *classes, struct lli_range *ranges, size_t n, int is_negated,
                        struct llminf_error *err);

static inline const struct lli_class *lli_classes_at(const struct lli_classes *classes, uint32_t i)
{
    return (const struct lli_class *)(const void *)classes->list.bytes + i;
}

static inline const uint16_t *lli_classes_row(const struct lli_classes *classes, const struct lli_class *c, uint32_t state)
{
    return (const uint16_t *)(const void *)classes->rows.bytes + (size_t)(c->first_row + state) * 256;
}

#endif
