/* energy/refresh.c - when does a counter refresh? One that is read more often than it refreshes
 * shows each step between two readings; because it refreshes with a steady period, what earlier
 * steps said about its phase narrows the present one (an interval intersected with the next, each
 * moved by whole periods). On an H200 the period is 100 ms to 0.2 %; 0.5 % is allowed for.
 */
#include "energy/repair.h"

#include <math.h>

enum { PERIODS_MAX = 20 }; /* farther apart nothing is left to gain */

int64_t pji_refresh_seen(const struct pji_series *s, int64_t t_ns, int64_t gap_ns,
                         int64_t *phase_ns)
{
    int64_t refresh_ns = pji_refresh_ns(s);
    if (s->channel.refresh_ns <= 0 || gap_ns >= refresh_ns) {
        *phase_ns = gap_ns < refresh_ns ? gap_ns : refresh_ns;
        return t_ns;
    }
    double low = 0, high = (double)gap_ns; /* after t_ns - gap_ns */
    if (s->change_low_ns != 0) {
        double before = (double)(t_ns - gap_ns - s->change_low_ns);
        double width = (double)(s->change_t_ns - s->change_low_ns);
        double periods = round((before + (double)gap_ns / 2 - width / 2) / (double)refresh_ns);
        double move = periods * (double)refresh_ns - before, slack = PJI_PERIOD_REL * periods;
        double from = move - slack * (double)refresh_ns;
        double to = move + width + slack * (double)refresh_ns;
        if (periods >= 1 && periods <= PERIODS_MAX && from < high && to > low) {
            low = fmax(low, from);
            high = fmin(high, to);
        }
    }
    int64_t low_ns = (int64_t)low, high_ns = (int64_t)ceil(high);
    high_ns = high_ns > low_ns ? high_ns : low_ns + 1;
    *phase_ns = high_ns - low_ns;
    return t_ns - gap_ns + high_ns;
}
