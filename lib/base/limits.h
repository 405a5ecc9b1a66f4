/* base/limits.h - the limits against hostile input, in one table. Over a limit is LLMINF_E_LIMIT with limit and value in
 * the text. None is needed for speed. */
#ifndef LLI_BASE_LIMITS_H
#define LLI_BASE_LIMITS_H

/* GGUF */
#define LLI_MAX_TENSORS (1u << 20)
#define LLI_MAX_METADATA 65536u
#define LLI_MAX_KEY_BYTES 65535u
#define LLI_MAX_STRING_BYTES (64u << 20)
#define LLI_MAX_ARRAY_ELEMENTS (1u << 27)
#define LLI_MAX_DIMS 4u
#define LLI_MAX_TENSOR_NAME 64u
#define LLI_MAX_SAFETENSORS_NAME 255u
#define LLI_MIN_ALIGNMENT 8u
#define LLI_MAX_ALIGNMENT 65536u
#define LLI_HEADER_BYTES_DEFAULT (1ll << 28)

/* model */
#define LLI_MAX_LAYERS 1024u
#define LLI_MAX_EMBEDDING (1u << 20)
#define LLI_MAX_HEADS 65536u
#define LLI_MAX_HEAD_DIM 65536u
#define LLI_MAX_FEED_FORWARD (1u << 24)
#define LLI_MAX_EXPERTS 1024u
#define LLI_MAX_CONTEXT (1u << 28)
#define LLI_MIN_ROPE_BASE 1.0
#define LLI_MAX_ROPE_BASE 1e12
#define LLI_MIN_ROPE_FACTOR 1e-3
#define LLI_MAX_ROPE_FACTOR 1e6
#define LLI_MIN_EPSILON 1e-12
#define LLI_MAX_EPSILON 1.0

/* vocabulary and text */
#define LLI_MAX_TOKENS (1u << 21)
#define LLI_MAX_TOKEN_BYTES 65536u
#define LLI_MAX_MERGES (1u << 22)
#define LLI_MAX_CONTROL_TOKENS (1u << 17)
#define LLI_MAX_AUTOMATON_BYTES (64u << 20)
#define LLI_MAX_TEXT_BYTES (64u << 20)
#define LLI_MAX_REGEX_STEPS 10000000u
#define LLI_MAX_REGEX_HEAP_KIB (64u << 10)

/* sampler and generation */
#define LLI_MAX_BIAS (1u << 21)
#define LLI_MAX_LIST_ITEMS 64u
#define LLI_MAX_LIST_ITEM_BYTES 4096u

/* log */
#define LLI_LOG_LINES 256u

#endif
