/* file/files.h - the bytes of a model: those of one file, or of several, each in a mapping of its own. */
#ifndef LLI_FILE_FILES_H
#define LLI_FILE_FILES_H

#include <stddef.h>
#include <stdint.h>

#include "base/alloc.h"
#include "file/mapping.h"

struct llminf_error;

struct lli_files {
    struct lli_heap *heap;
    struct lli_mapping *at;
    size_t n;
};

void lli_files_init(struct lli_files *files, struct lli_heap *heap);
void lli_files_finish(struct lli_files *files); /* accepts a zeroed struct */

/* Takes the mapping over, also where it fails: MEMORY. */
int32_t lli_files_add(struct lli_files *files, const struct lli_mapping *m, struct llminf_error *err);

/* Reads one byte of every page, calling progress. */
int32_t lli_files_touch(const struct lli_files *files, const struct lli_progress *progress, struct llminf_error *err);

/* As lli_mapping_release and lli_mapping_loses, of the part in which the bytes lie. bytes NULL: of any part. */
void lli_files_release(const struct lli_files *files, const uint8_t *bytes, size_t n);
int lli_files_loses(const struct lli_files *files, const uint8_t *bytes);

/* A stretch of a longer work as its host sees it: `share` of the whole, from `from` on. */
struct lli_stretch {
    const struct lli_progress *whole; /* NULL: nobody is told */
    double from, share;
};

/* What the work in the stretch is given; it lives as long as the stretch. */
struct lli_progress lli_stretch_progress(struct lli_stretch *stretch);

#endif
