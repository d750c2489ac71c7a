/* keywords.c: the one table of configuration words: how each is read, where its value goes and how
 * it is printed. The order is that of the printout. Words that this server lacks are in lacking.c.
 */
#include "keywords.h"

#include <stddef.h>
#include <strings.h>
#include <sys/socket.h>
#include <syslog.h>

#define AT(member) offsetof(options, member)

static const choice families[] = {
    {"any", AF_UNSPEC}, {"inet", AF_INET}, {"inet6", AF_INET6}, {NULL, 0}};
static const choice compressions[] = {{"yes", COMPRESSION_DELAYED},
                                      {"delayed", COMPRESSION_DELAYED},
                                      {"no", COMPRESSION_NONE},
                                      {"always", COMPRESSION_ALWAYS},
                                      {NULL, 0}};
static const choice root_logins[] = {{"yes", ROOT_YES},
                                     {"no", ROOT_NO},
                                     {"without-password", ROOT_PROHIBIT_PASSWORD},
                                     {"prohibit-password", ROOT_PROHIBIT_PASSWORD},
                                     {"forced-commands-only", ROOT_FORCED_COMMANDS_ONLY},
                                     {NULL, 0}};
static const choice forwardings[] = {{"yes", FORWARD_ALL},     {"no", FORWARD_NONE},
                                     {"local", FORWARD_LOCAL}, {"remote", FORWARD_REMOTE},
                                     {"all", FORWARD_ALL},     {NULL, 0}};
static const choice gateways[] = {{"no", SP_GATEWAY_NO},
                                  {"yes", SP_GATEWAY_YES},
                                  {"clientspecified", SP_GATEWAY_CLIENT_SPECIFIED},
                                  {NULL, 0}};
static const choice log_levels[] = {{"QUIET", CHOICE_QUIET},     {"FATAL", CHOICE_FATAL},
                                    {"ERROR", CHOICE_ERROR},     {"INFO", CHOICE_INFO},
                                    {"VERBOSE", CHOICE_VERBOSE}, {"DEBUG", CHOICE_DEBUG1},
                                    {"DEBUG1", CHOICE_DEBUG1},   {"DEBUG2", CHOICE_DEBUG2},
                                    {"DEBUG3", CHOICE_DEBUG3},   {NULL, 0}};
static const choice facilities[] = {{"AUTH", LOG_AUTH},
                                    {"AUTHPRIV", LOG_AUTHPRIV},
                                    {"DAEMON", LOG_DAEMON},
                                    {"USER", LOG_USER},
                                    {"LOCAL0", LOG_LOCAL0},
                                    {"LOCAL1", LOG_LOCAL1},
                                    {"LOCAL2", LOG_LOCAL2},
                                    {"LOCAL3", LOG_LOCAL3},
                                    {"LOCAL4", LOG_LOCAL4},
                                    {"LOCAL5", LOG_LOCAL5},
                                    {"LOCAL6", LOG_LOCAL6},
                                    {"LOCAL7", LOG_LOCAL7},
                                    {NULL, 0}};
static const limits small_count = {0, 65536};
static const limits rsa_sizes = {0, 16384};
static const algorithm_kind cipher = {"cipher"};
static const algorithm_kind mac = {"mac"};
static const algorithm_kind kex = {"kex"};
static const algorithm_kind host_key = {"key"};
const choice algorithm_presets[] = {
    {"modern", PRESET_MODERN}, {"compatible", PRESET_COMPATIBLE}, {"fips", PRESET_FIPS}, {NULL, 0}};
static const limits displays = {1, 59000};
static const algorithm_kind ca_signature = {"ca-sig"};
static const algorithm_kind signature = {"sig"};

