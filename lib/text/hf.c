/* text/hf.c - reads a tokenizer.json: the tokens of its model and those that were added, merges or scores, and what stands
 * around a text. The order of the steps is the order in which they need each other, as in text/vocab.c.
 *
 * A control token is found in the text as it stands, whatever `normalized` says: normalising shall make none of a text. */
#include "text/hf.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"
#include "text/bpe.h"
#include "text/special.h"
#include "text/spm.h"
#include "text/token_tree.h"
#include "text/unigram.h"

#define FILE_NAME "tokenizer.json"
#define MAX_NESTED 8u /* sequences in one another */

/* ---- what is in the JSON */

uint32_t lli_hf_member(const struct lli_hf *hf, uint32_t object, const char *name)
{
    uint32_t i = lli_json_find(&hf->json, object, name, strlen(name));
    return i && hf->json.values[i].kind != LLI_JSON_NULL ? i : 0;
}

static struct lli_text text_at(const struct lli_hf *hf, uint32_t i)
{
    const struct lli_json_value *value = &hf->json.values[i];
    return value->kind == LLI_JSON_TEXT ? (struct lli_text){value->text, value->n} : (struct lli_text){"", 0};
}

struct lli_text lli_hf_text(const struct lli_hf *hf, uint32_t object, const char *name)
{
    uint32_t i = lli_hf_member(hf, object, name);
    return i ? text_at(hf, i) : (struct lli_text){"", 0};
}

int lli_hf_bool(const struct lli_hf *hf, uint32_t object, const char *name, int otherwise)
{
    uint32_t i = lli_hf_member(hf, object, name), kind = hf->json.values[i].kind;
    return i && kind == LLI_JSON_TRUE ? 1 : i && kind == LLI_JSON_FALSE ? 0 : otherwise;
}

int lli_hf_is(const struct lli_hf *hf, uint32_t object, const char *name, const char *text)
{
    struct lli_text got = lli_hf_text(hf, object, name);
    return got.len == strlen(text) && memcmp(got.bytes, text, got.len) == 0;
}

struct lli_text lli_hf_keep(const struct lli_hf *hf, struct lli_text text)
{
    return (struct lli_text){lli_arena_text(&hf->v->arena, text.bytes, text.len), text.len};
}

int32_t lli_hf_unsupported(const struct lli_hf *hf, const char *subject, struct lli_text what, const char *supported)
{
    return lli_fail(hf->err, LLMINF_E_UNSUPPORTED, subject, "\"%.*s\" is not supported, want %s",
                    what.len < 80 ? (int)what.len : 80, what.bytes, supported);
}

int32_t lli_hf_each(struct lli_hf *hf, uint32_t component, const char *list, const char *subject, lli_hf_part_fn *read)
{
    uint32_t at[MAX_NESTED], end[MAX_NESTED], depth = 0;
    if (!component)
        return LLMINF_OK;
    at[0] = component;
    end[0] = hf->json.values[component].end;
    for (;;) {
        while (depth > 0 && at[depth] == end[depth])
            depth--;
        if (at[depth] == end[depth])
            return LLMINF_OK;
        uint32_t part = at[depth], parts;
        at[depth] = lli_json_next(&hf->json, part);
        if (!lli_hf_is(hf, part, "type", "Sequence")) {
            int32_t status = read(hf, part);
            if (status != LLMINF_OK)
                return status;
            continue;
        }
        parts = lli_hf_member(hf, part, list);
        if (!parts || hf->json.values[parts].kind != LLI_JSON_ARRAY)
            return lli_fail(hf->err, LLMINF_E_FORMAT, subject, "Sequence without its array \"%s\"", list);
        if (depth + 1 == MAX_NESTED)
            return lli_fail(hf->err, LLMINF_E_LIMIT, subject, "sequences nested deeper than %u", MAX_NESTED);
        depth++;
        at[depth] = parts + 1;
        end[depth] = hf->json.values[parts].end;
    }
}

/* ---- tokens */

/* Everything that names an id: the model's vocabulary, then the added tokens. */
struct tokens {
    struct lli_hf *hf;
    uint32_t model, vocab, added;
    struct lli_text *texts;
    double *scores; /* unigram */
    char *memory;
};

/* What the reader of one token is told: its id, text (index of the value), score (index, 0: none), and the added token. */
typedef int32_t token_fn(struct tokens *t, int64_t id, uint32_t text, uint32_t score, uint32_t added);

