/* The scalar products against what the formats' specification and plain double arithmetic say, and the two builds of them
 * against each other, bit for bit. */
#include "backend/registry.h"
#include "kernels/scalar_tables.h"

static const uint32_t TYPES[] = {LLI_F32,  LLI_F16,  LLI_BF16, LLI_Q8_0, LLI_Q4_0, LLI_Q4_1,   LLI_Q5_0,   LLI_Q5_1,
                                 LLI_Q2_K, LLI_Q3_K, LLI_Q4_K, LLI_Q5_K, LLI_Q6_K, LLI_IQ4_NL, LLI_IQ4_XS, LLI_MXFP4};

enum { N_TYPES = sizeof TYPES / sizeof *TYPES };

/* ---- the formats, element by element, as ggml's specification has them */

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
        cmocka_unit_test(test_dequant), cmocka_unit_test(test_dequant_f16_all), cmocka_unit_test(test_quantise),
        cmocka_unit_test(test_matmul),  cmocka_unit_test(test_order_of_sums),   cmocka_unit_test(test_registry),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
