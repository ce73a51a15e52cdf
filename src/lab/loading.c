/* lab/loading.c - see loading.h. */
#include "lab/loading.h"

#include "energy/series.h"

#include <math.h>

/* After how many requests serving has taken as much as loading: E_load / (E_window / served). What
 * one instrument does wrong in both cancels as far as it is proportional. */
static struct pji_metric_row break_even(const char *task, const struct pj_energy *load,
                                        const struct pj_energy *window, double served)
{
    struct pji_ratio ratio;
    struct pji_metric_row row = {
        .task = task, .name = "load_break_even_requests", .value = (double)NAN, .origin = ""};
    if (load->origin == PJ_ORIGIN_MISSING) {
        row.reason = load->reason;
    } else if (window->origin == PJ_ORIGIN_MISSING) {
        row.reason = window->reason;
    } else if (!(served > 0)) {
        row.reason = "no request succeeded";
    } else if (!(window->value_j > 0) || pji_energy_ratio(&ratio, load, window, NULL) != PJ_OK) {
        row.reason = "the measured window took no energy";
    } else {
        row.reason = "";
        row.value = ratio.value * served;
        row.u_ind = ratio.u_ind * served;
        row.u_com = ratio.u_com * served;
    }
    row.origin = pj_origin_name(load->origin > window->origin ? load->origin : window->origin);
    return row;
}

pj_status pji_loading_store(struct pji_store *store, int64_t attempt, const char *task,
                            const struct pj_energy *load, const char *why_none,
                            const struct pj_energy *window, double served, struct pj_error *err)
{
    struct pj_energy none;
    if (load == NULL) {
        pji_energy_missing(&none, why_none);
        load = &none;
    }
    struct pji_metric_row own = pji_metric_per(task, "load_j", load, 1, "");
    struct pji_metric_row even = break_even(task, load, window, served);
    pj_status status = pji_store_add_metric(store, attempt, &own, err);
    return status == PJ_OK ? pji_store_add_metric(store, attempt, &even, err) : status;
}
