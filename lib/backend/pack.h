/* backend/pack.h - weight matrices with rows interleaved, so that a lane of a vector is an output row.
 *
 * The rows of a matrix [n_out, n_in] go in groups of `lanes` (4, 8 or 16; the last one is filled up with rows of zero), and a
 * group is one sequential stream. [L] stands for one value of each of the group's rows, side by side.
 *
 *     f32, f16, bf16            for each k: [L] elements
 *     q8_0                      for each block of 32: d f16 [L], B8
 *     q4_0, iq4_nl              for each block of 32: d f16 [L], N4
 *     mxfp4                     for each block of 32: d bf16 [L] (half of the scale: codes are doubled), N4
 *     q4_1                      for each block of 32: d f16 [L], m f16 [L], N4
 *     q5_0                      for each block of 32: d f16 [L], N4, H1
 *     q5_1                      for each block of 32: d f16 [L], m f16 [L], N4, H1
 *     q4_k      for each 256:   d f16 [L], dmin f16 [L], then 8 blocks of: scale u8 [L], minimum u8 [L], N4
 *     q5_k      for each 256:   d f16 [L], dmin f16 [L], then 8 blocks of: scale u8 [L], minimum u8 [L], N4, H1
 *     q6_k      for each 256:   d f16 [L], then 8 blocks of: scales i8 of 16 elements each [L] [L], N4, H2
 *     q3_k      for each 256:   d f16 [L], then 8 blocks of: scales i8 (32 taken off) [L] [L], H2, H1
 *     q2_k      for each 256:   d f16 [L], dmin f16 [L], then 8 blocks of: bytes (low nibble scale, high nibble minimum) of
 *                               16 elements each [L] [L], H2
 *     iq4_xs    for each 256:   d f16 [L], then 8 blocks of: scale i8 (32 taken off) [L], N4
 *
 * Blocks are 32 elements in ascending k. Their codes (unsigned, no offset taken off) stand in planes of words of 4 bytes:
 *
 *     B8    8 x [L] words: byte j of word c is element 4c + j (int8, as in the file)
 *     N4    4 x [L] words: byte j of word c: low nibble the low 4 bits of element 4c + j, high nibble of element 16 + 4c + j
 *     H2    2 x [L] words: byte j of word g: bits 2i, 2i + 1 are two bits of element 16g + 4i + j      (i = 0 .. 3)
 *     H1    1 x [L] words: byte j: bit c is one bit of element 4c + j                                  (c = 0 .. 7)
 *
 * Codes of more than 4 bits have the upper ones in H1 or H2; q3_k has its two low bits in H2 and its third in H1. */
#ifndef LLI_BACKEND_PACK_H
#define LLI_BACKEND_PACK_H

#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"

/* Groups of n_out rows. */
static inline size_t lli_pack_groups(size_t lanes, size_t n_out)
{
    return (n_out + lanes - 1) / lanes;
}

/* Bytes of one group, a multiple of `lanes`. n_in is a multiple of the type's block. */
size_t lli_pack_group_bytes(const struct lli_dtype *type, size_t lanes, size_t n_in);

/* Packs groups first .. last - 1 of rows [n_out, n_in], which stand as in GGUF files in any alignment, row_bytes apart, to
 * out + first * group_bytes .. . Returns -1, or the first row with a scale, minimum or element that is not finite (the rest
 * may not have been packed then). */
int64_t lli_pack_rows(uint8_t *out, const struct lli_dtype *type, size_t lanes, const uint8_t *rows, size_t row_bytes,
                      size_t n_out, size_t n_in, size_t first, size_t last);

/* One row of a packed matrix as it stood in the file. */
void lli_pack_row(uint8_t *out, const struct lli_dtype *type, size_t lanes, const uint8_t *packed, size_t n_in, size_t row);

#endif
