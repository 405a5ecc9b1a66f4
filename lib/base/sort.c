/* base/sort.c - quicksort by the median of three with its pending parts on a stack of fixed depth; short parts by
 * insertion, and a part that was split too often (an input made against quicksort) by heapsort. */
#include "base/sort.h"

#include <stdint.h>
#include <string.h>

#define MAX_EACH 64u
#define SHORT_PART 12u

struct sorter {
    uint8_t *items;
    size_t each;
    lli_sort_fn *order;
    const void *user;
};

struct part {
    size_t begin, end;
    unsigned splits_left;
};

static uint8_t *item(const struct sorter *s, size_t i)
{
    return s->items + i * s->each;
}

static int before(const struct sorter *s, size_t a, size_t b)
{
    return s->order(item(s, a), item(s, b), s->user) < 0;
}

static void swap(const struct sorter *s, size_t i, size_t j)
{
    uint8_t kept[MAX_EACH];
    memcpy(kept, item(s, i), s->each);
    memmove(item(s, i), item(s, j), s->each); /* i may be j */
    memcpy(item(s, j), kept, s->each);
}

static void insertion(const struct sorter *s, size_t begin, size_t end)
{
    for (size_t i = begin + 1; i < end; i++) {
        for (size_t j = i; j > begin && before(s, j, j - 1); j--)
            swap(s, j, j - 1);
    }
}

static void sift(const struct sorter *s, size_t begin, size_t root, size_t n)
{
    for (size_t child; (child = 2 * root + 1) < n; root = child) {
        if (child + 1 < n && before(s, begin + child, begin + child + 1))
            child++;
        if (!before(s, begin + root, begin + child))
            return;
        swap(s, begin + root, begin + child);
    }
}

static void heapsort(const struct sorter *s, size_t begin, size_t end)
{
    size_t n = end - begin;
    for (size_t root = n / 2; root-- > 0;)
        sift(s, begin, root, n);
    for (size_t last = n; last-- > 1;) {
        swap(s, begin, begin + last);
        sift(s, begin, 0, last);
    }
}

/* Puts the median of first, middle and last in front, then moves what is before it to the left. Equal items stop both
 * scans, so that they fall on both sides. Returns the pivot's final place. An `order` that contradicts itself gives some
 * order, but no access outside [begin, end). */
static size_t split(const struct sorter *s, size_t begin, size_t end)
{
    size_t middle = begin + (end - begin) / 2, last = end - 1;
    if (before(s, middle, begin))
        swap(s, middle, begin);
    if (before(s, last, middle))
        swap(s, last, middle);
    if (before(s, middle, begin))
        swap(s, middle, begin);
    swap(s, begin, middle);

    size_t i = begin, j = end;
    for (;;) {
        do
            i++;
        while (i < end && before(s, i, begin));
        do
            j--;
        while (j > begin && before(s, begin, j));
        if (i >= j)
            break;
        swap(s, i, j);
    }
    swap(s, begin, j);
    return j;
}

void lli_sort(void *items, size_t n, size_t each, lli_sort_fn *order, const void *user)
{
    if (n < 2 || each == 0 || each > MAX_EACH)
        return;
    const struct sorter s = {items, each, order, user};
    struct part pending[64]; /* the larger part waits, so each entry is at most half of the one below */
    unsigned n_pending = 1, splits = 0;
    for (size_t m = n; m > 1; m /= 2)
        splits += 2;
    pending[0] = (struct part){0, n, splits};

    while (n_pending > 0) {
        struct part p = pending[--n_pending];
        while (p.end - p.begin > SHORT_PART && p.splits_left > 0) {
            size_t pivot = split(&s, p.begin, p.end);
            struct part left = {p.begin, pivot, p.splits_left - 1}, right = {pivot + 1, p.end, p.splits_left - 1};
            int left_is_short = left.end - left.begin < right.end - right.begin;
            pending[n_pending++] = left_is_short ? right : left;
            p = left_is_short ? left : right;
        }
        if (p.end - p.begin > SHORT_PART)
            heapsort(&s, p.begin, p.end);
        else
            insertion(&s, p.begin, p.end);
    }
}
