/* forward/norm.h - the norm that a family has, RMS or LayerNorm, of a row. */
#ifndef LLI_FORWARD_NORM_H
#define LLI_FORWARD_NORM_H

#include <stddef.h>
#include <stdint.h>

#include "forward/pass.h"

/* out[n] = the norm of x[n]. out may be x. bias NULL: none. */
void lli_norm_apply(const struct lli_pass *pass, float *out, const float *x, const float *gain, const float *bias, size_t n);

/* The same with the vectors of a role of a layer, whose bias is the role behind it. */
void lli_norm_role(const struct lli_pass *pass, float *out, const float *x, uint32_t layer, uint32_t role, size_t n);

#endif
