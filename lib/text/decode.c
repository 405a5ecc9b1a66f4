/* text/decode.c - ids to text, byte by byte: a character is given out when its last byte has come. Invariant: pending
 * holds the beginning of a character that more bytes may complete, never more than three bytes between calls. */
#include "text/decode.h"

#include <string.h>

#include "base/size.h"
#include "base/utf8.h"

#define REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */
#define REPLACEMENT_LEN 3u

/* Room was reserved: each byte may become a U+FFFD, and what was pending one more. */
static void put(struct lli_buffer *out, const void *bytes, size_t n)
{
    memcpy(out->bytes + out->len, bytes, n);
    out->len += n;
}

static void take_byte(struct lli_decode *d, struct lli_buffer *out, uint8_t byte)
{
    uint32_t code;
    if (d->n_pending > 0) {
        d->pending[d->n_pending] = byte;
        size_t n = d->n_pending + 1u;
        if (lli_utf8_pending(d->pending, n) == n) {
            d->n_pending = (uint8_t)n;
            return;
        }
        d->n_pending = 0;
        if (lli_utf8_read(&code, d->pending, n) == n) {
            put(out, d->pending, n);
            return;
        }
        put(out, REPLACEMENT, REPLACEMENT_LEN); /* for what came before; the byte itself may begin anew */
    }
    if (byte < 0x80) {
        put(out, &byte, 1);
    } else if (lli_utf8_pending(&byte, 1) == 1) {
        d->pending[0] = byte;
        d->n_pending = 1;
    } else {
        put(out, REPLACEMENT, REPLACEMENT_LEN);
    }
}

static int is_hidden(const struct lli_vocab *v, int32_t id)
{
    return v->types[id] == LLI_TOKEN_CONTROL || v->types[id] == LLI_TOKEN_UNKNOWN;
}

/* Spaces that encoding may have put in front of this token, the first of a text; a GGUF file's user-defined ones are as they
 * stand. */
static size_t n_prefix(const struct lli_vocab *v, int32_t id)
{
    size_t n = 0, most = v->types[id] == LLI_TOKEN_USER_DEFINED && !v->as_spelled ? 0 : v->n_strip;
    while (n < most && n < v->texts[id].len && v->texts[id].bytes[n] == ' ')
        n++;
    return n;
}

int lli_decode_token(struct lli_decode *d, struct lli_buffer *out, const struct lli_vocab *v, int32_t id, int special)
{
    struct lli_text text = v->texts[id];
    int hidden = is_hidden(v, id);
    if (hidden && !special)
        return 0;
    size_t room;
    if (lli_size_mul(&room, text.len + 1, REPLACEMENT_LEN) || lli_buffer_reserve(out, room))
        return -1;
    size_t i = 0;
    if (!hidden) {
        i = d->at_start ? n_prefix(v, id) : 0;
        d->at_start = d->at_start && text.len == 0;
    }
    for (; i < text.len; i++)
        take_byte(d, out, (uint8_t)text.bytes[i]);
    return 0;
}

int lli_decode_end(struct lli_decode *d, struct lli_buffer *out)
{
    if (d->n_pending == 0)
        return 0;
    if (lli_buffer_append(out, REPLACEMENT, REPLACEMENT_LEN))
        return -1;
    d->n_pending = 0;
    return 0;
}
