/* What is not supported says its name and what is there instead: architectures, types of weights, ways to cut text. Classes of
 * folders: test_folder_classes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "model/config.h"
#include "model/family.h"
#include "support/gguf_make.h"
#include "support/support.h"
#include "support/vocab_make.h"

static void assert_names(const struct llminf_error *err, const char *name)
{
    if (!strstr(err->text, name))
        fail_msg("no \"%s\" in: %s", name, err->text);
}

/* A small model's file, read; as *status_out says. */
static void read_file(struct llminf_error *err, int32_t *status_out, struct test_gguf *f)
{
    const struct lli_gguf_options options = {.header_limit_bytes = LLI_HEADER_BYTES_DEFAULT};
    struct support_heap counter = {0};
    struct lli_config config;
    struct lli_gguf g;
    struct lli_heap heap;
    lli_heap_init(&heap, support_alloc, support_release, &counter);
    *status_out = lli_gguf_read(&g, &heap, f->bytes, f->len, &options, err);
    if (*status_out == 0)
        *status_out = lli_config_read(&config, &g, 320, err);
    lli_gguf_finish(&g);
    free(f->bytes);
    assert_int_equal(counter.live_bytes, 0);
}

static struct test_gguf make_model(void)
{
    static const struct test_model_spec SPEC = {.seed = 3};
    struct test_gguf f = {0};
    f.bytes = test_model_make(&SPEC, &f.len);
    f.cap = f.len;
    return f;
}

static void architectures(void **state)
{
    struct test_gguf f = make_model(), record = {0};
    struct llminf_error err;
    int32_t status;
    (void)state;
    test_gguf_key_text(&record, "general.architecture", "mamba");
    test_gguf_set(&f, "general.architecture", &record);
    free(record.bytes);
    read_file(&err, &status, &f);
    assert_int_equal(status, LLMINF_E_UNSUPPORTED);
    assert_names(&err, "mamba");
    for (size_t i = 0; lli_family_at(i); i++)
        assert_names(&err, lli_family_at(i)->name);
}

static void types_of_weights(void **state)
{
    static const struct {
        uint32_t id;
        const char *name;
    } rows[] = {{16, "iq2_xxs"}, {35, "tq2_0"}, {7777, "7777"}};
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct test_gguf f = make_model();
        struct llminf_error err;
        int32_t status;
        size_t at = test_gguf_find(&f, "token_embd.weight") + 8 + strlen("token_embd.weight") + 4 + 2 * 8;
        memcpy(f.bytes + at, &rows[i].id, sizeof rows[i].id);
        read_file(&err, &status, &f);
        assert_int_equal(status, LLMINF_E_UNSUPPORTED);
        assert_string_equal(err.subject, "token_embd.weight");
        assert_names(&err, rows[i].name);
        for (uint32_t id = 0; id < 100; id++)
            if (lli_dtype_find(id))
                assert_names(&err, lli_dtype_find(id)->name);
    }
}

static void ways_to_cut_text(void **state)
{
    struct test_vocab v;
    struct test_text t;
    (void)state;
    test_vocab_bpe(&v, "nobody");
    assert_int_equal(test_text_open(&t, &v), LLMINF_E_UNSUPPORTED);
    assert_names(&t.error, "nobody");
    assert_names(&t.error, "llama-bpe");
    assert_names(&t.error, "qwen2");
    assert_int_equal(test_text_close(&t), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(architectures),
        cmocka_unit_test(types_of_weights),
        cmocka_unit_test(ways_to_cut_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
