/* Sessions saved and loaded through the public functions, with the bundled model: the same bits go on, whatever reads them; and
 * a save that is killed leaves the old file or the new one. Oracle 55 of the engine's design; ranks that share a model are not
 * there yet.
 *
 * usage: test-api-snapshots [KILLS] */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <glob.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <llminf/llminf.h>

enum { PROMPT = 40, NEW = 20 };

static llminf_model *model;
static const char *self;
static int n_kills = 200;
static char folder[] = "/tmp/llminf-test-XXXXXX", path[64];

static int open_model(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/session", folder);
    return llminf_model_open(&model, LLMINF_SOURCE_ROOT "/examples/demo-model/stories.gguf", NULL, NULL) != LLMINF_OK;
}

static int close_model(void **state)
{
    (void)state;
    llminf_model_close(model);
    unlink(path);
    return rmdir(folder); /* no temporary file is left */
}

static llminf_context *open_context(const char *key, const char *value)
{
    llminf_options *options;
    llminf_context *context;
    if (llminf_options_open(&options, "context", NULL) != LLMINF_OK ||
        llminf_options_parse(options, key, value, -1, NULL) != LLMINF_OK ||
        llminf_context_open(&context, model, options, NULL) != LLMINF_OK)
        return NULL;
    llminf_options_close(options);
    return context;
}

static llminf_session *open_session(llminf_context *context, int first)
{
    llminf_session *session;
    llminf_token ids[PROMPT] = {1};
    for (int i = 1; i < PROMPT; i++)
        ids[i] = 300 + (i * 31 + first) % 200;
    if (llminf_session_open(&session, context, NULL, NULL) != LLMINF_OK ||
        llminf_session_append(session, ids, PROMPT, NULL) != LLMINF_OK)
        return NULL;
    return session;
}

/* NEW more tokens; the timeline's length. */
static size_t go_on(llminf_session *session, llminf_token *tokens)
{
    llminf_options *options;
    size_t n = 0;
    if (llminf_options_open(&options, "generate", NULL) == LLMINF_OK &&
        llminf_options_set_int(options, "max_tokens", NEW, NULL) == LLMINF_OK &&
        llminf_options_set_int(options, "ignore_eog", 1, NULL) == LLMINF_OK &&
        llminf_session_generate(session, NULL, options, NULL) == LLMINF_OK &&
        llminf_session_wait(session, -1, NULL) == LLMINF_DONE)
        llminf_session_tokens(session, 0, tokens, PROMPT + 2 * NEW, &n, NULL);
    llminf_options_close(options);
    return n;
}

static void expect(llminf_session *session, const llminf_token *want, const char *what)
{
    llminf_token tokens[PROMPT + 2 * NEW];
    assert_non_null(session);
    assert_int_equal(go_on(session, tokens), PROMPT + 2 * NEW);
    if (memcmp(tokens, want, sizeof tokens) != 0)
        fail_msg("%s: goes on differently", what);
    llminf_session_close(session);
}

static void test_going_on(void **state)
{
    static const char *const others[][2] = {
        {"threads", "1"}, {"threads", "2"}, {"backend", "scalar"}, {"prefix_cache", "0"}, {"kv_budget_bytes", "4MiB"}};
    llminf_token want[PROMPT + 2 * NEW];
    llminf_session *loaded;
    llminf_error error;
    size_t size, n;
    (void)state;
    llminf_context *context = open_context("threads", "2");
    llminf_session *session = open_session(context, 0);
    assert_int_equal(go_on(session, want), PROMPT + NEW);
    assert_int_equal(llminf_session_save(session, path, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_save_memory(session, NULL, 0, &size, NULL), LLMINF_OK);
    uint8_t *bytes = malloc(size);
    assert_int_equal(llminf_session_save_memory(session, bytes, size - 1, &n, NULL), LLMINF_E_TOO_SMALL);
    assert_int_equal(n, size);
    assert_int_equal(llminf_session_save_memory(session, bytes, size, &n, NULL), LLMINF_OK);
    assert_int_equal(go_on(session, want), PROMPT + 2 * NEW);
    llminf_session_close(session);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        llminf_context *other = open_context(others[i][0], others[i][1]);
        int64_t computed;
        assert_non_null(other);
        assert_int_equal(llminf_session_load(&loaded, other, path, NULL, NULL), LLMINF_OK);
        assert_int_equal(llminf_session_int(loaded, "computed", &computed, NULL), LLMINF_OK);
        assert_int_equal(computed, (PROMPT + NEW - 1) / 16 * 16);
        expect(loaded, want, others[i][1]);
        assert_int_equal(llminf_session_load_memory(&loaded, other, bytes, size, NULL, NULL), LLMINF_OK);
        expect(loaded, want, "from memory");
        llminf_context_close(other);
    }
    bytes[size / 2] ^= 1;
    assert_int_equal(llminf_session_load_memory(&loaded, context, bytes, size, NULL, &error), LLMINF_E_FORMAT);
    assert_null(loaded);
    llminf_context_close(context);
    context = open_context("kv_type", "f32");
    assert_int_equal(llminf_session_load(&loaded, context, path, NULL, &error), LLMINF_E_MISMATCH);
    assert_string_equal(error.subject, "kv_type");
    assert_int_equal(llminf_session_load(&loaded, context, "/nowhere/at/all", NULL, &error), LLMINF_E_IO);
    assert_int_equal(llminf_session_load(&loaded, context, "", NULL, &error), LLMINF_E_INVALID);
    llminf_context_close(context);
    free(bytes);
}

