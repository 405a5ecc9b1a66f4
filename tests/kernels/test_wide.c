/* The vector kernels of each instruction set that this CPU has against the scalar ones, bit for bit: odd sizes, pointers off
 * any alignment but that of floats, values at the ends of binary32, and the memory around the outputs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/scalar/scalar.h"
#include "kernels/isas.h"
#include "support/support.h"

enum { MAX_N = 4409, MARGIN = 20, AREA = MARGIN + MAX_N + MARGIN };

static const size_t LARGE[] = {255, 256, 257, 1000, 2048, MAX_N};

static struct lli_kernels SCALAR, WIDE; /* WIDE: of the instruction set under test */
static uint64_t seed;

/* ---- values and places */

enum kind { ORDINARY, SMALL, ANY_FINITE, ANY, SIGNS, N_KINDS };

static float value(int kind)
{
    static const float ends[] = {0.0f,          -0.0f,          0x1p-149f, -0x1p-149f, 0x1.fffffcp-127f, 0x1p-126f,
                                 3.4028234e38f, -3.4028234e38f, 88.7f,     -88.7f,     -64.0f,           64.0f,
                                 0x1p-100f,     1.0f,           -1.0f,     127.5f};
    uint32_t bits = (uint32_t)support_random(&seed);
    switch (kind) {
    case ORDINARY:
        return 8 * support_random_float(&seed);
    case SMALL: /* subnormal, or a little more */
        return lli_float_of(bits & 0x81ffffff);
    case ANY_FINITE:
        if ((bits & 0x7f800000) != 0x7f800000)
            return lli_float_of(bits);
        return ends[bits % (sizeof ends / sizeof *ends)];
    case ANY:
        return bits % 13 == 0 ? INFINITY : bits % 13 == 1 ? -INFINITY : bits % 13 == 2 ? NAN : lli_float_of(bits);
    default:
        return bits & 1 ? 0.0f : -0.0f;
    }
}

static void fill(float *x, size_t n, int kind)
{
    for (size_t i = 0; i < n; i++)
        x[i] = value(kind);
}

/* Bits, but a NaN is a NaN. */
static void assert_same(const char *what, size_t n, const float *want, const float *got, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (lli_bits_of(want[i]) != lli_bits_of(got[i]) && !(isnan(want[i]) && isnan(got[i])))
            fail_msg("%s of %zu: element %zu is %a, want %a", what, n, i, (double)got[i], (double)want[i]);
}

static void assert_same_bytes(const char *what, size_t n, const void *want, const void *got, size_t bytes)
{
    const uint8_t *a = want, *b = got;
    for (size_t i = 0; i < bytes; i++)
        if (a[i] != b[i])
            fail_msg("%s of %zu: byte %zu is %u, want %u", what, n, i, b[i], a[i]);
}

static float X[AREA], Y[AREA], Z[AREA], WANT[AREA], GOT[AREA];

static void poison(void)
{
    for (size_t i = 0; i < AREA; i++)
        WANT[i] = GOT[i] = -12345;
}

/* Each size with each kind of values; `at` moves the pointers. */
typedef void case_fn(size_t n, size_t at, int kind);

static void each_case(case_fn *run)
{
    seed = 1;
    for (size_t i = 1; i < 71 + sizeof LARGE / sizeof *LARGE; i++) {
        size_t n = i < 71 ? i : LARGE[i - 71];
        for (int kind = 0; kind < N_KINDS; kind++) {
            size_t at = (size_t)(support_random(&seed) % 17);
            fill(X, AREA, kind);
            fill(Y, AREA, kind);
            fill(Z, AREA, kind);
            poison();
            run(n, at, kind);
        }
    }
}

/* ---- rows in, rows out */

