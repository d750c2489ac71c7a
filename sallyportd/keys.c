/* keys.c: loads and makes the keys at the start. */
#include "keys.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "log.h"

#define COMMENT_MAX 320

/* ---- the state directory --------------------------------------------------------------------- */

static int make_directories(const char *path)
{
    char *copy = text_copy(path);
    int result = copy != NULL ? 0 : -1;

    for (char *at = copy; result == 0 && at != NULL;) {
        at = strchr(at + 1, '/');
        if (at != NULL)
            *at = '\0';
        if (mkdir(copy, 0700) != 0 && errno != EEXIST)
            result = -1;
        if (at != NULL)
            *at = '/';
    }
    free(copy);
    return result;
}

int state_hold(const account *a)
{
    struct stat st;
    int fd = -1;

    if (make_directories(a->state_directory) == 0)
        fd = open(a->state_directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0) {
        log_error("State directory %s: %s", a->state_directory, strerror(errno));
        if (fd >= 0)
            close(fd);
        return -1;
    }
    if (st.st_uid != a->uid || (st.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
        log_error("State directory %s: it belongs to somebody else, or others can write to it",
                  a->state_directory);
        close(fd);
        return -1;
    }
    while (flock(fd, LOCK_EX) != 0 && errno == EINTR)
        continue;
    return fd;
}

void state_release(int held)
{
    if (held >= 0)
        close(held);
}

/* ---- making keys ----------------------------------------------------------------------------- */

static void make_comment(const account *a, char comment[COMMENT_MAX])
{
    char host[128] = "";

    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(comment, COMMENT_MAX, "%.160s@%s", a->name, host);
}

/* Beside the private key, for ssh-keygen and for people. */
static int save_public(const sp_key *key, const char *path, const char *comment)
{
    char line[4096];
    char *file = text_format("%s.pub", path);
    int length = sp_key_format_public(key, comment, line, sizeof line);
    int fd = -1;
    int result = -1;

    if (file != NULL && length > 0 && (size_t)length < sizeof line - 1) {
        line[length++] = '\n';
        fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
    }
    if (fd >= 0) {
        result = write(fd, line, (size_t)length) == length ? 0 : -1;
        if (fchmod(fd, 0644) != 0 || close(fd) != 0)
            result = -1;
    }
    if (result != 0)
        log_error("%s.pub can't be written: %s", path, strerror(errno));
    free(file);
    return result;
}

static int make_key(sp_key **key, sp_key_type type, const char *path, const account *a)
{
    char comment[COMMENT_MAX];

    make_comment(a, comment);
    int result = sp_key_generate(key, type, 0);
    if (result != 0) {
        log_error("No key could be made for %s: %s", path, sp_strerror(result));
        return -1;
    }
    result = sp_key_save_private(*key, path, comment);
    if (result != 0) {
        log_error("%s can't be written: %s", path, sp_strerror(result));
    } else if (save_public(*key, path, comment) == 0) {
        log_info("Made the key %s", path);
        return 0;
    }
    sp_key_unref(*key);
    *key = NULL;
    return -1;
}

/* ---- loading --------------------------------------------------------------------------------- */

/* 0, or a negative SP_E... that was logged. */
static int load_key(sp_key **key, const char *path, const char *what)
{
    struct stat st;

    if (stat(path, &st) == 0 && st.st_uid == geteuid() && (st.st_mode & 077) != 0) {
        log_error("%s %s is not protected: its mode is %04o, so that others than its owner have "
                  "access to it. It is not used. (chmod 600 %s)",
                  what, path, (unsigned)(st.st_mode & 07777), path);
        return SP_EACCES;
    }
    int result = sp_key_load_private(key, path, NULL);
    if (result == SP_EPASSPHRASE)
        log_error("%s %s has a passphrase: there is nobody to ask for it", what, path);
    else if (result != 0)
        log_error("%s %s can't be loaded: %s", what, path,
                  access(path, R_OK) != 0 ? strerror(errno) : sp_strerror(result));
    return result;
}

static bool shown(const host_keys *keys, const sp_key *key)
{
    bool wanted = keys->count < HOST_KEYS_MAX;

    for (size_t i = 0; i < keys->count; i++)
        wanted = wanted && sp_key_get_type(keys->keys[i]) != sp_key_get_type(key);
    return wanted;
}

/* Takes over `key`. One key of a type is all that a client can be shown in the key exchange; it is
 * told of the others when it has logged in. */
static void add_host_key(host_keys *keys, sp_key *key, const char *path, const options *o)
{
    bool first = shown(keys, key);
    bool wanted = first || keys->further_count < FURTHER_KEYS_MAX;

    if (!wanted)
        log_error("Host key %s is not used: there are too many", path);
    else if (!first)
        log_info("Host key %s: there is one of its type before it; clients are told of this one",
                 path);
    if (sp_key_get_type(key) == SP_KEY_RSA && sp_key_bits(key) < o->required_rsa_size) {
        log_error("Host key %s is not used: %u bits are less than RequiredRSASize", path,
                  sp_key_bits(key));
        wanted = false;
    }
    if (wanted) {
        char print[SP_FINGERPRINT_SIZE];
        (void)sp_key_fingerprint_by(key, (sp_fingerprint_hash)o->fingerprint_hash, print);
        log_debug("Host key %s: %s %s", path, sp_key_type_name(key), print);
        if (first)
            keys->keys[keys->count++] = key;
        else
            keys->further[keys->further_count++] = key;
    } else {
        sp_key_unref(key);
    }
}

static int load_own_host_keys(host_keys *keys, const options *o, const account *a, bool may_make)
{
    static const struct {
        const char *name;
        sp_key_type type;
    } own[] = {{"ssh_host_ed25519_key", SP_KEY_ED25519},
               {"ssh_host_ecdsa_key", SP_KEY_ECDSA_P256},
               {"ssh_host_rsa_key", SP_KEY_RSA}};
    int result = 0;

    for (size_t i = 0; i < sizeof own / sizeof own[0]; i++) {
        char *path = text_format("%s/%s", a->state_directory, own[i].name);
        sp_key *key = NULL;
        if (path == NULL)
            result = -1;
        else if (access(path, F_OK) == 0)
            (void)load_key(&key, path, "Host key");
        else if (may_make)
            (void)make_key(&key, own[i].type, path, a);
        if (key != NULL)
            add_host_key(keys, key, path, o);
        free(path);
    }
    /* A test of the configuration makes no keys and does without. */
    return result == 0 && (keys->count > 0 || !may_make) ? 0 : -1;
}

/* Takes over `cert`. */
static void add_certificate(host_keys *keys, sp_cert *cert, const char *path)
{
    const char *problem = "No matching private key for certificate";

    for (size_t i = 0; i < keys->count; i++)
        if (sp_key_equal(keys->keys[i], sp_cert_key(cert)))
            problem = NULL;
    if (sp_cert_get_type(cert) != SP_CERT_HOST)
        problem = "Not a certificate for hosts";
    for (size_t i = 0; i < keys->certificate_count; i++)
        if (sp_key_equal(sp_cert_key(keys->certificates[i]), sp_cert_key(cert)))
            problem = "There is another certificate for the same key";
    if (problem == NULL && keys->certificate_count < HOST_KEYS_MAX) {
        keys->certificates[keys->certificate_count++] = cert;
        return;
    }
    log_error("%s: %s", problem != NULL ? problem : "Too many host certificates", path);
    sp_cert_unref(cert);
}

/* As in sshd, one that can't be used is told of, and is left out. */
static void load_certificates(host_keys *keys, const options *o)
{
    for (size_t i = 0; i < o->host_certificates.count; i++) {
        const char *path = o->host_certificates.items[i];
        sp_cert *cert = NULL;
        int result = sp_cert_load(&cert, path);
        if (result == 0)
            add_certificate(keys, cert, path);
        else
            log_error("Could not load host certificate \"%s\": %s", path,
                      access(path, R_OK) != 0 ? strerror(errno) : sp_strerror(result));
    }
}

int host_keys_load(host_keys *keys, const options *o, const account *a, bool may_make)
{
    int result = 0;

    *keys = (host_keys){.count = 0};
    if (o->host_keys.count == 0)
        result = load_own_host_keys(keys, o, a, may_make);
    for (size_t i = 0; i < o->host_keys.count; i++) {
        const char *path = o->host_keys.items[i];
        sp_key *key = NULL;
        if ((host_agent_path(o) != NULL && host_agent_key(&key, path, o) == 0) ||
            load_key(&key, path, "Host key") == 0)
            add_host_key(keys, key, path, o);
    }
    load_certificates(keys, o);
    return result == 0 && (keys->count > 0 || o->host_keys.count == 0) ? 0 : -1;
}

void host_keys_free(host_keys *keys)
{
    for (size_t i = 0; i < keys->count; i++)
        sp_key_unref(keys->keys[i]);
    for (size_t i = 0; i < keys->further_count; i++)
        sp_key_unref(keys->further[i]);
    for (size_t i = 0; i < keys->certificate_count; i++)
        sp_cert_unref(keys->certificates[i]);
    *keys = (host_keys){.count = 0};
}

int client_key_prepare(const account *a)
{
    char *path = text_format("%s/" CLIENT_KEY_NAME, a->state_directory);
    sp_key *key = NULL;
    int result = -1;

    if (path != NULL && access(path, F_OK) == 0)
        result = load_key(&key, path, "Client key");
    else if (path != NULL)
        result = make_key(&key, SP_KEY_ED25519, path, a);
    /* A start that was cut short may have left the private half alone. */
    if (result == 0) {
        char *public_half = text_format("%s.pub", path);
        char comment[COMMENT_MAX];
        make_comment(a, comment);
        if (public_half == NULL ||
            (access(public_half, F_OK) != 0 && save_public(key, path, comment) != 0))
            result = -1;
        free(public_half);
    }
    sp_key_unref(key);
    free(path);
    return result == 0 ? 0 : -1;
}
