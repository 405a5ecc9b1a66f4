/* line.h - a line from the user: edited where standard input is a terminal and libedit was there, else as it comes. */
#ifndef EXAMPLES_LINE_H
#define EXAMPLES_LINE_H

/* Once, with the program's name. */
void line_open(const char *name);
void line_close(void);

enum { LINE_OK, LINE_INTERRUPTED, LINE_END };

/* The next line without its end, good until the next call. INTERRUPTED: ctrl-C. */
int line_read(const char **line, const char *prompt);

#endif
