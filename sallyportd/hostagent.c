/* hostagent.c: host keys in an ssh-agent (sshd_config(5): HostKeyAgent). The file of such a key has
 * its public half only. */
#include <stdlib.h>
#include <string.h>

#include "files.h"
#include "keys.h"
#include "log.h"

const char *host_agent_path(const options *o)
{
    if (o->host_key_agent == NULL)
        return NULL;
    if (strcmp(o->host_key_agent, "SSH_AUTH_SOCK") != 0)
        return o->host_key_agent;
    return getenv("SSH_AUTH_SOCK");
}

static sp_key *read_public(const char *path)
{
    const file_rules rules = {.strict = false};
    sp_key *key = NULL;
    char problem[512];
    size_t length;
    bool absent;
    char *text = file_read(path, &rules, &length, &absent, problem, sizeof problem);

    if (text != NULL) {
        text[strcspn(text, "\r\n")] = '\0';
        if (sp_key_parse_public(&key, text) != 0)
            key = NULL;
    }
    free(text);
    return key;
}

static int find_in_agent(sp_key **key, const sp_key *wanted, const char *agent)
{
    sp_key **keys = NULL;
    size_t count = 0;
    int result = sp_agent_keys(agent, &keys, &count);

    if (result != 0) {
        log_error("Could not connect to agent \"%s\": %s", agent, sp_strerror(result));
        return result;
    }
    result = SP_ENOENT;
    for (size_t i = 0; result == SP_ENOENT && i < count; i++)
        if (sp_key_equal(keys[i], wanted))
            result = sp_key_new_external(key, wanted);
    sp_agent_keys_free(keys, count);
    return result;
}

int host_agent_key(sp_key **key, const char *path, const options *o)
{
    char *beside = text_format("%s.pub", path);
    sp_key *wanted = read_public(path);

    if (wanted == NULL && beside != NULL)
        wanted = read_public(beside);
    int result = wanted != NULL ? find_in_agent(key, wanted, host_agent_path(o)) : SP_ENOENT;
    sp_key_unref(wanted);
    free(beside);
    return result;
}
