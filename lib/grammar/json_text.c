/* grammar/json_text.c - strings are written so that what must be escaped is, texts of a list so that equal beginnings are
 * written once. */
#include "grammar/json_text.h"

#include <string.h>

#include "base/sort.h"
#include "base/utf8.h"

static uint32_t add_range(struct lli_parts *parts, uint32_t parent, uint32_t low, uint32_t high)
{
    struct lli_range range = {low, high};
    return lli_parts_class(parts, parent, &range, 1, 0);
}

static uint32_t add(struct lli_parts *parts, uint32_t parent, uint32_t kind)
{
    return lli_parts_add(parts, parent, kind, 0, 0);
}

static void add_text(struct lli_parts *parts, uint32_t parent, const char *text)
{
    lli_parts_bytes(parts, parent, text, strlen(text));
}

uint32_t lli_json_text_space(struct lli_parts *parts, uint32_t parent)
{
    uint32_t choice = add(parts, parent, LLI_PART_CHOICE), line;
    add(parts, choice, LLI_PART_SEQUENCE);
    add_text(parts, choice, " ");
    line = add(parts, choice, LLI_PART_SEQUENCE);
    add_text(parts, line, "\n");
    add_text(parts, lli_parts_add(parts, line, LLI_PART_REPEAT, 0, 16), " ");
    return choice;
}

/* ---- strings */

static int is_in(uint32_t code, const struct lli_range *ranges, size_t n, int is_negated)
{
    for (size_t i = 0; i < n; i++)
        if (ranges[i].low <= code && code <= ranges[i].high)
            return !is_negated;
    return is_negated;
}

/* What stands for itself: what is in the ranges or in none of them, but never a quote, a backslash or a control character. */
static void add_plain(struct lli_parts *parts, uint32_t parent, const struct lli_range *ranges, size_t n, int is_negated)
{
    static const struct lli_range special[] = {{0, 0x1f}, {'"', '"'}, {'\\', '\\'}};
    struct lli_buffer all;
    lli_buffer_init(&all, parts->heap);
    int failed = 0;
    for (size_t i = 0; i < n && is_negated && !failed; i++)
        failed = lli_buffer_append(&all, &ranges[i], sizeof *ranges);
    for (size_t i = 0; i < n && !is_negated && !failed; i++) { /* a range without the special ones in it: up to four */
        static const uint32_t starts[] = {0x20, '"' + 1, '\\' + 1}, ends[] = {'"' - 1, '\\' - 1, 0x10ffff};
        for (int k = 0; k < 3 && !failed; k++) {
            struct lli_range r = {ranges[i].low > starts[k] ? ranges[i].low : starts[k],
                                  ranges[i].high < ends[k] ? ranges[i].high : ends[k]};
            if (r.low <= r.high)
                failed = lli_buffer_append(&all, &r, sizeof r);
        }
    }
    if (is_negated && !failed)
        failed = lli_buffer_append(&all, special, sizeof special);
    if (failed)
        lli_parts_fail(parts, LLMINF_E_MEMORY, -1, "no memory for a set of characters");
    else if (all.len > 0)
        lli_parts_class(parts, parent, (struct lli_range *)(void *)all.bytes, all.len / sizeof(struct lli_range), is_negated);
    lli_buffer_finish(&all);
}

uint32_t lli_json_text_character(struct lli_parts *parts, uint32_t parent, const struct lli_range *ranges, size_t n,
                                 int is_negated)
{
    static const char codes[] = "\"\\\b\f\n\r\t", names[] = "\"\\bfnrt";
    uint32_t choice = add(parts, parent, LLI_PART_CHOICE);
    add_plain(parts, choice, ranges, n, is_negated);
    for (int i = 0; codes[i]; i++)
        if (is_in((uint32_t)codes[i], ranges, n, is_negated)) {
            char escape[2] = {'\\', names[i]};
            lli_parts_bytes(parts, choice, escape, 2);
        }
    return choice;
}