/* What the killed one does: two sessions saved in turn to one place, for ever. */
static int save_for_ever(const char *place)
{
    llminf_context *context;
    llminf_session *sessions[2];
    llminf_token tokens[PROMPT + 2 * NEW];
    if (llminf_model_open(&model, LLMINF_SOURCE_ROOT "/examples/demo-model/stories.gguf", NULL, NULL) != LLMINF_OK)
        return 1;
    context = open_context("threads", "1");
    for (int i = 0; i < 2; i++)
        if (!context || !(sessions[i] = open_session(context, i)) || go_on(sessions[i], tokens) == 0)
            return 1;
    for (int i = 0, is_said = 0;; i = !i, is_said = 1)
        if (llminf_session_save(sessions[i], place, NULL) != LLMINF_OK || (!is_said && write(STDOUT_FILENO, "s", 1) != 1))
            return 1;
}

/* Starts a process that does so, and waits for its first save. */
static pid_t start_saving(void)
{
    int ends[2];
    char said;
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    if (child == 0) {
        dup2(ends[1], STDOUT_FILENO);
        execl(self, self, "save", path, (char *)NULL);
        _exit(127);
    }
    assert_true(child > 0);
    close(ends[1]);
    assert_int_equal(read(ends[0], &said, 1), 1);
    close(ends[0]);
    return child;
}

/* What those left that were killed within a save; how many. */
static size_t remove_parts(void)
{
    char pattern[64];
    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/.llminf-*.part", folder);
    int failed = glob(pattern, 0, NULL, &found);
    size_t n = failed ? 0 : found.gl_pathc;
    assert_true(failed == 0 || failed == GLOB_NOMATCH);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(unlink(found.gl_pathv[i]), 0);
    if (!failed)
        globfree(&found);
    return n;
}

/* Loads what is there, again and again, while another writes: always one of the two. */
struct loading {
    llminf_context *context;
    const llminf_token (*want)[PROMPT + 2 * NEW];
    _Atomic int stop;
    int n, n_wrong;
};

static void *load_for_ever(void *arg)
{
    struct loading *l = arg;
    while (!atomic_load(&l->stop)) {
        llminf_token tokens[PROMPT + 2 * NEW];
        llminf_session *loaded;
        size_t n = 0;
        int is_right = 0;
        if (llminf_session_load(&loaded, l->context, path, NULL, NULL) == LLMINF_OK) {
            llminf_session_tokens(loaded, 0, tokens, PROMPT + NEW, &n, NULL);
            for (int i = 0; i < 2; i++)
                is_right |= n == PROMPT + NEW && memcmp(tokens, l->want[i], n * sizeof *tokens) == 0;
        }
        llminf_session_close(loaded);
        l->n_wrong += !is_right;
        l->n++;
    }
    return NULL;
}

static void test_killed(void **state)
{
    llminf_token want[2][PROMPT + 2 * NEW], tokens[PROMPT + 2 * NEW];
    struct loading loading = {.want = (const llminf_token(*)[PROMPT + 2 * NEW]) want};
    pthread_t loader;
    int n_seen[2] = {0, 0};
    (void)state;
    llminf_context *context = open_context("threads", "2");
    for (int i = 0; i < 2; i++) {
        llminf_session *session = open_session(context, i);
        go_on(session, want[i]);
        go_on(session, want[i]);
        llminf_session_close(session);
    }
    unlink(path);
    for (int i = 0; i < n_kills; i++) {
        llminf_session *loaded;
        pid_t child = start_saving();
        if (i == 0) {
            loading.context = context;
            assert_int_equal(pthread_create(&loader, NULL, load_for_ever, &loading), 0);
        }
        nanosleep(&(struct timespec){.tv_nsec = 370000 * (i % 25) + 13000 * (i / 25)}, NULL);
        kill(child, SIGKILL);
        assert_int_equal(waitpid(child, NULL, 0), child);
        assert_int_equal(llminf_session_load(&loaded, context, path, NULL, NULL), LLMINF_OK);
        assert_int_equal(go_on(loaded, tokens), PROMPT + 2 * NEW);
        int which = memcmp(tokens, want[0], sizeof tokens) == 0 ? 0 : 1;
        assert_memory_equal(tokens, want[which], sizeof tokens);
        n_seen[which]++;
        llminf_session_close(loaded);
    }
    atomic_store(&loading.stop, 1);
    pthread_join(loader, NULL);
    size_t n_within = remove_parts();
    printf("%d kills, %zu within a save: %d times the one, %d times the other; %d loads meanwhile\n", n_kills, n_within,
           n_seen[0], n_seen[1], loading.n);
    assert_true(n_within > 0);
    assert_int_equal(loading.n_wrong, 0);
    assert_int_equal(n_seen[0] + n_seen[1], n_kills);
    llminf_context_close(context);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_going_on), cmocka_unit_test(test_killed)};
    self = argv[0];
    if (argc == 2)
        n_kills = atoi(argv[1]);
    if (argc == 3 && strcmp(argv[1], "save") == 0)
        return save_for_ever(argv[2]);
    return cmocka_run_group_tests(tests, open_model, close_model);
}
