/* stats/power.h - power of t and F tests, the effect a plan can find, the size a plan needs.
 *
 * From the noncentral t and F distributions, both rejection regions counted (J. Cohen, Statistical
 * Power Analysis for the Behavioral Sciences, 1988). d is the difference of two means over the
 * common sd; dz the mean difference over the sd of differences; f^2 the variance of the group means
 * over the variance within groups. A relative difference at coefficient of variation cv is d cv.
 * NaN for arguments outside their domain: alpha and power in (0, 1), at least one residual degree
 * of freedom, counts above 0.
 */
#ifndef PJI_STATS_POWER_H
#define PJI_STATS_POWER_H

/* Two-sided t test of two independent groups of n1 and n2, or of n pairs. */
double pji_power_two(double d, double n1, double n2, double alpha);
double pji_power_paired(double dz, double n, double alpha);
/* Any two-sided t test: ncp = effect over its standard error. */
double pji_power_t(double ncp, double df, double alpha);
/* One-way analysis of variance, k groups, n_total values; also any F test with lambda = f^2 N. */
double pji_power_anova(double f, double k, double n_total, double alpha);
double pji_power_f(double lambda, double df1, double df2, double alpha);

/* The smallest effect found with the given power. */
double pji_detectable_two(double n1, double n2, double alpha, double power);
double pji_detectable_paired(double n, double alpha, double power);
double pji_detectable_anova(double k, double n_total, double alpha, double power);

/* The smallest whole number of values in each of two equal groups (pairs) that gives at least the
 * power; NaN when d is 0 or more than 1e9 would be needed. */
double pji_needed_two(double d, double alpha, double power);
double pji_needed_paired(double dz, double alpha, double power);

#endif
