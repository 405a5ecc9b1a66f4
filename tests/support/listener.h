/* support/listener.h - a host that is told progress, checks how, and may end it. */
#ifndef LLMINF_TESTS_LISTENER_H
#define LLMINF_TESTS_LISTENER_H

#include <pthread.h>
#include <stdint.h>

struct listener {
    pthread_t thread; /* on which it is to be told */
    int n, stop_at;   /* calls so far; the one that ends it, from 1; 0: none */
    int is_wrong;     /* told on another thread, not rising, or beyond 1 */
    double last;
};

/* On this thread, from nothing. */
void listener_start(struct listener *l, int stop_at);

/* The callback; user: the struct. */
int32_t listener_note(void *user, double done);

#endif
