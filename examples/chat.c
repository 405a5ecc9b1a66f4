/* chat.c - a conversation in the terminal, and the prompt that a template makes of one.
 *
 * Each turn is one JSON object of messages. llminf_chat_encode makes tokens of it in which nothing that was typed can be a
 * control token; the session keeps what it has computed of them and computes the rest. */
#include "program.h"
#include "ranks.h"

#include <errno.h>
#include <locale.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "line.h"

static const char *model_path, *template_path, *render_path, *system_text, *n_tokens, *temperature, *top_p, *min_p, *seed,
    *threads, *backend, *lora;

static const struct flag flags[] = {
    {"-m", "FILE", "GGUF file with a chat template; without it the bundled model", &model_path},
    {"--template", "FILE", "a chat template instead of the model's", &template_path},
    {"--render", "FILE", "print the prompt of one conversation (JSON) and exit; needs no model", &render_path},
    {"--system", "TEXT", "system message", &system_text},
    {"-n", "N", "tokens of an answer at most; -1: up to the context's length (default)", &n_tokens},
    {"--temp", "T", "temperature; 0: greedy (default 0.7)", &temperature},
    {"--top-p", "P", "keep the best that sum up to P (default 0.95)", &top_p},
    {"--min-p", "P", "drop what is below P times the best (default 0.05)", &min_p},
    {"--seed", "S", "seed of the draws (default: the time)", &seed},
    {"--threads", "N", "threads; 0: what this process may use (default)", &threads},
    RANKS_FLAGS,
    {"--backend", "NAME", "kernel table (default auto)", &backend},
    {"--lora", "FILE[:SCALE]", "an adapter: GGUF or a folder of PEFT, and what it is multiplied by", &lora},
};
static const struct program program = {"llminf-chat", "Talks with a model in the terminal.", NULL, flags,
                                       sizeof flags / sizeof *flags};

struct message {
    char *role, *content;
};

struct chat {
    llminf_model *model;
    llminf_context *context;
    llminf_session *session;
    struct message *messages;
    size_t n_messages;
    int64_t seed;
};

static llminf_session *volatile running; /* what ctrl-C cancels; NULL: nothing */

static void *must(void *memory)
{
    if (memory != NULL)
        return memory;
    fprintf(stderr, "%s: no memory\n", program.name);
    exit(1);
}

/* ---- text that grows */

struct text {
    char *bytes;
    size_t n, cap;
};

static void add(struct text *t, const char *bytes, size_t n)
{
    if (t->n + n + 1 > t->cap) {
        t->cap = 2 * (t->n + n + 1);
        t->bytes = must(realloc(t->bytes, t->cap));
    }
    memcpy(t->bytes + t->n, bytes, n);
    t->n += n;
    t->bytes[t->n] = 0;
}

static void add_text(struct text *t, const char *text)
{
    add(t, text, strlen(text));
}

/* As a JSON string. */
static void add_json(struct text *t, const char *text, size_t n)
{
    char escape[8];
    add_text(t, "\"");
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)text[i];
        if (c == '"' || c == '\\' || c < 0x20) {
            snprintf(escape, sizeof escape, c < 0x20 ? "\\u%04x" : "\\%c", c);
            add_text(t, escape);
        } else {
            add(t, text + i, 1);
        }
    }
    add_text(t, "\"");
}

/* NULL, and said why, where it cannot be read. */
static char *try_file(const char *path, size_t *n_out)
{
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "rb");
    struct text t = {0};
    char piece[4096];
    if (file == NULL) {
        fprintf(stderr, "%s: %s: %s\n", program.name, path, strerror(errno));
        return NULL;
    }
    add(&t, "", 0);
    for (size_t n; (n = fread(piece, 1, sizeof piece, file)) > 0;)
        add(&t, piece, n);
    if (file != stdin)
        fclose(file);
    *n_out = t.n;
    return t.bytes;
}

/* ---- --render */

