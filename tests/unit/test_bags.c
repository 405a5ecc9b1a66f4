/* What has no model takes the library's own heap: bags and samplers, each of whose allocations fails in turn. Linked with
 * the objects, so that the test stands in for malloc. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include <stdlib.h>

#include <llminf/llminf.h>

void *__real_malloc(size_t size);
void *__wrap_malloc(size_t size);

static int64_t n_calls, fail_at;
static int fail_on;

void *__wrap_malloc(size_t size)
{
    n_calls++;
    if (fail_at > 0 && (n_calls == fail_at || (fail_on && n_calls > fail_at)))
        return NULL;
    return __real_malloc(size);
}

/* Texts, lists, copies of bags, a sampler's own memory. */
static llminf_status run(llminf_token *token)
{
    static const float logits[] = {0, 2, 1};
    llminf_options *generate = NULL, *options = NULL;
    llminf_sampler *sampler = NULL;
    llminf_error error;
    llminf_status status = llminf_options_open(&generate, "generate", &error);
    if (status == LLMINF_OK)
        status = llminf_options_add_text(generate, "stop", "one", -1, &error);
    if (status == LLMINF_OK)
        status = llminf_options_add_text(generate, "stop", "two", -1, &error);
    if (status == LLMINF_OK)
        status = llminf_options_set_text(generate, "logits", "all", -1, &error);
    if (status == LLMINF_OK)
        status = llminf_options_set_text(generate, "logits", "last", -1, &error);
    if (status == LLMINF_OK)
        status = llminf_options_open(&options, "sampler", &error);
    if (status == LLMINF_OK)
        status = llminf_options_parse(options, "temperature", "0", -1, &error);
    if (status == LLMINF_OK)
        status = llminf_sampler_open(&sampler, NULL, options, &error);
    if (status == LLMINF_OK)
        status = llminf_sampler_set_bias(sampler, (llminf_token[]){1}, (float[]){-10}, 1, &error);
    if (status == LLMINF_OK)
        status = llminf_sampler_accept(sampler, 2, &error);
    if (status == LLMINF_OK)
        status = llminf_sampler_pick(sampler, logits, 3, token, &error);
    if (status < 0 && error.status != status)
        status = LLMINF_E_INTERNAL;
    llminf_options_close(generate);
    llminf_options_close(options);
    llminf_sampler_close(sampler);
    return status;
}

static void sweep(void **state)
{
    llminf_token token;
    (void)state;
    for (fail_on = 0; fail_on < 2; fail_on++) {
        int64_t n_sites;
        n_calls = fail_at = 0;
        assert_int_equal(run(&token), LLMINF_OK);
        assert_int_equal(token, 2);
        n_sites = n_calls;
        assert_true(n_sites >= 10);
        for (int64_t k = 1; k <= n_sites; k++) {
            llminf_status status;
            n_calls = 0;
            fail_at = k;
            status = run(&token);
            fail_at = 0;
            assert_int_equal(status, LLMINF_E_MEMORY);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sweep)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
