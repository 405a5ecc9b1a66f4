/* null_engine.c - see null_engine.h. The vocabulary is made once, before any thread starts. */
#include "null_engine.h"

#include <stdlib.h>
#include <string.h>

#include "engine/drafter.h"
#include "engine/stop.h"
#include "forward/forward.h"
#include "llminf/status.h"
#include "text/decode.h"

static const char *const pieces[NULL_VOCAB] = {
    "<unk>",    "<s>",  "</s>", "#",    "%",    "a",        "b",    "c",  "ab", "bc",  "abc", " a", " b",
    "\xc3\xa9", "\xe2", "\x82", "\xac", "\xf0", "\x9f\x98", "\x80", "",   "\n", "aab", "ba",  " ",  "<|x|>",
    "<eot>",    "d",    "e",    "f",    "g",    "h",        "i",    "j",  "de", "fg",  " hi", "dd", "ee",
    "ff",       "gg",   "hh",   "ii",   "jj",   "da",       "ea",   "fa", "ga", "ha",  "ia",  "ja", "ad",
    "ae",       "af",   "ag",   "ah",   "ai",   "aj",       "bd",   "be", "bf", "bg",  "bh",  "bi",
};

static struct lli_text texts[NULL_VOCAB];
static uint8_t types[NULL_VOCAB], is_eog[NULL_VOCAB];
static const struct lli_vocab vocab = {.kind = LLI_VOCAB_SPM,
                                       .n = NULL_VOCAB,
                                       .tokens = texts,
                                       .texts = texts,
                                       .types = types,
                                       .is_eog = is_eog,
                                       .bos = NULL_BOS,
                                       .eos = NULL_EOG,
                                       .before = {1, {NULL_BOS}},
                                       .n_strip = 1};

static void make_vocab(void)
{
    for (int i = 0; i < NULL_VOCAB; i++) {
        texts[i] = (struct lli_text){.bytes = pieces[i], .len = strlen(pieces[i])};
        types[i] = LLI_TOKEN_NORMAL;
    }
    types[0] = LLI_TOKEN_UNKNOWN;
    types[NULL_BOS] = types[NULL_EOG] = types[NULL_EOT] = LLI_TOKEN_CONTROL;
    types[25] = LLI_TOKEN_USER_DEFINED;
    is_eog[NULL_EOG] = is_eog[NULL_EOT] = 1;
}

void null_engine_init(struct null_engine *e, uint32_t n_blocks)
{
    if (types[NULL_BOS] == 0)
        make_vocab();
    memset(e, 0, sizeof *e);
    lli_heap_init(&e->heap, support_alloc, support_release, &e->host);
    e->config = (struct lli_config){.n_vocab = NULL_VOCAB, .train_length = NULL_TRAIN};
    e->options = (struct lli_engine_options){.config = &e->config,
                                             .vocab = &vocab,
                                             .max_sessions = 64,
                                             .max_running = 16,
                                             .max_waiting = 64,
                                             .step_tokens = 16,
                                             .batching = LLI_BATCHING_INFLIGHT,
                                             .admit_reserve = 0.25,
                                             .age_steps = 1024,
                                             .bypass_limit = 16,
                                             .n_threads = 1};
    null_engine_pool(e, 1 + (n_blocks - 1) * 16 / LLI_BLOCK_TOKENS);
    null_forward_reset();
}

void null_engine_pool(struct null_engine *e, uint32_t n_blocks)
{
    e->options.kv_budget_bytes = (int64_t)(n_blocks * lli_forward_block_bytes(&e->config, 0) + lli_pool_bytes(n_blocks));
}

void null_engine_window(struct lli_config *config, uint32_t n_global, uint32_t n_local, uint32_t window)
{
    config->n_layers = n_global + n_local;
    config->window = window;
    for (uint32_t i = 0; i < n_global; i++)
        config->global_layers[i / 64] |= (uint64_t)1 << i % 64;
}

void null_engine_draft(struct null_engine *e, uint32_t n_blocks, uint32_t wrong)
{
    double bytes = (double)(n_blocks * lli_forward_block_bytes(&e->draft, 0) + lli_pool_bytes(n_blocks));
    e->draft = (struct lli_config){.n_vocab = NULL_VOCAB, .train_length = NULL_TRAIN, .n_experts = 1, .n_ff = wrong};
    e->options.draft_config = &e->draft;
    e->options.kv_budget_bytes += (int64_t)bytes;
    e->options.draft_share = (bytes + 0.5) / (double)e->options.kv_budget_bytes;
}

