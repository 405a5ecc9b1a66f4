/* A template and its variables: up to the first NUL the source, behind it the JSON (an object of everything if there is
 * none). A run that fails says why; what comes out is UTF-8, with a mark for each byte. */
#include "text/template.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/utf8.h"

static const char variables[] =
    "{\"messages\":[{\"role\":\"user\",\"content\":\"a \\u00e9\\n\"},{\"role\":\"assistant\",\"content\":null,\"tool_calls\":"
    "[{\"function\":{\"name\":\"f\",\"arguments\":{\"x\":[1,2.5,true]}}}]}],\"s\":\"Hello\",\"l\":[3,1,2],\"d\":{\"b\":1,\"a\":"
    "[]},\"n\":-7,\"f\":0.1,\"t\":true,\"z\":null,\"add_generation_prompt\":true}";

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct lli_heap heap;
    struct llminf_error error;
    struct lli_template *t;
    struct lli_json json;
    struct lli_template_output out = {{0}, {0}};
    const uint8_t *nul = size > 0 ? memchr(data, 0, size) : NULL;
    size_t n = nul ? (size_t)(nul - data) : size;
    lli_heap_init(&heap, NULL, NULL, NULL);
    int32_t status = nul ? lli_json_read(&json, &heap, (const char *)nul + 1, size - n - 1, "json", &error)
                         : lli_json_read(&json, &heap, variables, sizeof variables - 1, "json", &error);
    if (status == LLMINF_OK && json.values[0].kind == LLI_JSON_OBJECT) {
        struct lli_template_input in = {
            .json = &json, .now = "2026-01-15 10:20:30", .limit_steps = 20000, .limit_bytes = 1 << 18};
        status = lli_template_new(&t, &heap, (const char *)data, n, &error);
        if (status == LLMINF_OK)
            status = lli_template_run(&out, &heap, t, &in, &error);
        if (status > 0 || (status < 0 && error.status != status) || out.text.len != out.marks.len)
            abort();
        if (lli_utf8_valid(out.text.bytes, out.text.len) != out.text.len)
            abort();
        lli_template_free(t);
    }
    lli_template_output_finish(&out);
    lli_json_finish(&json);
    if (heap.live_bytes != 0)
        abort();
    return 0;
}
