/* engine/stop.c - Invariant: between two judgements n_matched of each text is the length of its longest beginning that
 * ends the text so far, and released tokens end before the longest of these. */
#include "engine/stop.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"

static uint32_t step(const struct lli_stop_text *text, uint32_t n_matched, uint8_t byte)
{
    while (n_matched > 0 && (n_matched == text->len || text->bytes[n_matched] != byte))
        n_matched = text->fall[n_matched];
    return n_matched + (text->bytes[n_matched] == byte);
}

static int32_t init_text(struct lli_stop_text *text, struct lli_arena *arena, const struct lli_text *from)
{
    text->len = (uint32_t)from->len;
    text->bytes = (const uint8_t *)lli_arena_text(arena, from->bytes, from->len);
    text->fall = lli_arena_take(arena, from->len + 1, sizeof *text->fall);
    if (!text->bytes || !text->fall)
        return LLMINF_E_MEMORY;
    for (uint32_t i = 1; i < text->len; i++)
        text->fall[i + 1] = step(text, text->fall[i], text->bytes[i]);
    return LLMINF_OK;
}

int32_t lli_stop_init(struct lli_stop *stop, struct lli_arena *arena, const struct lli_text *texts, size_t n_texts,
                      const int32_t *tokens, size_t n_tokens, struct llminf_error *err)
{
    int32_t *ids = lli_arena_take(arena, n_tokens, sizeof *ids);
    stop->texts = lli_arena_take(arena, n_texts, sizeof *stop->texts);
    if (!ids || !stop->texts)
        return lli_fail_memory(err, "stop", n_texts * sizeof *stop->texts + n_tokens * sizeof *ids);
    if (n_tokens > 0)
        memcpy(ids, tokens, n_tokens * sizeof *ids);
    stop->tokens = ids;
    stop->n_tokens = n_tokens;
    for (size_t i = 0; i < n_texts; i++) {
        if (texts[i].len == 0 || texts[i].len > LLI_MAX_LIST_ITEM_BYTES)
            return lli_fail(err, LLMINF_E_OPTION, "stop", "text %zu has %zu bytes, want 1 to %u", i, texts[i].len,
                            LLI_MAX_LIST_ITEM_BYTES);
        if (init_text(&stop->texts[i], arena, &texts[i]) != LLMINF_OK)
            return lli_fail_memory(err, "stop", texts[i].len * (1 + sizeof *stop->texts->fall));
    }
    stop->n_texts = n_texts;
    return LLMINF_OK;
}

void lli_stop_start(struct lli_stop *stop, uint32_t n_prompt, const struct lli_decode *decode)
{
    stop->n_prompt = stop->n_released = n_prompt;
    stop->ahead = stop->behind = *decode;
    stop->ahead_len = stop->behind_len = 0;
}

void lli_stop_fork(struct lli_stop *to, const struct lli_stop *from)
{
    struct lli_stop_text *texts = to->texts;
    *to = *from;
    to->texts = texts;
    if (from->n_texts > 0)
        memcpy(texts, from->texts, from->n_texts * sizeof *texts);
}

/* The longest text that this byte completes, or -1. */
static int match_byte(struct lli_stop *stop, uint8_t byte)
{
    int found = -1;
    for (size_t i = 0; i < stop->n_texts; i++) {
        struct lli_stop_text *text = &stop->texts[i];
        text->n_matched = step(text, text->n_matched, byte);
        if (text->n_matched == text->len && (found < 0 || text->len > stop->texts[found].len))
            found = (int)i;
    }
    return found;
}

/* Bytes at the end of the text that may be the beginning of a stop text, or are one that came before min_tokens. */
static uint32_t held_len(const struct lli_stop *stop)
{
    uint32_t held = 0;
    for (size_t i = 0; i < stop->n_texts; i++)
        held = stop->texts[i].n_matched > held ? stop->texts[i].n_matched : held;
    return held;
}

/* Moves n_released over the tokens whose text is safe. */
static int32_t release(struct lli_stop *stop, const struct lli_vocab *vocab, struct lli_buffer *scratch, const int32_t *tokens,
                       uint32_t n_tokens)
{
    uint64_t safe = stop->ahead_len - held_len(stop);
    while (stop->n_released < n_tokens) {
        struct lli_decode decode = stop->behind;
        scratch->len = 0;
        if (lli_decode_token(&decode, scratch, vocab, tokens[stop->n_released], stop->special))
            return LLMINF_E_MEMORY;
        if (stop->behind_len + scratch->len > safe)
            break;
        stop->behind = decode;
        stop->behind_len += scratch->len;
        stop->n_released++;
    }
    return LLMINF_OK;
}

static int32_t judge_text(struct lli_verdict *out, struct lli_stop *stop, const struct lli_vocab *vocab,
                          struct lli_buffer *scratch, const int32_t *tokens, uint32_t n_tokens, int may_end)
{
    scratch->len = 0;
    if (lli_decode_token(&stop->ahead, scratch, vocab, tokens[n_tokens - 1], stop->special))
        return LLMINF_E_MEMORY;
    for (size_t i = 0; i < scratch->len; i++) {
        int found = match_byte(stop, scratch->bytes[i]);
        if (found >= 0 && may_end) {
            out->reason = LLI_STOP_STRING;
            out->index = found;
            out->text_end = stop->ahead_len + i + 1 - stop->texts[found].len;
            return LLMINF_OK;
        }
    }
    stop->ahead_len += scratch->len;
    int32_t status = release(stop, vocab, scratch, tokens, n_tokens);
    out->n_readable = out->n_text = stop->n_released;
    return status;
}

static int find_token(const struct lli_stop *stop, int32_t token)
{
    for (size_t i = 0; i < stop->n_tokens; i++)
        if (stop->tokens[i] == token)
            return (int)i;
    return -1;
}

int32_t lli_stop_judge(struct lli_verdict *out, struct lli_stop *stop, const struct lli_vocab *vocab,
                       struct lli_buffer *scratch, const int32_t *tokens, uint32_t n_tokens)
{
    int32_t token = tokens[n_tokens - 1];
    int may_end = (int64_t)(n_tokens - stop->n_prompt) >= stop->min_tokens;
    *out = (struct lli_verdict){.index = -1, .n_readable = n_tokens, .n_text = n_tokens, .text_end = UINT64_MAX};
    if (may_end && vocab->is_eog[token] && !stop->ignore_eog) {
        out->reason = LLI_STOP_EOG;
    } else if (may_end && find_token(stop, token) >= 0) {
        out->reason = LLI_STOP_TOKEN;
        out->index = find_token(stop, token);
    }
    if (out->reason != LLI_STOP_NONE) {
        out->n_text--;
        return LLMINF_OK;
    }
    return stop->n_texts > 0 ? judge_text(out, stop, vocab, scratch, tokens, n_tokens, may_end) : LLMINF_OK;
}
