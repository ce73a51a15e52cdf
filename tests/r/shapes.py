"""Random small designs: every shape of table that a statistics program stumbles over.

Each function of SHAPES takes a random.Random and returns a Case. The same name and seed always give the
same case, on every machine.
"""
import math


class Case:
    def __init__(self, route, rows, columns, factors, **more):
        self.route, self.rows, self.columns, self.factors = route, rows, columns, factors
        self.more = more

    def csv(self):
        lines = [",".join(self.columns)]
        lines += [",".join(text(v) for v in row) for row in self.rows]
        return "\n".join(lines) + "\n"


def text(value):
    if isinstance(value, float):
        return repr(value)
    return "NA" if value is None else str(value)


NAMES = (["lo", "mid", "hi", "top", "zed"], ["1", "2", "10", "3.5", "20"], ["B1", "b2", "A3", "a4", "C5"],
         ["2.0", "3.0", "3.1", "3.2", "11"], ["9", "10b", "8", "x", "Y"])


def levels(r, k):
    names = list(r.choice(NAMES))
    r.shuffle(names)
    return names[:k]


def number(r, kind):
    """One value around 0 of a distribution by name."""
    if kind == "ties":
        return float(r.randint(-3, 3))
    if kind == "few":
        return float(r.randint(0, 1))
    if kind == "log":
        return math.exp(r.gauss(0, 1.5))
    if kind == "big":
        return 1e4 + r.gauss(0, 1)
    if kind == "small":
        return 1e-9 * (5 + r.gauss(0, 1))
    if kind == "decimal":
        return round(r.gauss(5, 2), 1)
    return r.gauss(10, 2)


KINDS = ("normal", "normal", "ties", "few", "log", "big", "small", "decimal")


def by_case(r, sizes, kind, **more):
    names = levels(r, len(sizes))
    effect = [r.choice((0, 0, 1, 3)) for _ in sizes]
    scale = 1e-9 if kind == "small" else 1
    rows = [[names[g], number(r, kind) + scale * effect[g]] for g, n in enumerate(sizes) for _ in range(n)]
    r.shuffle(rows)
    return Case("by", rows, ["grp", "yy"], ["grp"], response="yy", by="grp", **more)


def by_plain(r):
    return by_case(r, [r.randint(2, 14) for _ in range(r.randint(2, 5))], r.choice(KINDS))


def by_two(r):
    return by_case(r, [r.randint(3, 20), r.randint(3, 20)], r.choice(KINDS))


def by_tiny(r):
    return by_case(r, [r.randint(1, 3) for _ in range(r.randint(2, 5))], r.choice(KINDS))


def by_large(r):
    return by_case(r, [r.randint(40, 70) for _ in range(r.randint(2, 4))], r.choice(KINDS))


def by_missing(r):
    case = by_plain(r)
    for row in case.rows:
        if r.random() < 0.15:
            row[r.randint(0, 1)] = r.choice((None, ""))
    return case


def by_constant(r):
    case = by_case(r, [r.randint(2, 14) for _ in range(r.randint(2, 5))], r.choice(("normal", "ties", "decimal")))
    flat = r.choice(case.rows)[0]
    for row in case.rows:
        if row[0] == flat or r.random() < 0.1:
            row[1] = 4.5
    return case


def by_all_constant(r):
    case = by_plain(r)
    for row in case.rows:
        row[1] = 0.1
    return case


def by_separate(r):
    case = by_plain(r)
    place = {}
    for row in case.rows:
        row[1] = 1000.0 * place.setdefault(row[0], len(place)) + r.gauss(0, 0.1)
    return case


def by_levels(r):
    names = levels(r, 4)
    rows = [[r.choice(names), number(r, "normal"), r.choice(("on", "off")), r.randint(0, 9)] for _ in range(60)]
    for i, row in enumerate(rows):
        row[0] = names[i % 4]
    order = list(names[:3])
    r.shuffle(order)
    where, r_where = r.choice((("state == 'on' or load >= 5", "state == 'on' | load >= 5"),
                               ("not (load < 3) and state != \"off\"", "!(load < 3) & state != 'off'"),
                               ("load in (1, 2, 3, 4, 5, 6)", "load %in% c(1, 2, 3, 4, 5, 6)")))
    return Case("by", rows, ["grp", "yy", "state", "load"], ["grp"], response="yy", by="grp",
                levels={"grp": order}, where=where, r_where=r_where)


