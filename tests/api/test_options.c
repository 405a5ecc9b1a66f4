/* The options bag and the schema through the public API. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <dirent.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <llminf/llminf.h>

#include "support/gguf_make.h"
#include "support/support.h"

static const char *const bags[] = {"model", "context", "session", "sampler", "generate", "adapter", "convert", "cost"};

static llminf_options *open_bag(const char *kind)
{
    llminf_options *options = NULL;
    llminf_error error;
    assert_int_equal(llminf_options_open(&options, kind, &error), LLMINF_OK);
    assert_non_null(options);
    return options;
}

static void test_kinds(void **state)
{
    llminf_options *options = (llminf_options *)(uintptr_t)1;
    llminf_error error;
    (void)state;
    for (size_t i = 0; i < sizeof bags / sizeof *bags; i++)
        llminf_options_close(open_bag(bags[i]));
    assert_int_equal(llminf_options_open(&options, "stats.model", &error), LLMINF_E_OPTION);
    assert_null(options);
    assert_int_equal(llminf_options_open(&options, "nobody", &error), LLMINF_E_OPTION);
    assert_string_equal(error.subject, "nobody");
    assert_int_equal(llminf_options_open(&options, NULL, &error), LLMINF_E_OPTION);
    assert_int_equal(llminf_options_open(NULL, "model", &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_options_open(NULL, "model", NULL), LLMINF_E_INVALID);
    llminf_options_close(NULL);
}

/* Each row: what a setter answers. */
static void test_ranges(void **state)
{
    static const struct {
        const char *kind, *key, *text;
        llminf_status status;
    } rows[] = {
        {"sampler", "temperature", "0", 0},
        {"sampler", "temperature", "1e-40", 0},
        {"sampler", "temperature", "100", 0},
        {"sampler", "temperature", "100.1", LLMINF_E_OPTION},
        {"sampler", "temperature", "-1", LLMINF_E_OPTION},
        {"sampler", "temperature", "nan", LLMINF_E_OPTION},
        {"sampler", "temperature", "inf", LLMINF_E_OPTION},
        {"sampler", "temperature", "0,7", LLMINF_E_OPTION},
        {"sampler", "top_k", "-1", LLMINF_E_OPTION},
        {"sampler", "top_k", "2147483647", 0},
        {"sampler", "top_k", "2147483648", LLMINF_E_OPTION},
        {"sampler", "top_p", "0", LLMINF_E_OPTION},
        {"sampler", "top_p", "0.0001", 0},
        {"sampler", "min_p", "0", 0},
        {"sampler", "repeat_penalty", "0", LLMINF_E_OPTION},
        {"sampler", "penalty_window", "-2", LLMINF_E_OPTION},
        {"sampler", "seed", "9223372036854775807", 0},
        {"sampler", "seed", "9223372036854775808", LLMINF_E_OPTION},
        {"sampler", "frequency_penalty", "-10", 0},
        {"generate", "max_tokens", "-2", LLMINF_E_OPTION},
        {"generate", "max_tokens", "9223372036854775807", LLMINF_E_OPTION},
        {"generate", "logits", "all", 0},
        {"generate", "logits", "All", 0},
        {"generate", "logits", "al", LLMINF_E_OPTION},
        {"convert", "type", "Q4_K_M", 0},
        {"convert", "type", "Q4-K_M", LLMINF_E_OPTION},
        {"generate", "logits", "", LLMINF_E_OPTION},
        {"generate", "stop", "", LLMINF_E_OPTION},
        {"generate", "stop", "x", 0},
        {"generate", "echo", "true", 0},
        {"generate", "echo", "2", LLMINF_E_OPTION},
        {"context", "kv_budget_bytes", "2GiB", 0},
        {"context", "kv_budget_bytes", "0", 0},
        {"context", "kv_budget_bytes", "65535", LLMINF_E_OPTION},
        {"context", "kv_budget_bytes", "9999999TiB", LLMINF_E_OPTION},
        {"context", "kv_budget_bytes", "99999999999TiB", LLMINF_E_OPTION},
        {"context", "kv_budget_bytes", "2ms", LLMINF_E_OPTION},
        {"context", "spin_ns", "2ms", 0},
        {"context", "spin_ns", "2s", LLMINF_E_OPTION},
        {"context", "step_tokens", "15", LLMINF_E_OPTION},
        {"context", "step_tokens", "0", 0},
        {"context", "threads", "1025", LLMINF_E_OPTION},
        {"context", "backend", "any name", 0},
        {"context", "unheard_of", "1", LLMINF_E_OPTION},
        {"context", "seed", "1", LLMINF_E_OPTION},
        {"model", "load", "map", 0},
        {"model", "load", "mmap", LLMINF_E_OPTION},
        {"model", "vocab_only", "yes", 0},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        llminf_options *options = open_bag(rows[i].kind);
        llminf_error error;
        llminf_status status = llminf_options_parse(options, rows[i].key, rows[i].text, -1, &error);
        if (status != rows[i].status)
            fail_msg("%s = %s: %d, want %d", rows[i].key, rows[i].text, status, rows[i].status);
        if (status != 0) {
            assert_string_equal(error.subject, rows[i].key);
            assert_memory_equal(error.text, rows[i].key, strlen(rows[i].key));
            assert_int_equal(error.status, status);
        }
        llminf_options_close(options);
    }
}

