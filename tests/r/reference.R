# Reference values of many small data sets: Rscript reference.R GOLDEN_LIB CASES.json OUT.tsv
#
# The definitions are those of golden-lib.R; this file only maps the words of `perjoule analyse` to its
# functions. Each line of OUT: case, group, key, value, rtol, atol. A function that R cannot carry out is
# a line whose key is "" and whose value is R's message. "perfect" in place of a message: the residuals
# are rounding noise, so R's tests are too.
args <- commandArgs(TRUE)
suppressWarnings(source(args[1]))
options(warn = -1)
CHECK <- function(...) invisible()   # the checks of golden-lib.R are not ours to repeat
library(jsonlite)
emm_options(msg.interaction = FALSE, msg.nesting = FALSE, rg.limit = 100000)

# What fails for one group of a list shall not take the others with it.
or_na <- function(f, none) function(...) tryCatch(f(...), error = function(e) none)
na_test <- list(statistic = NA_real_, parameter = c(NA_real_, NA_real_), p.value = NA_real_)
oneway.test <- or_na(stats::oneway.test, na_test)
bartlett.test <- or_na(stats::bartlett.test, within(na_test, parameter <- NA_real_))
fligner.test <- or_na(stats::fligner.test, within(na_test, parameter <- NA_real_))
# A constant added changes nothing, but shapiro.test loses digits when the mean is far above the spread.
shapiro.test <- function(x) stats::shapiro.test(x - median(x))
each <- function(x, f) { r <- lapply(x, function(v) tryCatch(f(v), error = function(e) NULL)); r[!vapply(r, is.null, TRUE)] }

lines <- new.env(); lines$all <- list()
put <- function(text) lines$all[[length(lines$all) + 1]] <- text
emit <- function(case, group, values, tol, keytol = NULL) {
  fl <- flatten(values); e <- list(tol = tol, keytol = keytol)
  out <- character()
  for (k in names(fl)) {
    v <- fl[[k]]
    if (is.character(v) || is.factor(v) || is.null(v)) next
    s <- if (is.logical(v) && !is.na(v)) (if (v) "1" else "0") else if (!is.finite(v)) "none" else sprintf("%.17g", v)
    t <- row_tol(e, k)
    out <- c(out, sprintf("%s\t%s\t%s\t%s\t%.3g\t%.3g", case, group, k, s, t[1], t[2]))
  }
  put(out)
}
say <- function(case, group, why) put(sprintf("%s\t%s\t\t%s\t\t", case, group, gsub("[\t\n]+", " ", why)))
group <- function(case, name, tol, values, keytol = NULL)
  tryCatch(emit(case, name, values, tol, if (is.function(keytol)) keytol() else keytol),
           error = function(e) say(case, name, conditionMessage(e)))

# ---- the table, read as the issue words it ----
as_levels <- function(x, order = NULL) {
  x <- trimws(x); u <- unique(x); n <- suppressWarnings(as.numeric(u))
  if (!anyNA(n)) { f <- factor(as.numeric(x)); } else f <- factor(x, levels = u[order(tolower(u), chartr(paste(c(letters, LETTERS), collapse = ""), paste(c(LETTERS, letters), collapse = ""), u), method = "radix")])
  if (!is.null(order)) f <- factor(f, levels = if (anyNA(n)) order else as.character(as.numeric(order)))
  f
}
table_of <- function(c) {
  d <- read.csv(c$csv, colClasses = "character", check.names = FALSE, na.strings = c("NA", ""))
  if (!is.null(c$where)) d <- d[which(eval(parse(text = c$where), lapply(d, type.convert, as.is = TRUE))), , drop = FALSE]
  used <- unlist(c$columns); d <- d[complete.cases(d[used]), , drop = FALSE]
  for (v in used) {
    lv <- c$levels[[v]]
    if (!is.null(lv)) d <- d[d[[v]] %in% lv | suppressWarnings(!is.na(as.numeric(d[[v]])) & as.numeric(d[[v]]) %in% as.numeric(lv)), , drop = FALSE]
  }
  for (v in used) d[[v]] <- if (v %in% unlist(c$factors)) as_levels(d[[v]], unlist(c$levels[[v]])) else as.numeric(d[[v]])
  d
}
perfect <- function(fit) { y <- fit$model[[1]]; sum(resid(fit)^2) <= 1e-22 * max(sum((y - mean(y))^2), 1e-300) || sum((y - mean(y))^2) < 1e-24 * sum(y^2) }

