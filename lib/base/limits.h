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
#define LLI_MAX_TOKEN_TYPES (1u << 16)
#define LLI_MAX_HEADS 65536u
#define LLI_MAX_HEAD_DIM 65536u
#define LLI_MAX_FEED_FORWARD (1u << 24)
#define LLI_MAX_EXPERTS 1024u
#define LLI_MAX_CONTEXT (1u << 28)
#define LLI_MIN_ROPE_BASE 1.0
#define LLI_MAX_ROPE_BASE 1e12
#define LLI_MIN_ROPE_FACTOR 1e-3
#define LLI_MAX_ROPE_FACTOR 1e6
#define LLI_MAX_FACTOR 1e6 /* multipliers and soft caps */
#define LLI_MIN_EPSILON 1e-12
#define LLI_MAX_EPSILON 1.0

/* vocabulary and text */
#define LLI_MAX_TOKENS (1u << 21)
#define LLI_MAX_TOKEN_BYTES 65536u
#define LLI_MAX_MERGES (1u << 22)
#define LLI_MAX_CONTROL_TOKENS (1u << 17)
#define LLI_MAX_AUTOMATON_BYTES (64u << 20)
#define LLI_MAX_CHARSMAP_BYTES (2u << 20)
#define LLI_MAX_PIECE_BYTES 1024u    /* a token of a unigram or WordPiece vocabulary */
#define LLI_MAX_WORD_CHARACTERS 100u /* WordPiece; a longer word is unknown */
#define LLI_MAX_TEXT_BYTES (64u << 20)
#define LLI_MAX_REGEX_STEPS 10000000u
#define LLI_MAX_REGEX_HEAP_KIB (64u << 10)

/* JSON */
#define LLI_MAX_JSON_BYTES (64u << 20)
#define LLI_MAX_JSON_DEPTH 128u
#define LLI_MAX_JSON_NUMBER 64u
#define LLI_MAX_JSON_MEMBERS (1u << 21) /* a vocabulary is one object */

/* chat templates; steps and bytes of output are options */
#define LLI_MAX_TEMPLATE_BYTES (1u << 20)
#define LLI_MAX_TEMPLATE_RULES 1024u  /* grammar rules in one another while parsing: some 90 brackets, 400 blocks */
#define LLI_MAX_TEMPLATE_FRAMES 4096u /* nodes in one another while running, through all macros called */
#define LLI_MAX_TEMPLATE_ARGUMENTS 64u
#define LLI_MAX_TEMPLATE_STRING (16u << 20)
#define LLI_MAX_TEMPLATE_RANGE 100000
#define LLI_MAX_TEMPLATE_DEPTH 256u        /* lists and mappings in one another, when they are printed or compared */
#define LLI_TEMPLATE_STEPS_DEFAULT 1000000 /* without a model's options */
#define LLI_TEMPLATE_BYTES_DEFAULT (1 << 24)

/* sampler and generation */
#define LLI_MAX_BIAS (1u << 21)
#define LLI_MAX_LIST_ITEMS 64u
#define LLI_MAX_LIST_ITEM_BYTES 4096u

/* grammar */
#define LLI_MAX_GRAMMAR_BYTES (1u << 20)
#define LLI_MAX_GRAMMAR_RULES 65536u
#define LLI_MAX_GRAMMAR_NESTING 128u
#define LLI_MAX_GRAMMAR_REPEAT 4096u
#define LLI_MAX_GRAMMAR_PARTS (1u << 21)
#define LLI_MAX_GRAMMAR_STATES 1000000u
#define LLI_MAX_GRAMMAR_CLASS_STATES 65536u
#define LLI_MAX_GRAMMAR_LIVE (1u << 17) /* room for so many only where a grammar is as large */
#define LLI_MAX_GRAMMAR_WORK (1u << 27) /* threads looked at for one mask: a second or less */

/* log */
#define LLI_LOG_LINES 256u

#endif
