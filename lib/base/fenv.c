/* base/fenv.c - the control register of each CPU that has one. */
#include "base/fenv.h"

#if defined(__x86_64__) || defined(__SSE2__)

#include <xmmintrin.h>

enum { DEFAULT_MXCSR = 0x1f80 }; /* round to nearest, all exceptions masked, no FTZ, no DAZ */

uint64_t lli_fenv_enter(void)
{
    uint64_t state = _mm_getcsr();
    _mm_setcsr(DEFAULT_MXCSR);
    return state;
}

void lli_fenv_leave(uint64_t state)
{
    _mm_setcsr((unsigned int)state);
}

#elif defined(__aarch64__)

uint64_t lli_fenv_enter(void)
{
    uint64_t state;
    __asm__ volatile("mrs %0, fpcr" : "=r"(state));
    __asm__ volatile("msr fpcr, %0" : : "r"((uint64_t)0));
    return state;
}

void lli_fenv_leave(uint64_t state)
{
    __asm__ volatile("msr fpcr, %0" : : "r"(state));
}

#else

uint64_t lli_fenv_enter(void)
{
    return 0;
}

void lli_fenv_leave(uint64_t state)
{
    (void)state;
}

#endif
