/* base/mathx.h - transcendental functions in our own bits: only + - * / sqrt and fma, fixed polynomials, so that two C
 * libraries cannot disagree (docs/numerics.md). */
#ifndef LLI_BASE_MATHX_H
#define LLI_BASE_MATHX_H

#include <stdint.h>

/* Fused multiply-add, exact for every input, also on CPUs without the instruction. The backends' reference. */
float lli_fma_f32(float a, float b, float c);
double lli_fma_f64(double a, double b, double c);

/* exp as docs/numerics.md spells it. */
float lli_exp_f32(float x);

/* binary64, at most 2 ulp over the arguments that the library uses; domain errors give NaN as C does. */
double lli_exp_f64(double x);
double lli_log_f64(double x);
double lli_pow_f64(double x, double y);                          /* x > 0 */
void lli_sincos_f64(double *sin_out, double *cos_out, double x); /* |x| <= 2^31 */

#endif
