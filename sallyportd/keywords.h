/* keywords.h: the table of sshd_config's words, and what its readers (values.c, lists.c) and its
 * printers (print.c) share. */
#ifndef SALLYPORTD_KEYWORDS_H
#define SALLYPORTD_KEYWORDS_H

#include "options.h"

typedef struct keyword keyword;

/* The words behind the keyword, and the same as one untouched text. */
typedef struct option_values {
    const string_list *words;
    const char *rest;
} option_values;

typedef option_result (*option_reader)(const keyword *k, const option_values *values, options *o,
                                       option_problem *problem);
/* Prints nothing for what has no value. */
typedef void (*option_printer)(const keyword *k, const options *o, FILE *out);

struct keyword {
    const char *name;
    option_reader read;
    option_printer print;
    size_t offset;      /* of the member in `options` */
    const void *detail; /* the reader's: choices, limits, kind of algorithm */
    unsigned flags;
};

#define KEYWORD_REPEATS 1u /* every line adds; without it the first one stands */
#define KEYWORD_LIST 2u    /* several words; without it just one */
#define KEYWORD_RAW 4u     /* the rest of the line as it is */
#define KEYWORD_MATCH 8u   /* may come in a Match block */
#define KEYWORD_SERVER 16u /* but has no effect there: it is the server's as a whole */
#define KEYWORD_LIVE 32u   /* neither, and yet a change takes effect while the server runs */

#define MEMBER(k, o, type) ((type *)(void *)((char *)(o) + (k)->offset))
#define CONST_MEMBER(k, o, type) ((const type *)(const void *)((const char *)(o) + (k)->offset))

typedef struct choice {
    const char *name; /* the first with a value is the one printed */
    int value;
} choice;

typedef struct limits {
    uint32_t low;
    uint32_t high;
} limits;

typedef struct algorithm_kind {
    const char *kind; /* sp_default_algorithms's word */
} algorithm_kind;
#define ALGORITHMS_MAX 4096 /* bytes of a list */

extern const choice algorithm_presets[];
/* The library's name of the preset. */
const char *preset_name(const options *o);
/* Makes names of the lists that were given, by the preset of `preset_of`. */
option_result complete_algorithms(options *o, const options *preset_of, option_problem *problem);

extern const keyword keywords[];
extern const size_t keyword_count;

/* The words of sshd_config that this server lacks. None of them keeps anybody out: a word that does
 * so has a place in the first table, and access.c acts on it. */
typedef struct lacking_word {
    const char *name;
    const char *harmless; /* values, comma-separated, that ask for nothing we lack; "*": any */
    const char *printed;  /* in -T, or NULL */
    bool in_match;        /* may come in a Match block */
} lacking_word;
const lacking_word *lacking_word_find(const char *name);
void lacking_words_print(FILE *out);
/* Words that sshd itself does no more than report. */
bool deprecated_word(const char *name);
/* The name in the table for one that sshd has too; else `name`. */
const char *word_by_alias(const char *name);

option_result bad_value(option_problem *problem, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
option_result no_memory(option_problem *problem);

/* A path made absolute; "none" leaves NULL in `*place`. */
option_result place_path(const keyword *k, const options *o, const char *word, char **place,
                         option_problem *problem);

/* values.c: single values */
option_result read_flag(const keyword *, const option_values *, options *, option_problem *);
option_result read_choice(const keyword *, const option_values *, options *, option_problem *);
option_result read_number(const keyword *, const option_values *, options *, option_problem *);
option_result read_time(const keyword *, const option_values *, options *, option_problem *);
option_result read_path(const keyword *, const option_values *, options *, option_problem *);
option_result read_text(const keyword *, const option_values *, options *, option_problem *);
option_result read_port(const keyword *, const option_values *, options *, option_problem *);
option_result read_listen(const keyword *, const option_values *, options *, option_problem *);
option_result read_limit(const keyword *, const option_values *, options *, option_problem *);
option_result read_restriction(const keyword *, const option_values *, options *, option_problem *);
option_result read_startups(const keyword *, const option_values *, options *, option_problem *);
option_result read_rekey(const keyword *, const option_values *, options *, option_problem *);
/* lists.c: lists */
option_result read_paths(const keyword *, const option_values *, options *, option_problem *);
option_result read_strings(const keyword *, const option_values *, options *, option_problem *);
option_result read_users(const keyword *, const option_values *, options *, option_problem *);
option_result read_command(const keyword *, const option_values *, options *, option_problem *);
option_result read_agent(const keyword *, const option_values *, options *, option_problem *);
option_result read_octal(const keyword *, const option_values *, options *, option_problem *);
option_result read_word(const keyword *, const option_values *, options *, option_problem *);
option_result read_environment(const keyword *, const option_values *, options *, option_problem *);
option_result read_listens(const keyword *, const option_values *, options *, option_problem *);
option_result read_key_options(const keyword *, const option_values *, options *, option_problem *);
option_result read_permits(const keyword *, const option_values *, options *, option_problem *);
option_result read_set_env(const keyword *, const option_values *, options *, option_problem *);
option_result read_algorithms(const keyword *, const option_values *, options *, option_problem *);
option_result read_methods(const keyword *, const option_values *, options *, option_problem *);
option_result read_subsystem(const keyword *, const option_values *, options *, option_problem *);

void print_flag(const keyword *k, const options *o, FILE *out);
void print_choice(const keyword *k, const options *o, FILE *out);
void print_number(const keyword *k, const options *o, FILE *out);
void print_octal(const keyword *k, const options *o, FILE *out);
void print_environment(const keyword *k, const options *o, FILE *out);
void print_limit(const keyword *k, const options *o, FILE *out);
void print_text(const keyword *k, const options *o, FILE *out);
void print_ports(const keyword *k, const options *o, FILE *out);
void print_listen(const keyword *k, const options *o, FILE *out);
void print_startups(const keyword *k, const options *o, FILE *out);
void print_rekey(const keyword *k, const options *o, FILE *out);
void print_list(const keyword *k, const options *o, FILE *out);     /* one line for each */
void print_one_line(const keyword *k, const options *o, FILE *out); /* all in one line */
void print_permits(const keyword *k, const options *o, FILE *out);
void print_algorithms(const keyword *k, const options *o, FILE *out);
void print_methods(const keyword *k, const options *o, FILE *out);
void print_subsystems(const keyword *k, const options *o, FILE *out);

#endif
