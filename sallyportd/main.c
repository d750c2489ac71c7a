/* sallyportd: an SSH server for the user that starts it. main.c takes the steps of a start in
 * order: flags, user, log, keys, sockets, and then serves. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "authorize.h"
#include "daemon.h"
#include "fingerprints.h"
#include "flags.h"
#include "inetd.h"
#include "keys.h"
#include "listen.h"
#include "log.h"
#include "passwords.h"
#include "serve.h"

static int open_log(const flags *f, const options *o)
{
    log_target target = LOG_TO_SYSLOG;

    if (f->log_file != NULL)
        target = LOG_TO_FILE;
    else if (f->to_stderr || f->debug > 0 || f->test || f->print || f->fingerprints != NULL)
        target = LOG_TO_STDERR;
    if (log_open(target, f->log_file, options_log_level(o), o->syslog_facility) == 0)
        return 0;
    log_error("Log file %s: %s", f->log_file, strerror(errno));
    return -1;
}

/* Everything that can be told to be wrong before the server runs. */
static void warn(const program *p)
{
    const options *o = config_own(p->config);
    bool passwords = o->password_authentication || o->kbdint_authentication;

    if (passwords && password_hash_available(p->account, o) && p->account->uid == 0 &&
        o->permit_root_login != ROOT_YES)
        log_error("Passwords are on, but none can be right: PermitRootLogin is not yes");
    if (o->public_key_authentication && !p->client_key_accepted && o->trusted_ca_keys == NULL &&
        authorize_count(p, o) == 0)
        log_error("No key is authorized to log in");
}

/* A user without authorized keys gets a client key, so that there is a way in. Not when keys are
 * off or their file was chosen: then none is what was asked for. */
static int choose_keys(program *p)
{
    const options *o = config_own(p->config);

    if (!o->public_key_authentication || options_is_given(o, "AuthorizedKeysFile") ||
        o->trusted_ca_keys != NULL || authorize_count(p, o) > 0)
        return 0;
    p->client_key_accepted = true;
    return client_key_prepare(p->account);
}

static int load_keys(program *p, host_keys *keys)
{
    int held = state_hold(p->account);

    if (held < 0)
        return 1;
    int result = host_keys_load(keys, config_own(p->config), p->account, true);
    if (result != 0)
        log_error("No host key can be used");
    if (result == 0)
        result = choose_keys(p);
    state_release(held);
    return result == 0 ? 0 : 1;
}

/* As they are for the connection that -C describes. */
static int print_settings(config *c, match_facts facts)
{
    string_list groups = {NULL, 0};
    options *o = NULL;

    facts.groups = &groups;
    if (facts.user == NULL || groups_of_user(facts.user, &groups) == 0)
        o = config_settings(c, &facts);
    int result = o != NULL ? options_print(o, stdout) : -1;
    options_unref(o);
    list_clear(&groups);
    return result == 0 ? 0 : 255;
}

static int test_only(const flags *f, const program *p)
{
    host_keys keys = {.count = 0};

    if (host_keys_load(&keys, config_own(p->config), p->account, false) != 0) {
        log_error("No host key can be used");
        return 1;
    }
    host_keys_free(&keys);
    if (!f->print)
        return 0;
    return print_settings(p->config, f->facts);
}

static int start(program *p, const flags *f)
{
    host_keys keys = {.count = 0};
    static listeners sockets;
    int detached = -1;
    int code = load_keys(p, &keys);

    if (code == 0 && !f->inetd && listeners_open(&sockets, config_own(p->config)) != 0)
        code = 255;
    if (code == 0) {
        warn(p);
        if (!f->foreground && f->debug == 0 && !f->inetd) {
            detached = daemon_detach();
            if (detached < 0) {
                log_error("The server can't leave the terminal: %s", strerror(errno));
                code = 255;
            }
        }
    }
    if (code == 0)
        code = serve(p, f, &keys, &sockets, detached);
    listeners_close(&sockets);
    host_keys_free(&keys);
    return code;
}

/* `*c` may have been replaced at the end. */
static int with_configuration(const flags *f, config **c)
{
    account a = {.name = NULL};
    int code = config_load(*c, f->config_file);

    if (code < 0 && open_log(f, config_own(*c)) != 0)
        code = 1;
    if (code < 0 && account_load(&a) != 0)
        code = 255;
    if (code < 0) {
        program p = {
            .config = *c, .account = &a, .door = spawn_door_here(), .one_connection = f->debug > 0};
        if (f->fingerprints != NULL)
            code = fingerprints_print(&p, f->fingerprints);
        else
            code = f->test || f->print ? test_only(f, &p) : start(&p, f);
        *c = p.config;
    }
    account_free(&a);
    return code;
}

int main(int argc, char **argv)
{
    flags f;
    config *c;
    int code;

    daemon_sanitise();
    c = config_new();
    if (c == NULL)
        return 255;
    code = flags_parse(&f, c, argc, argv);
    if (code < 0 && f.inetd && !f.to_stderr && inetd_has_stderr())
        log_mute();
    if (code < 0)
        code = with_configuration(&f, &c);
    config_free(c);
    log_close();
    return code;
}
