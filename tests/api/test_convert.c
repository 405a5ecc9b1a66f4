/* Models written anew, through the public API: every type, the same bytes for any threads, nothing left of what fails. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <llminf/llminf.h>

#include "support/gguf_make.h"
#include "support/support.h"
#include "support/tell.h"

static const char *const TYPES[] = {"f32",  "f16",    "bf16",   "q8_0",   "q4_0",   "q4_1",  "q5_0",   "q5_1",
                                    "q2_k", "q3_k",   "q3_k_s", "q3_k_m", "q3_k_l", "q4_k",  "q4_k_s", "q4_k_m",
                                    "q5_k", "q5_k_s", "q5_k_m", "q6_k",   "iq4_nl", "iq4_xs"};

enum { N_TYPES = sizeof TYPES / sizeof *TYPES };

static char folder[256];

static const char *path_of(const char *name)
{
    static char paths[4][1024];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, sizeof paths[0], "%s/%s", folder, name);
    return path;
}

static int make_folder(void **state)
{
    const char *tmp = getenv("TMPDIR");
    (void)state;
    snprintf(folder, sizeof folder, "%s/llminf-test-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    return mkdtemp(folder) == NULL;
}

/* Fails if anything is left. */
static int drop_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

static int n_files(void)
{
    DIR *dir = opendir(folder);
    int n = 0;
    assert_non_null(dir);
    for (struct dirent *e; (e = readdir(dir));)
        n += strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0;
    closedir(dir);
    return n;
}

