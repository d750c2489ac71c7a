/* Fuzzes src/connection on a stand-in transport: the input is a script of messages from the client
 * and calls of the application. Checked besides memory: nothing is sent on a channel after our
 * CLOSE, no data beyond the peer's window, no event for a channel that has ended, the budget. */
#include "../unit/connection_standin.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

typedef struct script {
    const uint8_t *at;
    const uint8_t *end;
} script;

static uint8_t byte(script *s)
{
    return s->at < s->end ? *s->at++ : 0;
}

static void check(bool ok)
{
    if (!ok)
        abort();
}

static volatile uint8_t touched; /* keeps the reads of what an event lends */
static uint64_t questions[16];
static unsigned question_count;
static bool raw_open; /* a raw CHANNEL_OPEN may take a number twice: then look at less */

static void pull(world *w, unsigned how_many)
{
    while (how_many-- > 0 && spn_next_event(w->c, &w->event)) {
        const sp_event *e = &w->event;
        check(e->type != SP_EVENT_NONE);
        if (e->question != 0 && e->type != SP_EVENT_CANCELED)
            questions[question_count++ % 16] = e->question;
        if (e->type == SP_EVENT_CHANNEL_CLOSED || e->type == SP_EVENT_OPEN_FAILED)
            check(spn_find(w->c, e->channel) == NULL);
        else if (e->type != SP_EVENT_CANCELED && e->type != SP_EVENT_GLOBAL_REQUEST &&
                 e->type != SP_EVENT_SIGN)
            check(spn_find(w->c, e->channel) != NULL);
        uint8_t sum = 0;
        if (e->type == SP_EVENT_OPEN && e->u.open.dest_host != NULL)
            sum ^= (uint8_t)strlen(e->u.open.dest_host) ^ (uint8_t)strlen(e->u.open.orig_host);
        if (e->type == SP_EVENT_OPEN && e->u.open.dest_path != NULL)
            sum ^= (uint8_t)strlen(e->u.open.dest_path);
        if (e->type == SP_EVENT_GLOBAL_REQUEST)
            sum ^= (uint8_t)strlen(e->u.global.path ? e->u.global.path : e->u.global.host);
        if (e->type == SP_EVENT_SIGN)
            for (size_t i = 0; i < e->u.sign.length; i++)
                sum ^= e->u.sign.data[i];
        if (e->type == SP_EVENT_OPEN_FAILED)
            sum ^= (uint8_t)strlen(e->u.open_failed.text);
        if (e->type == SP_EVENT_DATA)
            for (size_t i = 0; i < e->u.data.length; i++)
                sum ^= e->u.data.bytes[i];
        if (e->type == SP_EVENT_REQUEST)
            sum ^= (uint8_t)strlen(e->u.request.text) ^ (uint8_t)strlen(e->u.request.value);
        if (e->type == SP_EVENT_REQUEST && e->u.request.modes.count > 0)
            sum ^= e->u.request.modes.modes[e->u.request.modes.count - 1].opcode;
        touched = sum;
    }
}

static bool closed[65536]; /* by the peer's number: our CLOSE was sent */

/* Looks at what was sent and forgets it. */
static void look(world *w)
{
    for (const sent *m = w->t.first; m != NULL; m = m->next) {
        if (m->bytes[0] < 91 || m->length < 5 || m->bytes[0] == 92)
            continue; /* our own opens have no number of the peer's */
        uint32_t peer = spb_get_u32(m->bytes + 1) % 65536;
        if (m->bytes[0] == 91)
            closed[peer] = false;
        check(raw_open || !closed[peer]);
        if (m->bytes[0] == 97)
            closed[peer] = true;
    }
    world_forget_sent(w);
    check(w->c->windows <= w->t.config.options.window_budget);
}

/* One of our keys, as a client lists it, three times: more than there are. */
static uint8_t proof[3 * 55];
static sp_key *host_keys[2];

static void make_keys(void)
{
    size_t length;
    check(sp_key_generate(&host_keys[0], SP_KEY_ED25519, 0) == 0);
    check(sp_key_generate(&host_keys[1], SP_KEY_ECDSA_P256, 0) == 0);
    const uint8_t *blob = sp_key_blob(host_keys[0], &length);
    check(length == 51);
    for (size_t i = 0; i < 3; i++) {
        spb_put_u32(proof + i * 55, (uint32_t)length);
        memcpy(proof + i * 55 + 4, blob, length);
    }
}

