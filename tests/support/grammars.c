/* grammars.c - see grammars.h. */
#include "support/grammars.h"

#include <stdlib.h>
#include <string.h>

#include "grammar/gbnf.h"
#include "grammar/json_schema.h"
#include "support/support.h"

int32_t grammar_compile(struct lli_grammar **out, struct lli_heap *heap, const struct lli_trie *trie, const char *kind,
                        const char *text, size_t n, struct llminf_error *err)
{
    struct lli_parts parts;
    uint32_t root = 0;
    int32_t status = lli_parts_init(&parts, heap, err);
    *out = NULL;
    if (status == 0)
        status =
            strcmp(kind, "gbnf") == 0 ? lli_gbnf_read(&root, &parts, text, n) : lli_json_schema_read(&root, &parts, text, n);
    if (status == 0)
        status = lli_grammar_new(out, &parts, root, trie);
    lli_parts_finish(&parts);
    return status;
}

enum grammar_verdict grammar_judge(struct lli_automaton *a, const char *text, size_t n)
{
    a->work = 0;
    uint32_t set = lli_automaton_start(a, a->program->entry, LLI_FRAME_NONE);
    for (size_t i = 0; i < n && set != LLI_SET_DEAD; i++) {
        uint32_t next = lli_automaton_step(a, set, (uint8_t)text[i]);
        if (next == LLI_SET_FULL) {
            uint16_t keep[2] = {(uint16_t)set, LLI_SET_DEAD};
            lli_automaton_clear(a, keep);
            next = lli_automaton_step(a, keep[0], (uint8_t)text[i]);
            if (next == LLI_SET_FULL)
                abort();
        }
        set = next;
    }
    return set == LLI_SET_DEAD ? GRAMMAR_REJECTS : a->sets[set].ends ? GRAMMAR_ACCEPTS : GRAMMAR_BEGINS;
}

char *grammar_read_file(const char *name)
{
    char *path = support_source_file(name);
    size_t n;
    uint8_t *bytes = support_read(path, &n);
    char *text = bytes ? calloc(n + 1, 1) : NULL;
    if (text)
        memcpy(text, bytes, n);
    free(bytes);
    free(path);
    return text;
}

static const char *next_line(const char *line)
{
    const char *end = strchr(line, '\n');
    return end ? end + 1 : line + strlen(line);
}

int grammar_next_case(struct grammar_case *out, const char **at)
{
    const char *line = *at;
    while (*line && strncmp(line, "= ", 2) != 0)
        line = next_line(line);
    if (!*line)
        return 0;
    out->name = line + 2;
    out->text = next_line(line);
    out->name_len = (size_t)(out->text - out->name) - 1;
    for (line = out->text; *line && !strchr("+-<!", *line); line = next_line(line))
        ;
    out->len = (size_t)(line - out->text);
    out->lines = line;
    while (*line && strncmp(line, "= ", 2) != 0)
        line = next_line(line);
    out->end = *at = line;
    return 1;
}

static int hex(char c)
{
    return c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10;
}

size_t grammar_line(char *out, size_t cap, const char *line)
{
    size_t n = 0;
    for (line++; *line && *line != '\n' && n < cap; line++) {
        if (*line != '\\') {
            out[n++] = *line;
        } else if (*++line == 'x') {
            out[n++] = (char)(hex(line[1]) << 4 | hex(line[2]));
            line += 2;
        } else {
            out[n++] = *line == 'n' ? '\n' : *line == 't' ? '\t' : *line;
        }
    }
    return n;
}
