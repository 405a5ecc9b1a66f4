/* api/adapter.h - the adapters of a model by id. */
#ifndef LLI_API_ADAPTER_H
#define LLI_API_ADAPTER_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

#include "llminf/llminf.h"

#include "base/alloc.h"

struct lli_adapter;

struct lli_adapters {
    struct lli_heap *heap;
    pthread_mutex_t lock; /* guards all below */
    int has_lock;
    struct lli_adapter **at; /* [n] open ones, a reference each; owned */
    size_t n, cap;
    int32_t last_id;
};

llminf_status lli_adapters_init(struct lli_adapters *adapters, struct lli_heap *heap, llminf_error *err);
void lli_adapters_finish(struct lli_adapters *adapters); /* accepts a zeroed struct */

/* A reference on the adapter of that id; id 0: *out is NULL. NOT_FOUND. */
llminf_status lli_adapters_take(struct lli_adapter **out, struct lli_adapters *adapters, int64_t id, llminf_error *err);

#endif
