/* text/special.c - an Aho-Corasick automaton over the tokens spelled backwards, run from the end of a text to its front:
 * its state at a byte tells the longest token that begins there, so no byte is ever read twice.
 * (A. Aho, M. Corasick: Efficient string matching, 1975.)
 *
 *     nodes in the order of breadth, so that the children of a node lie together, sorted by byte:
 *         first[n + 1] | fail[n] | end[n] | byte[n]          children of k: first[k] .. first[k + 1] - 1
 *
 * end[k] is the longest token that ends the walk at k (it begins at the byte just read), as an index of `words`; each
 * word knows the longest user-defined token among itself and what it begins with. */
#include "text/special.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/size.h"
#include "base/sort.h"

#define NONE UINT32_MAX
#define ROOT 0u
#define NODE_BYTES (3 * sizeof(uint32_t) + 1)

struct word {
    int32_t id;
    uint32_t user; /* the longest user-defined word that this one begins with, itself if it is one; NONE */
};

struct lli_special {
    struct lli_heap *heap;
    const struct lli_text *texts; /* [id] of the vocabulary */
    struct word *words;           /* sorted by the text backwards */
    uint32_t *first, *fail, *end;
    uint8_t *byte;
    uint32_t n_words, n_nodes;
    uint32_t roots[256]; /* the child of the root by byte; NONE */
};

/* Byte number `depth` of a token, from its end. */
static uint8_t byte_at(struct lli_text t, size_t depth)
{
    return (uint8_t)t.bytes[t.len - 1 - depth];
}

struct lli_text lli_special_text(const struct lli_special *s, int32_t id)
{
    return s->texts[id];
}

static struct lli_text text_of(const struct lli_special *s, const struct word *w)
{
    return s->texts[w->id];
}

/* How many bytes two tokens share at their ends. */
static size_t shared_end(struct lli_text a, struct lli_text b)
{
    size_t n = 0;
    while (n < a.len && n < b.len && byte_at(a, n) == byte_at(b, n))
        n++;
    return n;
}

static int is_same(struct lli_text a, struct lli_text b)
{
    return a.len == b.len && shared_end(a, b) == a.len;
}

static int order_backwards(const void *a, const void *b, const void *user)
{
    const struct word *x = a, *y = b;
    struct lli_text left = text_of(user, x), right = text_of(user, y);
    size_t n = shared_end(left, right);
    if (n < left.len && n < right.len)
        return byte_at(left, n) < byte_at(right, n) ? -1 : 1;
    if (left.len != right.len)
        return left.len < right.len ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

static int is_sought(const struct lli_special *s, const struct lli_vocab *v, enum lli_special_place place, uint32_t id)
{
    int normalized = v->edges && v->edges[id] & LLI_EDGE_NORMALIZED;
    return s->texts[id].len > 0 && normalized == (place == LLI_SPECIAL_NORMALIZED) &&
           (v->types[id] == LLI_TOKEN_CONTROL || v->types[id] == LLI_TOKEN_USER_DEFINED);
}

/* Nodes of the tree: one for each byte that a word does not share with the one before it, and the root. */
static uint64_t count_nodes(const struct lli_special *s)
{
    uint64_t n = 1;
    for (uint32_t i = 0; i < s->n_words; i++) {
        struct lli_text t = text_of(s, &s->words[i]);
        n += t.len - (i ? shared_end(text_of(s, &s->words[i - 1]), t) : 0);
    }
    return n;
}

/* Two texts may be the same (a control token as it is spelled, a user-defined one with spaces): the lower id stays. */
static void drop_doubles(struct lli_special *s)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < s->n_words; i++) {
        if (kept == 0 || !is_same(text_of(s, &s->words[kept - 1]), text_of(s, &s->words[i])))
            s->words[kept++] = s->words[i];
    }
    s->n_words = kept;
}

static int32_t collect(struct lli_special *s, const struct lli_vocab *v, enum lli_special_place place, uint32_t n,
                       struct llminf_error *err)
{
    s->words = lli_alloc_array(s->heap, n, sizeof *s->words);
    if (!s->words)
        return lli_fail_memory(err, "vocabulary", (uint64_t)n * sizeof *s->words);
    for (uint32_t id = 0; id < v->n; id++) {
        if (is_sought(s, v, place, id))
            s->words[s->n_words++] = (struct word){(int32_t)id, NONE};
    }
    lli_sort(s->words, s->n_words, sizeof *s->words, order_backwards, s);
    drop_doubles(s);
    uint64_t n_nodes = count_nodes(s);
    if (n_nodes > LLI_MAX_AUTOMATON_BYTES / NODE_BYTES - 1)
        return lli_fail(err, LLMINF_E_LIMIT, "control tokens", "they need %llu bytes, want at most %u",
                        (unsigned long long)(n_nodes * NODE_BYTES), LLI_MAX_AUTOMATON_BYTES);
    s->n_nodes = (uint32_t)n_nodes;
    return LLMINF_OK;
}

/* The node reached from node k by a byte, or NONE. */
static uint32_t child(const struct lli_special *s, uint32_t k, uint8_t byte)
{
    if (k == ROOT)
        return s->roots[byte];
    uint32_t low = s->first[k], high = s->first[k + 1];
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->byte[middle] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->first[k + 1] && s->byte[low] == byte ? low : NONE;
}

