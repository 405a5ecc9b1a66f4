/* Attention over more positions than a split: the bits do not depend on how rows are cut into tiles, which of them are spread
 * over the workers, in how many windows, nor on the backend's vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/cpu.h"
#include "backend/registry.h"
#include "backend/scalar/scalar.h"
#include "forward/tiles.h"
#include "llminf/status.h"
#include "support/gguf_make.h"
#include "support/network.h"
#include "support/support.h"

enum { N_IDS = 1150, N_TABLE = (N_IDS + 15) / 16, N_BLOCKS = 4 * N_TABLE + 1 };

/* ---- backends: scalar, and its matrix products with the attention of each instruction set */

static void fill_scalar(struct lli_kernels *out)
{
    (void)out;
}

static void keep_products(struct lli_kernels *out, void (*fill)(struct lli_kernels *out))
{
    struct lli_kernels scalar = *out;
    fill(out);
    memcpy(out->matmul, scalar.matmul, sizeof out->matmul);
    memcpy(out->dequant, scalar.dequant, sizeof out->dequant);
}

#if defined(__x86_64__)
void lli_fill_avx512_vnni(struct lli_kernels *out);
void lli_fill_avx2(struct lli_kernels *out);

static void fill_first(struct lli_kernels *out)
{
    keep_products(out, lli_fill_avx512_vnni);
}

static void fill_second(struct lli_kernels *out)
{
    keep_products(out, lli_fill_avx2);
}

enum {
    NEEDS_OF_SECOND = LLI_CPU_AVX2 | LLI_CPU_FMA | LLI_CPU_F16C,
    NEEDS_OF_FIRST = LLI_CPU_AVX512 | LLI_CPU_VNNI | NEEDS_OF_SECOND
};
#elif defined(__aarch64__)
void lli_fill_neon(struct lli_kernels *out);
void lli_fill_neon_dot(struct lli_kernels *out);

static void fill_first(struct lli_kernels *out)
{
    keep_products(out, lli_fill_neon_dot);
}

static void fill_second(struct lli_kernels *out)
{
    keep_products(out, lli_fill_neon);
}

enum { NEEDS_OF_FIRST = LLI_CPU_NEON | LLI_CPU_DOTPROD, NEEDS_OF_SECOND = LLI_CPU_NEON };
#else
static void fill_first(struct lli_kernels *out)
{
    keep_products(out, fill_scalar);
}

static void fill_second(struct lli_kernels *out)
{
    fill_first(out);
}

enum { NEEDS_OF_FIRST = 0, NEEDS_OF_SECOND = 0 };
#endif

static const struct lli_backend BACKENDS[] = {
    {"scalar", 0, 0, 1, fill_scalar},
    {"first", NEEDS_OF_FIRST, 0, 1, fill_first},
    {"second", NEEDS_OF_SECOND, 0, 1, fill_second},
};

enum { N_BACKENDS = sizeof BACKENDS / sizeof *BACKENDS };

/* ---- one long sequence */

static const struct kind {
    const char *name;
    struct test_model_spec spec;
    int kv_type;
    uint32_t window;
    float softcap;
    int has_sinks;
} KINDS[] = {
    {"f16", {.seed = 1, .n_embd = 32, .n_heads = 4, .n_kv_heads = 1, .n_context = N_IDS}, LLI_KV_F16, 0, 0, 0},
    {"f32, window", {.seed = 2, .n_embd = 24, .n_heads = 4, .n_kv_heads = 2, .n_context = N_IDS}, LLI_KV_F32, 600, 0, 0},
    {"q8_0, soft cap", {.seed = 3, .n_embd = 80, .n_heads = 2, .n_kv_heads = 1, .n_context = N_IDS}, LLI_KV_Q8_0, 0, 0.8f, 0},
    {"narrow window", {.seed = 4, .n_embd = 32, .n_heads = 8, .n_kv_heads = 1, .n_context = N_IDS}, LLI_KV_F16, 20, 3, 0},
    {"sinks", {.seed = 5, .n_embd = 32, .n_heads = 4, .n_kv_heads = 2, .n_context = N_IDS}, LLI_KV_F16, 700, 2, 1},
    {"windows in some layers",
     {.seed = 6, .arch = "gemma2", .n_layers = 2, .n_embd = 32, .n_heads = 4, .n_kv_heads = 2, .n_context = N_IDS},
     LLI_KV_F16,
     300,
     2,
     0},
    {"alibi",
     {.seed = 7, .arch = "bloom", .n_layers = 1, .n_embd = 32, .n_heads = 4, .n_kv_heads = 4, .n_context = N_IDS},
     LLI_KV_F16,
     0,
     0,
     0},
};