# ---- one response in groups ----
transforms <- list(raw = identity, log = log, log1p = log1p, sqrt = sqrt)
# an F of 1e15 is one over the rounding of the distances
noiseless <- function(l) { for (n in c("levene_mean", "levene_median")) if (isTRUE(l[[n]]$F > 1e15)) l[[n]][c("F", "p")] <- NaN; l }
finite <- function(x) if (all(is.finite(x))) x else stop("outside the domain")
run_by <- function(c, d) {
  y <- d[[c$response]]; g <- droplevels(d[[c$by]]); id <- c$id; s <- split(y, g)
  group(id, "descriptive", "arith", each(s, describe), DESCTOL)
  group(id, "shapiro", "shapiro", each(transforms, function(f) { y <- finite(f(y)); each(split(y, g), sw) }))
  group(id, "levene", "lin", each(transforms[c("raw", "log1p", "sqrt")], function(f) noiseless(lev(finite(f(y)), g))))
  d$.g <- g; fit <- lm(as.formula(sprintf("`%s` ~ `%s`", c$response, c$by)), d)
  group(id, "kruskal", "rank", kruskal(y, g)); group(id, "dunn", "rank", dunn(y, g))
  pairs <- combn(levels(g), 2, simplify = FALSE); names(pairs) <- vapply(pairs, paste, "", collapse = " - ")
  group(id, "wilcoxon", "rank", {
    W <- lapply(pairs, function(p) wilcox2(s[[p[1]]], s[[p[2]]]))
    for (k in c("p_normal_cc", "p_exact")) {
      pv <- lapply(W, `[[`, k); if (any(vapply(pv, is.null, TRUE))) next
      for (m in c("BH", "holm", "bonferroni")) { a <- p.adjust(unlist(pv), m); for (i in seq_along(W)) W[[i]][[paste0(k, "_", tolower(m))]] <- a[[i]] }
    }
    W })
  group(id, "cliff", "rank", each(pairs, function(p) cliff(s[[p[1]]], s[[p[2]]])), list("var|ci" = c(1e-9, 1e-12)))
  group(id, "ttest", "lin", each(pairs, function(p) ttests(s[[p[1]]], s[[p[2]]])), list("_d_ci|_g_ci" = c(1e-6, 1e-9)))
  if (perfect(fit)) { for (n in c("oneway", "lm", "contrast", "shapiro_residuals")) say(id, n, "perfect"); return(invisible()) }
  # cohens_f of golden-lib.R loses digits when eta2 is near 1; this is the same quantity
  group(id, "oneway", "lin", within(oneway(y, g), cohens_f <- sqrt(ss_between / ss_within)), list("ci90" = c(1e-6, 1e-9)))
  group(id, "shapiro_residuals", "shapiro", each(transforms, function(f) { d$.y <- finite(f(y)); sw(resid(lm(.y ~ .g, d))) }), list(W = c(1e-8), "/p$" = c(1e-5)))
  group(id, "lm", "lin", lm_full(fit))
  group(id, "contrast", "lin", contrasts_of(fit, c$by), list("poly" = c(1e-8)))
}
# lm_entry of golden-lib.R pairs rows wrongly when a coefficient is not estimable
lm_full <- function(fit) {
  if (!anyNA(coef(fit)) && !is.null(summary(fit)$fstatistic)) return(lm_entry(fit))
  s <- summary(fit); co <- s$coefficients; ci <- confint(fit)[rownames(co), , drop = FALSE]
  F <- if (is.null(s$fstatistic)) NULL else list(F = s$fstatistic[[1]], df1 = s$fstatistic[[2]], df2 = s$fstatistic[[3]], p = unname(pf(s$fstatistic[1], s$fstatistic[2], s$fstatistic[3], lower.tail = FALSE)))
  c(list(n = nobs(fit), df_residual = df.residual(fit), sigma = s$sigma, r2 = if (is.null(F)) NULL else s$r.squared, adj_r2 = if (is.null(F)) NULL else s$adj.r.squared), F,
    list(loglik = as.numeric(logLik(fit)), aic = AIC(fit), bic = BIC(fit),
         coef = setNames(lapply(seq_len(nrow(co)), function(i) list(estimate = co[i, 1], se = co[i, 2], t = co[i, 3], p = co[i, 4], ci95_low = ci[i, 1], ci95_high = ci[i, 2])), rownames(co))))
}
contrasts_of <- function(fit, fac, by = NULL) {
  spec <- as.formula(paste0("~ `", fac, "`", if (length(by)) paste0("|", paste0("`", by, "`", collapse = "*"))))
  b <- emm_block(fit, spec, fac); J <- 1 - 3 / (4 * df.residual(fit) - 1)
  b$consec <- lapply(b$consec, function(z) { z$hedges_g_study <- z$estimate / sigma(fit) * J; z })
  b
}

