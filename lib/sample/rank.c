/* sample/rank.c - a quickselect brings the next part of the order to its place, a sort orders it; each part is 8 times as
 * large as the one before, so the whole costs no more than one sort of all. */
#include "sample/rank.h"

#include <float.h>
#include <math.h>

#include "base/mathx.h"
#include "base/sort.h"

enum { FIRST_PART = 64, GROWTH = 8, SHORT_PART = 32, MAX_SPLITS = 64 };

__extension__ typedef unsigned __int128 wide;

/* A strict order: no two candidates have one id. */
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
    swap(x, comes_first(x, y) == comes_first(y, z) ? y : z);
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

/* Brings the k best of n to the front, in order. Where the pivots are unlucky the sort takes more than k. */
static void sort_best(struct lli_candidate *c, size_t n, size_t k)
{
    size_t low = 0, high = n; /* all before low come first, all from high on come last */
    for (int splits = 0; k > low && k < high && high - low > SHORT_PART && splits < MAX_SPLITS; splits++) {
        size_t at = low + split(c + low, high - low);
        if (at < k)
            low = at + 1;
        else
            high = at;
    }
    lli_sort(c, k > low ? high : k, sizeof *c, order, NULL);
}

static void reach(struct lli_ranking *r, size_t wanted)
{
    if (wanted <= r->n_ordered)
        return;
    size_t goal = r->n_ordered > 0 ? r->n_ordered * GROWTH : FIRST_PART;
    goal = goal < wanted ? wanted : goal;
    goal = goal < r->n ? goal : r->n;
    sort_best(r->items + r->n_ordered, r->n - r->n_ordered, goal - r->n_ordered);
    r->n_ordered = goal;
}

void lli_rank_init(struct lli_ranking *out, struct lli_candidate *items, const float *logits, uint32_t n)
{
    *out = (struct lli_ranking){.items = items};
    for (uint32_t i = 0; i < n; i++)
        if (logits[i] >= -FLT_MAX)
            items[out->n++] = (struct lli_candidate){.logit = logits[i], .id = (int32_t)i};
}

const struct lli_candidate *lli_rank_at(struct lli_ranking *r, size_t i)
{
    reach(r, i + 1);
    return &r->items[i];
}

void lli_rank_cut(struct lli_ranking *r, size_t k)
{
    if (k >= r->n)
        return;
    reach(r, k);
    r->n = k;
    r->n_ordered = r->n_ordered < k ? r->n_ordered : k;
}

void lli_rank_drop(struct lli_ranking *r, size_t k)
{
    reach(r, k);
    r->items += k;
    r->n -= k;
    r->n_ordered -= k;
}

static double score_of(float logit, float best, double temperature)
{
    return ((double)logit - (double)best) / temperature;
}

double lli_rank_score(struct lli_ranking *r, size_t i, double temperature)
{
    float best = lli_rank_at(r, 0)->logit;
    return score_of(lli_rank_at(r, i)->logit, best, temperature);
}

/* Below -30 there is nothing to compute: exp(-30) < 2^-43. */
static uint64_t weight_of(float logit, float best, double temperature)
{
    double x = score_of(logit, best, temperature);
    return x < -30 ? 0 : (uint64_t)(lli_exp_f64(x) * 0x1p42);
}

uint64_t lli_rank_weight(struct lli_ranking *r, size_t i, double temperature)
{
    float best = lli_rank_at(r, 0)->logit;
    return weight_of(lli_rank_at(r, i)->logit, best, temperature);
}

uint64_t lli_rank_total(struct lli_ranking *r, double temperature)
{
    float best = lli_rank_at(r, 0)->logit;
    uint64_t total = 0;
    for (size_t i = 0; i < r->n; i++)
        total += weight_of(r->items[i].logit, best, temperature);
    return total;
}

double lli_rank_mean(struct lli_ranking *r, double temperature)
{
    float best = lli_rank_at(r, 0)->logit;
    uint64_t total = 0;
    wide sum = 0;
    for (size_t i = 0; i < r->n; i++) {
        uint64_t weight = weight_of(r->items[i].logit, best, temperature);
        total += weight;
        if (weight > 0)
            sum += (wide)weight * (uint64_t)(-score_of(r->items[i].logit, best, temperature) * 0x1p32);
    }
    return -((double)sum / (double)total) * 0x1p-32;
}

/* n^2 * variance = n * sum of squares - square of the sum: exact, for n <= 2^21 and values <= 2^40. */
double lli_rank_deviation(struct lli_ranking *r)
{
    double best = (double)lli_rank_at(r, 0)->logit;
    uint64_t sum = 0;
    wide squares = 0;
    for (size_t i = 0; i < r->n; i++) {
        double below = best - (double)r->items[i].logit;
        uint64_t x = below < 0x1p20 ? (uint64_t)(below * 0x1p20) : (uint64_t)1 << 40;
        sum += x;
        squares += (wide)x * x;
    }
    return sqrt((double)(squares * r->n - (wide)sum * sum)) / (double)r->n * 0x1p-20;
}
