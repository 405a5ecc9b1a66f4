/* A tokenizer.json as a vocabulary; one that is taken must be able to encode, decode and end. Behind a NUL the input may have a
 * tokenizer_config.json. */
#include "text/decode.h"
#include "text/encode.h"
#include "text/hf.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "support/support.h"

static void use(const struct lli_vocab *v)
{
    static const char text[] = "hello w 12 <l> [U]x\n\xC3\xA9"
                               "e\xCC\x81 aaaa <s>\xE2\x96\x81\xE4\xB8\xAD"
                               "AA.";
    struct lli_buffer ids, back;
    struct lli_decode d = {.at_start = 1};
    lli_buffer_init(&ids, v->heap);
    lli_buffer_init(&back, v->heap);
    for (int flags = 0; flags < 4; flags++) {
        int32_t status = lli_encode(&ids, v, text, sizeof text - 1, flags, NULL);
        if (status && status != LLMINF_E_LIMIT)
            abort();
    }
    for (size_t i = 0; i < ids.len; i += sizeof(int32_t)) {
        int32_t id;
        memcpy(&id, ids.bytes + i, sizeof id);
        if (id < 0 || (uint32_t)id >= v->n || lli_decode_token(&d, &back, v, id, i & sizeof id))
            abort();
    }
    if (lli_decode_end(&d, &back))
        abort();
    lli_buffer_finish(&ids);
    lli_buffer_finish(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct support_heap host;
    struct lli_heap heap;
    struct lli_vocab v;
    const uint8_t *nul = size ? memchr(data, 0, size) : NULL;
    struct lli_text file = {(const char *)data, nul ? (size_t)(nul - data) : size}, config = {NULL, 0};
    if (nul)
        config = (struct lli_text){(const char *)nul + 1, size - file.len - 1};
    memset(&host, 0, sizeof host);
    lli_heap_init(&heap, support_alloc, support_release, &host);
    int32_t status = lli_hf_read(&v, &heap, file, config, NULL, NULL);
    if (status > 0)
        abort();
    if (status == 0)
        use(&v);
    lli_vocab_finish(&v);
    if (host.live_bytes != 0)
        abort();
    return 0;
}
