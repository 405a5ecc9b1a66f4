/* Values of a model by key: metadata as it stands in the file, and facts. */
#include "llminf/llminf.h"

#include <string.h>

#include "api/handles.h"
#include "base/error.h"
#include "base/format.h"
#include "forward/forward.h"
#include "forward/layout.h"

/* "name", "name[3]" or "name[]". */
struct key {
    const char *name;
    size_t len;
    int64_t index; /* -1: none */
    int is_count;
};

static struct key split_key(const char *text)
{
    struct key key = {.name = text, .len = strlen(text), .index = -1};
    const char *open = strrchr(text, '[');
    size_t digits;
    if (open == NULL || text[key.len - 1] != ']')
        return key;
    digits = key.len - 1 - (size_t)(open + 1 - text);
    if (digits == 0)
        key.is_count = 1;
    else if (open[1] < '0' || open[1] > '9' || lli_format_read_int(&key.index, open + 1, digits) != 0)
        return key;
    key.len = (size_t)(open - text);
    return key;
}

/* A value found: of one type, borrowed. */
struct found {
    enum { IS_INT, IS_FLOAT, IS_TEXT } type;
    int64_t number;
    double real;
    struct lli_text text;
};

static void put_text(struct found *out, const char *text)
{
    out->type = IS_TEXT;
    out->text.bytes = text;
    out->text.len = strlen(text);
}

/* Of K and V in all layers, in F16: what a position takes until windows leave it behind. */
static int64_t position_bytes(const struct lli_config *config)
{
    struct lli_layout layout;
    lli_layout_find(&layout, config);
    return (int64_t)(lli_forward_block_bytes(config, LLI_KV_F16) * layout.n_groups / LLI_BLOCK_TOKENS);
}

/* Facts that are numbers; those of the network are absent in a model opened for text alone. */
static int find_number(struct found *out, const struct llminf_model *m, const char *name, size_t len)
{
    const struct lli_config *c = &m->config;
    const struct {
        const char *name;
        int64_t value;
        int of_network;
    } facts[] = {
        {"n_vocab", m->vocab.n, 0},
        {"bos", m->vocab.bos, 0},
        {"eos", m->vocab.eos, 0},
        {"eot", m->vocab.eot, 0},
        {"unk", m->vocab.unk, 0},
        {"pad", m->vocab.pad, 0},
        {"n_params", (int64_t)m->weights.n_params, 1},
        {"n_layers", c->n_layers, 1},
        {"n_embd", c->n_embd, 1},
        {"n_heads", c->n_heads, 1},
        {"n_kv_heads", c->n_kv_heads, 1},
        {"head_dim", c->head_dim, 1},
        {"n_ff", c->n_ff, 1},
        {"n_experts", c->n_experts, 1},
        {"n_experts_used", c->n_experts_used, 1},
        {"train_length", c->train_length, 1},
        {"weight_bytes", (int64_t)m->weights.bytes, 1},
        {"kv_bytes_per_token", m->has_network ? position_bytes(c) : 0, 1},
    };
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        if (strlen(facts[i].name) != len || memcmp(facts[i].name, name, len) != 0)
            continue;
        out->type = IS_INT;
        out->number = facts[i].value;
        return m->has_network || !facts[i].of_network;
    }
    return 0;
}

/* Texts of the file under names of their own. */
static int find_alias(struct found *out, const struct llminf_model *m, const char *name)
{
    static const char *const aliases[][2] = {
        {"arch", "general.architecture"},
        {"tokenizer", "tokenizer.ggml.model"},
        {"chat_template", "tokenizer.chat_template"},
    };
    if (m->chat_template.bytes != NULL && strcmp(name, "chat_template") == 0) {
        out->type = IS_TEXT;
        out->text = m->chat_template;
        return 1;
    }
    for (size_t i = 0; i < sizeof aliases / sizeof *aliases; i++) {
        const struct lli_gguf_entry *e = strcmp(aliases[i][0], name) == 0 ? lli_gguf_find(&m->gguf, aliases[i][1]) : NULL;
        if (e != NULL && lli_gguf_text(&out->text, e, 0) == 0) {
            out->type = IS_TEXT;
            return 1;
        }
    }
    return 0;
}

static int find_fingerprint(struct found *out, const struct llminf_model *m, const char *name)
{
    if (strcmp(name, "fingerprint") != 0 || !m->has_network)
        return 0;
    out->type = IS_TEXT;
    put_text(out, m->fingerprint_text);
    return 1;
}

