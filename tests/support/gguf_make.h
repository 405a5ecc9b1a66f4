/* tests/support/gguf_make.h - small GGUF files in memory: a whole random model from a few numbers, or any file, record by
 * record, right or wrong. */
#ifndef TEST_GGUF_MAKE_H
#define TEST_GGUF_MAKE_H

#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"
#include "file/gguf.h"
#include "model/family.h"

/* One more key of an architecture, "ARCH." in front: a float, or an integer if is_int. */
struct test_key {
    const char *name;
    double value;
    int is_int;
};

/* A model. All zero: a llama, 2 layers, width 64 (256 where the blocks of `type` have 256 elements), 4 heads, 2 KV heads,
 * feed-forward 2 x width, 320 tokens (3 special, 256 bytes, letters and words), context 256, F32, an output of its own. */
struct test_model_spec {
    const char *arch;        /* NULL: llama. Others have what their family needs */
    uint64_t optional;       /* roles of what it may have besides */
    int fused;               /* one tensor for q, k and v */
    struct test_key keys[4]; /* up to the first without a name */
    uint32_t n_layers, n_embd, n_heads, n_kv_heads, n_ff;
    uint32_t head_dim; /* 0: n_embd / n_heads, and no key in the file */
    uint32_t n_vocab;  /* 260 and more */
    uint32_t n_context;
    uint32_t type;                      /* enum lli_type of the matrices */
    uint32_t n_experts, n_experts_used; /* 0: dense */
    int tied;                           /* no output.weight */
    int biases;                         /* of q, k, v and the attention's output */
    int sinks;                          /* of all heads; no architecture that is known has them */
    int rope_freqs;                     /* with rope_freqs.weight */
    const char *rope_scaling;           /* "linear", "yarn"; NULL: none */
    double rope_factor;                 /* 0: 2 */
    double rope_base;                   /* 0: 10000 */
    uint64_t seed;
};

/* A valid file with finite logits, the same for the same spec. To be freed with free(). Ends the test on no memory. */
uint8_t *test_model_make(const struct test_model_spec *spec, size_t *size_out);

/* The writer underneath. Everything is appended as told; nothing is checked. */
struct test_gguf {
    uint8_t *bytes;
    size_t len, cap;
};

void test_gguf_bytes(struct test_gguf *f, const void *bytes, size_t n);
void test_gguf_zeros(struct test_gguf *f, size_t n);
void test_gguf_u32(struct test_gguf *f, uint32_t v);
void test_gguf_u64(struct test_gguf *f, uint64_t v);
void test_gguf_text(struct test_gguf *f, const char *text);                  /* length, bytes */
void test_gguf_head(struct test_gguf *f, uint64_t n_tensors, uint64_t n_kv); /* magic, version 3 */
void test_gguf_key(struct test_gguf *f, const char *key, uint32_t kind);
void test_gguf_key_u32(struct test_gguf *f, const char *key, uint32_t v);
void test_gguf_key_f32(struct test_gguf *f, const char *key, float v);
void test_gguf_key_text(struct test_gguf *f, const char *key, const char *v);
void test_gguf_key_array(struct test_gguf *f, const char *key, uint32_t kind, uint64_t n); /* the elements follow */
void test_gguf_tensor(struct test_gguf *f, const char *name, const uint64_t *dims, uint32_t n_dims, uint32_t type, uint64_t at);
void test_gguf_align(struct test_gguf *f, size_t align);

/* In a whole file with alignment 32: one metadata record more (a key with its value as written above), in the place of the
 * key it names if that is there. An empty record only takes the key away: it is called "xlama..." then. */
void test_gguf_set(struct test_gguf *f, const char *key, const struct test_gguf *record);

/* Where the record of a key or a tensor begins: its length, then its name. Ends the test if there is none. */
size_t test_gguf_find(const struct test_gguf *f, const char *name);

#endif
