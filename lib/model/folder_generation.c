#include "model/folder_generation.h"

#include <string.h>

#include "base/error.h"
#include "base/limits.h"

#define ENDS "eos_token_id"

/* The member of an object; NULL if it is not there, or null. */
static const struct lli_json_value *find(const struct lli_json *json, const char *key)
{
    uint32_t i = json->n > 0 ? lli_json_find(json, 0, key, strlen(key)) : 0;
    return i > 0 && json->values[i].kind != LLI_JSON_NULL ? &json->values[i] : NULL;
}

/* An id, or a list of them. */
static void put_ends(struct lli_gguf_build *b, const struct lli_json_value *v, const char *file)
{
    int32_t ids[LLI_MAX_LIST_ITEMS];
    int is_list = v->kind == LLI_JSON_ARRAY;
    uint32_t n = is_list ? v->n : 1, n_ids = 0;
    if (n > LLI_MAX_LIST_ITEMS) {
        b->status = lli_fail(b->err, LLMINF_E_LIMIT, file, "\"%s\" has %u ids, the limit is %u", ENDS, n, LLI_MAX_LIST_ITEMS);
        return;
    }
    for (uint32_t i = 0; i < n; i++) {
        const struct lli_json_value *id = v + (is_list ? 1 + i : 0); /* numbers have no parts */
        if (id->kind != LLI_JSON_INT) {
            b->status = lli_fail(b->err, LLMINF_E_FORMAT, file, "\"%s\" is no id and no list of ids", ENDS);
            return;
        }
        if (id->number >= 0 && id->number < LLI_MAX_TOKENS) /* others never occur */
            ids[n_ids++] = (int32_t)id->number;
    }
    if (n_ids > 0)
        lli_gguf_build_ints(b, LLI_FOLDER_ENDS, ids, n_ids);
}

/* What GGUF has of it, and where values make sense. */
static void put_sampling(struct lli_gguf_build *b, const struct lli_json *generation)
{
    static const struct {
        const char *from, *to;
        double low, high;
        int is_whole;
    } rows[] = {
        {"temperature", "general.sampling.temp", 0, 100, 0},
        {"top_k", "general.sampling.top_k", 0, LLI_MAX_TOKENS, 1},
        {"top_p", "general.sampling.top_p", 0, 1, 0},
        {"min_p", "general.sampling.min_p", 0, 1, 0},
        {"repetition_penalty", "general.sampling.penalty_repeat", 1e-3, 1e3, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows && b->status == 0; i++) {
        const struct lli_json_value *v = find(generation, rows[i].from);
        if (!v)
            continue;
        double number = v->kind == LLI_JSON_INT ? (double)v->number : v->kind == LLI_JSON_FLOAT ? v->real : -1;
        if (!(number >= rows[i].low && number <= rows[i].high) || (rows[i].is_whole && v->kind != LLI_JSON_INT))
            b->status = lli_fail(b->err, LLMINF_E_FORMAT, "generation_config.json", "\"%s\" is no number from %g to %g",
                                 rows[i].from, rows[i].low, rows[i].high);
        else if (rows[i].is_whole)
            lli_gguf_build_int(b, rows[i].to, v->number);
        else
            lli_gguf_build_float(b, rows[i].to, number);
    }
}

void lli_folder_generation(struct lli_gguf_build *b, const struct lli_json *generation, const struct lli_json *config)
{
    const struct lli_json_value *own = find(generation, ENDS), *other = find(config, ENDS);
    if (own)
        put_ends(b, own, "generation_config.json");
    else if (other && generation->n == 0)
        put_ends(b, other, "config.json");
    put_sampling(b, generation);
}
