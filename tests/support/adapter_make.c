#include "support/adapter_make.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/half.h"
#include "support/gguf_make.h"
#include "support/support.h"

enum { ALIGN = 32, MAX_MATRICES = 512 };

static void put_words(struct test_gguf *f, uint64_t n, float size, uint32_t type, uint64_t *seed)
{
    for (uint64_t i = 0; i < n; i++) {
        float v = size * support_random_float(seed);
        uint16_t half = type == LLI_F16 ? lli_half_from_f32(v) : lli_bf16_from_f32(v);
        if (type == LLI_F32)
            test_gguf_bytes(f, &v, sizeof v);
        else
            test_gguf_bytes(f, &half, sizeof half);
    }
    test_gguf_align(f, ALIGN);
}

static uint64_t bytes_of(uint64_t n, uint32_t type)
{
    uint64_t bytes = n * (type == LLI_F32 ? 4 : 2);
    return (bytes + ALIGN - 1) / ALIGN * ALIGN;
}

uint8_t *test_adapter_make(const struct test_adapter_spec *spec, size_t *size_out)
{
    struct test_gguf f = {0};
    uint64_t at = 0, seed = spec->seed, rank = spec->rank;
    test_gguf_head(&f, 2 * spec->n, 4);
    test_gguf_key_text(&f, "general.type", "adapter");
    test_gguf_key_text(&f, "general.architecture", spec->arch ? spec->arch : "llama");
    test_gguf_key_text(&f, "adapter.type", "lora");
    test_gguf_key_f32(&f, "adapter.lora.alpha", spec->alpha);
    for (size_t i = 0; i < spec->n; i++) {
        const struct test_matrix *m = &spec->at[i];
        char name[80];
        snprintf(name, sizeof name, "%s.lora_a", m->name);
        test_gguf_tensor(&f, name, (uint64_t[]){m->n_in, rank}, 2, spec->type, at);
        at += bytes_of(m->n_in * rank, spec->type);
        snprintf(name, sizeof name, "%s.lora_b", m->name);
        test_gguf_tensor(&f, name, (uint64_t[]){rank, m->n_out}, 2, spec->type, at);
        at += bytes_of(rank * m->n_out, spec->type);
    }
    test_gguf_align(&f, ALIGN);
    for (size_t i = 0; i < spec->n; i++) {
        put_words(&f, spec->at[i].n_in * rank, 1.0f / sqrtf((float)spec->at[i].n_in), spec->type, &seed);
        put_words(&f, spec->at[i].n_out * rank, 0.5f, spec->type, &seed);
    }
    *size_out = f.len;
    return f.bytes;
}

static int is_adapted(const char *name)
{
    static const char *const names[] = {"attn_q.weight",       "attn_k.weight",        "attn_v.weight",
                                        "attn_qkv.weight",     "attn_output.weight",   "ffn_gate.weight",
                                        "ffn_up.weight",       "ffn_down.weight",      "ffn_gate_shexp.weight",
                                        "ffn_up_shexp.weight", "ffn_down_shexp.weight"};
    const char *rest = strncmp(name, "blk.", 4) == 0 ? strchr(name + 4, '.') : NULL;
    for (size_t i = 0; rest && i < sizeof names / sizeof *names; i++)
        if (strcmp(rest + 1, names[i]) == 0)
            return 1;
    return strcmp(name, "output.weight") == 0;
}

size_t test_adapter_matrices(struct test_matrix *out, size_t cap, const llminf_model *model)
{
    const char *text;
    size_t n = 0, length;
    char key[64];
    for (int i = 0; n < cap; i++) {
        struct test_matrix *m = &out[n];
        snprintf(key, sizeof key, "tensor_name[%d]", i);
        if (llminf_model_text(model, key, &text, &length, NULL) != LLMINF_OK)
            break;
        snprintf(m->name, sizeof m->name, "%s", text);
        snprintf(key, sizeof key, "tensor_shape[%d]", i);
        if (!is_adapted(m->name) || llminf_model_text(model, key, &text, &length, NULL) != LLMINF_OK)
            continue;
        char *end;
        m->n_in = strtoull(text, &end, 10);
        m->n_out = *end == ',' ? strtoull(end + 1, &end, 10) : 0;
        n += m->n_out > 0 && *end == 0;
    }
    return n;
}

char *test_adapter_write(const llminf_model *model, float alpha, uint32_t rank, uint32_t type, uint64_t seed)
{
    struct test_matrix at[MAX_MATRICES];
    struct test_adapter_spec spec = {.alpha = alpha, .rank = rank, .type = type, .seed = seed, .at = at};
    size_t size, length;
    spec.n = test_adapter_matrices(at, MAX_MATRICES, model);
    if (llminf_model_text(model, "arch", &spec.arch, &length, NULL) != LLMINF_OK)
        return NULL;
    uint8_t *bytes = test_adapter_make(&spec, &size);
    char *path = support_write_temporary(bytes, size);
    free(bytes);
    return path;
}
