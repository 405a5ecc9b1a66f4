/* line.c - libedit where meson found it (HAVE_LIBEDIT), getline otherwise. */
#include "line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifdef HAVE_LIBEDIT
#include <histedit.h>

static EditLine *editor;
static History *history_of;
static const char *current_prompt;

static char *give_prompt(EditLine *e)
{
    (void)e;
    return (char *)(size_t)current_prompt;
}

void line_open(const char *name)
{
    HistEvent event;
    if (!isatty(0) || !isatty(1))
        return;
    history_of = history_init();
    editor = el_init(name, stdin, stdout, stderr);
    if (editor == NULL || history_of == NULL)
        return;
    history(history_of, &event, H_SETSIZE, 1000);
    el_set(editor, EL_PROMPT, give_prompt);
    el_set(editor, EL_EDITOR, "emacs");
    el_set(editor, EL_HIST, history, history_of);
    el_source(editor, NULL);
}

void line_close(void)
{
    if (editor != NULL)
        el_end(editor);
    if (history_of != NULL)
        history_end(history_of);
}

static int read_edited(const char **line, const char *prompt)
{
    HistEvent event;
    int n;
    current_prompt = prompt;
    errno = 0;
    const char *got = el_gets(editor, &n);
    if (got == NULL || n <= 0) {
        int interrupted = errno == EINTR;
        el_reset(editor);
        return interrupted ? LINE_INTERRUPTED : LINE_END;
    }
    if (n > 1)
        history(history_of, &event, H_ENTER, got);
    *line = got;
    return LINE_OK;
}
#else
static void *const editor = NULL;

void line_open(const char *name)
{
    (void)name;
}

void line_close(void)
{
}

static int read_edited(const char **line, const char *prompt)
{
    (void)line;
    (void)prompt;
    return LINE_END;
}
#endif

static int read_plain(const char **line, const char *prompt)
{
    static char *text;
    static size_t cap;
    if (isatty(0) && isatty(1)) {
        fputs(prompt, stdout);
        fflush(stdout);
    }
    errno = 0;
    if (getline(&text, &cap, stdin) < 0) {
        int interrupted = errno == EINTR;
        clearerr(stdin);
        return interrupted ? LINE_INTERRUPTED : LINE_END;
    }
    *line = text;
    return LINE_OK;
}

int line_read(const char **line, const char *prompt)
{
    static char *copy;
    const char *got = NULL;
    int how = editor != NULL ? read_edited(&got, prompt) : read_plain(&got, prompt);
    if (how != LINE_OK)
        return how;
    free(copy);
    copy = strdup(got);
    if (copy == NULL)
        return LINE_END;
    copy[strcspn(copy, "\r\n")] = 0;
    *line = copy;
    return LINE_OK;
}
