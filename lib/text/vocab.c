/* text/vocab.c - reads tokenizer.* of a GGUF file. What the two kinds of vocabulary do differently is a row of functions;
 * the order of the steps is the order in which they need each other. */
#include "text/vocab.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "base/utf8.h"
#include "text/bpe.h"
#include "text/pre.h"
#include "text/special.h"
#include "text/split.h"
#include "text/spm.h"
#include "text/token_tree.h"
#include "text/unigram.h"
#include "text/wordpiece.h"

#define TOKENS "tokenizer.ggml.tokens"
#define TYPES "tokenizer.ggml.token_type"
#define MODEL "tokenizer.ggml.model"
#define PRE "tokenizer.ggml.pre"

#define ARENA_CHUNK_BYTES (64u << 10)

typedef int32_t read_fn(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err);

/* What tokenizer.ggml.model names. */
static const struct form {
    const char *name;
    int kind;
    read_fn *read_bytes, *read_rules;
    size_t (*text)(char *out, const struct lli_vocab *v, uint32_t id);
    const char *pre; /* BPE: what the name stands for; NULL: tokenizer.ggml.pre tells */
} forms[] = {
    {"llama", LLI_VOCAB_SPM, lli_spm_read_bytes, lli_spm_read_rules, lli_spm_text, NULL},
    {"gpt2", LLI_VOCAB_BPE, lli_bpe_read_bytes, lli_bpe_read_rules, lli_bpe_text, NULL},
    {"gemma4", LLI_VOCAB_BPE, lli_spm_read_bytes, lli_bpe_read_rules, lli_spm_text, "gemma4"},
    {"t5", LLI_VOCAB_UNIGRAM, lli_unigram_read_bytes, lli_unigram_read_rules, lli_spm_text, NULL},
    {"bert", LLI_VOCAB_WORDPIECE, lli_wordpiece_read_bytes, lli_wordpiece_read_rules, lli_spm_text, NULL},
};

/* Control and user-defined tokens that end a generation wherever they occur. */
static const char *const ends[] = {
    "<|eot_id|>",      "<|eom_id|>", "<|end_of_text|>", "<|im_end|>",         "<|end|>", "<|endoftext|>",
    "<|end_of_turn|>", "<|return|>", "<|call|>",        "<end_of_turn>",      "<EOT>",   "</s>",
    "<eos>",           "<turn|>",    "[EOT]",           "<end_of_utterance>",
};

int32_t lli_vocab_array(const struct lli_gguf_entry **out, const struct lli_gguf *g, const char *key, int of_strings,
                        uint64_t n, struct llminf_error *err)
{
    const struct lli_gguf_entry *e = lli_gguf_find(g, key);
    if (!e)
        return lli_fail(err, LLMINF_E_FORMAT, key, "missing");
    if (!e->is_array || (e->kind == LLI_GGUF_STRING) != of_strings)
        return lli_fail_at(err, LLMINF_E_FORMAT, e->pos, key, "%s of type %u, want an array of %s",
                           e->is_array ? "array" : "value", e->kind, of_strings ? "strings" : "numbers");
    if (n != UINT64_MAX && e->n != n)
        return lli_fail_at(err, LLMINF_E_FORMAT, e->pos, key, "%llu elements, want %llu as there are tokens",
                           (unsigned long long)e->n, (unsigned long long)n);
    *out = e;
    return LLMINF_OK;
}

static const struct form *form_by_name(struct lli_text name)
{
    for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
        if (strlen(forms[i].name) == name.len && memcmp(forms[i].name, name.bytes, name.len) == 0)
            return &forms[i];
    }
    return NULL;
}

/* The pre-tokenizer of BPE; it may ask for tokens that are spelled in characters. */
static int32_t find_pre(const struct form **form, struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    struct lli_text name = {(*form)->pre, (*form)->pre ? strlen((*form)->pre) : 0};
    int32_t status = name.bytes ? LLMINF_OK : lli_gguf_get_text(&name, g, PRE, "", err);
    if (status != LLMINF_OK)
        return status;
    v->pre = lli_pre_find(name);
    if (v->pre && (v->pre->flags & LLI_PRE_CHARACTERS))
        *form = form_by_name((struct lli_text){"gemma4", 6});
    if (v->pre)
        return LLMINF_OK;
    if (!lli_gguf_find(g, PRE))
        return lli_fail(err, LLMINF_E_UNSUPPORTED, PRE, "missing; how text is split cannot be guessed");
    char names[280];
    lli_pre_names(names, sizeof names);
    return lli_fail(err, LLMINF_E_UNSUPPORTED, PRE, "\"%.*s\" is not known, want one of %s", name.len < 40 ? (int)name.len : 40,
                    name.bytes, names);
}