def correlate(r):
    kind, n = r.choice(KINDS), r.randint(3, 45)
    slope = r.choice((0, 0.5, 5, -1))
    rows = []
    names = levels(r, r.randint(2, 3))
    for _ in range(n):
        x = number(r, r.choice((kind, "decimal")))
        rows.append([r.choice(names), (1e-9 if kind == "small" else 1) * slope * x + number(r, kind), x])
    grouped = r.random() < 0.4
    if r.random() < 0.3:
        rows[r.randrange(n)][r.randint(1, 2)] = None
    more = {"by": "grp"} if grouped else {}
    return Case("correlate", rows, ["grp", "yy", "xx"], ["grp"] if grouped else [], response="yy",
                correlate="xx", **more)


def paired(r):
    kind, k, blocks = r.choice(KINDS), r.randint(2, 4), r.randint(3, 25)
    names = levels(r, k)
    rows = []
    for b in range(blocks):
        base = number(r, kind)
        for t in range(k):
            if r.random() > 0.05:
                rows.append(["s%d" % b, names[t], base + number(r, kind) + 0.5 * t])
            if r.random() < 0.05:
                rows.append(["s%d" % b, names[t], base + number(r, kind)])
    r.shuffle(rows)
    return Case("paired", rows, ["subj", "grp", "yy"], ["subj", "grp"], response="yy", by="grp",
                paired_by="subj")


def crossed(r, factors, reps, empty, kind="normal"):
    """rows of [levels…, xx, zz, yy]: empty is the chance that a cell has no row."""
    names = [levels(r, k) for k in factors]
    effect = [[r.gauss(0, 2) for _ in ks] for ks in names]
    cells = [[]]
    for ks in names:
        cells = [c + [i] for c in cells for i in range(len(ks))]
    rows = []
    for c in cells:
        twist = r.gauss(0, 1)
        for _ in range(0 if r.random() < empty else reps()):
            xx, zz = round(r.uniform(1, 9), 2), float(r.randint(0, 1))
            yy = 20 + sum(effect[f][i] for f, i in enumerate(c)) + twist + 0.3 * xx
            yy = yy + (float(r.randint(-3, 3)) if kind == "ties" else r.gauss(0, 1))
            rows.append([names[f][i] for f, i in enumerate(c)] + [xx, zz, abs(yy) + 0.5])
    r.shuffle(rows)
    return rows


FACTORS = ["fa", "fb", "fc"]


def model_case(rows, n, formula, **more):
    return Case("model", rows, FACTORS[:n] + ["xx", "zz", "yy"], FACTORS[:n], model=formula, **more)


LEFT = ("yy", "yy", "log(yy)", "log1p(yy)", "sqrt(yy)")


def model_one(r):
    rows = crossed(r, [r.randint(2, 5)], lambda: r.randint(1, 8), 0)
    return model_case(rows, 1, r.choice(LEFT) + " ~ " + r.choice(
        ("fa", "fa + xx", "fa * xx", "fa + zz", "fa + log(xx) + zz", "fa + sqrt(xx)", "xx + fa")))


def model_two(r):
    reps = r.choice((lambda: 3, lambda: r.randint(1, 5)))
    rows = crossed(r, [r.randint(2, 4), r.randint(2, 4)], reps, 0, r.choice(("normal", "ties")))
    return model_case(rows, 2, r.choice(LEFT) + " ~ " + r.choice(
        ("fa * fb", "fa * fb", "fa + fb", "fb * fa + xx", "fa + fb + xx + zz", "fa*fb*xx", "fa + fa:fb")),
        emmeans=["fa|fb"])


def model_missing_cells(r):
    rows = crossed(r, [r.randint(2, 3), r.randint(3, 4)], lambda: r.randint(1, 4), 0.25)
    return model_case(rows, 2, "yy ~ " + r.choice(("fa * fb", "fa + fb", "fa * fb + xx")), emmeans=["fa|fb"])


