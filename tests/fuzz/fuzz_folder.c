/* Any bytes as a Hugging Face folder: what stands before the first empty line as config.json, the rest as model.safetensors. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "file/safetensors.h"
#include "llminf/status.h"
#include "model/config.h"
#include "model/folder_config.h"
#include "model/folder_generation.h"
#include "model/folder_tensors.h"
#include "model/weights.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(int32_t status, const struct llminf_error *error)
{
    if (status != LLMINF_OK && (error->status != status || error->subject[0] == 0 || error->text[0] == 0))
        abort();
}

static uint64_t visit(const struct lli_gguf *g)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < g->n_tensors; i++)
        sum += g->tensors[i].data[0] + g->tensors[i].data[g->tensors[i].bytes - 1];
    return sum;
}

/* Config and tensors as a model would take them. */
static void read_network(struct lli_heap *heap, const struct lli_gguf *g)
{
    struct lli_config config;
    struct lli_weights weights = {0};
    struct llminf_error error;
    int32_t status = lli_config_read(&config, g, 300, &error);
    if (status == LLMINF_OK)
        status = lli_weights_read(&weights, heap, &config, g, &error);
    check(status, &error);
    lli_weights_finish(&weights);
}

static void read_folder(struct lli_heap *heap, const struct lli_json *json, const struct lli_safetensors *file)
{
    static volatile uint64_t sink;
    struct lli_folder_config config;
    struct lli_gguf_build b;
    struct lli_gguf g;
    struct lli_files files;
    struct llminf_error error;
    lli_files_init(&files, heap);
    lli_gguf_build_begin(&b, &g, heap, &error);
    lli_folder_config(&config, &b, json);
    if (b.status == LLMINF_OK)
        lli_folder_generation(&b, json, json);
    if (b.status == LLMINF_OK)
        lli_folder_tensors(&b, &files, file, 1, &config);
    if (b.status == LLMINF_OK)
        lli_gguf_build_end(&b);
    check(b.status, &error);
    if (b.status == LLMINF_OK) {
        sink = visit(&g);
        read_network(heap, &g);
    }
    (void)sink;
    lli_gguf_finish(&g);
    lli_files_finish(&files);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct lli_heap heap;
    struct lli_json json = {0};
    struct lli_safetensors file = {0};
    struct llminf_error error;
    size_t n = 0;
    while (n + 1 < size && !(bytes[n] == '\n' && bytes[n + 1] == '\n'))
        n++;
    size_t rest = n + 2 < size ? n + 2 : size;
    lli_heap_init(&heap, NULL, NULL, NULL);
    int32_t status = lli_json_read(&json, &heap, (const char *)bytes, n, "config.json", &error);
    if (status == LLMINF_OK)
        status = lli_safetensors_read(&file, &heap, bytes + rest, size - rest, 1 << 20, "model.safetensors", &error);
    check(status, &error);
    if (status == LLMINF_OK)
        read_folder(&heap, &json, &file);
    lli_safetensors_finish(&file);
    lli_json_finish(&json);
    if (heap.live_bytes != 0)
        abort();
    return 0;
}
