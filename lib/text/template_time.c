/* text/template_time.c - strftime over the moment that the host gives, in English. There is no clock here. */
#include <string.h>

#include "base/format.h"
#include "text/template_run.h"

struct moment {
    int year, month, day, hour, minute, second;
    int weekday, yearday; /* Sunday: 0; from 0 */
};

static const char *const days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                     "July",    "August",   "September", "October", "November", "December"};

/* Digits at `at`, so many; -1 if they are not there. */
static int number(const char *text, size_t at, size_t n)
{
    int value = 0;
    for (size_t i = at; i < at + n; i++) {
        if (text[i] < '0' || text[i] > '9')
            return -1;
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

static int is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int days_of(int year, int month)
{
    static const int n[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return n[month - 1] + (month == 2 && is_leap(year));
}

/* "YYYY-MM-DD HH:MM:SS" */
static int read_moment(struct moment *m, const char *text)
{
    static const char shape[] = "....-..-.. ..:..:..";
    if (strlen(text) != sizeof shape - 1)
        return -1;
    for (size_t i = 0; shape[i]; i++)
        if (shape[i] != '.' && text[i] != shape[i])
            return -1;
    *m = (struct moment){number(text, 0, 4),
                         number(text, 5, 2),
                         number(text, 8, 2),
                         number(text, 11, 2),
                         number(text, 14, 2),
                         number(text, 17, 2),
                         0,
                         0};
    if (m->year < 1 || m->month < 1 || m->month > 12 || m->day < 1 || m->day > days_of(m->year, m->month) || m->hour < 0 ||
        m->hour > 23 || m->minute < 0 || m->minute > 59 || m->second < 0 || m->second > 59)
        return -1;
    for (int month = 1; month < m->month; month++)
        m->yearday += days_of(m->year, month);
    m->yearday += m->day - 1;
    int before = m->year - 1;
    m->weekday = (before * 365 + before / 4 - before / 100 + before / 400 + m->yearday + 1) % 7;
    return 0;
}

int lli_tpl_time_valid(const char *now)
{
    struct moment m;
    return read_moment(&m, now) == 0;
}

/* Week of ISO 8601 and the year that it belongs to. */
static int iso_week(int *year, const struct moment *m)
{
    int monday = (m->weekday + 6) % 7, week = (m->yearday - monday + 10) / 7;
    *year = m->year;
    int dec31 = (monday + (365 + is_leap(m->year) - 1 - m->yearday)) % 7;
    if (week < 1) {
        int last = (monday + 7 * 54 - (m->yearday + 1)) % 7; /* weekday of 31 December of the year before */
        --*year;
        return last == 3 || (last == 4 && is_leap(*year)) ? 53 : 52;
    }
    if (week == 53 && dec31 < 3) {
        ++*year;
        return 1;
    }
    return week;
}

/* Fields of one number or name; SIZE_MAX: unknown. */
static size_t put_plain(char *out, size_t cap, const struct moment *m, char c, int plain)
{
    int hour12 = m->hour % 12 == 0 ? 12 : m->hour % 12, monday = (m->weekday + 6) % 7;
    const char *two = plain ? "%d" : "%02d", *am = m->hour < 12 ? "AM" : "PM";
    switch (c) {
    case 'Y':
        return lli_format(out, cap, "%d", m->year);
    case 'y':
        return lli_format(out, cap, two, m->year % 100);
    case 'C':
        return lli_format(out, cap, two, m->year / 100);
    case 'm':
        return lli_format(out, cap, two, m->month);
    case 'd':
        return lli_format(out, cap, two, m->day);
    case 'e':
        return lli_format(out, cap, plain ? "%d" : "%2d", m->day);
    case 'H':
        return lli_format(out, cap, two, m->hour);
    case 'I':
        return lli_format(out, cap, two, hour12);
    case 'k':
        return lli_format(out, cap, plain ? "%d" : "%2d", m->hour);
    case 'l':
        return lli_format(out, cap, plain ? "%d" : "%2d", hour12);
    case 'M':
        return lli_format(out, cap, two, m->minute);
    case 'S':
        return lli_format(out, cap, two, m->second);
    case 'f':
        return lli_format(out, cap, "000000");
    case 'p':
        return lli_format(out, cap, "%s", am);
    case 'P':
        return lli_format(out, cap, "%s", m->hour < 12 ? "am" : "pm");
    case 'A':
        return lli_format(out, cap, "%s", days[m->weekday]);
    case 'a':
        return lli_format(out, cap, "%.3s", days[m->weekday]);
    case 'B':
        return lli_format(out, cap, "%s", months[m->month - 1]);
    case 'b':
    case 'h':
        return lli_format(out, cap, "%.3s", months[m->month - 1]);
    case 'j':
        return lli_format(out, cap, plain ? "%d" : "%03d", m->yearday + 1);
    case 'u':
        return lli_format(out, cap, "%d", monday + 1);
    case 'w':
        return lli_format(out, cap, "%d", m->weekday);
    default:
        return SIZE_MAX;
    }
}

/* Weeks, and fields that are made of others. */
static size_t put_field(char *out, size_t cap, const struct moment *m, char c, int plain)
{
    int hour12 = m->hour % 12 == 0 ? 12 : m->hour % 12, iso_year, week = iso_week(&iso_year, m), monday = (m->weekday + 6) % 7;
    const char *two = plain ? "%d" : "%02d", *am = m->hour < 12 ? "AM" : "PM";
    switch (c) {
    case 'G':
        return lli_format(out, cap, "%d", iso_year);
    case 'V':
        return lli_format(out, cap, two, week);
    case 'U':
        return lli_format(out, cap, two, (m->yearday + 7 - m->weekday) / 7);
    case 'W':
        return lli_format(out, cap, two, (m->yearday + 7 - monday) / 7);
    case 'F':
        return lli_format(out, cap, "%d-%02d-%02d", m->year, m->month, m->day);
    case 'D':
    case 'x':
        return lli_format(out, cap, "%02d/%02d/%02d", m->month, m->day, m->year % 100);
    case 'T':
    case 'X':
        return lli_format(out, cap, "%02d:%02d:%02d", m->hour, m->minute, m->second);
    case 'R':
        return lli_format(out, cap, "%02d:%02d", m->hour, m->minute);
    case 'r':
        return lli_format(out, cap, "%02d:%02d:%02d %s", hour12, m->minute, m->second, am);
    case 'c':
        return lli_format(out, cap, "%.3s %.3s %2d %02d:%02d:%02d %d", days[m->weekday], months[m->month - 1], m->day, m->hour,
                          m->minute, m->second, m->year);
    case 'n':
        return lli_format(out, cap, "\n");
    case 't':
        return lli_format(out, cap, "\t");
    case '%':
        return lli_format(out, cap, "%%");
    case 'z': /* no time zone is known */
    case 'Z':
        return 0;
    default:
        return put_plain(out, cap, m, c, plain);
    }
}

int32_t lli_tpl_strftime(struct lli_var *out, struct lli_tpl_run *r, const struct lli_var *format)
{
    struct moment m;
    size_t from = lli_tpl_mark(r);
    int32_t status = LLMINF_OK;
    if (!r->in->now || read_moment(&m, r->in->now) != 0)
        return lli_tpl_fail(r, "strftime_now without a time");
    for (size_t i = 0; status == LLMINF_OK && i < format->len; i++) {
        char field[64];
        int ours = lli_var_mark(format, i);
        if (format->text[i] != '%' || i + 1 == format->len) {
            status = lli_tpl_put(r, format->text + i, 1, ours);
            continue;
        }
        i++;
        int plain = format->text[i] == '-' && i + 1 < format->len;
        i += (size_t)plain;
        size_t n = put_field(field, sizeof field, &m, format->text[i], plain);
        if (n == SIZE_MAX)
            return lli_tpl_fail(r, "strftime_now does not know %%%c", format->text[i]);
        status = lli_tpl_put(r, field, n, ours);
    }
    return status == LLMINF_OK ? lli_tpl_cut(out, r, from) : status;
}
