#include "support/tell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

void tell_tokens(llminf_context *context, llminf_token *ids, size_t n)
{
    llminf_options *options;
    llminf_session *session;
    size_t n_told;
    assert_int_equal(llminf_options_open(&options, "generate", NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_int(options, "max_tokens", (int64_t)n, NULL), LLMINF_OK);
    assert_int_equal(llminf_options_set_int(options, "ignore_eog", 1, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_open(&session, context, NULL, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_append_text(session, "a cat and a dog", -1, LLMINF_TEXT_BOUNDS, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_generate(session, NULL, options, NULL), LLMINF_OK);
    assert_int_equal(llminf_session_wait(session, -1, NULL), LLMINF_DONE);
    assert_int_equal(llminf_session_read_tokens(session, ids, n, &n_told, 0, NULL), LLMINF_OK);
    assert_int_equal(n_told, n);
    llminf_session_close(session);
    llminf_options_close(options);
}
