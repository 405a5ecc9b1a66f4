/* try_files FOLDER - opens each file of FOLDER/expected.tsv and makes one token; the status must be the expected one, the
 * error must name a subject, and the heap must be as before. Prints what differs; ends with 1 if anything does. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <llminf/llminf.h>

#include "support/support.h"

static llminf_status try_file(const char *path, const llminf_options *options, llminf_error *error)
{
    llminf_model *model = NULL;
    llminf_context *context = NULL;
    llminf_session *session = NULL;
    llminf_options *one = NULL;
    llminf_status status = llminf_options_open(&one, "generate", error);
    if (status == LLMINF_OK)
        status = llminf_options_set_int(one, "max_tokens", 1, error);
    if (status == LLMINF_OK)
        status = llminf_model_open(&model, path, options, error);
    if (status == LLMINF_OK)
        status = llminf_context_open(&context, model, NULL, error);
    if (status == LLMINF_OK)
        status = llminf_session_open(&session, context, NULL, error);
    if (status == LLMINF_OK)
        status = llminf_session_append(session, (llminf_token[]){1, 5}, 2, error);
    if (status == LLMINF_OK)
        status = llminf_session_generate(session, NULL, one, error);
    if (status == LLMINF_OK)
        status = llminf_session_wait(session, -1, error);
    llminf_options_close(one);
    llminf_session_close(session);
    llminf_context_close(context);
    llminf_model_close(model);
    return status == LLMINF_DONE ? LLMINF_OK : status;
}

static int try_row(const char *folder, char *row, const llminf_options *options, const struct support_heap *heap)
{
    const char *name = strtok(row, "\t\n"), *class = strtok(NULL, "\t\n"), *expect = strtok(NULL, "\t\n"),
               *want = strtok(NULL, "\t\n");
    char path[4096];
    llminf_error error = {0};
    llminf_status status;
    const char *got;
    if (class == NULL || expect == NULL || want == NULL)
        return 0;
    snprintf(path, sizeof path, "%s/%s", folder, name);
    status = try_file(path, options, &error);
    got = llminf_status_name(status);
    got += status == LLMINF_OK ? strlen("LLMINF_") : strlen("LLMINF_E_");
    if (strcmp(got, want) == 0 && heap->live_bytes == 0 && (status == LLMINF_OK || error.subject[0] != 0))
        return 0;
    printf("%s: %s, want %s; %lld bytes live; %s\n", name, got, want, (long long)heap->live_bytes,
           status < 0 ? error.text : "");
    return 1;
}

int main(int argc, char **argv)
{
    struct support_heap heap = {0};
    llminf_options *options = NULL;
    char path[4096], row[4096];
    int n = 0, n_bad = 0;
    FILE *list;
    if (argc != 2)
        return 2;
    snprintf(path, sizeof path, "%s/expected.tsv", argv[1]);
    list = fopen(path, "r");
    if (list == NULL || llminf_options_open(&options, "model", NULL) != LLMINF_OK ||
        llminf_options_set_allocator(options, support_alloc, support_release, &heap, NULL) != LLMINF_OK)
        return 2;
    while (fgets(row, sizeof row, list) != NULL)
        if (strncmp(row, "file\t", 5) != 0) {
            n++;
            n_bad += try_row(argv[1], row, options, &heap);
        }
    fclose(list);
    llminf_options_close(options);
    printf("%d files tried, %d with another outcome than expected\n", n, n_bad);
    return n_bad > 0 || n == 0;
}
