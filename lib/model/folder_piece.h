/* model/folder_piece.h - a tensor of a folder, or a part of it, as bytes of GGUF's: what has to be written anew. */
#ifndef LLI_MODEL_FOLDER_PIECE_H
#define LLI_MODEL_FOLDER_PIECE_H

#include <stdint.h>

#include "file/gguf.h"
#include "file/safetensors.h"
#include "model/folder_class.h"

/* Of the model, for rows of heads. */
struct lli_folder_heads {
    uint32_t n_heads, n_kv_heads, head_dim; /* n_kv_heads divides n_heads */
    int has_pairs;                          /* GGUF rotates neighbours */
};

/* Row i of GGUF's order in the folder's: how PLAIN, Q, K, QKV. */
uint64_t lli_folder_row(const struct lli_folder_heads *heads, enum lli_folder_how how, uint64_t i);

/* The rows that the heads want; 0: any number will do. */
uint64_t lli_folder_rows(const struct lli_folder_heads *heads, enum lli_folder_how how);

/* [n_mats, n_rows, n_columns] of GGUF's tensor, which the source has in some other order, and in n_parts pieces. */
struct lli_folder_piece {
    const struct lli_st_tensor *from;
    const struct lli_folder_heads *heads;
    const struct lli_dtype *type; /* that it gets */
    uint64_t n_mats, n_rows, n_columns;
    size_t bytes; /* of the piece; of MXFP4 those that both pieces share */
    uint32_t part, n_parts;
    uint8_t how, rows; /* enum lli_folder_how, lli_folder_rows */
    int is_new;        /* 0: the source's bytes will do */
    uint32_t n_dims;   /* of the whole tensor */
    uint64_t dims[LLI_MAX_DIMS];
};

/* What becomes of the tensor by a row of its class; n_stacked: pieces of a stack, of which it is number `at`. FORMAT, LIMIT,
 * UNSUPPORTED with the tensor's name. */
int32_t lli_folder_piece_make(struct lli_folder_piece *out, const struct lli_st_tensor *from,
                              const struct lli_folder_heads *heads, const struct lli_folder_tensor *row, int64_t at,
                              uint32_t n_stacked, struct llminf_error *err);

/* Writes it into the whole tensor's bytes. */
void lli_folder_piece_write(uint8_t *whole, const struct lli_folder_piece *piece);

#endif
