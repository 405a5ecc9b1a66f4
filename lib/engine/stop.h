/* engine/stop.h - when a generation ends, and which of its tokens readers may see meanwhile.
 *
 * Stop texts are matched over the decoded text, across the borders of tokens. While the end of the text may still become a
 * stop text, the tokens that made it are held back. */
#ifndef LLI_ENGINE_STOP_H
#define LLI_ENGINE_STOP_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"
#include "base/buffer.h"
#include "file/gguf.h"
#include "text/decode.h"

struct llminf_error;

/* The numbers of LLMINF_STOP_*. */
enum lli_stop_reason {
    LLI_STOP_NONE = 0,
    LLI_STOP_EOG = 1,
    LLI_STOP_STRING = 2,
    LLI_STOP_TOKEN = 3,
    LLI_STOP_LENGTH = 4,
    LLI_STOP_CANCEL = 5,
    LLI_STOP_DEADLINE = 6,
    LLI_STOP_GRAMMAR = 7,
    LLI_STOP_ERROR = 8
};

struct lli_stop_text {
    const uint8_t *bytes;
    uint32_t *fall; /* [len + 1] length of the longest border of the first i bytes (Knuth, Morris, Pratt 1977) */
    uint32_t len, n_matched;
};

struct lli_stop {
    const int32_t *tokens;
    struct lli_stop_text *texts;
    size_t n_tokens, n_texts;
    int64_t min_tokens;
    int ignore_eog, special;
    uint32_t n_prompt, n_released;   /* tokens of the timeline before it; those that readers may see */
    struct lli_decode ahead, behind; /* decoders behind the last token, and behind the last one released */
    uint64_t ahead_len, behind_len;  /* bytes of new text that they have made */
};

/* What a token means to its generation. */
struct lli_verdict {
    int reason, index;   /* LLI_STOP_NONE: it goes on; which stop text or stop token, or -1 */
    uint32_t n_readable; /* tokens of the timeline that readers may see */
    uint32_t n_text;     /* those that are text: not the token that ended it */
    uint64_t text_end;   /* bytes of new text where a stop text cut it, or UINT64_MAX */
};

/* Copies texts and tokens into the arena, which outlives it. 0 or MEMORY. */
int32_t lli_stop_init(struct lli_stop *stop, struct lli_arena *arena, const struct lli_text *texts, size_t n_texts,
                      const int32_t *tokens, size_t n_tokens, struct llminf_error *err);

/* New text begins behind n_prompt tokens with this decoder. */
void lli_stop_start(struct lli_stop *stop, uint32_t n_prompt, const struct lli_decode *decode);

/* Another that goes on where `from` is. Its texts[] has room for as many and stays its own; all else is shared. */
void lli_stop_fork(struct lli_stop *to, const struct lli_stop *from);

/* Judges the last of n_tokens ids; called for each in turn. scratch: room for the text of any token. 0, or MEMORY if it
 * had to grow and could not. */
int32_t lli_stop_judge(struct lli_verdict *out, struct lli_stop *stop, const struct lli_vocab *vocab,
                       struct lli_buffer *scratch, const int32_t *tokens, uint32_t n_tokens);

#endif