/* The state after a byte: the longest beginning of a backward word that the bytes read so far end with. */
static uint32_t advance(const struct lli_special *s, uint32_t k, uint8_t byte)
{
    for (;; k = s->fail[k]) {
        uint32_t to = child(s, k, byte);
        if (to != NONE)
            return to;
        if (k == ROOT)
            return ROOT;
    }
}

/* The words below a node while the tree grows: all of words[low .. high) share `depth` bytes. */
struct span {
    uint32_t low, high, depth;
};

/* The children of node k are appended; next is the number of nodes so far. Returns the new number. */
static uint32_t grow(struct lli_special *s, struct span *spans, uint32_t k, uint32_t next)
{
    struct span here = spans[k];
    uint32_t i = here.low;
    if (i < here.high && text_of(s, &s->words[i]).len == here.depth)
        i++; /* it ends here: shorter words come first, and no two are the same */
    s->first[k] = next;
    while (i < here.high) {
        uint8_t byte = byte_at(text_of(s, &s->words[i]), here.depth);
        uint32_t low = i;
        while (i < here.high && byte_at(text_of(s, &s->words[i]), here.depth) == byte)
            i++;
        spans[next] = (struct span){low, i, here.depth + 1};
        s->byte[next] = byte;
        if (k == ROOT)
            s->roots[byte] = next;
        next++;
    }
    s->first[k + 1] = next;
    return next;
}

/* Where the walk goes on when node c, the child of k, leads no further; and the longest word that ends at c. */
static void link_node(struct lli_special *s, const struct lli_vocab *v, const struct span *spans, uint32_t k, uint32_t c)
{
    s->fail[c] = k == ROOT ? ROOT : advance(s, s->fail[k], s->byte[c]);
    uint32_t shorter = s->end[s->fail[c]], low = spans[c].low;
    s->end[c] = shorter;
    struct word *word = &s->words[low];
    if (text_of(s, word).len != spans[c].depth)
        return;
    s->end[c] = low;
    word->user = v->types[word->id] == LLI_TOKEN_USER_DEFINED ? low : shorter == NONE ? NONE : s->words[shorter].user;
}

static void build(struct lli_special *s, const struct lli_vocab *v, struct span *spans)
{
    uint32_t next = 1;
    memset(s->roots, 0xFF, sizeof s->roots);
    spans[ROOT] = (struct span){0, s->n_words, 0};
    s->fail[ROOT] = ROOT;
    s->end[ROOT] = NONE;
    for (uint32_t k = 0; k < s->n_nodes; k++) {
        next = grow(s, spans, k, next);
        for (uint32_t c = s->first[k]; c < next; c++)
            link_node(s, v, spans, k, c);
    }
}

static int32_t make_nodes(struct lli_special *s, const struct lli_vocab *v, struct llminf_error *err)
{
    size_t n = s->n_nodes;
    s->first = lli_alloc_array(s->heap, n + 1, NODE_BYTES);
    struct span *spans = lli_alloc_array(s->heap, n, sizeof *spans);
    if (!s->first || !spans) {
        lli_free(s->heap, spans);
        return lli_fail_memory(err, "vocabulary", (uint64_t)n * (NODE_BYTES + sizeof *spans));
    }
    s->fail = s->first + n + 1;
    s->end = s->fail + n;
    s->byte = (uint8_t *)(s->end + n);
    build(s, v, spans);
    lli_free(s->heap, spans);
    return LLMINF_OK;
}

int32_t lli_special_new(struct lli_special **out, const struct lli_vocab *v, enum lli_special_place place,
                        struct llminf_error *err)
{
    const struct lli_text *texts = place == LLI_SPECIAL_NORMALIZED ? v->normalized : v->as_spelled ? v->tokens : v->texts;
    const struct lli_special none = {.texts = texts};
    uint32_t n = 0;
    *out = NULL;
    for (uint32_t id = 0; id < v->n && texts; id++)
        n += (uint32_t)is_sought(&none, v, place, id);
    if (n == 0)
        return LLMINF_OK;
    if (n > LLI_MAX_CONTROL_TOKENS)
        return lli_fail(err, LLMINF_E_LIMIT, "control tokens", "%u with user-defined ones, want at most %u", n,
                        LLI_MAX_CONTROL_TOKENS);
    struct lli_special *s = lli_alloc_zero(v->heap, 1, sizeof *s);
    if (!s)
        return lli_fail_memory(err, "vocabulary", sizeof *s);
    s->heap = v->heap;
    s->texts = texts;
    int32_t status = collect(s, v, place, n, err);
    if (status == LLMINF_OK)
        status = make_nodes(s, v, err);
    if (status == LLMINF_OK)
        *out = s;
    else
        lli_special_free(s);
    return status;
}

void lli_special_free(struct lli_special *s)
{
    if (!s)
        return;
    lli_free(s->heap, s->words);
    lli_free(s->heap, s->first);
    lli_free(s->heap, s);
}

int lli_special_find(struct lli_buffer *out, const struct lli_special *s, const char *text, size_t n, int with_control)
{
    uint32_t k = ROOT;
    for (size_t end = s ? n : 0; end > 0; end--) {
        size_t at = end - 1;
        k = advance(s, k, (uint8_t)text[at]);
        uint32_t word = s->end[k];
        if (word != NONE && !with_control)
            word = s->words[word].user;
        if (word == NONE)
            continue;
        struct lli_spelling found = {(uint32_t)at, s->words[word].id};
        if (lli_buffer_append(out, &found, sizeof found))
            return -1;
    }
    return 0;
}