static void message(world *w, script *s)
{
    static uint32_t opens;
    static const char *const names[] = {
        "pty-req",       "env",    "shell",   "exec",
        "subsystem",     "signal", "break",   "eow@openssh.com",
        "window-change", "other",  "x11-req", "auth-agent-req@openssh.com"};
    static uint8_t bytes[70000];
    uint8_t kind = byte(s);
    uint32_t ch = kind >> 5;
    bool want = (kind & 16) != 0;
    const char *name = names[byte(s) % 12];
    switch (kind & 15) {
    case 0:
    case 1: /* each open has a number of its own, so that a CLOSE can be told from the next one's */
        if (name[0] == 's' && name[1] == 'i')
            give(w, 90, "suuususu", "direct-tcpip", ++opens % 65536, byte(s) * 37u, byte(s) * 19u,
                 "host", byte(s) * 300u, "from", 4711u);
        else if (name[0] == 'o')
            give(w, 90, "suuudsu", "direct-streamlocal@openssh.com", ++opens % 65536, byte(s) * 37u,
                 byte(s) * 19u, "/a\0b", (size_t)byte(s) % 5, "", 0u);
        else
            give(w, 90, "suuu", "session", ++opens % 65536, byte(s) * 37u, byte(s) * 19u);
        return;
    case 2:
    case 3:
        give(w, 94, "ud", ch, bytes, (size_t)byte(s) * 129);
        return;
    case 4:
        give(w, 95, "uud", ch, (uint32_t)byte(s) % 3, bytes, (size_t)byte(s));
        return;
    case 5:
        give(w, 93, "uu", ch, byte(s) * 50u);
        return;
    case 6:
        give(w, 96, "u", ch);
        return;
    case 7:
        give(w, 97, "u", ch);
        return;
    case 8:
    case 9:
        if (name[0] == 'p')
            give(w, 98, "usbsuuuud", ch, name, want, "vt", 1u, 2u, 3u, 4u, s->at,
                 (size_t)(s->end - s->at > 20 ? 20 : s->end - s->at));
        else if (strcmp(name, "env") == 0)
            give(w, 98, "usbss", ch, name, want, "A", "B");
        else if (name[0] == 'w')
            give(w, 98, "usbuuuu", ch, name, want, 1u, 2u, 3u, 4u);
        else if (name[0] == 'b')
            give(w, 98, "usbu", ch, name, want, 1u);
        else if (name[0] == 'e' && name[1] == 'x')
            give(w, 98, "usbs", ch, name, want, "ls");
        else if (name[0] == 'x')
            give(w, 98, "usbbssu", ch, name, want, byte(s) & 1, "MIT",
                 (byte(s) & 1) != 0 ? "00ff" : "0", byte(s) * 2u);
        else if (name[0] == 's' && name[1] != 'h')
            give(w, 98, "usbs", ch, name, want, "sftp");
        else
            give(w, 98, "usb", ch, name, want);
        return;
    case 10:
        if (name[0] == 's')
            give(w, 80, "sbsu", name[1] == 'h' ? "tcpip-forward" : "cancel-tcpip-forward", want,
                 "h", byte(s) * 300u);
        else if (name[0] == 'e')
            give(w, 80, "sbs", "streamlocal-forward@openssh.com", want, "/s");
        else if (name[0] == 'o') /* the list may be cut anywhere */
            give(w, 80, "sbr", "hostkeys-prove-00@openssh.com", want, proof,
                 byte(s) % sizeof proof);
        else
            give(w, 80, "sb", "keepalive@openssh.com", want);
        return;
    case 11:
        if (name[0] == 's') {
            closed[++opens % 65536] = false;
            give(w, 91, "uuuu", ch, opens % 65536, byte(s) * 37u, byte(s) * 19u);
        } else if (name[0] == 'e')
            give(w, 92, "uuds", ch, (uint32_t)byte(s), bytes, (size_t)byte(s) * 3, "");
        else
            give(w, 82, "");
        return;
    default: { /* raw bytes behind the number of a message */
        size_t length = byte(s);
        uint8_t number = (uint8_t)(80 + byte(s) % 22);
        raw_open |= number == 90 || number == 91;
        if (length > (size_t)(s->end - s->at))
            length = (size_t)(s->end - s->at);
        give_bytes(w, number, s->at, length);
        s->at += length;
    }
    }
}

