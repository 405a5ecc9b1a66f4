/* The scalar kernels against what the formats' specification and plain double arithmetic say, and the two builds of them
 * against each other, bit for bit. */
#include <math.h>
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
#include "base/half.h"
#include "base/mathx.h"
#include "support/support.h"

enum { MAX_K = 2048 };

static const uint32_t TYPES[] = {LLI_F32,  LLI_F16,  LLI_BF16, LLI_Q8_0, LLI_Q4_0, LLI_Q4_1,   LLI_Q5_0,   LLI_Q5_1,
                                 LLI_Q2_K, LLI_Q3_K, LLI_Q4_K, LLI_Q5_K, LLI_Q6_K, LLI_IQ4_NL, LLI_IQ4_XS, LLI_MXFP4};

enum { N_TYPES = sizeof TYPES / sizeof *TYPES };

/* The plain build, and the one with hardware fma where the CPU has it. */
static struct lli_kernels TABLES[2];
static size_t n_tables;

static uint64_t seed;

static float noise(void)
{
    return support_random_float(&seed);
}

static int set_up(void **state)
{
    uint64_t needs = LLI_CPU_AVX2 | LLI_CPU_FMA | LLI_CPU_F16C;
    (void)state;
    seed = 1;
    lli_fill_scalar(&TABLES[n_tables++]);
    if ((lli_cpu_features() & needs) == needs)
        lli_fill_scalar_fma(&TABLES[n_tables++]);
    return 0;
}

static void assert_close(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.9g, want %.9g within %.3g", got, want, tolerance);
}

/* Bits, but a NaN is a NaN. */
static void assert_same(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (lli_bits_of(a[i]) != lli_bits_of(b[i]) && !(isnan(a[i]) && isnan(b[i])))
            fail_msg("element %zu: %a and %a", i, (double)a[i], (double)b[i]);
}

/* ---- the formats, element by element, as ggml's specification has them */

static double half_in(const uint8_t *at)
{
    uint16_t h;
    memcpy(&h, at, sizeof h);
    return (double)lli_half_to_f32(h);
}

static int nibble(const uint8_t *bytes, int i) /* of 32 */
{
    return i < 16 ? bytes[i] & 15 : bytes[i - 16] >> 4;
}

static int fifth(const uint8_t *bytes, int i)
{
    return bytes[i / 8] >> i % 8 & 1;
}

/* Q4_K, Q5_K: six-bit scale (which = 0) or minimum (4) of group g of 32. */
static int six_bits(const uint8_t *s, int g, int which)
{
    if (g < 4)
        return s[g + which] & 63;
    return (which ? s[g + 4] >> 4 : s[g + 4] & 15) + 16 * (s[g - 4 + which] >> 6);
}

static int scale_of_q3(const uint8_t *s, int g) /* of 16 */
{
    int low = g < 8 ? s[g] & 15 : s[g - 8] >> 4;
    return low + 16 * (s[8 + g % 4] >> 2 * (g / 4) & 3) - 32;
}

static int worth(int index)
{
    static const int values[16] = {-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113};
    return values[index];
}

/* IQ4_XS: two of the high bits stand in a word of 16, first group lowest. */
static int scale_of_xs(const uint8_t *b, int g) /* of 32 */
{
    int high = b[2] + 256 * b[3];
    return (b[4 + g / 2] >> (g % 2 ? 4 : 0) & 15) + 16 * (high >> 2 * g & 3) - 32;
}

