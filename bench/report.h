/* report.h - one line per result: a JSON object, or a row of a table whose head is printed when the columns change. */
#ifndef BENCH_REPORT_H
#define BENCH_REPORT_H

enum { REPORT_FIELDS = 32 };

struct field {
    const char *key;
    const char *text; /* NULL: a number */
    double number;
    int decimals;  /* -1: not known, null */
    int json_only; /* not in the table: the same in every row */
};

struct report {
    int json;
    const char *backend; /* in every line */
    int threads;
    const char *head[REPORT_FIELDS]; /* keys of the row before */
    int n_head;
    struct field fields[REPORT_FIELDS]; /* of the line being written */
    int n_fields;
};

void report_begin(struct report *r, const char *test);
void report_text(struct report *r, const char *key, const char *text); /* plain ASCII that lives until the end */
void report_number(struct report *r, const char *key, double number, int decimals);
void report_unknown(struct report *r, const char *key);
void report_end(struct report *r);

#endif