enum { N_KINDS = sizeof KINDS / sizeof *KINDS };

static const struct {
    size_t backend;
    int n_threads;
    uint32_t chunk;
} RUNS[] = {{0, 2, 16}, {0, 3, 40}, {1, 1, 64}, {1, 2, 16}, {1, 2, 40},
            {1, 3, 7},  {1, 8, 48}, {2, 1, 33}, {2, 2, 16}, {2, 8, 64}};

static uint32_t BLOCKS[4][N_TABLE]; /* of several sequences, scattered */

static void open_kind(struct network *network, const struct kind *kind, int32_t *ids)
{
    uint64_t seed = kind->spec.seed;
    network_make(network, &kind->spec);
    network->config.window = kind->window;
    network->config.softcap = kind->softcap;
    if (kind->has_sinks)
        network_add_sinks(network);
    for (size_t i = 0; i < N_IDS; i++)
        ids[i] = (int32_t)(support_random(&seed) % network->config.n_vocab);
    for (uint32_t i = 0; i < 4 * N_TABLE; i++)
        BLOCKS[i % 4][i / 4] = 1 + i * 101 % (4 * N_TABLE);
}

static float *make_logits(const struct network *network)
{
    float *logits = calloc(N_IDS, sizeof *logits * network->config.n_vocab);
    assert_non_null(logits);
    return logits;
}

static int is_usable(const struct lli_backend *backend)
{
    return (lli_cpu_features() & backend->needs) == backend->needs;
}

static void test_long(void **state)
{
    const struct kind *kind = *state;
    struct network network;
    struct network_run run;
    int32_t ids[N_IDS];
    float *want, *got;
    open_kind(&network, kind, ids);
    want = make_logits(&network);
    got = make_logits(&network);
    network.backend = &BACKENDS[0];
    assert_int_equal(network_start(&run, &network, kind->kv_type, 1, N_BLOCKS), 0);
    assert_int_equal(network_feed(&run, BLOCKS[0], ids, 0, N_IDS, 64, want), 0);
    network_stop(&run);
    for (size_t i = 0; i < sizeof RUNS / sizeof *RUNS; i++) {
        network.backend = &BACKENDS[RUNS[i].backend];
        if (!is_usable(network.backend))
            continue;
        assert_int_equal(network_start(&run, &network, kind->kv_type, RUNS[i].n_threads, N_BLOCKS), 0);
        assert_int_equal(network_feed(&run, BLOCKS[i % 4], ids, 0, N_IDS, RUNS[i].chunk, got), 0);
        network_stop(&run);
        if (memcmp(got, want, N_IDS * sizeof *got * network.config.n_vocab) != 0)
            fail_msg("%s, %d threads, steps of %u: other logits", network.backend->name, RUNS[i].n_threads, RUNS[i].chunk);
    }
    free(got);
    free(want);
    network_close(&network);
}

