/* forward/attention.h - the attention half of a layer, over the block tables of the plan. */
#ifndef LLI_FORWARD_ATTENTION_H
#define LLI_FORWARD_ATTENTION_H

#include <stdint.h>

#include "forward/pass.h"

/* x += attention(norm(x)), for all rows. Stores the rows' K and V first. */
void lli_attention_run(const struct lli_pass *pass, uint32_t layer);

#endif
