/* options.h: one set of settings: the server's own, or those of a connection to which Match blocks
 * apply. One table (keywords.c) names every word, how its value is read, where it goes and how it
 * is printed. A set is filled in line by line; once complete it is counted and never changes, so
 * that work on the thread pool may read it. */
#ifndef SALLYPORTD_OPTIONS_H
#define SALLYPORTD_OPTIONS_H

#include <netinet/in.h>
#include <sallyport.h>
#include <stdint.h>
#include <stdio.h>

#include "text.h"

#define PORTS_MAX 16
#define LISTEN_MAX 32
#define CHAINS_MAX 8       /* alternatives in AuthenticationMethods */
#define CHAIN_LENGTH_MAX 4 /* methods in one of them */
#define KEYWORDS_MAX 128
#define NOT_GIVEN UINT32_MAX
#define REKEY_BYTES_DEFAULT (UINT64_C(1) << 30) /* the library's */
#define REKEY_SECONDS_DEFAULT 3600

typedef struct listen_address {
    char *host;    /* a name or a numeric address */
    bool any_port; /* all of `ports`, else `port` */
    uint16_t port;
} listen_address;

typedef enum login_method {
    METHOD_NONE = 0,
    METHOD_PUBLIC_KEY,
    METHOD_PASSWORD,
    METHOD_KBDINT,
} login_method;

/* Which forwardings are allowed: bits. Local ones are the client's (-L), remote ones ours (-R). */
typedef enum forward_choice {
    FORWARD_NONE = 0,
    FORWARD_LOCAL = 1,
    FORWARD_REMOTE = 2,
    FORWARD_ALL = 3,
} forward_choice;

typedef enum root_login {
    ROOT_NO = 0,
    ROOT_PROHIBIT_PASSWORD,
    ROOT_FORCED_COMMANDS_ONLY,
    ROOT_YES,
} root_login;

typedef enum log_choice {
    CHOICE_QUIET = 0,
    CHOICE_FATAL,
    CHOICE_ERROR,
    CHOICE_INFO,
    CHOICE_VERBOSE,
    CHOICE_DEBUG1,
    CHOICE_DEBUG2,
    CHOICE_DEBUG3,
} log_choice;

typedef enum preset_choice { PRESET_MODERN, PRESET_COMPATIBLE, PRESET_FIPS } preset_choice;

typedef enum compression_choice {
    COMPRESSION_NONE = 0,
    COMPRESSION_DELAYED, /* zlib@openssh.com */
    COMPRESSION_ALWAYS,  /* zlib as well, which begins before login */
} compression_choice;

typedef struct method_chain {
    uint8_t methods[CHAIN_LENGTH_MAX]; /* login_method, in order */
    uint8_t length;
} method_chain;

typedef struct subsystem {
    char *name;
    char *command;
} subsystem;

