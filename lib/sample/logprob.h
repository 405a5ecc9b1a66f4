/* sample/logprob.h - log-probabilities of tokens: logit - (max + log of the sum of exp(logit - max)), of the model's own
 * logits. The sum is binary64, in the order of the ids, of exp in binary32. */
#ifndef LLI_SAMPLE_LOGPROB_H
#define LLI_SAMPLE_LOGPROB_H

#include <stdint.h>

struct lli_logprob {
    int32_t token;
    float value;
};

/* out[0]: the token's own, out[1..n_best]: the best, by (value descending, id ascending); n_best <= n. logits [n] have no NaN
 * and no +Inf. Allocates nothing. */
void lli_logprob_best(struct lli_logprob *out, const float *logits, uint32_t n, int32_t token, uint32_t n_best);

#endif
