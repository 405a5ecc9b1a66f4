/* text/split.c - a pre-tokenizer is a list of patterns. Each is applied to the pieces that the one before left, as if
 * each piece were a text of its own; its matches are pieces, and so is what lies between them.
 *
 * PCRE2 runs as an interpreter on checked UTF-8, under limits of steps and heap: where it gives up, so does the call.
 * Compiled code and match limits are read only, match data belongs to a call. */
#include "text/split.h"

#include <string.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/error.h"
#include "base/limits.h"

/* Letters, digits and the rest, each with one space before it, as GPT-2 cuts them; of several spaces all but the last. */
#define GPT2 "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)"

/* Llama 3 and Qwen 2 differ in how many digits make a piece. The short forms are spelled out in both cases: (?i:'s)
 * would also take U+017F for an s. */
#define WITH_DIGITS(digits)                                                                                                    \
    "'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD]|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" digits                              \
    "| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

#define LLAMA3 WITH_DIGITS("\\p{N}{1,3}")
#define QWEN2 WITH_DIGITS("\\p{N}")

static const struct lli_pre known[] = {
    {"default", 0, 0, {"[\\p{P}\\$\\+<=>\\^~\\|]+", GPT2, "\\p{N}+", "[0-9][0-9][0-9]"}},
    {"gpt-2", 0, 0, {GPT2}},
    {"smollm", 0, 0, {"\\p{N}", GPT2}},
    {"qwen2", 0, 0, {QWEN2}},
    {"llama-bpe", 1, 1, {LLAMA3}},
    {"llama3", 1, 1, {LLAMA3}},
    {"llama-v3", 1, 1, {LLAMA3}},
};

struct lli_split {
    struct lli_heap *heap;
    pcre2_general_context *memory;
    pcre2_match_context *limits;
    pcre2_code *codes[LLI_MAX_PATTERNS]; /* up to a NULL */
};

const struct lli_pre *lli_split_find(struct lli_text name)
{
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        if (strlen(known[i].name) == name.len && memcmp(known[i].name, name.bytes, name.len) == 0)
            return &known[i];
    }
    return NULL;
}

static void *take_memory(size_t n, void *heap)
{
    return lli_alloc(heap, n);
}

static void give_memory(void *memory, void *heap)
{
    lli_free(heap, memory);
}

static int32_t compile(pcre2_code **out, pcre2_general_context *memory, const char *pattern, struct llminf_error *err)
{
    int code = PCRE2_ERROR_NOMEMORY;
    PCRE2_SIZE at = 0;
    pcre2_compile_context *context = pcre2_compile_context_create(memory);
    if (context)
        *out = pcre2_compile((PCRE2_SPTR)pattern, PCRE2_ZERO_TERMINATED, PCRE2_UTF | PCRE2_UCP, &code, &at, context);
    pcre2_compile_context_free(context);
    if (*out)
        return LLMINF_OK;
    if (code == PCRE2_ERROR_NOMEMORY || code == PCRE2_ERROR_HEAP_FAILED)
        return lli_fail_memory(err, "pre-tokenizer", strlen(pattern));
    return lli_fail(err, LLMINF_E_INTERNAL, "pre-tokenizer", "PCRE2 refuses its pattern at %zu with error %d", (size_t)at,
                    code);
}

int32_t lli_split_new(struct lli_split **out, struct lli_heap *heap, const struct lli_pre *pre, struct llminf_error *err)
{
    int32_t status = LLMINF_OK;
    *out = NULL;
    struct lli_split *s = lli_alloc_zero(heap, 1, sizeof *s);
    if (!s)
        return lli_fail_memory(err, "pre-tokenizer", sizeof *s);
    s->heap = heap;
    s->memory = pcre2_general_context_create(take_memory, give_memory, heap);
    s->limits = s->memory ? pcre2_match_context_create(s->memory) : NULL;
    if (!s->limits) {
        status = lli_fail_memory(err, "pre-tokenizer", sizeof *s);
        goto fail;
    }
    pcre2_set_match_limit(s->limits, LLI_MAX_REGEX_STEPS);
    pcre2_set_heap_limit(s->limits, LLI_MAX_REGEX_HEAP_KIB);
    for (size_t i = 0; i < LLI_MAX_PATTERNS && pre->patterns[i]; i++) {
        status = compile(&s->codes[i], s->memory, pre->patterns[i], err);
        if (status != LLMINF_OK)
            goto fail;
    }
    *out = s;
    return LLMINF_OK;
fail:
    lli_split_free(s);
    return status;
}

