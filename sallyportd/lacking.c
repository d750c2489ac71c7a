/* lacking.c: words of sshd_config that this server knows and does not have. */
#include <stdio.h>
#include <strings.h>

#include "keywords.h"

static const lacking_word lacking[] = {
    {"UsePAM", "no", "no", false},
    {"XAuthLocation", "*", NULL, false},
    {"PermitTunnel", "no", "no", true},
    {"HostbasedAuthentication", "no", "no", true},
    {"HostbasedAcceptedAlgorithms", "", NULL, true},
    {"HostbasedUsesNameFromPacketOnly", "no", NULL, true},
    {"IgnoreRhosts", "yes", "yes", true},
    {"IgnoreUserKnownHosts", "*", NULL, false},
    {"KerberosAuthentication", "no", "no", true},
    {"KerberosGetAFSToken", "no", NULL, false},
    {"KerberosOrLocalPasswd", "*", NULL, false},
    {"KerberosTicketCleanup", "*", NULL, false},
    {"GSSAPIAuthentication", "no", "no", true},
    {"GSSAPICleanupCredentials", "*", NULL, false},
    {"GSSAPIKeyExchange", "no", "no", false},
    {"GSSAPIKexAlgorithms", "", NULL, false},
    {"GSSAPIStrictAcceptorCheck", "*", NULL, false},
    {"GSSAPIStoreCredentialsOnRekey", "no", NULL, false},
    {"PrintMotd", "no", "no", false},
    {"PrintLastLog", "no", "no", false},
    {"ExposeAuthInfo", "no", "no", true},
    {"UseDNS", "no", "no", false},
    {"FingerprintHash", "sha256", "SHA256", false},
    {"IPQoS", "none", "none", true},
    {"LogVerbose", "none", NULL, true},
    {"SecurityKeyProvider", "internal", NULL, false},
    {"PerSourceNetBlockSize", "32:128", "32:128", false},
    {"PerSourcePenalties", "no", NULL, false},
    {"PerSourcePenaltyExemptList", "*", NULL, false},
    {"UnusedConnectionTimeout", "none", "none", true},
    {"ChannelTimeout", "none", "none", true},
    {"RDomain", "none", NULL, true},
    {"DebianBanner", "*", NULL, false},
    {"SshdSessionPath", "*", NULL, false},
    {"SshdAuthPath", "*", NULL, false},
};

static const char *const deprecated[] = {
    "AFSTokenPassing",
    "AuthorizedKeysFile2",
    "CheckMail",
    "KerberosTgtPassing",
    "KeyRegenerationInterval",
    "PAMAuthenticationViaKbdInt",
    "Protocol",
    "ReverseMappingCheck",
    "RhostsAuthentication",
    "RhostsRSAAuthentication",
    "RSAAuthentication",
    "ServerKeyBits",
    "UseLogin",
    "UsePrivilegeSeparation",
    "VerifyReverseMapping",
};

static const char *const aliases[][2] = {
    {"ChallengeResponseAuthentication", "KbdInteractiveAuthentication"},
    {"DSAAuthentication", "PubkeyAuthentication"},
    {"GSSAPICleanupCreds", "GSSAPICleanupCredentials"},
    {"HostbasedAcceptedKeyTypes", "HostbasedAcceptedAlgorithms"},
    {"HostDSAKey", "HostKey"},
    {"KeepAlive", "TCPKeepAlive"},
    {"PubkeyAcceptedKeyTypes", "PubkeyAcceptedAlgorithms"},
    {"SkeyAuthentication", "KbdInteractiveAuthentication"},
};

const lacking_word *lacking_word_find(const char *name)
{
    for (size_t i = 0; i < sizeof lacking / sizeof lacking[0]; i++)
        if (strcasecmp(lacking[i].name, name) == 0)
            return &lacking[i];
    return NULL;
}

bool deprecated_word(const char *name)
{
    for (size_t i = 0; i < sizeof deprecated / sizeof deprecated[0]; i++)
        if (strcasecmp(deprecated[i], name) == 0)
            return true;
    return false;
}

const char *word_by_alias(const char *name)
{
    for (size_t i = 0; i < sizeof aliases / sizeof aliases[0]; i++)
        if (strcasecmp(aliases[i][0], name) == 0)
            return aliases[i][1];
    return name;
}

void lacking_words_print(FILE *out)
{
    for (size_t i = 0; i < sizeof lacking / sizeof lacking[0]; i++) {
        if (lacking[i].printed == NULL)
            continue;
        for (const char *c = lacking[i].name; *c != '\0'; c++)
            (void)fputc(*c >= 'A' && *c <= 'Z' ? *c - 'A' + 'a' : *c, out);
        (void)fprintf(out, " %s\n", lacking[i].printed);
    }
}