static int32_t each_of_model(struct tokens *t, token_fn *take)
{
    const struct lli_json *json = &t->hf->json;
    const struct lli_json_value *vocab = &json->values[t->vocab];
    int32_t status = LLMINF_OK;
    int64_t id = 0;
    for (uint32_t i = t->vocab + 1; i < vocab->end && status == LLMINF_OK; id++) {
        const struct lli_json_value *value = &json->values[i];
        if (vocab->kind == LLI_JSON_OBJECT) { /* text: id */
            if (value[1].kind != LLI_JSON_INT)
                return lli_fail(t->hf->err, LLMINF_E_FORMAT, "model.vocab", "token %lld has no number for an id",
                                (long long)id);
            status = take(t, value[1].number, i, 0, 0);
            i = value[1].end;
        } else { /* [text, score] */
            if (value->kind != LLI_JSON_ARRAY || value->n != 2 || value[1].kind != LLI_JSON_TEXT)
                return lli_fail(t->hf->err, LLMINF_E_FORMAT, "model.vocab", "token %lld is no pair of a text and a score",
                                (long long)id);
            status = take(t, id, i + 1, i + 2, 0);
            i = value->end;
        }
    }
    return status;
}

static int32_t each_added(struct tokens *t, token_fn *take)
{
    const struct lli_json *json = &t->hf->json;
    int32_t status = LLMINF_OK;
    uint32_t end = t->added ? json->values[t->added].end : 0;
    for (uint32_t i = t->added + 1; i < end && status == LLMINF_OK; i = lli_json_next(json, i)) {
        uint32_t id = lli_hf_member(t->hf, i, "id"), text = lli_hf_member(t->hf, i, "content");
        if (!id || json->values[id].kind != LLI_JSON_INT || !text || json->values[text].kind != LLI_JSON_TEXT)
            return lli_fail(t->hf->err, LLMINF_E_FORMAT, "added_tokens", "one has no id or no content");
        status = take(t, json->values[id].number, text, 0, i);
    }
    return status;
}

static int32_t each_token(struct tokens *t, token_fn *take)
{
    int32_t status = each_of_model(t, take);
    return status == LLMINF_OK ? each_added(t, take) : status;
}

static int32_t count_token(struct tokens *t, int64_t id, uint32_t text, uint32_t score, uint32_t added)
{
    struct lli_vocab *v = t->hf->v;
    size_t n = t->hf->json.values[text].n;
    (void)score, (void)added;
    if (id < 0 || id >= LLI_MAX_TOKENS)
        return lli_fail(t->hf->err, id < 0 ? LLMINF_E_FORMAT : LLMINF_E_LIMIT, "model.vocab", "id %lld, want 0 to %u",
                        (long long)id, LLI_MAX_TOKENS - 1);
    if (n > LLI_MAX_TOKEN_BYTES)
        return lli_fail(t->hf->err, LLMINF_E_LIMIT, "model.vocab", "token %lld has %zu bytes, want at most %u", (long long)id,
                        n, LLI_MAX_TOKEN_BYTES);
    v->n = (uint32_t)id >= v->n ? (uint32_t)id + 1 : v->n;
    v->longest = n > v->longest ? n : v->longest;
    return LLMINF_OK;
}

