/* forward/ffn.c - gate and up share a stage and an input; their product becomes the input of down. */
#include "forward/ffn.h"

#include "forward/linear.h"

struct activating {
    const struct lli_gated *gated;
    int q8;
};

static void activate(const struct lli_pass *pass, const void *arg, size_t i, int worker)
{
    const struct activating *a = arg;
    const struct lli_scratch *s = &pass->scratch;
    size_t n = a->gated->down->n_in;
    float *gate = s->gate + i * n;
    (void)worker;
    pass->kernels.swiglu(gate, gate, s->up + i * n, n);
    if (lli_linear_take(pass, i, gate, n, a->q8) < 0)
        s->bad[a->gated->rows ? a->gated->rows[i] : i] = 1;
}

void lli_ffn_gated(const struct lli_pass *pass, const struct lli_gated *g)
{
    const struct lli_scratch *s = &pass->scratch;
    const struct lli_linear first[] = {
        {g->gate, NULL, s->gate, NULL, g->input, g->mat},
        {g->up, NULL, s->up, NULL, g->input, g->mat},
    };
    const struct lli_linear down = {g->down, NULL, g->out, g->add_to, s->gate, g->mat};
    const struct activating a = {g, lli_linear_wants_q8(&down, 1)};
    lli_linear_run(pass, first, 2, g->n_rows);
    lli_pass_share(pass, activate, &a, g->n_rows);
    lli_linear_run(pass, &down, 1, g->n_rows);
}

int lli_ffn_wants_q8(const struct lli_matrix *gate, const struct lli_matrix *up)
{
    const struct lli_linear both[] = {{.w = gate}, {.w = up}};
    return lli_linear_wants_q8(both, 2);
}

void lli_ffn_run(const struct lli_pass *pass, uint32_t layer)
{
    const struct lli_matrix *at = pass->weights->layers[layer].at;
    const struct lli_gated gated = {
        .gate = &at[LLI_FFN_GATE],
        .up = &at[LLI_FFN_UP],
        .down = &at[LLI_FFN_DOWN],
        .input = pass->scratch.normed,
        .n_rows = pass->plan->n_rows,
        .out = pass->scratch.projected,
        .add_to = pass->scratch.x,
    };
    lli_linear_take_normed(pass, layer, LLI_FFN_NORM, lli_ffn_wants_q8(gated.gate, gated.up));
    lli_ffn_gated(pass, &gated);
}
