/* Chat templates of real models, from outside: NAME.jinja with the conversations of NAME.json and what Jinja2 made of them,
 * or that it raised an error. Data from outside is found by listing the folder. */
#include "text/template.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "base/limits.h"
#include "support.h"

static struct lli_heap heap;
static struct llminf_error error;

static char *read_file(const char *folder, const char *name, const char *suffix, size_t *n)
{
    char path[1024];
    snprintf(path, sizeof path, "%s/%s%s", folder, name, suffix);
    return (char *)support_read(path, n);
}

/* One conversation: the object at `text[0..n)` is both the variables and what is wanted. */
static int check_one(const struct lli_template *t, const char *name, const char *text, size_t n)
{
    struct lli_json json;
    struct lli_template_output out;
    assert_int_equal(lli_json_read(&json, &heap, text, n, name, &error), 0);
    uint32_t want = lli_json_find(&json, 0, "expected", 8), now = lli_json_find(&json, 0, "now", 3);
    struct lli_template_input in = {.json = &json,
                                    .now = now ? json.values[now].text : NULL,
                                    .limit_steps = LLI_TEMPLATE_STEPS_DEFAULT,
                                    .limit_bytes = LLI_TEMPLATE_BYTES_DEFAULT};
    int32_t status = lli_template_run(&out, &heap, t, &in, &error);
    int same = want ? status == LLMINF_OK && out.text.len == json.values[want].n &&
                          memcmp(out.text.bytes, json.values[want].text, out.text.len) == 0
                    : status == LLMINF_E_TEMPLATE && lli_json_find(&json, 0, "error", 5);
    if (!same)
        print_message("%s: want %s\n  got %.*s\n", name, want ? json.values[want].text : "an error",
                      status ? (int)strlen(error.text) : (int)out.text.len, status ? error.text : (const char *)out.text.bytes);
    lli_template_output_finish(&out);
    lli_json_finish(&json);
    return same;
}

/* All conversations of a template; how many. */
static int check_template(const char *folder, const char *name, int *n_wrong)
{
    size_t n_source, n_file;
    char *source = read_file(folder, name, ".jinja", &n_source), *file = read_file(folder, name, ".json", &n_file);
    struct lli_json all;
    struct lli_template *t;
    int n = 0;
    assert_non_null(source);
    assert_non_null(file);
    assert_int_equal(lli_json_read(&all, &heap, file, n_file, name, &error), 0);
    assert_int_equal(all.values[0].kind, LLI_JSON_ARRAY);
    int32_t status = lli_template_new(&t, &heap, source, n_source, &error);
    if (status)
        print_message("%s: %s\n", name, error.text);
    assert_int_equal(status, 0);
    for (uint32_t i = 1; i < all.values[0].end; i = lli_json_next(&all, i), n++) {
        uint32_t next = all.values[i].end;
        size_t end = next < all.n ? all.values[next].at : n_file;
        while (end > 0 && file[end - 1] != '}')
            end--;
        *n_wrong += !check_one(t, name, file + all.values[i].at, end - all.values[i].at);
    }
    lli_template_free(t);
    lli_json_finish(&all);
    free(source);
    free(file);
    return n;
}

static void test_templates(void **state)
{
    char folder[512];
    const char *shared = support_shared();
    (void)state;
    snprintf(folder, sizeof folder, "%s/templates", shared ? shared : "");
    DIR *dir = shared ? opendir(folder) : NULL;
    if (!dir)
        skip();
    int n = 0, n_wrong = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char name[300];
        size_t len = strlen(e->d_name);
        if (len < 7 || len >= sizeof name || strcmp(e->d_name + len - 6, ".jinja") != 0)
            continue;
        snprintf(name, sizeof name, "%.*s", (int)len - 6, e->d_name);
        n += check_template(folder, name, &n_wrong);
    }
    closedir(dir);
    print_message("%d conversations\n", n);
    assert_int_equal(n_wrong, 0);
    assert_true(n > 0);
    assert_int_equal(heap.live_bytes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_templates)};
    lli_heap_init(&heap, NULL, NULL, NULL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
