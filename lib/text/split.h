/* text/split.h - where a text is cut before anything is joined: rules, each applied to the pieces of the one before. */
#ifndef LLI_TEXT_SPLIT_H
#define LLI_TEXT_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "file/gguf.h"

struct llminf_error;
struct lli_split; /* compiled rules; shared by threads */

#define LLI_MAX_RULES 8u

/* What becomes of what a pattern matches; what lies between two matches is a piece of its own, or a part of one. */
enum lli_cut {
    LLI_CUT_APART,         /* a piece */
    LLI_CUT_AWAY,          /* dropped */
    LLI_CUT_WITH_PREVIOUS, /* the end of the piece before it, unless that is a match too */
    LLI_CUT_WITH_NEXT,     /* the beginning of the piece behind it, unless that is a match too */
    LLI_CUT_TOGETHER       /* a piece with the matches beside it */
};

/* Rules that write, piece by piece, as Hugging Face's Metaspace and ByteLevel do. */
enum lli_write {
    LLI_WRITE_NOTHING,
    LLI_WRITE_MARKS,       /* each space becomes U+2581 */
    LLI_WRITE_MARK_FIRST,  /* the same, and one in front of the piece that begins the text, unless it has one */
    LLI_WRITE_MARK_ALWAYS, /* the same, in front of each piece */
    LLI_WRITE_SPACE        /* a space in front of each piece that begins with none */
};

struct lli_split_rule {
    const char *pattern; /* of PCRE2, a constant of this library; NULL: the rule only writes */
    uint8_t cut;         /* enum lli_cut */
    uint8_t inverted;    /* what does not match counts as a match, and the other way round */
    uint8_t write;       /* enum lli_write: before the cut */
};

struct lli_piece {
    uint32_t at, end;
};

/* The pieces of a text, and what finding them needs: one per call of encode, used again and again. */
struct lli_pieces {
    struct lli_text text;        /* what the pieces are parts of: the text itself, or one in `written` */
    struct lli_buffer list;      /* struct lli_piece */
    struct lli_buffer previous;  /* the same, of the rule before */
    struct lli_buffer written;   /* the text as a rule wrote it */
    struct lli_buffer rewritten; /* where the next one writes */
    void *match;                 /* pcre2_match_data */
};

int32_t lli_split_new(struct lli_split **out, struct lli_heap *heap, const struct lli_split_rule *rules, size_t n_rules,
                      struct llminf_error *err);
void lli_split_free(struct lli_split *s); /* NULL does nothing */

void lli_pieces_init(struct lli_pieces *p, struct lli_heap *heap);
void lli_pieces_finish(struct lli_pieces *p);

/* The pieces of a text, which is valid UTF-8; none is empty. s may be NULL: one piece. first: it begins what is encoded.
 * LIMIT when a regex gives up or a rule writes too much, MEMORY. */
int32_t lli_split_run(struct lli_pieces *p, const struct lli_split *s, struct lli_text text, int first,
                      struct llminf_error *err);

static inline size_t lli_pieces_count(const struct lli_pieces *p)
{
    return p->list.len / sizeof(struct lli_piece);
}

static inline struct lli_text lli_pieces_at(const struct lli_pieces *p, size_t i)
{
    const struct lli_piece *piece = &((const struct lli_piece *)(const void *)p->list.bytes)[i];
    return (struct lli_text){p->text.bytes + piece->at, piece->end - piece->at};
}

#endif
