/* forward/pooled.h - the final hidden states that sequences want to have summed. */
#ifndef LLI_FORWARD_POOLED_H
#define LLI_FORWARD_POOLED_H

#include "forward/pass.h"

/* Adds the rows flagged POOL to their sequences' sums, each sequence's in ascending order. Behind all that needs
 * scratch.normed. */
void lli_pooled_run(const struct lli_pass *pass);

#endif
