/* support/tell.h - what a context tells, through the public functions. */
#ifndef LLMINF_TESTS_TELL_H
#define LLMINF_TESTS_TELL_H

#include <stddef.h>

#include <llminf/llminf.h>

/* Greedily, n tokens behind one prompt, in a session of its own; end-of-generation tokens do not end it. Checks each call. */
void tell_tokens(llminf_context *context, llminf_token *ids, size_t n);

#endif