static void check_elements(size_t n, size_t at, int kind)
{
    const float *x = X + at, *y = Y + (at + 3) % 17;
    float *want = WANT + at, *got = GOT + at, by = value(kind);
    SCALAR.add(want, x, y, n);
    WIDE.add(got, x, y, n);
    assert_same("add", n, WANT, GOT, AREA);
    SCALAR.add_scaled(want, by, y, n);
    WIDE.add_scaled(got, by, y, n);
    assert_same("add_scaled", n, WANT, GOT, AREA);
    SCALAR.divide(want, x, by, n);
    WIDE.divide(got, x, by, n);
    assert_same("divide", n, WANT, GOT, AREA);
    SCALAR.swiglu(want, x, y, n);
    WIDE.swiglu(got, x, y, n);
    assert_same("swiglu", n, WANT, GOT, AREA);
    SCALAR.geglu(want, x, y, n);
    WIDE.geglu(got, x, y, n);
    assert_same("geglu", n, WANT, GOT, AREA);
    SCALAR.swiglu_clamped(want, x, y, n);
    WIDE.swiglu_clamped(got, x, y, n);
    assert_same("swiglu_clamped", n, WANT, GOT, AREA);
    SCALAR.gelu(want, x, n);
    WIDE.gelu(got, x, n);
    assert_same("gelu", n, WANT, GOT, AREA);
    SCALAR.gelu_erf(want, x, n);
    WIDE.gelu_erf(got, x, n);
    assert_same("gelu_erf", n, WANT, GOT, AREA);
    SCALAR.scale(want, x, by, n);
    WIDE.scale(got, x, by, n);
    assert_same("scale", n, WANT, GOT, AREA);
    SCALAR.softcap(want, x, by, n);
    WIDE.softcap(got, x, by, n);
    assert_same("softcap", n, WANT, GOT, AREA);
}

static void check_norms(size_t n, size_t at, int kind)
{
    const float *x = X + at, *y = Y + (at + 3) % 17, *z = Z + (at + 7) % 17;
    float *want = WANT + at, *got = GOT + at;
    (void)kind;
    SCALAR.layernorm(want, x, z, y, n, 1e-5f);
    WIDE.layernorm(got, x, z, y, n, 1e-5f);
    assert_same("layernorm", n, WANT, GOT, AREA);
    SCALAR.layernorm(want, want, z, NULL, n, 1e-6f);
    WIDE.layernorm(got, got, z, NULL, n, 1e-6f);
    assert_same("layernorm in place, without bias", n, WANT, GOT, AREA);
    SCALAR.rmsnorm(want, x, z, n, 1e-5f);
    WIDE.rmsnorm(got, x, z, n, 1e-5f);
    assert_same("rmsnorm", n, WANT, GOT, AREA);
    SCALAR.rmsnorm(want, want, z, n, 1e-6f); /* in place */
    WIDE.rmsnorm(got, got, z, n, 1e-6f);
    assert_same("rmsnorm in place", n, WANT, GOT, AREA);
}

static void test_elements(void **state)
{
    (void)state;
    each_case(check_elements);
}

static void test_norms(void **state)
{
    (void)state;
    each_case(check_norms);
}

static void check_sums(size_t n, size_t at, int kind)
{
    float a = SCALAR.sum(X + at, n), b = WIDE.sum(X + at, n), m[2], l[2];
    assert_same("sum", n, &a, &b, 1);
    assert_int_equal(SCALAR.finite(X + at, n), WIDE.finite(X + at, n));
    memcpy(WANT + at, X, n * sizeof *X);
    memcpy(GOT + at, X, n * sizeof *X);
    SCALAR.exp(WANT + at, n, &m[0], &l[0]);
    WIDE.exp(GOT + at, n, &m[1], &l[1]);
    assert_same("exp's sum", n, &l[0], &l[1], 1);
    if (isnan(l[0])) /* which of the others are NaN is free */
        return;
    assert_true(m[0] == m[1]); /* of two zeros either is the greatest */
    assert_same("exp", n, WANT, GOT, AREA);
    (void)kind;
}

static void test_sums(void **state)
{
    float x[20] = {0};
    (void)state;
    each_case(check_sums);
    assert_int_equal(WIDE.finite(x, 0), 1);
    for (size_t i = 0; i < 20; i++) { /* one that is not, at each place */
        x[i] = -INFINITY;
        assert_int_equal(WIDE.finite(x, 20), 0);
        assert_int_equal(WIDE.finite(x, i), 1);
        x[i] = 0;
    }
}

static void check_merge(size_t n, size_t at, int kind)
{
    float max[2], sum[2], m = value(kind), l = value(kind);
    max[0] = max[1] = value(kind);
    sum[0] = sum[1] = value(kind);
    fill(WANT + at, n, kind);
    memcpy(GOT, WANT, sizeof GOT);
    SCALAR.merge(WANT + at, &max[0], &sum[0], X + at, m, l, n);
    WIDE.merge(GOT + at, &max[1], &sum[1], X + at, m, l, n);
    assert_same("merge", n, WANT, GOT, AREA);
    assert_same("merge's maximum", n, &max[0], &max[1], 1);
    assert_same("merge's sum", n, &sum[0], &sum[1], 1);
}

static void test_merge(void **state)
{
    (void)state;
    each_case(check_merge);
}

