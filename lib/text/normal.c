/* text/normal.c - the steps. Each reads one buffer and writes the other, in time linear in what it reads and writes
 * (the marks on one character are sorted). Unicode's forms: The Unicode Standard, 3.11. */
#include "text/normal.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/sort.h"
#include "base/utf8.h"
#include "text/unicode.h"

#define MARK "\xE2\x96\x81" /* U+2581 */
#define MARK_LEN 3u

/* One step on its way: what it writes, and whether that failed. */
struct job {
    struct lli_normal_work *w;
    const struct lli_normal_step *step;
    struct lli_text in;
    int in_front, composes, compatible;
    struct llminf_error *err;
};

typedef int32_t step_fn(struct job *job);

static int32_t put(struct job *job, const void *bytes, size_t n)
{
    struct lli_buffer *out = &job->w->next;
    if (n > LLI_MAX_TEXT_BYTES - out->len)
        return lli_fail(job->err, LLMINF_E_LIMIT, "text", "normalising makes more than %u bytes of it", LLI_MAX_TEXT_BYTES);
    return lli_buffer_append(out, bytes, n) ? lli_fail_memory(job->err, "text", out->len + n) : LLMINF_OK;
}

static int32_t put_code(struct job *job, uint32_t code)
{
    char bytes[4];
    return put(job, bytes, lli_utf8_write(bytes, code));
}

static int32_t put_text(struct job *job, struct lli_text text)
{
    return put(job, text.bytes, text.len);
}

/* ---- forms of Unicode: a starter and the marks on it are kept as class << 56 | place << 24 | code until the next one */

static int32_t append_code(struct job *job, uint32_t code, uint8_t class)
{
    struct lli_buffer *codes = &job->w->codes;
    uint64_t key = (uint64_t) class << 56 | (uint64_t)(codes->len / sizeof key) << 24 | code;
    return lli_buffer_append(codes, &key, sizeof key) ? lli_fail_memory(job->err, "text", codes->len) : LLMINF_OK;
}

static int by_key(const void *a, const void *b, const void *user)
{
    uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;
    (void)user;
    return left < right ? -1 : left > right;
}

static uint32_t code_of(uint64_t key)
{
    return (uint32_t)key & 0xFFFFFF;
}

/* Marks in the order of their classes; then the starter takes in what composes with it. */
static void settle(struct job *job)
{
    uint64_t *keys = (uint64_t *)(void *)job->w->codes.bytes;
    size_t n = job->w->codes.len / sizeof *keys, kept = 1;
    size_t first = n && keys[0] >> 56 == 0; /* a text may begin with marks */
    if (n > first + 1)
        lli_sort(keys + first, n - first, sizeof *keys, by_key, NULL);
    if (!job->composes || n < 2 || !first)
        return;
    uint64_t blocker = 0; /* class of the last mark that stayed */
    for (size_t i = 1; i < n; i++) {
        uint64_t class = keys[i] >> 56;
        uint32_t composed = kept > 1 && blocker >= class ? 0 : lli_unicode_compose(code_of(keys[0]), code_of(keys[i]));
        if (composed) {
            keys[0] = composed;
        } else {
            keys[kept++] = keys[i];
            blocker = class;
        }
    }
    job->w->codes.len = kept * sizeof *keys;
}

static int32_t flush(struct job *job)
{
    int32_t status = LLMINF_OK;
    const uint64_t *keys = (const uint64_t *)(const void *)job->w->codes.bytes;
    size_t n = job->w->codes.len / sizeof *keys;
    for (size_t i = 0; i < n && status == LLMINF_OK; i++)
        status = put_code(job, code_of(keys[i]));
    job->w->codes.len = 0;
    return status;
}

static int32_t take_code(struct job *job, uint32_t code)
{
    struct lli_buffer *codes = &job->w->codes;
    uint8_t class = lli_unicode_class(code);
    if (class)
        return append_code(job, code, class);
    if (codes->len) {
        settle(job);
        uint64_t *keys = (uint64_t *)(void *)codes->bytes;
        uint32_t composed =
            job->composes && codes->len == sizeof *keys && keys[0] >> 56 == 0 ? lli_unicode_compose(code_of(keys[0]), code) : 0;
        if (composed) {
            keys[0] = composed;
            return LLMINF_OK;
        }
        int32_t status = flush(job);
        if (status != LLMINF_OK)
            return status;
    }
    return append_code(job, code, 0);
}

static size_t ascii_run(struct lli_text t, size_t at)
{
    size_t n = 0;
    while (at + n < t.len && (uint8_t)t.bytes[at + n] < 0x80)
        n++;
    return n;
}