/* Half a surrogate pair is no character, so \uD800 to \uDFFF are left out. */
uint32_t lli_json_text_any_character(struct lli_parts *parts, uint32_t parent)
{
    static const struct lli_range hex[] = {{'0', '9'}, {'a', 'f'}, {'A', 'F'}};
    static const struct lli_range hex_no_d[] = {{'0', '9'}, {'a', 'c'}, {'A', 'C'}, {'e', 'f'}, {'E', 'F'}};
    static const struct lli_range letter_d[] = {{'d', 'd'}, {'D', 'D'}};
    static const struct lli_range names[] = {{'"', '"'}, {'\\', '\\'}, {'/', '/'}, {'b', 'b'},
                                             {'f', 'f'}, {'n', 'n'},   {'r', 'r'}, {'t', 't'}};
    struct lli_range copy[8];
    uint32_t choice = add(parts, parent, LLI_PART_CHOICE), escape, code;
    add_plain(parts, choice, NULL, 0, 1);
    escape = add(parts, choice, LLI_PART_SEQUENCE);
    add_text(parts, escape, "\\");
    escape = add(parts, escape, LLI_PART_CHOICE);
    memcpy(copy, names, sizeof names);
    lli_parts_class(parts, escape, copy, 8, 0);
    for (int is_d = 0; is_d < 2; is_d++) {
        code = add(parts, escape, LLI_PART_SEQUENCE);
        add_text(parts, code, "u");
        memcpy(copy, is_d ? letter_d : hex_no_d, is_d ? sizeof letter_d : sizeof hex_no_d);
        lli_parts_class(parts, code, copy, is_d ? 2 : 5, 0);
        for (int i = 0; i < 3; i++) {
            memcpy(copy, hex, sizeof hex);
            if (is_d && i == 0)
                add_range(parts, code, '0', '7');
            else
                lli_parts_class(parts, code, copy, 3, 0);
        }
    }
    return choice;
}

int lli_json_text_quote(struct lli_buffer *out, const char *text, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    int failed = lli_buffer_append(out, "\"", 1);
    for (size_t i = 0; i < n && !failed; i++) {
        unsigned char c = (unsigned char)text[i];
        char code[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]}, pair[2] = {'\\', text[i]};
        if (c < 0x20)
            failed = lli_buffer_append(out, code, sizeof code);
        else if (c == '"' || c == '\\')
            failed = lli_buffer_append(out, pair, sizeof pair);
        else
            failed = lli_buffer_append(out, text + i, 1);
    }
    return failed || lli_buffer_append(out, "\"", 1) ? -1 : 0;
}

/* ---- literals */

static int append_number(struct lli_buffer *out, const struct lli_json_value *v, const char *source, size_t n_source)
{
    size_t end = v->at;
    while (end < n_source && source[end] && strchr("+-.0123456789eE", source[end]))
        end++;
    return lli_buffer_append(out, source + v->at, end - v->at);
}

static int append_scalar(struct lli_buffer *out, const struct lli_json_value *v, const char *source, size_t n_source)
{
    switch (v->kind) {
    case LLI_JSON_NULL:
        return lli_buffer_append(out, "null", 4);
    case LLI_JSON_FALSE:
        return lli_buffer_append(out, "false", 5);
    case LLI_JSON_TRUE:
        return lli_buffer_append(out, "true", 4);
    case LLI_JSON_TEXT:
        return lli_json_text_quote(out, v->text, v->n);
    default:
        return append_number(out, v, source, n_source);
    }
}

/* A walk over the values in their order; what is open is known by where it ends. */
int lli_json_text_value(struct lli_buffer *out, const struct lli_json *json, uint32_t i, const char *source, size_t n_source)
{
    struct {
        uint32_t end, n_said;
        int is_object;
    } open[129];
    uint32_t depth = 0, last = json->values[i].end;
    int failed = 0;
    for (; i <= last && !failed; i++) {
        while (depth > 0 && open[depth - 1].end == i && !failed)
            failed = lli_buffer_append(out, open[--depth].is_object ? "}" : "]", 1);
        if (i == last || failed)
            break;
        const struct lli_json_value *v = &json->values[i];
        if (depth > 0 && open[depth - 1].n_said++ > 0)
            failed = lli_buffer_append(out, open[depth - 1].is_object && open[depth - 1].n_said % 2 == 0 ? ":" : ",", 1);
        if (!failed && v->kind != LLI_JSON_ARRAY && v->kind != LLI_JSON_OBJECT) {
            failed = append_scalar(out, v, source, n_source);
        } else if (!failed) {
            failed = lli_buffer_append(out, v->kind == LLI_JSON_OBJECT ? "{" : "[", 1);
            open[depth].end = v->end;
            open[depth].n_said = 0;
            open[depth++].is_object = v->kind == LLI_JSON_OBJECT;
        }
    }
    return failed ? -1 : 0;
}

/* ---- choices of texts */

struct span {
    uint32_t parent;
    size_t low, high, depth; /* texts low .. high - 1 are equal in their first depth bytes */
};

static int by_bytes(const void *a, const void *b, const void *user)
{
    const struct lli_text *x = a, *y = b;
    int order = memcmp(x->bytes, y->bytes, x->len < y->len ? x->len : y->len);
    (void)user;
    return order != 0 ? order : x->len < y->len ? -1 : 1;
}

static void push_span(struct lli_parts *parts, struct lli_buffer *stack, struct span span)
{
    if (lli_buffer_append(stack, &span, sizeof span))
        lli_parts_fail(parts, LLMINF_E_MEMORY, -1, "no memory for a list of texts");
}

static size_t shared(const struct lli_text *a, const struct lli_text *b, size_t from)
{
    while (from < a->len && from < b->len && a->bytes[from] == b->bytes[from])
        from++;
    return from;
}

