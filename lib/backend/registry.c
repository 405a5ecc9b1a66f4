/* backend/registry.c - the backends, strongest first, a row each. A row is usable where the CPU has what it needs. */
#include "backend/registry.h"

#include <string.h>

#include "backend/cpu.h"
#include "backend/scalar/scalar.h"
#include "backend/wide/fills.h"

#define AVX2_NEEDS (LLI_CPU_AVX2 | LLI_CPU_FMA | LLI_CPU_F16C)

/* Two builds of the same sources with the same bits: one backend. */
static void fill_scalar(struct lli_kernels *kernels)
{
    if ((lli_cpu_features() & AVX2_NEEDS) == AVX2_NEEDS)
        lli_fill_scalar_fma(kernels);
    else
        lli_fill_scalar(kernels);
}

#if defined(__x86_64__)
/* Likewise. */
static void fill_avx512(struct lli_kernels *kernels)
{
    if (lli_cpu_features() & LLI_CPU_VNNI)
        lli_fill_avx512_vnni(kernels);
    else
        lli_fill_avx512(kernels);
}
/* Likewise. */
static void fill_avx2(struct lli_kernels *kernels)
{
    if (lli_cpu_features() & LLI_CPU_AVX_VNNI)
        lli_fill_avx2_vnni(kernels);
    else
        lli_fill_avx2(kernels);
}
#elif defined(__aarch64__)
/* Three builds, likewise. */
static void fill_neon(struct lli_kernels *kernels)
{
    uint64_t features = lli_cpu_features();
    if (!(features & LLI_CPU_DOTPROD))
        lli_fill_neon(kernels);
    else if (!(features & LLI_CPU_I8MM))
        lli_fill_neon_dot(kernels);
    else
        lli_fill_neon_i8mm(kernels);
}
#endif

static const struct lli_backend backends[] = {
#if defined(__x86_64__)
    {"avx512", AVX2_NEEDS | LLI_CPU_AVX512, LLI_CPU_VNNI, 16, fill_avx512},
    {"avx2", AVX2_NEEDS, LLI_CPU_AVX_VNNI, 8, fill_avx2},
#elif defined(__aarch64__)
    {"neon", LLI_CPU_NEON, LLI_CPU_DOTPROD | LLI_CPU_I8MM, 4, fill_neon},
#endif
    {"scalar", 0, AVX2_NEEDS | LLI_CPU_NEON, 1, fill_scalar},
};

enum { N_BACKENDS = sizeof backends / sizeof *backends };

static int usable(const struct lli_backend *backend, uint64_t features)
{
    return (backend->needs & features) == backend->needs;
}

const struct lli_backend *lli_registry_at(size_t i)
{
    uint64_t features = lli_cpu_features();
    for (size_t b = 0; b < N_BACKENDS; b++)
        if (usable(&backends[b], features) && i-- == 0)
            return &backends[b];
    return NULL;
}

const struct lli_backend *lli_registry_find(const char *name)
{
    const struct lli_backend *backend;
    if (strcmp(name, "auto") == 0)
        return lli_registry_at(0);
    for (size_t i = 0; (backend = lli_registry_at(i)); i++)
        if (strcmp(name, backend->name) == 0)
            return backend;
    return NULL;
}

void lli_registry_fill(struct lli_kernels *out, const struct lli_backend *backend)
{
    fill_scalar(out);
    if (backend->fill != fill_scalar)
        backend->fill(out);
}
