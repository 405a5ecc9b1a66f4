/* peak_loops.h - the loops that every instruction set writes in the same way; each file sets its own width. */
#ifndef BENCH_PEAK_LOOPS_H
#define BENCH_PEAK_LOOPS_H

#include <stddef.h>
#include <stdint.h>

/* Chains are variables, not an array, and steps are volatile assembly: a compiler would hoist, fold or spill them. */
#define CHAINS_8(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7)
#define CHAINS_12(X) CHAINS_8(X) X(8) X(9) X(10) X(11)
#define CHAINS_16(X) CHAINS_12(X) X(12) X(13) X(14) X(15)

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

typedef uint64_t words __attribute__((vector_size(VECTOR_BYTES), may_alias));

enum { READ_BYTES = 4096, AHEAD_BYTES = 2048, LINE_BYTES = 64, LANES = VECTOR_BYTES / 8 };

static inline uint64_t fold(words v)
{
    uint64_t sum = 0;
    for (int i = 0; i < LANES; i++)
        sum += v[i];
    return sum;
}

/* A stream per call. Prefetching some lines ahead is what the CPU's own prefetcher is too shy for. */
static inline uint64_t read_words(const void *bytes, size_t n)
{
    const uint8_t *at = bytes, *end = at + n;
    words sum[4] = {{0}};
    for (; at < end; at += READ_BYTES)
        for (size_t i = 0; i < READ_BYTES; i += 4 * VECTOR_BYTES) {
            const words *w = (const words *)(const void *)(at + i);
            for (size_t line = 0; line < 4 * VECTOR_BYTES; line += LINE_BYTES)
                __builtin_prefetch(at + i + line + AHEAD_BYTES);
            for (int k = 0; k < 4; k++)
                sum[k] ^= w[k];
        }
    return fold((sum[0] ^ sum[1]) ^ (sum[2] ^ sum[3]));
}

#endif
