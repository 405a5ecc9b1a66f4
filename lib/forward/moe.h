/* forward/moe.h - the feed-forward half of a layer with experts: a router sends each row to a few of them. */
#ifndef LLI_FORWARD_MOE_H
#define LLI_FORWARD_MOE_H

#include <stdint.h>

#include "forward/pass.h"

/* x += sum of share * expert(norm(x)) over the chosen experts, for all rows. */
void lli_moe_run(const struct lli_pass *pass, uint32_t layer);

#endif