static int find_tensor(struct found *out, const struct llminf_model *m, const struct key *key)
{
    static const char *const names[] = {"tensor_name", "tensor_type", "tensor_shape", "tensor_bytes"};
    const struct lli_gguf_tensor *t;
    size_t which = 0;
    while (which < 4 && (strlen(names[which]) != key->len || memcmp(names[which], key->name, key->len) != 0))
        which++;
    if (which == 4)
        return 0;
    out->type = IS_INT;
    out->number = (int64_t)m->gguf.n_tensors;
    if (key->is_count)
        return 1;
    if (key->index < 0 || (uint64_t)key->index >= m->gguf.n_tensors)
        return 0;
    t = &m->gguf.tensors[key->index];
    out->number = (int64_t)t->bytes;
    if (which < 3)
        put_text(out, which == 0 ? t->name : which == 1 ? t->type->name : m->shapes[key->index]);
    return 1;
}

static int find_metadata(struct found *out, const struct llminf_model *m, const char *text)
{
    struct key key = {.name = text, .len = strlen(text), .index = -1};
    const struct lli_gguf_entry *e;
    uint32_t i;
    uint64_t at = 0;
    if (!lli_map_find(&m->gguf.keys, key.name, key.len, &i)) {
        key = split_key(text);
        if (key.len == 0 || !lli_map_find(&m->gguf.keys, key.name, key.len, &i))
            return 0;
    }
    e = &m->gguf.entries[i];
    out->type = IS_INT;
    out->number = (int64_t)e->n;
    if (key.is_count)
        return e->is_array != 0;
    if (e->is_array != (key.index >= 0) || (key.index >= 0 && (uint64_t)key.index >= e->n))
        return 0;
    if (key.index >= 0)
        at = (uint64_t)key.index;
    if (lli_gguf_int(&out->number, e, at) == 0)
        return 1;
    out->type = IS_FLOAT;
    if (lli_gguf_float(&out->real, e, at) == 0)
        return 1;
    out->type = IS_TEXT;
    return lli_gguf_text(&out->text, e, at) == 0;
}

static llminf_status find(struct found *out, const llminf_model *model, const char *name, int type, llminf_error *error)
{
    static const char *const types[] = {"an int", "a float", "a text"};
    struct key key;
    int known;
    llminf_status status = lli_check_handle(model, LLI_MARK_MODEL, "model", error);
    if (status != LLMINF_OK)
        return status;
    if (name == NULL)
        return lli_fail(error, LLMINF_E_INVALID, "key", "is NULL, want a name");
    key = split_key(name);
    if (strchr(name, '.') != NULL)
        known = find_metadata(out, model, name);
    else
        known = find_alias(out, model, name) || find_fingerprint(out, model, name) ||
                find_number(out, model, name, strlen(name)) || find_tensor(out, model, &key);
    if (!known)
        return lli_fail(error, LLMINF_E_NOT_FOUND, name, "this model has no such value");
    if ((int)out->type != type)
        return lli_fail(error, LLMINF_E_INVALID, name, "is %s, asked for as %s", types[out->type], types[type]);
    return LLMINF_OK;
}

llminf_status llminf_model_int(const llminf_model *model, const char *key, int64_t *value_out, llminf_error *error)
{
    struct found found = {0};
    llminf_status status = lli_check_out(value_out, "value_out", error);
    if (status != LLMINF_OK)
        return status;
    status = find(&found, model, key, IS_INT, error);
    *value_out = status == LLMINF_OK ? found.number : 0;
    return status;
}

llminf_status llminf_model_float(const llminf_model *model, const char *key, double *value_out, llminf_error *error)
{
    struct found found = {0};
    llminf_status status = lli_check_out(value_out, "value_out", error);
    if (status != LLMINF_OK)
        return status;
    status = find(&found, model, key, IS_FLOAT, error);
    *value_out = status == LLMINF_OK ? found.real : 0;
    return status;
}

llminf_status llminf_model_text(const llminf_model *model, const char *key, const char **text_out, size_t *length_out,
                                llminf_error *error)
{
    struct found found = {0};
    llminf_status status = lli_check_out(text_out, "text_out", error);
    if (status == LLMINF_OK)
        status = lli_check_out(length_out, "length_out", error);
    if (status != LLMINF_OK)
        return status;
    status = find(&found, model, key, IS_TEXT, error);
    *text_out = status == LLMINF_OK ? found.text.bytes : NULL;
    *length_out = status == LLMINF_OK ? found.text.len : 0;
    return status;
}
