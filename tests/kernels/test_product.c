/* The products of every build of the vector kernels against the scalar ones, bit for bit: all types, odd sizes, ranges of
 * rows, weights in any alignment, activations and scales at their ends, margins of the outputs untouched. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/pack.h"
#include "backend/scalar/scalar.h"
#include "base/half.h"
#include "kernels/isas.h"
#include "support/support.h"

static const uint32_t TYPES[] = {LLI_F32,  LLI_F16,  LLI_BF16, LLI_Q8_0, LLI_Q4_0, LLI_Q4_1,   LLI_Q5_0,   LLI_Q5_1,
                                 LLI_Q2_K, LLI_Q3_K, LLI_Q4_K, LLI_Q5_K, LLI_Q6_K, LLI_IQ4_NL, LLI_IQ4_XS, LLI_MXFP4};

enum { N_TYPES = sizeof TYPES / sizeof *TYPES, UNTOUCHED = -12345 };

static uint64_t seed;

/* How far the numbers go. */
enum manner { ORDINARY, EXTREME, N_MANNERS };

static uint16_t scale_of(int manner)
{
    static const uint16_t ends[] = {0x0001, 0x8001, 0x03ff, 0x0400, 0x7bff, 0xfbff, 0x0000, 0x8000, 0x3c00};
    if (manner == EXTREME)
        return ends[support_random(&seed) % (sizeof ends / sizeof *ends)];
    return lli_half_from_f32(support_random_float(&seed) / 64);
}

/* Bytes of a block: extreme ones are all the least or all the greatest codes. */
static uint8_t byte_of(int manner)
{
    static const uint8_t ends[] = {0x00, 0x80, 0x7f, 0xff};
    uint64_t random = support_random(&seed);
    return manner == EXTREME ? ends[random % 4] : (uint8_t)random;
}

static uint8_t *make_rows(const struct lli_dtype *type, size_t n_out, size_t n_in, int manner)
{
    static const uint8_t exponents[] = {0, 1, 2, 3, 100, 127, 200, 254}; /* MXFP4's scales: bytes */
    size_t n_blocks = n_out * (n_in / type->block);
    uint8_t *rows = malloc(n_blocks * type->block_bytes), *at = rows;
    assert_non_null(rows);
    for (size_t b = 0; b < n_blocks; b++, at += type->block_bytes) {
        float x = support_random_float(&seed);
        uint16_t half = type->id == LLI_BF16 ? lli_bf16_from_f32(x)
                        : manner == EXTREME  ? scale_of(EXTREME)
                                             : lli_half_from_f32(x);
        for (size_t i = 0; i < type->block_bytes; i++)
            at[i] = byte_of(manner);
        for (int s = 0; s < 2 && !type->is_float; s++) {
            uint16_t scale = scale_of(manner);
            if (type->id == LLI_MXFP4)
                at[0] = manner == EXTREME ? exponents[support_random(&seed) % 8] : (uint8_t)(118 + support_random(&seed) % 4);
            else if (type->scale_at[s] >= 0)
                memcpy(at + type->scale_at[s], &scale, sizeof scale);
        }
        if (type->id == LLI_F32)
            memcpy(at, &x, sizeof x);
        else if (type->is_float)
            memcpy(at, &half, sizeof half);
    }
    return rows;
}

/* Everything of one product; blocks of memory are as large as they must be, so that sanitizers see each step aside. */
struct work {
    const struct lli_dtype *type;
    size_t n_in, n_out, n_rows;
    uint8_t *rows, *packed;
    size_t packed_bytes;
    float *x, *want, *got;
    struct lli_q8 *q8;
    void *scratch;
};

