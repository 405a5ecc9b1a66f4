/* Sessions saved to and loaded from files and memory. */
#include "llminf/llminf.h"

#include <string.h>

#include "api/handles.h"
#include "base/error.h"
#include "engine/snapshot.h"
#include "file/atomic.h"
#include "file/mapping.h"

/* ---- saving ------------------------------------------------------------------------------------------------------ */

static int32_t write_file(void *user, const void *bytes, size_t n, llminf_error *error)
{
    return lli_atomic_write(user, bytes, n, error);
}

static llminf_status check_path(const char *path, llminf_error *error)
{
    if (path != NULL && path[0] != 0)
        return LLMINF_OK;
    return lli_fail(error, LLMINF_E_INVALID, "path", "is %s, want a file's", path == NULL ? "NULL" : "empty");
}

llminf_status llminf_session_save(llminf_session *session, const char *path, llminf_error *error)
{
    struct lli_atomic file = {0};
    struct lli_snapshot_sink sink = {.write = write_file, .user = &file};
    llminf_status status = lli_check_enter(session, LLI_MARK_SESSION, "session", error);
    if (status != LLMINF_OK)
        return status;
    status = check_path(path, error);
    if (status == LLMINF_OK)
        status = lli_atomic_open(&file, &session->context->model->heap, path, error);
    if (status == LLMINF_OK)
        status = lli_snapshot_write(session->timeline, &sink, error);
    if (status == LLMINF_OK)
        status = lli_atomic_commit(&file, error);
    lli_atomic_finish(&file);
    lli_check_leave(session);
    return status;
}

struct memory {
    uint8_t *bytes;
    size_t capacity, n;
    size_t *size_out;
    int is_asked; /* for the size alone */
};

static int32_t begin_memory(void *user, uint64_t n_all, llminf_error *error)
{
    struct memory *m = user;
    int copy;
    if (n_all > SIZE_MAX)
        return lli_fail(error, LLMINF_E_LIMIT, "size", "%llu bytes are over the address space", (unsigned long long)n_all);
    *m->size_out = (size_t)n_all;
    int32_t status = lli_check_room(&copy, m->bytes, m->capacity, (size_t)n_all, error);
    m->is_asked = status == LLMINF_OK && !copy;
    return m->is_asked ? LLMINF_DONE : status;
}

static int32_t write_memory(void *user, const void *bytes, size_t n, llminf_error *error)
{
    struct memory *m = user;
    (void)error;
    memcpy(m->bytes + m->n, bytes, n);
    m->n += n;
    return LLMINF_OK;
}

llminf_status llminf_session_save_memory(llminf_session *session, void *bytes, size_t capacity, size_t *size_out,
                                         llminf_error *error)
{
    struct memory memory = {.bytes = bytes, .capacity = capacity, .size_out = size_out};
    struct lli_snapshot_sink sink = {.begin = begin_memory, .write = write_memory, .user = &memory};
    llminf_status status = lli_check_out(size_out, "size_out", error);
    if (status != LLMINF_OK)
        return status;
    *size_out = 0;
    status = lli_check_enter(session, LLI_MARK_SESSION, "session", error);
    if (status != LLMINF_OK)
        return status;
    status = lli_snapshot_write(session->timeline, &sink, error);
    lli_check_leave(session);
    return memory.is_asked ? LLMINF_OK : status;
}

/* ---- loading ----------------------------------------------------------------------------------------------------- */

struct bytes {
    const void *at;
    size_t size;
};

static llminf_status make_loaded(struct lli_timeline **out, struct llminf_context *context,
                                 const struct lli_timeline_options *options, const void *arg, llminf_error *error)
{
    const struct bytes *bytes = arg;
    return lli_snapshot_read(out, context->engine, bytes->at, bytes->size, options, error);
}

llminf_status llminf_session_load_memory(llminf_session **out, llminf_context *context, const void *bytes, size_t size,
                                         const llminf_options *options, llminf_error *error)
{
    const struct bytes all = {bytes, size};
    if (lli_check_out(out, "out", error) != LLMINF_OK)
        return LLMINF_E_INVALID;
    *out = NULL;
    if (bytes == NULL)
        return lli_fail(error, LLMINF_E_INVALID, "bytes", "is NULL, want a saved session");
    return lli_session_new(out, context, options, make_loaded, &all, error);
}

llminf_status llminf_session_load(llminf_session **out, llminf_context *context, const char *path,
                                  const llminf_options *options, llminf_error *error)
{
    struct lli_mapping mapping = {0};
    llminf_status status;
    if (lli_check_out(out, "out", error) != LLMINF_OK)
        return LLMINF_E_INVALID;
    *out = NULL;
    status = lli_check_handle(context, LLI_MARK_CONTEXT, "context", error);
    if (status == LLMINF_OK)
        status = check_path(path, error);
    if (status != LLMINF_OK)
        return status;
    status = lli_mapping_open(&mapping, &context->model->heap, path, LLI_LOAD_READ, NULL, error);
    if (status == LLMINF_OK) {
        const struct bytes all = {mapping.bytes, mapping.size};
        status = lli_session_new(out, context, options, make_loaded, &all, error);
    }
    lli_mapping_finish(&mapping);
    return status;
}
