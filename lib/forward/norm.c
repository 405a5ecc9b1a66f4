#include "forward/norm.h"

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