run_correlate <- function(c, d) {
  parts <- if (is.null(c$by)) list(all = d) else split(d, droplevels(d[[c$by]]))
  group(c$id, "correlation", "rank", {
    v <- each(parts, function(z) {
      k <- correl(z[[c$response]], z[[c$correlate]])
      if (abs(k$pearson_r) > 1 - 1e-6) k[c("pearson_t", "pearson_p")] <- NULL   # 1 - r^2 has no digits left
      if (abs(k$spearman_rho) > 1 - 1e-12) k["spearman_t_p"] <- NULL
      k })
    if (length(v) == length(parts) && length(v) > 1) { a <- p.adjust(vapply(v, function(z) z$spearman_t_p, 0), "BH"); for (i in seq_along(v)) v[[i]]$spearman_t_p_bh <- a[[i]] }
    v }, list(pearson = c(1e-9)))
}

run_paired <- function(c, d) {
  g <- droplevels(d[[c$by]]); M <- tapply(d[[c$response]], list(d[[c$paired_by]], g), mean)
  M <- M[complete.cases(M), , drop = FALSE]; lv <- levels(g)
  group(c$id, "friedman", "rank", friedman(M))
  pairs <- combn(lv, 2, simplify = FALSE); names(pairs) <- vapply(pairs, paste, "", collapse = " - ")
  v <- each(pairs, function(p) signedrank(M[, p[1]], M[, p[2]]))
  group(c$id, "signedrank", "rank", if (length(lv) == 2) v[[1]] else v, list(paired = c(1e-9), dz = c(1e-9)))
}

# ---- linear models ----
facs_of <- function(c, fm) intersect(all.vars(delete.response(terms(fm))), unlist(c$factors))
anova_block <- function(fm, d, facs) {
  options(contrasts = c("contr.sum", "contr.poly")); on.exit(options(contrasts = c("contr.treatment", "contr.poly")))
  fit <- lm(fm, d); N <- nobs(fit)
  out <- list(n = N, df_residual = df.residual(fit), ss_residual = sum(resid(fit)^2), sigma = sigma(fit), r2 = summary(fit)$r.squared, adj_r2 = summary(fit)$adj.r.squared)
  for (ty in c("I", "II", "III")) {
    a <- tryCatch(switch(ty, I = anova(fit), II = car::Anova(fit, type = 2), III = car::Anova(fit, type = 3)), error = function(e) NULL)
    if (is.null(a)) next
    t <- anova_tab(a)
    out[[paste0("type", ty)]] <- setNames(lapply(which(t$keep), function(j) { ssj <- t$ss[j]; dfj <- t$df[j]
      list(ss = ssj, df = dfj, ms = ssj / dfj, F = t$F[j], p = t$p[j], eta2_partial = ssj / (ssj + t$sse), eta2 = ssj / (sum(t$ss[t$keep]) + t$sse),
           omega2_partial = (ssj - dfj * t$mse) / (ssj + (N - dfj) * t$mse), epsilon2_partial = (ssj - dfj * t$mse) / (ssj + t$sse), cohens_f_partial = sqrt(ssj / t$sse)) }), t$tn[t$keep])
  }
  out
}
art_all <- function(y, Fs, grp) {
  nm <- names(Fs); terms <- unlist(lapply(seq_along(nm), function(k) combn(nm, k, simplify = FALSE)), recursive = FALSE)
  D <- data.frame(Fs, check.names = FALSE); if (!is.null(grp)) D$grp <- grp
  contr <- setNames(rep(list("contr.sum"), length(nm)), nm); out <- list(); fits <- list()
  for (t in terms) {
    key <- paste(t, collapse = ":"); al <- art_align(y, Fs, t); D$r <- art_rank(al); rhs <- paste(nm, collapse = " * ")
    rec <- list(aligned_sum_abs = sum(abs(al)), aligned_first = unname(al[1]), rank_first = D$r[1], rank_sumsq = sum(D$r^2))
    more <- tryCatch(if (is.null(grp)) {
      options(contrasts = c("contr.sum", "contr.poly"))
      fit <- lm(as.formula(paste("r ~", rhs)), D); fits[[key]] <- fit; a <- car::Anova(fit, type = 3)
      list(F = a[key, "F value"], df1 = a[key, "Df"], df2 = df.residual(fit), p = a[key, "Pr(>F)"], ss = a[key, "Sum Sq"], ss_residual = sum(resid(fit)^2))
    } else {
      f <- fit_mixed(as.formula(paste("r ~", rhs, "+ (1 | grp)")), D, "grp", contr)
      k <- anova(f$m, type = 3, ddf = "Kenward-Roger"); i <- which(trimws(rownames(k)) == key); fits[[key]] <- f$m
      if (f$singular) list(var_group = 0, var_residual = f$sig, df1 = k$NumDF[i])
      else list(F = k[["F value"]][i], df1 = k$NumDF[i], df2_kr = k$DenDF[i], p_kr = k[["Pr(>F)"]][i], var_group = f$ex$tau, var_residual = f$ex$sig)
    }, error = function(e) list())
    options(contrasts = c("contr.treatment", "contr.poly"))
    out[[key]] <- c(rec, more)
  }
  list(values = out, fits = fits)
}
ART_EMM <- list("(^|/)df$" = c(1e-5, 1e-6), "/se$" = c(1e-6), "/t$" = c(1e-6, 1e-8), "/ci95" = c(1e-6, 1e-5), "/(estimate|emmean)$" = c(1e-7, 1e-6), "/p($|_)" = c(1e-5, 1e-300))
run_art <- function(c, y, d, facs, grp) {
  A <- tryCatch(art_all(y, d[facs], grp), error = function(e) { say(c$id, "art", conditionMessage(e)); NULL })
  if (is.null(A)) return(invisible())
  group(c$id, "art", "lmm", A$values, c(ARTTOL, list("var_group$" = c(1e-6, 1e-7))))
  for (f in facs) group(c$id, paste0("art_contrast/", f), "lmm", {
    if (is.null(A$fits[[f]])) stop("no fit")
    b <- emm_block(A$fits[[f]], as.formula(paste0("~`", f, "`")), f, lmer.df = "kenward-roger"); b$poly <- NULL; b }, ART_EMM)
}

