/* text/token_tree.c - nodes in the order of breadth, so that the children of a node lie together, sorted by byte:
 *
 *     first[n + 1] | token[n] | byte[n]          children of k: first[k] .. first[k + 1] - 1 */
#include "text/token_tree.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/sort.h"

#define NODE_BYTES (2 * sizeof(uint32_t) + 1)

struct lli_token_tree {
    struct lli_heap *heap;
    uint32_t *first;
    int32_t *token;
    uint8_t *byte;
    uint32_t n;
    uint32_t roots[256]; /* the child of the root by byte; LLI_NO_NODE */
};

static size_t shared_start(struct lli_text a, struct lli_text b)
{
    size_t n = 0, most = a.len < b.len ? a.len : b.len;
    while (n < most && a.bytes[n] == b.bytes[n])
        n++;
    return n;
}

static int by_text(const void *a, const void *b, const void *user)
{
    const struct lli_vocab *v = user;
    struct lli_text left = v->tokens[*(const uint32_t *)a], right = v->tokens[*(const uint32_t *)b];
    size_t n = shared_start(left, right);
    if (n < left.len && n < right.len)
        return (uint8_t)left.bytes[n] < (uint8_t)right.bytes[n] ? -1 : 1;
    return left.len < right.len ? -1 : left.len > right.len;
}

/* The tokens below a node while the tree grows: all of ids[low .. high) share `depth` bytes. */
struct span {
    uint32_t low, high, depth;
};

/* What is being built: the ids of its tokens, in the order of their texts. */
struct builder {
    struct lli_token_tree *t;
    const struct lli_vocab *v;
    uint32_t *ids, n_ids;
    struct span *spans;
};

static int32_t collect(struct builder *b, size_t max_bytes, struct llminf_error *err)
{
    const struct lli_vocab *v = b->v;
    uint64_t n = 1;
    for (uint32_t id = 0; id < v->n; id++) {
        if (!lli_vocab_is_plain(v, id) || v->tokens[id].len == 0)
            continue;
        if (v->tokens[id].len > max_bytes)
            return lli_fail(err, LLMINF_E_LIMIT, "vocabulary", "token %u has %zu bytes, want at most %zu here", id,
                            v->tokens[id].len, max_bytes);
        b->ids[b->n_ids++] = id;
    }
    lli_sort(b->ids, b->n_ids, sizeof *b->ids, by_text, v);
    for (uint32_t i = 0; i < b->n_ids; i++) {
        struct lli_text t = v->tokens[b->ids[i]];
        n += t.len - (i ? shared_start(v->tokens[b->ids[i - 1]], t) : 0);
    }
    if (n > LLI_MAX_AUTOMATON_BYTES / NODE_BYTES - 1)
        return lli_fail(err, LLMINF_E_LIMIT, "vocabulary", "its tree needs %llu bytes, want at most %u",
                        (unsigned long long)(n * NODE_BYTES), LLI_MAX_AUTOMATON_BYTES);
    b->t->n = (uint32_t)n;
    return LLMINF_OK;
}

/* The children of node k are appended; next is the number of nodes so far. Returns the new number. */
static uint32_t grow(struct builder *b, uint32_t k, uint32_t next)
{
    struct lli_token_tree *t = b->t;
    struct span here = b->spans[k];
    uint32_t i = here.low;
    t->token[k] = LLI_NO_TOKEN;
    if (i < here.high && b->v->tokens[b->ids[i]].len == here.depth)
        t->token[k] = (int32_t)b->ids[i++];
    t->first[k] = next;
    while (i < here.high) {
        uint8_t byte = (uint8_t)b->v->tokens[b->ids[i]].bytes[here.depth];
        uint32_t low = i;
        while (i < here.high && (uint8_t)b->v->tokens[b->ids[i]].bytes[here.depth] == byte)
            i++;
        b->spans[next] = (struct span){low, i, here.depth + 1};
        t->byte[next] = byte;
        if (k == LLI_TRIE_ROOT)
            t->roots[byte] = next;
        next++;
    }
    t->first[k + 1] = next;
    return next;
}

static int32_t build(struct builder *b, struct llminf_error *err)
{
    struct lli_token_tree *t = b->t;
    uint32_t next = 1;
    t->first = lli_alloc_array(t->heap, (size_t)t->n + 1, NODE_BYTES);
    b->spans = lli_alloc_array(t->heap, t->n, sizeof *b->spans);
    if (!t->first || !b->spans)
        return lli_fail_memory(err, "vocabulary", (uint64_t)t->n * (NODE_BYTES + sizeof *b->spans));
    t->token = (int32_t *)(t->first + t->n + 1);
    t->byte = (uint8_t *)(t->token + t->n);
    memset(t->roots, 0xFF, sizeof t->roots);
    b->spans[LLI_TRIE_ROOT] = (struct span){0, b->n_ids, 0};
    for (uint32_t k = 0; k < t->n; k++)
        next = grow(b, k, next);
    return LLMINF_OK;
}

int32_t lli_token_tree_new(struct lli_token_tree **out, const struct lli_vocab *v, size_t max_bytes, struct llminf_error *err)
{
    struct builder b = {.v = v, .t = lli_alloc_zero(v->heap, 1, sizeof *b.t)};
    b.ids = lli_alloc_array(v->heap, v->n, sizeof *b.ids);
    *out = NULL;
    int32_t status = b.t && b.ids ? LLMINF_OK : lli_fail_memory(err, "vocabulary", (uint64_t)v->n * sizeof *b.ids);
    if (status == LLMINF_OK) {
        b.t->heap = v->heap;
        status = collect(&b, max_bytes, err);
    }
    if (status == LLMINF_OK)
        status = build(&b, err);
    lli_free(v->heap, b.spans);
    lli_free(v->heap, b.ids);
    if (status == LLMINF_OK)
        *out = b.t;
    else if (b.t)
        lli_free(v->heap, b.t->first);
    if (status != LLMINF_OK)
        lli_free(v->heap, b.t);
    return status;
}

void lli_token_tree_free(struct lli_token_tree *t)
{
    if (!t)
        return;
    lli_free(t->heap, t->first);
    lli_free(t->heap, t);
}

uint32_t lli_token_tree_next(const struct lli_token_tree *t, uint32_t node, uint8_t byte)
{
    if (node == LLI_TRIE_ROOT)
        return t->roots[byte];
    uint32_t low = t->first[node], high = t->first[node + 1], end = high;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (t->byte[middle] < byte)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && t->byte[low] == byte ? low : LLI_NO_NODE;
}

int32_t lli_token_tree_token(const struct lli_token_tree *t, uint32_t node)
{
    return t->token[node];
}

uint32_t lli_token_tree_walk(const struct lli_token_tree *t, struct lli_text text)
{
    uint32_t node = LLI_TRIE_ROOT;
    for (size_t i = 0; i < text.len && node != LLI_NO_NODE; i++)
        node = lli_token_tree_next(t, node, (uint8_t)text.bytes[i]);
    return node;
}
