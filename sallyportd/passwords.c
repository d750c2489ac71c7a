/* passwords.c: crypt(3) passwords. There is no PAM here. */
#include "passwords.h"

#include <crypt.h>
#include <errno.h>
#include <shadow.h>
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "log.h"

#define HASH_SIZE 512
#define PASSWORD_MAX 1024

static bool hash_from_file(const account *a, const options *o, char hash[HASH_SIZE], char *problem,
                           size_t size)
{
    const file_rules rules = {
        .strict = o->strict_modes != 0, .secret = true, .uid = a->uid, .home = a->home};
    size_t length;
    bool absent;
    char *text = file_read(o->password_file, &rules, &length, &absent, problem, size);

    if (text == NULL)
        return false;
    size_t line = strcspn(text, "\r\n");
    bool fits = line > 0 && line < HASH_SIZE;
    if (fits) {
        memcpy(hash, text, line);
        hash[line] = '\0';
    } else {
        (void)snprintf(problem, size, "%s: no password hash in its first line", o->password_file);
    }
    explicit_bzero(text, length);
    free(text);
    return fits;
}

static bool hash_from_shadow(const account *a, char hash[HASH_SIZE], char *problem, size_t size)
{
    char store[4096];
    struct spwd entry;
    struct spwd *found = NULL;
    int error = getspnam_r(a->name, &entry, store, sizeof store, &found);
    bool fits = error == 0 && found != NULL && strlen(found->sp_pwdp) < HASH_SIZE;

    if (fits)
        memcpy(hash, found->sp_pwdp, strlen(found->sp_pwdp) + 1);
    else
        (void)snprintf(problem, size, "the shadow entry of %s can't be read%s%s", a->name,
                       error != 0 ? ": " : "", error != 0 ? strerror(error) : "");
    explicit_bzero(store, sizeof store);
    return fits;
}

static bool load_hash(const account *a, const options *o, char hash[HASH_SIZE], char *problem,
                      size_t size)
{
    return o->password_file != NULL ? hash_from_file(a, o, hash, problem, size)
                                    : hash_from_shadow(a, hash, problem, size);
}

/* Without a shortcut at the first different character. */
static bool same_text(const char *a, const char *b)
{
    size_t length = strlen(a);
    unsigned difference = length != strlen(b);

    for (size_t i = 0; i < length && b[i] != 0; i++)
        difference |= (unsigned)(unsigned char)a[i] ^ (unsigned char)b[i];
    return difference == 0;
}

static bool crypt_matches(const char *password, const char *hash)
{
    struct crypt_data *data = calloc(1, sizeof *data);
    bool matches = false;

    if (data == NULL)
        return false;
    const char *result = crypt_r(password, hash, data);
    /* A locked entry ("!", "*") is no hash, and what comes back for it starts with '*'. */
    if (result != NULL && result[0] != '*')
        matches = same_text(result, hash);
    explicit_bzero(data, sizeof *data);
    free(data);
    return matches;
}

bool password_check(const account *a, const options *o, const char *password)
{
    char hash[HASH_SIZE];
    char problem[512];
    bool right = false;

    if (password == NULL || strlen(password) > PASSWORD_MAX)
        return false;
    if (*password == '\0' && !o->permit_empty_passwords)
        return false;
    if (!load_hash(a, o, hash, problem, sizeof problem)) {
        log_error("No password can be right: %s", problem);
        return false;
    }
    if (hash[0] == '\0')
        right = *password == '\0'; /* only where PermitEmptyPasswords let it come here */
    else
        right = crypt_matches(password, hash);
    explicit_bzero(hash, sizeof hash);
    return right;
}

bool password_hash_available(const account *a, const options *o)
{
    char hash[HASH_SIZE];
    char problem[512];
    bool available = load_hash(a, o, hash, problem, sizeof problem);

    if (!available) {
        log_error("Passwords are on, but none can be right: %s", problem);
    } else if (strlen(hash) < 13 && !(hash[0] == '\0' && o->permit_empty_passwords)) {
        log_error("Passwords are on, but none can be right: the account has none, or is locked");
        available = false;
    }
    explicit_bzero(hash, sizeof hash);
    return available;
}
