/* Models in several files, against the same model in one. */
#include "file/shard.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "file/gguf_write.h"
#include "llminf/status.h"
#include "support/gguf_make.h"
#include "support/listener.h"
#include "support/support.h"

enum { N_SHARDS = 3, MAX_PATH_BYTES = 256 };

static const struct test_model_spec SPEC = {
    .n_layers = 2, .n_embd = 32, .n_heads = 4, .n_kv_heads = 2, .n_ff = 64, .n_vocab = 300, .n_context = 64, .seed = 5};

static const struct lli_gguf_options ALL = {.header_limit_bytes = LLI_HEADER_BYTES_DEFAULT};

/* A model in one piece, and how it was cut. */
struct model {
    struct support_heap counter;
    struct lli_heap heap;
    uint8_t *bytes;
    size_t size;
    struct lli_gguf whole;
    char base[MAX_PATH_BYTES - 64];
};

/* What a shard says of itself. */
struct claim {
    uint32_t no, count, n_tensors;
};

static void shard_path(char out[MAX_PATH_BYTES], const struct model *m, int i)
{
    snprintf(out, MAX_PATH_BYTES, "%s-%05d-of-%05d.gguf", m->base, i + 1, N_SHARDS);
}

/* Writes tensors first .. last - 1 as shard i. */
static void write_shard(struct model *m, int i, size_t first, size_t last, struct claim claim)
{
    const struct lli_gguf_number numbers[] = {
        {"split.no", claim.no}, {"split.count", claim.count}, {"split.tensors.count", claim.n_tensors}};
    static const uint8_t zeros[LLI_MAX_ALIGNMENT];
    struct lli_gguf part = m->whole;
    struct lli_buffer out;
    char path[MAX_PATH_BYTES];
    part.n_tensors = last - first;
    lli_buffer_init(&out, &m->heap);
    assert_int_equal(lli_gguf_write_head(&out, &part, m->whole.tensors + first, numbers, 3, NULL), 0);
    for (size_t t = first; t < last; t++) {
        const struct lli_gguf_tensor *tensor = &m->whole.tensors[t];
        assert_int_equal(lli_buffer_append(&out, tensor->data, tensor->bytes), 0);
        assert_int_equal(lli_buffer_append(&out, zeros, lli_gguf_padding(tensor->bytes, part.alignment)), 0);
    }
    shard_path(path, m, i);
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(out.bytes, 1, out.len, file), out.len);
    assert_int_equal(fclose(file), 0);
    lli_buffer_finish(&out);
}

/* Cuts it behind the first `n` tensors and before the last. */
static void write_shards(struct model *m, size_t n)
{
    uint32_t all = (uint32_t)m->whole.n_tensors;
    write_shard(m, 0, 0, n, (struct claim){0, N_SHARDS, all});
    write_shard(m, 1, n, all - 1, (struct claim){1, N_SHARDS, all});
    write_shard(m, 2, all - 1, all, (struct claim){2, N_SHARDS, all});
}

static int setup(void **state)
{
    struct model *m = calloc(1, sizeof *m);
    lli_heap_init(&m->heap, support_alloc, support_release, &m->counter);
    m->bytes = test_model_make(&SPEC, &m->size);
    assert_int_equal(lli_gguf_read(&m->whole, &m->heap, m->bytes, m->size, &ALL, NULL), 0);
    char *name = support_write_temporary("", 0);
    assert_non_null(name);
    snprintf(m->base, sizeof m->base, "%s", name);
    free(name);
    *state = m;
    return 0;
}

static int teardown(void **state)
{
    struct model *m = *state;
    char path[MAX_PATH_BYTES];
    for (int i = 0; i < N_SHARDS; i++) {
        shard_path(path, m, i);
        unlink(path);
    }
    unlink(m->base);
    lli_gguf_finish(&m->whole);
    assert_int_equal(m->counter.live_bytes, 0);
    free(m->bytes);
    free(m);
    return 0;
}

/* Opens the first and joins the others; *g and *files are to be finished in either case. */
static int32_t open_shards(struct lli_gguf *g, struct lli_files *files, struct model *m,
                           const struct lli_shard_options *options, struct llminf_error *err)
{
    struct lli_mapping first;
    struct lli_stretch stretch;
    char path[MAX_PATH_BYTES];
    shard_path(path, m, 0);
    *g = (struct lli_gguf){0};
    lli_files_init(files, &m->heap);
    stretch = lli_shard_stretch(options->progress, path, 0);
    struct lli_progress progress = lli_stretch_progress(&stretch);
    int32_t status = lli_mapping_open(&first, &m->heap, path, options->load, &progress, err);
    if (status == 0)
        status = lli_files_add(files, &first, err);
    if (status == 0)
        status = lli_gguf_read(g, &m->heap, first.bytes, first.size, &options->gguf, err);
    return status == 0 ? lli_shard_join(g, files, path, options, err) : status;
}

