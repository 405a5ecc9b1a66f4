/* embed.c - texts as vectors: each in a session of its own with the option "pooling", many of them in one batch. */
#include "program.h"
#include "ranks.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *model_path, *pooling, *raw, *json, *similarity, *id_list, *out_path, *threads, *backend, *chunk, *kv;

static const struct flag flags[] = {
    {"-m", "FILE", "GGUF file; without it the bundled model", &model_path},
    {"--pooling", "last|mean|cls", "which positions make the vector (default: as the file says, else last)", &pooling},
    {"--raw", NULL, "vectors as they are, not scaled to length 1", &raw},
    {"--json", NULL, "one JSON object instead of lines of numbers", &json},
    {"--similarity", NULL, "the cosines of all pairs instead of the vectors", &similarity},
    {"--ids", "1,2,3", "token ids instead of texts", &id_list},
    {"-o", "OUT.f32", "file for the vectors, which are not printed then", &out_path},
    {"--threads", "N", "threads; 0: what this process may use (default)", &threads},
    RANKS_FLAGS,
    {"--backend", "NAME", "kernel table (default auto)", &backend},
    {"--chunk", "N", "tokens computed at once (default: all)", &chunk},
    {"--kv", "f16|f32|q8_0", "element type of keys and values (default f16)", &kv},
};
static const struct program program = {"llminf-embed",
                                       "Embeds each TEXT, or without one each line of standard input, and prints the vectors.",
                                       "[TEXT ...]", flags, sizeof flags / sizeof *flags};

enum { TOGETHER = 64 }; /* sessions at once */

/* What is embedded: texts, or one list of ids. */
struct input {
    const char **texts;
    size_t n;
    llminf_token *ids; /* NULL: texts */
    size_t n_ids;
};

struct output {
    float *vectors; /* [n, width] */
    size_t width;
};

static void *take(size_t n, size_t size)
{
    void *memory = calloc(n > 0 ? n : 1, size);
    if (memory == NULL) {
        fprintf(stderr, "%s: no memory for %zu x %zu bytes\n", program.name, n, size);
        exit(1);
    }
    return memory;
}

/* Lines of standard input, which stay in one piece of memory; empty ones are left out. */
static void read_lines(struct input *in)
{
    size_t length, room = 1;
    char *text = read_input(&program, &length);
    for (const char *at = text; (at = strchr(at, '\n')) != NULL; at++)
        room++;
    in->texts = take(room, sizeof *in->texts);
    for (char *rest = text, *line; (line = strtok_r(rest, "\r\n", &rest)) != NULL;)
        in->texts[in->n++] = line;
}

static void read_input_words(struct input *in, int argc, char **argv)
{
    in->texts = take((size_t)argc, sizeof *in->texts);
    parse_words(&program, argc, argv, in->texts, (size_t)argc);
    while (in->n < (size_t)argc && in->texts[in->n] != NULL)
        in->n++;
    if (id_list != NULL && in->n > 0)
        fail_usage(&program, "takes no text beside it", "--ids");
    if (id_list != NULL) {
        in->ids = read_ids(&program, id_list, &in->n_ids);
        in->n = 1;
    } else if (in->n == 0) {
        free(in->texts);
        read_lines(in);
    }
    if (in->n == 0 || (in->ids != NULL && in->n_ids == 0))
        fail_usage(&program, "nothing to embed", "TEXT");
}

/* The file's way, where it names one. */
static const char *find_pooling(const llminf_model *model)
{
    const char *arch;
    char key[128];
    size_t length;
    int64_t kind = 0;
    if (pooling != NULL)
        return pooling;
    if (llminf_model_text(model, "arch", &arch, &length, NULL) != LLMINF_OK)
        return "last";
    snprintf(key, sizeof key, "%s.pooling_type", arch);
    return llminf_model_int(model, key, &kind, NULL) == LLMINF_OK && kind != 0 ? "model" : "last";
}

static void generate(llminf_session *session, const llminf_options *options)
{
    llminf_error error;
    check(&program, llminf_session_generate(session, NULL, options, &error), &error);
}

/* The i-th input into an empty session, and into the queue; with --chunk all but the last part is computed before. */
static void begin(llminf_session *session, const struct input *in, size_t i, const llminf_options *options)
{
    llminf_error error;
    size_t step = chunk != NULL ? strtoul(chunk, NULL, 10) : in->n_ids, n;
    if (in->ids == NULL)
        check(&program, llminf_session_append_text(session, in->texts[i], -1, LLMINF_TEXT_BOUNDS, &error), &error);
    for (size_t from = 0; from < in->n_ids; from += n) {
        n = step > 0 && step < in->n_ids - from ? step : in->n_ids - from;
        if (from > 0) {
            generate(session, options);
            check(&program, llminf_session_wait(session, -1, &error), &error);
        }
        check(&program, llminf_session_append(session, in->ids + from, n, &error), &error);
    }
    generate(session, options);
}