/* exp over all that it can see, through silu: a / (1 + exp(-a)) of steps of some bits. */
static void test_exp(void **state)
{
    (void)state;
    for (size_t i = 0; i < MAX_N; i++)
        Y[i] = 1;
    for (uint32_t bits = 0x30000000; bits < 0x43000000; bits += MAX_N * 997) {
        for (size_t i = 0; i < MAX_N; i++)
            X[i] = lli_float_of((bits + (uint32_t)i * 997) | (uint32_t)(i & 1) << 31);
        SCALAR.swiglu(WANT, X, Y, MAX_N);
        WIDE.swiglu(GOT, X, Y, MAX_N);
        assert_same("exp", MAX_N, WANT, GOT, MAX_N);
    }
    for (size_t i = 0; i < 64; i++) /* both sides of the cut-offs */
        X[i] = lli_float_of(lli_bits_of(i < 32 ? 64.0f : -88.7f) + (uint32_t)(i % 32) - 16);
    SCALAR.swiglu(WANT, X, Y, 64);
    WIDE.swiglu(GOT, X, Y, 64);
    assert_same("exp's ends", 64, WANT, GOT, 64);
}

/* ---- the rotation */

static void check_rope(size_t n, size_t at, int kind)
{
    size_t n_vectors = 1 + n % 3, stride = 2 * n + n % 5;
    (void)kind;
    if (n_vectors * stride + at > AREA)
        return;
    for (int halves = 0; halves < 2; halves++) {
        memcpy(WANT, X, sizeof WANT);
        memcpy(GOT, X, sizeof GOT);
        (halves ? SCALAR.rope_halves : SCALAR.rope_adjacent)(WANT + at, n_vectors, stride, Y + at, Z + at, n);
        (halves ? WIDE.rope_halves : WIDE.rope_adjacent)(GOT + at, n_vectors, stride, Y + at, Z + at, n);
        assert_same(halves ? "rope_halves" : "rope_adjacent", n, WANT, GOT, AREA);
    }
}

static void test_rope(void **state)
{
    (void)state;
    each_case(check_rope);
}

/* ---- activations as bytes */

static struct lli_q8 ROWS[2][AREA / 32 + 8];

static void check_quantise(size_t n, size_t at, int kind)
{
    int status[2];
    size_t whole = n < 71 ? n * 32 : n / 32 * 32;
    (void)kind;
    memset(ROWS, 0x5a, sizeof ROWS);
    for (size_t i = 0; i < 2; i++) {
        status[i] = (i ? WIDE : SCALAR).quantise(&ROWS[i][at % 5], X + at, whole);
    }
    assert_int_equal(status[0], status[1]);
    assert_same_bytes("quantise", whole, &ROWS[0], &ROWS[1], sizeof ROWS[0]);
}

static void test_quantise(void **state)
{
    (void)state;
    each_case(check_quantise);
    seed = 7;
    for (size_t round = 0; round < 400; round++) { /* blocks of every size, from nothing to all of binary32 */
        for (size_t i = 0; i < 2048; i++)
            X[i] = support_random_float(&seed) * ldexpf(1, (int)(i / 32 * 4) - 128 + (int)(round % 4));
        check_quantise(2048, 0, ANY_FINITE);
    }
    for (size_t i = 0; i < 2048; i++) /* ties: a scale of one */
        X[i] = i % 32 == 0 ? 127 : (float)((int)(i % 255) - 127) + 0.5f * (float)(i % 2) - (i % 255 == 254 ? 1 : 0);
    check_quantise(2048, 1, ORDINARY);
}

/* ---- weights as floats */

static void check_dequant(uint32_t type, size_t n, size_t shift)
{
    static uint8_t bytes[4 * MAX_N + 8];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (uint8_t)support_random(&seed);
    poison();
    SCALAR.dequant[type](WANT + 1, bytes + shift, n);
    WIDE.dequant[type](GOT + 1, bytes + shift, n);
    assert_same("dequant", n, WANT, GOT, AREA);
}

static void test_dequant(void **state)
{
    static const uint32_t types[] = {LLI_F32, LLI_F16, LLI_BF16};
    static uint16_t halves[MAX_N];
    (void)state;
    seed = 3;
    for (size_t t = 0; t < 3; t++)
        for (size_t n = 1; n < 2000; n += n < 70 ? 1 : 311)
            check_dequant(types[t], n, n % 4);
    for (size_t first = 0; first < 65536; first += MAX_N) { /* every half */
        for (size_t i = 0; i < MAX_N; i++)
            halves[i] = (uint16_t)(first + i);
        SCALAR.dequant[LLI_F16](WANT, halves, MAX_N);
        WIDE.dequant[LLI_F16](GOT, halves, MAX_N);
        assert_same("dequant", MAX_N, WANT, GOT, MAX_N);
    }
}

