/* The editor as its callers see it: what they feed, what they set, and the events they get. */
#include "editor/editor_internal.h"
#include <string.h>

static uint32_t within(uint32_t value, uint32_t absent, uint32_t least, uint32_t most)
{
    value = value == 0 ? absent : value;
    return value < least ? least : value > most ? most : value;
}

static uint32_t columns_of(uint32_t columns)
{
    return within(columns, SPX_COLUMNS_DEFAULT, SPX_COLUMNS_MIN, SPX_COLUMNS_MAX);
}

static uint32_t rows_of(uint32_t rows)
{
    return within(rows, SPX_ROWS_DEFAULT, SPX_ROWS_MIN, SPX_ROWS_MAX);
}

static void init_secret(spx_editor *e, spb_buffer *b, size_t limit)
{
    spb_buffer_init(b, &e->env, limit);
    b->secret = true;
}

static void init_buffers(spx_editor *e)
{
    /* A cell of the line has at most one byte more than the text it shows. */
    size_t frame_max = 4 * SPX_PROMPT_MAX + 2 * e->line_max;

    init_secret(e, &e->text, e->line_max + 1);
    init_secret(e, &e->done, e->line_max + 1);
    init_secret(e, &e->kill, e->line_max);
    init_secret(e, &e->stash, e->line_max);
    spb_buffer_init(&e->prompt, &e->env, SPX_PROMPT_MAX + 8);
    spb_buffer_init(&e->tail, &e->env, SPX_PROMPT_MAX);
    spx_frame_init(&e->shown, &e->env, frame_max);
    spx_frame_init(&e->next, &e->env, frame_max);
    spb_buffer_init(&e->out, &e->env, 2 * SPX_OUTPUT_MAX + 8 * frame_max);
}

int spx_editor_new(spx_editor **out, const spb_env *env, const spx_config *config)
{
    static const spx_config none = {0};
    const spx_config *c = config != NULL ? config : &none;
    spx_editor *e = spb_calloc(env, 1, sizeof *e);

    *out = e;
    if (e == NULL)
        return SP_ENOMEM;
    e->env = *env;
    e->line_max = c->line_max == 0 ? SPX_LINE_MAX_DEFAULT : c->line_max;
    if (e->line_max > SPX_LINE_MAX_LIMIT)
        e->line_max = SPX_LINE_MAX_LIMIT;
    e->history_count_max = c->history_bytes == 0 ? 0 : c->history_count;
    e->history_bytes_max = c->history_bytes;
    e->tab = c->tab;
    e->columns = columns_of(c->columns);
    e->rows = rows_of(c->rows);
    e->echo = SPX_ECHO_NORMAL;
    e->input.keys = true;
    e->tail_known = true;
    e->bare = true;
    init_buffers(e);
    return 0;
}

void spx_editor_free(spx_editor *e)
{
    if (e == NULL)
        return;
    spb_env env = e->env;
    spx_editor_history_clear(e);
    spb_buffer_free(&e->text);
    spb_buffer_free(&e->done);
    spb_buffer_free(&e->kill);
    spb_buffer_free(&e->stash);
    spb_buffer_free(&e->prompt);
    spb_buffer_free(&e->tail);
    spx_frame_free(&e->shown);
    spx_frame_free(&e->next);
    spb_buffer_free(&e->out);
    spb_free_secret(&env, e, sizeof *e);
}

static void finish(spx_editor *e, spx_event *event)
{
    event->type = SPX_EVENT_LINE;
    event->secret = e->secret;
    spx_view_end_line(e, "");
    spx_history_enter(e);
    spb_buffer line = e->text;
    e->text = e->done;
    e->done = line;
    event->text = (spb_span){(const uint8_t *)"", 0};
    if (line.data != NULL) {
        line.data[line.length] = '\0'; /* spx_line_insert left room */
        event->text = (spb_span){line.data, line.length};
    }
    spx_line_reset(e);
}

static void give_event(spx_editor *e, spx_event *event)
{
    switch (e->event) {
    case SPX_EVENT_LINE:
        finish(e, event);
        break;
    case SPX_EVENT_INTERRUPT:
        event->type = e->event;
        spx_view_end_line(e, "^C");
        spx_line_reset(e);
        break;
    case SPX_EVENT_EOF:
    case SPX_EVENT_TAB:
    case SPX_EVENT_DATA:
    case SPX_EVENT_NONE:
        event->type = e->event;
        break;
    }
    e->event = SPX_EVENT_NONE;
}