void lli_split_free(struct lli_split *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < LLI_MAX_PATTERNS; i++)
        pcre2_code_free(s->codes[i]);
    pcre2_match_context_free(s->limits);
    pcre2_general_context_free(s->memory);
    lli_free(s->heap, s);
}

void lli_pieces_init(struct lli_pieces *p, struct lli_heap *heap)
{
    lli_buffer_init(&p->ends, heap);
    lli_buffer_init(&p->previous, heap);
    p->match = NULL;
}

void lli_pieces_finish(struct lli_pieces *p)
{
    lli_buffer_finish(&p->ends);
    lli_buffer_finish(&p->previous);
    pcre2_match_data_free(p->match);
    p->match = NULL;
}

static int32_t fail_memory(const struct lli_pieces *p, struct llminf_error *err)
{
    return lli_fail_memory(err, "text", p->ends.len + sizeof(uint32_t));
}

static int append_end(struct lli_pieces *p, size_t end)
{
    uint32_t v = (uint32_t)end;
    return lli_buffer_append(&p->ends, &v, sizeof v);
}

static int32_t fail_match(const struct lli_pieces *p, int code, struct llminf_error *err)
{
    if (code == PCRE2_ERROR_NOMEMORY)
        return fail_memory(p, err);
    if (code == PCRE2_ERROR_MATCHLIMIT || code == PCRE2_ERROR_HEAPLIMIT || code == PCRE2_ERROR_DEPTHLIMIT)
        return lli_fail(err, LLMINF_E_LIMIT, "text", "the pre-tokenizer needs more than %u steps or %u KiB for a piece",
                        LLI_MAX_REGEX_STEPS, LLI_MAX_REGEX_HEAP_KIB);
    return lli_fail(err, LLMINF_E_INTERNAL, "text", "the pre-tokenizer ends with PCRE2 error %d", code);
}

/* Appends the ends of the pieces of text[from..to). No pattern matches an empty text, so each match moves on. */
static int32_t cut_piece(struct lli_pieces *p, const struct lli_split *s, const pcre2_code *code, const char *text, size_t from,
                         size_t to, struct llminf_error *err)
{
    const PCRE2_SIZE *found = pcre2_get_ovector_pointer(p->match);
    size_t n = to - from, done = 0;
    while (done < n) {
        int rc = pcre2_match(code, (PCRE2_SPTR)text + from, n, done, PCRE2_NO_UTF_CHECK, p->match, s->limits);
        if (rc < 0 && rc != PCRE2_ERROR_NOMATCH)
            return fail_match(p, rc, err);
        size_t start = rc < 0 ? n : found[0], end = rc < 0 ? n : found[1];
        if (start > done && append_end(p, from + start))
            return fail_memory(p, err);
        if (end > start && append_end(p, from + end))
            return fail_memory(p, err);
        done = end;
    }
    return LLMINF_OK;
}

/* One pattern over all pieces. */
static int32_t cut_all(struct lli_pieces *p, const struct lli_split *s, const pcre2_code *code, const char *text,
                       struct llminf_error *err)
{
    struct lli_buffer previous = p->ends;
    p->ends = p->previous;
    p->previous = previous;
    p->ends.len = 0;
    size_t from = 0;
    for (size_t k = 0; k < previous.len; k += sizeof(uint32_t)) {
        uint32_t to;
        memcpy(&to, previous.bytes + k, sizeof to);
        int32_t status = cut_piece(p, s, code, text, from, to, err);
        if (status != LLMINF_OK)
            return status;
        from = to;
    }
    return LLMINF_OK;
}

int32_t lli_split_run(struct lli_pieces *p, const struct lli_split *s, const char *text, size_t n, struct llminf_error *err)
{
    if (!p->match)
        p->match = pcre2_match_data_create(1, s->memory);
    p->ends.len = 0;
    if (!p->match || append_end(p, n))
        return fail_memory(p, err);
    for (uint32_t i = 0; i < LLI_MAX_PATTERNS && s->codes[i]; i++) {
        int32_t status = cut_all(p, s, s->codes[i], text, err);
        if (status != LLMINF_OK)
            return status;
    }
    return LLMINF_OK;
}
