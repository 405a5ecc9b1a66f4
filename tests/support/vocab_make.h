/* tests/support/vocab_make.h - GGUF files in memory that hold nothing but a small vocabulary, right or wrong. */
#ifndef TEST_VOCAB_MAKE_H
#define TEST_VOCAB_MAKE_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "support/gguf_make.h"
#include "support/support.h"
#include "text/vocab.h"

/* What stands in an array: its elements one behind the other, and how many the file claims. */
struct test_array {
    const char *key; /* NULL: left out */
    uint32_t kind;
    struct test_gguf elements;
    uint64_t n;
};

struct test_vocab {
    const char *model, *pre; /* NULL: left out */
    struct test_array tokens, scores, types, merges;
    struct test_gguf more; /* entries of their own */
    uint64_t n_more;
};

/* Ready vocabularies, to be changed and made. `spm` has 3 special tokens, 256 bytes, the printable ASCII characters and
 * U+2581, the words he, ll, hell, hello, U+2581 w, the user-defined [U] and [U]x, the control token <|c|>. `bpe` has the
 * 256 characters, he, ll, hell, hello, space w, 12, the control tokens <|c|> and <|end|> (which ends), the user-defined
 * [U] and [U]x. */
void test_vocab_spm(struct test_vocab *v);
void test_vocab_bpe(struct test_vocab *v, const char *pre);

void test_vocab_start(struct test_vocab *v, const char *model, const char *pre);
void test_vocab_token(struct test_vocab *v, const void *bytes, size_t n, int type, float score);
void test_vocab_merge(struct test_vocab *v, const char *merge);
void test_vocab_id(struct test_vocab *v, const char *key, uint32_t id);
void test_vocab_flag(struct test_vocab *v, const char *key, int on);

/* A unigram vocabulary: <unk>, <s>, </s>, then U+2581, single letters and words with scores; and WordPiece as GGUF spells
 * it. */
void test_vocab_unigram(struct test_vocab *v);
void test_vocab_wordpiece(struct test_vocab *v);

/* Gemma 4's shape: a and b, spaces and line ends as characters, runs of them joined, bytes for the rest. */
void test_vocab_gemma(struct test_vocab *v);

/* SentencePiece's map of characters that writes to[i] for from[i]; to be freed with free(). */
uint8_t *test_charsmap_make(const char *const *from, const char *const *to, size_t n, size_t *size_out);

/* The same as an entry of the file. */
void test_vocab_charsmap(struct test_vocab *v, const void *bytes, size_t n);

/* The file, to be freed with free(); what the maker holds is freed here. */
uint8_t *test_vocab_make(struct test_vocab *v, size_t *size_out);

/* A vocabulary that was read, on a heap that counts. */
struct test_text {
    struct support_heap host;
    struct lli_heap heap;
    uint8_t *file;
    struct lli_gguf gguf;
    struct lli_vocab vocab;
    struct llminf_error error;
};

/* Makes the file and reads it; or takes the bytes, which are freed at close. The status of reading. */
int32_t test_text_open(struct test_text *t, struct test_vocab *v);
int32_t test_text_open_bytes(struct test_text *t, uint8_t *bytes, size_t size);
int64_t test_text_close(struct test_text *t); /* bytes that still live: 0 if all is well; also after a failure */

/* The tokens of a text as they stand in the file, with a blank between; NULL on failure. Static. */
const char *test_text_tokens(struct test_text *t, const char *text, size_t n, int flags);

/* Whether a megabyte of A, one of spaces and one of random bytes, repaired, take less than a second of this thread's core
 * each; 20 where the code is not optimised or watched by a sanitizer. */
int test_text_is_quick(const struct lli_vocab *v);

/* What the ids of a text decode to, control tokens left out; NULL on failure. Static. */
const char *test_text_back(struct test_text *t, const char *text, size_t n, int flags);

#endif
