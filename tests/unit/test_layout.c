/* Which layers share a block: groups of equal size, few of them, that waste little. */
#include "forward/layout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "support/support.h"

static void set_global(struct lli_config *c, uint32_t layer)
{
    c->global_layers[layer / 64] |= (uint64_t)1 << layer % 64;
}

/* The last of each `period` layers sees all; 0: none does. */
static struct lli_config shape(uint32_t n_layers, uint32_t period, uint32_t window, uint32_t length)
{
    struct lli_config c = {.n_layers = n_layers, .window = window, .train_length = length};
    for (uint32_t i = 0; i < n_layers; i++)
        if (period > 0 && i % period == period - 1)
            set_global(&c, i);
    return c;
}

/* Every layer has a place of its own, in a group that sees what the layer sees, or more. */
static void check(const struct lli_layout *l, const struct lli_config *c)
{
    static uint8_t is_taken[LLI_GROUPS_MAX][LLI_MAX_LAYERS];
    memset(is_taken, 0, sizeof is_taken);
    assert_true(l->n_groups >= 1 && l->n_groups <= LLI_GROUPS_MAX);
    for (uint32_t i = 0; i < c->n_layers; i++) {
        assert_true(l->groups[i] < l->n_groups && l->places[i] < l->n_places);
        assert_int_equal(is_taken[l->groups[i]][l->places[i]]++, 0);
        uint32_t window = l->windows[l->groups[i]];
        assert_true(window == 0 || (lli_config_is_local(c, i) && window == c->window));
    }
    for (uint32_t g = 1; g < l->n_groups; g++)
        assert_true(l->windows[g] > 0 || l->windows[g - 1] == 0); /* those that see all come first */
}

static void test_models(void **state)
{
    static const struct {
        uint32_t n_layers, period, window, length, n_groups, n_places, n_wide;
    } rows[] = {
        {32, 0, 0, 8192, 1, 32, 1},         /* no windows */
        {26, 2, 4096, 8192, 2, 13, 1},      /* gemma2 2b */
        {26, 6, 512, 32768, 7, 4, 1},       /* gemma3 1b: 4 and 22, two places are empty */
        {34, 6, 1024, 131072, 7, 5, 1},     /* 4b: 5 and 29 */
        {48, 6, 1024, 131072, 6, 8, 1},     /* 12b */
        {62, 6, 1024, 131072, 7, 10, 1},    /* 27b */
        {24, 2, 128, 131072, 2, 12, 1},     /* gpt-oss 20b */
        {36, 2, 128, 131072, 2, 18, 1},     /* 120b */
        {32, 4, 4096, 65536, 4, 8, 1},      /* olmo3 */
        {30, 0, 4096, 16384, 1, 30, 0},     /* starcoder2: all have the window, which leads */
        {32, 0, 262144, 4096, 1, 32, 1},    /* one that is never left saves nothing */
        {32, 0, 4090, 4096, 1, 32, 1},      /* nor one that is hardly left */
        {32, 32, 1024, 131072, 8, 5, 1},    /* 1 and 31: four empty places that see all are less than more that do */
        {1024, 3, 100, 1 << 28, 4, 341, 1}, /* 341 and 683 */
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct lli_config c = shape(rows[i].n_layers, rows[i].period, rows[i].window, rows[i].length);
        struct lli_layout l;
        uint32_t n_wide = 0;
        lli_layout_find(&l, &c);
        check(&l, &c);
        for (uint32_t g = 0; g < l.n_groups; g++)
            n_wide += l.windows[g] == 0;
        if (l.n_groups != rows[i].n_groups || l.n_places != rows[i].n_places || n_wide != rows[i].n_wide)
            fail_msg("row %zu: %u groups of %u, %u wide", i, l.n_groups, l.n_places, n_wide);
    }
}

static uint64_t held(const struct lli_layout *l, uint64_t length)
{
    uint64_t n = 0;
    for (uint32_t g = 0; g < l->n_groups; g++) {
        uint64_t seen = l->windows[g] > 0 ? l->windows[g] + 3 * (uint64_t)LLI_BLOCK_TOKENS : length;
        n += l->n_places * (seen < length ? seen : length);
    }
    return n;
}

/* Any pattern: never more than one group would hold; and of a stage's layers the places are without gaps. */
static void test_any(void **state)
{
    uint64_t seed = 1;
    (void)state;
    for (int i = 0; i < 3000; i++) {
        uint32_t n_layers = 1 + (uint32_t)(support_random(&seed) % 100), share = (uint32_t)(support_random(&seed) % 5);
        struct lli_config c = shape(n_layers, 0, (uint32_t)(support_random(&seed) % 3000), 2000);
        struct lli_layout l, narrow;
        for (uint32_t layer = 0; layer < n_layers; layer++)
            if (support_random(&seed) % 4 < share)
                set_global(&c, layer);
        lli_layout_find(&l, &c);
        check(&l, &c);
        assert_true(held(&l, c.train_length) <= (uint64_t)n_layers * c.train_length);
        uint32_t first = (uint32_t)(support_random(&seed) % n_layers),
                 n = 1 + (uint32_t)(support_random(&seed) % (n_layers - first));
        narrow = l;
        lli_layout_narrow(&narrow, (struct lli_span){first, n});
        uint32_t most = 0;
        for (uint32_t g = 0; g < l.n_groups; g++) {
            uint32_t n_in = 0;
            for (uint32_t k = 0; k < n; k++) {
                assert_int_equal(narrow.groups[k], l.groups[first + k]);
                if (narrow.groups[k] == g)
                    assert_int_equal(narrow.places[k], n_in++);
            }
            most = n_in > most ? n_in : most;
        }
        assert_int_equal(narrow.n_places, most);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_models), cmocka_unit_test(test_any)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
