#include "api/parse.h"

#include <string.h>

#include "base/format.h"

struct suffix {
    int unit;
    const char *text;
    int64_t factor;
};

static const struct suffix suffixes[] = {
    {LLI_UNIT_BYTES, "B", 1},
    {LLI_UNIT_BYTES, "KiB", 1ll << 10},
    {LLI_UNIT_BYTES, "MiB", 1ll << 20},
    {LLI_UNIT_BYTES, "GiB", 1ll << 30},
    {LLI_UNIT_BYTES, "TiB", 1ll << 40},
    {LLI_UNIT_BYTES, "kB", 1000},
    {LLI_UNIT_BYTES, "MB", 1000000},
    {LLI_UNIT_BYTES, "GB", 1000000000},
    {LLI_UNIT_BYTES, "TB", 1000000000000},
    {LLI_UNIT_NS, "ns", 1},
    {LLI_UNIT_NS, "us", 1000},
    {LLI_UNIT_NS, "ms", 1000000},
    {LLI_UNIT_NS, "s", 1000000000},
    {LLI_UNIT_NS, "min", 60000000000},
};

struct word {
    const char *text;
    int64_t value;
};

static const struct word words[] = {{"true", 1},  {"yes", 1}, {"on", 1},  {"1", 1},
                                    {"false", 0}, {"no", 0},  {"off", 0}, {"0", 0}};

static int same(const char *a, const char *text, size_t n)
{
    return strlen(a) == n && memcmp(a, text, n) == 0;
}

static int parse_bool(int64_t *out, const char *text, size_t n)
{
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (same(words[i].text, text, n)) {
            *out = words[i].value;
            return 0;
        }
    return -1;
}

/* Where the digits end and a unit may begin. */
static size_t digits(const char *text, size_t n)
{
    size_t i = n > 0 && (text[0] == '-' || text[0] == '+');
    while (i < n && text[i] >= '0' && text[i] <= '9')
        i++;
    return i;
}

int lli_parse_int(int64_t *out, const char *text, size_t n, const struct lli_schema_row *row)
{
    size_t end = digits(text, n);
    int64_t number;
    if (row->type == LLI_SCHEMA_BOOL)
        return parse_bool(out, text, n);
    if (lli_format_read_int(&number, text, end) != 0)
        return -1;
    if (end == n) {
        *out = number;
        return 0;
    }
    for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++)
        if (suffixes[i].unit == row->unit && same(suffixes[i].text, text + end, n - end))
            return __builtin_mul_overflow(number, suffixes[i].factor, out) ? -1 : 0;
    return -1;
}

int lli_parse_float(double *out, const char *text, size_t n)
{
    return lli_format_read_float(out, text, n);
}

const char *lli_parse_wanted(const struct lli_schema_row *row)
{
    if (row->type == LLI_SCHEMA_BOOL)
        return "bool (true or false)";
    if (row->unit == LLI_UNIT_BYTES)
        return "whole number of bytes (as 65536, 512MiB, 2GiB)";
    if (row->unit == LLI_UNIT_NS)
        return "time (as 20000, 50ms, 10s)";
    return "whole number";
}