/* An added token may stand in the model's vocabulary too. */
static int32_t enter_token(struct tokens *t, int64_t id, uint32_t text, uint32_t score, uint32_t added)
{
    struct lli_vocab *v = t->hf->v;
    struct lli_text own = text_at(t->hf, text);
    const struct lli_json_value *number = &t->hf->json.values[score];
    int is_new = t->texts[id].bytes == NULL;
    uint32_t known = (uint32_t)id;
    if (is_new) {
        memcpy(t->memory, own.bytes, own.len);
        t->texts[id] = (struct lli_text){t->memory, own.len};
        t->memory += own.len + 1;
    }
    int entered = lli_map_put(&v->by_token, t->texts[id].bytes, t->texts[id].len, (uint32_t)id);
    if (entered < 0)
        return lli_fail_memory(t->hf->err, FILE_NAME, (uint64_t)v->n * sizeof(struct lli_map_slot));
    int same = t->texts[id].len == own.len && memcmp(t->texts[id].bytes, own.bytes, own.len) == 0;
    if (entered > 0 && lli_map_find(&v->by_token, own.bytes, own.len, &known) && known != (uint32_t)id)
        same = 0;
    if (!same || (!is_new && !added))
        return lli_fail(t->hf->err, LLMINF_E_FORMAT, "model.vocab", "id %lld or its text is there twice", (long long)id);
    if (added) {
        int control = lli_hf_bool(t->hf, added, "special", 0);
        v->types[id] = control ? LLI_TOKEN_CONTROL : LLI_TOKEN_USER_DEFINED;
        v->edges[id] = (uint8_t)((lli_hf_bool(t->hf, added, "lstrip", 0) ? LLI_EDGE_LEFT : 0) |
                                 (lli_hf_bool(t->hf, added, "rstrip", 0) ? LLI_EDGE_RIGHT : 0) |
                                 (lli_hf_bool(t->hf, added, "single_word", 0) ? LLI_EDGE_WORD : 0) |
                                 (lli_hf_bool(t->hf, added, "normalized", !control) && !control ? LLI_EDGE_NORMALIZED : 0) |
                                 (is_new ? LLI_EDGE_ADDED : 0));
    } else {
        v->types[id] = LLI_TOKEN_NORMAL;
    }
    if (score && number->kind != LLI_JSON_FLOAT && number->kind != LLI_JSON_INT)
        return lli_fail(t->hf->err, LLMINF_E_FORMAT, "model.vocab", "the score of token %lld is no number", (long long)id);
    if (score)
        t->scores[id] = number->kind == LLI_JSON_INT ? (double)number->number : number->real;
    return LLMINF_OK;
}

/* Room for all tokens: of ids that no token has the text is empty, and unused. */
static int32_t take_room(struct tokens *t)
{
    struct lli_vocab *v = t->hf->v;
    size_t bytes = 0;
    for (uint32_t i = 0; i < t->hf->json.n; i++)
        bytes += t->hf->json.values[i].kind == LLI_JSON_TEXT ? t->hf->json.values[i].n + 1 : 0;
    v->tokens = t->texts = lli_arena_take(&v->arena, v->n, sizeof *t->texts);
    v->types = lli_arena_take(&v->arena, v->n, sizeof *v->types);
    v->is_eog = lli_arena_take(&v->arena, v->n, sizeof *v->is_eog);
    v->edges = lli_arena_take(&v->arena, v->n, sizeof *v->edges);
    v->scores = t->scores = v->kind == LLI_VOCAB_UNIGRAM ? lli_arena_take(&v->arena, v->n, sizeof *t->scores) : NULL;
    t->memory = lli_arena_take(&v->arena, bytes, 1);
    if (!t->texts || !v->types || !v->is_eog || !v->edges || !t->memory || (v->kind == LLI_VOCAB_UNIGRAM && !t->scores) ||
        lli_map_init(&v->by_token, v->heap, v->n))
        return lli_fail_memory(t->hf->err, FILE_NAME, (uint64_t)v->n * sizeof(struct lli_map_slot) + bytes);
    memset(v->types, LLI_TOKEN_UNUSED, v->n);
    return LLMINF_OK;
}

static int32_t read_tokens(struct lli_hf *hf, uint32_t model)
{
    struct tokens t = {.hf = hf, .model = model};
    t.vocab = lli_hf_member(hf, model, "vocab");
    t.added = lli_hf_member(hf, 0, "added_tokens");
    uint32_t want = hf->v->kind == LLI_VOCAB_UNIGRAM ? LLI_JSON_ARRAY : LLI_JSON_OBJECT;
    if (!t.vocab || hf->json.values[t.vocab].kind != want)
        return lli_fail(hf->err, LLMINF_E_FORMAT, "model.vocab", "missing, or no %s",
                        want == LLI_JSON_ARRAY ? "array" : "object");
    if (t.added && hf->json.values[t.added].kind != LLI_JSON_ARRAY)
        return lli_fail(hf->err, LLMINF_E_FORMAT, "added_tokens", "no array");
    int32_t status = each_token(&t, count_token);
    if (status == LLMINF_OK && hf->v->n == 0)
        status = lli_fail(hf->err, LLMINF_E_FORMAT, "model.vocab", "no tokens");
    /* Ids far beyond what the text could name would take memory on the word of a file. */
    if (status == LLMINF_OK && hf->v->n > hf->json.n)
        status =
            lli_fail(hf->err, LLMINF_E_FORMAT, "model.vocab", "ids up to %u in a file of %u values", hf->v->n - 1, hf->json.n);
    if (hf->v->n < hf->n_least)
        hf->v->n = hf->n_least;
    if (status == LLMINF_OK)
        status = take_room(&t);
    if (status == LLMINF_OK)
        status = each_token(&t, enter_token);
    for (uint32_t id = 0; id < hf->v->n && status == LLMINF_OK; id++) {
        if (!t.texts[id].bytes)
            t.texts[id].bytes = "";
    }
    return status;
}

