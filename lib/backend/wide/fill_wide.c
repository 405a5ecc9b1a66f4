/* backend/wide/fill_wide.c - the kernels of an instruction set in their slots. */
#include "backend/wide/wide.h"

void LLI_WIDE(fill)(struct lli_kernels *out)
{
    (void)out;
}