def model_three(r):
    rows = crossed(r, [2, r.randint(2, 3), r.randint(2, 3)], lambda: r.randint(1, 3), r.choice((0, 0, 0.1)))
    return model_case(rows, 3, r.choice(LEFT) + " ~ " + r.choice(
        ("fa * fb * fc", "(fa + fb + fc)^2", "fa + fb * fc", "fa * fb + fc + xx", "fa + fb + fc",
         "fa * fb * fc - fa:fb:fc")), emmeans=["fb|fa", "fc|fa*fb"])


def model_covariates(r):
    rows = crossed(r, [2], lambda: r.randint(5, 20), 0)
    return model_case(rows, 1, r.choice(LEFT) + " ~ " + r.choice(
        ("xx", "xx + zz", "log(xx)", "log1p(xx) * zz", "xx - 1", "0 + fa + xx", "fa - 1")))


def model_nested(r):
    """levels of fb that occur within one level of fa only"""
    rows = []
    inner = 0
    for a in levels(r, r.randint(2, 3)):
        for _ in range(r.randint(1, 3)):
            inner += 1
            shift = r.gauss(0, 2)
            for _ in range(r.randint(2, 4)):
                rows.append([a, "n%d" % inner, round(r.uniform(1, 9), 2), float(r.randint(0, 1)),
                             30 + shift + r.gauss(0, 1)])
    r.shuffle(rows)
    return model_case(rows, 2, "yy ~ " + r.choice(("fa + fb", "fa * fb", "fa / fb", "fb + fa", "fa + fb + xx")))


def model_nested_deep(r):
    """fb within fa, fc within fb or crossed with both; two-valued zz may be a property of fb"""
    rows = []
    inner = numeric = 0
    of_unit = r.random() < 0.5
    crossed_fc = r.random() < 0.6
    names = levels(r, 3)
    for a in levels(r, r.randint(2, 3)):
        for _ in range(r.randint(1, 3)):
            inner += 1
            shift, flag = r.gauss(0, 2), float(r.randint(0, 1))
            for c in range(r.randint(2, 3)):
                numeric += 1
                for _ in range(r.randint(1, 3)):
                    zz = flag if of_unit else float(r.randint(0, 1))
                    rows.append([a, "%d" % (inner * 5), names[c] if crossed_fc else "m%d" % numeric,
                                 round(r.uniform(1, 9), 2), zz, 30 + shift + c + r.gauss(0, 1)])
    r.shuffle(rows)
    return model_case(rows, 3, "yy ~ " + r.choice(
        ("fa + fb + fc", "fa / fb + fc", "fa + fb * fc", "fa / fb / fc", "fa + fb + zz", "fc + fb + fa + zz",
         "fa * fc + fb", "fa + fa:fb + fc")), emmeans=["fb|fa", "fc|fb", "fc|fa", "fb|fc"])


def model_odd(r):
    """terms without their margins, no intercept"""
    rows = crossed(r, [2, r.randint(2, 3), 2], lambda: r.randint(1, 3), 0)
    return model_case(rows, 3, "yy ~ " + r.choice(
        ("fa:fb", "fa:fb + fb:fc", "fa + fa:fb:fc", "fa:xx", "xx + fa:xx", "0 + fa:fb", "0 + fa + fb", "0 + fa:fb + fc",
         "fa:fb + fa:fb:fc", "fb:xx + fa", "fa + fb:fc", "0 + xx:fa", "fa * fb - fa", "fa * fb - fb", "(fa + xx)^2 - xx",
         "fa * fb - 1", "fa / (fb + fc)", "fa %s fb" % r.choice("+*:"))), emmeans=[])


def model_tight(r):
    """a fit that leaves almost nothing"""
    rows = crossed(r, [r.randint(2, 4), 2], lambda: r.randint(2, 4), 0)
    for row in rows:
        row[-1] = 50.0 + 3 * row[2] + len(row[0]) + 2 * (row[1] < "b") + r.gauss(0, 1e-2)
    return model_case(rows, 2, "yy ~ " + r.choice(("fa + fb + xx", "fa * fb + xx", "log(xx) + xx + fa")))


def model_deficient(r):
    rows = crossed(r, [r.randint(2, 3), 2], lambda: r.randint(2, 4), 0)
    for row in rows:
        row[3] = 2 * row[2] + 1
    return model_case(rows, 2, "yy ~ " + r.choice(("fa + xx + zz", "fa * fb + xx + zz", "zz + xx")))


