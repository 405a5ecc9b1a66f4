/* model/folder_piece.c - rows change places, columns become rows, vectors become binary32: each a loop over GGUF's order that
 * looks where the folder has it. */
#include "model/folder_piece.h"

#include <string.h>

#include "base/error.h"
#include "base/half.h"
#include "base/size.h"

enum { BLOCK_BYTES = 17, NIBBLE_BYTES = 16, BLOCK = 32, TILE = 32 };

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* A head's rows are its two halves (0 .. d/2-1, d/2 .. d-1), GGUF's are pairs (0, d/2, 1, d/2+1, ...). */
static uint64_t row_of_pair(uint64_t i, uint64_t d)
{
    uint64_t at = i % d;
    return i - at + at / 2 + (at % 2 ? d / 2 : 0);
}

/* A group is the heads of q that share a k and a v, then these. */
static uint64_t row_of_group(const struct lli_folder_heads *h, uint64_t i)
{
    uint64_t head = i / h->head_dim, shared = h->n_heads / h->n_kv_heads, group, within;
    if (head < h->n_heads) {
        group = head / shared;
        within = head % shared;
    } else {
        group = (head - h->n_heads) % h->n_kv_heads;
        within = shared + (head - h->n_heads) / h->n_kv_heads;
    }
    return (group * (shared + 2) + within) * h->head_dim + i % h->head_dim;
}

uint64_t lli_folder_row(const struct lli_folder_heads *heads, enum lli_folder_how how, uint64_t i)
{
    if ((how == LLI_HOW_Q || how == LLI_HOW_K) && heads->has_pairs)
        return row_of_pair(i, heads->head_dim);
    return how == LLI_HOW_QKV ? row_of_group(heads, i) : i;
}

uint64_t lli_folder_rows(const struct lli_folder_heads *heads, enum lli_folder_how how)
{
    uint64_t q = (uint64_t)heads->n_heads * heads->head_dim, k = (uint64_t)heads->n_kv_heads * heads->head_dim;
    if (how == LLI_HOW_QKV)
        return q + 2 * k;
    if (!heads->has_pairs)
        return 0;
    return how == LLI_HOW_Q ? q : how == LLI_HOW_K ? k : 0;
}

/* ---- shapes ------------------------------------------------------------------------------------------------------ */

static int32_t fail(const struct lli_st_tensor *t, struct llminf_error *err, const char *what)
{
    return lli_fail_at(err, LLMINF_E_FORMAT, t->pos, t->name, "%s", what);
}

static int is_mxfp4(enum lli_folder_how how)
{
    return how == LLI_HOW_NIBBLES || how == LLI_HOW_SCALES;
}

static int is_vector(const struct lli_st_tensor *t, enum lli_folder_how how)
{
    return t->n_dims == 1 || how == LLI_HOW_FLOATS || how == LLI_HOW_ON_ONE;
}

/* Sides of the piece, of rows all. */
static int32_t measure(struct lli_folder_piece *p, struct llminf_error *err)
{
    const struct lli_st_tensor *t = p->from;
    const uint64_t *d = t->dims;
    if (is_mxfp4(p->how)) {
        int has_bytes = p->how == LLI_HOW_NIBBLES;
        if (t->n_dims != (has_bytes ? 4 : 3) || (has_bytes && d[0] != NIBBLE_BYTES))
            return fail(t, err, "want [experts, rows, blocks], and 16 bytes of each block");
        p->n_columns = BLOCK * d[has_bytes];
        p->n_rows = d[1 + has_bytes];
        p->n_mats = d[2 + has_bytes];
    } else if (is_vector(t, p->how)) {
        p->n_columns = 1;
        p->n_rows = d[0];
        p->n_mats = d[1] * d[2] * d[3];
    } else {
        int is_turned = p->how == LLI_HOW_TURNED;
        p->n_columns = d[is_turned];
        p->n_rows = d[!is_turned];
        p->n_mats = d[2] * d[3];
    }
    if (p->rows != LLI_ROWS_ALL && p->n_rows % 2)
        return fail(t, err, "an odd number of rows, which are those of two tensors in turn");
    p->n_rows /= p->rows != LLI_ROWS_ALL ? 2 : 1;
    return 0;
}

