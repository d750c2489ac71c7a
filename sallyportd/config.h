/* config.h: the configuration: the lines of the command line and of the file, the Match blocks that
 * some of them are in, and the sets of settings that these make. The server's own set has the lines
 * outside of blocks. A connection to which blocks apply gets a set in which their lines come first;
 * each combination of blocks is worked out once and then shared.
 *
 * Thread: the loop's, or the only one. */
#ifndef SALLYPORTD_CONFIG_H
#define SALLYPORTD_CONFIG_H

#include "match.h"

typedef struct config config;

/* Relative paths begin at the directory of this moment. NULL: out of memory. */
config *config_new(void);
void config_free(config *c);

typedef enum line_place {
    LINE_LAST = 0,
    LINE_FIRST = 1,          /* -d, -q: before all others */
    LINE_INSTEAD_OF_FILE = 2 /* -p: a word that adds up does not, with the file's */
} line_place;

/* A line of the command line. It is checked at once, as those of a file are. */
option_result config_add(config *c, const char *line, line_place place, option_problem *problem);
/* A line of a file, in a block, or outside (-1). `where` names it in messages. */
option_result config_add_from_file(config *c, const char *line, int block, const char *where,
                                   option_problem *problem);
/* A Match line with these criteria, in a block, or outside (-1). `*block` is the new one's number.
 */
option_result config_add_block(config *c, const char *criteria, int parent, int *block,
                               option_problem *problem);

/* configfile.c: reads a file and what it includes, and logs what is wrong. -1: go on; else an exit
 * code. To be followed by config_complete. */
int config_read_file(config *c, const char *path);

/* Reads the file (NULL or "none": there is none), makes the server's own settings of it and of the
 * command line, and logs what is wrong. -1: go on; else an exit code. */
int config_load(config *c, const char *file);
options *config_own(const config *c);
bool config_has_file(const config *c);
/* The settings for a connection, with a reference for the caller. NULL: there are none that hold
 * (logged), and nothing must be allowed. */
options *config_settings(config *c, const match_facts *facts);

/* All that PubkeyAcceptedAlgorithms accepts, here or in some block; `*names` NULL: the library's
 * default. The caller frees it. -1: out of memory. */
int config_key_algorithms(const config *c, char **names);

/* The command line's lines again and the file's as they are now. NULL: logged. */
config *config_reread(const config *c);

#endif
