/* text/hf_decode.c - what each token decodes to. A decoder of Hugging Face changes tokens one by one, up to Fuse; so its
 * steps run once for each token here, and what stands behind Fuse may only drop spaces in front of the text. */
#include <string.h>

#include "base/error.h"
#include "text/bpe.h"
#include "text/hf.h"
#include "text/spm.h"

#define DECODER "decoder"
#define MARK "\xE2\x96\x81" /* U+2581 */
#define MARK_LEN 3u
#define MAX_STEPS 8u

enum kind { BYTES, REPLACE, FALLBACK, STRIP, WORDS };

struct step {
    enum kind kind;
    struct lli_text what, with; /* REPLACE; `what`: STRIP, and the prefix of WORDS */
    uint32_t start, stop;       /* STRIP */
    int cleanup;                /* WORDS */
};

struct decoder {
    struct step steps[MAX_STEPS];
    size_t n;
    int fused;
};

/* The one that is being read: a part is told nothing else. */
struct reading {
    struct lli_hf hf; /* first, so that a part finds the rest */
    struct decoder d;
};

static int32_t add(struct decoder *d, const struct lli_hf *hf, struct step step)
{
    if (d->n == MAX_STEPS)
        return lli_fail(hf->err, LLMINF_E_LIMIT, DECODER, "more than %u steps", MAX_STEPS);
    if (d->fused)
        return lli_fail(hf->err, LLMINF_E_UNSUPPORTED, DECODER, "a step behind Fuse that is no Strip of spaces in front");
    d->steps[d->n++] = step;
    return LLMINF_OK;
}

static uint32_t number(const struct lli_hf *hf, uint32_t part, const char *name)
{
    uint32_t i = lli_hf_member(hf, part, name);
    const struct lli_json_value *value = &hf->json.values[i];
    return i && value->kind == LLI_JSON_INT && value->number >= 0 && value->number < 16 ? (uint32_t)value->number : 0;
}

static int32_t read_strip(struct decoder *d, const struct lli_hf *hf, uint32_t part)
{
    struct step step = {.kind = STRIP,
                        .what = lli_hf_text(hf, part, "content"),
                        .start = number(hf, part, "start"),
                        .stop = number(hf, part, "stop")};
    if (!d->fused)
        return add(d, hf, step);
    if (step.stop || step.what.len != 1 || step.what.bytes[0] != ' ')
        return lli_fail(hf->err, LLMINF_E_UNSUPPORTED, DECODER, "Strip behind Fuse of what is no space in front");
    hf->v->n_strip = step.start;
    return LLMINF_OK;
}

static int32_t read_replace(struct decoder *d, const struct lli_hf *hf, uint32_t part)
{
    uint32_t pattern = lli_hf_member(hf, part, "pattern");
    struct step step = {.kind = REPLACE, .what = lli_hf_text(hf, pattern, "String"), .with = lli_hf_text(hf, part, "content")};
    if (step.what.len == 0)
        return lli_hf_unsupported(hf, "decoder Replace: regex", lli_hf_text(hf, pattern, "Regex"), "a String");
    return add(d, hf, step);
}

/* The first token of a text loses the mark that encoding put there. */
static int32_t read_metaspace(struct decoder *d, const struct lli_hf *hf, uint32_t part)
{
    struct step step = {.kind = REPLACE, .what = {MARK, MARK_LEN}, .with = {" ", 1}};
    int prefix = lli_hf_bool(hf, part, "add_prefix_space", 1);
    hf->v->n_strip = prefix && !lli_hf_is(hf, part, "prepend_scheme", "never");
    return add(d, hf, step);
}

static int32_t read_words(struct decoder *d, const struct lli_hf *hf, uint32_t part)
{
    struct step step = {.kind = WORDS, .what = lli_hf_text(hf, part, "prefix"), .cleanup = lli_hf_bool(hf, part, "cleanup", 1)};
    hf->v->n_strip = 1;
    return add(d, hf, step);
}