static double element(uint32_t type, const uint8_t *b, int i)
{
    int g = i / 32, two = (i % 128) / 32 * 2, pair = i / 128 * 32 + i % 32;
    float f;
    switch (type) {
    case LLI_F32:
        memcpy(&f, b, sizeof f);
        return (double)f;
    case LLI_F16:
        return half_in(b);
    case LLI_BF16:
        return (double)lli_float_of((uint32_t)b[1] << 24 | (uint32_t)b[0] << 16);
    case LLI_Q8_0:
        return half_in(b) * (int8_t)b[2 + i];
    case LLI_Q4_0:
        return half_in(b) * (nibble(b + 2, i) - 8);
    case LLI_Q4_1:
        return half_in(b) * nibble(b + 4, i) + half_in(b + 2);
    case LLI_Q5_0:
        return half_in(b) * (nibble(b + 6, i) + 16 * fifth(b + 2, i) - 16);
    case LLI_Q5_1:
        return half_in(b) * (nibble(b + 8, i) + 16 * fifth(b + 4, i)) + half_in(b + 2);
    case LLI_Q2_K:
        return half_in(b + 80) * (b[i / 16] & 15) * (b[16 + pair] >> two & 3) - half_in(b + 82) * (b[i / 16] >> 4);
    case LLI_Q3_K:
        return half_in(b + 108) * scale_of_q3(b + 96, i / 16) * ((b[32 + pair] >> two & 3) - (b[i % 32] >> g & 1 ? 0 : 4));
    case LLI_Q4_K:
        return half_in(b) * six_bits(b + 4, g, 0) * (b[16 + i / 64 * 32 + i % 32] >> i / 32 % 2 * 4 & 15) -
               half_in(b + 2) * six_bits(b + 4, g, 4);
    case LLI_Q5_K:
        return half_in(b) * six_bits(b + 4, g, 0) *
                   ((b[48 + i / 64 * 32 + i % 32] >> i / 32 % 2 * 4 & 15) + 16 * (b[16 + i % 32] >> g & 1)) -
               half_in(b + 2) * six_bits(b + 4, g, 4);
    case LLI_IQ4_NL:
        return half_in(b) * worth(nibble(b + 2, i));
    case LLI_MXFP4: /* sign, two bits of exponent with bias 1, one of mantissa, all times 2^(e - 127) */
        g = nibble(b + 1, i);
        return ldexp((g & 8 ? -1 : 1) * ((g & 6) == 0 ? 0.5 * (g & 1) : ldexp(1 + 0.5 * (g & 1), (g >> 1 & 3) - 1)),
                     b[0] - 127);
    case LLI_IQ4_XS:
        return half_in(b) * scale_of_xs(b, g) * worth(nibble(b + 8 + 16 * g, i % 32));
    default: /* Q6_K */
        return half_in(b + 208) * (int8_t)b[192 + i / 16] *
               ((b[i / 128 * 64 + i % 64] >> i % 128 / 64 * 4 & 15) + 16 * (b[128 + pair] >> two & 3) - 32);
    }
}

/* Random weights [n_out, n_in], one byte off any alignment; scales are ordinary numbers. */
static uint8_t *make_weights(const struct lli_dtype *type, size_t n_out, size_t n_in)
{
    size_t n_blocks = n_out * n_in / type->block;
    uint8_t *memory = malloc(1 + n_blocks * type->block_bytes), *at = memory + 1;
    assert_non_null(memory);
    for (size_t b = 0; b < n_blocks; b++, at += type->block_bytes) {
        float x = noise();
        uint16_t half = type->id == LLI_BF16 ? lli_bf16_from_f32(x) : lli_half_from_f32(x);
        for (size_t i = 0; i < type->block_bytes; i++)
            at[i] = (uint8_t)support_random(&seed);
        if (type->id == LLI_F32)
            memcpy(at, &x, sizeof x);
        else if (type->is_float)
            memcpy(at, &half, sizeof half);
        for (int s = 0; s < 2 && !type->is_float; s++) {
            uint16_t scale = lli_half_from_f32(noise() / 64);
            if (type->id == LLI_MXFP4)
                at[0] = (uint8_t)(118 + support_random(&seed) % 4);
            else if (type->scale_at[s] >= 0)
                memcpy(at + type->scale_at[s], &scale, sizeof scale);
        }
    }
    return memory;
}

static double weight_at(const struct lli_dtype *type, const uint8_t *weights, size_t n_in, size_t o, size_t k)
{
    const uint8_t *row = weights + o * (n_in / type->block) * type->block_bytes;
    return element(type->id, row + k / type->block * type->block_bytes, (int)(k % type->block));
}

static void test_dequant(void **state)
{
    static float out[2][MAX_K];
    (void)state;
    for (size_t t = 0; t < N_TYPES; t++) {
        const struct lli_dtype *type = lli_dtype_find(TYPES[t]);
        size_t n = 3 * type->block;
        uint8_t *w = make_weights(type, 1, n);
        for (size_t b = 0; b < n_tables; b++)
            TABLES[b].dequant[type->id](out[b], w + 1, n);
        for (size_t k = 0; k < n; k++) {
            double want = weight_at(type, w + 1, n, 0, k);
            assert_close((double)out[0][k], want, type->is_float ? 0 : 4e-7 * (fabs(want) + 0.25));
        }
        for (size_t b = 1; b < n_tables; b++)
            assert_same(out[0], out[b], n);
        free(w);
    }
}

static void test_dequant_f16_all(void **state)
{
    static uint16_t halves[65536];
    static float out[65536];
    (void)state;
    for (size_t i = 0; i < 65536; i++)
        halves[i] = (uint16_t)i;
    for (size_t b = 0; b < n_tables; b++) {
        TABLES[b].dequant[LLI_F16](out, halves, 65536);
        for (size_t i = 0; i < 65536; i++) {
            float want = lli_half_to_f32((uint16_t)i);
            assert_same(&out[i], &want, 1);
        }
    }
}

/* ---- activations */

/* Memory for rows of q8. */
static struct lli_q8 *make_q8(size_t n_rows, size_t n)
{
    struct lli_q8 *a = malloc((n_rows * n / 32 + 1) * sizeof *a);
    assert_non_null(a);
    return a;
}

