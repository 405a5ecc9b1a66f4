/* schema.c - prints every key that the library knows, "kind key json" a line, and every status code. */
#include <llminf/llminf.h>
#include <stdio.h>

int main(void)
{
    static const char *const kinds[] = {"model",   "context", "session",     "sampler",       "generate",      "adapter",
                                        "convert", "cost",    "stats.model", "stats.context", "stats.session", "stats.cost"};
    for (size_t k = 0; k < sizeof kinds / sizeof kinds[0]; k++) {
        const char *key;
        for (size_t i = 0; (key = llminf_schema_key(kinds[k], i)) != NULL; i++)
            printf("%s %s %s\n", kinds[k], key, llminf_schema_entry(kinds[k], key));
    }
    for (llminf_status status = LLMINF_DONE; status >= LLMINF_E_INTERNAL; status--)
        printf("status %d %s\n", (int)status, llminf_status_name(status));
    return 0;
}
