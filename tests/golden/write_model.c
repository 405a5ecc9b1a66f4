/* write_model FILE [ARCHITECTURE [EXPERTS [WINDOW [CONTEXT]]]] - writes a small random model, for tests that want one on
 * disk. */
#include <stdio.h>
#include <stdlib.h>

#include "support/gguf_make.h"

int main(int argc, char **argv)
{
    struct test_model_spec spec = {.n_layers = 2, .n_embd = 64, .tied = 1, .seed = 1}; /* tied: no tensor is optional */
    size_t size;
    if (argc > 2)
        spec = (struct test_model_spec){.n_layers = 3, .arch = argv[2], .seed = 2};
    if (argc > 3)
        spec.n_experts = (uint32_t)strtoul(argv[3], NULL, 10);
    if (argc > 4)
        spec.keys[0] = (struct test_key){"attention.sliding_window", strtod(argv[4], NULL), 1};
    if (argc > 5)
        spec.n_context = (uint32_t)strtoul(argv[5], NULL, 10);
    uint8_t *bytes = argc >= 2 ? test_model_make(&spec, &size) : NULL;
    FILE *file = bytes ? fopen(argv[1], "wb") : NULL;
    int ok = file && fwrite(bytes, 1, size, file) == size;
    ok = file && fclose(file) == 0 && ok;
    free(bytes);
    if (!ok)
        fprintf(stderr, "usage: write_model FILE [ARCHITECTURE [EXPERTS [WINDOW [CONTEXT]]]]\n");
    return !ok;
}
