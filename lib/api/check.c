#include "api/check.h"

#include "base/error.h"

llminf_status lli_check_handle(const void *handle, uint32_t mark, const char *name, llminf_error *err)
{
    if (handle == NULL)
        return lli_fail(err, LLMINF_E_INVALID, name, "is NULL, want an open handle");
    if (((const struct lli_handle *)handle)->mark != mark)
        return lli_fail(err, LLMINF_E_INVALID, name, "is no open handle of this kind");
    return LLMINF_OK;
}

llminf_status lli_check_enter(const void *handle, uint32_t mark, const char *name, llminf_error *err)
{
    llminf_status status = lli_check_handle(handle, mark, name, err);
    if (status == LLMINF_OK &&
        atomic_exchange_explicit(&((struct lli_handle *)(uintptr_t)handle)->busy, 1, memory_order_acquire) != 0)
        status = lli_fail(err, LLMINF_E_BUSY, name, "another thread is in a call on this handle");
    return status;
}

void lli_check_leave(const void *handle)
{
    atomic_store_explicit(&((struct lli_handle *)(uintptr_t)handle)->busy, 0, memory_order_release);
}

llminf_status lli_check_out(const void *out, const char *name, llminf_error *err)
{
    return out != NULL ? LLMINF_OK : lli_fail(err, LLMINF_E_INVALID, name, "is NULL, want where to put the result");
}

llminf_status lli_check_text(size_t *out, const char *text, int64_t length, size_t max, const char *name, llminf_error *err)
{
    size_t n = 0;
    *out = 0;
    if (length < -1)
        return lli_fail(err, LLMINF_E_INVALID, name, "length is %lld, want -1 or more", (long long)length);
    if (text == NULL && length != 0)
        return lli_fail(err, LLMINF_E_INVALID, name, "is NULL, want text");
    if (length >= 0)
        n = (uint64_t)length > max ? max + 1 : (size_t)length;
    else
        while (n <= max && text[n] != 0)
            n++;
    if (n > max)
        return lli_fail(err, LLMINF_E_LIMIT, name, "is over %zu bytes", max);
    *out = n;
    return LLMINF_OK;
}

llminf_status lli_check_room(int *copy, const void *buffer, size_t capacity, size_t need, llminf_error *err)
{
    *copy = 0;
    if (buffer == NULL && capacity == 0)
        return LLMINF_OK;
    if (buffer == NULL)
        return lli_fail(err, LLMINF_E_INVALID, "buffer", "is NULL with capacity %zu", capacity);
    if (capacity < need)
        return lli_fail(err, LLMINF_E_TOO_SMALL, "capacity", "is %zu, want %zu", capacity, need);
    *copy = 1;
    return LLMINF_OK;
}
