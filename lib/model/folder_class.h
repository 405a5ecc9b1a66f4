/* model/folder_class.h - the classes that config.json may name, a row each: which architecture they are in GGUF, what their
 * tensors are called and how their bytes become GGUF's, which numbers only they have and which ones they leave out. */
#ifndef LLI_MODEL_FOLDER_CLASS_H
#define LLI_MODEL_FOLDER_CLASS_H

#include <stddef.h>
#include <stdint.h>

/* What becomes of a tensor. Vectors become binary32, all else keeps its type. */
enum lli_folder_how {
    LLI_HOW_PLAIN,
    LLI_HOW_Q, /* rows of heads that are rotated: change places where GGUF rotates neighbours */
    LLI_HOW_K,
    LLI_HOW_QKV,    /* rows by groups of heads, each with its k and v behind its q; GGUF: all q, all k, all v */
    LLI_HOW_FLOATS, /* vectors in a matrix: binary32 */
    LLI_HOW_ON_ONE, /* a gain less 1 */
    LLI_HOW_TURNED, /* rows are GGUF's columns */
    LLI_HOW_EXPERT, /* one of as many as there are experts, in one tensor in GGUF */
    LLI_HOW_Q_HEAD, /* one of as many as there are heads, in binary32 */
    LLI_HOW_KV_HEAD,
    LLI_HOW_NIBBLES, /* MXFP4 without its scales, [.., 16] bytes, neighbours in a byte; GGUF: halves of the block */
    LLI_HOW_SCALES,
    LLI_HOW_NOT_AT_ALL
};

/* Of a tensor whose rows are those of two in turn. */
enum lli_folder_rows { LLI_ROWS_ALL, LLI_ROWS_EVEN, LLI_ROWS_ODD };

struct lli_folder_tensor {
    const char *from; /* a "*" stands for a number: of the expert, or the head */
    const char *to;   /* GGUF's, behind "blk.N." */
    uint8_t how;      /* enum lli_folder_how */
    uint8_t rows;     /* enum lli_folder_rows */
};

enum lli_folder_kind { LLI_FIGURE_COUNT, LLI_FIGURE_FLOAT, LLI_FIGURE_FLAG };

/* A number of config.json that not all classes have. */
struct lli_folder_figure {
    const char *from, *to; /* to: behind the architecture */
    uint8_t kind;          /* enum lli_folder_kind */
};

/* What a class means where config.json has nothing; yes is 1. */
struct lli_folder_default {
    const char *key;
    double value;
};

enum lli_folder_trait {
    LLI_FOLDER_PAIRS = 1,       /* GGUF rotates neighbours, the folder halves */
    LLI_FOLDER_WIDE_FF = 2,     /* the FFN is 4 times as wide as the stream, if nothing else is said */
    LLI_FOLDER_ONE_KV_HEAD = 4, /* multi_query, without new_decoder_architecture: whatever the number of KV heads says */
    LLI_FOLDER_MXFP4 = 8,       /* quantization_config may say so */
    LLI_FOLDER_OLD_ACT = 16,    /* hidden_act "gelu" stands for its tanh form */
    LLI_FOLDER_MAX_LENGTH = 32  /* model_max_length says more than max_position_embeddings */
};

#define LLI_FOLDER_MAX_STEMS 4

struct lli_folder_class {
    const char *name;                           /* "LlamaForCausalLM" */
    const char *arch;                           /* general.architecture */
    const char *stems[LLI_FOLDER_MAX_STEMS];    /* what may stand in front of names, the longest first */
    const char *layers;                         /* what stands before a layer's number */
    const char *inner;                          /* the member of config.json where the network is; NULL: all of it */
    const char *const *others;                  /* stems of what is no part of the network, up to a NULL; NULL: none */
    const struct lli_folder_tensor *tensors[2]; /* up to a row without names; the first list that knows a name has it */
    const struct lli_folder_figure *figures;    /* likewise; NULL: none */
    const struct lli_folder_default *defaults;  /* likewise */
    int traits;                                 /* enum lli_folder_trait */
};

/* NULL behind the last. */
const struct lli_folder_class *lli_folder_class_at(size_t i);

/* By the name, which need not be terminated; NULL: unknown. */
const struct lli_folder_class *lli_folder_class_find(const char *name, size_t len);

/* The first class of an architecture; NULL: its folders are not read. */
const struct lli_folder_class *lli_folder_class_of(const char *arch);

/* All names, to be shown, as many as fit into cap bytes. */
void lli_folder_class_names(char *out, size_t cap);

/* Whether the class has a figure of that name. */
int lli_folder_class_reads(const struct lli_folder_class *class, const char *key);

/* What it means where config.json has nothing, or `otherwise`. */
double lli_folder_class_default(const struct lli_folder_class *class, const char *key, double otherwise);

/* A tensor's name taken apart. */
struct lli_folder_match {
    const struct lli_folder_tensor *row; /* the first that has the name; NULL: there is none */
    const char *rest;                    /* the name without stem and layer */
    int64_t layer;                       /* -1: none */
    int is_other;                        /* it is no part of the network */
};
void lli_folder_class_match(struct lli_folder_match *out, const struct lli_folder_class *class, const char *name);

/* This row, or the next behind it, that has the name, with the number at its "*" (-1: it has none); NULL: no more. */
const struct lli_folder_tensor *lli_folder_class_row(int64_t *number, const struct lli_folder_tensor *row, const char *rest);

#endif