static int32_t try_shards(struct model *m, const struct lli_shard_options *options, struct llminf_error *err)
{
    struct lli_gguf g;
    struct lli_files files;
    int32_t status = open_shards(&g, &files, m, options, err);
    lli_gguf_finish(&g);
    lli_files_finish(&files);
    return status;
}

static void check_equal(const struct lli_gguf *g, const struct lli_gguf *whole)
{
    assert_int_equal(g->n_tensors, whole->n_tensors);
    assert_int_equal(g->n_entries, whole->n_entries);
    for (size_t i = 0; i < whole->n_tensors; i++) {
        const struct lli_gguf_tensor *want = &whole->tensors[i], *t = &g->tensors[i];
        assert_string_equal(t->name, want->name);
        assert_ptr_equal(lli_gguf_tensor_find(g, want->name), t);
        assert_memory_equal(t->dims, want->dims, sizeof t->dims);
        assert_memory_equal(t->data, want->data, want->bytes);
    }
    for (size_t i = 0; i < whole->n_entries; i++)
        assert_ptr_equal(lli_gguf_find(g, whole->entries[i].key), &g->entries[i]);
    assert_null(lli_gguf_find(g, "split.count"));
    assert_int_equal(lli_gguf_fingerprint(g), lli_gguf_fingerprint(whole));
}

static void several_files_are_one(void **state)
{
    struct model *m = *state;
    const size_t cuts[] = {0, 1, m->whole.n_tensors - 2}; /* 0: the first has metadata alone */
    for (size_t i = 0; i < 3; i++)
        for (int load = LLI_LOAD_AUTO; load <= LLI_LOAD_READ; load++) {
            const struct lli_shard_options options = {.gguf = ALL, .load = load};
            struct lli_gguf g;
            struct lli_files files;
            write_shards(m, cuts[i]);
            assert_int_equal(open_shards(&g, &files, m, &options, NULL), 0);
            assert_int_equal(files.n, N_SHARDS);
            check_equal(&g, &m->whole);
            lli_gguf_finish(&g);
            assert_int_equal(lli_files_touch(&files, NULL, NULL), 0);
            lli_files_finish(&files);
        }
}

static void text_needs_the_first_alone(void **state)
{
    struct model *m = *state;
    struct lli_shard_options options = {.gguf = ALL};
    char path[MAX_PATH_BYTES];
    write_shards(m, 2);
    shard_path(path, m, 1);
    unlink(path);
    options.gguf.vocab_only = 1;
    assert_int_equal(try_shards(m, &options, NULL), 0);
}

static void progress_rises(void **state)
{
    struct model *m = *state;
    struct listener l;
    const struct lli_progress progress = {listener_note, &l};
    const struct lli_shard_options options = {.gguf = ALL, .load = LLI_LOAD_READ, .progress = &progress};
    write_shards(m, 2);
    listener_start(&l, 0);
    assert_int_equal(try_shards(m, &options, NULL), 0);
    assert_int_equal(l.n, N_SHARDS);
    assert_false(l.is_wrong);
    assert_true(l.last > 0.999);
    for (int stop_at = 1; stop_at <= N_SHARDS; stop_at++) {
        listener_start(&l, stop_at);
        assert_int_equal(try_shards(m, &options, NULL), LLMINF_E_CALLBACK);
    }
}

static void files_that_do_not_belong(void **state)
{
    struct model *m = *state;
    const uint32_t n = (uint32_t)m->whole.n_tensors;
    const struct {
        struct claim second;
        size_t first, last; /* its tensors */
        const char *says;
    } rows[] = {
        {{0, N_SHARDS, n}, 2, n - 1, "shard 0"},
        {{2, N_SHARDS, n}, 2, n - 1, "shard 2"},
        {{1, 2, n}, 2, n - 1, "of 2"},
        {{1, N_SHARDS, n + 1}, 2, n - 1, "tensors in all"},
        {{1, N_SHARDS, n}, 3, n - 1, "all shards together"},
        {{1, N_SHARDS, n}, 1, n - 2, "twice"},
    };
    const struct lli_shard_options options = {.gguf = ALL};
    struct llminf_error err;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        write_shards(m, 2);
        write_shard(m, 1, rows[i].first, rows[i].last, rows[i].second);
        assert_int_equal(try_shards(m, &options, &err), LLMINF_E_FORMAT);
        if (!strstr(err.text, rows[i].says))
            fail_msg("row %zu: %s", i, err.text);
    }
}

