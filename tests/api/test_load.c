/* How a file is opened. One that was copied: every backend tells the same from it as from a mapped one, it can be converted at
 * any time, and the copy does not stay beside its packing. Metadata that a host sets. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <llminf/llminf.h>

#include "support/gguf_make.h"
#include "support/support.h"
#include "support/tell.h"

enum { N_TOKENS = 8, MAX_BACKENDS = 8 };

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define HAS_SHADOW 1 /* memory is counted with that of the sanitizer */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define HAS_SHADOW 1
#endif
#endif
#ifndef HAS_SHADOW
#define HAS_SHADOW 0
#endif

struct source {
    uint8_t *bytes;
    size_t size;
    char *path;
};

static void make_source(struct source *s, const struct test_model_spec *spec)
{
    s->bytes = test_model_make(spec, &s->size);
    s->path = support_write_temporary(s->bytes, s->size);
    assert_non_null(s->path);
}

static void drop_source(struct source *s)
{
    unlink(s->path);
    free(s->path);
    free(s->bytes);
}

static int64_t read_source(void *user, int64_t offset, void *bytes, size_t size)
{
    const struct source *s = user;
    memcpy(bytes, s->bytes + offset, size);
    return (int64_t)size;
}

enum way { MAPPED, COPIED, FROM_READER, N_WAYS };

static llminf_model *open_model(struct source *s, enum way way)
{
    llminf_options *options;
    llminf_model *model = NULL;
    llminf_error error;
    llminf_status status;
    assert_int_equal(llminf_options_open(&options, "model", &error), LLMINF_OK);
    assert_int_equal(llminf_options_set_text(options, "load", way == COPIED ? "read" : "map", -1, &error), LLMINF_OK);
    if (way == FROM_READER)
        status = llminf_model_open_reader(&model, read_source, s, (int64_t)s->size, options, &error);
    else
        status = llminf_model_open(&model, s->path, options, &error);
    if (status != LLMINF_OK)
        fail_msg("%s", error.text);
    llminf_options_close(options);
    return model;
}

