/* driver.c - replays corpora without a fuzzer: each file of each folder or file given goes once to LLVMFuzzerTestOneInput.
 *
 * Every build links the targets with this main, so that a finding of the past is a test for ever, with gcc too. An empty
 * input and single bytes are tried first: they need no file. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The input lies in memory of exactly its size, so that a sanitizer sees one byte too many. */
static int replay_file(const char *path, long size)
{
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(size > 0 ? (size_t)size : 1);
    size_t got = file && bytes ? fread(bytes, 1, (size_t)size, file) : 0;
    int ok = file && bytes && got == (size_t)size;
    if (ok)
        LLVMFuzzerTestOneInput(bytes, got);
    else
        fprintf(stderr, "%s: cannot be read\n", path);
    free(bytes);
    if (file)
        fclose(file);
    return ok ? 1 : -1;
}

/* Inputs replayed, or -1. Folders are walked one deep: a corpus is flat. */
static int replay(const char *path, int depth)
{
    struct stat st;
    if (stat(path, &st) != 0) {
        fprintf(stderr, "%s: not there\n", path);
        return -1;
    }
    if (S_ISREG(st.st_mode))
        return replay_file(path, (long)st.st_size);
    DIR *folder = S_ISDIR(st.st_mode) && depth == 0 ? opendir(path) : NULL;
    if (!folder)
        return 0;
    int n = 0;
    for (struct dirent *entry; n >= 0 && (entry = readdir(folder));) {
        char name[4096];
        if (entry->d_name[0] == '.')
            continue;
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        int inside = replay(name, depth + 1);
        n = inside < 0 ? -1 : n + inside;
    }
    closedir(folder);
    return n;
}

int main(int argc, char **argv)
{
    int n = 1;
    LLVMFuzzerTestOneInput((const uint8_t *)"", 0);
    for (int byte = 0; byte < 256; byte++, n++) {
        uint8_t one = (uint8_t)byte;
        LLVMFuzzerTestOneInput(&one, 1);
    }
    for (int i = 1; i < argc; i++) {
        int inside = replay(argv[i], 0);
        if (inside <= 0) {
            fprintf(stderr, "%s: no input was replayed, want at least one\n", argv[i]);
            return 1;
        }
        n += inside;
    }
    printf("%d inputs replayed\n", n);
    return 0;
}
