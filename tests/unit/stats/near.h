/* What the tests of stats/ share. */
#ifndef TEST_STATS_NEAR_H
#define TEST_STATS_NEAR_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* a and b agree to 1e-10 of b (or absolutely, near 0) */
#define assert_near(a, b)                                                                          \
    do {                                                                                           \
        double near_a = (a);                                                                       \
        double near_b = (b);                                                                       \
        if (!(fabs(near_a - near_b) <= 1e-10 * fmax(1e-3, fabs(near_b))))                          \
            fail_msg("%s is %.17g, not %.17g", #a, near_a, near_b);                                \
    } while (0)

#define assert_missing(a) assert_true(isnan(a))

#endif
