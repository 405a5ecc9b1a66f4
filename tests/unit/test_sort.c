/* Sorting: order, nothing lost, few comparisons whatever the input, and no step outside for an order that lies. */
#include "base/sort.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "support.h"

struct item {
    uint32_t key, id;
};

static int by_key(const void *a, const void *b, const void *user)
{
    const struct item *x = a, *y = b;
    ++*(uint64_t *)(uintptr_t)user;
    return x->key < y->key ? -1 : x->key > y->key;
}

static uint32_t pattern(int kind, uint32_t i, uint32_t n, uint64_t *seed)
{
    switch (kind) {
    case 0:
        return (uint32_t)support_random(seed);
    case 1:
        return i;
    case 2:
        return n - i;
    case 3:
        return 5;
    case 4:
        return i % 3;
    case 5: /* organ pipe */
        return i < n / 2 ? i : n - i;
    case 6: /* saw */
        return i % 128;
    default: /* sorted but for a few at the end */
        return i + 16 > n ? (uint32_t)support_random(seed) : i;
    }
}

static void check(int kind, uint32_t n)
{
    uint64_t seed = n, compared = 0, ids = 0, want_ids = 0;
    struct item *items = malloc((n + 2) * sizeof *items);
    items[0] = items[n + 1] = (struct item){0xDEAD, 0xBEEF};
    for (uint32_t i = 0; i < n; i++) {
        items[i + 1] = (struct item){pattern(kind, i, n, &seed), i};
        want_ids += (uint64_t)(i + 1) * (i + 1);
    }
    uint32_t *before = malloc((n + 1) * sizeof *before);
    for (uint32_t i = 0; i < n; i++)
        before[i] = items[i + 1].key;
    lli_sort(items + 1, n, sizeof *items, by_key, &compared);

    uint64_t log2 = 1;
    while ((uint64_t)1 << log2 < n)
        log2++;
    assert_true(compared <= 4 * (uint64_t)n * log2 + 16);
    for (uint32_t i = 0; i < n; i++) {
        assert_true(i == 0 || items[i].key <= items[i + 1].key);
        assert_int_equal(items[i + 1].key, before[items[i + 1].id]); /* an item moves whole */
        ids += (uint64_t)(items[i + 1].id + 1) * (items[i + 1].id + 1);
    }
    assert_true(ids == want_ids); /* and none is there twice */
    assert_int_equal(items[0].key, 0xDEAD);
    assert_int_equal(items[n + 1].id, 0xBEEF);
    free(before);
    free(items);
}

static void check_small(int kind, uint32_t n)
{
    if (n > 0)
        check(kind, n);
}

static void patterns(void **state)
{
    (void)state;
    for (int kind = 0; kind < 8; kind++) {
        for (uint32_t n = 0; n < 70; n++)
            check_small(kind, n);
        check(kind, 1000);
        check(kind, 30000);
    }
}

/* McIlroy's adversary answers so that quicksort's pivots are always bad: the bound must hold all the same. */
struct adversary {
    uint32_t *value;
    uint32_t gas, n_solid, candidate;
    uint64_t compared;
};

static int lie_well(const void *a, const void *b, const void *user)
{
    struct adversary *adversary = (struct adversary *)(uintptr_t)user;
    uint32_t x, y;
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    adversary->compared++;
    if (adversary->value[x] == adversary->gas && adversary->value[y] == adversary->gas)
        adversary->value[x == adversary->candidate ? x : y] = adversary->n_solid++;
    if (adversary->value[x] == adversary->gas)
        adversary->candidate = x;
    else if (adversary->value[y] == adversary->gas)
        adversary->candidate = y;
    return adversary->value[x] < adversary->value[y] ? -1 : adversary->value[x] > adversary->value[y];
}

static void worst_case(void **state)
{
    (void)state;
    uint32_t n = 50000;
    uint32_t *items = malloc(n * sizeof *items);
    struct adversary adversary = {.value = malloc(n * sizeof *items), .gas = n};
    for (uint32_t i = 0; i < n; i++) {
        items[i] = i;
        adversary.value[i] = n;
    }
    lli_sort(items, n, sizeof *items, lie_well, &adversary);
    assert_true(adversary.compared < 6 * (uint64_t)n * 16);
    for (uint32_t i = 1; i < n; i++)
        assert_true(adversary.value[items[i - 1]] <= adversary.value[items[i]]);
    free(adversary.value);
    free(items);
}

static int anything(const void *a, const void *b, const void *user)
{
    (void)a;
    (void)b;
    return (int)(support_random((uint64_t *)(uintptr_t)user) % 3) - 1;
}

static int always_before(const void *a, const void *b, const void *user)
{
    (void)a;
    (void)b;
    (void)user;
    return -1;
}

static void orders_that_contradict_themselves(void **state)
{
    (void)state;
    uint64_t seed = 9;
    for (uint32_t n = 1; n < 400; n++) {
        uint32_t *items = malloc(n * sizeof *items); /* sanitizers watch both ends */
        uint64_t sum = 0;
        for (uint32_t i = 0; i < n; i++)
            items[i] = i;
        lli_sort(items, n, sizeof *items, n % 2 ? anything : always_before, &seed);
        for (uint32_t i = 0; i < n; i++)
            sum += items[i];
        assert_true(sum == (uint64_t)n * (n - 1) / 2);
        free(items);
    }
}

static int by_first_byte(const void *a, const void *b, const void *user)
{
    (void)user;
    return *(const uint8_t *)a - *(const uint8_t *)b;
}

static void every_width(void **state)
{
    (void)state;
    for (size_t each = 1; each <= 64; each++) {
        uint8_t items[100 * 64];
        uint64_t seed = each;
        for (size_t i = 0; i < 100; i++)
            memset(items + i * each, (int)(support_random(&seed) & 0xFF), each);
        lli_sort(items, 100, each, by_first_byte, NULL);
        for (size_t i = 0; i < 100; i++) {
            assert_true(i == 0 || items[(i - 1) * each] <= items[i * each]);
            for (size_t j = 1; j < each; j++)
                assert_int_equal(items[i * each + j], items[i * each]);
        }
    }
    lli_sort(NULL, 0, 4, by_first_byte, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns),
        cmocka_unit_test(worst_case),
        cmocka_unit_test(orders_that_contradict_themselves),
        cmocka_unit_test(every_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