static void call(world *w, script *s)
{
    static uint8_t bytes[70000];
    uint8_t kind = byte(s);
    uint32_t ch = kind >> 5;
    uint64_t question = questions[byte(s) % 16];
    sp_channel_options o = {.size = sizeof o, .window_size = byte(s) * 100u, .packet_size = 64};
    switch (kind & 31) {
    case 0:
    case 1:
        spn_accept_open(w->c, question, (byte(s) & 1) != 0 ? &o : NULL);
        break;
    case 2:
        spn_refuse_open(w->c, question, 0, NULL);
        break;
    case 3:
    case 4:
    case 5:
        spn_answer_request(w->c, question, (byte(s) & 7) != 0);
        break;
    case 6:
    case 7:
    case 8: {
        size_t n = (size_t)byte(s) * 100;
        ptrdiff_t took = spn_write(w->c, ch, byte(s) % 2, bytes, n);
        check(took <= (ptrdiff_t)n);
        break;
    }
    case 9:
        spn_write_eof(w->c, ch);
        break;
    case 10:
        spn_pause_reading(w->c, ch);
        break;
    case 11:
    case 12:
        spn_resume_reading(w->c, ch);
        break;
    case 13:
        spn_exit(w->c, ch, 1);
        break;
    case 14:
        spn_exit_with_signal(w->c, ch, "TERM", true, NULL, NULL);
        break;
    case 15:
        spn_close_channel(w->c, ch);
        break;
    case 16:
        spn_abort_channel(w->c, ch);
        break;
    case 17:
        spn_send_eow(w->c, ch);
        break;
    case 18:
        spn_set_xon_xoff(w->c, ch, true);
        break;
    case 19:
        w->t.can_send = false;
        break;
    case 20:
    case 21:
        w->t.can_send = true;
        w->t.data_left = SIZE_MAX;
        spn_flush(w->c);
        break;
    case 22:
        w->t.data_left = byte(s) % 4;
        spn_flush(w->c);
        break;
    case 23:
        spn_send_keepalive(w->c);
        break;
    case 24:
        fail_after = byte(s);
        break;
    case 25:
        if (byte(s) == 1)
            spn_connection_lost(w->c, NULL);
        break;
    case 26:
    case 27: {
        static const char *const kinds[] = {"forwarded-tcpip", "forwarded-streamlocal@openssh.com",
                                            "x11", "auth-agent@openssh.com"};
        const sp_open_request what = {SP_OPEN_REQUEST_INIT, .type = kinds[byte(s) % 4]};
        uint32_t number = UINT32_MAX;
        if (spn_open_channel(w->c, &what, &o, &number) == 0)
            check(spn_find(w->c, number) != NULL);
        break;
    }
    case 28:
    case 29: {
        const sp_global_reply reply = {.accepted = (byte(s) & 3) != 0, .port = byte(s)};
        spn_answer_global(w->c, question, &reply);
        break;
    }
    case 30:
        spn_answer_sign(w->c, question, bytes, byte(s) * 10u);
        break;
    default:
        pull(w, 1);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    script s = {data, data + size};
    world w;
    question_count = 0;
    raw_open = false;
    memset(questions, 0, sizeof questions);
    live_blocks = 0;
    fail_after = -1;
    if (host_keys[0] == NULL)
        make_keys();
    world_init(&w);
    w.t.config.host_keys = host_keys;
    w.t.config.host_key_count = w.t.config.all_key_count = 2;
    w.t.config.options.window_size = 20000;
    w.t.config.options.window_budget = 100000;
    w.t.config.options.packet_size = 16384;
    check(spn_new(&w.c, &w.t) == 0);
    permit_all(&w);
    if (size > 0 && (byte(&s) & 1) != 0)
        spn_release(w.c);
    while (s.at < s.end && !w.t.failed) {
        uint8_t what = byte(&s);
        if (what < 120)
            message(&w, &s);
        else if (what < 230)
            call(&w, &s);
        else if (what < 240)
            spn_release(w.c);
        if (what % 4 != 0)
            pull(&w, 100);
        look(&w);
    }
    fail_after = -1;
    spn_connection_lost(w.c, NULL);
    if ((size & 1) != 0) {
        pull(&w, UINT32_MAX);
        check(spn_channel_count(w.c) == 0);
        check(w.c->global_count == 0 && w.c->globals_due == 0 && w.c->global_bytes == 0);
    }
    world_end(&w);
    check(live_blocks == 0);
    return 0;
}
