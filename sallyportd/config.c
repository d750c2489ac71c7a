/* config.c: keeps the lines and blocks, and makes settings of them. */
#include "config.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "keywords.h"
#include "log.h"

#define LINES_MAX 100000
#define BLOCKS_MAX 4096
#define CACHED_MAX                                                                                 \
    64 /* combinations of blocks; what is beyond is made anew for each connection                  \
        */

typedef struct config_line {
    char *text;
    char *where; /* the file and number; NULL: the command line */
    int block;
    line_place place;
    bool may_match;
} config_line;

typedef struct match_block {
    match_criteria criteria;
    int parent;  /* -1, or the block whose Include has this one */
    bool always; /* "Match all", which is how to end a block: every word is allowed behind it */
} match_block;

typedef struct cached_settings {
    uint8_t *applies; /* for each block */
    options *settings;
} cached_settings;

struct config {
    char *directory; /* NULL: unknown */
    char *file;      /* absolute; NULL: none */
    config_line *lines;
    size_t line_count;
    match_block *blocks;
    size_t block_count;
    options *own;
    cached_settings cached[CACHED_MAX];
    size_t cached_count;
};

config *config_new(void)
{
    char directory[PATH_MAX];
    config *c = calloc(1, sizeof *c);

    if (c == NULL)
        return NULL;
    if (getcwd(directory, sizeof directory) != NULL)
        c->directory = text_copy(directory);
    return c;
}

static void line_free(config_line *line)
{
    free(line->text);
    free(line->where);
}

void config_free(config *c)
{
    if (c == NULL)
        return;
    for (size_t i = 0; i < c->line_count; i++)
        line_free(&c->lines[i]);
    for (size_t i = 0; i < c->block_count; i++)
        match_clear(&c->blocks[i].criteria);
    for (size_t i = 0; i < c->cached_count; i++) {
        free(c->cached[i].applies);
        options_unref(c->cached[i].settings);
    }
    options_unref(c->own);
    free(c->lines);
    free(c->blocks);
    free(c->directory);
    free(c->file);
    free(c);
}

/* ---- lines ----------------------------------------------------------------------------------- */

/* A block that is not there has a Match line with a mistake. */
static bool block_always(const config *c, int block)
{
    return block < 0 || ((size_t)block < c->block_count && c->blocks[block].always);
}

static bool always_applies(const config *c, const config_line *line)
{
    return block_always(c, line->block);
}

static option_origin origin_of(const config *c, const config_line *line)
{
    if (!always_applies(c, line))
        return ORIGIN_MATCH;
    return line->place == LINE_INSTEAD_OF_FILE ? ORIGIN_FLAG : ORIGIN_PLAIN;
}

/* Takes over the texts of `line`. */
static int store(config *c, config_line line, bool complete)
{
    config_line *more = !complete || c->line_count == LINES_MAX
                            ? NULL
                            : realloc(c->lines, (c->line_count + 1) * sizeof *more);

    if (more == NULL) {
        line_free(&line);
        return -1;
    }
    c->lines = more;
    size_t at = line.place == LINE_FIRST ? 0 : c->line_count;
    memmove(&more[at + 1], &more[at], (c->line_count - at) * sizeof *more);
    more[at] = line;
    c->line_count++;
    return 0;
}

/* A line is first read into settings of its own, which tells all that is wrong with it alone. */
static option_result check_and_store(config *c, const char *text, const char *where,
                                     config_line line, option_problem *problem)
{
    options *scratch = options_new(c->directory);

    if (scratch == NULL)
        return no_memory(problem);
    option_result result = options_line(scratch, text, origin_of(c, &line), problem);
    options_unref(scratch);
    if (result != OPTION_OK && result != OPTION_WARNING)
        return result;
    line.may_match = options_line_may_match(text);
    line.text = text_copy(text);
    line.where = where != NULL ? text_copy(where) : NULL;
    if (store(c, line, line.text != NULL && (where == NULL || line.where != NULL)) != 0)
        return bad_value(problem, "out of memory, or too many lines");
    return result;
}

