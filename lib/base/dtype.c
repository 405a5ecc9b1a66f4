/* base/dtype.c - the table of types. Every row is checked in the same way: an element of a float type is a block of one
 * whose "scale" is itself; of binary32 the upper half suffices, for it holds the exponent. */
#include "base/dtype.h"

#include <string.h>

#include "base/casing.h"
#include "base/format.h"

#define F16_EXPONENT 0x7C00
#define F32_EXPONENT 0x7F80
#define E8_EXPONENT 0x00FF /* a byte that is nothing else; the upper one of the word is no part of it */

static const struct lli_dtype types[] = {
    {LLI_F32, "f32", 1, 4, {2, -1}, F32_EXPONENT, 1},
    {LLI_F16, "f16", 1, 2, {0, -1}, F16_EXPONENT, 1},
    {LLI_BF16, "bf16", 1, 2, {0, -1}, F32_EXPONENT, 1},
    /* quantised: the comment has the bytes of a block in their order */
    {LLI_Q4_0, "q4_0", 32, 18, {0, -1}, F16_EXPONENT, 0},     /* scale 2, quants 16 */
    {LLI_Q4_1, "q4_1", 32, 20, {0, 2}, F16_EXPONENT, 0},      /* scale 2, minimum 2, quants 16 */
    {LLI_Q5_0, "q5_0", 32, 22, {0, -1}, F16_EXPONENT, 0},     /* scale 2, fifth bits 4, quants 16 */
    {LLI_Q5_1, "q5_1", 32, 24, {0, 2}, F16_EXPONENT, 0},      /* scale 2, minimum 2, fifth bits 4, quants 16 */
    {LLI_Q8_0, "q8_0", 32, 34, {0, -1}, F16_EXPONENT, 0},     /* scale 2, quants 32 */
    {LLI_Q2_K, "q2_k", 256, 84, {80, 82}, F16_EXPONENT, 0},   /* sub-scales 16, quants 64, scale 2, minimum 2 */
    {LLI_Q3_K, "q3_k", 256, 110, {108, -1}, F16_EXPONENT, 0}, /* third bits 32, quants 64, sub-scales 12, scale 2 */
    {LLI_Q4_K, "q4_k", 256, 144, {0, 2}, F16_EXPONENT, 0},    /* scale 2, minimum 2, sub-scales 12, quants 128 */
    {LLI_Q5_K, "q5_k", 256, 176, {0, 2}, F16_EXPONENT, 0},    /* scale 2, minimum 2, sub-scales 12, fifth bits 32, quants 128 */
    {LLI_Q6_K, "q6_k", 256, 210, {208, -1}, F16_EXPONENT, 0}, /* low bits 128, high bits 64, sub-scales 16, scale 2 */
    {LLI_IQ4_NL, "iq4_nl", 32, 18, {0, -1}, F16_EXPONENT, 0}, /* scale 2, indices 16 */
    {LLI_IQ4_XS, "iq4_xs", 256, 136, {0, -1}, F16_EXPONENT, 0}, /* scale 2, high bits of sub-scales 2, low 4, indices 128 */
    {LLI_MXFP4, "mxfp4", 32, 17, {0, -1}, E8_EXPONENT, 0},      /* exponent 1, indices 16 */
};

#define N_TYPES (sizeof types / sizeof *types)

const struct lli_dtype *lli_dtype_find(uint32_t id)
{
    for (size_t i = 0; i < N_TYPES; i++) {
        if (types[i].id == id)
            return &types[i];
    }
    return NULL;
}

const struct lli_dtype *lli_dtype_named(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < N_TYPES; i++) {
        if (strlen(types[i].name) == n && lli_casing_same(types[i].name, name, n))
            return &types[i];
    }
    return NULL;
}

const char *lli_dtype_other(uint32_t id)
{
    static const struct {
        uint32_t id;
        const char *name;
    } others[] = {{9, "q8_1"},   {15, "q8_k"},  {16, "iq2_xxs"}, {17, "iq2_xs"}, {18, "iq3_xxs"}, {19, "iq1_s"},
                  {21, "iq3_s"}, {22, "iq2_s"}, {24, "i8"},      {25, "i16"},    {26, "i32"},     {27, "i64"},
                  {28, "f64"},   {29, "iq1_m"}, {34, "tq1_0"},   {35, "tq2_0"},  {40, "nvfp4"}};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (others[i].id == id)
            return others[i].name;
    return NULL;
}

void lli_dtype_names(char *out, size_t cap)
{
    size_t len = 0;
    for (size_t i = 0; i < N_TYPES && len < cap; i++)
        len += lli_format(out + len, cap - len, i > 0 ? ", %s" : "%s", types[i].name);
}

int64_t lli_dtype_check(const struct lli_dtype *t, const void *blocks, size_t n_blocks)
{
    const uint8_t *block = blocks;
    unsigned n_scales = t->scale_at[1] < 0 ? 1 : 2;
    for (size_t i = 0; i < n_blocks; i++, block += t->block_bytes) {
        for (unsigned j = 0; j < n_scales; j++) {
            uint16_t field;
            memcpy(&field, block + t->scale_at[j], sizeof field);
            if ((field & t->exponent) == t->exponent)
                return (int64_t)i;
        }
    }
    return -1;
}