static void test_quantise(void **state)
{
    float x[96] = {0}, wild[32];
    (void)state;
    for (size_t i = 0; i < 32; i++)
        x[i] = (float)i - 16; /* a = 16: q = rint(x * 7.9375) */
    x[32] = 127;              /* a scale of one: ties go to even */
    x[33] = 0.5f;
    x[34] = 1.5f;
    x[35] = -2.5f;
    x[64] = 0x1p-101f; /* below 2^-100 */
    for (size_t b = 0; b < n_tables; b++) {
        struct lli_q8 *a = make_q8(1, 96);
        int sum = 0;
        assert_int_equal(TABLES[b].quantise(a, x, 96), 0);
        for (size_t i = 0; i < 32; i++) {
            assert_int_equal(a[0].q[i], (int)rint((i - 16.0) * 127 / 16));
            sum += a[0].q[i];
        }
        assert_true(a[0].d == 16.0f / 127);
        assert_true(a[0].sx == (float)sum * a[0].d);
        assert_int_equal(a[0].minus_sums[0] + a[0].minus_sums[1], -sum);
        assert_int_equal(a[0].minus_8_sum, -8 * sum);
        assert_int_equal(a[1].q[0], 127);
        assert_int_equal(a[1].q[1], 0);
        assert_int_equal(a[1].q[2], 2);
        assert_int_equal(a[1].q[3], -2);
        assert_int_equal(a[1].minus_sums[0], -127);
        assert_int_equal(a[2].q[0], 0);
        assert_true(a[2].d == 0 && a[2].sx == 0 && a[2].minus_sums[0] == 0);
        for (size_t i = 0; i < 32; i++)
            wild[i] = i == 7 ? -INFINITY : 1;
        assert_int_equal(TABLES[b].quantise(a, wild, 32), -1);
        assert_true(a[0].q[0] == 0 && a[0].d == 0 && a[0].sx == 0 && a[0].minus_sums[0] == 0 && a[0].minus_8_sum == 0);
        wild[7] = NAN;
        assert_int_equal(TABLES[b].quantise(a, wild, 32), -1);
        wild[7] = 3.4e38f;
        assert_int_equal(TABLES[b].quantise(a, wild, 32), 0);
        assert_int_equal(a[0].q[7], 127);
        free(a);
    }
}

/* ---- products */

struct shape {
    size_t n_in, n_out, n_rows;
};

/* One product by both builds, checked against double sums. */
static void check_product(const struct lli_dtype *type, struct shape s)
{
    size_t first = s.n_out > 3 ? 1 : 0, last = s.n_out > 3 ? s.n_out - 1 : s.n_out, n = s.n_rows * s.n_out;
    uint8_t *w = make_weights(type, s.n_out, s.n_in);
    float *x = malloc(s.n_rows * s.n_in * sizeof *x), *out[2];
    struct lli_q8 *a = make_q8(s.n_rows, (s.n_in + 31) / 32 * 32);
    assert_non_null(x);
    for (size_t i = 0; i < s.n_rows * s.n_in; i++)
        x[i] = noise() * (float)(1 + i % 7);
    for (size_t b = 0; b < n_tables; b++) {
        struct lli_product p = {.out_stride = s.n_out, .weights = w + 1, .n_in = s.n_in, .n_rows = s.n_rows, .x = x, .q8 = a};
        assert_non_null(p.out = out[b] = malloc(n * sizeof *x));
        for (size_t i = 0; i < n; i++)
            out[b][i] = -12345;
        for (size_t i = 0; i < s.n_rows && !type->is_float; i++)
            assert_int_equal(TABLES[b].quantise(a + i * lli_q8_blocks(s.n_in), x + i * s.n_in, s.n_in), 0);
        TABLES[b].matmul[type->id](&p, first, last);
    }
    for (size_t i = 0; i < s.n_rows; i++)
        for (size_t o = 0; o < s.n_out; o++) {
            double sum = 0, size = 0;
            for (size_t k = 0; k < s.n_in; k++) {
                double input = type->is_float ? (double)x[i * s.n_in + k]
                                              : (double)a[(i * s.n_in + k) / 32].d * a[(i * s.n_in + k) / 32].q[k % 32];
                double term = weight_at(type, w + 1, s.n_in, o, k) * input;
                sum += term;
                size += fabs(term);
            }
            if (o < first || o >= last)
                assert_true(out[0][i * s.n_out + o] == -12345);
            else
                assert_close((double)out[0][i * s.n_out + o], sum, 1e-5 * size);
        }
    for (size_t b = 1; b < n_tables; b++)
        assert_same(out[0], out[b], n);
    for (size_t b = 0; b < n_tables; b++)
        free(out[b]);
    free(a);
    free(x);
    free(w);
}

