/* Parameters: two machines (Threadripper 1950X and Xeon E3-1240 v2, loads of 0...100 %) whose
 * energies RAPL counted, rounded towards what is common to machines of their size;
 * tools/cpu-model-fit prints how well they do. The band is one for all sizes, because two machines
 * cannot teach how it depends on the size: it spans both of them (docs/cpu-model.md).
 *
 * TDP of an unknown core, from the vendors' figures of parts at both ends: EPYC 9754 has 360 W for
 * 128 cores (2.8 W each), Xeon E3-1240 v2 69 W for 4 (17 W each). A virtual CPU may be one thread
 * of two, so its lower end is halved.
 */
#include "sources/cpu_model.h"

#include <math.h>

static const double few_cores = 4, many_cores = 16;

static double between(double few, double many, double x)
{
    return few + (many - few) * x;
}

static void set_shape(struct pji_cpu_model *model, int cores)
{
    double x = log2((cores > 0 ? cores : 1) / few_cores) / log2(many_cores / few_cores);

    x = fmin(1, fmax(0, x));
    model->idle = between(0.07, 0.19, x);
    model->full = between(0.82, 0.95, x);
    model->exponent = between(1.2, 0.7, x);
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

static double curve(double idle, double full, double exponent, double utilisation)
{
    return idle + (full - idle) * pow(utilisation, exponent);
}

static double lowest(const struct pji_cpu_model *model, double utilisation)
{
    return model->tdp_lo_w * curve(0.03, 0.66, 1.4, utilisation);
}

static double highest(const struct pji_cpu_model *model, double utilisation)
{
    return model->tdp_hi_w * curve(0.35, 1.15, 0.6, utilisation);
}

static double middle(const struct pji_cpu_model *model, double utilisation)
{
    return model->tdp_w * curve(model->idle, model->full, model->exponent, utilisation);
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
