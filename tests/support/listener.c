#include "support/listener.h"

#include <string.h>

void listener_start(struct listener *l, int stop_at)
{
    memset(l, 0, sizeof *l);
    l->thread = pthread_self();
    l->stop_at = stop_at;
}

int32_t listener_note(void *user, double done)
{
    struct listener *l = user;
    l->is_wrong |= !pthread_equal(l->thread, pthread_self()) || done <= l->last || done > 1;
    l->last = done;
    return ++l->n == l->stop_at;
}