static void test_matmul(void **state)
{
    static const struct shape float_shapes[] = {{1, 1, 1},    {31, 7, 2},  {32, 8, 1},  {33, 9, 5},
                                                {288, 17, 3}, {300, 4, 9}, {515, 3, 1}, {64, 40, 4}};
    static const struct shape shapes[] = {{1, 1, 1}, {1, 5, 17}, {2, 9, 3}, {3, 2, 16}, {9, 4, 1}, {8, 3, 33}};
    (void)state;
    for (size_t t = 0; t < N_TYPES; t++) {
        const struct lli_dtype *type = lli_dtype_find(TYPES[t]);
        if (type->is_float)
            for (size_t i = 0; i < sizeof float_shapes / sizeof *float_shapes; i++)
                check_product(type, float_shapes[i]);
        else
            for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) /* n_in in blocks */
                check_product(type, (struct shape){shapes[i].n_in * type->block, shapes[i].n_out, shapes[i].n_rows});
    }
}

/* The order of the sum, literally: eight segments of blocks, terms ascending, the tree. */
static float tree(const float s[8])
{
    return ((s[0] + s[1]) + (s[2] + s[3])) + ((s[4] + s[5]) + (s[6] + s[7]));
}

static void test_order_of_sums(void **state)
{
    enum { K = 32 * 21 };
    float x[K], w[K], out;
    uint8_t blocks[K / 32 * 34];
    struct lli_q8 *a = make_q8(1, K);
    struct lli_product p = {.out = &out, .out_stride = 1, .n_in = K, .n_rows = 1, .x = x, .q8 = a};
    (void)state;
    for (size_t k = 0; k < K; k++) {
        x[k] = noise();
        w[k] = noise();
    }
    for (size_t i = 0; i < sizeof blocks; i++)
        blocks[i] = (uint8_t)support_random(&seed);
    for (size_t b = 0; b < K / 32; b++)
        memcpy(blocks + 34 * b, (uint16_t[]){lli_half_from_f32(noise())}, 2);
    assert_int_equal(TABLES[0].quantise(a, x, K), 0);
    for (size_t n = 1; n <= K; n += n % 32 == 0 || n % 32 == 31 ? 1 : 31 - n % 32) {
        float leaf[8] = {0}, want;
        size_t n_blocks = (n + 31) / 32;
        for (size_t s = 0; s < 8; s++)
            for (size_t k = 32 * (s * n_blocks / 8); k < 32 * ((s + 1) * n_blocks / 8) && k < n; k++)
                leaf[s] = fmaf(w[k], x[k], leaf[s]);
        want = tree(leaf);
        for (size_t b = 0; b < n_tables; b++) {
            p.n_in = n;
            p.weights = w;
            TABLES[b].matmul[LLI_F32](&p, 0, 1);
            assert_same(&out, &want, 1);
        }
        memset(leaf, 0, sizeof leaf);
        for (size_t s = 0; s < 8 && n % 32 == 0; s++)
            for (size_t i = s * n_blocks / 8; i < (s + 1) * n_blocks / 8; i++) {
                int32_t idot = 0;
                for (size_t k = 0; k < 32; k++)
                    idot += (int8_t)blocks[34 * i + 2 + k] * a[i].q[k];
                leaf[s] = fmaf((float)idot, (float)half_in(blocks + 34 * i) * a[i].d, leaf[s]);
            }
        want = tree(leaf);
        for (size_t b = 0; b < n_tables && n % 32 == 0; b++) {
            p.weights = blocks;
            TABLES[b].matmul[LLI_Q8_0](&p, 0, 1);
            assert_same(&out, &want, 1);
        }
    }
    free(a);
}

/* ---- sums and elements */

static float literal_sum16(const float *x, size_t n)
{
    float lane[16] = {0};
    for (size_t i = 0; i < n; i++)
        lane[i % 16] += x[i];
    for (int h = 8; h > 0; h /= 2)
        for (int j = 0; j < h; j++)
            lane[j] += lane[j + h];
    return lane[0];
}

enum { NORM, LAYER_NORM, SWIGLU, CLAMPED, GEGLU, GELU, GELU_ERF, CAPPED, MIXED, EXP, N_KINDS };

