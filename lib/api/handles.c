#include "api/handles.h"
#include "text/template.h"

void lli_handles_model_ref(struct llminf_model *model)
{
    atomic_fetch_add_explicit(&model->handle.refs, 1, memory_order_relaxed);
}

void lli_handles_model_unref(struct llminf_model *model)
{
    struct lli_heap heap;
    if (atomic_fetch_sub_explicit(&model->handle.refs, 1, memory_order_acq_rel) != 1)
        return;
    model->handle.mark = 0;
    lli_adapters_finish(&model->adapters);
    lli_packings_finish(&model->packings);
    lli_weights_finish(&model->weights);
    struct lli_trie *trie = atomic_load(&model->trie);
    lli_template_free(atomic_load(&model->compiled));
    if (trie != NULL) {
        lli_trie_finish(trie);
        lli_free(&model->heap, trie);
    }
    lli_vocab_finish(&model->vocab);
    lli_gguf_finish(&model->gguf);
    lli_files_finish(&model->files);
    if (model->has_log)
        lli_log_finish(&model->log);
    lli_heap_init(&heap, model->heap.alloc, model->heap.release, model->heap.user); /* the model lies in its own heap */
    lli_free(&heap, model);
}

void lli_handles_context_unref(struct llminf_context *context)
{
    struct llminf_model *model = context->model, *draft = context->draft;
    if (atomic_fetch_sub_explicit(&context->handle.refs, 1, memory_order_acq_rel) != 1)
        return;
    context->handle.mark = 0;
    lli_engine_free(context->engine);
    lli_values_finish(&context->values);
    lli_free(&model->heap, context);
    lli_handles_model_unref(model);
    if (draft != NULL)
        lli_handles_model_unref(draft);
}
