/* backend/cpu.h - what this CPU, and the system that saves its registers, can do. */
#ifndef LLI_BACKEND_CPU_H
#define LLI_BACKEND_CPU_H

#include <stdint.h>

enum {
    LLI_CPU_AVX2 = 1u << 0,
    LLI_CPU_FMA = 1u << 1,
    LLI_CPU_F16C = 1u << 2,
    LLI_CPU_AVX512 = 1u << 3, /* F, BW, VL and DQ */
    LLI_CPU_VNNI = 1u << 4,   /* AVX512_VNNI */
    LLI_CPU_NEON = 1u << 5,
    LLI_CPU_DOTPROD = 1u << 6,
    LLI_CPU_I8MM = 1u << 7,
    LLI_CPU_AVX_VNNI = 1u << 8 /* the same instructions as VNNI, encoded for 256 bits */
};

/* LLI_CPU_* bits. Asks anew at each call (CPUID may be slow in a virtual machine): not for a step. */
uint64_t lli_cpu_features(void);

#endif
