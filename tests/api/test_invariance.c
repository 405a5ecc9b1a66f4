/* The bits of a session's logits do not depend on what else is in flight: alone; with others; in pieces; behind a cold or a
 * warm prefix, or one that was evicted; forked; preempted and resumed; with guesses, by lookup, by itself, by a model of fewer
 * bits; on 1, 2 or 8 threads; in each mode; driven by the host. Nor do its keys and values. Oracles 16, 29, 33, 35 and 47 of
 * the engine's design, on a real model.
 *
 * With --ranks OPTIONS every context but those of the sessions alone is shared by ranks, which are threads here: the other half
 * of 35.
 *
 * With --adapters three sessions of four have an adapter, two of them the same with other scales: whoever shares a batch or
 * has the same tokens (oracle 8). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <xxhash.h>

#include <llminf/llminf.h>

#include "base/dtype.h"
#include "support/adapter_make.h"

enum { N = 16, PROMPT = 70, SHARED = 40, NEW = 12, LENGTH = PROMPT + NEW };

static const char *path = LLMINF_SOURCE_ROOT "/examples/demo-model/stories.gguf"; /* or the first argument */
static llminf_model *model;
static float *logits;
static size_t n_vocab;
static llminf_token prompts[N][PROMPT];
static int has_adapters;
static const char *ranks = ""; /* options of a context */
static int32_t adapters[2];
static uint64_t alone[N];       /* XXH3 of tokens and logits of each session alone */
static uint64_t bytes_alone[N]; /* and of its saved keys and values */

/* "key=value key=value" */
static llminf_options *bag(const char *kind, const char *text)
{
    llminf_options *options;
    char copy[256], *rest = copy;
    assert_int_equal(llminf_options_open(&options, kind, NULL), LLMINF_OK);
    strncpy(copy, text, sizeof copy - 1);
    copy[sizeof copy - 1] = 0;
    for (char *pair; (pair = strtok_r(rest, " ", &rest));) {
        char *value = strchr(pair, '=');
        llminf_error error;
        *value++ = 0;
        if (llminf_options_parse(options, pair, value, -1, &error) != LLMINF_OK)
            fail_msg("%s", error.text);
    }
    return options;
}

