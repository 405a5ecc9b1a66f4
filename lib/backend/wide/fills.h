/* backend/wide/fills.h - the builds of the vector kernels that there are for this machine's family: each overwrites the slots
 * that its instruction set does itself. Who calls one has asked lli_cpu_features. */
#ifndef LLI_BACKEND_WIDE_FILLS_H
#define LLI_BACKEND_WIDE_FILLS_H

#include "backend/kernels.h"

#if defined(__x86_64__)
void lli_fill_avx512_vnni(struct lli_kernels *out);
void lli_fill_avx512(struct lli_kernels *out);
void lli_fill_avx2_vnni(struct lli_kernels *out);
void lli_fill_avx2(struct lli_kernels *out);
#elif defined(__aarch64__)
void lli_fill_neon(struct lli_kernels *out);
void lli_fill_neon_dot(struct lli_kernels *out);
void lli_fill_neon_i8mm(struct lli_kernels *out);
#endif

#endif
