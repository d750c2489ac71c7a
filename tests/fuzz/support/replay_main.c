/* A main for fuzzers in builds without libFuzzer: replays the files given and those of the folders
 * given (what is not there is left out), then some thousands of pseudo-random inputs, the same in
 * each run. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define INPUT_MAX 4096
#define INPUTS 3000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void replay_file(const char *path)
{
    static uint8_t data[1 << 20];
    FILE *f = fopen(path, "rb");
    if (f == NULL)
        return;
    size_t size = fread(data, 1, sizeof data, f);
    fclose(f);
    (void)LLVMFuzzerTestOneInput(data, size);
}

static void replay(const char *folder)
{
    char path[4096];
    const struct dirent *entry;
    DIR *dir = opendir(folder);
    if (dir == NULL) {
        replay_file(folder);
        return;
    }
    while ((entry = readdir(dir)) != NULL) {
        if (entry->d_name[0] == '.')
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        replay_file(path);
    }
    closedir(dir);
}

int main(int argc, char **argv)
{
    static uint8_t data[INPUT_MAX];
    uint64_t state = 1;

    for (int i = 1; i < argc; i++)
        replay(argv[i]);
    for (int i = 0; i < INPUTS; i++) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        size_t size = (size_t)(state >> 33) % (i % 10 == 0 ? INPUT_MAX : 200);
        for (size_t j = 0; j < size; j++) {
            state = state * 6364136223846793005u + 1442695040888963407u;
            data[j] = (uint8_t)(state >> 56);
        }
        (void)LLVMFuzzerTestOneInput(data, size);
    }
    return 0;
}