int32_t null_engine_open(struct null_engine *e, struct llminf_error *err)
{
    return lli_engine_new(&e->engine, &e->heap, &e->options, err);
}

const char *null_engine_close(struct null_engine *e)
{
    const char *wrong = null_forward_complaint();
    struct lli_engine_stats stats;
    lli_engine_stats(e->engine, &stats);
    if (!wrong && (stats.sessions != 0 || stats.running != 0 || stats.waiting != 0 || stats.kv_blocks_used != 0))
        wrong = "something is open or held behind the last close";
    if (!wrong)
        wrong = lli_pool_check(&e->engine->pool);
    if (!wrong && e->engine->drafter)
        wrong = lli_pool_check(&e->engine->drafter->pool);
    if (!wrong && e->engine->drafter && lli_pool_available(&e->engine->drafter->pool) + 1 < e->engine->drafter->pool.n_blocks)
        wrong = "blocks of the draft model are held behind the last close";
    lli_engine_free(e->engine);
    if (!wrong && e->host.live_bytes != 0)
        wrong = "memory was not given back";
    return wrong;
}

struct lli_request_params null_engine_params(void)
{
    return (struct lli_request_params){
        .sampler = {.min_keep = 1, .top_p = 1, .repeat_penalty = 1}, .max_tokens = -1, .logprobs = -1, .prompt_logprobs = -1};
}

void null_engine_words(int32_t *out, uint32_t n, uint64_t seed)
{
    for (uint32_t i = 0; i < n; i++)
        out[i] = NULL_FORWARD_FIRST + (int32_t)(support_random(&seed) % 20); /* below the second end of generation */
}

/* ---- the oracle -------------------------------------------------------------------------------------------------- */

/* The stop text that ends first in text[from..len), the longest of those; -1: none. */
static int find_stop(size_t *start_out, const struct lli_request_params *p, const char *text, size_t new_text, size_t from,
                     size_t len)
{
    for (size_t end = from + 1; end <= len; end++) {
        int found = -1;
        for (size_t i = 0; i < p->n_stops; i++) {
            size_t n = p->stops[i].len;
            if (n <= end - new_text && memcmp(text + end - n, p->stops[i].bytes, n) == 0 &&
                (found < 0 || n > p->stops[found].len))
                found = (int)i;
        }
        if (found >= 0) {
            *start_out = end - p->stops[found].len;
            return found;
        }
    }
    return -1;
}

static int find_token(const struct lli_request_params *p, int32_t token)
{
    for (size_t i = 0; i < p->n_stop_tokens; i++)
        if (p->stop_tokens[i] == token)
            return (int)i;
    return -1;
}

struct teller {
    struct lli_matcher matcher;
    double mu;
    struct lli_heap heap;
    struct lli_chain chain;
    struct lli_buffer text;
    struct lli_decode decode;
    size_t new_text;
};

struct lli_adapter *null_engine_adapter(int32_t id)
{
    static struct lli_adapter adapters[] = {{.refs = 1, .id = 1, .fingerprint = 11}, {.refs = 1, .id = 2, .fingerprint = 22}};
    return id > 0 ? &adapters[id - 1] : NULL;
}

/* One more token; 1 if it ends the story. */
static int32_t tell_token(struct teller *teller, struct null_story *s, const struct lli_request_params *p, uint32_t n_prompt)
{
    float logits[NULL_VOCAB];
    size_t before = teller->text.len, start = 0;
    int32_t token;
    null_forward_oracle_under(logits, NULL_VOCAB, s->tokens, s->n, s->adapter, s->adapter_scale);
    const uint32_t *allowed = NULL;
    if (p->grammar) {
        int32_t failed = lli_matcher_mask(&allowed, &teller->matcher, NULL);
        if (failed)
            return failed;
    }
    struct lli_draw how = {
        .params = &p->sampler,
        .bias = p->bias,
        .n_bias = p->n_bias,
        .bans = p->bans,
        .n_bans = p->n_bans,
        .breaks = p->breaks,
        .allowed = allowed,
        .mu = &teller->mu,
        .filter = p->filter,
        .user = p->user,
    };
    int32_t status = lli_chain_pick(&token, &teller->chain, &how, logits, s->tokens, s->n, s->n, NULL);
    if (status == LLMINF_OK && p->grammar)
        status = lli_matcher_accept(&teller->matcher, token, NULL);
    if (status != LLMINF_OK)
        return status;
    s->tokens[s->n++] = token;
    int may_end = (int64_t)(s->n - n_prompt) >= p->min_tokens;
    s->index = -1;
    if (may_end && is_eog[token] && !p->ignore_eog) {
        s->reason = LLI_STOP_EOG;
    } else if (may_end && (s->index = find_token(p, token)) >= 0) {
        s->reason = LLI_STOP_TOKEN;
    } else {
        lli_decode_token(&teller->decode, &teller->text, &vocab, token, p->special);
        s->index =
            may_end ? find_stop(&start, p, (const char *)teller->text.bytes, teller->new_text, before, teller->text.len) : -1;
        if (s->index >= 0) {
            s->reason = LLI_STOP_STRING;
            teller->text.len = start;
            teller->decode = (struct lli_decode){0};
        }
    }
    if (s->reason == LLI_STOP_NONE && p->grammar && lli_matcher_is_over(&teller->matcher))
        s->reason = LLI_STOP_GRAMMAR;
    return s->reason != LLI_STOP_NONE;
}

