#include "support/packed.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/pack.h"

const struct test_model_spec PACKED_SPECS[N_PACKED_SPECS] = {
    {.seed = 1, .biases = 1, .rope_freqs = 1},
    {.seed = 2, .type = LLI_F16, .tied = 1},
    {.seed = 3, .type = LLI_BF16, .n_embd = 20, .n_heads = 2, .n_kv_heads = 1, .n_ff = 37},
    {.seed = 4, .type = LLI_Q8_0, .n_vocab = 301},
    {.seed = 5, .type = LLI_Q4_0, .tied = 1, .n_vocab = 301},
    {.seed = 6, .type = LLI_Q4_1},
    {.seed = 7, .type = LLI_Q5_0},
    {.seed = 8, .type = LLI_Q5_1},
    {.seed = 9, .type = LLI_Q2_K, .n_layers = 1},
    {.seed = 10, .type = LLI_Q3_K, .n_layers = 1},
    {.seed = 11, .type = LLI_Q4_K, .n_layers = 1},
    {.seed = 12, .type = LLI_Q5_K, .n_layers = 1},
    {.seed = 13, .type = LLI_Q6_K, .n_layers = 1, .n_vocab = 301},
    {.seed = 14, .type = LLI_IQ4_NL},
    {.seed = 15, .type = LLI_IQ4_XS, .n_layers = 1},
    {.seed = 16, .n_experts = 4, .n_experts_used = 2},
    {.seed = 17, .type = LLI_Q8_0, .n_experts = 5, .n_experts_used = 3},
    {.seed = 18, .type = LLI_MXFP4},
};

const struct test_model_spec PACKED_LARGE = {.seed = 20, .n_embd = 512, .n_ff = 1100, .n_vocab = 1500};

/* A matrix of a layer, or of the whole model. NULL behind the last. */
static const struct lli_matrix *matrix_at(const struct lli_weights *w, uint32_t n_layers, size_t i, int *role)
{
    size_t layer;
    if (i < LLI_FIRST_LAYER_ROLE) {
        *role = (int)i;
        return &w->at[i];
    }
    layer = (i - LLI_FIRST_LAYER_ROLE) / (LLI_N_ROLES - LLI_FIRST_LAYER_ROLE);
    *role = LLI_FIRST_LAYER_ROLE + (int)((i - LLI_FIRST_LAYER_ROLE) % (LLI_N_ROLES - LLI_FIRST_LAYER_ROLE));
    return layer < n_layers ? &w->layers[layer].at[*role] : NULL;
}

static void check_matrix(const struct lli_matrix *packed, const struct lli_matrix *file, uint32_t lanes)
{
    size_t row_bytes = lli_dtype_row_bytes(file->type, file->n_in);
    uint8_t *row = malloc(row_bytes);
    assert_non_null(row);
    assert_int_equal(packed->lanes, lanes);
    assert_int_equal((uintptr_t)packed->data % 64, 0);
    assert_int_equal(packed->mat_bytes % 64, 0);
    assert_true(packed->type == file->type && packed->n_in == file->n_in && packed->n_out == file->n_out);
    assert_int_equal(packed->n_mats, file->n_mats);
    for (size_t mat = 0; mat < file->n_mats; mat++)
        for (size_t o = 0; o < file->n_out; o++) {
            lli_pack_row(row, packed->type, lanes, packed->data + mat * packed->mat_bytes, packed->n_in, o);
            assert_memory_equal(row, file->data + mat * file->mat_bytes + o * row_bytes, row_bytes);
        }
    free(row);
}

void packed_check(const struct lli_weights *packed, const struct network *n, const struct lli_weights *file, uint32_t lanes)
{
    const struct lli_matrix *a, *b;
    int role;
    for (size_t i = 0; (a = matrix_at(packed, n->config.n_layers, i, &role)) != NULL; i++) {
        b = matrix_at(&n->weights, n->config.n_layers, i, &role);
        if (b->data && !lli_family_shape((enum lli_role)role)->is_vector) {
            assert_true(a->data != b->data);
            check_matrix(a, b, lanes);
        } else {
            assert_true(a->data == matrix_at(file, n->config.n_layers, i, &role)->data);
            assert_int_equal(a->lanes, b->data ? 1 : 0);
        }
    }
    assert_int_equal(packed->at[LLI_OUTPUT].data == packed->at[LLI_TOKEN_EMBD].data,
                     n->weights.at[LLI_OUTPUT].data == n->weights.at[LLI_TOKEN_EMBD].data);
    assert_int_equal(packed->n_params, n->weights.n_params);
}
