/* model/folder_source.h - numbers of config.json by their names, of which old classes have others, and where they go. The first
 * failure stays in the build's status, so that a list of numbers needs no checks in between. */
#ifndef LLI_MODEL_FOLDER_SOURCE_H
#define LLI_MODEL_FOLDER_SOURCE_H

#include <stdint.h>

#include "base/json.h"
#include "file/gguf_build.h"
#include "model/folder_class.h"

struct lli_folder_source {
    struct lli_gguf_build *b;
    const struct lli_json *json;
    const struct lli_folder_class *class;
    uint32_t root; /* the object of the network */
};

/* Says what is wrong with a key; the status that stays. */
int32_t lli_folder_fail(const struct lli_folder_source *s, int32_t status, const char *key, const char *what);

/* The member of an object, by any of its names; NULL if it is not there. It may be null. */
const struct lli_json_value *lli_folder_member(const struct lli_folder_source *s, uint32_t object, const char *key);

/* The same, NULL if it is null too. */
const struct lli_json_value *lli_folder_find(const struct lli_folder_source *s, uint32_t object, const char *key);

int lli_folder_is_text(const struct lli_json_value *v, const char *text);

/* 0 and the number, or -1: it is none. */
int lli_folder_to_number(double *out, const struct lli_json_value *v);

/* The network's number: that of the file; if there is none, of the class, or `otherwise`, which is also what null means. */
double lli_folder_number(const struct lli_folder_source *s, const char *key, double otherwise);
int lli_folder_flag(const struct lli_folder_source *s, const char *key, int otherwise);

/* The same of another object, of which classes say nothing. */
double lli_folder_number_in(const struct lli_folder_source *s, uint32_t object, const char *key, double otherwise);

/* A whole number from 1 to limit; `otherwise` 0: it must be there. 1 after a failure: FORMAT, LIMIT. */
uint32_t lli_folder_count(const struct lli_folder_source *s, const char *key, uint32_t otherwise, uint32_t limit);
uint32_t lli_folder_count_in(const struct lli_folder_source *s, uint32_t object, const char *key, uint32_t otherwise,
                             uint32_t limit);

/* Metadata behind "ARCH.". */
void lli_folder_put_int(const struct lli_folder_source *s, const char *key, uint32_t value);
void lli_folder_put_float(const struct lli_folder_source *s, const char *key, double value);
void lli_folder_put_flag(const struct lli_folder_source *s, const char *key, int value);
void lli_folder_put_flags(const struct lli_folder_source *s, const char *key, const uint8_t *values, size_t n);
void lli_folder_put_text(const struct lli_folder_source *s, const char *key, const char *value);

#endif