static llminf_context *context_with(const char *text, llminf_model *draft)
{
    char all[256];
    snprintf(all, sizeof all, "%s %s", text, ranks);
    llminf_options *options = bag("context", all);
    llminf_context *context;
    llminf_error error;
    assert_int_equal(llminf_options_set_model(options, "draft", draft, &error), LLMINF_OK);
    if (llminf_context_open(&context, model, options, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    llminf_options_close(options);
    return context;
}

static llminf_context *context_of(const char *text)
{
    return context_with(text, NULL);
}

static int64_t number(llminf_context *context, const char *key)
{
    int64_t value;
    assert_int_equal(llminf_context_int(context, key, &value, NULL), LLMINF_OK);
    return value;
}

static llminf_options *session_options(int i)
{
    static const struct {
        int adapter; /* 1 or 2; 0: none */
        double scale;
    } kinds[] = {{0, 1}, {1, 1}, {2, 0.5}, {1, -2}};
    llminf_options *options = bag("session", "");
    int adapter = has_adapters ? kinds[i % 4].adapter : 0;
    assert_int_equal(llminf_options_set_int(options, "adapter", adapter > 0 ? adapters[adapter - 1] : 0, NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_float(options, "adapter_scale", kinds[i % 4].scale, NULL), LLMINF_OK);
    return options;
}

/* Appends the prompt of session i, computed in pieces of `piece` tokens; 0: with the generation. */
static llminf_session *begin(llminf_context *context, int i, size_t piece)
{
    llminf_session *session;
    llminf_options *nothing = bag("generate", "max_tokens=0"), *options = session_options(i);
    assert_int_equal(llminf_session_open(&session, context, options, NULL), LLMINF_OK);
    llminf_options_close(options);
    for (size_t at = 0; piece > 0 && at + piece < PROMPT; at += piece) {
        assert_int_equal(llminf_session_append(session, prompts[i] + at, piece, NULL), LLMINF_OK);
        assert_int_equal(llminf_session_generate(session, NULL, nothing, NULL), LLMINF_OK);
        assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
    }
    int64_t n;
    assert_int_equal(llminf_session_int(session, "length", &n, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_append(session, prompts[i] + n, PROMPT - (size_t)n, NULL), LLMINF_OK);
    llminf_options_close(nothing);
    return session;
}

static void ask(llminf_session *session, int i, const char *more)
{
    char text[128] = "max_tokens=12 ignore_eog=1 logits=all ", seed[32] = "temperature=0.8 seed= ";
    llminf_sampler *sampler;
    llminf_error error;
    strcat(text, more);
    seed[21] = (char)('0' + i % 10);
    llminf_options *options = bag("generate", text), *how = bag("sampler", seed);
    assert_int_equal(llminf_sampler_open(&sampler, model, how, NULL), LLMINF_OK);
    if (llminf_session_generate(session, i % 2 ? sampler : NULL, options, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    llminf_sampler_close(sampler);
    llminf_options_close(options);
    llminf_options_close(how);
}

/* XXH3 of all tokens, and of the logits after those positions from `first` on that the last generation computed. */
static uint64_t hear(llminf_session *session, size_t first)
{
    llminf_token tokens[LENGTH];
    size_t n;
    assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
    assert_int_equal(llminf_session_tokens(session, 0, tokens, LENGTH, &n, NULL), LLMINF_OK);
    assert_int_equal(n, LENGTH);
    for (size_t i = first; i + 1 < LENGTH; i++)
        assert_int_equal(llminf_session_logits(session, i, logits + (i - first) * n_vocab, n_vocab, &n, NULL), LLMINF_OK);
    return XXH3_64bits_withSeed(logits, (LENGTH - 1 - first) * n_vocab * sizeof *logits, XXH3_64bits(tokens, sizeof tokens));
}

/* XXH3 of what is saved of a session: tokens, keys and values. */
static uint64_t hash_saved(llminf_session *session)
{
    size_t size, n;
    assert_int_equal(llminf_session_save_memory(session, NULL, 0, &size, NULL), LLMINF_OK);
    uint8_t *bytes = malloc(size);
    assert_int_equal(llminf_session_save_memory(session, bytes, size, &n, NULL), LLMINF_OK);
    uint64_t hash = XXH3_64bits(bytes, n);
    free(bytes);
    return hash;
}

/* 16: the keys and values as well, where all of them are still there. */
static void expect_bytes(llminf_session *session, int i, const char *what)
{
    int64_t computed;
    if (*ranks) /* saved without them */
        return;
    assert_int_equal(llminf_session_int(session, "computed", &computed, NULL), LLMINF_OK);
    if (computed == LENGTH - 1 && hash_saved(session) != bytes_alone[i])
        fail_msg("session %d: %s: other keys or values than alone", i, what);
}

static void expect(llminf_session *session, int i, const char *what)
{
    if (hear(session, PROMPT - 1) != alone[i])
        fail_msg("session %d: %s: other bits than alone", i, what);
}

static int open_adapter(int32_t *out, uint32_t rank, uint32_t type)
{
    char *file = test_adapter_write(model, 2 * (float)rank, rank, type, rank);
    llminf_error error;
    if (!file || llminf_adapter_open(out, model, file, NULL, &error) != LLMINF_OK)
        return 1;
    unlink(file);
    free(file);
    return 0;
}

static int open_model(void **state)
{
    const char *shared_by = ranks;
    int64_t n;
    (void)state;
    if (llminf_model_open(&model, path, NULL, NULL) != LLMINF_OK)
        return 1;
    if (llminf_model_int(model, "n_vocab", &n, NULL) != LLMINF_OK)
        return 1;
    n_vocab = (size_t)n;
    if (has_adapters && (open_adapter(&adapters[0], 8, LLI_F16) || open_adapter(&adapters[1], 5, LLI_F32)))
        return 1;
    logits = malloc(LENGTH * n_vocab * sizeof *logits);
    for (int i = 0; i < N; i++)
        for (int k = 0; k < PROMPT; k++) /* the first ones have the same beginning */
            prompts[i][k] = k == 0 ? 1 : (llminf_token)((k * 7919 + (k < SHARED && i < 8 ? 0 : 31 * i) + 300) % n);
    ranks = "";
    for (int i = 0; i < N; i++) {
        llminf_context *context = context_of("threads=1 max_running=1 prefix_cache=0");
        llminf_session *session = begin(context, i, 0);
        ask(session, i, "");
        alone[i] = hear(session, PROMPT - 1);
        bytes_alone[i] = hash_saved(session);
        llminf_session_close(session);
        llminf_context_close(context);
    }
    ranks = shared_by;
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    free(logits);
    llminf_model_close(model);
    return 0;
}

/* n sessions at once, each as alone. */
static void fly(llminf_context *context, int n, size_t piece, const char *more, const char *what)
{
    llminf_session *sessions[N];
    for (int i = 0; i < n; i++)
        sessions[i] = begin(context, i, piece);
    for (int i = 0; i < n; i++)
        ask(sessions[i], i, more);
    for (int i = 0; i < n; i++)
        expect(sessions[i], i, what);
    for (int i = 0; i < n; i++)
        expect_bytes(sessions[i], i, what);
    for (int i = 0; i < n; i++)
        llminf_session_close(sessions[i]);
}

static void test_others(void **state)
{
    static const char *const contexts[] = {
        "threads=1",
        "threads=2 step_tokens=16",
        "threads=8 step_tokens=512",
        "threads=2 batching=static",
        "threads=2 batching=continuous max_running=5",
        "threads=2 prefix_cache=0 max_running=3",
    };
    static const int others[] = {1, 2, 8, 16};
    (void)state;
    for (size_t c = 0; c < sizeof contexts / sizeof *contexts; c++)
        for (size_t k = 0; k < sizeof others / sizeof *others; k++) {
            llminf_context *context = context_of(contexts[c]);
            fly(context, others[k], 0, "", contexts[c]);
            fly(context, others[k], 0, "", "warm"); /* all prompts are cached now */
            llminf_context_close(context);
        }
}

static void test_pieces(void **state)
{
    static const size_t pieces[] = {1, 7, 16, 64};
    (void)state;
    for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
        llminf_context *context = context_of("threads=2");
        fly(context, 4, pieces[k], "", "in pieces");
        llminf_context_close(context);
    }
}

/* 47: steps that the host runs. */
static void test_host_driven(void **state)
{
    llminf_session *sessions[N];
    (void)state;
    llminf_context *context = context_of("host_driven=1 threads=2");
    for (int i = 0; i < N; i++)
        sessions[i] = begin(context, i, 0);
    for (int i = 0; i < N; i++) {
        ask(sessions[i], i, i % 3 ? "" : "speculate=lookup");
        assert_int_equal(llminf_context_step(context, 0, NULL), LLMINF_OK);
    }
    assert_int_equal(llminf_context_step(context, INT64_MAX, NULL), LLMINF_OK);
    for (int i = 0; i < N; i++) {
        expect(sessions[i], i, "driven by the host");
        llminf_session_close(sessions[i]);
    }
    llminf_context_close(context);
}

/* ---- few blocks -------------------------------------------------------------------------------------------------- */

static llminf_session *pin_one(llminf_context *context, int64_t n_tokens)
{
    llminf_options *pinned = bag("session", "pinned=1"), *nothing = bag("generate", "max_tokens=0");
    llminf_session *session;
    assert_int_equal(llminf_session_open(&session, context, pinned, NULL), LLMINF_OK);
    for (int64_t i = 0; i < n_tokens; i++) {
        llminf_token id = (llminf_token)(3 + i % 100);
        assert_int_equal(llminf_session_append(session, &id, 1, NULL), LLMINF_OK);
    }
    assert_int_equal(llminf_session_generate(session, NULL, nothing, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
    llminf_options_close(nothing);
    llminf_options_close(pinned);
    return session;
}

/* Groups of layers, each with blocks of its own. */
static int64_t count_groups(void)
{
    const char *shared_by = ranks;
    int64_t token_bytes;
    ranks = ""; /* whose blocks are a part of the model's */
    llminf_context *context = context_of("threads=1");
    ranks = shared_by;
    assert_int_equal(llminf_model_int(model, "kv_bytes_per_token", &token_bytes, NULL), LLMINF_OK);
    int64_t n = 16 * token_bytes / (number(context, "kv_bytes") / number(context, "kv_blocks"));
    llminf_context_close(context);
    return n;
}

/* A context whose pool has n_blocks for each group of layers, or as few as there can be, of which a pinned session then holds
 * all but n_blocks, or as many as its windows keep. */
static llminf_context *context_of_blocks(llminf_session **pinned, int64_t n_blocks)
{
    char text[96];
    llminf_context *context = context_of("threads=1");
    int64_t n_groups = count_groups(), block = number(context, "kv_bytes") / number(context, "kv_blocks");
    n_blocks *= n_groups;
    int64_t budget = (n_blocks + 1) * (block + 160);
    llminf_context_close(context);
    snprintf(text, sizeof text, "threads=2 admit_reserve=0 kv_budget_bytes=%lld", (long long)(budget < 65536 ? 65536 : budget));
    context = context_of(text);
    while (number(context, "kv_blocks") - 1 < n_blocks) { /* another rank's blocks are larger */
        llminf_context_close(context);
        budget += budget / 8;
        snprintf(text, sizeof text, "threads=2 admit_reserve=0 kv_budget_bytes=%lld", (long long)budget);
        context = context_of(text);
    }
    int64_t spare = number(context, "kv_blocks") - 1 - n_blocks;
    *pinned = spare >= n_groups ? pin_one(context, spare / n_groups * 16) : NULL;
    return context;
}

static void test_eviction(void **state)
{
    llminf_session *pinned;
    (void)state;
    llminf_context *context = context_of_blocks(&pinned, 20); /* three sessions of 16 */
    for (int round = 0; round < 3; round++) {
        fly(context, N, 0, "", "preempted");
        fly(context, 3, 16, "", "evicted");
    }
    assert_true(number(context, "preemptions") > 0);
    assert_true(number(context, "recycled") > 0);
    llminf_session_close(pinned);
    llminf_context_close(context);
}

/* 29: a tenth of what all together would hold: everybody ends, with the same bits; who alone would need more is told so. */
static void test_tenth(void **state)
{
    enum { DEMAND = N * ((LENGTH + 15) / 16) };
    llminf_session *sessions[N], *pinned, *wide;
    llminf_error error;
    (void)state;
    llminf_context *context = context_of_blocks(&pinned, DEMAND / 10);
    for (int i = 0; i < N; i++)
        sessions[i] = begin(context, i, 0);
    for (int i = 0; i < N; i++)
        ask(sessions[i], i, "");
    llminf_options *length = bag("session", "max_length=100000"), *all = bag("generate", "max_tokens=99000");
    assert_int_equal(llminf_session_open(&wide, context, length, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_append(wide, prompts[0], PROMPT, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_generate(wide, NULL, all, &error), LLMINF_E_TOO_LONG);
    char there[32];
    const char *need = strstr(error.text, "need ");
    int n_blocks = need ? atoi(need + 5) : 0;
    assert_true(n_blocks >= number(context, "kv_blocks") && n_blocks <= count_groups() * (PROMPT + 99000 + 15) / 16);
    snprintf(there, sizeof there, "pool has %d", (int)number(context, "kv_blocks") - 1);
    assert_non_null(strstr(error.text, there));
    for (int i = 0; i < N; i++)
        expect(sessions[i], i, "in a tenth of the blocks");
    assert_true(number(context, "preemptions") > 0);
    assert_int_equal(number(context, "failed"), 0);
    for (int i = 0; i < N; i++)
        llminf_session_close(sessions[i]);
    llminf_options_close(length);
    llminf_options_close(all);
    llminf_session_close(wide);
    llminf_session_close(pinned);
    llminf_context_close(context);
}

static void test_guesses(void **state)
{
    (void)state;
    llminf_context *context = context_of("threads=2");
    fly(context, 8, 0, "speculate=lookup draft_limit=4", "guessed");
    llminf_context_close(context);
}

/* A prompt of more than 512 tokens, where the model knows so many: in pieces, and in steps that take parts of their own. */
static void test_long(void **state)
{
    enum { LONG = 540 };
    static const size_t pieces[] = {LONG, 512, 64, 16, 7, 1};
    static const char *const contexts[] = {"threads=1 step_tokens=1024", "threads=2 step_tokens=512",
                                           "threads=2 step_tokens=64", "threads=8 step_tokens=16"};
    llminf_options *nothing = bag("generate", "max_tokens=0"), *last = bag("generate", "max_tokens=4 ignore_eog=1 logits=last");
    uint64_t want = 0;
    int64_t known;
    (void)state;
    llminf_context *context = context_of("threads=1");
    llminf_session *session = begin(context, 0, 0);
    assert_int_equal(llminf_session_int(session, "max_length", &known, NULL), LLMINF_OK);
    llminf_session_close(session);
    llminf_context_close(context);
    for (size_t c = 0; c < sizeof contexts / sizeof *contexts && known >= LONG + 4; c++)
        for (size_t k = 0; k < sizeof pieces / sizeof *pieces; k++) {
            llminf_token tokens[LONG + 4];
            size_t n;
            context = context_of(contexts[c]);
            assert_int_equal(llminf_session_open(&session, context, NULL, NULL), LLMINF_OK);
            for (size_t at = 0; at < LONG; at++) {
                assert_int_equal(llminf_session_append(session, &prompts[at / PROMPT][at % PROMPT], 1, NULL), LLMINF_OK);
                if ((at + 1) % pieces[k] != 0 || at + 1 == LONG)
                    continue;
                assert_int_equal(llminf_session_generate(session, NULL, nothing, NULL), LLMINF_OK);
                assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
            }
            assert_int_equal(llminf_session_generate(session, NULL, last, NULL), LLMINF_OK);
            assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
            assert_int_equal(llminf_session_tokens(session, 0, tokens, LONG + 4, &n, NULL), LLMINF_OK);
            assert_int_equal(llminf_session_logits(session, LONG + 2, logits, n_vocab, &n, NULL), LLMINF_OK);
            uint64_t hash = XXH3_64bits_withSeed(logits, n_vocab * sizeof *logits, XXH3_64bits(tokens, sizeof tokens));
            if (want == 0)
                want = hash;
            if (hash != want)
                fail_msg("pieces of %zu, %s: other bits", pieces[k], contexts[c]);
            llminf_session_close(session);
            llminf_context_close(context);
        }
    llminf_options_close(last);
    llminf_options_close(nothing);
}

/* The model itself is always right, with every sampler: it sees the same bits and draws by the same numbers. */
static void test_draft_of_itself(void **state)
{
    static const char *const contexts[] = {"threads=2 draft_share=0.5", "threads=1 draft_share=0.5 batching=continuous",
                                           "threads=8 draft_share=0.5 step_tokens=16 prefix_cache=0"};
    (void)state;
    for (size_t c = 0; c < sizeof contexts / sizeof *contexts; c++) {
        llminf_context *context = context_with(contexts[c], model);
        fly(context, N, 0, "speculate=model draft_limit=4", "guessed by itself");
        fly(context, 8, 16, "speculate=model draft_limit=16", "guessed by itself, warm");
        if (!has_adapters) /* which the guesser has not */
            assert_int_equal(number(context, "drafted"), number(context, "accepted"));
        assert_true(number(context, "accepted") > 0 && number(context, "draft_rows") > 0 && number(context, "draft_ns") > 0);
        llminf_context_close(context);
    }
}

/* Of fewer bits: mostly right. Its pool may be small. */
static void test_draft_of_fewer_bits(void **state)
{
    static const char *const contexts[] = {"threads=2 draft_share=0.5", "threads=2 draft_share=0.15 kv_budget_bytes=2MiB"};
    const char *tmp = getenv("TMPDIR");
    char file[256];
    llminf_options *options = bag("convert", "type=q4_0");
    llminf_model *draft;
    llminf_error error;
    (void)state;
    snprintf(file, sizeof file, "%s/llminf-draft-%d.gguf", tmp && *tmp ? tmp : "/tmp", (int)getpid());
    if (llminf_model_convert(model, file, options, &error) != LLMINF_OK ||
        llminf_model_open(&draft, file, NULL, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    unlink(file);
    llminf_options_close(options);
    for (size_t c = 0; c < sizeof contexts / sizeof *contexts; c++) {
        llminf_context *context = context_with(contexts[c], draft);
        fly(context, N, 0, "speculate=model draft_limit=8", "guessed by another");
        assert_true(number(context, "drafted") > 0);
        llminf_context_close(context);
    }
    llminf_model_close(draft);
}

/* Samples of one prompt, each as a session of its own that went the same way. */
static void test_forks(void **state)
{
    llminf_session *forks[6];
    (void)state;
    llminf_context *context = context_of("threads=2");
    llminf_session *session = begin(context, 3, 0);
    llminf_options *nothing = bag("generate", "max_tokens=0");
    assert_int_equal(llminf_session_generate(session, NULL, nothing, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
    for (int i = 0; i < 6; i++)
        assert_int_equal(llminf_session_fork(&forks[i], session, NULL), LLMINF_OK);
    for (int i = 0; i < 6; i++)
        ask(forks[i], 3, "");
    for (int i = 0; i < 6; i++)
        expect(forks[i], 3, "forked");
    for (int i = 0; i < 6; i++)
        llminf_session_close(forks[i]);
    llminf_options_close(nothing);
    llminf_session_close(session);
    llminf_context_close(context);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_others),  cmocka_unit_test(test_pieces),          cmocka_unit_test(test_eviction),
        cmocka_unit_test(test_guesses), cmocka_unit_test(test_draft_of_itself), cmocka_unit_test(test_draft_of_fewer_bits),
        cmocka_unit_test(test_forks),   cmocka_unit_test(test_host_driven),     cmocka_unit_test(test_tenth),
        cmocka_unit_test(test_long),
    };
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--adapters") == 0)
            has_adapters = 1;
        else if (strcmp(argv[i], "--ranks") == 0 && i + 1 < argc)
            ranks = argv[++i];
        else
            path = argv[i];
    }
    return cmocka_run_group_tests(tests, open_model, close_model);
}
