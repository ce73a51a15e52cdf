/* fuzz/fuzz_formula.c - formulas of linear models: any text is a formula or an error with words. */
#include "analysis/formula.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pji_formula f;
    struct pj_error err = {0};
    char *text = malloc(size + 1);
    must(text != NULL);
    memcpy(text, data, size);
    text[size] = '\0';
    pj_status rc = pji_formula_parse(&f, text, &err);
    if (rc) {
        must(rc == PJ_EINVAL && err.code == rc && err.text[0]);
    } else {
        must(f.response.column && f.terms <= PJI_FORMULA_TERMS);
        for (size_t t = 0; t < f.terms; t++) {
            must(f.term[t] != 0 && f.term[t] >> f.variables == 0);
            for (size_t u = 0; u < t; u++)
                must(f.term[u] != f.term[t]);
        }
        pji_formula_fini(&f);
    }
    free(text);
    return 0;
}
