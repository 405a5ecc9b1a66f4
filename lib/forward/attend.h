/* forward/attend.h - every row of a step against the K and V that it sees. */
#ifndef LLI_FORWARD_ATTEND_H
#define LLI_FORWARD_ATTEND_H

#include <stdint.h>

#include "forward/pass.h"

/* scratch.attended = softmax(q k) v, for all rows; K and V of the rows are stored. */
void lli_attend_run(const struct lli_pass *pass, uint32_t layer);

#endif
