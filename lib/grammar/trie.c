/* grammar/trie.c - sorted, each token shares its beginning with the one before it, and its other bytes are new nodes. */
#include "grammar/trie.h"

#include <string.h>

#include "base/error.h"
#include "base/sort.h"

static int is_text(const struct lli_vocab *v, uint32_t id)
{
    int type = v->types[id];
    return v->texts[id].len > 0 && !v->is_eog[id] &&
           (type == LLI_TOKEN_NORMAL || type == LLI_TOKEN_USER_DEFINED || type == LLI_TOKEN_BYTE);
}

static int by_text(const void *a, const void *b, const void *user)
{
    const struct lli_vocab *v = user;
    int32_t x = *(const int32_t *)a, y = *(const int32_t *)b;
    const struct lli_text *s = &v->texts[x], *t = &v->texts[y];
    int order = memcmp(s->bytes, t->bytes, s->len < t->len ? s->len : t->len);
    if (order != 0)
        return order;
    return s->len != t->len ? (s->len < t->len ? -1 : 1) : x - y;
}

static void list_tokens(struct lli_trie *trie)
{
    const struct lli_vocab *v = trie->vocab;
    for (uint32_t id = 0; id < v->n; id++) {
        if (v->is_eog[id])
            trie->eog[trie->n_eog++] = (int32_t)id;
        else if (is_text(v, id))
            trie->tokens[trie->n_tokens++] = (int32_t)id;
    }
    lli_sort(trie->tokens, trie->n_tokens, sizeof *trie->tokens, by_text, v);
    for (uint32_t i = 0; i < trie->n_tokens; i++) {
        size_t len = v->texts[trie->tokens[i]].len;
        trie->max_depth = len > trie->max_depth ? (uint32_t)len : trie->max_depth;
    }
}

static int append(struct lli_trie *trie, uint32_t depth, uint8_t byte, uint32_t first)
{
    struct lli_trie_node node = {.first = first, .depth_byte = depth << 8 | byte};
    trie->n += 1;
    return lli_buffer_append(&trie->list, &node, sizeof node);
}

/* path: the nodes from the root to the one added last. */
static int grow(struct lli_trie *trie, uint32_t *path)
{
    uint32_t depth = 0;
    struct lli_text before = {"", 0};
    path[0] = 0;
    if (append(trie, 0, 0, 0))
        return -1;
    for (uint32_t i = 0; i <= trie->n_tokens; i++) {
        struct lli_text text = i < trie->n_tokens ? trie->vocab->texts[trie->tokens[i]] : (struct lli_text){"", 0};
        uint32_t shared = 0;
        while (shared < text.len && shared < before.len && text.bytes[shared] == before.bytes[shared])
            shared++;
        for (; depth > shared; depth--)
            ((struct lli_trie_node *)(void *)trie->list.bytes)[path[depth]].end = trie->n;
        for (; depth < text.len; path[depth] = trie->n - 1) {
            uint8_t byte = (uint8_t)text.bytes[depth++];
            if (append(trie, depth, byte, i))
                return -1;
        }
        before = text;
    }
    ((struct lli_trie_node *)(void *)trie->list.bytes)[0].end = trie->n;
    return append(trie, 0, 0, trie->n_tokens);
}

int32_t lli_trie_init(struct lli_trie *trie, struct lli_heap *heap, const struct lli_vocab *vocab, struct llminf_error *err)
{
    uint32_t *path = NULL;
    *trie = (struct lli_trie){.heap = heap, .vocab = vocab};
    lli_buffer_init(&trie->list, heap);
    trie->tokens = lli_alloc_array(heap, vocab->n, sizeof *trie->tokens);
    trie->eog = lli_alloc_array(heap, vocab->n, sizeof *trie->eog);
    if (trie->tokens && trie->eog) {
        list_tokens(trie);
        path = lli_alloc_array(heap, (size_t)trie->max_depth + 1, sizeof *path);
    }
    int failed = !path || grow(trie, path);
    lli_free(heap, path);
    if (failed) {
        lli_trie_finish(trie);
        return lli_fail_memory(err, "grammar", vocab->n * sizeof *trie->tokens);
    }
    trie->n--; /* the last one is none */
    trie->nodes = (struct lli_trie_node *)(void *)trie->list.bytes;
    return LLMINF_OK;
}

void lli_trie_finish(struct lli_trie *trie)
{
    if (trie->heap) {
        lli_buffer_finish(&trie->list);
        lli_free(trie->heap, trie->tokens);
        lli_free(trie->heap, trie->eog);
    }
    *trie = (struct lli_trie){0};
}