/* Sequences at 1100, 300, 10 and 520 positions in one step, of 1, 17, 30 and 2 rows. */
static void test_partners(void **state)
{
    static const uint32_t FIRST[] = {1100, 300, 10, 520}, ROWS[] = {1, 17, 30, 2};
    const struct kind *kind = *state;
    struct network network;
    struct network_run run;
    int32_t ids[N_IDS];
    float *want;
    open_kind(&network, kind, ids);
    want = make_logits(&network);
    for (size_t i = 0; i < sizeof RUNS / sizeof *RUNS; i++) {
        struct lli_row rows[64];
        struct lli_seq seqs[4] = {{0}};
        struct lli_plan plan = {.rows = rows, .seqs = seqs, .n_seqs = 4};
        size_t n = 0, bytes = network.config.n_vocab * sizeof *want;
        network.backend = &BACKENDS[RUNS[i].backend];
        if (!is_usable(network.backend))
            continue;
        assert_int_equal(network_start(&run, &network, kind->kv_type, RUNS[i].n_threads, N_BLOCKS), 0);
        assert_int_equal(network_feed(&run, BLOCKS[0], ids, 0, 1101, 64, want), 0);
        for (uint16_t s = 1; s < 4; s++)
            assert_int_equal(network_feed(&run, BLOCKS[s], ids, 0, FIRST[s], 64, NULL), 0);
        for (uint16_t s = 0; s < 4; s++) {
            seqs[s] = (struct lli_seq){.first_row = plan.n_rows, .n_rows = ROWS[s]};
            network_show(&run, &seqs[s], BLOCKS[s], (FIRST[s] + ROWS[s] + 15) / 16);
            for (uint32_t r = 0; r < ROWS[s]; r++)
                rows[plan.n_rows++] = (struct lli_row){ids[FIRST[s] + r], FIRST[s] + r, s, LLI_ROW_LOGITS};
        }
        plan.n_logits = plan.n_rows;
        lli_forward_run(run.forward, &plan);
        for (uint16_t s = 0; s < 4; s++) {
            assert_int_equal(seqs[s].status, 0);
            for (uint32_t r = 0; r < ROWS[s]; r++, n++)
                assert_memory_equal(lli_forward_logits(run.forward, (uint32_t)n),
                                    want + (FIRST[s] + r) * network.config.n_vocab, bytes);
        }
        network_stop(&run);
    }
    free(want);
    network_close(&network);
}

/* ---- sinks */

enum { N_SINK_IDS = 300 };

static void compute(float *logits, struct network *network, const int32_t *ids)
{
    struct network_run run;
    network->backend = NULL;
    assert_int_equal(network_start(&run, network, LLI_KV_F16, 2, N_BLOCKS), 0);
    assert_int_equal(network_feed(&run, BLOCKS[0], ids, 0, N_SINK_IDS, 40, logits), 0);
    network_stop(&run);
}

/* Sinks far below all scores change no bit, sinks in reach do, and one that is not finite is found. */
static void test_sinks(void **state)
{
    struct network network;
    struct network_run run;
    int32_t ids[N_IDS];
    float *want, *got;
    size_t bytes;
    (void)state;
    open_kind(&network, &KINDS[0], ids);
    bytes = N_SINK_IDS * sizeof *got * network.config.n_vocab;
    want = make_logits(&network);
    got = make_logits(&network);
    compute(want, &network, ids);
    network_add_sinks(&network);
    compute(got, &network, ids);
    assert_memory_not_equal(got, want, network.config.n_vocab * sizeof *got);
    for (size_t i = 0; i < (size_t)network.config.n_layers * network.config.n_heads; i++)
        network.sinks[i] = i % 2 ? -3e38f : -200.0f;
    compute(got, &network, ids);
    assert_memory_equal(got, want, bytes);
    network.sinks[1] = -__builtin_inff();
    assert_int_equal(network_start(&run, &network, LLI_KV_F16, 1, N_BLOCKS), LLMINF_E_NUMERIC);
    network_stop(&run);
    free(got);
    free(want);
    network_close(&network);
}

/* ---- tiles */

static struct lli_config shape(uint32_t n_heads, uint32_t n_kv_heads, uint32_t window)
{
    return (struct lli_config){.n_heads = n_heads, .n_kv_heads = n_kv_heads, .head_dim = 8, .window = window};
}