/* ---- special ids and what stands around a text */

static int32_t find_id(const struct lli_vocab *v, struct lli_text text)
{
    uint32_t id;
    return text.len && lli_map_find(&v->by_token, text.bytes, text.len, &id) ? (int32_t)id : LLI_NO_TOKEN;
}

/* "bos_token": "<s>", or {"content": "<s>"}. */
static int32_t find_special(const struct lli_hf *config, const struct lli_vocab *v, const char *name)
{
    uint32_t i = lli_hf_member(config, 0, name);
    if (i && config->json.values[i].kind == LLI_JSON_OBJECT)
        return find_id(v, lli_hf_text(config, i, "content"));
    return i ? find_id(v, text_at(config, i)) : LLI_NO_TOKEN;
}

static int32_t add_bound(struct lli_hf *hf, struct lli_bounds *bounds, int32_t id)
{
    if (id == LLI_NO_TOKEN)
        return lli_fail(hf->err, LLMINF_E_FORMAT, "post_processor", "it names a token that is not there");
    if (bounds->n == LLI_MAX_BOUNDS)
        return lli_fail(hf->err, LLMINF_E_LIMIT, "post_processor", "more than %u tokens at an end", LLI_MAX_BOUNDS);
    bounds->ids[bounds->n++] = id;
    return LLMINF_OK;
}

/* The ids of a token of a template: special_tokens tells them. */
static int32_t add_template_token(struct lli_hf *hf, uint32_t processor, struct lli_bounds *bounds, uint32_t token)
{
    struct lli_text name = lli_hf_text(hf, token, "id");
    uint32_t map = lli_hf_member(hf, processor, "special_tokens");
    uint32_t entry = map ? lli_json_find(&hf->json, map, name.bytes, name.len) : 0;
    uint32_t ids = entry ? lli_hf_member(hf, entry, "ids") : 0;
    if (!ids || hf->json.values[ids].kind != LLI_JSON_ARRAY)
        return add_bound(hf, bounds, find_id(hf->v, name));
    int32_t status = LLMINF_OK;
    for (uint32_t i = ids + 1; i < hf->json.values[ids].end && status == LLMINF_OK; i = lli_json_next(&hf->json, i)) {
        int64_t id = hf->json.values[i].kind == LLI_JSON_INT ? hf->json.values[i].number : LLI_NO_TOKEN;
        status = add_bound(hf, bounds, id >= 0 && id < hf->v->n ? (int32_t)id : LLI_NO_TOKEN);
    }
    return status;
}

static int32_t read_template(struct lli_hf *hf, uint32_t processor)
{
    uint32_t single = lli_hf_member(hf, processor, "single");
    struct lli_bounds *bounds = &hf->v->before;
    int32_t status = LLMINF_OK;
    if (!single || hf->json.values[single].kind != LLI_JSON_ARRAY)
        return lli_fail(hf->err, LLMINF_E_FORMAT, "post_processor", "TemplateProcessing without its array \"single\"");
    hf->v->before.n = hf->v->after.n = 0;
    for (uint32_t i = single + 1; i < hf->json.values[single].end && status == LLMINF_OK; i = lli_json_next(&hf->json, i)) {
        uint32_t token = lli_hf_member(hf, i, "SpecialToken");
        if (token)
            status = add_template_token(hf, processor, bounds, token);
        else if (lli_hf_member(hf, i, "Sequence"))
            bounds = &hf->v->after;
        else
            status = lli_fail(hf->err, LLMINF_E_FORMAT, "post_processor", "a part that is no token and no sequence");
    }
    return status;
}