static void make_activations(struct work *w, const struct lli_kernels *scalar, int manner)
{
    size_t n = w->n_rows * w->n_in;
    w->x = malloc(n * sizeof *w->x);
    assert_non_null(w->x);
    for (size_t i = 0; i < n; i++) {
        float x = support_random_float(&seed);
        w->x[i] = manner == EXTREME ? (x < 0 ? -1.0f : 1.0f) : i / 32 % 5 == 4 ? 0.0f : x * (float)(1 + i % 7);
    }
    if (w->type->is_float)
        return;
    w->q8 = malloc(n / 32 * sizeof *w->q8);
    assert_non_null(w->q8);
    for (size_t i = 0; i < w->n_rows; i++)
        assert_int_equal(scalar->quantise(w->q8 + i * lli_q8_blocks(w->n_in), w->x + i * w->n_in, w->n_in), 0);
}

static void make(struct work *w, const struct isa *isa, const struct lli_kernels *scalar, int manner)
{
    size_t n = w->n_rows * w->n_out;
    w->packed_bytes = lli_pack_groups(isa->lanes, w->n_out) * lli_pack_group_bytes(w->type, isa->lanes, w->n_in);
    w->rows = make_rows(w->type, w->n_out, w->n_in, manner);
    w->packed = malloc(w->packed_bytes);
    w->want = malloc(n * sizeof *w->want);
    w->got = malloc(n * sizeof *w->got);
    w->scratch = aligned_alloc(64, LLI_MATMUL_SCRATCH);
    assert_true(w->packed && w->want && w->got && w->scratch);
    assert_int_equal(lli_pack_rows(w->packed, w->type, isa->lanes, w->rows, lli_dtype_row_bytes(w->type, w->n_in), w->n_out,
                                   w->n_in, 0, lli_pack_groups(isa->lanes, w->n_out)),
                     -1);
    make_activations(w, scalar, manner);
}

static void drop(struct work *w)
{
    free(w->rows);
    free(w->packed);
    free(w->want);
    free(w->got);
    free(w->x);
    free(w->scratch);
    free(w->q8);
}

static void assert_same(const struct work *w, const struct isa *isa)
{
    for (size_t i = 0; i < w->n_rows * w->n_out; i++)
        if (lli_bits_of(w->got[i]) != lli_bits_of(w->want[i]) && !(isnan(w->got[i]) && isnan(w->want[i])))
            fail_msg("%s %s: n_in %zu, n_out %zu, row %zu of %zu, output %zu: %a, want %a", isa->name, w->type->name, w->n_in,
                     w->n_out, i / w->n_out, w->n_rows, i % w->n_out, (double)w->got[i], (double)w->want[i]);
}

/* Outputs first .. last - 1; the rest of both results stays as it was. */
static void multiply(struct work *w, const struct lli_kernels *scalar, const struct lli_kernels *wide, size_t first,
                     size_t last)
{
    struct lli_product p = {.out = w->want,
                            .out_stride = w->n_out,
                            .weights = w->rows,
                            .n_in = w->n_in,
                            .n_rows = w->n_rows,
                            .x = w->x,
                            .q8 = w->q8};
    for (size_t i = 0; i < w->n_rows * w->n_out; i++)
        w->want[i] = w->got[i] = UNTOUCHED;
    scalar->matmul[w->type->id](&p, first, last);
    p.out = w->got;
    p.weights = w->packed;
    p.scratch = w->scratch;
    wide->matmul[w->type->id](&p, first, last);
}

static void check(const struct isa *isa, const struct lli_dtype *type, size_t n_in, size_t n_out, size_t n_rows, int manner)
{
    struct lli_kernels scalar, wide;
    struct work w = {.type = type, .n_in = n_in, .n_out = n_out, .n_rows = n_rows};
    lli_fill_scalar(&scalar);
    isa->fill(&wide);
    make(&w, isa, &scalar, manner);
    multiply(&w, &scalar, &wide, 0, n_out);
    assert_same(&w, isa);
    if (n_out > 2 * LLI_MATMUL_STEP) {
        multiply(&w, &scalar, &wide, LLI_MATMUL_STEP, 2 * LLI_MATMUL_STEP);
        assert_same(&w, isa);
    }
    drop(&w);
}