static int32_t find_form(const struct form **out, struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    struct lli_text name;
    int32_t status = lli_gguf_get_text(&name, g, MODEL, "", err);
    if (status != LLMINF_OK)
        return status;
    *out = form_by_name(name);
    if (*out && (*out)->kind == LLI_VOCAB_BPE)
        return find_pre(out, v, g, err);
    if (*out)
        return LLMINF_OK;
    if (!lli_gguf_find(g, MODEL))
        return lli_fail(err, LLMINF_E_FORMAT, MODEL, "missing");
    return lli_fail(err, LLMINF_E_UNSUPPORTED, MODEL, "\"%.*s\" is not known, want llama, gpt2, gemma4, t5 or bert",
                    name.len < 64 ? (int)name.len : 64, name.bytes);
}

static int32_t check_token(const struct lli_gguf_entry *e, uint32_t id, struct llminf_error *err)
{
    struct lli_text t = e->texts[id];
    if (t.len > LLI_MAX_TOKEN_BYTES)
        return lli_fail_at(err, LLMINF_E_LIMIT, e->pos, TOKENS, "token %u has %zu bytes, want at most %u", id, t.len,
                           LLI_MAX_TOKEN_BYTES);
    if (lli_utf8_valid(t.bytes, t.len) != t.len)
        return lli_fail_at(err, LLMINF_E_FORMAT, e->pos, TOKENS, "token %u is not UTF-8", id);
    return LLMINF_OK;
}

static int32_t read_tokens(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    const struct lli_gguf_entry *e = NULL;
    int32_t status = lli_vocab_array(&e, g, TOKENS, 1, UINT64_MAX, err);
    if (status != LLMINF_OK)
        return status;
    if (e->n == 0)
        return lli_fail_at(err, LLMINF_E_FORMAT, e->pos, TOKENS, "no tokens");
    if (e->n > LLI_MAX_TOKENS)
        return lli_fail_at(err, LLMINF_E_LIMIT, e->pos, TOKENS, "%llu tokens, want at most %u", (unsigned long long)e->n,
                           LLI_MAX_TOKENS);
    v->n = (uint32_t)e->n;
    v->tokens = e->texts;
    if (lli_map_init(&v->by_token, v->heap, v->n))
        return lli_fail_memory(err, TOKENS, (uint64_t)v->n * sizeof(struct lli_map_slot));
    for (uint32_t id = 0; id < v->n; id++) {
        status = check_token(e, id, err);
        if (status != LLMINF_OK)
            return status;
        int entered = lli_map_put(&v->by_token, v->tokens[id].bytes, v->tokens[id].len, id);
        if (entered < 0)
            return lli_fail_memory(err, TOKENS, (uint64_t)v->n * sizeof(struct lli_map_slot));
        if (entered > 0)
            return lli_fail_at(err, LLMINF_E_FORMAT, e->pos, TOKENS, "token %u is spelled as one before it", id);
        v->longest = v->tokens[id].len > v->longest ? v->tokens[id].len : v->longest;
    }
    return LLMINF_OK;
}

/* Without the key all are normal, as the format has it. */
static int32_t read_types(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    const struct lli_gguf_entry *e = NULL;
    v->types = lli_arena_take(&v->arena, v->n, sizeof *v->types);
    v->is_eog = lli_arena_take(&v->arena, v->n, sizeof *v->is_eog);
    if (!v->types || !v->is_eog)
        return lli_fail_memory(err, TYPES, (uint64_t)v->n * 2);
    memset(v->types, LLI_TOKEN_NORMAL, v->n);
    if (!lli_gguf_find(g, TYPES))
        return LLMINF_OK;
    int32_t status = lli_vocab_array(&e, g, TYPES, 0, v->n, err);
    for (uint32_t id = 0; status == LLMINF_OK && id < v->n; id++) {
        int64_t type;
        if (lli_gguf_int(&type, e, id))
            return lli_fail_at(err, LLMINF_E_FORMAT, e->pos, TYPES, "elements of type %u, want integers", e->kind);
        if (type < LLI_TOKEN_NORMAL || type > LLI_TOKEN_BYTE)
            return lli_fail_at(err, LLMINF_E_FORMAT, e->pos, TYPES, "token %u is of type %lld, want %d to %d", id,
                               (long long)type, LLI_TOKEN_NORMAL, LLI_TOKEN_BYTE);
        v->types[id] = (uint8_t)type;
    }
    return status;
}

