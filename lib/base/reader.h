/* base/reader.h - a cursor over bytes from outside. It fails stickily: after one bad read everything reads as zero and
 * `at` stays, so a parser checks `failed` once per record and before each loop or allocation taken from the input.
 * Little endian, any alignment. */
#ifndef LLI_BASE_READER_H
#define LLI_BASE_READER_H

#include <stddef.h>
#include <stdint.h>

struct lli_reader {
    const uint8_t *start, *at, *end;
    int failed;
};

void lli_reader_init(struct lli_reader *r, const void *bytes, size_t n);

uint8_t lli_reader_u8(struct lli_reader *r);
uint16_t lli_reader_u16(struct lli_reader *r);
uint32_t lli_reader_u32(struct lli_reader *r);
uint64_t lli_reader_u64(struct lli_reader *r);

/* The next n bytes in place; NULL and failed if fewer are left. */
const uint8_t *lli_reader_bytes(struct lli_reader *r, uint64_t n);

/* A u64 n; 0 and failed unless n * min_bytes are left behind it. */
uint64_t lli_reader_count(struct lli_reader *r, uint64_t min_bytes);

static inline size_t lli_reader_left(const struct lli_reader *r)
{
    return (size_t)(r->end - r->at);
}

static inline int64_t lli_reader_pos(const struct lli_reader *r)
{
    return (int64_t)(r->at - r->start);
}

#endif
