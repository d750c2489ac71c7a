/* challenges.c: the forms of keyboard-interactive: each is a row of rounds. */
#include "contract.h"

#define PROMPTS(...)                                                                               \
    .prompts = (const sp_prompt[]){__VA_ARGS__},                                                   \
    .prompt_count = sizeof((const sp_prompt[]){__VA_ARGS__}) / sizeof(sp_prompt)

static const round_entry rounds[] = {
    {"one",
     0,
     {.name = "Contract", .instructions = "One question", PROMPTS({"Code: ", false})},
     {"123456", NULL}},
    {"two", 0, {.name = "First", PROMPTS({"Colour: ", true}, {"Word: ", false})}, {"blue", "fish"}},
    {"two",
     1,
     {.name = "Second", .instructions = "And now", PROMPTS({"Code: ", false})},
     {"654321", NULL}},
    {"empty", 0, {.name = "Note", .instructions = "Nothing to type here"}, {NULL, NULL}},
    {"empty", 1, {PROMPTS({"Code: ", false})}, {"123456", NULL}},
    {"many", 0, {PROMPTS({"A: ", true})}, {"a", NULL}},
    {"many", 1, {PROMPTS({"B: ", true})}, {"b", NULL}},
    {"many", 2, {PROMPTS({"C: ", true})}, {"c", NULL}},
    {"many", 3, {PROMPTS({"D: ", true})}, {"d", NULL}},
    {"many", 4, {PROMPTS({"E: ", true})}, {"e", NULL}},
};

const round_entry *find_round(const char *form, unsigned number)
{
    for (size_t i = 0; i < sizeof rounds / sizeof rounds[0]; i++)
        if (strcmp(rounds[i].form, form) == 0 && rounds[i].number == number)
            return &rounds[i];
    return NULL;
}

bool is_challenge(const char *what)
{
    return find_round(what, 0) != NULL;
}
