/* support/packed.h - models to be packed, and a packing held against its file. */
#ifndef LLMINF_TESTS_PACKED_H
#define LLMINF_TESTS_PACKED_H

#include <stdint.h>

#include "model/weights.h"
#include "support/gguf_make.h"
#include "support/network.h"

enum { N_PACKED_SPECS = 18 };

extern const struct test_model_spec PACKED_SPECS[N_PACKED_SPECS]; /* of every kind */
extern const struct test_model_spec PACKED_LARGE;                 /* of some pieces */

/* All rows are those of n's file; vectors are where they are in `file`, the weights that were packed. */
void packed_check(const struct lli_weights *packed, const struct network *n, const struct lli_weights *file, uint32_t lanes);

#endif