static void files_that_are_missing_or_broken(void **state)
{
    struct model *m = *state;
    const struct lli_shard_options options = {.gguf = ALL};
    struct llminf_error err;
    char path[MAX_PATH_BYTES];
    write_shards(m, 2);
    shard_path(path, m, 2);
    assert_int_equal(truncate(path, 1000), 0);
    assert_int_equal(try_shards(m, &options, &err), LLMINF_E_FORMAT);
    unlink(path);
    assert_int_equal(try_shards(m, &options, &err), LLMINF_E_IO);
    assert_int_equal(err.os_error, ENOENT);
    assert_non_null(strstr(err.text, "-00003-of-00003.gguf"));
}

static void no_memory(void **state)
{
    struct model *m = *state;
    const struct lli_shard_options options = {.gguf = ALL, .load = LLI_LOAD_READ};
    int32_t status = LLMINF_E_MEMORY;
    int64_t live = m->counter.live_bytes;
    write_shards(m, 2);
    for (int64_t i = 1; status; i++) {
        support_heap_arm(&m->counter, i, 0);
        status = try_shards(m, &options, NULL);
        assert_true(status == 0 || status == LLMINF_E_MEMORY);
        assert_int_equal(m->counter.live_bytes, live);
    }
    support_heap_arm(&m->counter, 0, 0);
}

/* ---- the first alone: a file with one tensor and these numbers; one below 0 is not in the file */

static int32_t join_first(const char *name, const int64_t numbers[3])
{
    static const char *const keys[] = {"split.no", "split.count", "split.tensors.count"};
    const struct lli_shard_options options = {.gguf = ALL};
    struct lli_heap heap;
    struct lli_files files;
    struct test_gguf f = {0};
    struct lli_gguf g;
    const uint64_t dims[] = {8};
    unsigned n = 0;
    for (int i = 0; i < 3; i++)
        n += numbers[i] >= 0;
    test_gguf_head(&f, 1, 1 + n);
    test_gguf_key_u32(&f, "a.number", 1);
    for (int i = 0; i < 3; i++)
        if (numbers[i] >= 0)
            test_gguf_key_u32(&f, keys[i], (uint32_t)numbers[i]);
    test_gguf_tensor(&f, "t", dims, 1, LLI_F32, 0);
    test_gguf_align(&f, 32);
    test_gguf_zeros(&f, 32);
    lli_heap_init(&heap, NULL, NULL, NULL);
    lli_files_init(&files, &heap);
    assert_int_equal(lli_gguf_read(&g, &heap, f.bytes, f.len, &ALL, NULL), 0);
    int32_t status = lli_shard_join(&g, &files, name, &options, NULL);
    lli_gguf_finish(&g);
    lli_files_finish(&files);
    free(f.bytes);
    return status;
}

static void numbers_and_names(void **state)
{
    static const struct {
        int64_t numbers[3];
        int32_t status;
        const char *name;
    } rows[] = {
        {{-1, -1, -1}, LLMINF_OK, NULL},
        {{0, 1, 1}, LLMINF_OK, NULL},
        {{0, 1, -1}, LLMINF_OK, NULL},
        {{0, 1, 2}, LLMINF_E_FORMAT, NULL},
        {{0, 0, 1}, LLMINF_E_FORMAT, NULL},
        {{5, 2, 2}, LLMINF_E_FORMAT, NULL},
        {{1, 2, 2}, LLMINF_E_FORMAT, NULL},
        {{0, 2, 0}, LLMINF_E_FORMAT, NULL},
        {{0, 1025, 2}, LLMINF_E_LIMIT, NULL},
        {{0, 65535, 2}, LLMINF_E_LIMIT, NULL},
        {{0, 2, 2}, LLMINF_E_UNSUPPORTED, NULL},
        {{0, 2, 2}, LLMINF_E_FORMAT, "model.gguf"},
        {{0, 2, 2}, LLMINF_E_FORMAT, "model-00001-of-00003.gguf"},
        {{0, 2, 2}, LLMINF_E_FORMAT, "x"},
        {{0, 2, 2}, LLMINF_E_IO, "/nowhere/model-00001-of-00002.gguf"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(join_first(rows[i].name, rows[i].numbers), rows[i].status);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(several_files_are_one),         TEST(text_needs_the_first_alone),       TEST(progress_rises),
        TEST(files_that_do_not_belong),      TEST(files_that_are_missing_or_broken), TEST(no_memory),
        cmocka_unit_test(numbers_and_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