/* "cls": ["[CLS]", 101], "sep": ["[SEP]", 102] */
static int32_t read_bert_processor(struct lli_hf *hf, uint32_t processor)
{
    static const char *const names[] = {"cls", "sep"};
    struct lli_bounds *bounds[] = {&hf->v->before, &hf->v->after};
    int32_t status = LLMINF_OK;
    for (size_t i = 0; i < 2 && status == LLMINF_OK; i++) {
        uint32_t pair = lli_hf_member(hf, processor, names[i]);
        int good = pair && hf->json.values[pair].kind == LLI_JSON_ARRAY && hf->json.values[pair].n == 2;
        bounds[i]->n = 0;
        status = add_bound(hf, bounds[i], good ? find_id(hf->v, text_at(hf, pair + 1)) : LLI_NO_TOKEN);
    }
    return status;
}

static int32_t read_processor(struct lli_hf *hf, uint32_t part)
{
    if (lli_hf_is(hf, part, "type", "TemplateProcessing"))
        return read_template(hf, part);
    if (lli_hf_is(hf, part, "type", "BertProcessing") || lli_hf_is(hf, part, "type", "RobertaProcessing"))
        return read_bert_processor(hf, part);
    if (lli_hf_is(hf, part, "type", "ByteLevel"))
        return LLMINF_OK; /* offsets only */
    return lli_hf_unsupported(hf, "post_processor", lli_hf_text(hf, part, "type"),
                              "TemplateProcessing, BertProcessing, RobertaProcessing, ByteLevel or Sequence");
}

/* Where the class of the tokenizer makes the template itself, or the file has none, two flags of the config decide. */
static void apply_flags(struct lli_hf *hf, const struct lli_hf *config, int has_template)
{
    static const char *const makers[] = {"Llama", "Gemma"};
    struct lli_text name = lli_hf_text(config, 0, "tokenizer_class");
    struct lli_vocab *v = hf->v;
    int decides = !has_template;
    for (size_t i = 0; i < sizeof makers / sizeof *makers; i++)
        decides |= memmem(name.bytes, name.len, makers[i], strlen(makers[i])) != NULL;
    const struct {
        const char *key;
        struct lli_bounds *bounds;
        int32_t id;
    } rows[] = {{"add_bos_token", &v->before, v->bos}, {"add_eos_token", &v->after, v->eos}};
    for (size_t i = 0; i < 2; i++) {
        int told = lli_hf_bool(config, 0, rows[i].key, -1);
        if (decides && told >= 0 && rows[i].id != LLI_NO_TOKEN)
            *rows[i].bounds = (struct lli_bounds){(uint32_t)told, {rows[i].id}};
    }
}

static int32_t read_bounds(struct lli_hf *hf, const struct lli_hf *config)
{
    int32_t status = lli_hf_each(hf, lli_hf_member(hf, 0, "post_processor"), "processors", "post_processor", read_processor);
    if (status == LLMINF_OK && config->json.n)
        apply_flags(hf, config, hf->v->before.n || hf->v->after.n);
    return status;
}

/* ---- models */

static int32_t read_merges(struct lli_hf *hf, uint32_t model)
{
    struct lli_bpe_merges m;
    uint32_t list = lli_hf_member(hf, model, "merges");
    const struct lli_json_value *values = hf->json.values;
    if (!list || values[list].kind != LLI_JSON_ARRAY)
        return lli_fail(hf->err, LLMINF_E_FORMAT, "model.merges", "missing, or no array");
    int32_t status = lli_bpe_merges_start(&m, hf->v, values[list].n, "model.merges", -1, hf->err);
    uint64_t rank = 0;
    for (uint32_t i = list + 1; i < values[list].end && status == LLMINF_OK; i = values[i].end, rank++) {
        if (values[i].kind == LLI_JSON_TEXT)
            status = lli_bpe_merges_add_line(&m, rank, text_at(hf, i), hf->err);
        else if (values[i].kind == LLI_JSON_ARRAY && values[i].n == 2 && values[i + 1].kind == LLI_JSON_TEXT &&
                 values[i + 2].kind == LLI_JSON_TEXT)
            status = lli_bpe_merges_add(&m, rank, text_at(hf, i + 1), text_at(hf, i + 2), hf->err);
        else
            status = lli_fail(hf->err, LLMINF_E_FORMAT, "model.merges", "merge %llu is no text and no pair of texts",
                              (unsigned long long)rank);
    }
    lli_bpe_merges_finish(&m);
    return status;
}