/* All kernels that see rows, over x, y, gain of n. */
static void check_rows(const struct lli_kernels *kernels, float out[N_KINDS][MAX_K], const float *x, const float *y,
                       const float *gain, size_t n)
{
    double squares = 0, mean = 0, variance = 0;
    float want_sum = literal_sum16(x, n), got_sum = kernels->sum(x, n), max, total;
    assert_same(&got_sum, &want_sum, 1);
    for (size_t i = 0; i < n; i++)
        squares += (double)x[i] * (double)x[i];
    for (size_t i = 0; i < n; i++)
        mean += (double)x[i] / (double)n;
    for (size_t i = 0; i < n; i++)
        variance += ((double)x[i] - mean) * ((double)x[i] - mean) / (double)n;
    kernels->rmsnorm(out[NORM], x, gain, n, 1e-5f);
    kernels->layernorm(out[LAYER_NORM], x, gain, y, n, 1e-3f);
    kernels->swiglu_clamped(out[CLAMPED], x, y, n);
    kernels->geglu(out[GEGLU], x, y, n);
    kernels->gelu(out[GELU], x, n);
    kernels->gelu_erf(out[GELU_ERF], x, n);
    kernels->softcap(out[CAPPED], x, 5, n);
    kernels->scale(out[CAPPED], out[CAPPED], 3, n);
    kernels->swiglu(out[SWIGLU], x, y, n);
    memcpy(out[MIXED], y, n * sizeof *y);
    kernels->add_scaled(out[MIXED], 0.3f, x, n);
    kernels->add(out[MIXED], out[MIXED], gain, n);
    kernels->divide(out[MIXED], out[MIXED], 7, n);
    memcpy(out[EXP], x, n * sizeof *x);
    kernels->exp(out[EXP], n, &max, &total);
    for (size_t i = 0; i < n; i++) {
        double norm = (double)x[i] / sqrt(squares / (double)n + 1e-5) * (double)gain[i];
        double swiglu = (double)x[i] / (1 + exp(-(double)x[i])) * (double)y[i];
        double layer = ((double)x[i] - mean) / sqrt(variance + 1e-3) * (double)gain[i] + (double)y[i];
        double gate = fmin((double)x[i], 7), up = fmax(fmin((double)y[i], 7), -7);
        double tanh_form = 0.5 * (double)x[i] * (1 + tanh(sqrt(2 / 3.14159265358979) * (x[i] + 0.044715 * pow(x[i], 3))));
        double exact = 0.5 * (double)x[i] * erfc(-(double)x[i] / sqrt(2));
        float mixed = (fmaf(0.3f, x[i], y[i]) + gain[i]) / 7;
        assert_close((double)out[NORM][i], norm, 1e-6 * fabs(norm) + 1e-12);
        assert_close((double)out[SWIGLU][i], swiglu, 1e-6 * fabs(swiglu) + 1e-12);
        assert_close((double)out[LAYER_NORM][i], layer, 1e-5);
        assert_close((double)out[CLAMPED][i], gate / (1 + exp(-1.702 * gate)) * (up + 1), 4e-6 * fabs(gate) + 1e-12);
        assert_close((double)out[GELU][i], tanh_form, 4e-7 * fabs((double)x[i]) + 1e-12);
        assert_close((double)out[GELU_ERF][i], exact, 2e-7 * fabs((double)x[i]) + 1e-12);
        assert_close((double)out[GEGLU][i], tanh_form * (double)y[i], 6e-7 * fabs((double)x[i]) + 1e-12);
        assert_close((double)out[CAPPED][i], 15 * tanh((double)x[i] / 5), 4e-6);
        assert_same(&out[MIXED][i], &mixed, 1);
        assert_true(x[i] <= max);
        assert_close((double)out[EXP][i], exp((double)(x[i] - max)), 1e-7 * (double)out[EXP][i] + 1e-27);
    }
    want_sum = literal_sum16(out[EXP], n);
    assert_same(&total, &want_sum, 1);
}

static void test_rows(void **state)
{
    static float x[MAX_K], y[MAX_K], gain[MAX_K], out[2][N_KINDS][MAX_K];
    (void)state;
    for (size_t n = 1; n < 200; n += n < 40 ? 1 : 23) {
        for (size_t i = 0; i < n; i++) {
            x[i] = 8 * noise();
            y[i] = noise();
            gain[i] = noise();
        }
        for (size_t b = 0; b < n_tables; b++) {
            check_rows(&TABLES[b], out[b], x, y, gain, n);
            for (size_t kind = 0; kind < N_KINDS; kind++)
                assert_same(out[0][kind], out[b][kind], n);
        }
    }
}

static void test_finite(void **state)
{
    float x[40] = {0};
    (void)state;
    for (size_t b = 0; b < n_tables; b++) {
        assert_int_equal(TABLES[b].finite(x, 0), 1);
        x[3] = -3.4028234e38f;
        x[39] = 1e-45f;
        assert_int_equal(TABLES[b].finite(x, 40), 1);
        x[39] = NAN;
        assert_int_equal(TABLES[b].finite(x, 40), 0);
        assert_int_equal(TABLES[b].finite(x, 39), 1);
        x[0] = -INFINITY;
        assert_int_equal(TABLES[b].finite(x, 1), 0);
        x[0] = 0;
    }
}

