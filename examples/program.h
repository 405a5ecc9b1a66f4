/* program.h - what the example programs share: the command line, errors, the bundled model, progress on a terminal. */
#ifndef EXAMPLES_PROGRAM_H
#define EXAMPLES_PROGRAM_H

#include <stddef.h>
#include <stdint.h>

#include <llminf/llminf.h>

/* A flag; `value` gets its argument, or "1" if it takes none (takes NULL). */
struct flag {
    const char *name;  /* "--threads" */
    const char *takes; /* "N", or NULL */
    const char *help;
    const char **value;
};

struct program {
    const char *name, *summary;
    const char *takes; /* what stands behind the flags, as "[TEXT | -]"; NULL: nothing */
    const struct flag *flags;
    size_t n_flags;
};

/* Fills the values. --help and --version print and exit with 0, a wrong line exits with 2. The last word that is no flag
 * goes to *word (NULL: none). */
void parse_line(const struct program *program, int argc, char **argv, const char **word);
/* The same for several words; those that are not there become NULL. */
void parse_words(const struct program *program, int argc, char **argv, const char **words, size_t n_words);
void fail_usage(const struct program *program, const char *text, const char *what);

/* Prints the error and exits with 1 if the status is negative. */
void check(const struct program *program, llminf_status status, const llminf_error *error);

/* Sets an option from the command line where one is given (value is not NULL). */
void set_option(const struct program *program, llminf_options *options, const char *key, const char *value);

/* A grammar for the sampler from a file, where one is given (path is not NULL). */
void set_grammar(const struct program *program, llminf_sampler *sampler, const char *kind, const char *path);

/* Options of kind "model", with progress on a terminal. */
llminf_options *model_options(const struct program *program);

/* The model at `path` guesses for contexts of these options, with room for as many positions as `model` has; NULL: none does.
 * Returns the bytes of a position in it. */
int64_t set_draft(const struct program *program, llminf_options *options, llminf_model *model, const char *path);

/* Options of kind "session" with an adapter "FILE" or "FILE:SCALE"; text NULL: without. */
llminf_options *session_options(const struct program *program, llminf_model *model, const char *text);

/* Path of the bundled model, installed or in the source tree; NULL if there is none. */
const char *bundled_model(void);

/* All of standard input; *length_out bytes and a NUL. The caller frees. */
char *read_input(const struct program *program, size_t *length_out);
/* All of a file, or exit with 1. The caller frees. */
char *read_file(const struct program *program, const char *path, size_t *length_out);

/* Ids separated by blanks or commas. The caller frees. */
llminf_token *read_ids(const struct program *program, const char *text, size_t *count_out);

/* A JSON string with its quotes. */
void print_json_text(const char *text, size_t length);

int64_t now_ns(void);

#endif
