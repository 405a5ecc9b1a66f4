/* forward/pass.c - pieces are handed out by one counter, so a slow worker holds nobody up for more than a piece. */
#include "forward/pass.h"

#include <stdatomic.h>

struct stage {
    const struct lli_pass *pass;
    lli_piece_fn *piece;
    const void *arg;
    size_t n_pieces;
    _Atomic size_t next;
};

static void work(void *arg, int worker, int n_workers)
{
    struct stage *stage = arg;
    size_t i;
    (void)n_workers;
    while ((i = atomic_fetch_add_explicit(&stage->next, 1, memory_order_relaxed)) < stage->n_pieces)
        stage->piece(stage->pass, stage->arg, i, worker);
}

void lli_pass_share(const struct lli_pass *pass, lli_piece_fn *piece, const void *arg, size_t n_pieces)
{
    struct stage stage = {.pass = pass, .piece = piece, .arg = arg, .n_pieces = n_pieces};
    if (n_pieces <= 1 || pass->workers->n == 1)
        work(&stage, 0, 1);
    else
        lli_workers_run(pass->workers, work, &stage);
}