static void test_rope(void **state)
{
    enum { VECTORS = 3, STRIDE = 14, PAIRS = 5 };
    float x[VECTORS * STRIDE], y[2][VECTORS * STRIDE], cosines[PAIRS], sines[PAIRS];
    (void)state;
    for (size_t i = 0; i < VECTORS * STRIDE; i++)
        x[i] = noise();
    for (size_t i = 0; i < PAIRS; i++) {
        cosines[i] = (float)cos((double)i + 1);
        sines[i] = (float)sin((double)i + 1);
    }
    for (int halves = 0; halves < 2; halves++)
        for (size_t b = 0; b < n_tables; b++) {
            lli_rope_fn *rope = halves ? TABLES[b].rope_halves : TABLES[b].rope_adjacent;
            memcpy(y[b], x, sizeof x);
            rope(y[b], VECTORS, STRIDE, cosines, sines, PAIRS);
            for (size_t v = 0; v < VECTORS; v++) {
                const float *from = x + v * STRIDE, *to = y[b] + v * STRIDE;
                for (size_t i = 0; i < PAIRS; i++) {
                    size_t p = halves ? i : 2 * i, q = halves ? i + PAIRS : 2 * i + 1;
                    float first = fmaf(from[p], cosines[i], -(from[q] * sines[i]));
                    float second = fmaf(from[p], sines[i], from[q] * cosines[i]);
                    assert_same(&to[p], &first, 1);
                    assert_same(&to[q], &second, 1);
                }
                assert_same(to + 2 * PAIRS, from + 2 * PAIRS, STRIDE - 2 * PAIRS);
            }
        }
}

/* ---- pages */

/* One number of a head's part of a page of K or V: at = d * 16 + t or t * head_dim + d, block its block's scale. */
static float page_number(uint32_t type, const uint8_t *page, size_t at, size_t head_dim, size_t block)
{
    if (type == LLI_Q8_0)
        return (float)(int8_t)page[at] * (float)half_in(page + 16 * head_dim + 2 * block);
    return type == LLI_F32 ? ((const float *)page)[at] : lli_half_to_f32(((const uint16_t *)page)[at]);
}

static float key_at(uint32_t type, const uint8_t *page, size_t head_dim, size_t t, size_t d)
{
    return page_number(type, page, d * 16 + t, head_dim, d / 32 * 16 + t);
}

static float value_at(uint32_t type, const uint8_t *page, size_t head_dim, size_t t, size_t d)
{
    return page_number(type, page, t * head_dim + d, head_dim, t * ((head_dim + 31) / 32) + d / 32);
}

enum { TOKENS = 41, PAGES = 3, MAX_HEAD = 70, MAX_QUERIES = 20 };

/* What one query sees of one head, literally. page: K or V of all heads. */
static void literal_attend(struct lli_query *u, const struct lli_attend *a, uint32_t type)
{
    float s[TOKENS], lanes[16] = {0};
    u->m = -INFINITY;
    for (size_t t = u->first; t < u->last; t++) {
        s[t] = 0;
        for (size_t d = 0; d < a->head_dim; d++)
            s[t] = fmaf(u->q[d], key_at(type, a->k[t / 16], a->head_dim, t % 16, d), s[t]);
        s[t] *= a->scale;
        if (a->softcap > 0)
            s[t] = a->softcap * lli_tanh_f32(s[t] / a->softcap);
        if (u->slope > 0)
            s[t] = fmaf(u->slope, (float)t - u->pos, s[t]);
        u->m = fmaxf(u->m, s[t]);
    }
    for (size_t t = u->first; t < u->last; t++)
        lanes[t % 16] += s[t] = lli_exp_f32(s[t] - u->m);
    u->l = lli_lanes_sum(lanes);
    for (size_t d = 0; d < a->head_dim; d++) {
        u->o[d] = 0;
        for (size_t t = u->first; t < u->last; t++)
            u->o[d] = fmaf(s[t], value_at(type, a->v[t / 16], a->head_dim, t % 16, d), u->o[d]);
    }
}

