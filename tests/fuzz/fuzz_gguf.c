/* Any bytes as a GGUF file: the container alone, as a whole file and as a vocabulary. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "file/gguf.h"
#include "llminf/status.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

/* Touches all that a successful read promises. */
static uint64_t visit(const struct lli_gguf *g)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < g->n_entries; i++) {
        const struct lli_gguf_entry *e = &g->entries[i];
        for (uint64_t k = 0; k < e->n; k++) {
            struct lli_text text;
            int64_t number;
            double real;
            if (lli_gguf_int(&number, e, k) == 0)
                sum += (uint64_t)number;
            else if (lli_gguf_float(&real, e, k) == 0)
                sum += real > 0;
            else if (lli_gguf_text(&text, e, k) == 0 && text.len > 0)
                sum += (uint8_t)text.bytes[text.len - 1];
        }
        if (lli_gguf_find(g, e->key) != e)
            abort();
    }
    for (size_t i = 0; i < g->n_tensors && g->tensors[i].data != NULL; i++)
        sum += g->tensors[i].data[0] + g->tensors[i].data[g->tensors[i].bytes - 1];
    return sum;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static volatile uint64_t sink;
    for (int vocab_only = 0; vocab_only < 2; vocab_only++) {
        struct lli_gguf_options options = {.header_limit_bytes = 1 << 20, .vocab_only = vocab_only};
        struct lli_heap heap;
        struct lli_gguf g = {0};
        struct llminf_error error;
        int32_t status;
        lli_heap_init(&heap, NULL, NULL, NULL);
        status = lli_gguf_read(&g, &heap, bytes, size, &options, &error);
        if (status == LLMINF_OK)
            sink = visit(&g);
        else if (error.status != status || error.subject[0] == 0 || error.text[0] == 0)
            abort();
        lli_gguf_finish(&g);
        if (heap.live_bytes != 0)
            abort();
    }
    (void)sink;
    return 0;
}