static const char *skip_blanks(const char *at)
{
    return at + strspn(at, " \t\r\n");
}

/* The variables of a file, with the template among them: an object, or a list that is the messages. */
static void add_variables(struct text *json, const char *file, const char *template, size_t n_template)
{
    const char *at = skip_blanks(file);
    add_text(json, "{");
    if (template != NULL) {
        add_text(json, "\"chat_template\":");
        add_json(json, template, n_template);
    }
    if (*at == '[') {
        add_text(json, template != NULL ? ",\"messages\":" : "\"messages\":");
        add_text(json, at);
        add_text(json, "}");
        return;
    }
    if (*at != '{')
        fail_usage(&program, "is no JSON object", render_path);
    at = skip_blanks(at + 1);
    if (template != NULL && *at != '}')
        add_text(json, ",");
    add_text(json, at);
}

static int render(void)
{
    llminf_error error;
    llminf_model *model = NULL;
    llminf_options *options = NULL;
    struct text json = {0};
    size_t n_file, n_template = 0, n;
    char *file = try_file(render_path, &n_file), *template = template_path ? try_file(template_path, &n_template) : NULL, *text;
    if (file == NULL || (template_path != NULL && template == NULL))
        return 1;
    if (model_path != NULL) {
        options = model_options(&program);
        set_option(&program, options, "vocab_only", "1");
        check(&program, llminf_model_open(&model, model_path, options, &error), &error);
        llminf_options_close(options);
    }
    add_variables(&json, file, template, n_template);
    check(&program, llminf_chat_format(model, json.bytes, (int64_t)json.n, NULL, 0, &n, &error), &error);
    text = must(malloc(n + 1));
    check(&program, llminf_chat_format(model, json.bytes, (int64_t)json.n, text, n + 1, &n, &error), &error);
    fwrite(text, 1, n, stdout);
    free(text);
    free(json.bytes);
    free(template);
    free(file);
    llminf_model_close(model);
    return 0;
}

/* ---- the conversation */

static void push_message(struct chat *c, const char *role, const char *content)
{
    c->messages = must(realloc(c->messages, (c->n_messages + 1) * sizeof *c->messages));
    c->messages[c->n_messages].role = must(strdup(role));
    c->messages[c->n_messages++].content = must(strdup(content));
}

static void pop_message(struct chat *c)
{
    free(c->messages[--c->n_messages].role);
    free(c->messages[c->n_messages].content);
}

static int last_is(const struct chat *c, const char *role)
{
    return c->n_messages > 0 && strcmp(c->messages[c->n_messages - 1].role, role) == 0;
}

static void set_system(struct chat *c, const char *content)
{
    int there = c->n_messages > 0 && strcmp(c->messages[0].role, "system") == 0;
    if (there) {
        free(c->messages[0].content);
        c->messages[0].content = must(strdup(content));
        return;
    }
    push_message(c, "system", content);
    struct message m = c->messages[c->n_messages - 1];
    memmove(c->messages + 1, c->messages, (c->n_messages - 1) * sizeof m);
    c->messages[0] = m;
}

/* {"messages": [...]}, one a line. */
static void add_messages(struct text *json, const struct chat *c)
{
    add_text(json, "{\"messages\":[");
    for (size_t i = 0; i < c->n_messages; i++) {
        add_text(json, i > 0 ? ",\n{\"role\":" : "\n{\"role\":");
        add_json(json, c->messages[i].role, strlen(c->messages[i].role));
        add_text(json, ",\"content\":");
        add_json(json, c->messages[i].content, strlen(c->messages[i].content));
        add_text(json, "}");
    }
    add_text(json, "\n]");
}

/* 0, or says what is wrong. */
static int said(llminf_status status, const llminf_error *error)
{
    if (status >= 0)
        return 0;
    fflush(stdout);
    fprintf(stderr, "%s (%s)\n", error->text, llminf_status_name(status));
    return -1;
}

