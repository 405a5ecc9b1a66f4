/* file/gguf_tensors.h - the table of tensors of a GGUF file, and where their bytes lie. */
#ifndef LLI_FILE_GGUF_TENSORS_H
#define LLI_FILE_GGUF_TENSORS_H

#include <stdint.h>

#include "file/gguf.h"
#include "file/gguf_cursor.h"

/* Reads n records at the cursor, right behind the metadata, into g->tensors and g->names. g->alignment is known. Memory
 * comes from g's arena, also where it fails. */
int32_t lli_gguf_tensors_read(struct lli_gguf *g, struct lli_gguf_cursor *c, uint64_t n);

#endif
