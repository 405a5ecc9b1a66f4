/* peak.h - loops that do nothing but what a limit counts, one file per instruction set, compiled with its flags. The
 * caller asks the CPU before it runs one. */
#ifndef BENCH_PEAK_H
#define BENCH_PEAK_H

#include <stddef.h>
#include <stdint.h>

struct peak {
    const char *name;
    uint64_t needs; /* CPU features, bits of backend/cpu.h */

    /* Reads bytes[n] in order, n a multiple of 4096, bytes aligned to 64; the sum keeps the reads alive. */
    uint64_t (*read)(const void *bytes, size_t n);

    /* Independent multiply-adds in registers: bytes into 32 bits, and binary32. */
    uint64_t (*integer)(int64_t n_rounds);
    uint64_t (*fp)(int64_t n_rounds);
    double integer_ops, fp_ops; /* of a round; a multiply-add is two */
};

extern const struct peak peak_plain;
extern const struct peak peak_avx2, peak_avx2_vnni, peak_avx512;        /* x86-64 */
extern const struct peak peak_neon, peak_dot, peak_i8mm; /* aarch64 */

/* The strongest whose needs are among `features`. */
const struct peak *peak_find(uint64_t features);

#endif
