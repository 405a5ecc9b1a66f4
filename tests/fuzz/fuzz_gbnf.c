/* A grammar, and a walk of tokens that it lets through. */
#include <stdlib.h>

#include "support/fuzz_grammar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    return fuzz_grammar("gbnf", data, size);
}
