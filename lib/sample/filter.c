#include "sample/filter.h"

#include "base/mathx.h"
#include "base/sort.h"

/* A strict order: no two candidates have one id. -0 equals +0. */
static int comes_first(const struct lli_candidate *a, const struct lli_candidate *b)
{
    return a->logit > b->logit || (a->logit == b->logit && a->id < b->id);
}

static int order(const void *a, const void *b, const void *user)
{
    (void)user;
    return comes_first(a, b) ? -1 : 1;
}

static void swap(struct lli_candidate *a, struct lli_candidate *b)
{
    struct lli_candidate t = *a;
    *a = *b;
    *b = t;
}

/* The middle one of first, middle and last goes to the front, as the pivot. */
static void take_pivot(struct lli_candidate *c, size_t n)
{
    struct lli_candidate *x = &c[0], *y = &c[n / 2], *z = &c[n - 1];
    if (comes_first(y, x) == comes_first(x, z))
        return;
    if (comes_first(x, y) == comes_first(y, z))
        swap(x, y);
    else
        swap(x, z);
}

/* Splits around the pivot; returns how many come before it, itself at that place. */
static size_t split(struct lli_candidate *c, size_t n)
{
    size_t at = 0;
    take_pivot(c, n);
    for (size_t i = 1; i < n; i++)
        if (comes_first(&c[i], &c[0]))
            swap(&c[++at], &c[i]);
    swap(&c[0], &c[at]);
    return at;
}

size_t lli_filter_top_k(struct lli_candidate *c, size_t n, size_t k)
{
    size_t low = 0, high = n;
    /* Quickselect; where the pivots are unlucky the sort below does it all. */
    for (int rounds = 0; k < n && high - low > 32 && rounds < 64; rounds++) {
        size_t at = low + split(c + low, high - low);
        if (at < k)
            low = at + 1;
        else
            high = at;
        if (high <= k || low >= k)
            break;
    }
    if (k >= n) {
        lli_sort(c, n, sizeof *c, order, NULL);
        return n;
    }
    lli_sort(c, high > k ? high : k, sizeof *c, order, NULL);
    return k;
}

static size_t at_least(size_t kept, size_t min_keep, size_t n)
{
    if (kept < min_keep)
        kept = min_keep;
    return kept < n ? kept : n;
}

size_t lli_filter_top_p(const struct lli_candidate *c, double *weights, size_t n, double p, size_t min_keep)
{
    double total = 0, sum = 0;
    size_t kept = 0;
    if (p >= 1)
        return n;
    for (size_t i = 0; i < n; i++)
        total += weights[i] = lli_exp_f64((double)c[i].logit - (double)c[0].logit);
    while (kept < n && (kept == 0 || sum < p * total))
        sum += weights[kept++];
    return at_least(kept, min_keep, n);
}

size_t lli_filter_min_p(const struct lli_candidate *c, size_t n, double p, size_t min_keep)
{
    size_t kept = 1;
    if (p <= 0)
        return n;
    while (kept < n && lli_exp_f64((double)c[kept].logit - (double)c[0].logit) >= p)
        kept++;
    return at_least(kept, min_keep, n);
}
