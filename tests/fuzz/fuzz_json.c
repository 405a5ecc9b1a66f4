/* JSON: what is read is a tree whose ends fit into each other, with UTF-8 in its texts. */
#include "base/json.h"

#include <stdlib.h>

#include "base/error.h"
#include "base/utf8.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lli_heap heap;
    struct llminf_error error;
    struct lli_json json;
    lli_heap_init(&heap, NULL, NULL, NULL);
    int32_t status = lli_json_read(&json, &heap, (const char *)data, size, "json", &error);
    if (status == LLMINF_OK && (json.n == 0 || json.values[0].end != json.n))
        abort();
    for (uint32_t i = 0; i < json.n; i++) {
        const struct lli_json_value *v = &json.values[i];
        if (v->end <= i || v->end > json.n || v->at >= size)
            abort();
        if (v->kind == LLI_JSON_TEXT && lli_utf8_valid(v->text, v->n) != v->n)
            abort();
    }
    lli_json_finish(&json);
    if (heap.live_bytes != 0)
        abort();
    return 0;
}
