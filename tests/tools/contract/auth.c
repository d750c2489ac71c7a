/* auth.c: the handlers that decide who may log in. */
#include "contract.h"

#include <stdlib.h>

static sp_answer ask_auth(sp_conn *conn, sp_auth *auth, const char *handler, const char *word,
                          const char *text, sp_answer checked)
{
    client *c = sp_conn_data(conn);
    question *q = new_question(c, ASK_AUTH, handler);
    q->auth = auth;
    find_word(sp_auth_username(auth), word, q->what, q->when);
    if (strcmp(q->what, "check") == 0)
        strcpy(q->what, checked == SP_ACCEPT ? "accept" : "reject");
    if (is_challenge(q->what))
        snprintf(c->challenge, sizeof c->challenge, "%s", q->what);
    log_question(q, sp_auth_username(auth), text);
    return settle(q);
}

sp_answer on_begin(sp_conn *conn, sp_auth *auth, const char *username)
{
    client *c = sp_conn_data(conn);
    char what[16], when[16];
    if (c->app->banner != NULL)
        sp_conn_send_auth_banner(conn, c->app->banner, "en");
    if (find_word(username, "banner", what, when))
        sp_conn_send_auth_banner(conn, "Banner for you\r\n", "en");
    return ask_auth(conn, auth, "begin_auth", "begin", username, SP_REJECT);
}

static bool offered(sp_conn *conn, const char *word)
{
    const char *username = sp_conn_username(conn);
    char what[16], when[16];
    if (word_is(username, "off", word))
        return false;
    return !has_words(username) || find_word(username, word, what, when);
}

/* Has the user had all of the password attempts that `word` allows? */
static bool used_up(sp_conn *conn, const char *word)
{
    const client *c = sp_conn_data(conn);
    char what[16], when[16];
    return find_word(sp_conn_username(conn), word, what, when) &&
           c->password_attempts >= strtoul(what, NULL, 10);
}

bool on_pk_supported(sp_conn *conn)
{
    return !used_up(conn, "limitpk") && offered(conn, "pk");
}

bool on_pw_supported(sp_conn *conn)
{
    return !used_up(conn, "limit") && offered(conn, "pw");
}

sp_kbdint_support on_kbd_supported(sp_conn *conn)
{
    const char *username = sp_conn_username(conn);
    char what[16], when[16];
    if (used_up(conn, "limitkbd"))
        return SP_KBDINT_NO;
    if (find_word(username, "aspw", what, when) || !has_words(username))
        return SP_KBDINT_AS_PASSWORD;
    return offered(conn, "kbd") ? SP_KBDINT_YES : SP_KBDINT_NO;
}

sp_answer on_public_key(sp_conn *conn, sp_auth *auth, const char *username, const sp_key *key)
{
    const client *c = sp_conn_data(conn);
    char fingerprint[SP_FINGERPRINT_SIZE];
    bool known = c->app->authorized != NULL && sp_authorized_keys_contains(c->app->authorized, key);
    (void)username;
    sp_key_fingerprint(key, fingerprint);
    return ask_auth(conn, auth, "validate_public_key", "pk", fingerprint,
                    known ? SP_ACCEPT : SP_REJECT);
}

sp_answer on_password(sp_conn *conn, sp_auth *auth, const char *username, const char *password)
{
    client *c = sp_conn_data(conn);
    (void)username;
    c->password_attempts++;
    return ask_auth(conn, auth, "validate_password", "pw", password,
                    strcmp(password, "secret") == 0 ? SP_ACCEPT : SP_REJECT);
}

sp_answer on_change(sp_conn *conn, sp_auth *auth, const char *username, const char *old_password,
                    const char *new_password)
{
    char what[16], when[16];
    bool good = strcmp(old_password, "secret") == 0 && strcmp(new_password, "better") == 0;
    /* change-again: the first new password is not good enough. */
    if (find_word(username, "change", what, when) && strcmp(what, "again") == 0) {
        client *c = sp_conn_data(conn);
        question *q = new_question(c, ASK_AUTH, "change_password");
        q->auth = auth;
        strcpy(q->what, c->round++ == 0 ? "required" : good ? "accept" : "reject");
        strcpy(q->when, when);
        log_question(q, username, old_password);
        return settle(q);
    }
    return ask_auth(conn, auth, "change_password", "change", old_password,
                    good ? SP_ACCEPT : SP_REJECT);
}

sp_answer on_challenge(sp_conn *conn, sp_auth *auth, const char *username, const char *language,
                       const char *submethods)
{
    client *c = sp_conn_data(conn);
    (void)username;
    (void)language;
    c->round = 0;
    return ask_auth(conn, auth, "get_kbdint_challenge", "kbd", submethods, SP_REJECT);
}

sp_answer on_response(sp_conn *conn, sp_auth *auth, const char *username,
                      const char *const *responses, size_t count)
{
    client *c = sp_conn_data(conn);
    const round_entry *now = find_round(c->challenge, c->round);
    question *q = new_question(c, ASK_AUTH, "validate_kbdint_response");
    bool right = now != NULL && count == now->challenge.prompt_count;
    for (size_t i = 0; right && i < count; i++)
        right = strcmp(responses[i], now->expected[i]) == 0;
    q->auth = auth;
    find_word(username, "resp", q->what, q->when);
    if (strcmp(q->what, "check") == 0) {
        bool more = right && find_round(c->challenge, c->round + 1) != NULL;
        strcpy(q->what, more ? c->challenge : right ? "accept" : "reject");
        if (more)
            q->round = ++c->round;
    }
    char text[16];
    snprintf(text, sizeof text, "%zu", count);
    log_question(q, username, text);
    return settle(q);
}

sp_answer on_completed(sp_conn *conn, sp_auth *auth, const char *username)
{
    const client *c = sp_conn_data(conn);
    sp_algorithms names;
    event e;
    if (!c->app->quiet && sp_conn_algorithms(conn, &names) == 0) {
        event_begin(&e, "login");
        event_number(&e, "conn", (int64_t)c->id);
        event_text(&e, "username", username);
        event_text(&e, "kex", names.kex);
        event_text(&e, "host_key", names.host_key);
        event_text(&e, "cipher_in", names.cipher_in);
        event_text(&e, "cipher_out", names.cipher_out);
        event_text(&e, "mac_in", names.mac_in);
        event_text(&e, "mac_out", names.mac_out);
        event_text(&e, "compression_in", names.compression_in);
        event_text(&e, "compression_out", names.compression_out);
        event_bool(&e, "strict", names.strict_kex);
        event_text(&e, "client", sp_conn_client_version(conn));
        event_end(&e);
    }
    return ask_auth(conn, auth, "auth_completed", "done", NULL, SP_ACCEPT);
}
