/* engine/seats.h - the adapters of open sessions, each made ready once for the engine's forward. */
#ifndef LLI_ENGINE_SEATS_H
#define LLI_ENGINE_SEATS_H

#include <stdint.h>

struct llminf_error;
struct lli_adapter;
struct lli_engine;
struct lli_seat;

/* In a list under the engine's lock. */
struct lli_seats {
    struct lli_seats *next;
    struct lli_adapter *adapter;
    struct lli_seat *seat;
    uint32_t n_users;
};

/* For one session more; adapter NULL: *out is NULL. The engine's lock is not held. MEMORY, NUMERIC. */
int32_t lli_seats_take(struct lli_seats **out, struct lli_engine *engine, struct lli_adapter *adapter,
                       struct llminf_error *err);

/* Another user of the same, under the engine's lock. NULL stays NULL. */
struct lli_seats *lli_seats_share(struct lli_seats *seats);

/* One user less, who is in no plan. The engine's lock is not held. NULL does nothing. */
void lli_seats_give(struct lli_engine *engine, struct lli_seats *seats);

#endif