/* The tokens of the conversation so far, with the beginning of an answer. The caller frees. */
static llminf_token *encode(const struct chat *c, size_t *n)
{
    llminf_error error;
    struct text json = {0};
    char now[40];
    time_t seconds = time(NULL);
    llminf_token *ids = NULL;
    add_messages(&json, c);
    strftime(now, sizeof now, ",\"now\":\"%Y-%m-%d %H:%M:%S\"", localtime(&seconds));
    add_text(&json, now);
    add_text(&json, ",\"add_generation_prompt\":true}");
    if (said(llminf_chat_encode(c->model, json.bytes, (int64_t)json.n, NULL, 0, n, &error), &error) == 0) {
        ids = must(malloc((*n + 1) * sizeof *ids));
        if (said(llminf_chat_encode(c->model, json.bytes, (int64_t)json.n, ids, *n, n, &error), &error) != 0) {
            free(ids);
            ids = NULL;
        }
    }
    free(json.bytes);
    return ids;
}

/* The session's timeline becomes these tokens; what it has of them already stays computed. */
static int feed(const struct chat *c, const llminf_token *ids, size_t n)
{
    llminf_error error;
    size_t n_had, same = 0;
    if (said(llminf_session_tokens(c->session, 0, NULL, 0, &n_had, &error), &error) != 0)
        return -1;
    llminf_token *had = must(malloc((n_had + 1) * sizeof *had));
    int failed = said(llminf_session_tokens(c->session, 0, had, n_had, &n_had, &error), &error);
    while (same < n && same < n_had && ids[same] == had[same])
        same++;
    same -= same == n && same > 0; /* the last one is computed again for its logits */
    free(had);
    if (failed || said(llminf_session_truncate(c->session, same, &error), &error) != 0)
        return -1;
    return said(llminf_session_append(c->session, ids + same, n - same, &error), &error);
}

static int start(struct chat *c)
{
    llminf_error error;
    llminf_options *for_sampler, *for_generate;
    llminf_sampler *sampler = NULL;
    check(&program, llminf_options_open(&for_sampler, "sampler", &error), &error);
    check(&program, llminf_options_open(&for_generate, "generate", &error), &error);
    set_option(&program, for_sampler, "temperature", temperature != NULL ? temperature : "0.7");
    set_option(&program, for_sampler, "top_p", top_p != NULL ? top_p : "0.95");
    set_option(&program, for_sampler, "min_p", min_p != NULL ? min_p : "0.05");
    check(&program, llminf_options_set_int(for_sampler, "seed", c->seed++, &error), &error);
    set_option(&program, for_generate, "max_tokens", n_tokens);
    check(&program, llminf_sampler_open(&sampler, c->model, for_sampler, &error), &error);
    running = c->session;
    int failed = said(llminf_session_generate(c->session, sampler, for_generate, &error), &error);
    llminf_sampler_close(sampler);
    llminf_options_close(for_sampler);
    llminf_options_close(for_generate);
    return failed;
}

/* The answer to the conversation as it is: streamed, and kept as a message. */
static void answer(struct chat *c)
{
    llminf_error error;
    llminf_status status = LLMINF_DONE;
    struct text text = {0};
    char piece[1024];
    size_t n;
    llminf_token *ids = encode(c, &n);
    int failed = ids == NULL || feed(c, ids, n) != 0 || start(c) != 0;
    free(ids);
    add(&text, "", 0);
    while (!failed && (status = llminf_session_read(c->session, piece, sizeof piece, &n, -1, &error)) == LLMINF_OK) {
        fwrite(piece, 1, n, stdout);
        fflush(stdout);
        add(&text, piece, n);
    }
    running = NULL;
    if (!failed)
        printf("\n");
    failed |= said(status, &error);
    if (!failed || text.n > 0)
        push_message(c, "assistant", text.bytes);
    else if (last_is(c, "user"))
        pop_message(c); /* as if it had not been said */
    free(text.bytes);
}

