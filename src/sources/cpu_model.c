/* Parameters: nine recordings of package energy or power at loads of 0 to 100 %, eight kinds of
 * CPU: Threadripper 1950X, Xeon E3-1240 v2, EPYC 8024P, two Xeon E5-2620 v3 (CodeCarbon's
 * cpu_load_profiling, MIT, 2025), two each of Xeon Platinum 8124M, 8259CL, 8275CL (two servers) and
 * Xeon E5-2686 v4 (turbostress reports, 2021 and 2022). The value is the curve family whose worst
 * machine is best against TDP (0.1 + 0.9 U^3); the band was drawn around the first four and holds
 * on the other five. tools/cpu-model-fit prints how well they do, and what leaving a machine out
 * gives (docs/cpu-model.md).
 *
 * TDP of an unknown core, from the vendors' figures of parts at both ends: EPYC 9754 has 360 W for
 * 128 cores (2.8 W each), Xeon E3-1240 v2 69 W for 4 (17 W each). A virtual CPU may be one thread
 * of two, so its lower end is halved.
 */
#include "sources/cpu_model.h"

#include <math.h>

static const double few_cores = 4, many_cores = 16;

/* Of a socket with few cores, and of one with many; between them linear in log2(cores). */
static const struct pji_cpu_curve value_few = {0.06, 0.82, 1.45}, value_many = {0.27, 0.83, 0.69};
static const struct pji_cpu_curve low_few = {0.03, 0.45, 1.4}, low_many = {0.05, 0.57, 1.2};
static const struct pji_cpu_curve high_few = {0.28, 1.05, 0.6}, high_many = {0.38, 1.13, 0.54};

static double between(double few, double many, double x)
{
    return few + (many - few) * x;
}

static struct pji_cpu_curve mix(struct pji_cpu_curve few, struct pji_cpu_curve many, double x)
{
    return (struct pji_cpu_curve){between(few.idle, many.idle, x), between(few.full, many.full, x),
                                  between(few.exponent, many.exponent, x)};
}

static void set_shape(struct pji_cpu_model *model, int cores)
{
    double x = log2((cores > 0 ? cores : 1) / few_cores) / log2(many_cores / few_cores);

    x = fmin(1, fmax(0, x));
    model->value = mix(value_few, value_many, x);
    model->low = mix(low_few, low_many, x);
    model->high = mix(high_few, high_many, x);
}

pj_status pji_cpu_model_known(struct pji_cpu_model *model, double tdp_w, int sockets, int cores,
                              int threads, struct pj_error *err)
{
    if (!(tdp_w > 0) || !isfinite(tdp_w))
        return pji_fail(err, PJ_EINVAL, "the TDP must be greater than 0 W");
    if (sockets < 1 || cores < 1)
        return pji_fail(err, PJ_EINVAL, "there must be at least one socket and one core in it");
    if (threads < cores)
        return pji_fail(err, PJ_EINVAL, "a socket of %d cores cannot have %d threads", cores,
                        threads);
    model->tdp_w = tdp_w * sockets;
    model->tdp_lo_w = model->tdp_w;
    model->tdp_hi_w = model->tdp_w;
    set_shape(model, cores);
    return PJ_OK;
}

void pji_cpu_model_unknown(struct pji_cpu_model *model, int sockets, int cores,
                           bool virtual_machine)
{
    double all = (sockets > 0 ? sockets : 1) * (double)(cores > 0 ? cores : 1);

    model->tdp_lo_w = (virtual_machine ? 1.4 : 2.8) * all;
    model->tdp_hi_w = 17 * all;
    model->tdp_w = sqrt(model->tdp_lo_w * model->tdp_hi_w);
    set_shape(model, cores);
}

double pji_cpu_model_exponent(int cores)
{
    struct pji_cpu_model model;

    set_shape(&model, cores);
    return model.value.exponent;
}

static double at(const struct pji_cpu_curve *curve, double utilisation)
{
    return curve->idle + (curve->full - curve->idle) * pow(utilisation, curve->exponent);
}

static double lowest(const struct pji_cpu_model *model, double utilisation)
{
    return model->tdp_lo_w * at(&model->low, utilisation);
}

static double highest(const struct pji_cpu_model *model, double utilisation)
{
    return model->tdp_hi_w * at(&model->high, utilisation);
}

static double middle(const struct pji_cpu_model *model, double utilisation)
{
    return model->tdp_w * at(&model->value, utilisation);
}

static void set_interval(struct pji_cpu_power *out, double value_w, double lo_w, double hi_w)
{
    out->value_w = value_w;
    out->lo_w = lo_w;
    out->hi_w = hi_w;
    out->u_w = (hi_w - lo_w) / (2 * 1.96);
}

void pji_cpu_model_power(const struct pji_cpu_model *model, double utilisation,
                         struct pji_cpu_power *out)
{
    double u = fmin(1, fmax(0, utilisation));

    set_interval(out, middle(model, u), lowest(model, u), highest(model, u));
}

void pji_cpu_model_any(const struct pji_cpu_model *model, struct pji_cpu_power *out)
{
    set_interval(out, middle(model, 0.5), lowest(model, 0), highest(model, 1));
}
