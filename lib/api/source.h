/* api/source.h - where a model comes from: one file, several, memory, a reader, or a folder; all end as metadata and tensors of
 * GGUF, and a vocabulary. */
#ifndef LLI_API_SOURCE_H
#define LLI_API_SOURCE_H

#include "api/handles.h"

struct lli_source {
    const char *path; /* one of the three */
    const void *bytes;
    llminf_read_fn read;
    void *user;
    uint64_t size;
};

/* enum lli_mapping_mode of a value of the option "load". */
int lli_source_load(const char *name);

/* Fills the model's files and gguf; with the option "convert" it is a copy in another encoding. */
llminf_status lli_source_read(struct llminf_model *model, const struct lli_source *source, const struct lli_values *values,
                              const struct lli_progress *progress, llminf_error *err);

/* The vocabulary by what the metadata have of it. */
llminf_status lli_source_vocab(struct llminf_model *model, llminf_error *err);

#endif
