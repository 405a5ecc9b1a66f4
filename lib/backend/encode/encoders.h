/* backend/encode/encoders.h - weights into blocks: the way back from dequant, one function per type.
 *
 * Every encoder looks for the scales of a block that give the least sum of squared errors, as the numbers in the file will
 * hold them: codes are chosen last, for scales already rounded. A block depends on its own elements only. */
#ifndef LLI_BACKEND_ENCODE_ENCODERS_H
#define LLI_BACKEND_ENCODE_ENCODERS_H

#include <stddef.h>
#include <stdint.h>

/* out = x[n] in blocks of a type, as GGUF files have them, in any alignment. n is a multiple of the block, x is finite. What
 * is too large for the type becomes the largest that it holds: the blocks are finite too. */
typedef void lli_encode_fn(uint8_t *out, const float *x, size_t n);

/* NULL: no such type. */
lli_encode_fn *lli_encoders_find(uint32_t type);

lli_encode_fn lli_encode_f32, lli_encode_f16, lli_encode_bf16;
lli_encode_fn lli_encode_q8_0, lli_encode_q4_0, lli_encode_q5_0, lli_encode_q4_1, lli_encode_q5_1, lli_encode_iq4_nl;
lli_encode_fn lli_encode_q3_k, lli_encode_q6_k, lli_encode_iq4_xs;
lli_encode_fn lli_encode_q2_k, lli_encode_q4_k, lli_encode_q5_k;

#endif
