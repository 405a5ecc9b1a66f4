/* cost/cost.h - what a step reads and computes, and how long that takes at given rates: the roofline (Williams et al. 2009).
 *
 * A part of a step lasts as long as its reading or its computing, whichever is longer; the parts follow one another:
 *
 *     T = T_0 + T_1 * sequences + max(W_layers / W, 2 M n / F) + max(W_head / W, 2 V d n_logits / F)
 *           + max(bytes of K and V / W_att, 4 L dq * sum of contexts / F_att)
 *
 * Layers with a window see at most so many positions of a context, and read no more of it.
 *
 * Where both take about as long they hide each other less than wholly: then the sum of their p-th powers, to the 1/p, stands
 * for the maximum. W_att is W unless attention reads at a pace of its own. */
#ifndef LLI_COST_COST_H
#define LLI_COST_COST_H

#include "cost/shape.h"

/* A model for the formulas. */
struct lli_cost {
    double body_flops, head_flops, attention_flops; /* of a row; of a row of logits; of a row for each position it sees */
    struct lli_weight_bytes weights;
    double experts, experts_used; /* 0: dense */
    double kv_bytes;              /* of a position, of all layers */
    double window, local;         /* positions that some layers see, and what part of the layers these are; 0: none */
};

void lli_cost_init(struct lli_cost *out, const struct lli_shape *shape, const struct lli_weight_bytes *weights,
                   double kv_bytes);

/* What a step holds. */
struct lli_load {
    double rows, seqs, logits;
    double contexts;  /* positions seen, summed over the rows */
    double positions; /* of K and V that are read, once for each sequence */
    double window, local_contexts, local_positions; /* the cost's, before rows are added; the same in layers with the window */
};

/* More rows of one sequence, from position `first` on. */
void lli_load_add(struct lli_load *load, double first, double n_rows, double n_logits);

/* What the machine does a second. */
struct lli_rates {
    double bytes, flops, attention_flops;
    double step_ns, seq_ns; /* T_0 and T_1 */
    double kv_bytes;        /* what attention reads; 0: as bytes */
    double overlap;         /* p; 0: the maximum */
};

/* p as measured on Zen 5: 8 rows, whose products compute as long as they read, take 1.2 (Q4_0) and 1.3 x (F16) of that. */
#define LLI_OVERLAP 2.5

/* The parts of a step in ns, and which side of each is the longer one. */
struct lli_step_cost {
    double layers, head, attention, fixed;
    int layers_read, head_read, attention_read; /* 1: reading */
};

void lli_cost_step(struct lli_step_cost *out, const struct lli_cost *cost, const struct lli_rates *rates,
                   const struct lli_load *load);
double lli_cost_step_ns(const struct lli_cost *cost, const struct lli_rates *rates, const struct lli_load *load);

/* The time of two things that hide each other. */
double lli_cost_overlap(double p, double a, double b);

/* Its attention: operations, and bytes of K and V. */
double lli_cost_attention_flops(const struct lli_cost *cost, const struct lli_load *load);
double lli_cost_attention_bytes(const struct lli_cost *cost, const struct lli_load *load);

/* What the step does in all. */
double lli_cost_step_flops(const struct lli_cost *cost, const struct lli_load *load);
double lli_cost_step_bytes(const struct lli_cost *cost, const struct lli_load *load);

/* A prompt of n tokens alone, in steps of so many rows. */
double lli_cost_prefill_ns(const struct lli_cost *cost, const struct lli_rates *rates, double n, double step_rows);

/* The largest number of new rows, `most` at most, of a sequence at position `first`, with which the step lasts no longer than
 * that; 0: not even one. */
double lli_cost_rows(const struct lli_cost *cost, const struct lli_rates *rates, const struct lli_load *load, double first,
                     double most, double ns);

/* Weights read by a step, all of them once; experts as `rows` rows meet them when they are routed evenly. */
double lli_cost_weight_bytes(const struct lli_cost *cost, double rows);
double lli_cost_experts(double n_experts, double n_used, double rows);

/* Rows at which computing takes as long as reading: flops * bytes of a weight / (2 * bytes a second). */
double lli_cost_b_star(const struct lli_rates *rates, double weight_bytes);

/* Tokens that a step of gamma guesses yields, each of which is right with the chance a. */
double lli_cost_drafts(double a, uint32_t gamma);

#endif
