/* sallyportd: an SSH server for the user that starts it. main.c takes the steps of a start in
 * order: flags, user, log, keys, sockets, and then serves. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "authorize.h"
#include "daemon.h"
#include "flags.h"
#include "keys.h"
#include "listen.h"
#include "log.h"
#include "passwords.h"
#include "serve.h"

static int open_log(const flags *f, options *o)
{
    log_target target = LOG_TO_SYSLOG;

    if (f->debug > 0)
        o->log_level = f->debug > 2 ? CHOICE_DEBUG3 : CHOICE_DEBUG1 + (int)f->debug - 1;
    if (f->log_file != NULL)
        target = LOG_TO_FILE;
    else if (f->to_stderr || f->debug > 0 || f->test || f->print)
        target = LOG_TO_STDERR;
    if (log_open(target, f->log_file, options_log_level(o), o->syslog_facility) == 0)
        return 0;
    log_error("Log file %s: %s", f->log_file, strerror(errno));
    return -1;
}

/* Everything that can be told to be wrong before the server runs. */
static void warn(const program *p)
{
    const options *o = p->options;
    bool passwords = o->password_authentication || o->kbdint_authentication;

    if (passwords && password_hash_available(p) && p->account->uid == 0 &&
        o->permit_root_login != ROOT_YES)
        log_error("Passwords are on, but none can be right: PermitRootLogin is not yes");
    if (o->public_key_authentication && !p->client_key_accepted && authorize_count(p) == 0)
        log_error("No key is authorized to log in");
}

/* A user without authorized keys gets a client key, so that there is a way in. Not when keys are
 * off or their file was chosen: then none is what was asked for. */
static int choose_keys(program *p)
{
    const options *o = p->options;

    if (!o->public_key_authentication || options_is_given(o, "AuthorizedKeysFile") ||
        authorize_count(p) > 0)
        return 0;
    p->client_key_accepted = true;
    return client_key_prepare(p->account);
}

static int load_keys(program *p, host_keys *keys)
{
    int held = state_hold(p->account);

    if (held < 0)
        return 1;
    int result = host_keys_load(keys, p->options, p->account, true);
    if (result != 0)
        log_error("No host key can be used");
    if (result == 0)
        result = choose_keys(p);
    state_release(held);
    return result == 0 ? 0 : 1;
}

static int test_only(const flags *f, const program *p)
{
    host_keys keys = {.count = 0};

    if (host_keys_load(&keys, p->options, p->account, false) != 0) {
        log_error("No host key can be used");
        return 1;
    }
    host_keys_free(&keys);
    if (!f->print)
        return 0;
    return options_print(p->options, stdout) == 0 ? 0 : 255;
}

static int start(program *p, const flags *f)
{
    host_keys keys = {.count = 0};
    static listeners sockets;
    int detached = -1;
    int code = load_keys(p, &keys);

    if (code == 0 && !f->inetd && listeners_open(&sockets, p->options) != 0)
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

int main(int argc, char **argv)
{
    options o;
    flags f;
    account a = {.name = NULL};
    int code;

    daemon_sanitise();
    if (options_init(&o) != 0)
        return 255;
    code = flags_parse(&f, &o, argc, argv);
    if (code < 0) {
        if (open_log(&f, &o) != 0)
            code = 1;
        else if (account_load(&a) != 0)
            code = 255;
    }
    if (code < 0) {
        program p = {
            .options = &o, .account = &a, .door = spawn_door_here(), .one_connection = f.debug > 0};
        code = f.test || f.print ? test_only(&f, &p) : start(&p, &f);
    }
    account_free(&a);
    options_free(&o);
    log_close();
    return code;
}
