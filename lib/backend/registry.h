/* backend/registry.h - which kernel tables there are, and which of them this CPU can run. */
#ifndef LLI_BACKEND_REGISTRY_H
#define LLI_BACKEND_REGISTRY_H

#include <stddef.h>
#include <stdint.h>

#include "backend/kernels.h"

struct lli_backend {
    const char *name;
    uint64_t needs, likes;                     /* CPU features, bits of backend/cpu.h; likes: used where they are there */
    int lanes;                                 /* rows of a group of packed weights (backend/pack.h); 1: not packed */
    void (*fill)(struct lli_kernels *kernels); /* overwrites what it does better */
};

/* The i-th backend usable here, strongest first; NULL after the last. */
const struct lli_backend *lli_registry_at(size_t i);

/* By name, "auto": the strongest; NULL if unknown or not usable here. */
const struct lli_backend *lli_registry_find(const char *name);

/* The full table of a backend: filled from scalar upward, so no slot is NULL. */
void lli_registry_fill(struct lli_kernels *out, const struct lli_backend *backend);

#endif
