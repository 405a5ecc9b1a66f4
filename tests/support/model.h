/* tests/support/model.h - a small model's file made, changed and read whole: header, config and weights. */
#ifndef LLMINF_TESTS_MODEL_H
#define LLMINF_TESTS_MODEL_H

#include <stdint.h>

#include "file/gguf.h"
#include "llminf/status.h"
#include "model/config.h"
#include "model/family.h"
#include "model/weights.h"
#include "support/gguf_make.h"
#include "support/support.h"

struct model {
    struct test_gguf file;
    struct lli_heap heap;
    struct support_heap counts;
    struct lli_gguf gguf;
    struct lli_config config;
    struct lli_weights weights;
    struct llminf_error err;
    struct lli_family family; /* in place of the file's; name NULL: none */
};

extern const struct test_model_spec MODEL_PLAIN;

void model_make(struct model *m, const struct test_model_spec *spec);
int32_t model_read(struct model *m);
void model_finish(struct model *m); /* checks that no memory stays */

/* Reads the model, which says `status` of `subject` (NULL: of anything), and lets go of it. */
void model_expect(struct model *m, int32_t status, const char *subject);

/* One key of the file made, other or away. */
void model_set_u32(struct model *m, const char *key, uint32_t value);
void model_set_f32(struct model *m, const char *key, float value);
void model_set_text(struct model *m, const char *key, const char *value);
void model_drop(struct model *m, const char *key);

#endif