#define R KEYWORD_REPEATS
#define L KEYWORD_LIST
#define W KEYWORD_RAW
#define M KEYWORD_MATCH
#define S KEYWORD_SERVER
#define V KEYWORD_LIVE
const keyword keywords[] = {
    {"Port", read_port, print_ports, AT(ports), NULL, R},
    {"AddressFamily", read_choice, print_choice, AT(family), families, 0},
    {"ListenAddress", read_listen, print_listen, AT(listen), NULL, R | L},
    {"LoginGraceTime", read_time, print_number, AT(login_grace_seconds), NULL, 0},
    {"MaxAuthTries", read_number, print_number, AT(max_auth_tries), &small_count, M},
    {"MaxSessions", read_number, print_number, AT(max_sessions), &small_count, M},
    {"ClientAliveInterval", read_time, print_number, AT(client_alive_seconds), NULL, M},
    {"ClientAliveCountMax", read_number, print_number, AT(client_alive_count), &small_count, M},
    {"RequiredRSASize", read_number, print_number, AT(required_rsa_size), &rsa_sizes, M},
    {"PermitRootLogin", read_choice, print_choice, AT(permit_root_login), root_logins, M},
    {"PubkeyAuthentication", read_flag, print_flag, AT(public_key_authentication), NULL, M},
    {"PasswordAuthentication", read_flag, print_flag, AT(password_authentication), NULL, M},
    {"KbdInteractiveAuthentication", read_flag, print_flag, AT(kbdint_authentication), NULL, M},
    {"PermitTTY", read_flag, print_flag, AT(permit_tty), NULL, M},
    {"DisableForwarding", read_flag, print_flag, AT(disable_forwarding), NULL, M},
    {"AllowTcpForwarding", read_choice, print_choice, AT(tcp_forwarding), forwardings, M},
    {"AllowStreamLocalForwarding", read_choice, print_choice, AT(streamlocal_forwarding),
     forwardings, M},
    {"AllowAgentForwarding", read_flag, print_flag, AT(agent_forwarding), NULL, M},
    {"X11Forwarding", read_flag, print_flag, AT(x11_forwarding), NULL, M},
    {"X11DisplayOffset", read_number, print_number, AT(x11_display_offset), &displays, M | S},
    {"X11UseLocalhost", read_flag, print_flag, AT(x11_use_localhost), NULL, M | S},
    {"GatewayPorts", read_choice, print_choice, AT(gateway_ports), gateways, M},
    {"StreamLocalBindMask", read_octal, print_octal, AT(bind_mask), NULL, M},
    {"StreamLocalBindUnlink", read_flag, print_flag, AT(bind_unlink), NULL, M},
    {"StrictModes", read_flag, print_flag, AT(strict_modes), NULL, V},
    {"TCPKeepAlive", read_flag, print_flag, AT(tcp_keepalive), NULL, 0},
    {"PermitEmptyPasswords", read_flag, print_flag, AT(permit_empty_passwords), NULL, M},
    {"Compression", read_choice, print_choice, AT(compression), compressions, 0},
    {"PidFile", read_path, print_text, AT(pid_file), NULL, 0},
    {"AlgorithmPreset", read_choice, print_choice, AT(preset), algorithm_presets, 0},
    {"ModuliFile", read_path, print_text, AT(moduli_file), NULL, 0},
    {"Ciphers", read_algorithms, print_algorithms, AT(ciphers), &cipher, 0},
    {"MACs", read_algorithms, print_algorithms, AT(macs), &mac, 0},
    {"Banner", read_path, print_text, AT(banner), NULL, M},
    {"ForceCommand", read_text, print_text, AT(force_command), NULL, W | M},
    {"VersionAddendum", read_text, print_text, AT(version_addendum), NULL, W},
    {"KexAlgorithms", read_algorithms, print_algorithms, AT(kex_algorithms), &kex, 0},
    {"HostKeyAlgorithms", read_algorithms, print_algorithms, AT(host_key_algorithms), &host_key, 0},
    {"PubkeyAcceptedAlgorithms", read_algorithms, print_algorithms, AT(key_algorithms), &signature,
     M},
    {"LogLevel", read_choice, print_choice, AT(log_level), log_levels, M | S | V},
    {"SyslogFacility", read_choice, print_choice, AT(syslog_facility), facilities, 0},
    {"AuthorizedKeysFile", read_strings, print_one_line, AT(authorized_keys_files), NULL, L | M},
    {"HostKey", read_paths, print_list, AT(host_keys), NULL, R},
    {"HostCertificate", read_paths, print_list, AT(host_certificates), NULL, R},
    {"HostKeyAgent", read_agent, print_text, AT(host_key_agent), NULL, 0},
    {"PasswordFile", read_path, print_text, AT(password_file), NULL, V},
    {"AllowUsers", read_users, print_list, AT(allow_users), NULL, R | L | M},
    {"DenyUsers", read_users, print_list, AT(deny_users), NULL, R | L | M},
    {"AllowGroups", read_strings, print_list, AT(allow_groups), NULL, R | L | M},
    {"DenyGroups", read_strings, print_list, AT(deny_groups), NULL, R | L | M},
    {"RefuseConnection", read_flag, print_flag, AT(refuse_connection), NULL, M},
    {"TrustedUserCAKeys", read_path, print_text, AT(trusted_ca_keys), NULL, M},
    {"AuthorizedPrincipalsFile", read_word, print_text, AT(principals_file), NULL, M},
    {"AuthorizedKeysCommand", read_command, print_text, AT(keys_command), NULL, W | M},
    {"AuthorizedKeysCommandUser", read_word, print_text, AT(keys_command_user), NULL, M},
    {"AuthorizedPrincipalsCommand", read_command, print_text, AT(principals_command), NULL, W | M},
    {"AuthorizedPrincipalsCommandUser", read_word, print_text, AT(principals_command_user), NULL,
     M},
    {"CASignatureAlgorithms", read_algorithms, print_algorithms, AT(ca_algorithms), &ca_signature,
     M | S},
    {"PermitUserEnvironment", read_environment, print_environment, AT(permit_environment), NULL, V},
    {"PermitUserRC", read_flag, print_flag, AT(permit_user_rc), NULL, M},
    {"ChrootDirectory", read_restriction, print_text, AT(chroot_directory), NULL, M},
    {"RevokedKeys", read_path, print_text, AT(revoked_keys), NULL, M},
    {"PubkeyAuthOptions", read_key_options, print_text, AT(public_key_options), NULL, W | M},
    {"AcceptEnv", read_strings, print_list, AT(accept_env), NULL, R | L | M},
    {"SetEnv", read_set_env, print_list, AT(set_env), NULL, L | M},
    {"AuthenticationMethods", read_methods, print_methods, AT(chains), NULL, L | M},
    {"Subsystem", read_subsystem, print_subsystems, AT(subsystems), NULL, R | L | V},
    {"MaxStartups", read_startups, print_startups, AT(startups_begin), NULL, 0},
    {"PerSourceMaxStartups", read_limit, print_limit, AT(startups_per_source), NULL, V},
    {"PermitListen", read_listens, print_permits, AT(permit_listen), NULL, L | M},
    {"PermitOpen", read_permits, print_permits, AT(permit_open), NULL, L | M},
    {"RekeyLimit", read_rekey, print_rekey, AT(rekey_bytes), NULL, L | M},
};
const size_t keyword_count = sizeof keywords / sizeof keywords[0];
_Static_assert(sizeof keywords / sizeof keywords[0] <= KEYWORDS_MAX, "options.given is too small");