static int32_t check_heads(const struct lli_folder_piece *p, struct llminf_error *err)
{
    uint64_t want = lli_folder_rows(p->heads, p->how);
    if (want == 0)
        return 0;
    if (p->n_mats == 1 && p->n_rows == want && (p->how == LLI_HOW_QKV || p->heads->head_dim % 2 == 0))
        return 0;
    return lli_fail_at(err, LLMINF_E_FORMAT, p->from->pos, p->from->name, "%llu rows, want %llu: heads of %u, which is even",
                       (unsigned long long)p->n_rows, (unsigned long long)want, p->heads->head_dim);
}

/* The whole tensor's sides: those of the piece, one more of a stack. */
static void name_sides(struct lli_folder_piece *p)
{
    const struct lli_st_tensor *t = p->from;
    int is_flat = is_vector(t, p->how);
    for (uint32_t i = 0; i < LLI_MAX_DIMS; i++)
        p->dims[i] = 1;
    p->dims[0] = is_flat ? p->n_rows : p->n_columns;
    p->dims[1] = is_flat ? p->n_mats : p->n_rows;
    p->dims[2] = is_flat ? 1 : p->n_mats;
    p->n_dims = is_mxfp4(p->how) ? 3 : t->n_dims;
    if (p->n_parts > 1 && !is_mxfp4(p->how))
        p->dims[p->n_dims++] = p->n_parts;
    while (is_flat && p->n_dims > 1 && p->dims[p->n_dims - 1] == 1)
        p->n_dims--;
}

static int32_t count_bytes(struct lli_folder_piece *p, struct llminf_error *err)
{
    size_t n = (size_t)p->n_rows;
    if (lli_size_mul(&n, n, (size_t)p->n_mats) || lli_size_mul(&n, n, lli_dtype_row_bytes(p->type, (size_t)p->n_columns)))
        return lli_fail_at(err, LLMINF_E_LIMIT, p->from->pos, p->from->name, "more bytes than memory can hold");
    p->bytes = n;
    return 0;
}

int32_t lli_folder_piece_make(struct lli_folder_piece *out, const struct lli_st_tensor *from,
                              const struct lli_folder_heads *heads, const struct lli_folder_tensor *row, int64_t at,
                              uint32_t n_stacked, struct llminf_error *err)
{
    int is_bytes = is_mxfp4(row->how);
    *out = (struct lli_folder_piece){.from = from, .heads = heads, .how = row->how, .rows = row->rows, .n_parts = 1};
    if (is_bytes ? strcmp(from->type_name, "U8") != 0 : !from->type)
        return lli_fail_at(err, LLMINF_E_UNSUPPORTED, from->pos, from->name, "in %s, want %s", from->type_name,
                           is_bytes ? "U8" : "F32, F16 or BF16");
    if (from->n_dims == 0 || from->bytes == 0)
        return fail(from, err, "has no elements, or no dimensions");
    if (n_stacked > 0) {
        if (from->n_dims > 2 || at < 0 || at >= (int64_t)n_stacked)
            return lli_fail_at(err, LLMINF_E_FORMAT, from->pos, from->name, "number %lld of %u", (long long)at, n_stacked);
        out->part = (uint32_t)at;
        out->n_parts = n_stacked;
    } else if (is_bytes) {
        out->part = row->how == LLI_HOW_SCALES;
        out->n_parts = 2;
    } else if (from->n_dims > 3) {
        return lli_fail_at(err, LLMINF_E_FORMAT, from->pos, from->name, "%u dimensions, want up to 3", from->n_dims);
    }
    out->type = is_bytes ? lli_dtype_find(LLI_MXFP4) : is_vector(from, row->how) ? lli_dtype_find(LLI_F32) : from->type;
    int32_t status = measure(out, err);
    if (status == 0)
        status = check_heads(out, err);
    if (status == 0)
        status = count_bytes(out, err);
    name_sides(out);
    int is_moved = lli_folder_rows(heads, row->how) > 0 && !(row->how == LLI_HOW_QKV && heads->n_kv_heads == 1);
    out->is_new = out->n_parts > 1 || out->type != from->type || is_moved || row->how == LLI_HOW_ON_ONE ||
                  row->how == LLI_HOW_TURNED || row->rows != LLI_ROWS_ALL;
    return status;
}

/* ---- bytes ------------------------------------------------------------------------------------------------------- */