int32_t null_engine_tell(struct null_story *s, const struct lli_request_params *p, uint32_t max_length)
{
    struct teller teller = {.mu = lli_chain_mu(&p->sampler)};
    uint32_t n_prompt = s->n, n_max = max_length, from = p->echo ? s->n_said : n_prompt;
    int32_t status = 0;
    if (p->max_tokens >= 0 && n_prompt + p->max_tokens < n_max)
        n_max = n_prompt + (uint32_t)p->max_tokens;
    lli_heap_init(&teller.heap, NULL, NULL, NULL);
    lli_buffer_init(&teller.text, &teller.heap);
    lli_chain_init(&teller.chain, &teller.heap, NULL_VOCAB);
    if (p->grammar && lli_matcher_init(&teller.matcher, &teller.heap, p->grammar, NULL))
        return LLMINF_E_MEMORY;
    teller.decode.at_start = from == 0 || (from == 1 && s->tokens[0] == NULL_BOS);
    for (uint32_t i = from; i < n_prompt; i++)
        lli_decode_token(&teller.decode, &teller.text, &vocab, s->tokens[i], p->special);
    teller.new_text = teller.text.len;
    s->reason = LLI_STOP_NONE;
    s->index = -1;
    while (s->n < n_max && status == 0)
        status = tell_token(&teller, s, p, n_prompt);
    if (s->reason == LLI_STOP_NONE)
        s->reason = status < 0 ? LLI_STOP_ERROR : LLI_STOP_LENGTH;
    lli_decode_end(&teller.decode, &teller.text);
    s->text_len = teller.text.len;
    if (s->text_len > 0)
        memcpy(s->text, teller.text.bytes, s->text_len);
    s->text[s->text_len] = 0;
    s->n_said = s->n;
    lli_chain_finish(&teller.chain);
    lli_matcher_finish(&teller.matcher);
    lli_buffer_finish(&teller.text);
    return status < 0 ? status : 0;
}

/* ---- the engine's answer ----------------------------------------------------------------------------------------- */

int32_t null_engine_read(struct lli_timeline *t, size_t cap, char *out, size_t room, size_t *len_out)
{
    char *piece = malloc(cap);
    int32_t status;
    size_t n;
    *len_out = 0;
    while ((status = lli_timeline_read(t, piece, cap, &n, -1, NULL)) == LLMINF_OK) {
        if (n == 0 || piece[n] != 0 || *len_out + n >= room) {
            status = LLMINF_E_INTERNAL;
            break;
        }
        memcpy(out + *len_out, piece, n);
        *len_out += n;
    }
    out[*len_out] = 0;
    free(piece);
    return status;
}

const char *null_engine_compare(struct lli_timeline *t, const struct null_story *s, const char *text, size_t text_len)
{
    int32_t tokens[NULL_STORY];
    struct lli_timeline_stats stats;
    size_t n;
    if (lli_timeline_tokens(t, 0, tokens, NULL_STORY, &n, NULL) != LLMINF_OK || n != s->n)
        return "another number of tokens";
    if (memcmp(tokens, s->tokens, n * sizeof *tokens) != 0)
        return "other tokens";
    if (text && (text_len != s->text_len || memcmp(text, s->text, text_len) != 0))
        return "another text";
    lli_timeline_stats(t, &stats);
    if (stats.state != 0 || stats.stop_reason != s->reason || stats.stop_index != s->index)
        return "another end";
    if (stats.length != s->n || stats.computed > s->n || stats.blocks > lli_table_blocks(s->n) * t->engine->pool.n_groups)
        return "other numbers";
    return NULL;
}
