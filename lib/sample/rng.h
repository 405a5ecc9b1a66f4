/* sample/rng.h - random numbers without a state: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy
 * as 1, 2, 3", 2011). The same key and counter give the same words on every machine. */
#ifndef LLI_SAMPLE_RNG_H
#define LLI_SAMPLE_RNG_H

#include <stdint.h>

void lli_rng_philox(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);

/* 53 random bits: the draw-th number of the token at a position. */
uint64_t lli_rng_draw(uint64_t seed, uint64_t pos, uint32_t draw);

#endif
