/* perjoule replay: the energies of a recorded trace. The same code as for a live measurement, so
 * the same numbers on any machine; with --windows the energy of any stretch of it, after the fact.
 */
#include "cli/commands_lean.h"
#include "cli/lean.h"
#include "cli/outcome.h"
#include "cli/run_series.h"
#include "cli/windows.h"
#include "core/units.h"
#include "energy/trace.h"

#include <stdlib.h>
#include <string.h>

static const struct pji_option options[] = {
    {"json", 'j', NULL, "print JSON"},
    {"windows", 'w', "FILE",
     "CSV file with the columns name, start_ns, end_ns (trace's clock; a row of names may lack)"},
    {"measured-only", 0, NULL, "leave modelled energy out of the totals"},
    {0},
};

/* From the first to the last point of any channel. */
static double covered_s(const struct pji_trace *trace)
{
    int64_t first_ns = INT64_MAX, last_ns = INT64_MIN;

    for (size_t i = 0; i < trace->header.n_channels; i++) {
        const struct pji_series *series = &trace->series[i];

        if (series->n == 0)
            continue;
        if (series->points[0].t_ns < first_ns)
            first_ns = series->points[0].t_ns;
        if (series->points[series->n - 1].t_ns > last_ns)
            last_ns = series->points[series->n - 1].t_ns;
    }
    return first_ns <= last_ns ? pji_s_from_ns(last_ns - first_ns) : 0;
}

static void add_json(struct pji_str *out, const struct pji_trace *trace,
                     const struct pji_outcome *outcome, json_t *windows)
{
    json_t *object = pji_outcome_json(outcome);

    if (!object || json_object_set_new(object, "complete", json_boolean(trace->complete)) ||
        json_object_set_new(object, "torn", json_boolean(trace->torn)) ||
        (windows && json_object_set(object, "windows", windows)))
        out->failed = true;
    pji_json_write(out, object, 2);
    pji_str_addc(out, '\n');
    json_decref(object);
}

static pj_status describe(const struct pji_args *args, const struct pji_trace *trace,
                          const struct pji_run_series *run, struct pji_str *out,
                          struct pj_error *err)
{
    bool of_run = run->start_ns && run->end_ns; /* `measure` wrote it: its totals are the run's */
    const char *windows_path = pji_args_get(args, "windows");
    bool measured_only = pji_args_has(args, "measured-only");
    struct pji_outcome outcome = {.channels = trace->header.channels,
                                  .n = trace->header.n_channels,
                                  .missing = trace->header.missing,
                                  .n_missing = trace->header.n_missing,
                                  .wall_s = of_run ? pji_s_from_ns(run->end_ns - run->start_ns)
                                                   : covered_s(trace),
                                  .samples = trace->footer.samples,
                                  .late_ticks = trace->footer.late_ticks,
                                  .own_cpu_s = trace->footer.own_cpu_s,
                                  .child_status = -1};
    json_t *windows = NULL;
    pj_status status =
        pji_outcome_make(&outcome, of_run ? run->series : trace->series, measured_only, err);

    if (!status && windows_path)
        status = pji_windows_read(&windows, windows_path, trace, measured_only, err);
    if (!status && pji_args_has(args, "json")) {
        add_json(out, trace, &outcome, windows);
    } else if (!status) {
        pji_outcome_text(&outcome, "", out);
        pji_windows_text(windows, out);
    }
    json_decref(windows);
    pji_outcome_fini(&outcome);
    return status;
}

static int replay(const struct pji_args *args)
{
    struct pji_trace trace = {0};
    struct pji_run_series run = {0};
    struct pji_str out = {0};
    struct pj_error err = {0};
    int code = pji_lean_check_rest(args, 1, 1, "no trace given");
    pj_status status;

    if (code)
        return code;
    status = pji_trace_load(&trace, args->rest[0], &err);
    if (!status && !trace.has_header)
        status =
            pji_fail(&err, PJ_EINVAL, "'%s' is empty: not even the header arrived", args->rest[0]);
    if (!status)
        status = pji_run_series_load(&run, args->rest[0], &err);
    if (status) {
        pji_trace_fini(&trace);
        pji_run_series_fini(&run);
        return pji_lean_failed(args, &err);
    }
    if (trace.torn)
        pji_lean_say(args, "the last line of '%s' was cut off and is left out", args->rest[0]);
    else if (!trace.complete)
        pji_lean_say(args, "'%s' has no footer: the recording was cut off", args->rest[0]);
    status = describe(args, &trace, &run, &out, &err);
    code = status ? pji_lean_failed(args, &err) : pji_lean_print(args, &out);
    pji_str_fini(&out);
    pji_trace_fini(&trace);
    pji_run_series_fini(&run);
    return code;
}

const struct pji_command pji_cmd_replay = {
    .name = "replay",
    .synopsis = "[--json] [--windows FILE] TRACE",
    .about = "compute the energies of a recorded trace",
    .details = "Gives the totals that `perjoule measure` gave when it wrote the trace, and with "
               "--windows the energy of each named stretch of time. A window outside the readings "
               "is missing, with the reason.",
    .options = options,
    .run = replay,
};