/* TOKENS tokens of n_heads heads in pages of K and V, and queries against the last head. */
static void check_pages(uint32_t type, size_t n_heads, size_t head_dim, size_t n_queries, float softcap)
{
    static float k[TOKENS][2 * MAX_HEAD], v[TOKENS][2 * MAX_HEAD], q[MAX_QUERIES * MAX_HEAD];
    static float o[MAX_QUERIES * MAX_HEAD], want[MAX_QUERIES * MAX_HEAD];
    size_t n = n_heads * head_dim, head_bytes = lli_kv_head_bytes(type, head_dim), size = n_heads * head_bytes;
    uint8_t *pages = aligned_alloc(64, (2 * PAGES * size + 63) / 64 * 64);
    void *scratch = malloc(lli_attend_scratch(head_dim));
    struct lli_query queries[MAX_QUERIES], literal[MAX_QUERIES];
    struct lli_attend a = {.queries = queries,
                           .n_heads = 1,
                           .n_queries = n_queries,
                           .head_dim = head_dim,
                           .scale = 0.25f,
                           .softcap = softcap,
                           .scratch = scratch};
    assert_true(pages && scratch);
    for (size_t p = 0; p < PAGES; p++) {
        a.k[p] = pages + p * size + (n_heads - 1) * head_bytes;
        a.v[p] = a.k[p] + PAGES * size;
    }
    for (size_t i = 0; i < n_queries * head_dim; i++)
        q[i] = noise();
    for (size_t t = 0; t < TOKENS; t++)
        for (size_t i = 0; i < n; i++) {
            k[t][i] = noise();
            v[t][i] = noise();
        }
    for (size_t i = 0; i < n_queries; i++) {
        uint32_t first = i % 3 == 0 ? 0 : (uint32_t)(support_random(&seed) % TOKENS);
        queries[i] = (struct lli_query){.q = q + i * head_dim,
                                        .o = o + i * head_dim,
                                        .first = first,
                                        .last = TOKENS - (uint32_t)i % (TOKENS - first),
                                        .slope = (float)(i % 3) / 16,
                                        .pos = (float)(300 * i)};
        literal[i] = queries[i];
        literal[i].o = want + i * head_dim;
    }
    for (size_t b = 0; b < n_tables; b++) {
        memset(pages, 0x7b, 2 * PAGES * size);
        for (size_t t = 0; t < TOKENS; t++)
            assert_int_equal(TABLES[b].kv_store[type](pages + t / 16 * size, pages + (PAGES + t / 16) * size, k[t], v[t],
                                                      n_heads, head_dim, t % 16),
                             0);
        for (size_t t = 0; t < TOKENS; t++)
            for (size_t h = 0; h < n_heads; h++)
                for (size_t d = 0; d < head_dim; d++) {
                    double tolerance = type == LLI_F32 ? 0 : type == LLI_F16 ? 0x1p-11 : 1.0 / 253 + 0x1p-11;
                    const uint8_t *page = pages + t / 16 * size + h * head_bytes;
                    assert_close((double)key_at(type, page, head_dim, t % 16, d), (double)k[t][h * head_dim + d], tolerance);
                    assert_close((double)value_at(type, page + PAGES * size, head_dim, t % 16, d),
                                 (double)v[t][h * head_dim + d], tolerance);
                }
        TABLES[b].attend[type](&a);
        for (size_t i = 0; i < n_queries; i++) {
            literal_attend(&literal[i], &a, type);
            assert_same(queries[i].o, literal[i].o, head_dim);
            assert_same(&queries[i].m, &literal[i].m, 1);
            assert_same(&queries[i].l, &literal[i].l, 1);
        }
    }
    free(scratch);
    free(pages);
}

static void test_pages(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        uint32_t type = (const uint32_t[]){LLI_F32, LLI_F16, LLI_Q8_0}[i];
        check_pages(type, 1, 1, 1, 0);
        check_pages(type, 2, 6, 3, 0);
        check_pages(type, 2, 64, 8, 0.5f);
        check_pages(type, 1, 70, 9, 0);
        check_pages(type, 2, 33, 20, 3);
    }
}

static void test_store_refuses(void **state)
{
    (void)state;
    for (size_t b = 0; b < n_tables; b++) {
        float k[2] = {1, 70000}, v[2] = {NAN, 2}, page_f32[2][32];
        uint16_t page_f16[2][32];
        assert_int_equal(TABLES[b].kv_store[LLI_F16](page_f16[0], page_f16[1], k, v, 1, 2, 3), -1);
        assert_int_equal(page_f16[0][3], 0x3c00);
        assert_int_equal(page_f16[0][16 + 3], 0);
        assert_int_equal(page_f16[1][2 * 3], 0);
        assert_int_equal(page_f16[1][2 * 3 + 1], 0x4000);
        assert_int_equal(TABLES[b].kv_store[LLI_F32](page_f32[0], page_f32[1], k, v, 1, 2, 3), -1);
        assert_true(page_f32[0][16 + 3] == 70000 && page_f32[1][2 * 3] == 0);
        v[0] = 1;
        assert_int_equal(TABLES[b].kv_store[LLI_F32](page_f32[0], page_f32[1], k, v, 1, 2, 3), 0);
    }
}

