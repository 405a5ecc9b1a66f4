/* api/forecast.h - what a context will take, before it is opened. */
#ifndef LLI_API_FORECAST_H
#define LLI_API_FORECAST_H

#include "llminf/llminf.h"

#include "cost/cost.h"

struct llminf_model;
struct lli_engine_options;
struct lli_values;
struct lli_vocab;

/* A model for the formulas of cost/. shape_out may be NULL. kv_type: enum lli_kv_type. */
void lli_forecast_model(struct lli_cost *out, struct lli_shape *shape_out, const struct llminf_model *model, int kv_type);

/* What the values of kind "context" say to the engine, with the model's file for weights; without a model these and its config
 * stay NULL. OPTION for a backend. */
llminf_status lli_context_options(struct lli_engine_options *out, const struct lli_values *values,
                                  const struct llminf_model *model, llminf_error *err);

/* A draft model whose tokens are those of `vocab`: its config and its share of the pool, but no weights. A share of 0 leaves
 * them out. OPTION. */
llminf_status lli_context_draft(struct lli_engine_options *out, const struct llminf_model *draft,
                                const struct lli_values *values, const struct lli_vocab *vocab, llminf_error *err);

#endif
