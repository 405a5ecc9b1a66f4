/* write_model FILE - writes a small random model, for tests that want one on disk. */
#include <stdio.h>
#include <stdlib.h>

#include "support/gguf_make.h"

int main(int argc, char **argv)
{
    struct test_model_spec spec = {.n_layers = 2, .n_embd = 64, .tied = 1, .seed = 1}; /* tied: no tensor is optional */
    size_t size;
    uint8_t *bytes = argc == 2 ? test_model_make(&spec, &size) : NULL;
    FILE *file = bytes ? fopen(argv[1], "wb") : NULL;
    int ok = file && fwrite(bytes, 1, size, file) == size;
    ok = file && fclose(file) == 0 && ok;
    free(bytes);
    if (!ok)
        fprintf(stderr, "usage: write_model FILE\n");
    return !ok;
}
