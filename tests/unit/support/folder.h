/* A folder of the test's own, and a shell in it. */
#ifndef FOLDER_H
#define FOLDER_H

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char folder[64];

static inline int folder_make(void)
{
    (void)snprintf(folder, sizeof folder, "/tmp/sallyport-test-XXXXXX");
    return mkdtemp(folder) == NULL ? -1 : 0;
}

__attribute__((format(printf, 1, 2))) static inline int shell(const char *format, ...)
{
    char command[1024];
    size_t at = (size_t)snprintf(command, sizeof command, "cd %s && ", folder);
    va_list args;

    va_start(args, format);
    (void)vsnprintf(command + at, sizeof command - at, format, args);
    va_end(args);
    return system(command);
}

static inline void folder_remove(void)
{
    (void)shell("rm -rf %s", folder);
}

static inline const char *path_of(const char *name)
{
    static char path[4][256];
    static unsigned turn;
    char *out = path[turn++ % 4];

    (void)snprintf(out, sizeof path[0], "%s/%s", folder, name);
    return out;
}

#endif
