/* base/patience.h - waiting for what another thread or process will write, where nobody wakes the waiter.
 *
 *     struct lli_patience p = lli_patience_begin(timeout_ns);
 *     while (!has_come(...))
 *         if (lli_patience_is_over(&p))
 *             return LLMINF_E_COMM;
 *
 * Each look costs more time than the one before: it spins, then yields the CPU, then sleeps for 50 us, up to 1 ms. */
#ifndef LLI_BASE_PATIENCE_H
#define LLI_BASE_PATIENCE_H

#include <stdint.h>

struct lli_patience {
    int64_t timeout_ns, start_ns; /* start 0: the clock has not been read yet */
    uint32_t n_spins;
};

/* timeout_ns >= 0. */
struct lli_patience lli_patience_begin(int64_t timeout_ns);

/* Waits a little. Nonzero: the time is over. */
int lli_patience_is_over(struct lli_patience *p);

/* Tells the core that this is a spin. */
static inline void lli_relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

#endif
