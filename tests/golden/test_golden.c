/* Truth: logits of real files against a double-precision evaluation of the same weights, with exact K, V and activations.
 *
 * F32 files with F32 K and V must agree to rounding. With quantised weights the activations are rounded to 8 bits, in F16
 * files K and V to 11: there the error may be what another engine's is, and a tenth more. Equal bits over threads and chunks
 * are looked at on the same files. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/network.h"
#include "support/support.h"

enum { N_IDS = 16, N_BLOCKS = 8 };

static const uint32_t BLOCKS[] = {3, 1, 7, 5};

struct golden {
    const char *name;
    double max_rms;  /* in the logits' standard deviations, F32 K and V */
    double peer_rms; /* llama.cpp v0.5.0's error, absolute; 0: F32 weights */
};

static const struct golden GOLDENS[] = {
    {"stories260K.gguf", 2e-5, 0},
    {"stories3M-f32.gguf", 2e-5, 0},
    {"stories3M-moe4-f32.gguf", 2e-5, 0},
    {"stories3M-qwen2-f32.gguf", 2e-5, 0},
    {"chat3M-gpt2-q4_0.gguf", 0, 0.064621},
    {"llama2-tiny-random-f16.gguf", 0, 1.3039e-5},
    {"stories3M-pad256-f16.gguf", 0, 0.0026346},
    {"stories3M-q8_0.gguf", 0, 0.085178},
    {"stories3M-pad256-q4_0.gguf", 0, 0.097210},
    {"stories3M-pad256-q3_k_m.gguf", 0, 0.17361},
    {"stories3M-pad256-q4_k_m.gguf", 0, 0.17805},
    {"stories3M-pad256-q6_k.gguf", 0, 0.18974},
};

static uint8_t *shared_bytes(const char *folder, const char *name, const char *ending, size_t *size)
{
    char path[256], *full;
    uint8_t *bytes;
    snprintf(path, sizeof path, "%s/%s%s", folder, name, ending);
    full = support_shared_file(path);
    bytes = full ? support_read(full, size) : NULL;
    free(full);
    return bytes;
}

/* "ids": [1, 2, ...] */
static void read_ids(const char *name, int32_t ids[N_IDS])
{
    size_t size;
    char *text = (char *)shared_bytes("golden", name, ".json", &size), *at;
    assert_non_null(text);
    assert_non_null(text = realloc(text, size + 1));
    text[size] = 0;
    assert_non_null(at = strstr(text, "\"ids\""));
    assert_non_null(at = strchr(at, '['));
    for (int i = 0; i < N_IDS; i++)
        ids[i] = (int32_t)strtol(at + 1, &at, 10);
    free(text);
}

static float *logits_of(struct network *network, const int32_t *ids, int kv_type, int n_threads, uint32_t chunk)
{
    struct network_run run;
    float *logits = malloc(N_IDS * sizeof *logits * network->config.n_vocab);
    assert_non_null(logits);
    assert_int_equal(network_start(&run, network, kv_type, n_threads, N_BLOCKS), 0);
    assert_int_equal(network_feed(&run, BLOCKS, ids, 0, N_IDS, chunk, logits), 0);
    network_stop(&run);
    return logits;
}

static double rms_error(const float *got, const float *want, size_t n, double *deviation)
{
    double error = 0, sum = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        error += ((double)got[i] - want[i]) * ((double)got[i] - want[i]);
        sum += want[i];
        squares += (double)want[i] * want[i];
    }
    *deviation = sqrt(squares / (double)n - sum / (double)n * sum / (double)n);
    return sqrt(error / (double)n);
}

static void check_bits(struct network *network, const int32_t *ids, const float *want)
{
    static const struct {
        int n_threads;
        uint32_t chunk;
    } rows[] = {{1, 1}, {2, 7}, {3, 16}, {8, 1}};
    size_t bytes = N_IDS * sizeof *want * network->config.n_vocab;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        float *got = logits_of(network, ids, LLI_KV_F16, rows[i].n_threads, rows[i].chunk);
        assert_memory_equal(got, want, bytes);
        free(got);
    }
}

static void test_golden(void **state)
{
    const struct golden *g = *state;
    struct network network;
    size_t size, want_size;
    double deviation, error;
    int32_t ids[N_IDS];
    float *got, *want;
    uint8_t *bytes = shared_bytes("models", g->name, "", &size);
    if (!bytes)
        skip();
    want = (float *)(void *)shared_bytes("golden", g->name, ".logits.f32", &want_size);
    assert_non_null(want);
    read_ids(g->name, ids);
    assert_int_equal(network_open(&network, bytes, size), 0);
    assert_int_equal(want_size, N_IDS * sizeof *want * network.config.n_vocab);

    got = logits_of(&network, ids, LLI_KV_F32, 2, 16);
    error = rms_error(got, want, want_size / sizeof *want, &deviation);
    free(got);
    print_message("%s: F32 KV: RMS %.3g (%.3g standard deviations)", g->name, error, error / deviation);
    if (g->peer_rms == 0)
        assert_true(error <= g->max_rms * deviation);
    else
        assert_true(error <= 1.1 * g->peer_rms);

    got = logits_of(&network, ids, LLI_KV_F16, 1, 16);
    error = rms_error(got, want, want_size / sizeof *want, &deviation);
    print_message(", F16 KV: %.3g\n", error);
    if (g->peer_rms != 0)
        assert_true(error <= 1.1 * g->peer_rms);
    check_bits(&network, ids, got);
    free(got);
    free(want);
    network_close(&network);
}

int main(void)
{
    struct CMUnitTest tests[sizeof GOLDENS / sizeof *GOLDENS];
    for (size_t i = 0; i < sizeof tests / sizeof *tests; i++)
        tests[i] = (struct CMUnitTest){
            .name = GOLDENS[i].name, .test_func = test_golden, .initial_state = (void *)(uintptr_t)&GOLDENS[i]};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
