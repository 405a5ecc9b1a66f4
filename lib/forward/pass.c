/* forward/pass.c - pieces are handed out as base/workers.h does it: a slow worker holds nobody up for more than a piece. */
#include "forward/pass.h"

struct stage {
    const struct lli_pass *pass;
    lli_piece_fn *piece;
    const void *arg;
};

static void run_piece(void *arg, size_t piece, int worker)
{
    const struct stage *stage = arg;
    stage->piece(stage->pass, stage->arg, piece, worker);
}

void lli_pass_share(const struct lli_pass *pass, lli_piece_fn *piece, const void *arg, size_t n_pieces)
{
    struct stage stage = {pass, piece, arg};
    lli_workers_share(pass->workers, run_piece, &stage, n_pieces);
}