/* Text must still be able to be spelled: the token of a byte stays what it is, whatever else the file uses it for. */
static void mark_control(struct lli_vocab *v, int32_t id)
{
    for (size_t byte = 0; byte < 256; byte++) {
        if (v->byte_ids[byte] == id)
            return;
    }
    v->types[id] = LLI_TOKEN_CONTROL;
}

void lli_vocab_mark_end(struct lli_vocab *v, int32_t id)
{
    mark_control(v, id);
    v->is_eog[id] = 1;
}

static int32_t read_id(int32_t *out, const struct lli_vocab *v, const struct lli_gguf *g, const char *key,
                       struct llminf_error *err)
{
    int64_t id;
    int32_t status = lli_gguf_get_int(&id, g, key, -1, err);
    if (status != LLMINF_OK)
        return status;
    int none = id == -1 || id == UINT32_MAX;
    if (!none && (id < 0 || id >= v->n))
        return lli_fail(err, LLMINF_E_FORMAT, key, "%lld is no token, want 0 to %u", (long long)id, v->n - 1);
    *out = none ? LLI_NO_TOKEN : (int32_t)id;
    return LLMINF_OK;
}

/* Special ids that only reading needs. */
struct special_ids {
    int32_t eom; /* the end of a message that a tool answers */
    int32_t cls, sep;
};

static int32_t read_ids(struct lli_vocab *v, struct special_ids *more, const struct lli_gguf *g, struct llminf_error *err)
{
    const struct {
        const char *key;
        int32_t *out;
    } rows[] = {
        {"tokenizer.ggml.bos_token_id", &v->bos},     {"tokenizer.ggml.eos_token_id", &v->eos},
        {"tokenizer.ggml.eot_token_id", &v->eot},     {"tokenizer.ggml.eom_token_id", &more->eom},
        {"tokenizer.ggml.unknown_token_id", &v->unk}, {"tokenizer.ggml.padding_token_id", &v->pad},
        {"tokenizer.ggml.cls_token_id", &more->cls},  {"tokenizer.ggml.seperator_token_id", &more->sep},
    };
    int32_t status = LLMINF_OK;
    for (size_t i = 0; i < sizeof rows / sizeof *rows && status == LLMINF_OK; i++)
        status = read_id(rows[i].out, v, g, rows[i].key, err);
    return status;
}

static int has_token(const struct lli_vocab *v, const char *text)
{
    uint32_t id;
    return lli_map_find(&v->by_token, text, strlen(text), &id);
}

void lli_vocab_mark_special(struct lli_vocab *v, int32_t eom)
{
    const int32_t told[] = {v->eos, v->eot, eom};
    /* Where a call or the answer has an end of its own, this one is between the parts of a message. */
    int harmony = has_token(v, "<|return|>") && has_token(v, "<|call|>");
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        uint32_t id;
        if (harmony && strcmp(ends[i], "<|end|>") == 0)
            continue;
        if (lli_map_find(&v->by_token, ends[i], strlen(ends[i]), &id) &&
            (v->types[id] == LLI_TOKEN_CONTROL || v->types[id] == LLI_TOKEN_USER_DEFINED))
            lli_vocab_mark_end(v, (int32_t)id);
    }
    for (size_t i = 0; i < sizeof told / sizeof *told; i++) {
        if (told[i] != LLI_NO_TOKEN)
            lli_vocab_mark_end(v, told[i]);
    }
    if (v->bos != LLI_NO_TOKEN)
        mark_control(v, v->bos);
}