typedef struct options {
    unsigned references;
    uint8_t given[KEYWORDS_MAX]; /* option_origin, by the keyword's place in the table */
    const char *directory;       /* where relative paths begin; lent */

    uint16_t ports[PORTS_MAX];
    size_t port_count;
    listen_address listen[LISTEN_MAX]; /* none: the loopback address */
    size_t listen_count;
    int family; /* AF_UNSPEC, AF_INET, AF_INET6 */
    int tcp_keepalive;

    string_list host_certificates;
    char *host_key_agent;  /* path, "SSH_AUTH_SOCK", or NULL */
    string_list host_keys; /* none: those of the state directory */
    string_list authorized_keys_files;
    int strict_modes;
    uint32_t login_grace_seconds; /* 0: no limit */
    uint32_t max_auth_tries;
    uint32_t max_sessions;
    uint32_t startups_begin;
    uint32_t startups_rate;
    uint32_t startups_full;
    char *banner; /* path, or NULL */
    char *version_addendum;

    int public_key_authentication;
    int password_authentication;
    int kbdint_authentication; /* -1: as passwords */
    int permit_empty_passwords;
    int permit_root_login;
    char *password_file;
    method_chain chains[CHAINS_MAX]; /* none: any one method is enough */
    size_t chain_count;
    string_list allow_users;
    string_list deny_users;
    string_list allow_groups;
    string_list deny_groups;
    int refuse_connection;
    char *chroot_directory;       /* set: we can't keep to it, so nobody is let in */
    char *public_key_options;     /* PubkeyAuthOptions: about keys that we do not take */
    uint32_t startups_per_source; /* NOT_GIVEN: no limit */
    uint32_t required_rsa_size;

    int preset;    /* preset_choice */
    char *ciphers; /* NULL: the preset's. As written, and from options_complete on as names */
    char *macs;
    char *kex_algorithms;
    char *host_key_algorithms;
    char *key_algorithms;
    char *ca_algorithms;
    char *moduli_file;      /* NULL: none */
    int compression;        /* compression_choice */
    uint64_t rekey_bytes;   /* 0: the library's default */
    uint32_t rekey_seconds; /* NOT_GIVEN: the library's default; 0: never */
    uint32_t client_alive_seconds;
    uint32_t client_alive_count;

    char *trusted_ca_keys; /* path, or NULL */
    char *keys_command;    /* AuthorizedKeysCommand with its arguments, or NULL */
    char *keys_command_user;
    char *principals_command;
    char *principals_command_user;
    char *principals_file;    /* with tokens, or NULL */
    char *revoked_keys;       /* path, or NULL */
    char *permit_environment; /* comma-separated patterns; NULL: none */
    int permit_user_rc;       /* there is no such thing here: warned about where it matters */

    string_list accept_env;
    string_list set_env; /* "NAME=value" */
    char *force_command;
    int permit_tty;
    int disable_forwarding;
    int tcp_forwarding; /* forward_choice */
    int streamlocal_forwarding;
    string_list permit_open; /* none: any */
    string_list permit_listen;
    int gateway_ports; /* sp_gateway */
    uint32_t bind_mask;
    int bind_unlink;
    int agent_forwarding;
    int x11_forwarding;
    uint32_t x11_display_offset;
    int x11_use_localhost;
    subsystem *subsystems;
    size_t subsystem_count;

    int log_level; /* log_choice */
    int syslog_facility;
    char *pid_file;
} options;

/* What came of a line. The numbers are sshd's exit codes for the case. */
typedef enum option_result {
    OPTION_OK = 0,
    OPTION_WARNING = -1, /* known, but without effect, or with another: `problem` says which */
    OPTION_BAD_LINE = 1, /* unknown word, value missing, too many values */
    OPTION_BAD_VALUE = 255,
} option_result;

typedef struct option_problem {
    char text[512];
} option_problem;

/* Where a line comes from. Lines are given in this order, and the first value of a word stands; of
 * words that add up, those of ORIGIN_MATCH and ORIGIN_FLAG keep all of ORIGIN_PLAIN out. */
typedef enum option_origin {
    ORIGIN_NONE = 0,
    ORIGIN_MATCH, /* a Match block: not every word is allowed there */
    ORIGIN_FLAG,  /* -p */
    ORIGIN_PLAIN, /* -o, or a file outside Match blocks */
} option_origin;

/* The defaults, with one reference. `directory` must live as long. NULL: out of memory. */
options *options_new(const char *directory);
/* Counted on the loop's thread only. */
options *options_ref(options *o);
void options_unref(options *o); /* NULL is fine */

/* One line, as "Word value" or "Word=value"; words in any case. */
option_result options_line(options *o, const char *line, option_origin origin,
                           option_problem *problem);
/* Is the line's word one that may come in a Match block? */
bool options_line_may_match(const char *line);
/* What no single line can tell. Called once, behind the last line. */
option_result options_complete(options *o, option_problem *problem);
/* sshd -T's form: lower-case words, one setting a line. */
int options_print(const options *o, FILE *out);
/* The names of the words whose printout differs, with commas between; the caller frees it. Looks
 * at those only whose change takes a new start. NULL: none, or out of memory. */
char *options_fixed_differences(const options *a, const options *b);

/* Was this word, by its name in the table, given at all? */
bool options_is_given(const options *o, const char *name);
/* LogLevel in the library's terms. */
sp_log_level options_log_level(const options *o);

/* The words' effect on methods. */
bool options_method_enabled(const options *o, login_method method);
const char *method_name(login_method method);

#endif
