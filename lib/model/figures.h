/* model/figures.h - a network as the numbers that cost/ counts with. */
#ifndef LLI_MODEL_FIGURES_H
#define LLI_MODEL_FIGURES_H

#include "cost/shape.h"
#include "model/config.h"
#include "model/weights.h"

/* weights: the file's. */
void lli_figures_shape(struct lli_shape *out, const struct lli_config *config, const struct lli_weights *weights);

/* Bytes as the file's types have them. */
void lli_figures_weights(struct lli_weight_bytes *out, const struct lli_config *config, const struct lli_weights *weights);

/* The config of a shape that is no file: as much of it as sizes follow from. */
void lli_figures_config(struct lli_config *out, const struct lli_shape *shape);

#endif