def mixed(r, units, reps, sd, formula, unit_level=False, **more):
    """formula over fa, fb (within the unit, or fa of the unit), xx, zz"""
    fa, fb = levels(r, r.randint(2, 3)), levels(r, 2)
    effect = {}
    rows = []
    for u in range(units):
        shift, own = r.gauss(0, sd), fa[u % len(fa)]
        for _ in range(reps()):
            a, b = own if unit_level else r.choice(fa), r.choice(fb)
            xx = round(r.uniform(1, 9), 2)
            yy = 30 + shift + effect.setdefault(a, r.gauss(0, 2)) + effect.setdefault("b" + b, r.gauss(0, 1)) + r.gauss(0, 1)
            rows.append(["u%d" % u, a, b, xx, float(r.randint(0, 1)), yy * more.get("unit", 1)])
    r.shuffle(rows)
    return Case("model", rows, ["uu", "fa", "fb", "xx", "zz", "yy"], ["uu", "fa", "fb"], random="uu",
                model="%s ~ %s + (1 | uu)" % (r.choice(LEFT[:3]), formula), emmeans=more.get("emmeans", []))


def mixed_plain(r):
    return mixed(r, r.randint(5, 12), r.choice((lambda: 6, lambda: r.randint(1, 8))), r.choice((0.5, 2)),
                 r.choice(("fa", "fa + fb", "fa + xx", "1", "fa + fb + xx", "xx")))


def mixed_interaction(r):
    return mixed(r, r.randint(6, 10), lambda: r.randint(6, 10), r.choice((0.3, 1, 3)),
                 r.choice(("fa * fb", "fb * fa", "fa * fb + xx", "fa * xx")),
                 emmeans=["fa|fb"] if False else [])


def mixed_by(r):
    return mixed(r, r.randint(6, 9), lambda: r.randint(6, 9), 1, "fa * fb", emmeans=["fa|fb"])


def mixed_singular(r):
    return mixed(r, r.randint(4, 10), lambda: r.randint(2, 6), 0, r.choice(("fa", "fa * fb", "fa + xx", "1")))


def mixed_unit_level(r):
    return mixed(r, r.randint(6, 12), lambda: r.randint(2, 5), r.choice((0, 1)), r.choice(("fa", "fa * fb", "fa + zz")),
                 unit_level=True)


def mixed_few(r):
    return mixed(r, r.randint(2, 4), lambda: r.randint(2, 6), 1, r.choice(("fa", "xx", "fb", "1")))


def mixed_extreme(r):
    return mixed(r, r.randint(5, 8), lambda: r.randint(3, 6), r.choice((20, 200)), r.choice(("fa", "fa + fb")),
                 unit=r.choice((1, 1e3, 1e-3)))


def mixed_nested(r):
    """fb within fa, both of the unit or within it"""
    rows = []
    of_unit = r.random() < 0.5
    cells = [(a, "%s%d" % (n, i)) for n, a in zip("pq", levels(r, 2)) for i in range(r.randint(1, 3))]
    for u in range(r.randint(6, 12)):
        shift = r.gauss(0, 1)
        for i in range(r.randint(3, 6)):
            a, b = cells[u % len(cells)] if of_unit else r.choice(cells)
            rows.append(["u%d" % u, a, b, round(r.uniform(1, 9), 2), float(r.randint(0, 1)),
                         30 + shift + 2 * len(b) + r.gauss(0, 1)])
    return Case("model", rows, ["uu", "fa", "fb", "xx", "zz", "yy"], ["uu", "fa", "fb"], random="uu",
                model="yy ~ %s + (1 | uu)" % r.choice(("fa + fb", "fa / fb", "fa * fb", "fa + fb + zz")), emmeans=["fb|fa"])


def mixed_deficient(r):
    case = mixed(r, r.randint(5, 9), lambda: r.randint(4, 7), 1, r.choice(("fa + xx + zz", "fa * fb + zz + xx")))
    for row in case.rows:
        row[4] = 3 - row[3]
    return case


SHAPES = {name: f for name, f in list(globals().items())
          if callable(f) and name.split("_")[0] in ("by", "correlate", "paired", "model", "mixed")
          and name not in ("by_case", "model_case", "mixed")}
