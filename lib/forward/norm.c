#include "forward/norm.h"

#include <string.h>

void lli_norm_apply(const struct lli_pass *pass, float *out, const float *x, const float *gain, const float *bias, size_t n)
{
    if (pass->config->family->norm == LLI_NORM_LAYER)
        pass->kernels.layernorm(out, x, gain, bias, n, pass->config->norm_eps);
    else
        pass->kernels.rmsnorm(out, x, gain, n, pass->config->norm_eps);
}

void lli_norm_role(const struct lli_pass *pass, float *out, const float *x, uint32_t layer, uint32_t role, size_t n)
{
    lli_norm_apply(pass, out, x, lli_pass_vector(pass, layer, role), lli_pass_vector(pass, layer, role + 1), n);
}

void lli_norm_last(const struct lli_pass *pass, float *out, size_t row)
{
    size_t n = pass->config->n_embd;
    const float *x = pass->scratch.x + row * n;
    if (lli_pass_vector(pass, 0, LLI_OUTPUT_NORM))
        lli_norm_role(pass, out, x, 0, LLI_OUTPUT_NORM, n);
    else
        memcpy(out, x, n * sizeof *out);
}

/* ---- back into the stream */

int lli_norm_is_behind(const struct lli_pass *pass, uint32_t layer, uint32_t role)
{
    return lli_pass_vector(pass, layer, role) || pass->config->residual_scale != 1;
}

void lli_norm_join_row(const struct lli_pass *pass, uint32_t layer, uint32_t role, size_t row, float *y)
{
    size_t n = pass->config->n_embd;
    float *x = pass->scratch.x + row * n;
    const float *gain = lli_pass_vector(pass, layer, role);
    if (gain)
        lli_norm_apply(pass, y, y, gain, NULL, n);
    if (pass->config->residual_scale != 1)
        pass->kernels.add_scaled(x, pass->config->residual_scale, y, n);
    else
        pass->kernels.add(x, x, y, n);
}

struct joining {
    uint32_t layer, role;
};

static void join(const struct lli_pass *pass, const void *arg, size_t row, int worker)
{
    const struct joining *j = arg;
    (void)worker;
    lli_norm_join_row(pass, j->layer, j->role, row, pass->scratch.projected + row * pass->config->n_embd);
}

void lli_norm_join(const struct lli_pass *pass, uint32_t layer, uint32_t role)
{
    const struct joining j = {layer, role};
    lli_pass_share(pass, join, &j, pass->plan->n_rows);
}

static void norm_row(const struct lli_pass *pass, const void *arg, size_t row, int worker)
{
    const struct joining *j = arg;
    size_t n = pass->config->n_embd;
    float *x = pass->scratch.x + row * n;
    (void)worker;
    lli_norm_role(pass, x, x, j->layer, j->role, n);
}

void lli_norm_stream(const struct lli_pass *pass, uint32_t layer, uint32_t role)
{
    const struct joining j = {layer, role};
    if (lli_pass_vector(pass, layer, role))
        lli_pass_share(pass, norm_row, &j, pass->plan->n_rows);
}
