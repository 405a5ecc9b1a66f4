/* forward/norm.h - the norm that a family has, RMS or LayerNorm, of a row; and the way back into the stream. */
#ifndef LLI_FORWARD_NORM_H
#define LLI_FORWARD_NORM_H

#include <stddef.h>
#include <stdint.h>

#include "forward/pass.h"

/* out[n] = the norm of x[n]. out may be x. bias NULL: none. */
void lli_norm_apply(const struct lli_pass *pass, float *out, const float *x, const float *gain, const float *bias, size_t n);

/* The same with the vectors of a role of a layer, whose bias is the role behind it. */
void lli_norm_role(const struct lli_pass *pass, float *out, const float *x, uint32_t layer, uint32_t role, size_t n);

/* out[n_embd] = the last norm of a row of the stream; where the last layer ends in one, its copy. */
void lli_norm_last(const struct lli_pass *pass, float *out, size_t row);

/* Where a half of a layer ends in the norm `role` of the stream itself: that, for all rows. */
void lli_norm_stream(const struct lli_pass *pass, uint32_t layer, uint32_t role);

/* 1 if what a half of a layer has computed goes through the norm `role`, or a multiplier, on its way back into the stream: then
 * lli_norm_join does that for all rows, from scratch.projected. */
int lli_norm_is_behind(const struct lli_pass *pass, uint32_t layer, uint32_t role);
void lli_norm_join(const struct lli_pass *pass, uint32_t layer, uint32_t role);

/* The same for one row, whose result is y[n_embd], where there may be neither. y is used up. */
void lli_norm_join_row(const struct lli_pass *pass, uint32_t layer, uint32_t role, size_t row, float *y);

#endif
