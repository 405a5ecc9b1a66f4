/* engine/snapshot.h - a session as bytes, and back.
 *
 *     magic[8] "LLMINFSN" | u32 version | u32 0 | u64 model's fingerprint | u32 numerics, kv type, head size, KV heads, layers,
 *     tokens of a block | u64 bytes of a block | u64 adapter's fingerprint | f64 its scale | u32 n_groups, windows[n_groups],
 *     n_tokens, n_reached, n_said, n_blocks | i32 tokens[n_tokens] | blocks | u64 checksum of all before it
 *
 * All little endian. Fingerprint and scale are 0 without an adapter; version 1 has neither, version 2 no groups: it is read
 * where all layers see all. Blocks stand group by group: of n_blocks whole ones those that the group's window keeps. What is
 * behind them is computed again, with the same bits. The checksum is XXH3 over pieces of 64 KiB, each seeded by
 * the one before: it detects damage, not malice, so what is loaded is found by no other session. */
#ifndef LLI_ENGINE_SNAPSHOT_H
#define LLI_ENGINE_SNAPSHOT_H

#include <stddef.h>
#include <stdint.h>

struct llminf_error;
struct lli_engine;
struct lli_timeline;
struct lli_timeline_options;

/* Where the bytes go. Both return 0 to go on. */
struct lli_snapshot_sink {
    int32_t (*begin)(void *user, uint64_t n_all, struct llminf_error *err); /* NULL: need not know */
    int32_t (*write)(void *user, const void *bytes, size_t n, struct llminf_error *err);
    void *user;
};

/* An idle timeline's bytes, piece by piece. BUSY, MEMORY, or what the sink says. */
int32_t lli_snapshot_write(struct lli_timeline *t, const struct lli_snapshot_sink *sink, struct llminf_error *err);

/* A new timeline. FORMAT for damage, UNSUPPORTED for another version, MISMATCH for another model, kv_type or adapter (subject:
 * which), and as lli_timeline_open and append. Without room for its blocks it has none, and computes them again. */
int32_t lli_snapshot_read(struct lli_timeline **out, struct lli_engine *engine, const void *bytes, size_t size,
                          const struct lli_timeline_options *options, struct llminf_error *err);

#endif
