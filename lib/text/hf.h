/* text/hf.h - a vocabulary from a tokenizer.json, as Hugging Face's tokenizers write it. */
#ifndef LLI_TEXT_HF_H
#define LLI_TEXT_HF_H

#include "base/json.h"
#include "text/vocab.h"

/* What a model says of its vocabulary elsewhere. */
struct lli_hf_more {
    uint32_t n_least;                  /* ids: a model may have more rows than tokens */
    const struct lli_gguf_entry *ends; /* ids that end a generation; NULL: none but those known by their texts */
};

/* From the text of tokenizer.json, and of the tokenizer_config.json beside it (BOS, EOS; bytes NULL: there is none). Both may
 * be freed then. more may be NULL; of its ids there are n_least at least, unused where there is no token. What is not supported
 * is UNSUPPORTED and named. */
int32_t lli_hf_read(struct lli_vocab *out, struct lli_heap *heap, struct lli_text tokenizer, struct lli_text config,
                    const struct lli_hf_more *more, struct llminf_error *err);

/* ---- inside: what the parts of the reader share */

struct lli_hf {
    struct lli_vocab *v;
    struct lli_json json;
    struct llminf_error *err;
    struct lli_split_rule rules[LLI_MAX_RULES]; /* of the pre-tokenizer */
    size_t n_rules;
    uint32_t n_least;                  /* ids */
    const struct lli_gguf_entry *ends; /* or NULL */
    int split_cjk;    /* the normalizer keeps CJK characters apart */
    int byte_level;   /* tokens are spelled in GPT-2's characters */
};

/* A member of an object: its index, 0 if there is none or it is null. */
uint32_t lli_hf_member(const struct lli_hf *hf, uint32_t object, const char *name);

/* A member's text, or an empty one; a bool, or what is told; whether a member is a text that says so. */
struct lli_text lli_hf_text(const struct lli_hf *hf, uint32_t object, const char *name);
int lli_hf_bool(const struct lli_hf *hf, uint32_t object, const char *name, int otherwise);
int lli_hf_is(const struct lli_hf *hf, uint32_t object, const char *name, const char *text);

/* A copy that lives as long as the vocabulary; bytes NULL without memory. */
struct lli_text lli_hf_keep(const struct lli_hf *hf, struct lli_text text);

/* UNSUPPORTED: what it is ("subject: type"), and what there is. */
int32_t lli_hf_unsupported(const struct lli_hf *hf, const char *subject, struct lli_text what, const char *supported);

/* Each part of a component that may be a sequence of components, in order, none of them a sequence. */
typedef int32_t lli_hf_part_fn(struct lli_hf *hf, uint32_t part);
int32_t lli_hf_each(struct lli_hf *hf, uint32_t component, const char *list, const char *subject, lli_hf_part_fn *read);

/* hf_steps.c: normalizer and pre-tokenizer become steps and rules. */
int32_t lli_hf_read_normalizer(struct lli_hf *hf);
int32_t lli_hf_read_pre_tokenizer(struct lli_hf *hf);

/* What a word is made of, if an added token asks for it. */
int32_t lli_hf_read_words(struct lli_hf *hf);

/* What added tokens look like in a normalised text, if they are sought there. */
int32_t lli_hf_normalize_added(struct lli_hf *hf);

/* hf_decode.c: texts, by the decoder. */
int32_t lli_hf_make_texts(struct lli_hf *hf);

#endif