/* ---- attention */

enum { MAX_HEAD = 136, MAX_QUERIES = LLI_ATTEND_HEADS, MAX_HEADS = 9, PAGE_BYTES = MAX_HEAD * 16 * 4 };

static const uint32_t KV_TYPES[] = {LLI_F32, LLI_F16, LLI_Q8_0};

enum { N_KV_TYPES = sizeof KV_TYPES / sizeof *KV_TYPES };

static struct split {
    _Alignas(64) uint8_t k[LLI_SPLIT_PAGES][MAX_HEADS * PAGE_BYTES];
    _Alignas(64) uint8_t v[LLI_SPLIT_PAGES][MAX_HEADS * PAGE_BYTES];
} SPLIT;

static void *SCRATCH; /* of the largest head; on the heap, where its end is guarded */

/* Finite values of the type, in all tokens. */
static void fill_split(uint32_t type, size_t n_heads, size_t head_dim, int kind)
{
    for (size_t page = 0; page < LLI_SPLIT_PAGES; page++)
        for (size_t t = 0; t < 16; t++) {
            float k[MAX_HEADS * MAX_HEAD], v[MAX_HEADS * MAX_HEAD];
            for (size_t d = 0; d < n_heads * head_dim; d++) {
                k[d] = kind == ORDINARY ? support_random_float(&seed) : value(kind);
                v[d] = kind == ORDINARY ? support_random_float(&seed) : value(kind);
            }
            SCALAR.kv_store[type](SPLIT.k[page], SPLIT.v[page], k, v, n_heads, head_dim, t);
        }
}

static void check_store(uint32_t type, size_t head_dim, int kind)
{
    static _Alignas(64) uint8_t pages[2][2][MAX_HEADS * PAGE_BYTES + 64];
    size_t n_heads = 1 + head_dim % MAX_HEADS, slot = (size_t)(support_random(&seed) % 16), at = slot % 4 * 16;
    int status[2];
    memset(pages, 0x5a, sizeof pages);
    fill(X, AREA, kind);
    fill(Y, AREA, kind);
    if (support_random(&seed) % 2 == 0) /* around what F16 and its scales hold */
        for (size_t i = 0; i < n_heads * head_dim; i++)
            X[i] = (i % 2 ? 65519.0f : 65520.0f * 127) + (float)(support_random(&seed) % 3);
    for (size_t i = 0; i < 2; i++)
        status[i] =
            (i ? WIDE : SCALAR).kv_store[type](pages[i][0] + at, pages[i][1] + at, X + slot, Y + slot, n_heads, head_dim, slot);
    assert_int_equal(status[0], status[1]);
    assert_same_bytes("kv_store", head_dim, pages[0], pages[1], sizeof pages[0]);
}

static void test_store(void **state)
{
    (void)state;
    seed = 13;
    for (size_t t = 0; t < N_KV_TYPES; t++)
        for (size_t head_dim = 1; head_dim <= MAX_HEAD; head_dim++)
            for (int kind = 0; kind < N_KINDS; kind++)
                check_store(KV_TYPES[t], head_dim, kind);
}

/* What queries may see: all, up to themselves, a window, one position. */
static void choose_range(struct lli_query *u, size_t i, size_t mode)
{
    uint32_t a = (uint32_t)(support_random(&seed) % LLI_SPLIT_TOKENS), b = (uint32_t)(support_random(&seed) % LLI_SPLIT_TOKENS);
    u->first = mode == 0 || mode == 1 ? 0 : a < b ? a : b;
    u->last = mode == 0 ? LLI_SPLIT_TOKENS : mode == 1 ? 1 + (uint32_t)(20 * mode + i) : (a < b ? b : a) + 1;
    if (mode == 3)
        u->last = u->first + 1;
    u->slope = i % 3 == 1 ? 0.0f : 1.0f / (float)(1 << i % 9);
    u->pos = (float)(support_random(&seed) % 100000);
    if (mode == 1)
        u->slope = 0;
}

