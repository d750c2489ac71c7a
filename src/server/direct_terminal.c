/* Direct style on a terminal: the line editor stands between the function and the channel. What the
 * function writes goes through it, so that it knows what the screen shows; what the client types
 * goes into it when the function reads a line. Keys that come earlier wait unseen, as bytes. */
#include "server/direct.h"

#include <string.h>

#define LINE_MAX_BYTES ((size_t)4095) /* as a terminal's line discipline has it */
/* Keys that are edited in one turn of the loop: one may cost as much as the line is long. */
#define TURN_BYTES ((size_t)256)

static sp_term_size size_of(const sp_process *p)
{
    return p->channel->size;
}

/* NULL: there is no terminal, the editor is off, or there is no memory for it. */
spx_editor *sps_direct_editor(sp_process *p)
{
    if (p->editor_off || p->channel->terminal == NULL || p->fiber == NULL)
        return NULL;
    if (p->editor == NULL) {
        p->editor_size = size_of(p);
        const spx_config config = {
            .columns = p->editor_size.columns,
            .rows = p->editor_size.rows,
            .line_max = LINE_MAX_BYTES,
            .history_count = SPX_HISTORY_COUNT,
            .history_bytes = SPX_HISTORY_BYTES,
        };
        if (spx_editor_new(&p->editor, spl_queue_env(p->channel->queue), &config) != 0)
            p->editor = NULL;
    }
    return p->editor;
}

/* ---- output ---- */

/* One try. 1: all is sent; 0: the channel is full; or an error. */
static int push(sp_process *p)
{
    spb_span out = spx_editor_output(p->editor);
    if (out.length == 0)
        return 1;
    ptrdiff_t n = sp_channel_write(p->channel, out.data, out.length);
    if (n < 0)
        return (int)n;
    spx_editor_sent(p->editor, (size_t)n);
    return (size_t)n == out.length;
}

void sps_direct_terminal_push(sp_process *p)
{
    if (p->editor != NULL)
        (void)push(p);
}

int sps_direct_terminal_flush(sp_process *p)
{
    if (p->editor == NULL)
        return 0;
    for (;;) {
        int result = push(p);
        if (result == 1)
            return spx_editor_error(p->editor);
        if (result < 0)
            return result;
        sps_direct_wait_room(p);
    }
}

ptrdiff_t sps_direct_terminal_write(sp_process *p, const void *bytes, size_t length)
{
    const uint8_t *at = bytes;
    size_t left = length;
    do {
        size_t n = spx_editor_write(p->editor, at, left);
        at += n;
        left -= n;
        int result = sps_direct_terminal_flush(p);
        if (result != 0)
            return result;
    } while (left > 0);
    return (ptrdiff_t)length;
}

ptrdiff_t sp_process_tell(sp_process *p, const char *text)
{
    size_t length = strlen(text);
    if (p->fiber == NULL || p->lost)
        return SP_ECONN;
    spx_editor *editor = sps_direct_editor(p);
    if (editor == NULL)
        return sp_channel_write(p->channel, text, length);
    size_t n = spx_editor_write(editor, text, length);
    int result = push(p);
    return result < 0 ? result : (ptrdiff_t)n;
}

/* ---- lines ---- */

static void follow_size(sp_process *p)
{
    sp_term_size now = size_of(p);
    if (now.columns == p->editor_size.columns && now.rows == p->editor_size.rows)
        return;
    p->editor_size = now;
    spx_editor_set_size(p->editor, now.columns, now.rows);
}

static ptrdiff_t give_line(sp_process *p, const spx_event *event, char *line, size_t size)
{
    size_t length = event->text.length;
    bool fits = length < size;
    if (fits && length != 0)
        memcpy(line, event->text.data, length);
    if (fits)
        line[length] = '\0';
    spx_editor_forget(p->editor);
    int result = sps_direct_terminal_flush(p);
    if (result != 0)
        return result;
    return fits ? (ptrdiff_t)length : SP_ELIMIT;
}

/* As with a program in the foreground: a key that interrupts is a signal. */
static ptrdiff_t interrupted(sp_process *p)
{
    int result = sps_direct_terminal_flush(p);
    if (result != 0)
        return result;
    if ((p->events & SP_WAIT_SIGNAL) == 0)
        return SP_ECANCELED;
    memcpy(p->signal_told, "INT", sizeof "INT");
    return SP_ESIGNAL;
}

/* Lets the editor have what came, and others their turn if that is much. True: `*event` is
 * something. */
static bool feed(sp_process *p, spx_event *event)
{
    size_t length = sps_direct_available(p);
    if (length > TURN_BYTES)
        length = TURN_BYTES;
    sps_direct_take(p, spx_editor_input(p->editor, sps_direct_bytes(p), length, event));
    if (event->type != SPX_EVENT_NONE)
        return true;
    if (sps_direct_available(p) > 0)
        sps_direct_give_way(p);
    return false;
}

static ptrdiff_t edit_line(sp_process *p, char *line, size_t size)
{
    for (;;) {
        spx_event event = {.type = SPX_EVENT_NONE};
        follow_size(p);
        int result = sps_direct_terminal_flush(p);
        if (result == 0)
            result = sps_direct_check(p, 0);
        if (result == SP_EAGAIN) {
            sps_direct_wait_input(p);
            continue;
        }
        if (result == SP_EOF)
            spx_editor_input_end(p->editor, &event);
        else if (result != 0)
            return result;
        else if (!feed(p, &event))
            continue;
        if (event.type == SPX_EVENT_LINE)
            return give_line(p, &event, line, size);
        if (event.type == SPX_EVENT_INTERRUPT)
            return interrupted(p);
        if (event.type == SPX_EVENT_EOF) {
            result = sps_direct_terminal_flush(p);
            return result != 0 ? result : SP_EOF;
        }
    }
}

ptrdiff_t sps_direct_terminal_line(sp_process *p, const char *prompt, char *line, size_t size,
                                   bool hidden)
{
    if (prompt != NULL)
        spx_editor_set_prompt(p->editor, prompt, strlen(prompt));
    spx_editor_set_echo(p->editor, hidden ? SPX_ECHO_HIDDEN : SPX_ECHO_NORMAL);
    return edit_line(p, line, size);
}

void sp_process_set_editor(sp_process *p, bool on)
{
    if (!on)
        sps_direct_terminal_push(p);
    p->editor_off = !on;
}
