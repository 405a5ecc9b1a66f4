/* The metadata of a file as a vocabulary; one that is taken must be able to encode, decode and end. */
#include "text/decode.h"
#include "text/encode.h"

#include <stdlib.h>
#include <string.h>

#include "support/vocab_make.h"

static void use(struct test_text *t)
{
    static const char text[] = "hello w 12 [U]x<|c|>\n\xC3\xA9 aaaa <s>\xE2\x96\x81";
    struct lli_buffer ids, back;
    struct lli_decode d = {.at_start = 1};
    lli_buffer_init(&ids, &t->heap);
    lli_buffer_init(&back, &t->heap);
    for (int flags = 0; flags < 4; flags++) {
        if (lli_encode(&ids, &t->vocab, text, sizeof text - 1, flags, &t->error))
            abort();
    }
    for (size_t i = 0; i < ids.len; i += sizeof(int32_t)) {
        int32_t id;
        memcpy(&id, ids.bytes + i, sizeof id);
        if (id < 0 || (uint32_t)id >= t->vocab.n || lli_decode_token(&d, &back, &t->vocab, id, i & sizeof id))
            abort();
    }
    if (lli_decode_end(&d, &back))
        abort();
    lli_buffer_finish(&ids);
    lli_buffer_finish(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct test_text t;
    uint8_t *bytes = malloc(size + 1);
    if (!bytes)
        return 0;
    if (size)
        memcpy(bytes, data, size);
    int32_t status = test_text_open_bytes(&t, bytes, size);
    if (status == 0)
        use(&t);
    if (status > 0 || test_text_close(&t) != 0)
        abort();
    return 0;
}