static void test_types(void **state)
{
    llminf_options *options = open_bag("sampler");
    llminf_error error;
    (void)state;
    assert_int_equal(llminf_options_set_int(options, "temperature", 1, &error), LLMINF_E_OPTION);
    assert_int_equal(llminf_options_set_float(options, "top_k", 1, &error), LLMINF_E_OPTION);
    assert_int_equal(llminf_options_set_float(options, "temperature", (double)NAN, &error), LLMINF_E_OPTION);
    assert_int_equal(llminf_options_set_float(options, "temperature", (double)INFINITY, &error), LLMINF_E_OPTION);
    assert_int_equal(llminf_options_set_text(options, "seed", "1", -1, &error), LLMINF_E_OPTION);
    assert_int_equal(llminf_options_add_text(options, "seed", "1", -1, &error), LLMINF_E_OPTION);
    assert_int_equal(llminf_options_set_int(options, NULL, 1, &error), LLMINF_E_OPTION);
    assert_int_equal(llminf_options_set_int(NULL, "seed", 1, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_options_set_int((llminf_options *)(uintptr_t)&error, "seed", 1, NULL), LLMINF_E_INVALID);
    llminf_options_close(options);
}

static int32_t no_progress(void *user, double done)
{
    (void)user;
    (void)done;
    return 0;
}

/* Functions of the host belong to a model's bag, the allocator's in pairs; progress to a context's and a conversion's too. */
static void test_functions(void **state)
{
    llminf_options *model = open_bag("model"), *context = open_bag("context"), *session = open_bag("session"),
                   *convert = open_bag("convert");
    llminf_error error;
    (void)state;
    assert_int_equal(llminf_options_set_progress(model, no_progress, NULL, &error), LLMINF_OK);
    assert_int_equal(llminf_options_set_progress(model, NULL, NULL, &error), LLMINF_OK);
    assert_int_equal(llminf_options_set_progress(context, no_progress, NULL, &error), LLMINF_OK);
    assert_int_equal(llminf_options_set_progress(context, NULL, NULL, &error), LLMINF_OK);
    assert_int_equal(llminf_options_set_allocator(context, support_alloc, support_release, NULL, &error), LLMINF_E_OPTION);
    assert_string_equal(error.subject, "allocator");
    assert_int_equal(llminf_options_set_progress(convert, no_progress, NULL, &error), LLMINF_OK);
    assert_int_equal(llminf_options_set_allocator(convert, support_alloc, support_release, NULL, &error), LLMINF_E_OPTION);
    assert_int_equal(llminf_options_set_progress(session, no_progress, NULL, &error), LLMINF_E_OPTION);
    assert_string_equal(error.subject, "progress");
    assert_int_equal(llminf_options_set_allocator(model, support_alloc, NULL, NULL, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_options_set_allocator(session, support_alloc, support_release, NULL, &error), LLMINF_E_OPTION);
    assert_int_equal(llminf_options_set_allocator(model, NULL, NULL, NULL, &error), LLMINF_OK);
    llminf_options_close(model);
    llminf_options_close(context);
    llminf_options_close(session);
    llminf_options_close(convert);
}

/* ---- a model in a bag */

struct small_model {
    uint8_t *bytes;
    llminf_model *handle;
};

/* With `other` the first token is spelled in another way. */
static struct small_model small(uint32_t n_vocab, int other, int vocab_only)
{
    static const char key[] = "tokenizer.ggml.tokens";
    struct test_model_spec spec = {.n_vocab = n_vocab, .n_layers = 1, .n_context = 64, .seed = 1};
    struct test_gguf f = {0};
    struct small_model m;
    llminf_options *options = open_bag("model");
    f.bytes = m.bytes = test_model_make(&spec, &f.len);
    if (other)
        m.bytes[test_gguf_find(&f, key) + 8 + sizeof key - 1 + 4 + 4 + 8 + 8] ^= 1;
    assert_int_equal(llminf_options_set_int(options, "vocab_only", vocab_only, NULL), LLMINF_OK);
    assert_int_equal(llminf_model_open_memory(&m.handle, m.bytes, f.len, options, NULL), LLMINF_OK);
    llminf_options_close(options);
    return m;
}

static void expect_open(llminf_model *model, llminf_model *draft, llminf_status status, const char *subject)
{
    llminf_options *options = open_bag("context");
    llminf_context *context;
    llminf_error error;
    assert_int_equal(llminf_options_set_float(options, "draft_share", 0.5, NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_model(options, "draft", draft, NULL), LLMINF_OK);
    assert_int_equal(llminf_context_open(&context, model, options, &error), status);
    if (status != LLMINF_OK)
        assert_string_equal(error.subject, subject);
    llminf_options_close(options);
    llminf_context_close(context);
}

static void test_draft(void **state)
{
    struct small_model model = small(320, 0, 0), wide = small(330, 0, 0), other = small(320, 1, 0), text = small(320, 0, 1);
    llminf_options *options = open_bag("context"), *sampler = open_bag("sampler"), *how = open_bag("generate");
    llminf_context *context;
    llminf_session *session;
    llminf_error error;
    llminf_token id = 40;
    (void)state;
    assert_int_equal(llminf_options_set_model(options, "drafts", model.handle, &error), LLMINF_E_OPTION);
    assert_string_equal(error.subject, "drafts");
    assert_int_equal(llminf_options_set_model(options, NULL, model.handle, &error), LLMINF_E_OPTION);
    assert_int_equal(llminf_options_set_model(options, "draft", (llminf_model *)(void *)options, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_options_set_model(sampler, "draft", model.handle, &error), LLMINF_E_OPTION);
    assert_int_equal(llminf_options_set_model(NULL, "draft", model.handle, &error), LLMINF_E_INVALID);
    expect_open(model.handle, model.handle, LLMINF_OK, NULL);
    expect_open(model.handle, NULL, LLMINF_OK, NULL);
    expect_open(model.handle, wide.handle, LLMINF_E_OPTION, "draft");
    expect_open(model.handle, other.handle, LLMINF_E_OPTION, "draft");
    expect_open(model.handle, text.handle, LLMINF_E_OPTION, "draft");
    assert_int_equal(llminf_options_set_text(how, "speculate", "model", -1, NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_model(options, "draft", wide.handle, NULL), LLMINF_OK); /* replaced, and taken away */
    assert_int_equal(llminf_options_set_model(options, "draft", model.handle, NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_model(options, "draft", NULL, NULL), LLMINF_OK);
    assert_int_equal(llminf_context_open(&context, model.handle, options, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_open(&session, context, NULL, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_append(session, &id, 1, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_generate(session, NULL, how, &error), LLMINF_E_OPTION);
    assert_string_equal(error.subject, "speculate");
    llminf_session_close(session);
    llminf_context_close(context);
    assert_int_equal(llminf_options_set_model(options, "draft", other.handle, NULL), LLMINF_OK);
    llminf_model_close(other.handle); /* the bag keeps it */
    llminf_options_close(options);
    llminf_options_close(sampler);
    llminf_options_close(how);
    llminf_model_close(model.handle);
    llminf_model_close(wide.handle);
    llminf_model_close(text.handle);
    free(model.bytes);
    free(wide.bytes);
    free(other.bytes);
    free(text.bytes);
}

/* How many threads of the library there are; each runs on `cpu` only. */
static int count_pinned(int cpu)
{
    DIR *tasks = opendir("/proc/self/task");
    int n = 0;
    assert_non_null(tasks);
    for (struct dirent *task; (task = readdir(tasks)) != NULL;) {
        char path[300], name[32] = "";
        cpu_set_t mask;
        FILE *file;
        snprintf(path, sizeof path, "/proc/self/task/%s/comm", task->d_name);
        if (task->d_name[0] == '.' || (file = fopen(path, "r")) == NULL)
            continue;
        assert_non_null(fgets(name, sizeof name, file));
        fclose(file);
        if (strncmp(name, "llminf-", 7) != 0)
            continue;
        assert_int_equal(sched_getaffinity(atoi(task->d_name), sizeof mask, &mask), 0);
        assert_true(CPU_COUNT(&mask) == 1 && CPU_ISSET(cpu, &mask));
        n++;
    }
    closedir(tasks);
    return n;
}

static void test_cpus(void **state)
{
    struct small_model model = small(320, 0, 0);
    llminf_options *options = open_bag("context");
    llminf_context *context;
    llminf_error error;
    cpu_set_t mask;
    int cpu = 0;
    char text[16];
    (void)state;
    assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), 0);
    while (!CPU_ISSET(cpu, &mask))
        cpu++;
    snprintf(text, sizeof text, "%d", cpu);
    assert_int_equal(llminf_options_set_text(options, "cpus", text, -1, &error), LLMINF_OK);
    for (int threads = 0; threads <= 3; threads += 3) {
        assert_int_equal(llminf_options_set_int(options, "threads", threads, &error), LLMINF_OK);
        assert_int_equal(llminf_context_open(&context, model.handle, options, &error), LLMINF_OK);
        assert_int_equal(count_pinned(cpu), threads > 0 ? threads : 1); /* the engine's thread is the first worker */
        llminf_context_close(context);
    }
    assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), 0);
    for (cpu = 0; cpu < CPU_SETSIZE && CPU_ISSET(cpu, &mask); cpu++)
        ;
    snprintf(text, sizeof text, "%d", cpu);
    const char *const bad[] = {"x", "1-0", text};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(llminf_options_set_text(options, "cpus", bad[i], -1, &error), LLMINF_OK);
        assert_int_equal(llminf_context_open(&context, model.handle, options, &error), LLMINF_E_OPTION);
        assert_string_equal(error.subject, "cpus");
    }
    llminf_options_close(options);
    llminf_model_close(model.handle);
    free(model.bytes);
}

static void test_lists(void **state)
{
    llminf_options *options = open_bag("generate");
    char item[4097];
    llminf_error error;
    (void)state;
    memset(item, 'x', sizeof item);
    assert_int_equal(llminf_options_add_text(options, "stop", item, 4097, &error), LLMINF_E_OPTION);
    for (int i = 0; i < 64; i++)
        assert_int_equal(llminf_options_add_text(options, "stop", item, 4096, &error), LLMINF_OK);
    assert_int_equal(llminf_options_add_text(options, "stop", "y", 1, &error), LLMINF_E_OPTION);
    assert_int_equal(llminf_options_add_text(options, "stop", NULL, -1, &error), LLMINF_E_INVALID);
    assert_int_equal(llminf_options_add_text(options, "stop", "y", -2, &error), LLMINF_E_INVALID);
    llminf_options_close(options);
}

static void test_schema(void **state)
{
    static const char *const values[] = {"stats.model", "stats.context", "stats.session"};
    const char *key;
    size_t n = 0;
    (void)state;
    for (size_t i = 0; i < sizeof bags / sizeof *bags; i++)
        for (size_t k = 0; (key = llminf_schema_key(bags[i], k)) != NULL; k++, n++) {
            const char *entry = llminf_schema_entry(bags[i], key);
            assert_non_null(entry);
            assert_true(entry[0] == '{' && entry[strlen(entry) - 1] == '}');
            assert_non_null(strstr(entry, "\"type\":\""));
            assert_non_null(strstr(entry, "\"default\":"));
        }
    assert_true(n >= 30);
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        assert_non_null(llminf_schema_key(values[i], 0));
    assert_null(llminf_schema_key("nothing", 0));
    assert_null(llminf_schema_key(NULL, 0));
    assert_null(llminf_schema_entry("model", "nothing"));
    assert_null(llminf_schema_entry("model", NULL));
}

static void test_names(void **state)
{
    (void)state;
    assert_int_equal(llminf_version(), LLMINF_VERSION_MAJOR * 1000000 + LLMINF_VERSION_MINOR * 1000 + LLMINF_VERSION_PATCH);
    assert_true(strlen(llminf_version_text()) >= 5);
    for (llminf_status s = LLMINF_E_INTERNAL; s <= LLMINF_DONE; s++) {
        assert_memory_equal(llminf_status_name(s), "LLMINF_", 7);
        assert_string_not_equal(llminf_status_name(s), "LLMINF_UNKNOWN");
    }
    assert_string_equal(llminf_status_name(99), "LLMINF_UNKNOWN");
    assert_non_null(llminf_status_text(-99));
    assert_non_null(llminf_backend_at(NULL, 0));
    assert_null(llminf_backend_at(NULL, 1000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kinds),     cmocka_unit_test(test_ranges), cmocka_unit_test(test_types),
        cmocka_unit_test(test_functions), cmocka_unit_test(test_draft),  cmocka_unit_test(test_lists),
        cmocka_unit_test(test_schema),    cmocka_unit_test(test_names),  cmocka_unit_test(test_cpus),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
