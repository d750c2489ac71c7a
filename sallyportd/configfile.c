/* configfile.c: reads configuration files line by line, with Include and Match, as sshd does: a
 * Match block ends at the next Match or at the end of its file; what is included in a block is part
 * of it. Every line is looked at, so that all mistakes are told at once. */
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "log.h"

#define DEPTH_MAX 16
#define FILE_LINE_MAX 65536
#define NO_BLOCK INT_MAX

typedef struct reading {
    config *into;
    const char *path;
    const char *directory; /* where included files are looked for: the first file's */
    size_t number;
    unsigned depth;
    int outer; /* the block that this file is in, or -1 */
    int block; /* the one that the next line is in */
    size_t mistakes;
} reading;

static void read_file(reading *r);

static void mistake(reading *r, const char *text)
{
    log_error("%s line %zu: %s", r->path, r->number, text);
    r->mistakes++;
}

static void note(reading *r, option_result result, const option_problem *problem)
{
    if (result == OPTION_WARNING)
        log_error("%s line %zu: %s", r->path, r->number, problem->text);
    else if (result != OPTION_OK)
        mistake(r, problem->text);
}

static void include_one(reading *r, const char *path)
{
    reading inner = {.into = r->into,
                     .path = path,
                     .directory = r->directory,
                     .depth = r->depth + 1,
                     .outer = r->block,
                     .block = r->block};

    read_file(&inner);
    r->mistakes += inner.mistakes;
}

/* No file of that name is no mistake: the folder may be empty. */
static void include_pattern(reading *r, const char *word)
{
    glob_t found;
    char *pattern = *word == '/' ? text_copy(word) : text_format("%s/%s", r->directory, word);

    if (pattern == NULL) {
        mistake(r, "out of memory");
        return;
    }
    int result = glob(pattern, 0, NULL, &found);
    if (result == 0) {
        for (size_t i = 0; i < found.gl_pathc; i++)
            include_one(r, found.gl_pathv[i]);
        globfree(&found);
    } else if (result != GLOB_NOMATCH) {
        mistake(r, "the files of Include can't be looked for");
    }
    free(pattern);
}

static void include_line(reading *r, const char *rest)
{
    string_list words = {NULL, 0};
    int split = text_split(&words, rest);

    if (split != 0)
        mistake(r, split == -2 ? "Include: invalid quotes" : "out of memory");
    else if (words.count == 0)
        mistake(r, "no argument after keyword \"Include\"");
    else if (r->depth >= DEPTH_MAX)
        mistake(r, "Too many recursive configuration includes");
    for (size_t i = 0; split == 0 && r->depth < DEPTH_MAX && i < words.count; i++)
        include_pattern(r, words.items[i]);
    list_clear(&words);
}

/* After a Match line with a mistake, the lines up to the next have no block to be in: they are
 * checked as those of some block, and nothing is served in the end. */
static void match_line(reading *r, const char *rest)
{
    option_problem problem;
    int block = -1;
    option_result result = config_add_block(r->into, rest, r->outer, &block, &problem);

    note(r, result, &problem);
    r->block = result == OPTION_OK || result == OPTION_WARNING ? block : NO_BLOCK;
}

static void plain_line(reading *r, const char *text)
{
    option_problem problem;
    char *where = text_format("%s line %zu", r->path, r->number);

    if (where == NULL) {
        mistake(r, "out of memory");
        return;
    }
    note(r, config_add_from_file(r->into, text, r->block, where, &problem), &problem);
    free(where);
}

static void one_line(reading *r, const char *text)
{
    char *rest;
    char *name = text_keyword(text, &rest);

    if (name == NULL)
        mistake(r, "out of memory");
    else if (strcasecmp(name, "Include") == 0)
        include_line(r, rest);
    else if (strcasecmp(name, "Match") == 0)
        match_line(r, rest);
    else if (*name != '\0')
        plain_line(r, text);
    free(name);
}

static void read_lines(reading *r, FILE *in)
{
    char *text = NULL;
    size_t room = 0;
    ssize_t length;

    errno = 0;
    while ((length = getline(&text, &room, in)) >= 0) {
        r->number++;
        if (length > FILE_LINE_MAX)
            mistake(r, "the line is too long");
        else if (strlen(text) != (size_t)length)
            mistake(r, "a null byte");
        else
            one_line(r, text);
        errno = 0;
    }
    if (ferror(in))
        mistake(r, strerror(errno != 0 ? errno : EIO));
    free(text);
}

/* Not to hang on a FIFO without a writer; devices and pipes are fine otherwise. */
static FILE *open_file(const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0)
        return NULL;
    if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
        close(fd);
        errno = EISDIR;
        return NULL;
    }
    if (fcntl(fd, F_SETFL, 0) == 0) {
        FILE *in = fdopen(fd, "r");
        if (in != NULL)
            return in;
    }
    close(fd);
    return NULL;
}

static void read_file(reading *r)
{
    FILE *in = open_file(r->path);

    if (in == NULL) {
        log_error("%s: %s", r->path, strerror(errno));
        r->mistakes++;
        return;
    }
    log_debug("Reading the configuration %s", r->path);
    read_lines(r, in);
    (void)fclose(in);
}

int config_read_file(config *c, const char *path)
{
    reading r = {.into = c, .path = path, .outer = -1, .block = -1};
    const char *slash = strrchr(path, '/');
    char *directory = slash == NULL ? text_copy(".") : text_copy(path);

    if (access(path, R_OK) != 0 || directory == NULL) {
        log_error("%s: %s", path, directory == NULL ? "out of memory" : strerror(errno));
        free(directory);
        return 1;
    }
    if (slash != NULL)
        directory[slash == path ? 1 : slash - path] = '\0';
    r.directory = directory;
    read_file(&r);
    free(directory);
    if (r.mistakes > 0)
        log_error("%s: terminating, %zu bad configuration options", path, r.mistakes);
    return r.mistakes > 0 ? 255 : -1;
}