static void embed(struct output *out, llminf_model *model, const struct input *in)
{
    llminf_error error;
    llminf_context *context;
    llminf_session *sessions[TOGETHER];
    llminf_options *for_context, *for_session, *for_generate;
    size_t n;
    check(&program, llminf_options_open(&for_context, "context", &error), &error);
    check(&program, llminf_options_open(&for_session, "session", &error), &error);
    check(&program, llminf_options_open(&for_generate, "generate", &error), &error);
    set_option(&program, for_context, "threads", threads);
    set_option(&program, for_context, "backend", backend);
    set_option(&program, for_context, "kv_type", kv);
    set_option(&program, for_session, "pooling", find_pooling(model));
    set_option(&program, for_session, "normalize", raw != NULL ? "0" : "1");
    set_option(&program, for_generate, "max_tokens", "0");
    open_context(&program, &context, model, for_context);
    for (size_t first = 0; first < in->n; first += TOGETHER) {
        size_t n_now = in->n - first < TOGETHER ? in->n - first : TOGETHER;
        for (size_t i = 0; i < n_now; i++) {
            check(&program, llminf_session_open(&sessions[i], context, for_session, &error), &error);
            begin(sessions[i], in, first + i, for_generate);
        }
        for (size_t i = 0; i < n_now; i++) {
            check(&program, llminf_session_wait(sessions[i], -1, &error), &error);
            check(&program,
                  llminf_session_embedding(sessions[i], out->vectors + (first + i) * out->width, out->width, &n, &error),
                  &error);
            llminf_session_close(sessions[i]);
        }
    }
    llminf_context_close(context);
    llminf_options_close(for_context);
    llminf_options_close(for_session);
    llminf_options_close(for_generate);
}

static void write_file(const struct output *out, size_t n)
{
    FILE *file = fopen(out_path, "wb");
    if (file == NULL || fwrite(out->vectors, out->width * sizeof(float), n, file) != n || fclose(file) != 0) {
        fprintf(stderr, "%s: %s: %s\n", program.name, out_path, strerror(errno));
        exit(1);
    }
}

static double cosine(const float *x, const float *y, size_t n)
{
    double xy = 0, xx = 0, yy = 0;
    for (size_t i = 0; i < n; i++) {
        xy += (double)x[i] * (double)y[i];
        xx += (double)x[i] * (double)x[i];
        yy += (double)y[i] * (double)y[i];
    }
    return xx > 0 && yy > 0 ? xy / sqrt(xx * yy) : 0;
}

/* Rows of numbers: the vectors, or the cosines. */
static void print(const struct output *out, size_t n)
{
    size_t width = similarity != NULL ? n : out->width;
    const char *comma = json != NULL ? "," : " ";
    if (json != NULL)
        printf("{\"%s\":[", similarity != NULL ? "similarity" : "embeddings");
    for (size_t i = 0; i < n; i++) {
        printf("%s%s", json != NULL && i > 0 ? "," : "", json != NULL ? "[" : "");
        for (size_t k = 0; k < width; k++) {
            const float *x = out->vectors + i * out->width, *y = out->vectors + k * out->width;
            printf("%s%.*g", k > 0 ? comma : "", similarity != NULL ? 6 : 9,
                   similarity != NULL ? cosine(x, y, out->width) : (double)x[k]);
        }
        printf("%s", json != NULL ? "]" : "\n");
    }
    if (json != NULL)
        printf("]}\n");
}

int main(int argc, char **argv)
{
    llminf_error error;
    llminf_model *model;
    llminf_options *for_model;
    struct input in = {0};
    struct output out = {0};
    int64_t width;
    read_input_words(&in, argc, argv);
    if (model_path == NULL && (model_path = bundled_model()) == NULL)
        fail_usage(&program, "no bundled model is installed", "-m");
    for_model = model_options(&program);
    check(&program, llminf_model_open(&model, model_path, for_model, &error), &error);
    check(&program, llminf_model_int(model, "n_embd", &width, &error), &error);
    out.width = (size_t)width;
    out.vectors = take(in.n, out.width * sizeof *out.vectors);
    embed(&out, model, &in);
    if (out_path != NULL)
        write_file(&out, in.n);
    if (out_path == NULL || similarity != NULL)
        print(&out, in.n);
    free(out.vectors);
    free(in.ids);
    free(in.texts);
    llminf_options_close(for_model);
    llminf_model_close(model);
    return 0;
}
