/* text/unigram.c - Viterbi's way through a piece: at each character the best way to get there goes on by each token that
 * begins there. Sums are of doubles from the left, and of equal ones the first stays: so does SentencePiece.
 *
 * A character that no token spells costs UNKNOWN_COST more than the worst token; unknown ones side by side are one token,
 * or their bytes. Source: T. Kudo, Subword regularization, 2018. */
#include "text/unigram.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "text/spm.h"
#include "text/token_tree.h"

#define UNKNOWN_COST 10.0
#define NOWHERE UINT32_MAX

/* The best way to the byte at which it stands. */
struct stop {
    double score;
    uint32_t from; /* where its last token begins; NOWHERE: there is no way */
    int32_t id;    /* LLI_NO_TOKEN: unknown */
};

int32_t lli_unigram_read_bytes(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    if (v->unk == LLI_NO_TOKEN)
        return lli_fail(err, LLMINF_E_FORMAT, "tokenizer.ggml.unknown_token_id", "missing; a unigram vocabulary needs it");
    return lli_spm_read_bytes(v, g, err);
}

int32_t lli_unigram_prepare(struct lli_vocab *v, struct llminf_error *err)
{
    double worst = 0;
    int any = 0;
    for (uint32_t id = 0; id < v->n; id++) {
        if (v->types[id] != LLI_TOKEN_NORMAL)
            continue;
        worst = any && worst < v->scores[id] ? worst : v->scores[id];
        any = 1;
    }
    v->unknown_score = worst - UNKNOWN_COST;
    return lli_token_tree_new(&v->trie, v, LLI_MAX_PIECE_BYTES, err);
}

int32_t lli_unigram_read_rules(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    int32_t status = lli_spm_read_scores(v, g, err);
    if (status == LLMINF_OK)
        status = lli_spm_read_normal(v, g, 0, err);
    v->after.n = 1;
    return status == LLMINF_OK ? lli_unigram_prepare(v, err) : status;
}

static void try_way(struct stop *stops, size_t from, size_t to, double score, int32_t id)
{
    if (stops[to].from == NOWHERE || score > stops[to].score)
        stops[to] = (struct stop){score, (uint32_t)from, id};
}

/* Each token that begins at `at`, and the unknown where none spells just the character. */
static void go_on(struct stop *stops, const struct lli_vocab *v, struct lli_text piece, size_t at, size_t character)
{
    int spelled = 0;
    uint32_t node = LLI_TRIE_ROOT;
    double score = stops[at].score;
    for (size_t end = at; end < piece.len;) {
        node = lli_token_tree_next(v->trie, node, (uint8_t)piece.bytes[end++]);
        if (node == LLI_NO_NODE)
            break;
        int32_t id = lli_token_tree_token(v->trie, node);
        if (id == LLI_NO_TOKEN)
            continue;
        try_way(stops, at, end, score + v->scores[id], id);
        spelled |= end - at == character;
    }
    if (!spelled)
        try_way(stops, at, at + character, score + v->unknown_score, LLI_NO_TOKEN);
}

/* One unknown, or its bytes where all of them are tokens; the last first. */
static int append_unknown(struct lli_buffer *ids, const struct lli_vocab *v, struct lli_text bytes)
{
    size_t before = ids->len;
    for (size_t i = bytes.len; i > 0; i--) {
        int32_t id = v->byte_ids[(uint8_t)bytes.bytes[i - 1]];
        if (id == LLI_NO_TOKEN) {
            ids->len = before;
            return lli_buffer_append(ids, &v->unk, sizeof v->unk);
        }
        if (lli_buffer_append(ids, &id, sizeof id))
            return -1;
    }
    return 0;
}

/* The way is known from its end. */
static int append_way(struct lli_buffer *ids, const struct lli_vocab *v, const struct stop *stops, struct lli_text piece)
{
    size_t before = ids->len / sizeof(int32_t);
    for (size_t at = piece.len; at > 0;) {
        size_t from = stops[at].from;
        int32_t id = stops[at].id;
        while (id == LLI_NO_TOKEN && from > 0 && stops[from].id == LLI_NO_TOKEN)
            from = stops[from].from;
        int failed = id == LLI_NO_TOKEN ? append_unknown(ids, v, (struct lli_text){piece.bytes + from, at - from})
                                        : lli_buffer_append(ids, &id, sizeof id);
        if (failed)
            return -1;
        at = from;
    }
    int32_t *low = (int32_t *)(void *)ids->bytes + before, *high = (int32_t *)(void *)ids->bytes + ids->len / sizeof *high;
    while (low < high) {
        int32_t id = *low;
        *low++ = *--high;
        *high = id;
    }
    return 0;
}

int lli_unigram_encode(struct lli_buffer *ids, const struct lli_vocab *v, struct lli_encode_work *work, struct lli_text piece)
{
    struct lli_buffer *memory = &work->text;
    memory->len = 0;
    if (lli_buffer_reserve(memory, (piece.len + 1) * sizeof(struct stop)))
        return -1;
    struct stop *stops = (struct stop *)(void *)memory->bytes;
    for (size_t i = 0; i <= piece.len; i++)
        stops[i].from = NOWHERE;
    stops[0] = (struct stop){0, 0, LLI_NO_TOKEN};
    for (size_t at = 0; at < piece.len;) {
        uint32_t code;
        size_t n = lli_utf8_read(&code, piece.bytes + at, piece.len - at);
        if (stops[at].from != NOWHERE)
            go_on(stops, v, piece, at, n);
        at += n;
    }
    return append_way(ids, v, stops, piece);
}
