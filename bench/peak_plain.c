/* peak_plain.c - any CPU: 16-bit multiply-adds, and float multiplies and additions, in vectors of 16 bytes. */
#include "peak.h"

#include "peak_loops.h"

typedef int16_t shorts __attribute__((vector_size(16)));
typedef float floats __attribute__((vector_size(16)));

/* Makes the value unknown to the compiler; costs no instruction where `x` is a register. */
#if defined(__x86_64__)
#define HIDE(x) __asm__ volatile("" : "+x"(x))
#elif defined(__aarch64__)
#define HIDE(x) __asm__ volatile("" : "+w"(x))
#else
#define HIDE(x) __asm__ volatile("" : "+m"(x))
#endif

#define MULTIPLY(i)                                                                                                            \
    HIDE(a);                                                                                                                   \
    c##i += a * w;
#define MULTIPLY_ADD(i) c##i = c##i * half + one;

static uint64_t read_plain(const void *bytes, size_t n)
{
    return read_words(bytes, n);
}

static uint64_t multiply_plain(int64_t n_rounds)
{
    shorts a = {1, 2, 3, 4, 5, 6, 7, 8}, w = {8, 7, 6, 5, 4, 3, 2, 1};
    shorts c0 = a, c1 = a, c2 = a, c3 = a, c4 = a, c5 = a, c6 = a, c7 = a;
    for (int64_t r = 0; r < n_rounds; r++) {
        CHAINS_8(MULTIPLY)
    }
    c0 += c1 + c2 + c3 + c4 + c5 + c6 + c7;
    return (uint64_t)c0[0];
}

static uint64_t fuse_plain(int64_t n_rounds)
{
    floats half = {0.5f, 0.5f, 0.5f, 0.5f}, one = half + half;
    floats c0 = one, c1 = one, c2 = one, c3 = one, c4 = one, c5 = one, c6 = one, c7 = one;
    for (int64_t r = 0; r < n_rounds; r++) {
        CHAINS_8(MULTIPLY_ADD)
    }
    c0 += c1 + c2 + c3 + c4 + c5 + c6 + c7;
    return (uint64_t)c0[0];
}

const struct peak peak_plain = {"plain", 0, read_plain, multiply_plain, fuse_plain, 2 * 8 * 8, 2 * 8 * 4};
