/* engine/pooling.c - Invariant: the sum has each position that belongs to it below n, and no other. */
#include "engine/pooling.h"

#include <string.h>

#include "base/error.h"
#include "base/fenv.h"
#include "base/fma.h"

int32_t lli_pooling_init(struct lli_pooling *p, struct lli_heap *heap, int kind, int is_normalized,
                         const struct lli_config *config, struct llminf_error *err)
{
    uint32_t n_embd = config->n_embd;
    *p = (struct lli_pooling){
        .kind = kind, .is_normalized = is_normalized, .is_whole = config->is_bidirectional, .n_embd = n_embd};
    if (kind == LLI_POOLING_NONE)
        return LLMINF_OK;
    p->sum = lli_alloc_zero(heap, n_embd, sizeof *p->sum);
    return p->sum ? LLMINF_OK : lli_fail_memory(err, "pooling", (uint64_t)n_embd * sizeof *p->sum);
}

void lli_pooling_finish(struct lli_pooling *p, struct lli_heap *heap)
{
    lli_free(heap, p->sum);
    *p = (struct lli_pooling){0};
}

void lli_pooling_copy(struct lli_pooling *p, const struct lli_pooling *from)
{
    p->n = from->n;
    if (p->sum)
        memcpy(p->sum, from->sum, p->n_embd * sizeof *p->sum);
}

int lli_pooling_wants(const struct lli_pooling *p, uint32_t pos, uint32_t n_tokens)
{
    switch (p->kind) {
    case LLI_POOLING_MEAN:
        return pos >= p->n && pos < n_tokens;
    case LLI_POOLING_CLS:
        return pos == 0 && p->n == 0;
    case LLI_POOLING_LAST:
        return pos + 1 == n_tokens;
    default:
        return 0;
    }
}

void lli_pooling_reset(struct lli_pooling *p)
{
    p->n = 0;
    if (p->sum)
        memset(p->sum, 0, p->n_embd * sizeof *p->sum);
}

void lli_pooling_begin(struct lli_pooling *p)
{
    if (p->kind == LLI_POOLING_LAST) /* the last one of before is none any more */
        lli_pooling_reset(p);
}

void lli_pooling_commit(struct lli_pooling *p, uint32_t end, uint32_t n_tokens)
{
    if (p->kind == LLI_POOLING_CLS)
        p->n = p->is_whole ? end : 1;
    else if (end > p->n && (p->kind == LLI_POOLING_MEAN || end == n_tokens))
        p->n = end;
}

void lli_pooling_cut(struct lli_pooling *p, uint32_t n)
{
    if (n < p->n)
        lli_pooling_reset(p);
}

/* ---- reading: the host's thread, whose floating-point state may be any */

/* The root of sum16(x * x) (docs/numerics.md). */
static float find_length(const float *x, uint32_t n)
{
    float lanes[16] = {0};
    for (uint32_t i = 0; i < n; i++)
        lanes[i % 16] = lli_fma_f32(x[i], x[i], lanes[i % 16]);
    for (int h = 8; h > 0; h /= 2)
        for (int j = 0; j < h; j++)
            lanes[j] += lanes[j + h];
    return __builtin_sqrtf(lanes[0]);
}

static int is_finite(const float *x, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        if ((bits & 0x7fffffff) >= 0x7f800000)
            return 0;
    }
    return 1;
}

static void divide(float *x, uint32_t n, float by)
{
    for (uint32_t i = 0; i < n; i++)
        x[i] /= by;
}

/* 0: it cannot be given a length of 1. */
static int finish(const struct lli_pooling *p, float *out)
{
    float length = 1;
    if (p->kind == LLI_POOLING_MEAN)
        divide(out, p->n_embd, (float)p->n);
    if (p->is_normalized)
        length = find_length(out, p->n_embd);
    if (length > 0) /* zeros stay */
        divide(out, p->n_embd, length);
    return is_finite(out, p->n_embd) && is_finite(&length, 1);
}

int32_t lli_pooling_read(const struct lli_pooling *p, uint32_t n_tokens, float *out, struct llminf_error *err)
{
    uint32_t n_wanted = p->kind == LLI_POOLING_CLS && !p->is_whole && n_tokens > 0 ? 1 : n_tokens;
    if (p->kind == LLI_POOLING_NONE)
        return lli_fail(err, LLMINF_E_STATE, "pooling", "is none in this session, want last, mean, cls or model");
    if (p->n == 0 || p->n != n_wanted)
        return lli_fail(err, LLMINF_E_STATE, "session",
                        "%u tokens, not all of them computed: want a generation of max_tokens 0", n_tokens);
    memcpy(out, p->sum, p->n_embd * sizeof *out);
    uint64_t state = lli_fenv_enter();
    int good = finish(p, out);
    lli_fenv_leave(state);
    if (good)
        return LLMINF_OK;
    memset(out, 0, p->n_embd * sizeof *out);
    return lli_fail(err, LLMINF_E_NUMERIC, "session", "its embedding is over the range of a float");
}
