/* tests/support/adapter_make.h - small adapters in GGUF, for the matrices of a model that is open or for any list. */
#ifndef TEST_ADAPTER_MAKE_H
#define TEST_ADAPTER_MAKE_H

#include <stddef.h>
#include <stdint.h>

#include "llminf/llminf.h"

struct test_matrix {
    char name[64]; /* as the model's tensor */
    uint64_t n_in, n_out;
};

struct test_adapter_spec {
    const char *arch; /* NULL: llama */
    float alpha;
    uint32_t rank, type; /* enum lli_type: F32, F16 or BF16 */
    uint64_t seed;
    const struct test_matrix *at;
    size_t n;
};

/* To be freed with free(); the same for the same spec. */
uint8_t *test_adapter_make(const struct test_adapter_spec *spec, size_t *size_out);

/* Those of a model that an adapter may have; how many, cap at most. Works on whatever library the test is linked with. */
size_t test_adapter_matrices(struct test_matrix *out, size_t cap, const llminf_model *model);

/* Writes an adapter for all of them to a temporary file, whose path is the caller's to unlink and free. NULL: it cannot. */
char *test_adapter_write(const llminf_model *model, float alpha, uint32_t rank, uint32_t type, uint64_t seed);

#endif