/* Every row lies in one tile, which is of its sequence and covers what it sees; the parts of spread tiles have room. */
static void check_tiling(const struct lli_tiling *t, const struct lli_plan *plan, const struct lli_config *c, size_t n_workers)
{
    uint8_t seen[256] = {0};
    uint32_t spread_rows = 0;
    for (uint32_t i = 0; i < t->n_walked + t->n_spread; i++) {
        const struct lli_tile *tile = &t->tiles[i];
        assert_true(tile->n_rows > 0 && tile->n_rows * (c->n_heads / c->n_kv_heads) <= lli_tile_queries(c));
        for (uint32_t row = tile->first_row; row < tile->first_row + tile->n_rows; row++) {
            uint32_t pos = plan->rows[row].pos, from = c->window > 0 && pos >= c->window ? pos + 1 - c->window : 0;
            assert_int_equal(plan->rows[row].seq, tile->seq);
            assert_int_equal(seen[row]++, 0);
            assert_true(from / 256 >= tile->first_split && pos / 256 < tile->first_split + tile->n_splits);
        }
        if (i >= t->n_walked) {
            assert_true(tile->spread_row + tile->n_rows <= t->n_spread_rows);
            assert_true(tile->n_splits <= t->window * t->n_windows);
            spread_rows += tile->n_rows;
        }
    }
    for (uint32_t row = 0; row < plan->n_rows; row++)
        assert_int_equal(seen[row], 1);
    assert_int_equal(spread_rows, t->n_spread_rows);
    if (t->n_spread > 0) {
        assert_true(t->window * t->n_spread_rows <= lli_tile_parts(n_workers));
        assert_true(t->run > 0 && t->run * t->n_runs >= t->window);
    }
}

static void test_tiles(void **state)
{
    static const uint32_t HEADS[][2] = {{1, 1}, {8, 2}, {32, 8}, {9, 3}, {80, 1}};
    uint64_t seed = 5;
    int n_spread = 0, n_windowed = 0;
    (void)state;
    for (int round = 0; round < 3000; round++) {
        struct lli_row rows[256];
        struct lli_tile tiles[256];
        struct lli_tiling tiling;
        struct lli_plan plan = {.rows = rows};
        const uint32_t *heads = HEADS[support_random(&seed) % 5];
        struct lli_config config = shape(heads[0], heads[1], round % 3 == 0 ? 1 + (uint32_t)(support_random(&seed) % 900) : 0);
        size_t n_workers = 1 + (size_t)(support_random(&seed) % 9);
        for (uint16_t s = 0; s < 1 + round % 5; s++) {
            uint32_t pos = (uint32_t)(support_random(&seed) % (round % 2 ? 300 : 40000));
            for (uint32_t n = 1 + (uint32_t)(support_random(&seed) % (round % 4 ? 3 : 50)); n > 0; n--)
                rows[plan.n_rows++] = (struct lli_row){0, pos++, s, 0};
        }
        lli_tiles_cut(&tiling, tiles, &plan, &config, config.window, n_workers);
        check_tiling(&tiling, &plan, &config, n_workers);
        assert_true(n_workers > 1 || tiling.n_spread == 0);
        n_spread += tiling.n_spread > 0;
        n_windowed += tiling.n_windows > 1;
    }
    assert_true(n_spread > 100 && n_windowed > 100);
}

/* What a step needs does not grow with the context. */
static void test_memory(void **state)
{
    struct network network;
    struct network_run run;
    int32_t ids[N_IDS];
    size_t bytes[2];
    (void)state;
    open_kind(&network, &KINDS[0], ids);
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(network_start(&run, &network, LLI_KV_F16, 2, i ? 4000 : 40), 0);
        bytes[i] = lli_forward_scratch_bytes(run.forward);
        network_stop(&run);
    }
    assert_int_equal(bytes[0], bytes[1]);
    network_close(&network);
}

int main(void)
{
    const struct CMUnitTest others[] = {cmocka_unit_test(test_sinks), cmocka_unit_test(test_tiles),
                                        cmocka_unit_test(test_memory)};
    struct CMUnitTest kinds[2 * N_KINDS];
    int n_failed;
    for (size_t i = 0; i < N_KINDS; i++) {
        void *kind = (void *)(uintptr_t)&KINDS[i];
        kinds[i] = (struct CMUnitTest){.name = KINDS[i].name, .test_func = test_long, .initial_state = kind};
        kinds[N_KINDS + i] = (struct CMUnitTest){.name = KINDS[i].name, .test_func = test_partners, .initial_state = kind};
    }
    n_failed = cmocka_run_group_tests_name("attention", kinds, NULL, NULL);
    return n_failed + cmocka_run_group_tests_name("tiles", others, NULL, NULL);
}
