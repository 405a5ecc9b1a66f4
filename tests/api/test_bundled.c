/* The bits of the bundled model's logits: the same for every backend, compiler and CPU, and the same as when they were
 * written down here. Who changes them, or the model, does so on purpose and writes down the new ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <xxhash.h>

#include <llminf/llminf.h>

enum { N_IDS = 40 };

static const struct golden {
    const char *kv_type;
    uint64_t hash; /* XXH3 of the logits [N_IDS, n_vocab] as little-endian binary32 */
} GOLDENS[] = {
    {"f16", 0x31bd17f67c768400},
    {"f32", 0x7e51676ef1c89306},
    {"q8_0", 0x0a11d16c1c6b89ae},
};

static llminf_model *model;
static float *logits;
static size_t n_vocab;

static int open_model(void **state)
{
    int64_t n;
    (void)state;
    if (llminf_model_open(&model, LLMINF_SOURCE_ROOT "/examples/demo-model/stories.gguf", NULL, NULL) != LLMINF_OK)
        return 1;
    if (llminf_model_int(model, "n_vocab", &n, NULL) != LLMINF_OK)
        return 1;
    n_vocab = (size_t)n;
    logits = malloc(N_IDS * n_vocab * sizeof *logits);
    return logits == NULL;
}

static int close_model(void **state)
{
    (void)state;
    free(logits);
    llminf_model_close(model);
    return 0;
}

static llminf_options *bag(const char *kind, const char *first, const char *first_value, const char *second,
                           const char *second_value)
{
    llminf_options *options;
    assert_int_equal(llminf_options_open(&options, kind, NULL), LLMINF_OK);
    assert_int_equal(llminf_options_parse(options, first, first_value, -1, NULL), LLMINF_OK);
    assert_int_equal(llminf_options_parse(options, second, second_value, -1, NULL), LLMINF_OK);
    return options;
}

/* The logits of the same ids each time. */
static void compute(llminf_context *context)
{
    llminf_options *options = bag("generate", "max_tokens", "0", "logits", "all");
    llminf_token ids[N_IDS] = {1};
    llminf_session *session;
    for (size_t i = 1; i < N_IDS; i++)
        ids[i] = (llminf_token)((i * 7919 + 300) % n_vocab);
    assert_int_equal(llminf_session_open(&session, context, NULL, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_append(session, ids, N_IDS, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_generate(session, NULL, options, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
    for (size_t i = 0; i < N_IDS; i++) {
        size_t n;
        assert_int_equal(llminf_session_logits(session, i, logits + i * n_vocab, n_vocab, &n, NULL), LLMINF_OK);
        assert_int_equal(n, n_vocab);
    }
    llminf_session_close(session);
    llminf_options_close(options);
}

static void check(const struct golden *golden, const char *backend)
{
    llminf_options *options = bag("context", "kv_type", golden->kv_type, "backend", backend);
    llminf_context *context;
    llminf_error error;
    llminf_status status = llminf_context_open(&context, model, options, &error);
    llminf_options_close(options);
    if (status != LLMINF_OK && strcmp(backend, "auto") != 0 && strcmp(backend, "scalar") != 0) {
        assert_int_equal(status, LLMINF_E_OPTION);
        return; /* not on this CPU */
    }
    assert_int_equal(status, LLMINF_OK);
    compute(context);
    llminf_context_close(context);
    if (XXH3_64bits(logits, N_IDS * n_vocab * sizeof *logits) != golden->hash)
        fail_msg("%s, K and V as %s: xxh3 %016llx, want %016llx", backend, golden->kv_type,
                 (unsigned long long)XXH3_64bits(logits, N_IDS * n_vocab * sizeof *logits), (unsigned long long)golden->hash);
}

static void test_hashes(void **state)
{
    static const char *const backends[] = {"auto", "scalar", "avx512", "avx2", "neon"};
    (void)state;
    for (size_t i = 0; i < sizeof GOLDENS / sizeof *GOLDENS; i++)
        for (size_t b = 0; b < sizeof backends / sizeof *backends; b++)
            check(&GOLDENS[i], backends[b]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hashes)};
    return cmocka_run_group_tests(tests, open_model, close_model);
}
