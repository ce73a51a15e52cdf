# The GreenLab analysis as a researcher glues it together in R: the peer of bench/analysis_speed.
# Same questions as protocols/greenlab.yaml, tables without pictures.
#   Rscript analysis_peer.R TABLE.csv OUT
suppressMessages({ library(lme4); library(lmerTest); library(emmeans); library(car); library(effectsize) })
args <- commandArgs(TRUE); out <- args[2]
emm_options(lmerTest.limit = 5000, pbkrtest.limit = 5000)
d <- read.csv(args[1], check.names = FALSE, colClasses = c(generation = "character"))
d$duration_s <- as.numeric(sub(",", ".", d[["time(s)"]], fixed = TRUE))
d$generation <- factor(as.character(as.numeric(d$generation)), c("2", "3", "3.1", "3.2")); d$task <- factor(d$task)
d$run <- factor(d$run); d$size_b <- as.numeric(sub("B", "", d$model_size))
d$power_w <- d$energy / d$duration_s; d$j_per_token <- d$energy / d$tokens
r <- aggregate(cbind(energy, duration_s, tokens, accuracy, j_per_token, size_b) ~ run + generation + task + model_size, d, mean)
r$power_w <- r$energy / r$duration_s; r$j_per_b <- r$energy / r$size_b
r$config <- factor(paste0("Gen", r$generation, "_", r$model_size))
save <- function(x, name) write.csv(x, file.path(out, paste0(name, ".csv")), row.names = FALSE)
desc <- function(x) c(n = length(x), mean = mean(x), median = median(x), var = var(x), sd = sd(x), min = min(x), max = max(x), quantile(x, c(.25, .75)))
dunn <- function(y, g) { rk <- rank(y); n <- length(y); t <- table(y); v <- n * (n + 1) / 12 - sum(t^3 - t) / (12 * (n - 1))
  m <- tapply(rk, g, mean); k <- table(g); p <- combn(names(m), 2); z <- (m[p[1, ]] - m[p[2, ]]) / sqrt(v * (1 / k[p[1, ]] + 1 / k[p[2, ]]))
  data.frame(a = p[1, ], b = p[2, ], z = as.vector(z), p = 2 * pnorm(-abs(z)), p_bh = p.adjust(2 * pnorm(-abs(z)), "BH")) }
assume <- function(y, g, id) save(do.call(rbind, lapply(list(raw = identity, log = log, sqrt = sqrt), function(f) { v <- f(y); v[!is.finite(v)] <- NA
  data.frame(shapiro = shapiro.test(residuals(lm(v ~ g)))$p.value, levene = leveneTest(v ~ g)[1, 3]) })), paste0(id, "_assumptions"))
question <- function(id, v, g, data) {
  f <- reformulate(g, v); y <- data[[v]]; G <- data[[g]]
  save(do.call(rbind, tapply(y, G, desc)), paste0(id, "_desc")); assume(y, G, id)
  a <- aov(f, data); save(eta_squared(a), paste0(id, "_eta")); save(omega_squared(a), paste0(id, "_omega"))
  oneway.test(f, data); k <- kruskal.test(f, data); save(rank_epsilon_squared(f, data = data), paste0(id, "_epsilon")); save(dunn(y, G), paste0(id, "_dunn"))
  e <- emmeans(a, g); save(as.data.frame(contrast(e, "consec", adjust = "BH")), paste0(id, "_consec")); save(as.data.frame(contrast(e, "poly")), paste0(id, "_poly"))
  save(as.data.frame(contrast(e, "pairwise", adjust = "BH")), paste0(id, "_pairwise"))
  p <- combn(levels(G), 2); save(do.call(rbind, apply(p, 2, function(x) { A <- y[G == x[1]]; B <- y[G == x[2]]
    cbind(W = suppressWarnings(wilcox.test(A, B))$p.value, suppressWarnings(as.data.frame(cliffs_delta(A, B))), t = t.test(A, B)$p.value) }, simplify = FALSE)), paste0(id, "_wilcoxon"))
}
mixed <- function(id, v, fixed, specs) for (resp in c(v, "rank")) {
  if (resp == "rank") { d$.y <- rank(eval(str2lang(v), d)); f <- as.formula(paste(".y ~", fixed, "+ (1|run)")) } else f <- as.formula(paste(v, "~", fixed, "+ (1|run)"))
  m <- suppressMessages(suppressWarnings(lmer(f, d))); save(as.data.frame(anova(m, type = 3)), paste0(id, "_", resp, "_type3"))
  save(as.data.frame(anova(m, type = 3, ddf = "Kenward-Roger")), paste0(id, "_", resp, "_type3kr"))
  save(as.data.frame(VarCorr(m)), paste0(id, "_", resp, "_variance"))
  for (s in specs) for (ddf in c("satterthwaite", "kenward-roger")) { e <- emmeans(m, as.formula(paste("~", s)), lmer.df = ddf)
    save(as.data.frame(contrast(e, "consec", simple = "generation", adjust = "BH")), make.names(paste(id, resp, s, ddf))) }
}
cors <- function(id, y, x) for (t in list(d, r)) save(do.call(rbind, by(t, t$generation, function(q) data.frame(
  rho = suppressWarnings(cor.test(q[[y]], q[[x]], method = "spearman"))$p.value, tau = suppressWarnings(cor.test(q[[y]], q[[x]], method = "kendall"))$p.value,
  r = cor.test(q[[y]], q[[x]])$p.value))), paste0(id, "_cor", nrow(t)))
question("RQ1.1", "energy", "generation", r); question("RQ1.2", "j_per_b", "config", r)
save(as.data.frame(anova(lm(j_per_b ~ generation + model_size, r))), "RQ1.2_factorial")
d$cells <- interaction(d$generation, d$task); assume(d$energy, d$cells, "RQ2"); save(do.call(rbind, tapply(d$energy, d$cells, desc)), "RQ2_desc")
mixed("RQ2", "log1p(energy)", "generation*task", c("generation", "generation|task"))
question("RQ3.1", "j_per_token", "generation", r); mixed("RQ3.1", "j_per_token", "generation", "generation"); cors("RQ3.1", "energy", "tokens")
question("RQ3.2", "power_w", "generation", r); mixed("RQ3.2", "power_w", "generation", "generation"); cors("RQ3.2", "energy", "duration_s")
question("RQ3.3", "accuracy", "generation", r); mixed("RQ3.3", "accuracy", "generation", "generation"); cors("RQ3.3", "energy", "accuracy")
