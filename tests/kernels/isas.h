/* isas.h - every build of the vector kernels, for tests that walk all that this CPU can run. */
#ifndef LLMINF_TESTS_KERNELS_ISAS_H
#define LLMINF_TESTS_KERNELS_ISAS_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "backend/cpu.h"
#include "backend/kernels.h"
#include "backend/wide/fills.h"

struct isa {
    const char *name;
    uint64_t needs;
    size_t lanes;
    void (*fill)(struct lli_kernels *out);
};

static const struct isa ISAS[] = {
#if defined(__x86_64__)
    {"avx512_vnni", LLI_CPU_AVX512 | LLI_CPU_VNNI | LLI_CPU_AVX2 | LLI_CPU_FMA | LLI_CPU_F16C, 16, lli_fill_avx512_vnni},
    {"avx512", LLI_CPU_AVX512 | LLI_CPU_AVX2 | LLI_CPU_FMA | LLI_CPU_F16C, 16, lli_fill_avx512},
    {"avx2_vnni", LLI_CPU_AVX_VNNI | LLI_CPU_AVX2 | LLI_CPU_FMA | LLI_CPU_F16C, 8, lli_fill_avx2_vnni},
    {"avx2", LLI_CPU_AVX2 | LLI_CPU_FMA | LLI_CPU_F16C, 8, lli_fill_avx2},
#elif defined(__aarch64__)
    {"neon", LLI_CPU_NEON, 4, lli_fill_neon},
    {"neon_dot", LLI_CPU_NEON | LLI_CPU_DOTPROD, 4, lli_fill_neon_dot},
    {"neon_i8mm", LLI_CPU_NEON | LLI_CPU_DOTPROD | LLI_CPU_I8MM, 4, lli_fill_neon_i8mm},
#endif
    {NULL, 0, 0, NULL},
};

/* Runs the tests once for each build; they find their struct isa in *state. */
static inline int run_on_isas(const struct CMUnitTest *tests, size_t n)
{
    int failed = 0;
    for (const struct isa *isa = ISAS; isa->name; isa++) {
        struct CMUnitTest mine[32];
        if ((lli_cpu_features() & isa->needs) != isa->needs) {
            print_message("%s: not this CPU\n", isa->name);
            continue;
        }
        print_message("%s\n", isa->name);
        memcpy(mine, tests, n * sizeof *tests);
        for (size_t i = 0; i < n; i++)
            mine[i].initial_state = (void *)(uintptr_t)isa;
        failed += _cmocka_run_group_tests(isa->name, mine, n, NULL, NULL);
    }
    return failed;
}

#endif