/* Blocks of Q8_0: the rule of activations with a scale of 16 bits. */
static void test_store_q8_0(void **state)
{
    float k[70] = {0}, v[70] = {0};
    uint8_t k_page[16 * 70 + 16 * 6], v_page[16 * 70 + 16 * 6];
    uint16_t scale;
    (void)state;
    assert_int_equal(lli_kv_head_bytes(LLI_Q8_0, 70), sizeof k_page);
    for (size_t b = 0; b < n_tables; b++) {
        for (size_t d = 0; d < 32; d++)
            k[d] = (float)d - 16; /* a = 16, and a scale that is not exact in F16 */
        k[32] = 0x1p-101f;        /* below 2^-100 */
        k[64] = -65500.0f * 127;  /* the largest scale, nearly */
        k[69] = 255 * 256;        /* 1.0 of it: rint(0.998) */
        assert_int_equal(TABLES[b].kv_store[LLI_Q8_0](k_page, v_page, k, v, 1, 70, 5), 0);
        memcpy(&scale, k_page + 16 * 70 + 2 * 5, 2);
        assert_int_equal(scale, lli_half_from_f32(16.0f / 127));
        for (size_t d = 0; d < 32; d++)
            assert_int_equal((int8_t)k_page[16 * d + 5], (int)rint(((double)d - 16) * 127 / 16));
        memcpy(&scale, k_page + 16 * 70 + 2 * 21, 2);
        assert_true(scale == 0 && k_page[16 * 32 + 5] == 0);
        assert_int_equal((int8_t)k_page[16 * 64 + 5], -127);
        assert_int_equal((int8_t)k_page[16 * 69 + 5], 1);
        v[40] = 65520.0f * 127; /* the scale is Inf: the block is zero, its neighbours stay */
        v[3] = v[41] = 1;
        assert_int_equal(TABLES[b].kv_store[LLI_Q8_0](k_page, v_page, k, v, 1, 70, 15), -1);
        assert_true(v_page[15 * 70 + 3] == 127 && v_page[15 * 70 + 40] == 0 && v_page[15 * 70 + 41] == 0);
        memcpy(&scale, v_page + 16 * 70 + 2 * (15 * 3 + 1), 2);
        assert_int_equal(scale, 0);
        v[40] = NAN;
        assert_int_equal(TABLES[b].kv_store[LLI_Q8_0](k_page, v_page, k, v, 1, 70, 15), -1);
        v[40] = 0;
    }
}

static void test_merge(void **state)
{
    float out[2][37], o[37];
    (void)state;
    for (int higher = 0; higher < 2; higher++)
        for (size_t b = 0; b < n_tables; b++) {
            float max = 1.5f, sum = 2, m = higher ? 2.75f : -3, l = 5;
            double top = higher ? 2.75 : 1.5, a = exp(1.5 - top), c = exp((double)m - top);
            seed = 9;
            for (size_t i = 0; i < 37; i++) {
                out[b][i] = noise();
                o[i] = noise();
            }
            seed = 9;
            TABLES[b].merge(out[b], &max, &sum, o, m, l, 37);
            assert_true((double)max == top);
            assert_close((double)sum, 2 * a + 5 * c, 1e-6);
            for (size_t i = 0; i < 37; i++) {
                double first = (double)noise(), second = (double)noise();
                assert_close((double)out[b][i], first * a + second * c, 1e-6);
            }
            assert_same(out[0], out[b], 37);
        }
}

/* A sink is merged as one position without a value: to the bit what docs/numerics.md says. */
static void test_sink(void **state)
{
    static const float SINKS[] = {-300, -70, -2.5f, 1.5f, 3.25f, 60, 1e30f};
    (void)state;
    for (size_t s = 0; s < sizeof SINKS / sizeof *SINKS; s++)
        for (size_t b = 0; b < n_tables; b++) {
            float out[37], want[37], max = 1.5f, sum = 2.75f, sink = SINKS[s], top = sink > max ? sink : max;
            float a = lli_exp_f32(max - top), want_sum = sum * a + lli_exp_f32(sink - top);
            const float nothing[37] = {0};
            for (size_t i = 0; i < 37; i++) {
                out[i] = noise();
                want[i] = out[i] * a + 0.0f;
            }
            TABLES[b].merge(out, &max, &sum, nothing, sink, 1, 37);
            assert_same(want, out, 37);
            assert_same(&want_sum, &sum, 1);
            assert_same(&top, &max, 1);
        }
}

static void test_registry(void **state)
{
    struct lli_kernels kernels;
    (void)state;
    memset(&kernels, 0, sizeof kernels);
    assert_non_null(lli_registry_find("scalar"));
    assert_ptr_equal(lli_registry_find("auto"), lli_registry_at(0));
    assert_null(lli_registry_find("sca"));
    for (size_t i = 0; lli_registry_at(i); i++) {
        const struct lli_backend *backend = lli_registry_at(i);
        assert_ptr_equal(lli_registry_find(backend->name), backend);
        assert_true(backend->lanes > 1 || !lli_registry_at(i + 1)); /* scalar is the last */
    }
    lli_registry_fill(&kernels, lli_registry_find("scalar"));
    assert_memory_equal(&kernels, &TABLES[n_tables - 1], sizeof kernels);
    for (size_t t = 0; t < N_TYPES; t++)
        assert_true(kernels.matmul[TYPES[t]] && kernels.dequant[TYPES[t]]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dequant),       cmocka_unit_test(test_dequant_f16_all),
        cmocka_unit_test(test_quantise),      cmocka_unit_test(test_matmul),
        cmocka_unit_test(test_order_of_sums), cmocka_unit_test(test_rows),
        cmocka_unit_test(test_finite),        cmocka_unit_test(test_rope),
        cmocka_unit_test(test_pages),         cmocka_unit_test(test_store_refuses),
        cmocka_unit_test(test_store_q8_0),    cmocka_unit_test(test_merge),
        cmocka_unit_test(test_sink),          cmocka_unit_test(test_registry),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
