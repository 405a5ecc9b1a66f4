/* base/utf8.c - everything rests on one question: how many bytes at this place begin a well-formed character? */
#include "base/utf8.h"

#include <string.h>

/* Table 3-7: by the lead byte the length, and the range of the second byte; all further bytes are 80..BF. */
struct lead {
    uint8_t first, last, len, low, high;
};

static const struct lead leads[] = {
    {0x00, 0x7F, 1, 0x00, 0x00}, {0xC2, 0xDF, 2, 0x80, 0xBF}, {0xE0, 0xE0, 3, 0xA0, 0xBF},
    {0xE1, 0xEC, 3, 0x80, 0xBF}, {0xED, 0xED, 3, 0x80, 0x9F}, {0xEE, 0xEF, 3, 0x80, 0xBF},
    {0xF0, 0xF0, 4, 0x90, 0xBF}, {0xF1, 0xF3, 4, 0x80, 0xBF}, {0xF4, 0xF4, 4, 0x80, 0x8F},
};

static const struct lead *find_lead(uint8_t byte)
{
    for (size_t i = 0; i < sizeof leads / sizeof *leads; i++) {
        if (byte <= leads[i].last)
            return byte >= leads[i].first ? &leads[i] : NULL;
    }
    return NULL;
}

/* Bytes of s[0..n) that begin a well-formed character, 0 if the lead is bad; *whole: the length such a character has. */
static size_t begin_of_character(const uint8_t *s, size_t n, size_t *whole)
{
    const struct lead *lead = n ? find_lead(s[0]) : NULL;
    *whole = lead ? lead->len : 1;
    if (!lead)
        return 0;
    size_t len = 1;
    uint8_t low = lead->low, high = lead->high;
    while (len < lead->len && len < n && s[len] >= low && s[len] <= high) {
        len++;
        low = 0x80;
        high = 0xBF;
    }
    return len;
}

/* Bytes at the front that are plain ASCII, counted eight at a time. */
static size_t ascii_run(const uint8_t *s, size_t n)
{
    size_t i = 0;
    for (uint64_t eight; n - i >= sizeof eight; i += sizeof eight) {
        memcpy(&eight, s + i, sizeof eight);
        if (eight & 0x8080808080808080u)
            break;
    }
    while (i < n && s[i] < 0x80)
        i++;
    return i;
}

size_t lli_utf8_valid(const void *bytes, size_t n)
{
    const uint8_t *s = bytes;
    size_t at = 0, whole;
    while (at < n) {
        if (s[at] < 0x80) {
            at += ascii_run(s + at, n - at);
            continue;
        }
        if (begin_of_character(s + at, n - at, &whole) != whole)
            return at;
        at += whole;
    }
    return at;
}

size_t lli_utf8_read(uint32_t *out, const void *bytes, size_t n)
{
    static const uint8_t lead_bits[5] = {0, 0x7F, 0x1F, 0x0F, 0x07};
    const uint8_t *s = bytes;
    size_t whole;
    if (begin_of_character(s, n, &whole) != whole)
        return 0;
    uint32_t code = s[0] & lead_bits[whole];
    for (size_t i = 1; i < whole; i++)
        code = code << 6 | (s[i] & 0x3F);
    *out = code;
    return whole;
}

size_t lli_utf8_write(char out[4], uint32_t code)
{
    static const uint8_t marks[5] = {0, 0x00, 0xC0, 0xE0, 0xF0};
    size_t len = code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1; code >>= 6)
        out[i] = (char)(0x80 | (code & 0x3F));
    out[0] = (char)(marks[len] | code);
    return len;
}

size_t lli_utf8_pending(const void *bytes, size_t n)
{
    const uint8_t *s = bytes;
    for (size_t back = 1; back <= 3 && back <= n; back++) {
        size_t whole;
        if (begin_of_character(s + n - back, back, &whole) == back && back < whole)
            return back;
    }
    return 0;
}

/* Appends to out if there is one. */
static size_t put(char *out, size_t at, const void *bytes, size_t n)
{
    if (out)
        memcpy(out + at, bytes, n);
    return at + n;
}

size_t lli_utf8_repair(char *out, const void *bytes, size_t n)
{
    const uint8_t *s = bytes;
    size_t len = 0;
    for (size_t at = 0; at < n;) {
        size_t good = lli_utf8_valid(s + at, n - at);
        if (good) {
            len = put(out, len, s + at, good);
            at += good;
            continue;
        }
        size_t whole, bad = begin_of_character(s + at, n - at, &whole);
        len = put(out, len, "\xEF\xBF\xBD", 3);
        at += bad ? bad : 1;
    }
    return len;
}

/* Characters that a terminal or a log would obey instead of showing: C0, DEL, C1, line and paragraph separator, and the
 * marks that turn the direction of writing. */
static int is_control(uint32_t code)
{
    return code < 0x20 || (code >= 0x7F && code <= 0x9F) || (code >= 0x2028 && code <= 0x202E) ||
           (code >= 0x2066 && code <= 0x2069);
}

static size_t escape_byte(char out[4], uint8_t byte)
{
    static const char digits[] = "0123456789ABCDEF";
    char letter = byte == '\n' ? 'n' : byte == '\r' ? 'r' : byte == '\t' ? 't' : 'x';
    out[0] = '\\';
    out[1] = letter;
    if (letter != 'x')
        return 2;
    out[2] = digits[byte >> 4];
    out[3] = digits[byte & 15];
    return 4;
}

size_t lli_utf8_escape(char *out, size_t cap, const void *bytes, size_t n)
{
    const uint8_t *s = bytes;
    size_t len = 0;
    for (size_t at = 0; at < n;) {
        uint32_t code = 0;
        char shown[16];
        size_t used = lli_utf8_read(&code, s + at, n - at), width = 0;
        if (used && !is_control(code)) {
            memcpy(shown, s + at, used);
            width = used;
        } else {
            used = used ? used : 1;
            for (size_t i = 0; i < used; i++)
                width += escape_byte(shown + width, s[at + i]);
        }
        if (len + width >= cap)
            break;
        memcpy(out + len, shown, width);
        len += width;
        at += used;
    }
    if (cap)
        out[len] = '\0';
    return len;
}