/* What is set in few models and not supported. */
static int32_t refuse_options(struct lli_hf *hf, uint32_t model)
{
    static const char *const texts[] = {"continuing_subword_prefix", "end_of_word_suffix"};
    for (size_t i = 0; i < 2; i++) {
        if (lli_hf_text(hf, model, texts[i]).len)
            return lli_hf_unsupported(hf, "model BPE: word marks", lli_hf_text(hf, model, texts[i]), "none");
    }
    uint32_t dropout = lli_hf_member(hf, model, "dropout");
    const struct lli_json_value *value = &hf->json.values[dropout];
    if (dropout && (value->kind == LLI_JSON_FLOAT ? value->real != 0 : value->kind != LLI_JSON_INT || value->number != 0))
        return lli_fail(hf->err, LLMINF_E_UNSUPPORTED, "model BPE", "dropout, want none");
    return LLMINF_OK;
}

static void mark_bytes(struct lli_vocab *v)
{
    for (uint32_t id = 0; id < v->n; id++) {
        if (v->types[id] == LLI_TOKEN_NORMAL && lli_spm_spelled_byte(v->tokens[id]) >= 0)
            v->types[id] = LLI_TOKEN_BYTE;
    }
}

static int32_t read_bpe(struct lli_hf *hf, uint32_t model)
{
    struct lli_vocab *v = hf->v;
    int32_t status = refuse_options(hf, model);
    v->unk = find_id(v, lli_hf_text(hf, model, "unk_token"));
    v->whole_piece_first = lli_hf_bool(hf, model, "ignore_merges", 0);
    v->fuse_unknown = lli_hf_bool(hf, model, "fuse_unk", 0);
    v->by_characters = !hf->byte_level;
    if (v->by_characters && lli_hf_bool(hf, model, "byte_fallback", 0))
        mark_bytes(v);
    if (status == LLMINF_OK)
        status =
            v->by_characters ? lli_spm_enter_bytes(v, "model.vocab", hf->err) : lli_bpe_find_bytes(v, "model.vocab", hf->err);
    return status == LLMINF_OK ? read_merges(hf, model) : status;
}

static int32_t read_unigram(struct lli_hf *hf, uint32_t model)
{
    struct lli_vocab *v = hf->v;
    uint32_t unk = lli_hf_member(hf, model, "unk_id");
    const struct lli_json_value *value = &hf->json.values[unk];
    if (!unk || value->kind != LLI_JSON_INT || value->number < 0 || value->number >= v->n)
        return lli_fail(hf->err, LLMINF_E_FORMAT, "model.unk_id", "missing, or no token");
    v->unk = (int32_t)value->number;
    if (lli_hf_bool(hf, model, "byte_fallback", 0))
        mark_bytes(v);
    int32_t status = lli_spm_enter_bytes(v, "model.vocab", hf->err);
    return status == LLMINF_OK ? lli_unigram_prepare(v, hf->err) : status;
}

static int32_t read_wordpiece(struct lli_hf *hf, uint32_t model)
{
    struct lli_vocab *v = hf->v;
    struct lli_text unk = lli_hf_text(hf, model, "unk_token");
    v->unk = find_id(v, unk);
    v->word_inner = lli_hf_keep(hf, lli_hf_text(hf, model, "continuing_subword_prefix"));
    for (size_t byte = 0; byte < 256; byte++)
        v->byte_ids[byte] = LLI_NO_TOKEN;
    if (!v->word_inner.bytes)
        return lli_fail_memory(hf->err, FILE_NAME, 1);
    if (v->unk == LLI_NO_TOKEN)
        return lli_fail(hf->err, LLMINF_E_FORMAT, "model.unk_token", "missing, or no token");
    return lli_token_tree_new(&v->trie, v, LLI_MAX_PIECE_BYTES, hf->err);
}

/* Each word that the pre-tokenizer leaves is a token, or unknown. */
static int32_t read_wordlevel(struct lli_hf *hf, uint32_t model)
{
    struct lli_vocab *v = hf->v;
    v->unk = find_id(v, lli_hf_text(hf, model, "unk_token"));
    for (size_t byte = 0; byte < 256; byte++)
        v->byte_ids[byte] = LLI_NO_TOKEN;
    return v->unk == LLI_NO_TOKEN ? lli_fail(hf->err, LLMINF_E_FORMAT, "model.unk_token", "missing, or no token") : LLMINF_OK;
}

static const struct model_row {
    const char *name;
    int kind;
    int32_t (*read)(struct lli_hf *hf, uint32_t model);
} models[] = {
    {"BPE", LLI_VOCAB_BPE, read_bpe},
    {"Unigram", LLI_VOCAB_UNIGRAM, read_unigram},
    {"WordPiece", LLI_VOCAB_WORDPIECE, read_wordpiece},
    {"WordLevel", LLI_VOCAB_WORDLEVEL, read_wordlevel},
};

