/* SPDX-License-Identifier: MIT
 *
 * The main of a fuzz target without libFuzzer: runs it over the empty input and over every file of
 * the folders or files named, each in a block of exactly its size, so that a read behind the end is
 * seen by the address sanitizer. Prints how many there were; a folder that cannot be read or holds
 * nothing is an error, so that a corpus cannot get lost unnoticed.
 */
#include <dirent.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "fuzz.h"

static size_t ran;

static int run_file(const char *path)
{
    struct stat st;
    FILE *f = fopen(path, "re");
    if (f == NULL || fstat(fileno(f), &st) != 0) {
        (void)fprintf(stderr, "%s: %s\n", path, strerror(errno));
        if (f != NULL)
            (void)fclose(f);
        return 1;
    }
    size_t n = (size_t)st.st_size;
    uint8_t *data = malloc(n > 0 ? n : 1);
    bool whole = data != NULL && fread(data, 1, n, f) == n;
    (void)fclose(f);
    if (whole) {
        (void)fprintf(stderr, "%s\n", path); /* the last one named is the one that failed */
        (void)LLVMFuzzerTestOneInput(data, n);
        ran++;
    }
    free(data);
    return whole ? 0 : 1;
}

static int run(const char *path)
{
    size_t before = ran;
    int failed = 0;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return run_file(path);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (e->d_name[0] == '.')
            continue;
        char *file = p3d_asprintf("%s/%s", path, e->d_name);
        failed |= run_file(file);
        free(file);
    }
    (void)closedir(dir);
    if (ran == before)
        (void)fprintf(stderr, "%s: nothing in it\n", path);
    return failed || ran == before;
}

int main(int argc, char **argv)
{
    uint8_t *none = calloc(1, 1);
    int failed = argc < 2;
    (void)LLVMFuzzerTestOneInput(none, 0);
    free(none);
    for (int i = 1; i < argc; i++)
        failed |= run(argv[i]);
    (void)printf("%zu inputs\n", ran);
    return failed;
}