static void check_type(const struct isa *isa, const struct lli_dtype *type)
{
    static const size_t outs[] = {1, 7, 16, 17, 31, 33, 65, 100}, rows[] = {1, 2, 3, 4, 5, 6, 7, 11, 13, 16};
    static const size_t blocks[] = {1, 2, 3, 7, 8, 9, 17}, floats[] = {1, 31, 32, 33, 255, 300, 513};
    size_t n_blocks = type->block == 256 ? 4 : sizeof blocks / sizeof *blocks;
    for (size_t o = 0; o < sizeof outs / sizeof *outs; o++)
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            for (int manner = 0; manner < N_MANNERS; manner++) {
                size_t i = (o + 3 * r) % n_blocks;
                check(isa, type, type->is_float ? floats[i] : blocks[i] * type->block, outs[o], rows[r], manner);
            }
    /* Past the rows that share an expanded chunk; segments of more than a chunk of blocks. */
    check(isa, type, type->is_float ? 64 : type->block, 40, 395, ORDINARY);
    check(isa, type, 4864, 33, 9, ORDINARY);
    check(isa, type, 4864, 16, 1, ORDINARY);
}

static void test_products(void **state)
{
    seed = 7;
    for (size_t t = 0; t < N_TYPES; t++)
        check_type(*state, lli_dtype_find(TYPES[t]));
}

/* Weights of the least int8, -128, which no quantiser writes but a file may hold. */
static void test_least_byte(void **state)
{
    const struct lli_dtype *type = lli_dtype_find(LLI_Q8_0);
    const struct isa *isa = *state;
    struct lli_kernels scalar, wide;
    struct work w = {.type = type, .n_in = 256, .n_out = 24, .n_rows = 3};
    lli_fill_scalar(&scalar);
    isa->fill(&wide);
    make(&w, isa, &scalar, EXTREME);
    for (size_t b = 0; b < w.n_out * w.n_in / 32; b++)
        memset(w.rows + b * 34 + 2, 0x80, 32);
    assert_int_equal(lli_pack_rows(w.packed, type, isa->lanes, w.rows, lli_dtype_row_bytes(type, w.n_in), w.n_out, w.n_in, 0,
                                   lli_pack_groups(isa->lanes, w.n_out)),
                     -1);
    multiply(&w, &scalar, &wide, 0, w.n_out);
    assert_same(&w, isa);
    drop(&w);
}

/* ---- parts of K: every rank's subtree, and the top of the tree (numerics.md) */

/* The activations of elements first .. first + n - 1, row by row: in memory of their own. */
static void cut_activations(struct lli_product *p, const struct work *w, size_t first, size_t n)
{
    float *x = malloc(w->n_rows * n * sizeof *x + 1);
    struct lli_q8 *q8 = malloc(w->n_rows * lli_q8_blocks(n) * sizeof *q8 + 1);
    assert_true(x && q8);
    for (size_t i = 0; i < w->n_rows; i++) {
        memcpy(x + i * n, w->x + i * w->n_in + first, n * sizeof *x);
        if (w->q8)
            memcpy(q8 + i * (n / 32), w->q8 + i * (w->n_in / 32) + first / 32, n / 32 * sizeof *q8);
    }
    p->x = x;
    p->q8 = q8;
}

