#include "support/model.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

void model_make(struct model *m, const struct test_model_spec *spec)
{
    memset(m, 0, sizeof *m);
    m->file.bytes = test_model_make(spec, &m->file.len);
}

int32_t model_read(struct model *m)
{
    const struct lli_gguf_options options = {.header_limit_bytes = LLI_HEADER_BYTES_DEFAULT};
    lli_heap_init(&m->heap, support_alloc, support_release, &m->counts);
    int32_t status = lli_gguf_read(&m->gguf, &m->heap, m->file.bytes, m->file.len, &options, &m->err);
    if (status)
        return status;
    const struct lli_gguf_entry *tokens = lli_gguf_find(&m->gguf, "tokenizer.ggml.tokens");
    status = lli_config_read(&m->config, &m->gguf, (uint32_t)tokens->n, &m->err);
    if (m->family.name)
        m->config.family = &m->family;
    if (status == 0)
        status = lli_weights_read(&m->weights, &m->heap, &m->config, &m->gguf, &m->err);
    return status;
}

void model_finish(struct model *m)
{
    lli_weights_finish(&m->weights);
    lli_gguf_finish(&m->gguf);
    free(m->file.bytes);
    assert_int_equal(m->counts.live_bytes, 0);
}

void model_expect(struct model *m, int32_t status, const char *subject)
{
    int32_t got = model_read(m);
    if (got != status)
        print_error("%s: %s\n", subject ? subject : "", got ? m->err.text : "accepted");
    assert_int_equal(got, status);
    if (status) {
        assert_true(m->err.subject[0] != 0);
        if (subject)
            assert_string_equal(m->err.subject, subject);
    }
    model_finish(m);
}

const struct test_model_spec MODEL_PLAIN = {.n_embd = 32, .n_ff = 64, .n_vocab = 270};

void model_set_u32(struct model *m, const char *key, uint32_t value)
{
    struct test_gguf record = {0};
    test_gguf_key_u32(&record, key, value);
    test_gguf_set(&m->file, key, &record);
    free(record.bytes);
}

void model_set_f32(struct model *m, const char *key, float value)
{
    struct test_gguf record = {0};
    test_gguf_key_f32(&record, key, value);
    test_gguf_set(&m->file, key, &record);
    free(record.bytes);
}

void model_set_text(struct model *m, const char *key, const char *value)
{
    struct test_gguf record = {0};
    test_gguf_key_text(&record, key, value);
    test_gguf_set(&m->file, key, &record);
    free(record.bytes);
}

void model_drop(struct model *m, const char *key)
{
    const struct test_gguf nothing = {0};
    test_gguf_set(&m->file, key, &nothing);
}
