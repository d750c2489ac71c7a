/* What a client's scp command means: words as a shell would make them, and scp's options. */
#ifndef SPP_COMMAND_H
#define SPP_COMMAND_H

#include "base/mem.h"

#define SPP_COMMAND_MAX ((size_t)64 * 1024) /* bytes; longer ones are refused */
#define SPP_WORDS_MAX 1024u
/* Bytes of one component of a pattern. Each name of a directory is compared with it, on the loop's
 * thread, in a time that grows with both lengths. */
#define SPP_COMPONENT_MAX ((size_t)1024)
#define SPP_REASON_MAX 128u

typedef struct spp_word {
    char *text;    /* quotes removed */
    char *pattern; /* the same with "\" before what is quoted; NULL: it has no pattern */
    bool tilde;    /* begins with a "~" that is not quoted */
} spp_word;

typedef struct spp_command {
    bool sink; /* -t: the client sends; else -f */
    bool recursive;
    bool preserve;
    bool directory; /* -d: the target must be one */
    spp_word *words;
    size_t count; /* of paths; 1 at least */
} spp_command;

/* Is this the far end of scp, in whatever form? */
bool spp_is_command(const char *text);
/* False: it is refused; `reason` says why, or is empty when memory is out. */
bool spp_command_parse(spp_command *command, const spb_env *env, const char *text,
                       char reason[SPP_REASON_MAX]);
void spp_command_free(spp_command *command, const spb_env *env);

/* Does a name match one component of a word's `pattern`: [pattern, end)? As fnmatch(3) with
 * FNM_PERIOD: a dot at the beginning must be written. */
bool spp_match(const char *pattern, const char *end, const char *name);
/* Are there characters in it that make it a pattern? */
bool spp_is_pattern(const char *pattern, const char *end);
/* Removes the backslashes: into `out`, of as many bytes and one. Returns the length. */
size_t spp_unescape(char *out, const char *pattern, const char *end);

#endif