static int32_t read_part(struct lli_hf *hf, uint32_t part)
{
    struct decoder *d = &((struct reading *)(void *)hf)->d;
    if (lli_hf_is(hf, part, "type", "ByteLevel"))
        return add(d, hf, (struct step){.kind = BYTES});
    if (lli_hf_is(hf, part, "type", "ByteFallback"))
        return add(d, hf, (struct step){.kind = FALLBACK});
    if (lli_hf_is(hf, part, "type", "Metaspace"))
        return read_metaspace(d, hf, part);
    if (lli_hf_is(hf, part, "type", "Replace"))
        return read_replace(d, hf, part);
    if (lli_hf_is(hf, part, "type", "Strip"))
        return read_strip(d, hf, part);
    if (lli_hf_is(hf, part, "type", "WordPiece"))
        return read_words(d, hf, part);
    if (!lli_hf_is(hf, part, "type", "Fuse"))
        return lli_hf_unsupported(hf, DECODER, lli_hf_text(hf, part, "type"),
                                  "ByteLevel, Metaspace, ByteFallback, Fuse, Strip, Replace, WordPiece or Sequence");
    d->fused = 1;
    return LLMINF_OK;
}

/* ---- running */

/* *text with each `what` as `with`, in `out`. */
static int replace(struct lli_buffer *out, struct lli_text *text, struct lli_text what, struct lli_text with)
{
    out->len = 0;
    for (size_t at = 0; at < text->len;) {
        const char *rest = text->bytes + at, *found = memmem(rest, text->len - at, what.bytes, what.len);
        size_t n = found ? (size_t)(found - rest) : text->len - at;
        if (lli_buffer_append(out, rest, n) || (found && lli_buffer_append(out, with.bytes, with.len)))
            return -1;
        at += n + (found ? what.len : 0);
    }
    *text = (struct lli_text){out->len ? (const char *)out->bytes : "", out->len};
    return 0;
}

static void strip(struct lli_text *text, const struct step *step)
{
    size_t n = step->what.len;
    for (uint32_t i = 0; n && i < step->start && text->len >= n && memcmp(text->bytes, step->what.bytes, n) == 0; i++)
        *text = (struct lli_text){text->bytes + n, text->len - n};
    for (uint32_t i = 0; n && i < step->stop && text->len >= n; i++) {
        if (memcmp(text->bytes + text->len - n, step->what.bytes, n) != 0)
            break;
        text->len -= n;
    }
}

