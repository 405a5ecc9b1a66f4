/* base/patience.c - spins are few, since with more threads than CPUs each takes time from whom it waits for. */
#include "base/patience.h"

#include <sched.h>
#include <time.h>

#include "base/clock.h"

enum { SPINS = 500, YIELD_NS = 1000000, SLEEP_MIN_NS = 50000, SLEEP_MAX_NS = 1000000 };

struct lli_patience lli_patience_begin(int64_t timeout_ns)
{
    return (struct lli_patience){.timeout_ns = timeout_ns};
}

/* As long as a hundredth of the wait until now, so that little is lost; not beyond its end. */
static void take_nap(int64_t waited_ns, int64_t left_ns)
{
    int64_t ns = waited_ns / 100;
    ns = ns < SLEEP_MIN_NS ? SLEEP_MIN_NS : ns > SLEEP_MAX_NS ? SLEEP_MAX_NS : ns;
    nanosleep(&(struct timespec){.tv_nsec = (long)(ns < left_ns ? ns : left_ns)}, NULL);
}

int lli_patience_is_over(struct lli_patience *p)
{
    if (p->n_spins < SPINS) {
        p->n_spins++;
        lli_relax();
        return 0;
    }
    int64_t now = lli_clock_ns();
    if (p->start_ns == 0)
        p->start_ns = now; /* most waits are over before it is read */
    int64_t waited_ns = now - p->start_ns;
    if (waited_ns >= p->timeout_ns)
        return 1;
    if (waited_ns < YIELD_NS)
        sched_yield();
    else
        take_nap(waited_ns, p->timeout_ns - waited_ns);
    return 0;
}
