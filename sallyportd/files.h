/* files.h: reading files that decide who may log in. */
#ifndef SALLYPORTD_FILES_H
#define SALLYPORTD_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define FILE_SIZE_MAX (1u << 20)

typedef struct file_rules {
    bool strict;      /* owner and modes, up to the home directory or the root (StrictModes) */
    bool secret;      /* nobody else may read it */
    uid_t uid;        /* who may own it, besides root */
    const char *home; /* the walk up ends here */
} file_rules;

/* The contents with a NUL behind them; the caller frees them. NULL: `problem` says why, and
 * `*absent` whether there just is no such file. Only plain files of up to FILE_SIZE_MAX. Blocks. */
char *file_read(const char *path, const file_rules *rules, size_t *length, bool *absent,
                char *problem, size_t problem_size);

/* May this program be run for decisions about logins: a plain file of root's that nobody else can
 * change, nor the directories above it? Blocks. */
bool file_is_safe_program(const char *path, char *problem, size_t problem_size);

/* The real path of a directory that nobody but root and the user can change, nor any directory on
 * the way to it; of those above it others may write to one with the sticky bit, where they can't
 * touch what is not theirs. The caller frees it. NULL: `problem` says why. Blocks. */
char *directory_resolve_safe(const char *path, uid_t uid, char *problem, size_t problem_size);

#endif
