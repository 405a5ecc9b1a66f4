/* file/gguf_metadata.h - the metadata entries of a GGUF file. */
#ifndef LLI_FILE_GGUF_METADATA_H
#define LLI_FILE_GGUF_METADATA_H

#include <stdint.h>

#include "file/gguf.h"
#include "file/gguf_cursor.h"

/* Reads n entries at the cursor into g->entries and g->keys. Memory comes from g's arena, also where it fails. */
int32_t lli_gguf_metadata_read(struct lli_gguf *g, struct lli_gguf_cursor *c, uint64_t n);

#endif
