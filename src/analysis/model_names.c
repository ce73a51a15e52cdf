/* Names of terms and coefficients: see analysis/model.h. */
#include "analysis/model.h"

#include "core/str.h"

char *pji_model_term_name(const struct pji_model *model, uint32_t term)
{
    struct pji_str name = {0};
    for (size_t v = 0; v < model->terms.variables; v++) {
        if (!(term >> v & 1))
            continue;
        if (name.len > 0)
            pji_str_addc(&name, ':');
        pji_str_add(&name, model->name[v]);
    }
    return pji_str_take(&name);
}

char *pji_model_column_name(const struct pji_model *model, const struct pji_design *design,
                            size_t column)
{
    struct pji_str name = {0};
    size_t term = pji_design_term(design, column);
    size_t level[PJI_VARIABLES];
    pji_design_levels(design, column, level);
    if (term == model->terms.terms)
        pji_str_add(&name, "(Intercept)");
    for (size_t v = 0; term < model->terms.terms && v < model->terms.variables; v++) {
        if (!(model->terms.term[term] >> v & 1))
            continue;
        if (name.len > 0)
            pji_str_addc(&name, ':');
        pji_str_add(&name, model->name[v]);
        if (model->terms.variable[v].code)
            pji_str_add(&name, model->level[v][level[v]]);
    }
    return pji_str_take(&name);
}
