/* The grammar of a sampler. */
#include "llminf/llminf.h"

#include <string.h>

#include "api/handles.h"
#include "base/error.h"
#include "grammar/gbnf.h"
#include "grammar/json_schema.h"

/* Made once for a model; two that are made at the same time are equal, and the second one goes. */
static llminf_status find_trie(struct lli_trie **out, struct llminf_model *model, llminf_error *error)
{
    struct lli_trie *made, *found = atomic_load(&model->trie);
    llminf_status status;
    *out = found;
    if (found != NULL)
        return LLMINF_OK;
    made = lli_alloc_zero(&model->heap, 1, sizeof *made);
    if (made == NULL)
        return lli_fail_memory(error, "grammar", sizeof *made);
    status = lli_trie_init(made, &model->heap, &model->vocab, error);
    if (status == LLMINF_OK && atomic_compare_exchange_strong(&model->trie, &found, made)) {
        *out = made;
        return LLMINF_OK;
    }
    lli_trie_finish(made);
    lli_free(&model->heap, made);
    *out = found;
    return status;
}

typedef int32_t read_grammar(uint32_t *root_out, struct lli_parts *parts, const char *text, size_t n);

static read_grammar *find_reader(const char *kind)
{
    if (kind != NULL && strcmp(kind, "gbnf") == 0)
        return lli_gbnf_read;
    return kind != NULL && strcmp(kind, "json_schema") == 0 ? lli_json_schema_read : NULL;
}

static llminf_status compile(struct lli_grammar **out, llminf_sampler *sampler, read_grammar *read, const char *text, size_t n,
                             llminf_error *error)
{
    struct lli_parts parts;
    struct lli_trie *trie;
    uint32_t root = 0;
    llminf_status status = find_trie(&trie, sampler->model, error);
    *out = NULL;
    if (status != LLMINF_OK)
        return status;
    status = lli_parts_init(&parts, sampler->heap, error);
    if (status == LLMINF_OK)
        status = read(&root, &parts, text, n);
    if (status == LLMINF_OK)
        status = lli_grammar_new(out, &parts, root, trie);
    lli_parts_finish(&parts);
    return status;
}

static llminf_status set(llminf_sampler *sampler, const char *kind, const char *text, int64_t length, llminf_error *error)
{
    struct lli_matcher matcher = {0};
    struct lli_grammar *grammar = NULL;
    read_grammar *read = find_reader(kind);
    llminf_status status = LLMINF_OK;
    if (text != NULL && read == NULL)
        return lli_fail(error, LLMINF_E_NOT_FOUND, "kind", "\"%s\" is no kind of grammar, want gbnf or json_schema",
                        kind != NULL ? kind : "");
    if (text != NULL && sampler->model == NULL)
        return lli_fail(error, LLMINF_E_INVALID, "grammar", "the sampler was opened without a model, whose tokens it is about");
    if (length < -1)
        return lli_fail(error, LLMINF_E_INVALID, "length", "is %lld, want -1 or more", (long long)length);
    if (text != NULL)
        status = compile(&grammar, sampler, read, text, length >= 0 ? (size_t)length : strlen(text), error);
    if (status == LLMINF_OK && grammar != NULL)
        status = lli_matcher_init(&matcher, sampler->heap, grammar, error);
    lli_grammar_unref(grammar);
    if (status != LLMINF_OK)
        return status;
    lli_matcher_finish(&sampler->matcher);
    sampler->matcher = matcher;
    return LLMINF_OK;
}

llminf_status llminf_sampler_set_grammar(llminf_sampler *sampler, const char *kind, const char *text, int64_t length,
                                         llminf_error *error)
{
    llminf_status status = lli_check_enter(sampler, LLI_MARK_SAMPLER, "sampler", error);
    if (status != LLMINF_OK)
        return status;
    status = set(sampler, kind, text, length, error);
    lli_check_leave(sampler);
    return status;
}