static llminf_model *open_spec(const struct test_model_spec *spec, uint8_t **bytes, const llminf_options *options)
{
    llminf_model *model = NULL;
    llminf_error error;
    size_t size;
    *bytes = test_model_make(spec, &size);
    if (llminf_model_open_memory(&model, *bytes, size, options, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    return model;
}

static llminf_options *bag(const char *type, int threads)
{
    llminf_options *options;
    llminf_error error;
    assert_int_equal(llminf_options_open(&options, "convert", &error), LLMINF_OK);
    if (llminf_options_set_text(options, "type", type, -1, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    assert_int_equal(llminf_options_set_int(options, "threads", threads, &error), LLMINF_OK);
    return options;
}

static void convert(const llminf_model *model, const char *path, const char *type, int threads)
{
    llminf_options *options = bag(type, threads);
    llminf_error error;
    if (llminf_model_convert(model, path, options, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    llminf_options_close(options);
}

static void assert_same_files(const char *a, const char *b)
{
    size_t n_a, n_b;
    uint8_t *x = support_read(a, &n_a), *y = support_read(b, &n_b);
    assert_int_equal(n_a, n_b);
    assert_memory_equal(x, y, n_a);
    free(x);
    free(y);
}

static int64_t number(const llminf_model *model, const char *key)
{
    int64_t v;
    llminf_error error;
    if (llminf_model_int(model, key, &v, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    return v;
}

/* Opens with every weight verified, and generates. */
static void assert_tells(const char *path)
{
    llminf_model *model;
    llminf_context *context;
    llminf_options *options;
    llminf_token ids[4];
    llminf_error error;
    assert_int_equal(llminf_options_open(&options, "model", &error), LLMINF_OK);
    assert_int_equal(llminf_options_set_text(options, "verify", "full", -1, &error), LLMINF_OK);
    if (llminf_model_open(&model, path, options, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    assert_int_equal(number(model, "general.quantization_version"), 2);
    assert_int_equal(llminf_context_open(&context, model, NULL, &error), LLMINF_OK);
    tell_tokens(context, ids, 4);
    llminf_context_close(context);
    llminf_model_close(model);
    llminf_options_close(options);
}

static void test_every_type(void **state)
{
    static const struct test_model_spec SPECS[] = {
        {.seed = 1, .n_layers = 2, .n_embd = 256, .n_ff = 256, .n_heads = 8, .n_vocab = 300},
        {.seed = 2, .n_layers = 1, .n_vocab = 300, .tied = 1, .rope_freqs = 1, .biases = 1, .type = LLI_F16},
        {.seed = 3, .n_layers = 1, .n_vocab = 300, .n_experts = 4, .n_embd = 24, .n_heads = 2, .n_ff = 40, .type = LLI_BF16},
    };
    (void)state;
    for (size_t s = 0; s < sizeof SPECS / sizeof *SPECS; s++) {
        uint8_t *bytes;
        llminf_model *model = open_spec(&SPECS[s], &bytes, NULL);
        for (size_t i = 0; i < N_TYPES; i++) {
            convert(model, path_of("a"), TYPES[i], 2);
            assert_tells(path_of("a"));
        }
        llminf_model_close(model);
        free(bytes);
    }
    assert_int_equal(unlink(path_of("a")), 0);
}

/* The schema's list of types is the list that can be written. */
static void test_schema(void **state)
{
    const char *at = llminf_schema_entry("convert", "type");
    size_t n = 0;
    (void)state;
    assert_non_null(at);
    for (size_t i = 0; i < N_TYPES; i++) {
        char quoted[16];
        snprintf(quoted, sizeof quoted, "\"%s\"", TYPES[i]);
        assert_non_null(strstr(at, quoted));
    }
    for (at = strstr(at, "\"values\":["), at += 10; *at != ']'; at++)
        n += *at == '"';
    assert_int_equal(n, 2 * N_TYPES);
}

/* From every type that a file may have. */
static void test_every_source(void **state)
{
    (void)state;
    for (uint32_t id = 0; id < 100; id++) {
        struct test_model_spec spec = {.seed = id, .n_layers = 1, .n_ff = 256, .n_vocab = 300, .type = id};
        uint8_t *bytes;
        llminf_model *model;
        if (lli_dtype_find(id) == NULL)
            continue;
        model = open_spec(&spec, &bytes, NULL);
        convert(model, path_of("a"), "f32", 1);
        assert_tells(path_of("a"));
        convert(model, path_of("a"), "q8_0", 1);
        assert_tells(path_of("a"));
        llminf_model_close(model);
        free(bytes);
    }
    assert_int_equal(unlink(path_of("a")), 0);
}

/* A matrix in many pieces, encoded by any number of threads. */
static void test_threads(void **state)
{
    static const struct test_model_spec SPEC = {.seed = 4, .n_layers = 1, .n_embd = 256, .n_vocab = 4400, .n_ff = 288};
    static const char *const SOME[] = {"q4_k_m", "q8_0", "iq4_xs"};
    uint8_t *bytes;
    llminf_model *model = open_spec(&SPEC, &bytes, NULL);
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        convert(model, path_of("a"), SOME[i], 1);
        for (int threads = 0; threads < 6; threads += threads < 2 ? 2 : 3) {
            convert(model, path_of("b"), SOME[i], threads);
            assert_same_files(path_of("a"), path_of("b"));
        }
    }
    llminf_model_close(model);
    free(bytes);
    assert_int_equal(unlink(path_of("a")), 0);
    assert_int_equal(unlink(path_of("b")), 0);
}

/* What is already there is not encoded again; and a file may take its own place. */
static void test_in_place(void **state)
{
    static const struct test_model_spec SPEC = {.seed = 5, .n_layers = 1};
    uint8_t *bytes, *first, *second;
    size_t n_first, n_second;
    llminf_error error;
    llminf_model *model = open_spec(&SPEC, &bytes, NULL);
    (void)state;
    convert(model, path_of("a"), "q5_1", 1);
    llminf_model_close(model);
    free(bytes);
    first = support_read(path_of("a"), &n_first);
    assert_int_equal(llminf_model_open(&model, path_of("a"), NULL, &error), LLMINF_OK);
    assert_int_equal(number(model, "general.file_type"), 9);
    convert(model, path_of("a"), "q5_1", 1);
    assert_tells(path_of("a"));
    second = support_read(path_of("a"), &n_second);
    assert_int_equal(n_first, n_second);
    assert_memory_equal(first, second, n_first);
    convert(model, path_of("a"), "q4_0", 1);
    convert(model, path_of("b"), "q5_1", 1); /* the old file is still what the model reads */
    free(second);
    second = support_read(path_of("b"), &n_second);
    assert_memory_equal(first, second, n_first);
    llminf_model_close(model);
    free(first);
    free(second);
    assert_int_equal(unlink(path_of("a")), 0);
    assert_int_equal(unlink(path_of("b")), 0);
}

static void test_pure(void **state)
{
    static const struct test_model_spec SPEC = {.seed = 6, .n_layers = 1};
    uint8_t *bytes;
    llminf_error error;
    llminf_model *model = open_spec(&SPEC, &bytes, NULL), *made;
    llminf_options *options = bag("q4_0", 1);
    const char *type;
    size_t n;
    (void)state;
    for (int is_pure = 0; is_pure < 2; is_pure++) {
        assert_int_equal(llminf_options_set_int(options, "pure", is_pure, &error), LLMINF_OK);
        assert_int_equal(llminf_model_convert(model, path_of("a"), options, &error), LLMINF_OK);
        assert_int_equal(llminf_model_open(&made, path_of("a"), NULL, &error), LLMINF_OK);
        for (int64_t i = 0; i < number(made, "tensor_name[]"); i++) {
            char key[64];
            const char *name;
            snprintf(key, sizeof key, "tensor_name[%lld]", (long long)i);
            assert_int_equal(llminf_model_text(made, key, &name, &n, &error), LLMINF_OK);
            if (strcmp(name, "output.weight") != 0)
                continue;
            snprintf(key, sizeof key, "tensor_type[%lld]", (long long)i);
            assert_int_equal(llminf_model_text(made, key, &type, &n, &error), LLMINF_OK);
            assert_string_equal(type, is_pure ? "q4_0" : "q8_0"); /* rows of 64 are too short for q6_k */
        }
        llminf_model_close(made);
    }
    llminf_options_close(options);
    llminf_model_close(model);
    free(bytes);
    assert_int_equal(unlink(path_of("a")), 0);
}

/* ---- what fails */

struct stop {
    int at, n;
    double last;
    int falls; /* progress went back */
};

static int32_t count(void *user, double done)
{
    struct stop *stop = user;
    stop->falls |= done < stop->last;
    stop->last = done;
    return ++stop->n == stop->at;
}

static void test_progress(void **state)
{
    static const struct test_model_spec SPEC = {.seed = 7, .n_layers = 1};
    uint8_t *bytes;
    llminf_error error;
    llminf_model *model = open_spec(&SPEC, &bytes, NULL);
    llminf_options *options = bag("q4_0", 2);
    struct stop stop = {0};
    int n;
    (void)state;
    assert_int_equal(llminf_options_set_progress(options, count, &stop, &error), LLMINF_OK);
    assert_int_equal(llminf_model_convert(model, path_of("a"), options, &error), LLMINF_OK);
    assert_false(stop.falls);
    assert_true(stop.last == 1);
    n = stop.n;
    assert_true(n >= 10);
    assert_int_equal(unlink(path_of("a")), 0);
    for (int at = 1; at <= n; at++) {
        stop = (struct stop){.at = at};
        assert_int_equal(llminf_model_convert(model, path_of("a"), options, &error), LLMINF_E_CALLBACK);
        assert_int_equal(n_files(), 0);
    }
    llminf_options_close(options);
    llminf_model_close(model);
    free(bytes);
}

static void test_arguments(void **state)
{
    static const struct test_model_spec SPEC = {.seed = 8, .n_layers = 1};
    uint8_t *bytes;
    llminf_error error;
    llminf_model *model = open_spec(&SPEC, &bytes, NULL), *text;
    llminf_options *options, *convert_options = bag("q8_0", 1);
    size_t size;
    (void)state;
    assert_int_equal(llminf_model_convert(NULL, path_of("a"), NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_model_convert(model, NULL, NULL, &error), LLMINF_E_INVALID);
    assert_string_equal(error.subject, "path");
    assert_int_equal(llminf_model_convert(model, "", NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_options_set_text(convert_options, "type", "q4_2", -1, &error), LLMINF_E_OPTION);
    assert_int_equal(llminf_options_open(&options, "model", &error), LLMINF_OK);
    assert_int_equal(llminf_model_convert(model, path_of("a"), options, &error), LLMINF_E_OPTION);
    assert_int_equal(llminf_model_convert(model, path_of("none/a"), NULL, &error), LLMINF_E_IO);
    assert_int_equal(error.os_error, ENOENT);
    assert_int_equal(llminf_model_convert(model, folder, NULL, &error), LLMINF_E_IO);
    assert_int_equal(llminf_options_set_int(options, "vocab_only", 1, &error), LLMINF_OK);
    uint8_t *again = test_model_make(&SPEC, &size);
    assert_int_equal(llminf_model_open_memory(&text, again, size, options, &error), LLMINF_OK);
    assert_int_equal(llminf_model_convert(text, path_of("a"), NULL, &error), LLMINF_E_STATE);
    assert_string_equal(error.subject, "model");
    llminf_model_close(text);
    free(again);
    assert_int_equal(n_files(), 0);
    assert_int_equal(llminf_model_convert(model, path_of("a"), NULL, &error), LLMINF_OK); /* q8_0 */
    assert_tells(path_of("a"));
    assert_int_equal(unlink(path_of("a")), 0);
    llminf_options_close(options);
    llminf_options_close(convert_options);
    llminf_model_close(model);
    free(bytes);
}

/* NaN and Inf in the last element of a matrix, whether it is encoded or copied. */
static void test_not_finite(void **state)
{
    static const float BAD[] = {NAN, INFINITY, -INFINITY};
    static const char *const SOME[] = {"q4_0", "f16", "f32"};
    (void)state;
    for (size_t i = 0; i < 3; i++)
        for (size_t k = 0; k < 3; k++) {
            static const struct test_model_spec SPEC = {.seed = 9, .n_layers = 1, .n_vocab = 300};
            llminf_model *model;
            llminf_options *options = bag(SOME[k], 2);
            llminf_error error;
            size_t size;
            uint8_t *bytes = test_model_make(&SPEC, &size);
            memcpy(bytes + size - sizeof(float), &BAD[i], sizeof(float));
            assert_int_equal(llminf_model_open_memory(&model, bytes, size, NULL, &error), LLMINF_OK);
            assert_int_equal(llminf_model_convert(model, path_of("a"), options, &error), LLMINF_E_NUMERIC);
            assert_string_equal(error.subject, "output.weight");
            assert_non_null(strstr(error.text, "element 19199 "));
            assert_int_equal(n_files(), 0);
            llminf_model_close(model);
            llminf_options_close(options);
            free(bytes);
        }
}

/* Every allocation of a conversion fails once, and for ever. */
static void test_memory(void **state)
{
    static const struct test_model_spec SPEC = {.seed = 10, .n_layers = 1};
    struct support_heap heap = {0};
    llminf_options *for_model, *options = bag("q5_0", 3);
    llminf_error error;
    uint8_t *bytes;
    llminf_model *model;
    (void)state;
    assert_int_equal(llminf_options_open(&for_model, "model", &error), LLMINF_OK);
    assert_int_equal(llminf_options_set_allocator(for_model, support_alloc, support_release, &heap, &error), LLMINF_OK);
    model = open_spec(&SPEC, &bytes, for_model);
    int64_t before = heap.live_bytes;
    for (int for_ever = 0; for_ever < 2; for_ever++)
        for (int64_t k = 1;; k++) {
            llminf_status status;
            support_heap_arm(&heap, k, for_ever);
            status = llminf_model_convert(model, path_of("a"), options, &error);
            assert_true(heap.live_bytes == before);
            if (status == LLMINF_OK) {
                assert_true(k > 8 && heap.n_calls < k);
                break;
            }
            assert_int_equal(status, LLMINF_E_MEMORY);
            assert_int_equal(n_files(), 0 + for_ever); /* that of the first round stays */
        }
    support_heap_arm(&heap, 0, 0);
    assert_tells(path_of("a"));
    assert_int_equal(unlink(path_of("a")), 0);
    llminf_model_close(model);
    llminf_options_close(options);
    llminf_options_close(for_model);
    free(bytes);
    assert_true(heap.live_bytes == 0);
}

/* Encoded while it loads, a model is the one whose file was converted, and is converted on as that is. */
static void test_while_loading(void **state)
{
    static const struct test_model_spec SPEC = {.seed = 11, .n_layers = 2, .n_vocab = 300, .type = LLI_F16};
    static const char *const SOME[] = {"q4_0", "q8_0", "f32", "q4_k_m"};
    struct support_heap heap = {0};
    llminf_options *options;
    llminf_error error;
    uint8_t *bytes, *again;
    size_t size;
    llminf_model *model = open_spec(&SPEC, &bytes, NULL), *file, *loaded;
    (void)state;
    again = test_model_make(&SPEC, &size);
    assert_int_equal(llminf_options_open(&options, "model", &error), LLMINF_OK);
    assert_int_equal(llminf_options_set_allocator(options, support_alloc, support_release, &heap, &error), LLMINF_OK);
    for (size_t i = 0; i < sizeof SOME / sizeof *SOME; i++) {
        const char *want, *has;
        size_t n;
        convert(model, path_of("a"), SOME[i], 1);
        assert_int_equal(llminf_model_open(&file, path_of("a"), NULL, &error), LLMINF_OK);
        assert_int_equal(llminf_options_set_text(options, "convert", SOME[i], -1, &error), LLMINF_OK);
        for (int64_t k = 1;; k++) {
            support_heap_arm(&heap, k, 0);
            llminf_status status = llminf_model_open_memory(&loaded, again, size, options, &error);
            if (status == LLMINF_OK)
                break;
            assert_int_equal(status, LLMINF_E_MEMORY);
            assert_true(heap.live_bytes == 0);
        }
        support_heap_arm(&heap, 0, 0);
        assert_int_equal(llminf_model_text(file, "fingerprint", &want, &n, &error), LLMINF_OK);
        assert_int_equal(llminf_model_text(loaded, "fingerprint", &has, &n, &error), LLMINF_OK);
        assert_string_equal(has, want);
        convert(loaded, path_of("b"), SOME[i], 2);
        assert_same_files(path_of("a"), path_of("b"));
        assert_tells(path_of("b"));
        llminf_model_close(loaded);
        llminf_model_close(file);
        assert_true(heap.live_bytes == 0);
        assert_int_equal(unlink(path_of("a")), 0);
        assert_int_equal(unlink(path_of("b")), 0);
    }
    assert_int_equal(llminf_options_set_text(options, "convert", "q4_2", -1, &error), LLMINF_E_OPTION);
    llminf_options_close(options);
    llminf_model_close(model);
    free(bytes);
    free(again);
}

/* A folder of Hugging Face, as it is and as the GGUF file that it is converted to. */
static void test_folder(void **state)
{
    const char *shared = support_shared();
    char source[1024], *said[2];
    llminf_model *models[2];
    llminf_token ids[2][16];
    llminf_error error;
    (void)state;
    snprintf(source, sizeof source, "%s/models/story-llama-hf", shared != NULL ? shared : "");
    if (shared == NULL)
        skip();
    llminf_status status = llminf_model_open(&models[0], source, NULL, &error);
    if (status == LLMINF_E_IO)
        skip();
    if (status != LLMINF_OK)
        fail_msg("%s", error.text);
    convert(models[0], path_of("a"), "f32", 2);
    if (llminf_model_open(&models[1], path_of("a"), NULL, &error) != LLMINF_OK)
        fail_msg("%s", error.text);
    for (int i = 0; i < 2; i++) {
        llminf_context *context;
        llminf_token text[64];
        size_t n;
        said[i] = calloc(1, 256);
        assert_int_equal(llminf_context_open(&context, models[i], NULL, &error), LLMINF_OK);
        tell_tokens(context, ids[i], 16);
        llminf_context_close(context);
        assert_int_equal(llminf_text_encode(models[i], "Once upon a time", -1, LLMINF_TEXT_BOUNDS, text, 64, &n, &error),
                         LLMINF_OK);
        assert_int_equal(llminf_text_decode(models[i], text, n, LLMINF_TEXT_SPECIAL, said[i], 256, &n, &error), LLMINF_OK);
    }
    assert_memory_equal(ids[0], ids[1], sizeof ids[0]);
    assert_string_equal(said[0], said[1]);
    assert_string_equal(said[0], "<|start_story|>Once upon a time");
    convert(models[1], path_of("b"), "f32", 1);
    assert_same_files(path_of("a"), path_of("b"));
    for (int i = 0; i < 2; i++) {
        llminf_model_close(models[i]);
        free(said[i]);
    }
    assert_int_equal(unlink(path_of("a")), 0);
    assert_int_equal(unlink(path_of("b")), 0);
}

/* generation_config.json beside a folder's files: what ends a generation, here and in the GGUF file that it becomes. */
static void test_ends(void **state)
{
    static const char *const names[] = {"config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"};
    static const char generation[] = "{\"eos_token_id\": [2, 300], \"temperature\": 0.5}";
    const char *shared = support_shared(), *copy = path_of("folder");
    char from[1024], to[1100];
    llminf_model *model;
    llminf_error error;
    int64_t id;
    double temperature;
    (void)state;
    snprintf(from, sizeof from, "%s/models/story-llama-hf/config.json", shared != NULL ? shared : "");
    if (shared == NULL || access(from, R_OK) != 0)
        skip();
    assert_int_equal(mkdir(copy, 0700), 0);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(from, sizeof from, "%s/models/story-llama-hf/%s", shared, names[i]);
        snprintf(to, sizeof to, "%s/%s", copy, names[i]);
        assert_int_equal(symlink(from, to), 0);
    }
    snprintf(to, sizeof to, "%s/generation_config.json", copy);
    FILE *file = fopen(to, "wb");
    assert_true(file != NULL && fputs(generation, file) >= 0 && fclose(file) == 0);
    for (int i = 0; i < 2; i++) {
        if (llminf_model_open(&model, i == 0 ? copy : path_of("a"), NULL, &error) != LLMINF_OK)
            fail_msg("%s", error.text);
        for (llminf_token token = 298; token < 303; token++)
            assert_int_equal((llminf_text_kind(model, token) & LLMINF_TOKEN_EOG) != 0, token == 300);
        assert_true(llminf_text_kind(model, 2) & LLMINF_TOKEN_EOG);
        assert_int_equal(llminf_model_int(model, "tokenizer.huggingface.eog_token_ids[1]", &id, &error), LLMINF_OK);
        assert_int_equal(id, 300);
        assert_int_equal(llminf_model_float(model, "general.sampling.temp", &temperature, &error), LLMINF_OK);
        assert_true(temperature == 0.5);
        if (i == 0)
            convert(model, path_of("a"), "f32", 1);
        llminf_model_close(model);
    }
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(from, sizeof from, "%s/%s", copy, names[i]);
        assert_int_equal(unlink(from), 0);
    }
    assert_int_equal(unlink(to), 0);
    assert_int_equal(rmdir(copy), 0);
    assert_int_equal(unlink(path_of("a")), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type), cmocka_unit_test(test_schema),        cmocka_unit_test(test_every_source),
        cmocka_unit_test(test_threads),    cmocka_unit_test(test_in_place),      cmocka_unit_test(test_pure),
        cmocka_unit_test(test_progress),   cmocka_unit_test(test_arguments),     cmocka_unit_test(test_not_finite),
        cmocka_unit_test(test_memory),     cmocka_unit_test(test_while_loading), cmocka_unit_test(test_folder),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, make_folder, drop_folder);
}