option_result config_add(config *c, const char *text, line_place place, option_problem *problem)
{
    char *rest;
    char *name = text_keyword(text, &rest);
    bool of_files =
        name != NULL && (strcasecmp(name, "Match") == 0 || strcasecmp(name, "Include") == 0);

    option_result result = OPTION_OK;
    if (name == NULL)
        result = no_memory(problem);
    else if (of_files)
        result = bad_value(problem, "%s directive not supported as a command-line option", name);
    free(name);
    if (result != OPTION_OK)
        return result;
    return check_and_store(c, text, NULL, (config_line){.block = -1, .place = place}, problem);
}

option_result config_add_from_file(config *c, const char *text, int block, const char *where,
                                   option_problem *problem)
{
    return check_and_store(c, text, where, (config_line){.block = block}, problem);
}

option_result config_add_block(config *c, const char *criteria, int parent, int *block,
                               option_problem *problem)
{
    match_block added = {{NULL, 0}, parent, false};
    option_result result = match_parse(&added.criteria, criteria, problem);

    if (result != OPTION_OK && result != OPTION_WARNING)
        return result;
    match_block *more = c->block_count == BLOCKS_MAX
                            ? NULL
                            : realloc(c->blocks, (c->block_count + 1) * sizeof *more);
    if (more == NULL) {
        match_clear(&added.criteria);
        return bad_value(problem, "out of memory, or too many Match blocks");
    }
    c->blocks = more;
    added.always = added.criteria.items[0].subject == MATCH_ALL && block_always(c, parent);
    *block = (int)c->block_count;
    c->blocks[c->block_count++] = added;
    return result;
}

/* ---- settings -------------------------------------------------------------------------------- */

static void log_problem(const config_line *line, const option_problem *problem)
{
    log_error("%s: %s", line->where != NULL ? line->where : "Command line", problem->text);
}

/* The lines of the blocks that apply, or (`applies` NULL) those that always do, in their order.
 * Warnings were given when the line was checked. */
static option_result read_lines(const config *c, options *o, const uint8_t *applies,
                                option_problem *problem)
{
    for (size_t i = 0; i < c->line_count; i++) {
        const config_line *line = &c->lines[i];
        bool wanted = applies != NULL ? line->block >= 0 && (size_t)line->block < c->block_count &&
                                            applies[line->block] && line->may_match
                                      : always_applies(c, line);
        if (!wanted)
            continue;
        option_origin origin = applies != NULL ? ORIGIN_MATCH : origin_of(c, line);
        option_result result = options_line(o, line->text, origin, problem);
        if (result != OPTION_OK && result != OPTION_WARNING) {
            log_problem(line, problem);
            return result;
        }
    }
    return OPTION_OK;
}

/* `applies`: for each block; NULL: none does. On failure NULL, logged. */
static options *make_settings(const config *c, const uint8_t *applies, option_result *result)
{
    option_problem problem;
    options *o = options_new(c->directory);

    *result = OPTION_BAD_VALUE;
    if (o == NULL) {
        log_error("Out of memory");
        return NULL;
    }
    *result = applies != NULL ? read_lines(c, o, applies, &problem) : OPTION_OK;
    if (*result == OPTION_OK)
        *result = read_lines(c, o, NULL, &problem);
    if (*result == OPTION_OK) {
        *result = options_complete(o, &problem);
        if (*result != OPTION_OK)
            log_error("Configuration: %s", problem.text);
    }
    if (*result == OPTION_OK)
        return o;
    options_unref(o);
    return NULL;
}

int config_load(config *c, const char *file)
{
    option_result result;

    if (file != NULL && strcmp(file, "none") != 0) {
        free(c->file);
        c->file = *file == '/' || c->directory == NULL ? text_copy(file)
                                                       : text_format("%s/%s", c->directory, file);
        if (c->file == NULL) {
            log_error("Out of memory");
            return 255;
        }
        int code = config_read_file(c, c->file);
        if (code >= 0)
            return code;
    }
    c->own = make_settings(c, NULL, &result);
    return result == OPTION_OK ? -1 : (int)result;
}