# A mixed model at its optimum: the boundary as in lmm_boundary, else polished by lmm_fit. The best of a
# grid decides, since lmer may stop at a worse one.
fit_mixed <- function(fm, d, grp, contr = NULL) {
  assign("diff_data", d, envir = globalenv())
  call <- c(list(quote(lmerTest::lmer), formula = fm, data = quote(diff_data), REML = TRUE), if (!is.null(contr)) list(contrasts = contr))
  dev <- suppressMessages(eval(as.call(c(call, devFunOnly = TRUE)), globalenv()))
  th <- c(0, 10^seq(-3, 3, by = .05)); v <- vapply(th, dev, 0); best <- th[which.min(v)]
  m0 <- suppressMessages(eval(as.call(c(call, if (best > 0) list(start = list(theta = best)))), globalenv()))
  if (best == 0 || m0@theta < 1e-6) {
    m <- suppressMessages(eval(as.call(c(call, list(start = list(theta = 0), control = quote(lme4::lmerControl(optimizer = fixedopt, restart_edge = FALSE, calc.derivs = FALSE, check.conv.singular = "ignore"))))), globalenv()))
    return(list(singular = TRUE, m = m, sig = sigma(m)^2))
  }
  assign("lmer_start", best, envir = globalenv())
  f <- lmm_fit(fm, d, grp, contr = contr)
  if (max(abs(f$ex$score)) > 1e-6 || f$ex$crit > dev(best) + 1e-6) stop("R's optimiser did not reach the optimum")
  f$singular <- FALSE; f
}
run_lmm <- function(c, fm, d, grp, facs) {
  f <- tryCatch(fit_mixed(fm, d, grp), error = function(e) { say(c$id, "lmm", conditionMessage(e)); NULL })
  if (is.null(f)) return(invisible())
  SAT <- list("." = c(1e-4, 1e-6))
  if (f$singular) {
    fl <- lme4::nobars(fm); l <- lm(fl, d); cf <- coef(l)[!is.na(coef(l))]; se <- summary(l)$coefficients[, 2]
    if (perfect(l)) { say(c$id, "lmm", "perfect"); return(invisible()) }
    group(c$id, "lmm", "lmm", list(theta = 0, var_group = 0, singular = TRUE, var_residual = sigma(l)^2, reml_criterion = -2 * as.numeric(logLik(l, REML = TRUE)),
      fixed = setNames(lapply(seq_along(cf), function(i) list(estimate = cf[[i]], se = se[[i]])), names(cf))),
      list("theta|var_group" = c(0, 1e-6), estimate = c(1e-8, 1e-9 * max(1, abs(cf)))))
    co <- tryCatch(summary(f$m, ddf = "Satterthwaite")$coefficients, error = function(e) NULL); kr <- tryCatch(summary(f$m, ddf = "Kenward-Roger")$coefficients, error = function(e) NULL)
    if (!is.null(co) && nrow(co) && !is.null(kr)) group(c$id, "lmm_singular_df", "lmm", list(fixed = setNames(lapply(seq_len(nrow(co)), function(i) list(df_satterthwaite = co[i, 3], p_satterthwaite = co[i, 5], se_kr = kr[i, 2], df_kr = kr[i, 3], p_kr = kr[i, 5])), rownames(co))), SAT)
    m <- f$m
  } else {
    group(c$id, "lmm", "lmm", { v <- lmm_entry(f, grp); v$lme4_default <- NULL; v }, function() lmmtol(f)); m <- f$m
    tol <- emmtol(f)
  }
  if (length(attr(terms(lme4::nobars(fm)), "term.labels"))) group(c$id, "lmm_type3", "lmm", if (f$singular) {
      s <- anova(m, type = 3, ddf = "Satterthwaite"); k <- anova(m, type = 3, ddf = "Kenward-Roger")
      setNames(lapply(seq_len(nrow(s)), function(i) list(ss = s[["Sum Sq"]][i], ms = s[["Mean Sq"]][i], num_df = s$NumDF[i], den_df_satterthwaite = s$DenDF[i], F = s[["F value"]][i], p_satterthwaite = s[["Pr(>F)"]][i],
        F_kr = k[["F value"]][i], den_df_kr = k$DenDF[i], p_kr = k[["Pr(>F)"]][i])), trimws(rownames(s)))
    } else lmm_type3(f), if (f$singular) SAT else LMMTOL)
  for (s in specs_of(c, facs)) for (ddf in c("satterthwaite", "kenward-roger")) {
    spec <- as.formula(paste0("~", s$fac, if (length(s$by)) paste0("|", paste(s$by, collapse = "*"))))
    group(c$id, paste0("lmm_emmeans/", s$key, "/", ddf), "lmm", { b <- emm_block(m, spec, s$fac, lmer.df = ddf); b$pairwise <- NULL; b }, if (f$singular) SAT else tol)
  }
}
specs_of <- function(c, facs) c(lapply(facs, function(f) list(key = f, fac = f, by = NULL)),
  lapply(unlist(c$emmeans), function(e) { p <- strsplit(e, "|", fixed = TRUE)[[1]]; list(key = e, fac = p[1], by = strsplit(p[2], "[*]")[[1]]) }))