/* Part i of n, by the scalar kernels out of the file's rows, or by the others out of a packing of the part alone. */
static void multiply_part(const struct work *w, const struct isa *isa, const struct lli_kernels *kernels, size_t i, size_t n,
                          float *out)
{
    size_t first = lli_segment_cut(w->n_in, 8 / n * i), n_in = lli_segment_cut(w->n_in, 8 / n * (i + 1)) - first;
    size_t block = w->type->block, row_bytes = lli_dtype_row_bytes(w->type, w->n_in), from = first / block * block;
    size_t n_packed = (first - from + n_in + block - 1) / block * block,
           n_groups = isa ? lli_pack_groups(isa->lanes, w->n_out) : 0;
    const uint8_t *rows = w->rows + lli_dtype_row_bytes(w->type, from);
    struct lli_product p = {.out = out, .out_stride = w->n_out, .weights = rows, .n_in = n_in, .n_rows = w->n_rows};
    uint8_t *packed = isa ? malloc(n_groups * lli_pack_group_bytes(w->type, isa->lanes, n_packed) + 1) : NULL;
    p.subtree = (struct lli_subtree){(uint32_t)w->n_in, (uint8_t)(8 / n * i), (uint8_t)(8 / n), (uint8_t)((first - from) / 32)};
    p.scratch = w->scratch;
    cut_activations(&p, w, first, n_in);
    if (isa) {
        assert_int_equal(lli_pack_rows(packed, w->type, isa->lanes, rows, row_bytes, w->n_out, n_packed, 0, n_groups), -1);
        p.weights = packed;
    }
    kernels->matmul[w->type->id](&p, 0, w->n_out);
    free((void *)(uintptr_t)p.x);
    free((void *)(uintptr_t)p.q8);
    free(packed);
}

/* Neighbours are added until one is left. */
static void join_parts(float **parts, size_t n, size_t n_floats)
{
    for (; n > 1; n /= 2)
        for (size_t i = 0; i < n / 2; i++)
            for (size_t j = 0; j < n_floats; j++)
                parts[i][j] = parts[2 * i][j] + parts[2 * i + 1][j];
}

static void check_parts(const struct isa *isa, const struct lli_dtype *type, size_t n_in, size_t n_out, size_t n_rows)
{
    struct lli_kernels scalar, wide;
    struct work w = {.type = type, .n_in = n_in, .n_out = n_out, .n_rows = n_rows};
    float *parts[8];
    lli_fill_scalar(&scalar);
    isa->fill(&wide);
    make(&w, isa, &scalar, ORDINARY);
    multiply(&w, &scalar, &wide, 0, n_out);
    for (size_t i = 0; i < 8; i++)
        assert_non_null(parts[i] = malloc(n_rows * n_out * sizeof **parts));
    for (size_t n = 2; n <= 8; n *= 2)
        for (int is_wide = 0; is_wide < 3; is_wide++) { /* 2: of both kinds in turn */
            for (size_t i = 0; i < n; i++) {
                int packed = is_wide == 2 ? (int)(i & 1) : is_wide;
                multiply_part(&w, packed ? isa : NULL, packed ? &wide : &scalar, i, n, parts[i]);
            }
            join_parts(parts, n, n_rows * n_out);
            memcpy(w.got, parts[0], n_rows * n_out * sizeof *w.got);
            assert_same(&w, isa);
        }
    for (size_t i = 0; i < 8; i++)
        free(parts[i]);
    drop(&w);
}

static void test_parts(void **state)
{
    static const size_t rows[] = {1, 2, 5, 13, 40}, blocks[] = {1, 2, 3, 8, 9, 27, 86}, floats[] = {1, 37, 64, 288, 300, 896};
    seed = 11;
    for (size_t t = 0; t < N_TYPES; t++) {
        const struct lli_dtype *type = lli_dtype_find(TYPES[t]);
        size_t n = type->is_float ? 6 : type->block == 256 ? 5 : 7;
        for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
            for (size_t i = r % 2; i < n; i += 2)
                check_parts(*state, type, type->is_float ? floats[i] : blocks[i] * type->block, 33, rows[r]);
        check_parts(*state, type, 4864, 17, 200);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_products), cmocka_unit_test(test_least_byte),
                                       cmocka_unit_test(test_parts)};
    return run_on_isas(tests, sizeof tests / sizeof *tests);
}
