#include "llminf/llminf.h"

#include <string.h>

#include "api/handles.h"
#include "base/buffer.h"
#include "base/error.h"
#include "text/decode.h"
#include "text/encode.h"

_Static_assert((int)LLI_TEXT_SPECIAL == (int)LLMINF_TEXT_SPECIAL && (int)LLI_TEXT_BOUNDS == (int)LLMINF_TEXT_BOUNDS &&
                   (int)LLI_TEXT_REPAIR == (int)LLMINF_TEXT_REPAIR,
               "one set of flags");

#define ENCODE_FLAGS (LLMINF_TEXT_SPECIAL | LLMINF_TEXT_BOUNDS | LLMINF_TEXT_REPAIR)

llminf_status llminf_text_encode(const llminf_model *model, const char *text, int64_t length, int32_t flags,
                                 llminf_token *tokens, size_t capacity, size_t *count_out, llminf_error *error)
{
    struct lli_buffer ids = {0};
    size_t n;
    int copy = 0;
    llminf_status status = lli_check_handle(model, LLI_MARK_MODEL, "model", error);
    if (status != LLMINF_OK || (status = lli_check_out(count_out, "count_out", error)) != LLMINF_OK)
        return status;
    *count_out = 0;
    if ((flags & ~ENCODE_FLAGS) != 0)
        return lli_fail(error, LLMINF_E_INVALID, "flags", "0x%x holds unknown bits", (unsigned)flags);
    status = lli_check_text(&n, text, length, LLI_MAX_TEXT_BYTES, "text", error);
    if (status != LLMINF_OK)
        return status;
    lli_buffer_init(&ids, (struct lli_heap *)(uintptr_t)&model->heap);
    status = lli_encode(&ids, &model->vocab, n > 0 ? text : "", n, flags, error);
    if (status == LLMINF_OK) {
        *count_out = ids.len / sizeof(llminf_token);
        status = lli_check_room(&copy, tokens, capacity, *count_out, error);
    }
    if (copy && ids.len > 0)
        memcpy(tokens, ids.bytes, ids.len);
    lli_buffer_finish(&ids);
    return status;
}

static llminf_status check_token(const llminf_model *model, llminf_token token, int64_t index, llminf_error *error)
{
    if (token < 0 || (uint32_t)token >= model->vocab.n)
        return lli_fail_at(error, LLMINF_E_INVALID, index, "token", "%d is not in the vocabulary of %u", token, model->vocab.n);
    return LLMINF_OK;
}

static llminf_status decode_all(struct lli_buffer *out, const llminf_model *model, const llminf_token *tokens, size_t count,
                                int special, llminf_error *error)
{
    struct lli_decode state = {.at_start = 1};
    int failed = 0;
    for (size_t i = 0; i < count && !failed; i++) {
        llminf_status status = check_token(model, tokens[i], (int64_t)i, error);
        if (status != LLMINF_OK)
            return status;
        failed = lli_decode_token(&state, out, &model->vocab, tokens[i], special);
    }
    if (failed || lli_decode_end(&state, out) != 0)
        return lli_fail_memory(error, "text", out->len);
    return LLMINF_OK;
}

llminf_status llminf_text_decode(const llminf_model *model, const llminf_token *tokens, size_t count, int32_t flags,
                                 char *buffer, size_t capacity, size_t *length_out, llminf_error *error)
{
    struct lli_buffer text = {0};
    int copy = 0;
    llminf_status status = lli_check_handle(model, LLI_MARK_MODEL, "model", error);
    if (status != LLMINF_OK || (status = lli_check_out(length_out, "length_out", error)) != LLMINF_OK)
        return status;
    *length_out = 0;
    if ((flags & ~LLMINF_TEXT_SPECIAL) != 0)
        return lli_fail(error, LLMINF_E_INVALID, "flags", "0x%x holds unknown bits", (unsigned)flags);
    if (tokens == NULL && count > 0)
        return lli_fail(error, LLMINF_E_INVALID, "tokens", "is NULL, want %zu ids", count);
    lli_buffer_init(&text, (struct lli_heap *)(uintptr_t)&model->heap);
    status = decode_all(&text, model, tokens, count, (flags & LLMINF_TEXT_SPECIAL) != 0, error);
    if (status == LLMINF_OK) {
        *length_out = text.len;
        status = lli_check_room(&copy, buffer, capacity, text.len + 1, error);
    }
    if (copy) {
        if (text.len > 0)
            memcpy(buffer, text.bytes, text.len);
        buffer[text.len] = 0;
    }
    lli_buffer_finish(&text);
    return status;
}

llminf_status llminf_text_token(const llminf_model *model, llminf_token token, const char **bytes_out, size_t *length_out,
                                llminf_error *error)
{
    llminf_status status = lli_check_out(bytes_out, "bytes_out", error);
    if (status == LLMINF_OK)
        status = lli_check_out(length_out, "length_out", error);
    if (status != LLMINF_OK)
        return status;
    *bytes_out = NULL;
    *length_out = 0;
    status = lli_check_handle(model, LLI_MARK_MODEL, "model", error);
    if (status == LLMINF_OK)
        status = check_token(model, token, -1, error);
    if (status != LLMINF_OK)
        return status;
    *bytes_out = model->vocab.texts[token].bytes;
    *length_out = model->vocab.texts[token].len;
    return LLMINF_OK;
}

int32_t llminf_text_kind(const llminf_model *model, llminf_token token)
{
    static const uint8_t bits[] = {[LLI_TOKEN_CONTROL] = LLMINF_TOKEN_CONTROL,
                                   [LLI_TOKEN_UNKNOWN] = LLMINF_TOKEN_CONTROL,
                                   [LLI_TOKEN_UNUSED] = LLMINF_TOKEN_UNUSED,
                                   [LLI_TOKEN_BYTE] = LLMINF_TOKEN_BYTE};
    uint8_t type;
    if (lli_check_handle(model, LLI_MARK_MODEL, "model", NULL) != LLMINF_OK || check_token(model, token, -1, NULL) != LLMINF_OK)
        return -1;
    type = model->vocab.types[token];
    return (type < sizeof bits ? bits[type] : 0) | (model->vocab.is_eog[token] ? LLMINF_TOKEN_EOG : 0);
}
