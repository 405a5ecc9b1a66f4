/* base/reader.c - the cursor. Invariant: start <= at <= end; once failed, nothing moves and everything reads as zero. */
#include "base/reader.h"

void lli_reader_init(struct lli_reader *r, const void *bytes, size_t n)
{
    static const uint8_t nothing;
    r->start = r->at = bytes ? bytes : &nothing; /* no arithmetic on NULL */
    r->end = bytes ? r->start + n : r->start;
    r->failed = 0;
}

const uint8_t *lli_reader_bytes(struct lli_reader *r, uint64_t n)
{
    if (r->failed || n > lli_reader_left(r)) {
        r->failed = 1;
        return NULL;
    }
    const uint8_t *bytes = r->at;
    r->at += n;
    return bytes;
}

static uint64_t little_endian(struct lli_reader *r, unsigned n)
{
    const uint8_t *bytes = lli_reader_bytes(r, n);
    uint64_t v = 0;
    for (unsigned i = 0; bytes && i < n; i++)
        v |= (uint64_t)bytes[i] << (8 * i);
    return v;
}

uint8_t lli_reader_u8(struct lli_reader *r)
{
    return (uint8_t)little_endian(r, 1);
}

uint16_t lli_reader_u16(struct lli_reader *r)
{
    return (uint16_t)little_endian(r, 2);
}

uint32_t lli_reader_u32(struct lli_reader *r)
{
    return (uint32_t)little_endian(r, 4);
}

uint64_t lli_reader_u64(struct lli_reader *r)
{
    return little_endian(r, 8);
}

uint64_t lli_reader_count(struct lli_reader *r, uint64_t min_bytes)
{
    uint64_t n = lli_reader_u64(r);
    if (r->failed)
        return 0;
    if (min_bytes != 0 && n > lli_reader_left(r) / min_bytes) {
        r->failed = 1;
        return 0;
    }
    return n;
}