/* Whether `id` is added at an end of a text; bounds->n holds what the kind of vocabulary does if the file does not say. */
static int32_t read_bound(struct lli_bounds *bounds, const struct lli_gguf *g, const char *key, int32_t id,
                          struct llminf_error *err)
{
    int told;
    int32_t status = lli_gguf_get_bool(&told, g, key, -1, err);
    if (status != LLMINF_OK)
        return status;
    if (told == 1 && id == LLI_NO_TOKEN)
        return lli_fail(err, LLMINF_E_FORMAT, key, "true, but the file names no such token");
    bounds->n = (told < 0 ? bounds->n : (uint32_t)told) && id != LLI_NO_TOKEN;
    bounds->ids[0] = id;
    return LLMINF_OK;
}

/* BERT's texts stand between CLS and SEP. */
static int32_t read_bounds(struct lli_vocab *v, const struct special_ids *more, const struct lli_gguf *g,
                           struct llminf_error *err)
{
    int bert = v->kind == LLI_VOCAB_WORDPIECE;
    int32_t first = bert && v->bos == LLI_NO_TOKEN ? more->cls : v->bos, last = bert ? more->sep : v->eos;
    int32_t status = read_bound(&v->before, g, "tokenizer.ggml.add_bos_token", first, err);
    return status == LLMINF_OK ? read_bound(&v->after, g, "tokenizer.ggml.add_eos_token", last, err) : status;
}

static int32_t make_texts(struct lli_vocab *v, const struct form *form, struct llminf_error *err)
{
    size_t bytes = 0, at = 0;
    for (uint32_t id = 0; id < v->n; id++)
        bytes += v->tokens[id].len; /* all of them lie in the file */
    struct lli_text *texts = lli_arena_take(&v->arena, v->n, sizeof *texts);
    char *memory = lli_arena_take(&v->arena, bytes + 1, 1);
    if (!texts || !memory)
        return lli_fail_memory(err, TOKENS, (uint64_t)v->n * sizeof *texts + bytes);
    for (uint32_t id = 0; id < v->n; id++) {
        texts[id] = (struct lli_text){memory + at, form->text(memory + at, v, id)};
        at += texts[id].len;
    }
    v->texts = texts;
    return LLMINF_OK;
}

static int32_t read_all(struct lli_vocab *v, const struct lli_gguf *g, struct llminf_error *err)
{
    const struct form *form = NULL;
    struct special_ids more;
    int32_t status;
    if ((status = find_form(&form, v, g, err)) != LLMINF_OK)
        return status;
    v->kind = form->kind;
    if ((status = read_tokens(v, g, err)) != LLMINF_OK || (status = read_types(v, g, err)) != LLMINF_OK ||
        (status = read_ids(v, &more, g, err)) != LLMINF_OK || (status = form->read_bytes(v, g, err)) != LLMINF_OK)
        return status;
    lli_vocab_mark_special(v, more.eom);
    if ((status = form->read_rules(v, g, err)) != LLMINF_OK || (status = read_bounds(v, &more, g, err)) != LLMINF_OK ||
        (status = make_texts(v, form, err)) != LLMINF_OK)
        return status;
    return lli_special_new(&v->special, v, LLI_SPECIAL_AS_IS, err);
}

void lli_vocab_init(struct lli_vocab *out, struct lli_heap *heap)
{
    memset(out, 0, sizeof *out);
    out->heap = heap;
    lli_arena_init(&out->arena, heap, ARENA_CHUNK_BYTES);
}

int32_t lli_vocab_read(struct lli_vocab *out, struct lli_heap *heap, const struct lli_gguf *g, struct llminf_error *err)
{
    lli_vocab_init(out, heap);
    int32_t status = read_all(out, g, err);
    if (status != LLMINF_OK)
        lli_vocab_finish(out);
    return status;
}

uint32_t lli_vocab_compare(const struct lli_vocab *a, const struct lli_vocab *b)
{
    uint32_t id = a == b ? a->n : 0;
    while (id < a->n && a->tokens[id].len == b->tokens[id].len &&
           (a->tokens[id].len == 0 || memcmp(a->tokens[id].bytes, b->tokens[id].bytes, a->tokens[id].len) == 0))
        id++;
    return id;
}

void lli_vocab_finish(struct lli_vocab *v)
{
    lli_special_free(v->special);
    lli_special_free(v->late);
    lli_token_tree_free(v->trie);
    lli_split_free(v->split);
    lli_split_free(v->word);
    lli_normal_finish(&v->normal);
    lli_map_finish(&v->merges);
    lli_map_finish(&v->by_token);
    lli_arena_finish(&v->arena);
    memset(v, 0, sizeof *v);
}