static int32_t write_form(struct job *job)
{
    int32_t status = LLMINF_OK;
    job->w->codes.len = 0;
    for (size_t at = 0; at < job->in.len && status == LLMINF_OK;) {
        uint32_t code, parts[LLI_MAX_DECOMPOSED];
        size_t plain = ascii_run(job->in, at);
        if (plain > 1) { /* all but the last stay as they are */
            settle(job);
            status = flush(job);
            if (status == LLMINF_OK)
                status = put(job, job->in.bytes + at, plain - 1);
            at += plain - 1;
            continue;
        }
        at += lli_utf8_read(&code, job->in.bytes + at, job->in.len - at);
        size_t n = lli_unicode_decompose(parts, code, job->compatible);
        for (size_t i = 0; i < n && status == LLMINF_OK; i++)
            status = take_code(job, parts[i]);
    }
    settle(job);
    return status == LLMINF_OK ? flush(job) : status;
}

static int32_t nfc(struct job *job)
{
    job->composes = 1;
    return write_form(job);
}

static int32_t nfd(struct job *job)
{
    return write_form(job);
}

static int32_t nfkc(struct job *job)
{
    job->composes = job->compatible = 1;
    return write_form(job);
}

static int32_t nfkd(struct job *job)
{
    job->compatible = 1;
    return write_form(job);
}

static int32_t lower(struct job *job)
{
    int32_t status = LLMINF_OK;
    for (size_t at = 0; at < job->in.len && status == LLMINF_OK;) {
        uint32_t code, out[2];
        at += lli_utf8_read(&code, job->in.bytes + at, job->in.len - at);
        size_t n = lli_unicode_lower(out, code);
        for (size_t i = 0; i < n && status == LLMINF_OK; i++)
            status = put_code(job, out[i]);
    }
    return status;
}

/* ---- SentencePiece */

static int32_t map_characters(struct job *job)
{
    int32_t status = LLMINF_OK;
    for (size_t at = 0; at < job->in.len && status == LLMINF_OK;) {
        struct lli_text with;
        uint32_t code;
        const char *text = job->in.bytes + at;
        size_t n = lli_charsmap_find(&with, &job->step->map, text, job->in.len - at);
        if (n == 0) {
            n = lli_utf8_read(&code, text, job->in.len - at);
            with = (struct lli_text){text, n};
        }
        status = put_text(job, with);
        at += n;
    }
    return status;
}

/* Each space a mark; collapsing, words with one mark between. */
static int32_t mark_spaces(struct job *job)
{
    int collapse = job->step->flags & LLI_NORMAL_COLLAPSE;
    struct lli_text in = job->in;
    while (collapse && in.len && in.bytes[in.len - 1] == ' ')
        in.len--;
    size_t at = 0;
    while (collapse && at < in.len && in.bytes[at] == ' ')
        at++;
    int32_t status = LLMINF_OK;
    if (at < in.len && (job->step->flags & LLI_NORMAL_PREFIX) && job->in_front)
        status = put(job, MARK, MARK_LEN);
    while (at < in.len && status == LLMINF_OK) {
        const char *space = memchr(in.bytes + at, ' ', in.len - at);
        size_t stop = space ? (size_t)(space - in.bytes) : in.len;
        status = put(job, in.bytes + at, stop - at);
        at = stop;
        if (space && status == LLMINF_OK)
            status = put(job, MARK, MARK_LEN);
        at += space != NULL;
        while (collapse && at < in.len && in.bytes[at] == ' ')
            at++;
    }
    return status;
}

/* ---- what a tokenizer.json has besides */

/* Where the last character of a text begins. */
static size_t last_character(struct lli_text t)
{
    size_t at = t.len - 1;
    while (at > 0 && ((uint8_t)t.bytes[at] & 0xC0) == 0x80)
        at--;
    return at;
}

static int32_t strip(struct job *job)
{
    struct lli_text t = job->in;
    uint32_t code;
    while ((job->step->flags & LLI_NORMAL_LEFT) && t.len) {
        size_t n = lli_utf8_read(&code, t.bytes, t.len);
        if (!lli_unicode_is_space(code))
            break;
        t = (struct lli_text){t.bytes + n, t.len - n};
    }
    while ((job->step->flags & LLI_NORMAL_RIGHT) && t.len) {
        size_t last = last_character(t);
        lli_utf8_read(&code, t.bytes + last, t.len - last);
        if (!lli_unicode_is_space(code))
            break;
        t.len = last;
    }
    return put_text(job, t);
}

static int32_t prepend(struct job *job)
{
    int32_t status = job->in.len ? put_text(job, job->step->with) : LLMINF_OK;
    return status == LLMINF_OK ? put_text(job, job->in) : status;
}

static int32_t replace(struct job *job)
{
    struct lli_text what = job->step->what;
    int32_t status = LLMINF_OK;
    for (size_t at = 0; at < job->in.len && status == LLMINF_OK;) {
        const char *rest = job->in.bytes + at, *found = memmem(rest, job->in.len - at, what.bytes, what.len);
        size_t n = found ? (size_t)(found - rest) : job->in.len - at;
        status = put(job, rest, n);
        if (found && status == LLMINF_OK)
            status = put_text(job, job->step->with);
        at += n + (found ? what.len : 0);
    }
    return status;
}

