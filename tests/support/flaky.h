/* flaky.h - a communicator around another, which goes at one of its calls. */
#ifndef LLMINF_TESTS_FLAKY_H
#define LLMINF_TESTS_FLAKY_H

#include <pthread.h>

#include "llminf/comm.h"

enum flaky_way {
    FLAKY_DIES,  /* from that call on nothing goes out, and each call fails at once: the rank leaves without a word */
    FLAKY_STOPS, /* that call does not return until it is released; then as above */
    FLAKY_FAILS, /* that call fails; the others work */
    FLAKY_WAYS
};

struct flaky {
    struct llminf_comm inner;
    enum flaky_way way;
    int n_calls, at; /* at -1: never */
    int is_gone, is_released;
    pthread_mutex_t lock;
    pthread_cond_t released;
};

/* The table goes through `flaky` from here on; only calls that speak count. */
void flaky_wrap(struct llminf_comm *table, struct flaky *flaky, enum flaky_way way, int at);

/* Who stopped goes on. */
void flaky_release(struct flaky *flaky);

#endif
