/* file/gguf_override.h - metadata that a host puts in the place of the file's. */
#ifndef LLI_FILE_GGUF_OVERRIDE_H
#define LLI_FILE_GGUF_OVERRIDE_H

#include <stddef.h>
#include <stdint.h>

#include "file/gguf.h"

struct llminf_error;

/* Each item is KEY=VALUE, the value to the end. An entry that is there keeps its type; in a new one true and false are a bool,
 * digits with or without a sign an integer, any other number a binary32, and all else is a text. OPTION, subject "override": no
 * such item, an array, or a value that the type cannot have. MEMORY. What is put in is copied. */
int32_t lli_gguf_override(struct lli_gguf *g, const struct lli_text *items, size_t n, struct llminf_error *err);

#endif