/* True if the byte completed an event. */
static bool take_byte(spx_editor *e, uint8_t byte, spx_event *event)
{
    bool after_return = e->after_return;
    spx_unit unit;

    e->after_return = false;
    if (after_return && byte == '\n')
        return false;
    while (!spx_decoder_take(&e->input, byte, &unit))
        spx_key(e, &unit);
    spx_key(e, &unit);
    if (e->event == SPX_EVENT_NONE)
        return false;
    e->after_return = byte == '\r';
    give_event(e, event);
    return true;
}

static void begin_event(spx_editor *e, spx_event *event)
{
    memset(event, 0, sizeof *event);
    spx_editor_forget(e);
}

size_t spx_editor_input(spx_editor *e, const void *data, size_t length, spx_event *event)
{
    spb_reader reader;

    begin_event(e, event);
    if (length == 0 || e->out.length > SPX_OUTPUT_MAX)
        return 0;
    if (e->raw) {
        event->type = SPX_EVENT_DATA;
        event->text = (spb_span){data, length};
        return length;
    }
    spr_init(&reader, data, length);
    while (spr_left(&reader) > 0)
        if (take_byte(e, spr_u8(&reader), event))
            break;
    return length - spr_left(&reader);
}

void spx_editor_input_end(spx_editor *e, spx_event *event)
{
    begin_event(e, event);
    spx_search_accept(e);
    e->event = e->raw || e->text.length == 0 ? SPX_EVENT_EOF : SPX_EVENT_LINE;
    give_event(e, event);
}

void spx_editor_forget(spx_editor *e)
{
    if (e->done.length > 0)
        spx_wipe(&e->done);
}

spb_span spx_editor_output(spx_editor *e)
{
    spx_view_refresh(e);
    return (spb_span){e->out.data, e->out.length};
}

void spx_editor_sent(spx_editor *e, size_t length)
{
    spb_buffer_consume(&e->out, length);
}

void spx_editor_set_echo(spx_editor *e, spx_echo echo)
{
    spx_search_abort(e);
    e->echo = echo;
    if (echo != SPX_ECHO_NORMAL)
        e->secret = true;
    else if (e->text.length == 0)
        e->secret = false;
}

void spx_editor_set_raw(spx_editor *e, bool raw)
{
    if (raw == e->raw)
        return;
    if (raw)
        spx_view_erase(e);
    e->raw = raw;
    e->after_return = false;
    e->input.state = SPX_DECODE_GROUND;
}

bool spx_editor_is_raw(const spx_editor *e)
{
    return e->raw;
}

void spx_editor_set_size(spx_editor *e, uint32_t columns, uint32_t rows)
{
    spx_view_resize(e, columns_of(columns), rows_of(rows));
}

void spx_editor_hide(spx_editor *e)
{
    spx_view_erase(e);
    e->hidden++;
}

void spx_editor_show(spx_editor *e)
{
    if (e->hidden > 0)
        e->hidden--;
}

spb_span spx_editor_line(const spx_editor *e, size_t *cursor)
{
    if (cursor != NULL)
        *cursor = spx_cluster_snap(e->text.data, e->text.length, e->cursor);
    return (spb_span){e->text.data, e->text.length};
}

void spx_editor_insert(spx_editor *e, const void *text, size_t length)
{
    const uint8_t *bytes = text;
    spx_decoder d = {.state = SPX_DECODE_GROUND};
    spx_unit unit;

    spx_search_accept(e);
    e->killing = false;
    for (size_t i = 0; i < length; i++) {
        bool used;
        do {
            used = spx_decoder_take(&d, bytes[i], &unit);
            if (unit.type == SPX_UNIT_CODE)
                spx_line_insert_code(e, unit.code);
            else if (unit.type == SPX_UNIT_CONTROL && unit.code == '\t' &&
                     e->tab == SPX_TAB_INSERTED)
                (void)spx_line_insert(e, (const uint8_t *)"\t", 1);
        } while (!used);
    }
}

void spx_editor_clear_line(spx_editor *e)
{
    spx_search_abort(e);
    spx_line_set(e, NULL, 0);
    e->walk = e->entry_count;
    e->killing = false;
}

int spx_editor_error(const spx_editor *e)
{
    return e->failed ? SP_ENOMEM : 0;
}
