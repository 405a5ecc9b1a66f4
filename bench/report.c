#include "report.h"

#include <stdio.h>
#include <string.h>

static struct field *add(struct report *r, const char *key)
{
    struct field *f = &r->fields[r->n_fields < REPORT_FIELDS - 1 ? r->n_fields++ : r->n_fields];
    *f = (struct field){.key = key};
    return f;
}

void report_begin(struct report *r, const char *test)
{
    r->n_fields = 0;
    report_text(r, "test", test);
}

void report_text(struct report *r, const char *key, const char *text)
{
    add(r, key)->text = text;
}

void report_number(struct report *r, const char *key, double number, int decimals)
{
    struct field *f = add(r, key);
    f->number = number;
    f->decimals = decimals;
}

void report_unknown(struct report *r, const char *key)
{
    add(r, key)->decimals = -1;
}

/* ---- JSON */

static void print_json(const struct report *r)
{
    for (int i = 0; i < r->n_fields; i++) {
        const struct field *f = &r->fields[i];
        printf("%s\"%s\":", i == 0 ? "{" : ",", f->key);
        if (f->text)
            printf("\"%s\"", f->text);
        else if (f->decimals < 0)
            printf("null");
        else
            printf("%.*f", f->decimals, f->number);
    }
    printf("}\n");
}

/* ---- the table */

static int same_head(const struct report *r)
{
    if (r->n_head != r->n_fields)
        return 0;
    for (int i = 0; i < r->n_fields; i++)
        if (strcmp(r->head[i], r->fields[i].key) != 0)
            return 0;
    return 1;
}

/* Texts to the left, numbers to the right. */
static int width(const struct field *f)
{
    int n = (int)strlen(f->key), least = f->text ? -17 : 9;
    return f->text ? (n > -least ? -n : least) : (n > least ? n : least);
}

static void print_head(struct report *r)
{
    printf("\n");
    for (int i = 0; i < r->n_fields; i++) {
        r->head[i] = r->fields[i].key;
        if (!r->fields[i].json_only)
            printf("%*s  ", width(&r->fields[i]), r->fields[i].key);
    }
    printf("\n");
    r->n_head = r->n_fields;
}

static void print_row(const struct report *r)
{
    for (int i = 0; i < r->n_fields; i++) {
        const struct field *f = &r->fields[i];
        if (f->json_only)
            continue;
        if (f->text || f->decimals < 0)
            printf("%*s  ", width(f), f->text ? f->text : "-");
        else
            printf("%*.*f  ", width(f), f->decimals, f->number);
    }
    printf("\n");
}

void report_end(struct report *r)
{
    report_text(r, "backend", r->backend);
    r->fields[r->n_fields - 1].json_only = 1;
    report_number(r, "threads", r->threads, 0);
    r->fields[r->n_fields - 1].json_only = 1;
    if (r->json) {
        print_json(r);
    } else {
        if (!same_head(r))
            print_head(r);
        print_row(r);
    }
    fflush(stdout);
}