/* ---- commands */

static void save(const struct chat *c, const char *path)
{
    struct text json = {0};
    FILE *file = fopen(path, "wb");
    add_messages(&json, c);
    add_text(&json, "}\n");
    int ok = file != NULL && fwrite(json.bytes, 1, json.n, file) == json.n;
    if (file != NULL && fclose(file) != 0)
        ok = 0;
    if (ok)
        printf("saved: %zu messages\n", c->n_messages);
    else
        fprintf(stderr, "%s: %s\n", path, strerror(errno));
    free(json.bytes);
}

/* A JSON string as add_json writes it; NULL if none is at *at. */
static char *read_string(const char **at)
{
    const char *from = *at;
    struct text t = {0};
    if (*from++ != '"')
        return NULL;
    add(&t, "", 0);
    for (; *from != '"'; from++) {
        unsigned code;
        char c = *from;
        if (c == '\\' && from[1] == 'u' && sscanf(from + 2, "%4x", &code) == 1 && code > 0 && code < 0x80) {
            c = (char)code;
            from += 5;
        } else if (c == '\\') {
            c = *++from;
        }
        if (c == 0) {
            free(t.bytes);
            return NULL;
        }
        add(&t, &c, 1);
    }
    *at = from + 1;
    return t.bytes;
}

static int skip(const char **at, const char *word)
{
    const char *from = skip_blanks(*at);
    if (strncmp(from, word, strlen(word)) != 0)
        return 0;
    *at = from + strlen(word);
    return 1;
}

static void reset(struct chat *c)
{
    while (c->n_messages > 0)
        pop_message(c);
    if (system_text != NULL)
        set_system(c, system_text);
}

/* What /save wrote. */
static void load(struct chat *c, const char *path)
{
    size_t n;
    char *file = try_file(path, &n);
    struct chat loaded = {0};
    const char *at = file;
    int ok = file != NULL && skip(&at, "{\"messages\":[");
    while (ok && skip(&at, "{\"role\":")) {
        char *role = read_string(&at), *content = role != NULL && skip(&at, ",\"content\":") ? read_string(&at) : NULL;
        ok = content != NULL && skip(&at, "}");
        if (ok)
            push_message(&loaded, role, content);
        free(role);
        free(content);
        skip(&at, ",");
    }
    ok = ok && skip(&at, "]}");
    free(file);
    struct chat *drop = ok ? c : &loaded;
    while (drop->n_messages > 0)
        pop_message(drop);
    if (ok) {
        free(c->messages);
        c->messages = loaded.messages;
        c->n_messages = loaded.n_messages;
        for (size_t i = 0; i < c->n_messages; i++)
            printf("%s: %s\n", c->messages[i].role, c->messages[i].content);
    } else {
        free(loaded.messages);
        fprintf(stderr, "%s: is no conversation that /save wrote\n", path);
    }
}

static void regenerate(struct chat *c)
{
    if (last_is(c, "assistant"))
        pop_message(c);
    if (last_is(c, "user"))
        answer(c);
    else
        fprintf(stderr, "there is no question to be answered again\n");
}

/* 0: the program is to end. */
static int command(struct chat *c, const char *line)
{
    static const char help[] =
        "/system TEXT  another system message\n/reset        a new conversation\n/regen        another answer\n"
        "/save FILE    the conversation as JSON\n/load FILE    what /save wrote\n/quit         the end, as ctrl-D\n"
        "A line that ends in \\ goes on in the next. Ctrl-C ends an answer.\n";
    size_t n = strcspn(line, " ");
    const char *rest = skip_blanks(line + n);
    int needs = strncmp(line, "/system", n) == 0 || strncmp(line, "/save", n) == 0 || strncmp(line, "/load", n) == 0;
    if (n == 5 && strncmp(line, "/quit", n) == 0)
        return 0;
    if (needs && n > 2 && *rest == 0)
        fprintf(stderr, "%.*s wants an argument\n", (int)n, line);
    else if (n == 7 && strncmp(line, "/system", n) == 0)
        set_system(c, rest);
    else if (n == 6 && strncmp(line, "/reset", n) == 0)
        reset(c);
    else if (n == 6 && strncmp(line, "/regen", n) == 0)
        regenerate(c);
    else if (n == 5 && strncmp(line, "/save", n) == 0)
        save(c, rest);
    else if (n == 5 && strncmp(line, "/load", n) == 0)
        load(c, rest);
    else if (n == 5 && strncmp(line, "/help", n) == 0)
        fputs(help, stdout);
    else
        fprintf(stderr, "%.*s is no command, see /help\n", (int)n, line);
    return 1;
}