static void check_attend(uint32_t type, size_t head_dim, size_t n_heads, size_t n_queries, size_t mode, int kind)
{
    struct lli_query queries[2][MAX_QUERIES];
    struct lli_attend a = {.n_heads = n_heads, .n_queries = n_queries, .head_dim = head_dim, .scale = 0.3f, .scratch = SCRATCH};
    size_t n = n_heads * n_queries;
    uint32_t from = LLI_SPLIT_TOKENS, to = 0;
    static const float caps[] = {0, 0, 2, 50};
    a.softcap = caps[support_random(&seed) % 4];
    poison();
    fill(X, AREA, kind);
    for (size_t i = 0; i < n; i++) {
        struct lli_query *u = &queries[0][i];
        choose_range(u, i, mode);
        from = u->first < from ? u->first : from;
        to = u->last > to ? u->last : to;
        u->q = X + i * head_dim + i % 3;
        queries[1][i] = *u;
        u->o = WANT + 1 + i * (head_dim + 1); /* a number between two rows stays */
        queries[1][i].o = GOT + 1 + i * (head_dim + 1);
    }
    for (size_t page = from / 16; page < (to + 15) / 16; page++) {
        a.k[page] = SPLIT.k[page];
        a.v[page] = SPLIT.v[page];
        a.next[page] = mode == 0 ? SPLIT.k[0] : NULL;
    }
    a.queries = queries[0];
    SCALAR.attend[type](&a);
    a.queries = queries[1];
    WIDE.attend[type](&a);
    for (size_t i = 0; i < n; i++) {
        const struct lli_query *want = &queries[0][i], *got = &queries[1][i];
        assert_same("attend's sum", head_dim, &want->l, &got->l, 1);
        assert_true(want->m == got->m || isnan(want->l)); /* of two zeros either is the greatest */
    }
    assert_same("attend", head_dim, WANT, GOT, AREA);
}

static void test_attend(void **state)
{
    static const size_t head_dims[] = {1, 2, 7, 15, 16, 17, 31, 32, 33, 48, 63, 64, 80, 96, 100, 128, MAX_HEAD};
    (void)state;
    seed = 11;
    for (size_t t = 0; t < N_KV_TYPES; t++)
        for (size_t h = 0; h < sizeof head_dims / sizeof *head_dims; h++)
            for (int kind = 0; kind < N_KINDS; kind++) {
                size_t step = kind == ORDINARY ? 1 : 12;
                fill_split(KV_TYPES[t], 1, head_dims[h], kind == ANY ? ORDINARY : kind);
                for (size_t n = 1; n <= MAX_QUERIES; n += n < 14 ? step : 12)
                    for (size_t mode = n % step % 2; mode < 5; mode += kind == ORDINARY && n < 9 ? 1 : 3)
                        check_attend(KV_TYPES[t], head_dims[h], 1, n, mode, kind);
            }
}

/* Several heads in a call: as many as fit, and a pair, with each number of queries that a kernel tells apart. */
static void test_attend_heads(void **state)
{
    static const size_t head_dims[] = {7, 64, 80, MAX_HEAD}, n_queries[] = {1, 2, 3, 4, 5, 7, 8, 11, 16};
    (void)state;
    seed = 12;
    for (size_t t = 0; t < N_KV_TYPES; t++)
        for (size_t h = 0; h < sizeof head_dims / sizeof *head_dims; h++)
            for (int kind = 0; kind < (h == 1 ? N_KINDS : 1); kind++) {
                fill_split(KV_TYPES[t], MAX_HEADS, head_dims[h], kind == ANY ? ORDINARY : kind);
                for (size_t i = 0; i < sizeof n_queries / sizeof *n_queries; i++) {
                    size_t most = LLI_ATTEND_HEADS / n_queries[i] < MAX_HEADS ? LLI_ATTEND_HEADS / n_queries[i] : MAX_HEADS;
                    check_attend(KV_TYPES[t], head_dims[h], most, n_queries[i], (i + h) % 5, kind);
                    check_attend(KV_TYPES[t], head_dims[h], 2, n_queries[i], (i + h + 1) % 5, kind);
                }
            }
}

/* ---- each test with each instruction set */

static int take(void **state)
{
    const struct isa *isa = *state;
    if (!SCRATCH)
        SCRATCH = aligned_alloc(64, lli_attend_scratch(MAX_HEAD) / 64 * 64 + 64);
    assert_non_null(SCRATCH);
    lli_fill_scalar(&SCALAR);
    lli_fill_scalar(&WIDE);
    isa->fill(&WIDE);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_elements, take),     cmocka_unit_test_setup(test_norms, take),
        cmocka_unit_test_setup(test_sums, take),         cmocka_unit_test_setup(test_merge, take),
        cmocka_unit_test_setup(test_exp, take),          cmocka_unit_test_setup(test_rope, take),
        cmocka_unit_test_setup(test_quantise, take),     cmocka_unit_test_setup(test_dequant, take),
        cmocka_unit_test_setup(test_store, take),        cmocka_unit_test_setup(test_attend, take),
        cmocka_unit_test_setup(test_attend_heads, take),
    };
    return run_on_isas(tests, sizeof tests / sizeof *tests);
}