static float to_float(const struct lli_dtype *type, const uint8_t *at)
{
    uint16_t half;
    float v;
    if (type->id == LLI_F32) {
        memcpy(&v, at, sizeof v);
        return v;
    }
    memcpy(&half, at, sizeof half);
    return type->id == LLI_F16 ? lli_half_to_f32(half) : lli_bf16_to_f32(half);
}

/* Row i of matrix m, counted in the source's rows. */
static uint64_t source_row(const struct lli_folder_piece *p, uint64_t m, uint64_t i)
{
    uint64_t step = p->rows == LLI_ROWS_ALL ? 1 : 2;
    return m * p->n_rows * step + step * lli_folder_row(p->heads, p->how, i) + (p->rows == LLI_ROWS_ODD);
}

static void write_vectors(uint8_t *out, const struct lli_folder_piece *p)
{
    size_t each = p->from->type->block_bytes;
    for (uint64_t m = 0; m < p->n_mats; m++)
        for (uint64_t i = 0; i < p->n_rows; i++, out += sizeof(float)) {
            float v = to_float(p->from->type, p->from->data + source_row(p, m, i) * each);
            if (p->how == LLI_HOW_ON_ONE)
                v = v + 1;
            memcpy(out, &v, sizeof v);
        }
}

static void write_rows(uint8_t *out, const struct lli_folder_piece *p)
{
    size_t row_bytes = lli_dtype_row_bytes(p->type, (size_t)p->n_columns);
    for (uint64_t m = 0; m < p->n_mats; m++)
        for (uint64_t i = 0; i < p->n_rows; i++, out += row_bytes)
            memcpy(out, p->from->data + source_row(p, m, i) * row_bytes, row_bytes);
}

/* Element (i, k) of GGUF's is (k, i) of the source's. In strips of columns, so that a line of the source is used while it is
 * near. */
static void write_turned(uint8_t *out, const struct lli_folder_piece *p)
{
    size_t each = p->type->block_bytes;
    uint64_t step = p->rows == LLI_ROWS_ALL ? 1 : 2, n = p->n_rows * step, first = p->rows == LLI_ROWS_ODD;
    for (uint64_t m = 0; m < p->n_mats; m++) {
        const uint8_t *from = p->from->data + m * p->n_columns * n * each;
        uint8_t *to = out + m * p->n_rows * p->n_columns * each;
        for (uint64_t strip = 0; strip < p->n_columns; strip += TILE) {
            uint64_t end = p->n_columns - strip < TILE ? p->n_columns : strip + TILE;
            for (uint64_t i = 0; i < p->n_rows; i++)
                for (uint64_t k = strip; k < end; k++)
                    memcpy(to + (i * p->n_columns + k) * each, from + (k * n + step * i + first) * each, each);
        }
    }
}

/* 16 bytes of neighbours (0 1, 2 3, ...) as those of the two halves (0 16, 1 17, ...). */
static void write_nibbles(uint8_t *out, const uint8_t *from)
{
    for (int j = 0; j < NIBBLE_BYTES; j++) {
        int low = from[j / 2] >> 4 * (j % 2) & 15, high = from[NIBBLE_BYTES / 2 + j / 2] >> 4 * (j % 2) & 15;
        out[j] = (uint8_t)(low | high << 4);
    }
}

static void write_blocks(uint8_t *out, const struct lli_folder_piece *p)
{
    uint64_t n_blocks = p->n_columns / BLOCK;
    for (uint64_t m = 0; m < p->n_mats; m++)
        for (uint64_t i = 0; i < p->n_rows; i++)
            for (uint64_t b = 0; b < n_blocks; b++, out += BLOCK_BYTES) {
                uint64_t source = source_row(p, m, i) * n_blocks + b;
                if (p->how == LLI_HOW_SCALES)
                    out[0] = p->from->data[source];
                else
                    write_nibbles(out + 1, p->from->data + source * NIBBLE_BYTES);
            }
}

void lli_folder_piece_write(uint8_t *whole, const struct lli_folder_piece *p)
{
    if (is_mxfp4(p->how))
        write_blocks(whole, p);
    else if (is_vector(p->from, p->how))
        write_vectors(whole + p->part * p->bytes, p);
    else if (p->how == LLI_HOW_TURNED)
        write_turned(whole, p);
    else
        write_rows(whole + p->part * p->bytes, p);
}