/* Old files leave the type of BPE out. */
static int32_t find_model(const struct model_row **out, const struct lli_hf *hf, uint32_t model)
{
    *out = NULL;
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        if (lli_hf_is(hf, model, "type", models[i].name))
            *out = &models[i];
    }
    if (!*out && !lli_hf_member(hf, model, "type") && lli_hf_member(hf, model, "merges"))
        *out = &models[0];
    if (*out)
        return LLMINF_OK;
    if (!model)
        return lli_fail(hf->err, LLMINF_E_FORMAT, "model", "missing");
    return lli_hf_unsupported(hf, "model", lli_hf_text(hf, model, "type"), "BPE, Unigram, WordPiece or WordLevel");
}

/* What the model says beside the tokenizer. An id without a token never occurs. */
static int32_t mark_ends(struct lli_hf *hf)
{
    struct lli_vocab *v = hf->v;
    for (uint64_t i = 0; hf->ends && i < hf->ends->n; i++) {
        int64_t id;
        if (lli_gguf_int(&id, hf->ends, i))
            return lli_fail(hf->err, LLMINF_E_FORMAT, hf->ends->key, "values of type %u, want ids", hf->ends->kind);
        if (id < 0 || id >= v->n || v->tokens[id].len == 0)
            continue;
        lli_vocab_mark_end(v, (int32_t)id);
        if (v->eos == LLI_NO_TOKEN)
            v->eos = (int32_t)id;
    }
    return LLMINF_OK;
}

static int32_t read_all(struct lli_hf *hf, const struct lli_hf *config)
{
    const struct model_row *row;
    struct lli_vocab *v = hf->v;
    uint32_t model = lli_hf_member(hf, 0, "model");
    int32_t status = find_model(&row, hf, model);
    if (status != LLMINF_OK)
        return status;
    v->kind = row->kind;
    v->as_spelled = 1;
    if ((status = read_tokens(hf, model)) != LLMINF_OK || (status = lli_hf_read_normalizer(hf)) != LLMINF_OK ||
        (status = lli_hf_read_pre_tokenizer(hf)) != LLMINF_OK)
        return status;
    if (config->json.n) {
        v->bos = find_special(config, v, "bos_token");
        v->eos = find_special(config, v, "eos_token");
        v->pad = find_special(config, v, "pad_token");
    }
    if ((status = row->read(hf, model)) != LLMINF_OK)
        return status;
    lli_vocab_mark_special(v, LLI_NO_TOKEN);
    if ((status = mark_ends(hf)) != LLMINF_OK || (status = read_bounds(hf, config)) != LLMINF_OK ||
        (status = lli_hf_make_texts(hf)) != LLMINF_OK || (status = lli_hf_read_words(hf)) != LLMINF_OK ||
        (status = lli_hf_normalize_added(hf)) != LLMINF_OK)
        return status;
    status = lli_special_new(&v->special, v, LLI_SPECIAL_AS_IS, hf->err);
    return status == LLMINF_OK ? lli_special_new(&v->late, v, LLI_SPECIAL_NORMALIZED, hf->err) : status;
}

int32_t lli_hf_read(struct lli_vocab *out, struct lli_heap *heap, struct lli_text tokenizer, struct lli_text config,
                    const struct lli_hf_more *more, struct llminf_error *err)
{
    struct lli_hf hf = {.v = out, .ends = more ? more->ends : NULL, .err = err}, beside = {.v = out, .err = err};
    if (more)
        hf.n_least = more->n_least < LLI_MAX_TOKENS ? more->n_least : LLI_MAX_TOKENS;
    lli_vocab_init(out, heap);
    out->bos = out->eos = out->eot = out->unk = out->pad = LLI_NO_TOKEN;
    int32_t status = lli_json_read(&hf.json, heap, tokenizer.bytes, tokenizer.len, FILE_NAME, err);
    if (status == LLMINF_OK && config.bytes)
        status = lli_json_read(&beside.json, heap, config.bytes, config.len, "tokenizer_config.json", err);
    if (status == LLMINF_OK)
        status = read_all(&hf, &beside);
    lli_json_finish(&hf.json);
    lli_json_finish(&beside.json);
    if (status != LLMINF_OK)
        lli_vocab_finish(out);
    return status;
}