static void write_span(struct lli_parts *parts, struct lli_buffer *stack, const struct lli_text *texts, struct span s)
{
    size_t depth = shared(&texts[s.low], &texts[s.high - 1], s.depth);
    uint32_t sequence = add(parts, s.parent, LLI_PART_SEQUENCE), choice;
    if (depth > s.depth)
        lli_parts_bytes(parts, sequence, texts[s.low].bytes + s.depth, depth - s.depth);
    if (texts[s.low].len == texts[s.high - 1].len && depth == texts[s.low].len)
        return; /* one, or several that are equal */
    choice = add(parts, sequence, LLI_PART_CHOICE);
    for (size_t i = s.low, next; i < s.high && parts->status == LLMINF_OK; i = next) {
        next = i + 1;
        if (texts[i].len == depth) {
            add(parts, choice, LLI_PART_SEQUENCE);
            while (next < s.high && texts[next].len == depth)
                next++;
            continue;
        }
        while (next < s.high && texts[next].bytes[depth] == texts[i].bytes[depth])
            next++;
        push_span(parts, stack, (struct span){choice, i, next, depth});
    }
}

void lli_json_text_choice(struct lli_parts *parts, uint32_t parent, struct lli_text *texts, size_t n)
{
    struct lli_buffer stack;
    if (n == 0) {
        add(parts, parent, LLI_PART_CHOICE);
        return;
    }
    lli_buffer_init(&stack, parts->heap);
    lli_sort(texts, n, sizeof *texts, by_bytes, NULL);
    push_span(parts, &stack, (struct span){parent, 0, n, 0});
    while (stack.len > 0 && parts->status == LLMINF_OK) {
        stack.len -= sizeof(struct span);
        write_span(parts, &stack, texts, *(struct span *)(void *)(stack.bytes + stack.len));
    }
    lli_buffer_finish(&stack);
}

/* Any number of characters that need no escape. */
static void add_free(struct lli_parts *parts, uint32_t parent, uint32_t min)
{
    add_plain(parts, lli_parts_add(parts, parent, LLI_PART_REPEAT, min, LLI_REPEAT_FOREVER), NULL, 0, 1);
}

/* Behind bytes that several texts begin with: an end where none of them ends, a character that none goes on with, or one of
 * theirs. The texts are walked character by character. */
static void write_other(struct lli_parts *parts, struct lli_buffer *stack, const struct lli_text *texts, struct span s)
{
    uint32_t choice = add(parts, s.parent, LLI_PART_CHOICE), other;
    struct lli_buffer taken;
    size_t i = s.low;
    lli_buffer_init(&taken, parts->heap);
    while (i < s.high && texts[i].len == s.depth)
        i++;
    if (i == s.low)
        add(parts, choice, LLI_PART_SEQUENCE);
    other = add(parts, choice, LLI_PART_SEQUENCE);
    for (size_t next; i < s.high && parts->status == LLMINF_OK; i = next) {
        struct lli_range r;
        size_t len = lli_utf8_read(&r.low, texts[i].bytes + s.depth, texts[i].len - s.depth);
        r.high = r.low;
        for (next = i + 1; next < s.high && shared(&texts[i], &texts[next], s.depth) >= s.depth + len; next++)
            ;
        if (lli_buffer_append(&taken, &r, sizeof r))
            lli_parts_fail(parts, LLMINF_E_MEMORY, -1, "no memory for a set of characters");
        if (r.low < 0x20 || r.low == '"' || r.low == '\\')
            continue; /* it would need an escape */
        uint32_t sequence = add(parts, choice, LLI_PART_SEQUENCE);
        lli_parts_bytes(parts, sequence, texts[i].bytes + s.depth, len);
        push_span(parts, stack, (struct span){sequence, i, next, s.depth + len});
    }
    if (parts->status == LLMINF_OK)
        add_plain(parts, other, (struct lli_range *)(void *)taken.bytes, taken.len / sizeof(struct lli_range), 1);
    add_free(parts, other, 0);
    lli_buffer_finish(&taken);
}

void lli_json_text_other(struct lli_parts *parts, uint32_t parent, struct lli_text *texts, size_t n)
{
    struct lli_buffer stack;
    if (n == 0) {
        add_free(parts, parent, 0);
        return;
    }
    lli_buffer_init(&stack, parts->heap);
    lli_sort(texts, n, sizeof *texts, by_bytes, NULL);
    push_span(parts, &stack, (struct span){add(parts, parent, LLI_PART_SEQUENCE), 0, n, 0});
    while (stack.len > 0 && parts->status == LLMINF_OK) {
        stack.len -= sizeof(struct span);
        write_other(parts, &stack, texts, *(struct span *)(void *)(stack.bytes + stack.len));
    }
    lli_buffer_finish(&stack);
}