/* What English has no space before, as BERT's decoder knows it. */
static const char *const cleaned[][2] = {{" .", "."},   {" ?", "?"},     {" !", "!"},    {" ,", ","},
                                         {" ' ", "'"},  {" n't", "n't"}, {" 'm", "'m"},  {" do not", " don't"},
                                         {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"}};

/* The one of two buffers in which the text does not lie. */
static struct lli_buffer *other(struct lli_buffer out[2], struct lli_text text)
{
    uintptr_t at = (uintptr_t)text.bytes, start = (uintptr_t)out[0].bytes;
    return at >= start && at - start < out[0].cap ? &out[1] : &out[0];
}

/* A word, with the space before it; or the rest of one. */
static int put_word(struct lli_buffer out[2], struct lli_text *text, const struct step *step)
{
    size_t n = step->what.len;
    if (n && text->len >= n && memcmp(text->bytes, step->what.bytes, n) == 0) {
        *text = (struct lli_text){text->bytes + n, text->len - n};
    } else {
        struct lli_buffer *to = other(out, *text);
        to->len = 0;
        if (lli_buffer_append(to, " ", 1) || lli_buffer_append(to, text->bytes, text->len))
            return -1;
        *text = (struct lli_text){(const char *)to->bytes, to->len};
    }
    for (size_t i = 0; step->cleanup && i < sizeof cleaned / sizeof *cleaned; i++) {
        struct lli_text what = {cleaned[i][0], strlen(cleaned[i][0])}, with = {cleaned[i][1], strlen(cleaned[i][1])};
        if (replace(other(out, *text), text, what, with))
            return -1;
    }
    return 0;
}

/* out: two buffers that the steps write by turns. */
static int run_step(struct lli_buffer out[2], struct lli_text *text, const struct step *step)
{
    static const uint8_t zero;
    struct lli_buffer *to = other(out, *text);
    int byte;
    switch (step->kind) {
    case BYTES:
        to->len = 0;
        if (lli_buffer_reserve(to, text->len + 1))
            return -1;
        to->len = lli_bpe_bytes((char *)to->bytes, *text);
        *text = (struct lli_text){(const char *)to->bytes, to->len};
        return 0;
    case REPLACE:
        return replace(to, text, step->what, step->with);
    case FALLBACK:
        byte = lli_spm_spelled_byte(*text);
        if (byte < 0)
            return 0;
        to->len = 0;
        if (lli_buffer_append(to, &zero, 1))
            return -1;
        to->bytes[0] = (uint8_t)byte;
        *text = (struct lli_text){(const char *)to->bytes, 1};
        return 0;
    case STRIP:
        strip(text, step);
        return 0;
    default:
        return put_word(out, text, step);
    }
}

/* Appends what a token decodes to. Control tokens are shown as they stand, if at all. */
static int append_text(struct lli_buffer *all, struct lli_buffer out[2], const struct decoder *d, const struct lli_vocab *v,
                       uint32_t id)
{
    struct lli_text text = v->tokens[id];
    int is_whole = v->types[id] == LLI_TOKEN_CONTROL || v->types[id] == LLI_TOKEN_UNKNOWN;
    for (size_t i = 0; i < d->n && !is_whole; i++) {
        if (d->steps[i].kind == BYTES && v->types[id] == LLI_TOKEN_USER_DEFINED)
            continue; /* it is spelled as it stands */
        if (run_step(out, &text, &d->steps[i]))
            return -1;
    }
    return lli_buffer_append(all, text.bytes, text.len);
}

/* ends[id]: where its text ends in `all`. */
static int make_all(struct lli_buffer *all, size_t *ends, struct lli_buffer out[2], const struct reading *r)
{
    for (uint32_t id = 0; id < r->hf.v->n; id++) {
        if (append_text(all, out, &r->d, r->hf.v, id))
            return -1;
        ends[id] = all->len;
    }
    return 0;
}

static int32_t make_texts(struct reading *r)
{
    struct lli_vocab *v = r->hf.v;
    struct lli_buffer all, out[2];
    size_t *ends = lli_alloc_array(v->heap, v->n, sizeof *ends);
    struct lli_text *texts = lli_arena_take(&v->arena, v->n, sizeof *texts);
    lli_buffer_init(&all, v->heap);
    lli_buffer_init(&out[0], v->heap);
    lli_buffer_init(&out[1], v->heap);
    int made = ends && texts && !make_all(&all, ends, out, r);
    char *memory = made ? lli_arena_take(&v->arena, all.len + 1, 1) : NULL;
    if (memory && all.len)
        memcpy(memory, all.bytes, all.len);
    for (uint32_t id = 0; memory && id < v->n; id++) {
        size_t at = id ? ends[id - 1] : 0;
        texts[id] = (struct lli_text){memory + at, ends[id] - at};
    }
    v->texts = texts;
    lli_buffer_finish(&all);
    lli_buffer_finish(&out[0]);
    lli_buffer_finish(&out[1]);
    lli_free(v->heap, ends);
    return memory ? LLMINF_OK : lli_fail_memory(r->hf.err, DECODER, (uint64_t)v->n * sizeof *texts);
}

int32_t lli_hf_make_texts(struct lli_hf *hf)
{
    struct reading r = {.hf = *hf, .d = {.n = 0}};
    uint32_t decoder = lli_hf_member(hf, 0, DECODER);
    int32_t status = lli_hf_each(&r.hf, decoder, "decoders", DECODER, read_part);
    if (!decoder) { /* a space between any two tokens */
        r.d.steps[r.d.n++] = (struct step){.kind = WORDS, .what = {"", 0}};
        hf->v->n_strip = 1;
    }
    return status == LLMINF_OK ? make_texts(&r) : status;
}
