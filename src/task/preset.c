#include "task/preset.h"

#include <string.h>

static const struct pji_preset presets[] = {
    {"boolq",
     "{passage}\n\nQuestion: {question}?\nAnswer with yes or no.\nAnswer:",
     "label",
     {{"true", "yes"}, {"false", "no"}},
     2,
     PJI_SCORER_BINARY,
     "yes"},
    {"cb",
     "Premise: {premise}\nHypothesis: {hypothesis}\nDoes the premise entail the hypothesis, "
     "contradict it, or neither?\nAnswer with entailment, contradiction or neutral.\nAnswer:",
     "label",
     {{"entailment", "entailment"}, {"contradiction", "contradiction"}, {"neutral", "neutral"}},
     3,
     PJI_SCORER_CHOICE,
     NULL},
    {"copa",
     "{premise}\nWhich is its more likely {question}?\n1: {choice1}\n2: {choice2}\nAnswer with 1 "
     "or 2.\nAnswer:",
     "label",
     {{"0", "1"}, {"1", "2"}},
     2,
     PJI_SCORER_CHOICE,
     NULL},
    {"rte",
     "Premise: {premise}\nHypothesis: {hypothesis}\nDoes the hypothesis follow from the "
     "premise?\nAnswer with yes or no.\nAnswer:",
     "label",
     {{"entailment", "yes"}, {"not_entailment", "no"}},
     2,
     PJI_SCORER_BINARY,
     "yes"},
    {"wic",
     "Sentence 1: {sentence1}\nSentence 2: {sentence2}\nIs the word \"{word}\" used in the same "
     "sense in both?\nAnswer with yes or no.\nAnswer:",
     "label",
     {{"true", "yes"}, {"false", "no"}},
     2,
     PJI_SCORER_BINARY,
     "yes"},
    {"wsc",
     "{text}\n\nIn this text, does \"{target.span2_text}\" refer to "
     "\"{target.span1_text}\"?\nAnswer with yes or no.\nAnswer:",
     "label",
     {{"true", "yes"}, {"false", "no"}},
     2,
     PJI_SCORER_BINARY,
     "yes"},
};

enum { N_PRESETS = sizeof presets / sizeof presets[0] };

const struct pji_preset *pji_preset_at(size_t i)
{
    return i < N_PRESETS ? &presets[i] : NULL;
}

const struct pji_preset *pji_preset_find(const char *name)
{
    for (size_t i = 0; i < N_PRESETS; i++)
        if (strcmp(presets[i].name, name) == 0)
            return &presets[i];
    return NULL;
}
