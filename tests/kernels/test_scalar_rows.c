/* The scalar kernels that work row by row, and those of attention, against plain double arithmetic; the two builds of them
 * against each other, bit for bit. */
#include "kernels/scalar_tables.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),  cmocka_unit_test(test_finite),        cmocka_unit_test(test_rope),
        cmocka_unit_test(test_pages), cmocka_unit_test(test_store_refuses), cmocka_unit_test(test_store_q8_0),
        cmocka_unit_test(test_merge), cmocka_unit_test(test_sink),
    };
    return cmocka_run_group_tests(tests, set_up, NULL);
}
