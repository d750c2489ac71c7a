/* flags.h: the command line. Its letters are sshd's, but for -F. */
#ifndef SALLYPORTD_FLAGS_H
#define SALLYPORTD_FLAGS_H

#include "config.h"

typedef struct flags {
    bool foreground;          /* -D */
    unsigned debug;           /* -d, -dd, -ddd */
    bool to_stderr;           /* -e */
    bool inetd;               /* -i */
    bool test;                /* -t */
    bool print;               /* -T */
    const char *log_file;     /* -E */
    const char *config_file;  /* -f */
    const char *fingerprints; /* -F: a host name */
    bool connection_given;    /* -C */
    match_facts facts;        /* its texts are lent */
} flags;

/* Fills in both. -1: go on; else the program ends with this exit code. */
int flags_parse(flags *f, config *c, int argc, char **argv);

#endif
