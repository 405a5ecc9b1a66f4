/* text/split.h - the pre-tokenizers of byte-level BPE: where a text is cut before anything is joined. */
#ifndef LLI_TEXT_SPLIT_H
#define LLI_TEXT_SPLIT_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "file/gguf.h"

struct llminf_error;
struct lli_split; /* compiled patterns; shared by threads */

#define LLI_MAX_PATTERNS 4u

/* What a name in tokenizer.ggml.pre stands for. */
struct lli_pre {
    const char *name;
    int add_bos;                            /* if the file does not say */
    int whole_piece_first;                  /* a piece that is a token is taken before any merge */
    const char *patterns[LLI_MAX_PATTERNS]; /* or NULL; each is applied to the pieces of the one before */
};

/* The pieces of a text, and what finding them needs: one per call of encode, used again and again. */
struct lli_pieces {
    struct lli_buffer ends;     /* uint32_t: where each piece ends; the first begins at 0 */
    struct lli_buffer previous; /* the same, of the pattern before */
    void *match;                /* pcre2_match_data */
};

/* NULL if the name is unknown. */
const struct lli_pre *lli_split_find(struct lli_text name);

int32_t lli_split_new(struct lli_split **out, struct lli_heap *heap, const struct lli_pre *pre, struct llminf_error *err);
void lli_split_free(struct lli_split *s); /* NULL does nothing */

void lli_pieces_init(struct lli_pieces *p, struct lli_heap *heap);
void lli_pieces_finish(struct lli_pieces *p);

/* The pieces of text[0..n), which is valid UTF-8. LIMIT when a regex gives up, MEMORY. */
int32_t lli_split_run(struct lli_pieces *p, const struct lli_split *s, const char *text, size_t n, struct llminf_error *err);

#endif