static llminf_context *open_context(llminf_model *model, const char *backend)
{
    llminf_options *options;
    llminf_context *context = NULL;
    llminf_error error;
    assert_int_equal(llminf_options_open(&options, "context", &error), LLMINF_OK);
    assert_int_equal(llminf_options_set_text(options, "backend", backend, -1, &error), LLMINF_OK);
    assert_int_equal(llminf_options_set_int(options, "threads", 2, &error), LLMINF_OK);
    assert_int_equal(llminf_options_set_int(options, "kv_budget_bytes", 1 << 20, &error), LLMINF_OK);
    if (llminf_context_open(&context, model, options, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    llminf_options_close(options);
    return context;
}

/* The file that converting to Q8_0 gives. */
static uint8_t *convert(const struct source *s, const llminf_model *model, size_t *size_out)
{
    llminf_options *options;
    llminf_error error;
    char path[256];
    uint8_t *bytes;
    snprintf(path, sizeof path, "%s.q8_0", s->path);
    assert_int_equal(llminf_options_open(&options, "convert", &error), LLMINF_OK);
    assert_int_equal(llminf_options_set_text(options, "type", "q8_0", -1, &error), LLMINF_OK);
    if (llminf_model_convert(model, path, options, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    llminf_options_close(options);
    bytes = support_read(path, size_out);
    assert_non_null(bytes);
    unlink(path);
    return bytes;
}

/* All backends, from the strongest to scalar and back, each beside those of before. A copy outlives its file. */
static void test_every_backend(void **state)
{
    struct source s;
    llminf_token want[N_TOKENS];
    uint8_t *want_file = NULL;
    size_t want_size = 0;
    (void)state;
    make_source(&s, &(struct test_model_spec){.seed = 7, .n_embd = 256, .n_ff = 700, .n_vocab = 900, .n_context = 64});
    for (int way = MAPPED; way < N_WAYS; way++) {
        llminf_model *model = open_model(&s, (enum way)way);
        llminf_context *contexts[MAX_BACKENDS];
        llminf_token ids[N_TOKENS];
        size_t n = 0, size;
        uint8_t *bytes;
        if (way == COPIED)
            assert_int_equal(truncate(s.path, 0), 0);
        for (; n < MAX_BACKENDS && llminf_backend_at(model, n); n++) {
            contexts[n] = open_context(model, llminf_backend_at(model, n));
            bytes = convert(&s, model, &size);
            if (!want_file) {
                tell_tokens(contexts[0], want, N_TOKENS);
                want_file = bytes;
                want_size = size;
                continue;
            }
            assert_int_equal(size, want_size);
            assert_memory_equal(bytes, want_file, size);
            free(bytes);
        }
        for (size_t i = 0; i < n; i++) {
            tell_tokens(contexts[i], ids, N_TOKENS);
            assert_memory_equal(ids, want, sizeof want);
            llminf_context_close(contexts[i]);
        }
        for (size_t i = n; i-- > 0;) {
            llminf_context *again = open_context(model, llminf_backend_at(model, i));
            tell_tokens(again, ids, N_TOKENS);
            assert_memory_equal(ids, want, sizeof want);
            llminf_context_close(again);
        }
        llminf_model_close(model);
    }
    free(want_file);
    drop_source(&s);
}

/* ---- memory */

/* Bytes of a line of /proc/self/status. */
static long status_bytes(const char *name)
{
    char line[256];
    long kib = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && fgets(line, sizeof line, f))
        if (strncmp(line, name, strlen(name)) == 0)
            kib = strtol(line + strlen(name), NULL, 10);
    if (f)
        fclose(f);
    return kib * 1024;
}

/* In a process of its own: the most memory there was while a model and a context were opened, beyond what there was before, in
 * per cent of the file. */
static int measure(struct source *s, enum way way)
{
    long before = status_bytes("VmRSS:"), peak;
    llminf_model *model;
    llminf_context *context;
    mallopt(M_PERTURB, 0); /* it writes to all memory that is taken */
    model = open_model(s, way);
    context = open_context(model, "auto");
    peak = status_bytes("VmHWM:");
    llminf_context_close(context);
    llminf_model_close(model);
    return (int)((double)(peak - before) / (double)s->size * 100);
}

static void test_peak(void **state)
{
    struct source s;
    (void)state;
    if (HAS_SHADOW || strcmp(llminf_backend_at(NULL, 0), "scalar") == 0)
        skip();
    make_source(&s, &(struct test_model_spec){.n_embd = 1024, .n_layers = 1, .n_vocab = 12000, .n_context = 64});
    for (int way = MAPPED; way <= COPIED; way++) {
        int status = 0;
        pid_t child = fork();
        if (child == 0) {
            free(s.bytes); /* as a whole it was mapped apart */
            s.bytes = NULL;
            _exit(measure(&s, (enum way)way));
        }
        assert_true(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status));
        print_message("%s: peak memory %d %% of the file\n", way == MAPPED ? "mapped" : "copied", WEXITSTATUS(status));
        assert_in_range(WEXITSTATUS(status), 90, 110);
    }
    drop_source(&s);
}

static llminf_status open_with(llminf_model **out, const struct source *s, const char *const *items, llminf_error *err)
{
    llminf_options *options;
    assert_int_equal(llminf_options_open(&options, "model", NULL), LLMINF_OK);
    for (; *items; items++)
        assert_int_equal(llminf_options_add_text(options, "override", *items, -1, NULL), LLMINF_OK);
    llminf_status status = llminf_model_open_memory(out, s->bytes, s->size, options, err);
    llminf_options_close(options);
    return status;
}

/* Metadata in the place of the file's decide what the model is, and are refused as the file's would be. */
static void test_overrides(void **state)
{
    static const struct {
        const char *items[3];
        llminf_status status;
        const char *subject;
    } bad[] = {
        {{"general.architecture=unheard_of"}, LLMINF_E_UNSUPPORTED, "general.architecture"},
        {{"llama.block_count=3"}, LLMINF_E_FORMAT, "blk.2.attn_norm.weight"},
        {{"llama.context_length=many"}, LLMINF_E_OPTION, "override"},
        {{"tokenizer.ggml.tokens=a"}, LLMINF_E_OPTION, "override"},
        {{"llama.rope.freq_base"}, LLMINF_E_OPTION, "override"},
    };
    struct source s;
    llminf_model *model, *plain;
    llminf_error err;
    const char *text, *fingerprint;
    int64_t n;
    size_t length;
    (void)state;
    make_source(&s, &(struct test_model_spec){.seed = 5});
    assert_int_equal(llminf_model_open_memory(&plain, s.bytes, s.size, NULL, &err), LLMINF_OK);
    assert_int_equal(open_with(&model, &s, (const char *const[]){"llama.context_length=99", "general.name=A = B", NULL}, &err),
                     LLMINF_OK);
    assert_int_equal(llminf_model_int(model, "llama.context_length", &n, &err), LLMINF_OK);
    assert_int_equal(n, 99);
    assert_int_equal(llminf_model_text(model, "general.name", &text, &length, &err), LLMINF_OK);
    assert_string_equal(text, "A = B");
    assert_int_equal(llminf_model_text(model, "fingerprint", &text, &length, &err), LLMINF_OK);
    assert_int_equal(llminf_model_text(plain, "fingerprint", &fingerprint, &length, &err), LLMINF_OK);
    assert_string_not_equal(text, fingerprint);
    llminf_model_close(model);
    llminf_model_close(plain);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_equal(open_with(&model, &s, bad[i].items, &err), bad[i].status);
        assert_string_equal(err.subject, bad[i].subject);
        assert_null(model);
    }
    drop_source(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_overrides),
        cmocka_unit_test(test_every_backend),
        cmocka_unit_test(test_peak),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