/* The characters of NMT-NFKC, SentencePiece's rule, that no form of Unicode touches. */
static const struct {
    uint32_t first, last;
    int is_space; /* else nothing is left */
} nmt_ranges[] = {
    {0x01, 0x08, 0},     {0x09, 0x0A, 1},     {0x0B, 0x0B, 0},     {0x0C, 0x0D, 1},     {0x0E, 0x1F, 0},
    {0x7F, 0x7F, 0},     {0x8F, 0x8F, 0},     {0x9F, 0x9F, 0},     {0x1680, 0x1680, 1}, {0x200B, 0x200F, 1},
    {0x2028, 0x2029, 1}, {0x2581, 0x2581, 1}, {0xFEFF, 0xFEFF, 1}, {0xFFFD, 0xFFFD, 1},
};

static int32_t nmt(struct job *job)
{
    const size_t n_ranges = sizeof nmt_ranges / sizeof *nmt_ranges;
    int32_t status = LLMINF_OK;
    for (size_t at = 0; at < job->in.len && status == LLMINF_OK;) {
        uint32_t code;
        size_t n = lli_utf8_read(&code, job->in.bytes + at, job->in.len - at), i = 0;
        while (i < n_ranges && code > nmt_ranges[i].last)
            i++;
        int changes = i < n_ranges && code >= nmt_ranges[i].first;
        if (!changes)
            status = put(job, job->in.bytes + at, n);
        else if (nmt_ranges[i].is_space)
            status = put(job, " ", 1);
        at += n;
    }
    return status;
}

static int32_t squeeze(struct job *job)
{
    int32_t status = LLMINF_OK;
    for (size_t at = 0; at < job->in.len && status == LLMINF_OK;) {
        size_t n = 0;
        while (at + n < job->in.len && job->in.bytes[at + n] == ' ')
            n++;
        status = n > 1 ? put_text(job, job->step->with) : put(job, job->in.bytes + at, 1);
        at += n > 1 ? n : 1;
    }
    return status;
}

static int32_t drop(struct job *job)
{
    struct lli_pieces *pieces = &job->w->pieces;
    int32_t status = lli_split_run(pieces, job->step->drop, job->in, 0, job->err);
    for (size_t i = 0; i < lli_pieces_count(pieces) && status == LLMINF_OK; i++)
        status = put_text(job, lli_pieces_at(pieces, i));
    return status;
}

static step_fn *const by_kind[] = {
    [LLI_NORMAL_NFC] = nfc,           [LLI_NORMAL_NFD] = nfd,         [LLI_NORMAL_NFKC] = nfkc,
    [LLI_NORMAL_NFKD] = nfkd,         [LLI_NORMAL_LOWER] = lower,     [LLI_NORMAL_CHARSMAP] = map_characters,
    [LLI_NORMAL_MARKS] = mark_spaces, [LLI_NORMAL_STRIP] = strip,     [LLI_NORMAL_PREPEND] = prepend,
    [LLI_NORMAL_REPLACE] = replace,   [LLI_NORMAL_SQUEEZE] = squeeze, [LLI_NORMAL_NMT] = nmt,
    [LLI_NORMAL_DROP] = drop,
};

int32_t lli_normal_add(struct lli_normal *n, const struct lli_normal_step *step, struct llminf_error *err)
{
    if (n->n == LLI_MAX_NORMAL_STEPS)
        return lli_fail(err, LLMINF_E_LIMIT, "normalizer", "more than %u steps", LLI_MAX_NORMAL_STEPS);
    n->steps[n->n++] = *step;
    return LLMINF_OK;
}

void lli_normal_finish(struct lli_normal *n)
{
    for (size_t i = 0; i < n->n; i++)
        lli_split_free(n->steps[i].drop);
    n->n = 0;
}

void lli_normal_work_init(struct lli_normal_work *w, struct lli_heap *heap)
{
    lli_buffer_init(&w->text, heap);
    lli_buffer_init(&w->next, heap);
    lli_buffer_init(&w->codes, heap);
    lli_pieces_init(&w->pieces, heap);
}

void lli_normal_work_finish(struct lli_normal_work *w)
{
    lli_buffer_finish(&w->text);
    lli_buffer_finish(&w->next);
    lli_buffer_finish(&w->codes);
    lli_pieces_finish(&w->pieces);
}

int32_t lli_normal_run(struct lli_text *text, struct lli_normal_work *w, const struct lli_normal *n, int in_front,
                       struct llminf_error *err)
{
    int32_t status = LLMINF_OK;
    for (size_t i = 0; i < n->n && status == LLMINF_OK; i++) {
        struct job job = {w, &n->steps[i], *text, in_front, 0, 0, err};
        w->next.len = 0;
        status = by_kind[n->steps[i].kind](&job);
        struct lli_buffer old = w->text;
        w->text = w->next;
        w->next = old;
        *text = (struct lli_text){w->text.len ? (const char *)w->text.bytes : "", w->text.len};
    }
    return status;
}
