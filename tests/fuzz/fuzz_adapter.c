/* Any bytes as an adapter of a small llama: what begins with '{' is a folder of PEFT, up to the first empty line
 * adapter_config.json, the rest adapter_model.safetensors; else it is a GGUF file. What is taken is packed too. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "file/mapping.h"
#include "llminf/status.h"
#include "model/adapter.h"
#include "support/gguf_make.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct lli_heap heap;
static struct lli_gguf gguf;
static struct lli_config config;
static struct lli_weights weights;
static char folder[] = "/tmp/llminf-fuzz-XXXXXX", file[64], json[64], tensors[64];

static void leave(void)
{
    unlink(file);
    unlink(json);
    unlink(tensors);
    rmdir(folder);
}

/* The model, and a folder for the files. */
static void enter(void)
{
    static const struct test_model_spec spec = {.n_embd = 32, .n_heads = 2, .n_kv_heads = 1, .n_ff = 48, .seed = 1};
    static const struct lli_gguf_options options = {.header_limit_bytes = 1 << 20};
    size_t size;
    uint8_t *bytes = test_model_make(&spec, &size);
    lli_heap_init(&heap, NULL, NULL, NULL);
    if (lli_gguf_read(&gguf, &heap, bytes, size, &options, NULL) || lli_config_read(&config, &gguf, 320, NULL) ||
        lli_weights_read(&weights, &heap, &config, &gguf, NULL) || !mkdtemp(folder) || atexit(leave))
        abort();
    snprintf(file, sizeof file, "%s.gguf", folder);
    snprintf(json, sizeof json, "%s/adapter_config.json", folder);
    snprintf(tensors, sizeof tensors, "%s/adapter_model.safetensors", folder);
}

static void put(const char *path, const uint8_t *bytes, size_t size)
{
    FILE *out = fopen(path, "wb");
    if (!out || fwrite(bytes, 1, size, out) != size || fclose(out))
        abort();
}

static void check(int32_t status, const struct llminf_error *error)
{
    if (status != LLMINF_OK && (error->status != status || error->subject[0] == 0 || error->text[0] == 0))
        abort();
}

static void open_and_pack(const char *path)
{
    const struct lli_adapter_options options = {
        .config = &config, .weights = &weights, .rank_limit = 64, .header_limit_bytes = 1 << 20, .load = LLI_LOAD_READ};
    static const uint32_t lanes[] = {1, 8, 16, 8};
    const struct lli_low_ranks *all;
    struct lli_adapter *adapter = NULL;
    struct llminf_error error;
    int32_t status = lli_adapter_open(&adapter, &heap, path, &options, &error);
    check(status, &error);
    for (size_t i = 0; status == LLMINF_OK && i < sizeof lanes / sizeof *lanes; i++) {
        status = lli_adapter_take(&all, adapter, lanes[i], &error);
        check(status, &error);
    }
    lli_adapter_unref(adapter);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    size_t n = 0;
    if (folder[strlen(folder) - 1] == 'X')
        enter();
    int64_t live = heap.live_bytes;
    if (size > 0 && bytes[0] == '{') {
        while (n + 1 < size && !(bytes[n] == '\n' && bytes[n + 1] == '\n'))
            n++;
        size_t rest = n + 2 < size ? n + 2 : size;
        put(json, bytes, n);
        put(tensors, bytes + rest, size - rest);
        open_and_pack(folder);
    } else {
        put(file, bytes, size);
        open_and_pack(file);
    }
    if (heap.live_bytes != live)
        abort();
    return 0;
}