options *config_own(const config *c)
{
    return c->own;
}

bool config_has_file(const config *c)
{
    return c->file != NULL;
}

static bool find_blocks(const config *c, const match_facts *facts, uint8_t *applies)
{
    bool any = false;

    /* A parent's number is below its children's. */
    for (size_t i = 0; i < c->block_count; i++) {
        const match_block *block = &c->blocks[i];
        applies[i] = (block->parent < 0 || ((size_t)block->parent < i && applies[block->parent])) &&
                     match_holds(&block->criteria, facts);
        any = any || applies[i];
    }
    return any;
}

options *config_settings(config *c, const match_facts *facts)
{
    option_result result;
    uint8_t *applies = malloc(c->block_count + 1);

    if (applies == NULL) {
        log_error("Out of memory");
        return NULL;
    }
    if (!find_blocks(c, facts, applies)) {
        free(applies);
        return options_ref(c->own);
    }
    for (size_t i = 0; i < c->cached_count; i++) {
        if (memcmp(c->cached[i].applies, applies, c->block_count) == 0) {
            free(applies);
            return options_ref(c->cached[i].settings);
        }
    }
    options *o = make_settings(c, applies, &result);
    if (o == NULL || c->cached_count == CACHED_MAX) {
        free(applies);
        return o;
    }
    c->cached[c->cached_count++] = (cached_settings){applies, options_ref(o)};
    return o;
}

static int add_missing(char **names, const char *more)
{
    for (; *more != '\0'; more += strcspn(more, ","), more += *more == ',') {
        size_t length = strcspn(more, ",");
        bool there = false;
        for (const char *at = *names; *at != '\0'; at += strcspn(at, ","), at += *at == ',')
            there = there || (strcspn(at, ",") == length && memcmp(at, more, length) == 0);
        if (there)
            continue;
        char *longer = text_format("%s,%.*s", *names, (int)length, more);
        if (longer == NULL)
            return -1;
        free(*names);
        *names = longer;
    }
    return 0;
}

int config_key_algorithms(const config *c, char **names)
{
    const char *own = c->own->key_algorithms;
    option_problem problem;
    int bad = 0;

    *names = text_copy(own != NULL ? own : sp_preset_algorithms(preset_name(c->own), "sig"));
    for (size_t i = 0; *names != NULL && bad == 0 && i < c->line_count; i++) {
        const config_line *line = &c->lines[i];
        options *scratch = line->block >= 0 && line->may_match ? options_new(c->directory) : NULL;
        if (scratch != NULL &&
            options_line(scratch, line->text, ORIGIN_MATCH, &problem) == OPTION_OK &&
            scratch->key_algorithms != NULL &&
            complete_algorithms(scratch, c->own, &problem) == OPTION_OK)
            bad = add_missing(names, scratch->key_algorithms);
        options_unref(scratch);
    }
    if (*names != NULL && bad == 0)
        return 0;
    free(*names);
    *names = NULL;
    log_error("Out of memory");
    return -1;
}

config *config_reread(const config *c)
{
    config *fresh = calloc(1, sizeof *fresh);
    bool bad = fresh == NULL;

    if (!bad && c->directory != NULL) {
        fresh->directory = text_copy(c->directory);
        bad = fresh->directory == NULL;
    }
    for (size_t i = 0; !bad && i < c->line_count; i++) {
        config_line line = c->lines[i];
        if (line.where != NULL || line.block >= 0)
            continue;
        /* They are in their order already. */
        line.place = line.place == LINE_FIRST ? LINE_LAST : line.place;
        line.text = text_copy(line.text);
        bad = store(fresh, line, line.text != NULL) != 0;
    }
    if (bad)
        log_error("Out of memory");
    if (!bad && config_load(fresh, c->file) < 0)
        return fresh;
    config_free(fresh);
    return NULL;
}
