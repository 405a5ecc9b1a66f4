/* text/normal.h - what becomes of a text before it is cut: a list of steps, each over the whole run. */
#ifndef LLI_TEXT_NORMAL_H
#define LLI_TEXT_NORMAL_H

#include "base/buffer.h"
#include "text/charsmap.h"
#include "text/split.h"

#define LLI_MAX_NORMAL_STEPS 16u

enum lli_normal_kind {
    LLI_NORMAL_NFC,
    LLI_NORMAL_NFD,
    LLI_NORMAL_NFKC,
    LLI_NORMAL_NFKD,
    LLI_NORMAL_LOWER,
    LLI_NORMAL_CHARSMAP, /* SentencePiece's map of characters */
    LLI_NORMAL_MARKS,    /* SentencePiece's spaces: each becomes U+2581 */
    LLI_NORMAL_STRIP,    /* white space at the ends goes */
    LLI_NORMAL_PREPEND,  /* `with` in front of a text that is not empty */
    LLI_NORMAL_REPLACE,  /* `what` becomes `with` */
    LLI_NORMAL_SQUEEZE,  /* two spaces and more become `with` */
    LLI_NORMAL_NMT,      /* control characters go, and what moves or breaks lines becomes a space */
    LLI_NORMAL_DROP      /* what the split cuts away goes */
};

enum {
    LLI_NORMAL_PREFIX = 1,   /* MARKS: one more in front, where a run begins the text or follows a control token */
    LLI_NORMAL_COLLAPSE = 2, /* MARKS: one for several spaces, none at the ends */
    LLI_NORMAL_LEFT = 4,     /* STRIP */
    LLI_NORMAL_RIGHT = 8     /* STRIP */
};

struct lli_normal_step {
    uint8_t kind, flags;
    struct lli_text what, with;
    struct lli_charsmap map;
    struct lli_split *drop; /* owned */
};

/* Bytes of texts and maps are borrowed. A zeroed one does nothing. */
struct lli_normal {
    size_t n;
    struct lli_normal_step steps[LLI_MAX_NORMAL_STEPS];
};

/* What a run needs: one per call of encode, used again and again. */
struct lli_normal_work {
    struct lli_buffer text, next; /* as the last step left it; where the next one writes */
    struct lli_buffer codes;      /* uint64_t: a character and the marks on it */
    struct lli_pieces pieces;
};

/* LIMIT over LLI_MAX_NORMAL_STEPS. */
int32_t lli_normal_add(struct lli_normal *n, const struct lli_normal_step *step, struct llminf_error *err);
void lli_normal_finish(struct lli_normal *n); /* accepts a zeroed one */

void lli_normal_work_init(struct lli_normal_work *w, struct lli_heap *heap);
void lli_normal_work_finish(struct lli_normal_work *w);

/* *text, which is valid UTF-8, becomes what the steps make of it, in w. in_front: it begins the text or follows a control
 * token. LIMIT over LLI_MAX_TEXT_BYTES, MEMORY. */
int32_t lli_normal_run(struct lli_text *text, struct lli_normal_work *w, const struct lli_normal *n, int in_front,
                       struct llminf_error *err);

#endif
