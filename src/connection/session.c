/* The requests of a session (RFC 4254 6, terminal modes 8; break: RFC 4335; eow: OpenSSH PROTOCOL
 * 2.1; agent forwarding: OpenSSH's, draft-ietf-sshm-ssh-agent 5.2). To add one, write its parser
 * and give it a row in the table at the end. */
#include "connection/connection_internal.h"

#include <string.h>

enum {
    TTY_OP_END = 0,
    TTY_OP_ISPEED = 128,
    TTY_OP_OSPEED = 129,
    TTY_OP_LAST = 159, /* from the next one on, the length of the argument is not defined */
};

/* A text that becomes a C string of the application's. */
static spb_span text_field(spb_reader *r, spn_request_fields *fields)
{
    spb_span text = spr_string(r);
    if (text.length > 0 && memchr(text.data, '\0', text.length) != NULL)
        fields->impossible = true;
    return text;
}

static void parse_size(spb_reader *r, spn_request_fields *fields)
{
    fields->size.columns = spr_u32(r);
    fields->size.rows = spr_u32(r);
    fields->size.width = spr_u32(r);
    fields->size.height = spr_u32(r);
}

void spn_decode_modes(spb_span text, spn_request_fields *fields)
{
    uint8_t place[TTY_OP_LAST + 1] = {0}; /* where in the list an opcode stands, from 1 */
    spb_reader r;
    spr_init(&r, text.data, text.length);
    while (spr_left(&r) > 0) {
        uint8_t opcode = spr_u8(&r);
        if (opcode == TTY_OP_END || opcode > TTY_OP_LAST)
            break;
        uint32_t value = spr_u32(&r);
        if (!spr_ok(&r)) {
            fields->impossible = true;
            break;
        }
        if (opcode == TTY_OP_ISPEED) {
            fields->input_speed = value;
        } else if (opcode == TTY_OP_OSPEED) {
            fields->output_speed = value;
        } else {
            if (place[opcode] == 0)
                place[opcode] = (uint8_t)++fields->mode_count;
            fields->modes[place[opcode] - 1] = (sp_term_mode){opcode, value};
        }
    }
}

static void parse_pty(spb_reader *r, spn_request_fields *fields)
{
    fields->text = text_field(r, fields);
    parse_size(r, fields);
    spb_span modes = spr_string(r);
    if (spr_ok(r))
        spn_decode_modes(modes, fields);
}

static void parse_env(spb_reader *r, spn_request_fields *fields)
{
    fields->text = text_field(r, fields);
    fields->value = text_field(r, fields);
}

static void parse_text(spb_reader *r, spn_request_fields *fields)
{
    fields->text = text_field(r, fields);
}

static void parse_break(spb_reader *r, spn_request_fields *fields)
{
    fields->milliseconds = spr_u32(r);
}

static bool all_of(spb_span text, bool (*belongs)(uint8_t byte))
{
    for (size_t i = 0; i < text.length; i++)
        if (!belongs(text.data[i]))
            return false;
    return true;
}

static bool is_hex_digit(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
           (byte >= 'A' && byte <= 'F');
}

static bool is_name_byte(uint8_t byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
           (byte >= 'A' && byte <= 'Z') || byte == '-';
}

static void parse_x11(spb_reader *r, spn_request_fields *fields)
{
    fields->single_connection = spr_bool(r);
    fields->text = spr_string(r);
    fields->value = spr_string(r);
    fields->screen = spr_u32(r);
    fields->secret = true;
    if (fields->text.length == 0 || fields->text.length > SPN_X11_PROTOCOL_MAX ||
        !all_of(fields->text, is_name_byte) || fields->value.length == 0 ||
        fields->value.length > SPN_X11_COOKIE_MAX || fields->value.length % 2 != 0 ||
        !all_of(fields->value, is_hex_digit) || fields->screen > SPN_X11_SCREEN_MAX)
        fields->impossible = true;
}

static bool pty_allowed(const spn_channel *ch, const spn_request *request)
{
    (void)request;
    return !ch->pty && ch->start == SPN_SETUP && spn_may(ch->c, SPK_PERMIT_PTY);
}

static void pty_answered(spn_channel *ch, const spn_request *request, bool accepted)
{
    (void)request;
    ch->pty |= accepted;
}

static bool agent_allowed(const spn_channel *ch, const spn_request *request)
{
    (void)request;
    return !ch->agent && ch->start == SPN_SETUP && spn_may(ch->c, SPK_PERMIT_AGENT_FORWARDING);
}

static void agent_answered(spn_channel *ch, const spn_request *request, bool accepted)
{
    (void)request;
    ch->agent |= accepted;
}

static bool x11_allowed(const spn_channel *ch, const spn_request *request)
{
    (void)request;
    return !ch->x11 && ch->start == SPN_SETUP && spn_may(ch->c, SPK_PERMIT_X11_FORWARDING);
}

static void x11_answered(spn_channel *ch, const spn_request *request, bool accepted)
{
    (void)request;
    ch->x11 |= accepted;
}

static size_t env_size(const spn_request *request)
{
    return strlen(request->text) + strlen(request->value) + 2;
}

static bool env_allowed(const spn_channel *ch, const spn_request *request)
{
    size_t size = env_size(request);
    return ch->start == SPN_SETUP && ch->env_count < SPN_ENV_MAX && size <= SPN_ENV_BYTES_MAX &&
           ch->env_bytes <= SPN_ENV_BYTES_MAX - size && !spn_variable_is_set(ch->c, request->text);
}

static void env_answered(spn_channel *ch, const spn_request *request, bool accepted)
{
    if (!accepted)
        return;
    ch->env_count++;
    ch->env_bytes += env_size(request);
}

static bool not_started(const spn_channel *ch, const spn_request *request)
{
    (void)request;
    return ch->start == SPN_SETUP;
}

static bool started(const spn_channel *ch, const spn_request *request)
{
    return !not_started(ch, request);
}

static void start_answered(spn_channel *ch, const spn_request *request, bool accepted)
{
    (void)request;
    if (!accepted)
        return;
    ch->start = SPN_START_DUE;
    spn_ready(ch);
}

const spn_request_type spn_no_requests[] = {
    {NULL, 0, false, NULL, NULL, NULL, NULL},
};

const spn_request_type spn_session_requests[] = {
    {"pty-req", SP_REQUEST_PTY, false, parse_pty, pty_allowed, pty_answered, NULL},
    {"env", SP_REQUEST_ENV, false, parse_env, env_allowed, env_answered, NULL},
    {"shell", SP_REQUEST_SHELL, false, NULL, not_started, start_answered, NULL},
    {"exec", SP_REQUEST_EXEC, false, parse_text, not_started, start_answered, NULL},
    {"subsystem", SP_REQUEST_SUBSYSTEM, false, parse_text, not_started, start_answered, NULL},
    {"window-change", SP_REQUEST_WINDOW_CHANGE, true, parse_size, NULL, NULL, NULL},
    {"signal", SP_REQUEST_SIGNAL, true, parse_text, started, NULL, NULL},
    {"break", SP_REQUEST_BREAK, false, parse_break, NULL, NULL, NULL},
    {"auth-agent-req@openssh.com", SP_REQUEST_AGENT, false, NULL, agent_allowed, agent_answered,
     NULL},
    {"x11-req", SP_REQUEST_X11, false, parse_x11, x11_allowed, x11_answered, NULL},
    {"eow@openssh.com", 0, false, NULL, NULL, NULL, spn_discard_normal},
    {NULL, 0, false, NULL, NULL, NULL, NULL},
};
