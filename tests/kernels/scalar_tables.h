/* tests/kernels/scalar_tables.h - the scalar kernels that this CPU can run, and how their results are compared. */
#ifndef TEST_SCALAR_TABLES_H
#define TEST_SCALAR_TABLES_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/cpu.h"
#include "backend/scalar/scalar.h"
#include "base/half.h"
#include "base/mathx.h"
#include "support/support.h"

enum { MAX_K = 2048 };

/* The plain build, and the one with hardware fma where the CPU has it. */
static struct lli_kernels TABLES[2];
static size_t n_tables;

static uint64_t seed;

static inline float noise(void)
{
    return support_random_float(&seed);
}

static inline int set_up(void **state)
{
    uint64_t needs = LLI_CPU_AVX2 | LLI_CPU_FMA | LLI_CPU_F16C;
    (void)state;
    seed = 1;
    lli_fill_scalar(&TABLES[n_tables++]);
    if ((lli_cpu_features() & needs) == needs)
        lli_fill_scalar_fma(&TABLES[n_tables++]);
    return 0;
}

static inline void assert_close(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%.9g, want %.9g within %.3g", got, want, tolerance);
}

static inline double half_in(const uint8_t *at)
{
    uint16_t h;
    memcpy(&h, at, sizeof h);
    return (double)lli_half_to_f32(h);
}

/* Bits, but a NaN is a NaN. */
static inline void assert_same(const float *a, const float *b, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (lli_bits_of(a[i]) != lli_bits_of(b[i]) && !(isnan(a[i]) && isnan(b[i])))
            fail_msg("element %zu: %a and %a", i, (double)a[i], (double)b[i]);
}

#endif