/* ---- the program */

static void cancel(int number)
{
    llminf_session *session = running;
    (void)number;
    if (session != NULL)
        llminf_session_cancel(session); /* the one call that a signal handler may make */
}

static void open_all(struct chat *c)
{
    llminf_error error;
    llminf_options *for_model = model_options(&program), *for_context;
    const char *text;
    size_t n;
    if (template_path != NULL) {
        char *template = try_file(template_path, &n);
        if (template == NULL)
            exit(1);
        check(&program, llminf_options_set_text(for_model, "chat_template", template, (int64_t)n, &error), &error);
        free(template);
    }
    check(&program, llminf_model_open(&c->model, model_path, for_model, &error), &error);
    if (llminf_model_text(c->model, "chat_template", &text, &n, NULL) != LLMINF_OK)
        fail_usage(&program, "the model has no chat template of its own", "--template");
    check(&program, llminf_options_open(&for_context, "context", &error), &error);
    set_option(&program, for_context, "threads", threads);
    set_option(&program, for_context, "backend", backend);
    open_context(&program, &c->context, c->model, for_context);
    llminf_options *for_session = session_options(&program, c->model, lora);
    check(&program, llminf_session_open(&c->session, c->context, for_session, &error), &error);
    llminf_options_close(for_model);
    llminf_options_close(for_session);
    llminf_options_close(for_context);
}

/* Lines are gathered while they end in a backslash. 0: the end. */
static int turn(struct chat *c, struct text *input)
{
    const char *line;
    int how = line_read(&line, input->n > 0 ? "| " : "> ");
    if (how == LINE_INTERRUPTED) {
        printf("\n");
        input->n = 0;
        return 1;
    }
    if (how == LINE_END)
        return 0;
    size_t n = strlen(line);
    if (n > 0 && line[n - 1] == '\\') {
        add(input, line, n - 1);
        add_text(input, "\n");
        return 1;
    }
    add(input, line, n);
    int go_on = 1;
    if (input->n > 0 && input->bytes[0] == '/') {
        go_on = command(c, input->bytes);
    } else if (input->n > 0) {
        push_message(c, "user", input->bytes);
        answer(c);
    }
    input->n = 0;
    return go_on;
}

int main(int argc, char **argv)
{
    struct chat chat = {.seed = (int64_t)time(NULL)};
    struct text input = {0};
    struct sigaction on_interrupt = {.sa_handler = cancel};
    setlocale(LC_CTYPE, "");
    parse_words(&program, argc, argv, NULL, 0);
    if (render_path != NULL)
        return render();
    if (model_path == NULL && (model_path = bundled_model()) == NULL)
        fail_usage(&program, "no bundled model is installed", "-m");
    if (seed != NULL)
        chat.seed = strtoll(seed, NULL, 10);
    open_all(&chat);
    reset(&chat);
    sigaction(SIGINT, &on_interrupt, NULL);
    line_open(program.name);
    while (turn(&chat, &input)) {
    }
    line_close();
    while (chat.n_messages > 0)
        pop_message(&chat);
    free(chat.messages);
    free(input.bytes);
    llminf_session_close(chat.session);
    llminf_context_close(chat.context);
    llminf_model_close(chat.model);
    return 0;
}
