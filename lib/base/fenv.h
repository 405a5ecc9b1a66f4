/* base/fenv.h - the floating-point state that the arithmetic needs: round to nearest, subnormals kept. */
#ifndef LLI_BASE_FENV_H
#define LLI_BASE_FENV_H

#include <stdint.h>

/* Sets it for this thread and returns the caller's state, to be given back. */
uint64_t lli_fenv_enter(void);
void lli_fenv_leave(uint64_t state);

#endif