run_model <- function(c, d) {
  fm <- as.formula(c$model, env = globalenv()); grp <- c$random; fixed <- lme4::nobars(fm); facs <- facs_of(c, fixed)
  labels <- attr(terms(fixed), "term.labels"); y <- eval(fm[[2]], d)
  if (any(!is.finite(y))) { say(c$id, "lm", "outside the domain"); return(invisible()) }
  for (v in facs) d[[v]] <- droplevels(d[[v]])
  full <- length(facs) > 0 && length(labels) == 2^length(facs) - 1 && setequal(all.vars(delete.response(terms(fixed))), facs) && attr(terms(fixed), "intercept") == 1
  if (is.null(grp)) {
    fit <- lm(fm, d, singular.ok = TRUE)
    if (perfect(fit) || df.residual(fit) == 0) { for (n in c("lm", "factorial", "contrast")) say(c$id, n, "perfect") }
    else {
      group(c$id, "lm", "lin", lm_full(fit))
      if (length(labels)) group(c$id, "factorial", "lin", anova_block(fm, d, facs))
      for (s in specs_of(c, facs)) group(c$id, paste0("contrast/", s$key), "lin", contrasts_of(fit, s$fac, s$by), list("poly" = c(1e-8)))
    }
  } else { d[[grp]] <- droplevels(factor(d[[grp]])); run_lmm(c, fm, d, grp, setdiff(facs, grp)) }
  if (full) run_art(c, y, d, setdiff(facs, grp), if (is.null(grp)) NULL else d[[grp]])
}

cases <- fromJSON(args[2], simplifyVector = FALSE)
for (c in cases) tryCatch(suppressMessages({
  d <- table_of(c)
  switch(c$route, by = run_by(c, d), paired = run_paired(c, d), correlate = run_correlate(c, d), model = run_model(c, d))
}), error = function(e) say(c$id, "table", conditionMessage(e)))
writeLines(unlist(lines$all), args[3])
