/* speed.h - the tests of a whole forward pass: prefill, decode, sessions that decode together. */
#ifndef BENCH_SPEED_H
#define BENCH_SPEED_H

#include "limits.h"
#include "network.h"
#include "options.h"
#include "report.h"

/* What the forward needs to be able to hold. */
struct network_room speed_room(const struct options *o);

/* 0, or -1: said on stderr. */
int speed_run(const struct options *o, struct network *network, struct limits *limits, struct report *report);

#endif
